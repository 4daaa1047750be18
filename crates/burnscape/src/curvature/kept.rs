//! What an operator keeps when it moves to other weights.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, DeviceSettings};
use burnscape_linearize::{LinearizeError, ModelInputs};

use super::CurvatureError;
use super::batch_points::Program;
use super::fitted::Division;
use super::site::{Site, number_of_batches};
use crate::loss::{Costs, Devices, Fingerprint, LossError, Reduction, Signature};
use crate::space::ParamSpace;

/// The parts of an operator that do not depend on the weights.
pub(crate) struct Kept {
    /// Those of each device, without those that had no batches; a single one where there are no devices.
    shards: Vec<Option<KeptShard>>,
    team: Option<KeptTeam>,
}

/// Several devices, and how the batches were assigned to them.
struct KeptTeam {
    list: Vec<Device>,
    /// `None` for data that may be other.
    costs: Option<Arc<Costs>>,
}

/// What is kept on one device: the programs, and what they were traced with.
pub(super) struct KeptShard {
    programs: Vec<Program>,
    conditions: Conditions,
    /// The batches, which must be the same; `None` for data that may be other.
    batches: Option<Vec<KeptBatch>>,
    pub(super) division: Division,
}

/// A batch, without its numbers.
pub(super) struct KeptBatch {
    pub(super) index: usize,
    pub(super) program: usize,
    pub(super) signature: Signature,
    pub(super) fingerprint: Option<Fingerprint>,
}

/// What a trace depends on, except the shapes of the batch, the code of the loss and the constants that it uses.
pub(super) struct Conditions {
    model: ModelInputs,
    space: ParamSpace,
    settings: DeviceSettings,
    reduction: Reduction,
    /// The types of loss and data.
    source: &'static str,
}

/// The programs of an operator that is being made: those that were kept, and those that were traced since.
pub(super) struct Programs {
    pub(super) list: Vec<Program>,
    of_signature: HashMap<Signature, usize>,
    batches: Option<Vec<KeptBatch>>,
    num_kept: usize,
    /// Of the programs that were kept, those that no batch has used yet.
    unused: HashSet<usize>,
}

impl Kept {
    /// Of an operator on one device.
    pub(super) fn alone(shard: KeptShard) -> Self {
        Self {
            shards: vec![Some(shard)],
            team: None,
        }
    }

    /// Of an operator on several devices.
    pub(super) fn of_team(
        shards: Vec<Option<KeptShard>>,
        devices: &Devices,
        costs: Arc<Costs>,
    ) -> Self {
        Self {
            shards,
            team: Some(KeptTeam {
                list: devices.list(),
                costs: Some(costs),
            }),
        }
    }

    /// For an operator on one device; `None` if there were several.
    pub(super) fn into_alone(mut self) -> Option<KeptShard> {
        match self.team {
            None => self.shards.pop().flatten(),
            Some(_) => None,
        }
    }

    /// For an operator on several devices, with their assignment; nothing if the devices were other ones.
    pub(super) fn into_team(
        self,
        devices: &Devices,
    ) -> (Vec<Option<KeptShard>>, Option<Arc<Costs>>) {
        match self.team {
            Some(team) if team.list == devices.list() => (self.shards, team.costs),
            _ => (Vec::new(), None),
        }
    }

    /// For other data, whose batches may have other shapes. `None` if every batch has a program of its own.
    pub(crate) fn for_other_data(mut self, shares_traces: bool) -> Option<Self> {
        for shard in self.shards.iter_mut().flatten() {
            shard.batches = None;
        }
        if let Some(team) = &mut self.team {
            team.costs = None;
        }
        shares_traces.then_some(self)
    }
}

impl KeptShard {
    pub(super) fn new(
        programs: Vec<Program>,
        conditions: Conditions,
        batches: Vec<KeptBatch>,
        division: Division,
    ) -> Self {
        let mut kept = Self {
            programs,
            conditions,
            batches: Some(batches),
            division,
        };
        // The old weights are released.
        kept.conditions.model.bindings.clear();
        kept.programs
            .iter_mut()
            .for_each(|program| program.model.clear());
        kept
    }

    /// How many batches the data must have; zero for data that may be other.
    pub(super) fn num_batches(&self) -> usize {
        self.batches.as_ref().map_or(0, Vec::len)
    }

