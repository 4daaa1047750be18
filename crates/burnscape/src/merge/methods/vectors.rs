//! The vectors of a spherical method, in blocks of a tensor.

use std::ops::Range;

use crate::merge::spherical::Parts;
use crate::merge::{MergeBlock, MergeTensor, SlerpUnit};

/// How the elements of a tensor are distributed over vectors.
#[derive(Debug)]
pub(super) struct Vectors<'t> {
    unit: SlerpUnit,
    name: &'t str,
    axis: Option<usize>,
    parts: Parts,
}

impl<'t> Vectors<'t> {
    pub(super) fn of(tensor: &'t MergeTensor<'_>, unit: SlerpUnit) -> Self {
        let axis = match unit {
            SlerpUnit::Filter => tensor.filter_axis(),
            SlerpUnit::Tensor | SlerpUnit::Model => None,
        };
        Self {
            unit,
            name: tensor.name(),
            axis,
            parts: Parts::of(tensor.shape(), axis),
        }
    }

    /// The number of vectors.
    pub(super) fn count(&self) -> usize {
        self.parts.count
    }

    /// A vector in errors.
    pub(super) fn name(&self, vector: usize) -> String {
        match (self.unit, self.axis) {
            (SlerpUnit::Model, _) => "the vector of all parameters".to_string(),
            (_, Some(_)) => format!("filter {vector} of `{}`", self.name),
            (_, None) => format!("`{}`", self.name),
        }
    }

    /// The stretches of a block that belong to one vector each, with that vector.
    pub(super) fn stretches(
        &self,
        block: &MergeBlock<'_>,
    ) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (count, run, len) = (self.parts.count, self.parts.run.max(1), block.len());
        let mut vector = (block.start / run) % count.max(1);
        let mut end = run - block.start % run;
        let mut start = 0;
        std::iter::from_fn(move || {
            if start >= len {
                return None;
            }
            let found = (vector, start..end.min(len));
            vector = if vector + 1 < count { vector + 1 } else { 0 };
            (start, end) = (end, end + run);
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn stretches_are_the_parts_of_a_tensor() {
        let shape = [7, 300, 3];
        let len: usize = shape.iter().product();
        let model = [TensorData::zeros::<f32, _>(shape)];
        for (axis, run) in [(None, len), (Some(0), 900), (Some(1), 3), (Some(2), 1)] {
            let tensor = MergeTensor::new("w", &model).unwrap();
            let tensor = tensor.with_filter_axis(axis);
            let vectors = Vectors::of(&tensor, SlerpUnit::Filter);
            let count = axis.map_or(1, |axis: usize| shape[axis]);
            assert_eq!(vectors.count(), count);
            let mut place = 0;
            tensor.each(|block| {
                for (vector, range) in vectors.stretches(block) {
                    assert_eq!(range.start + block.start, place);
                    for index in range {
                        assert_eq!(vector, (block.start + index) / run % count);
                        place += 1;
                    }
                }
            });
            assert_eq!(place, len);
        }
    }
}
