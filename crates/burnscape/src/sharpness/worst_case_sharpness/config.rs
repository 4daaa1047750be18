use burn::config::Config;
use burn::module::Module;

use super::ascent::{Ascent, Point};
use super::{Region, WorstCaseSharpness};
use crate::loss::Risk;
use crate::range::{POSITIVE, ensure};
use crate::sharpness::{SharpnessError, statistics};
use crate::space::{ParamSpace, Scale, Units, Wide, to_host};

/// The largest rise of the loss in a ball or a box around a point.
///
/// `max L(w + e) − L(w)` over the displacements `e` of the [`Region`], by projected gradient ascent. In a ball, with
/// `u = e / c`,
///
/// `u ← P(u + length · s / |s|)`, `s = c ⊙ ∇L(w + c ⊙ u)`,
///
/// where `P` projects on the ball. `length` begins at `step_size · ρ`. A step that lowers the loss is undone, and the
/// length halved, so that the loss never falls. The first start is the center, and its first step is that of SAM if
/// `step_size ≥ 1`; the others are uniform in the ball. If the gradient at the center is zero, as at a minimum, the first
/// start is a random point too, because an ascent from the center would not move. The result is the best point of all
/// starts.
///
/// The result is a lower bound of the maximum, as with every ascent on a function that is not concave: `Converged` means
/// that the ascents no longer move. On a quadratic at its minimum they behave like the power method, which takes many
/// steps if the two largest eigenvalues are close. [`WorstCaseBound`](super::WorstCaseBound) is a bound from above.
///
/// # Keskar's sharpness
///
/// [`keskar`](Self::keskar) searches the box `|e_i| ≤ ε (|w_i| + 1)`. [`WorstCaseSharpness::keskar`] is the rise in
/// percent of one plus the loss. In `u_i = e_i / (|w_i| + 1)`, a step follows the signs of the gradient:
///
/// `u ← clip(u + length · sign(∂L/∂u), −ε, ε)`.
///
/// A step that does not raise the loss is undone. With `step_size ≥ 2` the first step ends in a corner of the box, where a
/// linear loss has its maximum; a maximum inside the box is approached slowly. The starts are the center, unless its
/// gradient is zero; the corner along the direction in which the gradient changes most, by four steps of the power
/// method on differences of gradients; and points that are uniform in the box. Where an ascent has converged, groups of a
/// sixteenth of the coordinates are flipped to the other side of the box, at most `num_flips` of them, in the order of
/// increasing slope; a higher point found from there is kept.
///
/// A convex loss is highest in one of the `2^n` corners, and to find the best one is NP-hard. Of 40 random quadratics of
/// 12 coordinates at their minimum, 37 to 39 reach it with the defaults, in 38 gradients. The measure is not invariant:
/// scaling the loss by `a` changes it to `100 a (max L − L) / (1 + a L)`, and rescaling ReLU layers changes the box. Keskar
/// et al. maximize with ten iterations of L-BFGS-B, from the center, and also within random subspaces; this is their
/// measure in the full space.
///
/// # Units
///
/// `rho` is in units of the scale: parameter norm for [`Scale::Absolute`]; in the box, in units of `|w_i| + 1`. The rise is
/// in units of the loss.
///
/// # Cost
///
/// In a ball, at most `num_starts · (num_steps + 1)` losses with gradients over the data; in a box, flips included, at
/// most `num_starts · (num_steps + 1) + 5`. Besides the model, about seven vectors of parameters, nine in a box; three
/// host synchronizations per step besides the losses.
///
/// # Reproducibility
///
/// Start `i` depends on `seed` and `i` only.
///
/// # Defaults
///
/// 20 steps as Andriushchenko et al. 2023; 3 starts (4 in the box), `step_size` 2 (the diameter of the region),
/// `tolerance` 1e-4 and 8 flips: ours. Keskar et al. take ε = 1e-3 and 5e-4.
///
/// # References
///
/// Keskar et al. 2017, *On Large-Batch Training for Deep Learning*, arXiv:1609.04836, metric 2.1 (the measure, the box);
/// Foret et al. 2021, *Sharpness-Aware Minimization*, arXiv:2010.01412 (the ball, the first step);
/// Andriushchenko et al. 2023, arXiv:2302.07011, equation 2 (the metric, many steps).
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::WorstCaseSharpnessConfig;
///
/// // L = 3 w₁ + 4 w₂ at w = 0 rises by ρ times the norm of its gradient, here |(3, 4)| = 5.
/// let device = Device::default();
/// let config = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).sum();
/// let data = [Tensor::<2>::from_floats([[3.0, 4.0]], &device)];
/// let risk = Risk::new(&loss, &data);
/// let worst = WorstCaseSharpnessConfig::new(0.5).run(&risk, &model)?;
/// assert!((worst.rise - 2.5).abs() < 1e-5);
/// assert!(worst.on_boundary && worst.outcome.is_converged());
/// // In a box of half-width 0.01 it rises by 0.07, compared with 1 + 0.
/// let keskar = WorstCaseSharpnessConfig::keskar(0.01).run(&risk, &model)?;
/// assert!((keskar.keskar()? - 7.0).abs() < 1e-4);
/// assert_eq!(keskar.at_bounds, Some(1.0));
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct WorstCaseSharpnessConfig {
    /// Radius of the ball, or half-width of the box, in its units.
    pub rho: f64,
    /// The displacements that are searched.
    #[config(default = "Region::Ball(Scale::Absolute)")]
    pub region: Region,
    /// Steps of every ascent, at most.
    #[config(default = 20)]
    pub num_steps: usize,
    /// Number of ascents: one from the center, unless its gradient is zero; in a box one from the principal corner; the
    /// others from random points.
    #[config(default = 3)]
    pub num_starts: usize,
    /// Length of the first step, in units of ρ.
    #[config(default = 2.0)]
    pub step_size: f64,
    /// An ascent has converged when a step would move by less than this times ρ.
    #[config(default = 1e-4)]
    pub tolerance: f64,
    /// Seed of the starts.
    #[config(default = 0)]
    pub seed: u64,
}

