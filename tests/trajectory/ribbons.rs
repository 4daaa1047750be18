//! The loss along the velocities of checkpoints.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use burnscape::loss::{NormalizationPolicy, Work};
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape::trajectory::{Ribbon, RibbonConfig, Trajectory, TrajectoryError};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::{Point, quadratic};

use super::points::through;
use crate::path::models::{network, nothing};
use crate::path::settings::each_matters;

fn bowl(point: &Point, _: Tensor<1>) -> Tensor<1> {
    quadratic(point, &[4.0, 0.5])
}

fn grid(coordinates: &[f64]) -> Grid {
    Grid::from_coordinates(coordinates.to_vec()).unwrap()
}

const CHECKPOINTS: [[f64; 2]; 4] = [[1.0, -2.0], [-0.5, 1.0], [0.25, 0.5], [0.0, 0.25]];

#[test]
fn a_row_of_a_quadratic_is_an_exact_parabola() {
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let coordinates = [-1.0, 0.0, 0.5, 1.0, 2.0];
    let ribbon = RibbonConfig::new(grid(&coordinates))
        .run(&Risk::new(&bowl, &data), &trajectory)
        .unwrap();
    assert_eq!(ribbon.steps, [0, 10, 20]);
    assert_eq!(ribbon.coordinates, coordinates);
    assert_eq!((ribbon.num_losses, ribbon.completed), (15, true));
    for t in 0..3 {
        let (here, next) = (CHECKPOINTS[t], CHECKPOINTS[t + 1]);
        let velocity = [next[0] - here[0], next[1] - here[1]];
        let length = velocity[0].hypot(velocity[1]);
        assert!((ribbon.velocity_norms[t] - length).abs() < 1e-12);
        let row = ribbon.row(t).unwrap();
        for (x, loss) in coordinates.iter().zip(row) {
            let at = [here[0] + x * velocity[0], here[1] + x * velocity[1]];
            let exact = 2.0 * at[0] * at[0] + 0.25 * at[1] * at[1];
            assert!((loss - exact).abs() < 1e-12, "{t} {x}");
        }
    }
    assert!(ribbon.row(3).is_none());
}

#[test]
fn zero_is_the_checkpoint_bit_for_bit_and_one_the_next_to_rounding() {
    let models: Vec<Normalized> = (0..4).map(network).collect();
    let loss = |net: &Normalized, x: Tensor<2>| (net.forward(x) - 1.0).square().mean();
    let data = [Tensor::<2>::from_floats(
        [[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 2.0, -1.0]],
        &Device::default(),
    )];
    let risk = Risk::new(&loss, &data);
    let losses: Vec<f64> = models
        .iter()
        .map(|model| risk.loss(model).unwrap().value)
        .collect();
    let trajectory = Trajectory::of(models.into_iter().enumerate()).unwrap();
    let ribbon = RibbonConfig::new(grid(&[0.0, 1.0]))
        .run(&risk, &trajectory)
        .unwrap();
    for t in 0..3 {
        let row = ribbon.row(t).unwrap();
        assert_eq!(row[0].to_bits(), losses[t].to_bits());
        assert!((row[1] - losses[t + 1]).abs() < 1e-4 * losses[t + 1]);
    }
}

/// Networks with batch normalization, and the statistics that their weights have on these data.
fn normalized(data: &[Tensor<2>]) -> Vec<Normalized> {
    let risk = Risk::new(&squares, data);
    let model = |seed| risk.reestimate(&network(seed), None).unwrap();
    (0..3).map(model).collect()
}

