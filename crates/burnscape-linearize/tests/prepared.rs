//! Programs that are prepared once and run several times.

use burn::backend::DispatchTensor;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape_linearize::{GradientTrace, LinearizeError, Port, Program};
use burnscape_testkit::double::device as plain;

#[derive(Module, Debug)]
struct Point {
    x: Param<Tensor<1>>,
}

fn wave(len: usize, phase: f64) -> Tensor<1> {
    let numbers: Vec<f64> = (0..len).map(|i| (phase + 0.7 * i as f64).sin()).collect();
    Tensor::from_data(TensorData::new(numbers, [len]), &plain())
}

fn pair(device: &Device, numbers: [f64; 2]) -> Tensor<1> {
    Tensor::from_data(numbers, device)
}

fn bits(outputs: Vec<Tensor<1>>) -> Vec<u64> {
    let data = outputs.into_iter().map(Tensor::into_data);
    data.flat_map(|data| data.iter::<f64>().map(f64::to_bits).collect::<Vec<_>>())
        .collect()
}

/// The gradient of a convolution, weighted by constants, and its derivative; with inputs of any phase.
fn product() -> (Program, impl Fn(f64) -> Vec<DispatchTensor>) {
    let settings = plain().settings();
    let layer = Conv2dConfig::new([2, 3], [3, 3]).with_bias(false);
    let trace = GradientTrace::new(
        layer.init(&plain().autodiff()),
        settings,
        |inputs| inputs.float(wave(4 * 2 * 8 * 8, 0.0).reshape([4, 2, 8, 8])),
        |layer: &Conv2d, x: Tensor<4>| {
            let y = layer.forward(x).tanh();
            let weights = Tensor::<1>::from_data([0.5, -1.0, 2.0], &y.device());
            (y * weights.reshape([1, 3, 1, 1])).sum()
        },
    );
    let trace = trace.expect("a trace");
    let parameter = trace.parameters[0].input;
    let derivative = trace.program.jvp(&[parameter], settings);
    let program = derivative.expect("a derivative").program;
    let lengths: Vec<usize> = program.inputs().iter().map(Port::num_elements).collect();
    let inputs = move |phase: f64| -> Vec<DispatchTensor> {
        let waves = lengths.iter().map(|len| wave(*len, phase).into_dispatch());
        waves.collect()
    };
    (program, inputs)
}

#[test]
fn every_run_of_a_prepared_program_has_the_bits_of_a_single_run() {
    let (program, inputs) = product();
    let mut prepared = program.prepare(&plain()).expect("a program");
    for phase in [0.1, 0.9, 0.1] {
        let inputs = inputs(phase);
        let single = bits(program.run(&inputs, &plain()).expect("a run"));
        assert_eq!(bits(prepared.run(&inputs).expect("a run")), single);
        // Their memory was not used for results.
        assert_eq!(bits(prepared.run(&inputs).expect("a run")), single);
    }
    assert_ne!(
        bits(prepared.run(&inputs(0.1)).expect("a run")),
        bits(prepared.run(&inputs(0.9)).expect("a run"))
    );
}

#[test]
fn inputs_that_do_not_match_are_refused_and_change_nothing() {
    let (program, inputs) = product();
    let mut prepared = program.prepare(&plain()).expect("a program");
    let right = inputs(0.3);
    let expected = bits(prepared.run(&right).expect("a run"));
    let mut longer = right.clone();
    longer[0] = wave(55, 0.3).into_dispatch();
    let mut whole = right.clone();
    whole[0] = wave(54, 0.3).int().into_dispatch();
    for wrong in [&right[1..], &longer[..], &whole[..]] {
        let refused = prepared.run(wrong);
        assert!(
            matches!(refused, Err(LinearizeError::Mismatch { .. })),
            "{refused:?}"
        );
        assert_eq!(bits(prepared.run(&right).expect("a run")), expected);
    }
}

#[test]
fn ties_are_found_in_every_run() {
    let settings = plain().settings();
    let point = Point {
        x: Param::from_tensor(pair(&plain().autodiff(), [1.0, 2.0])),
    };
    let trace = GradientTrace::new(
        point,
        settings,
        |_| (),
        |point: &Point, ()| {
            let x = point.x.val();
            let is_zero = x.clone().equal_elem(0.0);
            x.mask_fill(is_zero, 1.0).powi_scalar(3).sum()
        },
    );
    let derivative = trace.expect("a trace").program.jvp(&[0], settings);
    let program = derivative.expect("a derivative").program;
    let mut prepared = program.prepare(&plain()).expect("a program");
    let mut run = |x| {
        let inputs = [x, [1.0, 1.0]].map(|numbers| pair(&plain(), numbers).into_dispatch());
        prepared.run(&inputs).map(bits)
    };
    let first = run([1.0, 2.0]).expect("no tie");
    let refused = run([0.0, 2.0]);
    assert!(
        matches!(refused, Err(LinearizeError::Tie { .. })),
        "{refused:?}"
    );
    assert_eq!(run([1.0, 2.0]).expect("no tie"), first);
}
