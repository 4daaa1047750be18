use burn_ir::{IrVisitorMut, TensorId, TensorIr};

use super::{Port, Rename};

/// A comparison for equality of values that depend on the differentiated inputs. The derivative is
/// valid only where no values are equal.
#[derive(Debug, Clone)]
pub(crate) struct Tie {
    /// The number of equal elements, a single number.
    pub(crate) count: TensorIr,
    pub(crate) operation: String,
    pub(crate) shapes: Vec<Vec<usize>>,
    /// The inputs that were differentiated by.
    pub(crate) moving: Vec<TensorId>,
}

impl Tie {
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
