use std::ops::ControlFlow;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DeviceSettings, Tensor};
use burnscape_linearize::{LinearMap, LinearizeError, OutputTrace, TracedParam};

use super::CurvatureError;
use super::batch_points::{Setup, TraceBatch, Traced};
use super::reverse::Reverse;
use super::stale::FirstValue;
use super::watch::Watch;
use super::weights::Weighting;
use crate::loss::scalar::called;
use crate::loss::{
    Draws, InParts, Lift, LossError, Mode, Observer, OperatorSettings, Progress, Reduction, Risk,
    RiskBatch, SharedData, Source, SourceInParts, Work,
};
use crate::space::{ParamSpace, copy_for_gradients};

/// The site of an operator: a loss over data, a model, and settings.
pub(super) struct Site<'r, 'a, M> {
    pub(super) source: &'r (dyn Source<M> + 'r),
    /// The data, if it can be read again later.
    pub(super) data: Option<SharedData<'a>>,
    pub(super) operators: OperatorSettings,
    pub(super) reduction: Reduction,
    pub(super) draws: Draws,
    pub(super) mode: Mode,
    pub(super) observer: Observer<'a>,
    pub(super) space: ParamSpace,
    pub(super) settings: DeviceSettings,
    /// The least number of parts of a batch whose joint loss is computed; zero where batches are whole.
    pub(super) joined: u64,
    /// Whether the gradient of each batch is kept, to be added in the order of the whole data.
    pub(super) in_order: bool,
    /// The most examples of a part, if another device has split its batches.
    pub(super) examples: Option<usize>,
    /// Watches the batches where there are several devices.
    watch: Option<&'r (dyn Watch + 'r)>,
    copy: M,
}

impl<'r, 'a, M: Module> Site<'r, 'a, M> {
    pub(super) fn new<K>(risk: &'r Risk<'a, M, K>, model: &M) -> Result<Self, CurvatureError> {
        let operators = risk.operators()?;
        let space = risk.space(model)?;
        space.dtype()?;
        Ok(Self {
            source: &**risk.source(),
            data: Some(risk.source().clone()),
            operators,
            reduction: risk.reduction(),
            draws: risk.draws(),
            mode: risk.mode(),
            observer: risk.observer().clone(),
            settings: space.device().settings(),
            space,
            joined: 0,
            in_order: false,
            examples: None,
            watch: None,
            copy: copy_for_gradients(model, risk.mode() == Mode::Train),
        })
    }

