use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::TensorData;

use super::{MergeError, MergeTensor, Take};

/// A way to merge models: a function from one tensor of all models to the merged tensor.
///
/// A [`Recipe`](super::Recipe) applies methods to modules, and with the feature `files` to checkpoints, tensor by
/// tensor. The methods of this module implement it, and so can yours.
///
/// Methods see the parameters of a model. Running statistics of normalizations are averaged whatever the method is,
/// unless it [takes](Self::takes) tensors as they are.
///
/// # Example
///
/// The elementwise median:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, TensorData};
/// use burnscape::merge::{MergeError, MergeMethod, MergeTensor, Recipe};
///
/// #[derive(Debug)]
/// struct Median;
///
/// impl MergeMethod for Median {
///     fn name(&self) -> String {
///         "median".to_string()
///     }
///
///     fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
///         if weights.len() % 2 == 1 {
///             return Ok(());
///         }
///         Err(MergeError::NumModels {
///             method: self.name(),
///             found: weights.len(),
///             expected: "an odd number".to_string(),
///         })
///     }
///
///     fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
///         let mut values = vec![0.0; tensor.num_models()];
///         Ok(tensor.map(|block, out| {
///             for (index, out) in out.iter_mut().enumerate() {
///                 for (value, model) in values.iter_mut().zip(block.models) {
///                     *value = model[index];
///                 }
///                 values.sort_by(f64::total_cmp);
///                 *out = values[values.len() / 2];
///             }
///         }))
///     }
/// }
///
/// let device = Device::default();
/// let models: Vec<Linear> = (0..3).map(|_| LinearConfig::new(2, 2).init(&device)).collect();
/// let merged = Recipe::new(Median).run(None, &[&models[0], &models[1], &models[2]])?;
/// assert_eq!(merged.report.tensors[0].method, "median");
/// assert!(Recipe::new(Median).run(None, &[&models[0], &models[1]]).is_err());
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
pub trait MergeMethod: fmt::Debug + Send + Sync {
    /// The name in reports and errors, for instance `ties`.
    fn name(&self) -> String;

    /// Whether it merges differences from a base. Only then the base is read; false by default.
    fn needs_base(&self) -> bool {
        false
    }

    /// Whether it distinguishes the rows of this tensor from its columns. A file must then say its layout. False by
    /// default.
    fn needs_filters(&self, shape: &[usize]) -> bool {
        let _ = shape;
        false
    }

    /// Checks the settings, and the weights of one tensor, one for each model, before anything is read.
    ///
    /// # Errors
    ///
    /// Usually [`MergeError::OutOfRange`] and [`MergeError::NumModels`].
    fn check(&self, name: &str, weights: &[f64]) -> Result<(), MergeError>;

    /// What it does with this tensor instead of its formula, for the report; nothing by default.
    fn note(&self, name: &str, shape: &[usize]) -> Option<String> {
        let _ = (name, shape);
        None
    }

    /// Which model's tensor it leaves as it is, bit by bit; none by default. If it does, running statistics are merged by
    /// it as well, and in files tensors that are not floats are those of that model.
    fn takes(&self) -> Option<Take> {
        None
    }

    /// The files that it reads beside the models, which a merge must not replace; none by default.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Called once before the first tensor. A method that has to see all tensors first returns one that knows what it
    /// found, and merges in its place. By default there is nothing to see.
    ///
    /// # Errors
    ///
    /// Those of the passes, and of the method.
    fn prepare(&self, all: &MergePass<'_>) -> Result<Option<Arc<dyn MergeMethod>>, MergeError> {
        let _ = all;
        Ok(None)
    }

    /// The merged tensor: f32 or f64, in the shape of the others. Equal tensors must give equal results, bit by bit.
    ///
    /// # Errors
    ///
    /// Those of the method; [`MergeError::Method`] for data that it cannot merge.
    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError>;
}

/// What a pass calls for each tensor.
pub(super) type Visit<'v> = dyn FnMut(&MergeTensor<'_>) -> Result<(), MergeError> + 'v;

/// A pass over all tensors, or over a sample of them.
pub(super) type Pass<'p> = dyn Fn(bool, &mut Visit<'_>) -> Result<(), MergeError> + 'p;

/// Passes over all tensors that a method merges, for [`MergeMethod::prepare`].
///
/// # Cost
///
/// Each pass reads all of its models, tensor by tensor.
pub struct MergePass<'a> {
    pass: &'a Pass<'a>,
    lengths: Vec<usize>,
    num_models: usize,
}

impl<'a> MergePass<'a> {
    pub(super) fn new(pass: &'a Pass<'a>, lengths: Vec<usize>, num_models: usize) -> Self {
        Self {
            pass,
            lengths,
            num_models,
        }
    }

    /// Visits all tensors.
    ///
    /// # Errors
    ///
    /// Those of `visit`, and of reading; [`MergeError::NonFinite`].
    pub fn each(
        &self,
        mut visit: impl FnMut(&MergeTensor<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        (self.pass)(false, &mut visit)
    }

    /// The same with some elements of each tensor only, for estimates: small tensors are whole, large ones are flat
    /// with evenly spaced stretches of theirs. Whether they are finite is not checked.
    ///
    /// # Errors
    ///
    /// Those of `visit`, and of reading.
    pub fn sampled(
        &self,
        mut visit: impl FnMut(&MergeTensor<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        (self.pass)(true, &mut visit)
    }

    /// The number of elements of each tensor, in the order of the visits.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The number of elements of all tensors of one model.
    pub fn num_elements(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// The number of models, without the base.
    pub fn num_models(&self) -> usize {
        self.num_models
    }
}
