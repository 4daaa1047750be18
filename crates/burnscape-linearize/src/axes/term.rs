//! Axis terms: what an axis of a tensor consists of.
//!
//! `t ::= atom | t × … × t (row-major) | t + … + t (concatenation) | uniform(n)`. An atom is free, fixed with a reason,
//! or bound to a term. Along a uniform axis all values are equal.

use super::found::FixedReason;

pub(super) type AtomId = usize;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    Atom(AtomId),
    /// Row-major. An axis of length 1 is a product without factors.
    Product(Vec<Term>),
    Sum(Vec<Term>),
    /// It meets anything and ties nothing.
    Uniform(usize),
    /// One term for each value of the case axis of the tensor.
    Cases(Vec<Term>),
}

/// An axis of length 1.
pub(super) const ONE: Term = Term::Product(Vec::new());

/// Why an atom is fixed, and by which operation of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) reason: FixedReason,
    pub(super) operation: Option<usize>,
}

#[derive(Debug, Clone)]
enum State {
    Free,
    Fixed(Why),
    Bound(Term),
}

#[derive(Debug, Clone)]
struct Atom {
    size: usize,
    state: State,
    /// A part of an axis that was cut: fixed neighbors are not joined again.
    is_cut: bool,
    /// Whether an operation other than one that moves values reads it.
    is_used: bool,
}

/// All atoms of a walk. Binding an atom changes it everywhere.
#[derive(Debug, Default)]
pub(super) struct Terms {
    atoms: Vec<Atom>,
    /// The operation that is walked.
    pub(super) operation: Option<usize>,
}

impl Terms {
    fn new_atom(&mut self, size: usize, state: State, is_cut: bool) -> Term {
        match size {
            1 => ONE,
            _ => {
                self.atoms.push(Atom {
                    size,
                    state,
                    is_cut,
                    is_used: false,
                });
                Term::Atom(self.atoms.len() - 1)
            }
        }
    }

    pub(super) fn free(&mut self, size: usize) -> Term {
        self.new_atom(size, State::Free, false)
    }

    pub(super) fn fixed(&mut self, size: usize, reason: FixedReason) -> Term {
        let why = self.why(reason);
        self.fixed_like(size, why)
    }

    pub(super) fn fixed_like(&mut self, size: usize, why: Why) -> Term {
        self.new_atom(size, State::Fixed(why), false)
    }

    pub(super) fn why(&self, reason: FixedReason) -> Why {
        Why {
            reason,
            operation: self.operation,
        }
    }

    pub(super) fn size(&self, term: &Term) -> usize {
        match term {
            Term::Atom(atom) => self.atoms[*atom].size,
            Term::Uniform(size) => *size,
            Term::Product(factors) => factors.iter().map(|factor| self.size(factor)).product(),
            Term::Sum(parts) => parts.iter().map(|part| self.size(part)).sum(),
            Term::Cases(cases) => cases.first().map_or(1, |case| self.size(case)),
        }
    }

    /// Why an atom is fixed; `None` if it is free.
    pub(super) fn fixed_why(&self, atom: AtomId) -> Option<Why> {
        match self.atoms[atom].state {
            State::Fixed(why) => Some(why),
            State::Free | State::Bound(_) => None,
        }
    }

    pub(super) fn is_fixed(&self, term: &Term) -> Option<Why> {
        match term {
            Term::Atom(atom) => self.fixed_why(*atom),
            _ => None,
        }
    }

    pub(super) fn is_used(&self, atom: AtomId) -> bool {
        self.atoms[atom].is_used
    }

    /// The normal form: bound atoms replaced, nested products and sums flattened, factors of size 1 dropped, fixed
    /// neighbors joined, and `(a + b) × r = a × r + b × r`.
    pub(super) fn normal(&mut self, term: &Term) -> Term {
        match term {
            Term::Atom(atom) => match &self.atoms[*atom].state {
                State::Bound(bound) => {
                    let bound = bound.clone();
                    let bound = self.normal(&bound);
                    self.atoms[*atom].state = State::Bound(bound.clone());
                    bound
                }
                State::Free | State::Fixed(_) => term.clone(),
            },
            Term::Uniform(1) => ONE,
            Term::Uniform(_) => term.clone(),
            Term::Cases(cases) => Term::Cases(cases.iter().map(|case| self.normal(case)).collect()),
            Term::Sum(parts) => self.normal_sum(parts),
            Term::Product(factors) => self.normal_product(factors),
        }
    }

    fn normal_sum(&mut self, parts: &[Term]) -> Term {
        let mut flat: Vec<Term> = Vec::with_capacity(parts.len());
        for part in parts {
            match self.normal(part) {
                Term::Sum(inner) => inner.into_iter().for_each(|part| self.add(&mut flat, part)),
                part => self.add(&mut flat, part),
            }
        }
        match flat.len() {
            0 => Term::Uniform(0),
            1 => flat.swap_remove(0),
            _ => Term::Sum(flat),
        }
    }

    fn add(&mut self, parts: &mut Vec<Term>, part: Term) {
        let size = self.size(&part);
        if size == 0 {
            return;
        }
        if let Some(last) = parts.last()
            && let (Some(why), Some(_)) = (self.is_joinable(last), self.is_joinable(&part))
        {
            let joined = self.size(last) + size;
            let joined = self.fixed_like(joined, why);
            parts.pop();
            parts.push(joined);
            return;
        }
        parts.push(part);
    }

