use burnscape_krylov::VectorSpace;

use super::target::{Drawn, Target, Turn};
use crate::posterior::error::converted;
use crate::posterior::{PosteriorError, Potential};

/// A chain of Langevin dynamics with the preconditioner of RMSprop, which is frozen in the middle of burn-in.
pub(super) struct RmspropLangevin<V> {
    pub(super) position: V,
    pub(super) step: f64,
    pub(super) decay: f64,
    pub(super) damping: f64,
    /// The running mean of the squares of `∇L`, from zero on.
    pub(super) mean_square: V,
    /// Gradients in it.
    pub(super) count: usize,
    /// `G` and `√G`, of the mean as it is.
    pub(super) scales: Option<Scales<V>>,
}

/// A preconditioner.
pub(super) struct Scales<V> {
    /// `G`.
    drift: V,
    /// `√G`.
    noise: V,
}

impl<V: VectorSpace<Error: Into<PosteriorError>>> RmspropLangevin<V> {
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
        if turn.is_tuning {
            self.mean_square = converted(self.averaged(&seen.gradient))?;
            self.count += 1;
            self.scales = None;
        }
        let scales = match self.scales.take() {
            Some(scales) => scales,
            None => self.measured(potential)?,
        };
        let noise = potential.gaussian(turn.noise_seed())?;
        self.position = converted(self.moved(target, seen.gradient, noise, &scales))?;
        self.scales = Some(scales);
        Ok(Some(Drawn {
            rise: seen.rise,
            passes: seen.passes,
        }))
    }

    fn averaged(&self, gradient: &V) -> Result<V, V::Error> {
        let square = gradient.clone().hadamard(gradient)?;
        let kept = self.mean_square.clone().scale(self.decay);
        kept.axpy(1.0 - self.decay, &square)
    }

    /// `G = 1 / (δ + √V)` and `√G`, with `V` corrected for its start at zero.
    fn measured<P: Potential<Vector = V>>(
        &self,
        potential: &P,
    ) -> Result<Scales<V>, PosteriorError> {
        let known = 1.0 - self.decay.powf(self.count as f64);
        let mean_square = self.mean_square.clone().scale(known.recip());
        let drift = potential.inverse_root(&mean_square, self.damping)?;
        // √G from inverse roots alone, the one operation on coordinates that potentials have: 1/√(G²) is 1/G.
        let square = converted(drift.clone().hadamard(&drift))?;
        let inverse = potential.inverse_root(&square, 0.0)?;
        let noise = potential.inverse_root(&inverse, 0.0)?;
        Ok(Scales { drift, noise })
    }

    /// `w − (ε/2) G ∇U + √(ε G) ξ`.
    fn moved(
        &self,
        target: &Target<V>,
        gradient: V,
        noise: V,
        scales: &Scales<V>,
    ) -> Result<V, V::Error> {
        let gradient = target.gradient(&self.position, gradient.scale(target.nbeta))?;
        let drift = gradient.hadamard(&scales.drift)?;
        let drifted = self.position.clone().axpy(-0.5 * self.step, &drift)?;
        drifted.axpy(self.step.sqrt(), &noise.hadamard(&scales.noise)?)
    }
}
