use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;

use super::CurvatureError;
use super::output_vector::{OutputSpace, OutputVector};
use super::reverse::nothing;
use super::site::Site;
use super::stale::FirstValue;
use crate::loss::draws::BatchDraws;
use crate::loss::{LossError, Risk, Split, each};
use crate::space::transfer;

/// The outputs of a model over data.
#[derive(Debug, Clone)]
pub(crate) struct Outputs {
    /// Those of all batches in order, each flattened row by row: in the range of a [`Jacobian`](super::Jacobian).
    pub(crate) values: OutputVector,
    pub(crate) num_examples: usize,
    /// Outputs of an example; none if examples differ.
    pub(crate) per_example: Option<usize>,
}

impl<M: Module> Risk<'_, M, Split> {
    /// The outputs of a model, in the mode and with the draws of the risk. Nothing is traced, and nothing reported.
    /// That the closure draws no random numbers is not checked: operators do it.
    ///
    /// # Cost
    ///
    /// One forward pass over the data, and one host synchronization.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::NonFiniteOutputs`], and those of [`Risk::loss`].
    pub(crate) fn outputs(&self, model: &M) -> Result<Outputs, CurvatureError> {
        self.in_time(model, || {
            let site = Site::new(self, model)?;
            let draws = BatchDraws::new(site.draws, site.space.device())?;
            let mut parts: Vec<Tensor<1>> = Vec::new();
            let (mut num_examples, mut per_example) = (0, None);
            each(site.source, |index, batch| {
                let (examples, _) = batch.examples_and_weight(index)?;
                let part = site.evaluated(batch, FirstValue::Outputs, || draws.begin(index))?;
                let [rows] = part.dims();
                let own = rows.is_multiple_of(examples).then(|| rows / examples);
                per_example = if index == 0 || per_example == own {
                    own
                } else {
                    None
                };
                num_examples += examples;
                parts.push(part);
                Ok::<_, CurvatureError>(ControlFlow::Continue(()))
            })?;
            let zeros = transfer(parts.iter().map(nothing).collect())?;
            if let Some(batch) = zeros.iter().position(|zero| *zero != 0.0) {
                return Err(CurvatureError::NonFiniteOutputs { batch });
            }
            let Some(dtype) = parts.first().map(Tensor::dtype) else {
                return Err(LossError::EmptyData.into());
            };
            let values = Tensor::cat(parts, 0);
            let [len] = values.dims();
            let space = OutputSpace::new(len, dtype, &site.space);
            Ok(Outputs {
                values: OutputVector::from_values(&space, values)?,
                num_examples,
                per_example,
            })
        })
    }
}
