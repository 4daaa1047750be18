use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_linearize::{FieldNotes, fail};

use super::programs::Programs;
use super::{Batch, LossError, Objective, Reduction};

/// An objective that is recorded once, and from then on computed by the program that was recorded, gradient included.
///
/// It is an objective like the one it wraps, for every optimizer and every measurement: its loss is a tensor on
/// autodiff, whose `backward` hands over the gradient that the program has computed with the loss. The program runs
/// the operations of Burn's own forward and backward pass, less those that are repeated or unused, with the kernels
/// of this library where it has faster ones. A measurement of curvature records the wrapped objective itself.
///
/// One program is recorded for all models and batches of the same shapes, element types, training flags, ties and
/// trained parameters; the eight used last are kept. A batch that is not
/// [made of tensors only](Batch::IS_ONLY_TENSORS) is recorded at every call, since its other parts may change.
///
/// # What is recorded
///
/// Everything except the parameters and buffers of the model, the tensors of the batch, and random numbers, which are
/// drawn in each run from the device's generator: a number or a tensor that the closure captures, a field of type
/// `Tensor`, and a dropout rate stay what they were at the first call. Put what changes into the batch, and make a new
/// `Recorded` when the objective changes.
///
/// # Checks
///
/// At the first use of a program, loss and gradient are compared with those of Burn, at the weights of the model and
/// near them. [`with_checks`](Self::with_checks) switches this off. A loss with [fields](super::Field), which Burn cannot
/// compute, is not compared. For a loss that draws random numbers, the check moves
/// the device's generator on by one draw, after those of the call.
///
/// # Cost
///
/// The first call records, and evaluates the wrapped objective with its gradient twice. A call on an autodiff device
/// computes loss and gradient; one on a plain device, the loss only.
///
/// A program holds what it computes with, so it is locked while it runs: calls from several threads run one after
/// another, and a landscape on several threads gains nothing.
///
/// # Errors
///
/// [`loss_on`](Self::loss_on) returns them. As an [`Objective`] it cannot return an error: methods of this library
/// that call it return [`LossError`] or an error that contains it; a direct call panics with its message.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Recorded;
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let loss = Recorded::new(|model: &Linear, x: Tensor<2>| {
///     model.forward(x).sub_scalar(3.0).square().mean()
/// });
/// let mut sgd = SgdConfig::new().init();
/// for _ in 0..50 {
///     let value = loss.loss_on(&model, Tensor::<2>::ones([4, 1], &device))?;
///     let gradients = GradientsParams::from_grads(value.backward(), &model);
///     model = sgd.step(0.1, model, gradients);
/// }
/// let weight: f32 = model.weight.val().into_scalar();
/// assert!((weight - 3.0).abs() < 0.01);
/// # Ok::<(), burnscape::loss::LossError>(())
/// ```
pub struct Recorded<O> {
    objective: O,
    checks: bool,
    programs: Programs,
}

impl<O> std::fmt::Debug for Recorded<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded").finish_non_exhaustive()
    }
}

impl<O> Recorded<O> {
    /// Wraps an objective, for instance a closure `Fn(&M, B) -> Tensor<1>`.
    pub fn new(objective: O) -> Self {
        Self {
            objective,
            checks: true,
            programs: Programs::default(),
        }
    }

    /// Sets whether each program is compared with Burn at its first use; on by default.
    #[must_use]
    pub fn with_checks(mut self, checks: bool) -> Self {
        self.checks = checks;
        self
    }

    /// The loss of `model` on `batch`: on autodiff if the model is there and has trained parameters, plain otherwise.
    ///
    /// # Errors
    ///
    /// [`LossError::Trace`] for an objective that cannot be recorded, [`LossError::RunningStatistics`] for
    /// a model in training that has running statistics, [`LossError::RecordedDiffers`] if the program does not compute what Burn computes,
    /// [`LossError::NotScalar`], [`LossError::Panicked`].
    pub fn loss_on<M, B>(&self, model: &M, batch: B) -> Result<Tensor<1>, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
    {
        let objective = |model: &M, batch: B| self.objective.loss(model, batch);
        self.programs.loss(model, batch, &objective, self.checks)
    }

    /// What is worth knowing about the [fields](super::Field) of the losses that were recorded.
    pub fn field_notes(&self) -> FieldNotes {
        self.programs.field_notes()
    }
}

impl<M: Module, B: Batch, O: Objective<M, B>> Objective<M, B> for Recorded<O> {
    fn loss(&self, model: &M, batch: B) -> Tensor<1> {
        match self.loss_on(model, batch) {
            Ok(loss) => loss,
            Err(error) => fail(error),
        }
    }

    fn example_losses(&self, model: &M, batch: B) -> Option<Tensor<1>> {
        self.objective.example_losses(model, batch)
    }

    fn reduction(&self) -> Reduction {
        self.objective.reduction()
    }
}
