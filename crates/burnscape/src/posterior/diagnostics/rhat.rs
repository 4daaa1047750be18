use statrs::distribution::{ContinuousCDF, Normal};

use super::halves;
use super::moments::moments;
use crate::order_statistics::median;

/// `√((n − 1)/n + V/W)` of chains of `n` draws, with the variance `V` of their means and the mean `W` of their
/// variances. One if all draws are equal, infinite if the chains are constant and differ.
pub(super) fn rhat(chains: &[&[f64]]) -> f64 {
    let n = chains.first().map_or(0, |chain| chain.len()) as f64;
    let all: Vec<(f64, f64)> = chains
        .iter()
        .map(|chain| moments(chain.iter().copied()))
        .collect();
    let within = all.iter().map(|(_, variance)| variance).sum::<f64>() / all.len() as f64;
    let (_, between) = moments(all.iter().map(|(mean, _)| *mean));
    match (within > 0.0, between > 0.0) {
        (false, false) => 1.0,
        (false, true) => f64::INFINITY,
        _ => (between / within + (n - 1.0) / n).sqrt(),
    }
}

/// R-hat of the halves of chains.
pub(super) fn split_rhat(chains: &[&[f64]]) -> f64 {
    rhat(&halves(chains))
}

/// R-hat of the normal scores of the halves, or of their distances from the median if that is larger: of where the
/// halves lie, and of how wide they are.
pub(super) fn rank_rhat(chains: &[&[f64]]) -> f64 {
    let halves = halves(chains);
    let center = median(&halves.concat()).unwrap_or(0.0);
    let folded: Vec<Vec<f64>> = halves
        .iter()
        .map(|half| half.iter().map(|x| (x - center).abs()).collect())
        .collect();
    let folded: Vec<&[f64]> = folded.iter().map(Vec::as_slice).collect();
    score_rhat(&halves).max(score_rhat(&folded))
}

fn score_rhat(chains: &[&[f64]]) -> f64 {
    let num_draws = chains.first().map_or(1, |chain| chain.len());
    let scores = normal_scores(&chains.concat());
    rhat(&scores.chunks(num_draws).collect::<Vec<_>>())
}

/// For each of `S` values with rank `r` the point below which a normal number lies with probability
/// `(r − 3/8) / (S + 1/4)` (Blom 1958). Equal values have the mean of their ranks.
fn normal_scores(values: &[f64]) -> Vec<f64> {
    let law = Normal::standard();
    let count = values.len() as f64;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut scores = vec![0.0; values.len()];
    let mut below = 0.0;
    for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let num_tied = tied.len() as f64;
        let rank = below + 0.5 * (num_tied + 1.0);
        let score = law.inverse_cdf((rank - 0.375) / (count + 0.25));
        for &i in tied {
            scores[i] = score;
        }
        below += num_tied;
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_ranks() {
        let scores = normal_scores(&[30.0, -1.0, 2.0, 2.0]);
        // Ranks 4, 1, 2.5, 2.5 among four.
        let end = 1.0491313979639698;
        for (found, exact) in scores.iter().zip([end, -end, 0.0, 0.0]) {
            assert!((found - exact).abs() < 1e-12, "{found} and not {exact}");
        }
        assert_eq!(normal_scores(&[0.0, -0.0, 0.0]), [0.0; 3]);
    }

    #[test]
    fn constant_chains_agree_or_never_will() {
        let (low, high) = ([0.1; 8], [0.3; 8]);
        let chains: [[&[f64]; 2]; 2] = [[&low, &low], [&low, &high]];
        for (chains, expected) in chains.iter().zip([1.0, f64::INFINITY]) {
            assert_eq!(rhat(chains), expected);
            assert_eq!(split_rhat(chains), expected);
            assert_eq!(rank_rhat(chains), expected);
        }
    }

    #[test]
    fn wide_and_narrow_chains_show_in_the_distances() {
        let narrow: Vec<f64> = (0..40).map(|t| f64::from(t * 17 % 40) - 19.5).collect();
        let wide: Vec<f64> = narrow.iter().map(|x| 4.0 * x).collect();
        let chains = [narrow.as_slice(), &wide];
        assert!(split_rhat(&chains) < 1.02);
        assert!(rank_rhat(&chains) > 1.2);
    }
}
