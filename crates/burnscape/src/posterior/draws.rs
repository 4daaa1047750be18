use burnscape_krylov::VectorSpace;
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::record::{Base, Content, PosteriorRecord};
use super::{ChainDiagnostics, PosteriorConfig, PosteriorError};
use crate::dynamics::Cost;

/// A rise counts as below zero if it is more than this many roundings of the loss below.
const ROUNDINGS: f64 = 4.0;

/// Passes that rounding may add to a sum of shares.
const SLACK: f64 = 1e-6;

/// The draws of [`PosteriorConfig::run`].
///
/// # Units
///
/// Rises and losses: loss. `nβ` times a rise has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Posterior {
    /// The settings.
    pub config: PosteriorConfig,
    /// `L(w) − L(w₀)` of every draw, `[chain][draw]`; on drawn batches, the mean of `L_b(w) − L_b(w₀)`. As many of each
    /// chain as the shortest has, if the observer stopped the run.
    pub rises: Vec<Vec<f64>>,
    /// `L(w₀)` over all data.
    pub base_loss: f64,
    /// `|∇L(w₀)|`: zero at a minimum.
    pub base_gradient_norm: f64,
    /// The largest eigenvalue of the Hessian at `w₀`, if a step or its limit depends on it.
    pub sharpness: Option<f64>,
    /// The step of the draws of each chain.
    pub steps: Vec<f64>,
    /// The share of proposals that each chain accepted after burn-in, 0 if it made none. None for samplers without
    /// proposals.
    pub acceptance: Option<Vec<f64>>,
    /// Proposals after burn-in whose loss or ratio was not finite, of all chains. They are rejected.
    pub num_not_finite: usize,
    /// The work, a drawn batch as its share of the data. The sharpness is not counted, nor the search for parameters
    /// without a gradient, nor what a resumed run evaluates again.
    pub cost: Cost,
    /// False if the observer stopped the run: the numbers are those of the draws so far.
    pub completed: bool,
    /// The distance from 1 to the next number, of the parameters.
    epsilon: f64,
    #[serde(skip)]
    record: PosteriorRecord,
}

impl Posterior {
    /// The estimate of the learning coefficient that has no checks yet: `nβ` times the mean rise over all draws of all
    /// chains. NaN without draws.
    pub fn nbeta_rise(&self) -> f64 {
        self.config.nbeta() * self.mean_rise()
    }

    /// The mean of `L` over all draws: `L(w₀)` and the mean rise.
    pub fn mean_loss(&self) -> f64 {
        self.base_loss + self.mean_rise()
    }

    /// The widely applicable Bayesian information criterion, `n E[L]` at `β = 1/ln n`. None at other temperatures.
    pub fn wbic(&self) -> Option<f64> {
        let is_usual = self.config.is_at_usual_temperature();
        is_usual.then(|| self.config.num_examples() as f64 * self.mean_loss())
    }

    /// How far the rises can be trusted: their effective number, standard error and `R̂`.
    ///
    /// # Errors
    ///
    /// [`PosteriorError::TooFewDraws`] for chains that were stopped before they had eight.
    pub fn diagnostics(&self) -> Result<ChainDiagnostics, PosteriorError> {
        ChainDiagnostics::of(&self.rises)
    }

    /// The lowest rise of all draws; infinite without draws.
    pub fn lowest_rise(&self) -> f64 {
        self.draws().fold(f64::INFINITY, f64::min)
    }

    /// The share of draws whose loss is below that of the start, by more than rounding. At a minimum it is zero. None
    /// without draws, and for drawn batches, whose losses are noisy.
    pub fn share_below(&self) -> Option<f64> {
        let count = self.draws().count();
        if count == 0 || self.config.batches_per_step().is_some() {
            return None;
        }
        let least = -ROUNDINGS * self.epsilon * self.base_loss.abs();
        let below = self.draws().filter(|rise| *rise < least).count();
        Some(below as f64 / count as f64)
    }

    /// What [`PosteriorConfig::resume`] continues from. It is empty if the posterior was stored and read back.
    pub fn record(&self) -> &PosteriorRecord {
        &self.record
    }

    fn mean_rise(&self) -> f64 {
        self.draws().sum::<f64>() / self.draws().count() as f64
    }

    fn draws(&self) -> impl Iterator<Item = f64> {
        self.rises.iter().flatten().copied()
    }
}

/// The result of a run.
pub(super) fn assembled<V: VectorSpace<Error: Into<PosteriorError>>>(
    config: &PosteriorConfig,
    base: Base,
    chains: &[Chain<V>],
    epsilon: f64,
    completed: bool,
) -> Result<Posterior, PosteriorError> {
    let share = |accepted: usize, draws: usize| match draws {
        0 => 0.0,
        _ => accepted as f64 / draws as f64,
    };
    let proposals: Option<Vec<(usize, usize)>> = chains.iter().map(Chain::proposals).collect();
    if let Some(proposals) = &proposals
        && completed
    {
        let mut pairs = chains.iter().zip(proposals);
        if let Some((chain, _)) = pairs.find(|(_, (accepted, _))| *accepted == 0) {
            return Err(PosteriorError::Stuck {
                chain: chain.index,
                draws: chain.rises.len(),
                step: chain.step(),
            });
        }
    }
    let acceptance = proposals.as_ref().map(|proposals| {
        let pairs = chains.iter().zip(proposals);
        let shares = pairs.map(|(chain, (accepted, _))| share(*accepted, chain.rises.len()));
        shares.collect()
    });
    let lengths = chains.iter().map(|chain| chain.rises.len());
    let shortest = lengths.min().unwrap_or(0);
    let rises = chains.iter().map(|chain| {
        let draws = chain.rises.iter().take(shortest);
        draws.copied().collect()
    });
    let passes: f64 = chains.iter().map(|chain| chain.passes).sum();
    let at_start = 1 + usize::from(!base.batch_losses.is_empty());
    let records: Result<Vec<_>, PosteriorError> = chains.iter().map(Chain::record).collect();
    Ok(Posterior {
        rises: rises.collect(),
        base_loss: base.loss,
        base_gradient_norm: base.gradient_norm,
        sharpness: base.sharpness,
        steps: chains.iter().map(Chain::step).collect(),
        acceptance,
        num_not_finite: proposals.iter().flatten().map(|(_, count)| count).sum(),
        cost: Cost {
            num_gradients: at_start + (passes - SLACK).ceil().max(0.0) as usize,
            ..Cost::default()
        },
        completed,
        epsilon,
        record: PosteriorRecord::of(Content {
            config: config.clone(),
            base,
            chains: records?,
        }),
        config: config.clone(),
    })
}
