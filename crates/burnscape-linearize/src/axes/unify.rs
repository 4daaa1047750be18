//! Terms made equal.

use std::collections::VecDeque;

use super::found::FixedReason;
use super::term::{Division, ONE, Term, Terms};

impl Terms {
    /// Makes two terms of one size equal, wherever they occur. Parts that do not nest are fixed.
    pub(super) fn unify(&mut self, left: &Term, right: &Term) {
        let (left, right) = (self.normal(left), self.normal(right));
        if left == right {
            return;
        }
        match (&left, &right) {
            (Term::Cases(cases), Term::Cases(others)) if cases.len() == others.len() => {
                for (case, other) in cases.iter().zip(others) {
                    self.unify(case, other);
                }
                return;
            }
            (Term::Cases(cases), one) | (one, Term::Cases(cases)) => {
                for case in cases {
                    self.unify(case, one);
                }
                return;
            }
            _ => {}
        }
        if self.size(&left) != self.size(&right) {
            self.fix(&left, FixedReason::DoesNotNest);
            self.fix(&right, FixedReason::DoesNotNest);
            return;
        }
        let (fixed_left, fixed_right) = (self.is_fixed(&left), self.is_fixed(&right));
        match (&left, &right) {
            (Term::Uniform(_), _) | (_, Term::Uniform(_)) => {}
            _ if left == ONE || right == ONE => {}
            _ if fixed_left.is_some() || fixed_right.is_some() => {
                if let Some(why) = fixed_left {
                    self.fix_like(&right, why);
                } else if let Some(why) = fixed_right {
                    self.fix_like(&left, why);
                }
            }
            (Term::Atom(atom), other) | (other, Term::Atom(atom)) => self.bind(*atom, other),
            (Term::Product(left), Term::Product(right)) => {
                self.align(left, right, Division::Factors);
            }
            _ => {
                let parts = |term: &Term| match term {
                    Term::Sum(parts) => parts.clone(),
                    term => vec![term.clone()],
                };
                self.align(&parts(&left), &parts(&right), Division::Parts);
            }
        }
    }

    /// Makes two lists of factors or parts equal, from the left.
    fn align(&mut self, left: &[Term], right: &[Term], how: Division) {
        let mut left: VecDeque<Term> = left.iter().cloned().collect();
        let mut right: VecDeque<Term> = right.iter().cloned().collect();
        while let (Some(first), Some(second)) = (left.pop_front(), right.pop_front()) {
            let (first, second) = (self.normal(&first), self.normal(&second));
            if let Some(inner) = pieces(&first, how) {
                right.push_front(second);
                inner.into_iter().rev().for_each(|t| left.push_front(t));
                continue;
            }
            if let Some(inner) = pieces(&second, how) {
                left.push_front(first);
                inner.into_iter().rev().for_each(|t| right.push_front(t));
                continue;
            }
            let (a, b) = (self.size(&first), self.size(&second));
            if a == b {
                self.unify(&first, &second);
                continue;
            }
            let (long, short, rest) = if a > b {
                (first, second, &mut left)
            } else {
                (second, first, &mut right)
            };
            match self.split(&long, a.min(b), how) {
                Some((head, tail)) => {
                    rest.push_front(tail);
                    self.unify(&head, &short);
                }
                None => {
                    let all = [long, short].into_iter().chain(left).chain(right);
                    for term in all {
                        self.fix(&term, FixedReason::DoesNotNest);
                    }
                    return;
                }
            }
        }
    }

    /// Divides a term in two, of which the first has size `first`; `None` if it cannot be divided there.
    pub(super) fn split(
        &mut self,
        term: &Term,
        first: usize,
        how: Division,
    ) -> Option<(Term, Term)> {
        match how {
            Division::Factors => self.split_product(term, first),
            Division::Parts => Some(self.split_sum(term, first)),
        }
    }

    fn split_product(&mut self, term: &Term, first: usize) -> Option<(Term, Term)> {
        let term = self.normal(term);
        let size = self.size(&term);
        if first == 0 || !size.is_multiple_of(first) {
            return None;
        }
        if first == size {
            return Some((term, ONE));
        }
        if first == 1 {
            return Some((ONE, term));
        }
        match &term {
            Term::Uniform(_) => Some((Term::Uniform(first), Term::Uniform(size / first))),
            Term::Atom(atom) => Some(self.halves(*atom, first, Division::Factors)),
            Term::Product(factors) => {
                let mut rest: VecDeque<Term> = factors.iter().cloned().collect();
                let head = self.take(&mut rest, first)?;
                let tail = Term::Product(rest.into());
                Some((head, self.normal(&tail)))
            }
            Term::Sum(parts) => {
                // Equal parts are a product once all of them are one.
                let sizes: Vec<usize> = parts.iter().map(|part| self.size(part)).collect();
                if parts.len() == first && sizes.iter().all(|size| *size == sizes[0]) {
                    let place = self.fixed(first, FixedReason::Position);
                    return Some((place, self.all_one(parts)));
                }
                self.fix(&term, FixedReason::DoesNotNest);
                let mut fixed = |size| self.fixed(size, FixedReason::DoesNotNest);
                Some((fixed(first), fixed(size / first)))
            }
            Term::Cases(_) => None,
        }
    }

