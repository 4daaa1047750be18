//! Functions of a batch as a recording computes them.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use burnscape_linearize::{FieldNotes, LinearizeError, OutputTrace};
use burnscape_testkit::double::device;

pub(crate) fn tensor<const D: usize>(numbers: &[f64], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers.to_vec(), shape), &device())
}

pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// What a recording computes, and what it notes about its fields.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) numbers: Vec<f64>,
    pub(crate) notes: FieldNotes,
}

/// A function of a model and a batch of tensors.
pub(crate) fn of_model<M: Module, const D: usize>(
    model: &M,
    batch: &[Tensor<2>],
    f: impl Fn(&M, &[Tensor<2>]) -> Tensor<D>,
) -> Result<Evaluated, LinearizeError> {
    let trace = OutputTrace::new(
        model.clone(),
        device().settings(),
        |inputs| -> Vec<Tensor<2>> { batch.iter().map(|x| inputs.float(x.clone())).collect() },
        |model: &M, batch| f(model, batch),
    )?;
    let mut found = trace.forward().run(&trace.bindings, &device())?;
    Ok(Evaluated {
        numbers: numbers(found.swap_remove(0)),
        notes: trace.field_notes,
    })
}

/// A model without a function. Multiplied by its parameter, which is one, a tensor depends on a parameter, as a
/// recording requires.
#[derive(Module, Debug)]
struct One {
    one: Param<Tensor<1>>,
}

/// A function of a batch of tensors.
pub(crate) fn of<const D: usize>(
    batch: &[Tensor<2>],
    f: impl Fn(&[Tensor<2>]) -> Tensor<D>,
) -> Result<Evaluated, LinearizeError> {
    let one = One {
        one: Param::from_tensor(Tensor::ones([1], &device().autodiff())),
    };
    of_model(&one, batch, |one, batch| {
        f(batch) * one.one.val().reshape([1; D])
    })
}

/// A function of one tensor that can be recorded.
pub(crate) fn at<const D: usize>(x: &Tensor<2>, f: impl Fn(Tensor<2>) -> Tensor<D>) -> Vec<f64> {
    let found = of(std::slice::from_ref(x), |batch| f(batch[0].clone()));
    found.expect("a function that can be recorded").numbers
}

pub(crate) fn size(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |size, x| size.max(x.abs()))
}

/// Compares up to `tolerance` times the largest expected number, or times one if that is larger.
pub(crate) fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let bound = tolerance * size(expected).max(1.0);
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        // NaN is wrong too.
        let is_close = (found - expected).abs() <= bound;
        assert!(is_close, "{what}[{index}]: {found} instead of {expected}");
    }
}
