//! Two surfaces with a curved valley and two wells, and the shadow of a training run on one.

use burnscape_plot::{AxisScale, LandscapeFigure, TrajectoryMark};

use super::wells;

const POINTS: usize = 51;
/// Percent of the norm of the weights.
const EXTENT: f64 = 30.0;

pub(crate) fn sgd() -> LandscapeFigure {
    let mut figure = surface("SGD", |u, v| {
        let off = v - 0.62 * u * u + 0.3;
        let valley = 2.75 * (1.0 - (-(2.6 * off * off + 0.16 * u * u)).exp());
        let ripple = 0.11 * (11.0 * u + 2.0).sin() * (12.0 * v + 1.0).cos();
        -1.62 + valley - well(u + 0.52, off, 0.95, 0.035) - well(u - 0.56, off, 0.55, 0.03) + ripple
    });
    figure.trajectory = trajectory(&figure);
    let grid = wells::Grid {
        x: &figure.x,
        y: &figure.y,
    };
    let decades: Vec<f64> = figure.values.iter().map(|loss| loss.log10()).collect();
    (figure.branches, figure.basins) = grid.wells(&decades);
    figure
}

pub(crate) fn sam() -> LandscapeFigure {
    surface("SAM", |u, v| {
        let off = v - 0.35 * u * u + 0.15;
        -1.7 + 2.1 * (1.0 - (-(1.05 * off * off + 0.13 * u * u)).exp())
            - well(u + 0.1, off, 0.5, 0.16)
    })
}

fn well(u: f64, v: f64, depth: f64, width: f64) -> f64 {
    depth * (-(u * u + v * v) / width).exp()
}

fn surface(name: &str, decades: impl Fn(f64, f64) -> f64) -> LandscapeFigure {
    let axis: Vec<f64> = (0..POINTS)
        .map(|i| EXTENT * (2.0 * i as f64 / (POINTS - 1) as f64 - 1.0))
        .collect();
    let cells = axis
        .iter()
        .flat_map(|x| axis.iter().map(move |y| (x / EXTENT, y / EXTENT)));
    let values: Vec<f64> = cells.map(|(u, v)| 10_f64.powf(decades(u, v))).collect();
    let accuracy = values
        .iter()
        .map(|loss| 0.1 + 0.893 / (1.0 + 0.55 * loss.powf(1.4)))
        .collect();
    LandscapeFigure {
        name: name.into(),
        x: axis.clone(),
        y: axis,
        values,
        scale: AxisScale::Log,
        labels: [
            "direction 1 (% of the weights' norm)",
            "direction 2 (% of the weights' norm)",
            "loss",
        ]
        .map(String::from),
        metrics: vec![("accuracy".into(), accuracy)],
        ..LandscapeFigure::default()
    }
}

/// From a slope into the deeper well, with losses off the plane that are lower than those on it.
fn trajectory(figure: &LandscapeFigure) -> Vec<TrajectoryMark> {
    (0..100)
        .map(|index| {
            let t = f64::from(index) / 99.0;
            let slow = 1.0 - (1.0 - t).powf(2.2);
            let u = 0.88 - 1.4 * slow + 0.02 * (40.0 * t).sin() * (1.0 - t);
            let valley = 0.62 * u * u - 0.3;
            let v = valley + 0.68 * (-7.0 * t).exp() + 0.03 * (55.0 * t).sin() * (1.0 - t);
            let plane_loss = at(figure, u, v);
            let off_plane_share = 0.82 * (1.0 - t).powf(0.7) * (1.0 - (-30.0 * t).exp()) + 0.02;
            let truth =
                2.3 * (-9.0 * t).exp() + 0.12 * (1.0 / (1.0 + (28.0 * (t - 0.45)).exp())) + 0.0035;
            TrajectoryMark {
                step: 50 * index as usize + 50,
                x: EXTENT * u,
                y: EXTENT * v,
                loss: if index == 99 { plane_loss } else { truth },
                plane_loss,
                off_plane_share,
            }
        })
        .collect()
}

/// The value of the nearest cell.
fn at(figure: &LandscapeFigure, u: f64, v: f64) -> f64 {
    let index = |place: f64| {
        ((place + 1.0) / 2.0 * (POINTS - 1) as f64)
            .round()
            .clamp(0.0, (POINTS - 1) as f64) as usize
    };
    figure.values[index(u) * POINTS + index(v)]
}

pub(crate) fn csv(figure: &LandscapeFigure) -> String {
    let mut text = String::from("x,y,loss,accuracy\n");
    for (i, x) in figure.x.iter().enumerate() {
        for (j, y) in figure.y.iter().enumerate() {
            let cell = i * figure.y.len() + j;
            let (loss, accuracy) = (figure.values[cell], figure.metrics[0].1[cell]);
            text.push_str(&format!("{x:.1},{y:.1},{loss:.5},{accuracy:.4}\n"));
        }
    }
    text
}
