//! One figure of each kind.

use burnscape_plot::{
    AxisScale, Bar, BarrierBracket, CurveFigure, Figure, LandscapeFigure, PlotAxis, Series,
    ShadedRegion, SpectrumFigure, TrajectoryMark, TreeBranch,
};

pub(crate) fn curve() -> CurveFigure {
    let x: Vec<f64> = (0..=40).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| 2.0 * (-0.1 * x).exp() + 0.01).collect();
    let scaled = |factor: f64| y.iter().map(|y| y * factor).collect::<Vec<_>>();
    CurveFigure {
        x: PlotAxis::new("step"),
        y: PlotAxis::new("loss").log(),
        series: vec![
            Series::new("training", x.clone(), y.clone()),
            Series::new("test", x.clone(), scaled(1.5)).with_band(scaled(1.2), scaled(1.9)),
            Series::new("few", vec![0.0, 20.0, 40.0], vec![1.0, 0.5, 0.2]),
        ],
        regions: vec![ShadedRegion {
            from: 25.0,
            to: 38.0,
            label: "plateau".into(),
        }],
        bracket: Some(BarrierBracket {
            at: 20.0,
            low: 0.05,
            high: 0.5,
            label: "barrier".into(),
        }),
    }
}

pub(crate) fn landscape(scale: AxisScale) -> LandscapeFigure {
    let x: Vec<f64> = (0..15).map(|i| f64::from(i) / 7.0 - 1.0).collect();
    let y: Vec<f64> = (0..11).map(|i| f64::from(i) / 5.0 - 1.0).collect();
    let value = |x: f64, y: f64| 0.1 + 2.0 * (x * x - 0.3).powi(2) + y * y;
    let values = x
        .iter()
        .flat_map(|x| y.iter().map(move |y| value(*x, *y)))
        .collect();
    let trajectory = (0..20)
        .map(|step| {
            let t = f64::from(step) / 19.0;
            TrajectoryMark {
                step: 10 * step as usize,
                x: -0.9 + 0.4 * t,
                y: 0.8 * (1.0 - t),
                loss: 0.2 + 0.5 * (1.0 - t),
                plane_loss: value(-0.9 + 0.4 * t, 0.8 * (1.0 - t)),
                off_plane_share: 0.4 * t,
            }
        })
        .collect();
    let basins = x
        .iter()
        .flat_map(|x| y.iter().map(move |_| u32::from(*x > 0.0)))
        .collect();
    LandscapeFigure {
        name: "SGD".into(),
        x,
        y,
        values,
        scale,
        labels: ["direction 1", "direction 2", "loss"].map(String::from),
        metrics: vec![],
        trajectory,
        branches: tree(),
        basins,
    }
}

pub(crate) fn spectrum() -> SpectrumFigure {
    let eigenvalues: Vec<f64> = (-20..=200).map(|i| f64::from(i) / 10.0).collect();
    let density: Vec<f64> = eigenvalues.iter().map(|x| (-x * x).exp() + 1e-5).collect();
    let scaled = |factor: f64| density.iter().map(|d| d * factor).collect::<Vec<_>>();
    SpectrumFigure {
        band: Some([scaled(0.5), scaled(2.0)]),
        eigenvalues,
        density,
        outliers: vec![9.0, 15.0, 15.1],
        negative_mass: Some(0.2),
    }
}

pub(crate) fn tree() -> Vec<TreeBranch> {
    let branch = |birth, death, parent, resolved, at: [f64; 2], label: &str| TreeBranch {
        birth,
        death,
        parent,
        volume: 10,
        is_resolved: resolved,
        at: at.to_vec(),
        label: label.into(),
    };
    vec![
        branch(0.1, None, None, Some(true), [-0.55, 0.0], "A"),
        branch(0.12, Some(0.28), Some(0), Some(true), [0.55, 0.0], "B"),
        branch(0.2, Some(0.22), Some(1), Some(false), [0.8, 0.2], "C"),
        branch(0.15, Some(0.19), Some(0), None, [0.0, 0.6], "D"),
    ]
}

