//! The batches of one of several devices.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::Device;

use super::chosen::counted;
use super::source::{Data, Visit, VisitTensors};
use super::{RiskBatch, SharedSource, Source};
use crate::loss::Costs;

/// A loss over some of the batches of data, or all of them, moved to a device. They keep their indices in the whole
/// data.
pub(super) struct Shard<'a, M> {
    pub(super) whole: SharedSource<'a, M>,
    pub(super) device: Device,
    /// The assignment of batches, and the index of the device; `None` for all batches.
    pub(super) share: Option<(Arc<Costs>, usize)>,
}

impl<M> Shard<'_, M> {
    fn has(&self, index: usize, batch: &dyn RiskBatch<M>) -> bool {
        let bytes = || batch.tensors().bytes() as u64;
        self.share
            .as_ref()
            .is_none_or(|(costs, own)| costs.owner(index, bytes) == *own)
    }

    /// Passes a batch, or a part of one, to `visit`.
    fn show(
        &self,
        index: usize,
        batch: &dyn RiskBatch<M>,
        visit: &mut Visit<'_, M>,
    ) -> ControlFlow<()> {
        match batch.on(&self.device) {
            Ok(batch) => visit(index, Ok(&*batch)),
            Err(error) => visit(index, Err(error)),
        }
    }
}

impl<M> Data for Shard<'_, M> {
    /// That of the whole data as long as not all batches are assigned.
    fn num_batches(&self) -> Option<usize> {
        let share = self.share.as_ref();
        let own = share.and_then(|(costs, own)| costs.share(*own));
        own.or_else(|| self.whole.num_batches())
    }

    fn shares_traces(&self) -> bool {
        self.whole.shares_traces()
    }

    fn type_name(&self) -> &'static str {
        self.whole.type_name()
    }

    fn visit_tensors(&self, visit: &mut VisitTensors<'_>) {
        self.visit(&mut |index, batch| visit(index, batch.map(|batch| batch.tensors())));
    }

    fn visit_tensor_parts(&self, examples: usize, visit: &mut VisitTensors<'_>) {
        self.visit_parts(examples, &mut |index, part| {
            visit(index, part.map(|part| part.tensors()))
        });
    }
}

