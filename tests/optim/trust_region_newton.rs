//! Newton's method in a trust region: exact steps, the rule of the radius, and escapes from saddles.

use burn::tensor::Tensor;
use burnscape::OutOfRange;
use burnscape::krylov::SolutionKind;
use burnscape::optim::{
    OptimError, SkipReason, TrustRegionNewton, TrustRegionNewtonConfig, TrustRegionReport,
};
use burnscape_testkit::objectives::{Point, quadratic, saddle};

use super::fixture::{assert_near, no_data, point};

fn config() -> TrustRegionNewtonConfig {
    TrustRegionNewtonConfig::new().with_tolerance(1e-12)
}

fn build(config: TrustRegionNewtonConfig) -> TrustRegionNewton {
    config.init().expect("a valid configuration")
}

fn step(
    newton: &mut TrustRegionNewton,
    model: &mut Point,
    loss: impl Fn(&Point) -> Tensor<1>,
) -> TrustRegionReport {
    let objective = |m: &Point, _: Tensor<1>| loss(m);
    let report = newton.step_on(model, no_data(), &objective);
    report.expect("a step")
}

#[test]
fn a_step_solves_the_trust_region_problem_and_a_quadratic_is_predicted_exactly() {
    let (diagonal, w) = ([4.0, 1.0], [1.0, 1.0]);
    let bowl = |m: &Point| quadratic(m, &diagonal);
    let mut model = point(&w);
    let mut newton = build(config().with_radius(0.5));
    let report = step(&mut newton, &mut model, bowl);
    let moved = model.coordinates();
    let p = [moved[0] - w[0], moved[1] - w[1]];
    // (H + μI) p = −g on the sphere.
    for ((p, d), w) in p.iter().zip(diagonal).zip(w) {
        assert_near((d + report.multiplier) * p, -d * w, 1e-10);
    }
    assert_near(p[0].hypot(p[1]), 0.5, 1e-12);
    assert_near(report.step_norm, 0.5, 1e-12);
    let value = |w: [f64; 2]| 0.5 * (4.0 * w[0] * w[0] + w[1] * w[1]);
    let decrease = value(w) - value([moved[0], moved[1]]);
    assert_near(report.predicted, decrease, 1e-12);
    assert_near(report.ratio.expect("a ratio"), 1.0, 1e-12);
    assert_eq!(report.kind, Some(SolutionKind::Boundary));
    assert!(report.accepted && report.certified);
    assert_eq!((report.num_gradients, report.num_losses), (2, 1));
    // A good step to the sphere doubles the radius, up to the largest.
    assert_eq!((report.radius, report.next_radius), (0.5, 1.0));
    assert_eq!(newton.radius(), 1.0);
    let mut limited = build(config().with_radius(0.5).with_max_radius(Some(0.75)));
    let report = step(&mut limited, &mut point(&w), bowl);
    assert_eq!(report.next_radius, 0.75);
    // The minimum is within the second radius: one step of Newton's method, and the radius stays.
    let report = step(&mut newton, &mut model, bowl);
    assert_eq!(report.kind, Some(SolutionKind::Interior));
    assert_eq!((report.multiplier, report.next_radius), (0.0, 1.0));
    assert!(model.coordinates().iter().all(|w| w.abs() < 1e-10));
}

