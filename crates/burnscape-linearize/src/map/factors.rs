//! Composition of elementwise factors in a linear program.
//!
//! A chain of elementwise steps reads and writes the whole tensor at every step, as in the
//! derivative of the backward pass of `tanh`. The factors do not depend on the tangent: `(t · a) · b` is `t · (a b)`, and `t · a + t · b` is `t · (a + b)`.
//! Products and sums of factors are computed once per point, and a single step per tangent remains.
//!
//! `a b` may overflow where `(t a) b` does not, and then it does so for every tangent. Half precision with five
//! exponent bits is therefore excluded.

use burn::tensor::{DType, Scalar};
use burn_ir::{
    BinaryOpIr, FloatOperationIr as Float, NumericOperationIr as Numeric, OperationIr, ScalarOpIr,
    TensorId, TensorIr, TensorStatus, UnaryOpIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::program::{Program, first_free};

/// A linear program with fewer steps, and the operations to run once before it.
pub(super) struct Composed {
    pub(super) once: Vec<OperationIr>,
    pub(super) each: Vec<OperationIr>,
}

/// Composes the factors of `linear`. `moving` are the tensors that depend on the tangent, and `once` the
/// operations that already run before it.
pub(super) fn composed(
    linear: &Program,
    moving: &FxHashSet<TensorId>,
    once: &[OperationIr],
) -> Composed {
    let steps: Vec<Option<Step<'_>>> = linear
        .operations
        .iter()
        .map(|operation| Step::of(operation, moving))
        .collect();
    let readers = Readers::of(linear, &steps, moving);
    let mut composer = Composer {
        once: Vec::new(),
        each: Vec::new(),
        sums: FxHashMap::default(),
        next: first_free(linear.operations.iter().chain(once)),
    };
    for (operation, step) in linear.operations.iter().zip(&steps) {
        let Some(step) = step else {
            composer.each.push(operation.clone());
            continue;
        };
        let sum = composer.sum(step);
        let needs_value = readers.need(step.out, &sum);
        if !needs_value {
            composer.sums.insert(step.out.id, sum);
        } else if composer.is_untouched(step) {
            composer.each.push(operation.clone());
        } else {
            composer.write(&sum, step.out);
        }
    }
    Composed {
        once: composer.once,
        each: composer.each,
    }
}

/// An elementwise step that is linear in tensors that depend on the tangent.
struct Step<'p> {
    kind: Kind<'p>,
    out: &'p TensorIr,
}

enum Kind<'p> {
    /// `scale · tensor`
    Scaled(&'p TensorIr, f64),
    /// `tensor · factor`
    Times(&'p TensorIr, &'p TensorIr),
    /// `tensor / divisor`
    Over(&'p TensorIr, &'p TensorIr),
    /// `first + sign · second`
    Sum(&'p TensorIr, &'p TensorIr, f64),
}

impl<'p> Step<'p> {
    fn of(operation: &'p OperationIr, moving: &FxHashSet<TensorId>) -> Option<Self> {
        let OperationIr::NumericFloat(_, operation) = operation else {
            return None;
        };
        let moves = |tensor: &TensorIr| moving.contains(&tensor.id);
        let of = |kind, out: &'p TensorIr| Some(Self { kind, out });
        let step = match operation {
            Numeric::Neg(o) => of(Kind::Scaled(&o.input, -1.0), &o.out),
            Numeric::MulScalar(o) => of(Kind::Scaled(&o.lhs, o.rhs.elem()), &o.out),
            Numeric::Mul(o) if !moves(&o.rhs) => of(Kind::Times(&o.lhs, &o.rhs), &o.out),
            Numeric::Mul(o) if !moves(&o.lhs) => of(Kind::Times(&o.rhs, &o.lhs), &o.out),
            Numeric::Div(o) if !moves(&o.rhs) => of(Kind::Over(&o.lhs, &o.rhs), &o.out),
            Numeric::Add(o) => of(Kind::Sum(&o.lhs, &o.rhs, 1.0), &o.out),
            Numeric::Sub(o) => of(Kind::Sum(&o.lhs, &o.rhs, -1.0), &o.out),
            _ => None,
        }?;
        let is_wide = matches!(step.out.dtype, DType::F64 | DType::F32 | DType::BF16);
        let is_elementwise = step
            .operands()
            .all(|tensor| tensor.shape == step.out.shape && tensor.dtype == step.out.dtype);
        let is_linear = step.moving().all(moves);
        (is_wide && is_elementwise && is_linear).then_some(step)
    }

    /// The operands that depend on the tangent.
    fn moving(&self) -> impl Iterator<Item = &'p TensorIr> + use<'p> {
        let (first, second) = match self.kind {
            Kind::Scaled(t, _) | Kind::Times(t, _) | Kind::Over(t, _) => (t, None),
            Kind::Sum(first, second, _) => (first, Some(second)),
        };
        [first].into_iter().chain(second)
    }

    fn operands(&self) -> impl Iterator<Item = &'p TensorIr> + use<'p> {
        let factor = match self.kind {
            Kind::Times(_, factor) | Kind::Over(_, factor) => Some(factor),
            _ => None,
        };
        self.moving().chain(factor)
    }
}

