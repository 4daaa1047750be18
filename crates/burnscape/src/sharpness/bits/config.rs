use burn::config::Config;
use burn::module::Module;

use super::BitsPerWeight;
use super::bits_per_weight::Tried;
use super::grid::RoundingGrid;
use crate::loss::{Progress, Risk, Work};
use crate::range::{POSITIVE, ensure};
use crate::sharpness::sample::{displaced_loss, sample_seed};
use crate::sharpness::{SharpnessError, statistics};
use crate::space::ParamVector;

/// The bits that a weight needs: the fewest at which rounding all weights raises the loss by no more than a threshold
/// on average.
///
/// With `b` bits, every tensor is rounded to a grid of `2^b` cells of width `Δ = 2 a / 2^b`, where `a` is its largest
/// absolute weight. The grid has a random offset for every weight, so that the error is uniform in `±Δ/2` whatever the
/// weight, and independent of the others: `rise(b) = E[L(w + e)] − L(w)`. To second order it is
///
/// `rise(b) = Σ_t Δ_t² tr H_t / 24`,
///
/// with `tr H_t` the trace of the diagonal block of tensor `t`, exactly so for a quadratic loss. One bit less raises it
/// four times. The loss is a mean or a sum over examples, as the objective.
///
/// The search bisects the number of bits, on the assumption that fewer bits cost more; it ends at a number that is
/// enough where one less is not. A loss that is not finite counts as above the threshold. For comparison, the result
/// has the rise of the model rounded without offsets.
///
/// Parameters outside the group of the risk are not rounded, nor are running statistics.
///
/// # Units
///
/// `threshold` and rises in units of the loss.
///
/// # Cost
///
/// One pass over the data, and for each number of bits tried (five of 16) two for each draw and one for the rounded
/// model. No gradients; about three vectors of parameters, and two on the host.
///
/// # Reproducibility
///
/// Draw `i` depends on `seed` and `i` only, and is the same for all numbers of bits, up to the factor `2^(−b)`. It is
/// tried together with its opposite, which removes the gradient's part from the rise.
///
/// # Defaults
///
/// 10 draws, at most 16 bits, seed 0: ours.
///
/// # References
///
/// Widrow, Kollár 2008, *Quantization Noise*, chapter 19 (uniform errors by random offsets); Hinton, van Camp 1993,
/// *Keeping Neural Networks Simple by Minimizing the Description Length of the Weights* (flat minima need few bits).
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::BitsPerWeightConfig;
///
/// // Four weights of 1, and H = 2 I: the rise is 8 Δ² / 24 with Δ = 2 / 2^b, 0.0013 for five bits.
/// let device = Device::default();
/// let ones = Initializer::Constant { value: 1.0 };
/// let model = LinearConfig::new(2, 2).with_bias(false).with_initializer(ones).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let found = BitsPerWeightConfig::new(0.0026).run(&Risk::new(&loss, &data), &model)?;
/// assert_eq!((found.bits, found.tried), (Some(5), vec![4, 5, 6, 8, 16]));
/// assert!((found.rises[1] - 0.0013).abs() < 0.0006);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct BitsPerWeightConfig {
    /// The rise of the loss that is tolerated.
    pub threshold: f64,
    /// Number of draws of the offsets.
    #[config(default = 10)]
    pub num_samples: usize,
    /// The most bits to try, up to 52.
    #[config(default = 16)]
    pub max_bits: u32,
    /// Seed of the offsets.
    #[config(default = 0)]
    pub seed: u64,
}

impl BitsPerWeightConfig {
    /// Searches around `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`]; [`SharpnessError::Stopped`] before the first number of bits is complete;
    /// [`SharpnessError::Loss`] and [`SharpnessError::Space`] as the risk returns them.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<BitsPerWeight, SharpnessError> {
        ensure("threshold", self.threshold, POSITIVE)?;
        ensure("num_samples", self.num_samples as f64, 1.0..)?;
        ensure("max_bits", f64::from(self.max_bits), 1.0..=52.0)?;
        let base_loss = risk.whole_loss(model)?.value;
        let grid = RoundingGrid::of(risk.space(model)?, model)?;
        let mut found = BitsPerWeight {
            bits: None,
            tried: Vec::new(),
            rises: Vec::new(),
            standard_errors: Vec::new(),
            rounded_rises: Vec::new(),
            base_loss,
            num_losses: 1,
            config: self.clone(),
            completed: false,
        };
        let mut num_losses = 1;
        let mut rise = |displacement: &ParamVector, size: f64, sample: usize| {
            num_losses += 1;
            match displaced_loss(risk, model, displacement, size, sample) {
                Err(SharpnessError::NonFiniteSample { .. }) => Ok(f64::INFINITY),
                Err(error) => Err(error),
                Ok(loss) => Ok(loss - base_loss),
            }
        };
        let mut too_few = 0;
        let mut bits = self.max_bits;
        loop {
            let tried = match self.tried(bits, &grid, &mut rise) {
                Err(SharpnessError::Stopped) if !found.tried.is_empty() => break,
                tried => tried?,
            };
            let progress = Progress::new(Work::Step, found.tried.len() + 1).value(tried.rise);
            if tried.rise <= self.threshold {
                found.bits = Some(bits);
            } else {
                too_few = bits;
            }
            found.add(tried);
            let is_break = risk.report(progress).is_break();
            let Some(enough) = found.bits.filter(|bits| *bits > too_few + 1) else {
                found.completed = true;
                break;
            };
            if is_break {
                break;
            }
            bits = too_few + (enough - too_few) / 2;
        }
        found.num_losses = num_losses;
        Ok(found)
    }

    /// The rises with so many bits; `rise` takes a displacement and the factor for it.
    fn tried(
        &self,
        bits: u32,
        grid: &RoundingGrid,
        rise: &mut impl FnMut(&ParamVector, f64, usize) -> Result<f64, SharpnessError>,
    ) -> Result<Tried, SharpnessError> {
        let size = (1.0 - f64::from(bits)).exp2();
        let mut rises = Vec::new();
        for sample in 0..self.num_samples {
            let error = grid.error(sample_seed(self.seed, sample))?;
            let forth = rise(&error, size, sample)?;
            let mean = 0.5 * (forth + rise(&error, -size, sample)?);
            rises.push(mean);
            if mean.is_infinite() {
                break;
            }
        }
        let mean = statistics::mean(&rises);
        let standard_error = || statistics::standard_error(&rises);
        Ok(Tried {
            bits,
            rise: mean,
            standard_error: mean.is_finite().then(standard_error).flatten(),
            rounded_rise: rise(&grid.rounding(bits)?, 1.0, self.num_samples)?,
        })
    }
}
