use std::ops::ControlFlow;

use super::LossError;

/// A source that yields the same batches on every reading: a slice, a `Vec`, an array, a closure that returns an
/// iterator, [`Batches`](super::Batches), or a Burn data loader (feature `dataset`).
///
/// Batches are visited one by one, so loaders stream: the batches need not fit in memory at once. A closure may borrow
/// its source.
///
/// Every visit must yield the same batches. The checks of [`curvature`](crate::curvature) reject data that changes, for
/// instance a loader that shuffles or has several workers.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
///
/// // Rows of one tensor, sliced into batches on demand.
/// let all = Tensor::<2>::ones([10, 2], &device);
/// let data = || (0..5).map(|batch| all.clone().slice(2 * batch..2 * batch + 2));
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// # let _ = hessian;
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data set of `{B}`",
    label = "does not yield batches of this type",
    note = "slices, `Vec`s and arrays of batches are data sets, and closures that return an iterator over \
            batches",
    note = "to use a Burn data loader, enable the feature `dataset` of burnscape and pass `&loader`"
)]
pub trait DataSet<B> {
    /// Passes every batch to `visit`, in order, until it breaks. For a batch that cannot be read, passes the error.
    fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>);

    /// Number of batches in a pass, if known.
    fn num_batches(&self) -> Option<usize> {
        None
    }
}

/// Passes every item of an iterator to `visit`, until it breaks.
fn show<B>(
    batches: impl IntoIterator<Item = Result<B, LossError>>,
    visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>,
) {
    // The visitor knows whether it broke.
    let _ = batches.into_iter().try_for_each(visit);
}

impl<B: Clone> DataSet<B> for [B] {
    fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>) {
        show(self.iter().cloned().map(Ok), visit);
    }

    fn num_batches(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<B: Clone> DataSet<B> for Vec<B> {
    fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>) {
        self.as_slice().visit(visit);
    }

    fn num_batches(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<B: Clone, const N: usize> DataSet<B> for [B; N] {
    fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>) {
        self.as_slice().visit(visit);
    }

    fn num_batches(&self) -> Option<usize> {
        Some(N)
    }
}

impl<B, I, F> DataSet<B> for F
where
    F: Fn() -> I,
    I: IntoIterator<Item = B>,
{
    fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>) {
        show(self().into_iter().map(Ok), visit);
    }
}

#[cfg(feature = "dataset")]
mod loaders {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use burn::data::dataloader::DataLoader;

    use super::{DataSet, LossError, show};

    impl<B> DataSet<B> for dyn DataLoader<B> + '_ {
        fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>) {
            let batches = self.iter().map(|batch| {
                batch.map_err(|error| LossError::Loader {
                    message: error.to_string(),
                })
            });
            show(batches, visit);
        }
    }

    impl<B> DataSet<B> for Arc<dyn DataLoader<B>> {
        fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>) {
            self.as_ref().visit(visit);
        }
    }
}
