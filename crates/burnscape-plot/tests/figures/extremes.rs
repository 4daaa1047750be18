//! NaN, infinities and numbers of all sizes, everywhere.

use burnscape_plot::{AxisScale, Drawing, Figure, PlotError};

use crate::data::{all, landscape, replaced};
use crate::documents::{drawing, texts};

const ODD: [f64; 16] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1.0,
    -1.0,
    5e-324,
    -5e-324,
    1e-310,
    1e-160,
    1e160,
    f64::MAX,
    f64::MIN,
    f64::EPSILON,
    1.0 + f64::EPSILON,
];

/// Numbers that look random.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize
    }
}

#[test]
fn nothing_finite_is_an_error() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (kind, figure) in all() {
            let figure = replaced(&figure, |_| value);
            match figure.to_svg(&drawing(false)) {
                // Its eigenvalues are still there.
                Ok(svg) if kind == "spectrum" => drop(texts(&svg)),
                // A branch that never dies has no death to replace, but its birth is lost.
                other => assert_eq!(
                    other,
                    Err(PlotError::NothingFinite { figure: kind }),
                    "{value}"
                ),
            }
        }
    }
}

#[test]
fn nothing_positive_is_an_error_on_a_logarithmic_axis() {
    let mut figure = landscape(AxisScale::Log);
    figure.values.iter_mut().for_each(|value| *value = -*value);
    let error = Figure::Contour(figure).to_svg(&drawing(false)).unwrap_err();
    assert_eq!(
        error,
        PlotError::NothingFinite {
            figure: "contour map"
        }
    );
    let mut curve = crate::data::curve();
    curve
        .series
        .iter_mut()
        .for_each(|series| series.y.fill(0.0));
    let error = Figure::Curve(curve).to_svg(&drawing(false)).unwrap_err();
    assert_eq!(error, PlotError::NothingFinite { figure: "curve" });
}

#[test]
fn one_odd_number_among_others_is_a_picture() {
    for (kind, figure) in all() {
        for odd in ODD {
            let mut count = 0;
            let figure = replaced(&figure, |value| {
                count += 1;
                if count % 7 == 3 { odd } else { value }
            });
            let svg = figure.to_svg(&drawing(false));
            texts(&svg.unwrap_or_else(|error| panic!("{kind} with {odd}: {error}")));
        }
    }
}

#[test]
fn any_numbers_are_a_picture_or_an_error() {
    let mut draws = Draws(88_172_645_463_325_252);
    for round in 0..60 {
        for (kind, figure) in all() {
            let figure = replaced(&figure, |value| match draws.next() % 4 {
                0 => value,
                1 => f64::from_bits((draws.next() as u64) << 33 | draws.next() as u64),
                _ => ODD[draws.next() % ODD.len()],
            });
            match figure.to_svg(&Drawing::new(420, 320)) {
                Ok(svg) => drop(texts(&svg)),
                Err(error) => assert!(
                    matches!(error, PlotError::NothingFinite { .. }),
                    "{kind}: {error}"
                ),
            }
            if round < 4 {
                let png = figure.to_png(&Drawing::new(240, 200));
                assert!(
                    png.is_ok() || figure.to_svg(&Drawing::new(240, 200)).is_err(),
                    "{kind}"
                );
            }
        }
    }
}

#[test]
fn numbers_of_one_size_are_readable() {
    for factor in [1e-300, 1e-12, 1e12, 1e300] {
        for (kind, figure) in all() {
            let figure = replaced(&figure, |value| value * factor);
            let svg = figure.to_svg(&drawing(false)).unwrap();
            let longest = texts(&svg).iter().map(|text| text.chars().count()).max();
            assert!(longest < Some(60), "{kind} at {factor}: {:?}", texts(&svg));
        }
    }
    // Small differences of a large number.
    let figure = replaced(&all()[0].1, |value| 1e9 + 1e-3 * value);
    let svg = figure.to_svg(&drawing(false)).unwrap();
    assert!(texts(&svg).iter().all(|text| text.chars().count() < 60));
}

#[test]
fn what_is_not_drawn_is_counted() {
    let mut field = landscape(AxisScale::Log);
    field.values[3] = f64::NAN;
    field.values[4] = f64::INFINITY;
    field.values[5] = f64::NEG_INFINITY;
    field.values[6] = -1.0;
    field.values[7] = 0.0;
    for figure in [Figure::Contour(field.clone()), Figure::HeatMap(field)] {
        let texts = texts(&figure.to_svg(&drawing(false)).unwrap()).join(" ");
        for sentence in [
            "1 cell is NaN (hatched).",
            "1 cell is +∞ (gray).",
            "1 cell is −∞ (gray).",
            "2 cells are not positive (gray)",
            "+∞ or −∞ or not positive",
        ] {
            assert!(texts.contains(sentence), "{texts}");
        }
    }
    let mut curve = crate::data::curve();
    curve.series[0].y[3] = f64::NAN;
    curve.series[0].y[5] = f64::INFINITY;
    curve.series[0].y[9] = -3.0;
    let texts = texts(&Figure::Curve(curve).to_svg(&drawing(false)).unwrap()).join(" ");
    for sentence in [
        "1 point is NaN (a gap).",
        "1 point is infinite",
        "1 point is not positive",
    ] {
        assert!(texts.contains(sentence), "{texts}");
    }
}

#[test]
fn many_numbers_make_files_of_bearable_size() {
    let count = 200_000;
    let mut curve = crate::data::curve();
    let x: Vec<f64> = (0..count).map(f64::from).collect();
    let y = x.iter().map(|x| (0.37 * x).sin() + 2.0).collect();
    curve.series = vec![burnscape_plot::Series::new("many", x, y)];
    let svg = Figure::Curve(curve).to_svg(&drawing(false)).unwrap();
    assert!(svg.len() < 120_000, "{}", svg.len());
    let mut field = landscape(AxisScale::Linear);
    field.x = (0..201).map(f64::from).collect();
    field.y = field.x.clone();
    field.values = (0..201 * 201)
        .map(|i| f64::from(i % 201) * f64::from(i / 201))
        .collect();
    field.basins.clear();
    for (figure, most) in [
        (Figure::Contour(field.clone()), 300_000),
        (Figure::Surface(field), 800_000),
    ] {
        let size = figure.to_svg(&drawing(false)).unwrap().len();
        assert!(size < most, "{size}");
    }
}
