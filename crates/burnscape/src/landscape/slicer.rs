use std::ops::ControlFlow;

use burn::module::Module;

use super::LandscapeError;
use crate::loss::{LossError, Progress, Risk, Work};
use crate::space::ParamVector;

/// Evaluates the points of a slice one after another.
pub(super) struct Slicer<'a, M, K> {
    risk: &'a Risk<'a, M, K>,
    total: usize,
    /// The loss of the model.
    pub(super) base_loss: f64,
    pub(super) losses: Vec<f64>,
    pub(super) num_losses: usize,
}

impl<'a, M: Module, K> Slicer<'a, M, K> {
    pub(super) fn new(
        risk: &'a Risk<'a, M, K>,
        model: &M,
        total: usize,
    ) -> Result<Self, LandscapeError> {
        Ok(Self {
            base_loss: risk.whole_loss(model)?.value,
            risk,
            total,
            losses: Vec::with_capacity(total),
            num_losses: 1,
        })
    }

    /// Adds the point at `moved`; the model itself for none.
    pub(super) fn point(&mut self, moved: Option<M>) -> Result<ControlFlow<()>, LandscapeError> {
        let loss = match moved.map(|moved| self.loss(&moved)) {
            None => self.base_loss,
            Some(Err(LandscapeError::Stopped)) => {
                return Ok(ControlFlow::Break(()));
            }
            Some(loss) => loss?,
        };
        self.losses.push(loss);
        let progress = Progress::new(Work::Point, self.losses.len());
        Ok(self.risk.report(progress.of(self.total).value(loss)))
    }

    pub(super) fn completed(&self) -> bool {
        self.losses.len() == self.total
    }

    /// Far from a minimum a loss may overflow. A picture should show that, and keep its other points.
    fn loss(&mut self, moved: &M) -> Result<f64, LandscapeError> {
        self.num_losses += 1;
        match self.risk.whole_loss(moved) {
            Ok(loss) => Ok(loss.value),
            Err(LossError::NonFinite { value, .. }) => Ok(value),
            Err(error) => Err(error.into()),
        }
    }
}

/// The norm of a direction, refused unless it is positive and finite.
pub(super) fn check_direction(
    direction: &ParamVector,
    index: usize,
) -> Result<f64, LandscapeError> {
    let norm = direction.norm()?;
    if norm > 0.0 && norm.is_finite() {
        Ok(norm)
    } else {
        Err(LandscapeError::NoDirection { index, norm })
    }
}
