//! What the page says.

pub(crate) mod landscape;
mod training;
mod wells;

use burnscape_plot::{Bar, Content, Figure, Panel, Report};
use serde_json::json;

pub(crate) fn report() -> Report {
    let (sgd, sam) = (landscape::sgd(), landscape::sam());
    let csv = landscape::csv(&sgd);
    let branches = sgd.branches.clone();
    Report::new("Digits CNN, trained with SGD and with SAM")
        .with_line("11 274 parameters in 8 tensors")
        .with_line("Digits: 1 437 images for training, 360 for testing")
        .with_line("Seeds 0 (SGD) and 0 (SAM), 5 000 steps each")
        .with_line("Flex on the CPU, f32")
        .with_line("29 November 2026")
        .with_sentence("The loss of the SGD network can double when its weights move by 2 % of their norm, that of the SAM network by 5 %.")
        .with_sentence("On average, 38 % of a checkpoint's distance from the end of training is outside this picture.")
        .with_sentence("Two wells are deep enough for the grid to resolve them. The others may be artifacts of the grid.")
        .with_panel(Panel {
            title: "The surface".into(),
            caption: "Each point is the network with its weights moved along two random directions, as far as the axes say. Height and \
                color are its loss on the training data: the darker, the better. The white line is the training run, seen from this plane."
                .into(),
            cannot_tell: "This is one plane through a space of 11 274 dimensions. Other planes look different, wells in it may be connected \
                outside of it, and a run that seems to climb may have gone around."
                .into(),
            content: Content::Landscapes(vec![sgd, sam]),
        })
        .with_panel(Panel {
            title: "Training".into(),
            caption: "The loss falls quickly, rests for a while (shaded), and falls again. The largest eigenvalue of the Hessian rises until it \
                meets the edge of stability, 2 divided by the learning rate, and stays there."
                .into(),
            cannot_tell: "Whether the plateau is a saddle, or only slow. The eigenvalue is that of one batch of 512 examples.".into(),
            content: Content::Curves(vec![training::losses(), training::sharpness()]),
        })
        .with_panel(trust())
        .with_panel(Panel {
            title: "Spectrum of the Hessian".into(),
            caption: "How the curvatures in all directions are distributed. Nearly all are close to zero; ten stand alone (sticks), one for each \
                class."
                .into(),
            cannot_tell: "The density is smoothed: two eigenvalues closer than 0.4 appear as one hill. Mass below 10⁻⁵ is noise.".into(),
            content: Content::Figure(
                Figure::Spectrum(training::spectrum()),
                "Density of the eigenvalues of the Hessian on a logarithmic axis: a peak at zero and ten single eigenvalues between 4 and 62.".into(),
            ),
        })
        .with_panel(Panel {
            title: "From one network to the other".into(),
            caption: "The loss along a straight line from the SGD network to the SAM network, and along a curve that was fitted to avoid the \
                barrier. The barrier is the height of the line above the straight line between its ends."
                .into(),
            cannot_tell: "That no lower path exists. A fitted curve shows an upper bound of the lowest barrier.".into(),
            content: Content::Figure(
                Figure::Curve(training::paths()),
                "Loss along three paths. The straight line rises to 1.9, the curve stays below 0.05.".into(),
            ),
        })
        .with_panel(Panel {
            title: "Wells".into(),
            caption: "The wells of the surface of SGD, in decades of the loss. Move the slider to hide the shallow ones, and see which of them \
                the grid resolves."
                .into(),
            cannot_tell: "How many minima the loss has. Counts depend on the plane and on the grid: a finer grid may find more, and may find \
                that two of these are one."
                .into(),
            content: Content::Topology(branches),
        })
        .with_panel(Panel {
            title: "Sharpness".into(),
            caption: "Measures of how fast the loss grows around each network, with their standard errors. Compare bars within a measure only."
                .into(),
            cannot_tell: "Which network generalizes better. Several of these measures change when weights are rescaled without changing the \
                network."
                .into(),
            content: Content::Bars(bars()),
        })
        .with_panel(alignment())
        .with_details("Settings", json!({
            "grid": [51, 51], "extent": 0.3, "norm": "filter", "unfiltered": "zero", "seeds": { "directions": 7, "training": 0 },
            "learning_rate": 0.05, "batch": 64, "rho": 0.05, "versions": { "burn": "0.22.1", "burnscape": "0.1.0" },
        }))
        .with_csv("surface of SGD", csv)
}

fn trust() -> Panel {
    let rows = [
        (
            "How much of the run's displacement lies in the plane?",
            "62 %. Two random directions would hold 0.02 %, the best plane of a random walk of this length 76 %.",
        ),
        (
            "Do the two axes share a part?",
            "No: their cosine is 0.004.",
        ),
        (
            "Does the grid resolve the wells?",
            "Two of seven (q = 5.1 and 2.4). Five are below q = 1 and not counted.",
        ),
        (
            "How large are rounding errors?",
            "3 × 10⁻⁷ of the loss, measured by adding up the batches in another order.",
        ),
        (
            "How many planes were drawn?",
            "One. Draw at least three before you compare.",
        ),
    ];
    Panel {
        title: "How much to trust the picture".into(),
        caption: "What the page itself found out about its pictures.".into(),
        cannot_tell: "Whether the loss is measured on the data that matter to you.".into(),
        content: Content::Trust(
            rows.map(|(question, answer)| (question.into(), answer.into()))
                .into(),
        ),
    }
}

fn bars() -> Vec<Bar> {
    let measures = [
        (
            "Largest eigenvalue of the Hessian",
            "steepest curvature in any direction",
            [(61.8, Some(1.9)), (19.4, Some(0.7))],
        ),
        (
            "Trace of the Hessian",
            "sum of all curvatures",
            [(412.0, Some(23.0)), (158.0, Some(11.0))],
        ),
        (
            "Average rise in random directions",
            "at 1 % of the weights' norm",
            [(0.0132, Some(0.0009)), (0.0118, Some(0.0011))],
        ),
        (
            "Worst-case rise within ρ = 0.05",
            "what SAM minimizes",
            [(0.271, None), (0.064, None)],
        ),
    ];
    measures
        .into_iter()
        .flat_map(|(group, note, values)| {
            ["SGD", "SAM"]
                .into_iter()
                .zip(values)
                .map(move |(label, (value, error))| Bar {
                    label: label.into(),
                    group: group.into(),
                    value,
                    error,
                    note: note.into(),
                })
        })
        .collect()
}

fn alignment() -> Panel {
    let rows = [
        ["as they are", "1.87", "0.71", "0.31"],
        ["units of SAM permuted", "0.24", "0.94", "0.78"],
        [
            "permuted, statistics measured again",
            "0.09",
            "0.96",
            "0.78",
        ],
    ];
    Panel {
        title: "Alignment".into(),
        caption: "Networks whose hidden units are in another order are the same. With the units of SAM in the order of those of SGD, the \
            barrier between them all but disappears."
            .into(),
        cannot_tell: "Whether the order is the best: the search finds one that no exchange of two units improves.".into(),
        content: Content::Table {
            header: ["Networks", "Barrier", "Accuracy in the middle", "Correlation of units"].map(String::from).into(),
            rows: rows.map(|row| row.map(String::from).into()).into(),
        },
    }
}
