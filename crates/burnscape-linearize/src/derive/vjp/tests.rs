//! Reverse derivatives of whole losses: against the gradient that Burn records, against each other in every
//! composition of modes, and against differences.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use burn::backend::DispatchTensor;
use burn::backend::ops::FloatTensorOps;
use burn::module::{Module, RunningState};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, LstmConfig,
};
use burn::tensor::activation::{gelu, relu, silu, softmax};
use burn::tensor::{Tensor, TensorData};
use burn_router::RouterClient;
use burnscape_testkit::models::Mlp;

use super::super::transpose::transpose;
use super::{Vjp, vjp};
use crate::program::Program;
use crate::record::{C, Symbol, completed, declared, record};
use crate::rule::Cotangents;
use crate::rule::tests::{Given, moved, plain, program, run_all};
use crate::trace::GradientTrace;
use crate::{Jvp, LinearizeError};

type Vectors = Vec<Vec<f64>>;

/// A loss as a program, with the gradient that Burn records, at a point.
struct Case {
    trace: GradientTrace,
    /// The loss alone.
    loss: Program,
    /// The inputs that are trained parameters.
    parameters: Vec<usize>,
    at: Vectors,
}

fn case<M: Module, const D: usize>(
    model: M,
    shape: [usize; D],
    loss: impl Fn(&M, Tensor<D>) -> Tensor<1>,
) -> Case {
    let device = plain();
    let x = TensorData::new(waves(shape.iter().product(), 0.3), shape);
    let x = Tensor::<D>::from_data(x, &device);
    let trace = GradientTrace::new(
        model.train(),
        device.settings(),
        |inputs| inputs.float(x),
        |model, x| loss(model, x),
    );
    let trace = trace.expect("a trace");
    let mut loss = trace.program.clone();
    loss.outputs.truncate(1);
    loss.remove_dead();
    let numbers = |x: &DispatchTensor| {
        let x = Tensor::<1>::from_dispatch(x.clone()).into_data();
        x.iter::<f64>().collect()
    };
    let parameters = trace.parameters.iter().map(|parameter| parameter.input);
    Case {
        parameters: parameters.collect(),
        at: trace.bindings.iter().map(numbers).collect(),
        loss,
        trace,
    }
}

fn waves(len: usize, phase: f64) -> Vec<f64> {
    let wave = |i: usize| (0.4 + 0.71 * (i as f64 + phase).powf(1.2)).sin();
    (0..len).map(wave).collect()
}

/// A weighted sum, so that every element of an output matters, and differently.
fn uneven<const D: usize>(y: Tensor<D>) -> Tensor<1> {
    let len = y.shape().num_elements();
    let weights = TensorData::new(waves(len, 5.0), [len]);
    let y = y.reshape([len]);
    let weights = Tensor::<1>::from_data(weights, &y.device());
    (y.clone().square() * 0.3 + y * weights).sum()
}

impl Case {
    /// Directions of the inputs with these indices.
    fn directions(&self, inputs: &[usize], phase: f64) -> Vectors {
        let parts = inputs.iter().enumerate();
        parts
            .map(|(k, &i)| waves(self.at[i].len(), phase + 7.0 * k as f64))
            .collect()
    }

    /// The point, moved along directions of the inputs with these indices.
    fn moved(&self, inputs: &[usize], along: &Vectors, scale: f64) -> Vectors {
        let mut at = self.at.clone();
        for (&index, along) in inputs.iter().zip(along) {
            let from = std::slice::from_ref(&self.at[index]);
            at[index] = moved(from, std::slice::from_ref(along), scale).swap_remove(0);
        }
        at
    }

    fn reverse(&self) -> Vjp {
        reverse(&self.loss, &[0], &self.parameters)
    }
}

fn reverse(program: &Program, of: &[usize], wrt: &[usize]) -> Vjp {
    vjp(program, of, wrt, plain().settings()).expect("a reverse derivative")
}

fn forward(program: &Program, wrt: &[usize]) -> Jvp {
    let derivative = program.jvp(wrt, plain().settings());
    derivative.expect("a forward derivative")
}

