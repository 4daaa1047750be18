//! Volumes of basins that are known.

use std::f64::consts::PI;

use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::curvature::Diagonal;
use burnscape::loss::{Risk, Work};
use burnscape::sharpness::{BasinVolume, BasinVolumeConfig, SharpnessError};
use burnscape::space::{ParamSpace, ParamVector, SpaceError};

use super::models::{Point, net, regression, squared_error, stop_at};
use crate::path::models::nothing;
use crate::path::settings::each_matters;

/// Curvatures as data.
fn numbers(values: &[f64]) -> [Tensor<1>; 1] {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    [Tensor::from_data(data, (&Device::default(), DType::F64))]
}

/// `½ Σ hᵢ wᵢ²`.
fn bowl(model: &Point, h: Tensor<1>) -> Tensor<1> {
    (model.w.val().square() * h).sum() * 0.5
}

fn origin(dimension: usize) -> Point {
    Point::new(&vec![0.0; dimension])
}

/// Fifty curvatures with equal ratios, from 1 down to a thousandth.
fn fifty() -> Vec<f64> {
    (0..50)
        .map(|i| 1e-3_f64.powf(f64::from(i) / 49.0))
        .collect()
}

/// `ln V` of `½ Σ hᵢ wᵢ² ≤ rise`, for an even number of dimensions: `Γ(d/2 + 1)` is a factorial.
fn of_ellipsoid(h: &[f64], rise: f64) -> f64 {
    assert_eq!(h.len() % 2, 0);
    let half = h.len() / 2;
    let factorial: f64 = (1..=half).map(|k| (k as f64).ln()).sum();
    let curvatures: f64 = h.iter().map(|h| h.ln()).sum();
    half as f64 * (2.0 * PI * rise).ln() - factorial - 0.5 * curvatures
}

#[track_caller]
fn assert_near(found: f64, exact: f64, tolerance: f64) {
    assert!((found - exact).abs() <= tolerance, "{found} {exact}");
}

/// Within four standard errors, from enough rays.
#[track_caller]
fn assert_holds(found: &BasinVolume, exact: f64) {
    let error = found.standard_error.unwrap();
    assert!(found.is_reliable() && error < 0.15, "{found:?}");
    assert_near(found.log_volume, exact, 4.0 * error);
}

#[test]
fn eigenvectors_give_the_volume_of_an_ellipsoid_exactly() {
    let small = (vec![4.0, 1.0, 0.25], -0.981_744_910_35);
    let large = (fifty(), 16.725_635_099_68);
    assert_near(of_ellipsoid(&large.0, 0.1), large.1, 1e-9);
    for (h, exact) in [small, large] {
        let data = numbers(&h);
        let risk = Risk::new(&bowl, &data);
        let model = origin(h.len());
        let hessian = risk.hessian(&model).unwrap();
        for seed in 0..3 {
            let found = BasinVolumeConfig::new(0.1)
                .with_num_rays(5)
                .with_tolerance(1e-8)
                .with_seed(seed)
                .run_with_curvature(&risk, &model, &hessian)
                .unwrap();
            assert_near(found.log_volume, exact, 1e-7);
            assert_near(found.mean_log_volume, exact, 1e-7);
            assert_near(found.log_volume_quadratic.unwrap(), exact, 1e-9);
            assert_near(found.effective_rays, 5.0, 1e-6);
            assert!(found.standard_error.unwrap() < 1e-6);
            assert_eq!((found.dimension, found.num_unbounded), (h.len(), 0));
            assert_eq!(found.num_matvecs, 2 * h.len());
            // Every radius is that of the quadratic, the first one tried.
            assert!(found.num_losses <= 1 + 2 * 5, "{}", found.num_losses);
        }
    }
}

