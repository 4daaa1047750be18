//! A batch in parts.

use crate::loss::{Batch, LossError, Reduction};

/// A part of a batch.
#[derive(Debug)]
pub(super) struct BatchPart<B> {
    pub(super) batch: B,
    /// The weight of its loss in the loss of the whole.
    pub(super) weight: f64,
}

/// Groups of `size` examples, the last one with the rest; all examples without a size.
pub(super) fn groups<B: Batch>(
    batch: B,
    size: Option<usize>,
    reduction: Reduction,
) -> Result<Vec<BatchPart<B>>, LossError> {
    let examples = counted(&batch)?;
    let batches = match size {
        Some(size) if size < examples => {
            let all: Vec<usize> = (0..examples).collect();
            all.chunks(size)
                .map(|group| batch.select(group))
                .collect::<Result<Vec<_>, _>>()?
        }
        _ => vec![batch],
    };
    weighted(batches, reduction)
}

/// `count` parts of consecutive examples, as equal as possible, the larger ones first; fewer if there are fewer
/// examples.
pub(super) fn evenly<B: Batch>(
    batch: B,
    count: usize,
    reduction: Reduction,
) -> Result<Vec<BatchPart<B>>, LossError> {
    let examples = counted(&batch)?;
    let count = count.min(examples);
    let batches = if count < 2 {
        vec![batch]
    } else {
        let start = |part: usize| part * (examples / count) + part.min(examples % count);
        (0..count)
            .map(|part| {
                let part: Vec<usize> = (start(part)..start(part + 1)).collect();
                batch.select(&part)
            })
            .collect::<Result<Vec<_>, _>>()?
    };
    weighted(batches, reduction)
}

/// The number of examples; a batch without tensors is one.
pub(super) fn num_examples(batch: &impl Batch) -> Result<usize, LossError> {
    Ok(batch.num_examples()?.unwrap_or(1))
}

/// The number of examples, which is not zero.
fn counted(batch: &impl Batch) -> Result<usize, LossError> {
    match num_examples(batch)? {
        0 => Err(LossError::EmptyBatch { batch: 0 }),
        examples => Ok(examples),
    }
}

fn weighted<B: Batch>(
    batches: Vec<B>,
    reduction: Reduction,
) -> Result<Vec<BatchPart<B>>, LossError> {
    let mut parts = Vec::with_capacity(batches.len());
    for (index, batch) in batches.into_iter().enumerate() {
        let weight = batch.weight()?;
        if !(weight > 0.0 && weight.is_finite()) {
            return Err(LossError::BadWeight {
                batch: index,
                weight,
            });
        }
        parts.push(BatchPart { batch, weight });
    }
    let total: f64 = parts.iter().map(|part| part.weight).sum();
    for part in &mut parts {
        part.weight = match reduction {
            Reduction::Mean => part.weight / total,
            Reduction::Sum => 1.0,
        };
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int, Tensor};

    use super::*;

    #[test]
    fn parts_are_consecutive_and_as_equal_as_possible() {
        for (examples, count, lengths) in [
            (10, 4, &[3, 3, 2, 2][..]),
            (8, 2, &[4, 4][..]),
            (3, 5, &[1, 1, 1][..]),
            (1, 2, &[1][..]),
        ] {
            let batch = Tensor::<1, Int>::arange(0..examples, &Device::default());
            let parts = evenly(batch, count, Reduction::Mean).unwrap();
            let mut found = Vec::new();
            for (part, length) in parts.iter().zip(lengths) {
                assert!((part.weight - f64::from(*length) / examples as f64).abs() < 1e-15);
                let data = part.batch.clone().into_data();
                found.extend(data.iter::<i64>());
            }
            assert_eq!(parts.len(), lengths.len());
            assert_eq!(found, (0..examples).collect::<Vec<i64>>());
        }
        let batch = Tensor::<1>::ones([4], &Device::default());
        let sum = evenly(batch, 2, Reduction::Sum).unwrap();
        assert!(sum.iter().all(|part| part.weight == 1.0));
        let empty = Tensor::<1>::zeros([0], &Device::default());
        let error = evenly(empty, 2, Reduction::Mean).unwrap_err();
        assert_eq!(error, LossError::EmptyBatch { batch: 0 });
    }
}
