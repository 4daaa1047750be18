use std::ops::ControlFlow;

use burn::module::Module;

use super::LandscapeError;
use crate::loss::{Batch, DataSet, Evaluator, LossError, Objective};

/// One point of a slice, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SliceStep {
    /// Points done.
    pub points: usize,
    /// Points of the slice.
    pub total: usize,
    /// The loss at this point.
    pub loss: f64,
}

/// Evaluates the points of a slice one after another.
pub(super) struct Slicer<'a, O, D: ?Sized> {
    evaluator: &'a Evaluator<'a, O>,
    data: &'a D,
    total: usize,
    /// The loss of the model as it is.
    pub(super) base_loss: f64,
    pub(super) losses: Vec<f64>,
    pub(super) num_evaluations: usize,
}

impl<'a, O, D: ?Sized> Slicer<'a, O, D> {
    pub(super) fn new<M, B>(
        model: &M,
        evaluator: &'a Evaluator<'a, O>,
        data: &'a D,
        total: usize,
    ) -> Result<Self, LandscapeError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        Ok(Self {
            base_loss: evaluator.loss(model, data)?.value,
            evaluator,
            data,
            total,
            losses: Vec::with_capacity(total),
            num_evaluations: 1,
        })
    }

    /// Adds the point at `moved`, or that of the model itself for none.
    pub(super) fn point<M, B>(
        &mut self,
        moved: Option<M>,
        observe: &mut dyn FnMut(&SliceStep) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LandscapeError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        let loss = match moved {
            None => self.base_loss,
            Some(moved) => self.loss(&moved)?,
        };
        self.losses.push(loss);
        Ok(observe(&SliceStep {
            points: self.losses.len(),
            total: self.total,
            loss,
        }))
    }

    pub(super) fn completed(&self) -> bool {
        self.losses.len() == self.total
    }

    /// Far from a minimum a loss may overflow. That is what a picture is to show, not a reason to
    /// throw away the rest of it.
    fn loss<M, B>(&mut self, moved: &M) -> Result<f64, LandscapeError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B>,
    {
        self.num_evaluations += 1;
        match self.evaluator.loss(moved, self.data) {
            Ok(loss) => Ok(loss.value),
            Err(LossError::NonFinite { value, .. }) => Ok(value),
            Err(error) => Err(error.into()),
        }
    }
}
