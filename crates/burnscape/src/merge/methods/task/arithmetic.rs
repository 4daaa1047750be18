use std::sync::Arc;

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use super::elements::TaskVectors;
use super::masks::Mask;
use super::whole_model::WholeModels;
use super::{Combine, Sparsify};
use crate::merge::{ByPath, MergeError, MergeMethod, MergePass, MergeTensor};
use crate::range::ensure;

/// Task arithmetic, with everything that has become of it: the base, plus task vectors that are made sparse and
/// combined.
///
/// With the models `θ_i`, their weights `w_i` and the base `θ_0` from which they were trained,
///
/// ```text
/// τ_i = θ_i − θ_0,   τ̂_i = sparsify(τ_i),   θ = θ_0 + scale · combine(w, τ̂)
/// ```
///
/// for each tensor, with [`Sparsify`] and [`Combine`]. Where no input is f64, differences are rounded to f32 first, as
/// if models were subtracted in f32, unless that is infinite; the rest is in f64. So some results differ in the last bit
/// from those that are computed in f64 throughout.
///
/// | preset | sparsify | combine | `scale` |
/// |---|---|---|---|
/// | [`new`](Self::new) | `Keep` | `Sum` | 1 |
/// | [`ties`](Self::ties) | `Magnitude` | `ElectSign` | 1 |
/// | [`dare`](Self::dare) | `Random` | `Mean` | 1 |
/// | [`della`](Self::della) | `RankedRandom` | `Mean` | 1 |
/// | [`breadcrumbs`](Self::breadcrumbs) | `Breadcrumbs` | `Mean` | 1 |
///
/// Everything else is a combination, for instance DARE with the signs of TIES:
/// `TaskArithmetic::dare(0.1).with_combine(Combine::ElectSign)`. Papers choose `scale` by data that are held out.
///
/// # Laws
///
/// Models that are all equal are returned, to rounding, where nothing is dropped (a density, or `keep`, of 1, with an
/// `epsilon` or `top` of 0) and weights are positive: by `Mean` and `ElectSign` at scale 1, and by `Sum` at scale
/// `1 / Σ w`. All methods commute with permutations of units, but for random masks.
///
/// # Cost
///
/// One pass over each tensor for the result and those of [`Sparsify`] before. Memory for the result; nothing of the
/// size of a tensor otherwise, except for `RankedRandom`. Nothing depends on the device.
///
/// # Errors
///
/// [`MergeError::NoBase`]; [`MergeError::OutOfRange`] for `density`, `keep`, `epsilon` and `top` outside the ranges
/// in [`Sparsify`], a `scale` that is not finite, and `weights` that are not finite or, but for `Sum`, negative or
/// all zero; [`MergeError::Method`] for `ModelMagnitude` outside a [`Recipe`](crate::merge::Recipe).
///
/// # Seeds
///
/// Masks of `Random` and `RankedRandom` are keyed by `seed` (default 0), the index of the model and the name of the
/// tensor. So the order of the models matters; the order of the tensors, and the format of a file, do not.
///
/// # References
///
/// Ilharco et al. 2023, *Editing Models with Task Arithmetic*, arXiv:2212.04089; Yadav et al. 2023, *TIES-Merging*,
/// arXiv:2306.01708; Yu et al. 2024, *Language Models are Super Mario* (DARE), arXiv:2311.03099; Deep et al. 2024,
/// *DELLA-Merging*, arXiv:2406.11617; Davari and Belilovsky 2024, *Model Breadcrumbs*, arXiv:2312.06795.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{MergeMethod, MergeTensor, TaskArithmetic};
///
/// let base = TensorData::from([0.0_f32; 4]);
/// let models = [
///     TensorData::from([1.0_f32, -2.0, 0.1, 3.0]),
///     TensorData::from([2.0_f32, 1.0, 0.2, -1.0]),
/// ];
/// let tensor = MergeTensor::new("weight", &models)?.with_base(&base);
/// let merged = TaskArithmetic::ties(0.75).merge(&tensor)?;
/// assert_eq!(merged, TensorData::from([1.5_f32, -2.0, 0.0, 3.0]));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
///
/// On modules, with other settings for a part of the model:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burnscape::merge::{ByPath, Recipe, TaskArithmetic};
///
/// let device = Device::default();
/// let models: Vec<Linear> = (0..3).map(|_| LinearConfig::new(2, 2).init(&device)).collect();
/// let density = ByPath::new(0.5).with("bias", 1.0);
/// let recipe = Recipe::new(TaskArithmetic::ties(density).with_scale(0.8));
/// let merged = recipe.run(Some(&models[0]), &[&models[1], &models[2]])?;
/// assert_eq!(merged.report.tensors[0].method, "ties");
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskArithmetic {
    sparsify: Sparsify,
    combine: Combine,
    scale: ByPath<f64>,
    seed: u64,
}

impl TaskArithmetic {
    /// Plain task arithmetic: `θ_0 + Σ w_i τ_i`.
    pub fn new() -> Self {
        Self {
            sparsify: Sparsify::Keep,
            combine: Combine::Sum,
            scale: ByPath::new(1.0),
            seed: 0,
        }
    }