/// How the results of steps are used.
#[derive(Default)]
struct Readers {
    /// Tensors used by other operations, or as outputs.
    whole: FxHashSet<TensorId>,
    /// The number of steps that read a tensor.
    steps: FxHashMap<TensorId, usize>,
    /// Tensors that a sum reads.
    in_sums: FxHashSet<TensorId>,
    /// Tensors that are multiplied or divided.
    in_products: FxHashSet<TensorId>,
}

impl Readers {
    fn of(linear: &Program, steps: &[Option<Step<'_>>], moving: &FxHashSet<TensorId>) -> Self {
        let mut readers = Self::default();
        readers
            .whole
            .extend(linear.outputs.iter().map(|port| port.tensor.id));
        for (operation, step) in linear.operations.iter().zip(steps) {
            let Some(step) = step else {
                let read = operation.inputs().map(|tensor| tensor.id);
                readers.whole.extend(read.filter(|id| moving.contains(id)));
                continue;
            };
            let distinct: FxHashSet<TensorId> = step.moving().map(|tensor| tensor.id).collect();
            for id in distinct {
                *readers.steps.entry(id).or_default() += 1;
                match step.kind {
                    Kind::Sum(..) => readers.in_sums.insert(id),
                    _ => readers.in_products.insert(id),
                };
            }
        }
        readers
    }

    /// Whether a result must be computed explicitly. A result that several steps read is computed once for
    /// all of them, unless each of them multiplies it anyway. A sum is computed before it is
    /// multiplied, instead of multiplying each of its terms. A sum of tensors that nothing else reads is
    /// computed immediately: none of its terms can be combined with another of the same tensor, and all
    /// of them would have to be kept until then.
    fn need(&self, out: &TensorIr, sum: &[Term]) -> bool {
        let is_read_twice = |id: TensorId| self.steps.get(&id).copied().unwrap_or(0) > 1;
        let has_terms = sum.len() > 1;
        let is_shared = is_read_twice(out.id) && (has_terms || self.in_sums.contains(&out.id));
        let is_bracketed = has_terms && self.in_products.contains(&out.id);
        let is_final = has_terms && !sum.iter().any(|term| is_read_twice(term.tensor.id));
        self.whole.contains(&out.id) || is_shared || is_bracketed || is_final
    }
}

/// A term of a sum: a computed tensor times its accumulated factor.
#[derive(Clone)]
struct Term {
    tensor: TensorIr,
    factor: Factor,
}

#[derive(Clone)]
struct Factor {
    scale: f64,
    times: Option<TensorIr>,
    over: Option<TensorIr>,
}

impl Factor {
    const ONE: Self = Self {
        scale: 1.0,
        times: None,
        over: None,
    };
}

struct Composer {
    once: Vec<OperationIr>,
    each: Vec<OperationIr>,
    /// Results that are not computed explicitly, as sums of tensors that are.
    sums: FxHashMap<TensorId, Vec<Term>>,
    /// The next free name.
    next: u64,
}

impl Composer {
    /// Whether all operands of the step are computed, so that it can stay unchanged.
    fn is_untouched(&self, step: &Step<'_>) -> bool {
        let is_doubled = matches!(step.kind, Kind::Sum(first, second, _) if first.id == second.id);
        !is_doubled && step.moving().all(|t| !self.sums.contains_key(&t.id))
    }

    fn terms(&self, tensor: &TensorIr) -> Vec<Term> {
        match self.sums.get(&tensor.id) {
            Some(terms) => terms.clone(),
            None => vec![Term {
                tensor: tensor.clone(),
                factor: Factor::ONE,
            }],
        }
    }

    fn sum(&mut self, step: &Step<'_>) -> Vec<Term> {
        match step.kind {
            Kind::Scaled(tensor, scale) => self.scaled(tensor, scale),
            Kind::Times(tensor, factor) => {
                let mut terms = self.terms(tensor);
                for term in &mut terms {
                    term.factor.times = Some(match term.factor.times.take() {
                        None => factor.clone(),
                        Some(known) => self.once(&known, factor, Numeric::Mul),
                    });
                }
                terms
            }
            Kind::Over(tensor, divisor) => {
                let mut terms = self.terms(tensor);
                for term in &mut terms {
                    term.factor.over = Some(match term.factor.over.take() {
                        None => divisor.clone(),
                        Some(known) => self.once(&known, divisor, Numeric::Mul),
                    });
                }
                terms
            }
            Kind::Sum(first, second, sign) => {
                let mut terms = self.terms(first);
                for term in self.scaled(second, sign) {
                    let place = terms.iter().position(|t| t.tensor.id == term.tensor.id);
                    match place {
                        None => terms.push(term),
                        Some(place) => {
                            let known = terms[place].clone();
                            terms[place].factor = self.total(&known, &term);
                        }
                    }
                }
                terms
            }
        }
    }

    fn scaled(&self, tensor: &TensorIr, scale: f64) -> Vec<Term> {
        let mut terms = self.terms(tensor);
        for term in &mut terms {
            term.factor.scale *= scale;
        }
        terms
    }

