use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::DeviceSettings;
use burnscape_linearize::{LinearMap, LinearizeError, OutputTrace, TracedParam};

use super::reverse::Reverse;
use super::{CurvatureConfig, CurvatureError};
use crate::loss::{
    Draws, LossError, Mode, Observer, Progress, Reduction, Risk, SharedData, Source, Work,
};
use crate::space::{ParamSpace, copy_for_gradients};

/// Where an operator is made: a loss over data at a model, and how.
pub(super) struct Site<'r, 'a, M> {
    pub(super) source: &'r (dyn Source<M> + 'r),
    /// Its data, where they can be read again later.
    pub(super) data: Option<SharedData<'a>>,
    pub(super) config: CurvatureConfig,
    pub(super) reduction: Reduction,
    pub(super) draws: Draws,
    pub(super) observer: Observer<'a>,
    pub(super) space: ParamSpace,
    pub(super) settings: DeviceSettings,
    copy: M,
}

impl<'r, 'a, M: Module> Site<'r, 'a, M> {
    pub(super) fn new<K>(
        config: &CurvatureConfig,
        risk: &'r Risk<'a, M, K>,
        model: &M,
    ) -> Result<Self, CurvatureError> {
        config.check()?;
        let space = risk.space(model)?;
        space.dtype()?;
        Ok(Self {
            source: &**risk.source(),
            data: Some(risk.source().clone()),
            config: *config,
            reduction: risk.reduction(),
            draws: risk.draws(),
            observer: risk.observer().clone(),
            settings: space.device().settings(),
            space,
            copy: copy_for_gradients(model, risk.mode() == Mode::Train),
        })
    }

    /// Of data that are not read again: everything that a product reads is kept, and nothing is checked.
    pub(super) fn of_kept(
        source: &'r (dyn Source<M> + 'r),
        reduction: Reduction,
        (mode, draws): (Mode, Draws),
        model: &M,
    ) -> Result<Self, CurvatureError> {
        let space = ParamSpace::of(model)?;
        space.dtype()?;
        Ok(Self {
            source,
            data: None,
            config: CurvatureConfig::new()
                .with_checks(false)
                .with_residual_budget(usize::MAX),
            reduction,
            draws,
            observer: Observer::default(),
            settings: space.device().settings(),
            space,
            copy: copy_for_gradients(model, mode == Mode::Train),
        })
    }

    /// A copy of the model to be traced.
    pub(super) fn model(&self) -> M {
        self.copy.clone()
    }

    /// Where the parameters of the space are in a trace.
    pub(super) fn chosen(&self, traced: &[TracedParam]) -> Result<Vec<usize>, CurvatureError> {
        let found = self.space.leaves().iter().map(|leaf| {
            let position = traced
                .iter()
                .position(|parameter| parameter.id == leaf.id());
            position.ok_or_else(|| {
                let message = format!("the parameter `{}` was not traced", leaf.path());
                LinearizeError::Internal { message }.into()
            })
        });
        found.collect()
    }

    /// How to find out whether the way back from the outputs is that of the way to them; nothing without
    /// checks.
    pub(super) fn reverse_of_outputs(
        &self,
        trace: &OutputTrace,
        wrt: &[usize],
    ) -> Result<Option<Reverse>, CurvatureError> {
        if !self.config.checks {
            return Ok(None);
        }
        Ok(Some(Reverse::Outputs(Box::new([
            LinearMap::jacobian(trace, wrt, self.settings)?,
            LinearMap::jacobian_transposed(trace, wrt, self.settings)?,
        ]))))
    }

    /// Shows the observer a batch of the construction.
    pub(super) fn report(&self, batches: usize) -> Result<(), CurvatureError> {
        let progress = Progress::new(Work::Linearization, batches).of(self.source.num_batches());
        stopped(self.observer.report(&progress))
    }
}

/// Where the parameters of a space are among the inputs of a trace.
pub(super) fn positions(chosen: &[usize], traced: &[TracedParam]) -> Vec<usize> {
    let inputs = chosen.iter().map(|&index| traced[index].input);
    inputs.collect()
}

/// A break of the observer, as an error of the product under way.
pub(super) fn stopped(flow: ControlFlow<()>) -> Result<(), CurvatureError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(CurvatureError::Stopped),
    }
}

/// Data that have changed since they were read.
pub(super) fn number_of_batches(first: usize, second: usize) -> CurvatureError {
    LossError::NotDeterministic {
        what: "number of batches",
        first: first as f64,
        second: second as f64,
    }
    .into()
}
