use std::sync::{Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{Device, DeviceSettings, Tensor};
use burnscape_linearize::{GradientTrace, ModelInputs, RecordedLoss, fail, is_recording};

use super::draws::OwnDraws;
use super::scalar::{check_scalar, gradients};
use super::tensors::{Signature, Tensors, traced};
use super::{Agreement, Batch, LossError, Objective, Reduction, Sides, compare_nearby};
use crate::space::{
    LeafVector, Nearby, ParamSpace, ParamVector, RunningStatistics, copy_for_gradients, epsilon,
    is_training, to_host,
};

/// An objective that is recorded once, and from then on computed by the program that was recorded, gradient included.
///
/// It is an objective like the one it wraps, for every optimizer and every measurement: its loss is a tensor on
/// autodiff, whose `backward` hands over the gradient that the program has computed with the loss. The program runs
/// the operations of Burn's own forward and backward pass, less those that are repeated or unused, with the kernels
/// of this library where it has faster ones. A measurement of curvature records the wrapped objective itself.
///
/// One program is recorded for all models and batches of the same shapes, element types, training flags, ties and
/// trained parameters; the eight used last are kept.
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
/// near them. [`with_checks`](Self::with_checks) switches this off. For a loss that draws random numbers, the check moves
/// the device's generator on by one draw, after those of the call.
///
/// # Cost
///
/// The first call records, and evaluates the wrapped objective with its gradient twice. A call on an autodiff device
/// computes loss and gradient; one on a plain device, the loss only.
///
/// # Errors
///
/// [`loss_on`](Self::loss_on) returns them. As an [`Objective`] it cannot return an error: methods of this library
/// that call it return [`LossError`] or an error that contains it; a direct call panics with its message.
///
/// # Example
///
/// ```
/// use burn::module::AutodiffModule;
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
    /// The programs, those used last at the end.
    programs: Mutex<Vec<Known>>,
}

/// A program, and what it was recorded for.
struct Known {
    model: ModelInputs,
    batch: Signature,
    settings: DeviceSettings,
    device: Device,
    program: RecordedLoss,
    is_checked: bool,
}

