use burn::config::Config;
use burn::module::Module;

use super::pairs::Pairing;
use super::{CommutatorDefect, CommutatorMonitor};
use crate::dynamics::DynamicsError;
use crate::loss::Risk;

/// The commutator of two gradient steps: how much it matters which of two batches comes first.
///
/// Two steps of gradient descent, on a batch A and then on B, end at `θ_AB`; in the other order at `θ_BA`. With the
/// gradients `g` and Hessians `H` of both batches at the same weights,
///
/// ```text
/// θ_AB − θ_BA = lr² C + O(lr³)      C = H_B g_A − H_A g_B
/// ```
///
/// with equality for quadratic losses. The *bracket* `C` is computed from two Hessian products, without any steps. So it
/// has no learning rate, and no difference of nearly equal weights, which in single precision is rounding: at weights where
/// the bracket was 1.3, finite steps in f32 gave 71, and with smaller gradients exactly 0.
///
/// | result | definition | the loss times `c` | the weights times `s` |
/// |---|---|---|---|
/// | [`bracket`](CommutatorDefect::bracket) | `D = ‖C‖ / (‖g_A‖ ‖g_B‖)` | the same | `D/s` |
/// | [`relative`](CommutatorDefect::relative) | `D_rel = ‖C‖ / (‖H_B g_A‖ + ‖H_A g_B‖)`, 0 to 1 | the same | the same |
/// | [`over_sharpness`](CommutatorDefect::over_sharpness) | `D / λ_max` | divided by `c` | times `s` |
/// | [`invariant`](CommutatorDefect::invariant) | `𝒟 = √V_a / ‖ḡ‖²` | the same | `𝒟/s` |
///
/// Several pairs are drawn without replacement; the results are medians over them. All are zero where A is B.
///
/// # Batch size
///
/// By Hoeffding's decomposition, batches of `b` independent examples have
///
/// ```text
/// E|C|² = 2 V_a/b + V_r/b²      V_a = E|aᵢ|²      aᵢ = Hᵢ ḡ − H̄ gᵢ
/// ```
///
/// over single examples, with the mean gradient `ḡ` and the mean Hessian `H̄`. So `D` is about proportional to `1/√b` for
/// large batches, and runs with different batch sizes cannot be compared by it. With [`invariant`](Self::invariant), the
/// one-sided brackets `a_A = H_A ḡ − H̄ g_A` of all parts of the data estimate `V_a` without a term of second order: over all
/// batches of `b` of the `N` examples
///
/// ```text
/// b E|a_A|² / (1 − b/N) = N/(N − 1) V_a
/// ```
///
/// exactly, and [`variance`](CommutatorDefect::variance) is solved for `V_a`. `D` is then about `𝒟 √(2/b)` where
/// gradients are much longer than their noise. Like every mean over parts, it takes the order of the data for random.
///
/// # What it does not show
///
/// A rise of the defect is not yet a sign of generalization: in runs that never generalize it rises as well.
/// [`AlarmConfig`](super::AlarmConfig) asks for such a run.
///
/// # Cost
///
/// Two gradients and two products per pair, each over a batch, and one forward pass of a batch; the loss is traced at the
/// first measurement of a [monitor](Self::init). Memory: the residuals of these batches
/// ([`Risk::with_memory_budget`]; batches are not split), and six vectors per pair.
///
/// [`invariant`](Self::invariant) measures all parts of the data: a gradient over all data, two products over all data, and
/// one more for each part; five vectors per part. [`sharpness`](Self::sharpness): a gradient and a product over all data, and
/// the products of a Lanczos run to a tolerance of 1e-3.
///
/// The data are read once more, for the sizes of the batches. Unless the [checks](Risk::with_checks) of the risk are off,
/// also the checks of a [`Hessian`](crate::curvature::Hessian) over the batches in question; a reading that
/// downloads those; and for `invariant` two forward passes, which compare the losses of batches with those of their
/// parts. A monitor makes the checks at its first measurement, and at others the reading.
///
/// # Errors
///
/// [`DynamicsError::OutOfRange`] for zero pairs or a batch size of zero; [`DynamicsError::BatchSize`] for a batch size
/// above that of a batch of the data; [`DynamicsError::UnequalBatches`] where a batch has other examples than the first, or
/// a remainder; [`DynamicsError::TooFewBatches`] for more pairs than there are; for `invariant`,
/// [`DynamicsError::NotExampleMean`] for a loss that is no mean over examples, or one in which the
/// [weights](crate::loss::Batch::weight) of batches prefer the examples of some;
/// [`LossError::DataChanged`](crate::loss::LossError::DataChanged) for data that change from one reading to the next; and
/// those of [`Hessian`](crate::curvature::Hessian). Gradients of zero are no error: the results are none.
///
/// # Reproducibility
///
/// The seed decides the pairs, which are the same in every measurement, and the starting vector of the Lanczos run. If the
/// risk fixes [random draws](Risk::with_draws_seed), each batch has its own, the same in every measurement.
///
/// # Defaults
///
/// Whole batches, five pairs (Xu 2026 takes five to nine), seed 0, neither `invariant` nor `sharpness`.
///
/// # References
///
/// Xu 2026, *Early-Warning Signals of Grokking via Loss-Landscape Geometry*, arXiv:2602.16967: its public script takes
/// finite steps in f32 and adds 1e-12 to a denominator of the order of `lr² |g|²`, so that it shows rounding once gradients
/// are small, and then zero. Hoeffding 1948, *A class of statistics with asymptotically normal distribution*, Ann. Math.
/// Statist. 19.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::CommutatorConfig;
/// use burnscape::loss::Risk;
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let space = ParamSpace::of(&model)?;
/// let model = ParamVector::from_host(&space, &[1.0, 1.0])?.apply_to(&model)?;
/// // ½ (x·w)², with the gradient x (x·w) and the Hessian x xᵀ.
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean() * 0.5;
/// let data = [[[1.0, 0.0]], [[1.0, 1.0]]].map(|x| Tensor::<2>::from_data(x, &device));
///
/// // g_A = (1, 0), g_B = (2, 2), H_B g_A = (1, 1), H_A g_B = (2, 0): C = (−1, 1).
/// let config = CommutatorConfig::new().with_num_pairs(1);
/// let defect = config.run(&Risk::new(&loss, &data), &model)?;
/// assert!(defect.bracket.is_some_and(|bracket| (bracket - 0.5).abs() < 1e-6));
/// let relative = 2.0_f64.sqrt() / (2.0_f64.sqrt() + 2.0);
/// assert!(defect.relative.is_some_and(|found| (found - relative).abs() < 1e-6));
/// println!("{defect}"); // commutator of 1 pair of batches of 1: D 5.0000e-1, D_rel 0.4142, at loss 1.2500e0
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct CommutatorConfig {
    /// Examples of a batch: the batches of the data are cut into parts of this size. `None`: the batches of the data as they
    /// are.
    pub batch_size: Option<usize>,
    /// Pairs of batches.
    #[config(default = 5)]
    pub num_pairs: usize,
    /// Whether to estimate what does not depend on the batch size.
    #[config(default = false)]
    pub invariant: bool,
    /// Whether to find the largest eigenvalue of the Hessian over all data, too.
    #[config(default = false)]
    pub sharpness: bool,
    /// Seed of the pairs.
    #[config(default = 0)]
    pub seed: u64,
}

impl CommutatorConfig {
    /// A monitor of the commutator along a training run.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`].
    pub fn init(&self) -> Result<CommutatorMonitor, DynamicsError> {
        self.pairing().check()?;
        Ok(CommutatorMonitor::new(self.clone()))
    }

    /// Measures `risk` at `model`, which is not changed.
    ///
    /// # Errors
    ///
    /// As [`CommutatorConfig`] states.
    pub fn run<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<CommutatorDefect, DynamicsError> {
        let mut monitor = self.init()?;
        risk.in_time(model, || monitor.measure_at(risk, model))
    }

    pub(super) fn pairing(&self) -> Pairing {
        Pairing {
            batch_size: self.batch_size,
            num_pairs: self.num_pairs,
            seed: self.seed,
        }
    }
}