#[test]
fn a_step_that_raises_the_loss_is_not_taken_and_shrinks_the_radius() {
    // −w²/2 + w⁴/4 bends down at ½: the model wants to go as far as it may.
    let double_well = |m: &Point| {
        let square = m.w.val().square();
        square.clone() * -0.5 + square.square() * 0.25
    };
    let mut model = point(&[0.5]);
    let mut newton = build(config().with_radius(10.0));
    for radius in [10.0, 2.5] {
        let report = step(&mut newton, &mut model, double_well);
        assert_near(report.radius, radius, 1e-12);
        // From ½ to ½ + Δ.
        let predicted = 0.375 * radius + 0.125 * radius * radius;
        assert_near(report.predicted, predicted, 1e-9);
        let end = 0.5 + radius;
        let loss = -0.5 * end * end + 0.25 * end.powi(4);
        assert_near(report.trial_loss.expect("a trial"), loss, 1e-9 * loss.abs());
        let ratio = (-0.109375 - loss) / predicted;
        assert_near(report.ratio.expect("a ratio"), ratio, 1e-9 * ratio.abs());
        assert!(!report.accepted && report.skipped.is_none());
        assert_eq!(model.coordinates(), [0.5]);
        assert_near(report.next_radius, 0.25 * radius, 1e-12);
    }
    // Between ¼ and ¾ the step is taken, and the radius stays.
    let report = step(&mut newton, &mut model, double_well);
    assert_near(report.ratio.expect("a ratio"), 0.434_267_241_379, 1e-9);
    assert!(report.accepted);
    assert_near(model.coordinates()[0], 1.125, 1e-12);
    assert_eq!(report.next_radius, report.radius);
    for _ in 0..6 {
        step(&mut newton, &mut model, double_well);
    }
    assert_near(model.coordinates()[0], 1.0, 1e-12);
    let steeper = |m: &Point| {
        let square = m.w.val().square();
        square.clone() * -0.5 + square.square() * 0.3
    };
    // From 0.5 by 0.625 the ratio is 0.193.
    for (accept, is_taken) in [(0.1, true), (0.2, false)] {
        let mut newton = build(config().with_radius(0.625).with_accept(accept));
        let report = step(&mut newton, &mut point(&[0.5]), steeper);
        assert_near(report.ratio.expect("a ratio"), 0.193_135_245_902, 1e-9);
        assert_eq!(report.accepted, is_taken);
        assert_near(report.next_radius, 0.25 * 0.625, 1e-12);
    }
}

#[test]
fn where_the_loss_is_not_finite_no_step_ends() {
    // √w falls towards zero, and is not defined beyond.
    let root = |m: &Point| m.w.val().sqrt();
    let mut model = point(&[4.0]);
    let mut newton = build(config().with_radius(10.0));
    let report = step(&mut newton, &mut model, root);
    assert!(report.trial_loss.expect("a trial").is_nan());
    assert_eq!(report.ratio, Some(f64::NEG_INFINITY));
    assert_eq!((report.accepted, report.next_radius), (false, 2.5));
    let report = step(&mut newton, &mut model, root);
    assert!(report.accepted);
    assert_near(model.coordinates()[0], 1.5, 1e-12);
    // At the weights themselves the step is skipped.
    let mut model = point(&[-1.0]);
    let report = step(&mut newton, &mut model, root);
    assert_eq!(report.skipped, Some(SkipReason::NonFinite));
    assert_eq!(model.coordinates(), [-1.0]);
    assert_eq!(report.radius, report.next_radius);
}

#[test]
fn rosenbrocks_valley_is_walked_to_its_end() {
    let valley = |m: &Point| {
        let (x, y) = (m.w.val().slice(0..1), m.w.val().slice(1..2));
        let bend = (y - x.clone().square()).square() * 100.0;
        bend + (x - 1.0).square()
    };
    for radius in [1.0, 0.1, 10.0] {
        let mut model = point(&[-1.2, 1.0]);
        let mut newton = build(config().with_radius(radius));
        let mut lowest = f64::INFINITY;
        let mut steps = 0;
        loop {
            let report = step(&mut newton, &mut model, valley);
            let loss = report.loss.expect("a loss");
            assert!(loss <= lowest * (1.0 + 1e-14), "{loss} after {lowest}");
            lowest = loss;
            if report.gradient_norm < 1e-10 {
                break;
            }
            steps += 1;
            assert!(steps <= 40, "{report:?}");
        }
        assert!(lowest < 1e-20, "{lowest} from radius {radius}");
    }
}

#[test]
fn saddles_that_the_gradient_does_not_see_are_left_with_the_certificate() {
    for seed in 0..3 {
        // At the saddle itself: along y to the sphere, where the minimum is, with half the predicted decrease.
        let mut model = point(&[0.0, 0.0]);
        let mut newton = build(config().with_seed(seed));
        let report = step(&mut newton, &mut model, saddle);
        assert_eq!(report.kind, Some(SolutionKind::HardCase));
        assert_near(report.multiplier, 1.0, 1e-9);
        assert_near(report.ratio.expect("a ratio"), 0.5, 1e-8);
        assert_near(model.coordinates()[1].abs(), 1.0, 1e-9);
        // On the ridge.
        let mut model = point(&[1.0, 0.0]);
        let mut newton = build(config().with_seed(seed));
        for _ in 0..12 {
            step(&mut newton, &mut model, saddle);
        }
        assert_near(model.coordinates()[0], 0.0, 1e-9);
        assert_near(model.coordinates()[1].abs(), 1.0, 1e-9);
    }
    let mut blind = build(config().with_certificate(false));
    let mut model = point(&[0.0, 0.0]);
    let report = step(&mut blind, &mut model, saddle);
    assert_eq!((report.predicted, report.ratio), (0.0, None));
    assert!(!report.accepted && !report.certified);
    assert_eq!(model.coordinates(), [0.0, 0.0]);
}

