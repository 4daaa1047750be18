//! The linear network `f = a·w/√m`, whose kernel after gradient flow is known.
//!
//! With `s = a + w` and `d = a − w`, gradient flow of a squared error multiplies `s` by `e^θ` and `d` by `e^−θ`. From
//! `|a|² = |w|² = m` and `a·w = 0` it is `f = √m sinh 2θ` and `K = 2 cosh 2θ`, so that at the target `y`
//! `K/K₀ = √(1 + y²/m)`.

use std::f64::consts::SQRT_2;

use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape::dynamics::{ScaledOutputs, TangentKernelConfig};
use burnscape::loss::Risk;
use burnscape_testkit::double::device;

use super::models::{Hidden, assert_near, of_hidden, one};

/// The network after gradient flow for `θ`; zero is the start.
fn after(width: usize, theta: f64, device: &Device) -> Hidden {
    let sides = (0..width).map(|index| {
        let (a, w): (f64, f64) = (1.0, if index % 2 == 0 { 1.0 } else { -1.0 });
        let (s, d) = ((a + w) * theta.exp(), (a - w) * (-theta).exp());
        (0.5 * (s + d), 0.5 * (s - d))
    });
    let (a, w): (Vec<f64>, Vec<f64>) = sides.unzip();
    Hidden::new([a, w], device)
}

/// `θ` where the output is `y`.
fn theta(width: usize, y: f64) -> f64 {
    0.5 * (y / (width as f64).sqrt()).asinh()
}

fn ratio(width: usize, y: f64) -> f64 {
    (1.0 + y * y / width as f64).sqrt()
}

#[test]
fn the_kernel_after_gradient_flow_has_the_ratio_of_the_closed_form() {
    let data = one();
    let risk = of_hidden(&data);
    for (width, y, expected) in [
        (4, 2.0, SQRT_2),
        (16, 2.0, 1.118_034),
        (64, 2.0, 1.030_776_4),
        (16, 8.0, 2.236_068),
    ] {
        let theta = theta(width, y);
        let [start, end] = [0.0, theta].map(|theta| after(width, theta, &device()));
        let reading = TangentKernelConfig::new().run(&risk, &start, &end).unwrap();
        assert_near(reading.drift + 1.0, expected, 1e-7);
        assert_near(reading.drift + 1.0, ratio(width, y), 1e-13);
        assert_near(reading.trace, 2.0 * ratio(width, y), 1e-13);
        // A single output has a kernel of one direction.
        assert_near(reading.distance.unwrap(), 0.0, 1e-13);
        assert_near(reading.effective_rank.unwrap(), 1.0, 1e-13);
        // |Δ|² = m ((e^θ − 1)² + (e^−θ − 1)²) and |w₀|² = 2 m.
        let square = (theta.exp() - 1.0).powi(2) + ((-theta).exp() - 1.0).powi(2);
        assert_near(reading.relative_move.unwrap(), (0.5 * square).sqrt(), 1e-13);
        // The linearized output is 2 √m sinh θ.
        let gap = 1.0 - 1.0 / theta.cosh();
        assert_near(reading.linearization_gap.unwrap(), gap, 1e-12);
    }
}

#[test]
fn a_scale_divides_the_target_that_moves_the_kernel() {
    let (data, width, y) = (one(), 16, 8.0);
    let start = after(width, 0.0, &device());
    let mut drifts = Vec::new();
    for alpha in [0.25, 1.0, 4.0, 16.0] {
        let outputs = |net: &Hidden, x: &Tensor<2>| net.outputs(x);
        let scaled = ScaledOutputs::new(alpha, outputs).unwrap();
        let batches = scaled.batches(&start, &data).unwrap();
        let risk = Risk::split(
            |net: &Hidden, batch: &(Tensor<2>, Tensor<2>)| scaled.outputs(net, batch),
            |z: Tensor<2>, _: (Tensor<2>, Tensor<2>)| scaled.loss((z - y).square().mean()),
            &batches,
        );
        // Where the scaled output is the target.
        let end = after(width, theta(width, y / alpha), &device());
        assert!(risk.loss(&end).unwrap().value < 1e-24);
        let reading = TangentKernelConfig::new().run(&risk, &start, &end);
        let reading = reading.unwrap();
        assert_near(reading.drift + 1.0, ratio(width, y / alpha), 1e-12);
        let trace = 2.0 * alpha * alpha * ratio(width, y / alpha);
        assert_near(reading.trace / trace, 1.0, 1e-12);
        drifts.push(reading.drift);
    }
    assert!(drifts.is_sorted_by(|one, other| one > other), "{drifts:?}");
}

#[test]
fn gradient_descent_comes_as_near_as_its_rate_is_small() {
    let (width, y, data) = (4, 2.0, one());
    let risk = of_hidden(&data);
    let device = device().autodiff();
    let x = Tensor::<2>::ones([1, 1], (&device, DType::F64));
    let error = |lr: f64, steps: usize| {
        let start = after(width, 0.0, &device);
        let (mut net, mut sgd) = (start.clone(), SgdConfig::new().init());
        for _ in 0..steps {
            let loss = (net.outputs(&x) - y).square().mean() * 0.5;
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            net = sgd.step(lr, net, gradients);
        }
        let reading = TangentKernelConfig::new().run(&risk, &start, &net);
        (reading.unwrap().drift + 1.0 - ratio(width, y)).abs()
    };
    let errors = [error(0.1, 100), error(0.05, 200)];
    assert!(errors[0] < 0.05, "{errors:?}");
    let order = errors[0] / errors[1];
    assert!((1.6..2.6).contains(&order), "{errors:?}");
}
