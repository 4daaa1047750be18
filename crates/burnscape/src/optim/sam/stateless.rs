use burn::module::Module;
use burn::optim::GradientsParams;

use super::machine::SamMachine;
use super::needs::Door;
use super::oracle::ClosureOracle;
use super::{Sam, SamConfig};
use crate::optim::{IntoEvaluation, OptimError, StepReport};
use crate::space::BufferSnapshot;

impl Sam {
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
    pub fn gradients<M: Module, R: IntoEvaluation>(
        config: &SamConfig,
        model: &M,
        closure: impl FnMut(&M) -> R,
    ) -> Result<(GradientsParams, StepReport), OptimError> {
        config.validate()?;
        config.admit(Door::Stateless)?;
        let mut machine = SamMachine::new(config.clone());
        let space = machine.space(model)?;
        let before = BufferSnapshot::of(model);
        let mut oracle = ClosureOracle(closure);
        // The rate enters the report's edge only, and there is none to be had here.
        let (report, descent) = machine.run(&0.0.into(), model, &space, &before, &mut oracle)?;
        Ok((descent.gradient.into_gradients(), report))
    }
}