fn squares(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

fn batches() -> [Tensor<2>; 2] {
    let rows = [
        [1.0, -2.0, 0.5, 3.0],
        [0.0, 1.0, 2.0, -1.0],
        [2.0, 0.5, -1.0, 1.0],
    ];
    [0.5, 2.0].map(|scale| Tensor::<2>::from_floats(rows, &Device::default()) * scale)
}

#[test]
fn every_point_has_the_statistics_of_the_policy() {
    let data = batches();
    let models = normalized(&data);
    let risk = Risk::new(&squares, &data);
    let trajectory = Trajectory::of(models.iter().cloned().enumerate()).unwrap();
    let run = |policy, coordinates: &[f64]| {
        let config = RibbonConfig::new(grid(coordinates)).with_policy(policy);
        config.run(&risk, &trajectory)
    };
    let space = ParamSpace::of(&models[0]).unwrap();
    let vector = |model: &Normalized| ParamVector::from_module(&space, model).unwrap();
    let at = |t: usize, x: f64| {
        let velocity = vector(&models[t + 1]).axpy(-1.0, &vector(&models[t]));
        velocity.unwrap().perturb(&models[t], x).unwrap()
    };
    let value = |model: &Normalized| risk.loss(model).unwrap().value;
    let coordinates = [0.0, 0.5, 1.0];
    for (policy, batches) in [
        (NormalizationPolicy::ReestimateAll, None),
        (NormalizationPolicy::Reestimate(1), Some(1)),
    ] {
        let found = run(policy, &coordinates).unwrap();
        assert_eq!((found.policy, found.num_losses), (policy, 6));
        let rows = [found.row(0).unwrap(), found.row(1).unwrap()];
        for (t, row) in rows.iter().enumerate() {
            for (x, loss) in coordinates.into_iter().zip(*row) {
                let model = if x == 0.0 {
                    models[t].clone()
                } else {
                    at(t, x)
                };
                let model = risk.reestimate(&model, batches).unwrap();
                assert_eq!(*loss, value(&model), "{policy:?} {t} {x}");
            }
        }
        // Coordinate 1 is the next checkpoint.
        assert!((rows[0][2] / rows[1][0] - 1.0).abs() < 1e-4, "{rows:?}");
    }
    // Left as they are, the statistics at coordinate 1 are not those of the next checkpoint.
    let left = run(NormalizationPolicy::Leave, &coordinates).unwrap();
    let default = RibbonConfig::new(grid(&coordinates)).run(&risk, &trajectory);
    assert_eq!(default.as_ref(), Ok(&left));
    for t in 0..2 {
        let row = left.row(t).unwrap();
        assert_eq!((row[0], row[2]), (value(&models[t]), value(&at(t, 1.0))));
        assert!((row[2] / value(&models[t + 1]) - 1.0).abs() > 1e-3);
    }
    // Far away they are not finite.
    let far = run(NormalizationPolicy::ReestimateAll, &[0.0, 1e30]).unwrap();
    assert!(far.completed && far.losses[0].is_finite() && far.losses[1].is_nan());
    let refused = run(NormalizationPolicy::Interpolate, &coordinates);
    assert_eq!(refused, Err(TrajectoryError::NoInterpolation));
    let none = run(NormalizationPolicy::Reestimate(0), &coordinates).unwrap_err();
    assert!(none.to_string().contains("use 1 or more"), "{none}");
}

#[test]
fn the_grid_matters() {
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let risk = Risk::new(&bowl, &data);
    let base = RibbonConfig::new(grid(&[0.0, 1.0]));
    let settings = vec![
        ("grid", RibbonConfig::new(grid(&[0.0, 0.5]))),
        ("finer grid", RibbonConfig::new(grid(&[0.0, 0.5, 1.0]))),
    ];
    each_matters(&base, settings, |config| {
        config.run(&risk, &trajectory).unwrap().to_json().unwrap()
    });
}

#[test]
fn a_stopped_ribbon_returns_what_it_reached() {
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let run = |at: usize, work: Work| {
        let mut seen = 0;
        let risk = Risk::new(&bowl, &data).with_observer(move |progress| {
            seen += usize::from(progress.work == work);
            match progress.work == work && seen == at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        RibbonConfig::new(grid(&[0.0, 0.5, 1.0])).run(&risk, &trajectory)
    };
    let whole = run(0, Work::Point).unwrap();
    for (work, at, reached) in [
        (Work::Point, 1, 1),
        (Work::Point, 4, 4),
        (Work::Point, 6, 6),
        (Work::Loss, 2, 1),
        (Work::Loss, 7, 6),
    ] {
        let found = run(at, work).unwrap();
        assert_eq!((found.losses.len(), found.num_losses), (reached, reached));
        assert_eq!(found.losses[..], whole.losses[..reached]);
        let rows = reached.div_ceil(3);
        assert_eq!(
            (found.steps.len(), found.velocity_norms.len()),
            (rows, rows)
        );
        assert!(!found.completed);
        let last = found.row(rows - 1).unwrap();
        assert_eq!(last.len(), reached - 3 * (rows - 1));
        assert!(found.row(rows).is_none());
        let mut written = Vec::new();
        found.write_csv(&mut written).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text.lines().count(), 1 + reached);
    }
    assert_eq!(run(1, Work::Loss), Err(TrajectoryError::Stopped));
    assert!(run(9, Work::Point).unwrap().completed);
}

#[test]
fn a_checkpoint_that_is_kept_twice_has_a_level_row() {
    let (trajectory, data) = (through(&[[1.0, 2.0], [1.0, 2.0]]), nothing());
    let ribbon = RibbonConfig::new(grid(&[0.0, 1.0, 5.0]))
        .run(&Risk::new(&bowl, &data), &trajectory)
        .unwrap();
    assert_eq!(ribbon.velocity_norms, [0.0]);
    assert_eq!(ribbon.losses, [3.0; 3]);
}

#[test]
fn losses_that_are_not_finite_are_kept() {
    let loss = |point: &Point, _: Tensor<1>| point.w.val().log().sum();
    let (trajectory, data) = (through(&[[1.0], [0.5]]), nothing());
    let ribbon = RibbonConfig::new(grid(&[0.0, 2.0, 3.0]))
        .run(&Risk::new(&loss, &data), &trajectory)
        .unwrap();
    assert_eq!(ribbon.losses[..2], [0.0, f64::NEG_INFINITY]);
    assert!(ribbon.losses[2].is_nan() && ribbon.completed);
    let read = Ribbon::from_json(&ribbon.to_json().unwrap()).unwrap();
    assert_eq!(read.losses[..2], ribbon.losses[..2]);
    let mut written = Vec::new();
    ribbon.write_csv(&mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, ["step,x,loss", "0,0,0", "0,2,-inf", "0,3,NaN"]);
}

#[test]
fn one_checkpoint_and_parameters_that_are_not_finite_are_refused() {
    let data = nothing();
    let risk = Risk::new(&bowl, &data);
    let config = RibbonConfig::new(grid(&[0.0, 1.0]));
    let refused = |points: &[[f64; 2]]| config.run(&risk, &through(points)).unwrap_err();
    assert_eq!(
        refused(&CHECKPOINTS[..1]),
        TrajectoryError::TooFewCheckpoints {
            found: 1,
            needed: 2
        }
    );
    for place in 0..4 {
        let mut points = CHECKPOINTS;
        points[place][0] = f64::INFINITY;
        // A loss that is not finite is none that is refused, so that the parameters are.
        let step = 10 * place;
        assert_eq!(refused(&points), TrajectoryError::NonFinite { step });
    }
}
