use burn_ir::{TensorId, TensorIr};

/// An input or output of a [`Program`](super::Program).
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// A parameter path, `batch.0`, `loss`, and so on.
    pub(crate) name: String,
    pub(crate) tensor: TensorIr,
}

impl Port {
    /// The name: a parameter path, `batch.0`, `loss`, and so on.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        self.tensor.shape.as_slice()
    }

    /// The number of elements.
    pub fn num_elements(&self) -> usize {
        self.tensor.shape.num_elements()
    }
}

/// The distinct tensors of the ports, sorted: two outputs may be the same tensor.
pub(crate) fn unique(ports: &[Port]) -> Vec<TensorId> {
    let mut ids: Vec<_> = ports.iter().map(|port| port.tensor.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
