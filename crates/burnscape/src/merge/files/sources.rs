//! The checkpoints that are merged, which have the same tensors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::{CheckpointFile, StoredTensor};
use crate::merge::MergeError;
use crate::merge::plan::{Role, model_name};

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
    fn others(&self) -> impl Iterator<Item = &CheckpointFile> {
        let skipped = usize::from(self.base.is_none());
        self.models.iter().skip(skipped)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &CheckpointFile> {
        self.base.iter().chain(&self.models)
    }

    /// The roles of all of them.
    pub(super) fn roles(&self) -> impl Iterator<Item = Role> {
        let base = self.base.iter().map(|_| Role::Base);
        base.chain((0..self.models.len()).map(Role::Model))
    }

    pub(super) fn at(&self, role: Role) -> &CheckpointFile {
        match role {
            Role::Base => self.first(),
            Role::Model(index) => &self.models[index],
        }
    }

    /// The error with the path of a checkpoint in the place of its number.
    pub(super) fn named(&self, error: MergeError) -> MergeError {
        match error {
            MergeError::NonFinite {
                model,
                path,
                index,
                value,
            } => {
                let role = self.roles().find(|role| model_name(*role) == model);
                MergeError::NonFinite {
                    model: role.map_or(model, |role| quoted(self.at(role)).into()),
                    path,
                    index,
                    value,
                }
            }
            other => other,
        }
    }

    /// Reads a tensor, or some of its numbers.
    pub(super) fn read(
        &self,
        role: Role,
        tensor: usize,
        is_sampled: bool,
    ) -> Result<TensorData, MergeError> {
        let checkpoint = self.at(role);
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

/// A tensor of the first checkpoint, and that of another one.
type Pair<'t> = (&'t StoredTensor, &'t StoredTensor);

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
    let pairs = first.tensors().iter().filter_map(|tensor| {
        let pair = (tensor, &other.tensors()[other.find(&tensor.name)?]);
        is_different(pair, types).then_some(pair)
    });
    let pairs: Vec<Pair<'_>> = pairs.collect();
    if missing.is_empty() && extra.is_empty() {
        if pairs.is_empty() {
            return Ok(());
        }
        if let Some(error) = mixed_types(first, other, &pairs) {
            return Err(error);
        }
    }
    Err(MergeError::DifferentTensors {
        first: quoted(first),
        model: quoted(other),
        missing,
        extra,
        different: pairs.into_iter().map(difference).collect(),
    })
}

fn quoted(checkpoint: &CheckpointFile) -> Box<str> {
    format!("`{}`", checkpoint.path().display()).into()
}

fn is_different((first, other): Pair<'_>, types: Types) -> bool {
    let is_same_type = match (first.kind.float(), other.kind.float()) {
        (Some(own), Some(found)) => own == found || types == Types::Any,
        _ => first.dtype == other.dtype,
    };
    first.shape != other.shape || !is_same_type
}

/// How a tensor differs from that of the first checkpoint.
fn difference((first, other): Pair<'_>) -> String {
    let name = &first.name;
    if first.shape == other.shape {
        format!("{name} ({} instead of {})", other.dtype, first.dtype)
    } else {
        format!("{name} ({:?} instead of {:?})", other.shape, first.shape)
    }
}

/// The error if all that differs are the types of float tensors.
fn mixed_types(
    first: &CheckpointFile,
    other: &CheckpointFile,
    pairs: &[Pair<'_>],
) -> Option<MergeError> {
    let are_floats = pairs
        .iter()
        .all(|(own, found)| own.shape == found.shape && own.is_float() && found.is_float());
    let &(own, found) = pairs.first().filter(|_| are_floats)?;
    let same = pairs
        .iter()
        .filter(|(one, another)| (&one.dtype, &another.dtype) == (&own.dtype, &found.dtype));
    Some(MergeError::MixedTypes {
        first: quoted(first),
        second: quoted(other),
        found: found.dtype.as_str().into(),
        expected: own.dtype.as_str().into(),
        count: same.count(),
        example: own.name.as_str().into(),
    })
}