    /// The combined factor of two terms of the same tensor.
    fn total(&mut self, first: &Term, second: &Term) -> Factor {
        let tensors = (self.beforehand(first), self.beforehand(second));
        let times = match tensors {
            (None, None) => {
                return Factor {
                    scale: first.factor.scale + second.factor.scale,
                    ..Factor::ONE
                };
            }
            (Some(tensor), None) => {
                self.once_scalar(&tensor, second.factor.scale, Numeric::AddScalar)
            }
            (None, Some(tensor)) => {
                self.once_scalar(&tensor, first.factor.scale, Numeric::AddScalar)
            }
            (Some(first), Some(second)) => self.once(&first, &second, Numeric::Add),
        };
        Factor {
            times: Some(times),
            ..Factor::ONE
        }
    }

    /// The factor of a term as one tensor; `None` if it is a number.
    fn beforehand(&mut self, term: &Term) -> Option<TensorIr> {
        let Factor { scale, times, over } = &term.factor;
        let tensor = match (times, over) {
            (None, None) => return None,
            (Some(times), None) => times.clone(),
            (Some(times), Some(over)) => self.once(times, over, Numeric::Div),
            (None, Some(over)) => {
                let out = self.fresh(over);
                let operation = Float::Recip(UnaryOpIr {
                    input: over.clone(),
                    out: out.clone(),
                });
                self.once.push(OperationIr::Float(out.dtype, operation));
                out
            }
        };
        Some(if *scale == 1.0 {
            tensor
        } else {
            self.once_scalar(&tensor, *scale, Numeric::MulScalar)
        })
    }

    /// Computes a sum explicitly; its last step defines `out`.
    fn write(&mut self, sum: &[Term], out: &TensorIr) {
        let mut total: Option<TensorIr> = None;
        for (index, term) in sum.iter().enumerate() {
            let Term { tensor, factor } = term;
            let is_last = index + 1 == sum.len();
            let is_first = total.is_none();
            // A sign becomes a subtraction.
            let is_number = factor.times.is_none() && factor.over.is_none();
            let is_plain = is_number && factor.scale == 1.0 && sum.len() > 1;
            let is_less = is_number && factor.scale == -1.0 && !is_first;
            let value = if is_plain || is_less {
                tensor.clone()
            } else {
                let out = if is_last && is_first {
                    out.clone()
                } else {
                    self.fresh(out)
                };
                self.multiplied(term, &out);
                out
            };
            total = Some(match total {
                None => value,
                Some(before) => {
                    let kind = if is_less { Numeric::Sub } else { Numeric::Add };
                    let out = if is_last {
                        out.clone()
                    } else {
                        self.fresh(out)
                    };
                    self.each.push(binary(&before, &value, &out, kind));
                    out
                }
            });
        }
    }

    /// `out = tensor · factor`
    fn multiplied(&mut self, term: &Term, out: &TensorIr) {
        let Term { tensor, factor } = term;
        let operation = match (&factor.over, &factor.times) {
            (Some(over), None) if factor.scale == 1.0 => binary(tensor, over, out, Numeric::Div),
            _ => match self.beforehand(term) {
                Some(factor) => binary(tensor, &factor, out, Numeric::Mul),
                None => scalar(tensor, factor.scale, out, Numeric::MulScalar),
            },
        };
        self.each.push(operation);
    }

    fn once(
        &mut self,
        lhs: &TensorIr,
        rhs: &TensorIr,
        kind: fn(BinaryOpIr) -> Numeric,
    ) -> TensorIr {
        let out = self.fresh(lhs);
        self.once.push(binary(lhs, rhs, &out, kind));
        out
    }

    fn once_scalar(
        &mut self,
        tensor: &TensorIr,
        value: f64,
        kind: fn(ScalarOpIr) -> Numeric,
    ) -> TensorIr {
        let out = self.fresh(tensor);
        self.once.push(scalar(tensor, value, &out, kind));
        out
    }

    fn fresh(&mut self, like: &TensorIr) -> TensorIr {
        let id = TensorId::new(self.next);
        self.next += 1;
        TensorIr {
            id,
            shape: like.shape.clone(),
            status: TensorStatus::ReadOnly,
            dtype: like.dtype,
        }
    }
}

fn binary(
    lhs: &TensorIr,
    rhs: &TensorIr,
    out: &TensorIr,
    kind: fn(BinaryOpIr) -> Numeric,
) -> OperationIr {
    let operation = kind(BinaryOpIr {
        lhs: lhs.clone(),
        rhs: rhs.clone(),
        out: out.clone(),
    });
    OperationIr::NumericFloat(out.dtype, operation)
}

fn scalar(
    lhs: &TensorIr,
    value: f64,
    out: &TensorIr,
    kind: fn(ScalarOpIr) -> Numeric,
) -> OperationIr {
    let operation = kind(ScalarOpIr {
        lhs: lhs.clone(),
        rhs: Scalar::Float(value).into(),
        out: out.clone(),
    });
    OperationIr::NumericFloat(out.dtype, operation)
}

#[cfg(test)]
mod tests;
