use std::fmt;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor};

use crate::dynamics::DynamicsError;
use crate::loss::scalar::called;
use crate::loss::{Batch, BatchMapper, DataSet, LossError, lifted};
use crate::range::{POSITIVE, ensure};
use crate::space::copy_for_gradients;

/// The outputs of a model, centered at a start and scaled: `α (f(w) − f(w₀))`, with the loss divided by `α²`.
///
/// The scale decides how lazily a model trains. To leading order the outputs move along gradient flow as fast for every
/// `α`, but the weights move by the order of `1/α`: a large scale keeps the
/// [tangent kernel](super::TangentKernelConfig) where it is, a small one moves it, at the same width. The learning rate
/// need not change. A network whose last layer is divided by `√m` for a width of `m` is a mean-field one, divided by
/// `m`, at `α = 1/√m`.
///
/// The outputs of the start are computed once, and become a part of each batch: a loss that is recorded sees no tensors
/// other than those of the model and the batch.
///
/// # Cost
///
/// [`batches`](Self::batches): one forward pass over the data; it keeps all batches, with their outputs.
///
/// # Reproducibility
///
/// The outputs of the start are those of its evaluation mode, without dropout.
///
/// # References
///
/// Chizat, Oyallon, Bach 2019, *On Lazy Training in Differentiable Programming*, arXiv:1812.07956.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::ScaledOutputs;
/// use burnscape::loss::Risk;
///
/// type Pair = (Tensor<2>, Tensor<2>);
///
/// let device = Device::default();
/// let start = LinearConfig::new(2, 1).init(&device);
/// let data = [(Tensor::<2>::ones([4, 2], &device), Tensor::<2>::ones([4, 1], &device) * 3.0)];
///
/// let scaled = ScaledOutputs::new(10.0, |m: &Linear, (x, _): &Pair| m.forward(x.clone()))?;
/// let batches = scaled.batches(&start, &data)?;
/// let risk = Risk::split(
///     |m: &Linear, batch: &(Pair, Tensor<2>)| scaled.outputs(m, batch),
///     |z: Tensor<2>, ((_, y), _): (Pair, Tensor<2>)| scaled.loss((z - y).square().mean()),
///     &batches,
/// );
/// // At the start all outputs are zero: the loss is 3²/10².
/// assert!((risk.loss(&start)?.value - 0.09).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ScaledOutputs<F> {
    alpha: f64,
    outputs: F,
}

impl<F> ScaledOutputs<F> {
    /// The outputs of a model on a batch, `outputs(&model, &batch)`, scaled by `alpha`.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] unless `alpha` is positive.
    pub fn new(alpha: f64, outputs: F) -> Result<Self, DynamicsError> {
        ensure("alpha", alpha, POSITIVE)?;
        Ok(Self { alpha, outputs })
    }

    /// The batches of a data set, each with the outputs of the start.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Loss`]: [`LossError::EmptyData`], [`LossError::Panicked`] if the closure panics, and those of
    /// the data set.
    pub fn batches<M, B, D, const R: usize>(
        &self,
        start: &M,
        data: &D,
    ) -> Result<Vec<(B, Tensor<R>)>, DynamicsError>
    where
        M: Module,
        B: Batch,
        D: DataSet<B> + ?Sized,
        F: Fn(&M, &B) -> Tensor<R>,
    {
        let (mut batches, mut failure) = (Vec::new(), None);
        data.visit(&mut |batch| {
            let found = batch.and_then(|batch| Ok((self.at_start(start, &batch)?, batch)));
            match found {
                Ok((outputs, batch)) => {
                    batches.push((batch, outputs));
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match failure {
            Some(error) => Err(error.into()),
            None if batches.is_empty() => Err(LossError::EmptyData.into()),
            None => Ok(batches),
        }
    }

    fn at_start<M, B, const R: usize>(&self, start: &M, batch: &B) -> Result<Tensor<R>, LossError>
    where
        M: Module,
        B: Batch,
        F: Fn(&M, &B) -> Tensor<R>,
    {
        let plain = batch.clone().map_tensors(&mut Plain);
        let outputs = match called(|| (self.outputs)(&start.valid(), &plain)) {
            // The closure may compute a gradient itself.
            Err(LossError::Panicked { .. }) => {
                let copy = copy_for_gradients(start, false);
                let batch = lifted(&copy, batch.clone());
                called(|| (self.outputs)(&copy, &batch))
            }
            found => found,
        };
        Ok(outputs?.inner())
    }

    /// `α (f(w) − f(w₀))` on one of the [batches](Self::batches).
    ///
    /// # Shapes
    ///
    /// That of the outputs.
    pub fn outputs<M, B, const R: usize>(&self, model: &M, batch: &(B, Tensor<R>)) -> Tensor<R>
    where
        F: Fn(&M, &B) -> Tensor<R>,
    {
        let (batch, start) = batch;
        ((self.outputs)(model, batch) - start.clone()) * self.alpha
    }

    /// A loss of these outputs, divided by `α²`.
    pub fn loss(&self, loss: Tensor<1>) -> Tensor<1> {
        // The square may be outside the range.
        loss / self.alpha / self.alpha
    }
}

impl<F> fmt::Debug for ScaledOutputs<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScaledOutputs")
            .field("alpha", &self.alpha)
            .finish_non_exhaustive()
    }
}

/// Takes tensors off autodiff.
struct Plain;

impl BatchMapper for Plain {
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        tensor.inner()
    }

    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        tensor.inner()
    }

    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        tensor.inner()
    }
}
