//! Whether the loss of joined parts of a batch is the mean of theirs.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use burn::backend::DispatchTensor;
use burn::module::Module;
use burnscape_linearize::PreparedProgram;

use super::CurvatureError;
use super::batch_points::{BatchPoint, BatchPoints};
use super::memory::RECORDED;
use super::site::{Site, number_of_batches};
use crate::loss::{Reduction, RiskBatch, Signature, Tensors, each};
use crate::space::{epsilon, to_host};

/// What was found of parts of batches.
pub(super) struct Compared {
    /// Whether the loss of joined parts is the mean of theirs, or the sum as the reduction says, and parts of a mean
    /// have the weight of their batch together.
    pub(super) is_mean: bool,
    /// The most memory that the loss of joined parts took, as predicted from its program, in bytes.
    pub(super) peak: u64,
}

/// Compares the loss of `joined` parts at a time with the losses of the parts, `points` with at most `examples` each.
/// One part of each group also belongs to the next one, so that no change of weight between parts is missed.
///
/// # Cost
///
/// A forward pass over the data, and of the parts that groups share.
pub(super) fn compare_joined<M: Module>(
    site: &Site<'_, '_, M>,
    points: &BatchPoints,
    examples: usize,
    joined: usize,
) -> Result<Compared, CurvatureError> {
    let mut losses = JointLosses {
        site,
        points,
        programs: HashMap::new(),
        peak: 0,
    };
    let tolerance = epsilon(site.space.dtype()?).sqrt();
    let (mut first, mut is_mean) = (0, true);
    each(site.source, |index, batch| {
        let (count, weight) = batch.examples_and_weight(index)?;
        let num_parts = count.div_ceil(examples);
        let Some(parts) = points.batches.get(first..first + num_parts) else {
            return Err(number_of_batches(points.batches.len(), first + num_parts));
        };
        first += num_parts;
        // Beside other batches, the parts must count as much together as their batch.
        let counted: f64 = parts.iter().map(|part| part.weight).sum();
        let is_weighted = site.reduction == Reduction::Mean;
        if is_weighted && (counted - weight).abs() > tolerance * weight.abs() {
            is_mean = false;
            return Ok(ControlFlow::Break(()));
        }
        for group in groups(num_parts, joined) {
            let own = group.start * examples..count.min(group.end * examples);
            let found = if own == (0..count) {
                losses.of(batch, 0)?
            } else {
                losses.of(&*batch.part(own)?, 1)?
            };
            let (mean, size) = mean_of(&parts[group], site.reduction);
            // A loss that is not finite was an error before.
            if (mean - found).abs() > tolerance * size.max(found.abs()) {
                is_mean = false;
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok::<_, CurvatureError>(ControlFlow::Continue(()))
    })?;
    Ok(Compared {
        is_mean,
        peak: losses.peak,
    })
}

/// Groups of at most `size` neighbors that cover `count` parts, each sharing one with the next. None for a single part.
fn groups(count: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let size = size.max(2);
    let starts = (0..count.saturating_sub(1)).step_by(size - 1);
    starts.map(move |start| start..count.min(start + size))
}

/// The mean or sum of the losses of parts, and that of their sizes.
fn mean_of(parts: &[BatchPoint], reduction: Reduction) -> (f64, f64) {
    let (mut sum, mut size, mut weight) = (0.0, 0.0, 0.0);
    for part in parts {
        sum += part.factor * part.loss;
        size += (part.factor * part.loss).abs();
        weight += part.factor;
    }
    match reduction {
        Reduction::Mean => (sum / weight, size / weight),
        Reduction::Sum => (sum, size),
    }
}

/// The losses of batches by programs of the forward pass alone, whose memory is known.
struct JointLosses<'s, 'r, 'a, M> {
    site: &'s Site<'r, 'a, M>,
    points: &'s BatchPoints,
    programs: HashMap<Signature, (PreparedProgram, Vec<DispatchTensor>)>,
    peak: u64,
}

impl<M: Module> JointLosses<'_, '_, '_, M> {
    /// The loss of a batch, of which there are `copies`.
    fn of(&mut self, batch: &dyn RiskBatch<M>, copies: u64) -> Result<f64, CurvatureError> {
        let tensors = batch.tensors();
        let batch_bytes = copies * tensors.bytes() as u64;
        let Tensors { values, signature } = tensors;
        if !self.site.source.shares_traces() {
            self.programs.clear();
        }
        let (mut program, model) = match self.programs.remove(&signature) {
            Some(known) => known,
            None => self.traced(batch, values.len(), batch_bytes)?,
        };
        let inputs: Vec<DispatchTensor> = model.iter().cloned().chain(values).collect();
        let found = program.run(&inputs)?;
        self.programs.insert(signature, (program, model));
        let loss = found.into_iter().next().map(to_host).transpose()?;
        Ok(loss.into_iter().flatten().sum())
    }

    /// The program of a batch, and the tensors of the model that it reads.
    fn traced(
        &mut self,
        batch: &dyn RiskBatch<M>,
        num_tensors: usize,
        batch_bytes: u64,
    ) -> Result<(PreparedProgram, Vec<DispatchTensor>), CurvatureError> {
        let site = self.site;
        let trace = batch.trace_gradient(site.model(), site.settings, site.reduction)?;
        let recorded = trace.program.num_operations() as u64;
        let program = trace.program.first_output();
        let mut bindings = trace.bindings;
        bindings.truncate(bindings.len() - num_tensors);
        if let Some(known) = self.points.programs.first() {
            let operations = RECORDED * recorded;
            let own = known.maps[0].peak_bytes(&program) + known.frame.operation * operations;
            self.peak = self.peak.max(own + batch_bytes);
        }
        let prepared = program.prepare(site.space.device())?;
        Ok((prepared, bindings))
    }
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn groups_cover_all_neighbors() {
        let of = |count, size| -> Vec<[usize; 2]> {
            groups(count, size)
                .map(|group| [group.start, group.end])
                .collect()
        };
        assert!(of(1, 4).is_empty());
        assert_eq!(of(4, 9), [[0, 4]]);
        assert_eq!(of(4, 2), [[0, 2], [1, 3], [2, 4]]);
        assert_eq!(of(6, 3), [[0, 3], [2, 5], [4, 6]]);
        assert_eq!(of(5, 3), [[0, 3], [2, 5]]);
    }
}
