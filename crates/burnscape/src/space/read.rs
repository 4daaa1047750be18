//! Reading modules: which parameters they have, and the values of those.

use std::collections::{HashMap, HashSet};

use burn::module::{Flag, Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::{DType, Device, Tensor};

use super::context::ParamContext;
use super::kind::Role;
use super::rank::MAX_RANK;
use super::walk::Walk;
use super::{ParamLeaf, SpaceError};

/// The outcome of [`trainable`].
pub(super) struct Found {
    pub(super) leaves: Vec<ParamLeaf>,
    /// The device of the leaves; none if there are none.
    pub(super) device: Option<Device>,
    pub(super) frozen: usize,
    /// How many trainable parameters a group left out, and the path of one.
    pub(super) unmatched: Option<(usize, String)>,
}

/// Lists the trainable parameters of a module in visit order.
pub(super) fn trainable<M: Module>(
    model: &M,
    group: Option<&ParamGroup>,
) -> Result<Found, SpaceError> {
    // What training would make of the model says what is trainable, whatever its state is now. The
    // round trip also initializes lazy parameters, shared with the user's model.
    let trained = model.valid().train();
    let mut collector = Collector::new(group);
    trained.visit(&mut collector);
    match collector.failure {
        Some(failure) => Err(failure),
        None => Ok(collector.found),
    }
}

struct Collector<'a> {
    group: Option<&'a ParamGroup>,
    walk: Walk,
    index: HashMap<ParamId, usize>,
    offset: usize,
    found: Found,
    failure: Option<SpaceError>,
}

impl<'a> Collector<'a> {
    fn new(group: Option<&'a ParamGroup>) -> Self {
        Self {
            group,
            walk: Walk::default(),
            index: HashMap::new(),
            offset: 0,
            found: Found {
                leaves: Vec::new(),
                device: None,
                frozen: 0,
                unmatched: None,
            },
            failure: None,
        }
    }

    fn fail(&mut self, failure: SpaceError) {
        self.failure.get_or_insert(failure);
    }

    /// False, with a failure noted, if the parameter lives elsewhere than those before it.
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
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.walk.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.walk.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.walk.float_path();
        let value = param.base();
        if value.shape().num_elements() == 0 {
            return;
        }
        if !value.is_require_grad() {
            self.found.frozen += 1;
            return;
        }
        if self
            .group
            .is_some_and(|group| !group.matches(&param.id, Some(&path)))
        {
            let (count, _) = self.found.unmatched.get_or_insert((0, path));
            *count += 1;
            return;
        }
        if let Some(&first) = self.index.get(&param.id) {
            self.found.leaves[first].duplicates.push(path);
            return;
        }
        if D == 0 || D > MAX_RANK {
            return self.fail(SpaceError::UnsupportedRank { path, rank: D });
        }
        let dtype = value.dtype();
        if matches!(dtype, DType::QFloat(_)) {
            return self.fail(SpaceError::Quantized {
                path,
                dtype: format!("{dtype:?}"),
            });
        }
        if !self.same_device(&path, value.device().inner()) {
            return;
        }
        let role = Role::of(self.walk.containers(), D);
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
            dtype,
            duplicates: Vec::new(),
        });
    }
}

/// The flat values of the float parameters with the given paths, without autodiff, and their shapes.
pub(super) fn values<M: Module>(
    model: &M,
    paths: &HashSet<&str>,
) -> HashMap<String, (Tensor<1>, Vec<usize>)> {
    let mut reader = ValueReader {
        paths,
        walk: Walk::default(),
        values: HashMap::new(),
    };
    model.visit(&mut reader);
    reader.values
}

struct ValueReader<'a> {
    paths: &'a HashSet<&'a str>,
    walk: Walk,
    values: HashMap<String, (Tensor<1>, Vec<usize>)>,
}

impl ModuleVisitor for ValueReader<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.walk.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.walk.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.walk.float_path();
        if self.paths.contains(path.as_str()) {
            let value = param.base().inner();
            let shape = value.shape().as_slice().to_vec();
            let len = value.shape().num_elements();
            self.values.insert(path, (value.reshape([len]), shape));
        }
    }
}

/// All that a rewrite of a model must keep, in visit order.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    pub(super) floats: Vec<(ParamId, ParamContext)>,
    pub(super) flags: Vec<bool>,
    pub(super) occurrences: HashMap<ParamId, usize>,
}

impl Contexts {
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
