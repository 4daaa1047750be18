use burn::tensor::Device;

use crate::space::{ParamSpace, mix};

/// The random numbers that a model draws in the passes of one step: free, or the same in both passes of a part.
#[derive(Debug, Clone, Copy)]
pub(in crate::optim) struct StepDraws(Option<u64>);

impl StepDraws {
    pub(super) fn of_step(seed: Option<u64>, step: usize) -> Self {
        Self(seed.map(|seed| mix(seed, step as u64)))
    }

    pub(super) fn seed(self, part: usize) -> Option<u64> {
        self.0.map(|seed| mix(seed, part as u64))
    }

    /// Seeds the device of the parameters for a pass of a part.
    pub(in crate::optim) fn reseed(self, space: &ParamSpace, part: usize) {
        self.reseed_device(space.device(), part);
    }

    /// Seeds a device for a pass of a part.
    pub(in crate::optim) fn reseed_device(self, device: &Device, part: usize) {
        if let Some(seed) = self.seed(part) {
            device.seed(seed);
        }
    }
}
