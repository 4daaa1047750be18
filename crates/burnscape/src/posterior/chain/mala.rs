use burnscape_krylov::VectorSpace;
use rand::RngExt;

use super::target::{Drawn, Target, Turn};
use crate::posterior::error::converted;
use crate::posterior::record::MotionRecord;
use crate::posterior::tuning::DualAveraging;
use crate::posterior::{PosteriorError, Potential};

/// A chain of the Metropolis-adjusted Langevin algorithm.
pub(super) struct Mala<V> {
    point: Point<V>,
    pace: Pace,
    /// After burn-in.
    pub(super) num_accepted: usize,
    /// Proposals whose loss or ratio was not finite, after burn-in.
    pub(super) num_not_finite: usize,
}

/// How the step is found.
enum Pace {
    Given(f64),
    Tuned(DualAveraging),
}

/// A point with what moves from it and to it need.
struct Point<V> {
    position: V,
    /// `L`.
    loss: f64,
    /// `nβ ∇L`.
    slope: V,
    /// `∇U`.
    gradient: V,
    /// `|∇U|²`.
    square: f64,
}

impl<V: VectorSpace> Point<V> {
    fn new(target: &Target<V>, position: V, (loss, gradient): (f64, V)) -> Result<Self, V::Error> {
        let slope = gradient.scale(target.nbeta);
        let gradient = target.gradient(&position, slope.clone())?;
        let square = gradient.dot(&gradient)?;
        Ok(Self {
            position,
            loss,
            slope,
            gradient,
            square,
        })
    }

    /// `Δ = −(ε/2) ∇U + √ε ξ`.
    fn change(&self, step: f64, noise: V) -> Result<V, V::Error> {
        noise.scale(step.sqrt()).axpy(-0.5 * step, &self.gradient)
    }

    /// The logarithm of the ratio that accepts a move to `other` by `Δ`.
    ///
    /// With `s = ∇U + ∇U'`, `U − U' + ln q(w|w') − ln q(w'|w) = U − U' + ½⟨s, Δ⟩ − (ε/8)(|∇U'|² − |∇U|²)`. The
    /// localizer is quadratic: what it adds to `U − U'` and to `½⟨s, Δ⟩` cancels, and is left out of both. The
    /// difference of two large squares would lose digits in single precision.
    fn log_ratio(&self, other: &Self, change: &V, step: f64, nbeta: f64) -> Result<f64, V::Error> {
        let slopes = self.slope.clone().axpy(1.0, &other.slope)?;
        let fall = nbeta * (self.loss - other.loss);
        Ok(fall + 0.5 * slopes.dot(change)? - step / 8.0 * (other.square - self.square))
    }
}

impl<V: VectorSpace<Error: Into<PosteriorError>>> Mala<V> {
    /// A chain at a point with this loss and `∇L`. Without a `given` step, it starts from `step` and tunes it for this
    /// acceptance.
    pub(super) fn new(
        target: &Target<V>,
        position: V,
        evaluated: (f64, V),
        given: Option<f64>,
        (step, acceptance): (f64, f64),
    ) -> Result<Self, PosteriorError> {
        let pace = match given {
            Some(step) => Pace::Given(step),
            None => Pace::Tuned(DualAveraging::new(acceptance, step)),
        };
        Ok(Self {
            point: converted(Point::new(target, position, evaluated))?,
            pace,
            num_accepted: 0,
            num_not_finite: 0,
        })
    }

    /// The step of draws; in burn-in, what it would be if burn-in ended.
    pub(super) fn step(&self) -> f64 {
        match &self.pace {
            Pace::Given(step) => *step,
            Pace::Tuned(tuning) => tuning.average(),
        }
    }

    pub(super) fn position(&self) -> &V {
        &self.point.position
    }

