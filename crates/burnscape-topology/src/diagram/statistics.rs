//! Numbers that describe a diagram.

use super::Diagram;
use crate::Death;

impl Diagram {
    /// The persistences of pairs that die, in the order of the pairs.
    pub fn persistences(&self) -> Vec<f64> {
        let dying = self.pairs.iter().filter(|pair| pair.death != Death::Never);
        dying.map(|pair| pair.persistence()).collect()
    }

    /// The mean persistence of pairs that die, SMAD (saddle-minimum average distance). NaN without any.
    ///
    /// # References
    ///
    /// Landscaper (2024), the measure `smad`.
    pub fn mean_persistence(&self) -> f64 {
        let persistences = self.persistences();
        persistences.iter().sum::<f64>() / persistences.len() as f64
    }

    /// The sum of `pᵏ` over the persistences `p` of pairs that die.
    pub fn total_persistence(&self, power: f64) -> f64 {
        self.persistences().iter().map(|p| p.powf(power)).sum()
    }

    /// The smallest and the largest persistence of pairs that die, if any does.
    pub fn persistence_range(&self) -> Option<(f64, f64)> {
        let persistences = self.persistences();
        let least = persistences.iter().copied().reduce(f64::min)?;
        let most = persistences.iter().copied().reduce(f64::max)?;
        Some((least, most))
    }

    /// The entropy `−Σ p̂ ln p̂` of the finite persistences, `p̂` their shares of the sum. Zero for one pair, `ln k`
    /// for `k` equal ones; zero without any.
    pub fn persistence_entropy(&self) -> f64 {
        let mut finite = self.persistences();
        finite.retain(|p| p.is_finite() && *p > 0.0);
        let most = finite.iter().copied().fold(0.0, f64::max);
        // Relative to the largest one, so that the sum is finite.
        let sum: f64 = finite.iter().map(|p| p / most).sum();
        let shares = finite.iter().map(|p| p / most / sum);
        shares
            .filter(|share| *share > 0.0)
            .map(|share| -share * share.ln())
            .sum()
    }
}
