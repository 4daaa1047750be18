use std::collections::VecDeque;

use burn::tensor::{Bool, Device, Float, Int, Tensor};

use super::LossError;
use crate::space::{SpaceError, Transfer};

/// The input of one evaluation of a loss: tensors whose first axis is the example.
///
/// It is implemented for tensors and for tuples, arrays, `Vec`s and `Option`s of batches. Derive it for structs with
/// `#[derive(Batch)]`; `#[batch(skip)]` marks a field that belongs to the whole batch (a name, a shared mask).
///
/// Tensors and modules have methods of the same names; write `Batch::select(&x, …)` and `Batch::to_device(x, …)` for
/// them.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use burnscape::loss::Batch;
///
/// #[derive(Batch, Clone, Debug)]
/// struct Digits {
///     images: Tensor<3>,
///     targets: Tensor<1, Int>,
///     #[batch(skip)]
///     source: String,
/// }
///
/// let device = Device::default();
/// let digits = Digits {
///     images: Tensor::zeros([5, 8, 8], &device),
///     targets: Tensor::zeros([5], &device),
///     source: "made up".into(),
/// };
/// assert_eq!(digits.num_examples()?, Some(5));
/// assert_eq!(digits.select(&[4, 0])?.images.dims(), [2, 8, 8]);
/// # Ok::<(), burnscape::loss::LossError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a batch",
    label = "neither a tensor nor made of tensors",
    note = "tensors and tuples, arrays, `Vec`s and `Option`s of batches are batches",
    note = "derive `Batch` for a struct with `#[derive(Batch)]`; mark fields without examples with \
            `#[batch(skip)]`"
)]
pub trait Batch: Clone {
    /// Whether a loss can see nothing of the batch except the tensors that [`map_tensors`](Self::map_tensors) visits,
    /// and whether all batches of the type have the same structure.
    ///
    /// If true, [`curvature`](crate::curvature) operators trace one batch for all batches of the same shapes; otherwise
    /// they trace every batch. True for tensors and for tuples, arrays, boxes and derived structs of them; false for
    /// `Vec`, `Option` and structs with a `#[batch(skip)]` field, and by default.
    const IS_ONLY_TENSORS: bool = false;

    /// Passes every tensor through `mapper`.
    #[must_use]
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self;

    /// Number of examples, the length of the first axis of the tensors; `None` if there are no tensors.
    ///
    /// # Errors
    ///
    /// [`LossError::RaggedBatch`] if the tensors differ in length.
    fn num_examples(&self) -> Result<Option<usize>, LossError> {
        let mut counter = Counter { counts: Vec::new() };
        let _ = self.clone().map_tensors(&mut counter);
        let Some(&first) = counter.counts.first() else {
            return Ok(None);
        };
        match counter.counts.iter().find(|&&count| count != first) {
            Some(&second) => Err(LossError::RaggedBatch { first, second }),
            None => Ok(Some(first)),
        }
    }

    /// The batch of the given examples, in the given order. Indices may repeat.
    ///
    /// # Errors
    ///
    /// [`LossError::NoSuchExample`], [`LossError::RaggedBatch`].
    fn select(&self, examples: &[usize]) -> Result<Self, LossError> {
        let count = self.num_examples()?.unwrap_or(0);
        if let Some(&index) = examples.iter().find(|&&index| index >= count) {
            return Err(LossError::NoSuchExample {
                index,
                examples: count,
            });
        }
        Ok(self.clone().map_tensors(&mut Selector { examples }))
    }

    /// The weight of the batch in a mean over a data set: by default its number of examples. For a mean over tokens,
    /// implement it as the number of tokens that are not padding.
    ///
    /// Every mean over a data set uses this weight: the loss and its derivatives, information matrices, running
    /// statistics, the cross-entropy at a temperature. If it is proportional to the number of rows that the mean of the
    /// batch runs over, every split of the data into batches gives the same result.
    ///
    /// # Errors
    ///
    /// [`LossError::RaggedBatch`].
    fn weight(&self) -> Result<f64, LossError> {
        Ok(self.num_examples()?.unwrap_or(1) as f64)
    }

    /// The batch on another device.
    #[must_use]
    fn to_device(self, device: &Device) -> Self {
        self.map_tensors(&mut Mover { device })
    }
}

