//! Strings and numbers that break pages.

use burnscape_plot::{
    AxisScale, Bar, BarrierBracket, Content, CurveFigure, Figure, LandscapeFigure, Panel, PlotAxis,
    Report, Series, ShadedRegion, SpectrumFigure, TrajectoryMark, TreeBranch,
};
use serde_json::json;

use crate::files::keep;
use crate::parts::{branches, curves, island, landscape, page, panel, trajectory};

/// What ends an element, an attribute, a string or a line, what turns the direction of text, and what is long.
fn strings() -> Vec<String> {
    vec![
        "</script><script>document.documentElement.dataset.errors = 'broken'</script>".into(),
        "<!--<script> <img src=x onerror=alert(1)> & &amp; &#60;".into(),
        "\"quotes\" 'and' `more` \\ ${x} \u{2028}\u{2029}\0\u{7}".into(),
        "\u{202e}right to left \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{645}\u{631}\u{62d}\u{628}\u{627}"
            .into(),
        "long".repeat(2500),
        "</style><style>*{display:none}</style>]]>".into(),
        String::new(),
    ]
}

fn hostile(text: &str) -> Report {
    let text = || text.to_owned();
    let with_text = |content| Panel {
        title: text(),
        caption: text(),
        cannot_tell: text(),
        content,
    };
    let branch = |branch: TreeBranch| TreeBranch {
        label: text(),
        ..branch
    };
    let tree: Vec<TreeBranch> = branches().into_iter().map(branch).collect();
    let view = LandscapeFigure {
        name: text(),
        labels: [text(), text(), text()],
        metrics: vec![(text(), vec![0.5; 6])],
        trajectory: trajectory(5),
        branches: tree.clone(),
        basins: vec![0, 0, 0, 1, 1, 0],
        ..landscape()
    };
    let chart = CurveFigure {
        x: PlotAxis::new(text()),
        y: PlotAxis::new(text()).log(),
        series: vec![
            Series::new(text(), vec![0.0, 1.0], vec![1.0, 2.0]),
            Series::new(text(), vec![0.5], vec![1.5]),
        ],
        regions: vec![ShadedRegion {
            from: 0.0,
            to: 0.5,
            label: text(),
        }],
        bracket: Some(BarrierBracket {
            at: 0.5,
            low: 1.0,
            high: 1.5,
            label: text(),
        }),
    };
    let bar = Bar {
        label: text(),
        group: text(),
        value: 1.0,
        error: Some(0.1),
        note: text(),
    };
    Report::new(text())
        .with_line(text())
        .with_sentence(text())
        .with_panel(with_text(Content::Landscapes(vec![view.clone(), view])))
        .with_panel(with_text(Content::Curves(vec![
            chart.clone(),
            chart.clone(),
        ])))
        .with_panel(with_text(Content::Trust(vec![(text(), text())])))
        .with_panel(with_text(Content::Figure(Figure::Curve(chart), text())))
        .with_panel(with_text(Content::Topology(tree)))
        .with_panel(with_text(Content::Bars(vec![bar.clone(), bar])))
        .with_panel(with_text(Content::Table {
            header: vec![text(), text()],
            rows: vec![vec![text(), text()]],
        }))
        .with_details(text(), json!({ text(): text() }))
        .with_csv(text(), text())
}

#[test]
fn strings_are_text() {
    for (index, text) in strings().iter().enumerate() {
        let page = hostile(text).to_html().unwrap();
        // Errors, data, uPlot, the page's own.
        assert_eq!(page.matches("<script").count(), 4, "{index}");
        assert_eq!(page.matches("</script").count(), 4, "{index}");
        assert_eq!(page.matches("<style").count(), 1, "{index}");
        assert_eq!(page.matches("<img").count(), 0, "{index}");
        assert_eq!(island(&page)["panels"][0]["views"][0]["name"], **text);
        keep(&format!("hostile-{index}.html"), &page);
    }
}

#[test]
fn cells_that_are_not_numbers_are_counted() {
    let values = vec![1.0, f64::NAN, f64::INFINITY, 2.0, f64::NEG_INFINITY, 1e300];
    let view = LandscapeFigure {
        values,
        ..landscape()
    };
    let data = island(&page(Content::Landscapes(vec![view])).to_html().unwrap());
    let field = &data["panels"][0]["views"][0]["fields"][0];
    assert_eq!(field["values"], json!([1, null, null, 2, null, 1e300]));
    assert_eq!(field["nan"], json!([1]));
    assert_eq!(field["inf"], json!([2, 4]));
}

