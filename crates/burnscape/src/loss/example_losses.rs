use burn::tensor::Tensor;

use super::{Objective, Reduction};

/// An objective given by the losses of single examples, `[n]`, and how they are reduced.
///
/// What looks at examples one by one (data selection, the empirical Fisher) needs this form.
#[derive(Debug, Clone)]
pub struct ExampleLosses<F> {
    losses: F,
    reduction: Reduction,
}

impl<F> ExampleLosses<F> {
    /// Wraps a closure `Fn(&M, B) -> Tensor<1>` of shape `[n]`, one loss an example.
    pub fn new(losses: F, reduction: Reduction) -> Self {
        Self { losses, reduction }
    }
}

impl<M, B, F> Objective<M, B> for ExampleLosses<F>
where
    F: Fn(&M, B) -> Tensor<1>,
{
    fn loss(&self, model: &M, batch: B) -> Tensor<1> {
        let losses = (self.losses)(model, batch);
        match self.reduction {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
        }
    }

    fn example_losses(&self, model: &M, batch: B) -> Option<Tensor<1>> {
        Some((self.losses)(model, batch))
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}
