use burnscape_krylov::VectorSpace;

use super::target::{Drawn, Target, Turn};
use crate::posterior::error::converted;
use crate::posterior::{PosteriorError, Potential};

/// A chain of the stochastic gradient Nosé-Hoover thermostat.
pub(super) struct NoseHoover<V> {
    pub(super) position: V,
    /// `p`.
    pub(super) momentum: V,
    /// The friction `ξ`.
    pub(super) thermostat: f64,
    /// `ε`, the square of a time step.
    pub(super) step: f64,
    /// `A`.
    pub(super) diffusion: f64,
}

impl<V: VectorSpace<Error: Into<PosteriorError>>> NoseHoover<V> {
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
        converted(self.moves(target, seen.gradient, &noise))?;
        Ok(Some(Drawn {
            rise: seen.rise,
            passes: seen.passes,
        }))
    }

    /// `p ← p − ε ∇U − ξ p + √(2Aε) ζ`, `w ← w + p`, `ξ ← ξ + |p|²/d − ε`.
    fn moves(&mut self, target: &Target<V>, gradient: V, noise: &V) -> Result<(), V::Error> {
        let gradient = target.gradient(&self.position, gradient.scale(target.nbeta))?;
        let slowed = self.momentum.clone().scale(1.0 - self.thermostat);
        let pulled = slowed.axpy(-self.step, &gradient)?;
        let size = (2.0 * self.diffusion * self.step).sqrt();
        self.momentum = pulled.axpy(size, noise)?;
        self.position = self.position.clone().axpy(1.0, &self.momentum)?;
        let dimension = V::dimension(&self.position.space()) as f64;
        let energy = self.momentum.dot(&self.momentum)?;
        self.thermostat += energy / dimension - self.step;
        Ok(())
    }
}