    /// The same site as that of one of several devices.
    pub(super) fn watched(
        self,
        watch: &'r (dyn Watch + 'r),
        in_order: bool,
        examples: Option<usize>,
    ) -> Self {
        Self {
            in_order,
            examples,
            watch: Some(watch),
            ..self
        }
    }

    /// A site on one batch, which is not read again: all residuals are stored, and there are no checks.
    pub(super) fn of_batch(
        source: &'r (dyn Source<M> + 'r),
        reduction: Reduction,
        mode: Mode,
        draws: Draws,
        model: &M,
    ) -> Result<Self, CurvatureError> {
        let space = ParamSpace::of(model)?;
        space.dtype()?;
        Ok(Self {
            source,
            data: None,
            operators: OperatorSettings {
                residual_budget: Some(usize::MAX),
                checks: false,
                fingerprints: false,
                ..OperatorSettings::default()
            },
            reduction,
            draws,
            mode,
            observer: Observer::default(),
            settings: space.device().settings(),
            space,
            joined: 0,
            in_order: false,
            examples: None,
            watch: None,
            copy: copy_for_gradients(model, mode == Mode::Train),
        })
    }

    /// The same site on data in parts.
    pub(super) fn in_parts<'s>(&'s self, parts: &'s SourceInParts<'s, M>) -> Site<'s, 'a, M> {
        let data = self.data.clone().map(|whole| {
            let examples = parts.examples;
            Arc::new(InParts { whole, examples }) as SharedData<'a>
        });
        Site {
            source: parts,
            data,
            operators: self.operators,
            reduction: self.reduction,
            draws: self.draws,
            mode: self.mode,
            observer: self.observer.clone(),
            space: self.space.clone(),
            settings: self.settings,
            joined: 2,
            in_order: self.in_order,
            examples: None,
            watch: self.watch,
            copy: self.copy.clone(),
        }
    }

    /// A copy of the model for tracing.
    pub(super) fn model(&self) -> M {
        self.copy.clone()
    }

    /// The loss of a batch, or the values in front of its criterion, flat: computed by the closure itself, without a
    /// trace. `begin` seeds the draws.
    ///
    /// # Cost
    ///
    /// One forward pass.
    pub(super) fn evaluated(
        &self,
        batch: &dyn RiskBatch<M>,
        what: FirstValue,
        begin: impl Fn(),
    ) -> Result<Tensor<1>, CurvatureError> {
        let evaluate = |model: M, lift: Lift| {
            begin();
            let value = called(|| match what {
                FirstValue::Loss => batch.loss(&model, lift, self.reduction),
                FirstValue::ExampleLosses | FirstValue::Outputs => batch.outputs(&model, lift),
            });
            value.map(Tensor::inner)
        };
        if self.mode == Mode::Eval {
            match evaluate(self.copy.valid(), Lift::Plain) {
                // The closure may compute a gradient itself.
                Err(LossError::Panicked { .. }) => {}
                found => return Ok(found?),
            }
        }
        // The running statistics of this copy are its own.
        let copy = copy_for_gradients(&self.copy, self.mode == Mode::Train);
        let lift = Lift::for_gradients(&copy);
        Ok(evaluate(copy, lift)?)
    }

    /// A setup with the weights of the loss, without noise.
    pub(super) fn setup<'t>(&self, trace: &'t TraceBatch<'t, M>) -> Setup<'t, M> {
        Setup {
            weighting: Weighting::Loss(self.reduction),
            first: FirstValue::Loss,
            keeps_gradients: false,
            noise_seed: 0,
            direction: None,
            trace,
        }
    }

    /// A traced batch with a map made from the trace of its outputs.
    pub(super) fn traced(
        &self,
        trace: OutputTrace,
        map: impl FnOnce(&OutputTrace, &[usize]) -> Result<LinearMap, LinearizeError>,
    ) -> Result<Traced, CurvatureError> {
        let wrt = self.chosen(&trace.parameters)?;
        Ok(Traced {
            reverse: self.reverse_of_outputs(&trace, &wrt)?,
            positions: positions(&wrt, &trace.parameters),
            maps: vec![map(&trace, &wrt)?],
            bindings: trace.bindings,
            noise: None,
        })
    }

    /// The positions of the parameters of the space in a trace.
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

    /// The maps that check the backward pass of the outputs; `None` without checks.
    fn reverse_of_outputs(
        &self,
        trace: &OutputTrace,
        wrt: &[usize],
    ) -> Result<Option<Reverse>, CurvatureError> {
        if !self.operators.checks {
            return Ok(None);
        }
        Ok(Some(Reverse::Outputs(Box::new([
            LinearMap::jacobian(trace, wrt, self.settings)?,
            LinearMap::jacobian_transposed(trace, wrt, self.settings)?,
        ]))))
    }

    /// Notes that the batch with this index in the whole data is under way.
    pub(super) fn begin(&self, batch: usize) -> Result<(), CurvatureError> {
        match self.watch {
            Some(watch) => watch.begin(batch),
            None => Ok(()),
        }
    }

    /// Reports a batch of the construction to the observer.
    pub(super) fn report(&self, batches: usize) -> Result<(), CurvatureError> {
        if let Some(watch) = self.watch {
            return watch.done(batches);
        }
        let progress = Progress::new(Work::Linearization, batches).of(self.source.num_batches());
        stopped(self.observer.report(&progress))
    }
}

/// The positions of parameters among the inputs of a trace.
pub(super) fn positions(chosen: &[usize], traced: &[TracedParam]) -> Vec<usize> {
    let inputs = chosen.iter().map(|&index| traced[index].input);
    inputs.collect()
}

/// Converts a break of the observer to an error.
pub(super) fn stopped(flow: ControlFlow<()>) -> Result<(), CurvatureError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(CurvatureError::Stopped),
    }
}

/// The error for data whose number of batches has changed.
pub(super) fn number_of_batches(first: usize, second: usize) -> CurvatureError {
    LossError::NotDeterministic {
        what: "number of batches",
        first: first as f64,
        second: second as f64,
    }
    .into()
}
