//! SVGs are documents that a strict parser reads, and safe as parts of a page.

use burnscape_plot::{Drawing, Figure, PlotError};
use roxmltree::Document;

use crate::data::{all, empty, landscape};

pub(crate) fn drawing(is_dark: bool) -> Drawing {
    Drawing::new(600, 440)
        .with_title("A title")
        .with_dark(is_dark)
}

/// The texts of a picture, if it is one.
pub(crate) fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("strict XML");
    let root = document.root_element();
    assert!(root.has_tag_name(("http://www.w3.org/2000/svg", "svg")));
    assert_eq!(root.attribute("role"), Some("img"));
    assert!(
        root.attribute("aria-label")
            .is_some_and(|label| !label.is_empty())
    );
    for element in document.descendants().filter(|node| node.is_element()) {
        let name = element.tag_name().name();
        assert!(
            ["svg", "g", "rect", "path", "circle", "text", "tspan"].contains(&name),
            "{name}"
        );
        for attribute in element.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(
                !["id", "style", "class", "href"].contains(&name) && !name.starts_with("on"),
                "{name}"
            );
            assert!(
                !value.contains("NaN") && !value.contains("inf") || name == "aria-label",
                "{name}: {value}"
            );
        }
    }
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .map(|text| {
            let parts = text.descendants().filter(|node| node.is_text());
            parts.filter_map(|part| part.text()).collect()
        })
        .collect()
}

#[test]
fn every_figure_is_a_document() {
    for (kind, figure) in all() {
        for is_dark in [false, true] {
            let svg = figure.to_svg(&drawing(is_dark)).unwrap();
            let texts = texts(&svg);
            assert!(texts.contains(&"A title".to_owned()), "{kind}: {texts:?}");
            assert!(svg.contains("viewBox=\"0 0 600 440\""), "{kind}");
            assert!(
                svg.contains(&format!("aria-label=\"a {kind}: A title\"")),
                "{kind}"
            );
        }
        // The same picture every time.
        assert_eq!(
            figure.to_svg(&drawing(false)),
            figure.to_svg(&drawing(false))
        );
    }
}

#[test]
fn figures_say_what_they_show() {
    let texts_of = |figure: &Figure| texts(&figure.to_svg(&drawing(false)).unwrap());
    let expected: [(&str, &[&str]); 8] = [
        (
            "curve",
            &["training", "test", "step", "loss", "plateau", "barrier"],
        ),
        (
            "contour map",
            &[
                "direction 1",
                "direction 2",
                "loss",
                "A",
                "minimum",
                "step 0",
            ],
        ),
        (
            "surface",
            &[
                "direction 1",
                "direction 2",
                "loss",
                "filled dot: its true loss",
            ],
        ),
        (
            "heat map",
            &["direction 1", "direction 2", "loss", "minimum"],
        ),
        (
            "spectrum",
            &[
                "density",
                "eigenvalue",
                "3 outliers",
                "15.1",
                "below zero: 20 %",
            ],
        ),
        (
            "persistence diagram",
            &["never", "A", "B", "not resolved (1), not counted"],
        ),
        (
            "merge tree",
            &["loss", "A", "B", "C", "not resolved (1), not counted"],
        ),
        (
            "bar table",
            &[
                "81.4 ± 2.1",
                "24.90 ± 0.80",
                "−0.2",
                "flatter",
                "largest eigenvalue",
            ],
        ),
    ];
    for ((kind, figure), (name, expected)) in all().iter().zip(expected) {
        assert_eq!(*kind, name);
        let found = texts_of(figure);
        for text in expected {
            assert!(
                found.iter().any(|it| it == text),
                "{kind} lacks `{text}`: {found:?}"
            );
        }
    }
}

