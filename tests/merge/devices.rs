//! Models on two devices.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::loss::{NormalizationPolicy, Risk};
use burnscape::merge::{RepairConfig, average};
use burnscape::space::unshared_copy;
use burnscape_testkit::models::Normalized;

#[allow(
    deprecated,
    reason = "the only second device that every machine has; Burn deprecates its constructor"
)]
fn second_device() -> Device {
    Device::ndarray()
}

fn waves<const D: usize>(shape: [usize; D], phase: f32) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| (phase + 1.7 * index as f32).sin());
    let values: Vec<f32> = values.collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// A model on the first device.
fn model(phase: f32) -> Normalized {
    let mut net = Normalized::new([4, 5, 2], &Device::flex());
    net.first.weight = Param::from_tensor(waves([4, 5], phase));
    net.first.bias = Some(Param::from_tensor(waves([5], phase + 1.0)));
    net.norm.gamma = Param::from_tensor(waves([5], phase + 2.0).abs() + 0.5);
    net.norm.beta = Param::from_tensor(waves([5], phase + 3.0));
    net.norm.running_mean = RunningState::new(waves([5], phase + 4.0));
    net.norm.running_var = RunningState::new(waves([5], phase + 5.0).abs() + 0.5);
    net
}

/// A copy on the second device.
fn far(net: &Normalized) -> Normalized {
    unshared_copy(net).fork(&second_device())
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn gap(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    let pairs = one.iter().zip(other);
    pairs.fold(0.0_f64, |largest, (a, b)| largest.max((a - b).abs()))
}

/// The gains and shifts, which are what is repaired.
fn repaired(net: &Normalized) -> Vec<f64> {
    [net.norm.gamma.val(), net.norm.beta.val()]
        .map(values)
        .concat()
}

#[test]
fn every_model_is_measured_on_its_device_and_the_result_is_where_the_merged_model_is() {
    let [a, b] = [0.1, 0.7].map(model);
    let merged = average(&[&a, &b]).unwrap();
    let [far_a, far_b, far_merged] = [&a, &b, &merged].map(far);
    let data = [waves([30, 4], 0.3), waves([10, 4], 0.5)];
    let outputs = |net: &Normalized, x: &Tensor<2>| net.forward(x.clone());
    let run = |[a, b, merged]: [&Normalized; 3]| {
        let found = RepairConfig::new().run(&outputs, &data, a, b, merged, 0.5);
        found.unwrap().model
    };
    let expected = repaired(&run([&a, &b, &merged]));
    assert!(gap(&expected, &repaired(&merged)) > 1e-3);
    // Batches are on the first device.
    for (models, device) in [
        ([&far_a, &far_b, &far_merged], second_device()),
        ([&a, &b, &far_merged], second_device()),
        ([&a, &far_b, &merged], Device::flex()),
    ] {
        let found = run(models);
        for tensor in [
            found.norm.gamma.val(),
            found.norm.beta.val(),
            found.first.bias.as_ref().unwrap().val(),
        ] {
            assert_eq!(tensor.device(), device);
        }
        assert!(gap(&repaired(&found), &expected) < 1e-4);
    }
}

#[test]
fn running_statistics_are_where_the_merged_model_is() {
    let [a, b] = [0.1, 0.7].map(model);
    let merged = average(&[&a, &b]).unwrap();
    let expected = merged.running().map(values);
    let far_merged = far(&merged);
    let loss = |net: &Normalized, x: Tensor<2>| net.forward(x).square().mean();
    let data = [waves([10, 4], 0.3)];
    let risk = Risk::new(&loss, &data);
    let normalized = |policy: NormalizationPolicy| {
        let found = policy.normalize(&risk, &far_merged, &[(&a, 0.5), (&b, 0.5)]);
        let running = found.unwrap().running();
        for tensor in &running {
            assert_eq!(tensor.device(), second_device());
        }
        running.map(values)
    };
    let [interpolated, left] = [
        normalized(NormalizationPolicy::Interpolate),
        normalized(NormalizationPolicy::Leave),
    ];
    let of_a = a.running().map(values);
    for place in 0..2 {
        assert!(gap(&interpolated[place], &expected[place]) < 1e-6);
        assert!(gap(&left[place], &of_a[place]) < 1e-6);
    }
}
