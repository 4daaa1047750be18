use crate::range::{POSITIVE, ensure};
use burn::module::Module;
use burnscape_krylov::{SolutionKind, TrustRegionConfig};

use super::{AscentContext, AscentRule, Perturbation};
use crate::loss::{Batch, Objective};
use crate::optim::batch_hessian::batch_hessian;
use crate::optim::evaluation::Evaluation;
use crate::optim::report::InnerMaximum;
use crate::optim::sam::SamPart;
use crate::optim::{Need, OptimConfigError, OptimError};
use crate::space::{LeafVector, ParamVector};

/// [`Ascent::TrustRegion`](super::Ascent::TrustRegion).
#[derive(Debug, Clone)]
pub(super) struct TrustRegion {
    pub(super) max_basis: usize,
    pub(super) tolerance: f64,
    pub(super) seed: u64,
}

impl SamPart for TrustRegion {
    type Memory = ();

    fn name(&self) -> &'static str {
        "trust-region ascent"
    }

    fn needs(&self) -> &'static [Need] {
        // The loss is traced, and the random vector drawn anew in every step.
        &[Need::Ball, Need::Batch, Need::Memory]
    }

    fn validate(&self) -> Result<(), OptimConfigError> {
        let vectors = self.max_basis as f64;
        ensure("max_basis", vectors, 1.0..)?;
        Ok(ensure("tolerance", self.tolerance, POSITIVE)?)
    }
}

impl AscentRule for TrustRegion {
    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let points = context.model_maximum(self.max_basis, self.tolerance, self.seed)?;
        Ok(Perturbation::Evaluated(highest(points, context)?))
    }
}

/// The settings of one inner maximization.
#[derive(Debug, Clone, Copy)]
pub(in crate::optim) struct Ball {
    pub(in crate::optim) rho: f64,
    pub(in crate::optim) max_basis: usize,
    pub(in crate::optim) tolerance: f64,
    pub(in crate::optim) seed: u64,
    /// What the device is seeded with before masks are drawn.
    pub(in crate::optim) draws_seed: Option<u64>,
}

/// Where the quadratic model of a loss is largest in a ball: a point, or two of the same value.
pub(in crate::optim) struct ModelMaximum {
    pub(in crate::optim) points: Vec<LeafVector>,
    pub(in crate::optim) report: InnerMaximum,
}

/// `max gᵀv + ½ vᵀHv` over `|v| ≤ rho` with the exact Hessian of the batch's loss, in the mode that
/// the model is in. The gradient is the one that comes with the Hessian, so that both are of one function
/// where dropout draws.
pub(in crate::optim::sam) fn maximize_model<M: Module, B: Batch>(
    model: &M,
    objective: &impl Objective<M, B>,
    batch: &B,
    ball: Ball,
) -> Result<ModelMaximum, OptimError> {
    let hessian = batch_hessian(model, objective, batch, ball.draws_seed)?;
    let found = TrustRegionConfig::new(ball.rho)
        .with_max_basis(ball.max_basis)
        .with_tolerance(ball.tolerance)
        .with_seed(ball.seed)
        .maximize(&hessian, &hessian.gradient()?)?;
    let report = InnerMaximum {
        products: found.num_matvecs,
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

/// The evaluation at the point with the largest loss, which the model of the loss cannot tell. A point that is
/// not finite is what the maximum looks like.
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
