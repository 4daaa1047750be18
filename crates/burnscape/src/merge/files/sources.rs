//! The checkpoints that are merged, which have the same tensors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::{CheckpointFile, StoredTensor};
use crate::merge::MergeError;
use crate::merge::plan::Role;

/// The base, if there is one, and the models. The tensors of all of them are in one order.
pub(super) struct Sources {
    base: Option<CheckpointFile>,
    models: Vec<CheckpointFile>,
}

impl Sources {
    /// Opens all of them. `Types::Any` allows float tensors of different types.
    pub(super) fn open(
        base: Option<&Path>,
        models: &[PathBuf],
        types: Types,
    ) -> Result<Self, MergeError> {
        if models.is_empty() {
            return Err(MergeError::NoModels);
        }
        let base = base.map(CheckpointFile::open).transpose()?;
        let models = models.iter().map(CheckpointFile::open);
        let models: Vec<CheckpointFile> = models.collect::<Result<_, _>>()?;
        let sources = Self { base, models };
        for other in sources.others() {
            check_same(sources.first(), other, types)?;
        }
        Ok(sources)
    }

    pub(super) fn has_base(&self) -> bool {
        self.base.is_some()
    }

    pub(super) fn num_models(&self) -> usize {
        self.models.len()
    }

    /// The one that gives everything that is not merged: the base, or the first model.
    pub(super) fn first(&self) -> &CheckpointFile {
        self.base.as_ref().unwrap_or(&self.models[0])
    }

    /// All but the first.
    pub(super) fn others(&self) -> impl Iterator<Item = &CheckpointFile> {
        let skipped = usize::from(self.base.is_none());
        self.models.iter().skip(skipped)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &CheckpointFile> {
        self.base.iter().chain(&self.models)
    }

    /// Reads a tensor, or some of its numbers.
    pub(super) fn read(
        &self,
        role: Role,
        tensor: usize,
        is_sampled: bool,
    ) -> Result<TensorData, MergeError> {
        let checkpoint = match role {
            Role::Base => self.first(),
            Role::Model(index) => &self.models[index],
        };
        if is_sampled {
            checkpoint.sample_at(tensor)
        } else {
            checkpoint.read_at(tensor)
        }
    }
}

/// Which types the float tensors of several checkpoints may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Types {
    Same,
    Any,
}

/// Refuses a checkpoint whose tensors are not those of the first one.
pub(super) fn check_same(
    first: &CheckpointFile,
    other: &CheckpointFile,
    types: Types,
) -> Result<(), MergeError> {
    let names = |checkpoint: &CheckpointFile| -> BTreeSet<String> {
        let tensors = checkpoint.tensors().iter();
        tensors.map(|tensor| tensor.name.clone()).collect()
    };
    let (of_first, of_other) = (names(first), names(other));
    let missing: Vec<String> = of_first.difference(&of_other).cloned().collect();
    let extra: Vec<String> = of_other.difference(&of_first).cloned().collect();
    let different: Vec<String> = first
        .tensors()
        .iter()
        .filter_map(|tensor| {
            let index = other.find(&tensor.name)?;
            difference(tensor, &other.tensors()[index], types)
        })
        .collect();
    if missing.is_empty() && extra.is_empty() && different.is_empty() {
        return Ok(());
    }
    Err(MergeError::DifferentTensors {
        model: format!("`{}`", other.path().display()),
        missing,
        extra,
        different,
    })
}

/// How a tensor differs from that of the first checkpoint.
fn difference(first: &StoredTensor, other: &StoredTensor, types: Types) -> Option<String> {
    let name = &first.name;
    if first.shape != other.shape {
        return Some(format!(
            "{name} ({:?} instead of {:?})",
            other.shape, first.shape
        ));
    }
    match (first.kind.float(), other.kind.float()) {
        (Some(own), Some(found)) if own == found || types == Types::Any => None,
        (Some(_), Some(_)) => Some(format!(
            "{name} ({} instead of {}; set the element type of the result to merge both)",
            other.dtype, first.dtype
        )),
        _ if first.dtype == other.dtype => None,
        _ => Some(format!(
            "{name} ({} instead of {})",
            other.dtype, first.dtype
        )),
    }
}
