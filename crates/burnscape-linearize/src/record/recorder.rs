use std::cell::RefCell;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape};
use burn_capture::CaptureClient;
use burn_ir::{TensorId, TensorIr, TensorStatus};
use burn_router::{RouterClient, RouterTensor};

use super::C;
use crate::program::Port;

pub(crate) type Symbol = RouterTensor<CaptureClient>;

/// Records operations on symbols: tensors with a name, a shape and a type, but no memory.
pub(crate) struct Recorder {
    pub(super) client: CaptureClient,
    /// Every symbol is held until the scope ends, so that Burn sees it as shared and never records an
    /// in-place write.
    pub(super) held: RefCell<Vec<Symbol>>,
}

impl Recorder {
    /// The client, for recording an operation unchanged.
    pub(crate) fn client(&self) -> &CaptureClient {
        &self.client
    }

    /// A symbol that is bound to a tensor when the program runs.
    pub(crate) fn placeholder(&self, shape: Shape, dtype: DType) -> Symbol {
        self.named(self.client.create_empty_handle(), shape, dtype)
    }

    /// A symbol for an existing name.
    pub(crate) fn named(&self, id: TensorId, shape: Shape, dtype: DType) -> Symbol {
        let symbol = RouterTensor::new(id, shape, dtype, self.client.clone());
        self.hold(&symbol);
        symbol
    }

    /// Keeps a symbol from being overwritten.
    pub(crate) fn hold(&self, symbol: &Symbol) {
        self.held.borrow_mut().push(symbol.clone());
    }
    /// A placeholder that appears in the recording even if nothing else reads it. The scope knows only
    /// tensors that some operation reads; the read added here is dead and removed later.
    pub(crate) fn input(&self, shape: Shape, dtype: DType) -> Symbol {
        let symbol = self.placeholder(shape, dtype);
        drop(C::float_neg(symbol.clone()));
        symbol
    }

    /// A port for a symbol, which is held so that nothing overwrites it.
    pub(crate) fn port(&self, name: &str, symbol: &Symbol) -> Port {
        self.hold(symbol);
        Port {
            name: name.to_string(),
            tensor: TensorIr {
                id: symbol.id(),
                shape: symbol.shape(),
                status: TensorStatus::ReadOnly,
                dtype: symbol.dtype(),
            },
        }
    }
}
