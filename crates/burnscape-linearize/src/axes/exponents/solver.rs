//! Linear equations between exponents, solved one by one.

use std::collections::BTreeMap;

use super::number::Number;

/// A sum of unknowns with coefficients.
pub(super) type Sum<N> = BTreeMap<usize, N>;

/// Unknowns, and what the equations so far say of them.
#[derive(Debug)]
pub(super) struct Solver<N> {
    /// An unknown as a sum of others; `None` if it is free.
    known: Vec<Option<Sum<N>>>,
}

impl<N: Number> Solver<N> {
    pub(super) fn new() -> Self {
        Self { known: Vec::new() }
    }

    pub(super) fn unknown(&mut self) -> usize {
        self.known.push(None);
        self.known.len() - 1
    }

    /// Demands that a sum is zero.
    pub(super) fn vanish(&mut self, terms: &[(usize, N)]) {
        let mut sum = Sum::new();
        for (unknown, coefficient) in terms {
            let reduced = self.reduced(*unknown);
            add(&mut sum, &reduced, *coefficient);
        }
        let Some((&pivot, &coefficient)) = sum.iter().next_back() else {
            return;
        };
        sum.remove(&pivot);
        let factor = coefficient.inverse().negative();
        let rest = sum.into_iter().map(|(u, c)| (u, c.times(factor)));
        self.known[pivot] = Some(rest.collect());
    }

    /// An unknown as a sum of free ones.
    pub(super) fn reduced(&mut self, unknown: usize) -> Sum<N> {
        // From the ends of the chain backwards, so that no recursion is deep.
        let mut open = vec![unknown];
        while let Some(&last) = open.last() {
            let next = self.known[last].as_ref().and_then(|sum| {
                let mut unknowns = sum.keys().copied();
                unknowns.find(|&other| self.is_reducible(other))
            });
            match next {
                Some(next) => open.push(next),
                None => {
                    open.pop();
                    self.flatten(last);
                }
            }
        }
        match &self.known[unknown] {
            Some(sum) => sum.clone(),
            None => Sum::from([(unknown, N::ONE)]),
        }
    }

    /// Whether an unknown is a sum of which some are not free.
    fn is_reducible(&self, unknown: usize) -> bool {
        let sum = self.known[unknown].as_ref();
        sum.is_some_and(|sum| sum.keys().any(|&other| self.known[other].is_some()))
    }

    /// Replaces the unknowns of a sum that are sums of free ones.
    fn flatten(&mut self, unknown: usize) {
        let Some(sum) = self.known[unknown].clone() else {
            return;
        };
        let mut flat = Sum::new();
        for (other, coefficient) in sum {
            match &self.known[other] {
                Some(inner) => add(&mut flat, inner, coefficient),
                None => add(&mut flat, &Sum::from([(other, N::ONE)]), coefficient),
            }
        }
        self.known[unknown] = Some(flat);
    }
}

fn add<N: Number>(sum: &mut Sum<N>, other: &Sum<N>, coefficient: N) {
    for (&unknown, &value) in other {
        let term = value.times(coefficient);
        let total = sum.get(&unknown).copied().unwrap_or(N::ZERO).plus(term);
        if total == N::ZERO {
            sum.remove(&unknown);
        } else {
            sum.insert(unknown, total);
        }
    }
}

/// Independent solutions: a basis of the space that the rows span over the free unknowns, as columns in reduced echelon
/// form. Entry `[k][i]` is the value of row `i` in solution `k`.
pub(super) fn solutions<N: Number>(rows: &[Sum<N>]) -> Vec<Vec<N>> {
    let mut free: Vec<usize> = rows.iter().flat_map(|row| row.keys().copied()).collect();
    free.sort_unstable();
    free.dedup();
    let column = |unknown: &usize| -> Vec<N> {
        let entries = rows.iter();
        entries
            .map(|row| row.get(unknown).copied().unwrap_or(N::ZERO))
            .collect()
    };
    let mut columns: Vec<Vec<N>> = free.iter().map(column).collect();
    let mut found = 0;
    for row in 0..rows.len() {
        let pivot = (found..columns.len()).find(|&k| columns[k][row] != N::ZERO);
        let Some(pivot) = pivot else {
            continue;
        };
        columns.swap(found, pivot);
        let scale = columns[found][row].inverse();
        columns[found].iter_mut().for_each(|x| *x = x.times(scale));
        let base = columns[found].clone();
        for (k, column) in columns.iter_mut().enumerate() {
            let factor = column[row].negative();
            if k != found && factor != N::ZERO {
                for (x, y) in column.iter_mut().zip(&base) {
                    *x = x.plus(y.times(factor));
                }
            }
        }
        found += 1;
    }
    columns.truncate(found);
    columns
}

#[cfg(test)]
mod tests {
    use super::super::number::{Fraction, Parity};
    use super::*;

    #[test]
    fn equations_leave_the_solutions_that_satisfy_all() {
        let mut solver = Solver::<Fraction>::new();
        let v: Vec<usize> = (0..4).map(|_| solver.unknown()).collect();
        let of = Fraction::of;
        // v0 = v1, v1 + v2 = 0, v3 = 2 v2
        solver.vanish(&[(v[0], of(1)), (v[1], of(-1))]);
        solver.vanish(&[(v[1], of(1)), (v[2], of(1))]);
        solver.vanish(&[(v[3], of(1)), (v[2], of(-2))]);
        let rows: Vec<Sum<Fraction>> = v.iter().map(|&v| solver.reduced(v)).collect();
        assert_eq!(solutions(&rows), [[of(1), of(1), of(-1), of(-2)].to_vec()]);
        solver.vanish(&[(v[3], of(1))]);
        let rows: Vec<Sum<Fraction>> = v.iter().map(|&v| solver.reduced(v)).collect();
        assert!(solutions(&rows).is_empty());
    }

    #[test]
    fn parities_add_modulo_two() {
        let mut solver = Solver::<Parity>::new();
        let v: Vec<usize> = (0..3).map(|_| solver.unknown()).collect();
        let one = Parity::ONE;
        solver.vanish(&[(v[0], one), (v[1], one), (v[2], one)]);
        let rows: Vec<Sum<Parity>> = v.iter().map(|&v| solver.reduced(v)).collect();
        assert_eq!(solutions(&rows).len(), 2);
    }
}
