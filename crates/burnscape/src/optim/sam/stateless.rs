use burn::module::Module;
use burn::optim::GradientsParams;

use super::machine::SamMachine;
use super::needs::EntryPoint;
use super::oracle::ClosureOracle;
use super::{Sam, SamConfig};
use crate::optim::{IntoEvaluation, OptimError, StepReport};
use crate::space::BufferSnapshot;

impl Sam {
    /// The sharpness-aware gradients of a closure, for use *inside* your `TrainStep::step`: put them into the
    /// `TrainOutput` in place of the plain gradients.
    ///
    /// `TrainStep::step` has no access to the learning rate, the number of the step and the optimizer. Variants that
    /// need these are refused: Friendly SAM, LookSAM, decoupled WSAM, schedules, active steps, masks, dropout seeds,
    /// random starts and tied parameters. With several devices, the batch of each has a separate displacement
    /// (m-sharpness with one group per device). `Sam::strategy` has none of these limits.
    ///
    /// If a pass is not finite, the result is the gradients at the weights, and the report states it; running
    /// statistics are restored after a first pass that is not finite.
    ///
    /// # Errors
    ///
    /// [`OptimError::Unmet`] names the part that needs more; otherwise as [`Sam::step`].
    pub fn gradients<M: Module, R: IntoEvaluation>(
        config: &SamConfig,
        model: &M,
        closure: impl FnMut(&M) -> R,
    ) -> Result<(GradientsParams, StepReport), OptimError> {
        config.validate()?;
        config.admit(EntryPoint::Stateless)?;
        let mut machine = SamMachine::new(config.clone());
        let space = machine.space(model)?;
        let before = BufferSnapshot::of(model);
        let mut oracle = ClosureOracle(closure);
        // The rate enters the report's edge only, and there is none to be had here.
        let (report, descent) = machine.run(&0.0.into(), model, &space, &before, &mut oracle)?;
        Ok((descent.gradient.into_gradients(), report))
    }
}
