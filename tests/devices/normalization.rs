//! Batch norm on two devices: statistics of batches, and running statistics.

use burn::module::RunningState;
use burn::tensor::{Tensor, TensorData};
use burnscape::loss::{Mode, Risk};
use burnscape_testkit::models::Normalized;

use super::fixture::{NEAR, assert_near, both, distance, entries, filled, wave};
use crate::element::{DTYPE, device};

/// Rows far from zero, so that running statistics matter.
fn inputs(sizes: &[usize]) -> Vec<Tensor<2>> {
    let batch = |(index, &rows): (usize, &usize)| {
        let numbers: Vec<f64> = (0..rows * 3)
            .map(|i| 2.0 + 3.0 * wave(i, 1.1 + 7.0 * index as f64))
            .collect();
        let data = TensorData::new(numbers, [rows, 3]);
        Tensor::<2>::from_data(data, (&device(), DTYPE))
    };
    sizes.iter().enumerate().map(batch).collect()
}

fn squares(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

/// A network whose running statistics are those of no batch.
fn net() -> Normalized {
    let mut net = filled(&Normalized::new([3, 5, 2], &device()), 9.1);
    let numbers = |phase: f64, shift: f64| {
        let numbers: Vec<f64> = (0..5).map(|i| shift + 0.4 * wave(i, phase)).collect();
        Tensor::<1>::from_data(TensorData::new(numbers, [5]), (&device(), DTYPE))
    };
    net.norm.running_mean = RunningState::new(numbers(2.0, 0.3));
    net.norm.running_var = RunningState::new(numbers(5.0, 1.5));
    net
}

fn statistics(net: &Normalized) -> Vec<f64> {
    let both = net.running().map(|tensor| {
        assert_eq!(tensor.device(), device());
        tensor.into_data().iter::<f64>().collect::<Vec<_>>()
    });
    both.concat()
}

#[test]
fn both_modes_are_those_of_one_device() {
    let (net, data) = (net(), inputs(&[6, 3, 4, 5]));
    let before = statistics(&net);
    let mut found = Vec::new();
    for mode in [Mode::Eval, Mode::Train] {
        let one = Risk::new(&squares, &data).with_mode(mode);
        let two = one.clone().with_devices(both());
        let [(expected, gradient), (value, slope)] = [&one, &two].map(|risk| {
            let found = risk.loss_and_gradient(&net).unwrap();
            (found.value, found.gradient.to_host().unwrap())
        });
        // The variance of a batch cancels.
        assert!((value - expected).abs() <= 10.0 * NEAR * expected);
        assert_near(&slope, &gradient);
        assert!((two.loss(&net).unwrap().value - value).abs() <= 10.0 * NEAR * value);
        let [expected, hessian] = [one, two].map(|risk| entries(&risk.hessian(&net).unwrap()));
        let distance = distance(&hessian, &expected);
        assert!(distance <= 100.0 * NEAR, "{mode:?}: {distance:e}");
        found.push(value);
    }
    assert!((found[0] / found[1] - 1.0).abs() > 1e-3, "{found:?}");
    assert_eq!(statistics(&net), before);
}

#[test]
fn two_runs_in_training_mode_have_the_same_bits() {
    let (net, data) = (net(), inputs(&[6, 3, 4, 5]));
    let run = || {
        let risk = Risk::new(&squares, &data).with_mode(Mode::Train);
        let risk = risk.with_devices(both());
        let gradient = risk.loss_and_gradient(&net).unwrap().gradient;
        let hessian = risk.hessian(&net).unwrap();
        (
            risk.loss(&net).unwrap().value,
            gradient.to_host().unwrap(),
            entries(&hessian),
        )
    };
    assert_eq!(run(), run());
}

#[test]
fn running_statistics_are_estimated_on_the_device_of_the_model() {
    let (net, data) = (net(), inputs(&[6, 3, 4, 5]));
    let one = Risk::new(&squares, &data);
    let two = one.clone().with_devices(both());
    for most in [None, Some(2)] {
        let [expected, found] =
            [&one, &two].map(|risk| statistics(&risk.reestimate(&net, most).unwrap()));
        assert_eq!(found, expected);
        assert_ne!(found, statistics(&net));
    }
}

#[test]
fn a_model_in_training_keeps_its_statistics() {
    let data = inputs(&[6, 3]);
    let net = filled(&Normalized::new([3, 5, 2], &device().autodiff()), 9.1);
    let before = statistics(&net);
    let risk = Risk::new(&squares, &data).with_devices(both());
    let evaluated = risk.loss_and_gradient(&net).unwrap().value;
    let trained = risk.clone().with_mode(Mode::Train);
    assert_ne!(trained.loss_and_gradient(&net).unwrap().value, evaluated);
    assert_eq!(statistics(&net), before);
    // A step of training changes them, and with them the loss.
    drop(squares(&net, data[0].clone().autodiff()));
    assert_ne!(statistics(&net), before);
    assert_ne!(risk.loss(&net).unwrap().value, evaluated);
}