pub(crate) fn bars() -> Vec<Bar> {
    let bar = |label: &str, group: &str, value, error, note: &str| Bar {
        label: label.into(),
        group: group.into(),
        value,
        error,
        note: note.into(),
    };
    vec![
        bar("SGD", "largest eigenvalue", 81.4, Some(2.1), ""),
        bar("SAM", "largest eigenvalue", 24.9, Some(0.8), "flatter"),
        bar("SGD", "slope", -0.2, None, ""),
        bar("SAM", "slope", 0.1, Some(0.3), ""),
    ]
}

/// Every kind, with its name in errors.
pub(crate) fn all() -> Vec<(&'static str, Figure)> {
    vec![
        ("curve", Figure::Curve(curve())),
        ("contour map", Figure::Contour(landscape(AxisScale::Log))),
        ("surface", Figure::Surface(landscape(AxisScale::Linear))),
        ("heat map", Figure::HeatMap(landscape(AxisScale::Linear))),
        ("spectrum", Figure::Spectrum(spectrum())),
        ("persistence diagram", Figure::Persistence(tree())),
        ("merge tree", Figure::MergeTree(tree())),
        ("bar table", Figure::Bars(bars())),
    ]
}

/// The same kinds without data.
pub(crate) fn empty() -> Vec<(&'static str, Figure)> {
    vec![
        ("curve", Figure::Curve(CurveFigure::default())),
        (
            "curve",
            Figure::Curve(CurveFigure {
                series: vec![Series::new("none", vec![], vec![])],
                ..CurveFigure::default()
            }),
        ),
        ("contour map", Figure::Contour(LandscapeFigure::default())),
        ("surface", Figure::Surface(LandscapeFigure::default())),
        ("heat map", Figure::HeatMap(LandscapeFigure::default())),
        ("spectrum", Figure::Spectrum(SpectrumFigure::default())),
        ("persistence diagram", Figure::Persistence(vec![])),
        ("merge tree", Figure::MergeTree(vec![])),
        ("bar table", Figure::Bars(vec![])),
    ]
}

/// Every number of a figure replaced.
pub(crate) fn replaced(figure: &Figure, mut value: impl FnMut(f64) -> f64) -> Figure {
    let mut figure = figure.clone();
    let list = |values: &mut Vec<f64>, value: &mut dyn FnMut(f64) -> f64| {
        values.iter_mut().for_each(|v| *v = value(*v));
    };
    match &mut figure {
        Figure::Curve(curves) => {
            for series in &mut curves.series {
                list(&mut series.y, &mut value);
                series
                    .band
                    .iter_mut()
                    .flatten()
                    .for_each(|end| list(end, &mut value));
            }
            if let Some(bracket) = &mut curves.bracket {
                bracket.low = value(bracket.low);
                bracket.high = value(bracket.high);
            }
        }
        Figure::Contour(it) | Figure::Surface(it) | Figure::HeatMap(it) => {
            list(&mut it.values, &mut value);
            for mark in &mut it.trajectory {
                mark.loss = value(mark.loss);
                mark.plane_loss = value(mark.plane_loss);
                mark.off_plane_share = value(mark.off_plane_share);
            }
        }
        Figure::Spectrum(it) => {
            list(&mut it.density, &mut value);
            it.band
                .iter_mut()
                .flatten()
                .for_each(|end| list(end, &mut value));
            list(&mut it.outliers, &mut value);
            it.negative_mass = it.negative_mass.map(&mut value);
        }
        Figure::Persistence(branches) | Figure::MergeTree(branches) => {
            for branch in branches {
                branch.birth = value(branch.birth);
                branch.death = branch.death.map(&mut value);
            }
        }
        Figure::Bars(bars) => {
            for bar in bars {
                bar.value = value(bar.value);
                bar.error = bar.error.map(&mut value);
            }
        }
        _ => panic!("a kind without numbers"),
    }
    figure
}
