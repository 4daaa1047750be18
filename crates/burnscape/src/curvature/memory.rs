//! The memory that an operator needs, predicted from shapes, and the choice of what fits a budget.

use burnscape_linearize::{LinearMap, Linearized, Program};

use super::CurvatureError;
use super::batch_points::Program as Traced;
use super::reverse::Reverse;
use crate::loss::OperatorSettings;
use crate::space::ParamSpace;

/// The numbers of segments that are tried, beyond which the tensors that cross the cuts outweigh what is saved.
const SEGMENTS: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/// After how many numbers of segments without a lower peak the search ends.
const PATIENCE: usize = 3;

/// The memory of an operation while it is recorded, in units of one in a program.
pub(super) const RECORDED: u64 = 2;

/// The same while a map is derived.
pub(super) const DERIVED: u64 = 5;

/// The memory of an operation of a program on the host, in bytes, as measured.
const OPERATION: u64 = 900;

/// What is in memory beside the programs of a batch, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// A vector.
    pub(super) vector: u64,
    /// The sum of gradients; zero for maps without.
    pub(super) gradient: u64,
    /// The sum of the products of earlier batches; zero for a single batch.
    pub(super) sum: u64,
    /// A sum of products.
    total: u64,
    /// The tensors of the batch.
    pub(super) batch: u64,
    /// The least number of parts of a batch whose joint loss is computed.
    pub(super) joined: u64,
    /// An operation of a program, where host and device share memory.
    pub(super) operation: u64,
}

impl Frame {
    pub(super) fn new(
        space: &ParamSpace,
        has_gradient: bool,
        is_on_host: bool,
        batch: usize,
    ) -> Result<Self, CurvatureError> {
        let (len, size) = (space.len() as u64, space.dtype()?.size() as u64);
        let total = len * size.max(4);
        Ok(Self {
            vector: len * size,
            gradient: if has_gradient { total } else { 0 },
            sum: total,
            total,
            batch: batch as u64,
            joined: 0,
            operation: if is_on_host { OPERATION } else { 0 },
        })
    }

    /// The frame of a batch whose loss is compared with that of `parts` together.
    pub(super) fn joining(self, parts: u64) -> Self {
        Self {
            joined: parts,
            ..self
        }
    }

    /// The frame of one of a number of batches.
    pub(super) fn among(self, num_batches: Option<usize>) -> Self {
        let sum = match num_batches {
            Some(1) => 0,
            _ => self.total,
        };
        Self { sum, ..self }
    }
}

/// What the maps of a batch need beside stored residuals, in bytes, and what a product costs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    pub(super) point: u64,
    pub(super) product: u64,
    /// What deriving the maps takes, before anything runs.
    pub(super) tracing: u64,
    /// What is held while the losses of joined parts are computed: the programs of points, and the gradient.
    pub(super) beside_losses: u64,
    pub(super) flops: u64,
}

impl Needs {
    /// The needs with residuals stored, or recomputed in a number of segments.
    pub(super) fn of(
        maps: &[Linearized],
        reverse: Option<&Reverse>,
        segments: Option<usize>,
        frame: Frame,
    ) -> Self {
        let Frame {
            vector,
            gradient,
            sum,
            batch,
            joined,
            operation,
            ..
        } = frame;
        let Some(first) = maps.first() else {
            return Self::default();
        };
        let peak = |program: &Program| first.peak_bytes(program);
        // A map and what is prepared of it.
        let programs = |map: &LinearMap, prepared: &[&Program]| {
            let [once, each] = map.programs(None);
            let all = [&once, &each].into_iter().chain(prepared.iter().copied());
            operation * all.map(Program::num_operations).sum::<usize>() as u64
        };
        // A map as it is.
        let plain = |map: &LinearMap| programs(map, &[]);
        let (mut own, mut compared_with, mut to_multiply) = (0, 0, 0);
        let (mut all, mut largest) = (0, 0);
        let mut needs = Self::default();
        for map in maps {
            let prepared = map.map().programs(segments);
            let [point, product] = &prepared;
            own += programs(map.map(), &[point]);
            all += plain(map.map());
            largest = largest.max(plain(map.map()));
            to_multiply += programs(map.map(), &[product]);
            let stored = match segments {
                None => map.residual_bytes() as u64,
                Some(_) => 0,
            };
            let before = gradient.min(sum);
            needs.point = needs.point.max(peak(point).saturating_sub(stored) + before);
            needs.product = needs.product.max(peak(product) + vector + gradient + sum);
            needs.flops += product.flops();
        }
        // Of a check: the displaced weights, and for each map its values, its residuals and a product.
        let compared: &[LinearMap] = match reverse {
            None => &[],
            Some(Reverse::Gradient(map)) => std::slice::from_ref(map),
            Some(Reverse::Outputs(maps)) => maps.as_slice(),
        };
        for map in compared {
            let prepared = map.programs(segments);
            let [point, product] = &prepared;
            compared_with += programs(map, &[point, product]);
            all += plain(map);
            largest = largest.max(plain(map));
            let stored = match segments {
                None => map.residual_bytes() as u64,
                Some(_) => 0,
            };
            let multiplied = stored + gradient + vector + peak(product);
            let check = gradient + vector + peak(point).max(multiplied);
            needs.point = needs.point.max(check);
        }
        // An operator that moves compares a value of the closure, with Burn's kernels, while residuals are stored.
        let forward = first.map().first_value().peak_bytes();
        needs.point = needs.point.max(gradient + forward);
        if joined > 0 {
            let joint = Joint::of(first, frame);
            needs.point = needs.point.max(gradient + joint.bytes(joined));
        }
        needs.tracing = all + (DERIVED - 1) * largest;
        needs.point += own + compared_with;
        needs.beside_losses = own + gradient;
        needs.product += to_multiply;
        if segments.is_some() {
            needs.point += batch;
            needs.product += batch;
        }
        needs
    }

