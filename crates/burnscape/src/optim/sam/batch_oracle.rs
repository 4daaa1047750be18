use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_krylov::TrustRegionConfig;

use super::SamConfig;
use super::ascent::ModelMaximum;
use super::batch_parts::{BatchPart, groups, num_examples};
use super::oracle::Oracle;
use crate::loss::scalar::called;
use crate::loss::{Batch, LossError, Objective, Reduction};
use crate::optim::OptimError;
use crate::optim::batch_hessian::batch_hessian;
use crate::optim::evaluation::{Evaluation, IntoEvaluation, LossValue};
use crate::space::{LeafVector, ParamSpace, to_host};

/// The oracle of a batch and an objective: it can split the batch, select from it, and use its examples one by one.
pub(super) struct BatchOracle<'a, B, O> {
    objective: &'a O,
    parts: Vec<Part<B>>,
    selection: Option<f64>,
    space: ParamSpace,
}

struct Part<B> {
    batch: B,
    weight: f64,
    /// The losses of the examples at the weights, for data selection.
    losses: Vec<f64>,
}

impl<'a, B: Batch, O> BatchOracle<'a, B, O> {
    pub(super) fn new<M>(
        objective: &'a O,
        batch: B,
        config: &SamConfig,
        space: ParamSpace,
    ) -> Result<Self, OptimError>
    where
        O: Objective<M, B>,
    {
        let parts = groups(batch, config.group_size, objective.reduction())?;
        let parts = parts.into_iter().map(|BatchPart { batch, weight }| Part {
            batch,
            weight,
            losses: Vec::new(),
        });
        Ok(Self {
            objective,
            parts: parts.collect(),
            selection: config.selection,
            space,
        })
    }

    fn evaluate<M: Module>(&self, model: &M, batch: B) -> Result<Evaluation, OptimError>
    where
        O: Objective<M, B>,
    {
        evaluated(self.objective, model, batch)
    }

    fn example_losses<M>(&self, part: usize, model: &M) -> Result<Tensor<1>, OptimError>
    where
        O: Objective<M, B>,
    {
        let batch = self.parts[part].batch.clone();
        let losses = called(|| self.objective.example_losses(model, batch))?;
        let losses = losses.ok_or(LossError::NotPerExample)?;
        let expected = num_examples(&self.parts[part].batch)?;
        let found = losses.shape().num_elements();
        if found == expected {
            Ok(losses)
        } else {
            Err(LossError::WrongExampleLosses { expected, found }.into())
        }
    }

    fn reduce<M>(&self, losses: Tensor<1>) -> Tensor<1>
    where
        O: Objective<M, B>,
    {
        match self.objective.reduction() {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
        }
    }
}

impl<M, B, O> Oracle<M> for BatchOracle<'_, B, O>
where
    M: Module,
    B: Batch,
    O: Objective<M, B>,
{
    fn num_parts(&self) -> usize {
        self.parts.len()
    }

    fn weight(&self, part: usize) -> f64 {
        self.parts[part].weight
    }

    fn first(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError> {
        if self.selection.is_none() {
            return self.evaluate(model, self.parts[part].batch.clone());
        }
        let losses = self.example_losses(part, model)?;
        self.parts[part].losses = to_host(losses.clone().inner())?;
        Ok(self.reduce::<M>(losses).into_evaluation(model)?)
    }

    fn displaced(&mut self, part: usize, model: &M) -> Result<Evaluation, OptimError> {
        let Some(fraction) = self.selection else {
            return self.evaluate(model, self.parts[part].batch.clone());
        };
        // The loss that is reported is that of all examples; the gradient is that of those whose
        // loss rose most.
        let losses = self.example_losses(part, model)?.inner();
        let displaced = to_host(losses.clone().inner())?;
        let before = &self.parts[part].losses;
        let mut order: Vec<usize> = (0..displaced.len()).collect();
        let rise = |index: usize| displaced[index] - before.get(index).copied().unwrap_or(0.0);
        order.sort_by(|&a, &b| rise(b).total_cmp(&rise(a)));
        let count = ((fraction * order.len() as f64).ceil() as usize).clamp(1, order.len());
        order.truncate(count);
        // In the order of the batch, so that all examples selected is no selection at all.
        order.sort_unstable();
        let selected = self.parts[part].batch.select(&order)?;
        Ok(Evaluation {
            loss: LossValue::Tensor(self.reduce::<M>(losses)),
            ..self.evaluate(model, selected)?
        })
    }

    fn example_squares(
        &mut self,
        part: usize,
        model: &M,
        exponent: i32,
    ) -> Result<(LeafVector, usize), OptimError> {
        let batch = &self.parts[part].batch;
        let examples = num_examples(batch)?;
        let mut sum = LeafVector::zeros(&self.space);
        for example in 0..examples {
            let single = batch.select(&[example])?;
            let evaluation = self.evaluate(model, single)?;
            let gradient = LeafVector::from_gradients(&self.space, &evaluation.gradients)?;
            let gradient = gradient.widen().scale(2.0_f64.powi(-exponent));
            sum = sum.axpby(1.0, 1.0 / examples as f64, &gradient.hadamard(&gradient)?)?;
        }
        Ok((sum, examples))
    }

    fn model_maximum(
        &mut self,
        part: usize,
        model: &M,
        ball: &TrustRegionConfig,
        draws_seed: Option<u64>,
    ) -> Result<ModelMaximum, OptimError> {
        // The gradient is taken with the Hessian, so that both belong to one function even with dropout.
        let batch = &self.parts[part].batch;
        let hessian = batch_hessian(model, self.objective, batch, draws_seed)?;
        Ok(ball.maximize(&hessian, &hessian.gradient()?)?)
    }
}

/// The loss of a batch and its gradient.
pub(super) fn evaluated<M: Module, B>(
    objective: &impl Objective<M, B>,
    model: &M,
    batch: B,
) -> Result<Evaluation, OptimError> {
    let loss = called(|| objective.loss(model, batch))?;
    Ok(loss.into_evaluation(model)?)
}
