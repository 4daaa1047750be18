use burn::tensor::Tensor;

use super::{Objective, Reduction};

/// An objective that consists of the losses of single examples, `[n]`, and their reduction.
///
/// Methods that look at examples one by one (data selection, the empirical Fisher matrix) need this form.
#[derive(Debug, Clone)]
pub struct ExampleLosses<F> {
    losses: F,
    reduction: Reduction,
}

impl<F> ExampleLosses<F> {
    /// Wraps a closure `Fn(&M, B) -> Tensor<1>` that returns one loss per example, shape `[n]`.
    pub fn new(losses: F, reduction: Reduction) -> Self {
        Self { losses, reduction }
    }
}

impl<M, B, F> Objective<M, B> for ExampleLosses<F>
where
    F: Fn(&M, B) -> Tensor<1>,
{
    fn loss(&self, model: &M, batch: B) -> Tensor<1> {
        self.reduction.of((self.losses)(model, batch))
    }

    fn example_losses(&self, model: &M, batch: B) -> Option<Tensor<1>> {
        Some((self.losses)(model, batch))
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}
