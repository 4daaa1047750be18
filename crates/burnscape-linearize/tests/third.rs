//! Derivatives of third and fourth order, by differentiating a derivative.

use burn::backend::DispatchTensor;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape_linearize::GradientTrace;
use burnscape_testkit::double;

#[derive(Module, Debug)]
struct Point {
    weights: Param<Tensor<1>>,
}

const A: [f64; 4] = [1.0, -2.0, 3.0, 0.5];
const W: [f64; 4] = [2.0, 0.0, -1.0, 4.0];

/// `(a · w)⁴ + Σ wᵢ⁴`, of which everything is an integer polynomial.
fn quartic(weights: Tensor<1>, a: Tensor<1>) -> Tensor<1> {
    (weights.clone() * a).sum().powi_scalar(4) + weights.powf_scalar(4.0).sum()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

#[test]
fn third_and_fourth_derivatives_of_a_quartic_are_exact() {
    let plain = double::device();
    let vector = |x: [f64; 4], device: &Device| {
        Tensor::<1>::from_data(TensorData::new(x.to_vec(), [4]), device)
    };
    let device = plain.clone().autodiff();
    let point = Point {
        weights: Param::from_tensor(vector(W, &device)),
    };
    let settings = plain.settings();
    let trace = GradientTrace::new(
        point,
        settings,
        |inputs| inputs.float(vector(A, &device)),
        |point: &Point, a| quartic(point.weights.val(), a),
    );
    let trace = trace.expect("a trace");
    let parameter = trace.parameters[0].input;
    let gradient = trace.parameters[0].gradient.expect("a gradient");
    let second = trace
        .program
        .jvp(&[parameter], settings)
        .expect("a product");
    let product = second.tangent_outputs[gradient].expect("a tangent");
    let third = second
        .program
        .jvp(&[parameter], settings)
        .expect("a third derivative");
    let cubic = third.tangent_outputs[product].expect("a tangent");
    let fourth = third
        .program
        .jvp(&[parameter], settings)
        .expect("a fourth derivative");
    let last = fourth.tangent_outputs[cubic].expect("a tangent");
    let directions = [
        [1.0, 2.0, -1.0, 0.0],
        [3.0, -1.0, 0.0, 2.0],
        [0.0, 1.0, 1.0, -2.0],
    ];
    let [u, v, w] = directions;
    let mut inputs: Vec<DispatchTensor> = trace.bindings.clone();
    inputs.extend(directions.map(|x| vector(x, &plain).into_dispatch()));
    let outputs = fourth.program.run(&inputs, &plain).expect("a run");
    let read = |index: usize| {
        outputs[index]
            .clone()
            .into_data()
            .iter::<f64>()
            .collect::<Vec<_>>()
    };
    let inner = dot(&A, &W);
    // The derivatives of x⁴ are 4x³, 12x², 24x and 24.
    let expected = |outer: f64, own: &dyn Fn(usize) -> f64| -> Vec<f64> {
        (0..4).map(|i| outer * A[i] + own(i)).collect()
    };
    let (au, av, aw) = (dot(&A, &u), dot(&A, &v), dot(&A, &w));
    assert_eq!(
        read(gradient),
        expected(4.0 * inner.powi(3), &|i| 4.0 * W[i].powi(3))
    );
    assert_eq!(
        read(product),
        expected(12.0 * inner * inner * au, &|i| 12.0 * W[i] * W[i] * u[i])
    );
    assert_eq!(
        read(cubic),
        expected(24.0 * inner * au * av, &|i| 24.0 * W[i] * u[i] * v[i])
    );
    assert_eq!(
        read(last),
        expected(24.0 * au * av * aw, &|i| 24.0 * u[i] * v[i] * w[i])
    );
}
