use burn::config::Config;
use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::moments::Moments;
use super::probe::{Layer, Probe, each_batch};
use super::rescaling::{Parameters, Seen};
use super::{RepairReport, Repaired};
use crate::loss::{Batch, DataSet, examples_and_weight};
use crate::merge::MergeError;
use crate::merge::models::tensors_of;
use crate::range::ensure;
use crate::space::with_values;

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
/// by a factor `r = σ* / σ` of the weights of the channel and another bias, `c' = μ* − r (μ − c)`. If a normalization with
/// parameters follows, its gain and shift change instead. A layer without a shift only gets the deviation. A channel
/// without a deviation keeps its scale.
///
/// Layers are found in the recorded forward pass of any model: they are products of the batch with parameters,
/// whose channels some group of [`symmetry`](crate::symmetry) permutes. The outputs of the model are not repaired. All
/// models are evaluated as by [`Module::valid`]; parameters are rescaled whether they are trained or frozen.
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
/// the merged model for each layer, up to that layer. Outputs of layers are downloaded, and their sums are in f64. Memory is that
/// of the outputs of all layers of two models on one batch. Batches that are not
/// [made of tensors only](Batch::IS_ONLY_TENSORS) are recorded in every pass.
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
    /// A copy of `merged`, which is a mean of `a` and `b` with the weights `1 − alpha` and `alpha`, with repaired layers.
    ///
    /// `outputs` is the closure of [`Risk::split`](crate::loss::Risk::split), and may also return several tensors. `data`
    /// are batches of the training data; a few thousand examples are enough.
    ///
    /// A model without such layers is a result, not an error.
    ///
    /// # Errors
    ///
    /// [`MergeError::OutOfRange`] unless `alpha` is from 0 to 1; [`MergeError::DifferentModel`] and
    /// [`MergeError::NonFinite`]; [`MergeError::DifferentLayers`] if models or batches run through different layers;
    /// [`MergeError::NonFiniteOutput`]; [`MergeError::Symmetry`] and [`MergeError::Linearize`] if the closure cannot be
    /// recorded or the program cannot run; [`MergeError::Loss`] for empty data and for batches without examples or
    /// weight; [`MergeError::Space`].
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
        ensure("alpha", alpha, 0.0..=1.0)?;
        let named = NAMES.iter().zip([a, b, merged]);
        let named: Vec<(String, &M)> = named
            .map(|(name, model)| (name.to_string(), model))
            .collect();
        let tensors = tensors_of(&named)?.pop().unwrap_or_default();
        let [mut of_a, mut of_b, mut of_merged] = [
            Probe::new(NAMES[0], outputs, a),
            Probe::new(NAMES[1], outputs, b),
            Probe::new(NAMES[2], outputs, merged),
        ];
        let mixed = match self.method {
            RepairMethod::Exact => None,
            RepairMethod::ClosedForm => Some(alpha),
        };
        let ends = Ends::measured::<M, B, T, F, D>(&mut of_a, &mut of_b, data, mixed)?;
        let mut parameters = Parameters::new(&tensors);
        let mut report = RepairReport {
            layers: Vec::with_capacity(ends.layers.len()),
            left: ends.left,
            num_batches: ends.num_batches,
        };
        for (index, layer) in ends.layers.iter().enumerate() {
            let [a, b, mixed] = &ends.moments[index];
            let names = [of_a.name(), of_b.name(), of_merged.name()];
            let measured = match self.method {
                RepairMethod::Exact => {
                    measured::<M, B, T, F, D>(&mut of_merged, data, index, &ends.layers)?
                }
                RepairMethod::ClosedForm => mixed.clone(),
            };
            for (name, moments) in names.into_iter().zip([a, b, &measured]) {
                if let Some(channel) = moments.non_finite() {
                    let parameter = layer.scale.first().map(|&(tensor, _)| tensor);
                    let path = parameter.or(layer.shift).and_then(|tensor| {
                        let tensor = tensors.get(tensor)?;
                        tensor.paths.first().cloned()
                    });
                    return Err(MergeError::NonFiniteOutput {
                        model: name.to_string(),
                        layer: path.unwrap_or_default(),
                        channel,
                    });
                }
            }
            let seen = Seen {
                a,
                b,
                merged: &measured,
            };
            let repaired = parameters.repair(layer, &seen, alpha, &mut of_merged)?;
            report.layers.push(repaired);
        }
        Ok(Repaired {
            model: with_values(merged, parameters.into_changed()),
            report,
        })
    }
}