#[test]
fn points_at_infinity_are_kept() {
    let series = vec![Series::new(
        "s",
        vec![0.0, 1.0, 2.0, 3.0],
        vec![1.0, f64::INFINITY, f64::NAN, f64::NEG_INFINITY],
    )];
    let data = island(
        &page(Content::Curves(vec![CurveFigure { series, ..curves() }]))
            .to_html()
            .unwrap(),
    );
    let curve = &data["panels"][0]["charts"][0]["series"][0];
    assert_eq!(curve["y"], json!([1, null, null, null]));
    assert_eq!(curve["above"], json!([1]));
    assert_eq!(curve["below"], json!([3]));
}

/// A page with everything that is not finite, missing or extreme, kept for the browser.
#[test]
fn hostile_numbers_make_a_page() {
    let [nan, inf] = [f64::NAN, f64::INFINITY];
    let axis: Vec<f64> = (0..31).map(|i| f64::from(i) / 15.0 - 1.0).collect();
    let value = |x: f64, y: f64| match (x, y) {
        _ if x + y > 1.4 => nan,
        _ if x * x + y * y > 1.5 => inf,
        _ if x * x + y * y < 0.01 => 0.0,
        _ => (x * x - 0.4).powi(2) + y * y + 0.01,
    };
    let holes = LandscapeFigure {
        name: "holes".into(),
        values: axis
            .iter()
            .flat_map(|&x| axis.iter().map(move |&y| value(x, y)))
            .collect(),
        x: axis.clone(),
        y: axis.clone(),
        scale: AxisScale::Log,
        labels: ["x", "y", "loss"].map(String::from),
        metrics: vec![("never positive".into(), vec![-1.0; 961])],
        trajectory: vec![
            TrajectoryMark {
                step: 1,
                x: nan,
                y: 0.0,
                ..TrajectoryMark::default()
            },
            TrajectoryMark {
                step: 2,
                x: 0.5,
                y: 0.5,
                loss: inf,
                plane_loss: nan,
                off_plane_share: nan,
            },
            TrajectoryMark {
                step: 3,
                x: 9.0,
                y: 0.1,
                loss: 1e-9,
                plane_loss: 0.2,
                off_plane_share: 7.0,
            },
            TrajectoryMark {
                step: 4,
                x: -0.5,
                y: 0.1,
                loss: 1e-9,
                plane_loss: 0.2,
                off_plane_share: 0.5,
            },
        ],
        ..LandscapeFigure::default()
    };
    let uneven = LandscapeFigure {
        name: "uneven, no metrics, constant".into(),
        x: vec![0.0, 1.0, 10.0, 11.0],
        y: vec![-100.0, 0.0, 1e-3],
        values: vec![5.0; 12],
        ..LandscapeFigure::default()
    };
    let point = LandscapeFigure {
        x: vec![1.0],
        y: vec![2.0],
        values: vec![3.0],
        ..LandscapeFigure::default()
    };
    let line = LandscapeFigure {
        x: vec![1.0],
        y: vec![2.0, 3.0],
        values: vec![3.0, nan],
        ..LandscapeFigure::default()
    };
    let wild = CurveFigure {
        x: PlotAxis::new("step").log(),
        y: PlotAxis::new("loss").log(),
        series: vec![
            Series::new(
                "with gaps",
                vec![3.0, 1.0, 2.0, nan, 5.0, 0.0, 4.0],
                vec![1.0, inf, nan, 2.0, 0.0, -1.0, 1e-200],
            ),
            Series::new("one point", vec![2.0], vec![0.5]).with_band(vec![nan], vec![inf]),
            Series::new("nothing", vec![], vec![]),
        ],
        regions: vec![ShadedRegion {
            from: nan,
            to: inf,
            label: String::new(),
        }],
        bracket: Some(BarrierBracket {
            at: nan,
            low: 0.0,
            high: inf,
            label: String::new(),
        }),
    };
    let flat = CurveFigure {
        series: vec![Series::new("flat", vec![7.0, 7.0], vec![0.0, 0.0])],
        ..CurveFigure::default()
    };
    let tree = vec![
        TreeBranch {
            birth: nan,
            ..TreeBranch::default()
        },
        TreeBranch {
            birth: 1.0,
            death: Some(inf),
            parent: Some(9),
            ..TreeBranch::default()
        },
        TreeBranch {
            birth: 1.0,
            death: Some(1.0),
            parent: Some(3),
            ..TreeBranch::default()
        },
        TreeBranch {
            birth: 1.0,
            death: Some(2.0),
            parent: Some(2),
            at: vec![nan; 5],
            ..TreeBranch::default()
        },
        TreeBranch {
            birth: 1.5,
            death: Some(1.7),
            parent: Some(4),
            ..TreeBranch::default()
        },
    ];
    let bars = [nan, inf, -inf, 0.0, -3.0, 1e308, 5e-324];
    let bars = bars.into_iter().flat_map(|value| {
        [None, Some(nan), Some(inf), Some(0.0), Some(2.0)].map(|error| Bar {
            label: format!("{value:e}"),
            value,
            error,
            note: format!("{error:?}"),
            ..Bar::default()
        })
    });
    let spectrum = SpectrumFigure {
        eigenvalues: vec![-1.0, 0.0, 1.0, 2.0],
        density: vec![nan, 0.0, 1.0, inf],
        outliers: vec![nan, 5.0],
        ..SpectrumFigure::default()
    };
    let report = Report::new("Hostile numbers")
        .with_panel(panel(Content::Landscapes(vec![
            holes,
            uneven,
            point.clone(),
            line,
        ])))
        .with_panel(panel(Content::Landscapes(vec![point])))
        .with_panel(panel(Content::Curves(vec![wild, flat])))
        .with_panel(panel(Content::Topology(tree)))
        .with_panel(panel(Content::Topology(vec![TreeBranch::default()])))
        .with_panel(panel(Content::Bars(bars.collect())))
        .with_panel(panel(Content::Figure(
            Figure::Spectrum(spectrum),
            "spectrum".into(),
        )));
    keep("numbers.html", &report.to_html().unwrap());
}