#[test]
fn a_band_down_to_zero_is_a_line_at_its_upper_end() {
    let drawn = |low: f64| {
        let mut figure = crate::data::spectrum();
        if let Some([lower, _]) = &mut figure.band {
            lower.iter_mut().for_each(|value| *value *= low);
        }
        let svg = Figure::Spectrum(figure).to_svg(&drawing(false)).unwrap();
        let texts = texts(&svg);
        let has = |text: &str| texts.iter().any(|it| it == text);
        (has("error band"), has("upper end of the error"))
    };
    // Half of the curve, a twentieth, and zero.
    assert_eq!(drawn(1.0), (true, false));
    assert_eq!(drawn(0.1), (false, true));
    assert_eq!(drawn(0.0), (false, true));
}

#[test]
fn the_axis_of_a_spectrum_covers_where_the_density_is_zero() {
    let mut figure = crate::data::spectrum();
    figure.band = None;
    figure.eigenvalues.push(40.0);
    figure.density.push(0.0);
    let svg = Figure::Spectrum(figure).to_svg(&drawing(false)).unwrap();
    assert!(texts(&svg).contains(&"40".to_owned()));
}

#[test]
fn alternative_texts_are_kept() {
    let (_, figure) = all().remove(0);
    let drawing = Drawing::new(600, 400).with_alt("Loss & <accuracy>,\n\"both\"\u{0}");
    let svg = figure.to_svg(&drawing).unwrap();
    let document = Document::parse(&svg).unwrap();
    assert_eq!(
        document.root_element().attribute("aria-label"),
        Some("Loss & <accuracy>, \"both\"")
    );
}

#[test]
fn empty_figures_are_errors() {
    for (kind, figure) in empty() {
        let error = figure.to_svg(&drawing(false)).unwrap_err();
        assert_eq!(error, PlotError::Empty { figure: kind });
        assert_eq!(figure.to_png(&drawing(false)), Err(error));
    }
}

#[test]
fn lists_of_other_lengths_are_errors() {
    let mut figures = vec![];
    let mut short = landscape(burnscape_plot::AxisScale::Linear);
    short.values.pop();
    figures.push(Figure::HeatMap(short));
    let mut basins = landscape(burnscape_plot::AxisScale::Linear);
    basins.basins.pop();
    figures.push(Figure::Contour(basins));
    let mut metric = landscape(burnscape_plot::AxisScale::Linear);
    metric.metrics = vec![("accuracy".into(), vec![1.0])];
    figures.push(Figure::Surface(metric));
    let mut curve = crate::data::curve();
    curve.series[0].y.pop();
    figures.push(Figure::Curve(curve));
    let mut band = crate::data::curve();
    band.series[1].band = Some([vec![], vec![]]);
    figures.push(Figure::Curve(band));
    let mut spectrum = crate::data::spectrum();
    spectrum.density.pop();
    figures.push(Figure::Spectrum(spectrum));
    for figure in figures {
        let error = figure.to_svg(&drawing(false)).unwrap_err();
        assert!(matches!(error, PlotError::Lengths { .. }), "{error}");
    }
}

#[test]
fn coordinates_must_increase() {
    for (index, value) in [(3, f64::NAN), (3, -1.0), (0, f64::NEG_INFINITY)] {
        let mut figure = landscape(burnscape_plot::AxisScale::Linear);
        figure.y[index] = value;
        let error = Figure::HeatMap(figure).to_svg(&drawing(false)).unwrap_err();
        assert_eq!(error, PlotError::Coordinates { axis: "y", index });
    }
}

#[test]
fn sizes_that_hold_nothing_are_errors() {
    for (kind, figure) in all() {
        for (width, height) in [(0, 400), (600, 199), (4001, 400)] {
            let error = figure.to_svg(&Drawing::new(width, height)).unwrap_err();
            assert!(matches!(error, PlotError::Size { .. }), "{kind}: {error}");
        }
        for (width, height) in [(200, 200), (200, 1000), (4000, 200), (320, 240)] {
            match figure.to_svg(&Drawing::new(width, height).with_title("A title")) {
                Ok(svg) => drop(texts(&svg)),
                Err(error) => assert!(matches!(error, PlotError::Size { .. }), "{kind}: {error}"),
            }
        }
    }
}