    pub(super) fn advance<P: Potential<Vector = V>>(
        &mut self,
        potential: &P,
        target: &Target<V>,
        turn: &Turn,
    ) -> Result<Drawn, PosteriorError> {
        let step = match &self.pace {
            Pace::Tuned(tuning) if turn.is_tuning => tuning.current(),
            _ => self.step(),
        };
        let noise = potential.gaussian(turn.noise_seed())?;
        let change = converted(self.point.change(step, noise))?;
        let position = converted(self.point.position.clone().axpy(1.0, &change))?;
        let (loss, gradient) = potential.loss_and_gradient(&position, None)?;
        let mut acceptance = 0.0;
        let mut proposal = None;
        if loss.is_finite() {
            let other = converted(Point::new(target, position, (loss, gradient)))?;
            let ratio = self.point.log_ratio(&other, &change, step, target.nbeta);
            let ratio = converted(ratio)?;
            if ratio.is_finite() {
                acceptance = ratio.exp().min(1.0);
                proposal = Some(other);
            }
        }
        if !turn.is_burn_in {
            self.num_not_finite += usize::from(proposal.is_none());
        }
        if let Some(proposal) = proposal
            && turn.rng().random::<f64>() < acceptance
        {
            self.point = proposal;
            self.num_accepted += usize::from(!turn.is_burn_in);
        }
        if let Pace::Tuned(tuning) = &mut self.pace
            && turn.is_tuning
        {
            tuning.update(acceptance);
        }
        Ok(Drawn {
            rise: self.point.loss - target.base_loss,
            passes: 1.0,
        })
    }

    pub(super) fn record(&self) -> MotionRecord {
        MotionRecord::Mala {
            tuning: match &self.pace {
                Pace::Given(_) => None,
                Pace::Tuned(tuning) => Some(tuning.clone()),
            },
            num_accepted: self.num_accepted,
            num_not_finite: self.num_not_finite,
        }
    }

    /// The chain as [`record`](Self::record) left it.
    pub(super) fn with_memory(
        mut self,
        tuning: Option<DualAveraging>,
        num_accepted: usize,
        num_not_finite: usize,
    ) -> Self {
        if let (Pace::Tuned(own), Some(tuning)) = (&mut self.pace, tuning) {
            *own = tuning;
        }
        self.num_accepted = num_accepted;
        self.num_not_finite = num_not_finite;
        self
    }
}

#[cfg(test)]
mod tests {
    use burnscape_krylov::KrylovFault;

    use super::*;

    fn target(nbeta: f64, localizer: f64) -> Target<Vec<f64>> {
        Target {
            start: vec![0.0; 2],
            nbeta,
            localizer,
            base_loss: 0.0,
            minibatches: None,
        }
    }

    /// The acceptance of a move from 0 to (1.5, 5.5) with a step of 0.1, if `∇L = h w`.
    fn acceptance(target: &Target<Vec<f64>>, h: f64) -> Result<f64, KrylovFault> {
        let at = |position: Vec<f64>| {
            let loss = 0.5 * h * position.dot(&position)?;
            let gradient = position.clone().scale(h);
            Point::new(target, position, (loss, gradient))
        };
        let end = vec![1.5, 5.5];
        let from = at(vec![0.0; 2])?;
        let to = at(end.clone())?;
        let noise = end.scale(0.1_f64.sqrt().recip());
        let change = from.change(0.1, noise)?;
        Ok(from.log_ratio(&to, &change, 0.1, target.nbeta)?.exp())
    }

    #[test]
    fn a_move_on_a_gaussian_is_accepted_as_the_closed_form_says() -> Result<(), KrylovFault> {
        // U = ½|w|² as a loss, as the localizer, and as both: exp(−(ε/8)(|w'|² − |w|²)).
        for (nbeta, localizer, h) in [(1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (3.0, 0.25, 0.25)] {
            let found = acceptance(&target(nbeta, localizer), h)?;
            assert!((found - 0.666_143_6).abs() < 5e-8, "{found}");
        }
        Ok(())
    }

    #[test]
    fn the_ratio_is_that_of_densities_and_proposals() -> Result<(), KrylovFault> {
        // L = ln(1 + w²) with a localizer, from the definition.
        let target = target(2.5, 0.7);
        let loss = |w: f64| (1.0 + w * w).ln();
        let slope = |w: f64| 2.0 * w / (1.0 + w * w);
        let potential = |w: f64| 2.5 * loss(w) + 0.35 * w * w;
        let gradient = |w: f64| 2.5 * slope(w) + 0.7 * w;
        let at = |w: f64| Point::new(&target, vec![w, 0.0], (loss(w), vec![slope(w), 0.0]));
        let step = 0.3;
        let from = at(0.4)?;
        let change = from.change(step, vec![-1.3, 0.0])?;
        let end = 0.4 + change[0];
        let move_to = |from: f64, to: f64| {
            let distance = to - from + 0.5 * step * gradient(from);
            -distance * distance / (2.0 * step)
        };
        let expected = potential(0.4) - potential(end) + move_to(end, 0.4) - move_to(0.4, end);
        let found = from.log_ratio(&at(end)?, &change, step, target.nbeta)?;
        assert!((found - expected).abs() < 1e-13, "{found} {expected}");
        Ok(())
    }
}
