use burn::backend::TensorMetadata;
use burn::tensor::{BoolDType, DeviceSettings, FloatDType, IntDType};
use burn_capture::CaptureDevice;
use burn_ir::{OperationIr, TensorId, TensorIr};
use burn_router::RouterClient;
use rustc_hash::FxHashMap;

use crate::LinearizeError;
use crate::coverage::describe;
use crate::record::{Recorder, Symbol};

/// The primal values and tangents that a derivative rule works with.
///
/// An absent tangent is zero. Rules keep zeros symbolic, so nothing is computed for them.
pub(crate) struct Tape<'a> {
    recorder: &'a Recorder,
    settings: DeviceSettings,
    tangents: FxHashMap<TensorId, Symbol>,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(recorder: &'a Recorder, settings: DeviceSettings) -> Self {
        Self {
            recorder,
            settings,
            tangents: FxHashMap::default(),
        }
    }

    /// The recording device, for constants.
    pub(crate) fn device(&self) -> CaptureDevice {
        self.recorder.client().device()
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        self.recorder
    }

    /// The element type for counts, which half precision cannot represent beyond a few thousand.
    pub(crate) fn count_dtype(&self) -> FloatDType {
        match self.settings.float_dtype {
            FloatDType::F64 => FloatDType::F64,
            _ => FloatDType::F32,
        }
    }

    /// The element type of indices.
    pub(crate) fn int_dtype(&self) -> IntDType {
        self.settings.int_dtype
    }

    /// The element type of masks.
    pub(crate) fn bool_dtype(&self) -> BoolDType {
        self.settings.bool_dtype
    }

    /// A value of the primal program.
    pub(crate) fn primal(&self, tensor: &TensorIr) -> Symbol {
        self.recorder
            .named(tensor.id, tensor.shape.clone(), tensor.dtype)
    }

    /// The tangent of a value; `None` is zero.
    pub(crate) fn tangent(&self, tensor: &TensorIr) -> Option<Symbol> {
        self.tangents.get(&tensor.id).cloned()
    }

    /// Takes the tangent of a value, which then has none.
    pub(crate) fn take(&mut self, tensor: &TensorIr) -> Option<Symbol> {
        self.tangents.remove(&tensor.id)
    }

    /// All tangents that are set.
    pub(crate) fn all(&self) -> impl Iterator<Item = (TensorId, &Symbol)> {
        self.tangents.iter().map(|(id, symbol)| (*id, symbol))
    }

    /// Whether any of the tensors has a tangent.
    pub(crate) fn is_moving<'t>(&self, mut tensors: impl Iterator<Item = &'t TensorIr>) -> bool {
        tensors.any(|tensor| self.tangents.contains_key(&tensor.id))
    }

    /// Sets the tangent of a result.
    pub(crate) fn set(
        &mut self,
        out: &TensorIr,
        tangent: Option<Symbol>,
    ) -> Result<(), LinearizeError> {
        let Some(tangent) = tangent else {
            return Ok(());
        };
        if tangent.shape() != out.shape {
            let (found, expected) = (tangent.shape(), &out.shape);
            return Err(LinearizeError::Internal {
                message: format!("a tangent of shape {found:?} for a value of shape {expected:?}"),
            });
        }
        self.recorder.hold(&tangent);
        self.tangents.insert(out.id, tangent);
        Ok(())
    }
}

/// The error for an operation without a rule.
pub(crate) fn no_rule(operation: &OperationIr) -> LinearizeError {
    LinearizeError::NoRule {
        operation: describe(operation).0,
        shapes: operation
            .inputs()
            .map(|tensor| tensor.shape.as_slice().to_vec())
            .collect(),
        origin: String::new(),
    }
}