/// How many programs are kept.
const MOST: usize = 8;

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
            programs: Mutex::default(),
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
        let device = model.devices().first().cloned().unwrap_or_default();
        if is_recording(&device) {
            return Ok(self.objective.loss(model, batch));
        }
        let inputs = ModelInputs::of(model);
        if inputs.is_trained() {
            return self.run(model, inputs, batch, true);
        }
        let copy = copy_for_gradients(model, false);
        let inputs = ModelInputs::of(&copy);
        self.run(&copy, inputs, batch, false)
    }

    fn run<M, B>(
        &self,
        model: &M,
        inputs: ModelInputs,
        batch: B,
        is_tracked: bool,
    ) -> Result<Tensor<1>, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
    {
        let device = model.devices().first().cloned().unwrap_or_default();
        let settings = device.settings();
        let Tensors { values, signature } = Tensors::of(batch.clone());
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let found = programs.iter().position(|known| {
            known.batch == signature
                && known.settings == settings
                && known.device == device
                && known.model.check_same(&inputs).is_ok()
        });
        let mut known = match found {
            Some(index) => programs.remove(index),
            None => Known {
                program: self.record(model, &device, batch.clone())?,
                model: inputs.clone().without_bindings(),
                batch: signature,
                settings,
                device,
                is_checked: false,
            },
        };
        let loss = if is_tracked {
            known.program.tracked(model, &inputs, &values)
        } else {
            known.program.value(&inputs, &values)
        }?;
        // Afterwards, so that the loss has the draws that the caller has seeded.
        if self.checks && !known.is_checked {
            known.is_checked = self.check(&mut known.program, model, &inputs, batch, &values)?;
        }
        programs.push(known);
        if programs.len() > MOST {
            programs.remove(0);
        }
        Ok(loss)
    }

    fn record<M, B>(&self, model: &M, device: &Device, batch: B) -> Result<RecordedLoss, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
    {
        let statistics = RunningStatistics::of(model);
        if is_training(model) && !statistics.is_empty() {
            let paths = statistics.paths().map(String::from).collect();
            return Err(LossError::RunningStatistics { paths });
        }
        let trace = GradientTrace::new(
            model.clone(),
            device.settings(),
            |inputs| traced(batch, inputs),
            |model, batch| self.objective.loss(model, batch),
        )?;
        Ok(RecordedLoss::new(&trace, device)?)
    }

    /// Compares the program with Burn. Returns whether there was anything finite to compare.
    fn check<M, B>(
        &self,
        program: &mut RecordedLoss,
        model: &M,
        inputs: &ModelInputs,
        batch: B,
        values: &[burn::backend::DispatchTensor],
    ) -> Result<bool, LossError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
    {
        let space = ParamSpace::of(model)?;
        let dtype = space.dtype()?;
        let draws = if program.has_draws() {
            Some(OwnDraws::begin(space.device())?)
        } else {
            None
        };
        let begin = || draws.iter().for_each(|draws| draws.seed(SEED));
        let mut seen = None;
        let mut at = |model: &M, inputs: &ModelInputs| {
            begin();
            let burn = super::scalar::called(|| self.objective.loss(model, batch.clone()))?;
            begin();
            let own = program.tracked(model, inputs, values)?;
            let sides = sides(&space, model, &burn, &own)?;
            if seen.is_none() {
                seen = Some((number(&burn)?, number(&own)?));
            }
            Ok::<_, LossError>(sides)
        };
        let own = at(model, inputs)?;
        let nearby = Nearby::around(&ParamVector::from_module(&space, model)?)?;
        let tolerance = (4.0 * epsilon(dtype).sqrt()).min(0.1);
        let found = compare_nearby(tolerance, dtype, own, |distance| {
            let moved = nearby.displacement(distance)?.perturb(model, 1.0)?;
            at(&moved, &ModelInputs::of(&moved))
        })?;
        match found {
            Agreement::Equal => Ok(true),
            Agreement::NotFinite => Ok(false),
            Agreement::Different { defect } => {
                let (burn, recorded) = seen.unwrap_or((f64::NAN, f64::NAN));
                Err(LossError::RecordedDiffers {
                    burn,
                    recorded,
                    defect,
                })
            }
        }
    }
}

/// The seed of draws while a program is compared with Burn.
const SEED: u64 = 11;

/// The difference of two losses and their gradients, relative to the larger of both; `None` if one is not finite.
fn sides<M: Module>(
    space: &ParamSpace,
    model: &M,
    burn: &Tensor<1>,
    own: &Tensor<1>,
) -> Result<Option<Sides>, LossError> {
    check_scalar(burn)?;
    let losses = [number(burn)?, number(own)?];
    let vector = |loss: &Tensor<1>| {
        let gradients = gradients(loss, model)?;
        Ok::<_, LossError>(LeafVector::from_gradients(space, &gradients)?.widen())
    };
    let (burn, own) = (vector(burn)?, vector(own)?);
    let difference = burn.axpby(1.0, -1.0, &own)?.norm()?;
    let size = burn.norm()? + own.norm()?;
    let of_losses = (losses[0] - losses[1]).abs();
    let size_of_losses = losses[0].abs() + losses[1].abs();
    let all = [difference, size, of_losses, size_of_losses];
    if all.iter().any(|number| !number.is_finite()) {
        return Ok(None);
    }
    // Both in units of their own size.
    let share = |difference: f64, size: f64| if size > 0.0 { difference / size } else { 0.0 };
    let worst = share(difference, size).max(share(of_losses, size_of_losses));
    let unit = size.max(size_of_losses);
    Ok(Some(Sides {
        difference: worst * unit,
        size: unit,
    }))
}

fn number(loss: &Tensor<1>) -> Result<f64, LossError> {
    Ok(to_host(loss.clone().inner())?
        .first()
        .copied()
        .unwrap_or(f64::NAN))
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