/// Outputs, flat; an absent one is zero.
fn chosen(outputs: &Vectors, indices: &[Option<usize>], sizes: &Vectors) -> Vec<f64> {
    let part = |(index, like): (&Option<usize>, &Vec<f64>)| match index {
        Some(index) => outputs[*index].clone(),
        None => vec![0.0; like.len()],
    };
    indices.iter().zip(sizes).flat_map(part).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    (dot(&difference, &difference) / dot(expected, expected).max(1e-6)).sqrt()
}

fn count(program: &Program, kinds: &[&str]) -> usize {
    let names = program.operation_names();
    names
        .filter(|name| kinds.iter().any(|kind| name.ends_with(kind)))
        .count()
}

fn mlp(activation: fn(Tensor<2>) -> Tensor<2>) -> Case {
    case(Mlp::golden(&plain()), [7, 6], move |model, x| {
        let hidden = activation(model.hidden1.forward(x));
        let hidden = activation(model.hidden2.forward(hidden));
        uneven(model.output.forward(hidden))
    })
}

#[derive(Module, Debug)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm,
    second: Conv2d,
    last: Linear,
}

fn net() -> Case {
    let device = plain();
    let statistics = |phase| Tensor::<1>::from_data(TensorData::new(waves(3, phase), [3]), &device);
    let mut norm = BatchNormConfig::new(3).init(&device);
    norm.running_mean = RunningState::new(statistics(1.0));
    norm.running_var = RunningState::new(statistics(2.0).square() + 0.3);
    let net = Net {
        conv: Conv2dConfig::new([2, 3], [3, 3]).init(&device),
        norm: norm.freeze().set_require_grad(true),
        second: Conv2dConfig::new([3, 4], [2, 2])
            .with_stride([2, 1])
            .init(&device),
        last: LinearConfig::new(4, 3).init(&device),
    };
    case(net, [2, 2, 11, 10], |net, x| {
        let x = relu(net.norm.forward(net.conv.forward(x)));
        let x = MaxPool2dConfig::new([2, 2]).init().forward(x);
        let x = silu(net.second.forward(x));
        let x = AvgPool2dConfig::new([2, 2]).init().forward(x);
        let [batch, channels, ..] = x.dims();
        let x = x.reshape([batch as i32, channels as i32, -1]).mean_dim(2);
        uneven(net.last.forward(x.reshape([batch, channels])))
    })
}

#[derive(Module, Debug)]
struct Block {
    attention: MultiHeadAttention,
    norm: LayerNorm,
    last: Linear,
}

fn block() -> Case {
    let device = plain();
    let block = Block {
        attention: MultiHeadAttentionConfig::new(8, 2)
            .with_dropout(0.0)
            .init(&device),
        norm: LayerNormConfig::new(8).init(&device),
        last: LinearConfig::new(8, 3).init(&device),
    };
    case(block, [2, 4, 8], |block, x| {
        let mixed = block.attention.forward(MhaInput::self_attn(x.clone()));
        let x = block.norm.forward(x + mixed.context);
        uneven(softmax(block.last.forward(x), 2))
    })
}

fn cases() -> Vec<(&'static str, Case)> {
    let device = plain();
    let encoder = TransformerEncoderConfig::new(8, 16, 2, 2)
        .with_dropout(0.0)
        .init(&device);
    vec![
        ("tanh", mlp(Tensor::tanh)),
        ("sine", mlp(Tensor::sin)),
        ("GELU", mlp(gelu)),
        ("SiLU", mlp(silu)),
        ("convolutions", net()),
        ("attention", block()),
        (
            "transformer",
            case(encoder, [2, 3, 8], |model, x| {
                uneven(model.forward(TransformerEncoderInput::new(x)))
            }),
        ),
        (
            "LSTM",
            case(
                LstmConfig::new(3, 4, true).init(&device),
                [2, 5, 3],
                |model, x| uneven(model.forward(x, None).0),
            ),
        ),
    ]
}

