use burn::module::Module;
use burn::tensor::Tensor;

use super::{TangentKernelMonitor, TangentKernelReading};
use crate::OutOfRange;
use crate::dynamics::{DynamicsError, Moment, Monitor};
use crate::loss::{Risk, Split};
use crate::range::ensure;
use crate::space::to_host;

/// How far the tangent kernel of a model moves in training, and what it aligns with.
///
/// The empirical tangent kernel `K = J Jᵀ` ([`Ntk`](crate::curvature::Ntk)) of the `N` outputs over the data says how a
/// small step of gradient descent changes each output along with the others. Very wide networks, and those whose
/// outputs are scaled up, train *lazily*: `K` stays what it is at the start `K₀`, and the model is that of its
/// [linearization](super::LinearizedModel). Networks that learn features move it.
///
/// | result | definition | range |
/// |---|---|---|
/// | [`drift`](TangentKernelReading::drift) | `‖K − K₀‖ / ‖K₀‖` | 0 for a linear model |
/// | [`distance`](TangentKernelReading::distance) | `1 − ⟨K, K₀⟩ / (‖K‖ ‖K₀‖)` | 0 to 1; 0 where only the size changes |
/// | [`alignment`](TangentKernelReading::alignment) | `yᵀ K y / (‖K‖ ‖y‖²)` | 0 to 1 |
/// | [`centered_alignment`](TangentKernelReading::centered_alignment) | the same of `C K C` and `C y`, `C = I − 1 1ᵀ/n` | 0 to 1 |
/// | [`effective_rank`](TangentKernelReading::effective_rank) | `(tr K)² / ‖K‖²` | 1 to `N` |
/// | [`relative_move`](TangentKernelReading::relative_move) | `‖w − w₀‖ / ‖w₀‖` | small where training is lazy |
/// | [`linearization_gap`](TangentKernelReading::linearization_gap) | `‖f − f_lin‖ / ‖f − f₀‖` | small where training is lazy |
///
/// Norms of kernels are Frobenius norms. `y` are the [targets](Self::with_targets) in the shape of the outputs, one-hot
/// for classes; without them there are no alignments. `C` subtracts from each output its mean over the `n` examples.
/// The sum over outputs hides which ones align, so that alignments are also given for each output, with the block of
/// `K` that belongs to it.
///
/// # Lazy or rich
///
/// A network of width `m` whose last layer is divided by `√m` becomes lazy as `m` grows, one whose last layer is
/// divided by `m` (mean-field) does not. For a linear network with one hidden layer, `f = a·w/√m` with
/// `|a|² = |w|² = m`, `a·w = 0` and a target `y`, gradient flow ends with `K/K₀ = √(1 + y²/m)`: the drift falls as
/// `1/m`, not as `1/√m`. At widths that are used, measured slopes lie between. [`ScaledOutputs`](super::ScaledOutputs)
/// makes any network more or less lazy.
///
/// # Without the matrix
///
/// [`with_num_probes`](Self::with_num_probes) estimates norms and traces from the products of `K` with `k` random sign
/// vectors `z`, which are the same in all readings: `E|Kz|² = ‖K‖²`, `E|(K − K₀)z|² = ‖K − K₀‖²`, `E zᵀKz = tr K`.
/// Numbers then have standard errors by the jackknife; the drift of a linear model stays exactly 0. The forms `yᵀ K y`
/// are exact. The squared norm of a kernel is a mean of `k` samples, so its ratios have a bias of the order of `1/k`.
/// Alignments for each output need the matrix, and are empty.
///
/// # Units
///
/// The [trace](TangentKernelReading::trace): outputs squared per parameter squared. All others: none.
///
/// # Cost
///
/// For the matrix, `N` products with the kernel, each a backward pass and a forward derivative over the data; for
/// probes `k`, and `k + 2` more with targets. In addition two traces, six forward passes and a derivative. Memory: the
/// residuals, as many vectors of parameters as the [block](Risk::with_block_size) has, and on the host two matrices of
/// `N²` numbers, or `2 k N` numbers. More than [`max_outputs`](Self::with_max_outputs) outputs are refused without
/// probes.
///
/// Unless the [checks](Risk::with_checks) of the risk are off, the first reading checks the kernel, for a product and a
/// gradient more, and each one reads the data once more, which downloads them.
///
/// # Errors
///
/// [`DynamicsError::OutOfRange`] for settings, more outputs than `max_outputs`, targets of another length than the
/// outputs, and data with another number of outputs than those of the start; [`DynamicsError::ZeroKernel`] if no output
/// depends on a parameter at the start; [`LossError::DataChanged`](crate::loss::LossError::DataChanged) for data that
/// are not those of the start; [`DynamicsError::Space`] for another model; [`DynamicsError::NonFinite`] for a kernel
/// that is not finite; [`CurvatureError::Stopped`](crate::curvature::CurvatureError::Stopped) if the observer stops the
/// work; and those of [`Ntk`](crate::curvature::Ntk). A kernel that *becomes* zero is no error: the drift is 1, and
/// what is divided by its norm is none.
///
/// # Reproducibility
///
/// Nothing is drawn without probes; with them the seed decides. Random numbers that the risk
/// [freezes](Risk::with_draws_seed) are the same in all readings.
///
/// # Defaults
///
/// The matrix, of 4,096 outputs at most (128 MiB), seed 0, no targets: ours. 64 probes give a drift to about a tenth of
/// its value, or better.
///
/// # References
///
/// Jacot, Gabriel, Hongler 2018, *Neural Tangent Kernel*, arXiv:1806.07572; Chizat, Oyallon, Bach 2019, *On Lazy
/// Training in Differentiable Programming*, arXiv:1812.07956; Fort et al. 2020, *Deep learning versus kernel learning*,
/// arXiv:2010.15110 (the distance); Cristianini et al. 2001, *On kernel-target alignment*, NIPS; Cortes, Mohri,
/// Rostamizadeh 2012, *Algorithms for Learning Kernels Based on Centered Alignment*, arXiv:1203.0550.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::TangentKernelConfig;
/// use burnscape::loss::Risk;
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// /// `f(x) = a w x`
/// #[derive(Module, Debug)]
/// struct Net {
///     first: Linear,
///     last: Linear,
/// }
///
/// let device = Device::default();
/// let layer = || LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let net = Net { first: layer(), last: layer() };
/// let space = ParamSpace::of(&net)?;
/// let at = |weights: [f64; 2]| ParamVector::from_host(&space, &weights)?.apply_to(&net);
/// let [start, end] = [at([1.0, 1.0])?, at([2.0, 2.0])?];
///
/// let data = [Tensor::<2>::ones([1, 1], &device)];
/// let risk = Risk::split(
///     |m: &Net, x: &Tensor<2>| m.last.forward(m.first.forward(x.clone())),
///     |z: Tensor<2>, _: Tensor<2>| z.square().mean(),
///     &data,
/// );
/// let reading = TangentKernelConfig::new().run(&risk, &start, &end)?;
/// // The kernel a² + w² goes from 2 to 8, and the output from 1 to 4; that of the linearized model to 1 + 1 + 1.
/// assert!((reading.drift - 3.0).abs() < 1e-6);
/// assert!(reading.relative_move.is_some_and(|moved| (moved - 1.0).abs() < 1e-6));
/// assert!(reading.linearization_gap.is_some_and(|gap| (gap - 1.0 / 3.0).abs() < 1e-6));
/// println!("{reading}"); // tangent kernel: drift 3.0000, distance 0.0000, effective rank 1.0, …
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TangentKernelConfig {
    num_probes: Option<usize>,
    max_outputs: usize,
    seed: u64,
    /// Flat, without autodiff.
    targets: Option<Tensor<1>>,
}

