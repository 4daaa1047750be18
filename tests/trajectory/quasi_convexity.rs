//! Gradients that point to the end of a trajectory, or not.

use std::ops::ControlFlow;

use burn::module::ParamGroup;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use burnscape::loss::{NormalizationPolicy, Work};
use burnscape::prelude::*;
use burnscape::trajectory::{QuasiConvexity, QuasiConvexityConfig, Trajectory, TrajectoryError};
use burnscape_testkit::models::{Normalized, TwoLayers};
use burnscape_testkit::objectives::{Point, quadratic};

use super::points::through;
use crate::path::models::{network, nothing};
use crate::path::settings::each_matters;

/// Curvatures 1 and 9.
fn bowl(point: &Point, _: Tensor<1>) -> Tensor<1> {
    quadratic(point, &[1.0, 9.0])
}

/// `(x² − 1)² + y²`.
fn double_well(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let w = point.w.val();
    let (x, y) = (w.clone().slice(0..1), w.slice(1..2));
    (x.square() - 1.0).square() + y.square()
}

const DOWN: [[f64; 2]; 4] = [[-0.5, 0.2], [0.5, 0.2], [-1.2, 0.5], [1.0, 0.0]];

fn run(points: &[[f64; 2]]) -> Result<QuasiConvexity, TrajectoryError> {
    let data = nothing();
    let risk = Risk::new(&double_well, &data);
    QuasiConvexityConfig::new().run(&risk, &through(points))
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-7, "{found} {expected}");
}

#[test]
fn on_a_quadratic_the_numbers_are_those_of_its_curvatures() {
    let data = nothing();
    let trajectory = through(&[[3.0, 1.0], [0.0, 0.0]]);
    let found = QuasiConvexityConfig::new()
        .run(&Risk::new(&bowl, &data), &trajectory)
        .unwrap();
    let point = found.points[0];
    assert_near(point.cosine, 0.6);
    assert_near(point.secant, 1.8);
    assert_near(point.error_bound, 3.0);
    assert_near(point.quasar.unwrap(), 2.0);
    assert_near(point.chord_gap.unwrap(), -2.25);
    assert_near(point.loss, 9.0);
    assert_near(point.distance, 10.0_f64.sqrt());
    assert_near(point.gradient_norm, 90.0_f64.sqrt());
    assert_eq!((point.step, point.reflected_cosine), (0, None));
    assert_eq!((found.points.len(), found.num_gradients), (1, 1));
    assert_eq!((found.num_losses, found.completed), (2, true));
    assert_eq!((found.reference_loss, found.share_positive), (0.0, 1.0));
    assert_eq!(found.reflected_share_positive, None);
}

#[test]
fn in_a_double_well_the_cosine_says_which_well() {
    let found = run(&DOWN).unwrap();
    let cosines = [-0.923_705_4, 0.992_820_1, 0.976_172_8];
    for (point, expected) in found.points.iter().zip(cosines) {
        assert_near(point.cosine, expected);
    }
    assert_near(found.share_positive, 2.0 / 3.0);
    // Over the top: L(¼, 0.1) is above the mean of 0.6025 and 0.
    assert_near(found.points[0].chord_gap.unwrap(), 0.888_906_25 - 0.301_25);
    // Straight on from (−½, 0.2): at (½, 0.2) the way back is −1 along x and the gradient (−1.5, 0.4).
    let back = 1.5 / (1.5_f64.powi(2) + 0.4_f64.powi(2)).sqrt();
    assert_near(found.points[1].reflected_cosine.unwrap(), back);
    assert!(found.points[2].reflected_cosine.unwrap() < 0.0);
    assert_eq!(found.reflected_share_positive, Some(0.5));
    let steps: Vec<usize> = found.points.iter().map(|point| point.step).collect();
    assert_eq!(steps, [0, 10, 20]);
    assert_eq!((found.num_gradients, found.num_losses), (3, 4));
}

