use std::ops::ControlFlow;

use super::LossError;

/// Anything that shows the same batches again and again: a slice, a `Vec`, an array, a closure that
/// makes an iterator, [`Batches`](super::Batches), and, with the feature `dataset`, a Burn data loader.
///
/// A data set is visited, one batch after the other, so that a loader streams: nobody has to hold all
/// batches at once. A closure may borrow what it reads from.
///
/// Every visit has to show the same batches. The checks of [`curvature`](crate::curvature) refuse data
/// that do not, which a loader that shuffles is.
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
/// // Rows of one tensor, cut into batches when they are needed.
/// let all = Tensor::<2>::ones([10, 2], &device);
/// let data = || (0..5).map(|batch| all.clone().slice(2 * batch..2 * batch + 2));
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// # let _ = hessian;
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data set of `{B}`",
    label = "shows no batches of this type",
    note = "slices, `Vec`s and arrays of batches are data sets, and closures that return an iterator over \
            batches",
    note = "Burn's data loaders are data sets with the feature `dataset` of burnscape: pass `&loader`"
)]
pub trait DataSet<B> {
    /// Shows every batch to `visit`, in order, until it breaks. A batch that cannot be read is shown as
    /// the error that says why.
    fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>);

    /// Number of batches in a pass, where it is known.
    fn num_batches(&self) -> Option<usize> {
        None
    }
}

/// Shows what an iterator gives.
fn show<B>(
    batches: impl IntoIterator<Item = Result<B, LossError>>,
    visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>,
) {
    // A break is the visitor's own affair.
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
