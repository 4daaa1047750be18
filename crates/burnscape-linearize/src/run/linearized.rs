use std::collections::HashMap;
use std::sync::Arc;

use burn::backend::DispatchTensor;
use burn::tensor::{Device, Tensor};

use super::blocks::{Batching, Block, Sharing};
use super::engine::{Engine, engine, flat};
use super::executable::Executable;
use super::point::{Checkpointing, Draw, Point, with_tangent};
use super::{ties, upstream};
use crate::LinearizeError;
use crate::map::LinearMap;
use crate::program::Program;

/// A [`LinearMap`] on a device. It evaluates [points](Point), and multiplies tangents at them.
///
/// A single one serves all batches with the shapes of the trace.
pub struct Linearized {
    pub(super) engine: Box<dyn Engine>,
    pub(super) device: Device,
    /// Engines for concurrent products, created on demand.
    pub(super) lanes: Vec<Box<dyn Engine>>,
    pub(super) max_lanes: usize,
    pub(super) map: LinearMap,
    draws: Executable,
    /// Programs that are prepared on demand.
    prepared: Prepared,
    /// Into how many segments the forward pass is cut where residuals are recomputed.
    pub(super) segments: usize,
    pub(super) sharing: Sharing,
    /// The least number of tangents that take as much memory one by one as together with residuals; computed on demand.
    pub(super) shared_from: Option<u64>,
    pub(super) batching: Batching,
    /// Products with blocks of tangents; prepared on demand.
    pub(super) blocks: HashMap<Block, Executable>,
}

/// The programs of points and products, where they have been needed.
#[derive(Default)]
struct Prepared {
    /// Values and residuals.
    once: Option<Arc<Executable>>,
    /// Products from residuals.
    each: Option<Arc<Executable>>,
    /// Residuals without values.
    residuals: Option<Arc<Executable>>,
    /// Values without residuals.
    values: Option<Arc<Executable>>,
    /// Products with recomputed residuals, by the number of tangents.
    whole: HashMap<usize, Arc<Executable>>,
}

/// The maximum memory of concurrent products, in bytes.
const LANE_BYTES: u64 = 1 << 30;

impl std::fmt::Debug for Linearized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linearized")
            .field("num_columns", &self.map.num_columns())
            .field("num_rows", &self.map.num_rows())
            .finish_non_exhaustive()
    }
}

impl Linearized {
    /// Prepares `map` for `device`.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::UnsupportedDevice`], and [`LinearizeError::Upstream`] if the map contains a gradient
    /// that Burn computes incorrectly on this device.
    pub fn new(map: &LinearMap, device: &Device) -> Result<Self, LinearizeError> {
        let mut engine = engine(device)?;
        for program in [&map.draws, &map.once, &map.each] {
            upstream::check(program, engine.is_accelerator())?;
            engine.constants(program);
        }
        let batching = if engine.is_accelerator() {
            Batching::Together
        } else {
            Batching::InTurn
        };
        Ok(Self {
            device: device.clone(),
            lanes: Vec::new(),
            max_lanes: (LANE_BYTES / engine.peak_bytes(&map.each).max(1)).max(1) as usize,
            batching,
            draws: engine.executable(&map.draws),
            engine,
            prepared: Prepared::default(),
            segments: 1,
            sharing: Sharing::All,
            shared_from: None,
            map: map.clone(),
            blocks: HashMap::new(),
        })
    }

    /// Cuts the forward pass into segments where residuals are recomputed: each but the last is computed a second
    /// time for the backward pass, and only one of them is in memory at a time. 1 does not cut it.
    #[doc(hidden)]
    #[must_use]
    pub fn with_segments(self, segments: usize) -> Self {
        Self {
            segments,
            prepared: Prepared::default(),
            blocks: HashMap::new(),
            shared_from: None,
            ..self
        }
    }

    /// Sets when the tangents of a block share residuals that are recomputed.
    #[doc(hidden)]
    pub fn share_residuals(&mut self, sharing: Sharing) {
        self.sharing = sharing;
    }

    /// Drops the programs of points, which the next point prepares again.
    #[doc(hidden)]
    pub fn release_points(&mut self) {
        self.prepared.once = None;
        self.prepared.values = None;
    }

    /// Limits how many products run at the same time.
    #[doc(hidden)]
    pub fn limit_lanes(&mut self, lanes: usize) {
        self.max_lanes = self.max_lanes.min(lanes.max(1));
    }

    /// The map.
    pub fn map(&self) -> &LinearMap {
        &self.map
    }

    /// The memory of a point with [stored](Checkpointing::Store) residuals, in bytes, in addition to its
    /// inputs.
    pub fn residual_bytes(&self) -> usize {
        self.map.residual_bytes()
    }

    /// The memory of the random draws of a point, in bytes.
    pub fn draw_bytes(&self) -> usize {
        self.map.draw_bytes()
    }

    /// The peak memory of a run of a program on this device in bytes, as [`Program::peak_bytes`], with the buffers of
    /// the kernels that run.
    #[doc(hidden)]
    pub fn peak_bytes(&self, program: &Program) -> u64 {
        self.engine.peak_bytes(program)
    }

