use burn::tensor::Tensor;

use super::{Objective, Reduction};

/// A loss in two halves: the model's outputs, and the criterion that judges them.
///
/// Gauss-Newton and Fisher matrices and the neural tangent kernel need the halves apart;
/// [`as_loss`](Self::as_loss) puts them together.
pub trait SplitObjective<M, B, const D: usize> {
    /// The model's outputs on a batch, for instance logits `[n, classes]`.
    fn outputs(&self, model: &M, batch: &B) -> Tensor<D>;

    /// The loss of given outputs: one element.
    fn criterion(&self, outputs: Tensor<D>, batch: B) -> Tensor<1>;

    /// Whether the criterion is a mean or a sum over examples.
    fn reduction(&self) -> Reduction {
        Reduction::Mean
    }

    /// The whole, as an [`Objective`].
    fn as_loss(&self) -> SplitLoss<'_, Self, D> {
        SplitLoss(self)
    }
}

/// A [`SplitObjective`] from two closures.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::{Evaluator, Split, SplitObjective};
///
/// type Batch = (Tensor<2>, Tensor<2>);
/// let split = Split::new(
///     |model: &Linear, (x, _): &Batch| model.forward(x.clone()),
///     |outputs: Tensor<2>, (_, y): Batch| (outputs - y).powi_scalar(2).mean(),
/// );
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let batch: Batch = (Tensor::zeros([4, 2], &device), Tensor::ones([4, 1], &device));
/// let value = Evaluator::new(&split.as_loss()).loss(&model, &[batch])?.value;
/// assert!((value - 1.0).abs() < 1e-6);
/// # Ok::<(), burnscape::loss::LossError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Split<F, G> {
    outputs: F,
    criterion: G,
    reduction: Reduction,
}

impl<F, G> Split<F, G> {
    /// Joins a closure for the outputs and one for the criterion (a mean over examples).
    pub fn new(outputs: F, criterion: G) -> Self {
        Self {
            outputs,
            criterion,
            reduction: Reduction::Mean,
        }
    }

    /// States that the criterion is a sum over examples.
    #[must_use]
    pub fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<M, B, F, G, const D: usize> SplitObjective<M, B, D> for Split<F, G>
where
    F: Fn(&M, &B) -> Tensor<D>,
    G: Fn(Tensor<D>, B) -> Tensor<1>,
{
    fn outputs(&self, model: &M, batch: &B) -> Tensor<D> {
        (self.outputs)(model, batch)
    }

    fn criterion(&self, outputs: Tensor<D>, batch: B) -> Tensor<1> {
        (self.criterion)(outputs, batch)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}

/// See [`SplitObjective::as_loss`].
#[derive(Debug)]
pub struct SplitLoss<'a, S: ?Sized, const D: usize>(&'a S);

impl<M, B, S, const D: usize> Objective<M, B> for SplitLoss<'_, S, D>
where
    S: SplitObjective<M, B, D> + ?Sized,
{
    fn loss(&self, model: &M, batch: B) -> Tensor<1> {
        let outputs = self.0.outputs(model, &batch);
        self.0.criterion(outputs, batch)
    }

    fn reduction(&self) -> Reduction {
        self.0.reduction()
    }
}
