use burn::config::Config;
use burn::module::Module;
use serde::Serialize;

use super::ascent::{Ascent, Plan, Region};
use super::corners::BOUNDARY;
use super::{SharpnessError, statistics};
use crate::loss::Risk;
use crate::space::{Units, to_host};

/// Keskar's sharpness: the largest rise of the loss in a box, in percent of one plus the loss.
///
/// `100 · (max L(w + e) − L(w)) / (1 + L(w))` over `|e_i| ≤ ε (|w_i| + 1)`, by a local search: projected ascent
/// along the signs of the gradient, in `u_i = e_i / (|w_i| + 1)`,
///
/// `u ← clip(u + length · sign(∂L/∂u), −ε, ε)`.
///
/// `length` begins at `step_size · ε`; a step that does not raise the loss is taken back and the
/// length halved. With `step_size ≥ 2` the first step ends in a corner of the box, where the maximum of a
/// linear loss is; a maximum inside the box is approached slowly.
///
/// Starts: the center (not where its gradient is zero, as at a minimum); the corner along the direction in which
/// the gradient changes most, by four steps of the power method on differences of gradients; points that are
/// uniform in the box. Where an ascent rests, groups of a sixteenth of the coordinates are flipped to the other
/// side of the box, at most `num_flips` of them one after the other, those first whose slope holds them least, and
/// what climbs higher from there is kept.
///
/// # What is found
///
/// A lower bound of the maximum, never more. A convex loss is highest in a corner, of which there are `2^n`: to
/// find the best one is NP-hard, and to have [`converged`](KeskarSharpness::converged) means that the search
/// rests, not that the maximum is found. Of 40 random quadratics of 12 coordinates at their minimum 37 to 39
/// reach it with the defaults, in 38 gradients. [`quadratic_bound`](Self::quadratic_bound) is a bound from above, to second order.
///
/// The measure is not invariant: scaling the loss by `a` makes `100 a (max L − L) / (1 + a L)` of it, and rescaling
/// ReLU layers changes the box.
///
/// Keskar et al. maximize with ten iterations of L-BFGS-B, from the center, and also within random
/// subspaces; this is their measure in the full space.
///
/// # Units
///
/// `epsilon` is a fraction of `|w_i| + 1`, the sharpness in percent.
///
/// # Cost
///
/// At most `num_starts · (num_steps + 1) + 5` losses with gradients over the data, flips included; about nine
/// vectors of parameters besides the model.
///
/// # Reproducibility
///
/// Start `i` is a function of `seed` and `i` only.
///
/// # Defaults
///
/// Keskar et al. take ε = 1e-3 and 5e-4. 20 steps, `step_size` 2 and `tolerance` 1e-4 as
/// [`WorstCaseSharpnessConfig`](super::WorstCaseSharpnessConfig), 4 starts and 8 flips: ours.
///
/// # References
///
/// Keskar et al. 2017, *On Large-Batch Training for Deep Learning*, arXiv:1609.04836, metric 2.1.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::KeskarConfig;
///
/// // L = 3 w₁ + 4 w₂ at w = 0: in a box of 0.01 it rises by 0.07, to be compared with 1 + 0.
/// let device = Device::default();
/// let config = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).sum();
/// let data = [Tensor::<2>::from_floats([[3.0, 4.0]], &device)];
/// let keskar = KeskarConfig::new(0.01).run(&Risk::new(&loss, &data), &model)?;
/// assert!((keskar.sharpness - 7.0).abs() < 1e-4);
/// assert_eq!(keskar.at_bounds, 1.0);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct KeskarConfig {
    /// Half-width of the box, in units of `|w_i| + 1`.
    pub epsilon: f64,
    /// Steps of every ascent, at most.
    #[config(default = 20)]
    pub num_steps: usize,
    /// Number of ascents: one from the center, one from the principal corner, the others from random points of
    /// the box.
    #[config(default = 4)]
    pub num_starts: usize,
    /// Length of the first step, in units of ε.
    #[config(default = 2.0)]
    pub step_size: f64,
    /// An ascent rests when a step would move no coordinate by more than this times ε.
    #[config(default = 1e-4)]
    pub tolerance: f64,
    /// Groups of coordinates that are flipped, one after the other, where an ascent rests; 0 for none.
    #[config(default = 8)]
    pub num_flips: usize,
    /// Seed of the starts.
    #[config(default = 0)]
    pub seed: u64,
}

/// What [`KeskarConfig::run`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeskarSharpness {
    /// The rise over one plus the loss, in percent: a lower bound of the true maximum.
    pub sharpness: f64,
    /// The largest rise found. Never negative.
    pub rise: f64,
    /// How well the starts agree, as in [`WorstCaseSharpness`](super::WorstCaseSharpness): the error of the
    /// mean of `rises`, not of their maximum. None with a single start.
    pub standard_error: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// The largest rise that each start found, in order.
    pub rises: Vec<f64>,
    /// The fraction of the coordinates that lie on the boundary of the box at the best point.
    pub at_bounds: f64,
    /// Euclidean length of the best displacement.
    pub displacement_norm: f64,
    /// Whether every start came to rest before its steps were used up: at a local maximum, as a rule not the
    /// largest.
    pub converged: bool,
    /// Passes over the data, all with gradients.
    pub num_gradients: usize,
    /// The configuration, seed included.
    pub config: KeskarConfig,
    /// False if the observer stopped the ascent: the numbers are those of the points visited.
    pub completed: bool,
}

impl KeskarConfig {
    /// Measures the sharpness of `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NegativeLoss`] for a loss of −1 or less,
    /// [`SharpnessError::NonFiniteStep`], [`SharpnessError::NonFiniteGradient`],
    /// [`SharpnessError::Loss`], [`SharpnessError::Space`].
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<KeskarSharpness, SharpnessError> {
        let plan = Plan {
            region: Region::Cube,
            radius: self.epsilon,
            num_steps: self.num_steps,
            num_starts: self.num_starts,
            step_size: self.step_size,
            tolerance: self.tolerance,
            num_flips: self.num_flips,
            seed: self.seed,
        };
        plan.check("epsilon")?;
        let units = Units::of_keskar(risk.space(model)?, model)?;
        let ascent = Ascent {
            plan,
            risk,
            model,
            units: &units,
        };
        let found = ascent.run()?;
        let base_loss = found.base_loss;
        if base_loss <= -1.0 {
            return Err(SharpnessError::NegativeLoss { loss: base_loss });
        }
        let rise = found.best.loss - base_loss;
        let u = found.best.u;
        let is_at_bound = u.values().clone().abs();
        let is_at_bound = is_at_bound.greater_equal_elem((1.0 - BOUNDARY) * self.epsilon);
        let count: f64 = to_host(is_at_bound.float())?.iter().sum();
        Ok(KeskarSharpness {
            sharpness: 100.0 * rise / (1.0 + base_loss),
            rise,
            standard_error: statistics::standard_error(&found.rises),
            base_loss,
            rises: found.rises,
            at_bounds: count / units.space().len() as f64,
            displacement_norm: units.stretch(u)?.norm()?,
            converged: found.converged,
            num_gradients: found.num_gradients,
            config: self.clone(),
            completed: found.completed,
        })
    }
}