#[test]
fn the_reverse_derivative_of_a_loss_is_the_gradient_that_burn_records() {
    for (name, case) in cases() {
        let burn = run_all(&case.trace.program, &[&case.at]);
        let reverse = case.reverse();
        let ours = run_all(&reverse.program, &[&case.at, &[vec![1.0]]]);
        let sizes = case.directions(&case.parameters, 0.0);
        let indices: Vec<_> = case.trace.parameters.iter().map(|p| p.gradient).collect();
        let expected = chosen(&burn, &indices, &sizes);
        let error = error(&chosen(&ours, &reverse.gradients, &sizes), &expected);
        println!(
            "{name}: {error:.1e}, {} operations, Burn {}; {} bytes, Burn {}",
            reverse.program.num_operations(),
            case.trace.program.num_operations(),
            reverse.program.peak_bytes(),
            case.trace.program.peak_bytes(),
        );
        assert!(error < 1e-12, "{name}: {error:.1e}");
    }
}

/// Costs follow from the operations: no matrix product or convolution more than in Burn's backward pass.
#[test]
fn the_reverse_derivative_has_no_more_kernels_than_the_backward_pass_of_burn() {
    let kinds = [
        "Matmul",
        "::Linear",
        "LinearXBackward",
        "LinearWeightBackward",
        "Conv2d",
        "Conv2dXBackward",
        "Conv2dWeightBackward",
    ];
    for (name, case) in cases() {
        let [ours, burns] =
            [&case.reverse().program, &case.trace.program].map(|program| count(program, &kinds));
        assert!(ours > 0);
        assert!(ours <= burns, "{name}: {ours}, Burn {burns}");
    }
}

#[test]
fn every_composition_of_two_modes_is_the_hessian() {
    for (name, case) in cases() {
        let (u, v) = (
            case.directions(&case.parameters, 3.0),
            case.directions(&case.parameters, 11.0),
        );
        let flat = |x: &Vectors| x.concat();
        let one = vec![vec![1.0]];

        let burns = forward(&case.trace.program, &case.parameters);
        let products = run_all(&burns.program, &[&case.at, &v]);
        let tangents = case.trace.parameters.iter().map(|parameter| {
            let tangent = |gradient: usize| burns.tangent_outputs[gradient];
            parameter.gradient.and_then(tangent)
        });
        let expected = chosen(&products, &tangents.collect::<Vec<_>>(), &v);

        let reverse = case.reverse();
        let tangent = |jvp: &Jvp, of: &[Option<usize>]| -> Vec<Option<usize>> {
            let index = |output: &Option<usize>| output.and_then(|i| jvp.tangent_outputs[i]);
            of.iter().map(index).collect()
        };
        let over = forward(&reverse.program, &case.parameters);
        let outputs = run_all(&over.program, &[&case.at, &one, &v]);
        let found = chosen(&outputs, &tangent(&over, &reverse.gradients), &v);
        let forward_over_reverse = error(&found, &expected);

        let slope = forward(&case.loss, &case.parameters);
        let slope_output = slope.tangent_outputs[0].expect("a tangent");
        let under = self::reverse(&slope.program, &[slope_output], &case.parameters);
        let outputs = run_all(&under.program, &[&case.at, &v, &one]);
        let found = chosen(&outputs, &under.gradients, &v);
        let reverse_over_forward = error(&found, &expected);

        // The cotangents of gradients that are zero are left out.
        let of: Vec<usize> = reverse.gradients.iter().flatten().copied().collect();
        let twice = self::reverse(&reverse.program, &of, &case.parameters);
        let product = |along: &Vectors| {
            let given = reverse.gradients.iter().zip(along);
            let given: Vectors = given
                .filter(|(index, _)| index.is_some())
                .map(|(_, along)| along.clone())
                .collect();
            let outputs = run_all(&twice.program, &[&case.at, &one, &given]);
            chosen(&outputs, &twice.gradients, along)
        };
        let (along_u, along_v) = (product(&u), product(&v));
        let reverse_over_reverse = error(&along_v, &expected);
        let (left, right) = (dot(&along_u, &flat(&v)), dot(&along_v, &flat(&u)));
        let asymmetry = (left - right).abs() / left.abs().max(1e-3);

        let found = [
            forward_over_reverse,
            reverse_over_forward,
            reverse_over_reverse,
            asymmetry,
        ];
        println!("{name}: {found:?}");
        assert!(
            found.iter().all(|error| *error < 1e-11),
            "{name}: {found:?}"
        );
    }
}

