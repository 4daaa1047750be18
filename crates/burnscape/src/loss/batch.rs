use std::collections::VecDeque;

use burn::tensor::{Bool, Device, Int, Tensor};

use super::LossError;

/// What one evaluation of a loss consumes: tensors whose first axis counts examples.
///
/// Implemented for tensors, and for tuples, arrays, `Vec`s and `Option`s of batches; derived for
/// structs by `#[derive(Batch)]`, where `#[batch(skip)]` marks a field that belongs to the whole
/// batch (a name, a shared mask).
///
/// Tensors and modules have methods of the same names; for them write `Batch::select(&x, …)` and
/// `Batch::to_device(x, …)`.
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
    label = "not a tensor, nor made of tensors",
    note = "tensors and tuples, arrays, `Vec`s and `Option`s of batches are batches",
    note = "derive it for a struct with `#[derive(Batch)]`; mark a field without examples with \
            `#[batch(skip)]`"
)]
pub trait Batch: Clone {
    /// Whether the tensors that [`map_tensors`](Self::map_tensors) passes are all that a loss can
    /// see of the batch, in a structure that is the same for every batch of the type.
    ///
    /// If so, what was traced of one batch serves all batches of the same shapes
    /// ([`curvature`](crate::curvature)); if not, every batch is traced by itself. True for tensors
    /// and for tuples, arrays, boxes and derived structs made of such; false for `Vec`, `Option` and
    /// structs with a `#[batch(skip)]` field, and wherever nobody says.
    const IS_ONLY_TENSORS: bool = false;

    /// Passes every tensor through `mapper`.
    #[must_use]
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self;

    /// Number of examples, the length of the tensors' first axis; `None` without any tensor.
    ///
    /// # Errors
    ///
    /// [`LossError::RaggedBatch`] if the tensors do not agree.
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

    /// The batch of the given examples, in the given order. Repetitions are allowed.
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

    /// What the batch counts in a mean over a data set: its number of examples, unless a type
    /// knows better (the number of tokens that are not padding, for a token mean).
    ///
    /// All that is a mean over a batch counts by this number: the loss and its derivatives, information
    /// matrices, running statistics, the cross-entropy at a temperature. Where it is proportional to the number
    /// of rows that the batch's own mean is over, any split of the data into batches gives the same.
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

/// What [`Batch::map_tensors`] does with each tensor.
pub trait BatchMapper {
    /// Maps a float tensor.
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D>;
    /// Maps an integer tensor.
    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int>;
    /// Maps a Boolean tensor.
    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool>;
}

macro_rules! batch_mapper {
    ($mapper:ty, |$this:ident, $tensor:ident| $body:expr) => {
        impl BatchMapper for $mapper {
            fn map_float<const D: usize>(&mut self, $tensor: Tensor<D>) -> Tensor<D> {
                let $this = self;
                $body
            }

            fn map_int<const D: usize>(&mut self, $tensor: Tensor<D, Int>) -> Tensor<D, Int> {
                let $this = self;
                $body
            }

            fn map_bool<const D: usize>(&mut self, $tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
                let $this = self;
                $body
            }
        }
    };
}

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

impl<const D: usize> Batch for Tensor<D> {
    const IS_ONLY_TENSORS: bool = true;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        mapper.map_float(self)
    }
}

impl<const D: usize> Batch for Tensor<D, Int> {
    const IS_ONLY_TENSORS: bool = true;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        mapper.map_int(self)
    }
}

impl<const D: usize> Batch for Tensor<D, Bool> {
    const IS_ONLY_TENSORS: bool = true;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        mapper.map_bool(self)
    }
}

impl<B: Batch> Batch for Option<B> {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        self.map(|batch| batch.map_tensors(mapper))
    }
}

impl<B: Batch> Batch for Vec<B> {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        self.into_iter()
            .map(|batch| batch.map_tensors(mapper))
            .collect()
    }
}

impl<B: Batch> Batch for VecDeque<B> {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        self.into_iter()
            .map(|batch| batch.map_tensors(mapper))
            .collect()
    }
}

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
