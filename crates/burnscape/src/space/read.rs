//! Reads modules: their parameters and the values of these.

use std::collections::{HashMap, HashSet};

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor};

use super::context::ParamContext;
use super::kind::Role;
use super::module_path::{ModulePath, follow_path};
use super::rank::MAX_RANK;
use super::{ParamLeaf, SpaceError};

/// The result of [`trainable`].
#[derive(Default)]
pub(super) struct Found {
    pub(super) leaves: Vec<ParamLeaf>,
    /// The device of the leaves; none if there are none.
    pub(super) device: Option<Device>,
    pub(super) frozen: usize,
    /// The number of trainable parameters outside the group, and the path of one.
    pub(super) unmatched: Option<(usize, String)>,
}

/// Lists the trainable parameters of a module in visit order.
pub(super) fn trainable<M: Module>(
    model: &M,
    group: Option<&ParamGroup>,
) -> Result<Found, SpaceError> {
    // The state after `train` decides what is trainable, whatever the current state is. The round trip also
    // initializes lazy parameters, which the user's model shares.
    let mut stand_in = StandIn::default();
    let plain = model.valid().map(&mut stand_in);
    // This distinguishes frozen parameters from running statistics, which never require gradients.
    let unfrozen = Contexts::of(&plain.clone().unfreeze().train());
    let mut collector = Collector {
        group,
        quantized: stand_in.quantized,
        unfrozen,
        ..Collector::default()
    };
    plain.train().visit(&mut collector);
    match collector.failure {
        Some(failure) => Err(failure),
        None => Ok(collector.finish()),
    }
}

/// Replaces each quantized parameter by a dense tensor of one element. A quantized tensor cannot require
/// gradients, so only the replacement shows whether the parameter is trainable.
#[derive(Default)]
struct StandIn {
    quantized: HashMap<ParamId, DType>,
}

impl ModuleMapper for StandIn {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.base();
        let dtype = value.dtype();
        if !matches!(dtype, DType::QFloat(_)) {
            return param;
        }
        self.quantized.insert(param.id, dtype);
        param.map(|_| Tensor::zeros([1; D], &value.device()))
    }
}

#[derive(Default)]
struct Collector<'a> {
    group: Option<&'a ParamGroup>,
    quantized: HashMap<ParamId, DType>,
    /// The contexts of all float parameters after unfreezing.
    unfrozen: Contexts,
    place: ModulePath,
    position: usize,
    index: HashMap<ParamId, usize>,
    /// All paths of each parameter.
    occurrences: HashMap<ParamId, Vec<String>>,
    offset: usize,
    found: Found,
    failure: Option<SpaceError>,
}

impl Collector<'_> {
    /// Records all other paths of each parameter, including those outside the group: a write changes every
    /// occurrence.
    fn finish(mut self) -> Found {
        for leaf in &mut self.found.leaves {
            let paths = self.occurrences.remove(&leaf.id).unwrap_or_default();
            leaf.duplicates = paths.into_iter().filter(|p| *p != leaf.path).collect();
        }
        self.found
    }

    fn fail(&mut self, failure: SpaceError) {
        self.failure.get_or_insert(failure);
    }

    /// Records a failure and returns false if the parameter is not on the device of the previous ones.
    fn same_device(&mut self, path: &str, device: Device) -> bool {
        match (&self.found.device, self.found.leaves.first()) {
            (Some(first), Some(leaf)) if *first != device => {
                let failure = SpaceError::TwoDevices {
                    first: leaf.path.clone(),
                    first_device: format!("{first:?}"),
                    second: path.to_string(),
                    second_device: format!("{device:?}"),
                };
                self.fail(failure);
                false
            }
            _ => {
                self.found.device.get_or_insert(device);
                true
            }
        }
    }
}