/// The largest relative distance from the boundary that counts as on it. Rounding of half-precision vectors is about
/// this large.
pub(super) const BOUNDARY: f64 = 1e-3;

impl WorstCaseSharpnessConfig {
    /// Keskar's box of half-width `epsilon`, with 4 starts and 8 flips.
    pub fn keskar(epsilon: f64) -> Self {
        Self::new(epsilon)
            .with_region(Region::KeskarBox { num_flips: 8 })
            .with_num_starts(4)
    }

    /// Measures the rise around `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NonFiniteStep`],
    /// [`SharpnessError::NonFiniteGradient`], and [`SharpnessError::Loss`] and [`SharpnessError::Space`] as
    /// the risk returns them, also for a scale that is zero everywhere.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<WorstCaseSharpness, SharpnessError> {
        ensure("rho", self.rho, 0.0..)?;
        ensure("num_steps", self.num_steps as f64, 1.0..)?;
        ensure("num_starts", self.num_starts as f64, 1.0..)?;
        ensure("step_size", self.step_size, POSITIVE)?;
        ensure("tolerance", self.tolerance, 0.0..)?;
        risk.in_time(model, || {
            let units = self.units(risk.space(model)?, model)?;
            let ascent = Ascent {
                config: self,
                risk,
                model,
                units: &units,
            };
            let found = ascent.run()?;
            let best = found.best;
            let displacement = units.stretch(best.u.clone())?;
            let norm = best.u.norm()?;
            let (scaled_norm, at_bounds) = match self.region {
                Region::Ball(_) => (norm, None),
                Region::KeskarBox { .. } => {
                    let sizes = best.u.values().clone().abs();
                    let largest = to_host(sizes.clone().max())?;
                    let is_at_bound = sizes.greater_equal_elem((1.0 - BOUNDARY) * self.rho);
                    let count: f64 = to_host(is_at_bound.float())?.iter().sum();
                    let largest = largest.first().copied().unwrap_or(0.0);
                    (largest, Some(count / units.space().len() as f64))
                }
            };
            Ok(WorstCaseSharpness {
                rise: best.loss - found.base_loss,
                standard_error: statistics::standard_error(&found.rises),
                base_loss: found.base_loss,
                rises: found.rises,
                displacement_norm: displacement.norm()?,
                scaled_norm,
                on_boundary: scaled_norm >= (1.0 - BOUNDARY) * self.rho,
                at_bounds,
                alignment: alignment(&best, norm)?,
                displacement: Some(displacement),
                outcome: found.outcome,
                num_gradients: found.num_gradients,
                config: self.clone(),
            })
        })
    }

    /// The units of the region's coordinates.
    pub(super) fn units<M: Module>(
        &self,
        space: ParamSpace,
        model: &M,
    ) -> Result<Units, SharpnessError> {
        Ok(match self.region {
            Region::Ball(scale) => scale.at(space, model)?,
            Region::KeskarBox { .. } => Units::of_keskar(space, model)?,
        })
    }
}

fn alignment(point: &Point, norm: f64) -> Result<Option<f64>, SharpnessError> {
    let scale = Wide::from(norm) * Wide::from(point.slope_norm);
    if !scale.is_positive() {
        return Ok(None);
    }
    Ok(Some((point.u.wide_dot(&point.slope)? / scale).value()))
}
