//! What is refused, and with which words.

use burnscape_plot::{
    Bar, Content, CurveFigure, Figure, LandscapeFigure, PlotError, Report, Series, TreeBranch,
};

use crate::parts::{curves, landscape, page, panel};

fn refused(content: Content) -> PlotError {
    page(content).to_html().unwrap_err()
}

#[test]
fn a_page_has_panels() {
    assert_eq!(
        Report::new("Page").to_html(),
        Err(PlotError::Empty { figure: "report" })
    );
}

#[test]
fn panels_have_data() {
    let empty = |figure| PlotError::Empty { figure };
    assert_eq!(
        refused(Content::Landscapes(vec![])),
        empty("landscape panel")
    );
    assert_eq!(
        refused(Content::Landscapes(vec![LandscapeFigure::default()])),
        empty("landscape")
    );
    assert_eq!(refused(Content::Curves(vec![])), empty("curve panel"));
    assert_eq!(
        refused(Content::Curves(vec![CurveFigure::default()])),
        empty("curve")
    );
    assert_eq!(refused(Content::Trust(vec![])), empty("trust panel"));
    assert_eq!(refused(Content::Topology(vec![])), empty("topology panel"));
    assert_eq!(refused(Content::Bars(vec![])), empty("bar table"));
    assert_eq!(
        refused(Content::Table {
            header: vec![],
            rows: vec![]
        }),
        empty("table")
    );
    assert_eq!(
        refused(Content::Table {
            header: vec!["a".into()],
            rows: vec![]
        }),
        empty("table")
    );
    assert!(matches!(
        refused(Content::Figure(Figure::Bars(vec![]), String::new())),
        PlotError::Empty { .. }
    ));
}

#[test]
fn one_bad_panel_is_enough() {
    let report = page(Content::Trust(vec![("a".into(), "b".into())]))
        .with_panel(panel(Content::Curves(vec![])));
    assert_eq!(
        report.to_html(),
        Err(PlotError::Empty {
            figure: "curve panel"
        })
    );
}

#[test]
fn something_is_finite() {
    let nowhere = |figure| PlotError::NothingFinite { figure };
    let values = vec![
        f64::NAN,
        f64::INFINITY,
        f64::NAN,
        f64::NAN,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    assert_eq!(
        refused(Content::Landscapes(vec![LandscapeFigure {
            values,
            ..landscape()
        }])),
        nowhere("landscape")
    );
    let series = vec![Series::new("s", vec![0.0, f64::NAN], vec![f64::NAN, 1.0])];
    assert_eq!(
        refused(Content::Curves(vec![CurveFigure { series, ..curves() }])),
        nowhere("curve")
    );
    let branch = TreeBranch {
        birth: f64::NAN,
        ..TreeBranch::default()
    };
    assert_eq!(
        refused(Content::Topology(vec![branch])),
        nowhere("topology panel")
    );
    // A value that is not finite is a result too.
    let bar = Bar {
        label: "a".into(),
        value: f64::NAN,
        ..Bar::default()
    };
    assert!(
        page(Content::Bars(vec![bar]))
            .to_html()
            .unwrap()
            .contains("not a number")
    );
}

#[test]
fn lists_are_equally_long() {
    let lengths = |content| match refused(content) {
        PlotError::Lengths {
            what,
            expected,
            found,
        } => (what, expected, found),
        other => panic!("{other}"),
    };
    let view = LandscapeFigure {
        values: vec![1.0; 5],
        ..landscape()
    };
    assert_eq!(
        lengths(Content::Landscapes(vec![view])),
        ("values of the landscape".into(), 6, 5)
    );
    let view = LandscapeFigure {
        metrics: vec![("accuracy".into(), vec![0.5])],
        ..landscape()
    };
    assert_eq!(
        lengths(Content::Landscapes(vec![view])),
        ("values of the metric `accuracy`".into(), 6, 1)
    );
    let view = LandscapeFigure {
        basins: vec![0; 7],
        ..landscape()
    };
    assert_eq!(
        lengths(Content::Landscapes(vec![view])),
        ("basins of the landscape".into(), 6, 7)
    );
    let series = vec![Series::new("test", vec![0.0, 1.0], vec![1.0])];
    assert_eq!(
        lengths(Content::Curves(vec![CurveFigure { series, ..curves() }])),
        ("values of the curve `test`".into(), 2, 1)
    );
    let series = vec![Series::new("test", vec![0.0], vec![1.0]).with_band(vec![0.5], vec![])];
    assert_eq!(
        lengths(Content::Curves(vec![CurveFigure { series, ..curves() }])),
        ("band of the curve `test`".into(), 1, 0)
    );
    let rows = vec![vec!["1".into(), "2".into()], vec!["3".into()]];
    let table = Content::Table {
        header: vec!["a".into(), "b".into()],
        rows,
    };
    assert_eq!(lengths(table), ("cells of row 1 of the table".into(), 2, 1));
}

#[test]
fn coordinates_increase() {
    let view = LandscapeFigure {
        x: vec![0.0, 1.0, 1.0],
        ..landscape()
    };
    assert_eq!(
        refused(Content::Landscapes(vec![view])),
        PlotError::Coordinates {
            axis: "x",
            index: 2
        }
    );
    let view = LandscapeFigure {
        y: vec![f64::NAN, 1.0],
        ..landscape()
    };
    assert_eq!(
        refused(Content::Landscapes(vec![view])),
        PlotError::Coordinates {
            axis: "y",
            index: 0
        }
    );
}
