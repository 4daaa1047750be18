//! Pages that are hard to show, for a browser to show them.

use burnscape_plot::{
    AxisScale, Bar, Content, CurveFigure, Figure, LandscapeFigure, Panel, PlotAxis, Report, Series,
    ShadedRegion, TreeBranch,
};
use serde_json::json;

use crate::report::{self, landscape};

/// Names and pages.
pub(crate) fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("full", report::report()),
        ("one_panel", one_panel()),
        ("not_finite", not_finite()),
        ("long_run", long_run()),
        ("hostile", hostile()),
    ]
}

fn panel(title: &str, content: Content) -> Panel {
    Panel {
        title: title.into(),
        caption: format!("{title}: what one sees."),
        cannot_tell: "Anything else.".into(),
        content,
    }
}

fn one_panel() -> Report {
    let content = Content::Landscapes(vec![landscape::sam()]);
    Report::new("One panel").with_panel(panel("A surface", content))
}

/// The surface with a corner that is not a number, a corner at infinity, and some of both among its curves.
fn not_finite() -> Report {
    let hole = |figure: &LandscapeFigure, cell: usize| {
        let (x, y) = (
            figure.x[cell / figure.y.len()],
            figure.y[cell % figure.y.len()],
        );
        match (x + y, x - y) {
            (sum, _) if sum > 40.0 => Some(f64::INFINITY),
            (_, difference) if difference > 40.0 => Some(f64::NAN),
            _ => None,
        }
    };
    let mut figure = landscape::sgd();
    for cell in 0..figure.values.len() {
        if let Some(value) = hole(&figure, cell) {
            figure.values[cell] = value;
        }
    }
    for mark in figure.trajectory.iter_mut().step_by(7) {
        mark.plane_loss = f64::NAN;
        mark.loss = f64::INFINITY;
    }
    let steps: Vec<f64> = (0..60).map(f64::from).collect();
    let losses = steps.iter().map(|step| match *step as u32 {
        10..15 => f64::NAN,
        40..44 => f64::INFINITY,
        _ => (-step / 20.0).exp(),
    });
    let losses = Series::new("diverges twice", steps.clone(), losses.collect());
    let bars = [1.5, f64::NAN, f64::INFINITY].map(|value| Bar {
        label: "trace".into(),
        group: "Sharpness".into(),
        value,
        error: Some(f64::INFINITY),
        note: "of something".into(),
    });
    Report::new("Not finite")
        .with_panel(panel(
            "A surface with holes",
            Content::Landscapes(vec![figure]),
        ))
        .with_panel(panel(
            "A curve with gaps",
            Content::Curves(vec![CurveFigure {
                x: PlotAxis::new("step"),
                y: PlotAxis::new("loss").log(),
                series: vec![losses],
                ..CurveFigure::default()
            }]),
        ))
        .with_panel(panel("Bars without end", Content::Bars(bars.into())))
}

/// A thousand checkpoints.
fn long_run() -> Report {
    let mut figure = landscape::sgd();
    let few = figure.trajectory.clone();
    figure.trajectory = (0..1000)
        .map(|index| {
            let place = index as f64 * (few.len() - 1) as f64 / 999.0;
            let (before, share) = (place.floor() as usize, place.fract());
            let [a, b] = [&few[before], &few[(before + 1).min(few.len() - 1)]];
            let mut mark = *a;
            mark.step = 5 * index + 5;
            mark.x += share * (b.x - a.x);
            mark.y += share * (b.y - a.y);
            mark.loss *= (b.loss / a.loss).powf(share);
            mark.plane_loss *= (b.plane_loss / a.plane_loss).powf(share);
            mark
        })
        .collect();
    let steps: Vec<f64> = figure
        .trajectory
        .iter()
        .map(|mark| mark.step as f64)
        .collect();
    let losses = figure.trajectory.iter().map(|mark| mark.loss).collect();
    let curve = CurveFigure {
        x: PlotAxis::new("step"),
        y: PlotAxis::new("loss").log(),
        series: vec![Series::new("training", steps, losses)],
        ..CurveFigure::default()
    };
    Report::new("A thousand checkpoints")
        .with_panel(panel("The surface", Content::Landscapes(vec![figure])))
        .with_panel(panel("Training", Content::Curves(vec![curve])))
}

/// Texts that would do harm as markup. `hostile` is set if one runs.
const TEXTS: [&str; 5] = [
    "</script><script>window.hostile = 1</script>",
    "<img src=x onerror=window.hostile=1> &amp; &#60;",
    "\"quotes\" 'and' `more` \\ ${window.hostile = 1}",
    "\u{202e}right to left \u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "</style><style>*{display:none}</style> --> ]]>",
];

fn hostile() -> Report {
    let all = TEXTS.join(" ");
    let text = || all.clone();
    let branches: Vec<TreeBranch> = landscape::sgd()
        .branches
        .into_iter()
        .map(|branch| TreeBranch {
            label: text(),
            ..branch
        })
        .collect();
    let view = LandscapeFigure {
        name: text(),
        labels: [text(), text(), text()],
        metrics: vec![(text(), landscape::sgd().values)],
        branches: branches.clone(),
        scale: AxisScale::Log,
        ..landscape::sgd()
    };
    let chart = CurveFigure {
        x: PlotAxis::new(text()),
        y: PlotAxis::new(text()),
        series: vec![Series::new(
            text(),
            vec![0.0, 1.0, 2.0],
            vec![1.0, 3.0, 2.0],
        )],
        regions: vec![ShadedRegion {
            from: 0.5,
            to: 1.5,
            label: text(),
        }],
        bracket: None,
    };
    let bar = Bar {
        label: text(),
        group: text(),
        value: 1.0,
        error: Some(0.1),
        note: text(),
    };
    let with_texts = |title: &str, content: Content| Panel {
        title: title.into(),
        caption: text(),
        cannot_tell: text(),
        content,
    };
    let long = format!("{} {}", TEXTS[0], "long ".repeat(2_000));
    let [script, image, quotes, right_to_left, style] = TEXTS;
    Report::new(&long)
        .with_line(text())
        .with_sentence(text())
        .with_panel(with_texts(
            script,
            Content::Landscapes(vec![view.clone(), view]),
        ))
        .with_panel(with_texts(image, Content::Curves(vec![chart.clone()])))
        .with_panel(with_texts(quotes, Content::Trust(vec![(text(), text())])))
        .with_panel(with_texts(
            right_to_left,
            Content::Figure(Figure::Curve(chart), text()),
        ))
        .with_panel(with_texts(style, Content::Topology(branches)))
        .with_panel(with_texts(&long, Content::Bars(vec![bar.clone(), bar])))
        .with_panel(with_texts(
            script,
            Content::Table {
                header: vec![text(), text()],
                rows: vec![vec![text(), text()]],
            },
        ))
        .with_details(text(), json!({ text(): text() }))
        .with_csv(text(), text())
}
