//! What each method of the builder adds to a page, and the order of it all.

use burnscape::FormatError;
use burnscape::krylov::{Dense, DensityConfig, Symmetric};
use burnscape::landscape::{Landscape, LandscapeError, LossScale};
use burnscape::plot::{PlotError, Report};
use burnscape::prelude::*;
use burnscape::report::ReportBuilder;
use burnscape::topology::{MergeTree, ModelGraph};
use burnscape::trajectory::{PlateausConfig, TrajectoryPcaConfig};
use serde_json::json;

use super::models::{
    Page, bowl, bowl_on, density, double_well, profile, projection, trace, trajectory,
};

fn builder() -> ReportBuilder {
    ReportBuilder::new("Digits")
}

fn models() -> MergeTree {
    let mut graph = ModelGraph::new(vec![0.1, 0.3, 0.2]).unwrap();
    graph.connect(0, 1, 0.5).unwrap();
    MergeTree::of_graph(&graph)
}

/// A page with all kinds of panels, added in another order than theirs.
pub(crate) fn full() -> Report {
    let pca = TrajectoryPcaConfig::new(1).run(&trajectory()).unwrap();
    let plateaus = PlateausConfig::new(1, 0.1).run(&[1.0, 1.0, 1.0]).unwrap();
    let accuracy = vec![vec!["SGD".to_string(), "0.98".to_string()]];
    builder()
        .with_fact("48,938 parameters")
        .with_csv("surface", &double_well())
        .unwrap()
        .with_details("profile", &profile())
        .with_table(
            "Accuracy",
            "How many are right.",
            "Why.",
            &["network", "accuracy"],
            accuracy,
        )
        .with_sharpness("SGD", &trace(Some(10.0), Some(1.0)))
        .with_models(&["SGD", "SAM"], &models())
        .with_path("line", &profile())
        .with_spectrum("the Hessian", &density())
        .with_components("SGD", &pca, None)
        .with_plateaus(&[0, 10, 20], &plateaus)
        .with_losses("train", &[0.0, 10.0, 20.0], &[1.0, 0.9, 0.8])
        .with_projection("SAM", &projection())
        .with_landscape("SGD", &double_well(), LossScale::Log10)
        .unwrap()
        .with_landscape("SAM", &bowl(), LossScale::Log10)
        .unwrap()
        .build()
}

#[test]
fn panels_have_an_order_of_their_own() {
    let page = Page::of(&full());
    let expected = [
        "The surfaces of the loss",
        "Training",
        "How much to trust the pictures",
        "Spectrum of the Hessian",
        "Sharpness",
        "Paths between networks",
        "Wells of SGD",
        "Which networks lie in one well",
        "Accuracy",
    ];
    assert_eq!(page.titles(), expected);
    for panel in page.panels() {
        for part in ["caption", "cannot_tell"] {
            let text = panel[part].as_str().unwrap();
            assert!(text.ends_with('.') && !text.contains("  "), "{text}");
        }
    }
}

#[test]
fn a_page_is_continued() {
    let rows = vec![vec!["SGD".to_string(), "0.98".to_string()]];
    let head = builder()
        .with_fact("a fact")
        .with_table("Accuracy", "", "", &["network", "accuracy"], rows)
        .with_details("before", "text")
        .build()
        .with_sentence("SAM is flatter.");
    let page = ReportBuilder::from(head)
        .with_fact("another")
        .with_landscape("SGD", &bowl(), LossScale::Linear)
        .unwrap()
        .with_details("after", "text")
        .build();
    let page = serde_json::to_value(&page).unwrap();
    assert_eq!(page["title"], "Digits");
    assert_eq!(page["lines"], json!(["a fact", "another"]));
    assert_eq!(page["sentences"][0], "SAM is flatter.");
    assert_eq!(page["sentences"].as_array().unwrap().len(), 3);
    assert_eq!(page["panels"][0]["title"], "Accuracy");
    assert_eq!(page["panels"][1]["title"], "The surface of the loss");
    assert_eq!(page["details"][1][0], "after");
}

