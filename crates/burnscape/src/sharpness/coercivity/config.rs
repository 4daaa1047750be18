use std::ops::ControlFlow;

use burn::module::Module;
use burnscape_krylov::{Dense, TraceConfig};

use super::Coercivity;
use super::result::{Ray, Shell};
use crate::curvature::{CurvatureError, Hessian, Kept};
use crate::loss::{LossError, Progress, Risk, Work};
use crate::range::{FRACTION, POSITIVE, ensure};
use crate::sharpness::SharpnessError;
use crate::sharpness::sample::{sample_seed, take_samples};
use crate::space::{Grid, ParamVector, SpaceError, epsilon};

/// Villani's function on random rays, to refute that the noise of stochastic gradient descent is confined.
///
/// `Ψ_s(w) = |∇L(w)|² / s − ΔL(w)`, with `ΔL = tr H`. If `Ψ_s → ∞` as `|w| → ∞`, for every `s`, the diffusion
/// `dw = −∇L dt + √s dB` (gradient descent at rate `s` with that noise) converges exponentially to its stationary law
/// `exp(−2L/s)`. A loss with an L2 term often satisfies this; one without often does not.
///
/// The rays start at the model, in uniform random directions. At each radius the smallest `Ψ` of all rays is kept.
///
/// # What it can tell
///
/// It can only refute. The condition is about all directions and about infinity; a measurement has some rays and a
/// largest radius, and finds no path between them along which `Ψ` stays small. [`is_refuted`](Coercivity::is_refuted)
/// says that at the outermost radius the smallest `Ψ` is not positive, or not larger than at the radius before: as far
/// as the radii go, it does not grow. If it is not refuted, nothing is proved.
///
/// - The loss has to include the L2 term, if there is one. Decoupled weight decay (AdamW) is not a term of any loss.
/// - The condition needs two continuous derivatives. The Hessian of a network with ReLU does not see its kinks, so that
///   its Laplacian is not that of the loss: measure smooth activations.
///
/// # Units
///
/// Radii are lengths in parameter space; `rate` is a learning rate, squared length per loss; `Ψ` is a curvature summed
/// over the parameters. Mean or sum over examples is that of the objective.
///
/// # Cost
///
/// For every ray and radius a gradient, and a Hessian-vector product for each parameter, or `max_matvecs` of them if
/// there are more parameters: then the Laplacian is estimated by Hutchinson's method. Besides the model, the memory of
/// the Hessian.
///
/// # Reproducibility
///
/// Ray `i` depends on `seed` and `i` only.
///
/// # Defaults
///
/// 16 rays, 64 products, confidence 0.95, seed 0: ours. Take radii with a constant ratio, from the length of the
/// weights to a hundred times that.
///
/// # References
///
/// Villani 2009, *Hypocoercivity*; Shi, Su, Jordan 2020, *On learning rates and Schrödinger operators*,
/// arXiv:2004.06977.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::CoercivityConfig;
/// use burnscape::space::Grid;
///
/// // |w|² in four dimensions: Ψ = 4 r² / s − 8.
/// let device = Device::default();
/// let config = LinearConfig::new(2, 2).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let radii = Grid::from_coordinates(vec![1.0, 10.0])?;
/// let found = CoercivityConfig::new(radii, 0.5)
///     .with_num_rays(3)
///     .run(&Risk::new(&loss, &data), &model)?;
/// assert!(found.minima[0].abs() < 1e-3 && (found.minima[1] - 792.0).abs() < 1e-2);
/// assert!(!found.is_refuted);
///
/// // A logarithm grows without bound, but too slowly.
/// let loss = |m: &Linear, x: Tensor<2>| (m.forward(x).square().sum() + 1.0).log();
/// let radii = Grid::from_coordinates(vec![1.0, 10.0])?;
/// let found = CoercivityConfig::new(radii, 1.0).run(&Risk::new(&loss, &data), &model)?;
/// assert!(found.is_refuted);
/// println!("{found}");
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CoercivityConfig {
    radii: Grid,
    rate: f64,
    num_rays: usize,
    max_matvecs: usize,
    confidence: f64,
    seed: u64,
}

impl CoercivityConfig {
    /// Villani's function at these radii (two or more, all positive), for gradient descent at this rate.
    #[must_use]
    pub fn new(radii: Grid, rate: f64) -> Self {
        Self {
            radii,
            rate,
            num_rays: 16,
            max_matvecs: 64,
            confidence: 0.95,
            seed: 0,
        }
    }

    /// The number of rays.
    #[must_use]
    pub fn with_num_rays(mut self, num_rays: usize) -> Self {
        self.num_rays = num_rays;
        self
    }

    /// The most products for a Laplacian. With as many as parameters it is exact.
    #[must_use]
    pub fn with_max_matvecs(mut self, num_matvecs: usize) -> Self {
        self.max_matvecs = num_matvecs;
        self
    }

    /// The probability with which the intervals cover all rays at a radius.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }

