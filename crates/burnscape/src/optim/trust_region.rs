use burn::module::Module;
use burnscape_krylov::{TrustRegionConfig, TrustRegionPlace};

use super::OptimError;
use super::batch_hessian::batch_hessian;
use super::evaluation::{Evaluation, LossValue};
use super::report::InnerMaximum;
use crate::loss::{Batch, Objective};
use crate::space::{LeafVector, ParamVector, to_host};

/// The settings of one inner maximization.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ball {
    pub(super) rho: f64,
    pub(super) max_basis: usize,
    pub(super) tolerance: f64,
    pub(super) seed: u64,
    /// What the device is seeded with before masks are drawn.
    pub(super) draws_seed: Option<u64>,
}

/// Where the quadratic model of a loss is largest in a ball: a point, or two of the same value.
pub(super) struct ModelMaximum {
    pub(super) points: Vec<LeafVector>,
    pub(super) report: InnerMaximum,
}

/// `max gᵀv + ½ vᵀHv` over `|v| ≤ rho` with the exact Hessian of the batch's loss, in the mode that
/// the model is in. The gradient is the one that comes with the Hessian, so that both are of one function
/// where dropout draws.
pub(super) fn maximize_model<M: Module, B: Batch>(
    model: &M,
    objective: &impl Objective<M, B>,
    batch: &B,
    ball: Ball,
) -> Result<ModelMaximum, OptimError> {
    let hessian = batch_hessian(model, objective, batch, ball.draws_seed)?;
    let found = TrustRegionConfig::maximize(ball.rho)
        .with_max_basis(ball.max_basis)
        .with_tolerance(ball.tolerance)
        .with_seed(ball.seed)
        .run(&hessian, &hessian.gradient()?)?;
    let report = InnerMaximum {
        products: found.products,
        rise: found.value,
        residual: found.residual,
        converged: found.converged,
        certified: found.certified,
        hard_cases: usize::from(found.place == TrustRegionPlace::HardCase),
    };
    let points = [Some(found.v), found.twin];
    let points = points.iter().flatten().map(ParamVector::to_leaves);
    Ok(ModelMaximum {
        points: points.collect(),
        report,
    })
}

/// The evaluation at the point with the largest loss, which the model of the loss cannot tell, and the
/// number of gradients taken. A point that is not finite is what the maximum looks like.
pub(super) fn highest<M: Module>(
    model: &M,
    points: Vec<LeafVector>,
    evaluate: &mut dyn FnMut(&M) -> Result<Evaluation, OptimError>,
) -> Result<(Evaluation, usize), OptimError> {
    let is_only = points.len() == 1;
    let mut best: Option<(f64, Evaluation)> = None;
    let mut taken = 0;
    for point in points {
        let mut evaluation = evaluate(&point.displace_own(model, 1.0))?;
        taken += 1;
        if is_only {
            return Ok((evaluation, taken));
        }
        let value = match evaluation.loss.take_tensor() {
            Some(tensor) => to_host(tensor)?.first().copied(),
            None => evaluation.loss.number(),
        };
        let value = value.unwrap_or(f64::NAN);
        evaluation.loss = LossValue::Number(value);
        if !value.is_finite() {
            return Ok((evaluation, taken));
        }
        if best.as_ref().is_none_or(|(highest, _)| value > *highest) {
            best = Some((value, evaluation));
        }
    }
    match best {
        Some((_, evaluation)) => Ok((evaluation, taken)),
        None => Err(OptimError::MissingGradient),
    }
}