    /// Evaluates the map at a point, and prepares products there.
    ///
    /// `inputs` are values for the inputs of the trace, in the same order. Random draws advance the
    /// device's generator.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`], [`LinearizeError::Execution`], and [`LinearizeError::Tie`] if the program
    /// compares values for equality that are equal at this point.
    pub fn point(
        &mut self,
        inputs: &[DispatchTensor],
        checkpointing: Checkpointing,
    ) -> Result<Point, LinearizeError> {
        let values = self.engine.run(&self.draws, &[])?;
        let ports = self.map.draws.outputs.iter().zip(values);
        let draws = ports.map(|(port, value)| Draw {
            id: port.tensor.id,
            value,
        });
        self.evaluate(inputs, draws.collect(), checkpointing)
    }

    /// As [`point`](Self::point), with the random draws of another point, so that both belong to one
    /// function. The other point must be of this map or of a map of the same trace.
    ///
    /// # Errors
    ///
    /// As [`point`](Self::point), and [`LinearizeError::Mismatch`] for a point of another trace.
    pub fn point_with_draws_of(
        &mut self,
        other: &Point,
        inputs: &[DispatchTensor],
        checkpointing: Checkpointing,
    ) -> Result<Point, LinearizeError> {
        let draws = self.map.draws.outputs.iter().map(|port| {
            let mut draws = other.draws.iter();
            let draw = draws.find(|draw| draw.id == port.tensor.id).cloned();
            draw.ok_or_else(|| LinearizeError::Mismatch {
                what: "the random draws".into(),
                expected: "those of a point of the same trace".into(),
                found: "those of another trace".into(),
            })
        });
        let draws = draws.collect::<Result<_, _>>()?;
        self.evaluate(inputs, draws, checkpointing)
    }

    fn evaluate(
        &mut self,
        inputs: &[DispatchTensor],
        draws: Vec<Draw>,
        checkpointing: Checkpointing,
    ) -> Result<Point, LinearizeError> {
        let map = &self.map;
        if inputs.len() != map.num_primal {
            return Err(LinearizeError::Mismatch {
                what: "the number of inputs".into(),
                expected: map.num_primal.to_string(),
                found: inputs.len().to_string(),
            });
        }
        let drawn = draws.iter().map(|draw| &draw.value);
        let given: Vec<DispatchTensor> = inputs.iter().chain(drawn).cloned().collect();
        let (num_values, num_residuals) = match checkpointing {
            Checkpointing::Store => (map.num_values, map.num_residuals()),
            Checkpointing::Recompute => (map.num_values, 0),
        };
        let (engine, segments) = (&mut self.engine, self.segments);
        let executable = match checkpointing {
            Checkpointing::Store => {
                let prepare = || Arc::new(engine.executable(&map.once));
                &**self.prepared.once.get_or_insert_with(prepare)
            }
            Checkpointing::Recompute => {
                let prepare = || Arc::new(engine.executable(&map.values(segments)));
                &**self.prepared.values.get_or_insert_with(prepare)
            }
        };
        let mut values = engine.run(executable, &given)?;
        let counts = values.split_off(num_values + num_residuals);
        ties::check(&map.ties, counts, &map.once.inputs, &given, |nearby| {
            let mut values = engine.run(executable, nearby)?;
            Ok(values.split_off(num_values + num_residuals))
        })?;
        let residuals = values.split_off(num_values);
        let values = values.into_iter().map(flat).collect();
        Ok(match checkpointing {
            Checkpointing::Store => Point {
                values,
                inputs: Vec::new(),
                draws,
                residuals: Some(residuals),
            },
            Checkpointing::Recompute => Point {
                values,
                inputs: inputs.to_vec(),
                draws,
                residuals: None,
            },
        })
    }

    /// The product of the map at `point` with a tangent, both in flat parts.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the parts of the tangent do not match,
    /// [`LinearizeError::Execution`].
    pub fn apply(
        &mut self,
        point: &Point,
        tangent: &[Tensor<1>],
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        let executable = if point.is_stored() {
            self.each()
        } else {
            self.whole(1)
        };
        let inputs = with_tangent(&executable, point.held(), tangent)?;
        let results = self.engine.run(&executable, &inputs)?;
        Ok(results.into_iter().map(flat).collect())
    }

    pub(super) fn each(&mut self) -> Arc<Executable> {
        let (map, engine) = (&self.map, &self.engine);
        let prepare = || Arc::new(engine.executable(&map.each));
        Arc::clone(self.prepared.each.get_or_insert_with(prepare))
    }

    /// The same point with residuals, for the tangents of a block. Its values were checked when it was made.
    pub(super) fn with_residuals(&mut self, point: &Point) -> Result<Point, LinearizeError> {
        let (map, engine) = (&self.map, &mut self.engine);
        let prepare = || Arc::new(engine.executable(&map.residuals()));
        let executable = Arc::clone(self.prepared.residuals.get_or_insert_with(prepare));
        let residuals = engine.run(&executable, &point.held())?;
        Ok(Point {
            values: Vec::new(),
            inputs: Vec::new(),
            draws: point.draws.clone(),
            residuals: Some(residuals),
        })
    }

    pub(super) fn whole(&mut self, tangents: usize) -> Arc<Executable> {
        let (map, engine, segments) = (&self.map, &self.engine, self.segments);
        let prepare = || Arc::new(engine.executable(&map.several(segments, tangents)));
        Arc::clone(self.prepared.whole.entry(tangents).or_insert_with(prepare))
    }
}
