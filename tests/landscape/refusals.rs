//! Landscapes that cannot be evaluated, and what the errors say.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use burnscape::OutOfRange;
use burnscape::landscape::{Direction, Landscape, LandscapeConfig, LandscapeError};
use burnscape::loss::LossError;
use burnscape::prelude::*;
use burnscape::space::{DirectionNorm, Grid, SpaceError, UnfilteredRule};
use burnscape_testkit::objectives::Point;

use super::models::{diagonal, given, point, quadratic};

fn run(
    config: &LandscapeConfig<'_, Point>,
    vectors: &[&[f64]],
) -> Result<Landscape, LandscapeError> {
    let (model, data) = (point(&[1.0, -2.0]), diagonal(&[4.0, 0.5]));
    config.run(
        &Risk::new(&quadratic, &data),
        &model,
        &given(&model, vectors),
    )
}

#[test]
fn a_grid_of_millions_of_points_is_refused_unless_it_is_allowed() {
    let data = diagonal(&[4.0, 0.5, 1.0, 2.0]);
    let model = point(&[1.0, -2.0, 0.3, 0.7]);
    let risk = Risk::new(&quadratic, &data);
    let axes: Vec<[f64; 4]> = (0..4)
        .map(|axis| std::array::from_fn(|at| f64::from(u8::from(at == axis))))
        .collect();
    let axes: Vec<&[f64]> = axes.iter().map(|axis| &axis[..]).collect();
    let run = |len, max: Option<usize>| {
        let grid = Grid::symmetric(1.0, len).unwrap();
        let config = LandscapeConfig::new(vec![grid; 4]);
        let config = match max {
            Some(max) => config.with_max_points(max),
            None => config,
        };
        config.run(&risk, &model, &given(&model, &axes))
    };
    let error = run(41, None).unwrap_err();
    let expected = LandscapeError::TooManyPoints {
        points: 2_825_761,
        max: 100_000,
    };
    assert_eq!(error, expected);
    let text = error.to_string();
    for word in ["2825761", "100000", "with_max_points"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(run(3, Some(81)).unwrap().num_points(), 81);
    let error = run(3, Some(80)).unwrap_err();
    assert_eq!(
        error,
        LandscapeError::TooManyPoints {
            points: 81,
            max: 80
        }
    );
    // More than numbers can count, whatever is allowed.
    for max in [usize::MAX - 1, usize::MAX] {
        let error = run(70_000, Some(max)).unwrap_err();
        let points = usize::MAX;
        assert_eq!(error, LandscapeError::TooManyPoints { points, max });
    }
    // More than memory can hold.
    let error = run(40_000, Some(usize::MAX)).unwrap_err();
    let points = 40_000_usize.pow(4);
    assert_eq!(error, LandscapeError::OutOfMemory { points });
    let text = error.to_string();
    assert!(text.contains("2560000000000000000 points"), "{text}");
}

#[test]
fn an_axis_with_one_point_is_refused() {
    let [two, one] = [vec![0.0, 1.0], vec![0.5]].map(|x| Grid::from_coordinates(x).unwrap());
    let config = LandscapeConfig::new([two, one]);
    let error = run(&config, &[&[1.0, 0.0], &[0.0, 1.0]]).unwrap_err();
    assert_eq!(error, LandscapeError::OnePoint { axis: 1 });
    assert!(
        error.to_string().contains("axis 1 has one point"),
        "{error}"
    );
}

#[test]
fn each_axis_needs_a_direction() {
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let vectors: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
    for (axes, directions) in [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1)] {
        let config = LandscapeConfig::new(vec![grid.clone(); axes]);
        let error = run(&config, &vectors[..directions]).unwrap_err();
        assert_eq!(error, LandscapeError::Axes { axes, directions });
        let text = error.to_string();
        assert!(text.contains("one direction for each axis"), "{text}");
    }
}

#[test]
fn directions_that_span_less_than_the_grid_are_refused() {
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let config = LandscapeConfig::new([grid.clone(), grid.clone()]);
    let error = run(&config, &[&[1.0, 2.0], &[-2.0, -4.0]]).unwrap_err();
    let LandscapeError::Parallel { index: 1, cosine } = error else {
        panic!("{error:?}");
    };
    assert!((cosine + 1.0).abs() < 1e-12, "{cosine}");
    assert!(error.to_string().contains(&cosine.to_string()), "{error}");
    let error = run(&config, &[&[1.0, 2.0], &[0.0, 0.0]]).unwrap_err();
    assert_eq!(
        error,
        LandscapeError::NoDirection {
            index: 1,
            norm: 0.0
        }
    );
    // A plane has no third direction.
    let config = LandscapeConfig::new([grid.clone(), grid.clone(), grid]);
    let error = run(&config, &[&[1.0, 2.0], &[0.0, 1.0], &[3.0, 1.0]]).unwrap_err();
    assert!(
        matches!(error, LandscapeError::Parallel { index: 2, .. }),
        "{error:?}"
    );
}

