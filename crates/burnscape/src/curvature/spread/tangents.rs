//! What the batches of a pass are multiplied with.

use std::ops::Range;

use burn::tensor::{Device, Tensor};

use crate::curvature::batch_sum::joined;
use crate::space::{SpaceError, moved};

/// The vector of each batch, or the block of vectors `[k, …]` with them as rows, on the device of the model.
#[derive(Clone, Copy)]
pub(in crate::curvature) enum Tangents<'t, const D: usize> {
    /// The same for all batches.
    Same(&'t Tensor<D>),
    /// For each batch a part of the last axis: from its start to that of the next batch.
    Parts(&'t Tensor<D>, &'t [usize]),
}

impl Tangents<'_, 1> {
    /// The vector of a batch.
    pub(super) fn of(&self, batch: usize) -> Tensor<1> {
        match *self {
            Self::Same(vector) => vector.clone(),
            Self::Parts(vector, starts) => columns(vector, part(starts, batch)),
        }
    }
}

impl Tangents<'_, 2> {
    /// Some rows of the block of a batch.
    pub(super) fn of(&self, batch: usize, rows: Range<usize>) -> Tensor<2> {
        match *self {
            Self::Same(block) => rows_of(block, rows),
            Self::Parts(block, starts) => block.clone().slice([rows, part(starts, batch)]),
        }
    }

    /// Some rows of the whole block.
    pub(super) fn rows(&self, rows: Range<usize>) -> Tensor<2> {
        let (Self::Same(block) | Self::Parts(block, _)) = *self;
        rows_of(block, rows)
    }
}

impl<'t, const D: usize> Tangents<'t, D> {
    /// The same parts of another tensor.
    pub(super) fn with<'s>(&self, tensor: &'s Tensor<D>) -> Tangents<'s, D>
    where
        't: 's,
    {
        match *self {
            Self::Same(_) => Tangents::Same(tensor),
            Self::Parts(_, starts) => Tangents::Parts(tensor, starts),
        }
    }

    /// Those of the batches of one device, given by their places in the order of all, as one tensor.
    pub(super) fn share(&self, places: &[usize]) -> Share<D> {
        match *self {
            Self::Same(tensor) => Share::Same(tensor.clone()),
            Self::Parts(tensor, starts) => {
                let ranges = places.iter().map(|&place| part(starts, place));
                let ranges: Vec<Range<usize>> = ranges.collect();
                let own = starts_of(ranges.iter().map(|range| range.len()));
                let parts = ranges.into_iter().map(|range| columns(tensor, range));
                Share::Parts(joined(parts.collect(), D - 1), own)
            }
        }
    }
}

/// The tangents of the batches of one device, by their positions there.
pub(super) enum Share<const D: usize> {
    Same(Tensor<D>),
    Parts(Tensor<D>, Vec<usize>),
    /// For each batch its own.
    Own(Vec<Tensor<D>>),
}

impl<const D: usize> Share<D> {
    /// The same on another device.
    pub(super) fn on(&self, device: &Device) -> Result<Self, SpaceError> {
        let on = |tensor: &Tensor<D>| moved(tensor.clone(), device);
        Ok(match self {
            Self::Same(tensor) => Self::Same(on(tensor)?),
            Self::Parts(tensor, starts) => Self::Parts(on(tensor)?, starts.clone()),
            Self::Own(tensors) => Self::Own(tensors.iter().map(on).collect::<Result<_, _>>()?),
        })
    }

    /// Those of the batch at a position.
    pub(super) fn of(&self, position: usize) -> Tensor<D> {
        match self {
            Self::Same(tensor) => tensor.clone(),
            Self::Parts(tensor, starts) => columns(tensor, part(starts, position)),
            Self::Own(tensors) => tensors[position].clone(),
        }
    }
}

/// Where parts of these lengths start, and where the last one ends.
pub(in crate::curvature) fn starts_of(lens: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut end = 0;
    let ends = lens.into_iter().map(|len| {
        end += len;
        end
    });
    std::iter::once(0).chain(ends).collect()
}

/// The part with an index.
pub(in crate::curvature) fn part(starts: &[usize], index: usize) -> Range<usize> {
    starts[index]..starts[index + 1]
}

/// A range of the last axis.
pub(super) fn columns<const D: usize>(tensor: &Tensor<D>, range: Range<usize>) -> Tensor<D> {
    let mut ranges = tensor.dims().map(|len| 0..len);
    if let Some(last) = ranges.last_mut() {
        *last = range;
    }
    tensor.clone().slice(ranges)
}

fn rows_of(block: &Tensor<2>, rows: Range<usize>) -> Tensor<2> {
    let [_, n] = block.dims();
    block.clone().slice([rows, 0..n])
}