#[test]
fn a_random_point_says_nothing() {
    let number = |index: usize| (1.3 * (index * index) as f64).sin();
    let mut points: Vec<Vec<f64>> = (0..50)
        .map(|i| (0..1000).map(|j| number(1000 * i + j + 1)).collect())
        .collect();
    points.push(vec![0.0; 1000]);
    let trajectory = through(&points);
    let loss = |point: &Point, _: Tensor<1>| point.w.val().square().sum() * 0.5;
    let data = nothing();
    let risk = Risk::new(&loss, &data);
    let found = QuasiConvexityConfig::new().run(&risk, &trajectory).unwrap();
    // The gradient is the way from the end.
    assert!(
        found
            .points
            .iter()
            .all(|point| (point.cosine - 1.0).abs() < 1e-12)
    );
    let squares = found.points.iter().map(|point| point.null_cosine.powi(2));
    // The mean of 50 squares of normal numbers, to four standard deviations.
    let mean = 1000.0 * squares.sum::<f64>() / 50.0;
    assert!((mean - 1.0).abs() < 0.8, "{mean}");
    let share = found.null_share_positive;
    assert!((share - 0.5).abs() < 0.28, "{share}");
    assert_eq!(found.share_positive, 1.0);
}

#[test]
fn checkpoints_that_are_the_end_are_skipped() {
    let found = run(&[[1.0, 0.0], [0.5, 0.2], [1.0, 0.0]]).unwrap();
    assert_eq!((found.points.len(), found.points[0].step), (1, 10));
    assert_eq!(run(&[[1.0, 0.0]; 3]), Err(TrajectoryError::NotMoving));
}

#[test]
fn a_stationary_point_and_an_end_that_is_higher_have_what_is_defined() {
    // The saddle at the origin, with the loss 1.
    let found = run(&[[0.0, 0.0], [1.0, 0.0]]).unwrap();
    let point = found.points[0];
    assert_eq!(
        (point.cosine, point.null_cosine, point.secant),
        (0.0, 0.0, 0.0)
    );
    assert_eq!((point.quasar, found.share_positive), (Some(0.0), 0.0));
    let found = run(&[[1.0, 0.0], [0.9, 0.1], [0.5, 0.2]]).unwrap();
    assert!(found.points.iter().all(|point| point.quasar.is_none()));
}

#[test]
fn a_group_has_its_part_of_the_gradient_and_of_the_way() {
    let start = TwoLayers::new([2, 3, 1], &Device::default());
    let space = ParamSpace::of(&start).unwrap();
    let [first, last] = [1, 2].map(|seed| {
        let weights = ParamVector::gaussian(&space, seed).unwrap();
        weights.apply_to(&start).unwrap()
    });
    let loss = |net: &TwoLayers, x: Tensor<2>| (net.forward(x, relu) - 1.0).square().mean();
    let data = [Tensor::<2>::from_floats(
        [[1.0, -2.0], [0.5, 3.0]],
        &Device::default(),
    )];
    let group = ParamGroup::from_predicate("second");
    let risk = Risk::new(&loss, &data).with_group(group);
    let own = risk.space(&first).unwrap();
    assert!(own.len() < space.len());
    let at = |model: &TwoLayers| ParamVector::from_module(&own, model).unwrap();
    let gradient = risk.loss_and_gradient(&first).unwrap().gradient;
    let way = at(&first).axpy(-1.0, &at(&last)).unwrap();
    let cosine = gradient.dot(&way).unwrap() / gradient.norm().unwrap() / way.norm().unwrap();
    // Losses are those of whole models.
    let middle = ParamVector::from_module(&space, &last).unwrap();
    let whole = ParamVector::from_module(&space, &first).unwrap();
    let middle = middle.axpy(-1.0, &whole).unwrap();
    let middle = middle.perturb(&first, 0.5).unwrap();
    let losses = [&first, &last, &middle].map(|model| risk.loss(model).unwrap().value);
    let trajectory = Trajectory::of([(0, first), (1, last)]).unwrap();
    let found = QuasiConvexityConfig::new().run(&risk, &trajectory).unwrap();
    let point = found.points[0];
    assert!((point.cosine - cosine).abs() < 1e-6);
    assert!((point.loss - losses[0]).abs() < 1e-6 * losses[0]);
    assert_eq!(found.reference_loss, losses[1]);
    let gap = losses[2] - 0.5 * (losses[0] + losses[1]);
    assert!((point.chord_gap.unwrap() - gap).abs() < 1e-6 * losses[0]);
}

