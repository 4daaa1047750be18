//! Checkpoints on planes: their places, and both heights.

use std::ops::ControlFlow;

use burn::module::{Param, ParamGroup};
use burn::tensor::{DType, Device, Tensor};
use burnscape::loss::{NormalizationPolicy, Work};
use burnscape::prelude::*;
use burnscape::space::{ParameterPlane, RunningStatistics, SpaceError, unshared_copy};
use burnscape::trajectory::{Projection, ProjectionConfig, Trajectory, TrajectoryError};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use super::points::through;
use crate::path::models::{network, nothing};

/// `x² + 10 z²`.
fn valley(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let w = point.w.val();
    let [x, z] = [0, 2].map(|index: usize| w.clone().slice(index..index + 1));
    x.square() + z.square() * 10.0
}

const CHECKPOINTS: [[f64; 3]; 3] = [[1.0, 0.0, 1.0], [0.5, 0.0, 0.2], [0.0, 0.0, 0.0]];

/// The plane of the first two axes through the last checkpoint.
fn ground(trajectory: &Trajectory<Point>) -> ParameterPlane<Point> {
    let last = trajectory.model(trajectory.len() - 1).unwrap();
    let space = ParamSpace::of(&last).unwrap();
    let axis = |index: usize| {
        let mut axis = vec![0.0; space.len()];
        axis[index] = 1.0;
        ParamVector::from_host(&space, &axis).unwrap()
    };
    ParameterPlane::spanned(&last, [&axis(0), &axis(1)]).unwrap()
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-12
}

#[test]
fn a_trajectory_above_its_plane_has_other_heights() {
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let plane = ground(&trajectory);
    let found = ProjectionConfig::new()
        .run(&Risk::new(&valley, &data), &trajectory, &plane)
        .unwrap();
    let expected = [
        (1.0, 1.0, 11.0, 1.0, 10.0),
        (0.5, 0.2, 0.65, 0.25, 0.4),
        (0.0, 0.0, 0.0, 0.0, 0.0),
    ];
    assert_eq!((found.points.len(), found.num_losses), (3, 6));
    assert!(found.completed);
    for (index, (point, expected)) in found.points.iter().zip(expected).enumerate() {
        let (x, distance, loss, plane_loss, gap) = expected;
        assert_eq!(point.step, 10 * index);
        assert!(near(point.x, x) && near(point.y, 0.0));
        assert!(near(point.distance, distance));
        let reach = (x * x + distance * distance).sqrt();
        let share = if reach > 0.0 { distance / reach } else { 0.0 };
        assert!(near(point.off_plane_share, share));
        assert!(near(point.loss, loss) && near(point.plane_loss, plane_loss));
        assert!(near(point.height_gap, gap));
    }
    // The checkpoint at the origin has no share.
    let mean = 0.5 * (0.5_f64.sqrt() + 0.2 / 0.29_f64.sqrt());
    assert!(near(found.mean_off_plane_share(), mean));
    assert_eq!(found.largest_gap(), Some(&found.points[0]));
    let alone = ProjectionConfig::new()
        .run(
            &Risk::new(&valley, &data),
            &through(&CHECKPOINTS[2..]),
            &plane,
        )
        .unwrap();
    assert_eq!(alone.points.len(), 1);
    assert!(alone.mean_off_plane_share().is_nan());
}

#[test]
fn a_plane_of_some_of_the_parameters_is_refused() {
    let device = Device::default();
    let models: Vec<Normalized> = (0..2)
        .map(|_| Normalized::new([2, 3, 1], &device))
        .collect();
    let group = ParamGroup::from_predicate("second");
    let space = ParamSpace::of_group(&models[1], &group).unwrap();
    let [x, y] = [1, 2].map(|seed| ParamVector::gaussian(&space, seed).unwrap());
    let plane = ParameterPlane::spanned(&models[1], [&x, &y]).unwrap();
    let trajectory = Trajectory::of(models.into_iter().enumerate()).unwrap();
    let loss = |model: &Normalized, x: Tensor<2>| model.forward(x).square().mean();
    let data = [Tensor::<2>::ones([3, 2], &device)];
    let found = ProjectionConfig::new().run(&Risk::new(&loss, &data), &trajectory, &plane);
    let error = found.unwrap_err();
    let is_other = matches!(
        error,
        TrajectoryError::Space(SpaceError::DifferentSpaces { .. })
    );
    assert!(is_other, "{error}");
}

