use burn::module::Module;
use burn::optim::GradientsParams;

use super::SamConfig;
use super::machine::SamMachine;
use super::needs::Door;
use super::oracle::ClosureOracle;
use crate::optim::{IntoEvaluation, OptimError, SkipReason, StepReport};
use crate::space::BufferSnapshot;

impl SamConfig {
    /// The sharpness-aware gradients of a closure, for use *inside* a `TrainStep::step` of one's
    /// own: what is returned goes into the `TrainOutput` in place of the plain gradients.
    ///
    /// `TrainStep::step` sees no learning rate, no step number and no optimizer, so this serves
    /// ascents without a memory only: no Friendly SAM, LookSAM, decoupled WSAM, schedule, active
    /// steps, mask, dropout seed or random starts, and no tying of parameters. With several devices, each
    /// one's batch is displaced on its own (m-sharpness with one group a device). The custom training strategy has none of these limits.
    ///
    /// If a pass is not finite, the gradients at the weights are given back unchanged, and the report
    /// says so; statistics written by a first pass that is not finite are put back.
    ///
    /// # Errors
    ///
    /// [`OptimError::NeedsState`] names what has a memory; otherwise as
    /// [`Sam::step`](crate::optim::Sam::step).
    pub fn gradients<M, F, R>(
        &self,
        model: &M,
        closure: F,
    ) -> Result<(GradientsParams, StepReport), OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation,
    {
        self.validate()?;
        self.admit(Door::Stateless)?;
        let mut machine = SamMachine::new(self.clone());
        let space = machine.space(model)?;
        let before = BufferSnapshot::of(model);
        let mut oracle = ClosureOracle(closure);
        // The rate enters the report's edge only, and there is none to be had here.
        let passes = machine.passes(&0.0.into(), model, &space, &mut oracle);
        let finished = passes.and_then(|step| machine.finish(step));
        let keeps_statistics = match &finished {
            Ok((report, _)) => report.skipped != Some(SkipReason::NonFinite),
            Err(_) => false,
        };
        if !keeps_statistics {
            drop(before.restore(model.clone()));
        }
        let (report, descent) = finished?;
        Ok((descent.gradient.into_gradients(), report))
    }
}
