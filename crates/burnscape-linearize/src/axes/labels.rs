//! The axes of a tensor.

use super::found::FixedReason;
use super::term::{ONE, Term, Terms};

/// The terms of a tensor's axes.
///
/// A tensor that a sum of `k` equal parts was reshaped into has a *case axis* of length `k`. Along it the parts keep
/// terms of their own, in axes of [`Term::Cases`].
#[derive(Debug, Clone)]
pub(super) struct Labels {
    pub(super) axes: Vec<Term>,
    pub(super) case: Option<usize>,
}

impl Labels {
    pub(super) fn of(axes: Vec<Term>) -> Self {
        Self { axes, case: None }
    }
}

impl Terms {
    /// The tensor without cases: all parts are one.
    pub(super) fn collapsed(&mut self, labels: Labels) -> Labels {
        let axes = labels.axes.into_iter().map(|axis| match axis {
            Term::Cases(cases) => self.all_one(&cases),
            axis => axis,
        });
        Labels::of(axes.collect())
    }

    /// Terms of one size made one. Where one is uniform, another may not be.
    pub(super) fn all_one(&mut self, terms: &[Term]) -> Term {
        let Some((first, others)) = terms.split_first() else {
            return ONE;
        };
        let mut met = self.normal(first);
        for other in others {
            self.unify(&met, other);
            met = self.meet(&met, other);
        }
        met
    }

    /// A tensor along whose axes all values are equal.
    pub(super) fn uniform(shape: &[usize]) -> Labels {
        let axes = shape.iter().map(|&len| match len {
            1 => ONE,
            len => Term::Uniform(len),
        });
        Labels::of(axes.collect())
    }

    /// A tensor with every axis fixed.
    pub(super) fn all_fixed(&mut self, shape: &[usize], reason: FixedReason) -> Labels {
        let axes = shape.iter().map(|&len| self.fixed(len, reason));
        Labels::of(axes.collect())
    }

    /// What operands that meet element by element make, with broadcasting: the axes are aligned from the right.
    pub(super) fn elementwise(&mut self, operands: Vec<Labels>, shape: &[usize]) -> Labels {
        let rank = shape.len();
        let cases: Vec<usize> = operands
            .iter()
            .filter_map(|labels| labels.case.map(|case| case + rank - labels.axes.len()))
            .collect();
        let is_one_case = cases.iter().all(|case| *case == cases[0]);
        let operands: Vec<Labels> = if is_one_case {
            operands
        } else {
            operands
                .into_iter()
                .map(|labels| self.collapsed(labels))
                .collect()
        };
        let axes = shape.iter().enumerate().map(|(axis, &len)| {
            let mut met: Option<Term> = None;
            for labels in &operands {
                let Some(own) = (axis + labels.axes.len()).checked_sub(rank) else {
                    continue;
                };
                let term = self.normal(&labels.axes[own]);
                if len != 1 && self.size(&term) == 1 {
                    continue;
                }
                met = Some(match met {
                    None => term,
                    Some(met) => {
                        self.unify(&met, &term);
                        self.meet(&met, &term)
                    }
                });
            }
            met.unwrap_or(match len {
                1 => ONE,
                len => Term::Uniform(len),
            })
        });
        let axes = axes.collect();
        Labels {
            axes,
            case: cases.first().copied().filter(|_| is_one_case),
        }
    }
}
