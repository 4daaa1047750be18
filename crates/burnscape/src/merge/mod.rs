//! Merging: one model out of several.
//!
//! Models of one architecture that are close to each other, or [aligned](crate::align), can be averaged into one that is
//! as good as each of them or better. No training is needed.
//!
//! | task | function or type |
//! |---|---|
//! | the mean of models | [`average`], [`weighted`] |
//! | a model between two | [`interpolate`], [`slerp`] |
//! | the mean along a training run | [`Swa`](crate::optim::Swa) |
//! | the mean of those runs whose mean is good | [`SoupConfig`] |
//! | any method on modules, others for parts of them, weights by path | [`Recipe`], [`ByPath`] |
//! | a method of your own | [`MergeMethod`], a function of a [`MergeTensor`] |
//! | checkpoints in files, tensor by tensor | `FileMerge`, with feature `files`; the command `burnscape` |
//! | running statistics that fit the merged weights | [`NormalizationPolicy::normalize`](crate::loss::NormalizationPolicy::normalize) |
//! | units that vary as they did before | [`RepairConfig`]; watched and stopped, [`Repair`] |
//!
//! Methods of a [`Recipe`]:
//!
//! | method | the merged tensor | base | equal models stay |
//! |---|---|---|---|
//! | [`Average`] | the weighted mean | | yes |
//! | [`Take`] | that of one model, bit by bit | only `Take::Base` | yes, but for `Take::Base` |
//! | [`Slerp`] | on the arc between two models | | yes |
//! | [`KarcherMean`] | the mean on the sphere, of any number | | yes |
//! | [`ModelStock`] | the mean, drawn to the base by disagreement | yes | yes |
//! | [`TaskArithmetic`] | sparse differences from the base: TIES, DARE, DELLA, breadcrumbs | yes | at density 1 or keep 1; sums of N models at scale 1/N |
//! | [`FisherAverage`] | the mean weighted by importances of [`FisherAverage::squared_gradients`] | | yes |
//! | [`RegMean`] | least squares on the inputs of all models, by [`RegMean::input_grams`] | | where the sum of Gram matrices is regular |
//! | [`TaskSingularVectors`] | orthogonal singular vectors of the differences (TSV-M) | yes | at full rank |
//! | [`IsotropicMerge`] | differences with equal singular values (Iso-C) | yes | iff all singular values are equal, at scale 1/N; of vectors the mean |
//!
//! Models match by path. Shapes, element types and ties must be the same, and all numbers finite: the first parameter
//! for which that does not hold is named. Merged models keep the context of the first model: autodiff, what is frozen,
//! flags and ties. The models themselves do not change.
//!
//! # Running statistics
//!
//! The statistics of a normalization fit the weights before it. Those of merged weights are others, so that means of
//! statistics are only a start: set them with
//! [`NormalizationPolicy::normalize`](crate::loss::NormalizationPolicy::normalize), which refuses batches that have no
//! variance. A [repair](RepairConfig) also corrects them, with a gain and shift for each channel.
//!
//! # Example
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::activation::relu;
//! use burn::tensor::{Device, Distribution, Tensor};
//! use burnscape::align::WeightMatchingConfig;
//! use burnscape::merge::{RepairConfig, average};
//! use burnscape::symmetry::SymmetriesConfig;
//!
//! #[derive(Module, Debug)]
//! struct Mlp {
//!     first: Linear,
//!     second: Linear,
//! }
//!
//! let device = Device::default();
//! let model = || Mlp {
//!     first: LinearConfig::new(4, 8).init(&device),
//!     second: LinearConfig::new(8, 2).init(&device),
//! };
//! let (a, b) = (model(), model()); // in practice trained on the same data
//! let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
//! let x = Tensor::<2>::random([64, 4], Distribution::Default, &device);
//!
//! let symmetries = SymmetriesConfig::new().run(&outputs, &a, x.clone())?;
//! let b = WeightMatchingConfig::new().run(&symmetries, &a, &b)?.model;
//! let merged = average(&[&a, &b])?;
//! let repaired = RepairConfig::new().run(&outputs, &[x.clone()], &a, &b, &merged, 0.5)?;
//!
//! let layer = &repaired.report.layers[0];
//! assert_eq!(layer.scale, ["first.weight"]);
//! assert!(layer.deviation_ratio < 1.0); // before the repair
//! // The deviation of each hidden unit is now the mean of those of `a` and `b`.
//! let deviation = |m: &Mlp| m.first.forward(x.clone()).var_bias(0).sqrt();
//! let expected = (deviation(&a) + deviation(&b)) / 2.0;
//! let difference = deviation(&repaired.model) - expected;
//! assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
//! # Ok::<(), burnscape::Error>(())
//! ```

mod averages;
mod by_path;
mod error;
#[cfg(feature = "files")]
mod files;
mod fisher_diagonal;
mod input_grams;
mod method;
mod methods;
mod models;
mod plan;
mod recipe;
mod repair;
mod report;
mod soup;
mod spherical;
mod statistics;
mod tensor;
mod tensor_map;
mod whole_models;

pub use averages::{average, interpolate, weighted};
pub use by_path::ByPath;
pub use error::MergeError;
#[cfg(feature = "files")]
pub use files::{
    CheckpointDistance, CheckpointFile, FileMerge, StoredTensor, TensorDistance, WeightLayout,
};
pub use method::{MergeMethod, MergePass};
pub use methods::{
    Average, Combine, FisherAverage, IsotropicMerge, KarcherMean, ModelStock, RegMean, Slerp,
    Sparsify, Take, TaskArithmetic, TaskSingularVectors,
};
pub use recipe::Recipe;
pub use repair::{Repair, RepairConfig, RepairMethod, RepairReport, Repaired, RepairedLayer};
pub use report::{MergeReport, MergedTensor};
pub use soup::{Soup, SoupConfig};
pub use spherical::{SlerpUnit, slerp};
pub use tensor::{MergeBlock, MergeTensor};
pub use tensor_map::{TensorMap, TensorStore};
pub use whole_models::Merged;
