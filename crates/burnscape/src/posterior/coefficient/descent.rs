//! Gradient descent from the start: whether there are lower losses nearby.

use burnscape_krylov::VectorSpace;

use crate::loss::{Progress, Work};
use crate::posterior::error::converted;
use crate::posterior::{PosteriorError, Potential};

/// `U = nβ L + γ/2 |w − w₀|²`, and a step for its gradient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slope {
    pub(super) nbeta: f64,
    pub(super) localizer: f64,
    pub(super) step: f64,
}

/// How descent on `U` from the start ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Descent {
    /// `nβ` times the loss at the start less the lowest one on the way: 0 or more.
    pub(super) drop: f64,
    /// What rounding may make of that.
    pub(super) rounding: f64,
    /// Gradients over all data.
    pub(super) num_gradients: usize,
    /// False if the observer stopped it.
    pub(super) completed: bool,
}

impl Slope {
    /// Takes steps over all data. It ends early where the loss is not finite.
    pub(super) fn descend<P: Potential>(
        self,
        potential: &P,
        steps: usize,
    ) -> Result<Descent, PosteriorError> {
        let start = potential.start()?;
        let (base, mut gradient) = potential.loss_and_gradient(&start, None)?;
        let mut at = start.clone();
        let mut lowest = base;
        let mut num_gradients = 1;
        let mut completed = true;
        for done in 1..=steps {
            at = self.moved(at, &gradient, &start)?;
            let (loss, next) = potential.loss_and_gradient(&at, None)?;
            gradient = next;
            num_gradients += 1;
            if !loss.is_finite() {
                break;
            }
            lowest = lowest.min(loss);
            let progress = Progress::new(Work::Step, done).of(steps).value(loss);
            if potential.report(progress).is_break() {
                completed = false;
                break;
            }
        }
        Ok(Descent {
            drop: self.nbeta * (base - lowest),
            rounding: self.nbeta * 8.0 * start.epsilon() * base.abs(),
            num_gradients,
            completed,
        })
    }

    /// `at − step ∇U(at)`.
    fn moved<V: VectorSpace<Error: Into<PosteriorError>>>(
        self,
        at: V,
        gradient: &V,
        start: &V,
    ) -> Result<V, PosteriorError> {
        let pull = self.step * self.localizer;
        let moved = if pull == 0.0 {
            at
        } else {
            let back = converted(start.clone().axpy(-1.0, &at))?;
            converted(at.axpy(pull, &back))?
        };
        converted(moved.axpy(-self.step * self.nbeta, gradient))
    }
}
