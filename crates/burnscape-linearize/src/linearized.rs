use std::collections::HashMap;

use burn::backend::DispatchTensor;
use burn::tensor::{Device, Tensor};

use super::batched::batched;
use super::executable::Executable;
use super::lanes::{self, num_threads};
use super::run::{Engine, engine, flat};
use super::stats::residual_bytes;
use super::{LinearMap, LinearizeError, Program};

/// A [`LinearMap`] on a device: it takes [points](Point), and multiplies tangents at them.
///
/// One serves all batches of the shapes that the map was traced with.
pub struct Linearized {
    engine: Box<dyn Engine>,
    device: Device,
    /// Engines for products that are made at the same time; made when they are needed.
    lanes: Vec<Box<dyn Engine>>,
    max_lanes: usize,
    map: LinearMap,
    draws: Executable,
    once: Executable,
    each: Executable,
    /// Made when it is needed.
    whole: Option<(Program, Executable)>,
    batching: Batching,
    /// Programs for blocks, by number of tangents: with residuals, and without.
    blocks: HashMap<(usize, bool), (Program, Executable)>,
}

/// What the products that are made at the same time may take together, in bytes.
const LANE_BYTES: u64 = 1 << 30;

/// How a block of tangents is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// In one run of a program that takes all of them: the default on accelerators, which have to be
    /// fed.
    Together,
    /// Each by itself, with residuals computed once: the default on CPUs, where the kernels are as
    /// quick for one tangent and its numbers stay in the caches. On Flex several are multiplied at a
    /// time, one on each of the threads that the kernels use (Rayon's), as long as their intermediate
    /// results stay below a gibibyte.
    InTurn,
}

impl std::fmt::Debug for Linearized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linearized")
            .field("num_columns", &self.map.num_columns())
            .field("num_rows", &self.map.num_rows())
            .finish_non_exhaustive()
    }
}

/// Whether a [`Point`] keeps what does not depend on a tangent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Residuals {
    /// Computed once and kept: products are cheapest.
    #[default]
    Kept,
    /// Computed again in every product; a block of tangents shares them. Draws are kept all the
    /// same.
    Recomputed,
}

/// A point and a batch, at which tangents are multiplied.
#[derive(Debug, Clone)]
pub struct Point {
    values: Vec<Tensor<1>>,
    /// Where residuals are recomputed.
    inputs: Vec<DispatchTensor>,
    draws: Vec<DispatchTensor>,
    residuals: Option<Vec<DispatchTensor>>,
}

impl Point {
    /// What the map tells besides its products (the loss first), flat.
    pub fn values(&self) -> &[Tensor<1>] {
        &self.values
    }

    /// Whether the residuals are kept.
    pub fn is_kept(&self) -> bool {
        self.residuals.is_some()
    }

    /// The point without its values, and without the inputs that residuals would be recomputed
    /// from: what a data set that is read again for every product has to remember of a batch.
    #[must_use]
    pub fn stripped(self) -> Self {
        Self {
            values: Vec::new(),
            inputs: Vec::new(),
            ..self
        }
    }

    /// The point with inputs again, those of the same batch.
    #[must_use]
    pub fn with_inputs(&self, inputs: Vec<DispatchTensor>) -> Self {
        Self {
            inputs,
            ..self.clone()
        }
    }

    /// What the program for products reads besides the tangent.
    pub(crate) fn held(&self) -> Vec<DispatchTensor> {
        match &self.residuals {
            Some(kept) => kept.clone(),
            None => self.inputs.iter().chain(&self.draws).cloned().collect(),
        }
    }
}

impl Linearized {
    /// Prepares `map` for `device`.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Device`].
    pub fn new(map: &LinearMap, device: &Device) -> Result<Self, LinearizeError> {
        let mut engine = engine(device)?;
        for program in [&map.draws, &map.once, &map.each] {
            engine.constants(program);
        }
        let batching = match engine.is_accelerator() {
            true => Batching::Together,
            false => Batching::InTurn,
        };
        Ok(Self {
            engine,
            device: device.clone(),
            lanes: Vec::new(),
            max_lanes: (LANE_BYTES / map.each.peak_bytes().max(1)).max(1) as usize,
            batching,
            draws: Executable::new(&map.draws),
            once: Executable::new(&map.once),
            each: Executable::new(&map.each),
            whole: None,
            map: map.clone(),
            blocks: HashMap::new(),
        })
    }

    /// Sets how blocks are multiplied; the device's default is the quicker one.
    #[must_use]
    pub fn with_batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// The map.
    pub fn map(&self) -> &LinearMap {
        &self.map
    }

    /// What a point with [kept](Residuals::Kept) residuals takes, in bytes, over and above the
    /// tensors it was given.
    pub fn residual_bytes(&self) -> usize {
        residual_bytes(&self.map)
    }

