use serde::{Deserialize, Serialize};

use super::effective_size::effective_size;
use super::moments::moments;
use super::rhat::{rank_rhat, rhat, split_rhat};
use super::student::student;
use crate::posterior::PosteriorError;
use crate::writing::number;

/// The mean of several chains of draws, its standard error, and whether the chains are long enough for both.
///
/// Draws of a chain depend on each other: `N` of them fix the mean no better than [`ess`](Self::ess) independent ones
/// would. R-hat compares the variance between chains with that within them. It is near 1 if the chains have forgotten
/// where they started, and also if none of them has left that place yet. Above 1.01 they are too short. It is below 1
/// if chains agree better than by chance.
///
/// **R-hat does not see a sampler's bias.** Chains agree with each other also where all of them sample another
/// distribution than they should, because the step is too long.
///
/// The numbers are those of ArviZ: `ess` with the method `mean`, its `mcse` as `standard_deviation / √ess`, `rhat` with the methods `identity`, `split`
/// and `rank`. It gives no R-hat for constant chains; here it is 1 if all draws are equal, and infinite if only those
/// of each chain are. It also gives none for a single chain, which is here compared with itself, one half with the
/// other. Draws that differ by less than 1e-15 are equal to it, here only equal draws are.
///
/// # Cost
///
/// `O(M N log(M N))` for `M` chains of `N` draws, and about ten numbers of memory a draw; nothing is evaluated.
///
/// # References
///
/// Geyer 1992, *Practical Markov chain Monte Carlo*, Statistical Science 7 (initial monotone sequence); Gelman and
/// Rubin 1992, *Inference from iterative simulation using multiple sequences*, Statistical Science 7 (R-hat); Vehtari,
/// Gelman, Simpson, Carpenter and Bürkner 2021, *Rank-normalization, folding, and localization: an improved R-hat for
/// assessing convergence of MCMC*, arXiv:1903.08008.
///
/// # Example
///
/// ```
/// use burnscape::posterior::ChainDiagnostics;
///
/// let chains: Vec<Vec<f64>> = [0.0, 1.0]
///     .map(|shift| [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0].map(|x| x + shift).to_vec())
///     .to_vec();
/// let found = ChainDiagnostics::of(&chains)?;
/// assert_eq!(found.mean, 2.0);
/// assert!((found.plain_rhat.unwrap_or(f64::NAN) - 1.1067972).abs() < 1e-7);
/// assert!((found.split_rhat - 0.9746794).abs() < 1e-7);
/// assert_eq!(found.drift, 0.0);
/// # Ok::<(), burnscape::posterior::PosteriorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChainDiagnostics {
    /// The mean of all draws of all chains.
    pub mean: f64,
    /// The standard deviation of all draws around that mean, with divisor one less than their number.
    pub standard_deviation: f64,
    /// The effective sample size: the number of independent draws whose mean would have the same variance. By Geyer's
    /// initial monotone sequence on the halves of the chains, as in Stan. At most `S log₁₀ S` for `S` draws: more than
    /// `S` if successive draws fall on opposite sides of the mean. Chains of less than ten draws have no second pair of
    /// lags, and always count that much.
    pub ess: f64,
    /// The standard error of the mean: the larger of `standard_deviation / √ess` and
    /// [`chain_standard_error`](Self::chain_standard_error).
    pub standard_error: f64,
    /// The standard error of the mean from the spread of the means of the chains, which start alike and run
    /// independently: `sd / √M`. It also counts motion that is too slow for the autocorrelations to show. None for a
    /// single chain.
    #[serde(with = "number")]
    pub chain_standard_error: Option<f64>,
    /// R-hat of the chains as they are; none for a single chain.
    #[serde(with = "number")]
    pub plain_rhat: Option<f64>,
    /// R-hat of the halves of the chains, which also sees a drift that all chains share.
    #[serde(with = "number")]
    pub split_rhat: f64,
    /// R-hat of the halves by the ranks of draws, or of their distances from the median if it is larger. It holds for
    /// heavy tails, and sees chains that differ in width.
    #[serde(with = "number")]
    pub rank_rhat: f64,
    /// The means of the first and of the last third of the chains: of a third of the draws of each, at least four.
    pub thirds: [f64; 2],
    /// The standard errors of [`thirds`](Self::thirds), each by its own effective sample size.
    pub third_standard_errors: [f64; 2],
    /// The mean of the last third less that of the first, in standard errors of their difference. Chains that have
    /// arrived stay within 2 on either side 95 times in 100. Infinite if both thirds are constant and differ.
    #[serde(with = "number")]
    pub drift: f64,
    /// Number of chains.
    pub num_chains: usize,
    /// Number of draws of each chain.
    pub num_draws: usize,
}

impl ChainDiagnostics {
    /// The fewest draws of a chain: four in each half.
    const FEWEST: usize = 8;