#[test]
fn rays_without_units_are_enough_in_three_dimensions_and_are_flagged_in_fifty() {
    for seed in 0..3 {
        let config = BasinVolumeConfig::new(0.1)
            .with_num_rays(200)
            .with_seed(seed);
        let data = numbers(&[4.0, 1.0, 0.25]);
        let found = config.run(&Risk::new(&bowl, &data), &origin(3)).unwrap();
        assert_holds(&found, -0.981_744_910_35);
        assert_eq!((found.log_volume_quadratic, found.num_matvecs), (None, 0));

        let data = numbers(&fifty());
        let found = config.run(&Risk::new(&bowl, &data), &origin(50)).unwrap();
        assert!(!found.is_reliable() && found.effective_rays < 5.0);
        // Far below 16.7, and a typical ray further still.
        assert!(found.log_volume < 5.0 && found.mean_log_volume < -15.0);
        assert!(found.mean_log_volume_error.unwrap() < 1.0);
    }
}

#[test]
fn a_diagonal_sets_the_units_and_not_the_volume() {
    let h = [4.0, 1.0, 0.25];
    let (data, model) = (numbers(&h), origin(3));
    let risk = Risk::new(&bowl, &data);
    let space = ParamSpace::of(&model).unwrap();
    let run = |config: &BasinVolumeConfig, curvatures: [f64; 3]| {
        let curvatures = ParamVector::from_host(&space, &curvatures).unwrap();
        config
            .run_with_diagonal(&risk, &model, &curvatures)
            .unwrap()
    };
    let exact = -0.981_744_910_35;
    for seed in 0..3 {
        let config = BasinVolumeConfig::new(0.1).with_seed(seed);
        let found = run(&config, h);
        assert_near(found.log_volume, exact, 0.02);
        assert_near(found.log_volume_quadratic.unwrap(), exact, 1e-9);
        assert!(found.effective_rays > 99.0);
        // The sign of a curvature has no part in it, but no ellipsoid is left.
        let signs = run(&config, [-4.0, 1.0, 0.25]);
        assert_eq!(
            (signs.log_volumes, signs.log_volume_quadratic),
            (found.log_volumes, None)
        );
        for wrong in [[1.0, 1.0, 0.25], [4.0, 1.0, 1.0]] {
            assert_holds(&run(&config, wrong), exact);
        }
    }
}

#[test]
fn a_few_eigenpairs_and_the_mean_of_the_others_are_enough_where_these_are_equal() {
    let mut h = vec![1.0; 12];
    (h[3], h[7]) = (100.0, 30.0);
    let (data, model) = (numbers(&h), origin(12));
    let risk = Risk::new(&bowl, &data);
    let hessian = risk.hessian(&model).unwrap();
    let config = BasinVolumeConfig::new(0.1)
        .with_num_rays(10)
        .with_tolerance(1e-6);
    let run = |pairs| {
        let config = config.clone().with_num_eigenpairs(pairs);
        config.run_with_curvature(&risk, &model, &hessian).unwrap()
    };
    let exact = of_ellipsoid(&h, 0.1);
    let found = run(2);
    assert_near(found.log_volume, exact, 1e-3);
    assert_near(found.effective_rays, 10.0, 1e-3);
    assert_eq!(found.log_volume_quadratic, None);
    assert_near(run(12).log_volume, exact, 1e-5);
    // With one pair the second direction is among the others.
    let one = run(1);
    assert!(one.effective_rays < 9.9);
    assert_near(one.log_volume, exact, 4.0 * one.standard_error.unwrap());
}

