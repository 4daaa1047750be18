//! What only rotations of normalized streams pass: sums of squares, means, and gains, which are normalized away.

use burn_ir::{
    FloatOperationIr as Float, NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr,
};
use rustc_hash::FxHashMap;

use super::equations::Equations;
use super::number::Number;
use super::relation::{How, Relation};
use crate::axes::term::AtomId;
use crate::program::Program;

/// The tensors that rotations treat in ways of their own.
#[derive(Debug, Default)]
pub(super) struct Special {
    /// Squares that are only summed, with the axes of all the sums. A sum of squares is the same after a rotation.
    pub(super) squares: FxHashMap<TensorId, Vec<usize>>,
    /// Vectors of parameters, and views of them: products with these are gains.
    pub(super) vectors: FxHashMap<TensorId, usize>,
}

impl Special {
    /// Reads a program whose first `num_free` inputs belong to a model.
    pub(super) fn of(program: &Program, num_free: usize) -> Self {
        let mut special = Self::default();
        let mut readers: FxHashMap<TensorId, Vec<&OperationIr>> = FxHashMap::default();
        for operation in &program.operations {
            for tensor in operation.inputs() {
                readers.entry(tensor.id).or_default().push(operation);
            }
        }
        for operation in &program.operations {
            let Some(out) = square(operation) else {
                continue;
            };
            let readers = readers.get(&out.id).map_or(&[][..], Vec::as_slice);
            let is_output = program.outputs.iter().any(|port| port.tensor.id == out.id);
            let sums = readers.iter().map(|reader| summed_axes(reader));
            let sums: Option<Vec<Vec<usize>>> = sums.collect();
            if let Some(sums) = sums
                && let Some((first, others)) = sums.split_first()
                && !is_output
            {
                let mut axes = first.clone();
                axes.retain(|axis| others.iter().all(|other| other.contains(axis)));
                special.squares.insert(out.id, axes);
            }
        }
        let vectors = program.inputs.iter().take(num_free).enumerate();
        let vectors = vectors.filter(|(_, port)| is_vector(&port.tensor));
        special
            .vectors
            .extend(vectors.map(|(input, port)| (port.tensor.id, input)));
        for operation in &program.operations {
            let (OperationIr::BaseFloat(_), [read], [out]) = (
                operation,
                &operation.inputs().collect::<Vec<_>>()[..],
                &operation.outputs().collect::<Vec<_>>()[..],
            ) else {
                continue;
            };
            if let Some(&input) = special.vectors.get(&read.id)
                && is_vector(out)
            {
                special.vectors.insert(out.id, input);
            }
        }
        special
    }
}

/// Whether at most one axis is longer than 1.
fn is_vector(tensor: &TensorIr) -> bool {
    tensor.dtype.is_float() && tensor.shape.iter().filter(|len| **len > 1).count() == 1
}

/// The result of an operation that squares.
fn square(operation: &OperationIr) -> Option<&TensorIr> {
    match operation {
        OperationIr::NumericFloat(_, Numeric::Mul(o)) if o.lhs.id == o.rhs.id => Some(&o.out),
        OperationIr::NumericFloat(_, Numeric::PowiScalar(o)) if o.rhs.elem::<f64>() == 2.0 => {
            Some(&o.out)
        }
        OperationIr::Float(_, Float::PowfScalar(o)) if o.rhs.elem::<f64>() == 2.0 => Some(&o.out),
        _ => None,
    }
}

/// The axes that an operation sums over; `None` if it is no sum.
fn summed_axes(operation: &OperationIr) -> Option<Vec<usize>> {
    let OperationIr::NumericFloat(_, operation) = operation else {
        return None;
    };
    match operation {
        Numeric::SumDim(o) | Numeric::MeanDim(o) => Some(vec![o.axis]),
        Numeric::SumDims(o) => Some(o.axes.clone()),
        Numeric::Sum(o) | Numeric::Mean(o) => Some((0..o.input.shape.num_dims()).collect()),
        _ => None,
    }
}

impl<N: Number> Equations<'_, '_, N> {
    /// The gains of a rotation along an atom, and whether it has to keep the vector of ones.
    pub(super) fn conditions(&self, atom: AtomId) -> (Vec<usize>, bool) {
        let mut gains = self.gains.get(&atom).cloned().unwrap_or_default();
        gains.sort_unstable();
        gains.dedup();
        (gains, self.with_means.contains(&atom))
    }

    /// A gain does not turn, in no view of it.
    pub(super) fn exempt_views(&mut self, atom: AtomId, input: usize) {
        let views = self.special.vectors.iter().filter(|(_, of)| **of == input);
        let patches = views
            .filter_map(|(view, _)| self.patches.get(view))
            .flatten();
        let unknowns = patches.flat_map(|patch| patch.unknowns.iter().flatten().flatten());
        let own = unknowns.filter(|(other, _)| *other == atom);
        self.exempt.extend(own.map(|(_, unknown)| *unknown));
    }

    /// Of the factors of a product, what turns, and the vector of parameters that it is multiplied by.
    pub(super) fn gain(
        &self,
        relation: &Relation<'_>,
        unknowns: [usize; 2],
    ) -> Option<(usize, usize, usize)> {
        let [left, right] = relation.operands[..] else {
            return None;
        };
        let of = |tensor: &TensorIr| self.special.vectors.get(&tensor.id).copied();
        match (of(left), of(right)) {
            (None, Some(input)) => Some((unknowns[0], unknowns[1], input)),
            (Some(input), None) => Some((unknowns[1], unknowns[0], input)),
            _ => None,
        }
    }

    /// A rotation passes inner products, sums of squares, and sums if it keeps the vector of ones.
    pub(super) fn sum_of_turned(
        &mut self,
        relation: &Relation<'_>,
        atom: AtomId,
        terms: &[(usize, N)],
    ) {
        let is_square = |tensor: &&TensorIr| self.special.squares.contains_key(&tensor.id);
        if relation.operands.iter().any(is_square) {
            return;
        }
        match (terms, &relation.how) {
            ([(left, _), (right, _)], How::Product(_)) => self
                .solver
                .vanish(&[(*left, N::ONE), (*right, N::ONE.negative())]),
            ([_], _) => {
                self.with_means.insert(atom);
            }
            _ => self.solver.vanish(terms),
        }
    }
}
