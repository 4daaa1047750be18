use burn::tensor::TensorData;

use super::combine::Combine;
use super::masks::Mask;
use crate::merge::{MergeError, MergeTensor};

/// Elements that are worked on at a time. All that is known of them stays in the cache next to the processor.
const CHUNK: usize = 512;

/// The differences of the models from their base in one tensor, `τ_i = θ_i − θ_0`. They are rounded to f32 unless an
/// input is f64, or they are too large for it.
#[derive(Debug)]
pub(super) struct TaskVectors<'t, 'm>(&'t MergeTensor<'m>);

impl<'t, 'm> TaskVectors<'t, 'm> {
    /// Refuses a tensor without a base, with the name of the method.
    pub(super) fn of(tensor: &'t MergeTensor<'m>, method: &str) -> Result<Self, MergeError> {
        tensor.check_base(method)?;
        Ok(Self(tensor))
    }

    pub(super) fn tensor(&self) -> &MergeTensor<'m> {
        self.0
    }

    /// Visits some elements at a time, with the index of the model; those of one model in order.
    pub(super) fn each(&self, mut visit: impl FnMut(usize, &[f64])) {
        let rounds = !self.0.is_double();
        let mut differences = [0.0; CHUNK];
        self.0.each(|block| {
            let Some(base) = block.base else { return };
            for (model, values) in block.models.iter().enumerate() {
                for (values, base) in values.chunks(CHUNK).zip(base.chunks(CHUNK)) {
                    let differences = &mut differences[..values.len()];
                    subtract(values, base, rounds, differences);
                    visit(model, differences);
                }
            }
        });
    }

    /// All elements of one model.
    pub(super) fn all_of(&self, model: usize) -> Vec<f64> {
        let mut all = Vec::with_capacity(self.0.len());
        self.each(|index, differences| {
            if index == model {
                all.extend_from_slice(differences);
            }
        });
        all
    }

    /// The base, plus `scale` times what the masks, one for each model, leave and `combine` makes of it.
    pub(super) fn merged(&self, mut masks: Vec<Mask>, combine: Combine, scale: f64) -> TensorData {
        let rounds = !self.0.is_double();
        let weights = combine.moderate(self.0.weights());
        let mut sums = combine.sums(&weights);
        let mut differences = [0.0; CHUNK];
        let mut merged = [0.0; CHUNK];
        self.0.map(|block, result| {
            let Some(base) = block.base else { return };
            for start in (0..block.len()).step_by(CHUNK) {
                let chunk = start..block.len().min(start + CHUNK);
                let base = &base[chunk.clone()];
                let differences = &mut differences[..base.len()];
                sums.clear(base.len());
                let models = block.models.iter().zip(&weights).zip(&mut masks);
                for ((values, weight), mask) in models {
                    subtract(&values[chunk.clone()], base, rounds, differences);
                    mask.apply(differences);
                    sums.add(*weight, differences);
                }
                let merged = &mut merged[..base.len()];
                sums.write(merged);
                let result = result[chunk].iter_mut();
                for ((result, base), merged) in result.zip(base).zip(merged) {
                    *result = base + scale * *merged;
                }
            }
        })
    }
}

/// `values − base`. The difference of two f32 numbers, in f64 and then in f32, is rounded as if it were computed in
/// f32; but it stays finite.
fn subtract(values: &[f64], base: &[f64], rounds: bool, differences: &mut [f64]) {
    let pairs = differences.iter_mut().zip(values).zip(base);
    if rounds {
        for ((difference, value), base) in pairs {
            let exact = value - base;
            let rounded = f64::from(exact as f32);
            *difference = if rounded.is_finite() { rounded } else { exact };
        }
    } else {
        for ((difference, value), base) in pairs {
            *difference = value - base;
        }
    }
}
