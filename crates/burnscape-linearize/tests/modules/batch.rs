//! What a loss is computed on, besides the model.

use burn::tensor::{Bool, FloatDType, Int, Tensor};
use burnscape_linearize::Lifter;

/// Tensors that can be brought onto the recording device and into another precision.
pub(crate) trait Batch: Clone + 'static {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self;
    fn cast(&self, dtype: FloatDType) -> Self;
}

impl<const D: usize> Batch for Tensor<D> {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        lifter.float(self.clone())
    }

    fn cast(&self, dtype: FloatDType) -> Self {
        self.clone().cast(dtype)
    }
}

impl<const D: usize> Batch for Tensor<D, Int> {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        lifter.int(self.clone())
    }

    fn cast(&self, _: FloatDType) -> Self {
        self.clone()
    }
}

impl<const D: usize> Batch for Tensor<D, Bool> {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        lifter.bool(self.clone())
    }

    fn cast(&self, _: FloatDType) -> Self {
        self.clone()
    }
}

impl Batch for () {
    fn lift(&self, _: &mut Lifter<'_>) -> Self {}

    fn cast(&self, _: FloatDType) -> Self {}
}

impl<A: Batch, B: Batch> Batch for (A, B) {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        (self.0.lift(lifter), self.1.lift(lifter))
    }

    fn cast(&self, dtype: FloatDType) -> Self {
        (self.0.cast(dtype), self.1.cast(dtype))
    }
}

impl<A: Batch, B: Batch, C: Batch> Batch for (A, B, C) {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        (
            self.0.lift(lifter),
            self.1.lift(lifter),
            self.2.lift(lifter),
        )
    }

    fn cast(&self, dtype: FloatDType) -> Self {
        (self.0.cast(dtype), self.1.cast(dtype), self.2.cast(dtype))
    }
}
