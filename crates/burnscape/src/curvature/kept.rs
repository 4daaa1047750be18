//! What an operator keeps when it moves to other weights.

use std::any::{Any, type_name};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::DeviceSettings;
use burnscape_linearize::{LinearizeError, ModelInputs};

use super::CurvatureError;
use super::batch_points::Program;
use super::fitted::Division;
use super::site::{Site, number_of_batches};
use crate::loss::{Fingerprint, LossError, Reduction, Risk, Signature};
use crate::space::ParamSpace;

/// The parts of an operator that do not depend on the weights: its programs, and what they were traced with.
pub(crate) struct Kept {
    programs: Vec<Program>,
    conditions: Conditions,
    /// The batches, which must be the same; `None` for data that may be other.
    batches: Option<Vec<KeptBatch>>,
    pub(super) division: Division,
}

/// A batch, without its numbers.
pub(super) struct KeptBatch {
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

/// Makes an operator again, at another model, from what it kept. The type of the model is erased.
pub(super) type Origin<'a, T> =
    Arc<dyn Fn(&dyn Any, Kept) -> Result<T, CurvatureError> + Send + Sync + 'a>;

/// The origin of an operator over the data of a risk.
pub(super) fn origin<'a, M: Module + 'static, T>(
    risk: Risk<'a, M>,
    make: impl Fn(&Site<'_, 'a, M>, Option<Kept>) -> Result<T, CurvatureError> + Send + Sync + 'a,
) -> Origin<'a, T> {
    Arc::new(move |model: &dyn Any, kept: Kept| {
        let Some(model) = model.downcast_ref::<M>() else {
            return Err(mismatch(
                "the type of the model",
                type_name::<M>(),
                "another",
            ));
        };
        let site = Site::new(&risk, model)?;
        kept.check(&site)?;
        make(&site, Some(kept))
    })
}

impl Kept {
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

    /// For other data, whose batches may have other shapes. `None` if every batch has a program of its own.
    pub(crate) fn for_other_data(self, shares_traces: bool) -> Option<Self> {
        shares_traces.then_some(Self {
            batches: None,
            ..self
        })
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
    pub(super) fn new(kept: Option<Kept>, conditions: &Conditions) -> Self {
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

    /// The program for a batch; `None` if it must be traced.
    pub(super) fn find(
        &self,
        index: usize,
        signature: &Signature,
        shares_traces: bool,
    ) -> Result<Option<usize>, CurvatureError> {
        let Some(batches) = &self.batches else {
            let known = self.of_signature.get(signature).copied();
            return Ok(known.filter(|_| shares_traces));
        };
        let Some(batch) = batches.get(index) else {
            return Err(number_of_batches(batches.len(), index + 1));
        };
        if batch.signature != *signature {
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
        index: usize,
        fingerprint: Option<&Fingerprint>,
    ) -> Result<(), CurvatureError> {
        let known = self
            .batches
            .as_ref()
            .and_then(|batches| batches.get(index)?.fingerprint.as_ref());
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

fn mismatch(what: &str, expected: &str, found: &str) -> CurvatureError {
    LinearizeError::Mismatch {
        what: what.into(),
        expected: expected.into(),
        found: found.into(),
    }
    .into()
}
