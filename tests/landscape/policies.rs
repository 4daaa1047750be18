//! The running statistics at the points of a landscape.

use burn::tensor::Tensor;
use burnscape::OutOfRange;
use burnscape::landscape::{Direction, DirectionKind, Landscape, LandscapeConfig, LandscapeError};
use burnscape::loss::NormalizationPolicy::{Interpolate, Leave, Reestimate, ReestimateAll};
use burnscape::loss::{LossError, NormalizationPolicy};
use burnscape::prelude::*;
use burnscape::space::{Grid, RunningStatistics, unshared_copy};
use burnscape_testkit::models::Normalized;

use super::models::{bits, diagonal, drawn, given, inputs, point, quadratic, squares};
use crate::path::models::network;

fn line(
    policy: NormalizationPolicy,
    risk: &Risk<'_, Normalized>,
    model: &Normalized,
    direction: &Direction,
) -> Landscape {
    let found = LandscapeConfig::new([Grid::linspace(0.0, 1.0, 5).unwrap()])
        .with_policy(policy)
        .run(risk, model, std::slice::from_ref(direction))
        .unwrap();
    assert_eq!(found.policy, policy);
    found
}

/// Two networks with the statistics of the data.
fn ends(risk: &Risk<'_, Normalized>) -> [Normalized; 2] {
    [1, 2].map(|seed| risk.reestimate(&network(seed), None).unwrap())
}

#[test]
fn every_policy_is_what_it_says_bit_for_bit() {
    let data = inputs(&[8, 5]);
    let risk = Risk::new(&squares, &data);
    let [a, b] = ends(&risk);
    let direction = Direction::between(&a, &b).unwrap();
    let moved = |x: f64| match x == 0.0 {
        true => a.clone(),
        false => direction.vector().perturb(&a, x).unwrap(),
    };
    let value = |model: &Normalized| risk.loss(model).unwrap().value;
    let own = RunningStatistics::of(&a);
    let change = RunningStatistics::of(&b).axpby(1.0, -1.0, &own).unwrap();
    let expected = |policy, x: f64| match policy {
        Leave => value(&moved(x)),
        ReestimateAll => value(&risk.reestimate(&moved(x), None).unwrap()),
        Reestimate(batches) => value(&risk.reestimate(&moved(x), Some(batches)).unwrap()),
        Interpolate if x == 0.0 => value(&a),
        Interpolate => {
            let statistics = own.clone().axpby(1.0, x, &change).unwrap();
            value(&statistics.write_to(unshared_copy(&moved(x))))
        }
    };
    let mut all = Vec::new();
    for policy in [Leave, ReestimateAll, Reestimate(1), Interpolate] {
        let found = line(policy, &risk, &a, &direction);
        let wanted: Vec<f64> = found.axes[0].iter().map(|&x| expected(policy, x)).collect();
        assert_eq!(bits(&found.losses), bits(&wanted), "{policy:?}");
        // The center is the model under the same policy.
        assert_eq!(found.base_loss, found.losses[0]);
        assert_eq!(found.num_losses, 5);
        all.push(found.losses);
    }
    for i in 0..4 {
        for j in 0..i {
            assert_ne!(all[i][2], all[j][2], "{all:?}");
        }
    }
    // Along the way the statistics become those of the other model.
    let end = value(&b);
    assert!((all[3][4] / end - 1.0).abs() < 1e-3, "{} {end}", all[3][4]);
    assert!((all[0][4] / end - 1.0).abs() > 0.01, "{} {end}", all[0][4]);
}

#[test]
fn statistics_are_left_by_default() {
    let data = inputs(&[8]);
    let risk = Risk::new(&squares, &data);
    let [a, b] = ends(&risk);
    let direction = Direction::between(&a, &b).unwrap();
    let config = LandscapeConfig::new([Grid::linspace(0.0, 1.0, 5).unwrap()]);
    let found = config
        .run(&risk, &a, std::slice::from_ref(&direction))
        .unwrap();
    assert_eq!(found, line(Leave, &risk, &a, &direction));
}

