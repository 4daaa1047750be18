use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, DType, Tensor, TensorData};
use burn_pack::{Reader, Writer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::OptimError;
use super::base_record::renamed;
use crate::space::{LeafVector, ParamSpace};

/// The saved state of an optimizer: numbers, vectors, and the record of its base.
///
/// The format is burnpack, Burn's container format. A record lists its parameters by path and shape, and loads into
/// every model with the same: the model itself, a rebuilt one, or one that was read from a file.
///
/// An optimizer of another crate saves its state with [`new`](Self::new), [`with_state`](Self::with_state) and
/// [`with_vector`](Self::with_vector), and loads it with [`check`](Self::check), [`state`](Self::state) and
/// [`vector`](Self::vector). A state may contain the [bytes](Self::into_bytes) of the record of another optimizer.
#[derive(Debug, Clone)]
pub struct OptimRecord {
    kind: String,
    parameters: Vec<Recorded>,
    vectors: BTreeMap<String, Vec<Option<TensorData>>>,
    /// The record of the base, and the state as serde writes it.
    bytes: BTreeMap<String, Vec<u8>>,
}

/// One parameter as a record remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recorded {
    id: u64,
    path: String,
    shape: Vec<usize>,
}

/// The format that this version of the library writes and reads. Version 1 had no version and a list of numbers, in
/// which a missing one was read as zero.
const FORMAT: &str = "2";

const VERSION: &str = "burnscape.version";
const KIND: &str = "burnscape.kind";
const PARAMETER: &str = "parameter.";
const BASE: &str = "base";
const STATE: &str = "state";

impl OptimRecord {
    /// A record without a state, for the parameters of `model`. `kind` is the name of the optimizer.
    ///
    /// # Errors
    ///
    /// [`OptimError::Space`].
    pub fn new<M: Module>(kind: &str, model: &M) -> Result<Self, OptimError> {
        let parameters = recorded(&ParamSpace::of(model)?);
        Ok(Self {
            kind: kind.to_string(),
            parameters,
            vectors: BTreeMap::new(),
            bytes: BTreeMap::new(),
        })
    }

    /// Adds a vector under a name, if there is one.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`] if the device cannot be read.
    pub fn with_vector(
        mut self,
        name: &str,
        vector: Option<&LeafVector>,
    ) -> Result<Self, OptimError> {
        let Some(vector) = vector else {
            return Ok(self);
        };
        let download = |leaf: &Option<Tensor<1>>| match leaf {
            None => Ok(None),
            Some(leaf) => leaf.clone().try_into_data().map(Some).map_err(failed),
        };
        let leaves = vector
            .leaves()
            .iter()
            .map(download)
            .collect::<Result<_, _>>()?;
        self.vectors.insert(name.to_string(), leaves);
        Ok(self)
    }

    pub(crate) fn with_base(self, base: &ModuleOptimizer) -> Result<Self, OptimError> {
        let bytes = base.into_bytes().map_err(failed)?.to_vec();
        Ok(self.with_bytes(BASE, bytes))
    }

    /// Refuses a record of another kind of optimizer, or of a model with other paths or shapes. Returns the parameters
    /// of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`], [`OptimError::OtherModel`], [`OptimError::Space`].
    pub fn check<M: Module>(&self, kind: &str, model: &M) -> Result<ParamSpace, OptimError> {
        let other = |difference: String| Err(OptimError::OtherModel { difference });
        if self.kind != kind {
            let message = format!(
                "it is a record of `{}`, and this is `{kind}`; load the record of this optimizer",
                self.kind
            );
            return Err(OptimError::Record { message });
        }
        let space = ParamSpace::of(model)?;
        let present = recorded(&space);
        if present.len() != self.parameters.len() {
            return other(format!(
                "it has {} parameters, the model {}",
                self.parameters.len(),
                present.len()
            ));
        }
        for (saved, present) in self.parameters.iter().zip(&present) {
            if (&saved.path, &saved.shape) != (&present.path, &present.shape) {
                return other(format!(
                    "it has `{}` {:?}, the model `{}` {:?}",
                    saved.path, saved.shape, present.path, present.shape
                ));
            }
        }
        Ok(space)
    }

