//! Every sort of parameter: adapted, quantized, lazy, in f64, f16 and mixed types.

use burn::module::{Lora, Module, Param, ParamGroup, QLora, Quantizer};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::quantization::{Calibration, QuantValue};
use burn::tensor::{DType, Device, Tensor};
use burnscape::loss::Risk;
use burnscape::space::{LeafVector, ParamSpace, ParamVector, SpaceError};

fn training() -> Device {
    Device::default().autodiff()
}

fn input(device: &Device) -> Tensor<2> {
    let rows = [[1.0, -2.0, 0.5], [0.25, 3.0, -1.0], [2.0, 0.125, 4.0]];
    Tensor::from_floats(rows, device)
}

fn bits<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
    let data = tensor.inner().into_data();
    data.iter::<f32>().map(f32::to_bits).collect()
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.inner().into_data().iter::<f32>().collect()
}

fn paths(space: &ParamSpace) -> Vec<&str> {
    space.leaves().iter().map(|leaf| leaf.path()).collect()
}

/// A vector whose coordinates are all different.
fn ramp(space: &ParamSpace) -> ParamVector {
    let values: Vec<f64> = (0..space.len()).map(|i| 0.5 + i as f64).collect();
    ParamVector::from_host(space, &values).unwrap()
}

#[test]
fn lora_contributes_its_factors_and_the_base_only_if_it_is_trained() {
    let device = training();
    let layer = LinearConfig::new(3, 2)
        .init(&device)
        .apply_lora(Lora::new(1, 2.0));
    let space = ParamSpace::of(&layer).unwrap();
    assert_eq!(paths(&space), ["weight.lora.a", "weight.lora.b"]);
    assert_eq!((space.len(), space.num_frozen()), (5, 2));

    let at = ramp(&space).apply_to(&layer).unwrap();
    assert_eq!(bits(at.weight.base()), bits(layer.weight.base()));
    assert_eq!(floats(at.weight.adapter().unwrap().b.val()), [3.5, 4.5]);
    // With a = (0.5, 1.5, 2.5), b = (3.5, 4.5), scale 2 and the column sums s = (3.25, 1.125, 3.5):
    // ∂Σ(x(W + 2ab))/∂a_i = 2 s_i (b₁ + b₂), ∂/∂b_j = 2 ⟨a, s⟩.
    let loss = |layer: &Linear, x: Tensor<2>| layer.forward(x).sum();
    let result = Risk::new(&loss, &[input(&device)])
        .loss_and_gradient(&at)
        .unwrap();
    let expected = [52.0, 18.0, 56.0, 24.125, 24.125];
    assert_eq!(result.gradient.to_host().unwrap(), expected);

    let full = ParamSpace::of(&layer.unfreeze()).unwrap();
    assert_eq!(
        paths(&full),
        ["weight", "weight.lora.a", "weight.lora.b", "bias"]
    );
}

fn quantizer(device: &Device) -> Quantizer {
    let scheme = device
        .settings()
        .quantization
        .scheme
        .with_value(QuantValue::Q8S);
    Quantizer::new(Calibration::MinMax, scheme)
}

#[test]
fn adapters_over_a_quantized_base_are_trained() {
    let device = training();
    let lora = QLora::new(Lora::new(2, 4.0), quantizer(&device));
    let layer = LinearConfig::new(8, 8).init(&device).apply_qlora(lora);
    let space = ParamSpace::of(&layer).unwrap();
    assert_eq!(paths(&space), ["weight.lora.a", "weight.lora.b"]);
    let moved = ramp(&space).perturb(&layer, 0.01).unwrap();
    assert!(matches!(moved.weight.base().dtype(), DType::QFloat(_)));
    assert!(moved.weight.adapter().unwrap().b.val().is_require_grad());
}

#[test]
fn a_quantized_trainable_parameter_is_refused() {
    let device = training();
    let layer = LinearConfig::new(8, 8).init(&device);
    let layer =
        layer.quantize_weights_group(&mut quantizer(&device), ParamGroup::from_path("weight"));
    let error = ParamSpace::of(&layer).unwrap_err();
    assert!(
        matches!(&error, SpaceError::Quantized { path, .. } if path == "weight"),
        "{error}"
    );
    let space = ParamSpace::of_group(&layer, &ParamGroup::from_path("bias")).unwrap();
    assert_eq!(space.len(), 8);
    let frozen = layer.freeze_group(ParamGroup::from_path("weight"));
    assert_eq!(paths(&ParamSpace::of(&frozen).unwrap()), ["bias"]);
}

