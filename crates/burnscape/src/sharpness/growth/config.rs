use burn::module::Module;
use burnscape_krylov::Estimate;

use super::exponents::quadratic_until;
use super::shell::Shell;
use super::{GrowthExponent, GrowthExponents};
use crate::loss::{Progress, Risk, Work};
use crate::range::{POSITIVE, ensure};
use crate::sharpness::SharpnessError;
use crate::sharpness::sample::{displaced_loss, sample_seed, take_samples};
use crate::space::{Grid, Scale, SpaceError, epsilon};

/// With which power of the distance the loss rises around a point, from one distance to the next.
///
/// `R(r) = mean_u ½ [L(w + r u) + L(w − r u)] − L(w)` over random directions `u` of the [`Scale`], each with its
/// opposite, so that the gradient has no part in it; the reduction (mean or sum over examples) is that of the
/// objective. Between neighboring radii the exponent is
///
/// `α = ln(R(r_2) / R(r_1)) / ln(r_2 / r_1)`.
///
/// Where the loss is quadratic `R(r) = r² tr H / (2n)` on the sphere, and `α = 2`; a loss that grows more slowly has a
/// smaller exponent, one that grows faster a larger one. One fit over all radii mixes scales: for `min(r², r)` it gives
/// 1.5, the exponents 2 and then 1.
///
/// A rise below rounding has no exponent. A radius at which a loss is NaN or infinite, along any direction, has no rise
/// and no exponents; the other radii keep theirs.
///
/// # Units
///
/// Radii are in units of the scale, rises in units of the loss; exponents have none.
///
/// # Cost
///
/// One pass over the data for the base loss, and two for every radius and direction; no gradients. Besides the model,
/// about three vectors of parameters.
///
/// # Reproducibility
///
/// Direction `i` depends on `seed` and `i` only, and is that of sample `i` of an
/// [`AverageSharpnessConfig`](crate::sharpness::AverageSharpnessConfig) of fixed length with this scale and seed: with
/// antithetic pairs, the rises are the same, bit for bit.
///
/// # Defaults
///
/// 32 directions, absolute, seed 0: ours. Take radii with a constant ratio, for instance from 10⁻³ to 1 with a ratio of
/// 2.
///
/// # References
///
/// Ma, Kunin, Wu, Ying 2022, *Beyond the Quadratic Approximation: the Multiscale Structure of Neural Network Loss
/// Landscapes*, arXiv:2204.11326.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::GrowthExponentsConfig;
/// use burnscape::space::Grid;
///
/// // ln(1 + |w|²) is quadratic near zero, and nearly constant far away.
/// let device = Device::default();
/// let config = LinearConfig::new(2, 2).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| (m.forward(x).square().sum() + 1.0).log();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let radii = Grid::from_coordinates(vec![0.01, 0.1, 1.0, 10.0])?;
/// let growth = GrowthExponentsConfig::new(radii)
///     .with_num_samples(4)
///     .run(&Risk::new(&loss, &data), &model)?;
/// let exponents: Vec<f64> = growth.exponents.iter().filter_map(|e| e.exponent).collect();
/// for (found, exact) in exponents.iter().zip([1.998, 1.843, 0.823]) {
///     assert!((found - exact).abs() < 0.01);
/// }
/// assert_eq!((growth.quadratic_until, growth.num_losses), (Some(0.1), 33));
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GrowthExponentsConfig {
    radii: Grid,
    num_samples: usize,
    scale: Scale,
    seed: u64,
}

impl GrowthExponentsConfig {
    /// The exponents between these radii: two or more, all positive.
    #[must_use]
    pub fn new(radii: Grid) -> Self {
        Self {
            radii,
            num_samples: 32,
            scale: Scale::Absolute,
            seed: 0,
        }
    }

    /// The number of random directions.
    #[must_use]
    pub fn with_num_samples(mut self, num_samples: usize) -> Self {
        self.num_samples = num_samples;
        self
    }

    /// The unit of the radii, and the distribution of the directions.
    #[must_use]
    pub fn with_scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// The seed of the directions.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Measures the growth around `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`] for a radius that is not positive and without a direction,
    /// [`SharpnessError::Stopped`] before the first direction is complete, and [`SharpnessError::Loss`] and
    /// [`SharpnessError::Space`] as the risk returns them, the former also for a loss of the model that is not finite, the
    /// latter also for a single radius and for a scale that is zero everywhere.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<GrowthExponents, SharpnessError> {
        let radii = self.radii.coordinates();
        // They ascend.
        ensure("radii[0]", radii[0], POSITIVE)?;
        ensure("num_samples", self.num_samples as f64, 1.0..)?;
        if radii.len() < 2 {
            let (found, needed) = (radii.len(), 2);
            return Err(SpaceError::TooFewPoints { found, needed }.into());
        }
        let base_loss = risk.whole_loss(model)?.value;
        let space = risk.space(model)?;
        let epsilon = epsilon(space.dtype()?);
        let units = self.scale.at(space, model)?;
        let mut shells = vec![Shell::around(base_loss); radii.len()];
        let completed = take_samples(self.num_samples, |sample| {
            let direction = units.direction(sample_seed(self.seed, sample))?;
            let loss = |size| match displaced_loss(risk, model, &direction, size, sample) {
                Err(SharpnessError::NonFiniteSample { value, .. }) => Ok(value),
                loss => loss,
            };
            // All radii or none: a stopped measurement has the same directions at each.
            let mut losses = Vec::with_capacity(radii.len());
            for &radius in radii {
                losses.push([loss(radius)?, loss(-radius)?]);
            }
            for (shell, losses) in shells.iter_mut().zip(losses) {
                shell.push(losses);
            }
            let last = shells.last().and_then(|shell| shell.samples.last());
            let progress = Progress::new(Work::Sample, sample + 1);
            Ok(risk.report(progress.of(self.num_samples).value(last.copied())))
        })?;
        let estimates: Vec<Option<Estimate>> = shells.iter().map(Shell::rise).collect();
        let rises = estimates
            .iter()
            .map(|rise| rise.map_or(f64::NAN, |rise| rise.value));
        let rises: Vec<f64> = rises.collect();
        let errors = estimates
            .iter()
            .map(|rise| rise.and_then(|rise| rise.standard_error));
        let roundings: Vec<f64> = shells.iter().map(|shell| shell.rounding(epsilon)).collect();
        let samples: Vec<Vec<f64>> = shells.into_iter().map(|shell| shell.samples).collect();
        let neighbors = (1..radii.len()).map(|far| [far - 1, far]);
        let exponents = neighbors.map(|at| {
            let samples = at.map(|index| &samples[index][..]);
            GrowthExponent::between(
                at.map(|index| radii[index]),
                samples,
                at.map(|index| roundings[index]),
            )
        });
        let exponents: Vec<GrowthExponent> = exponents.collect();
        Ok(GrowthExponents {
            radii: radii.to_vec(),
            standard_errors: errors.collect(),
            quadratic_until: quadratic_until(radii, &rises, &roundings, &exponents),
            rises,
            exponents,
            base_loss,
            roundings,
            num_losses: 1 + 2 * samples.iter().map(Vec::len).sum::<usize>(),
            completed,
            scale: self.scale,
            seed: self.seed,
            samples,
        })
    }
}