/// The function that [`Batch::map_tensors`] applies to each tensor.
pub trait BatchMapper {
    /// Maps a float tensor.
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D>;
    /// Maps an integer tensor.
    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int>;
    /// Maps a Boolean tensor.
    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool>;
}

/// Implements [`BatchMapper`] with one body for tensors of every kind.
macro_rules! batch_mapper {
    ($mapper:ty, |$this:ident, $tensor:ident| $body:expr) => {
        impl $crate::loss::BatchMapper for $mapper {
            batch_mapper!(@method map_float, burn::tensor::Float, $this, $tensor, $body);
            batch_mapper!(@method map_int, burn::tensor::Int, $this, $tensor, $body);
            batch_mapper!(@method map_bool, burn::tensor::Bool, $this, $tensor, $body);
        }
    };
    (@method $name:ident, $kind:ty, $this:ident, $tensor:ident, $body:expr) => {
        fn $name<const D: usize>(
            &mut self,
            $tensor: burn::tensor::Tensor<D, $kind>,
        ) -> burn::tensor::Tensor<D, $kind> {
            let $this = self;
            $body
        }
    };
}

pub(super) use batch_mapper;

struct Counter {
    counts: Vec<usize>,
}

batch_mapper!(Counter, |this, tensor| {
    this.counts.extend(tensor.shape().as_slice().first());
    tensor
});

struct Selector<'a> {
    examples: &'a [usize],
}

batch_mapper!(Selector<'_>, |this, tensor| {
    let indices: Vec<i64> = this.examples.iter().map(|&index| index as i64).collect();
    let indices = Tensor::<1, Int>::from_data(indices.as_slice(), &tensor.device());
    tensor.select(0, indices)
});

struct Mover<'a> {
    device: &'a Device,
}

batch_mapper!(Mover<'_>, |this, tensor| tensor.to_device(this.device));

/// The batch on another device, with the limit on waits of this thread. A panic of Burn is an error.
pub(crate) fn moved_to<B: Batch>(batch: B, device: &Device) -> Result<B, SpaceError> {
    let mut transfer = Transfer::to(device);
    let batch = batch.map_tensors(&mut transfer);
    transfer.finish(batch)
}

batch_mapper!(Transfer<'_>, |this, tensor| this.moved(tensor));

macro_rules! batch_tensor {
    ($kind:ty, $map:ident) => {
        impl<const D: usize> Batch for Tensor<D, $kind> {
            const IS_ONLY_TENSORS: bool = true;

            fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
                mapper.$map(self)
            }
        }
    };
}

batch_tensor!(Float, map_float);
batch_tensor!(Int, map_int);
batch_tensor!(Bool, map_bool);

impl<B: Batch> Batch for Option<B> {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        self.map(|batch| batch.map_tensors(mapper))
    }
}

macro_rules! batch_collection {
    ($collection:ty) => {
        impl<B: Batch> Batch for $collection {
            fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
                let batches = self.into_iter();
                batches.map(|batch| batch.map_tensors(mapper)).collect()
            }
        }
    };
}

batch_collection!(Vec<B>);
batch_collection!(VecDeque<B>);

impl<B: Batch> Batch for Box<B> {
    const IS_ONLY_TENSORS: bool = B::IS_ONLY_TENSORS;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Box::new((*self).map_tensors(mapper))
    }
}

impl<B: Batch, const N: usize> Batch for [B; N] {
    const IS_ONLY_TENSORS: bool = B::IS_ONLY_TENSORS;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        self.map(|batch| batch.map_tensors(mapper))
    }
}

impl Batch for () {
    const IS_ONLY_TENSORS: bool = true;

    fn map_tensors<T: BatchMapper>(self, _mapper: &mut T) -> Self {}
}

macro_rules! batch_tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Batch),+> Batch for ($($name,)+) {
            const IS_ONLY_TENSORS: bool = $($name::IS_ONLY_TENSORS)&&+;

            fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
                ($(self.$index.map_tensors(mapper),)+)
            }
        }
    };
}

batch_tuple!(A 0);
batch_tuple!(A 0, B 1);
batch_tuple!(A 0, B 1, C 2);
batch_tuple!(A 0, B 1, C 2, D 3);
batch_tuple!(A 0, B 1, C 2, D 3, E 4);
batch_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