#[test]
fn basins_that_are_no_ellipsoids_have_their_volume() {
    let data = nothing();
    let octahedron = |m: &Point, _: Tensor<1>| m.w.val().abs().sum();
    let risk = Risk::new(&octahedron, &data);
    for seed in 0..3 {
        let config = BasinVolumeConfig::new(0.6)
            .with_num_rays(200)
            .with_seed(seed);
        let found = config.run(&risk, &origin(3)).unwrap();
        assert_holds(&found, (1.2_f64.powi(3) / 6.0).ln());
    }
    // Round ones, exactly: with a wall, and with an edge beyond which the loss is not a number.
    let wall = |m: &Point, _: Tensor<1>| m.w.val().square().sum().greater_elem(0.49).float() * 10.0;
    let edge = |m: &Point, _: Tensor<1>| (-m.w.val().square().sum() + 1.0).log().neg();
    let config = BasinVolumeConfig::new(2.0)
        .with_num_rays(3)
        .with_tolerance(1e-6);
    let ball = |radius: f64| (0.5 * PI * PI).ln() + 4.0 * radius.ln();
    let found = config.run(&Risk::new(&wall, &data), &origin(4)).unwrap();
    assert_near(found.log_volume, ball(0.7), 1e-5);
    let found = config.run(&Risk::new(&edge, &data), &origin(4)).unwrap();
    assert_near(
        found.log_volume,
        ball((1.0 - (-2.0_f64).exp()).sqrt()),
        1e-5,
    );
}

#[test]
fn a_flat_direction_ends_at_the_largest_length() {
    // The strip |w₁| ≤ 1 within a disk of radius 3.
    let (data, model) = (numbers(&[1.0, 0.0]), origin(2));
    let risk = Risk::new(&bowl, &data);
    let exact = 2.0 * (8.0_f64.sqrt() + 9.0 * (1.0_f64 / 3.0).asin());
    for seed in 0..3 {
        let found = BasinVolumeConfig::new(0.5)
            .with_num_rays(200)
            .with_max_length(3.0)
            .with_seed(seed)
            .run(&risk, &model)
            .unwrap();
        assert_holds(&found, exact.ln());
        assert!((30..70).contains(&found.num_unbounded), "{found:?}");
    }
    let hessian = risk.hessian(&model).unwrap();
    let config = BasinVolumeConfig::new(0.5).with_num_rays(2);
    let found = config.run_with_curvature(&risk, &model, &hessian).unwrap();
    assert_eq!(found.log_volume_quadratic, None);
}

#[test]
fn single_precision_has_the_volume_to_its_rounding() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let config = BasinVolumeConfig::new(0.1).with_num_rays(4);
    let found = config.run(&risk, &model).unwrap();
    assert!(found.log_volume.is_finite() && found.dimension == 56);
    assert!(found.num_losses < 1 + 4 * 20, "{}", found.num_losses);
    let hessian = risk.hessian(&model).unwrap();
    let found = config.run_with_curvature(&risk, &model, &hessian).unwrap();
    assert!(found.log_volume.is_finite() && found.effective_rays <= 4.0);
    assert!(found.num_losses < 1 + 4 * 40, "{}", found.num_losses);
}

#[test]
fn more_rays_extend_a_run_and_a_stop_keeps_those_that_are_complete() {
    let (data, model) = (numbers(&[4.0, 1.0, 0.25]), origin(3));
    let risk = Risk::new(&bowl, &data);
    let config = BasinVolumeConfig::new(0.1).with_num_rays(6);
    let whole = config.run(&risk, &model).unwrap();
    let mut three = config.clone().with_num_rays(3).run(&risk, &model).unwrap();
    assert_eq!(three.log_volumes, whole.log_volumes[..3]);
    let stopped = risk.clone().with_observer(stop_at(Work::Sample, 3));
    let found = config.run(&stopped, &model).unwrap();
    (three.config, three.completed) = (config.clone(), false);
    assert_eq!(found, three);
    let one = config.with_num_rays(1).run(&risk, &model).unwrap();
    assert_eq!(
        (one.standard_error, one.mean_log_volume_error),
        (None, None)
    );
    assert!(one.completed && !one.is_reliable());
}