    /// Takes factors from the front whose sizes multiply to `size`, dividing the last one if need be.
    pub(super) fn take(&mut self, factors: &mut VecDeque<Term>, size: usize) -> Option<Term> {
        let (mut taken, mut product) = (Vec::new(), 1);
        while product < size {
            let factor = self.normal(&factors.pop_front()?);
            if let Some(inner) = pieces(&factor, Division::Factors) {
                inner.into_iter().rev().for_each(|t| factors.push_front(t));
                continue;
            }
            let next = product * self.size(&factor);
            if next <= size && next > 0 && size.is_multiple_of(next) {
                taken.push(factor);
                product = next;
                continue;
            }
            if !size.is_multiple_of(product) {
                return None;
            }
            let (head, tail) = self.split_product(&factor, size / product)?;
            taken.push(head);
            factors.push_front(tail);
            product = size;
        }
        let taken = Term::Product(taken);
        Some(self.normal(&taken))
    }

    /// Cuts a term after `first` values.
    pub(super) fn split_sum(&mut self, term: &Term, first: usize) -> (Term, Term) {
        let term = self.normal(term);
        let size = self.size(&term);
        let nothing = Term::Uniform(0);
        if first == 0 {
            return (nothing, term);
        }
        if first >= size {
            return (term, nothing);
        }
        match &term {
            Term::Uniform(_) => (Term::Uniform(first), Term::Uniform(size - first)),
            Term::Atom(atom) => self.halves(*atom, first, Division::Parts),
            Term::Sum(parts) => {
                let mut rest: VecDeque<Term> = parts.iter().cloned().collect();
                let (mut head, mut sum) = (Vec::new(), 0);
                while let Some(part) = rest.pop_front() {
                    let next = sum + self.size(&part);
                    if next <= first {
                        head.push(part);
                        sum = next;
                        continue;
                    }
                    let (before, after) = self.split_sum(&part, first - sum);
                    head.push(before);
                    rest.push_front(after);
                    break;
                }
                let tail = Term::Sum(rest.into());
                let head = Term::Sum(head);
                (self.normal(&head), self.normal(&tail))
            }
            Term::Product(factors) => {
                let inner = Term::Product(factors[1..].to_vec());
                let width = self.size(&inner);
                if width > 0 && first.is_multiple_of(width) {
                    let (before, after) = self.split_sum(&factors[0], first / width);
                    let times = |this: &mut Self, outer: Term| {
                        let product = Term::Product(vec![outer, inner.clone()]);
                        this.normal(&product)
                    };
                    return (times(self, before), times(self, after));
                }
                self.cut_inside(&term, first, size)
            }
            Term::Cases(_) => self.cut_inside(&term, first, size),
        }
    }

    fn cut_inside(&mut self, term: &Term, first: usize, size: usize) -> (Term, Term) {
        self.fix(term, FixedReason::DoesNotNest);
        let mut fixed = |size| self.fixed(size, FixedReason::DoesNotNest);
        (fixed(first), fixed(size - first))
    }

    /// What two terms that were made equal are together: uniform where both are.
    pub(super) fn meet(&mut self, left: &Term, right: &Term) -> Term {
        let (left, right) = (self.normal(left), self.normal(right));
        match (&left, &right) {
            (Term::Cases(a), Term::Cases(b)) if a.len() == b.len() => {
                let cases = a.iter().zip(b).map(|(a, b)| self.meet(a, b));
                return Term::Cases(cases.collect());
            }
            (Term::Cases(cases), one) | (one, Term::Cases(cases)) => {
                let cases = cases.iter().map(|case| self.meet(case, one));
                return Term::Cases(cases.collect());
            }
            _ => {}
        }
        if !has_uniform(&left) {
            return left;
        }
        if !has_uniform(&right) {
            return right;
        }
        match (&left, &right) {
            (Term::Uniform(_), _) => right,
            (_, Term::Uniform(_)) => left,
            (Term::Sum(a), Term::Sum(b)) if self.are_sizes_equal(a, b) => {
                let parts = a.iter().zip(b).map(|(a, b)| self.meet(a, b));
                Term::Sum(parts.collect())
            }
            (Term::Product(a), Term::Product(b)) if self.are_sizes_equal(a, b) => {
                let factors = a.iter().zip(b).map(|(a, b)| self.meet(a, b));
                Term::Product(factors.collect())
            }
            _ => {
                self.fix(&left, FixedReason::DoesNotNest);
                self.fix(&right, FixedReason::DoesNotNest);
                let size = self.size(&left);
                self.fixed(size, FixedReason::DoesNotNest)
            }
        }
    }

    fn are_sizes_equal(&self, left: &[Term], right: &[Term]) -> bool {
        let sizes = |terms: &[Term]| -> Vec<usize> { terms.iter().map(|t| self.size(t)).collect() };
        sizes(left) == sizes(right)
    }
}

/// The factors of a product, or the parts of a sum; `None` for another term.
fn pieces(term: &Term, how: Division) -> Option<Vec<Term>> {
    match (term, how) {
        (Term::Product(factors), Division::Factors) => Some(factors.clone()),
        (Term::Sum(parts), Division::Parts) => Some(parts.clone()),
        _ => None,
    }
}

fn has_uniform(term: &Term) -> bool {
    match term {
        Term::Atom(_) => false,
        Term::Uniform(_) => true,
        Term::Product(terms) | Term::Sum(terms) | Term::Cases(terms) => {
            terms.iter().any(has_uniform)
        }
    }
}