    /// What the random draws of a point take, in bytes, whatever its residuals.
    pub fn draw_bytes(&self) -> usize {
        let draws = self.map.draws.outputs.iter();
        draws
            .map(|port| port.num_elements() * port.tensor.dtype.size())
            .sum()
    }

    /// Evaluates the map's values at a point and keeps what products need.
    ///
    /// `inputs` are values for the inputs that the map was traced with, in their order. Random draws
    /// advance the device's generator.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`], [`LinearizeError::Run`].
    pub fn point(
        &mut self,
        inputs: &[DispatchTensor],
        residuals: Residuals,
    ) -> Result<Point, LinearizeError> {
        let map = &self.map;
        let draws = self.engine.run(&map.draws, &self.draws, &[])?;
        self.point_with(inputs, draws, residuals)
    }

    /// As [`point`](Self::point), with the random draws that another map of the *same trace* made at
    /// its point: both are then maps of one function.
    ///
    /// # Errors
    ///
    /// As [`point`](Self::point), and [`LinearizeError::Malformed`] for a map of another trace.
    pub fn point_sharing(
        &mut self,
        inputs: &[DispatchTensor],
        residuals: Residuals,
        (other, point): (&Self, &Point),
    ) -> Result<Point, LinearizeError> {
        let theirs = &other.map.draws.outputs;
        let shared = self.map.draws.outputs.iter().map(|own| {
            let mut theirs = theirs.iter();
            let position = theirs.position(|draw| draw.tensor.id == own.tensor.id);
            let draw = position.and_then(|index| point.draws.get(index));
            draw.cloned().ok_or_else(|| LinearizeError::Malformed {
                message: "draws are shared between maps of different traces".into(),
            })
        });
        let draws = shared.collect::<Result<Vec<_>, _>>()?;
        self.point_with(inputs, draws, residuals)
    }

    /// As [`point`](Self::point), with the random draws of another point of this map: both are then
    /// points of one function.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`], [`LinearizeError::Run`].
    pub fn point_beside(
        &mut self,
        inputs: &[DispatchTensor],
        residuals: Residuals,
        point: &Point,
    ) -> Result<Point, LinearizeError> {
        self.point_with(inputs, point.draws.clone(), residuals)
    }

    fn point_with(
        &mut self,
        inputs: &[DispatchTensor],
        draws: Vec<DispatchTensor>,
        residuals: Residuals,
    ) -> Result<Point, LinearizeError> {
        let map = &self.map;
        if inputs.len() != map.num_primal {
            return Err(LinearizeError::Mismatch {
                what: "the number of inputs".into(),
                expected: map.num_primal.to_string(),
                found: inputs.len().to_string(),
            });
        }
        let given: Vec<DispatchTensor> = inputs.iter().chain(&draws).cloned().collect();
        let mut values = self.engine.run(&map.once, &self.once, &given)?;
        let kept = values.split_off(map.num_values);
        let values = values.into_iter().map(flat).collect();
        Ok(match residuals {
            Residuals::Kept => Point {
                values,
                inputs: Vec::new(),
                draws,
                residuals: Some(kept),
            },
            Residuals::Recomputed => Point {
                values,
                inputs: inputs.to_vec(),
                draws,
                residuals: None,
            },
        })
    }

    /// The product of the map at `point` with a tangent: its parts in, flat, and those of the result
    /// out.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the tangent has other parts, [`LinearizeError::Run`].
    pub fn apply(
        &mut self,
        point: &Point,
        tangent: &[Tensor<1>],
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        let (program, executable) = match point.is_kept() {
            true => (&self.map.each, &self.each),
            false => {
                let (program, executable) = self.whole.get_or_insert_with(|| {
                    let whole = self.map.whole();
                    let executable = Executable::new(&whole);
                    (whole, executable)
                });
                (&*program, &*executable)
            }
        };
        let inputs = with_tangent(program, point.held(), tangent)?;
        let results = self.engine.run(program, executable, &inputs)?;
        Ok(results.into_iter().map(flat).collect())
    }

    /// Runs a program that the map was made of, or a part of it.
    pub(crate) fn run_once(
        &mut self,
        program: &Program,
        executable: &Executable,
        inputs: &[DispatchTensor],
    ) -> Result<Vec<DispatchTensor>, LinearizeError> {
        self.engine.run(program, executable, inputs)
    }

