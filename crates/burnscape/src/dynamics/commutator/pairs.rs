use burn::module::Module;
use rand::seq::SliceRandom;

use crate::curvature::CurvatureError;
use crate::dynamics::DynamicsError;
use crate::loss::{DataReading, DeviceError, LossError, Risk};
use crate::range::ensure;
use crate::space::stream;

/// What decides which parts of the data are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    /// Examples of a part; `None` for whole batches.
    pub(super) batch_size: Option<usize>,
    pub(super) num_pairs: usize,
    pub(super) seed: u64,
}

/// Pairs of equal parts of the data.
#[derive(Debug)]
pub(super) struct Pairs {
    /// Examples of a part.
    pub(super) size: usize,
    /// Parts of the data.
    pub(super) num_parts: usize,
    /// The positions of the parts that are measured, ascending.
    pub(super) parts: Vec<usize>,
    /// The pairs, as indices of `parts`.
    pub(super) pairs: Vec<[usize; 2]>,
    /// The batch that each of `parts` is taken from.
    batches: Vec<usize>,
}

impl Pairing {
    pub(super) fn check(&self) -> Result<(), DynamicsError> {
        ensure("num_pairs", self.num_pairs as f64, 1.0..)?;
        if let Some(size) = self.batch_size {
            ensure("batch_size", size as f64, 1.0..)?;
        }
        Ok(())
    }

    /// Draws pairs from the data of a risk, without replacement. `measures_all`: parts in no pair are measured as well.
    ///
    /// # Cost
    ///
    /// Reads the data once, without downloading them.
    pub(super) fn draw<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        measures_all: bool,
    ) -> Result<Pairs, DynamicsError> {
        let sizes = risk.batch_sizes()?;
        let size = self.size(&sizes)?;
        let counts = sizes.iter().enumerate();
        let batches: Vec<usize> = counts
            .flat_map(|(batch, examples)| std::iter::repeat_n(batch, examples / size))
            .collect();
        let (num_parts, needed) = (batches.len(), self.num_pairs.saturating_mul(2));
        if num_parts < needed {
            return Err(DynamicsError::TooFewBatches {
                needed,
                found: num_parts,
                what: match self.batch_size {
                    Some(_) => "micro-batches",
                    None => "batches",
                },
                remedy: "compare fewer pairs (`with_num_pairs`), or cut the batches (`with_batch_size`)",
            });
        }
        let mut order: Vec<usize> = (0..num_parts).collect();
        order.shuffle(&mut stream(self.seed, 0));
        let (drawn, _) = order.as_chunks::<2>();
        let drawn = &drawn[..self.num_pairs];
        let mut parts: Vec<usize> = if measures_all {
            (0..num_parts).collect()
        } else {
            drawn.as_flattened().to_vec()
        };
        parts.sort_unstable();
        let index = |part: usize| parts.partition_point(|&other| other < part);
        Ok(Pairs {
            size,
            num_parts,
            pairs: drawn.iter().map(|pair| pair.map(index)).collect(),
            batches: parts.iter().map(|&part| batches[part]).collect(),
            parts,
        })
    }

    /// The number of examples that all parts have.
    fn size(&self, sizes: &[usize]) -> Result<usize, DynamicsError> {
        let first = sizes.first().copied().ok_or(LossError::EmptyData)?;
        let size = self.batch_size.unwrap_or(first);
        for &available in sizes {
            let other = match self.batch_size {
                Some(_) if available < size => {
                    return Err(DynamicsError::BatchSize { size, available });
                }
                Some(_) => available % size,
                None => available,
            };
            if other != size && other != 0 {
                return Err(DynamicsError::UnequalBatches {
                    first: size,
                    second: other,
                });
            }
        }
        Ok(size)
    }
}

impl Pairs {
    /// Refuses parts that are not those of a reading before.
    pub(super) fn check_same(&self, known: &[u64], found: &[u64]) -> Result<(), DynamicsError> {
        DataReading::check_same(known, found).map_err(|error| match error {
            LossError::DataChanged { batch: part } => LossError::DataChanged {
                batch: self.batch(part),
            },
            other => other,
        })?;
        Ok(())
    }

    /// The error of an operator over the parts, with the index of the batch in place of that of the part.
    pub(super) fn located(&self, mut error: CurvatureError) -> CurvatureError {
        match &mut error {
            CurvatureError::Loss(
                LossError::NonFinite { batch, .. } | LossError::DataChanged { batch },
            )
            | CurvatureError::NonFiniteGradient { batch, .. }
            | CurvatureError::NonFiniteProduct { batch, .. } => *batch = self.batch(*batch),
            CurvatureError::Loss(LossError::Device(failure)) => {
                if let DeviceError::Failed {
                    batch: Some(batch), ..
                }
                | DeviceError::TimedOut {
                    batch: Some(batch), ..
                } = &mut **failure
                {
                    *batch = self.batch(*batch);
                }
            }
            _ => {}
        }
        error
    }

