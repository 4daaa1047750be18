use burn::config::Config;
use burn::module::Module;

use super::{WorstCasePoint, WorstCaseSharpness};
use crate::loss::Risk;
use crate::sharpness::ascent::{Ascent, Plan, Point, Region};
use crate::sharpness::{SharpnessError, statistics};
use crate::space::{Scale, Wide};

/// The largest rise of the loss in a ball around a point.
///
/// `max L(w + e) − L(w)` over `|e / c| ≤ ρ`, with `c` given by the [`Scale`], by
/// projected gradient ascent: in `u = e / c`,
///
/// `u ← P(u + length · s / |s|)`, `s = c ⊙ ∇L(w + c ⊙ u)`,
///
/// with `P` the projection on the ball. `length` begins at `step_size · ρ`. A step that lowers the
/// loss is taken back and the length halved, so that an ascent never falls. The first start is the
/// center, and its first step is that of SAM (`step_size ≥ 1`); the others are uniform in the ball, and so is
/// the first where the gradient at the center is zero, as at a minimum: an ascent would stay there.
/// The best point of all is kept.
///
/// What is found is a lower bound of the maximum, as with every ascent on a function that is not
/// concave: to have `converged` means that the ascents rest. On a quadratic at its minimum they go the way of the
/// power method to the largest eigenvalue, which takes many steps where the next one is near.
///
/// # Units
///
/// `rho` is in units of the scale: parameter norm for [`Scale::Absolute`]. The rise is
/// in units of the loss.
///
/// # Cost
///
/// At most `num_starts · (num_steps + 1)` losses with gradients over the data. Besides the model,
/// about seven vectors of parameters; three host synchronizations a step besides the losses.
///
/// # Reproducibility
///
/// Start `i` is a function of `seed` and `i` only.
///
/// # Defaults
///
/// 20 steps as Andriushchenko et al. 2023; 3 starts, `step_size` 2 (the diameter of the ball) and
/// `tolerance` 1e-4: ours.
///
/// # References
///
/// Keskar et al. 2017, *On Large-Batch Training for Deep Learning*, arXiv:1609.04836 (the measure);
/// Foret et al. 2021, *Sharpness-Aware Minimization*, arXiv:2010.01412 (the ball, the first step);
/// Andriushchenko et al. 2023, arXiv:2302.07011, equation 2 (the metric, many steps).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::WorstCaseSharpnessConfig;
///
/// // A linear loss rises by ρ times the norm of its gradient, here |(3, 4)| = 5.
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).sum();
/// let data = [Tensor::<2>::from_floats([[3.0, 4.0]], &device)];
/// let worst = WorstCaseSharpnessConfig::new(0.5).run(&Risk::new(&loss, &data), &model)?;
/// assert!((worst.rise - 2.5).abs() < 1e-5);
/// assert!(worst.on_boundary && worst.converged);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct WorstCaseSharpnessConfig {
    /// Radius of the ball, in units of the scale.
    pub rho: f64,
    /// Steps of every ascent, at most.
    #[config(default = 20)]
    pub num_steps: usize,
    /// Number of ascents: one from the center, unless it is stationary, the others from random points of the
    /// ball.
    #[config(default = 3)]
    pub num_starts: usize,
    /// Length of the first step, in units of ρ.
    #[config(default = 2.0)]
    pub step_size: f64,
    /// An ascent rests when a step would move by less than this times ρ.
    #[config(default = 1e-4)]
    pub tolerance: f64,
    /// Units of the ball.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Seed of the starts.
    #[config(default = 0)]
    pub seed: u64,
}

/// How near the boundary counts as on it. Rounding of half-precision vectors is about this large.
const BOUNDARY: f64 = 1e-3;

impl WorstCaseSharpnessConfig {
    /// Measures the rise around `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NonFiniteStep`],
    /// [`SharpnessError::NonFiniteGradient`], and [`SharpnessError::Loss`] and [`SharpnessError::Space`] as
    /// the risk gives them, also for a scale that is zero everywhere.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<WorstCaseSharpness, SharpnessError> {
        Ok(self.maximize(risk, model)?.rise)
    }

    /// As [`run`](Self::run), with the displacement that attains the rise.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn maximize<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<WorstCasePoint, SharpnessError> {
        let plan = self.plan();
        plan.check("rho")?;
        let units = self.scale.at(risk.space(model)?, model)?;
        let ascent = Ascent {
            plan,
            risk,
            model,
            units: &units,
        };
        let found = ascent.run()?;
        let best = found.best;
        let displacement = units.stretch(best.u.clone())?;
        let scaled_norm = best.u.norm()?;
        let rise = WorstCaseSharpness {
            rise: best.loss - found.base_loss,
            standard_error: statistics::standard_error(&found.rises),
            base_loss: found.base_loss,
            rises: found.rises,
            displacement_norm: displacement.norm()?,
            scaled_norm,
            on_boundary: scaled_norm >= (1.0 - BOUNDARY) * self.rho,
            alignment: alignment(&best, scaled_norm)?,
            converged: found.converged,
            num_gradients: found.num_gradients,
            config: self.clone(),
            completed: found.completed,
        };
        Ok(WorstCasePoint { rise, displacement })
    }

    fn plan(&self) -> Plan {
        Plan {
            region: Region::Ball,
            radius: self.rho,
            num_steps: self.num_steps,
            num_starts: self.num_starts,
            step_size: self.step_size,
            tolerance: self.tolerance,
            num_flips: 0,
            seed: self.seed,
        }
    }
}

fn alignment(point: &Point, norm: f64) -> Result<Option<f64>, SharpnessError> {
    let scale = Wide::from(norm) * Wide::from(point.slope_norm);
    if !scale.is_positive() {
        return Ok(None);
    }
    Ok(Some((point.u.wide_dot(&point.slope)? / scale).value()))
}
