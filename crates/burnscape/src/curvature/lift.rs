//! A batch as the engine needs it: on the recording device, or as the values to bind.

use burn::backend::DispatchTensor;
use burn::tensor::{Bool, DType, Int, Tensor};
use burnscape_linearize::Lifter;

use super::CurvatureError;
use crate::loss::{Batch, BatchMapper};
use crate::space::to_host;

/// Brings a batch onto the recording device.
pub(super) fn lifted<B: Batch>(batch: B, lifter: &mut Lifter<'_>) -> B {
    struct Lift<'a, 'b>(&'a mut Lifter<'b>);
    impl BatchMapper for Lift<'_, '_> {
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
    batch.map_tensors(&mut Lift(lifter))
}

/// Shapes and element types of a batch's tensors, in order.
pub(super) type Signature = Vec<(Vec<usize>, DType)>;

/// The tensors of a batch, in the order in which they are lifted.
#[derive(Default)]
pub(super) struct Tensors {
    pub(super) values: Vec<DispatchTensor>,
    pub(super) signature: Signature,
}

impl Tensors {
    pub(super) fn of<B: Batch>(batch: B) -> Self {
        let mut tensors = Self::default();
        let _ = batch.map_tensors(&mut tensors);
        tensors
    }
}

macro_rules! collect {
    ($self:ident, $tensor:ident) => {{
        let shape = $tensor.shape().as_slice().to_vec();
        $self.signature.push((shape, $tensor.dtype()));
        $self.values.push($tensor.clone().inner().into_dispatch());
        $tensor
    }};
}

impl BatchMapper for Tensors {
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        collect!(self, tensor)
    }
    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        collect!(self, tensor)
    }
    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        collect!(self, tensor)
    }
}

/// Sums that tell a batch from another one: of the elements, and of the elements times their places.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fingerprint(Vec<f64>);

impl Fingerprint {
    /// # Cost
    ///
    /// Two passes over the batch, and a host synchronization for each of its tensors.
    pub(super) fn of<B: Batch>(batch: B) -> Result<Self, CurvatureError> {
        #[derive(Default)]
        struct Sums(Vec<Tensor<1>>);
        impl Sums {
            fn add(&mut self, values: Tensor<1>) {
                let len = values.shape().num_elements() as i64;
                let places = Tensor::<1, Int>::arange(0..len, &values.device());
                let places = (places.float().cast(values.dtype()) + 1.0) / (len as f64);
                self.0.push(values.clone().sum());
                self.0.push((values * places).sum());
            }
        }
        impl BatchMapper for Sums {
            fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
                let flat = tensor.clone().inner().flatten::<1>(0, D - 1);
                self.add(match flat.dtype() {
                    DType::F16 | DType::BF16 => flat.cast(DType::F32),
                    _ => flat,
                });
                tensor
            }
            fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
                self.add(tensor.clone().inner().float().flatten::<1>(0, D - 1));
                tensor
            }
            fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
                self.add(tensor.clone().inner().float().flatten::<1>(0, D - 1));
                tensor
            }
        }
        let mut sums = Sums::default();
        let _ = batch.map_tensors(&mut sums);
        let mut numbers = Vec::with_capacity(sums.0.len());
        for sum in sums.0 {
            numbers.extend(to_host(sum)?);
        }
        Ok(Self(numbers))
    }

    /// Whether the sums are those of the same numbers. A NaN is the same as a NaN.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let close = |a: f64, b: f64| {
            (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(&a, &b)| close(a, b))
    }
}
