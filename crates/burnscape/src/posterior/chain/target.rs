use burnscape_krylov::VectorSpace;
use rand::rngs::StdRng;

use super::Minibatches;
use crate::posterior::error::converted;
use crate::posterior::{PosteriorError, Potential};
use crate::space::{mix, stream};

/// What chains sample: `p(w) ∝ exp(−U)`, `U = nβ L + γ/2 |w − w₀|²`.
pub(crate) struct Target<V> {
    /// `w₀`.
    pub(crate) start: V,
    pub(crate) nbeta: f64,
    /// `γ`.
    pub(crate) localizer: f64,
    /// `L(w₀)` over all data.
    pub(crate) base_loss: f64,
    /// None: all data in every iteration.
    pub(crate) minibatches: Option<Minibatches>,
}

/// An iteration of a chain: what decides its random numbers.
pub(crate) struct Turn {
    pub(super) seed: u64,
    pub(super) is_burn_in: bool,
    /// In the first half of burn-in steps and preconditioners are tuned. In the second half they are frozen, and the
    /// chain forgets the places where the tuning has kept it.
    pub(super) is_tuning: bool,
}

impl Turn {
    pub(super) fn noise_seed(&self) -> u64 {
        mix(self.seed, 0)
    }

    /// For everything but the noise of the move.
    pub(super) fn rng(&self) -> StdRng {
        stream(self.seed, 1)
    }
}

/// The loss as an iteration sees it, over all data or over drawn batches.
pub(super) struct Seen<V> {
    /// `L(w) − L(w₀)`.
    pub(super) rise: f64,
    /// `∇L(w)`.
    pub(super) gradient: V,
    /// The data that were read, in passes.
    pub(super) passes: f64,
}

/// What an iteration found.
pub(super) struct Drawn {
    pub(super) rise: f64,
    pub(super) passes: f64,
}

impl<V: VectorSpace> Target<V> {
    /// `∇U` at a point, from `nβ ∇L`.
    pub(super) fn gradient(&self, at: &V, slope: V) -> Result<V, V::Error> {
        if self.localizer == 0.0 {
            return Ok(slope);
        }
        let displacement = at.clone().axpy(-1.0, &self.start)?;
        slope.axpy(self.localizer, &displacement)
    }
}

impl<V: VectorSpace<Error: Into<PosteriorError>>> Target<V> {
    /// The loss at a point; none if it or its gradient is not finite.
    pub(super) fn seen<P: Potential<Vector = V>>(
        &self,
        potential: &P,
        at: &V,
        turn: &Turn,
    ) -> Result<Option<Seen<V>>, PosteriorError> {
        let seen = match &self.minibatches {
            Some(minibatches) => minibatches.seen(potential, at, &mut turn.rng())?,
            None => {
                let (loss, gradient) = potential.loss_and_gradient(at, None)?;
                Seen {
                    rise: loss - self.base_loss,
                    gradient,
                    passes: 1.0,
                }
            }
        };
        let is_finite = seen.rise.is_finite() && converted(seen.gradient.norm())?.is_finite();
        Ok(is_finite.then_some(seen))
    }
}
