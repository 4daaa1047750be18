use std::ops::ControlFlow;

use burnscape_krylov::VectorSpace;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::PosteriorError;
use super::error::converted;
use crate::loss::Progress;

/// A loss that posteriors are sampled from: a [risk](super::RiskPotential), or a function of your own.
///
/// `L` is the mean loss over the data, without the factor `nβ` and without the localizer, which
/// [`PosteriorConfig`](super::PosteriorConfig) adds.
///
/// # Laws
///
/// Loss and gradient are functions of the point and the batch: two evaluations give the same bits. `L` is the mean of
/// the losses of the batches, with their weights. A clone is the same function, and threads evaluate one clone each.
///
/// A loss that is not finite is a value, for instance `+∞` outside a box; its gradient is not used.
/// [`Sampler::Mala`](super::Sampler::Mala) rejects such a point, other samplers end with
/// [`PosteriorError::Diverged`].
///
/// # Example
///
/// ```
/// use burnscape::krylov::VectorSpace;
/// use burnscape::posterior::{PosteriorConfig, PosteriorError, Potential};
///
/// /// `L = 2 |w|²` in three dimensions.
/// #[derive(Clone)]
/// struct Bowl;
///
/// impl Potential for Bowl {
///     type Vector = Vec<f64>;
///
///     fn start(&self) -> Result<Vec<f64>, PosteriorError> {
///         Ok(vec![0.0; 3])
///     }
///
///     fn loss_and_gradient(
///         &self,
///         at: &Vec<f64>,
///         _: Option<usize>,
///     ) -> Result<(f64, Vec<f64>), PosteriorError> {
///         Ok((2.0 * at.dot(at)?, at.clone().scale(4.0)))
///     }
///
///     fn sharpness(&self) -> Result<f64, PosteriorError> {
///         Ok(4.0)
///     }
/// }
///
/// let posterior = PosteriorConfig::new(1000).run_on(&Bowl)?;
/// // ½ Σ nβh / (nβh + γ) with nβ = 1000 / ln 1000, h = 4 and γ = 1.
/// assert!((posterior.nbeta_rise() - 1.4974).abs() < 0.15);
/// # Ok::<(), PosteriorError>(())
/// ```
pub trait Potential: Clone + Send {
    /// Points and gradients.
    type Vector: VectorSpace<Error: Into<PosteriorError>> + Send + Sync;

    /// `w₀`: where chains start, and the center of the localizer.
    ///
    /// # Errors
    ///
    /// Those of the vectors.
    fn start(&self) -> Result<Self::Vector, PosteriorError>;

    /// `L` and its gradient at a point: over all data, or over one of the batches.
    ///
    /// # Errors
    ///
    /// Those of the loss.
    fn loss_and_gradient(
        &self,
        at: &Self::Vector,
        batch: Option<usize>,
    ) -> Result<(f64, Self::Vector), PosteriorError>;

    /// The largest eigenvalue of the Hessian of `L` at the start. It sets the default steps, and the limit above which
    /// steps are refused.
    ///
    /// # Errors
    ///
    /// Those of the loss.
    fn sharpness(&self) -> Result<f64, PosteriorError>;

    /// The weight of each batch, all positive; a single weight if the data are not split.
    ///
    /// # Errors
    ///
    /// Those of the data.
    fn batch_weights(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![1.0])
    }

    /// The number of parameters (tensors, or coordinates) that have no gradient at the start. They are refused where
    /// there is no localizer; otherwise it is not called.
    ///
    /// # Errors
    ///
    /// Those of the loss.
    fn num_unused(&self) -> Result<usize, PosteriorError> {
        Ok(0)
    }

    /// Independent standard normal coordinates; a seed gives the same vector every time. By default drawn on the host.
    ///
    /// # Errors
    ///
    /// Those of the vectors.
    fn gaussian(&self, seed: u64) -> Result<Self::Vector, PosteriorError> {
        let space = self.start()?.space();
        let normal = StandardNormal.sample_iter(StdRng::seed_from_u64(seed));
        let values: Vec<f64> = normal.take(Self::Vector::dimension(&space)).collect();
        converted(Self::Vector::from_host(&space, &values))
    }

    /// `1 / (damping + √v)` of each coordinate. By default on the host: vectors on a device override it.
    ///
    /// # Errors
    ///
    /// Those of the vectors.
    fn inverse_root(
        &self,
        mean_square: &Self::Vector,
        damping: f64,
    ) -> Result<Self::Vector, PosteriorError> {
        let values = converted(mean_square.to_host())?;
        let roots = values.into_iter().map(|v| (damping + v.sqrt()).recip());
        let roots: Vec<f64> = roots.collect();
        converted(Self::Vector::from_host(&mean_square.space(), &roots))
    }

    /// Called on the calling thread after every few draws; [`ControlFlow::Break`] stops the chains. The value of the
    /// progress is the rise of the loss, a mean over chains.
    fn report(&self, progress: Progress) -> ControlFlow<()> {
        let _ = progress;
        ControlFlow::Continue(())
    }
}
