//! Derivatives by a model's input: what a physics-informed loss needs, without a backward pass inside
//! the closure.

use burn::backend::DispatchTensor;
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape_linearize::OutputTrace;
use burnscape_testkit::double;

/// `u(x) = Σ a tanh(w x + b) + c`
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    last: Linear,
}

const W: [f64; 3] = [0.7, -1.3, 2.1];
const B: [f64; 3] = [0.1, 0.4, -0.8];
const A: [f64; 3] = [1.5, -0.6, 0.9];

#[test]
fn the_poisson_residual_on_a_line_is_exact() {
    let plain = double::device();
    let device = plain.clone().autodiff();
    let matrix = |numbers: &[f64], shape: [usize; 2]| {
        let data = TensorData::new(numbers.to_vec(), shape);
        Param::from_tensor(Tensor::<2>::from_data(data, &device))
    };
    let mut net = Net {
        first: LinearConfig::new(1, 3).init(&device),
        last: LinearConfig::new(3, 1).init(&device),
    };
    net.first.weight = matrix(&W, [1, 3]);
    let bias = Tensor::<1>::from_data(TensorData::new(B.to_vec(), [3]), &device);
    net.first.bias = Some(Param::from_tensor(bias));
    net.last.weight = matrix(&A, [3, 1]);

    let points: Vec<f64> = (0..9).map(|i| f64::from(i) / 4.0 - 1.0).collect();
    let x = Tensor::<2>::from_data(TensorData::new(points.clone(), [9, 1]), &plain);
    let settings = plain.settings();
    let trace = OutputTrace::new(
        net,
        settings,
        |inputs| inputs.float(x.clone()),
        |net: &Net, x: &Tensor<2>| net.last.forward(net.first.forward(x.clone()).tanh()),
    );
    let trace = trace.expect("a trace");

    // Twice along the line: every point moves by one.
    let value = trace.forward();
    let input = value.input("batch.0").expect("the points");
    let first = value.jvp(&[input], settings).expect("a derivative");
    let slope = first.tangent_outputs[0].expect("it moves");
    let second = first
        .program
        .jvp(&[input], settings)
        .expect("a second derivative");
    let curvature = second.tangent_outputs[slope].expect("it bends");
    let along = Tensor::<1>::ones([9], &plain).into_dispatch();
    let mut inputs: Vec<DispatchTensor> = trace.bindings.clone();
    inputs.extend([along.clone(), along]);
    let outputs = second.program.run(&inputs, &plain).expect("a run");
    let read = |index: usize| -> Vec<f64> { outputs[index].to_data().iter().collect() };

    // u'' = f for a force f(x) = sin x: what is left over at each point.
    let residual = read(curvature)
        .into_iter()
        .zip(&points)
        .map(|(u, x)| u - x.sin());
    let unit = |j: usize, x: f64| (W[j] * x + B[j]).tanh();
    for ((x, residual), slope) in points.iter().zip(residual).zip(read(slope)) {
        let terms =
            |f: &dyn Fn(usize, f64) -> f64| -> f64 { (0..3).map(|j| f(j, unit(j, *x))).sum() };
        let expected = terms(&|j, t| A[j] * W[j] * (1.0 - t * t));
        assert!((slope - expected).abs() < 1e-14, "{slope} {expected}");
        let bend = terms(&|j, t| -2.0 * A[j] * W[j] * W[j] * t * (1.0 - t * t));
        assert!(
            (residual - (bend - x.sin())).abs() < 1e-13,
            "{residual} {bend}"
        );
    }
}
