//! Draws every kind of figure with data like those of real runs.
//!
//! ```sh
//! cargo run --release -p burnscape-plot --example gallery -- FOLDER
//! ```

use std::path::PathBuf;

use burnscape_plot::{
    AxisScale, Bar, BarrierBracket, CurveFigure, Drawing, Figure, LandscapeFigure, PlotAxis,
    PlotError, Series, ShadedRegion, SpectrumFigure, TrajectoryMark, TreeBranch,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "gallery".to_owned()),
    );
    std::fs::create_dir_all(&folder)?;
    for (name, title, size, figure) in figures() {
        for (suffix, is_dark) in [("", false), ("-dark", true)] {
            let drawing = Drawing::new(size[0], size[1])
                .with_title(title)
                .with_dark(is_dark);
            for extension in ["png", "svg"] {
                let path = folder.join(format!("{name}{suffix}.{extension}"));
                write(&figure, &path, &drawing)?;
            }
        }
    }
    println!("{}", folder.display());
    Ok(())
}

fn write(figure: &Figure, path: &std::path::Path, drawing: &Drawing) -> Result<(), PlotError> {
    figure.write(path, drawing)
}

type Entry = (&'static str, &'static str, [u32; 2], Figure);

fn figures() -> Vec<Entry> {
    let mut missing = landscape(AxisScale::Log);
    missing.trajectory.clear();
    missing.branches.clear();
    missing.basins.clear();
    let rows = missing.y.len();
    for i in 0..12 {
        for j in 40..51 {
            if i + 51 < j + 16 {
                missing.values[i * rows + j] = f64::NAN;
            }
        }
    }
    for i in 44..51 {
        for j in 44..51 {
            missing.values[i * rows + j] = f64::INFINITY;
        }
    }
    missing.values[25 * rows + 10] = f64::NAN;
    vec![
        (
            "contour",
            "Digits CNN, SGD: the plane of the run",
            [600, 480],
            Figure::Contour(landscape(AxisScale::Log)),
        ),
        (
            "contour-missing",
            "Where the loss is not a number",
            [600, 480],
            Figure::Contour(missing.clone()),
        ),
        (
            "surface",
            "Digits CNN, SGD: the plane of the run",
            [600, 480],
            Figure::Surface(landscape(AxisScale::Log)),
        ),
        (
            "surface-missing",
            "Where the loss is not a number",
            [600, 480],
            Figure::Surface(missing.clone()),
        ),
        (
            "heat-map",
            "Basins of the plane",
            [600, 480],
            Figure::HeatMap(basins()),
        ),
        (
            "heat-map-missing",
            "Where the loss is not a number",
            [600, 480],
            Figure::HeatMap(missing),
        ),
        (
            "spectrum",
            "Eigenvalues of the Hessian",
            [600, 400],
            Figure::Spectrum(spectrum()),
        ),
        (
            "path",
            "From the SGD network to the SAM network",
            [600, 400],
            Figure::Curve(path()),
        ),
        (
            "training",
            "Training on digits",
            [600, 400],
            Figure::Curve(training()),
        ),
        (
            "sharpness",
            "The edge of stability",
            [600, 360],
            Figure::Curve(edge()),
        ),
        (
            "persistence",
            "Wells of the plane",
            [600, 480],
            Figure::Persistence(tree()),
        ),
        (
            "merge-tree",
            "Wells of the plane",
            [600, 420],
            Figure::MergeTree(tree()),
        ),
        (
            "bars",
            "Sharpness of both networks",
            [600, 340],
            Figure::Bars(bars()),
        ),
    ]
}