    /// The peak beside stored residuals, after the maps were derived.
    fn peak(&self) -> u64 {
        self.point.max(self.product)
    }

    /// The peak beside stored residuals. Where there is a single batch, none are stored while its maps are derived.
    fn beside(&self, num_batches: Option<usize>) -> u64 {
        match num_batches {
            Some(1) => self.peak(),
            _ => self.all(),
        }
    }

    fn all(&self) -> u64 {
        self.peak().max(self.tracing)
    }
}

/// What the loss of several parts of a batch together needs, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joint {
    /// For each part.
    part: u64,
    /// For the program.
    program: u64,
}

impl Joint {
    pub(super) fn of(map: &Linearized, frame: Frame) -> Self {
        let loss = map.map().first_value();
        let [once, _] = map.map().programs(None);
        Self {
            part: (map.peak_bytes(&loss) + frame.batch).max(1),
            program: RECORDED * frame.operation * once.num_operations() as u64,
        }
    }

    /// An upper bound: nothing grows faster than the number of examples.
    fn bytes(&self, parts: u64) -> u64 {
        self.program + parts * self.part
    }

    /// The most parts that fit.
    pub(super) fn fitting(&self, room: u64) -> u64 {
        room.saturating_sub(self.program) / self.part
    }
}

/// The least number of segments with which recomputed residuals fit into `room`, or else the least peak of all.
pub(super) fn fitting(
    room: u64,
    mut needs: impl FnMut(usize) -> Needs,
) -> Result<(usize, Needs), u64> {
    let (mut least, mut since) = (u64::MAX, 0);
    for segments in SEGMENTS {
        let found = needs(segments);
        if found.all() <= room {
            return Ok((segments, found));
        }
        since = if found.all() < least { 0 } else { since + 1 };
        least = least.min(found.all());
        if since == PATIENCE {
            break;
        }
    }
    Err(least)
}

/// What may still be stored while an operator is made.
pub(super) struct Room {
    budget: Option<u64>,
    /// The most bytes of residuals, draws and noise.
    limit: u64,
    /// The number of batches, if it is known.
    num_batches: Option<usize>,
    /// Whether residuals may be stored at all.
    stores: bool,
    /// The peak of a product beside stored residuals, of the batches so far.
    beside: u64,
    /// Whether all batches so far fit only if their residuals are stored.
    is_stored_only: bool,
    examples: usize,
}

impl Room {
    pub(super) fn new(
        settings: OperatorSettings,
        num_batches: Option<usize>,
        stores: bool,
    ) -> Self {
        Self {
            budget: settings.memory_budget.map(|bytes| bytes as u64),
            limit: if stores {
                settings.residuals() as u64
            } else {
                0
            },
            num_batches,
            stores,
            beside: 0,
            is_stored_only: false,
            examples: 0,
        }
    }

    /// Chooses the number of segments of a new program. Fails if it does not fit beside what is `kept`.
    pub(super) fn admit(
        &mut self,
        program: &mut Traced,
        kept: usize,
        examples: usize,
    ) -> Result<(), CurvatureError> {
        let Some(budget) = self.budget else {
            return Ok(());
        };
        self.examples = self.examples.max(examples);
        let residuals: usize = program.maps.iter().map(Linearized::residual_bytes).sum();
        let bytes = residuals as u64 + program.frame.batch;
        let needs = program.needs(None);
        let stored = needs.beside(self.num_batches);
        let all = self.num_batches.map(|count| count as u64 * bytes);
        let fits = |all: u64| {
            let peak = all.saturating_add(stored).max(needs.tracing);
            all <= self.limit && peak <= budget
        };
        if self.stores && kept == 0 && all.is_some_and(fits) {
            self.is_stored_only = true;
            self.beside = self.beside.max(stored);
        } else {
            // Draws of the other batches will be stored as well.
            let draws: usize = program.maps.iter().map(Linearized::draw_bytes).sum();
            let held = kept as u64 + (self.num_batches.unwrap_or(1) * draws) as u64;
            let room = budget.saturating_sub(held);
            let found = fitting(room, |segments| program.needs(Some(segments)));
            let (segments, needs) = found.map_err(|least| CurvatureError::MemoryBudget {
                budget,
                least: least + held,
                why: "",
            })?;
            program.cut(segments);
            let stored = if self.stores && stored <= room {
                stored
            } else {
                0
            };
            self.stores &= stored > 0;
            let beside = needs.beside(self.num_batches).max(stored);
            self.beside = self.beside.max(beside);
        }
        Ok(())
    }

    /// Whether this many bytes can be kept.
    pub(super) fn has(&self, kept: usize) -> bool {
        let kept = kept as u64;
        let fits = |budget: u64| kept.saturating_add(self.beside) <= budget;
        self.stores && kept <= self.limit && self.budget.is_none_or(fits)
    }

    /// Fails if a batch must be recomputed although there is room only if all are stored.
    pub(super) fn check_recomputed(&self, kept: usize) -> Result<(), CurvatureError> {
        match self.budget {
            Some(budget) if self.is_stored_only || kept as u64 + self.beside > budget => {
                Err(CurvatureError::MemoryBudget {
                    budget,
                    least: kept as u64 + self.beside,
                    why: "",
                })
            }
            _ => Ok(()),
        }
    }

    /// The most examples of a batch so far.
    pub(super) fn examples(&self) -> usize {
        self.examples
    }
}
