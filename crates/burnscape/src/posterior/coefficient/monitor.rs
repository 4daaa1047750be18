//! The learning coefficient along a training run.

use burn::module::Module;

use super::{LearningCoefficient, LearningCoefficientConfig};
use crate::curvature::CurvatureError;
use crate::dynamics::{Cost, DynamicsError, Moment, Monitor, Quantity, Reading};
use crate::loss::Risk;
use crate::posterior::PosteriorError;
use crate::space::mix;

/// The model of the moment is `w₀`. Each step has its own seed: that of the posterior, mixed with the step.
impl<M: Module + 'static, K> Monitor<M, K> for LearningCoefficientConfig {
    type Reading = LearningCoefficient;
    type State = ();

    fn name(&self) -> &'static str {
        "learning_coefficient"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<LearningCoefficient, DynamicsError> {
        let mut config = self.clone();
        let seed = mix(config.posterior.seed(), moment.step as u64);
        config.posterior = config.posterior.with_seed(seed);
        let found = config.run(risk, moment.model)?;
        if !found.completed {
            return Err(PosteriorError::Stopped.into());
        }
        Ok(LearningCoefficient {
            posterior: None,
            ..found
        })
    }

    fn to_state(&self) -> Result<(), DynamicsError> {
        Ok(())
    }

    fn load_state(&mut self, (): ()) -> Result<(), DynamicsError> {
        Ok(())
    }
}

impl From<PosteriorError> for DynamicsError {
    fn from(error: PosteriorError) -> Self {
        match error {
            PosteriorError::OutOfRange(error) => error.into(),
            PosteriorError::Loss(error) => error.into(),
            PosteriorError::Space(error) => error.into(),
            PosteriorError::Curvature(error) => error.into(),
            PosteriorError::Krylov(fault) => CurvatureError::from(fault).into(),
            PosteriorError::Stopped => CurvatureError::Stopped.into(),
            other => Self::Measurement {
                message: other.to_string(),
            },
        }
    }
}

const QUANTITIES: &[Quantity<LearningCoefficient>] = &[
    Quantity {
        name: "learning_coefficient",
        description: "local learning coefficient, none where it is refused",
        value: |found| found.coefficient,
    },
    Quantity {
        name: "estimate",
        description: "nβ times the mean rise of the loss, a coefficient or not",
        value: |found| Some(found.estimate),
    },
    Quantity {
        name: "standard_error",
        description: "standard error of the estimate",
        value: |found| Some(found.standard_error),
    },
    Quantity {
        name: "ess",
        description: "effective sample size of the loss",
        value: |found| Some(found.diagnostics.ess),
    },
    Quantity {
        name: "rank_rhat",
        description: "rank-normalized R-hat of the loss",
        value: |found| Some(found.diagnostics.rank_rhat),
    },
    Quantity {
        name: "share_below",
        description: "share of the draws whose loss is below that of the model",
        value: |found| found.share_below,
    },
    Quantity {
        name: "descent_drop",
        description: "by how much descent from the model lowers nβ times the loss",
        value: |found| found.descent_drop,
    },
    Quantity {
        name: "base_loss",
        description: "loss of the model over the data of the monitor",
        value: |found| Some(found.base_loss),
    },
];

impl Reading for LearningCoefficient {
    fn quantities() -> &'static [Quantity<Self>] {
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

#[cfg(test)]
mod tests {
    use burnscape_krylov::KrylovFault;

    use super::*;
    use crate::loss::LossError;

    #[test]
    fn causes_keep_their_shape_and_other_errors_their_message() {
        let cause = LossError::EmptyData;
        assert_eq!(
            DynamicsError::from(PosteriorError::from(cause.clone())),
            DynamicsError::Loss(cause)
        );
        let stopped = DynamicsError::from(PosteriorError::Stopped);
        assert_eq!(crate::Error::from(stopped), crate::Error::Stopped);
        let fault = KrylovFault::HutchinsonOnly;
        let error = DynamicsError::from(PosteriorError::from(fault.clone()));
        assert_eq!(crate::Error::from(error), crate::Error::Krylov(fault));
        let other = PosteriorError::NoScale;
        let message = other.to_string();
        assert_eq!(DynamicsError::from(other).to_string(), message);
    }

    #[test]
    fn names_of_quantities_differ() {
        let mut names: Vec<&str> = QUANTITIES.iter().map(|quantity| quantity.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), QUANTITIES.len());
    }
}
