//! Saddle-free Newton: the formula, and escapes from saddles where gradient descent is slow.

use burn::optim::SgdConfig;
use burn::tensor::{DType, Tensor};
use burnscape::OutOfRange;
use burnscape::optim::{
    ClosureStep, OptimError, SaddleFreeNewtonConfig, SaddleFreeReport, SkipReason,
};
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{assert_near, device, no_data, point};

fn coordinates(m: &Point) -> (Tensor<1>, Tensor<1>) {
    (m.w.val().slice(0..1), m.w.val().slice(1..2))
}

/// `x² − y² + y⁴/4`: a saddle at the origin, minima of −1 at `(0, ±√2)`.
fn strict(m: &Point, _: Tensor<1>) -> Tensor<1> {
    let (x, y) = coordinates(m);
    let y = y.square();
    x.square() - y.clone() + y.square() * 0.25
}

/// The monkey saddle `x³ − 3xy²`, whose Hessian at the origin is zero, with `(x² + y²)²/4` added: three
/// minima of −6.75 at distance 3.
fn monkey(m: &Point, _: Tensor<1>) -> Tensor<1> {
    let (x, y) = coordinates(m);
    let (xx, yy) = (x.clone().square(), y.square());
    x.clone().powi_scalar(3) - x * yy.clone() * 3.0 + (xx + yy).square() * 0.25
}

type Loss = fn(&Point, Tensor<1>) -> Tensor<1>;

/// Steps until the loss is below `goal`, at most `limit`.
fn newton_steps(
    config: &SaddleFreeNewtonConfig,
    loss: Loss,
    start: [f64; 2],
    goal: f64,
    limit: usize,
) -> Option<usize> {
    let mut model = point(&start);
    let mut newton = config.init().expect("a valid configuration");
    (0..limit).find(|_| {
        let report = newton.step_on(1.0, &mut model, no_data(), &loss);
        report.expect("a step").loss.expect("a loss") < goal
    })
}

fn descent_steps(lr: f64, loss: Loss, start: [f64; 2], goal: f64, limit: usize) -> Option<usize> {
    let mut model = point(&start);
    let mut descent = SgdConfig::new().init();
    (0..limit).find(|_| {
        let closure = |m: &Point| loss(m, no_data());
        let report = descent.closure_step(lr, &mut model, closure);
        report.expect("a step").loss.expect("a loss") < goal
    })
}

#[test]
fn a_step_is_the_gradient_over_the_absolute_curvature() {
    let (diagonal, w, damping, lr) = ([2.0, -3.0, 0.5, -0.1], [1.0, 2.0, -4.0, 0.5], 0.05, 0.7);
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &diagonal);
    let mut model = point(&w);
    let config = SaddleFreeNewtonConfig::new().with_damping(damping);
    let mut newton = config.clone().with_steps(4).init().expect("valid");
    let report = newton
        .step_on(lr, &mut model, no_data(), &loss)
        .expect("a step");
    let mut square = 0.0;
    for ((d, w), moved) in diagonal.iter().zip(w).zip(model.coordinates()) {
        let step: f64 = d * w / (d.abs() + damping);
        assert_near(moved, w - lr * step, 1e-12);
        square += step * step;
    }
    assert_near(report.step_norm, square.sqrt(), 1e-12);
    assert_near(report.lowest_ritz.expect("a Ritz value"), -3.0, 1e-10);
    assert!(report.ritz_residual.expect("its residual") < 1e-10);
    assert_eq!((report.num_matvecs, report.num_gradients), (4, 2));
    let SaddleFreeReport {
        escaped, skipped, ..
    } = report;
    assert_eq!((escaped, skipped), (false, None));

    // One product sees the curvature along the gradient alone.
    let mut model = point(&w);
    let mut newton = config.with_steps(1).init().expect("valid");
    let report = newton
        .step_on(1.0, &mut model, no_data(), &loss)
        .expect("a step");
    let g: Vec<f64> = diagonal.iter().zip(w).map(|(d, w)| d * w).collect();
    let square: f64 = g.iter().map(|g| g * g).sum();
    let bend: f64 = diagonal.iter().zip(&g).map(|(d, g)| d * g * g).sum();
    let curvature = bend / square;
    assert_near(report.lowest_ritz.expect("a Ritz value"), curvature, 1e-12);
    for (moved, (w, g)) in model.coordinates().iter().zip(w.iter().zip(&g)) {
        assert_near(*moved, w - g / (curvature.abs() + damping), 1e-12);
    }
    // A step that is too long keeps its direction.
    let mut model = point(&w);
    let mut short = newton
        .config()
        .clone()
        .with_max_step(Some(0.25))
        .init()
        .expect("valid");
    let report = short
        .step_on(1.0, &mut model, no_data(), &loss)
        .expect("a step");
    assert_near(report.step_norm, 0.25, 1e-12);
    for (moved, (w, g)) in model.coordinates().iter().zip(w.iter().zip(&g)) {
        assert_near(*moved, w - 0.25 * g / square.sqrt(), 1e-12);
    }
}

