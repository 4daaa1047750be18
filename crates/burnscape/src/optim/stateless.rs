use burn::module::Module;
use burn::optim::GradientsParams;

use super::core::SamCore;
use super::oracle::ClosureOracle;
use super::{Combination, IntoEvaluation, OptimError, RhoSchedule, SamConfig, Source, StepReport};
use crate::space::BufferSnapshot;

impl SamConfig {
    /// The sharpness-aware gradients of a closure, for use *inside* a `TrainStep::step` of one's
    /// own: what is returned goes into the `TrainOutput` in place of the plain gradients.
    ///
    /// `TrainStep::step` sees no learning rate, no step number and no optimizer, so this serves
    /// ascents without a memory only: no Friendly SAM, LookSAM, decoupled WSAM, schedule, window or
    /// mask. With several devices, each one's batch is displaced on its own (m-sharpness with one
    /// group a device). The custom training strategy has none of these limits.
    ///
    /// A first pass that is not finite gives its gradients back unchanged, and the report says so.
    ///
    /// # Errors
    ///
    /// [`OptimError::NeedsState`] names what has a memory; otherwise as
    /// [`Sam::step`](super::Sam::step).
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
        if let Some(feature) = self.memory() {
            return Err(OptimError::NeedsState { feature });
        }
        let mut core = SamCore::new(self.clone());
        core.refuse_what_needs_batch()?;
        let space = core.space(model)?;
        let before = BufferSnapshot::of(model);
        let mut oracle = ClosureOracle(closure);
        // The rate enters the report's edge only, and there is none to be had here.
        match core.passes(0.0, model, &space, &mut oracle) {
            Err(error) => {
                drop(before.restore(model.clone()));
                Err(error)
            }
            Ok(passes) if passes.report.skipped.is_some() => {
                Ok((passes.gradient.into_gradients(), passes.report))
            }
            Ok(passes) => {
                let descent = core.combine(passes.gradient, passes.second, passes.is_inside)?;
                Ok((descent.gradient.into_gradients(), passes.report))
            }
        }
    }

    /// Which part needs to know the step, the rate or the past, if any.
    fn memory(&self) -> Option<&'static str> {
        let parts = [
            (self.source != Source::Gradient, "Friendly SAM"),
            (
                matches!(self.combination, Combination::Look { .. }),
                "LookSAM",
            ),
            (
                matches!(
                    self.combination,
                    Combination::Weighted {
                        decoupled: true,
                        ..
                    }
                ),
                "decoupled WSAM",
            ),
            (self.schedule != RhoSchedule::Constant, "a schedule"),
            (self.window.is_some(), "a window"),
            (self.mask.is_some(), "a mask"),
        ];
        parts
            .into_iter()
            .find(|(is_set, _)| *is_set)
            .map(|(_, name)| name)
    }
}
