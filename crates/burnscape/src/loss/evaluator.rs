use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::{Module, ParamGroup};
use burn::tensor::Tensor;

use super::pass::Pass;
use super::scalar::gradients;
use super::tally::Tally;
use super::{
    Agreement, Batch, DataSet, LossError, Mode, Objective, Reduction, Sides, Tolerance, compare,
};
use crate::space::{Distance, LeafVector, Nearby, ParamSpace, ParamVector, power_of_two};

/// Evaluates an objective, and its gradient, over batches and data sets.
///
/// `L(w) = Σ_b n_b L_b(w) / Σ_b n_b` for means (`n_b` the batch weight) and `Σ_b L_b(w)` for sums,
/// so that any partition of the data into batches gives the same number.
///
/// The model may be in training, `valid()`, or on a plain device: a copy is put into the stated
/// [`Mode`], and the user's model, its running statistics included, is not touched. Batches are
/// brought into the autodiff context they need, not to another device.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Evaluator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).mean();
/// let data = [Tensor::<2>::ones([3, 1], &device), Tensor::<2>::ones([1, 1], &device) * 5.0];
/// let result = Evaluator::new(&loss).loss_and_gradient(&model, &data)?;
/// assert_eq!(result.num_examples, 4);
/// // The gradient of w · mean(x) is mean(x) = (3 · 1 + 1 · 5) / 4.
/// assert!((result.gradient.to_host()?[0] - 2.0).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Evaluator<'a, O> {
    objective: &'a O,
    mode: Mode,
    group: Option<ParamGroup>,
    draws_seed: Option<u64>,
    /// Whether the loss was found to be the same when it is evaluated again.
    is_probed: AtomicBool,
}

/// One batch of a pass, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LossStep {
    /// Batches done.
    pub batches: usize,
    /// Batches in the pass, where known.
    pub total: Option<usize>,
    /// The loss of this batch.
    pub loss: f64,
}

/// The loss over a data set.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DataLoss {
    /// The mean or sum over the data that were read.
    pub value: f64,
    /// Total weight of the batches.
    pub weight: f64,
    /// Examples read.
    pub num_examples: usize,
    /// Batches read.
    pub num_batches: usize,
    /// False if the observer stopped the pass: the numbers are then those of the part that was read.
    pub completed: bool,
}

/// The loss over a data set and its gradient.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DataGradient {
    /// The mean or sum over the data that were read.
    pub value: f64,
    /// Its gradient.
    pub gradient: ParamVector,
    /// Total weight of the batches.
    pub weight: f64,
    /// Examples read.
    pub num_examples: usize,
    /// Batches read.
    pub num_batches: usize,
    /// Parameters that no batch gave a gradient for; they count as zero.
    pub num_without_gradient: usize,
    /// False if the observer stopped the pass.
    pub completed: bool,
}

impl<'a, O> Evaluator<'a, O> {
    /// Evaluates `objective` in [`Mode::Eval`].
    pub fn new(objective: &'a O) -> Self {
        Self {
            objective,
            mode: Mode::Eval,
            group: None,
            draws_seed: None,
            is_probed: AtomicBool::new(false),
        }
    }

    /// Sets the mode.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Freezes the random numbers that the loss draws (a sampled latent variable, noise, dropout in
    /// [`Mode::Train`]): those of a batch are a function of this seed and of its index, the same in every
    /// pass. Without a seed a loss that draws is refused.
    ///
    /// Afterwards the device's generator continues as a function of its own stream: each pass takes one
    /// tensor of two numbers from it, uniform in [0, 1) and in f32, and seeds it with their 48 bits.
    #[must_use]
    pub fn with_draws_seed(mut self, seed: u64) -> Self {
        self.draws_seed = Some(seed);
        self
    }

    /// Restricts gradients to a group of parameters.
    #[must_use]
    pub fn with_group(mut self, group: ParamGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// The objective.
    pub fn objective(&self) -> &'a O {
        self.objective
    }

    /// The space that gradients live in.
    ///
    /// # Errors
    ///
    /// As [`ParamSpace::of`] and [`ParamSpace::of_group`].
    pub fn space<M: Module>(&self, model: &M) -> Result<ParamSpace, LossError> {
        Ok(match &self.group {
            Some(group) => ParamSpace::of_group(model, group)?,
            None => ParamSpace::of(model)?,
        })
    }

