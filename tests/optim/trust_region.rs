//! SA-GD with the exact maximizer of the loss's quadratic model.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::tanh;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::krylov::{Dense, Symmetric, TrustRegionConfig};
use burnscape::optim::{Ascent, Need, OptimError, SamConfig, StepReport};
use burnscape_testkit::models::TwoLayers;
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{assert_near, build, device, exact, no_data, point, sgd};

/// A step at `w`, and the gradient that its base optimizer got.
fn step(
    config: SamConfig,
    w: &[f64],
    loss: impl Fn(&Point, Tensor<1>) -> Tensor<1>,
) -> (StepReport, Vec<f64>) {
    let (mut model, lr) = (point(w), 1e-3);
    let report = build(config)
        .step_on(lr, &mut model, no_data(), &loss)
        .expect("a step");
    let moved = model.coordinates();
    let gradient = w.iter().zip(&moved).map(|(w, moved)| (w - moved) / lr);
    (report, gradient.collect())
}

#[test]
fn a2_the_trust_region_ascent_finds_the_maximum_of_a_quadratic() {
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &[4.0, 1.0]);
    let (report, gradient) = step(exact(0).with_rho(0.5), &[1.0, 1.0], loss);
    let robust = report.perturbed_loss.expect("a loss");
    assert_near(robust, 5.0451834, 5e-8);
    // ∇F(w + v) = (4 (1 + v₀), 1 + v₁), so the maximizer can be read off.
    assert_near(gradient[0] / 4.0 - 1.0, 0.49186465, 1e-8);
    assert_near(gradient[1] - 1.0, 0.08982855, 1e-8);
    assert_near(gradient[0], 5.9674586, 6e-8);
    assert_near(gradient[1], 1.0898286, 6e-8);
    // The model of a quadratic is the quadratic.
    let inner = report.inner.expect("a maximization");
    assert_near(robust, report.loss.expect("a loss") + inner.rise, 1e-12);
    assert!(inner.outcome.is_converged() && inner.certified && inner.hard_cases == 0);
    assert!(inner.residual < 1e-12);
    assert_eq!(
        report.num_gradients, 3,
        "at w, with the Hessian, and at w + v"
    );
    // It is above the loss that one step along the gradient finds.
    let (sam, _) = step(SamConfig::new().with_rho(0.5), &[1.0, 1.0], loss);
    assert!(robust > sam.perturbed_loss.expect("a loss") + 5e-3);
}

#[test]
fn the_hard_case_is_seen_and_the_higher_side_taken() {
    // The gradient is (0, 0.3), the curvature largest along x: v = (±√0.24, 0.1).
    let even = |m: &Point, _: Tensor<1>| quadratic(m, &[4.0, 1.0]);
    let x = 0.24_f64.sqrt();
    for seed in 0..4 {
        let (report, gradient) = step(exact(seed).with_rho(0.5), &[0.0, 0.3], even);
        assert_near(gradient[0].abs(), 4.0 * x, 1e-8);
        assert_near(gradient[1], 0.4, 1e-8);
        let inner = report.inner.expect("a maximization");
        assert_eq!((inner.hard_cases, inner.certified), (1, true));
        assert_near(inner.rise, 2.0 * 0.24 + 0.3 * 0.1 + 0.005, 1e-8);
        assert_eq!(report.num_gradients, 4, "both sides are looked at");

        // A cubic term, which the model does not have, makes one of the sides higher.
        for slant in [0.1, -0.1] {
            let uneven = |m: &Point, _: Tensor<1>| {
                let cube = m.w.val().slice(0..1).powi_scalar(3);
                quadratic(m, &[4.0, 1.0]) + cube * slant
            };
            let (report, gradient) = step(exact(seed).with_rho(0.5), &[0.0, 0.3], uneven);
            let side = x * f64::signum(slant);
            assert_near(gradient[0], 4.0 * side + 3.0 * slant * 0.24, 1e-8);
            let loss = 0.5 * (4.0 * 0.24 + 0.16) + slant * side.powi(3);
            assert_near(report.perturbed_loss.expect("a loss"), loss, 1e-8);
        }
        // SAM stays on the line of the gradient.
        let (_, gradient) = step(SamConfig::new().with_rho(0.5), &[0.0, 0.3], even);
        assert_near(gradient[0], 0.0, 1e-12);
    }
    // At a stationary point the largest curvature alone decides.
    let (report, gradient) = step(exact(0).with_rho(0.5), &[0.0, 0.0], even);
    assert_near(gradient[0].abs(), 2.0, 1e-8);
    assert_near(report.perturbed_loss.expect("a loss"), 0.5, 1e-8);
}

