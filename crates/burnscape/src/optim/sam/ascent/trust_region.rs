use crate::range::{POSITIVE, ensure};
use burn::module::Module;
use burnscape_krylov::{SolutionKind, TrustRegionConfig};

use super::{AscentContext, AscentRule, Perturbation};
use crate::OutOfRange;
use crate::loss::{Batch, Objective};
use crate::optim::batch_hessian::batch_hessian;
use crate::optim::evaluation::Evaluation;
use crate::optim::report::InnerMaximum;
use crate::optim::{Need, OptimError};
use crate::space::{LeafVector, ParamVector};

/// [`Ascent::TrustRegion`](super::Ascent::TrustRegion).
#[derive(Debug, Clone)]
pub(super) struct TrustRegion {
    pub(super) max_basis: usize,
    pub(super) tolerance: f64,
}

impl AscentRule for TrustRegion {
    type Memory = ();

    fn name(&self) -> &'static str {
        "trust-region ascent"
    }

    fn needs(&self) -> &'static [Need] {
        // The loss is traced, and the random vector differs from step to step.
        &[Need::Ball, Need::Batch, Need::Memory]
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("max_basis", self.max_basis as f64, 1.0..)?;
        ensure("tolerance", self.tolerance, POSITIVE)
    }

    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let ball = TrustRegionConfig::new(context.rho)
            .with_max_basis(self.max_basis)
            .with_tolerance(self.tolerance)
            .with_seed(context.seed);
        let points = context.model_maximum(&ball)?;
        Ok(Perturbation::Evaluated(highest(points, context)?))
    }
}

/// The maximum of the quadratic model of a loss in a ball: a point, or two of the same value.
pub(in crate::optim) struct ModelMaximum {
    pub(in crate::optim) points: Vec<LeafVector>,
    pub(in crate::optim) report: InnerMaximum,
}

/// `max gᵀv + ½ vᵀHv` over `|v| ≤ rho` with the exact Hessian of the batch's loss, in the mode that
/// the model is in. The gradient is taken with the Hessian, so that both belong to one function even with dropout.
pub(in crate::optim::sam) fn maximize_model<M: Module, B: Batch>(
    model: &M,
    objective: &impl Objective<M, B>,
    batch: &B,
    ball: &TrustRegionConfig,
    draws_seed: Option<u64>,
) -> Result<ModelMaximum, OptimError> {
    let hessian = batch_hessian(model, objective, batch, draws_seed)?;
    let found = ball.maximize(&hessian, &hessian.gradient()?)?;
    let report = InnerMaximum {
        num_matvecs: found.num_matvecs,
        rise: found.value,
        residual: found.residual,
        converged: found.outcome.is_converged(),
        certified: found.certified,
        hard_cases: usize::from(found.kind == SolutionKind::HardCase),
    };
    let points = [Some(found.v), found.mirror];
    let points = points.iter().flatten().map(ParamVector::to_leaves);
    Ok(ModelMaximum {
        points: points.collect(),
        report,
    })
}

/// The evaluation at the point with the largest loss; the model of the loss has the same value at all. A point that is
/// not finite ends the search, because no higher one can be found.
fn highest(
    points: Vec<LeafVector>,
    context: &mut AscentContext<'_>,
) -> Result<Evaluation, OptimError> {
    let is_only = points.len() == 1;
    let mut best: Option<(f64, Evaluation)> = None;
    for point in points {
        let mut evaluation = context.evaluate(&point)?;
        if is_only {
            return Ok(evaluation);
        }
        let value = evaluation.loss()?.unwrap_or(f64::NAN);
        if !value.is_finite() {
            return Ok(evaluation);
        }
        if best.as_ref().is_none_or(|(highest, _)| value > *highest) {
            best = Some((value, evaluation));
        }
    }
    match best {
        Some((_, evaluation)) => Ok(evaluation),
        None => Err(OptimError::MissingGradient),
    }
}