    /// Refuses, at the first batch of the first pass, a loss that draws random numbers without a seed.
    fn check_draws<M, B>(&self, pass: &Pass<M>, batch: B, loss: &Tensor<1>) -> Result<(), LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
    {
        if self.draws_seed.is_some() || self.is_probed.load(Ordering::Relaxed) {
            return Ok(());
        }
        pass.check_draws(self.objective, batch, loss)?;
        self.is_probed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The loss over `data`.
    ///
    /// # Cost
    ///
    /// One forward pass and one host synchronization a batch, and, in the first pass of an evaluator, one
    /// more of each (three in half precision) to see that the loss draws nothing. In [`Mode::Eval`] it runs without
    /// autodiff; a closure that panics there, because it takes a gradient of its own, is called again
    /// on an autodiff device.
    ///
    /// # Errors
    ///
    /// [`LossError::EmptyData`], [`LossError::EmptyBatch`], [`LossError::NotScalar`],
    /// [`LossError::NonFinite`], [`LossError::RaggedBatch`], [`LossError::Panicked`],
    /// [`LossError::Draws`], and those of the data set.
    pub fn loss<M, B, D>(&self, model: &M, data: &D) -> Result<DataLoss, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        self.loss_observed(model, data, |_| ControlFlow::Continue(()))
    }

