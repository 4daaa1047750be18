//! Comparisons for equality, which invalidate a derivative where values are equal.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::tensor::Scalar;
use burn_ir::{BaseOperationIr as Base, NumericOperationIr as Numeric, OperationIr, TensorIr};

use crate::coverage::describe;
use crate::program::{Program, Tie};
use crate::record::{C, Symbol};
use crate::rule::Tape;

/// The tie to check if `operation`, one of whose inputs has a tangent, compares for equality.
///
/// Two comparisons are harmless: with infinity, because infinite values have no tangent, and of an
/// extremum with the elements it was taken from, by which Burn's backward pass of `cummax` finds the element that
/// attains it.
pub(super) fn tie(
    operation: &OperationIr,
    program: &Program,
    wrt: &[usize],
    tape: &Tape<'_>,
) -> Option<Tie> {
    let OperationIr::BaseFloat(base) = operation else {
        return None;
    };
    let masks = tape.bool_dtype();
    let mask = match base {
        Base::Equal(o) | Base::NotEqual(o) => {
            let is_extreme = o.lhs.id == o.rhs.id
                || is_extremum(&o.lhs, &o.rhs, program)
                || is_extremum(&o.rhs, &o.lhs, program);
            if is_extreme {
                return None;
            }
            C::float_equal(tape.primal(&o.lhs), tape.primal(&o.rhs), masks)
        }
        Base::EqualElem(o) | Base::NotEqualElem(o) => {
            if !o.rhs.elem::<f64>().is_finite() {
                return None;
            }
            C::float_equal_elem(tape.primal(&o.lhs), o.rhs.into(), masks)
        }
        // These test whether elements differ from zero.
        Base::All(o) | Base::Any(o) => is_zero(&o.input, tape),
        Base::AllDim(o) | Base::AnyDim(o) => is_zero(&o.input, tape),
        _ => return None,
    };
    let ones = C::bool_into_float(mask, tape.count_dtype());
    let shapes = operation.inputs().map(|t| t.shape.as_slice().to_vec());
    let moving = wrt.iter().map(|&index| program.inputs[index].tensor.id);
    Some(Tie {
        count: tape.recorder().port("", &C::float_sum(ones)).tensor,
        operation: describe(operation).0,
        shapes: shapes.collect(),
        moving: moving.collect(),
    })
}

fn is_zero(x: &TensorIr, tape: &Tape<'_>) -> Symbol {
    C::float_equal_elem(tape.primal(x), Scalar::Float(0.0), tape.bool_dtype())
}

/// Whether a tensor is an extremum of elements of another, up to its layout.
fn is_extremum(tensor: &TensorIr, of: &TensorIr, program: &Program) -> bool {
    let makes = |operation: &&OperationIr| operation.outputs().any(|out| out.id == tensor.id);
    match program.operations.iter().find(makes) {
        Some(OperationIr::BaseFloat(Base::Expand(o))) => is_extremum(&o.input, of, program),
        Some(OperationIr::BaseFloat(Base::Reshape(o))) => is_extremum(&o.input, of, program),
        Some(OperationIr::BaseFloat(Base::RepeatDim(o))) => is_extremum(&o.tensor, of, program),
        Some(OperationIr::NumericFloat(_, numeric)) => {
            let source = match numeric {
                Numeric::Max(o) | Numeric::Min(o) => &o.input,
                Numeric::MaxDim(o) | Numeric::MinDim(o) => &o.input,
                Numeric::MaxDimWithIndices(o) | Numeric::MinDimWithIndices(o) => &o.tensor,
                Numeric::CumMax(o) | Numeric::CumMin(o) => &o.input,
                _ => return false,
            };
            is_same(source, of, program)
        }
        _ => false,
    }
}

/// Whether a tensor holds the elements of another, up to its layout.
fn is_same(tensor: &TensorIr, of: &TensorIr, program: &Program) -> bool {
    if tensor.id == of.id {
        return true;
    }
    let makes = |operation: &&OperationIr| operation.outputs().any(|out| out.id == tensor.id);
    match program.operations.iter().find(makes) {
        Some(OperationIr::BaseFloat(Base::Reshape(o))) => is_same(&o.input, of, program),
        _ => false,
    }
}
