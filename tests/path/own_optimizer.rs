//! An optimizer as another crate would write it.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burnscape::optim::{ClosureStep, IntoEvaluation, OptimError, OptimRecord, StepReport};
use burnscape::space::{LeafVector, ParamSpace};

/// Descent with momentum and a rate that falls with every step.
#[derive(Debug, Clone, Default)]
pub(crate) struct FallingMomentum {
    steps: u32,
    velocity: Option<LeafVector>,
}

const KIND: &str = "falling momentum";

impl ClosureStep for FallingMomentum {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        let space = ParamSpace::of(model)?;
        let mut evaluation = closure(model).into_evaluation(model)?;
        let gradient = evaluation.gradient(&space)?;
        let mut report = StepReport::default();
        report.loss = evaluation.loss()?;
        report.gradient_norm = gradient.norm()?;
        report.num_gradients = 1;
        let velocity = match &self.velocity {
            None => gradient,
            Some(velocity) => velocity.axpby(0.9, 1.0, &gradient)?,
        };
        self.steps += 1;
        *model = velocity.perturb(model, -lr.into().base() / f64::from(self.steps))?;
        self.velocity = Some(velocity);
        Ok(report)
    }

    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        OptimRecord::new(KIND, model)?
            .with_state(&self.steps)?
            .with_vector("velocity", self.velocity.as_ref())
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        Ok(Self {
            steps: record.state()?,
            velocity: record.vector("velocity", &space),
        })
    }
}