#[test]
fn nothing_makes_no_panel() {
    let report = builder().with_fact("a fact").build();
    assert!(Page::of(&report).panels().is_empty());
    assert_eq!(report.to_html(), Err(PlotError::Empty { figure: "report" }));
}

#[test]
fn empty_inputs_are_left_out() {
    let mut nothing = projection();
    nothing.points.clear();
    let mut short = profile();
    short.times.clear();
    short.train.values.clear();
    let mut report = trace(None, None);
    report.rows.clear();
    let page = builder()
        .with_projection("SGD", &nothing)
        .with_path("line", &short)
        .with_sharpness("SGD", &report)
        .with_table("Accuracy", "", "", &[], vec![vec!["1".to_string()]])
        .with_table("Accuracy", "", "", &["accuracy"], vec![])
        .build();
    assert!(Page::of(&page).panels().is_empty());
}

#[test]
fn landscapes_are_views_of_one_panel() {
    let page = Page::of(&full());
    let views = page.content("The surfaces of the loss", "landscapes");
    let views = views.as_array().unwrap();
    let names: Vec<&str> = views
        .iter()
        .map(|view| view["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["SGD", "SAM"]);
    assert!(views.iter().all(|view| view["scale"] == "log"));
    assert_eq!(views[0]["trajectory"], json!([]));
    let marks = views[1]["trajectory"].as_array().unwrap();
    assert_eq!((marks.len(), &marks[1]["step"]), (3, &json!(10)));
    for (key, expected) in [
        ("x", 80.0),
        ("y", 0.0),
        ("loss", 26.0),
        ("plane_loss", 17.0),
    ] {
        let found = marks[0][key].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{key} {found}");
    }
    let caption = page.panels()[0]["caption"].as_str().unwrap();
    assert!(caption.contains("All networks have the same scale"));
    assert!(caption.contains("The line is the training run"));
    let alone = builder().with_landscape("SGD", &bowl(), LossScale::Linear);
    let alone = Page::of(&alone.unwrap().build());
    let caption = alone.panels()[0]["caption"].as_str().unwrap();
    assert!(!caption.contains("same scale") && !caption.contains("training run"));
    assert_eq!(alone.titles()[0], "The surface of the loss");
}

#[test]
fn a_projection_without_its_landscape_is_said_to_be_missing() {
    let page = builder()
        .with_projection("SAM", &projection())
        .with_landscape("SGD", &bowl(), LossScale::Linear)
        .unwrap()
        .build();
    let page = Page::of(&page);
    assert_eq!(
        page.answer("What is not drawn?"),
        "the training run on “SAM”: there is no such picture."
    );
    let views = page.content("The surface of the loss", "landscapes");
    assert_eq!(views[0]["trajectory"], json!([]));
}

#[test]
fn landscapes_of_other_dimensions_are_refused() {
    let axis = vec![-1.0, 0.0, 1.0];
    for count in [1, 3] {
        let landscape = bowl_on(&vec![axis.clone(); count]);
        let refused = builder().with_landscape("SGD", &landscape, LossScale::Linear);
        assert!(matches!(refused, Err(LandscapeError::OutOfRange(_))));
    }
    let mut stopped = bowl();
    stopped.evaluated.fill(false);
    let refused = builder().with_landscape("SGD", &stopped, LossScale::Linear);
    assert!(matches!(refused, Err(LandscapeError::Stopped)));
}

#[test]
fn one_well_needs_no_panel_of_its_own() {
    let page = |landscape: &Landscape| {
        let page = builder().with_landscape("SGD", landscape, LossScale::Linear);
        Page::of(&page.unwrap().build())
    };
    let expected = [
        "The surface of the loss",
        "How much to trust the pictures",
        "Wells",
    ];
    assert_eq!(page(&bowl()).titles(), expected[..2]);
    assert_eq!(page(&double_well()).titles(), expected);
}

#[test]
fn wells_have_the_branches_of_their_landscape() {
    let page = Page::of(&full());
    let branches = page.content("Wells of SGD", "topology");
    let views = page.content("The surfaces of the loss", "landscapes");
    assert_eq!(branches, &views[0]["branches"]);
    // Decades of the loss.
    let birth = branches[0]["birth"].as_f64().unwrap();
    assert!((birth - 0.7_f64.log10()).abs() < 1e-9);
}

#[test]
fn models_have_their_names() {
    let page = Page::of(&builder().with_models(&["SGD", "SAM"], &models()).build());
    let content = page.content("Which networks lie in one well", "figure");
    let branches = content[0]["merge_tree"].as_array().unwrap();
    let labels: Vec<&str> = branches
        .iter()
        .map(|branch| branch["label"].as_str().unwrap())
        .collect();
    // By their losses.
    assert_eq!(labels, ["SGD", "model 3", "SAM"]);
    assert_eq!(
        content[1],
        "A merge tree of 3 networks. “SGD” has a loss of 0.1 and meets none that is lower. “model 3” has a loss of 0.2 \
         and meets none that is lower. “SAM” has a loss of 0.3 and meets a lower one at 0.5."
    );
}

#[test]
fn sharper_by_two_standard_errors_is_said() {
    let page = builder()
        .with_sharpness("SGD", &trace(Some(10.0), Some(1.0)))
        .with_sharpness("SAM", &trace(Some(4.0), Some(1.0)))
        .with_sharpness("ASAM", &trace(Some(9.0), Some(1.0)))
        .with_sharpness("exact", &trace(Some(12.0), None))
        .with_sharpness("missing", &trace(None, None))
        .build();
    let page = Page::of(&page);
    let bars = page.content("Sharpness", "bars").as_array().unwrap();
    let group = "Trace of the Hessian, absolute: the sum of the curvatures of all directions";
    let found: Vec<(&str, &str)> = bars
        .iter()
        .map(|bar| {
            (
                bar["label"].as_str().unwrap(),
                bar["note"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("SGD", ""),
        ("SAM", "↓ lower than “SGD”"),
        ("ASAM", ""),
        ("exact", "no error estimate, not tested"),
        ("missing", ""),
    ];
    assert_eq!(found, expected);
    assert!(bars.iter().all(|bar| bar["group"] == group));
    assert_eq!(
        (&bars[1]["value"], &bars[1]["error"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(bars[4]["value"], "nan");
}

#[test]
fn a_single_measure_has_its_meaning_beside_it() {
    let mut report = trace(Some(10.0), Some(1.0));
    let page = Page::of(&builder().with_sharpness("SGD", &report).build());
    let bar = &page.content("Sharpness", "bars")[0];
    assert_eq!(bar["group"], "Trace of the Hessian, absolute");
    assert_eq!(bar["note"], "the sum of the curvatures of all directions");
    report.rows[0].note = Some("not converged".to_string());
    report.rows[0].setting = "rho 0.05".to_string();
    report.rows[0].part = Some("fc.weight".to_string());
    let page = Page::of(&builder().with_sharpness("SGD", &report).build());
    let bar = &page.content("Sharpness", "bars")[0];
    assert_eq!(bar["note"], "not converged");
    assert_eq!(
        bar["group"],
        "Trace of the Hessian, fc.weight, absolute, rho 0.05: the sum of the curvatures of all directions"
    );
}

#[test]
fn spectra_say_what_they_hide() {
    let page = Page::of(&builder().with_spectrum("H", &density()).build());
    let panel = &page.panels()[0];
    let caption = panel["caption"].as_str().unwrap();
    assert!(
        caption.ends_with("10 % of all are below zero."),
        "{caption}"
    );
    let cannot = panel["cannot_tell"].as_str().unwrap();
    assert!(cannot.contains("it is smoothed over "), "{cannot}");
    let content = page.content("Spectrum of H", "figure");
    let text = content[1].as_str().unwrap();
    assert!(
        text.starts_with("The density of eigenvalues from "),
        "{text}"
    );
    assert!(text.ends_with(" 10 % below zero."), "{text}");
}

#[test]
fn spectra_share_an_axis() {
    let wide = |scale: f64| {
        let values = [[-scale; 10].as_slice(), &[2.0 * scale; 90]].concat();
        let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
        let config = DensityConfig::new().with_num_probes(4).with_steps(10);
        config.run(&a).unwrap()
    };
    let page = builder()
        .with_spectrum("wide", &wide(2.0))
        .with_spectrum("narrow", &wide(1.0))
        .build();
    let page = Page::of(&page);
    let ends = |title: &str| {
        let spectrum = &page.content(title, "figure")[0]["spectrum"];
        let [places, density] = ["eigenvalues", "density"].map(|key| {
            let values = spectrum[key].as_array().unwrap();
            [&values[0], &values[values.len() - 1]].map(|value| value.as_f64().unwrap())
        });
        (places, density)
    };
    let ((wide, heights), (narrow, nothing)) =
        (ends("Spectrum of wide"), ends("Spectrum of narrow"));
    assert_eq!(wide, narrow);
    assert!(heights.iter().all(|height| *height > 0.0));
    assert_eq!(nothing, [0.0; 2]);
    let caption = page.panels()[0]["caption"].as_str().unwrap();
    assert!(
        caption.ends_with("All spectra have the same horizontal axis."),
        "{caption}"
    );
}

#[test]
fn a_share_that_the_quadrature_does_not_resolve_has_bounds() {
    let values: Vec<f64> = (-40..=60).map(|index| f64::from(index) / 100.0).collect();
    let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
    let config = DensityConfig::new().with_num_probes(2).with_steps(4);
    let density = config.run(&a).unwrap();
    let page = Page::of(&builder().with_spectrum("H", &density).build());
    let caption = page.panels()[0]["caption"].as_str().unwrap();
    assert!(
        caption.contains("the quadrature does not resolve"),
        "{caption}"
    );
    let content = page.content("Spectrum of H", "figure");
    assert!(content[0]["spectrum"]["negative_mass"].is_null());
}

#[test]
fn paths_share_a_chart() {
    let page = builder()
        .with_path("line", &profile())
        .with_path("curve", &profile())
        .build();
    let page = Page::of(&page);
    let content = page.content("Paths between networks", "figure");
    let series = content[0]["curve"]["series"].as_array().unwrap();
    assert_eq!(series.len(), 2);
    assert_eq!(content[0]["curve"]["bracket"]["label"], "barrier 1");
    assert_eq!(
        content[1],
        "The loss along 2 paths. “line” rises to 1 at 0.5. “curve” rises to 1 at 0.5."
    );
    let panel = &page.panels()[0];
    let caption = panel["caption"].as_str().unwrap();
    assert!(caption.contains("the barrier of “line”"), "{caption}");
    let cannot = panel["cannot_tell"].as_str().unwrap();
    assert!(cannot.contains("between the 11 places"), "{cannot}");
}

#[test]
fn details_are_json_and_csv() {
    struct Broken;
    impl Csv for Broken {
        fn write_csv(&self, _: impl std::io::Write) -> Result<(), FormatError> {
            Err(std::io::Error::other("full").into())
        }
    }
    let report = builder()
        .with_details("numbers", &[1.0, 2.0])
        .with_details("words", "text")
        .with_csv("profile", &profile())
        .unwrap()
        .build();
    let page = serde_json::to_value(&report).unwrap();
    let expected = json!([["numbers", [1.0, 2.0]], ["words", "text"]]);
    assert_eq!(page["details"], expected);
    let text = page["csv"][0][1].as_str().unwrap();
    assert!(text.starts_with("t,length,train_loss\n"), "{text}");
    let refused = builder().with_csv("broken", &Broken);
    assert!(matches!(refused, Err(FormatError::Write { .. })));
}
