use burnscape_krylov::VectorSpace;

use super::target::{Drawn, Target, Turn};
use crate::posterior::error::converted;
use crate::posterior::{PosteriorError, Potential};

/// A chain of the unadjusted Langevin algorithm.
pub(super) struct Langevin<V> {
    pub(super) position: V,
    pub(super) step: f64,
}

impl<V: VectorSpace<Error: Into<PosteriorError>>> Langevin<V> {
    /// Moves once. None if the loss or its gradient is not finite.
    pub(super) fn advance<P: Potential<Vector = V>>(
        &mut self,
        potential: &P,
        target: &Target<V>,
        turn: &Turn,
    ) -> Result<Option<Drawn>, PosteriorError> {
        let Some(seen) = target.seen(potential, &self.position, turn)? else {
            return Ok(None);
        };
        let noise = potential.gaussian(turn.noise_seed())?;
        self.position = converted(self.moved(target, seen.gradient, &noise))?;
        Ok(Some(Drawn {
            rise: seen.rise,
            passes: seen.passes,
        }))
    }

    /// `w − (ε/2) ∇U + √ε ξ`.
    fn moved(&self, target: &Target<V>, gradient: V, noise: &V) -> Result<V, V::Error> {
        let gradient = target.gradient(&self.position, gradient.scale(target.nbeta))?;
        let drifted = self.position.clone().axpy(-0.5 * self.step, &gradient)?;
        drifted.axpy(self.step.sqrt(), noise)
    }
}
