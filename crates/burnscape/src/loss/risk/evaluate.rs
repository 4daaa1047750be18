use std::sync::atomic::Ordering;

use burn::module::Module;
use burn::tensor::Tensor;

use super::gradient_sum::GradientSum;
use super::spread::{Spread, Told};
use super::{Draws, Risk, RiskBatch, Work};
use crate::loss::LossError;
use crate::loss::pass::Pass;
use crate::loss::scalar::gradients;
use crate::loss::tally::Tally;
use crate::space::{LeafVector, ParamSpace, ParamVector};

/// The value of a risk.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RiskValue {
    /// The mean or sum over the data that was read.
    pub value: f64,
    /// Total weight of the batches.
    pub weight: f64,
    /// Examples read.
    pub num_examples: usize,
    /// Batches read.
    pub num_batches: usize,
    /// False if the observer stopped the pass. The numbers then cover the part that was read.
    pub completed: bool,
}

/// The value of a risk and its gradient.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RiskGradient {
    /// The mean or sum over the data that was read.
    pub value: f64,
    /// Its gradient.
    pub gradient: ParamVector,
    /// Total weight of the batches.
    pub weight: f64,
    /// Examples read.
    pub num_examples: usize,
    /// Batches read.
    pub num_batches: usize,
    /// Parameters without a gradient in any batch; they count as zero.
    pub num_without_gradient: usize,
    /// False if the observer stopped the pass.
    pub completed: bool,
}

impl<M: Module, K> Risk<'_, M, K> {
    /// The loss over the data.
    ///
    /// # Cost
    ///
    /// One forward pass and one host synchronization per batch. The first pass of a risk adds one of each
    /// (three in half precision) to check that the loss draws no random numbers. In
    /// [`Mode::Eval`](crate::loss::Mode::Eval) it runs without autodiff; a closure that panics there because
    /// it computes a gradient itself is called again on an autodiff device.
    ///
    /// # Errors
    ///
    /// [`LossError::EmptyData`], [`LossError::EmptyBatch`], [`LossError::NotScalar`],
    /// [`LossError::NonFinite`], [`LossError::RaggedBatch`], [`LossError::Panicked`],
    /// [`LossError::Draws`], [`LossError::Device`], and those of the data set.
    pub fn loss(&self, model: &M) -> Result<RiskValue, LossError> {
        self.in_time(model, || {
            if let Some((devices, main)) = self.spread(model)? {
                let spread = Spread::new(self, (&devices, main), (Work::Loss, Told::Loss));
                let found = spread.losses(model)?;
                return Ok(found.tally(self).risk_value(found.is_complete));
            }
            let mut pass = Pass::of(self, model, false)?;
            let mut tally = Tally::new(self.reduction);
            let completed = tally.run(
                &**self.source(),
                Work::Loss,
                |progress| self.report(progress),
                |index, batch| {
                    let loss = self.batch_loss(&mut pass, model, index, batch)?;
                    Ok((loss, ()))
                },
                |(), _| Ok(()),
            )?;
            Ok(tally.risk_value(completed))
        })
    }

    /// The loss over the data and its gradient.
    ///
    /// # Cost
    ///
    /// One forward and backward pass and one host synchronization per batch; the first pass of a risk adds
    /// one forward pass (three in half precision). Memory: one vector.
    ///
    /// # Errors
    ///
    /// Those of [`loss`](Self::loss), [`LossError::Untracked`], and [`LossError::Space`] if there is no
    /// trainable parameter or no gradient.
    pub fn loss_and_gradient(&self, model: &M) -> Result<RiskGradient, LossError> {
        self.in_time(model, || {
            let space = self.space(model)?;
            if let Some((devices, main)) = self.spread(model)? {
                let spread = Spread::new(self, (&devices, main), (Work::Gradient, Told::Loss));
                let (found, sum) = spread.gradients(model, &space)?;
                return found.tally(self).risk_gradient(sum, found.is_complete);
            }
            let pass = Pass::of(self, model, true)?;
            let mut tally = Tally::new(self.reduction);
            let mut sum = GradientSum::new(self.reduction, &space);
            let completed = tally.run(
                &**self.source(),
                Work::Gradient,
                |progress| self.report(progress),
                |index, batch| self.batch_gradient(&pass, &space, index, batch),
                |gradient, weight| Ok(sum.add(&gradient, weight)?),
            )?;
            tally.risk_gradient(sum, completed)
        })
    }

    /// The loss over the whole data set. It is an error if the observer stops the pass.
    pub(crate) fn whole_loss(&self, model: &M) -> Result<RiskValue, LossError> {
        let found = self.loss(model)?;
        require(found.completed, found.num_batches)?;
        Ok(found)
    }

    /// Loss and gradient over the whole data set. It is an error if the observer stops the pass.
    pub(crate) fn whole_gradient(&self, model: &M) -> Result<RiskGradient, LossError> {
        let found = self.loss_and_gradient(model)?;
        require(found.completed, found.num_batches)?;
        Ok(found)
    }

    /// The loss of a batch in a pass without gradients.
    pub(super) fn batch_loss(
        &self,
        pass: &mut Pass<M>,
        model: &M,
        index: usize,
        batch: &dyn RiskBatch<M>,
    ) -> Result<Tensor<1>, LossError> {
        let loss = match pass.loss(index, batch) {
            // The closure may compute a gradient itself.
            Err(LossError::Panicked { .. }) if pass.is_plain() => {
                pass.again_on_autodiff(model, self.mode);
                pass.loss(index, batch)?
            }
            loss => loss?,
        };
        self.check_draws(pass, batch, &loss)?;
        Ok(loss)
    }

    /// The loss of a batch and its gradient, in f32 for half precision.
    pub(super) fn batch_gradient(
        &self,
        pass: &Pass<M>,
        space: &ParamSpace,
        index: usize,
        batch: &dyn RiskBatch<M>,
    ) -> Result<(Tensor<1>, LeafVector), LossError> {
        let loss = pass.loss(index, batch)?;
        self.check_draws(pass, batch, &loss)?;
        let gradients = gradients(&loss, &pass.model)?;
        let gradient = LeafVector::from_gradients(space, &gradients)?;
        Ok((loss, gradient.widen()))
    }

    /// Rejects, at the first batch of the first pass, a loss that draws random numbers without a seed.
    pub(super) fn check_draws(
        &self,
        pass: &Pass<M>,
        batch: &dyn RiskBatch<M>,
        loss: &Tensor<1>,
    ) -> Result<(), LossError> {
        if self.draws != Draws::Refused || self.is_probed.load(Ordering::Relaxed) {
            return Ok(());
        }
        pass.check_draws(batch, loss)?;
        self.is_probed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Tally {
    fn risk_value(self, completed: bool) -> RiskValue {
        RiskValue {
            value: self.value(),
            weight: self.weight,
            num_examples: self.num_examples,
            num_batches: self.num_batches,
            completed,
        }
    }

    fn risk_gradient(self, sum: GradientSum, completed: bool) -> Result<RiskGradient, LossError> {
        let num_without_gradient = sum.num_absent();
        Ok(RiskGradient {
            value: self.value(),
            gradient: ParamVector::from_leaves(&sum.total(self.weight))?,
            weight: self.weight,
            num_examples: self.num_examples,
            num_batches: self.num_batches,
            num_without_gradient,
            completed,
        })
    }
}

/// Returns an error for a pass that the observer stopped.
fn require(completed: bool, batches: usize) -> Result<(), LossError> {
    if completed {
        Ok(())
    } else {
        Err(LossError::Stopped { batches })
    }
}