    /// The diagnostics of chains of one length, each a list of draws in their order.
    ///
    /// # Errors
    ///
    /// [`PosteriorError::Length`] for chains of different lengths, [`PosteriorError::TooFewDraws`] for fewer than eight
    /// draws a chain or without a chain, and [`PosteriorError::NotFinite`] for draws that are not finite.
    pub fn of(chains: &[Vec<f64>]) -> Result<Self, PosteriorError> {
        let num_draws = length(chains)?;
        let (to_units, from_units) = units(chains);
        let scaled: Vec<Vec<f64>> = chains
            .iter()
            .map(|chain| chain.iter().map(|x| x * to_units).collect())
            .collect();
        let chains: Vec<&[f64]> = scaled.iter().map(Vec::as_slice).collect();
        let third = (num_draws / 3).max(4);
        let first: Vec<&[f64]> = chains.iter().map(|chain| &chain[..third]).collect();
        let last: Vec<&[f64]> = chains
            .iter()
            .map(|chain| &chain[num_draws - third..])
            .collect();
        let (all, first, last) = (Mean::of(&chains), Mean::of(&first), Mean::of(&last));
        let gap = last.value - first.value;
        // Equal means agree, also those of constant thirds, without an error.
        let drift = if gap == 0.0 {
            0.0
        } else {
            gap / first.standard_error.hypot(last.standard_error)
        };
        let scale = |x: f64| (x * from_units).clamp(f64::MIN, f64::MAX);
        let means = chains.iter().map(|chain| moments(chain.iter().copied()).0);
        let means: Vec<f64> = means.collect();
        let count = means.len() as f64;
        let of_chains =
            (means.len() > 1).then(|| (moments(means.iter().copied()).1 / count).sqrt());
        Ok(Self {
            mean: scale(all.value),
            standard_deviation: scale(all.standard_deviation),
            ess: all.ess,
            standard_error: scale(
                of_chains.map_or(all.standard_error, |x| x.max(all.standard_error)),
            ),
            chain_standard_error: of_chains.map(scale),
            plain_rhat: (chains.len() > 1).then(|| rhat(&chains)),
            split_rhat: split_rhat(&chains),
            rank_rhat: rank_rhat(&chains),
            thirds: [first.value, last.value].map(scale),
            third_standard_errors: [first.standard_error, last.standard_error].map(scale),
            drift,
            num_chains: chains.len(),
            num_draws,
        })
    }

    /// Half the width of the interval around the mean that covers the expectation with probability `confidence`: by
    /// Student's law with `M − 1` degrees of freedom on the means of the `M` chains. None for a confidence outside
    /// `(0, 1)`.
    ///
    /// A single chain has only its effective sample size to go by: Student's law with `ess − 1` degrees of freedom, none
    /// for a size of 2 or less. On losses with degenerate minima it covers too rarely, since draws wander along them
    /// more slowly than their autocorrelation shows.
    ///
    /// It holds for chains that have arrived and cover the distribution; no interval knows of a mode that no chain has
    /// seen.
    pub fn half_width(&self, confidence: f64) -> Option<f64> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        if let Some(error) = self.chain_standard_error {
            return Some(student(self.num_chains as f64 - 1.0, confidence)? * error);
        }
        (self.ess > 2.0)
            .then(|| Some(student(self.ess - 1.0, confidence)? * self.standard_error))
            .flatten()
    }
}

/// The mean of chains with its standard error.
struct Mean {
    value: f64,
    standard_deviation: f64,
    ess: f64,
    standard_error: f64,
}

impl Mean {
    fn of(chains: &[&[f64]]) -> Self {
        let (value, variance) = moments(chains.iter().copied().flatten().copied());
        let ess = effective_size(chains);
        let standard_deviation = variance.sqrt();
        Self {
            value,
            standard_deviation,
            ess,
            standard_error: standard_deviation / ess.sqrt(),
        }
    }
}

/// The one length of the chains.
fn length(chains: &[Vec<f64>]) -> Result<usize, PosteriorError> {
    let expected = chains.first().map_or(0, Vec::len);
    if let Some(other) = chains.iter().find(|chain| chain.len() != expected) {
        let found = other.len();
        return Err(PosteriorError::Length { expected, found });
    }
    let needed = ChainDiagnostics::FEWEST;
    if expected < needed {
        let found = expected;
        return Err(PosteriorError::TooFewDraws { found, needed });
    }
    for chain in chains {
        if let Some(index) = chain.iter().position(|x| !x.is_finite()) {
            let (what, value) = ("draw", chain[index]);
            return Err(PosteriorError::NotFinite { what, index, value });
        }
    }
    Ok(expected)
}

/// The power of two that brings the largest draw near one, and its inverse. The squares of draws then neither overflow
/// nor vanish, and no digit changes.
fn units(chains: &[Vec<f64>]) -> (f64, f64) {
    let draws = chains.iter().flatten();
    let largest = draws.fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let exponent = match largest > 0.0 {
        true => largest.log2().floor().clamp(-1000.0, 1000.0) as i32,
        false => 0,
    };
    (2.0_f64.powi(-exponent), 2.0_f64.powi(exponent))
}