    /// The seed of the directions and of the estimates.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Measures along rays from `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed. The observer sees
    /// [`Work::Sample`](crate::loss::Work::Sample) at every point, without a value.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`]; [`SharpnessError::NonFiniteSample`] for a loss on a ray that is NaN or infinite;
    /// [`SharpnessError::Stopped`] before the first ray is complete; [`SharpnessError::Curvature`],
    /// [`SharpnessError::Loss`], [`SharpnessError::Krylov`] and [`SharpnessError::Space`] of the Hessian, the latter
    /// also for a single radius.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<Coercivity, SharpnessError> {
        let radii = self.radii.coordinates();
        self.check()?;
        let _ = risk.take_break();
        // A point is reported as a whole.
        let quiet = risk.whole().unobserved();
        let space = risk.space(model)?;
        let mut cost = Cost::default();
        let mut kept = None;
        let mut rays: Vec<Ray> = Vec::with_capacity(self.num_rays);
        let completed = take_samples(self.num_rays, |ray| {
            let seed = sample_seed(self.seed, ray);
            let direction = ParamVector::sphere(&space, seed)?;
            let mut points = Vec::with_capacity(radii.len());
            let mut flow = ControlFlow::Continue(());
            for (index, &radius) in radii.iter().enumerate() {
                // All radii of a ray or none.
                if flow.is_break() {
                    return Err(SharpnessError::Stopped);
                }
                let moved = direction.perturb(model, radius)?;
                let point = self.point(&quiet, &moved, &mut kept, (seed, ray), &mut cost)?;
                points.push(point);
                let done = ray * radii.len() + index + 1;
                let progress = Progress::new(Work::Sample, done);
                flow = risk.report(progress.of(self.num_rays * radii.len()));
            }
            rays.push(points);
            Ok(flow)
        })?;
        let rounding = epsilon(space.dtype()?);
        let shells = (0..radii.len()).map(|index| Shell::of(&rays, index));
        let shells: Vec<Shell> = shells.collect();
        Ok(Coercivity {
            is_refuted: Shell::refute(&shells, rounding),
            slopes: Shell::slopes(&shells, radii),
            minima: shells.iter().map(|shell| shell.minimum).collect(),
            half_widths: shells.iter().map(|shell| shell.half_width).collect(),
            means: shells.iter().map(|shell| shell.mean).collect(),
            radii: radii.to_vec(),
            rate: self.rate,
            num_rays: rays.len(),
            num_gradients: cost.num_gradients,
            num_matvecs: cost.num_matvecs,
            completed,
            seed: self.seed,
        })
    }

    fn check(&self) -> Result<(), SharpnessError> {
        let radii = self.radii.coordinates();
        // They ascend.
        ensure("radii[0]", radii[0], POSITIVE)?;
        ensure("rate", self.rate, POSITIVE)?;
        ensure("num_rays", self.num_rays as f64, 1.0..)?;
        ensure("max_matvecs", self.max_matvecs as f64, 1.0..)?;
        ensure("confidence", self.confidence, FRACTION)?;
        if radii.len() < 2 {
            let (found, needed) = (radii.len(), 2);
            return Err(SpaceError::TooFewPoints { found, needed }.into());
        }
        Ok(())
    }

    /// `Ψ` at a model, with half the width of its interval.
    fn point<M: Module>(
        &self,
        risk: &Risk<'_, M>,
        model: &M,
        kept: &mut Option<Kept>,
        (seed, ray): (u64, usize),
        cost: &mut Cost,
    ) -> Result<(f64, Option<f64>), SharpnessError> {
        let hessian = match Hessian::with_kept(risk, model, kept.take()) {
            Err(CurvatureError::Loss(LossError::NonFinite { batch, value })) => {
                let sample = ray;
                return Err(SharpnessError::NonFiniteSample {
                    sample,
                    batch,
                    value,
                });
            }
            hessian => hessian?,
        };
        cost.num_gradients += 1;
        let slope = hessian.gradient()?.norm()?;
        let dimension = hessian.space().len();
        let (laplacian, half_width) = if dimension <= self.max_matvecs {
            cost.num_matvecs += dimension;
            let matrix = Dense::of(&hessian)?;
            let diagonal = matrix.as_slice().iter().step_by(dimension + 1);
            (diagonal.sum::<f64>(), Some(0.0))
        } else {
            // The smallest of many estimates is low by chance: each has its share of the risk.
            let share = (1.0 - self.confidence) / self.num_rays as f64;
            let trace = TraceConfig::new()
                .with_max_matvecs(self.max_matvecs)
                .with_confidence(1.0 - share)
                .with_block(8)
                .with_seed(seed)
                .run(&hessian)?;
            cost.num_matvecs += trace.num_matvecs;
            (trace.value, trace.half_width)
        };
        *kept = Some(hessian.into_kept());
        Ok((slope * slope / self.rate - laplacian, half_width))
    }
}

#[derive(Debug, Default)]
struct Cost {
    num_gradients: usize,
    num_matvecs: usize,
}
