//! The device, its generator, and numbers that are not drawn.

use std::sync::MutexGuard;

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use burnscape::loss::{Batch, BatchMapper};
use burnscape::space::{ParamSpace, ParamVector, unshared_copy};
pub(crate) use burnscape_testkit::double::device;
use burnscape_testkit::turn;

/// The device's generator, seeded. All threads share it: whoever draws holds it to the end of the test.
pub(crate) fn stream(seed: u64) -> MutexGuard<'static, ()> {
    let held = turn();
    device().seed(seed);
    held
}

/// Numbers in `(−1, 1)` without a pattern.
pub(crate) fn wave<const D: usize>(shape: [usize; D], phase: f64) -> Tensor<D> {
    let number = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    let numbers: Vec<f64> = (0..shape.iter().product()).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, shape), &device())
}

/// Integers from 0 to `below`, exclusive, without a pattern.
pub(crate) fn choices<const D: usize>(
    shape: [usize; D],
    below: usize,
    phase: f64,
) -> Tensor<D, Int> {
    let choice = |i: usize| {
        let number = (1.0 + 0.71 * (i as f64 + phase).powf(1.23)).sin();
        ((0.5 * number + 0.5) * below as f64) as i64
    };
    let numbers: Vec<i64> = (0..shape.iter().product()).map(choice).collect();
    Tensor::from_data(TensorData::new(numbers, shape), &device())
}

/// A model for training. Burn draws weights when they are first read, which is now.
pub(crate) fn drawn<M: Module>(build: impl Fn(&Device) -> M) -> M {
    unshared_copy(&build(&device().autodiff()))
}

/// The model a little aside of its initial weights.
///
/// A new network without biases can sit on kinks, where differences are no derivative: where all units of one
/// layer are off, those of the next are exactly zero.
pub(crate) fn off_the_kinks<M: Module>(model: &M) -> M {
    let space = ParamSpace::of(model).expect("trainable parameters");
    let aside = ParamVector::gaussian(&space, 1).expect("a vector");
    aside.perturb(model, 0.05).expect("a model")
}

/// The batch on the autodiff device, where Burn's loaders put it for training.
pub(crate) fn for_training<B: Batch>(batch: &B) -> B {
    batch.clone().map_tensors(&mut ForTraining)
}

struct ForTraining;

impl BatchMapper for ForTraining {
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        tensor.autodiff()
    }

    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        tensor.autodiff()
    }

    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        tensor.autodiff()
    }
}
