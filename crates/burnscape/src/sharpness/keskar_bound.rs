use burn::module::Module;
use burnscape_krylov::{KrylovFault, LanczosFactorization};
use serde::Serialize;

use super::argument::check_size;
use super::{KeskarConfig, SharpnessError};
use crate::curvature::{DiagonallyScaled, Hessian};
use crate::space::{Units, to_host};

/// Lanczos steps, at most.
const STEPS: usize = 40;
/// The probability with which the largest eigenvalue may be larger than its bound.
const FAILURE: f64 = 0.01;

/// What [`KeskarConfig::quadratic_bound`] found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeskarBound {
    /// The bound over one plus the loss, in percent.
    pub sharpness: f64,
    /// What the loss to second order rises by at most.
    pub rise: f64,
    /// The part of the gradient.
    pub linear: f64,
    /// The part of the Hessian.
    pub quadratic: f64,
    /// Probability with which the bound holds for the loss to second order; 1 where all eigenvalues are known.
    pub confidence: f64,
    /// Products used.
    pub num_matvecs: usize,
}

impl KeskarConfig {
    /// A bound from above, beside the lower bound of [`run`](Self::run): what the loss *to second order*
    /// rises by in the box, at most.
    ///
    /// `ε |c ⊙ g|₁ + ε²/2 · n · max(λ_max(C H C), 0)` with `c = |w| + 1`: in the box `|u|² ≤ n ε²`. It holds for a
    /// quadratic loss, with the probability given; for others as far as the third derivative counts for nothing over
    /// the box. It is tight where the top eigenvector has entries of one size, and many times too large where the
    /// vector is concentrated on a few, as in networks it often is: it tells how far the lower bound can be off.
    ///
    /// `λ_max` is bounded by a Lanczos run from a random vector: by Kuczyński and Woźniakowski (1992), theorem 4.2, it
    /// is beyond the largest Ritz value by more than `s (λ_max − λ_min)` with probability `1.648 √n exp(−√s (2 steps
    /// − 1))` at most. [`confidence`](KeskarBound::confidence) is 0.99, for both ends together.
    ///
    /// # Cost
    ///
    /// At most 40 products, and as many vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NegativeLoss`] for a loss of −1 or less,
    /// [`SharpnessError::Krylov`] for a product that is not finite, [`SharpnessError::Curvature`],
    /// [`SharpnessError::Space`].
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Initializer, Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    /// use burnscape::sharpness::KeskarConfig;
    ///
    /// // L = w₁² + w₂² at w = 0 is highest in the corners of the box: by 2 · 0.01².
    /// let device = Device::default();
    /// let config = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Zeros);
    /// let model = config.init(&device);
    /// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
    /// let data = [Tensor::<2>::eye(2, &device)];
    /// let hessian = Risk::new(&loss, &data).hessian(&model)?;
    /// let bound = KeskarConfig::new(0.01).quadratic_bound(&model, &hessian)?;
    /// assert!((bound.rise - 2e-4).abs() < 1e-9 && (bound.sharpness - 0.02).abs() < 1e-7);
    /// # Ok::<(), burnscape::sharpness::SharpnessError>(())
    /// ```
    pub fn quadratic_bound<M: Module>(
        &self,
        model: &M,
        hessian: &Hessian<'_>,
    ) -> Result<KeskarBound, SharpnessError> {
        check_size("epsilon", self.epsilon)?;
        let loss = hessian.loss();
        if loss <= -1.0 {
            return Err(SharpnessError::NegativeLoss { loss });
        }
        let units = Units::of_keskar(hessian.space().clone(), model)?;
        let slope = units.stretch(hessian.gradient()?)?;
        let steepness = to_host(slope.values().clone().abs().sum())?;
        let linear = self.epsilon * steepness.first().copied().unwrap_or(0.0);
        let count = hessian.space().len();
        let operator = DiagonallyScaled::around(units, hessian);
        let record = LanczosFactorization::from_random(&operator, STEPS.min(count), self.seed)?;
        let values = record.ritz_values();
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return Err(SharpnessError::Krylov(KrylovFault::NoProbes));
        };
        // A random start has a part along every eigenvector: once its space is exhausted, all are in it.
        let depth = record.quadrature().map_or(0, |space| space.nodes.len());
        let is_whole = record.is_invariant() || depth < values.len();
        let share = match is_whole {
            true => 0.0,
            false => {
                let odds = 1.648 * (count as f64).sqrt() / (0.5 * FAILURE);
                (odds.ln() / (2.0 * depth as f64 - 1.0)).powi(2)
            }
        };
        // Both ends of the spectrum may be beyond the Ritz values.
        let spread = match share < 0.5 {
            true => (high - low) / (1.0 - 2.0 * share),
            false => f64::INFINITY,
        };
        let beyond = if spread > 0.0 { share * spread } else { 0.0 };
        let top = (high + beyond).max(0.0);
        let quadratic = 0.5 * self.epsilon.powi(2) * count as f64 * top;
        let rise = linear + quadratic;
        Ok(KeskarBound {
            sharpness: 100.0 * rise / (1.0 + loss),
            rise,
            linear,
            quadratic,
            confidence: if is_whole { 1.0 } else { 1.0 - FAILURE },
            num_matvecs: record.num_matvecs(),
        })
    }
}
