//! Curves, paths and a spectrum.

use burnscape_plot::{BarrierBracket, CurveFigure, PlotAxis, Series, ShadedRegion, SpectrumFigure};

fn steps() -> Vec<f64> {
    (1..=100).map(|index| 50.0 * f64::from(index)).collect()
}

/// A number between −1 and 1 that looks random.
fn noise(index: f64, seed: f64) -> f64 {
    ((12.9898 * index + 78.233 * seed).sin() * 43758.547).fract()
}

fn curve(name: &str, value: impl Fn(f64) -> f64) -> Series {
    let steps = steps();
    let values = steps.iter().map(|&step| value(step / 5000.0)).collect();
    Series::new(name, steps, values)
}

/// A fall, a plateau, a fall.
fn loss(t: f64) -> f64 {
    2.3 * (-26.0 * t).exp() + 0.21 / (1.0 + (34.0 * (t - 0.42)).exp()) + 0.011 * (-2.0 * t).exp()
}

pub(crate) fn losses() -> CurveFigure {
    let train = curve("training, SGD", |t| {
        loss(t) * (1.0 + 0.10 * noise(t * 100.0, 1.0))
    });
    let test = curve("test, SGD", |t| {
        (loss(t) + 0.035 + 0.02 * t) * (1.0 + 0.05 * noise(t * 100.0, 2.0))
    });
    let sam = curve("training, SAM", |t| {
        (loss(0.9 * t) + 0.012) * (1.0 + 0.06 * noise(t * 100.0, 3.0))
    });
    CurveFigure {
        x: PlotAxis::new("step"),
        y: PlotAxis::new("loss").log(),
        series: vec![train, sam, test],
        regions: vec![ShadedRegion {
            from: 700.0,
            to: 1850.0,
            label: "plateau".into(),
        }],
        bracket: None,
    }
}

pub(crate) fn sharpness() -> CurveFigure {
    let rise = |t: f64| 40.0 * (1.0 - 0.92 * (-6.5 * t).exp());
    let sgd = curve("λ_max, SGD", |t| {
        rise(t).min(38.0) + (1.5 + 2.6 * t.min(0.5)) * noise(t * 100.0, 4.0)
    });
    let sam = curve("λ_max, SAM", |t| {
        0.42 * rise(t) + 0.9 * noise(t * 100.0, 5.0)
    });
    let band = |series: Series, width: f64| {
        let low = series.y.iter().map(|y| y * (1.0 - width)).collect();
        let high = series.y.iter().map(|y| y * (1.0 + width)).collect();
        series.with_band(low, high)
    };
    CurveFigure {
        x: PlotAxis::new("step"),
        y: PlotAxis::new("largest eigenvalue of the Hessian"),
        series: vec![
            band(sgd, 0.06),
            band(sam, 0.05),
            curve("edge of stability, 2/η", |_| 40.0),
        ],
        ..CurveFigure::default()
    }
}

pub(crate) fn paths() -> CurveFigure {
    let t: Vec<f64> = (0..=60).map(|index| f64::from(index) / 60.0).collect();
    let along = |name: &str, value: &dyn Fn(f64) -> f64| {
        Series::new(name, t.clone(), t.iter().map(|&t| value(t)).collect())
    };
    let hill = |t: f64| (16.0 * t * t * (1.0 - t) * (1.0 - t)).powf(1.4);
    CurveFigure {
        x: PlotAxis::new("position on the path, from SGD (0) to SAM (1)"),
        y: PlotAxis::new("loss"),
        series: vec![
            along("straight line", &|t| 0.011 + 0.012 * t + 1.87 * hill(t)),
            along("Bézier curve", &|t| 0.011 + 0.012 * t + 0.026 * hill(t)),
            along("to a random network", &|t| {
                0.011 + 2.35 * (1.0 - (-4.5 * t).exp())
            }),
        ],
        regions: vec![],
        bracket: Some(BarrierBracket {
            at: 0.5,
            low: 0.017,
            high: 1.887,
            label: "barrier 1.87".into(),
        }),
    }
}

pub(crate) fn spectrum() -> SpectrumFigure {
    let eigenvalues: Vec<f64> = (0..=360)
        .map(|index| -6.0 + 0.2 * f64::from(index))
        .collect();
    let outliers = vec![4.1, 6.8, 9.3, 12.2, 16.9, 21.0, 27.5, 34.8, 44.1, 61.8];
    let hill =
        |x: f64, center: f64, width: f64| (-((x - center) / width).powi(2) / 2.0).exp() / width;
    let density = |x: f64| {
        let bulk = 0.39 * hill(x, 0.0, 0.25) + 0.012 * hill(x, 0.5, 0.9);
        bulk + outliers
            .iter()
            .map(|&at| 3.5e-5 * hill(x, at, 0.4))
            .sum::<f64>()
            + 1e-7
    };
    let values: Vec<f64> = eigenvalues.iter().map(|&x| density(x)).collect();
    let scaled = |factor: f64| values.iter().map(|value| factor * value).collect();
    SpectrumFigure {
        band: Some([scaled(0.6), scaled(1.6)]),
        density: values,
        eigenvalues,
        outliers,
        negative_mass: Some(0.083),
    }
}
