use burn::config::Config;
use burn::module::Module;
use burnscape_linearize::ScalingMode;

use super::super::SymmetryError;
use super::super::traced::Traced;
use super::super::verifier::Verifier;
use super::found::Found;
use super::{Gauges, Scales, Signs};
use crate::loss::Batch;
use crate::range::ensure;

/// Finds the factors by which weights can be multiplied without an effect on the outputs. See [`Scales`].
///
/// # Cost
///
/// Those of [`SymmetriesConfig`](super::super::SymmetriesConfig), and equations for every operation of the program.
#[derive(Config, Debug, PartialEq)]
pub struct ScalesConfig {
    /// Seed of verification.
    #[config(default = 0)]
    pub seed: u64,
    /// Random factors that are tried in verification.
    #[config(default = 3)]
    pub draws: usize,
}

/// Finds the signs that can be changed without an effect on the outputs. See [`Signs`].
///
/// # Cost
///
/// Those of [`SymmetriesConfig`](super::super::SymmetriesConfig), and equations for every operation of the program.
#[derive(Config, Debug, PartialEq)]
pub struct SignsConfig {
    /// Seed of verification.
    #[config(default = 0)]
    pub seed: u64,
    /// Random signs that are tried in verification.
    #[config(default = 3)]
    pub draws: usize,
}

/// Finds the bases that can be changed without an effect on the outputs. See [`Gauges`].
///
/// # Cost
///
/// Those of [`SymmetriesConfig`](super::super::SymmetriesConfig), and equations for every operation of the program.
#[derive(Config, Debug, PartialEq)]
pub struct GaugesConfig {
    /// Seed of verification.
    #[config(default = 0)]
    pub seed: u64,
    /// Random matrices that are tried in verification.
    #[config(default = 3)]
    pub draws: usize,
}

macro_rules! run {
    ($config:ident, $found:ident, $mode:ident, $what:literal) => {
        impl $config {
            #[doc = concat!("The ", $what, " of `model` with the outputs that `outputs` computes from a batch: the closure of")]
            /// [`SymmetriesConfig::run`](super::super::SymmetriesConfig::run). None at all is a result, not an error.
            ///
            /// # Errors
            ///
            /// Those of [`SymmetriesConfig::run`](super::super::SymmetriesConfig::run).
            pub fn run<M, B, T, F>(
                &self,
                outputs: &F,
                model: &M,
                batch: B,
            ) -> Result<$found, SymmetryError>
            where
                M: Module,
                B: Batch,
                T: Batch,
                F: Fn(&M, &B) -> T,
            {
                ensure("draws", self.draws as f64, 1.0..)?;
                let traced = Traced::of(outputs, model, batch)?;
                let found = Found::of(&traced, ScalingMode::$mode)?;
                let mut found = $found::of(&traced, found)?;
                if !found.scalings().is_empty() {
                    let mut verifier = Verifier::new(&traced, self.seed, self.draws)?;
                    found.verify(&mut verifier)?;
                }
                Ok(found)
            }
        }
    };
}

run!(ScalesConfig, Scales, Scale, "scales");
run!(SignsConfig, Signs, Sign, "signs");
run!(GaugesConfig, Gauges, Gauge, "gauges");
