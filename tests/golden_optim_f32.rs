//! Runs of PyTorch in f64, replayed in f32 on Flex.

#[path = "golden_optim/run.rs"]
mod run;

use std::error::Error;

use burn::tensor::{DType, Device};

type Outcome = Result<(), Box<dyn Error>>;

fn agrees(case: &str) -> Outcome {
    run::replay(case, &Device::flex().autodiff(), DType::F32, 1e-5)
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
