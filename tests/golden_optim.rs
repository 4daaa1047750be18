//! Runs of PyTorch, replayed in f64 on Flex.
//!
//! A test binary of its own: a device's default type is set once in a process, and modules are
//! built in it.

#[path = "golden_optim/run.rs"]
mod run;

use std::error::Error;
use std::sync::OnceLock;

use burn::tensor::{DType, Device, FloatDType};

type Outcome = Result<(), Box<dyn Error>>;

/// Flex with f64 as the default, configured before any test makes a tensor.
fn device() -> Result<Device, Box<dyn Error>> {
    static CONFIGURED: OnceLock<Result<(), String>> = OnceLock::new();
    CONFIGURED
        .get_or_init(|| {
            let result = Device::flex().configure(FloatDType::F64);
            result.map_err(|error| format!("{error:?}"))
        })
        .clone()?;
    Ok(Device::flex().autodiff())
}

fn agrees(case: &str) -> Outcome {
    run::replay(case, &device()?, DType::F64, 1e-10)
}

#[test]
fn sam_agrees_on_the_mlp() -> Outcome {
    agrees("mlp_sam_sgd")?;
    agrees("mlp_sam_momentum")
}

#[test]
fn asam_agrees_on_the_mlp() -> Outcome {
    agrees("mlp_asam_sgd")?;
    agrees("mlp_asam_momentum")
}

#[test]
fn sam_agrees_on_the_cnn_with_batch_norm() -> Outcome {
    agrees("cnn_sam_sgd")?;
    agrees("cnn_sam_momentum")
}

#[test]
fn asam_agrees_on_the_cnn_with_batch_norm() -> Outcome {
    agrees("cnn_asam_sgd")?;
    agrees("cnn_asam_momentum")
}

#[test]
fn gsam_agrees_on_the_mlp() -> Outcome {
    agrees("mlp_gsam_sgd")
}

#[test]
fn coupled_wsam_agrees_on_the_mlp() -> Outcome {
    agrees("mlp_wsam_sgd")
}

#[test]
fn look_sam_agrees_on_the_mlp() -> Outcome {
    agrees("mlp_look_sam_sgd")
}

#[test]
fn friendly_sam_agrees_on_the_mlp() -> Outcome {
    agrees("mlp_friendly_sam_sgd")
}