#[test]
fn no_policy_changes_the_model() {
    let data = inputs(&[8, 5]);
    let risk = Risk::new(&squares, &data);
    let [a, b] = ends(&risk);
    let direction = Direction::update(&a, &b).unwrap();
    let state = || a.running().map(Tensor::into_data);
    let before = state();
    for policy in [Leave, ReestimateAll, Reestimate(1), Interpolate] {
        line(policy, &risk, &a, &direction);
        assert_eq!(state(), before, "{policy:?}");
    }
}

#[test]
fn statistics_follow_only_the_directions_that_have_some() {
    let data = inputs(&[8, 5]);
    let risk = Risk::new(&squares, &data);
    let [a, b] = ends(&risk);
    let between = Direction::between(&a, &b).unwrap();
    let across = drawn(&a, &[3]).remove(0);
    let axis = Grid::linspace(0.0, 0.5, 2).unwrap();
    let plane = LandscapeConfig::new([axis.clone(), axis])
        .with_policy(Interpolate)
        .run(&risk, &a, &[between.clone(), across.clone()])
        .unwrap();
    let alone = line(Leave, &risk, &a, &across);
    assert_eq!(plane.loss(&[0, 1]), Some(alone.losses[2]));
    let along = line(Interpolate, &risk, &a, &between);
    assert_eq!(plane.loss(&[1, 0]), Some(along.losses[2]));
    let row = between.vector().perturb(&a, 0.5).unwrap();
    let moved = across.vector().perturb(&row, 0.5).unwrap();
    let own = RunningStatistics::of(&a);
    let change = RunningStatistics::of(&b).axpby(1.0, -1.0, &own).unwrap();
    let statistics = own.axpby(1.0, 0.5, &change).unwrap();
    let model = statistics.write_to(unshared_copy(&moved));
    assert_eq!(plane.loss(&[1, 1]), Some(risk.loss(&model).unwrap().value));
}

#[test]
fn statistics_that_nothing_interpolates_are_refused() {
    let data = inputs(&[8]);
    let risk = Risk::new(&squares, &data);
    let model = network(1);
    let axis = Grid::linspace(0.0, 1.0, 2).unwrap();
    let config = LandscapeConfig::new([axis]).with_policy(Interpolate);
    let error = config.run(&risk, &model, &drawn(&model, &[3])).unwrap_err();
    assert_eq!(error, LandscapeError::NoStatistics);
    for word in ["Direction::between", "Direction::update"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    let config = config.with_policy(Reestimate(0));
    let error = config.run(&risk, &model, &drawn(&model, &[3])).unwrap_err();
    let name = "NormalizationPolicy::Reestimate";
    let expected = OutOfRange::new(name, 0.0, "1 or more");
    assert_eq!(error, LandscapeError::OutOfRange(expected));
}

#[test]
fn a_model_without_statistics_is_the_same_under_every_policy() {
    let (model, data) = (point(&[1.0, -2.0]), diagonal(&[4.0, 0.5]));
    let risk = Risk::new(&quadratic, &data);
    let run = |policy| {
        LandscapeConfig::new([Grid::symmetric(1.0, 4).unwrap()])
            .with_policy(policy)
            .run(&risk, &model, &given(&model, &[&[1.0, 0.5]]))
            .unwrap()
            .losses
    };
    for policy in [ReestimateAll, Reestimate(1), Interpolate] {
        assert_eq!(run(policy), run(Leave), "{policy:?}");
    }
}

#[test]
fn points_whose_statistics_are_not_finite_are_kept() {
    let data = inputs(&[8]);
    let risk = Risk::new(&squares, &data);
    let model = network(1);
    let vector = drawn(&model, &[3])[0].vector().clone().scale(1e30);
    let direction = Direction::new(DirectionKind::Other("far".to_string()), vector);
    let found = line(ReestimateAll, &risk, &model, &direction);
    assert!(found.completed && found.losses[0].is_finite());
    assert!(found.losses[1..].iter().all(|loss| loss.is_nan()));
    // At the model it is an error.
    let far = direction.vector().perturb(&model, 1.0).unwrap();
    let config = LandscapeConfig::new([Grid::symmetric(1e-30, 2).unwrap()]);
    let config = config.with_policy(ReestimateAll);
    let error = config.run(&risk, &far, &[direction]).unwrap_err();
    assert!(
        matches!(error, LandscapeError::Loss(LossError::Statistics { .. })),
        "{error:?}"
    );
}
