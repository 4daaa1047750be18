//! Burn's devices by name.

use std::error::Error;
use std::fmt;

use burn::tensor::Device;
use clap::ValueEnum;

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceName {
    /// Burn's pure Rust CPU backend.
    Flex,
    /// The older CPU backend.
    #[value(name = "ndarray")]
    NdArray,
    /// Any GPU, through wgpu.
    Wgpu,
    /// Any GPU, through Vulkan.
    Vulkan,
    /// Apple GPUs.
    Metal,
    /// WebGPU.
    #[value(name = "webgpu")]
    WebGpu,
    /// NVIDIA GPUs.
    Cuda,
    /// AMD GPUs.
    Rocm,
    /// CubeCL's CPU backend.
    Cpu,
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::WebGpu => "webgpu",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Cpu => "cpu",
        })
    }
}

impl DeviceName {
    /// The device, if its backend was compiled in.
    pub(crate) fn open(self) -> Result<Device, Box<dyn Error>> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            #[allow(
                deprecated,
                reason = "Burn deprecates the backend; users of it are served"
            )]
            Self::NdArray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "metal")]
            Self::Metal => Ok(Device::metal(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "webgpu")]
            Self::WebGpu => Ok(Device::webgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(feature = "rocm")]
            Self::Rocm => Ok(Device::rocm(0)),
            #[cfg(feature = "cpu")]
            Self::Cpu => Ok(Device::cpu()),
            #[allow(
                unreachable_patterns,
                reason = "with all features every device is there"
            )]
            missing => Err(format!(
                "this program was compiled without the device `{missing}`; add its cargo feature: \
                 cargo run --release --features files,report,{missing} --example survey -- \
                 --device {missing}"
            )
            .into()),
        }
    }
}