impl<M> Source<M> for Shard<'_, M> {
    fn visit(&self, visit: &mut Visit<'_, M>) {
        self.whole.visit(&mut |index, batch| match batch {
            Ok(batch) if self.has(index, batch) => self.show(index, batch, visit),
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => visit(index, Err(error)),
        });
    }

    fn visit_parts(&self, examples: usize, visit: &mut Visit<'_, M>) {
        let (mut next, size) = (0, examples.max(1));
        self.whole.visit(&mut |index, batch| {
            let (count, batch) = match counted(batch, index) {
                Ok(counted) => counted,
                Err(error) => return visit(next, Err(error)),
            };
            // Those of other devices count as well.
            let first = next;
            next += count.div_ceil(size);
            if !self.has(index, batch) {
                return ControlFlow::Continue(());
            }
            if count <= size {
                return self.show(first, batch, visit);
            }
            (first..next).try_for_each(|number| {
                let start = (number - first) * size;
                match batch.part(start..count.min(start + size)) {
                    Ok(part) => self.show(number, &*part, visit),
                    Err(error) => visit(number, Err(error)),
                }
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::Linear;
    use burn::tensor::Tensor;

    use super::*;
    use crate::loss::{Devices, InParts, Risk};
    use crate::space::to_host;

    fn data() -> [Tensor<2>; 5] {
        [(0.0, 4), (10.0, 1), (20.0, 3), (30.0, 2), (40.0, 5)].map(|(first, rows)| {
            let rows: Vec<f32> = (0..rows).map(|row| first + row as f32).collect();
            let count = rows.len();
            Tensor::<1>::from_floats(rows.as_slice(), &Device::default()).reshape([count, 1])
        })
    }

    fn loss(_: &Linear, x: Tensor<2>) -> Tensor<1> {
        x.mean()
    }

    /// The indices and numbers of the batches.
    fn seen<'a>(source: &(dyn Source<Linear> + 'a)) -> Vec<(usize, Vec<f64>)> {
        let mut seen = Vec::new();
        source.visit_tensors(&mut |index, tensors| {
            let values = Tensor::<2>::from_dispatch(tensors.unwrap().values[0].clone());
            seen.push((index, to_host(values.flatten(0, 1)).unwrap()));
            ControlFlow::Continue(())
        });
        seen
    }

    fn numbers(first: f64, range: std::ops::Range<usize>) -> Vec<f64> {
        range.map(|row| first + row as f64).collect()
    }

    #[test]
    fn shards_are_a_partition_and_keep_the_indices() {
        let data = data();
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let devices = Devices::new(vec![Device::default(); 2]);
        let costs = Costs::bytes(&devices);
        // Of 4, 1, 3, 2 and 5 numbers.
        let shards = [0, 1].map(|index| risk.shard(&devices, index, &costs));
        let [first, second] = shards.each_ref().map(|shard| seen(&**shard.source()));
        assert_eq!(first, [(0, numbers(0.0, 0..4)), (3, numbers(30.0, 0..2))]);
        assert_eq!(
            second,
            [
                (1, numbers(10.0, 0..1)),
                (2, numbers(20.0, 0..3)),
                (4, numbers(40.0, 0..5))
            ]
        );
        assert_eq!(shards[0].num_batches(), Some(5));
        let known = Costs::known(&devices, [4, 1, 3, 2, 5]);
        let known = [0, 1].map(|index| risk.shard(&devices, index, &known).num_batches());
        assert_eq!(known, [Some(2), Some(3)]);
        // Again the same.
        assert_eq!(seen(&**shards[1].source()), second);
    }

    #[test]
    fn parts_are_numbered_over_the_whole_data() {
        let data = data();
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let devices = Devices::new(vec![Device::default(); 2]);
        let costs = Costs::bytes(&devices);
        for examples in [1, 2, 3, 9] {
            let parts = |source| InParts {
                whole: source,
                examples,
            };
            let expected = seen(&parts(risk.source().clone()));
            let shards = [0, 1].map(|index| risk.shard(&devices, index, &costs));
            let own = shards.map(|shard| {
                let shown = seen(&parts(shard.source().clone()));
                // The parts of its own batches.
                let whole: Vec<f64> = seen(&**shard.source())
                    .into_iter()
                    .flat_map(|(_, numbers)| numbers)
                    .collect();
                let in_parts = shown.iter().flat_map(|(_, numbers)| numbers.clone());
                assert_eq!(in_parts.collect::<Vec<f64>>(), whole);
                shown
            });
            let mut all = own.concat();
            all.sort_by_key(|(index, _)| *index);
            assert_eq!(all, expected, "{examples}");
        }
    }

    #[test]
    fn all_batches_can_be_on_one_device() {
        let data = data();
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let located = risk.located(&Device::default());
        assert_eq!(seen(&**located.source()), seen(&**risk.source()));
        assert!(located.devices().is_none());
    }

    #[test]
    fn a_moved_batch_has_the_fingerprint_of_the_batch() {
        let data = data();
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let before = risk.read_data().unwrap();
        #[cfg(feature = "ndarray")]
        #[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
        let device = Device::ndarray();
        #[cfg(not(feature = "ndarray"))]
        let device = Device::default();
        let located = risk.located(&device);
        assert_eq!(located.read_data().unwrap(), before);
        located.source().visit(&mut |_, batch| {
            let batch = batch.unwrap();
            let tensors = batch.tensors();
            let values = Tensor::<2>::from_dispatch(tensors.values[0].clone());
            assert!(values.device() == device);
            let part = batch.part(0..1).unwrap();
            assert_eq!(part.tensors().signature[0].0, [1, 1]);
            ControlFlow::Continue(())
        });
    }
}
