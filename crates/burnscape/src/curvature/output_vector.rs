use burn::tensor::{DType, Device};

use crate::space::{FlatSpace, FlatVector, ParamSpace, SpaceError, Waits};

/// The outputs of a model over a data set as coordinates: their number, element type and device.
///
/// A `FlatVector<OutputSpace>`, in the range of a [`Jacobian`](super::Jacobian), consists of the outputs of all batches in
/// order, each flattened row by row.
#[derive(Debug, Clone)]
pub struct OutputSpace {
    len: usize,
    dtype: DType,
    device: Device,
    /// Those of the parameters. They are not compared.
    waits: Option<Waits>,
}

impl PartialEq for OutputSpace {
    fn eq(&self, other: &Self) -> bool {
        (self.len, self.dtype, &self.device) == (other.len, other.dtype, &other.device)
    }
}

impl OutputSpace {
    pub(super) fn new(len: usize, dtype: DType, parameters: &ParamSpace) -> Self {
        Self {
            len,
            dtype,
            device: parameters.device().clone(),
            waits: parameters.waits().cloned(),
        }
    }

    /// Number of outputs over all examples.
    #[allow(clippy::len_without_is_empty, reason = "data are never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The element type of the outputs.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device of the outputs, without autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

impl FlatSpace for OutputSpace {
    fn dimension(&self) -> usize {
        self.len
    }

    fn place(&self) -> Result<(&Device, DType), SpaceError> {
        Ok((&self.device, self.dtype))
    }

    /// Outputs over different data have the same space if number, element type and device agree.
    fn check_same(&self, other: &Self) -> Result<(), SpaceError> {
        if self == other {
            return Ok(());
        }
        let describe = |space: &Self| {
            let Self {
                len, dtype, device, ..
            } = space;
            format!("{len} outputs, {dtype:?}, {device:?}")
        };
        Err(SpaceError::DifferentSpaces {
            expected: describe(self),
            found: describe(other),
        })
    }

    fn waits(&self) -> Option<&Waits> {
        self.waits.as_ref()
    }
}

/// A vector over the outputs: all batches in order, each flattened row by row.
pub(super) type OutputVector = FlatVector<OutputSpace>;