/// The derivative by the parameters of a derivative by the input, as in physics-informed losses.
#[test]
fn the_gradient_of_a_derivative_by_the_input_is_the_limit_of_differences() {
    for (name, case) in cases() {
        let batch = case.loss.input("batch.0").expect("an input");
        let slope = forward(&case.loss, &[batch]);
        let index = slope.tangent_outputs[0].expect("a tangent");
        let reverse = reverse(&slope.program, &[index], &case.parameters);
        let along = case.directions(&[batch], 2.0);
        let outputs = run_all(&reverse.program, &[&case.at, &along, &[vec![1.0]]]);
        let v = case.directions(&case.parameters, 9.0);
        let found = dot(&chosen(&outputs, &reverse.gradients, &v), &v.concat());
        let at = |scale: f64| {
            let at = case.moved(&case.parameters, &v, scale);
            run_all(&slope.program, &[&at, &along])[index][0]
        };
        let step = 1e-4;
        let (near, far) = (at(step) - at(-step), at(2.0 * step) - at(-2.0 * step));
        let expected = (8.0 * near - far) / (12.0 * step);
        let error = (found - expected).abs() / expected.abs().max(1.0);
        println!("{name}: {error:.1e}");
        assert!(error < 1e-8, "{name}: {found} for {expected}");
    }
}

#[test]
fn indices_that_are_not_of_floats_are_refused() {
    let case = mlp(Tensor::tanh);
    let settings = plain().settings();
    let error = vjp(&case.loss, &[1], &[0], settings).expect_err("no output");
    let expected = LinearizeError::Mismatch {
        what: "output 1".into(),
        expected: "a float output among 1".into(),
        found: "none".into(),
    };
    assert_eq!(error, expected);
    let error = vjp(&case.loss, &[0], &[99], settings).expect_err("no input");
    assert!(matches!(error, LinearizeError::Mismatch { .. }), "{error}");
}

/// Outputs that do not depend on an input have no gradient, and an input that is an output has its cotangent.
#[test]
fn what_does_not_move_has_no_gradient() {
    let written = program(&[&[3], &[3]], |g| g.at(0));
    let reverse = reverse(&written, &[0], &[0, 1]);
    assert_eq!(reverse.cotangents, [2]);
    assert_eq!(reverse.gradients, [Some(1), None]);
    let x = vec![vec![1.0, 2.0, 3.0]; 3];
    assert_eq!(run_all(&reverse.program, &[&x])[1], x[2]);
}

/// The error of transposing a program that is not linear.
fn refusal(operation: fn(&Given) -> Symbol) -> LinearizeError {
    let settings = plain().settings();
    let program = program(&[&[3]], operation);
    let recorded = record(settings, |_, recorder, scope| {
        for operation in &program.operations {
            recorder.client().register_op(operation.clone());
        }
        let (input, output) = (&program.inputs[0].tensor, &program.outputs[0].tensor);
        let mut tape = Cotangents::new(recorder, settings, &program.operations, [input.id]);
        let cotangent = recorder.input(output.shape.clone(), output.dtype);
        let mut given = declared(&program);
        given.push(recorder.port("", &cotangent).tensor.id);
        tape.add(output, cotangent)?;
        transpose(program.operations.iter(), [input], &mut tape, |_| ())?;
        Ok((completed(scope, given), ()))
    });
    recorded.map(|_| ()).expect_err("not linear")
}

#[test]
fn programs_that_are_not_linear_are_refused() {
    let error = refusal(|g| C::float_exp(g.at(0)));
    let expected = LinearizeError::NoRule {
        operation: "Float::Exp".into(),
        shapes: vec![vec![3]],
        origin: String::new(),
    };
    assert_eq!(error, expected);
    let error = refusal(|g| C::float_mul(g.at(0), C::float_neg(g.at(0))));
    let text = error.to_string();
    assert!(
        text.contains("a product of two tangents of shapes [3] and [3]"),
        "{text}"
    );
}