#[test]
fn saddles_are_left_where_gradient_descent_is_still_waiting() {
    let config = SaddleFreeNewtonConfig::new()
        .with_damping(1e-2)
        .with_max_step(Some(0.5));
    // Each step doubles the distance from the strict saddle, and multiplies that from the monkey saddle by 1.5, whatever
    // the curvature; gradient descent multiplies it by 1 + 2 lr, and by 1 + 3 lr r at a distance of r.
    let cases: [(Loss, [f64; 2], usize); 4] = [
        (strict, [1.0, 1e-3], 10),
        (strict, [0.5, -1e-6], 19),
        (monkey, [-0.02, 0.01], 9),
        (monkey, [0.01, 0.02], 9),
    ];
    for (loss, start, steps) in cases {
        let limit = steps + 1;
        let newton = newton_steps(&config, loss, start, -0.2, limit);
        assert_eq!(newton, Some(steps), "{start:?}");
        for lr in [0.01, 0.1, 0.2] {
            let descent = descent_steps(lr, loss, start, -0.2, limit);
            assert_eq!(descent, None, "{start:?} at {lr}");
        }
        // The rate is sensible: gradient descent arrives, three to twenty times later.
        let later = descent_steps(0.1, loss, start, -0.2, 2000).expect("an escape");
        println!("{start:?}: {steps} steps, gradient descent at 0.1 {later}");
        assert!(later > 3 * steps);
    }
}

#[test]
fn a_direction_that_the_gradient_does_not_see_is_left_along_with_an_escape() {
    let config = SaddleFreeNewtonConfig::new()
        .with_damping(1e-2)
        .with_max_step(Some(0.5));
    // On the ridge and at the saddle the slope towards the minima is zero.
    for start in [[1.0, 0.0], [0.0, 0.0]] {
        assert_eq!(newton_steps(&config, strict, start, -0.2, 100), None);
        assert_eq!(descent_steps(0.1, strict, start, -0.2, 100), None);
        for seed in 0..4 {
            let escaping = config.clone().with_escape(0.1).with_seed(seed);
            let steps = newton_steps(&escaping, strict, start, -0.2, 12);
            assert!(steps.is_some(), "{start:?} {seed}");
            let mut model = point(&start);
            let mut newton = escaping.init().expect("valid");
            let report = newton.step_on(1.0, &mut model, no_data(), &strict);
            let report = report.expect("a step");
            assert!(report.escaped);
            assert_near(report.lowest_ritz.expect("a Ritz value"), -2.0, 1e-10);
            assert_near(model.coordinates()[1].abs(), 0.1, 1e-10);
        }
    }
    // Off the ridge the step goes downhill, and a longer step is not changed.
    for y in [1e-3, -1e-3, 0.2, -0.2] {
        let mut model = point(&[1.0, y]);
        let escaping = config.clone().with_max_step(None).with_escape(0.1);
        let mut newton = escaping.init().expect("valid");
        let report = newton.step_on(1.0, &mut model, no_data(), &strict);
        let moved = model.coordinates()[1] - y;
        assert_eq!(moved.signum(), y.signum());
        let is_short = y.abs() < 0.1;
        assert_eq!(report.expect("a step").escaped, is_short);
        if is_short {
            assert_near(moved.abs(), 0.1, 1e-9);
        } else {
            assert!(moved.abs() > 0.1);
        }
    }
    // In a bowl there is no escape.
    let bowl = |m: &Point, _: Tensor<1>| quadratic(m, &[2.0, 1.0]);
    let mut newton = config.with_escape(0.1).init().expect("valid");
    let mut model = point(&[0.0, 0.0]);
    let report = newton
        .step_on(1.0, &mut model, no_data(), &bowl)
        .expect("a step");
    assert_eq!(
        (report.escaped, model.coordinates()),
        (false, vec![0.0, 0.0])
    );
}

