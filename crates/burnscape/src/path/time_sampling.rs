use burn::config::Config;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::PathError;
use super::quadrature::gauss_legendre;
use crate::range::ensure;
use crate::space::stream;

/// The places on the curve at which the loss of a batch is taken.
///
/// All samplings are unbiased for `∫ L(θ(t)) dt`, the mean over `t` (not over length).
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum TimeSampling {
    /// Uniform on the unit interval (Garipov et al. 2018).
    Uniform,
    /// Uniform within this many equal strata, which take turns in random order: the same mean with less noise.
    Stratified(usize),
    /// The nodes of Gauss-Legendre quadrature, this many in each smooth piece of the curve. They take turns in random
    /// order, and gradients are proportional to their weights. If a step has as many places as there are nodes, it
    /// takes all of them and has no sampling noise; the integral is then exact for a loss that is a polynomial in `t`
    /// of degree `2 nodes − 1` on each piece.
    Quadrature(usize),
}

impl TimeSampling {
    pub(super) fn check(self) -> Result<(), PathError> {
        let (name, count) = match self {
            Self::Uniform => return Ok(()),
            Self::Stratified(count) => ("TimeSampling::Stratified", count),
            Self::Quadrature(count) => ("TimeSampling::Quadrature", count),
        };
        Ok(ensure(name, count as f64, 1.0..=1000.0)?)
    }

    /// Place and weight of the draw with this index on a curve with `pieces` pieces; the mean of the weights is one. It
    /// is a function of seed and index only, so that a resumed fit has the same draws as an uninterrupted one.
    pub(super) fn draw(self, seed: u64, index: u64, pieces: usize) -> (f64, f64) {
        let uniform = || stream(seed, index).random::<f64>();
        match self {
            Self::Uniform => (uniform(), 1.0),
            Self::Stratified(count) => {
                let stratum = turn(seed, index, count);
                ((stratum as f64 + uniform()) / count as f64, 1.0)
            }
            Self::Quadrature(count) => {
                let turn = turn(seed, index, count * pieces);
                let (node, weight) = gauss_legendre(count)[turn % count];
                let t = ((turn / count) as f64 + node) / pieces as f64;
                (t, weight * count as f64)
            }
        }
    }
}

/// The entry of a permutation of `0..count`; each round of `count` draws has a different one.
fn turn(seed: u64, index: u64, count: usize) -> usize {
    let round = index / count as u64;
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut stream(seed ^ 0x5EED, round));
    order[(index % count as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_visits_every_stratum_and_every_node_once() {
        for round in 0..20 {
            let draws = |sampling: TimeSampling| -> Vec<(f64, f64)> {
                let mut draws: Vec<_> =
                    (0..7).map(|i| sampling.draw(3, round * 7 + i, 1)).collect();
                draws.sort_by(|a, b| a.0.total_cmp(&b.0));
                draws
            };
            for (stratum, (t, weight)) in draws(TimeSampling::Stratified(7)).iter().enumerate() {
                assert_eq!(((t * 7.0) as usize, *weight), (stratum, 1.0));
            }
            let nodes = draws(TimeSampling::Quadrature(7));
            let sum: f64 = nodes.iter().map(|(t, weight)| weight * t.powi(12)).sum();
            assert!((sum / 7.0 - 1.0 / 13.0).abs() < 1e-14);
        }
    }

    #[test]
    fn uniform_draws_have_the_mean_and_variance_of_the_unit_interval() {
        let count = 20_000;
        let draws: Vec<f64> = (0..count)
            .map(|i| TimeSampling::Uniform.draw(1, i, 1).0)
            .collect();
        let mean = draws.iter().sum::<f64>() / count as f64;
        let square = draws.iter().map(|t| t * t).sum::<f64>() / count as f64;
        // Four standard errors of each.
        assert!((mean - 0.5).abs() < 4.0 * (1.0_f64 / 12.0 / count as f64).sqrt());
        assert!((square - 1.0 / 3.0).abs() < 4.0 * (4.0_f64 / 45.0 / count as f64).sqrt());
    }
}
