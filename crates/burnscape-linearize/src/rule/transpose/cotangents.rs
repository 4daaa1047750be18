use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{BoolDType, DeviceSettings, IntDType, Shape, TensorData};
use burn_capture::CaptureDevice;
use burn_ir::{OperationIr, TensorId, TensorIr};
use burn_router::RouterClient;
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::calculus::{Known, float_dtype};
use crate::LinearizeError;
use crate::record::{C, Recorder, Symbol};

/// The cotangents that a transposition works with, and which tensors move.
///
/// An absent cotangent is zero. Rules keep zeros symbolic, so nothing is computed for them.
pub(crate) struct Cotangents<'a> {
    recorder: &'a Recorder,
    settings: DeviceSettings,
    moving: FxHashSet<TensorId>,
    cotangents: FxHashMap<TensorId, Symbol>,
}

impl<'a> Cotangents<'a> {
    /// No cotangents yet, of operations in which `tangents` move and everything that depends on them.
    pub(crate) fn new<'o>(
        recorder: &'a Recorder,
        settings: DeviceSettings,
        operations: impl IntoIterator<Item = &'o OperationIr>,
        tangents: impl IntoIterator<Item = TensorId>,
    ) -> Self {
        let mut moving: FxHashSet<TensorId> = tangents.into_iter().collect();
        for operation in operations {
            if operation.inputs().any(|input| moving.contains(&input.id)) {
                moving.extend(operation.outputs().map(|out| out.id));
            }
        }
        Self {
            recorder,
            settings,
            moving,
            cotangents: FxHashMap::default(),
        }
    }

    /// Whether a tensor depends on a tangent.
    pub(crate) fn moves(&self, tensor: &TensorIr) -> bool {
        self.moving.contains(&tensor.id)
    }

    /// The cotangent of a tensor; `None` is zero.
    pub(crate) fn of(&self, tensor: &TensorIr) -> Option<Symbol> {
        self.cotangents.get(&tensor.id).cloned()
    }

    /// Adds to the cotangent of a tensor, if the tensor moves. A term may have axes along which the tensor was
    /// broadcast, over which it is summed.
    pub(crate) fn add(&mut self, tensor: &TensorIr, term: Symbol) -> Known {
        if self.moves(tensor) {
            let term = super::broadcast::summed_to(term, &tensor.shape);
            let total = match self.of(tensor) {
                Some(sum) => C::float_add(sum, term),
                None => term,
            };
            self.replace(tensor, total)?;
        }
        Ok(true)
    }

    /// As [`add`](Self::add), of a term that is recorded only if the tensor moves.
    pub(super) fn add_with(
        &mut self,
        tensor: &TensorIr,
        term: impl FnOnce(&Self) -> Symbol,
    ) -> Known {
        if self.moves(tensor) {
            let term = term(self);
            self.add(tensor, term)?;
        }
        Ok(true)
    }

    /// Replaces the cotangent of a tensor by one that contains it.
    pub(super) fn replace(
        &mut self,
        tensor: &TensorIr,
        cotangent: Symbol,
    ) -> Result<(), LinearizeError> {
        if cotangent.shape() != tensor.shape {
            let (found, expected) = (cotangent.shape(), &tensor.shape);
            return Err(LinearizeError::Internal {
                message: format!(
                    "a cotangent of shape {found:?} for a value of shape {expected:?}"
                ),
            });
        }
        self.recorder.hold(&cotangent);
        self.cotangents.insert(tensor.id, cotangent);
        Ok(())
    }

    /// An operation that is linear in each of two operands, of which one moves. Each closure receives the other
    /// operand.
    pub(super) fn bilinear(
        &mut self,
        a: &TensorIr,
        b: &TensorIr,
        of_a: impl FnOnce(&Self, Symbol) -> Symbol,
        of_b: impl FnOnce(&Self, Symbol) -> Symbol,
    ) -> Known {
        match (self.moves(a), self.moves(b)) {
            (true, true) => Err(LinearizeError::Internal {
                message: format!(
                    "a product of two tangents of shapes {:?} and {:?}, which is not linear",
                    a.shape.as_slice(),
                    b.shape.as_slice()
                ),
            }),
            (true, false) => self.add_with(a, |tape| of_a(tape, tape.primal(b))),
            (false, true) => self.add_with(b, |tape| of_b(tape, tape.primal(a))),
            (false, false) => Ok(true),
        }
    }

    /// A value that does not move.
    pub(super) fn primal(&self, tensor: &TensorIr) -> Symbol {
        self.recorder
            .named(tensor.id, tensor.shape.clone(), tensor.dtype)
    }

    /// Zeros in the memory of one number: for operands of which only the shape counts, and for values to write.
    pub(super) fn blank(&self, like: &TensorIr) -> Symbol {
        let ones = vec![1; like.shape.num_dims()];
        let zero = C::float_zeros(Shape::from(ones), &self.device(), float_dtype(like.dtype));
        C::float_expand(zero, like.shape.clone())
    }

    /// Zeros to add to.
    pub(super) fn zeros(&self, like: &TensorIr) -> Symbol {
        self.zeros_of(like.shape.clone(), like)
    }

    pub(super) fn zeros_of(&self, shape: Shape, like: &TensorIr) -> Symbol {
        C::float_zeros(shape, &self.device(), float_dtype(like.dtype))
    }

    /// A list of indices.
    pub(super) fn indices(&self, indices: Vec<i64>) -> Symbol {
        let len = indices.len();
        let indices = TensorData::new(indices, [len]).convert_dtype(self.int_dtype().into());
        C::int_from_data(indices, &self.device())
    }

    /// The recording device, for constants.
    pub(super) fn device(&self) -> CaptureDevice {
        self.recorder.client().device()
    }

    pub(super) fn int_dtype(&self) -> IntDType {
        self.settings.int_dtype
    }

    pub(super) fn bool_dtype(&self) -> BoolDType {
        self.settings.bool_dtype
    }
}
