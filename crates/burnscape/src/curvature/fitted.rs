//! The batches of an operator within its memory budget.

use std::ops::ControlFlow;

use burn::module::Module;
use burnscape_linearize::{Batching, Linearized};

use super::CurvatureError;
use super::batch_points::{BatchPoints, Program, Setup};
use super::kept::Kept;
use super::memory::Room;
use super::site::Site;
use super::stale::FirstValue;
use crate::loss::{Draws, Lift, Mode, OperatorSettings, Reduction, Source, SourceInParts, each};
use crate::space::{epsilon, to_host};

/// Points that fit.
pub(super) struct Fitted {
    pub(super) points: BatchPoints,
    pub(super) division: Division,
}

/// How the data were divided to fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Division {
    /// Whether residuals may be stored.
    stores: bool,
    /// The most examples of a part, if batches are split.
    pub(super) examples: Option<usize>,
}

/// The points of all batches, with as many residuals stored as fit; without any, if that is too much; and last in
/// parts of batches. An operator that moves keeps its division, which fits the same data again.
pub(super) fn fitted<M: Module>(
    site: &Site<'_, '_, M>,
    setup: &Setup<'_, M>,
    kept: Option<Kept>,
) -> Result<Fitted, CurvatureError> {
    if let Some(kept) = kept {
        match again(site, setup, kept) {
            // Other data may need another division.
            Err(CurvatureError::MemoryBudget { .. }) => {}
            other => return other,
        }
    }
    let mut examples = 0;
    let mut failed = match attempt(site, setup, &mut examples) {
        Ok(points) => return Ok(points),
        Err(error) => error,
    };
    if !matches!(failed, CurvatureError::MemoryBudget { .. }) {
        return Err(failed);
    }
    if let Some(why) = refusal(site, setup) {
        return Err(because(failed, why));
    }
    while examples > 1 {
        examples = examples.div_ceil(2);
        let parts = SourceInParts {
            whole: site.source,
            examples,
        };
        match attempt(&site.in_parts(&parts), setup, &mut 0) {
            Ok(mut found) => {
                if !is_mean_of(site, &parts)? {
                    let why = "; batches cannot be split, because the loss of a batch is not the mean (or sum, as \
                               its reduction says) of the losses of its parts";
                    return Err(because(failed, why));
                }
                found.division.examples = Some(examples);
                return Ok(found);
            }
            Err(error) => failed = nearer(failed, error)?,
        }
    }
    Err(failed)
}

/// The points at other weights, divided as before.
fn again<M: Module>(
    site: &Site<'_, '_, M>,
    setup: &Setup<'_, M>,
    kept: Kept,
) -> Result<Fitted, CurvatureError> {
    let division = kept.division;
    let made = |site: &Site<'_, '_, M>| {
        let num_batches = site.source.num_batches();
        let mut room = Room::new(site.operators, num_batches, division.stores);
        BatchPoints::new(site, setup, &mut room, Some(kept))
    };
    let points = match division.examples {
        None => made(site),
        Some(examples) => {
            let whole = site.source;
            made(&site.in_parts(&SourceInParts { whole, examples }))
        }
    }?;
    Ok(Fitted { points, division })
}

/// The points with residuals stored as far as they fit, or else without. `examples` becomes the size of the largest
/// batch seen.
fn attempt<M: Module>(
    site: &Site<'_, '_, M>,
    setup: &Setup<'_, M>,
    examples: &mut usize,
) -> Result<Fitted, CurvatureError> {
    let num_batches = site.source.num_batches();
    let mut made = |stores| {
        let mut room = Room::new(site.operators, num_batches, stores);
        let points = BatchPoints::new(site, setup, &mut room, None);
        *examples = room.examples().max(*examples);
        let division = Division {
            stores,
            examples: None,
        };
        points.map(|points| Fitted { points, division })
    };
    match made(true) {
        Err(first @ CurvatureError::MemoryBudget { .. }) => {
            made(false).or_else(|second| nearer(first, second).and_then(Err))
        }
        other => other,
    }
}

/// Of two failures the one with the lower least budget; an error of another kind at once.
fn nearer(first: CurvatureError, second: CurvatureError) -> Result<CurvatureError, CurvatureError> {
    use CurvatureError::MemoryBudget;
    match (&first, &second) {
        (MemoryBudget { least: a, .. }, MemoryBudget { least: b, .. }) => {
            Ok(if a <= b { first } else { second })
        }
        _ => Err(second),
    }
}