#[test]
fn each_group_of_m_sharpness_has_a_maximizer_of_its_own() {
    // ½ Σ xᵢⱼ wⱼ², a mean over examples i.
    let loss = |m: &Point, x: Tensor<2>| {
        let squares = m.w.val().square().unsqueeze::<2>();
        (x * squares).sum_dim(1).mean() * 0.5
    };
    let rows = [[4.0, 1.0], [1.0, 9.0], [2.0, 3.0]];
    let batch = || Tensor::<2>::from_data(rows, (&device(), DType::F64));
    let (rho, lr, w) = (0.5, 1e-3, [1.0, -0.5]);
    // Groups of two and one, by hand.
    let mut expected = [0.0; 2];
    let (mut rise, mut robust) = (0.0, 0.0);
    for (group, weight) in [([2.5, 5.0], 2.0 / 3.0), ([2.0, 3.0], 1.0 / 3.0)] {
        let h = Symmetric::verified(Dense::diagonal(&group), 1e-12, 0).expect("symmetric");
        let g = vec![group[0] * w[0], group[1] * w[1]];
        let found = TrustRegionConfig::new(rho)
            .with_tolerance(1e-13)
            .maximize(&h, &g);
        let found = found.expect("a solution");
        rise += weight * found.value;
        for i in 0..2 {
            expected[i] += weight * group[i] * (w[i] + found.v[i]);
            robust += weight * 0.5 * group[i] * (w[i] + found.v[i]).powi(2);
        }
    }
    let mut model = point(&w);
    let mut sam = build(exact(1).with_rho(rho).with_group_size(Some(2)));
    let report = sam.step_on(lr, &mut model, batch(), &loss).expect("a step");
    let moved = model.coordinates();
    for i in 0..2 {
        assert_near((w[i] - moved[i]) / lr, expected[i], 1e-8);
    }
    assert_near(report.perturbed_loss.expect("a loss"), robust, 1e-10);
    let inner = report.inner.expect("a maximization");
    assert_near(inner.rise, rise, 1e-10);
    assert!(inner.outcome.is_converged() && inner.certified);
}

fn network() -> (TwoLayers, Tensor<2>) {
    let device = device();
    let numbers = |n: usize, shift: f64| -> Vec<f64> {
        (0..n)
            .map(|i| (1.3 * i as f64 + shift).sin() * 0.8)
            .collect()
    };
    let options = (&device, DType::F64);
    let linear = |d_in: usize, d_out: usize| Linear {
        weight: Param::from_tensor(Tensor::from_data(
            TensorData::new(numbers(d_in * d_out, d_in as f64), [d_in, d_out]),
            options,
        )),
        bias: Some(Param::from_tensor(Tensor::from_data(
            TensorData::new(numbers(d_out, 0.5), [d_out]),
            options,
        ))),
    };
    let net = TwoLayers {
        first: linear(3, 4),
        second: linear(4, 1),
    };
    let x = Tensor::from_data(TensorData::new(numbers(15, 2.0), [5, 3]), options);
    (net, x)
}