    pub(crate) fn with_bytes(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.bytes.insert(name.to_string(), bytes);
        self
    }

    /// Bytes that every record of this kind has.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, OptimError> {
        self.bytes.get(name).cloned().ok_or_else(|| missing(name))
    }

    /// Adds the state of the optimizer, exact for every number.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`] if `serde` cannot write it.
    pub fn with_state(self, state: &impl Serialize) -> Result<Self, OptimError> {
        Ok(self.with_bytes(STATE, encode(state)?))
    }

    /// The state of the optimizer.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`] for a record without a state, or with a state of another type.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T, OptimError> {
        decode(&self.bytes(STATE)?, "the optimizer")
    }

    /// The vector with this name, of the space that [`check`](Self::check) returned.
    pub fn vector(&self, name: &str, space: &ParamSpace) -> Option<LeafVector> {
        let saved = self.vectors.get(name)?;
        let mut saved = saved.iter();
        let vector = LeafVector::zeros(space).map_all(|_, _| {
            let data = saved.next().cloned().flatten()?;
            let dtype = data.dtype();
            Some(Tensor::from_data(data, (space.device(), dtype)))
        });
        Some(vector)
    }

    /// The base with its saved state, for the parameters of `space`, which [`check`](Self::check) found
    /// to be those of the record.
    pub(crate) fn load_base(
        &self,
        base: ModuleOptimizer,
        space: &ParamSpace,
    ) -> Result<ModuleOptimizer, OptimError> {
        let Some(bytes) = self.bytes.get(BASE).cloned() else {
            return Ok(base);
        };
        let pairs = self.parameters.iter().zip(space.leaves());
        let identifiers: HashMap<u64, u64> = pairs
            .map(|(saved, present)| (saved.id, present.id().val()))
            .collect();
        let is_same = identifiers.iter().all(|(saved, present)| saved == present);
        let bytes = if is_same {
            bytes
        } else {
            renamed(bytes, &identifiers)?
        };
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes));
        Ok(base.load_record(record.map_err(failed)?))
    }

    /// Writes the record into memory.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn into_bytes(self) -> Result<Bytes, OptimError> {
        self.writer().into_bytes().map_err(failed)
    }

    /// Reads a record from memory.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, OptimError> {
        let reader = Reader::from_bytes(bytes);
        let reader = reader.map_err(|error| {
            failed(format!(
                "{error}; pass the bytes that `into_bytes` returned"
            ))
        });
        Self::read(reader?)
    }

    /// Writes the record to a file.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn save(self, path: impl AsRef<Path>) -> Result<(), OptimError> {
        let path = path.as_ref();
        let written = self.writer().write_to_file(path);
        written.map_err(|error| {
            at(
                path,
                error,
                "check that its directory exists and is writable",
            )
        })
    }

    /// Reads a record from a file.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, OptimError> {
        let path = path.as_ref();
        let reader = Reader::from_file(path);
        Self::read(reader.map_err(|error| at(path, error, "pass a file that `save` wrote"))?)
    }

    fn writer(self) -> Writer {
        let mut tensors = Vec::new();
        for (name, leaves) in self.vectors {
            for (index, leaf) in leaves.into_iter().enumerate() {
                let Some(leaf) = leaf else { continue };
                let (bytes, shape, dtype) = leaf.into_parts();
                let id = self.parameters.get(index).map(|parameter| parameter.id);
                let name = format!("{name}.{index}");
                tensors.push(burn_pack::Tensor::new(name, dtype, shape, id, bytes));
            }
        }
        for (name, bytes) in self.bytes {
            let shape = vec![bytes.len()];
            let bytes = Bytes::from_bytes_vec(bytes);
            tensors.push(burn_pack::Tensor::new(name, DType::U8, shape, None, bytes));
        }
        let mut writer = Writer::new(tensors)
            .with_metadata(VERSION, FORMAT)
            .with_metadata(KIND, &self.kind);
        for (index, parameter) in self.parameters.iter().enumerate() {
            let shape: Vec<String> = parameter.shape.iter().map(usize::to_string).collect();
            let value = format!("{} {} {}", parameter.id, shape.join("x"), parameter.path);
            writer = writer.with_metadata(&format!("{PARAMETER}{index:06}"), &value);
        }
        writer
    }

    fn read(reader: Reader) -> Result<Self, OptimError> {
        let malformed = |what: &str| OptimError::Record {
            message: format!("it has no valid {what}; take another copy of the record"),
        };
        let metadata = reader.metadata();
        let version = metadata.get(VERSION).map_or("1", String::as_str);
        if version != FORMAT {
            return Err(OptimError::Record {
                message: format!(
                    "its format is version {version}, and this version of the library reads version {FORMAT}; \
                     resume with the version that wrote it, or start a new optimizer at the saved model"
                ),
            });
        }
        let kind = metadata.get(KIND).ok_or_else(|| malformed("kind"))?.clone();
        let listed = metadata
            .iter()
            .filter(|(key, _)| key.starts_with(PARAMETER));
        let parameters: Option<Vec<_>> = listed.map(|(_, value)| Recorded::parse(value)).collect();
        let parameters = parameters.ok_or_else(|| malformed("parameter list"))?;
        let mut vectors: BTreeMap<String, Vec<Option<TensorData>>> = BTreeMap::new();
        let mut all_bytes = BTreeMap::new();
        for tensor in reader.into_tensors().map_err(failed)? {
            let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(failed)?;
            // Parameters are numbers of other types.
            if dtype == DType::U8 {
                all_bytes.insert(name, bytes.to_vec());
                continue;
            }
            let place = name.rsplit_once('.');
            let place = place.and_then(|(name, index)| Some((name, index.parse::<usize>().ok()?)));
            let leaf = place.and_then(|(name, index)| {
                let leaves = vectors.entry(name.to_string());
                let leaves = leaves.or_insert_with(|| vec![None; parameters.len()]);
                leaves.get_mut(index)
            });
            let leaf = leaf.ok_or_else(|| malformed("vector name"))?;
            *leaf = Some(TensorData::from_bytes(bytes, shape, dtype));
        }
        Ok(Self {
            kind,
            parameters,
            vectors,
            bytes: all_bytes,
        })
    }
}

