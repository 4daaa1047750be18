use std::sync::Arc;

use burn::tensor::TensorData;

use super::TaskArithmetic;
use super::elements::TaskVectors;
use super::masks::Mask;
use super::selection::Selection;
use super::sparsify::share_of;
use crate::merge::{MergeError, MergeMethod, MergePass, MergeTensor};

/// Most bins for a model: single keys of f32 to 6 % at least on both sides of a guess.
const MOST_BINS: usize = 1 << 21;
/// Bins of a sample: eight bits of exponent, and eight of the mantissa, so that they are 0.4 % wide at most.
const SAMPLE_BINS: usize = 1 << 16;
/// The other bits of the mantissa.
const SAMPLE_SHIFT: u32 = 15;

/// Task arithmetic with one threshold for each model, which is known.
#[derive(Debug)]
pub(super) struct WholeModels {
    method: TaskArithmetic,
    thresholds: Vec<f64>,
}

impl WholeModels {
    /// Finds the thresholds: the largest magnitudes of which the share `density` of all elements is not less.
    pub(super) fn prepared(
        method: &TaskArithmetic,
        density: f64,
        all: &MergePass<'_>,
    ) -> Result<Arc<dyn MergeMethod>, MergeError> {
        let len = all.num_elements();
        let rank = share_of(density, len);
        let thresholds = if rank >= len {
            vec![0.0; all.num_models()]
        } else {
            thresholds(&method.name(), density, rank, all)?
        };
        let method = method.clone();
        Ok(Arc::new(Self { method, thresholds }))
    }
}

impl MergeMethod for WholeModels {
    fn name(&self) -> String {
        self.method.name()
    }

    fn needs_base(&self) -> bool {
        self.method.needs_base()
    }

    fn check(&self, name: &str, weights: &[f64]) -> Result<(), MergeError> {
        self.method.check(name, weights)
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        let vectors = TaskVectors::of(tensor, &self.name())?;
        let thresholds = self.thresholds.iter();
        let masks = thresholds.map(|&low| Mask::at_least(low)).collect();
        Ok(self.method.merged(&vectors, masks))
    }
}

/// The magnitude of this rank of each model.
fn thresholds(
    method: &str,
    density: f64,
    rank: usize,
    all: &MergePass<'_>,
) -> Result<Vec<f64>, MergeError> {
    let guesses = guesses(method, density, all)?;
    // Few numbers are sampled completely, and do not need many bins.
    let bins = all.num_elements().saturating_mul(64);
    let bins = bins.clamp(SAMPLE_BINS, MOST_BINS);
    let searches = (0..all.num_models()).map(|model| match &guesses {
        Some(guesses) => Selection::new(rank, false, bins).near(guesses[model]),
        None => Selection::new(rank, true, bins),
    });
    let mut searches: Vec<Selection> = searches.collect();
    loop {
        let found = searches.iter().map(Selection::found);
        if let Some(found) = found.collect::<Option<Vec<f64>>>() {
            return Ok(found);
        }
        all.each(|tensor| {
            TaskVectors::of(tensor, method)?.each(|model, differences| {
                if searches[model].found().is_none() {
                    searches[model].count(differences);
                }
            });
            Ok(())
        })?;
        for search in &mut searches {
            if search.found().is_none() {
                search.refine();
            }
        }
    }
}

/// The key of about this magnitude of each model, by a sample; none if a tensor is f64.
fn guesses(
    method: &str,
    density: f64,
    all: &MergePass<'_>,
) -> Result<Option<Vec<u64>>, MergeError> {
    let mut is_double = false;
    let mut samples = vec![vec![0.0; SAMPLE_BINS]; all.num_models()];
    let mut lengths = all.lengths().iter();
    all.sampled(|tensor| {
        is_double |= tensor.is_double();
        // How many elements one of the sample stands for.
        let sampled = tensor.len();
        let len = lengths.next().copied().unwrap_or(sampled);
        let weight = len as f64 / sampled.max(1) as f64;
        TaskVectors::of(tensor, method)?.each(|model, differences| {
            for difference in differences {
                let bin = Selection::single_key(*difference) >> SAMPLE_SHIFT;
                samples[model][bin as usize] += weight;
            }
        });
        Ok(())
    })?;
    if is_double {
        return Ok(None);
    }
    let guesses = samples.iter().map(|sample| {
        let total: f64 = sample.iter().sum();
        let mut at_least = 0.0;
        let bin = sample.iter().rposition(|weight| {
            at_least += weight;
            at_least >= density * total
        });
        let middle = 1 << (SAMPLE_SHIFT - 1);
        ((bin.unwrap_or(0) as u64) << SAMPLE_SHIFT) + middle
    });
    Ok(Some(guesses.collect()))
}