#[test]
fn a_minimum_is_not_left() {
    let mut model = point(&[0.0, 0.0]);
    let bowl = |m: &Point| quadratic(m, &[2.0, 1.0]);
    let mut newton = build(config());
    let report = step(&mut newton, &mut model, bowl);
    assert!(report.certified && !report.accepted && report.trial_loss.is_none());
    assert_eq!(model.coordinates(), [0.0, 0.0]);
    // Next to a minimum of one, decreases are below rounding; the steps are taken, and change nothing.
    let raised = |m: &Point| quadratic(m, &[2.0, 1.0]) + 1.0;
    let mut model = point(&[1e-9, -1e-9]);
    for _ in 0..3 {
        let report = step(&mut newton, &mut model, raised);
        assert!(report.ratio.is_none_or(|ratio| (ratio - 1.0).abs() < 0.2));
        assert_eq!(report.next_radius, 1.0);
    }
    assert!(model.coordinates().iter().all(|w| w.abs() < 1e-15));
}

#[test]
fn a_run_resumes_with_its_radius() {
    let start = [1.0, 0.3];
    let mut one = point(&start);
    let mut whole = build(config());
    for _ in 0..3 {
        step(&mut whole, &mut one, saddle);
    }
    let resumed = whole.config().clone().with_radius(whole.radius());
    let mut resumed = build(resumed);
    let mut other = point(&one.coordinates());
    for _ in 0..3 {
        let reports = [
            step(&mut whole, &mut one, saddle),
            step(&mut resumed, &mut other, saddle),
        ];
        assert_eq!(reports[0], reports[1]);
    }
    assert_eq!(one.coordinates(), other.coordinates());
}

#[test]
fn a_small_krylov_space_gives_a_decrease_too() {
    let diagonal: Vec<f64> = (0..40).map(|i| 1.0 + f64::from(i)).collect();
    let bowl = |m: &Point| quadratic(m, &diagonal);
    let mut model = point(&[0.1; 40]);
    let mut newton = build(config().with_max_basis(4).with_certificate(false));
    let mut last = f64::INFINITY;
    for _ in 0..60 {
        let report = step(&mut newton, &mut model, bowl);
        // Four vectors, and the residual.
        assert!(report.num_matvecs <= 5, "{report:?}");
        let loss = report.loss.expect("a loss");
        assert!(loss < last || loss < 1e-20);
        last = loss;
    }
    assert!(last < 1e-12, "{last}");
}

#[test]
fn invalid_settings_and_losses_are_refused() {
    for (name, config) in [
        ("radius", config().with_radius(0.0)),
        ("radius", config().with_radius(f64::NAN)),
        ("max_radius", config().with_max_radius(Some(0.5))),
        ("accept", config().with_accept(0.25)),
        ("accept", config().with_accept(-0.1)),
        ("max_basis", config().with_max_basis(0)),
        ("tolerance", config().with_tolerance(0.0)),
    ] {
        let refused = config.init().map(|_| ());
        let Err(OutOfRange { name: found, .. }) = refused else {
            panic!("{name} was accepted");
        };
        assert_eq!(found, name);
    }
    let mut newton = build(config());
    let mut model = point(&[1.0, 2.0]);
    let reads = |m: &Point, _: Tensor<1>| {
        let scale: f64 = m.w.val().sum().into_scalar();
        m.w.val().square().sum() * scale
    };
    let error = newton.step_on(&mut model, no_data(), &reads);
    assert!(matches!(error, Err(OptimError::Curvature(_))), "{error:?}");
    assert_eq!(model.coordinates(), [1.0, 2.0]);
    assert_eq!(newton.radius(), 1.0);
}