    /// TIES: the `density` largest elements of each task vector, the sign that weighs more, and the mean of those that
    /// have it. The paper keeps 20 %, with one threshold for the model: [`Sparsify::ModelMagnitude`].
    pub fn ties(density: impl Into<ByPath<f64>>) -> Self {
        let density = density.into();
        Self::new()
            .with_sparsify(Sparsify::Magnitude { density })
            .with_combine(Combine::ElectSign)
    }

    /// DARE: the mean of random parts of the task vectors, each divided by the probability `keep`. The paper sums them
    /// (`.with_combine(Combine::Sum)`, with a scale), or elects signs as TIES (`.with_combine(Combine::ElectSign)`).
    pub fn dare(keep: impl Into<ByPath<f64>>) -> Self {
        let keep = keep.into();
        Self::new()
            .with_sparsify(Sparsify::Random { keep })
            .with_combine(Combine::Mean)
    }

    /// DELLA: the mean of random parts of the task vectors, in which large elements stay more often. The paper elects
    /// signs: `.with_combine(Combine::ElectSign)`.
    pub fn della(keep: impl Into<ByPath<f64>>, epsilon: f64) -> Self {
        let keep = keep.into();
        Self::new()
            .with_sparsify(Sparsify::RankedRandom { keep, epsilon })
            .with_combine(Combine::Mean)
    }

    /// Model breadcrumbs: the mean of the task vectors without their largest and smallest elements. The paper sums
    /// them: `.with_combine(Combine::Sum)`, with a scale.
    pub fn breadcrumbs(density: impl Into<ByPath<f64>>, top: f64) -> Self {
        let density = density.into();
        Self::new()
            .with_sparsify(Sparsify::Breadcrumbs { density, top })
            .with_combine(Combine::Mean)
    }

    /// What is left of each task vector.
    #[must_use]
    pub fn with_sparsify(mut self, sparsify: Sparsify) -> Self {
        self.sparsify = sparsify;
        self
    }

    /// How one vector is made of them.
    #[must_use]
    pub fn with_combine(mut self, combine: Combine) -> Self {
        self.combine = combine;
        self
    }

    /// The factor of the combination, for each tensor by its path; 1 by default.
    #[must_use]
    pub fn with_scale(mut self, scale: impl Into<ByPath<f64>>) -> Self {
        self.scale = scale.into();
        self
    }

    /// The seed of random masks; 0 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The result for these masks, one for each model.
    pub(super) fn merged(&self, vectors: &TaskVectors<'_, '_>, masks: Vec<Mask>) -> TensorData {
        let scale = *self.scale.at(vectors.tensor().name());
        vectors.merged(masks, self.combine, scale)
    }
}

impl Default for TaskArithmetic {
    fn default() -> Self {
        Self::new()
    }
}

impl MergeMethod for TaskArithmetic {
    fn name(&self) -> String {
        let elects = self.combine == Combine::ElectSign;
        let name = match &self.sparsify {
            Sparsify::Keep if !elects => "task-arithmetic",
            Sparsify::Magnitude { .. } | Sparsify::ModelMagnitude { .. } if !elects => "magnitude",
            Sparsify::Keep | Sparsify::Magnitude { .. } | Sparsify::ModelMagnitude { .. } => "ties",
            Sparsify::Random { .. } if elects => "dare-ties",
            Sparsify::Random { .. } => "dare",
            Sparsify::RankedRandom { .. } if elects => "della-ties",
            Sparsify::RankedRandom { .. } => "della",
            Sparsify::Breadcrumbs { .. } if elects => "breadcrumbs-ties",
            Sparsify::Breadcrumbs { .. } => "breadcrumbs",
        };
        name.to_string()
    }

    fn needs_base(&self) -> bool {
        true
    }

    fn needs_filters(&self, shape: &[usize]) -> bool {
        self.sparsify.needs_filters(shape)
    }

    fn check(&self, name: &str, weights: &[f64]) -> Result<(), MergeError> {
        self.sparsify.check(name)?;
        self.combine.check(weights)?;
        Ok(ensure("scale", *self.scale.at(name), ..)?)
    }

    fn prepare(&self, all: &MergePass<'_>) -> Result<Option<Arc<dyn MergeMethod>>, MergeError> {
        match self.sparsify {
            Sparsify::ModelMagnitude { density } => {
                Ok(Some(WholeModels::prepared(self, density, all)?))
            }
            _ => Ok(None),
        }
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        let vectors = TaskVectors::of(tensor, &self.name())?;
        if tensor.is_empty() {
            return Ok(tensor.result(Vec::new()));
        }
        match self.sparsify.masks(&vectors, self.seed) {
            Some(masks) => Ok(self.merged(&vectors, masks)),
            None => Err(MergeError::Method {
                method: self.name(),
                tensor: tensor.name().to_string(),
                message:
                    "a threshold over the model is known after a look at all tensors; run the \
                          method by a `Recipe`, or use `Sparsify::Magnitude`"
                        .to_string(),
            }),
        }
    }
}
