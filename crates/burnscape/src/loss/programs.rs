//! Programs in the place of closures: recorded once for each signature, and run from then on.

use std::sync::{Mutex, PoisonError};

use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::{Device, DeviceSettings, Tensor};
use burnscape_linearize::{
    FieldNotes, GradientTrace, LinearizeError, ModelInputs, OutputTrace, RecordedLoss, is_recording,
};

use super::draws::OwnDraws;
use super::scalar::{called, check_scalar, gradients};
use super::tensors::{Signature, Tensors, traced};
use super::{Agreement, Batch, LossError, Sides, compare_nearby};
use crate::space::{
    LeafVector, Nearby, ParamSpace, ParamVector, RunningStatistics, copy_for_gradients, epsilon,
    is_training, to_host,
};

/// Programs by signature, those used last at the end.
#[derive(Default)]
pub(super) struct Programs(Mutex<Vec<Known>>);

/// A program, and what it was recorded for.
struct Known {
    model: ModelInputs,
    batch: Signature,
    settings: DeviceSettings,
    device: Device,
    program: RecordedLoss,
    notes: FieldNotes,
    is_checked: bool,
}

/// How many programs are kept for a device, one for each set of shapes of a batch.
pub(crate) const MOST_PROGRAMS: usize = 8;

/// The seed of draws while a program is compared with Burn.
const SEED: u64 = 11;

/// A loss of a model on a batch.
type Loss<'f, M, B> = &'f dyn Fn(&M, B) -> Tensor<1>;

impl Programs {
    /// The loss: on autodiff if the model is there and has trained parameters, plain otherwise.
    pub(super) fn loss<M: Module, B: Batch>(
        &self,
        model: &M,
        batch: B,
        loss: Loss<'_, M, B>,
        checks: bool,
    ) -> Result<Tensor<1>, LossError> {
        if is_recording(&device_of(model)) {
            return Ok(loss(model, batch));
        }
        let inputs = ModelInputs::of(model);
        if !inputs.is_trained() {
            let copy = copy_for_gradients(model, false);
            let record = |device: &Device, batch: B| recorded(&copy, device, batch, loss);
            return self.run(
                &ModelInputs::of(&copy),
                &copy,
                batch,
                record,
                |known, given| Ok(known.program.value(given.model, given.batch)?),
            );
        }
        let record = |device: &Device, batch: B| recorded(model, device, batch, loss);
        self.run(&inputs, model, batch.clone(), record, |known, given| {
            let found = known.program.tracked(model, given.model, given.batch)?;
            // Afterwards, so that the loss has the draws that the caller has seeded.
            if checks && !known.is_checked {
                known.is_checked = check(&mut known.program, model, given, &batch, loss)?;
            }
            Ok(found)
        })
    }

    /// Outputs of any shape, flat and off autodiff.
    pub(super) fn outputs<M: Module, B: Batch, const R: usize>(
        &self,
        model: &M,
        batch: &B,
        outputs: &dyn Fn(&M, &B) -> Tensor<R>,
    ) -> Result<Tensor<1>, LossError> {
        let copy = copy_for_gradients(model, is_training(model));
        let record = |device: &Device, batch: B| {
            let trace = OutputTrace::new(
                copy.clone(),
                device.settings(),
                |inputs| traced(batch, inputs),
                outputs,
            )?;
            let program = RecordedLoss::of_outputs(&trace, device)?;
            Ok((program, trace.field_notes))
        };
        self.run(
            &ModelInputs::of(&copy),
            &copy,
            batch.clone(),
            record,
            |known, given| Ok(known.program.value(given.model, given.batch)?),
        )
    }

    /// Whether nothing has been recorded.
    pub(super) fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    pub(super) fn field_notes(&self) -> FieldNotes {
        let programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = FieldNotes::default();
        for known in programs.iter() {
            all.extend(&known.notes);
        }
        all
    }

    fn run<M: Module, B: Batch, T>(
        &self,
        inputs: &ModelInputs,
        model: &M,
        batch: B,
        record: impl FnOnce(&Device, B) -> Result<(RecordedLoss, FieldNotes), LossError>,
        work: impl FnOnce(&mut Known, Given<'_>) -> Result<T, LossError>,
    ) -> Result<T, LossError> {
        let device = device_of(model);
        let settings = device.settings();
        let Tensors { values, signature } = Tensors::of(batch.clone());
        let mut programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = programs.iter().position(|known| {
            // What a batch holds besides tensors is part of its program.
            B::IS_ONLY_TENSORS
                && known.batch == signature
                && known.settings == settings
                && known.device == device
                && known.model.check_same(inputs).is_ok()
        });
        let mut known = match found {
            Some(index) => programs.remove(index),
            None => {
                let (program, notes) = record(&device, batch)?;
                Known {
                    program,
                    notes,
                    model: inputs.clone().without_bindings(),
                    batch: signature,
                    settings,
                    device,
                    is_checked: false,
                }
            }
        };
        let given = Given {
            model: inputs,
            batch: &values,
        };
        let result = work(&mut known, given)?;
        let device = known.device.clone();
        programs.push(known);
        let mut own = programs.iter().filter(|known| known.device == device);
        if own.nth(MOST_PROGRAMS).is_some()
            && let Some(first) = programs.iter().position(|known| known.device == device)
        {
            programs.remove(first);
        }
        Ok(result)
    }
}

/// The tensors that a program runs on.
#[derive(Clone, Copy)]
struct Given<'g> {
    model: &'g ModelInputs,
    batch: &'g [DispatchTensor],
}

