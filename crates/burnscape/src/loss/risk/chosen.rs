//! Some parts of the data, each as a batch.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use burn::module::Module;

use super::source::{Data, Visit, VisitTensors};
use super::{Draws, Risk, RiskBatch, SharedSource, Source, each};
use crate::loss::LossError;
use crate::space::mix;

/// A loss over some parts of data.
struct Chosen<'a, M> {
    whole: SharedSource<'a, M>,
    /// The most examples of a part; `None` for whole batches.
    examples: Option<usize>,
    /// The positions of the chosen ones among all parts, ascending.
    parts: Vec<usize>,
}

impl<'a, M: Module + 'a, K> Risk<'a, M, K> {
    /// The number of examples of each batch. Nothing is evaluated, and nothing reported.
    ///
    /// # Errors
    ///
    /// [`LossError::EmptyData`], [`LossError::EmptyBatch`], [`LossError::RaggedBatch`], [`LossError::BadWeight`], and those
    /// of the data set.
    pub(crate) fn batch_sizes(&self) -> Result<Vec<usize>, LossError> {
        let mut sizes = Vec::new();
        each(&**self.source(), |index, batch| {
            let (examples, _) = batch.examples_and_weight(index)?;
            sizes.push(examples);
            Ok::<_, LossError>(ControlFlow::Continue(()))
        })?;
        if sizes.is_empty() {
            Err(LossError::EmptyData)
        } else {
            Ok(sizes)
        }
    }

    /// The risk over some parts of at most `examples` of each batch (`None`: whole batches), at the given positions,
    /// ascending. The parts are its batches. Only they are copied, and a batch that is one part is not.
    pub(crate) fn chosen(&self, examples: Option<usize>, parts: Vec<usize>) -> Risk<'a, M> {
        let whole = Arc::clone(&self.source);
        Risk {
            source: Arc::new(Chosen {
                whole,
                examples,
                parts,
            }),
            unmoved: None,
            ..self.whole()
        }
    }

    /// The risk over a single part. If a seed fixes the draws, they are those of the batch `index`.
    pub(crate) fn chosen_as(
        &self,
        index: usize,
        examples: Option<usize>,
        part: usize,
    ) -> Risk<'a, M> {
        let draws = match self.draws {
            Draws::Seeded(seed) => Draws::OneBatch(mix(seed, index as u64)),
            other => other,
        };
        // Several devices have nothing to divide.
        let own = self.chosen(examples, vec![part]).without_devices();
        Risk { draws, ..own }
    }
}

impl<M> Data for Chosen<'_, M> {
    fn num_batches(&self) -> Option<usize> {
        Some(self.parts.len())
    }

    fn shares_traces(&self) -> bool {
        self.whole.shares_traces()
    }

    fn type_name(&self) -> &'static str {
        self.whole.type_name()
    }

    fn visit_tensors(&self, visit: &mut VisitTensors<'_>) {
        self.visit(&mut |index, part| visit(index, part.map(|part| part.tensors())));
    }

    fn visit_tensor_parts(&self, examples: usize, visit: &mut VisitTensors<'_>) {
        self.visit_parts(examples, &mut |index, part| {
            visit(index, part.map(|part| part.tensors()))
        });
    }
}

impl<M> Source<M> for Chosen<'_, M> {
    fn visit(&self, visit: &mut Visit<'_, M>) {
        let mut waiting = self.parts.as_slice();
        let (mut first, mut number) = (0, 0);
        self.whole.visit(&mut |index, batch| {
            let flow = match counted(batch, index) {
                Err(error) => visit(number, Err(error)),
                Ok((count, batch)) => {
                    let size = self.examples.unwrap_or(count).max(1);
                    let end = first + count.div_ceil(size);
                    let (own, later) =
                        waiting.split_at(waiting.partition_point(|&part| part < end));
                    let start = |part: &usize| (part - first) * size;
                    let flow = own.iter().map(start).try_for_each(|start| {
                        let examples = start..count.min(start + size);
                        let flow = visit_range(batch, number, examples, count, visit);
                        number += 1;
                        flow
                    });
                    (waiting, first) = (later, end);
                    flow
                }
            };
            if waiting.is_empty() {
                ControlFlow::Break(())
            } else {
                flow
            }
        });
    }

    fn visit_parts(&self, examples: usize, visit: &mut Visit<'_, M>) {
        let (mut number, size) = (0, examples.max(1));
        self.visit(&mut |index, part| match counted(part, index) {
            Err(error) => visit(number, Err(error)),
            Ok((count, part)) => (0..count).step_by(size).try_for_each(|start| {
                let examples = start..count.min(start + size);
                let flow = visit_range(part, number, examples, count, visit);
                number += 1;
                flow
            }),
        });
    }
}

