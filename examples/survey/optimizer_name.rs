//! The optimizers that can be compared.

use std::fmt;

use burnscape::optim::SamConfig;
use clap::ValueEnum;
use serde::Serialize;

/// ESAM is missing: it selects examples of a batch, and so cannot step on a closure.
#[derive(ValueEnum, Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OptimizerName {
    /// SGD with momentum.
    Sgd,
    /// SGD for twice as many epochs: as many gradients as SAM.
    SgdTwice,
    /// SAM (Foret et al. 2021).
    Sam,
    /// Adaptive SAM (Kwon et al. 2021).
    Asam,
    /// Surrogate-gap SAM (Zhuang et al. 2022), with a constant radius.
    Gsam,
    /// Weighted SAM (Yue et al. 2023).
    Wsam,
    /// LookSAM (Liu et al. 2022): a second gradient every 5 steps.
    LookSam,
    /// Friendly SAM (Li et al. 2024).
    FriendlySam,
    /// Fisher SAM (Kim et al. 2022).
    FisherSam,
    /// SA-GD: 21 gradients a step.
    SaGd,
}

impl fmt::Display for OptimizerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sgd => "sgd",
            Self::SgdTwice => "sgd-twice",
            Self::Sam => "sam",
            Self::Asam => "asam",
            Self::Gsam => "gsam",
            Self::Wsam => "wsam",
            Self::LookSam => "look-sam",
            Self::FriendlySam => "friendly-sam",
            Self::FisherSam => "fisher-sam",
            Self::SaGd => "sa-gd",
        })
    }
}

impl OptimizerName {
    /// What is put around SGD; nothing for SGD itself.
    pub(crate) fn sharpness_aware(self, rho: Option<f64>, seed: u64) -> Option<SamConfig> {
        let config = match self {
            Self::Sgd | Self::SgdTwice => return None,
            Self::Sam => SamConfig::new(),
            Self::Asam => SamConfig::asam(),
            Self::Gsam => SamConfig::gsam(),
            Self::Wsam => SamConfig::wsam(),
            Self::LookSam => SamConfig::look_sam(),
            Self::FriendlySam => SamConfig::friendly_sam(),
            Self::FisherSam => SamConfig::fisher_sam(),
            Self::SaGd => SamConfig::sa_gd().with_seed(seed),
        };
        Some(match rho {
            Some(rho) => config.with_rho(rho),
            None => config,
        })
    }

    /// How many times the epochs of the command line.
    pub(crate) fn epoch_factor(self) -> usize {
        if self == Self::SgdTwice { 2 } else { 1 }
    }
}
