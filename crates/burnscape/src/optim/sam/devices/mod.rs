//! Steps on several devices, each of which has a part of the batch.

mod device_oracles;
mod part_oracle;
mod step_devices;
mod step_limit;
mod steps;
#[cfg(test)]
#[cfg(all(feature = "flex", feature = "ndarray"))]
mod tests;

#[cfg(feature = "train")]
pub(in crate::optim) use device_oracles::DeviceOracles;
pub(in crate::optim) use step_devices::StepDevices;
pub(in crate::optim) use step_limit::{StepLimit, WaitLimit};
