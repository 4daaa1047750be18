//! The layers of two models, and their moments over the data.

use std::collections::BTreeMap;

use burn::module::Module;

use super::layers::Layer;
use super::moments::Moments;
use super::probe::{Probe, each_batch};
use crate::loss::{Batch, DataSet, examples_and_weight};
use crate::merge::MergeError;

/// The layers of two models, and their moments over the data.
pub(super) struct Ends {
    pub(super) layers: Vec<Layer>,
    /// Parameters of no layer, each with the reason.
    pub(super) left: BTreeMap<String, String>,
    /// Those of both models, and those of a mean of their outputs.
    pub(super) moments: Vec<[Moments; 3]>,
    pub(super) num_batches: usize,
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
    pub(super) fn measured<M, B, T, F, D>(
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
        let mut found: Option<(Vec<Layer>, BTreeMap<String, String>)> = None;
        let mut moments: Vec<[Moments; 3]> = Vec::new();
        let num_batches = each_batch(data, |index, batch: B| {
            let (_, weight) = examples_and_weight(&batch, index)?;
            let expected = found.as_ref().map(|(layers, _)| layers.as_slice());
            let first = of_a.outputs(batch.clone(), index, expected)?;
            let layers: &[Layer] = &found.get_or_insert_with(|| of_a.layers()).0;
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
        let (layers, left) = found.unwrap_or_default();
        Ok(Self {
            layers,
            left,
            moments,
            num_batches,
        })
    }
}

/// The moments of one layer of the merged model.
pub(super) fn measured<M, B, T, F, D>(
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
