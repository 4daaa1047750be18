//! The random number generator of the device during measurements.

use burn::tensor::{DType, Device, Distribution, Tensor};

use super::risk::Draws;
use crate::space::{SpaceError, mix, to_host};

/// Reserves the device's generator for a measurement, which may seed it. When dropped, the generator continues in a
/// state that depends only on its state before: `begin` draws one tensor of two numbers, uniform in [0, 1) and in
/// f32, and `drop` seeds the generator with their 48 bits.
///
/// So consecutive measurements leave different states, and for a training run, a measurement is the same as this one
/// draw.
pub(crate) struct OwnDraws {
    device: Device,
    afterwards: u64,
}

impl OwnDraws {
    /// # Cost
    ///
    /// One host synchronization.
    pub(crate) fn begin(device: &Device) -> Result<Self, SpaceError> {
        let device = device.clone().inner();
        let uniform = Distribution::Uniform(0.0, 1.0);
        let drawn = to_host(Tensor::<1>::random([2], uniform, (&device, DType::F32)))?;
        let bits = drawn
            .iter()
            .map(|number| (number * f64::from(1 << 24)) as u64);
        let afterwards = bits.fold(0, |all, bits| (all << 24) | bits);
        Ok(Self { device, afterwards })
    }

    /// Seeds the following draws.
    pub(crate) fn seed(&self, seed: u64) {
        self.device.seed(seed);
    }
}

/// The source of the random numbers of a pass over batches.
pub(crate) enum BatchDraws {
    OfDevice,
    /// Seeded for each batch by its index.
    Seeded(OwnDraws, u64),
    /// Seeded equally for each batch.
    OneBatch(OwnDraws, u64),
}

impl BatchDraws {
    pub(crate) fn new(draws: Draws, device: &Device) -> Result<Self, SpaceError> {
        Ok(match draws {
            Draws::Refused | Draws::Free => Self::OfDevice,
            Draws::Seeded(seed) => Self::Seeded(OwnDraws::begin(device)?, seed),
            Draws::OneBatch(seed) => Self::OneBatch(OwnDraws::begin(device)?, seed),
        })
    }

    /// Seeds the draws of the batch at `index`.
    pub(crate) fn begin(&self, index: usize) {
        match self {
            Self::OfDevice => (),
            Self::Seeded(draws, seed) => draws.seed(mix(*seed, index as u64)),
            Self::OneBatch(draws, seed) => draws.seed(*seed),
        }
    }
}

impl Draws {
    /// The draws of one step of a fit, which depend on the seed and the step; `None` without a seed.
    ///
    /// # Cost
    ///
    /// One host synchronization with a seed.
    pub(crate) fn of_step(
        self,
        device: &Device,
        step: usize,
    ) -> Result<Option<OwnDraws>, SpaceError> {
        let seed = match self {
            Self::Refused | Self::Free => return Ok(None),
            Self::Seeded(seed) => mix(seed, step as u64),
            Self::OneBatch(seed) => seed,
        };
        let draws = OwnDraws::begin(device)?;
        draws.seed(seed);
        Ok(Some(draws))
    }
}

impl Drop for OwnDraws {
    fn drop(&mut self) {
        self.device.seed(self.afterwards);
    }
}