    /// Why a part is fixed, if it was not cut off.
    fn is_joinable(&self, part: &Term) -> Option<Why> {
        match part {
            Term::Atom(atom) if !self.atoms[*atom].is_cut => self.fixed_why(*atom),
            _ => None,
        }
    }

    fn normal_product(&mut self, factors: &[Term]) -> Term {
        let mut flat: Vec<Term> = Vec::with_capacity(factors.len());
        for factor in factors {
            match self.normal(factor) {
                Term::Product(inner) => {
                    inner
                        .into_iter()
                        .for_each(|factor| self.multiply(&mut flat, factor));
                }
                factor => self.multiply(&mut flat, factor),
            }
        }
        if flat.len() == 1 {
            return flat.swap_remove(0);
        }
        match flat.first() {
            Some(Term::Sum(parts)) => {
                let parts = parts.clone();
                let rest = &flat[1..];
                let products = parts.into_iter().map(|part| {
                    let mut factors = vec![part];
                    factors.extend_from_slice(rest);
                    Term::Product(factors)
                });
                let products: Vec<Term> = products.collect();
                self.normal_sum(&products)
            }
            _ => Term::Product(flat),
        }
    }

    fn multiply(&mut self, factors: &mut Vec<Term>, factor: Term) {
        if let (Some(last), Some(_)) = (factors.last(), self.is_fixed(&factor))
            && let Some(why) = self.is_fixed(last)
        {
            let joined = self.size(last) * self.size(&factor);
            let joined = self.fixed_like(joined, why);
            factors.pop();
            factors.push(joined);
            return;
        }
        factors.push(factor);
    }

    /// The atoms of a term, in order.
    pub(super) fn atoms(&mut self, term: &Term) -> Vec<AtomId> {
        fn collect(term: &Term, atoms: &mut Vec<AtomId>) {
            match term {
                Term::Atom(atom) => atoms.push(*atom),
                Term::Uniform(_) => {}
                Term::Product(terms) | Term::Sum(terms) | Term::Cases(terms) => {
                    terms.iter().for_each(|term| collect(term, atoms));
                }
            }
        }
        let mut atoms = Vec::new();
        collect(&self.normal(term), &mut atoms);
        atoms
    }

    /// Fixes every atom of a term that is free.
    pub(super) fn fix(&mut self, term: &Term, reason: FixedReason) {
        let why = self.why(reason);
        self.fix_like(term, why);
    }

    pub(super) fn fix_like(&mut self, term: &Term, why: Why) {
        for atom in self.atoms(term) {
            if let State::Free = self.atoms[atom].state {
                self.atoms[atom].state = State::Fixed(why);
            }
        }
    }

    /// Notes that an operation reads the values of a term.
    pub(super) fn use_(&mut self, term: &Term) {
        for atom in self.atoms(term) {
            self.atoms[atom].is_used = true;
        }
    }

    /// The term with a new free atom in the place of everything that is uniform.
    fn concrete(&mut self, term: &Term) -> Term {
        let each = |this: &mut Self, terms: &[Term]| -> Vec<Term> {
            terms.iter().map(|term| this.concrete(term)).collect()
        };
        match term {
            Term::Atom(_) => term.clone(),
            Term::Uniform(size) => self.free(*size),
            Term::Product(factors) => Term::Product(each(self, factors)),
            Term::Sum(parts) => Term::Sum(each(self, parts)),
            Term::Cases(cases) => Term::Cases(each(self, cases)),
        }
    }

    /// Binds a free atom to a term in normal form.
    pub(super) fn bind(&mut self, atom: AtomId, term: &Term) {
        if *term == Term::Atom(atom) {
            return;
        }
        let term = self.concrete(term);
        if self.atoms(&term).contains(&atom) {
            // It would contain itself.
            self.fix(&term, FixedReason::DoesNotNest);
            return;
        }
        if self.atoms[atom].is_used {
            self.use_(&term);
        }
        self.atoms[atom].state = State::Bound(term);
    }

    /// Divides a free or fixed atom in two, of which the first has size `first`.
    pub(super) fn halves(&mut self, atom: AtomId, first: usize, how: Division) -> (Term, Term) {
        let Atom { size, is_used, .. } = self.atoms[atom];
        let second = match how {
            Division::Factors => size / first,
            Division::Parts => size - first,
        };
        if let Some(why) = self.fixed_why(atom) {
            return (self.fixed_like(first, why), self.fixed_like(second, why));
        }
        let is_cut = how == Division::Parts;
        let mut half = |size| {
            let half = self.new_atom(size, State::Free, is_cut);
            if let Term::Atom(id) = half {
                self.atoms[id].is_used = is_used;
            }
            half
        };
        let halves = (half(first), half(second));
        let both = vec![halves.0.clone(), halves.1.clone()];
        self.atoms[atom].state = State::Bound(match how {
            Division::Factors => Term::Product(both),
            Division::Parts => Term::Sum(both),
        });
        halves
    }
}

/// How a term is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
    /// Into two factors, the outer one first.
    Factors,
    /// Into two parts, one after the other.
    Parts,
}