#[test]
fn losses_and_gradients_have_the_statistics_of_the_policy() {
    let loss = |net: &Normalized, x: Tensor<2>| (net.forward(x) - 1.0).square().mean();
    let rows = [
        [1.0, -2.0, 0.5, 3.0],
        [0.0, 1.0, 2.0, -1.0],
        [2.0, 0.5, -1.0, 1.0],
    ];
    let data = [0.5, 2.0].map(|scale| Tensor::<2>::from_floats(rows, &Device::default()) * scale);
    let risk = Risk::new(&loss, &data);
    // Models with statistics that a part of the data has.
    let model = |seed| risk.reestimate(&network(seed), Some(1)).unwrap();
    let models: Vec<Normalized> = (0..3).map(model).collect();
    let trajectory = Trajectory::of(models.iter().cloned().enumerate()).unwrap();
    let run = |policy| {
        let config = QuasiConvexityConfig::new().with_policy(policy);
        config.run(&risk, &trajectory)
    };
    let space = ParamSpace::of(&models[0]).unwrap();
    let vector = |model: &Normalized| ParamVector::from_module(&space, model).unwrap();
    let value = |model: &Normalized| risk.loss(model).unwrap().value;
    let mut all = Vec::new();
    for (policy, batches) in [
        (NormalizationPolicy::Leave, Some(0)),
        (NormalizationPolicy::ReestimateAll, None),
        (NormalizationPolicy::Reestimate(1), Some(1)),
    ] {
        let found = run(policy).unwrap();
        assert_eq!((found.policy, found.num_losses), (policy, 3));
        let set = |model: &Normalized| match batches {
            Some(0) => model.clone(),
            batches => risk.reestimate(model, batches).unwrap(),
        };
        let end = value(&set(&models[2]));
        assert_eq!(found.reference_loss, end);
        assert_eq!(found.points.len(), 2);
        for (point, model) in found.points.iter().zip(&models) {
            let here = risk.loss_and_gradient(&set(model)).unwrap();
            assert_eq!(point.loss, here.value);
            assert_eq!(point.gradient_norm, here.gradient.norm().unwrap());
            let toward = vector(&models[2]).axpy(-1.0, &vector(model)).unwrap();
            let middle = value(&set(&toward.perturb(model, 0.5).unwrap()));
            let gap = middle - 0.5 * (here.value + end);
            assert_eq!(point.chord_gap, Some(gap), "{policy:?}");
        }
        all.push(found);
    }
    // The middle is another one when its statistics are its own, and the ends are when they are those of all data.
    assert_ne!(all[0].points[0].chord_gap, all[2].points[0].chord_gap);
    assert_ne!(all[0].points[0].loss, all[1].points[0].loss);
    let default = QuasiConvexityConfig::new().run(&risk, &trajectory).unwrap();
    assert_eq!(default, all[0]);
    let refused = run(NormalizationPolicy::Interpolate);
    assert_eq!(refused, Err(TrajectoryError::NoInterpolation));
    let none = run(NormalizationPolicy::Reestimate(0)).unwrap_err();
    assert!(none.to_string().contains("use 1 or more"), "{none}");
}

