use burn::module::Module;
use burnscape_krylov::{KrylovFault, LanczosFactorization};
use serde::{Deserialize, Serialize};

use super::report::percent;
use super::{Region, WorstCaseSharpnessConfig};
use crate::curvature::{DiagonallyScaled, Hessian};
use crate::range::ensure;
use crate::sharpness::SharpnessError;
use crate::space::{FlatSpace, limited_by, to_host};
use crate::writing::number;

/// Lanczos steps, at most.
const STEPS: usize = 40;
/// The probability with which the largest eigenvalue may be larger than its bound.
const FAILURE: f64 = 0.01;

/// A bound from above of a [worst case](WorstCaseSharpnessConfig): the most that the loss *to second order* rises by in
/// the region.
///
/// In a ball `ρ |c ⊙ g| + ρ²/2 · max(λ_max(C H C), 0)`; in Keskar's box, where `|u|² ≤ n ρ²`,
/// `ρ |c ⊙ g|₁ + ρ²/2 · n · max(λ_max(C H C), 0)` with `c = |w| + 1`. The bound holds for a quadratic loss, with the
/// probability stated; for others as long as the third derivative is negligible over the region. In a box it is tight if
/// the entries of the top eigenvector are of one size, and many times too large if the vector is concentrated on a few,
/// as in networks it often is.
///
/// A Lanczos run from a random vector bounds `λ_max`: by Kuczyński and Woźniakowski (1992), theorem 4.2, it exceeds the
/// largest Ritz value by more than `s (λ_max − λ_min)` with probability `1.648 √n exp(−√s (2 steps − 1))` at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorstCaseBound {
    /// The most that the loss to second order rises by. Infinite if the steps bound no eigenvalue.
    #[serde(with = "number")]
    pub rise: f64,
    /// The part of the gradient.
    pub linear: f64,
    /// The part of the Hessian.
    #[serde(with = "number")]
    pub quadratic: f64,
    /// The loss at the point.
    pub base_loss: f64,
    /// Probability with which the bound holds for the loss to second order: 0.99, for both ends of the spectrum together,
    /// or 1 where all eigenvalues are known.
    pub confidence: f64,
    /// Products used.
    pub num_matvecs: usize,
}

impl WorstCaseBound {
    /// The bound for the region of `config` around `model`, from its Hessian.
    ///
    /// # Cost
    ///
    /// At most 40 products, and as many vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::Krylov`] for a product that is not finite,
    /// [`SharpnessError::Curvature`], [`SharpnessError::Space`].
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Initializer, Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    /// use burnscape::sharpness::{WorstCaseBound, WorstCaseSharpnessConfig};
    ///
    /// // L = w₁² + w₂² at w = 0 is highest in the corners of the box: by 2 · 0.01².
    /// let device = Device::default();
    /// let config = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Zeros);
    /// let model = config.init(&device);
    /// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
    /// let data = [Tensor::<2>::eye(2, &device)];
    /// let hessian = Risk::new(&loss, &data).hessian(&model)?;
    /// let bound = WorstCaseBound::of(&WorstCaseSharpnessConfig::keskar(0.01), &hessian, &model)?;
    /// assert!((bound.rise - 2e-4).abs() < 1e-9 && (bound.keskar()? - 0.02).abs() < 1e-7);
    /// # Ok::<(), burnscape::sharpness::SharpnessError>(())
    /// ```
    pub fn of<M: Module>(
        config: &WorstCaseSharpnessConfig,
        hessian: &Hessian<'_>,
        model: &M,
    ) -> Result<Self, SharpnessError> {
        ensure("rho", config.rho, 0.0..)?;
        let units = config.units(hessian.space().clone(), model)?;
        let slope = units.stretch(hessian.gradient()?)?;
        let count = hessian.space().len();
        // The largest |s · u| and |u|² over the region, for ρ = 1.
        let (steepness, square) = match config.region {
            Region::Ball(_) => (slope.norm()?, 1.0),
            Region::KeskarBox { .. } => {
                let sum = slope.values().clone().abs().sum();
                let sum = limited_by(slope.space().waits(), || to_host(sum))?;
                (sum.first().copied().unwrap_or(0.0), count as f64)
            }
        };
        let linear = config.rho * steepness;
        let operator = DiagonallyScaled::around(units, hessian);
        let record = LanczosFactorization::from_random(&operator, STEPS.min(count), config.seed)?;
        let values = record.ritz_values();
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return Err(SharpnessError::Krylov(KrylovFault::Stopped));
        };
        // A random start has a component along every eigenvector: once its space is exhausted, all are in it.
        let depth = record.quadrature().map_or(0, |space| space.nodes.len());
        let is_whole = record.is_invariant() || depth < values.len();
        let share = if is_whole {
            0.0
        } else {
            let odds = 1.648 * (count as f64).sqrt() / (0.5 * FAILURE);
            (odds.ln() / (2.0 * depth as f64 - 1.0)).powi(2)
        };
        // Both ends of the spectrum may lie beyond the Ritz values.
        let spread = if share < 0.5 {
            (high - low) / (1.0 - 2.0 * share)
        } else {
            f64::INFINITY
        };
        let beyond = if spread > 0.0 { share * spread } else { 0.0 };
        let top = (high + beyond).max(0.0);
        let quadratic = 0.5 * config.rho.powi(2) * square * top;
        Ok(Self {
            rise: linear + quadratic,
            linear,
            quadratic,
            base_loss: hessian.loss(),
            confidence: if is_whole { 1.0 } else { 1.0 - FAILURE },
            num_matvecs: record.num_matvecs(),
        })
    }

    /// The bound in percent of one plus the loss, as [Keskar's sharpness](super::WorstCaseSharpness::keskar).
    ///
    /// # Errors
    ///
    /// [`SharpnessError::NegativeLoss`] for a loss of −1 or less.
    pub fn keskar(&self) -> Result<f64, SharpnessError> {
        percent(self.rise, self.base_loss)
    }
}
