//! The batches of an operator within its memory budget.

use burn::module::Module;
use burnscape_linearize::{Batching, Linearized, Sharing};

use super::CurvatureError;
use super::batch_points::{BatchPoints, Program, Setup};
use super::joined::{Compared, compare_joined};
use super::kept::KeptShard;
use super::memory::{DERIVED, Frame, Joint, Needs, Room};
use super::site::Site;
use super::stale::FirstValue;
use crate::loss::{Draws, Mode, OperatorSettings, SourceInParts};

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
    /// The most memory that the comparison of joined parts took, in bytes.
    pub(super) comparison: u64,
}

/// The points of all batches, with as many residuals stored as fit; without any, if that is too much; and last in
/// parts of batches. An operator that moves keeps its division, which fits the same data again.
pub(super) fn fitted<M: Module>(
    site: &Site<'_, '_, M>,
    setup: &Setup<'_, M>,
    kept: Option<KeptShard>,
) -> Result<Fitted, CurvatureError> {
    if let Some(examples) = site.examples {
        return divided(site, setup, examples);
    }
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
            Ok(found) => return in_parts(site, found, examples, failed),
            Err(error) => failed = nearer(failed, error)?,
        }
    }
    Err(failed)
}

/// Points of parts with at most so many examples, if losses of parts together are the mean of theirs; otherwise why
/// nothing fits, which `failed` before.
fn in_parts<M: Module>(
    site: &Site<'_, '_, M>,
    mut found: Fitted,
    examples: usize,
    failed: CurvatureError,
) -> Result<Fitted, CurvatureError> {
    let compared = compare(site, &found.points, examples)?;
    if !compared.is_mean {
        let why = "; batches cannot be split, because the loss of a batch is not the mean (or sum, as \
                   its reduction says) of the losses of its parts";
        return Err(because(failed, why));
    }
    found.division.examples = Some(examples);
    found.division.comparison = compared.peak;
    Ok(found)
}

/// The points of parts as small as those of another device, so that the parts of all have one order.
fn divided<M: Module>(
    site: &Site<'_, '_, M>,
    setup: &Setup<'_, M>,
    examples: usize,
) -> Result<Fitted, CurvatureError> {
    let whole = site.source;
    let parts = SourceInParts { whole, examples };
    let found = attempt(&site.in_parts(&parts), setup, &mut 0)?;
    in_parts(site, found, examples, unfit(site))
}

/// What is returned of parts that fit but may not be used; the least budget is not known.
fn unfit<M: Module>(site: &Site<'_, '_, M>) -> CurvatureError {
    let budget = site.operators.memory_budget.unwrap_or(0) as u64;
    CurvatureError::MemoryBudget {
        budget,
        least: budget.saturating_add(1),
        why: "",
    }
}

