use super::halves;
use super::moments::moments;

/// The number of independent draws whose mean would have the variance of that of the chains, which have one length of
/// four draws or more. The number of draws in the halves if all are equal.
///
/// By Geyer's initial monotone sequence as Stan takes it: the autocorrelations are those of the split chains, relative
/// to the variance within and between them. They are summed in pairs of lags until a pair is not positive; no pair
/// counts for more than the one before. Chains that are far apart remember where they are at all lags, and few draws
/// remain.
///
/// It takes as many passes over the draws as there are lags until then: few unless the chains are stuck.
pub(super) fn effective_size(chains: &[&[f64]]) -> f64 {
    let halves = halves(chains);
    let num_draws = halves.first().map_or(0, |half| half.len());
    let n = num_draws as f64;
    let total = halves.len() as f64 * n;
    let means: Vec<f64> = halves
        .iter()
        .map(|half| moments(half.iter().copied()).0)
        .collect();
    let at = |lag: usize| autocovariance(&halves, &means, lag);
    let base = at(0);
    let variance = base + moments(means.iter().copied()).1;
    if variance <= 0.0 {
        return total;
    }
    let within = base * n / (n - 1.0);
    let correlation = |lag: usize| 1.0 - (within - at(lag)) / variance;
    let (mut time, mut bound) = (-1.0, f64::INFINITY);
    let (mut lag, mut even, mut odd) = (0, 1.0, correlation(1));
    // The last lag, of a single product, is left out.
    while even + odd > 0.0 && lag + 5 <= num_draws {
        bound = (even + odd).min(bound);
        time += 2.0 * bound;
        lag += 2;
        (even, odd) = (correlation(lag), correlation(lag + 1));
    }
    time += match even + odd < 0.0 {
        true => even.max(0.0),
        false => even,
    };
    // Against draws so alternating that the sum is about zero.
    total / time.max(1.0 / total.log10())
}

/// `1/n Σ_t (x_t − m)(x_(t+lag) − m)` with the mean `m` of each chain, averaged over the chains.
fn autocovariance(chains: &[&[f64]], means: &[f64], lag: usize) -> f64 {
    let of_chain = |(chain, mean): (&&[f64], &f64)| {
        let later = chain.get(lag..).unwrap_or_default();
        let products = chain
            .iter()
            .zip(later)
            .map(|(x, y)| (x - mean) * (y - mean));
        products.sum::<f64>() / chain.len() as f64
    };
    chains.iter().zip(means).map(of_chain).sum::<f64>() / chains.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_draws_count_each() {
        assert_eq!(effective_size(&[&[0.1; 9], &[0.1; 9]]), 16.0);
    }

    #[test]
    fn halves_that_stand_apart_are_few_draws() {
        let mut chain = [1.0; 100];
        chain[50..].fill(2.0);
        let size = effective_size(&[&chain]);
        // All correlations are one. Lags 0 to 45 count twice and lag 46 once, less one.
        assert!((size - 100.0 / 92.0).abs() < 1e-12, "{size}");
    }

    #[test]
    fn alternating_draws_have_a_largest_number() {
        let chain: Vec<f64> = (0..100).map(|t| f64::from(t % 2)).collect();
        let size = effective_size(&[&chain]);
        assert!((size - 200.0).abs() < 1e-9, "{size}");
    }
}