#[test]
fn every_setting_matters() {
    let (data, model) = (numbers(&[30.0, 4.0, 1.0, 0.25]), origin(4));
    let loss = |m: &Point, h: Tensor<1>| (m.w.val().square() * h).sum().exp();
    let risk = Risk::new(&loss, &data);
    let hessian = risk.hessian(&model).unwrap();
    let base = BasinVolumeConfig::new(0.1).with_num_rays(3);
    let settings = vec![
        ("rise", BasinVolumeConfig::new(0.2).with_num_rays(3)),
        ("num_rays", base.clone().with_num_rays(4)),
        ("max_length", base.clone().with_max_length(0.05)),
        ("tolerance", base.clone().with_tolerance(1e-6)),
        ("num_eigenpairs", base.clone().with_num_eigenpairs(1)),
        ("seed", base.clone().with_seed(1)),
    ];
    each_matters(&base, settings, |config| {
        let found = config.run_with_curvature(&risk, &model, &hessian);
        format!("{:?}", found.unwrap().log_volumes)
    });
}

#[test]
fn settings_without_meaning_are_refused_by_name() {
    let (data, model) = (numbers(&[4.0, 1.0, 0.25]), origin(3));
    let risk = Risk::new(&bowl, &data);
    let config = || BasinVolumeConfig::new(0.1);
    for (config, text) in [
        (BasinVolumeConfig::new(0.0), "`rise` is 0; use more than 0"),
        (
            BasinVolumeConfig::new(f64::NAN),
            "`rise` is NaN; use a finite number, more than 0",
        ),
        (config().with_num_rays(0), "`num_rays` is 0; use 1 or more"),
        (
            config().with_max_length(-1.0),
            "`max_length` is -1; use more than 0",
        ),
        (
            config().with_tolerance(0.0),
            "`tolerance` is 0; use more than 0",
        ),
        (
            config().with_num_eigenpairs(0),
            "`num_eigenpairs` is 0; use 1 or more",
        ),
    ] {
        let error = config.run(&risk, &model).unwrap_err();
        assert!(matches!(error, SharpnessError::OutOfRange(_)));
        assert_eq!(error.to_string(), text);
    }
    let high = |m: &Point, h: Tensor<1>| bowl(m, h) + 1e12;
    // 8 ε · 10¹² is 0.0018.
    let found = config()
        .with_num_rays(1)
        .run(&Risk::new(&high, &data), &model);
    assert!(found.is_ok());
    let error = BasinVolumeConfig::new(1e-3).run(&Risk::new(&high, &data), &model);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("`rise` is 0.001; use more than"), "{text}");
    assert!(text.ends_with("the rounding of the loss"), "{text}");
}

#[test]
fn curvature_without_units_is_refused() {
    let (data, model) = (numbers(&[4.0, 1.0, 0.25]), origin(3));
    let risk = Risk::new(&bowl, &data);
    let space = ParamSpace::of(&model).unwrap();
    let config = BasinVolumeConfig::new(0.1);
    let diagonal = |values: &[f64; 3]| {
        let curvatures = ParamVector::from_host(&space, values).unwrap();
        config
            .run_with_diagonal(&risk, &model, &curvatures)
            .unwrap_err()
    };
    assert_eq!(diagonal(&[0.0; 3]), SharpnessError::NoCurvature);
    let error = diagonal(&[1.0, f64::INFINITY, 1.0]).to_string();
    assert_eq!(error, "`curvatures` is inf; use finite numbers");
    let zero = Diagonal::weight_decay(&space, 0.0).unwrap();
    let error = config.run_with_curvature(&risk, &model, &zero);
    assert_eq!(error, Err(SharpnessError::NoCurvature));
    let few = config.clone().with_num_eigenpairs(1);
    let error = few.run_with_curvature(&risk, &model, &zero);
    assert_eq!(error, Err(SharpnessError::NoCurvature));
    let other = ParamVector::zeros(&ParamSpace::of(&origin(2)).unwrap()).unwrap();
    let error = config.run_with_diagonal(&risk, &model, &other);
    assert!(matches!(
        error,
        Err(SharpnessError::Space(SpaceError::DifferentSpaces { .. }))
    ));
}