#[test]
fn directions_of_another_space_are_refused() {
    let (model, data) = (point(&[1.0, -2.0]), diagonal(&[4.0, 0.5]));
    let risk = Risk::new(&quadratic, &data);
    let config = LandscapeConfig::new([Grid::symmetric(1.0, 3).unwrap()]);
    let other = given(&point(&[0.0; 3]), &[&[1.0, 0.0, 0.0]]);
    let error = config.run(&risk, &model, &other).unwrap_err();
    assert!(
        matches!(
            error,
            LandscapeError::Space(SpaceError::DifferentSpaces { .. })
        ),
        "{error:?}"
    );
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let config = LandscapeConfig::new([grid.clone(), grid]);
    let mut both = given(&model, &[&[1.0, 0.0]]);
    both.extend(other);
    let error = config.run(&risk, &model, &both).unwrap_err();
    assert!(
        matches!(
            error,
            LandscapeError::Space(SpaceError::DifferentSpaces { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_model_whose_loss_is_not_finite_is_refused() {
    let model = point(&[-1.0]);
    let loss = |model: &Point, x: Tensor<1>| (model.w.val().log() * x).sum();
    let data = diagonal(&[1.0]);
    let risk = Risk::new(&loss, &data);
    let config = LandscapeConfig::new([Grid::symmetric(3.0, 3).unwrap()]);
    let error = config
        .run(&risk, &model, &given(&model, &[&[1.0]]))
        .unwrap_err();
    assert!(
        matches!(
            error,
            LandscapeError::Loss(LossError::NonFinite { batch: 0, .. })
        ),
        "{error:?}"
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    let config: LandscapeConfig<'_, Point> =
        LandscapeConfig::new([Grid::symmetric(1.0, 3).unwrap()]);
    for threads in [0, 1025, usize::MAX] {
        let error = run(&config.clone().with_threads(threads), &[&[1.0, 0.0]]).unwrap_err();
        let expected = OutOfRange::new("threads", threads as f64, "1 to 1024");
        assert_eq!(error, LandscapeError::OutOfRange(expected));
    }
    assert!(run(&config.with_threads(1024), &[&[1.0, 0.0]]).is_ok());
}

#[test]
fn metrics_with_the_name_of_another_column_are_refused() {
    let data = diagonal(&[4.0, 0.5]);
    let metric = Risk::new(&quadratic, &data);
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let vectors: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
    let named = |axes: usize, names: &[&str]| {
        let mut config: LandscapeConfig<'_, Point> = LandscapeConfig::new(vec![grid.clone(); axes]);
        for name in names {
            config = config.with_metric(*name, &metric);
        }
        run(&config, &vectors[..axes])
    };
    for (axes, name) in [(1, "x"), (1, "loss"), (2, "x"), (2, "y"), (2, "loss")] {
        let error = named(axes, &["error", name]).unwrap_err();
        let name = name.to_string();
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        assert_eq!(error, LandscapeError::ReservedMetric { name });
    }
    let error = named(1, &["error", "size", "error"]).unwrap_err();
    assert!(error.to_string().contains("`error`"), "{error}");
    let name = "error".to_string();
    assert_eq!(error, LandscapeError::DuplicateMetric { name });
    // A line has no `y`.
    assert!(named(1, &["y", "Loss"]).is_ok());
}

#[test]
fn nothing_is_evaluated_before_a_refusal() {
    let (model, data) = (point(&[1.0, -2.0]), diagonal(&[4.0, 0.5]));
    let evaluations = AtomicUsize::new(0);
    let risk = Risk::new(&quadratic, &data).with_observer(|_| {
        evaluations.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let config = LandscapeConfig::new([grid.clone(), grid]);
    let parallel = given(&model, &[&[1.0, 2.0], &[1.0, 2.0]]);
    assert!(config.run(&risk, &model, &parallel).is_err());
    assert!(config.run(&risk, &model, &parallel[..1]).is_err());
    let straight = given(&model, &[&[1.0, 0.0], &[0.0, 1.0]]);
    let few = config.clone().with_max_points(8);
    assert!(few.run(&risk, &model, &straight).is_err());
    let twice = config.clone().with_metric("loss", &risk);
    assert!(twice.run(&risk, &model, &straight).is_err());
    assert_eq!(evaluations.load(Ordering::Relaxed), 0);
    assert!(config.run(&risk, &model, &straight).is_ok());
    assert!(evaluations.load(Ordering::Relaxed) > 0);
}

#[test]
fn grids_out_of_range_are_refused() {
    assert!(matches!(
        Grid::from_coordinates(Vec::new()),
        Err(SpaceError::TooFewPoints { found: 0, .. })
    ));
    for (start, end) in [
        (1.0, 1.0),
        (1.0, 0.0),
        (f64::NAN, 1.0),
        (0.0, f64::INFINITY),
    ] {
        assert!(matches!(
            Grid::linspace(start, end, 3),
            Err(SpaceError::EmptyRange { .. })
        ));
    }
    for num_points in [0, 1] {
        assert!(matches!(
            Grid::linspace(0.0, 1.0, num_points),
            Err(SpaceError::TooFewPoints { .. })
        ));
    }
    for coordinates in [vec![0.0, 1.0, f64::NAN], vec![0.0, 1.0, 1.0]] {
        assert!(matches!(
            Grid::from_coordinates(coordinates),
            Err(SpaceError::BadCoordinate { index: 2, .. })
        ));
    }
}

#[test]
fn a_model_without_filters_has_no_filter_normalized_direction() {
    let model = point(&[1.0, -2.0]);
    let space = ParamSpace::of(&model).unwrap();
    let norm = DirectionNorm::Filter(UnfilteredRule::Zero);
    let error = Direction::random(&space, &model, norm, 1).unwrap_err();
    assert_eq!(error, SpaceError::NoDirection { norm: 0.0 });
}
