//! Labels that would harm a page, and a single point of everything.

use burnscape_plot::{
    AxisScale, Bar, CurveFigure, Drawing, Figure, LandscapeFigure, PlotAxis, PlotError, Series,
    SpectrumFigure, TreeBranch,
};

use crate::data::{all, landscape};
use crate::documents::{drawing, texts};

const ODD: [&str; 8] = [
    "a<b>&\"c\"'d'",
    "</script><script>alert(1)</script>",
    "]]><!-- -->",
    "שלום עולם 12.5 (א)",
    "مرحبا \u{202e}abc\u{202c}",
    "$\\alpha$ costs $5",
    "nul\u{0}bell\u{7}line\nfeed\u{ffff}",
    "漢字 😀 e\u{301}",
];

/// The same text everywhere.
fn labeled(text: &str) -> Vec<Figure> {
    let mut curve = crate::data::curve();
    curve.x = PlotAxis::new(text);
    curve.y = PlotAxis::new(text).log();
    curve
        .series
        .iter_mut()
        .for_each(|series| series.name = text.into());
    curve
        .regions
        .iter_mut()
        .for_each(|region| region.label = text.into());
    curve
        .bracket
        .iter_mut()
        .for_each(|bracket| bracket.label = text.into());
    let mut tree = crate::data::tree();
    tree.iter_mut()
        .for_each(|branch| branch.label = text.into());
    let mut field = landscape(AxisScale::Linear);
    field.name = text.into();
    field.labels = [text; 3].map(String::from);
    field.branches = tree.clone();
    let mut bars = crate::data::bars();
    for bar in &mut bars {
        bar.label = text.into();
        bar.group = text.into();
        bar.note = text.into();
    }
    vec![
        Figure::Curve(curve),
        Figure::Contour(field.clone()),
        Figure::Surface(field.clone()),
        Figure::HeatMap(field),
        Figure::Persistence(tree.clone()),
        Figure::MergeTree(tree),
        Figure::Bars(bars),
    ]
}

#[test]
fn labels_do_no_harm() {
    for text in ODD {
        for figure in labeled(text) {
            let drawing = drawing(false).with_title(text).with_alt(text);
            let svg = figure.to_svg(&drawing).unwrap();
            assert!(!texts(&svg).is_empty());
            assert!(!svg.contains("<script") && !svg.contains("<b>"), "{text}");
        }
        let png = labeled(text)
            .remove(0)
            .to_png(&drawing(true).with_title(text));
        assert!(png.unwrap().len() > 1000);
    }
}

#[test]
fn text_is_shown_as_it_is() {
    for text in [ODD[0], ODD[1], ODD[3], ODD[5]] {
        let svg = all()
            .remove(0)
            .1
            .to_svg(&drawing(false).with_title(text))
            .unwrap();
        assert!(texts(&svg).contains(&text.to_owned()), "{text}");
    }
}

#[test]
fn long_labels_are_cut() {
    let text = "long ".repeat(2000);
    for figure in labeled(&text) {
        let svg = figure.to_svg(&drawing(false).with_title(&text)).unwrap();
        let longest = texts(&svg).iter().map(|text| text.chars().count()).max();
        assert!(longest < Some(130), "{longest:?}");
    }
}

#[test]
fn a_single_point_is_a_picture() {
    let one = LandscapeFigure {
        x: vec![0.5],
        y: vec![-2.0],
        values: vec![3.0],
        ..LandscapeFigure::default()
    };
    let row = LandscapeFigure {
        x: vec![0.0, 1.0, 2.0],
        y: vec![1.0],
        values: vec![3.0, f64::NAN, 5.0],
        ..LandscapeFigure::default()
    };
    let branch = TreeBranch {
        birth: 0.3,
        ..TreeBranch::default()
    };
    let figures = [
        Figure::Curve(CurveFigure {
            series: vec![Series::new("", vec![1.0], vec![2.0])],
            ..CurveFigure::default()
        }),
        Figure::Curve(CurveFigure {
            y: PlotAxis::new("y").log(),
            series: vec![Series::new("one", vec![1.0], vec![2.0]).with_band(vec![1.0], vec![3.0])],
            ..CurveFigure::default()
        }),
        Figure::Contour(one.clone()),
        Figure::HeatMap(one.clone()),
        Figure::Contour(row.clone()),
        Figure::HeatMap(row.clone()),
        Figure::Spectrum(SpectrumFigure {
            eigenvalues: vec![1.0],
            density: vec![0.5],
            ..SpectrumFigure::default()
        }),
        Figure::Spectrum(SpectrumFigure {
            outliers: vec![4.0],
            ..SpectrumFigure::default()
        }),
        Figure::Persistence(vec![branch.clone()]),
        Figure::MergeTree(vec![branch]),
        Figure::Bars(vec![Bar {
            value: 2.0,
            ..Bar::default()
        }]),
    ];
    for figure in figures {
        let svg = figure.to_svg(&drawing(false)).unwrap();
        assert!(!texts(&svg).is_empty());
        figure.to_png(&Drawing::new(300, 240)).unwrap();
    }
    for figure in [one, row] {
        let error = Figure::Surface(figure).to_svg(&drawing(false)).unwrap_err();
        assert!(matches!(error, PlotError::Draw { .. }), "{error}");
    }
}

#[test]
fn a_flat_landscape_has_one_color() {
    let mut flat = landscape(AxisScale::Linear);
    flat.values.fill(1.0);
    for figure in [
        Figure::Contour(flat.clone()),
        Figure::Surface(flat.clone()),
        Figure::HeatMap(flat),
    ] {
        texts(&figure.to_svg(&drawing(false)).unwrap());
    }
}
