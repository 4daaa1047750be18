use burn::tensor::Tensor;

use super::Reduction;

/// A loss of a model on a batch. Every closure `Fn(&M, B) -> Tensor<1>` is an objective and counts as a mean over
/// the examples of the batch; wrap a sum in [`SumLoss`].
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
///
/// let loss = |model: &Linear, (x, y): (Tensor<2>, Tensor<2>)| {
///     (model.forward(x) - y).powi_scalar(2).mean()
/// };
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let data = [(Tensor::zeros([4, 2], &device), Tensor::ones([4, 1], &device))];
/// let value = Risk::new(&loss, &data).loss(&model)?.value;
/// assert!((value - 1.0).abs() < 1e-6);
/// # Ok::<(), burnscape::loss::LossError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss of `{M}` on batches of `{B}`",
    label = "not a loss",
    note = "a loss is a closure `|model: &{M}, batch: {B}| -> Tensor<1>`; annotate the types of both arguments",
    note = "for a model output and a separate criterion, make the risk with `Risk::split`"
)]
pub trait Objective<M, B> {
    /// The loss of `model` on `batch`, a tensor of one element.
    fn loss(&self, model: &M, batch: B) -> Tensor<1>;

    /// The loss of every example, `[n]`, if the objective provides it.
    fn example_losses(&self, model: &M, batch: B) -> Option<Tensor<1>> {
        let _ = (model, batch);
        None
    }

    /// Whether [`loss`](Self::loss) is a mean or a sum over examples.
    fn reduction(&self) -> Reduction {
        Reduction::Mean
    }
}

impl<M, B, F> Objective<M, B> for F
where
    F: Fn(&M, B) -> Tensor<1>,
{
    fn loss(&self, model: &M, batch: B) -> Tensor<1> {
        self(model, batch)
    }
}

/// An objective whose loss is a sum over the examples of a batch.
#[derive(Debug, Clone)]
pub struct SumLoss<F>(pub F);

impl<M, B, F> Objective<M, B> for SumLoss<F>
where
    F: Fn(&M, B) -> Tensor<1>,
{
    fn loss(&self, model: &M, batch: B) -> Tensor<1> {
        (self.0)(model, batch)
    }

    fn reduction(&self) -> Reduction {
        Reduction::Sum
    }
}
