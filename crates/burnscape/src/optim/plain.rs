use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::evaluation::Evaluation;
use super::rate::base_rate;
use super::ties::refuse_ties;
use super::{IntoEvaluation, OptimError, Sam, SkipReason, StepReport};
use crate::loss::scalar::called;
use crate::space::{BufferSnapshot, LeafVector, ParamSpace};

/// One gradient, for optimizers that do not ascend.
pub(super) struct PlainPass {
    /// `None` if the loss or the gradient is not finite; the report states it.
    pub(super) gradient: Option<LeafVector>,
    pub(super) report: StepReport,
}

/// Takes one gradient. On an error, and where it is not finite, running statistics are restored.
pub(super) fn plain_pass<M: Module, R: IntoEvaluation>(
    lr: &ModuleLearningRate,
    model: &M,
    closure: &mut impl FnMut(&M) -> R,
) -> Result<PlainPass, OptimError> {
    let space = ParamSpace::of(model)?;
    refuse_ties(&space)?;
    let lr = base_rate(lr, &space)?;
    let before = BufferSnapshot::of(model);
    let result = evaluate(lr, &space, model, closure);
    let is_finite = result.as_ref().is_ok_and(|pass| pass.gradient.is_some());
    if !is_finite {
        drop(before.restore(model.clone()));
    }
    result
}

fn evaluate<M: Module, R: IntoEvaluation>(
    lr: f64,
    space: &ParamSpace,
    model: &M,
    closure: &mut impl FnMut(&M) -> R,
) -> Result<PlainPass, OptimError> {
    let Evaluation { loss, gradients } = called(|| closure(model))?.into_evaluation(model)?;
    let gradient = LeafVector::from_gradients(space, &gradients)?;
    let (squares, loss) = loss.read_with(&[(&gradient, &gradient)])?;
    let norm = squares[0].sqrt().value();
    let is_finite = squares[0].is_finite() && loss.is_none_or(f64::is_finite);
    let report = StepReport {
        loss,
        gradient_norm: norm,
        num_gradients: 1,
        sam_edge: Sam::edge(norm, 0.0, lr),
        without_gradient: gradient.num_absent(),
        skipped: (!is_finite).then_some(SkipReason::NonFinite),
        ..StepReport::default()
    };
    Ok(PlainPass {
        gradient: is_finite.then_some(gradient),
        report,
    })
}
