//! Selections by equality, which have no derivative where something is equal that moves.

use burn::backend::DispatchTensor;
use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::tensor::{DType, Scalar, Tensor, TensorData};
use burn_ir::{
    BaseOperationIr as Base, IrVisitorMut, NumericOperationIr as Numeric, OperationIr, TensorId,
    TensorIr,
};

use super::LinearizeError;
use super::coverage::describe;
use super::lifter::C;
use super::program::{Port, Program, Rename};
use super::run::flat;
use super::tape::Tape;
use super::trace::port;

/// A comparison of values that move, of which a derivative holds only where nothing is equal.
#[derive(Debug, Clone)]
pub(crate) struct Tie {
    /// How many are equal: one number.
    pub(crate) count: TensorIr,
    operation: String,
    shapes: Vec<Vec<usize>>,
    /// The inputs that it was differentiated by.
    moving: Vec<TensorId>,
}

impl Tie {
    /// That of an operation of which some input moves, if it selects by equality.
    ///
    /// A comparison with infinity is none: what is infinite does not move. Nor is one of an extremum with the
    /// elements that it was taken of, as in Burn's backward pass of `cummax`: it asks which of them it is.
    pub(crate) fn of(
        operation: &OperationIr,
        program: &Program,
        wrt: &[usize],
        tape: &Tape<'_>,
    ) -> Option<Self> {
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
            // Whether elements are other than zero.
            Base::All(o) | Base::Any(o) => is_zero(&o.input, tape),
            Base::AllDim(o) | Base::AnyDim(o) => is_zero(&o.input, tape),
            _ => return None,
        };
        let (operation, shapes) = (
            describe(operation).0,
            operation
                .inputs()
                .map(|tensor| tensor.shape.as_slice().to_vec())
                .collect(),
        );
        let ones = C::bool_into_float(mask, tape.count_dtype());
        Some(Self {
            count: port(tape.recorder(), "", &C::float_sum(ones)).tensor,
            operation,
            shapes,
            moving: wrt
                .iter()
                .map(|&index| program.inputs[index].tensor.id)
                .collect(),
        })
    }

    /// The count as an output.
    pub(crate) fn port(&self) -> Port {
        Port {
            name: format!("equal in {}", self.operation),
            tensor: self.count.clone(),
        }
    }

    pub(crate) fn renamed(&self, rename: &mut Rename) -> Self {
        let mut tie = self.clone();
        rename.visit_tensor_mut(&mut tie.count);
        tie
    }
}

/// How many are equal of each. One host synchronization a comparison.
pub(crate) fn counts(outputs: Vec<DispatchTensor>) -> Result<Vec<f64>, LinearizeError> {
    let read = |count: DispatchTensor| {
        let count = flat(count).try_into_data();
        let count = count.map_err(|error| LinearizeError::Run {
            message: format!("{error:?}"),
        })?;
        Ok(count.iter::<f64>().sum())
    };
    outputs.into_iter().map(read).collect()
}

/// Checks that what is equal here is equal nearby as well: values that are masked, or saturated in a ReLU, do not
/// move, and nothing changes where they are selected.
pub(crate) fn stay(ties: &[Tie], here: &[f64], nearby: &[f64]) -> Result<(), LinearizeError> {
    for (tie, (here, nearby)) in ties.iter().zip(here.iter().zip(nearby)) {
        // A NaN is no count.
        if here.is_nan() || nearby < here {
            return Err(LinearizeError::Tie {
                operation: tie.operation.clone(),
                shapes: tie.shapes.clone(),
                count: (here - nearby) as usize,
            });
        }
    }
    Ok(())
}

/// How far next to a point is, as a share of an input's size: well above what rounding hides, and otherwise as near
/// as can be, so that few of many numbers cross a kink on the way (what a ReLU cuts off comes back).
fn nearby_share(dtype: DType) -> f64 {
    let epsilon = match dtype {
        DType::F64 => f64::EPSILON,
        DType::F16 => 2.0_f64.powi(-10),
        DType::BF16 => 2.0_f64.powi(-7),
        _ => f64::from(f32::EPSILON),
    };
    epsilon.sqrt().min(1e-4).max(16.0 * epsilon)
}

/// The inputs of a program, with those that move a little of their size away, each number by another share
/// of it.
pub(crate) fn displaced(
    ties: &[Tie],
    ports: &[Port],
    inputs: &[DispatchTensor],
) -> Result<Vec<DispatchTensor>, LinearizeError> {
    let moves = |port: &Port| ties.iter().any(|tie| tie.moving.contains(&port.tensor.id));
    let displaced = ports.iter().zip(inputs).map(|(port, input)| {
        if !moves(port) {
            return Ok(input.clone());
        }
        let x = flat(input.clone());
        let len = x.shape().num_elements();
        let size = counts(vec![x.clone().abs().mean().into_dispatch()])?[0];
        let size = if size > 0.0 { size } else { 1.0 };
        let shares = (0..len).map(|i| {
            let share = 0.5 + (0.618_033_988_749_895 * i as f64).fract();
            if i % 3 == 1 { -share } else { share }
        });
        let unit = nearby_share(x.dtype()) * size;
        let shift: Vec<f64> = shares.map(|share| unit * share).collect();
        let options = (&x.device(), x.dtype());
        let shift = Tensor::<1>::from_data(TensorData::new(shift, [len]), options);
        Ok((x + shift).into_dispatch())
    });
    displaced.collect()
}

fn is_zero(
    x: &TensorIr,
    tape: &Tape<'_>,
) -> burn_router::RouterTensor<burn_capture::CaptureClient> {
    C::float_equal_elem(tape.primal(x), Scalar::Float(0.0), tape.bool_dtype())
}

/// Whether a tensor is an extremum of elements of another, however it is laid out.
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

/// Whether a tensor holds the elements of another, however it is laid out.
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
