//! Learning coefficients along the training of a transformer, with what is wrong with them.

use burn::tensor::{Device, Int, Tensor};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Recorded, Risk};
use burnscape::posterior::{
    Finding, LearningCoefficientConfig, PosteriorConfig, PosteriorError, Sampler, Thresholds,
};

use super::attention::{Outputs, Transformer, cross_entropy, divergence};
use super::sequences::{Chain, Use, examples};
use crate::Failure;
use crate::studies::numbers::with_error;

/// `γ`, and the step of chains: they forget where they were along flat directions in seven iterations.
const LOCALIZER: f64 = 300.0;
const STEP: f64 = 1e-3;
const NUM_CHAINS: usize = 2;
/// Steps of descent in the search for lower losses.
const DESCENT_STEPS: usize = 20;

/// How long chains are, and on what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    pub(super) batches: usize,
    /// Sequences of a batch, of which an iteration takes one.
    pub(super) sequences: usize,
    pub(super) burn_in: usize,
    pub(super) draws: usize,
}

impl Lengths {
    pub(super) const FULL: Self = Self {
        batches: 8,
        sequences: 8,
        burn_in: 30,
        draws: 60,
    };

    pub(super) const QUICK: Self = Self {
        batches: 2,
        sequences: 2,
        burn_in: 2,
        draws: 8,
    };
}

/// An estimate of the coefficient, and what was found about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// Not a number if the step is too long for the curvature.
    pub(super) value: f64,
    pub(super) error: f64,
    /// `λ_max` of the Hessian.
    pub(super) sharpness: f64,
    pub(super) is_refused: bool,
    pub(super) is_dominated: bool,
    /// In words.
    findings: Vec<&'static str>,
}

impl Found {
    pub(super) fn text(&self) -> String {
        let value = match self.value.is_finite() {
            true => with_error(self.value, Some(self.error)),
            false => "none".to_string(),
        };
        match self.findings.is_empty() {
            true => value,
            false => format!("{value} ({})", self.findings.join(", ")),
        }
    }
}

/// What was found at a step.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) step: usize,
    /// On the data, as the literature has it.
    pub(super) data: Found,
    /// On the divergence from the network's own outputs, of which it is a minimum.
    pub(super) own: Found,
}

/// Posteriors around the networks of a training.
pub(super) struct Posteriors {
    data: Risk<'static, Transformer>,
    tokens: Vec<Tensor<2, Int>>,
    lengths: Lengths,
    seed: u64,
}

impl Posteriors {
    pub(super) fn new(chain: &Chain, lengths: Lengths, seed: u64) -> Self {
        let (device, mut rng) = (Device::default(), Use::Posterior.numbers(seed));
        let batches = (0..lengths.batches).map(|_| {
            let sequences = chain.sequences(lengths.sequences, &mut rng);
            examples(&sequences, &device)
        });
        let batches: Vec<_> = batches.collect();
        Self {
            tokens: batches.iter().map(|(tokens, _)| tokens.clone()).collect(),
            data: Risk::owned(Recorded::new(cross_entropy), batches),
            lengths,
            seed,
        }
    }

    /// At a network without autodiff.
    pub(super) fn at(&self, step: usize, net: &Transformer) -> Result<Reading, Failure> {
        let outputs = self.tokens.iter().map(|tokens| {
            let [count, length] = tokens.dims();
            let logs = net.logs(tokens.clone());
            let [_, classes] = logs.dims();
            (tokens.clone(), logs.reshape([count, length, classes]))
        });
        let outputs: Vec<Outputs> = outputs.collect();
        let own = Risk::owned(Recorded::new(divergence), outputs);
        Ok(Reading {
            step,
            data: self.sampled(&self.data, net)?,
            own: self.sampled(&own, net)?,
        })
    }

    fn sampled(&self, risk: &Risk<'_, Transformer>, net: &Transformer) -> Result<Found, Failure> {
        let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(0.05);
        let sharpness = top.run(&risk.hessian(net)?)?.values[0];
        let Lengths {
            batches,
            sequences,
            burn_in,
            draws,
        } = self.lengths;
        let posterior = PosteriorConfig::new(batches * sequences)
            .with_localizer(LOCALIZER)
            .with_sampler(Sampler::Langevin { step: Some(STEP) })
            .with_num_chains(NUM_CHAINS)
            .with_burn_in(burn_in)
            .with_num_draws(draws)
            .with_batches_per_step(Some(1))
            .with_sharpness(Some(sharpness))
            .with_seed(self.seed);
        let config = LearningCoefficientConfig::new(posterior)
            .with_step_check(false)
            .with_thresholds(Thresholds::new().with_descent_steps(DESCENT_STEPS));
        let found = match config.run(risk, net) {
            Err(PosteriorError::UnstableStep { .. } | PosteriorError::Diverged { .. }) => {
                return Ok(Found {
                    value: f64::NAN,
                    error: f64::NAN,
                    sharpness,
                    is_refused: true,
                    is_dominated: false,
                    findings: vec!["unstable step"],
                });
            }
            found => found?,
        };
        Ok(Found {
            value: found.estimate,
            error: found.standard_error,
            sharpness,
            is_refused: found.is_refused(),
            is_dominated: found.findings.iter().any(is_localizer),
            findings: found.findings.iter().map(name).collect(),
        })
    }
}

fn is_localizer(finding: &Finding) -> bool {
    matches!(finding, Finding::LocalizerDominated { .. })
}

fn name(finding: &Finding) -> &'static str {
    match finding {
        Finding::NoMinimum { .. } => "refused: no minimum",
        Finding::LocalizerDominated { .. } => "localizer-dominated",
        Finding::ChainsTooShort { .. } => "short chains",
        Finding::BiasedStep { .. } => "biased step",
        Finding::SingleChain => "single chain",
        _ => "another finding",
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;

    use super::*;
    use crate::studies::stages::sequences::Sizes;

    #[test]
    fn a_network_is_a_minimum_of_the_divergence_from_its_own_outputs() {
        let (device, sizes) = (Device::default(), Sizes::QUICK);
        let net = Transformer::new(&sizes, 2, 0, (&device, DType::F32)).unwrap();
        let chain = Chain::new(sizes, 0).unwrap();
        let posteriors = Posteriors::new(&chain, Lengths::QUICK, 0);
        let reading = posteriors.at(5, &net).unwrap();
        assert_eq!(reading.step, 5);
        assert!(!reading.own.is_refused && reading.own.value > 0.0);
        assert!(reading.own.sharpness > 0.0 && reading.data.value.is_finite());
        // So few draws say nothing.
        assert!(reading.own.text().contains("short chains"));
    }

    #[test]
    fn findings_stand_behind_the_number() {
        let found = Found {
            value: 4.25,
            error: 0.5,
            sharpness: 9.0,
            is_refused: false,
            is_dominated: true,
            findings: vec!["localizer-dominated", "short chains"],
        };
        let text = found.text();
        assert_eq!(text, "4.25 ± 0.50 (localizer-dominated, short chains)");
        let none = Found {
            value: f64::NAN,
            findings: vec!["unstable step"],
            ..found
        };
        assert_eq!(none.text(), "none (unstable step)");
    }
}
