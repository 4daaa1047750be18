use burnscape_krylov::{TrustRegionConfig, TrustRegionSolution};

use crate::optim::evaluation::Evaluation;
use crate::optim::report::InnerMaximum;
use crate::optim::{Need, OptimError};
use crate::space::{LeafVector, ParamVector};

/// The step as an ascent sees it: the gradient at the weights, and the loss nearby.
///
/// With m-sharpness an ascent runs once for each group, on that group's loss.
#[non_exhaustive]
pub struct AscentContext<'a> {
    /// The radius of this step, after the schedule.
    pub rho: f64,
    /// The base learning rate of this step. An ascent that uses it has [`Need::LearningRate`].
    pub lr: f64,
    /// The number of this step, from zero. An ascent that uses it has [`Need::Memory`].
    pub step: usize,
    /// A seed for this step. An ascent that uses it has [`Need::Memory`].
    pub seed: u64,
    /// The gradient at the weights.
    pub gradient: &'a LeafVector,
    pub(in crate::optim::sam) name: &'static str,
    /// A vector and its factor.
    pub(in crate::optim::sam) ascent_step: (LeafVector, f64),
    pub(in crate::optim::sam) nearby: Option<&'a mut dyn Nearby>,
    /// Gradients taken.
    pub(in crate::optim::sam) num_gradients: usize,
    /// The result of maximizing a quadratic model, if the ascent did.
    pub(in crate::optim::sam) maximum: Option<InnerMaximum>,
}

/// The maximum of the loss's quadratic model in a ball.
pub(in crate::optim) type ModelMaximum = TrustRegionSolution<ParamVector>;

/// The loss around the weights, whatever the model, the batch and the objective are.
pub(in crate::optim::sam) trait Nearby {
    /// Loss and gradient at the weights plus `scale · displacement`.
    fn evaluate(&mut self, displacement: LeafVector, scale: f64) -> Result<Evaluation, OptimError>;

    /// The maximum of the loss's quadratic model in a ball.
    fn model_maximum(&mut self, ball: &TrustRegionConfig) -> Result<ModelMaximum, OptimError>;
}

impl AscentContext<'_> {
    /// The displacement of one step: `rho T²d / |T d|` along the
    /// [ascent direction](crate::optim::AscentDirection) in the [metric](crate::optim::Metric), with mask and
    /// groups applied; zero where the direction is.
    pub fn ascent_step(&self) -> LeafVector {
        let (vector, scale) = &self.ascent_step;
        vector.clone().scale(*scale)
    }

    /// The loss and its gradient at the weights displaced by this. Costs a gradient. An ascent that calls it
    /// has [`Need::Evaluations`].
    ///
    /// # Errors
    ///
    /// Errors of the loss or the gradients, and [`OptimError::Unmet`] where the caller takes the gradients.
    pub fn evaluate(&mut self, displacement: &LeafVector) -> Result<Evaluation, OptimError> {
        let displacement = displacement.clone().placed_in(self.gradient.space())?;
        let evaluation = self.nearby()?.evaluate(displacement, 1.0)?;
        self.num_gradients += 1;
        Ok(evaluation)
    }

    /// The maximum of the loss's quadratic model in a ball, with the exact Hessian.
    pub(super) fn model_maximum(
        &mut self,
        ball: &TrustRegionConfig,
    ) -> Result<ModelMaximum, OptimError> {
        let found = self.nearby()?.model_maximum(ball)?;
        // The Hessian comes with a gradient.
        self.num_gradients += 1;
        Ok(found)
    }

    fn nearby(&mut self) -> Result<&mut dyn Nearby, OptimError> {
        match &mut self.nearby {
            Some(nearby) => Ok(&mut **nearby),
            None => Err(Need::Evaluations.unmet(self.name)),
        }
    }
}

impl std::fmt::Debug for AscentContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AscentContext")
            .field("rho", &self.rho)
            .field("lr", &self.lr)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