    /// Returns an error if a trace at the site would have other inputs.
    pub(super) fn check<M: Module>(&self, site: &Site<'_, '_, M>) -> Result<(), CurvatureError> {
        let (kept, found) = (&self.conditions, Conditions::of(site));
        kept.space.check_same(&found.space)?;
        kept.model.check_same(&found.model)?;
        if kept.settings != found.settings {
            let settings = [kept.settings, found.settings].map(|settings| format!("{settings:?}"));
            let what = "the settings of the device";
            return Err(mismatch(what, &settings[0], &settings[1]));
        }
        if (kept.source, kept.reduction) != (found.source, found.reduction) {
            return Err(mismatch("the loss", kept.source, found.source));
        }
        Ok(())
    }
}

impl Conditions {
    pub(super) fn of<M: Module>(site: &Site<'_, '_, M>) -> Self {
        Self {
            model: ModelInputs::of(&site.model()),
            space: site.space.clone(),
            settings: site.settings,
            reduction: site.reduction,
            source: site.source.type_name(),
        }
    }
}

impl Programs {
    pub(super) fn new(kept: Option<KeptShard>, conditions: &Conditions) -> Self {
        let Some(mut kept) = kept else {
            return Self {
                list: Vec::new(),
                of_signature: HashMap::new(),
                batches: None,
                num_kept: 0,
                unused: HashSet::new(),
            };
        };
        for program in &mut kept.programs {
            program.model.clone_from(&conditions.model.bindings);
        }
        let signatures = kept.programs.iter().enumerate();
        let signatures = signatures.map(|(index, program)| (program.signature.clone(), index));
        Self {
            of_signature: signatures.collect(),
            num_kept: kept.programs.len(),
            unused: (0..kept.programs.len()).collect(),
            list: kept.programs,
            batches: kept.batches,
        }
    }

    /// The program for the batch at a position, which has this index in the whole data; `None` if it must be traced.
    pub(super) fn find(
        &self,
        position: usize,
        index: usize,
        signature: &Signature,
        shares_traces: bool,
    ) -> Result<Option<usize>, CurvatureError> {
        let Some(batches) = &self.batches else {
            let known = self.of_signature.get(signature).copied();
            return Ok(known.filter(|_| shares_traces));
        };
        let Some(batch) = batches.get(position) else {
            return Err(number_of_batches(batches.len(), position + 1));
        };
        if batch.index != index || batch.signature != *signature {
            return Err(LossError::DataChanged { batch: index }.into());
        }
        Ok(Some(batch.program))
    }

    /// Adds a program that was traced, and returns its index.
    pub(super) fn add(&mut self, program: Program) -> usize {
        let index = self.list.len();
        self.of_signature.insert(program.signature.clone(), index);
        self.list.push(program);
        index
    }

    /// Whether a program was traced at other weights.
    pub(super) fn is_kept(&self, program: usize) -> bool {
        program < self.num_kept
    }

    /// Whether this is the first batch of a program that was kept.
    pub(super) fn is_first_use(&mut self, program: usize) -> bool {
        self.unused.remove(&program)
    }

    /// Returns an error unless a batch has the bits of the one that was kept.
    pub(super) fn check_data(
        &self,
        position: usize,
        index: usize,
        fingerprint: Option<&Fingerprint>,
    ) -> Result<(), CurvatureError> {
        let known = self
            .batches
            .as_ref()
            .and_then(|batches| batches.get(position)?.fingerprint.as_ref());
        match (known, fingerprint) {
            (Some(known), Some(found)) if known != found => {
                Err(LossError::DataChanged { batch: index }.into())
            }
            _ => Ok(()),
        }
    }

    /// Returns an error if data ended before all batches that were kept.
    pub(super) fn check_end(&self, found: usize) -> Result<(), CurvatureError> {
        match &self.batches {
            Some(batches) if batches.len() != found => Err(number_of_batches(batches.len(), found)),
            _ => Ok(()),
        }
    }
}

pub(super) fn mismatch(what: &str, expected: &str, found: &str) -> CurvatureError {
    LinearizeError::Mismatch {
        what: what.into(),
        expected: expected.into(),
        found: found.into(),
    }
    .into()
}