    fn batch(&self, part: usize) -> usize {
        self.batches.get(part).copied().unwrap_or(part)
    }

    /// Passes over all data, rounded up, that so many gradients or products of single parts are.
    pub(super) fn passes(&self, of_parts: usize) -> usize {
        of_parts.div_ceil(self.num_parts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::nn::Linear;
    use burn::tensor::{Device, Tensor};

    use super::*;

    fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
        model.forward(x).mean()
    }

    fn drawn(
        pairing: Pairing,
        sizes: &[usize],
        measures_all: bool,
    ) -> Result<Pairs, DynamicsError> {
        let batch = |&size: &usize| Tensor::<2>::zeros([size, 1], &Device::default());
        let data: Vec<Tensor<2>> = sizes.iter().map(batch).collect();
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        pairing.draw(&risk, measures_all)
    }

    fn pairing(batch_size: Option<usize>, num_pairs: usize) -> Pairing {
        Pairing {
            batch_size,
            num_pairs,
            seed: 0,
        }
    }

    #[test]
    fn pairs_are_drawn_without_replacement() {
        let found = drawn(pairing(Some(2), 4), &[8, 4, 8], false).unwrap();
        assert_eq!((found.size, found.num_parts, found.parts.len()), (2, 10, 8));
        let mut in_pairs = found.pairs.as_flattened().to_vec();
        in_pairs.sort_unstable();
        assert_eq!(in_pairs, (0..8).collect::<Vec<_>>());
        assert!(found.parts.is_sorted() && found.parts.iter().all(|part| *part < 10));
        for (part, batch) in found.parts.iter().zip(&found.batches) {
            let expected = [0, 0, 0, 0, 1, 1, 2, 2, 2, 2];
            assert_eq!(*batch, expected[*part]);
        }
        // The same pairs, where all parts are measured.
        let all = drawn(pairing(Some(2), 4), &[8, 4, 8], true).unwrap();
        assert_eq!(all.parts, (0..10).collect::<Vec<_>>());
        let named = |found: &Pairs| -> Vec<[usize; 2]> {
            let pairs = found.pairs.iter();
            pairs
                .map(|pair| pair.map(|index| found.parts[index]))
                .collect()
        };
        assert_eq!(named(&all), named(&found));
        // Fewer pairs are the first ones; another seed has others.
        let fewer = drawn(pairing(Some(2), 2), &[8, 4, 8], false).unwrap();
        assert_eq!(named(&fewer), named(&found)[..2]);
        let seeds: BTreeSet<_> = (0..10)
            .map(|seed| {
                let pairing = Pairing {
                    seed,
                    ..pairing(Some(2), 4)
                };
                named(&drawn(pairing, &[8, 4, 8], false).unwrap())
            })
            .collect();
        assert!(seeds.len() > 5);
    }

    #[test]
    fn parts_have_one_size() {
        let size = |batch_size, sizes: &[usize]| {
            drawn(pairing(batch_size, 1), sizes, false).map(|found| found.size)
        };
        assert_eq!(size(None, &[3, 3]), Ok(3));
        assert_eq!(size(Some(3), &[9, 3]), Ok(3));
        let unequal = |first, second| Err(DynamicsError::UnequalBatches { first, second });
        assert_eq!(size(None, &[3, 3, 2]), unequal(3, 2));
        assert_eq!(size(None, &[3, 6]), unequal(3, 6));
        assert_eq!(size(Some(4), &[8, 9]), unequal(4, 1));
        let too_large = DynamicsError::BatchSize {
            size: 4,
            available: 3,
        };
        assert_eq!(size(Some(4), &[8, 3]), Err(too_large));
    }

    #[test]
    fn errors_name_the_batch() {
        let found = drawn(pairing(Some(2), 3), &[4, 4, 4], false).unwrap();
        let error = found.located(CurvatureError::NonFiniteGradient {
            batch: 4,
            norm: f64::NAN,
        });
        assert!(
            error.to_string().contains("the gradient of batch 2"),
            "{error}"
        );
        let failed = |batch| DeviceError::Failed {
            device: "Flex".to_string(),
            index: 1,
            batch,
            message: "out of memory".to_string(),
        };
        for (part, batch) in [(Some(5), Some(2)), (None, None)] {
            let error = CurvatureError::Loss(failed(part).into());
            let expected = CurvatureError::Loss(failed(batch).into());
            assert_eq!(found.located(error), expected);
        }
        let error = found.check_same(&[1, 2, 3, 4, 5, 6], &[1, 2, 0, 4, 5, 6]);
        assert_eq!(error, Err(LossError::DataChanged { batch: 1 }.into()));
        let error = found.check_same(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(error, Err(LossError::DataChanged { batch: 2 }.into()));
        assert_eq!(found.check_same(&[1, 2], &[1, 2]), Ok(()));
        assert_eq!(
            (found.passes(0), found.passes(1), found.passes(13)),
            (0, 1, 3)
        );
    }
}