impl ModuleVisitor for Collector<'_> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.float_path();
        let position = self.position;
        self.position += 1;
        let value = param.base();
        let paths = self.occurrences.entry(param.id).or_default();
        let is_first = paths.is_empty();
        paths.push(path.clone());
        if value.shape().num_elements() == 0 {
            return;
        }
        if !value.is_require_grad() {
            let (_, unfrozen) = self.unfrozen.floats[position];
            self.found.frozen += usize::from(is_first && unfrozen.is_require_grad());
            return;
        }
        if self.index.contains_key(&param.id) {
            return;
        }
        if self
            .group
            .is_some_and(|group| !group.matches(&param.id, Some(&path)))
        {
            let (count, _) = self.found.unmatched.get_or_insert((0, path));
            *count += usize::from(is_first);
            return;
        }
        if D == 0 || D > MAX_RANK {
            return self.fail(SpaceError::UnsupportedRank { path, rank: D });
        }
        if let Some(dtype) = self.quantized.get(&param.id) {
            let dtype = format!("{dtype:?}");
            return self.fail(SpaceError::Quantized { path, dtype });
        }
        if !self.same_device(&path, value.device().inner()) {
            return;
        }
        let role = Role::of(self.place.containers(), D);
        let shape = value.shape().as_slice().to_vec();
        let offset = self.offset;
        self.offset += value.shape().num_elements();
        self.index.insert(param.id, self.found.leaves.len());
        self.found.leaves.push(ParamLeaf {
            path,
            id: param.id,
            shape,
            offset,
            kind: role.kind,
            filter_axis: role.filter_axis,
            dtype: value.dtype(),
            duplicates: Vec::new(),
        });
    }
}

/// The parameter of a module at one path.
pub(super) struct Present {
    pub(super) id: ParamId,
    /// Flat, without autodiff; empty if quantized.
    pub(super) value: Tensor<1>,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
}

/// The float parameters of a module.
#[derive(Default)]
pub(super) struct Values {
    pub(super) by_path: HashMap<String, Present>,
    pub(super) occurrences: HashMap<ParamId, usize>,
}

/// The float parameters at the given paths, and how often each parameter occurs.
pub(super) fn values<M: Module>(model: &M, paths: &HashSet<&str>) -> Values {
    let mut reader = ValueReader {
        paths,
        place: ModulePath::default(),
        values: Values::default(),
    };
    model.visit(&mut reader);
    reader.values
}

struct ValueReader<'a> {
    paths: &'a HashSet<&'a str>,
    place: ModulePath,
    values: Values,
}

impl ModuleVisitor for ValueReader<'_> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.float_path();
        *self.values.occurrences.entry(param.id).or_default() += 1;
        if self.paths.contains(path.as_str()) {
            let value = param.base().inner();
            let present = Present {
                id: param.id,
                shape: value.shape().as_slice().to_vec(),
                dtype: value.dtype(),
                value: flat(value),
            };
            self.values.by_path.insert(path, present);
        }
    }
}

/// A quantized tensor is not a leaf of any space; callers need only its type.
fn flat<const D: usize>(value: Tensor<D>) -> Tensor<1> {
    match value.dtype() {
        DType::QFloat(_) => Tensor::zeros([0], &value.device()),
        _ => {
            let len = value.shape().num_elements();
            value.reshape([len])
        }
    }
}

/// Everything that a rewrite of a model must preserve, in visit order.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    pub(super) floats: Vec<(ParamId, ParamContext)>,
    pub(super) flags: Vec<bool>,
    pub(super) occurrences: HashMap<ParamId, usize>,
}

impl Contexts {
    /// The checkpointing strategy of the first parameter on autodiff.
    pub(super) fn checkpointing(&self) -> Option<GradientCheckpointingStrategy> {
        let mut floats = self.floats.iter();
        floats.find_map(|(_, context)| context.checkpointing())
    }

    /// Whether every float requires gradients. Running statistics do not, so there are none, and a forward pass
    /// writes nothing.
    pub(super) fn has_no_buffers(&self) -> bool {
        self.floats
            .iter()
            .all(|(_, context)| context.is_require_grad())
    }

    pub(super) fn of<M: Module>(model: &M) -> Self {
        let mut contexts = Self::default();
        model.visit(&mut contexts);
        contexts
    }
}

impl ModuleVisitor for Contexts {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.floats
            .push((param.id, ParamContext::of(&param.base())));
        *self.occurrences.entry(param.id).or_default() += 1;
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.push(flag.is_enabled());
    }
}