    /// The products with `k` tangents at once: `[k, columns]` in, `[k, rows]` out, for a map of one
    /// tangent and one result.
    ///
    /// What does not depend on a tangent is computed once for all of them, and operations that can
    /// take many tangents in one call do.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the block has other columns, [`LinearizeError::Run`].
    pub fn apply_block(
        &mut self,
        point: &Point,
        tangents: Tensor<2>,
    ) -> Result<Tensor<2>, LinearizeError> {
        let [k, columns] = tangents.dims();
        if k == 0 {
            return Ok(Tensor::zeros([0, self.map.num_rows()], &tangents.device()));
        }
        if self.batching == Batching::InTurn {
            return self.apply_in_turn(point, &tangents, k, columns);
        }
        let is_kept = point.is_kept();
        if !self.blocks.contains_key(&(k, is_kept)) {
            let single = match is_kept {
                true => self.map.each.clone(),
                false => self.map.whole(),
            };
            let program = batched(&single, single.inputs.len() - 1, k, self.map.settings)?;
            let executable = Executable::new(&program);
            self.engine.constants(&program);
            self.blocks.insert((k, is_kept), (program, executable));
        }
        let (program, executable) = &self.blocks[&(k, is_kept)];
        let len = tangents.shape().num_elements();
        let inputs = with_tangent(program, point.held(), &[tangents.reshape([len])])?;
        let results = self.engine.run(program, executable, &inputs)?;
        let mut results = results.into_iter().map(flat);
        let result = results.next().ok_or_else(|| LinearizeError::Malformed {
            message: "a map without a result".into(),
        })?;
        let rows = result.shape().num_elements() / k;
        Ok(result.reshape([k, rows]))
    }

    fn apply_in_turn(
        &mut self,
        point: &Point,
        tangents: &Tensor<2>,
        k: usize,
        columns: usize,
    ) -> Result<Tensor<2>, LinearizeError> {
        let kept;
        let point = match point.is_kept() || k == 1 {
            true => point,
            false => {
                let draws = point.draws.clone();
                kept = self.point_with(&point.inputs, draws, Residuals::Kept)?;
                &kept
            }
        };
        let rows = (0..k).map(|index| {
            let row = tangents.clone().slice([index..index + 1, 0..columns]);
            (point, row.reshape([columns]))
        });
        let products = self.apply_each(&rows.collect::<Vec<_>>())?;
        let rows = products.into_iter().map(|row| row.unsqueeze_dim::<2>(0));
        let mut rows: Vec<_> = rows.collect();
        Ok(match rows.len() {
            1 => rows.remove(0),
            _ => Tensor::cat(rows, 0),
        })
    }

    /// How many products [`apply_each`](Self::apply_each) makes at the same time where they are long
    /// enough for it: one for each of Rayon's threads on Flex, as long as what they take together stays
    /// below a gibibyte.
    pub fn num_lanes(&self) -> usize {
        match self.engine.has_pool() {
            true => num_threads().min(self.max_lanes),
            false => 1,
        }
    }

    /// The products with one tangent each at several points, for a map of one tangent and one result.
    ///
    /// On Flex, at points that keep their residuals, several are made at the same time; the results
    /// are those of [`apply`](Self::apply).
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_each(
        &mut self,
        pairs: &[(&Point, Tensor<1>)],
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        let mut products = Vec::with_capacity(pairs.len());
        let mut left = pairs;
        while let [(point, tangent), others @ ..] = left {
            let lanes = left.len().min(self.num_lanes());
            // How long a product takes is known after the first.
            let is_worth = lanes > 1 && self.each.pace.is_worth(left.len());
            if is_worth && left.iter().all(|(point, _)| point.is_kept()) {
                products.extend(self.apply_at_once(left, lanes)?);
                break;
            }
            products.extend(self.apply(point, std::slice::from_ref(tangent))?);
            left = others;
        }
        Ok(products)
    }

    fn apply_at_once(
        &mut self,
        pairs: &[(&Point, Tensor<1>)],
        lanes: usize,
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        while self.lanes.len() < lanes {
            let mut engine = engine(&self.device)?;
            engine.constants(&self.map.each);
            self.lanes.push(engine);
        }
        let program = &self.map.each;
        let inputs = pairs.iter().map(|(point, tangent)| {
            with_tangent(program, point.held(), std::slice::from_ref(tangent))
        });
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let outputs = lanes::run(&mut self.lanes[..lanes], program, &self.each, &inputs)?;
        Ok(outputs.into_iter().flatten().map(flat).collect())
    }
}

/// What is held, and then the parts of the tangent, which are checked.
pub(crate) fn with_tangent(
    program: &Program,
    mut held: Vec<DispatchTensor>,
    tangent: &[Tensor<1>],
) -> Result<Vec<DispatchTensor>, LinearizeError> {
    let ports = program.inputs.get(held.len()..).unwrap_or_default();
    let lengths: Vec<usize> = ports.iter().map(super::Port::num_elements).collect();
    let found: Vec<usize> = tangent
        .iter()
        .map(|part| part.shape().num_elements())
        .collect();
    if lengths != found {
        return Err(LinearizeError::Mismatch {
            what: "the tangent".into(),
            expected: format!("parts of {lengths:?} elements"),
            found: format!("parts of {found:?} elements"),
        });
    }
    held.extend(tangent.iter().map(|part| part.clone().into_dispatch()));
    Ok(held)
}
