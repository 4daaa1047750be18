//! Outputs that are centered and scaled.

use burn::tensor::{DType, Tensor};
use burnscape::dynamics::{DynamicsError, ScaledOutputs, TangentKernelConfig};
use burnscape::loss::{LossError, Risk, Split};
use burnscape_testkit::double::device;
use burnscape_testkit::models::{Classifier, Mlp};

use super::models::{Hidden, assert_near, inputs, net, of_net, one, targets};

type Pair = (Tensor<2>, Tensor<2>);
type Scaled = (Pair, Tensor<2>);

fn logits(net: &Mlp, (x, _): &Pair) -> Tensor<2> {
    net.logits(x.clone())
}

type Logits = fn(&Mlp, &Pair) -> Tensor<2>;

fn of_scaled<'a>(scaled: &'a ScaledOutputs<Logits>, batches: &'a [Scaled]) -> Risk<'a, Mlp, Split> {
    Risk::split(
        move |net: &Mlp, batch: &Scaled| scaled.outputs(net, batch),
        move |z: Tensor<2>, ((_, y), _): Scaled| scaled.loss((z - y).square().mean()),
        batches,
    )
}

#[test]
fn at_the_start_outputs_are_zero_and_the_gradient_does_not_depend_on_the_scale() {
    let data = [(inputs(), targets())];
    let start = net(2.3);
    let square = targets().square().mean().into_data();
    let square = square.iter::<f64>().next().unwrap();
    let mut slopes = Vec::new();
    for alpha in [0.5, 2.0, 8.0] {
        let scaled = ScaledOutputs::new(alpha, logits as Logits).unwrap();
        let batches = scaled.batches(&start, &data).unwrap();
        let risk = of_scaled(&scaled, &batches);
        let found = risk.loss_and_gradient(&start).unwrap();
        assert_near(found.value * alpha * alpha, square, 1e-12);
        // ∂/∂w of (α (f − f₀) − y)²/α² is −2 y J/α.
        slopes.push(found.gradient.norm().unwrap() * alpha);
    }
    assert_near(slopes[0] / slopes[1], 1.0, 1e-12);
    assert_near(slopes[2] / slopes[1], 1.0, 1e-12);
}

#[test]
fn the_kernel_has_the_squared_scale_and_the_same_drift() {
    let (start, end) = (net(2.3), net(2.9));
    let pairs = [(inputs(), targets())];
    let plain = [inputs()];
    let config = TangentKernelConfig::new();
    let expected = config.run(&of_net(&plain), &start, &end).unwrap();
    let scaled = ScaledOutputs::new(3.0, logits as Logits).unwrap();
    let batches = scaled.batches(&start, &pairs).unwrap();
    let risk = of_scaled(&scaled, &batches);
    let found = config.run(&risk, &start, &end).unwrap();
    assert_near(found.trace / expected.trace, 9.0, 1e-11);
    assert_near(found.drift, expected.drift, 1e-12);
    let gaps = [found.linearization_gap, expected.linearization_gap];
    assert_near(gaps[0].unwrap(), gaps[1].unwrap(), 1e-12);
}

#[test]
fn bad_scales_data_and_closures_are_refused() {
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = ScaledOutputs::new(alpha, logits as Logits).unwrap_err();
        assert!(matches!(error, DynamicsError::OutOfRange(refused) if refused.name == "alpha"));
    }
    let scaled = ScaledOutputs::new(1.0, logits as Logits).unwrap();
    let empty: Vec<Pair> = Vec::new();
    let error = scaled.batches(&net(2.3), &empty).unwrap_err();
    assert_eq!(error, DynamicsError::Loss(LossError::EmptyData));
    let wrong = |net: &Hidden, x: &Tensor<2>| -> Tensor<2> { net.outputs(x).reshape([7, 3]) };
    let wrong = ScaledOutputs::new(1.0, wrong).unwrap();
    let start = Hidden::new([vec![1.0], vec![1.0]], &device());
    let error = wrong.batches(&start, &one()).unwrap_err();
    let is_panic = matches!(error, DynamicsError::Loss(LossError::Panicked { .. }));
    assert!(is_panic, "{error}");
    assert_eq!(format!("{wrong:?}"), "ScaledOutputs { alpha: 1.0, .. }");
}

#[test]
fn a_closure_that_takes_a_gradient_itself_has_outputs_too() {
    // The derivative of x⁴ by x.
    let outputs = |net: &Hidden, x: &Tensor<2>| {
        let x = x.clone().detach().require_grad();
        let slope = x.grad(&x.clone().powi_scalar(4).sum().backward());
        net.outputs(&Tensor::from_inner(slope.unwrap()))
    };
    let scaled = ScaledOutputs::new(2.0, outputs).unwrap();
    let start = Hidden::new([vec![2.0], vec![3.0]], &device());
    let x = Tensor::<2>::full([1, 1], 2.0, (&device(), DType::F64));
    let batches = scaled.batches(&start, &[x]).unwrap();
    let found = batches[0].1.to_data().iter::<f64>().next();
    assert_near(found.unwrap(), 4.0 * 8.0 * 6.0, 1e-9);
}
