use burn::module::Module;
use burn::tensor::Device;

use crate::loss::{Batch, Objective, moved_to};
use crate::optim::OptimError;
use crate::optim::evaluation::Evaluation;
use crate::optim::sam::batch_oracle::evaluated;
use crate::optim::sam::oracle::Oracle;
use crate::optim::sam::step_draws::StepDraws;

/// The oracle of one device: an objective on its part of the batch.
pub(super) struct PartOracle<'a, B, O> {
    pub(super) objective: &'a O,
    pub(super) batch: B,
    pub(super) weight: f64,
    pub(super) draws: StepDraws,
    pub(super) device: Device,
}

impl<M, B, O> Oracle<M> for PartOracle<'_, B, O>
where
    M: Module,
    B: Batch,
    O: Objective<M, B>,
{
    fn weight(&self, _part: usize) -> f64 {
        self.weight
    }

    fn first(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError> {
        // All later passes find the examples there.
        self.batch = moved_to(self.batch.clone(), &self.device)?;
        Oracle::<M>::displaced(self, part, model)
    }

    fn displaced(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError> {
        self.draws.reseed_device(&self.device, part);
        evaluated(self.objective, model, self.batch.clone())
    }
}
