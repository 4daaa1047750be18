use burn::module::Module;
use burn::optim::GradientsParams;

use super::core::SamCore;
use super::oracle::ClosureOracle;
use super::{
    Ascent, Combination, IntoEvaluation, OptimError, RhoSchedule, SamConfig, SkipReason, Source,
    StepReport, Tied,
};
use crate::space::BufferSnapshot;

impl SamConfig {
    /// The sharpness-aware gradients of a closure, for use *inside* a `TrainStep::step` of one's
    /// own: what is returned goes into the `TrainOutput` in place of the plain gradients.
    ///
    /// `TrainStep::step` sees no learning rate, no step number and no optimizer, so this serves
    /// ascents without a memory only: no Friendly SAM, LookSAM, decoupled WSAM, schedule, window,
    /// mask, dropout seed or random starts, and no tying of parameters. With several devices, each
    /// one's batch is displaced on its own (m-sharpness with one group a device). The custom training strategy has none of these limits.
    ///
    /// If a pass is not finite, the gradients at the weights are given back unchanged, and the report
    /// says so; statistics written by a first pass that is not finite are put back.
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
        self.validate()?;
        if let Some(feature) = self.memory() {
            return Err(OptimError::NeedsState { feature });
        }
        let mut core = SamCore::new(self.clone());
        core.refuse_what_needs_batch()?;
        let space = core.space(model)?;
        let before = BufferSnapshot::of(model);
        let mut oracle = ClosureOracle(closure);
        // The rate enters the report's edge only, and there is none to be had here.
        match core.passes(&0.0.into(), model, &space, &mut oracle) {
            Err(error) => {
                drop(before.restore(model.clone()));
                Err(error)
            }
            Ok(passes) if passes.report.skipped.is_some() => {
                if passes.report.skipped == Some(SkipReason::NonFinite) {
                    drop(before.restore(model.clone()));
                }
                Ok((passes.gradient.into_gradients(), passes.report))
            }
            Ok(passes) => {
                let report = passes.report.clone();
                let descent = core.combine(passes)?;
                Ok((descent.gradient.into_gradients(), report))
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
            (self.draws_seed.is_some(), "a dropout seed"),
            (self.tied == Tied::Retie, "tying parameters again"),
            (
                matches!(self.ascent, Ascent::Projected { restarts, .. } if restarts > 1),
                "projected ascent with random starts",
            ),
        ];
        parts
            .into_iter()
            .find(|(is_set, _)| *is_set)
            .map(|(_, name)| name)
    }
}