fn device_of<M: Module>(model: &M) -> Device {
    model.devices().first().cloned().unwrap_or_default()
}

fn recorded<M: Module, B: Batch>(
    model: &M,
    device: &Device,
    batch: B,
    loss: Loss<'_, M, B>,
) -> Result<(RecordedLoss, FieldNotes), LossError> {
    let statistics = RunningStatistics::of(model);
    if is_training(model) && !statistics.is_empty() {
        let paths = statistics.paths().map(String::from).collect();
        return Err(LossError::RunningStatistics { paths });
    }
    let trace = GradientTrace::new(
        model.clone(),
        device.settings(),
        |inputs| traced(batch, inputs),
        loss,
    )?;
    Ok((RecordedLoss::new(&trace, device)?, trace.field_notes))
}

/// Compares a program with Burn, at the weights and near them. Returns whether there was anything finite to compare,
/// or nothing that Burn can compute.
fn check<M: Module, B: Batch>(
    program: &mut RecordedLoss,
    model: &M,
    given: Given<'_>,
    batch: &B,
    loss: Loss<'_, M, B>,
) -> Result<bool, LossError> {
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
        let burn = called(|| loss(model, batch.clone()))?;
        begin();
        let own = program.tracked(model, inputs, given.batch)?;
        let sides = sides(&space, model, &burn, &own)?;
        if seen.is_none() {
            seen = Some((number(&burn)?, number(&own)?));
        }
        Ok::<_, LossError>(sides)
    };
    let own = match at(model, given.model) {
        Err(LossError::Trace(LinearizeError::NotRecorded)) => return Ok(true),
        found => found?,
    };
    let nearby = Nearby::around(&ParamVector::from_module(&space, model)?)?;
    let tolerance = (4.0 * epsilon(dtype).sqrt()).min(0.1);
    let mut is_finite = true;
    // One after the other: at a minimum the terms of the gradient cancel, and those of the loss do not.
    for which in 0..2 {
        let own = own.map(|sides| sides[which]);
        let found = compare_nearby(tolerance, dtype, own, |distance| {
            let moved = nearby.displacement(distance)?.perturb(model, 1.0)?;
            let found = at(&moved, &ModelInputs::of(&moved))?;
            Ok::<_, LossError>(found.map(|sides| sides[which]))
        })?;
        match found {
            Agreement::Equal => {}
            Agreement::NotFinite => is_finite = false,
            Agreement::Different { defect } => {
                let (burn, recorded) = seen.unwrap_or((f64::NAN, f64::NAN));
                return Err(LossError::RecordedDiffers {
                    burn,
                    recorded,
                    defect,
                });
            }
        }
    }
    Ok(is_finite)
}

/// The differences of two losses and of their gradients; `None` if one is not finite.
fn sides<M: Module>(
    space: &ParamSpace,
    model: &M,
    burn: &Tensor<1>,
    own: &Tensor<1>,
) -> Result<Option<[Sides; 2]>, LossError> {
    check_scalar(burn)?;
    let [first, second] = [number(burn)?, number(own)?];
    let losses = Sides {
        difference: (first - second).abs(),
        size: first.abs() + second.abs(),
    };
    let vector = |loss: &Tensor<1>| {
        let gradients = gradients(loss, model)?;
        Ok::<_, LossError>(LeafVector::from_gradients(space, &gradients)?.widen())
    };
    let (burn, own) = (vector(burn)?, vector(own)?);
    let gradients = Sides {
        difference: burn.axpby(1.0, -1.0, &own)?.norm()?,
        size: burn.norm()? + own.norm()?,
    };
    let both = [losses, gradients];
    let is_finite = |sides: &Sides| sides.difference.is_finite() && sides.size.is_finite();
    Ok(both.iter().all(is_finite).then_some(both))
}

fn number(loss: &Tensor<1>) -> Result<f64, LossError> {
    Ok(to_host(loss.clone().inner())?
        .first()
        .copied()
        .unwrap_or(f64::NAN))
}
