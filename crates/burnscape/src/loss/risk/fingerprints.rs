//! One reading of the data, to notice that they change.

use std::fmt::{self, Write};
use std::ops::ControlFlow;

use super::{Risk, each};
use crate::loss::{LossError, Reduction};

/// How uneven the shares of examples may be in a mean over the data: rounding of weights.
const UNEVEN: f64 = 1e-6;

/// What a reading of the data found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DataReading {
    /// A hash of every bit of each batch, of its shapes and element types, and of its weight.
    pub(crate) digests: Vec<u64>,
    /// The most examples of a batch.
    pub(crate) most_examples: usize,
    /// How far examples of different batches differ in their share of a mean over the data, relative to the largest;
    /// zero for a sum.
    pub(crate) unevenness: f64,
}

impl DataReading {
    /// The [unevenness](Self::unevenness), if it is more than rounding.
    pub(crate) fn uneven(&self) -> Option<f64> {
        Some(self.unevenness).filter(|unevenness| *unevenness > UNEVEN)
    }

    /// Refuses digests of data that have changed.
    pub(crate) fn check_same(known: &[u64], found: &[u64]) -> Result<(), LossError> {
        let mut pairs = known.iter().zip(found);
        let changed = pairs.position(|(known, found)| known != found);
        let ended = (known.len() != found.len()).then(|| known.len().min(found.len()));
        match changed.or(ended) {
            Some(batch) => Err(LossError::DataChanged { batch }),
            None => Ok(()),
        }
    }
}

impl<M, K> Risk<'_, M, K> {
    /// Reads the data once. Nothing is evaluated, and nothing reported. With a limit on waits the read of each batch has
    /// it, on whatever device the batch is.
    ///
    /// # Cost
    ///
    /// Downloads the data.
    ///
    /// # Errors
    ///
    /// [`LossError::EmptyBatch`], [`LossError::RaggedBatch`], [`LossError::BadWeight`], [`LossError::Device`], and those
    /// of the data set.
    pub(crate) fn read_data(&self) -> Result<DataReading, LossError> {
        let devices = self.devices();
        let first = devices.and_then(|devices| Some((devices, devices.device(0)?)));
        match first {
            Some((devices, first)) => devices.in_time(first, || self.read_batches()),
            None => self.read_batches(),
        }
    }

    fn read_batches(&self) -> Result<DataReading, LossError> {
        let mut reading = DataReading::default();
        let mut shares: Option<(f64, f64)> = None;
        each(&**self.source(), |index, batch| {
            let (examples, weight) = batch.examples_and_weight(index)?;
            let share = match self.reduction() {
                Reduction::Mean => weight / examples as f64,
                Reduction::Sum => 1.0,
            };
            let (least, most) = shares.unwrap_or((share, share));
            shares = Some((least.min(share), most.max(share)));
            let mut digest = Digest::new();
            // A fingerprint is known by its text only.
            let (bits, signature) = (batch.fingerprint()?, batch.tensors().signature);
            let _ = write!(digest, "{bits:?} {signature:?} {weight:?}");
            reading.digests.push(digest.value());
            reading.most_examples = reading.most_examples.max(examples);
            Ok::<_, LossError>(ControlFlow::Continue(()))
        })?;
        reading.unevenness = shares.map_or(0.0, |(least, most)| 1.0 - least / most);
        Ok(reading)
    }
}

/// The FNV-1a hash of bytes and texts, the same on every platform.
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) fn bytes(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// The hash of everything so far.
    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::Linear;
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::loss::{Batch, BatchMapper};

    #[test]
    fn the_hash_is_that_of_the_standard() {
        let mut digest = Digest::new();
        write!(digest, "foobar").unwrap();
        assert_eq!(digest.value(), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn a_reading_tells_data_apart_and_weighs_their_examples() {
        #[derive(Clone)]
        struct Weighted(Tensor<2>, f64);
        impl Batch for Weighted {
            fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
                Self(mapper.map_float(self.0), self.1)
            }
            fn weight(&self) -> Result<f64, LossError> {
                Ok(self.1)
            }
        }
        let device = Device::default();
        let loss = |m: &Linear, Weighted(x, _): Weighted| m.forward(x).mean();
        let reading = |batches: &[(usize, f32, f64)]| {
            let batch = |&(examples, number, weight): &(usize, f32, f64)| {
                let x = Tensor::<2>::full([examples, 1], number, &device);
                Weighted(x, weight)
            };
            let data: Vec<Weighted> = batches.iter().map(batch).collect();
            let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
            risk.read_data().unwrap()
        };
        let one = reading(&[(2, 1.0, 2.0), (3, 2.0, 3.0)]);
        assert_eq!(one, reading(&[(2, 1.0, 2.0), (3, 2.0, 3.0)]));
        assert_eq!((one.most_examples, one.unevenness), (3, 0.0));
        let other = reading(&[(2, 1.0, 2.0), (3, 2.5, 6.0)]);
        assert_eq!(one.digests[0], other.digests[0]);
        assert_ne!(one.digests[1], other.digests[1]);
        assert_eq!(other.unevenness, 0.5);
        // The same numbers with another weight, and in another shape.
        let heavier = reading(&[(2, 1.0, 4.0), (3, 2.0, 3.0)]);
        assert_ne!(one.digests[0], heavier.digests[0]);
        assert_eq!(one.digests[1], heavier.digests[1]);
        let row = [Tensor::<2>::ones([1, 2], &device)];
        let column = [Tensor::<2>::ones([2, 1], &device)];
        let loss = |_: &Linear, x: Tensor<2>| x.mean();
        let digests = [&row, &column].map(|data| {
            let risk: Risk<'_, Linear> = Risk::new(&loss, data);
            risk.read_data().unwrap().digests
        });
        assert_ne!(digests[0], digests[1]);
    }
}