impl Recorded {
    fn parse(value: &str) -> Option<Self> {
        let mut parts = value.splitn(3, ' ');
        let id = parts.next()?.parse().ok()?;
        let shape = parts
            .next()?
            .split('x')
            .map(|n| n.parse().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            id,
            shape,
            path: parts.next()?.to_string(),
        })
    }
}

fn recorded(space: &ParamSpace) -> Vec<Recorded> {
    let leaves = space.leaves().iter();
    leaves
        .map(|leaf| Recorded {
            id: leaf.id().val(),
            path: leaf.path().to_string(),
            shape: leaf.shape().to_vec(),
        })
        .collect()
}

pub(crate) fn missing(name: &str) -> OptimError {
    OptimError::Record {
        message: format!("`{name}` is missing; take another copy of the record"),
    }
}

pub(crate) fn failed(error: impl Display) -> OptimError {
    OptimError::Record {
        message: error.to_string(),
    }
}

fn at(path: &Path, error: impl Display, remedy: &str) -> OptimError {
    failed(format!("`{}`: {error}; {remedy}", path.display()))
}

/// MessagePack with the names of fields: exact for every number, and a field that is missing is noticed.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, OptimError> {
    rmp_serde::to_vec_named(value).map_err(failed)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], owner: &str) -> Result<T, OptimError> {
    rmp_serde::from_slice(bytes).map_err(|error| {
        failed(format!(
            "the memory of {owner} has another form: {error}; load it with the version that wrote it"
        ))
    })
}
