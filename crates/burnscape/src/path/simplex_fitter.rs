use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::evaluated::Evaluated;
use super::rate::Rate;
use super::simplex::dirichlet;
use super::{FitStep, PathError, Simplex};
use crate::loss::scalar::{called, gradients};
use crate::loss::{Batch, LossError, Mode, Objective, lifted};
use crate::optim::{ClosureStep, SkipReason};
use crate::range::ensure;
use crate::space::{LeafVector, ParamSpace, copy_for_gradients};

/// A fit of the last vertex of a simplex: the mean loss inside falls, the volume grows,
///
/// `E_w L(Σ w_k v_k) − λ log V`, `w` uniform over the simplex.
///
/// Vertices are added one at a time, as Benton et al. do: fit one, make a simplex with another vertex
/// (a copy of an old one moved a little, say), fit that.
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

    /// `λ`, in units of loss. 0 by default.
    #[must_use]
    pub fn with_volume_weight(mut self, volume_weight: f64) -> Self {
        self.volume_weight = volume_weight;
        self
    }

    /// Seed of the weights. 0 by default.
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

    /// Starts a fit of the last vertex.
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
        let template = copy_for_gradients(simplex.first(), self.mode == Mode::Train);
        let last = simplex.vertices().len() - 1;
        Ok(SimplexFitter {
            config: self.clone(),
            space: ParamSpace::of(&template)?,
            vertex: simplex.vertices()[last].apply_to(&template)?,
            template,
            simplex,
            optimizer,
            scheduler: self.rate.0.clone(),
            num_steps: 0,
        })
    }
}

/// A fit of the last vertex of a simplex under way. Built by [`SimplexFitterConfig::init`].
pub struct SimplexFitter<M, O> {
    config: SimplexFitterConfig,
    simplex: Simplex<M>,
    optimizer: O,
    scheduler: ModuleLrScheduler,
    vertex: M,
    template: M,
    space: ParamSpace,
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
    /// The simplex with its last vertex where it is now.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    pub fn simplex(&self) -> Result<Simplex<M>, PathError> {
        self.simplex.with_last(&self.vertex)
    }

    /// One step on a batch.
    ///
    /// # Errors
    ///
    /// [`PathError::NonFinite`] if loss or gradient are not finite; the vertex is unchanged.
    /// [`PathError::Degenerate`] if the volume has a weight and is zero; [`PathError::Optim`].
    pub fn step<B, L>(&mut self, batch: B, objective: &L) -> Result<FitStep, PathError>
    where
        B: Batch,
        L: Objective<M, B>,
        O: ClosureStep,
    {
        let count = self.simplex.vertices().len();
        let weights = dirichlet(count, self.config.seed, self.num_steps as u64);
        self.num_steps += 1;
        let share = weights[count - 1];
        let outward = match self.config.volume_weight {
            0.0 => None,
            weight => {
                let gradient = self.simplex()?.log_volume_gradient(count - 1)?;
                Some(gradient.scale(-weight))
            }
        };
        let (simplex, space, template) = (&self.simplex, &self.space, &self.template);
        let batch = lifted(template, batch);
        let run = |vertex: &M| -> Result<_, LossError> {
            let vertex = LeafVector::from_module(space, vertex)?;
            let others = &simplex.vertices()[..count - 1];
            let points = others.iter().chain([&vertex]);
            let point = super::control_points::combination(space, &weights, points)?;
            let model = point.apply_to_own(template);
            let loss = called(|| objective.loss(&model, batch.clone()))?;
            let gradient = LeafVector::from_gradients(space, &gradients(&loss, &model)?)?;
            let mut gradient = gradient.scale(share);
            if let Some(outward) = &outward {
                gradient = gradient.axpby(1.0, 1.0, outward)?;
            }
            let gradient = LeafVector::concatenated(space, [gradient])?;
            Ok((loss.inner(), gradient.into_gradients()))
        };
        let report = self.optimizer.closure_step(
            self.scheduler.step(),
            &mut self.vertex,
            |vertex: &M| Evaluated(run(vertex)),
        )?;
        if report.skipped == Some(SkipReason::NonFinite) {
            return Err(PathError::NonFinite {
                what: "the loss or its gradient".to_string(),
                t: share,
                batch: self.num_steps - 1,
                value: report.loss.unwrap_or(f64::NAN),
            });
        }
        Ok(FitStep {
            step: self.num_steps,
            epoch: 0,
            times: Vec::new(),
            weights: vec![weights],
            loss: report.loss.unwrap_or(f64::NAN),
            report,
        })
    }
}