/// The points at other weights, divided as before.
fn again<M: Module>(
    site: &Site<'_, '_, M>,
    setup: &Setup<'_, M>,
    kept: KeptShard,
) -> Result<Fitted, CurvatureError> {
    let division = kept.division;
    let is_other_data = kept.num_batches() == 0;
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
    let found = Fitted { points, division };
    match division.examples {
        // What was compared before were the parts of other data.
        Some(examples) if is_other_data => in_parts(site, found, examples, unfit(site)),
        _ => Ok(found),
    }
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
            comparison: 0,
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
    } else if setup.keeps_gradients {
        Some("; batches are not split where each has a gradient and a product of its own")
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

/// Compares the losses of as many parts at a time as fit with theirs. Their number is at least that of `site`, for which
/// there is room.
fn compare<M: Module>(
    whole: &Site<'_, '_, M>,
    points: &BatchPoints,
    examples: usize,
) -> Result<Compared, CurvatureError> {
    let budget = whole.operators.memory_budget.unwrap_or(usize::MAX) as u64;
    let room = budget.saturating_sub(points.kept as u64);
    let fitting = points.programs.iter().map(|program| {
        let beside = program.needs(Some(program.segments)).beside_losses;
        let joint = Joint::of(&program.maps[0], program.frame);
        (beside, joint.fitting(room.saturating_sub(beside)))
    });
    let (beside, joined) = fitting.fold((0, u64::MAX), |(all, least), (beside, joined)| {
        (all.max(beside), least.min(joined))
    });
    let joined = usize::try_from(joined).unwrap_or(usize::MAX);
    let found = compare_joined(whole, points, examples, joined)?;
    Ok(Compared {
        peak: found.peak + beside,
        ..found
    })
}

/// Limits what runs at the same time in a program, and returns the most vectors of a block. `rereads` tells that
/// products recompute the residuals of some of its batches.
pub(super) fn limit_blocks(
    program: &mut Program,
    settings: OperatorSettings,
    kept: usize,
    rereads: bool,
) -> usize {
    let Some(budget) = settings.memory_budget else {
        let sharing = Sharing::Within(settings.residuals());
        for map in &mut program.maps {
            map.share_residuals(sharing);
        }
        return settings.block_size;
    };
    let room = (budget as u64).saturating_sub(kept as u64);
    let (stored, own) = (program.needs(None), program.needs(Some(program.segments)));
    let is_together = |map: &Linearized| map.batching() == Batching::Together;
    if program.maps.iter().any(is_together) {
        return settings.most(room / own.product.max(1));
    }
    // A block is stacked, its products are made and stacked, and added to those of other batches.
    let Frame { vector, sum, .. } = program.frame;
    let vector = (3 * vector + sum).max(1);
    let vectors = |needs: u64| match room.checked_sub(needs) {
        Some(left) => settings.most(1 + left / vector),
        None => 0,
    };
    let needs = if rereads { own } else { stored }.product;
    let (sharing, needs) = match program.shared() {
        _ if !rereads => (Sharing::All, needs),
        shared if vectors(shared) > 1 => (Sharing::All, shared),
        _ => {
            let fits = |&(count, needs): &(usize, u64)| vectors(needs) >= count;
            let groups = program.groups(own, settings.block_size, room);
            let (most, needs) = groups.take_while(fits).last().unwrap_or((1, needs));
            (Sharing::Groups(most), needs)
        }
    };
    let vectors = vectors(needs).max(1);
    let left = room.saturating_sub(needs.max(stored.product) + (vectors as u64 - 1) * vector);
    let lanes = 1 + left / program.lane_bytes().max(1);
    for map in &mut program.maps {
        map.limit_lanes(lanes as usize);
        map.share_residuals(sharing);
    }
    vectors
}

impl OperatorSettings {
    /// As many vectors of a block as fit, at least one.
    fn most(&self, fitting: u64) -> usize {
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        fitting.clamp(1, self.block_size)
    }
}

impl Program {
    /// The memory of one more product at the same time.
    pub(super) fn lane_bytes(&self) -> u64 {
        let each = |map: &Linearized| map.peak_bytes(map.map().each());
        self.maps.iter().map(each).max().unwrap_or(0)
    }

    /// The memory of groups of products that are made at the same time, where a single one has `own` needs. There must
    /// be room to tell.
    fn groups(&self, own: Needs, most: usize, room: u64) -> impl Iterator<Item = (usize, u64)> {
        let needs = |count: usize| {
            let of = |map: &Linearized| {
                let several = map.map().several(self.segments, count);
                let programs = self.frame.operation * several.num_operations() as u64;
                [map.peak_bytes(&several), programs]
            };
            let both = self.maps.iter().map(of);
            let both = both.fold([0, 0], |all, own| [all[0].max(own[0]), all[1] + own[1]]);
            both[0] + both[1]
        };
        let operations = |map: &Linearized| map.map().each().num_operations() as u64;
        let operations = self.maps.iter().map(operations).sum::<u64>();
        let telling = DERIVED * self.frame.operation * operations;
        let room = room.saturating_sub(own.beside_losses);
        let alone = needs(1);
        let sizes = std::iter::successors(Some(2), |count| Some(2 * count));
        let sizes = sizes.take_while(move |&count| count <= most && count as u64 * telling <= room);
        sizes.map(move |count| (count, own.product + needs(count).saturating_sub(alone)))
    }

    /// The memory of products that share residuals, of which one is made at a time.
    fn shared(&self) -> u64 {
        let stored = self.needs(None);
        let frame = self.frame;
        let of = |map: &Linearized| {
            let residuals = map.map().residuals();
            let programs = 2 * frame.operation * residuals.num_operations() as u64;
            let held = map.residual_bytes() as u64 + stored.product;
            let making = map.peak_bytes(&residuals) + frame.vector + frame.gradient + frame.sum;
            frame.batch + programs + held.max(making)
        };
        self.maps.iter().map(of).max().unwrap_or(0)
    }
}
