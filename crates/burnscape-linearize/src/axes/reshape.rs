//! Reshaped axes.

use std::collections::VecDeque;

use super::found::FixedReason;
use super::labels::Labels;
use super::term::{ONE, Term, Terms};

impl Terms {
    /// The axes of a tensor after a reshape.
    pub(super) fn reshape(&mut self, labels: Labels, shape: &[usize]) -> Labels {
        let labels = match labels.case {
            Some(case) => match self.kept_cases(&labels, case, shape) {
                Some(kept) => return kept,
                None => self.joined_cases(labels, case),
            },
            None => labels,
        };
        let sizes: Vec<usize> = labels.axes.iter().map(|axis| self.size(axis)).collect();
        let mut reshaped = Labels {
            axes: vec![ONE; shape.len()],
            case: None,
        };
        for (from, to) in segments(&sizes, shape) {
            let axes = &labels.axes[from];
            let lengths = &shape[to.clone()];
            let found = self.segment(axes, lengths, reshaped.case.is_none());
            let (terms, case) = found.unwrap_or_else(|| {
                for axis in axes {
                    self.fix(axis, FixedReason::DoesNotNest);
                }
                let fixed = lengths
                    .iter()
                    .map(|&len| self.fixed(len, FixedReason::DoesNotNest));
                (fixed.collect(), None)
            });
            if let Some(case) = case {
                reshaped.case = Some(to.start + case);
            }
            reshaped.axes[to].clone_from_slice(&terms);
        }
        reshaped
    }

    /// Axes of the same number of elements. A sum of equal parts becomes a case axis if `may_have_cases`.
    fn segment(
        &mut self,
        axes: &[Term],
        lengths: &[usize],
        may_have_cases: bool,
    ) -> Option<(Vec<Term>, Option<usize>)> {
        let mut rest: VecDeque<Term> = axes.iter().map(|axis| self.normal(axis)).collect();
        rest.retain(|axis| *axis != ONE);
        let (mut terms, mut case) = (Vec::new(), None);
        while terms.len() < lengths.len() {
            let at = terms.len();
            let len = lengths[at];
            if len == 1 {
                terms.push(ONE);
                continue;
            }
            let first = rest.front().map(|first| self.normal(first));
            if let Some(Term::Sum(parts)) = first
                && may_have_cases
                && case.is_none()
                && parts.len() == len
                && let Some(cases) = self.cases(&parts, &lengths[at + 1..])
            {
                rest.pop_front();
                case = Some(at);
                terms.push(self.fixed(len, FixedReason::Position));
                terms.extend(cases);
                continue;
            }
            terms.push(self.take(&mut rest, len)?);
        }
        Some((terms, case))
    }

    /// Parts of one length over the axes that follow: a term for each part.
    fn cases(&mut self, parts: &[Term], lengths: &[usize]) -> Option<Vec<Term>> {
        let size = self.size(parts.first()?);
        if size == 1 || parts.iter().any(|part| self.size(part) != size) {
            return None;
        }
        let (mut product, mut count) = (1, 0);
        while product < size {
            product *= lengths.get(count)?;
            count += 1;
        }
        if product != size {
            return None;
        }
        let mut per_part = Vec::new();
        for part in parts {
            let mut rest = VecDeque::from([part.clone()]);
            let taken = lengths[..count].iter().map(|&len| match len {
                1 => Some(ONE),
                len => self.take(&mut rest, len),
            });
            per_part.push(taken.collect::<Option<Vec<Term>>>()?);
        }
        let axes = (0..count).map(|axis| {
            let cases = per_part.iter().map(|terms| terms[axis].clone());
            Term::Cases(cases.collect())
        });
        Some(axes.collect())
    }

    /// A reshape that only adds or removes axes of length 1 keeps the cases.
    fn kept_cases(&mut self, labels: &Labels, case: usize, shape: &[usize]) -> Option<Labels> {
        let is_long = |terms: &Self, axis: &Term| terms.size(axis) != 1;
        let long: Vec<usize> = (0..labels.axes.len())
            .filter(|&axis| is_long(self, &labels.axes[axis]))
            .collect();
        let to: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] != 1).collect();
        let sizes = long.iter().map(|&axis| self.size(&labels.axes[axis]));
        if !sizes.eq(to.iter().map(|&axis| shape[axis])) {
            return None;
        }
        let mut axes = vec![ONE; shape.len()];
        for (&from, &to) in long.iter().zip(&to) {
            axes[to] = labels.axes[from].clone();
        }
        let place = long.iter().position(|&axis| axis == case)?;
        Some(Labels {
            axes,
            case: Some(to[place]),
        })
    }

    /// The case axis and the axes with cases that follow it as one axis, a sum, if there are no others.
    fn joined_cases(&mut self, labels: Labels, case: usize) -> Labels {
        let is_of_cases = |axis: &Term| matches!(axis, Term::Cases(_));
        let after = &labels.axes[case + 1..];
        let count = after.iter().take_while(|axis| is_of_cases(axis)).count();
        let total = labels.axes.iter().filter(|axis| is_of_cases(axis)).count();
        if count != total {
            return self.collapsed(labels);
        }
        let num_cases = self.size(&labels.axes[case]);
        let part = |index: usize| {
            let factors = after[..count].iter().map(|axis| match axis {
                Term::Cases(cases) => cases.get(index).cloned(),
                _ => None,
            });
            factors.collect::<Option<Vec<Term>>>().map(Term::Product)
        };
        let parts: Option<Vec<Term>> = (0..num_cases).map(part).collect();
        let Some(parts) = parts else {
            return self.collapsed(labels);
        };
        let mut axes = labels.axes[..case].to_vec();
        axes.push(self.normal(&Term::Sum(parts)));
        axes.extend_from_slice(&after[count..]);
        Labels { axes, case: None }
    }
}

/// The smallest runs of axes with equal numbers of elements.
pub(super) fn segments(
    from: &[usize],
    to: &[usize],
) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut segments = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (start_i, start_j) = (i, j);
        let (mut left, mut right) = (1, 1);
        loop {
            if left <= right && i < from.len() {
                left *= from[i];
                i += 1;
            } else if j < to.len() {
                right *= to[j];
                j += 1;
            } else if i < from.len() {
                left *= from[i];
                i += 1;
            } else {
                break;
            }
            if left == right && i > start_i && (j > start_j || j == to.len()) {
                break;
            }
        }
        segments.push((start_i..i, start_j..j));
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn runs_of_axes_have_equal_numbers_of_elements() {
        assert_eq!(segments(&[2, 6], &[2, 2, 3]), [(0..1, 0..1), (1..2, 1..3)]);
        assert_eq!(segments(&[2, 3, 4], &[6, 4]), [(0..2, 0..1), (2..3, 1..2)]);
        assert_eq!(segments(&[4, 3], &[3, 4]), [(0..2, 0..2)]);
        assert_eq!(segments(&[5], &[1, 5, 1]), [(0..1, 0..2), (1..1, 2..3)]);
        assert_eq!(segments(&[1, 5, 1], &[5]), [(0..2, 0..1), (2..3, 1..1)]);
        assert_eq!(segments(&[0, 3], &[0]), [(0..2, 0..1)]);
    }
}