/// A large grid, a thousand checkpoints and two thousand branches.
#[test]
fn large_data_make_a_page() {
    let axis: Vec<f64> = (0..201).map(|i| f64::from(i) / 100.0 - 1.0).collect();
    let value =
        |x: f64, y: f64| 0.1 + x * x + 2.0 * y * y + 0.2 * (40.0 * x).sin() * (37.0 * y).cos();
    let view = LandscapeFigure {
        name: "large".into(),
        values: axis
            .iter()
            .flat_map(|&x| axis.iter().map(move |&y| value(x, y)))
            .collect(),
        x: axis.clone(),
        y: axis,
        labels: ["x", "y", "loss"].map(String::from),
        trajectory: trajectory(1000),
        ..LandscapeFigure::default()
    };
    let tree = (0..2000_u32).map(|index| TreeBranch {
        birth: f64::from(index % 97) / 97.0,
        death: (index > 0).then(|| 1.0 + f64::from(index % 31) / 31.0),
        parent: (index > 0).then(|| (index as usize - 1) / 2),
        is_resolved: Some(index % 3 == 0),
        volume: index as usize,
        ..TreeBranch::default()
    });
    let steps: Vec<f64> = (0..1000).map(|step| f64::from(step) * 10.0).collect();
    let curve = |factor: f64| {
        steps
            .iter()
            .map(|step| factor * (-step / 3000.0).exp())
            .collect()
    };
    let series = (1..=12).map(|index| {
        Series::new(
            format!("curve {index}"),
            steps.clone(),
            curve(f64::from(index)),
        )
    });
    let chart = CurveFigure {
        series: series.collect(),
        ..curves()
    };
    let report = page(Content::Landscapes(vec![view]))
        .with_panel(panel(Content::Curves(vec![chart])))
        .with_panel(panel(Content::Topology(tree.collect())));
    let html = report.to_html().unwrap();
    let run = &island(&html)["panels"][0]["views"][0]["trajectory"];
    assert_eq!(run["step"][999], 9990);
    assert_eq!(run["x"].as_array().unwrap().len(), 1000);
    keep("large.html", &html);
}

#[test]
fn a_page_may_have_one_panel() {
    let html = page(Content::Topology(branches())).to_html().unwrap();
    assert!(!html.contains("<nav") && !html.contains("id=\"details\""));
    keep("single.html", &html);
}
