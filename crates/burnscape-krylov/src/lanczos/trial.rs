use super::LanczosFactorization;
use crate::{VectorBlock, VectorSpace, Which};

/// A second search, from a fresh vector in the complement of the pairs that a first one found.
///
/// The Krylov space of one vector has one direction of each eigenspace, and of a cluster narrower than the
/// goal as good as one. The complement of that direction has the others, and a random vector has a part in
/// each of them.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// Pairs that are held, at the head of the basis.
    pub(crate) held: usize,
    /// The wanted values when it began, the outermost first.
    pub(crate) known: Vec<f64>,
    /// Products of the factorization when it began.
    pub(crate) since: usize,
    /// Whether a restart added a pair that it found to those that are held.
    pub(crate) has_found: bool,
}

/// The probability with which an eigenvalue may be missed that the trial should have seen.
const MISSED: f64 = 1e-3;

impl Trial {
    /// Whether one more eigenvalue as far out as the last one wanted would have shown by now.
    ///
    /// After `m` steps from a random vector the outermost Ritz value is inside the outermost of `n`
    /// eigenvalues by more than `ε` of their breadth with a probability of at most
    /// `1.648 √n exp(−√ε (2 m − 1))` (Kuczyński and Woźniakowski, *Estimating the largest eigenvalue by the
    /// power and Lanczos algorithms with a random start*, SIAM J. Matrix Anal. Appl. 13 (1992), theorem
    /// 4.2). `newest` are the Ritz values of the trial with their residuals, ascending. Steps before a
    /// restart count like others: it keeps their share of the ends.
    pub(crate) fn rules_out(
        &self,
        which: Which,
        newest: &[(f64, f64)],
        wanted: &[f64],
        (products, dimension): (usize, usize),
    ) -> bool {
        let (Some(low), Some(high)) = (newest.first(), newest.last()) else {
            return false;
        };
        let steps = products.saturating_sub(self.since) as f64;
        let is_clear = |last: f64, inside: f64, other: f64| {
            let share = inside / (last - other).abs().max(f64::MIN_POSITIVE);
            let factor = 1.648 * (dimension as f64).sqrt();
            inside > 0.0 && factor * (-share.sqrt() * (2.0 * steps - 1.0)).exp() <= MISSED
        };
        let top = |last: f64| is_clear(last, last - high.0, low.0 - low.1);
        let bottom = |last: f64| is_clear(last, low.0 - last, high.0 + high.1);
        match (which, wanted) {
            (Which::Largest, [.., last]) => top(*last),
            (Which::Smallest, [.., last]) => bottom(*last),
            (Which::LargestMagnitude, [.., last]) => top(last.abs()) && bottom(-last.abs()),
            (Which::BothEnds, [.., before, last]) => match wanted.len().is_multiple_of(2) {
                true => top(*before) && bottom(*last),
                false => top(*last) && bottom(*before),
            },
            _ => false,
        }
    }

    /// Ritz pairs in the order of a basis: those that are held, then the outermost others.
    pub(crate) fn ordered<T: Clone>(
        which: Which,
        ascending: Vec<(f64, T)>,
        (k, keep): (usize, usize),
        has_far: bool,
    ) -> Vec<(f64, T)> {
        let len = ascending.len();
        let mut ordered = which.outermost(ascending, len);
        if has_far && len > k + 1 {
            let far = ordered.remove(len - 1);
            ordered.insert(k, far);
        }
        ordered.truncate(keep);
        ordered
    }
}

impl<V: VectorSpace> LanczosFactorization<V> {
    /// Keeps Ritz pairs with at most that residual, drops the rest of the space, and continues with a fresh
    /// vector.
    pub(crate) fn renew(
        &mut self,
        kept: &[(f64, Vec<f64>)],
        residual: f64,
    ) -> Result<(), V::Error> {
        self.restart(kept)?;
        self.first.get_or_insert(self.basis.len());
        self.dropped = self.dropped.max(residual);
        self.beta = 0.0;
        self.next = self.fresh()?;
        Ok(())
    }

    /// The Ritz values of the newest Krylov space alone with their residuals, once a space was exhausted: those that the
    /// last fresh vector has found in the complement of the earlier spaces.
    pub(crate) fn newest_residuals(&self) -> Vec<(f64, f64)> {
        if self.first.is_none() {
            return Vec::new();
        }
        self.residuals_from(self.piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_well_inside_is_ruled_out_after_enough_steps() {
        let trial = Trial {
            held: 1,
            known: vec![1.0],
            since: 10,
            has_found: false,
        };
        let newest = [(0.0, 0.0), (0.9, 0.1)];
        let rules_out =
            |steps: usize| trial.rules_out(Which::Largest, &newest, &[1.0], (10 + steps, 100));
        // √0.1 (2 m − 1) ≥ ln(1.648 · 10 / 1e-3) = 9.71: m = 16.
        assert!(!rules_out(15) && rules_out(16));
        let beyond = [(0.0, 0.0), (1.1, 0.1)];
        assert!(!trial.rules_out(Which::Largest, &beyond, &[1.0], (1000, 100)));
        let both = trial.rules_out(Which::BothEnds, &newest, &[1.0, -0.1, 0.95], (1000, 100));
        assert!(both);
        assert!(!trial.rules_out(Which::LargestMagnitude, &[], &[1.0], (1000, 100)));
    }

    #[test]
    fn the_far_end_is_held_behind_the_wanted_pairs() {
        let pairs = vec![(1.0, ()), (2.0, ()), (3.0, ()), (9.0, ())];
        let values = |far| -> Vec<f64> {
            let ordered = Trial::ordered(Which::Smallest, pairs.clone(), (2, 3), far);
            ordered.into_iter().map(|pair| pair.0).collect()
        };
        assert_eq!(values(true), [1.0, 2.0, 9.0]);
        assert_eq!(values(false), [1.0, 2.0, 3.0]);
    }
}