#[test]
fn every_setting_matters() {
    let (trajectory, data) = (through(&DOWN), nothing());
    let risk = Risk::new(&double_well, &data);
    let base = QuasiConvexityConfig::new();
    let settings = vec![
        ("chords", base.with_chords(false)),
        ("seed", base.with_seed(1)),
    ];
    each_matters(&base, settings, |config| {
        config.run(&risk, &trajectory).unwrap().to_json().unwrap()
    });
    let found = base.with_chords(false).run(&risk, &trajectory).unwrap();
    assert!(found.points.iter().all(|point| point.chord_gap.is_none()));
    assert_eq!((found.num_gradients, found.num_losses), (3, 1));
}

#[test]
fn a_stopped_measurement_returns_what_it_reached() {
    let (trajectory, data) = (through(&DOWN), nothing());
    let run = |at: usize, work: Work| {
        let mut seen = 0;
        let risk = Risk::new(&double_well, &data).with_observer(move |progress| {
            seen += usize::from(progress.work == work);
            match progress.work == work && seen == at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        QuasiConvexityConfig::new().run(&risk, &trajectory)
    };
    let whole = run(0, Work::Point).unwrap();
    // A point, its gradient, and its chord after the loss of the end.
    for (work, at, reached) in [
        (Work::Point, 1, 1),
        (Work::Point, 2, 2),
        (Work::Gradient, 3, 2),
        (Work::Loss, 3, 1),
    ] {
        let found = run(at, work).unwrap();
        assert_eq!((found.points.len(), found.completed), (reached, false));
        assert_eq!(found.points[..], whole.points[..reached]);
        assert_eq!(found.num_gradients, reached);
        assert_eq!(found.num_losses, 1 + reached);
    }
    for (work, at) in [(Work::Loss, 1), (Work::Loss, 2), (Work::Gradient, 1)] {
        assert_eq!(run(at, work), Err(TrajectoryError::Stopped));
    }
    assert!(run(3, Work::Point).unwrap().completed);
}

#[test]
fn the_loss_halfway_may_be_infinite_and_others_are_refused() {
    let loss = |point: &Point, _: Tensor<1>| point.w.val().recip().sum();
    let data = nothing();
    let risk = Risk::new(&loss, &data);
    let config = QuasiConvexityConfig::new();
    let found = config.run(&risk, &through(&[[-1.0], [1.0]])).unwrap();
    assert_eq!(found.points[0].chord_gap, Some(f64::INFINITY));
    let read = QuasiConvexity::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read.points[0].chord_gap, Some(f64::INFINITY));
    let refused = |points: &[[f64; 1]]| config.run(&risk, &through(points)).unwrap_err();
    for place in 0..3 {
        for bad in [0.0, f64::NAN] {
            let mut points = [[2.0], [-1.0], [3.0]];
            points[place][0] = bad;
            let step = 10 * place;
            assert_eq!(refused(&points), TrajectoryError::NonFinite { step });
        }
    }
    assert_eq!(
        refused(&[[1.0]]),
        TrajectoryError::TooFewCheckpoints {
            found: 1,
            needed: 2
        }
    );
}

#[test]
fn points_are_a_table_with_empty_cells() {
    let data = nothing();
    let trajectory = through(&[[3.0, 1.0], [1.5, 0.5], [0.0, 0.0]]);
    let found = QuasiConvexityConfig::new()
        .with_chords(false)
        .run(&Risk::new(&bowl, &data), &trajectory)
        .unwrap();
    let mut written = Vec::new();
    found.write_csv(&mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.len() == 11));
    assert_eq!((lines[0][7], lines[0][8]), ("quasar", "chord_gap"));
    assert_eq!((lines[1][8], lines[1][10]), ("", ""));
    assert_near(lines[1][4].parse().unwrap(), 0.6);
    // Straight on is where the end is.
    assert_near(lines[2][10].parse().unwrap(), found.points[1].cosine);
}
