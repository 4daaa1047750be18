//! The device's random numbers while a loss is measured.

use burn::tensor::{DType, Device, Distribution, Tensor};

use super::risk::Draws;
use crate::space::{SpaceError, mix, to_host};

/// While it lives, the device's generator is for the measurement, which seeds it at will. Afterwards
/// the generator continues as a function of its own stream alone: at the beginning it gives one tensor of
/// two numbers, uniform in [0, 1) and in f32, and at the end it is seeded with their 48 bits.
///
/// So two measurements leave two different states, and a training run that measures is one that makes
/// this draw instead.
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

    /// Seeds the draws that come next.
    pub(crate) fn seed(&self, seed: u64) {
        self.device.seed(seed);
    }
}

impl Draws {
    /// The draws of one step of a fit: a function of the seed and of the step, where there is a seed.
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