#[test]
fn a_plane_with_oblique_axes_has_the_same_gaps() {
    let (trajectory, data) = (through(&[[3.0, 4.0, 12.0], [0.0, 0.0, 0.0]]), nothing());
    let last = trajectory.model(1).unwrap();
    let space = ParamSpace::of(&last).unwrap();
    let [first, second] = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
        .map(|axis| ParamVector::from_host(&space, &axis).unwrap());
    let plane = ParameterPlane::spanned(&last, [&first, &second]).unwrap();
    let found = ProjectionConfig::new()
        .run(&Risk::new(&valley, &data), &trajectory, &plane)
        .unwrap();
    let point = found.points[0];
    assert!(near(point.x, -1.0) && near(point.y, 4.0));
    assert!(near(point.distance, 12.0) && near(point.off_plane_share, 12.0 / 13.0));
    // The nearest point is (3, 4, 0), whatever the axes.
    assert!((point.plane_loss - 9.0).abs() < 1e-10);
    assert!((point.height_gap - 1440.0).abs() < 1e-9);
}

#[test]
fn a_checkpoint_has_its_own_running_statistics_and_the_plane_those_of_its_origin() {
    let origin = network(1);
    let statistics = RunningStatistics::of(&origin).filled(3.0);
    let other = statistics.write_to(unshared_copy(&origin));
    let loss = |net: &Normalized, x: Tensor<2>| (net.forward(x) - 1.0).square().mean();
    let data = [Tensor::<2>::from_floats(
        [[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 2.0, -1.0]],
        &Device::default(),
    )];
    let risk = Risk::new(&loss, &data);
    let space = ParamSpace::of(&origin).unwrap();
    let [u, v] = [1, 2].map(|seed| ParamVector::sphere(&space, seed).unwrap());
    let plane = ParameterPlane::spanned(&origin, [&u, &v]).unwrap();
    let losses = [&other, &origin].map(|model| risk.loss(model).unwrap().value);
    assert!((losses[0] - losses[1]).abs() > 1e-3, "{losses:?}");
    let trajectory = Trajectory::of([(0, other), (1, origin)]).unwrap();
    let found = ProjectionConfig::new().run(&risk, &trajectory, &plane);
    let points = found.unwrap().points;
    for (point, loss) in points.iter().zip(losses) {
        assert_eq!((point.x, point.y, point.distance), (0.0, 0.0, 0.0));
        assert_eq!(point.loss.to_bits(), loss.to_bits());
        assert_eq!(point.plane_loss.to_bits(), losses[1].to_bits());
    }
}

