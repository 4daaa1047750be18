//! Shares and sums of a density, with an interval that covers the resolution as well.

use super::{Bracket, SpectralDensity};

impl SpectralDensity {
    /// The fraction of eigenvalues at most `x`.
    ///
    /// Each probe's bounds are those of Chebyshev, Markov and Stieltjes: no measure with the moments of the probe has less
    /// of its mass below `x`, or more. Their difference is about the weight of a node near `x`: a cluster of eigenvalues is
    /// resolved if `x` is a few distances between nodes away from it.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, DensityConfig, Symmetric};
    ///
    /// let values: Vec<f64> = (1..=200).map(f64::from).collect();
    /// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
    /// let density = DensityConfig::new().with_steps(30).run(&a)?;
    /// let below = density.fraction_below(50.5).interval(0.95).unwrap_or((0.0, 1.0));
    /// assert!(below.0 < 0.25 && 0.25 < below.1 && below.1 - below.0 < 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fraction_below(&self, x: f64) -> Bracket {
        let (low, high): (Vec<f64>, Vec<f64>) = self.shares_below(x).into_iter().unzip();
        Bracket::between(&low, &high)
    }

    /// The fraction of eigenvalues above `x`: 1 minus [`fraction_below`](Self::fraction_below).
    pub fn fraction_above(&self, x: f64) -> Bracket {
        let shares = self.shares_below(x).into_iter();
        let (low, high): (Vec<f64>, Vec<f64>) =
            shares.map(|(low, high)| (1.0 - high, 1.0 - low)).unzip();
        Bracket::between(&low, &high)
    }

    /// The fraction of eigenvalues above `from` and at most `to`.
    pub fn fraction_between(&self, from: f64, to: f64) -> Bracket {
        let (from, to) = (self.shares_below(from), self.shares_below(to));
        let (low, high): (Vec<f64>, Vec<f64>) = from
            .iter()
            .zip(&to)
            .map(|(from, to)| ((to.0 - from.1).max(0.0), to.1 - from.0))
            .unzip();
        let mut bracket = Bracket::between(&low, &high);
        // So that fractions of neighboring ranges add up.
        let middles =
            |shares: &[(f64, f64)]| shares.iter().map(|(low, high)| low + high).sum::<f64>();
        bracket.value = 0.5 * (middles(&to) - middles(&from)) / to.len() as f64;
        bracket
    }

    /// A certain lower bound of the number of eigenvalues below `x`: by Cauchy's interlacing, the compression of an
    /// operator to a subspace has no more eigenvalues beyond a bound than the operator. Eigenvalues closer to `x` than
    /// rounding, or the residuals of outliers, do not count.
    pub fn at_least_below(&self, x: f64) -> usize {
        self.most(|node| node < x - self.margin)
    }

    /// A certain lower bound of the number of eigenvalues above `x`: see [`at_least_below`](Self::at_least_below).
    pub fn at_least_above(&self, x: f64) -> usize {
        self.most(|node| node > x + self.margin)
    }

    /// `Σ λ / (λ + gamma)` over the positive eigenvalues: how many of them are large compared with `gamma`, which has the
    /// units of an eigenvalue.
    ///
    /// Of a positive semidefinite operator (one whose nodes are not negative beyond rounding) Gauss quadrature
    /// is never too small in expectation, and the Gauss-Radau rule with a node at zero never too large (Golub and
    /// Meurant, *Matrices, Moments and Quadrature*, 2010, section 6.2): bounds that close as conjugate gradients
    /// converge. With negative eigenvalues each weight is moved to the neighboring nodes, which is conservative,
    /// and the value is that of Gauss quadrature.
    pub fn effective_dimension(&self, gamma: f64) -> Bracket {
        // Zero does not count, whatever gamma is.
        let count = |value: f64| match value > 0.0 {
            true => value / (value + gamma),
            false => 0.0,
        };
        let n = self.dimension as f64;
        let share = (n - self.outliers.len() as f64) / n;
        let outside = self.outliers.iter().map(|value| count(*value)).sum::<f64>() / n;
        let is_definite = self.most(|node| node < -self.margin) == 0;
        let bounds = |index: usize| {
            let rule = &self.bulk()[index];
            let value = rule.integrate(count);
            let (low, high) = match self.recurrences.get(index) {
                Some(recurrence) if is_definite => {
                    let (radau, _) = recurrence.rule_at(0.0);
                    (share * radau.integrate(count), value)
                }
                _ => {
                    // A function that rises: mass between two nodes counts for no less than at the one below,
                    // and no more than at the one above. Beyond the last it counts for one at most.
                    let from = |at: usize| rule.nodes.get(at).map_or(1.0, |node| count(*node));
                    let weights = rule.weights.iter().enumerate();
                    let low = weights
                        .clone()
                        .map(|(at, weight)| weight * at.checked_sub(1).map_or(0.0, from));
                    (
                        low.sum(),
                        weights.map(|(at, weight)| weight * from(at + 1)).sum(),
                    )
                }
            };
            (outside + low.min(value), outside + value, outside + high)
        };
        let all: Vec<(f64, f64, f64)> = (0..self.bulk().len()).map(bounds).collect();
        let low: Vec<f64> = all.iter().map(|bounds| bounds.0).collect();
        let high: Vec<f64> = all.iter().map(|bounds| bounds.2).collect();
        let mut bracket = Bracket::between(&low, &high);
        if !is_definite {
            bracket.value = all.iter().map(|bounds| bounds.1).sum::<f64>() / all.len() as f64;
        }
        bracket.times(n)
    }

    /// The most nodes of one probe, outliers included, that are of a kind.
    fn most(&self, is_one: impl Fn(f64) -> bool) -> usize {
        let count = |nodes: &[f64]| nodes.iter().filter(|node| is_one(**node)).count();
        let probes = self.probes().iter().map(|probe| count(&probe.nodes));
        probes.max().unwrap_or(0)
    }

    /// For each probe, bounds of the share of eigenvalues at most `x`.
    fn shares_below(&self, x: f64) -> Vec<(f64, f64)> {
        let n = self.dimension as f64;
        let outliers = |bound: f64| {
            let below = self.outliers.iter().filter(|value| **value <= bound);
            below.count() as f64 / n
        };
        let (low, high) = (outliers(x - self.margin), outliers(x + self.margin));
        let share = (n - self.outliers.len() as f64) / n;
        if self.recurrences.is_empty() {
            return vec![(low, high)];
        }
        let recurrences = self.recurrences.iter();
        let bounds = recurrences.map(|recurrence| {
            let (below, up_to) = recurrence.share_below(x, self.margin);
            (low + share * below, high + share * up_to)
        });
        bounds.collect()
    }
}
