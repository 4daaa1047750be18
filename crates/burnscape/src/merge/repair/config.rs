use burn::config::Config;
use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::Repaired;
use super::observed::{Given, Repair};
use super::probe::NAMES;
use crate::loss::{Batch, DataSet};
use crate::merge::MergeError;
use crate::merge::models::checked;
use crate::range::ensure;

/// How a repair finds the mean and deviation of the merged model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairMethod {
    /// Measures them: each layer after those before it were repaired. What is measured afterwards is the target.
    Exact,
    /// Takes those of `(1 − α) y_a + α y_b`, the outputs of both models. They are those of the merged model if the layer
    /// reads the batch and no normalization follows, which holds for the first layer only; all further layers are repaired
    /// approximately.
    ClosedForm,
}

/// REPAIR: restores the mean and the deviation of the channels of every layer of a merged model.
///
/// Merged units are means of units that are not equal, so that their outputs vary less than those of either model: for
/// two outputs of deviation 1 with correlation `r`, the mean has the deviation `√((1 + r) / 2)`. The loss of variance
/// grows from layer to layer, and causes much of the loss barrier between two models. With the moments of a channel over the
/// data, the output of the layer gets those between the models,
///
/// ```text
/// μ* = (1 − α) μ_a + α μ_b,   σ* = (1 − α) σ_a + α σ_b,
/// ```
///
/// by a factor `r = σ* / σ` of the weights of the channel and another bias, `c' = μ* − r (μ − c)`. A layer without a
/// bias only gets the deviation: its mean is multiplied by the same factor. A channel without a deviation keeps its scale.
/// Nothing bounds the factors: a channel that hardly varies in the merged model gets a large one, which the
/// [report](super::RepairedLayer::largest_factor) shows.
///
/// Layers are found in the recorded forward pass of any model: they are products of the batch with parameters,
/// whose channels some group of [`symmetry`](crate::symmetry) permutes. If only a batch or layer normalization reads the
/// product, its gain and shift are the layer instead. Where something else reads the product as well, as a residual
/// stream does, both are layers; and so are both where a module writes its normalization out in tensor operations, as
/// Burn's `GroupNorm` and `RmsNorm` do. Gains by themselves are layers, too. The
/// [report](super::RepairReport::left) lists every other parameter that a group permutes, with the reason: the outputs of
/// the model are not repaired, nor are embeddings. All models are evaluated as by [`Module::valid`]; parameters are
/// rescaled whether they are trained or frozen.
///
/// Align the models before they are merged: repair does not replace alignment. Where running statistics are estimated
/// again, do that before the repair.
///
/// Weights that are used several times are one layer, with the moments of all their outputs together. In recurrent
/// layers such weights change what they read themselves, and so does a weight that several layers share in different ways:
/// the moments of these are restored approximately.
///
/// # Units
///
/// Moments are over examples and all axes but that of the channels. Batches count by their
/// [weights](Batch::weight). The deviation is the root of the mean squared distance from the mean.
///
/// # Cost
///
/// A recording of each model for each set of shapes of a batch, and a forward pass of both models. `Exact` adds a pass of
/// the merged model for each layer, up to that layer. Each model runs on its own device, where batches are moved to. Outputs
/// of layers are downloaded, and their sums are in f64. Memory is that of the outputs of all layers of two models on one
/// batch. Batches that are not [made of tensors only](Batch::IS_ONLY_TENSORS) are recorded in every pass.
///
/// # Defaults
///
/// `Exact`.
///
/// # References
///
/// Jordan, Sedghi, Saukh, Entezari, Neyshabur 2023, *REPAIR: REnormalizing Permuted Activations for Interpolation Repair*,
/// arXiv:2211.08403. Layers are repaired in turn there, too; finding them in the program is ours.
///
/// # Example
///
/// See [`merge`](crate::merge).
#[derive(Config, Debug, PartialEq)]
pub struct RepairConfig {
    /// How the mean and deviation of the merged model are found.
    #[config(default = "RepairMethod::Exact")]
    pub method: RepairMethod,
}

impl RepairConfig {
    /// The repair of a copy of `merged`, which is a mean of `a` and `b` with the weights `1 − alpha` and `alpha`. It can be
    /// given an observer before it runs.
    ///
    /// `outputs` is the closure of [`Risk::split`](crate::loss::Risk::split), and may also return several tensors. `data`
    /// are batches of the training data; a few thousand examples are enough.
    ///
    /// # Errors
    ///
    /// [`MergeError::OutOfRange`] unless `alpha` is from 0 to 1; [`MergeError::DifferentModel`] and
    /// [`MergeError::NonFinite`]; [`MergeError::Space`].
    pub fn init<'a, M, B, T, F, D>(
        &self,
        outputs: &'a F,
        data: &'a D,
        a: &'a M,
        b: &'a M,
        merged: &'a M,
        alpha: f64,
    ) -> Result<Repair<'a, M>, MergeError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        ensure("alpha", alpha, 0.0..=1.0)?;
        let named = NAMES.iter().zip([a, b, merged]);
        let named: Vec<(String, &M)> = named
            .map(|(name, model)| (name.to_string(), model))
            .collect();
        let given = Given {
            method: self.method,
            outputs,
            data,
            models: [a, b, merged],
            alpha,
            tensors: checked(&named)?.pop().unwrap_or_default(),
        };
        Ok(Repair::new(move |observer| {
            given.repaired::<B, T>(observer)
        }))
    }

    /// Repairs a copy of `merged`. The arguments are those of [`init`](Self::init).
    ///
    /// A model without such layers is a result, not an error.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init) and of [`Repair::run`].
    pub fn run<M, B, T, F, D>(
        &self,
        outputs: &F,
        data: &D,
        a: &M,
        b: &M,
        merged: &M,
        alpha: f64,
    ) -> Result<Repaired<M>, MergeError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        let repair = self.init::<M, B, T, F, D>(outputs, data, a, b, merged, alpha)?;
        repair.run()
    }
}
