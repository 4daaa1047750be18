use super::trust_region::{Ball, ModelMaximum};
use crate::optim::OptimError;
use crate::optim::evaluation::Evaluation;
use crate::optim::report::InnerMaximum;
use crate::space::{LeafVector, mix};

/// What an ascent sees of the step: the gradient at the weights, and the loss nearby.
///
/// With m-sharpness an ascent runs once for each group, on that group's loss.
pub struct AscentContext<'a> {
    pub(in crate::optim::sam) name: &'static str,
    pub(in crate::optim::sam) rho: f64,
    pub(in crate::optim::sam) lr: f64,
    pub(in crate::optim::sam) step: usize,
    pub(in crate::optim::sam) gradient: &'a LeafVector,
    /// A vector and its factor.
    pub(in crate::optim::sam) ascent_step: (LeafVector, f64),
    pub(in crate::optim::sam) nearby: Option<&'a mut dyn Nearby>,
    /// Gradients taken.
    pub(in crate::optim::sam) gradients: usize,
    /// What the maximization reached, if there was one of a quadratic model.
    pub(in crate::optim::sam) maximum: Option<InnerMaximum>,
}

/// The loss around the weights, whatever the model, the batch and the objective are.
pub(in crate::optim::sam) trait Nearby {
    /// Loss and gradient at the weights plus `scale · displacement`.
    fn evaluate(&mut self, displacement: LeafVector, scale: f64) -> Result<Evaluation, OptimError>;

    /// The largest point of the loss's quadratic model in a ball.
    fn model_maximum(&mut self, ball: Ball) -> Result<ModelMaximum, OptimError>;
}

impl AscentContext<'_> {
    /// The radius of this step, after the schedule.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// The base learning rate of this step. An ascent that uses it has
    /// [`Need::LearningRate`](crate::optim::Need::LearningRate).
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// The number of this step, from zero. An ascent that uses it has
    /// [`Need::Memory`](crate::optim::Need::Memory).
    pub fn step(&self) -> usize {
        self.step
    }

    /// The gradient at the weights.
    pub fn gradient(&self) -> &LeafVector {
        self.gradient
    }

    /// The displacement of one step: `rho T²d / |T d|` along the
    /// [ascent direction](crate::optim::AscentDirection) in the [metric](crate::optim::Metric), with mask and
    /// groups applied; zero where the direction is.
    pub fn ascent_step(&self) -> LeafVector {
        let (vector, scale) = &self.ascent_step;
        vector.clone().scale(*scale)
    }

    /// The loss and its gradient at the weights displaced by this. Costs a gradient. An ascent that calls it
    /// has [`Need::Evaluations`](crate::optim::Need::Evaluations).
    ///
    /// # Errors
    ///
    /// What the loss or the gradients are refused for, and [`OptimError::NeedsClosure`] where the caller takes
    /// the gradients.
    pub fn evaluate(&mut self, displacement: &LeafVector) -> Result<Evaluation, OptimError> {
        let evaluation = self.nearby()?.evaluate(displacement.clone(), 1.0)?;
        self.gradients += 1;
        Ok(evaluation)
    }

    /// The largest points of the loss's quadratic model in the ball of this step.
    pub(super) fn model_maximum(
        &mut self,
        max_basis: usize,
        tolerance: f64,
        seed: u64,
    ) -> Result<Vec<LeafVector>, OptimError> {
        let ball = Ball {
            rho: self.rho,
            max_basis,
            tolerance,
            seed: self.seed(seed),
            draws_seed: None,
        };
        let ModelMaximum { points, report } = self.nearby()?.model_maximum(ball)?;
        // The Hessian comes with a gradient.
        self.gradients += 1;
        self.maximum = Some(report);
        Ok(points)
    }

    /// A seed for this step.
    pub(super) fn seed(&self, seed: u64) -> u64 {
        mix(seed, self.step as u64)
    }

    fn nearby(&mut self) -> Result<&mut dyn Nearby, OptimError> {
        match &mut self.nearby {
            Some(nearby) => Ok(&mut **nearby),
            None => Err(OptimError::NeedsClosure { feature: self.name }),
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
