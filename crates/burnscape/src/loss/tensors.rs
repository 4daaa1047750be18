//! A batch as `burnscape-linearize` needs it: declared inputs, or the values bound to them.

use burn::backend::DispatchTensor;
use burn::tensor::{Bool, DType, Int, Tensor, TensorData};
use burnscape_linearize::Inputs;

use super::batch::batch_mapper;
use super::{Batch, BatchMapper, Digest};
use crate::space::{SpaceError, downloaded};

/// Declares the tensors of a batch as inputs of a trace.
pub(crate) fn traced<B: Batch>(batch: B, inputs: &mut Inputs<'_>) -> B {
    struct Declare<'a, 'b>(&'a mut Inputs<'b>);
    impl BatchMapper for Declare<'_, '_> {
        fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
            self.0.float(tensor)
        }
        fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
            self.0.int(tensor)
        }
        fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
            self.0.bool(tensor)
        }
    }
    batch.map_tensors(&mut Declare(inputs))
}

/// Shapes and element types of a batch's tensors, in order.
pub(crate) type Signature = Vec<(Vec<usize>, DType)>;

/// The tensors of a batch, in the order of their declaration.
#[derive(Default)]
pub(crate) struct Tensors {
    pub(crate) values: Vec<DispatchTensor>,
    pub(crate) signature: Signature,
}

impl Tensors {
    /// The size of the tensors in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let size =
            |(shape, dtype): &(Vec<usize>, DType)| shape.iter().product::<usize>() * dtype.size();
        self.signature.iter().map(size).sum()
    }

    pub(crate) fn of<B: Batch>(batch: B) -> Self {
        let mut tensors = Self::default();
        let _ = batch.map_tensors(&mut tensors);
        tensors
    }
}

batch_mapper!(Tensors, |this, tensor| {
    let shape = tensor.shape().as_slice().to_vec();
    this.signature.push((shape, tensor.dtype()));
    this.values.push(tensor.clone().inner().into_dispatch());
    tensor
});

/// A hash of every bit of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<u64>);

impl Fingerprint {
    /// # Cost
    ///
    /// Downloads the batch.
    pub(super) fn of<B: Batch>(batch: B) -> Result<Self, SpaceError> {
        #[derive(Default)]
        struct Digests {
            digests: Vec<u64>,
            failed: Option<SpaceError>,
        }
        impl Digests {
            fn add(&mut self, data: Result<TensorData, SpaceError>) {
                match data {
                    Ok(data) => {
                        let mut digest = Digest::new();
                        digest.bytes(data.as_bytes().iter().copied());
                        self.digests.push(digest.value());
                    }
                    Err(error) => self.failed = Some(error),
                }
            }
        }
        batch_mapper!(Digests, |this, tensor| {
            this.add(downloaded(tensor.clone().inner()));
            tensor
        });
        let mut found = Digests::default();
        let _ = batch.map_tensors(&mut found);
        match found.failed {
            Some(error) => Err(error),
            None => Ok(Self(found.digests)),
        }
    }
}