#[test]
fn a_lazy_parameter_is_initialized_once_for_all_clones() {
    let layer = LinearConfig::new(3, 2).init(&training());
    let clone = layer.clone();
    assert!(!layer.weight.is_initialized());
    let space = ParamSpace::of(&layer).unwrap();
    assert!(clone.weight.is_initialized());
    let vector = ParamVector::from_module(&space, &layer).unwrap();
    let again = ParamVector::from_module(&space, &clone).unwrap();
    assert_eq!(bits(vector.values().clone()), bits(again.values().clone()));
}

#[derive(Module, Debug)]
struct Pair {
    a: Param<Tensor<1>>,
    b: Param<Tensor<1>>,
}

impl Pair {
    fn new(device: &Device, (a, b): (DType, DType)) -> Self {
        let values = |dtype| Param::from_tensor(Tensor::from_data([1.0, 2.0], (device, dtype)));
        Self {
            a: values(a),
            b: values(b),
        }
    }
}

#[test]
fn f64_parameters_are_measured_and_moved_in_f64() {
    let device = training();
    let model = Pair::new(&device, (DType::F64, DType::F64));
    let space = ParamSpace::of(&model).unwrap();
    assert_eq!(space.dtype().unwrap(), DType::F64);
    let step = ParamVector::from_host(&space, &[1.0, 0.0, 0.0, 0.0]).unwrap();
    let moved = step.perturb(&model, 1e-12).unwrap();
    let moved = ParamVector::from_module(&space, &moved).unwrap();
    assert_eq!(moved.to_host().unwrap(), [1.0 + 1e-12, 2.0, 1.0, 2.0]);
    let loss = |model: &Pair, x: Tensor<1>| (model.a.val() * x).sum();
    let batch = Tensor::<1>::from_data([1.0 + 1e-12, 0.1], (&device, DType::F64));
    let result = Risk::new(&loss, &[batch])
        .loss_and_gradient(&model)
        .unwrap();
    assert_eq!(result.gradient.values().dtype(), DType::F64);
    assert_eq!(result.num_without_gradient, 1);
    let gradient = result.gradient.to_host().unwrap();
    // One batch of weight two: the product with the weight and its reciprocal is exact.
    assert_eq!(gradient, [1.0 + 1e-12, 0.1, 0.0, 0.0]);
}

#[test]
fn f16_parameters_are_summed_in_f32() {
    let device = training();
    let model = Pair::new(&device, (DType::F16, DType::F16));
    let space = ParamSpace::of(&model).unwrap();
    // 300² leaves the range of f16.
    let vector = ParamVector::from_host(&space, &[300.0; 4]).unwrap();
    assert_eq!(vector.values().dtype(), DType::F16);
    assert_eq!(vector.norm().unwrap(), 600.0);
    let leaves = vector.to_leaves();
    assert_eq!(leaves.norm().unwrap(), 600.0);
    let at = vector.apply_to(&model).unwrap();
    assert_eq!(at.a.val().dtype(), DType::F16);
    assert!(at.a.val().is_require_grad());
    assert_eq!(floats(at.b.val()), [300.0, 300.0]);
}

#[test]
fn two_element_types_make_no_flat_vector_but_a_leafwise_one() {
    let device = training();
    let model = Pair::new(&device, (DType::F32, DType::F64));
    let space = ParamSpace::of(&model).unwrap();
    let error = ParamVector::from_module(&space, &model).unwrap_err();
    let message = error.to_string();
    for part in ["`a` is F32", "`b` is F64", "LeafVector"] {
        assert!(message.contains(part), "{message}");
    }
    let vector = LeafVector::from_module(&space, &model).unwrap();
    assert_eq!(vector.norm().unwrap(), 10.0_f64.sqrt());
    let doubled = vector.perturb(&model, 1.0).unwrap();
    assert_eq!(doubled.b.val().dtype(), DType::F64);
    assert_eq!(floats(doubled.a.val()), [2.0, 4.0]);
    let group = ParamGroup::from_path("b");
    let space = ParamSpace::of_group(&model, &group).unwrap();
    assert_eq!(
        ParamVector::from_module(&space, &model)
            .unwrap()
            .to_host()
            .unwrap(),
        [1.0, 2.0]
    );
}

#[test]
fn a_model_with_another_element_type_is_refused() {
    let device = training();
    let space = ParamSpace::of(&Pair::new(&device, (DType::F32, DType::F32))).unwrap();
    let other = Pair::new(&device, (DType::F32, DType::F64));
    let error = ramp(&space).perturb(&other, 1.0).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("F32") && message.contains("`b` [2] F64"),
        "{message}"
    );
}
