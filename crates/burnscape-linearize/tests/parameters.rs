//! Which parameters a trace has, and what becomes of those that do not matter.

use burn::backend::{DispatchTensor, TensorMetadata};
use burn::module::{Module, Param, ParamId};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient, ModelInputs};

#[derive(Module, Debug)]
struct Pair {
    first: Param<Tensor<1>>,
    second: Param<Tensor<1>>,
}

fn weights(values: [f32; 3]) -> Param<Tensor<1>> {
    let device = Device::flex().autodiff();
    Param::from_tensor(Tensor::from_data(values, &device))
}

fn trace(pair: Pair, loss: impl FnOnce(&Pair) -> Tensor<1>) -> GradientTrace {
    let settings = Device::flex().settings();
    GradientTrace::new(pair, settings, |_| (), |pair, ()| loss(pair)).expect("a trace")
}

fn product(trace: &GradientTrace, direction: &[[f32; 3]]) -> Vec<Option<Vec<f32>>> {
    let plain = Device::flex();
    let linearized = LinearizedGradient::new(trace, plain.settings(), &plain);
    let parts = direction
        .iter()
        .map(|part| Tensor::from_data(*part, &plain));
    let product = linearized
        .expect("a linearization")
        .hvp(&parts.collect::<Vec<_>>());
    let read = |part: Tensor<1>| part.into_data().iter::<f32>().collect();
    let parts = product.expect("a product").into_iter();
    parts.map(|part| part.map(read)).collect()
}

#[test]
fn a_parameter_that_occurs_twice_is_one() {
    let shared = weights([1.0, -2.0, 3.0]);
    let pair = Pair {
        first: shared.clone(),
        second: shared,
    };
    let trace = trace(pair, |pair| (pair.first.val() * pair.second.val()).sum());
    assert_eq!(trace.parameters.len(), 1);
    let found = product(&trace, &[[1.0, 0.5, -1.0]]);
    assert_eq!(found, [Some(vec![2.0, 1.0, -2.0])]);
}

#[test]
fn a_parameter_that_the_loss_ignores_has_no_gradient() {
    let pair = Pair {
        first: weights([1.0, -2.0, 3.0]),
        second: weights([4.0, 5.0, 6.0]),
    };
    let trace = trace(pair, |pair| pair.second.val().square().sum());
    assert_eq!(trace.parameters[0].gradient, None);
    let found = product(&trace, &[[9.0, 9.0, 9.0], [1.0, 0.5, -1.0]]);
    assert_eq!(found, [None, Some(vec![2.0, 1.0, -2.0])]);
}

#[test]
fn a_loss_that_is_linear_in_a_parameter_has_no_product_for_it() {
    let pair = Pair {
        first: weights([1.0, -2.0, 3.0]),
        second: weights([4.0, 5.0, 6.0]),
    };
    let trace = trace(pair, |pair| {
        (pair.first.val() * 2.0 + pair.second.val().square()).sum()
    });
    assert!(trace.parameters[0].gradient.is_some());
    let found = product(&trace, &[[9.0, 9.0, 9.0], [1.0, 0.5, -1.0]]);
    assert_eq!(found, [None, Some(vec![2.0, 1.0, -2.0])]);
}

#[test]
fn frozen_parameters_are_values_and_nothing_else() {
    let pair = Pair {
        first: weights([1.0, -2.0, 3.0]).set_require_grad(false),
        second: weights([4.0, 5.0, 6.0]),
    };
    let trace = trace(pair, |pair| {
        (pair.first.val() * pair.second.val().square()).sum()
    });
    assert_eq!(trace.parameters.len(), 1);
    let found = product(&trace, &[[1.0, 1.0, 1.0]]);
    assert_eq!(found, [Some(vec![2.0, -4.0, 6.0])]);
}

#[test]
fn one_trace_serves_other_values_of_the_same_shapes() {
    let device = Device::flex().autodiff();
    let layer: Linear = LinearConfig::new(3, 2).init(&device);
    let batch = |scale: f32| Tensor::<2>::from_data([[scale, 1.0, -scale]], &device);
    let settings = Device::flex().settings();
    let at = |scale| {
        let traced = GradientTrace::new(
            layer.clone(),
            settings,
            |inputs| inputs.float(batch(scale)),
            |layer, x| layer.forward(x).tanh().sum(),
        );
        traced.expect("a trace")
    };
    let (mut first, second) = (at(0.5), at(2.0));
    first.bindings = second.bindings.clone();
    let gradient = |trace: &GradientTrace| {
        let linearized = LinearizedGradient::new(trace, settings, &Device::flex());
        let gradients = linearized.expect("a linearization").gradients().to_vec();
        gradients[0].clone().expect("a gradient").into_data()
    };
    assert_eq!(gradient(&first), gradient(&second));
}

