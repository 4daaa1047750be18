use burn::optim::OptimizerRecord;

use super::EdgeRule;
use super::denominator::Denominator;
use super::preconditioned_hessian::PreconditionedHessian;
use super::states::{States, other};
use crate::curvature::Hessian;
use crate::dynamics::DynamicsError;
use crate::space::{ParamSpace, ParamVector};

/// The diagonal matrix `P` by which an optimizer divides its gradient in one moment, with the edge of `P⁻¹(H + δ)`.
pub(crate) struct Preconditioner {
    rule: EdgeRule,
    /// `P^(−½)`.
    root: ParamVector,
}

impl Preconditioner {
    pub(super) fn new(
        denominator: Denominator,
        rule: EdgeRule,
        record: OptimizerRecord,
        space: &ParamSpace,
    ) -> Result<Option<Self>, DynamicsError> {
        let Some(states) = States::read(record, denominator.name())? else {
            return Ok(None);
        };
        let is_divisor = |p: &f64| *p > 0.0 && p.is_finite();
        let mut roots = Vec::with_capacity(space.len());
        for leaf in space.leaves() {
            let diagonal = denominator.diagonal(&states.of(leaf)?)?;
            if let Some(wrong) = diagonal.iter().find(|p| !is_divisor(p)) {
                return Err(other(format!(
                    "{} divides a gradient of `{}` by {wrong}; use an epsilon above zero, or, if the training has \
                     diverged, a lower rate",
                    denominator.name(),
                    leaf.path()
                )));
            }
            roots.extend(diagonal.into_iter().map(|p| p.sqrt().recip()));
        }
        Ok(Some(Self {
            rule,
            root: ParamVector::from_host(space, &roots)?,
        }))
    }

    /// `P^(−½) (H + δ) P^(−½)`, whose eigenvalues are those of `P⁻¹(H + δ)`; `δ` is the decay that the optimizer adds to
    /// the gradient.
    pub(crate) fn scaled<'h, 'a>(
        &self,
        hessian: &'h Hessian<'a>,
    ) -> Result<PreconditionedHessian<'h, 'a>, DynamicsError> {
        self.root.space().check_same(hessian.space())?;
        let (root, decay) = (self.root.clone(), self.rule.coupled_decay());
        Ok(PreconditionedHessian::new(hessian, root, decay))
    }

    /// The largest eigenvalue of [`scaled`](Self::scaled) at which the optimizer is stable.
    pub(crate) fn edge(&self, lr: f64) -> Option<f64> {
        // No rule with a preconditioner reads the gradient.
        self.rule.edge(lr, 0.0)
    }
}

#[cfg(test)]
mod tests;
