use burnscape_krylov::{SolutionKind, TrustRegionConfig};

use super::{AscentContext, AscentRule, Perturbation};
use crate::OutOfRange;
use crate::optim::report::InnerMaximum;
use crate::optim::{Need, OptimError};
use crate::range::{POSITIVE, ensure};

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
        let found = context.model_maximum(&ball)?;
        context.maximum = Some(InnerMaximum {
            num_matvecs: found.num_matvecs,
            rise: found.value,
            residual: found.residual,
            outcome: found.outcome,
            certified: found.certified,
            hard_cases: usize::from(found.kind == SolutionKind::HardCase),
        });
        let mut highest = context.evaluate(&found.v.to_leaves())?;
        if let Some(mirror) = found.mirror {
            // The model of the loss has the same value at both points. A loss that is not finite counts as the highest.
            let value = highest.loss()?.unwrap_or(f64::NAN);
            if value.is_finite() {
                let mut other = context.evaluate(&mirror.to_leaves())?;
                let mirrored = other.loss()?.unwrap_or(f64::NAN);
                if !mirrored.is_finite() || mirrored > value {
                    highest = other;
                }
            }
        }
        Ok(Perturbation::Evaluated(highest))
    }
}