/// The settings of a monitor, checked.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) num_probes: Option<usize>,
    pub(super) max_outputs: usize,
    pub(super) seed: u64,
    pub(super) targets: Option<Vec<f64>>,
}

impl Default for TangentKernelConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl TangentKernelConfig {
    /// The matrix, without targets.
    pub fn new() -> Self {
        Self {
            num_probes: None,
            max_outputs: 4096,
            seed: 0,
            targets: None,
        }
    }

    /// Estimates from products with so many random vectors, instead of the matrix; `None`, the default, for the matrix.
    #[must_use]
    pub fn with_num_probes(mut self, num_probes: Option<usize>) -> Self {
        self.num_probes = num_probes;
        self
    }

    /// Sets how many outputs over all examples the matrix may have; 4,096 by default. It takes as many products.
    #[must_use]
    pub fn with_max_outputs(mut self, max_outputs: usize) -> Self {
        self.max_outputs = max_outputs;
        self
    }

    /// Sets the seed of the probes; 0 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the targets that the kernel may align with, those of all examples in the order of the data.
    ///
    /// # Shapes
    ///
    /// `targets`: that of the outputs over all batches, for instance `[n, classes]`, one-hot.
    #[must_use]
    pub fn with_targets<const D: usize>(mut self, targets: Tensor<D>) -> Self {
        let len = targets.shape().num_elements();
        self.targets = Some(match len {
            0 => Tensor::zeros([0], &targets.device().inner()),
            _ => targets.inner().reshape([len]),
        });
        self
    }

    /// A monitor of the kernel along a training run. Its first measurement is the start that others are compared with.
    ///
    /// # Cost
    ///
    /// Downloads the targets.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`], also for targets that are not finite; [`DynamicsError::Space`] if the device
    /// fails.
    pub fn init(&self) -> Result<TangentKernelMonitor, DynamicsError> {
        if let Some(num_probes) = self.num_probes {
            ensure("num_probes", num_probes as f64, 1.0..)?;
        }
        ensure("max_outputs", self.max_outputs as f64, 1.0..)?;
        let targets = self.targets.clone().map(to_host).transpose()?;
        let mut numbers = targets.iter().flatten();
        if let Some(&value) = numbers.find(|target| !target.is_finite()) {
            return Err(OutOfRange::new("targets", value, "finite numbers").into());
        }
        Ok(TangentKernelMonitor::new(Settings {
            num_probes: self.num_probes,
            max_outputs: self.max_outputs,
            seed: self.seed,
            targets,
        }))
    }

    /// Compares the kernel of `model` with that of `start`, over the data of `risk`.
    ///
    /// # Cost
    ///
    /// That of two readings, which the reading counts.
    ///
    /// # Errors
    ///
    /// As [`TangentKernelConfig`] states.
    pub fn run<M: Module>(
        &self,
        risk: &Risk<'_, M, Split>,
        start: &M,
        model: &M,
    ) -> Result<TangentKernelReading, DynamicsError> {
        let mut monitor = self.init()?;
        let first = monitor.measure(risk, &Moment::new(0, 0.0, start))?;
        let mut reading = monitor.measure(risk, &Moment::new(0, 0.0, model))?;
        reading.cost += first.cost;
        Ok(reading)
    }
}
