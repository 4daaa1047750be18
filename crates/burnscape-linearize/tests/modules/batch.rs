//! The inputs of a loss other than the model.

use burn::tensor::{Bool, FloatDType, Int, Tensor};
use burnscape_linearize::Inputs;

/// Tensors that can be declared as inputs, and converted to another precision.
pub(crate) trait Batch: Clone + 'static {
    fn declare(&self, inputs: &mut Inputs<'_>) -> Self;
    fn cast(&self, dtype: FloatDType) -> Self;
}

impl<const D: usize> Batch for Tensor<D> {
    fn declare(&self, inputs: &mut Inputs<'_>) -> Self {
        inputs.float(self.clone())
    }

    fn cast(&self, dtype: FloatDType) -> Self {
        self.clone().cast(dtype)
    }
}

impl<const D: usize> Batch for Tensor<D, Int> {
    fn declare(&self, inputs: &mut Inputs<'_>) -> Self {
        inputs.int(self.clone())
    }

    fn cast(&self, _: FloatDType) -> Self {
        self.clone()
    }
}

impl<const D: usize> Batch for Tensor<D, Bool> {
    fn declare(&self, inputs: &mut Inputs<'_>) -> Self {
        inputs.bool(self.clone())
    }

    fn cast(&self, _: FloatDType) -> Self {
        self.clone()
    }
}

impl Batch for () {
    fn declare(&self, _: &mut Inputs<'_>) -> Self {}

    fn cast(&self, _: FloatDType) -> Self {}
}

impl<A: Batch, B: Batch> Batch for (A, B) {
    fn declare(&self, inputs: &mut Inputs<'_>) -> Self {
        (self.0.declare(inputs), self.1.declare(inputs))
    }

    fn cast(&self, dtype: FloatDType) -> Self {
        (self.0.cast(dtype), self.1.cast(dtype))
    }
}

impl<A: Batch, B: Batch, C: Batch> Batch for (A, B, C) {
    fn declare(&self, inputs: &mut Inputs<'_>) -> Self {
        (
            self.0.declare(inputs),
            self.1.declare(inputs),
            self.2.declare(inputs),
        )
    }

    fn cast(&self, dtype: FloatDType) -> Self {
        (self.0.cast(dtype), self.1.cast(dtype), self.2.cast(dtype))
    }
}
