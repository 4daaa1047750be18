use burn::module::Module;
use burnscape_krylov::TrustRegionConfig;

use super::Need;
use super::ascent::ModelMaximum;
use crate::loss::scalar::called;
use crate::optim::OptimError;
use crate::optim::evaluation::{Evaluation, IntoEvaluation};
use crate::space::LeafVector;

/// The source of a step's gradients: a closure, or a batch that can be split.
///
/// A step is a weighted sum over parts: one for a closure, one a group for m-sharpness.
pub(in crate::optim) trait Oracle<M> {
    fn num_parts(&self) -> usize {
        1
    }

    /// Weight of a part's loss in the loss of the whole.
    fn weight(&self, _part: usize) -> f64 {
        1.0
    }

    /// The pass at the weights.
    fn first(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError>;

    /// A pass at displaced weights.
    fn displaced(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError>;

    /// The mean of the squares of the gradients of the part's examples, each times `2^−exponent` before, and
    /// how many there were.
    fn example_squares(
        &mut self,
        _part: usize,
        _model: &M,
        _exponent: i32,
    ) -> Result<(LeafVector, usize), OptimError> {
        Err(Need::Batch.unmet("a Fisher metric of example gradients"))
    }

    /// Where the quadratic model of the part's loss is largest in a ball.
    fn model_maximum(
        &mut self,
        _part: usize,
        _model: &M,
        _ball: &TrustRegionConfig,
        _draws_seed: Option<u64>,
    ) -> Result<ModelMaximum, OptimError> {
        Err(Need::Batch.unmet("trust-region ascent"))
    }
}

/// The oracle of a plain closure.
pub(in crate::optim) struct ClosureOracle<F>(pub(in crate::optim) F);

impl<M, F, R> Oracle<M> for ClosureOracle<F>
where
    M: Module,
    F: FnMut(&M) -> R,
    R: IntoEvaluation,
{
    fn first(&mut self, _part: usize, model: &M) -> Result<Evaluation, OptimError> {
        Ok(called(|| (self.0)(model))?.into_evaluation(model)?)
    }

    fn displaced(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError> {
        self.first(part, model)
    }
}