pub(super) type Counted<'b, M> = Result<(usize, &'b dyn RiskBatch<M>), LossError>;

/// A batch and the number of its examples.
pub(super) fn counted<M>(
    batch: Result<&dyn RiskBatch<M>, LossError>,
    index: usize,
) -> Counted<'_, M> {
    let batch = batch?;
    let (count, _) = batch.examples_and_weight(index)?;
    Ok((count, batch))
}

/// Passes some of the `count` examples of a batch to `visit`, as the part `number`.
fn visit_range<M>(
    batch: &dyn RiskBatch<M>,
    number: usize,
    examples: Range<usize>,
    count: usize,
    visit: &mut Visit<'_, M>,
) -> ControlFlow<()> {
    if examples.len() == count {
        return visit(number, Ok(batch));
    }
    match batch.part(examples) {
        Ok(part) => visit(number, Ok(&*part)),
        Err(error) => visit(number, Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::loss::InParts;
    use crate::space::to_host;

    fn data() -> [Tensor<2>; 3] {
        [0.0, 10.0, 20.0].map(|first: f32| {
            let rows = [first, first + 1.0, first + 2.0, first + 3.0].map(|x| [x]);
            Tensor::from_data(rows, &Device::default())
        })
    }

    fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
        model.forward(x).mean()
    }

    /// The numbers of each batch.
    fn seen<'a>(source: &(dyn Source<Linear> + 'a)) -> Vec<Vec<f64>> {
        let mut seen = Vec::new();
        source.visit_tensors(&mut |index, tensors| {
            assert_eq!(index, seen.len());
            let tensors = tensors.unwrap();
            assert_eq!(tensors.values.len(), 1);
            let values = Tensor::<2>::from_dispatch(tensors.values[0].clone());
            seen.push(to_host(values.flatten(0, 1)).unwrap());
            ControlFlow::Continue(())
        });
        seen
    }

    #[test]
    fn parts_are_chosen_by_their_positions() {
        let data = data();
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        assert_eq!(risk.batch_sizes().unwrap(), [4, 4, 4]);
        let chosen = risk.chosen(Some(2), vec![1, 4, 5]);
        let expected = [[2.0, 3.0], [20.0, 21.0], [22.0, 23.0]];
        assert_eq!(seen(&**chosen.source()), expected);
        assert_eq!(chosen.num_batches(), Some(3));
        let whole = risk.chosen(None, vec![1]);
        assert_eq!(seen(&**whole.source()), [[10.0, 11.0, 12.0, 13.0]]);
        // Again in parts, as a memory budget might ask for.
        let nested = InParts {
            whole: chosen.source().clone(),
            examples: 1,
        };
        let expected = [2.0, 3.0, 20.0, 21.0, 22.0, 23.0].map(|x| [x]);
        assert_eq!(seen(&nested), expected);
    }

    #[test]
    fn the_risk_of_parts_is_that_of_their_examples() {
        let device = Device::default();
        let model = LinearConfig::new(1, 1).with_bias(false).init(&device);
        let data = data();
        let risk = Risk::new(&loss, &data);
        let chosen = risk.chosen(Some(2), vec![0, 5]);
        let found = chosen.loss_and_gradient(&model).unwrap();
        assert_eq!((found.num_examples, found.num_batches), (4, 2));
        // The mean of 0, 1, 22 and 23.
        assert_eq!(found.gradient.to_host().unwrap(), [11.5]);
        let single = risk.chosen_as(1, Some(2), 5);
        let found = single.loss_and_gradient(&model).unwrap();
        assert_eq!(found.gradient.to_host().unwrap(), [22.5]);
    }
}