#[test]
fn a_stopped_projection_returns_what_it_reached() {
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let plane = ground(&trajectory);
    let run = |at: usize, work: Work| {
        let mut seen = 0;
        let risk = Risk::new(&valley, &data).with_observer(move |progress| {
            seen += usize::from(progress.work == work);
            match progress.work == work && seen == at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        ProjectionConfig::new().run(&risk, &trajectory, &plane)
    };
    let whole = run(0, Work::Point).unwrap();
    let found = run(2, Work::Point).unwrap();
    assert_eq!((found.points.len(), found.completed), (2, false));
    assert_eq!(found.points[..], whole.points[..2]);
    // In the second loss of the second point.
    let found = run(4, Work::Loss).unwrap();
    assert_eq!((found.points.len(), found.num_losses), (1, 2));
    assert!(!found.completed);
    assert_eq!(run(2, Work::Loss), Err(TrajectoryError::Stopped));
    assert!(run(3, Work::Point).unwrap().completed);
}

#[test]
fn losses_that_are_not_finite_are_kept() {
    let loss = |point: &Point, _: Tensor<1>| {
        let w = point.w.val();
        (w.clone().slice(0..1).log() + w.slice(2..3)).sum()
    };
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let plane = ground(&trajectory);
    let found = ProjectionConfig::new()
        .run(&Risk::new(&loss, &data), &trajectory, &plane)
        .unwrap();
    assert_eq!(found.points[2].loss, f64::NEG_INFINITY);
    assert!(found.points[2].height_gap.is_nan());
    assert_eq!(found.largest_gap().map(|point| point.step), Some(0));
    let read = Projection::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read.points[2].loss, f64::NEG_INFINITY);
    assert!(read.points[2].height_gap.is_nan());
    let mut written = Vec::new();
    found.write_csv(&mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "step,x,y,distance,off_plane_share,loss,plane_loss,height_gap"
    );
    assert_eq!(lines[1], "0,1,0,1,0.7071067811865475,1,0,1");
    assert_eq!(lines[3], "20,0,0,0,0,-inf,-inf,NaN");
}

#[test]
fn other_planes_and_numbers_that_are_not_finite_are_refused() {
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let plane = ground(&trajectory);
    let risk = Risk::new(&valley, &data);
    let config = ProjectionConfig::new();
    let four = through(&[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]);
    let error = config.run(&risk, &four, &plane).unwrap_err();
    assert!(matches!(error, TrajectoryError::Space(_)), "{error}");
    let mut points = CHECKPOINTS;
    points[1][2] = f64::NAN;
    let error = config.run(&risk, &through(&points), &plane).unwrap_err();
    assert_eq!(error, TrajectoryError::NonFinite { step: 10 });
    let empty = |_: &Point, _: Tensor<1>| Tensor::<1>::zeros([2], (&Device::default(), DType::F64));
    let error = config.run(&Risk::new(&empty, &data), &trajectory, &plane);
    assert!(matches!(error, Err(TrajectoryError::Loss(_))), "{error:?}");
}

#[test]
fn checkpoints_stay_as_they_are() {
    let (trajectory, data) = (through(&CHECKPOINTS), nothing());
    let plane = ground(&trajectory);
    let before: Vec<Param<Tensor<1>>> = (0..3).map(|i| trajectory.model(i).unwrap().w).collect();
    let risk = Risk::new(&valley, &data);
    let run = || ProjectionConfig::new().run(&risk, &trajectory, &plane);
    assert_eq!(run().unwrap(), run().unwrap());
    for (index, w) in before.into_iter().enumerate() {
        let point = Point { w };
        assert_eq!(point.coordinates(), CHECKPOINTS[index]);
        assert_eq!(
            trajectory.model(index).unwrap().coordinates(),
            CHECKPOINTS[index]
        );
    }
}

#[test]
fn both_heights_have_statistics_of_their_own_weights_where_they_are_asked_for() {
    let device = Device::default();
    let models: Vec<Normalized> = (0..3)
        .map(|_| Normalized::new([2, 3, 1], &device))
        .collect();
    let trajectory = Trajectory::of(models.iter().cloned().enumerate()).unwrap();
    let space = ParamSpace::of(&models[2]).unwrap();
    let [x, y] = [1, 2].map(|seed| ParamVector::gaussian(&space, seed).unwrap());
    let plane = ParameterPlane::spanned(&models[2], [&x, &y]).unwrap();
    let loss = |model: &Normalized, x: Tensor<2>| model.forward(x).square().mean();
    let data = [0.5, 2.0].map(|scale| {
        Tensor::<2>::from_floats([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]], &device) * scale
    });
    let risk = Risk::new(&loss, &data);
    let run = |policy| {
        let config = ProjectionConfig::new().with_policy(policy);
        config.run(&risk, &trajectory, &plane)
    };
    let left = run(NormalizationPolicy::Leave).unwrap();
    for (policy, batches) in [
        (NormalizationPolicy::ReestimateAll, None),
        (NormalizationPolicy::Reestimate(1), Some(1)),
    ] {
        let found = run(policy).unwrap();
        assert_eq!(found.policy, policy);
        for (index, (point, left)) in found.points.iter().zip(&left.points).enumerate() {
            assert_eq!((point.x, point.y), (left.x, left.y));
            let value = |model: &Normalized| {
                let model = risk.reestimate(model, batches).unwrap();
                risk.loss(&model).unwrap().value
            };
            assert_eq!(point.loss, value(&models[index]));
            assert_eq!(
                point.plane_loss,
                value(&plane.point(point.x, point.y).unwrap())
            );
            assert_ne!(point.plane_loss, left.plane_loss);
        }
    }
    let refused = run(NormalizationPolicy::Interpolate);
    assert_eq!(refused, Err(TrajectoryError::NoInterpolation));
    let none = run(NormalizationPolicy::Reestimate(0)).unwrap_err();
    assert!(none.to_string().contains("use 1 or more"), "{none}");
}
