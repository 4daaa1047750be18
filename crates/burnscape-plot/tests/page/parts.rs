//! Small figures and panels for the tests, and the data of a page.

use burnscape_plot::{
    Content, CurveFigure, LandscapeFigure, Panel, PlotAxis, Report, Series, TrajectoryMark,
    TreeBranch,
};
use serde_json::Value;

pub(crate) fn panel(content: Content) -> Panel {
    Panel {
        title: "Title".into(),
        caption: "Caption".into(),
        cannot_tell: "Limits".into(),
        content,
    }
}

pub(crate) fn page(content: Content) -> Report {
    Report::new("Page").with_panel(panel(content))
}

pub(crate) fn landscape() -> LandscapeFigure {
    LandscapeFigure {
        name: "network".into(),
        x: vec![-1.0, 0.0, 1.0],
        y: vec![-1.0, 1.0],
        values: vec![3.0, 1.0, 2.0, 0.5, 1.0, 4.0],
        labels: ["first", "second", "loss"].map(String::from),
        ..LandscapeFigure::default()
    }
}

pub(crate) fn curves() -> CurveFigure {
    CurveFigure {
        x: PlotAxis::new("step"),
        y: PlotAxis::new("loss").log(),
        series: vec![Series::new(
            "training",
            vec![0.0, 1.0, 2.0],
            vec![2.0, 1.0, 0.5],
        )],
        ..CurveFigure::default()
    }
}

pub(crate) fn branches() -> Vec<TreeBranch> {
    let deep = TreeBranch {
        birth: 0.1,
        volume: 4,
        at: vec![0.0, 1.0],
        label: "A".into(),
        ..TreeBranch::default()
    };
    let shallow = TreeBranch {
        birth: 0.4,
        death: Some(0.9),
        parent: Some(0),
        volume: 2,
        is_resolved: Some(false),
        at: vec![1.0, -1.0],
        label: "B".into(),
    };
    vec![deep, shallow]
}

pub(crate) fn trajectory(marks: usize) -> Vec<TrajectoryMark> {
    let mark = |step: usize| {
        let t = step as f64 / marks as f64;
        TrajectoryMark {
            step: 10 * step,
            x: 1.0 - 1.3 * t + 0.1 * (30.0 * t).sin(),
            y: 0.8 - t,
            loss: 2.0 * (-3.0 * t).exp(),
            plane_loss: 3.0 * (-2.0 * t).exp(),
            off_plane_share: 1.0 - t,
        }
    };
    (0..marks).map(mark).collect()
}

/// The data of the scripts.
pub(crate) fn island(page: &str) -> Value {
    let (_, rest) = page
        .split_once("<script id=\"data\" type=\"application/json\">")
        .unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    assert!(!json.contains('<'));
    serde_json::from_str(json).unwrap()
}
