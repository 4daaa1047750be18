use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::fit_step::{FitStep, Place};
use super::free_points::FreePoints;
use super::rate::Rate;
use super::{PathError, Simplex};
use crate::loss::{Batch, Mode, Objective, lifted};
use crate::optim::{ClosureStep, StepReport};
use crate::range::ensure;

/// Settings of a fit of the last vertex of a simplex, so that the mean loss inside is low and the volume large. It
/// minimizes
///
/// `E_w L(Σ w_k v_k) − λ log V`, `w` uniform over the simplex.
///
/// Vertices are added one at a time, as by Benton et al.: fit one, make a simplex with another vertex
/// (for instance a slightly displaced copy), fit that.
///
/// # Cost
///
/// A step takes one gradient and, if `λ > 0`, inner products of all pairs of vertices.
///
/// # References
///
/// Benton et al. 2021, arXiv:2102.13042. Their regularizer is the logarithm of the squared volume, so
/// that `λ` here is twice theirs.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::path::{Simplex, SimplexFitterConfig};
///
/// let device = Device::default().autodiff();
/// let [a, b, c] = [(); 3].map(|()| LinearConfig::new(2, 1).init(&device));
/// let x = Tensor::<2>::ones([4, 2], &device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let simplex = Simplex::new(&[&a, &b, &c])?;
/// let mut fitter = SimplexFitterConfig::new(0.1)
///     .with_volume_weight(1e-3)
///     .init(simplex, SgdConfig::new().init())?;
/// for _ in 0..20 {
///     fitter.step(x.clone(), &loss)?;
/// }
/// let fitted = fitter.simplex()?;
/// # assert!(fitted.volume()?.is_finite());
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SimplexFitterConfig {
    rate: Rate,
    volume_weight: f64,
    seed: u64,
    mode: Mode,
}

impl SimplexFitterConfig {
    /// A fit with a learning rate: a number, or any Burn scheduler.
    pub fn new(learning_rate: impl Into<ModuleLrScheduler>) -> Self {
        Self {
            rate: Rate(learning_rate.into()),
            volume_weight: 0.0,
            seed: 0,
            mode: Mode::Train,
        }
    }

    /// The weight `λ` of the volume, in units of loss. 0 by default.
    #[must_use]
    pub fn with_volume_weight(mut self, volume_weight: f64) -> Self {
        self.volume_weight = volume_weight;
        self
    }

    /// Seed of the weights `w`: step `k`, from zero, takes the loss at
    /// [`simplex.sample(seed, k)`](Simplex::sample). 0 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The mode of the model in the loss. [`Mode::Train`] by default.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Starts a fit of the last vertex. Parameter groups of optimizer and scheduler see it as `0`: `0.layer.weight`.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`], [`PathError::Space`].
    pub fn init<M: Module, O>(
        &self,
        simplex: Simplex<M>,
        optimizer: O,
    ) -> Result<SimplexFitter<M, O>, PathError> {
        ensure("volume_weight", self.volume_weight, 0.0..)?;
        let last = &simplex.vertices()[simplex.dimension()..];
        let free = FreePoints::new(simplex.first(), last, self.mode, optimizer, &self.rate)?;
        Ok(SimplexFitter {
            config: self.clone(),
            simplex,
            free,
            num_steps: 0,
        })
    }
}

/// The fit of the last vertex of a simplex. Made by [`SimplexFitterConfig::init`].
pub struct SimplexFitter<M, O> {
    config: SimplexFitterConfig,
    simplex: Simplex<M>,
    free: FreePoints<M, O>,
    num_steps: usize,
}

impl<M, O> std::fmt::Debug for SimplexFitter<M, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimplexFitter")
            .field("config", &self.config)
            .field("num_steps", &self.num_steps)
            .finish_non_exhaustive()
    }
}

impl<M: Module, O> SimplexFitter<M, O> {
    /// The simplex with its current last vertex.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    pub fn simplex(&self) -> Result<Simplex<M>, PathError> {
        self.simplex.with_last(&self.free.models[0])
    }

    /// One step on a batch. The loss of the report is without the volume.
    ///
    /// # Errors
    ///
    /// [`PathError::NonFinite`] if loss or gradient are not finite; the vertex is unchanged.
    /// [`PathError::Degenerate`] if the volume has a weight and is zero; [`PathError::Optim`].
    pub fn step<B, L>(&mut self, batch: B, objective: &L) -> Result<StepReport, PathError>
    where
        B: Batch,
        L: Objective<M, B>,
        O: ClosureStep,
    {
        let last = self.simplex.dimension();
        let weights = self.simplex.sample(self.config.seed, self.num_steps as u64);
        let t = weights[last];
        let regularizer = match self.config.volume_weight {
            0.0 => None,
            weight => {
                let gradient = self.simplex()?.log_volume_gradient()?;
                Some(gradient.scale(-weight))
            }
        };
        self.num_steps += 1;
        let batch = lifted(&self.free.space.template, batch);
        let step = FitStep {
            points: self.simplex.vertices(),
            first_free: last,
            places: &[Place {
                share: 1.0,
                weights,
            }],
            weight_decay: 0.0,
            max_gradient_norm: None,
            regularizer,
        };
        let loss = |model: &M| objective.loss(model, batch.clone());
        step.run(&mut self.free, &loss, t, self.num_steps - 1)
    }
}