    /// As [`loss`](Self::loss); `observe` sees every batch and can stop the pass.
    ///
    /// # Errors
    ///
    /// As [`loss`](Self::loss).
    pub fn loss_observed<M, B, D>(
        &self,
        model: &M,
        data: &D,
        mut observe: impl FnMut(&LossStep) -> ControlFlow<()>,
    ) -> Result<DataLoss, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        let mut pass = match self.mode {
            Mode::Eval => Pass::plain(model),
            // Batch statistics are used only on an autodiff device, so a training pass needs one.
            Mode::Train => Pass::on_autodiff(model, self.mode),
        }
        .with_draws(self.draws_seed)?;
        let mut tally = Tally::new(self.objective.reduction(), data.num_batches());
        let completed = tally.run(
            data,
            &mut observe,
            |index, batch| {
                let loss = match pass.loss(self.objective, index, batch.clone()) {
                    // Perhaps it takes a gradient of its own.
                    Err(LossError::Panicked { .. }) if pass.is_plain() => {
                        pass.again_on_autodiff(model, self.mode);
                        pass.loss(self.objective, index, batch.clone())?
                    }
                    loss => loss?,
                };
                self.check_draws(&pass, batch, &loss)?;
                Ok((loss, ()))
            },
            |(), _| Ok(()),
        )?;
        Ok(DataLoss {
            value: tally.value(),
            weight: tally.weight,
            num_examples: tally.num_examples,
            num_batches: tally.num_batches,
            completed,
        })
    }

    /// The loss over `data` and its gradient.
    ///
    /// # Cost
    ///
    /// One forward and backward pass and one host synchronization a batch, and, in the first pass of an
    /// evaluator, one more forward pass (three in half precision); one vector of memory besides.
    ///
    /// # Errors
    ///
    /// As [`loss`](Self::loss), and [`LossError::Untracked`], [`LossError::Space`] (no trainable
    /// parameter, no gradient at all).
    pub fn loss_and_gradient<M, B, D>(&self, model: &M, data: &D) -> Result<DataGradient, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        self.loss_and_gradient_observed(model, data, |_| ControlFlow::Continue(()))
    }

    /// As [`loss_and_gradient`](Self::loss_and_gradient); `observe` can stop the pass.
    ///
    /// # Errors
    ///
    /// As [`loss_and_gradient`](Self::loss_and_gradient).
    pub fn loss_and_gradient_observed<M, B, D>(
        &self,
        model: &M,
        data: &D,
        mut observe: impl FnMut(&LossStep) -> ControlFlow<()>,
    ) -> Result<DataGradient, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        let space = self.space(model)?;
        let pass = Pass::on_autodiff(model, self.mode).with_draws(self.draws_seed)?;
        let reduction = self.objective.reduction();
        let mut tally = Tally::new(reduction, data.num_batches());
        let mut sum = LeafVector::zeros(&space);
        // Weights are taken in units of the first, so that a large gradient times many examples stays within
        // the range; a power of two, so that no digit changes.
        let mut unit = None;
        let completed = tally.run(
            data,
            &mut observe,
            |index, batch| {
                let loss = pass.loss(self.objective, index, batch.clone())?;
                self.check_draws(&pass, batch, &loss)?;
                let gradients = gradients(&loss, &pass.model)?;
                let gradient = LeafVector::from_gradients(&space, &gradients)?;
                Ok((loss, gradient.widen()))
            },
            |gradient, weight| {
                let weight = match reduction {
                    Reduction::Mean => weight / *unit.get_or_insert(power_of_two(weight)),
                    Reduction::Sum => 1.0,
                };
                sum = sum.linear(1.0, weight, &gradient)?;
                Ok(())
            },
        )?;
        let scale = match reduction {
            Reduction::Mean => unit.unwrap_or(1.0) / tally.weight,
            Reduction::Sum => 1.0,
        };
        Ok(DataGradient {
            value: tally.value(),
            num_without_gradient: sum.num_absent(),
            gradient: ParamVector::from_leaves(&sum.scale(scale))?,
            weight: tally.weight,
            num_examples: tally.num_examples,
            num_batches: tally.num_batches,
            completed,
        })
    }

    /// Evaluates loss and gradient twice and refuses, by name, if they differ.
    ///
    /// Dropout, a shuffled loader, or an exhausted iterator make curvature meaningless; this is the
    /// check to run before believing any. Losses and gradients may differ by `tolerance` relative
    /// to their size (0 on the CPU; reductions on a GPU may run in any order). Where the terms of a loss
    /// or a gradient cancel, at a minimum, that is relative to their size at displaced weights.
    ///
    /// # Cost
    ///
    /// Two passes with gradients; up to eight more where they differ and the tolerance is not zero.
    ///
    /// # Errors
    ///
    /// [`LossError::NotDeterministic`], [`LossError::NonFiniteGradient`], and those of
    /// [`loss_and_gradient`](Self::loss_and_gradient).
    pub fn check_deterministic<M, B, D>(
        &self,
        model: &M,
        data: &D,
        tolerance: f64,
    ) -> Result<(), LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        // This is the probe, and says more.
        self.is_probed.store(true, Ordering::Relaxed);
        let found = self.compare_twice(model, data, tolerance);
        self.is_probed.store(found.is_ok(), Ordering::Relaxed);
        found
    }

    fn compare_twice<M, B, D>(&self, model: &M, data: &D, tolerance: f64) -> Result<(), LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        let first = self.loss_and_gradient(model, data)?;
        let second = match self.loss_and_gradient(model, data) {
            Err(LossError::EmptyData) => {
                let what = "number of examples";
                let first = first.num_examples as f64;
                return Err(LossError::NotDeterministic {
                    what,
                    first,
                    second: 0.0,
                });
            }
            other => other?,
        };
        let different = |what, first, second| LossError::NotDeterministic {
            what,
            first,
            second,
        };
        let (a, b) = (first.num_examples as f64, second.num_examples as f64);
        if a != b {
            return Err(different("number of examples", a, b));
        }
        let norms = [first.gradient.norm()?, second.gradient.norm()?];
        if !norms[0].is_finite() {
            return Err(LossError::NonFiniteGradient { norm: norms[0] });
        }
        let own = both_sides(&first, &second)?;
        let numbers = [("loss", [first.value, second.value]), ("gradient", norms)];
        for (index, (what, [first, second])) in numbers.into_iter().enumerate() {
            let is_equal = own[index].difference <= tolerance * own[index].size;
            if !is_equal && !self.agrees_nearby(model, data, tolerance, (own, index))? {
                return Err(different(what, first, second));
            }
        }
        Ok(())
    }

    /// Whether two evaluations differ by no more than the rounding of terms that cancel at the weights:
    /// where those do not cancel, both have to be equal.
    fn agrees_nearby<M, B, D>(
        &self,
        model: &M,
        data: &D,
        tolerance: f64,
        (own, index): ([Sides; 2], usize),
    ) -> Result<bool, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        if tolerance.is_nan() || tolerance <= 0.0 {
            return Ok(false);
        }
        let space = self.space(model)?;
        let nearby = Nearby::around(&ParamVector::from_module(&space, model)?)?;
        let points = [Distance::NONE].into_iter();
        let points = points.chain(Distance::growing(space.dtype()?));
        let agreement = compare(Tolerance::of(tolerance), points, |distance| {
            if distance == Distance::NONE {
                return Ok(Some(own[index]));
            }
            let moved = nearby.displacement(distance)?.displace(model, 1.0)?;
            let evaluate = || match self.loss_and_gradient(&moved, data) {
                Err(LossError::NonFinite { .. }) => Ok(None),
                other => other.map(Some),
            };
            let (Some(first), Some(second)) = (evaluate()?, evaluate()?) else {
                return Ok(None);
            };
            let sides = both_sides(&first, &second)?[index];
            Ok::<_, LossError>(sides.size.is_finite().then_some(sides))
        })?;
        Ok(agreement == Agreement::Equal)
    }
}

/// Losses and gradients of two evaluations at one point.
fn both_sides(first: &DataGradient, second: &DataGradient) -> Result<[Sides; 2], LossError> {
    let difference = first.gradient.clone().axpy(-1.0, &second.gradient)?;
    Ok([
        Sides {
            difference: (first.value - second.value).abs(),
            size: first.value.abs().max(second.value.abs()),
        },
        Sides {
            difference: difference.norm()?,
            size: first.gradient.norm()?.max(second.gradient.norm()?),
        },
    ])
}