#[test]
fn steps_that_are_not_finite_are_skipped_and_invalid_settings_refused() {
    let mut newton = SaddleFreeNewtonConfig::new().init().expect("valid");
    let mut model = point(&[1.0, 2.0]);
    let poisoned = |m: &Point, _: Tensor<1>| quadratic(m, &[f64::NAN, 1.0]);
    let report = newton.step_on(1.0, &mut model, no_data(), &poisoned);
    assert_eq!(report.expect("a step").skipped, Some(SkipReason::NonFinite));
    assert_eq!(model.coordinates(), [1.0, 2.0]);

    let reads = |m: &Point, _: Tensor<1>| {
        let scale: f64 = m.w.val().sum().into_scalar();
        m.w.val().square().sum() * scale
    };
    let error = newton.step_on(1.0, &mut model, no_data(), &reads);
    assert!(matches!(error, Err(OptimError::Curvature(_))), "{error:?}");
    let error = newton.step_on(f64::NAN, &mut model, no_data(), &strict);
    assert!(matches!(error, Err(OptimError::LearningRate { .. })));
    assert_eq!(model.coordinates(), [1.0, 2.0]);

    // Without curvature a step is the gradient over the damping, here beyond the range of the type.
    let slope = |m: &Point, _: Tensor<1>| m.w.val().sum() * 100.0;
    for max_step in [None, Some(0.5)] {
        let mut narrow = Point::new(&[1.0, 2.0], &device(), DType::F16);
        let config = SaddleFreeNewtonConfig::new().with_max_step(max_step);
        let mut newton = config.init().expect("valid");
        let nothing = Tensor::<1>::zeros([1], (&device(), DType::F16));
        let report = newton
            .step_on(1.0, &mut narrow, nothing, &slope)
            .expect("a step");
        if max_step.is_none() {
            assert_eq!(report.skipped, Some(SkipReason::NonFiniteStep));
            assert!(!report.step_norm.is_finite());
            assert_eq!(narrow.coordinates(), [1.0, 2.0]);
        } else {
            // A shortened step is within the range again.
            assert_eq!(report.skipped, None);
            assert_near(report.step_norm, 0.5, 1e-3);
            for (moved, w) in narrow.coordinates().iter().zip([1.0, 2.0]) {
                assert_near(*moved, w - 0.5 / 2.0_f64.sqrt(), 2e-3);
            }
        }
    }

    let config = SaddleFreeNewtonConfig::new;
    for (name, config) in [
        ("steps", config().with_steps(0)),
        ("damping", config().with_damping(0.0)),
        ("escape", config().with_escape(-1.0)),
        ("max_step", config().with_max_step(Some(f64::NAN))),
    ] {
        let refused = config.init().map(|_| ());
        let Err(OutOfRange { name: found, .. }) = refused else {
            panic!("{name} was accepted");
        };
        assert_eq!(found, name);
    }
}