/// Why batches cannot be split.
fn refusal<M: Module>(site: &Site<'_, '_, M>, setup: &Setup<'_, M>) -> Option<&'static str> {
    if site.mode == Mode::Train {
        Some("; batches are not split in `Mode::Train`, where models may mix examples")
    } else if site.draws != Draws::Refused {
        Some("; batches are not split while a seed fixes the draws of each")
    } else if setup.first == FirstValue::Outputs {
        Some("; batches are not split where the outputs of a batch are differentiated")
    } else {
        None
    }
}

fn because(error: CurvatureError, why: &'static str) -> CurvatureError {
    match error {
        CurvatureError::MemoryBudget { budget, least, .. } => {
            CurvatureError::MemoryBudget { budget, least, why }
        }
        other => other,
    }
}

/// Whether the loss of every batch is that of its parts.
///
/// # Cost
///
/// Two forward passes over the data.
fn is_mean_of<M: Module>(
    site: &Site<'_, '_, M>,
    parts: &SourceInParts<'_, M>,
) -> Result<bool, CurvatureError> {
    let wholes = losses(site, site.source)?;
    let mut parts = losses(site, parts)?.into_iter();
    let tolerance = epsilon(site.space.dtype()?).sqrt();
    for whole in wholes {
        let (mut count, mut weight, mut sum, mut size) = (0, 0.0, 0.0, 0.0);
        while count < whole.examples
            && let Some(part) = parts.next()
        {
            let factor = match site.reduction {
                Reduction::Mean => part.weight,
                Reduction::Sum => 1.0,
            };
            count += part.examples;
            weight += part.weight;
            sum += factor * part.loss;
            size += (factor * part.loss).abs();
        }
        if site.reduction == Reduction::Mean {
            (sum, size) = (sum / weight, size / weight);
        }
        // A loss that is not finite was an error before.
        if (sum - whole.loss).abs() > tolerance * size.max(whole.loss.abs()) {
            return Ok(false);
        }
    }
    Ok(true)
}

struct BatchLoss {
    examples: usize,
    weight: f64,
    loss: f64,
}

fn losses<M: Module>(
    site: &Site<'_, '_, M>,
    source: &dyn Source<M>,
) -> Result<Vec<BatchLoss>, CurvatureError> {
    let model = site.model().valid();
    let mut found = Vec::new();
    each(source, |index, batch| {
        let (examples, weight) = batch.examples_and_weight(index)?;
        let loss = batch.loss(&model, Lift::Plain, site.reduction);
        let loss = to_host(loss)?.into_iter().sum();
        found.push(BatchLoss {
            examples,
            weight,
            loss,
        });
        Ok::<_, CurvatureError>(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Limits what runs at the same time in a program, and returns the most vectors of a block.
pub(super) fn limit_blocks(
    program: &mut Program,
    settings: OperatorSettings,
    kept: usize,
) -> usize {
    let Some(budget) = settings.memory_budget else {
        for map in &mut program.maps {
            map.limit_shared_residuals(settings.residuals());
        }
        return usize::MAX;
    };
    let (stored, own) = (program.needs(None), program.needs(Some(program.segments)));
    let room = (budget as u64).saturating_sub(kept as u64);
    let beside = |needs: u64| room.saturating_sub(needs);
    let lane = program.lane_bytes().max(1);
    let lanes = 1 + beside(stored.product) / lane;
    let single = own.product.max(1);
    let is_together = program
        .maps
        .iter()
        .any(|map| map.batching() == Batching::Together);
    // A block is stacked, and its products are stacked.
    let vector = (3 * program.frame.vector).max(1);
    let vectors = if is_together {
        room / single
    } else {
        1 + beside(single) / vector
    };
    for map in &mut program.maps {
        map.limit_lanes(lanes as usize);
        map.limit_shared_residuals(beside(stored.product) as usize);
    }
    vectors.max(1) as usize
}

impl Program {
    /// The memory of one more product at the same time.
    pub(super) fn lane_bytes(&self) -> u64 {
        let each = |map: &Linearized| map.map().each().peak_bytes();
        self.maps.iter().map(each).max().unwrap_or(0)
    }
}