/// The models for errors.
const NAMES: [&str; 3] = ["model `a`", "model `b`", "the merged model"];

/// The layers of two models, and their moments over the data.
struct Ends {
    layers: Vec<Layer>,
    /// Parameters of layers that are not repaired.
    left: Vec<String>,
    /// Those of both models, and those of a mean of their outputs.
    moments: Vec<[Moments; 3]>,
    num_batches: usize,
}

fn none(layers: &[Layer]) -> Vec<[Moments; 3]> {
    let channels = layers.iter().map(|layer| layer.num_channels);
    channels
        .map(|channels| std::array::from_fn(|_| Moments::none(channels)))
        .collect()
}

impl Ends {
    /// Measures both models in one pass. `mixed` is the weight of the second model in the mean of outputs, unless none is
    /// wanted.
    fn measured<M, B, T, F, D>(
        of_a: &mut Probe<'_, M, F>,
        of_b: &mut Probe<'_, M, F>,
        data: &D,
        mixed: Option<f64>,
    ) -> Result<Self, MergeError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        let mut layers: Option<Vec<Layer>> = None;
        let mut moments: Vec<[Moments; 3]> = Vec::new();
        let num_batches = each_batch(data, |index, batch: B| {
            let (_, weight) = examples_and_weight(&batch, index)?;
            let first = of_a.outputs(batch.clone(), index, layers.as_deref())?;
            let layers: &[Layer] = layers.get_or_insert_with(|| of_a.layers().0);
            if moments.is_empty() {
                moments = none(layers);
            }
            let second = of_b.outputs(batch, index, Some(layers))?;
            if first.len() != second.len() {
                return Err(of_b.different(index));
            }
            let mut own = none(layers);
            for (a, b) in first.into_iter().zip(second) {
                if (a.layer, a.layout) != (b.layer, b.layout) {
                    return Err(of_b.different(index));
                }
                let (layer, layout) = (a.layer, a.layout);
                let (mut a, b) = (a.download()?, b.download()?);
                let [sum_a, sum_b, sum_mixed] = &mut own[layer];
                sum_a.add(&Moments::of(&a, layout));
                sum_b.add(&Moments::of(&b, layout));
                if let Some(alpha) = mixed {
                    for (a, b) in a.iter_mut().zip(&b) {
                        *a -= alpha * (*a - b);
                    }
                    sum_mixed.add(&Moments::of(&a, layout));
                }
            }
            let own = own.into_iter().flatten();
            for (all, own) in moments.iter_mut().flatten().zip(own) {
                all.add(&own.with_weight(weight));
            }
            Ok(())
        })?;
        let (_, left) = of_a.layers();
        Ok(Self {
            layers: layers.unwrap_or_default(),
            left,
            moments,
            num_batches,
        })
    }
}

/// The moments of one layer of the merged model.
fn measured<M, B, T, F, D>(
    probe: &mut Probe<'_, M, F>,
    data: &D,
    index: usize,
    layers: &[Layer],
) -> Result<Moments, MergeError>
where
    M: Module,
    B: Batch,
    T: Batch,
    F: Fn(&M, &B) -> T,
    D: DataSet<B> + ?Sized,
{
    probe.select(index);
    let channels = layers[index].num_channels;
    let mut all = Moments::none(channels);
    each_batch(data, |batch_index, batch: B| {
        let (_, weight) = examples_and_weight(&batch, batch_index)?;
        let mut own = Moments::none(channels);
        for output in probe.outputs(batch, batch_index, Some(layers))? {
            let layout = output.layout;
            own.add(&Moments::of(&output.download()?, layout));
        }
        all.add(&own.with_weight(weight));
        Ok(())
    })?;
    Ok(all)
}