#[test]
fn tracing_leaves_the_running_statistics_of_the_model_alone() {
    let device = Device::flex().autodiff();
    let batch = || Tensor::<2>::from_data([[1.0, 2.0], [0.5, -3.0], [4.0, 0.0]], &device);
    let model = BatchNormConfig::new(2).init(&device);
    model.forward(batch());
    let statistics = || {
        let (mean, variance) = (&model.running_mean, &model.running_var);
        (
            mean.value_sync().into_data(),
            variance.value_sync().into_data(),
        )
    };
    let before = statistics();
    let plain = Device::flex();
    let traced = GradientTrace::new(
        model.clone(),
        plain.settings(),
        |inputs| inputs.float(batch()),
        |model, x| model.forward(x).tanh().sum(),
    );
    let traced = traced.expect("a trace");
    LinearizedGradient::new(&traced, plain.settings(), &plain).expect("a linearization");
    assert_eq!(statistics(), before);
    assert!(model.gamma.val().is_require_grad());
}

#[derive(Module, Debug)]
struct Mixed {
    flags: Param<Tensor<1, Bool>>,
    first: Param<Tensor<1>>,
    places: Param<Tensor<1, Int>>,
    frozen: Param<Tensor<1>>,
    again: Param<Tensor<1>>,
    norm: BatchNorm,
}

fn mixed(tied: bool) -> Mixed {
    let device = Device::flex().autodiff();
    let first = weights([1.0, -2.0, 3.0]);
    let again = if tied {
        first.clone()
    } else {
        weights([1.0, -2.0, 3.0])
    };
    Mixed {
        flags: Param::initialized(ParamId::new(), Tensor::from_data([true, false], &device)),
        places: Param::initialized(ParamId::new(), Tensor::from_data([4, 5, 6], &device)),
        frozen: weights([7.0, 8.0, 9.0]).no_grad(),
        norm: BatchNormConfig::new(3).init(&device),
        first,
        again,
    }
}

/// The numbers of tensors, of every element type.
fn numbers(bindings: &[DispatchTensor]) -> Vec<Vec<f32>> {
    let read = |tensor: &DispatchTensor| match tensor.dtype() {
        DType::Bool(_) => Tensor::<1, Bool>::from_dispatch(tensor.clone())
            .int()
            .into_data()
            .iter::<f32>()
            .collect(),
        dtype if dtype.is_float() => Tensor::<1>::from_dispatch(tensor.clone())
            .into_data()
            .iter::<f32>()
            .collect(),
        _ => Tensor::<1, Int>::from_dispatch(tensor.clone())
            .into_data()
            .iter::<f32>()
            .collect::<Vec<_>>(),
    };
    bindings.iter().map(read).collect()
}

#[test]
fn the_inputs_of_a_model_are_those_of_its_trace() {
    for tied in [false, true] {
        let model = mixed(tied);
        let inputs = ModelInputs::of(&model);
        let settings = Device::flex().settings();
        let trace = GradientTrace::new(
            model,
            settings,
            |_| (),
            |model: &Mixed, ()| (model.first.val() * model.again.val()).sum(),
        );
        let trace = trace.expect("a trace");
        assert_eq!(numbers(&inputs.bindings), numbers(&trace.bindings));
        // Flags, first, places, frozen, again unless it is tied, and four tensors of the normalization.
        assert_eq!(inputs.bindings.len(), 8 + usize::from(!tied));
    }
}

#[test]
fn inputs_differ_in_what_a_trace_depends_on() {
    let inputs = |model: &Mixed| ModelInputs::of(model);
    let first = mixed(false);
    let same = mixed(false);
    assert_eq!(inputs(&first).check_same(&inputs(&same)), Ok(()));
    let what = |other: &Mixed| match inputs(&first).check_same(&inputs(other)) {
        Err(LinearizeError::Mismatch { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(&mixed(true)), "again");
    let thawed = Mixed {
        frozen: weights([7.0, 8.0, 9.0]),
        ..mixed(false)
    };
    assert_eq!(what(&thawed), "frozen");
    let longer = Mixed {
        places: Param::initialized(
            ParamId::new(),
            Tensor::from_data([4, 5], &Device::flex().autodiff()),
        ),
        ..mixed(false)
    };
    assert_eq!(what(&longer), "places");
}