#[test]
fn off_quadratics_the_error_of_the_model_is_of_third_order() {
    let loss = |m: &TwoLayers, x: Tensor<2>| (m.forward(x, tanh) - 0.3).square().mean();
    let error = |rho: f64| {
        let (mut model, x) = network();
        let mut sam = build(exact(0).with_rho(rho));
        let report = sam.step_on(0.0, &mut model, x, &loss).expect("a step");
        let inner = report.inner.expect("a maximization");
        assert!(inner.outcome.is_converged() && inner.certified);
        let (mut model, x) = network();
        let mut sam = build(SamConfig::new().with_rho(rho));
        let sam = sam.step_on(0.0, &mut model, x, &loss).expect("a step");
        // SAM's gain over it can only be of third order as well.
        let rise = report.perturbed_loss.unwrap() - report.loss.unwrap();
        assert!(report.perturbed_loss > sam.perturbed_loss, "{rho}");
        (rise - inner.rise).abs()
    };
    let (whole, half) = (error(0.02), error(0.01));
    println!("errors {whole:.3e} and {half:.3e}");
    assert_near(whole / half, 8.0, 0.8);
}

/// One parameter at two places.
#[derive(Module, Debug)]
struct Twins {
    encoder: Param<Tensor<1>>,
    decoder: Param<Tensor<1>>,
}

#[test]
fn a_parameter_at_two_places_has_one_displacement() {
    let encoder = Param::from_tensor(Tensor::ones([2], (&device(), DType::F64)));
    // Freezing and unfreezing makes each occurrence a separate leaf.
    let mut model = Twins {
        decoder: encoder.clone(),
        encoder,
    }
    .freeze()
    .unfreeze();
    let loss = |m: &Twins, curvature: Tensor<1>| {
        (m.encoder.val() * m.decoder.val() * curvature).sum() * 0.5
    };
    let curvature = Tensor::from_data([4.0, 1.0], (&device(), DType::F64));
    let mut sam = build(exact(0).with_rho(0.5).with_restore_tied(true));
    let report = sam
        .step_on(0.1, &mut model, curvature, &loss)
        .expect("a step");
    assert_near(report.perturbed_loss.expect("a loss"), 5.0451834, 5e-8);
    for place in [&model.encoder, &model.decoder] {
        let moved: Vec<f64> = place.val().into_data().iter::<f64>().collect();
        assert_near(moved[0], 1.0 - 0.59674586, 6e-9);
        assert_near(moved[1], 1.0 - 0.10898286, 6e-9);
    }
}

#[test]
fn losses_that_cannot_be_traced_are_refused() {
    let mut model = point(&[1.0, 1.0]);
    let mut sam = build(exact(0));
    let error = sam.step(0.1, &mut model, |m: &Point| quadratic(m, &[4.0, 1.0]));
    let error = error.expect_err("a closure alone is refused");
    let (feature, need) = ("trust-region ascent", Need::Batch);
    assert_eq!(error, OptimError::Unmet { feature, need });
    assert!(
        error
            .to_string()
            .ends_with("call `Sam::step_on` with a batch and an objective")
    );

    let reads = |m: &Point, x: Tensor<1>| {
        let scale: f64 = m.w.val().sum().into_scalar();
        (m.w.val().square().sum() + x.sum()) * scale
    };
    let error = sam.step_on(0.1, &mut model, no_data(), &reads);
    assert!(matches!(error, Err(OptimError::Curvature(_))), "{error:?}");
    assert_eq!(model.coordinates(), [1.0, 1.0]);

    let masked = SamConfig::asam().with_ascent(exact(0).ascent).init(sgd());
    assert!(matches!(masked, Err(OptimError::Incompatible { first, .. }) if first == feature));
    for (max_basis, tolerance) in [(0, 1e-4), (10, 0.0), (10, f64::NAN)] {
        let ascent = Ascent::TrustRegion {
            max_basis,
            tolerance,
        };
        let refused = SamConfig::new().with_ascent(ascent).init(sgd());
        assert!(matches!(refused, Err(OptimError::OutOfRange(_))));
    }
}