/// Numbers that look random and are the same everywhere.
fn noise(index: u64) -> f64 {
    let mut z = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

fn loss(x: f64, y: f64) -> f64 {
    let bowl = 2.2 * x * x + 6.5 * y * y + 2.4 * x * y;
    let well = |cx: f64, cy: f64, depth: f64, width: f64| {
        -depth * (-((x - cx).powi(2) + (y - cy).powi(2)) / width).exp()
    };
    let ripple = 0.06 * (7.0 * x + 2.0 * y).sin() * (5.0 * y).cos();
    let value = 0.9 + bowl + well(-0.05, 0.02, 0.87, 0.05) + well(0.62, -0.32, 0.75, 0.03) + ripple;
    0.02 + (value * value + 0.004).sqrt()
}

fn landscape(scale: AxisScale) -> LandscapeFigure {
    let x: Vec<f64> = (0..51).map(|i| -1.0 + 0.04 * f64::from(i)).collect();
    let y = x.clone();
    let values = x
        .iter()
        .flat_map(|x| y.iter().map(move |y| loss(*x, *y)))
        .collect();
    let trajectory = (0..=100)
        .map(|k| {
            let t = f64::from(k) / 100.0;
            let decay = (-3.4 * t).exp();
            let x = -0.82 * decay - 0.05 + 0.015 * noise(k as u64);
            let y =
                0.78 * decay * (1.0 - 1.9 * t) * (1.0 - t) + 0.02 + 0.02 * noise(1000 + k as u64);
            let off = 0.55 * (1.0 - decay) * (1.0 - 0.6 * t);
            let plane_loss = loss(x, y);
            TrajectoryMark {
                step: 20 * k as usize,
                x,
                y,
                loss: plane_loss * (1.0 - 0.75 * off),
                plane_loss,
                off_plane_share: off,
            }
        })
        .collect();
    LandscapeFigure {
        name: "SGD".into(),
        x,
        y,
        values,
        scale,
        labels: [
            "direction 1 (share of the weights’ length)".into(),
            "direction 2".into(),
            "loss".into(),
        ],
        metrics: vec![],
        trajectory,
        branches: vec![],
        basins: vec![],
    }
}

fn basins() -> LandscapeFigure {
    let mut figure = landscape(AxisScale::Linear);
    figure.trajectory.clear();
    let at = |x: f64, y: f64, label: &str, is_resolved| TreeBranch {
        birth: loss(x, y),
        death: None,
        parent: None,
        volume: 0,
        is_resolved: Some(is_resolved),
        at: vec![x, y],
        label: label.into(),
    };
    figure.branches = vec![
        at(-0.04, 0.0, "A", true),
        at(0.6, -0.32, "B", true),
        at(-0.52, 0.52, "C", false),
    ];
    figure.basins = figure
        .x
        .iter()
        .flat_map(|x| {
            figure.y.iter().map(move |y| {
                let distance = |a: f64, b: f64| (x - a).powi(2) + 2.0 * (y - b).powi(2);
                let all = [
                    distance(-0.04, 0.0),
                    distance(0.6, -0.32) + 0.1,
                    distance(-0.52, 0.52) + 0.2,
                ];
                (0..3)
                    .min_by(|a, b| all[*a as usize].total_cmp(&all[*b as usize]))
                    .unwrap_or(0)
            })
        })
        .collect();
    figure
}

fn spectrum() -> SpectrumFigure {
    let eigenvalues: Vec<f64> = (0..=600).map(|i| -6.0 + 0.125 * f64::from(i)).collect();
    let bump =
        |x: f64, center: f64, width: f64| (-0.5 * ((x - center) / width).powi(2)).exp() / width;
    let density: Vec<f64> = eigenvalues
        .iter()
        .map(|x| {
            let outliers = [18.4, 27.1, 29.6, 41.9, 63.2].map(|c| 2e-5 * bump(*x, c, 0.45));
            0.38 * bump(*x, 0.1, 0.5)
                + 0.012 * bump(*x, 1.8, 2.4)
                + outliers.iter().sum::<f64>()
                + 1e-9
        })
        .collect();
    let band = |factor: f64| {
        let ends = density
            .iter()
            .enumerate()
            .map(|(i, d)| d * factor.powf(1.0 + noise(i as u64 / 12)));
        ends.collect::<Vec<f64>>()
    };
    SpectrumFigure {
        band: Some([band(0.55), band(1.8)]),
        eigenvalues,
        density,
        outliers: vec![18.4, 27.1, 29.6, 41.9, 63.2],
        negative_mass: Some(0.183),
    }
}

fn path() -> CurveFigure {
    let t: Vec<f64> = (0..=24).map(|i| f64::from(i) / 24.0).collect();
    let curve = |height: f64, skew: f64| -> Vec<f64> {
        let arch = |t: f64| (4.0 * t * (1.0 - t)).powf(1.6) * (1.0 + skew * (t - 0.5));
        t.iter()
            .map(|t| 0.031 + 0.012 * t + height * arch(*t))
            .collect()
    };
    let random: Vec<f64> = curve(2.26, 0.1);
    CurveFigure {
        x: PlotAxis::new("position on the path"),
        y: PlotAxis::new("training loss"),
        series: vec![
            Series::new("straight line", t.clone(), curve(1.42, 0.5)),
            Series::new("after alignment", t.clone(), curve(0.47, -0.3)),
            Series::new("Bézier curve", t.clone(), curve(0.035, 0.0)),
            Series::new("to a random network", t.clone(), random),
        ],
        regions: vec![],
        bracket: Some(BarrierBracket {
            at: 13.0 / 24.0,
            low: 0.037,
            high: 1.46,
            label: "barrier 1.42".into(),
        }),
    }
}

fn training() -> CurveFigure {
    let steps: Vec<f64> = (0..=400).map(|i| 5.0 * f64::from(i)).collect();
    let curve = |end: f64, rate: f64, seed: u64, rough: f64| -> Vec<f64> {
        let smooth = |step: f64| {
            let plateau = 1.0 / (1.0 + ((step - 900.0) / 60.0).exp());
            end + 1.3 * (-rate * step).exp() + 0.35 * plateau
        };
        let jitter = |i: usize| (rough * noise(seed + i as u64)).exp();
        steps
            .iter()
            .enumerate()
            .map(|(i, step)| smooth(*step) * jitter(i))
            .collect()
    };
    let test = curve(0.09, 0.008, 5000, 0.1);
    let band = |factor: f64| test.iter().map(|v| v * factor).collect::<Vec<_>>();
    let (lower, upper) = (band(0.82), band(1.2));
    CurveFigure {
        x: PlotAxis::new("step"),
        y: PlotAxis::new("cross-entropy (nats)").log(),
        series: vec![
            Series::new("training", steps.clone(), curve(0.018, 0.009, 1, 0.5)),
            Series::new("test, ± 2 standard errors", steps, test).with_band(lower, upper),
        ],
        regions: vec![ShadedRegion {
            from: 420.0,
            to: 830.0,
            label: "plateau".into(),
        }],
        bracket: None,
    }
}

fn edge() -> CurveFigure {
    let steps: Vec<f64> = (0..=60).map(|i| 33.0 * f64::from(i)).collect();
    let sharpness = |rate: f64, end: f64, seed: u64, rough: f64| -> Vec<f64> {
        let rise = |step: f64| end * (1.0 - (-rate * step).exp()) + 1.5;
        let values = steps.iter().enumerate();
        values
            .map(|(i, step)| rise(*step) * (1.0 + rough * noise(seed + i as u64)))
            .collect()
    };
    let mut sgd = sharpness(0.0035, 40.0, 40, 0.12);
    sgd[33] = f64::INFINITY;
    sgd[34] = f64::NAN;
    CurveFigure {
        x: PlotAxis::new("step"),
        y: PlotAxis::new("largest eigenvalue of the Hessian"),
        series: vec![
            Series::new("SGD", steps.clone(), sgd),
            Series::new("SAM", steps.clone(), sharpness(0.005, 13.0, 90, 0.08)),
            Series::new("2/η", steps.clone(), vec![40.0; steps.len()]),
        ],
        regions: vec![],
        bracket: None,
    }
}

fn tree() -> Vec<TreeBranch> {
    let branch = |label: &str, birth, death, parent, is_resolved, volume| TreeBranch {
        birth,
        death,
        parent,
        volume,
        is_resolved,
        at: vec![],
        label: label.into(),
    };
    let yes = Some(true);
    let no = Some(false);
    vec![
        branch("A", 0.021, None, None, yes, 1240),
        branch("B", 0.094, Some(0.93), Some(0), yes, 420),
        branch("C", 0.143, Some(0.61), Some(0), yes, 230),
        branch("D", 0.262, Some(0.55), Some(1), yes, 140),
        branch("E", 0.331, Some(0.72), Some(0), yes, 155),
        branch("F", 0.402, Some(0.48), Some(2), no, 22),
        branch("G", 0.455, Some(0.81), Some(1), yes, 90),
        branch("H", 0.512, Some(0.547), Some(4), no, 12),
        branch("I", 0.587, Some(0.66), Some(6), no, 16),
        branch("J", 0.633, Some(0.679), Some(0), no, 11),
        branch("K", 0.701, Some(0.86), Some(0), yes, 61),
        branch("L", 0.774, Some(0.793), Some(10), no, 6),
    ]
}

fn bars() -> Vec<Bar> {
    let bar = |group: &str, label: &str, value, error, note: &str| Bar {
        label: label.into(),
        group: group.into(),
        value,
        error,
        note: note.into(),
    };
    let eigenvalue = "largest eigenvalue of the Hessian";
    let trace = "trace of the Hessian";
    let rise = "rise within ρ = 0.05";
    vec![
        bar(eigenvalue, "SGD", 63.21, Some(0.42), ""),
        bar(eigenvalue, "SAM", 18.44, Some(0.19), "3.4 times flatter"),
        bar(trace, "SGD", 1284.0, Some(96.0), ""),
        bar(trace, "SAM", 402.0, Some(41.0), "3.2 times flatter"),
        bar(rise, "SGD", 0.0873, Some(0.0121), ""),
        bar(rise, "SAM", 0.0791, Some(0.0117), "no difference seen"),
    ]
}
