use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, DType, Tensor, TensorData};
use burn_pack::{Reader, Scalar, Writer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::OptimError;
use super::base_record::renamed;
use crate::space::{LeafVector, ParamSpace};

/// The saved state of an optimizer of this crate: counters, vectors, and the base's own record.
///
/// The format is burnpack, Burn's container format. A record lists its parameters by path and shape, and loads into
/// every model with the same: the model itself, a rebuilt one, or one that was read from a file.
#[derive(Debug, Clone)]
pub struct OptimRecord {
    kind: String,
    parameters: Vec<Recorded>,
    counters: BTreeMap<String, f64>,
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

/// The format of states that this version of the library writes and reads. Version 1 had a list of numbers, in which a
/// missing one was read as zero.
pub(super) const VERSION: u32 = 2;

/// Every state begins with its version.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: u32,
}

const KIND: &str = "burnscape.kind";
const PARAMETER: &str = "parameter.";
const BASE: &str = "base";
const STATE: &str = "state";

impl OptimRecord {
    /// An empty record for the parameters of `model`.
    pub(crate) fn new<M: Module>(kind: &str, model: &M) -> Result<Self, OptimError> {
        let parameters = recorded(&ParamSpace::of(model)?);
        Ok(Self {
            kind: kind.to_string(),
            parameters,
            counters: BTreeMap::new(),
            vectors: BTreeMap::new(),
            bytes: BTreeMap::new(),
        })
    }

    pub(crate) fn with_counter(mut self, name: &str, value: f64) -> Self {
        self.counters.insert(name.to_string(), value);
        self
    }

    pub(crate) fn with_vector(
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

    /// Refuses a record of another optimizer, or of a model with other paths or shapes.
    pub(crate) fn check<M: Module>(&self, kind: &str, model: &M) -> Result<ParamSpace, OptimError> {
        let other = |difference: String| Err(OptimError::OtherModel { difference });
        if self.kind != kind {
            let message = format!("expected a record of {kind}, found one of {}", self.kind);
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

    pub(crate) fn counter(&self, name: &str) -> Option<f64> {
        self.counters.get(name).copied()
    }

    /// A number that every record of this kind has.
    pub(crate) fn required(&self, name: &str) -> Result<f64, OptimError> {
        self.counter(name).ok_or_else(|| missing(name))
    }

    pub(crate) fn with_bytes(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.bytes.insert(name.to_string(), bytes);
        self
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.bytes.get(name).map(Vec::as_slice)
    }

    /// Adds a struct with a field `version`.
    pub(super) fn with_state(self, state: &impl Serialize) -> Result<Self, OptimError> {
        Ok(self.with_bytes(STATE, encode(state)?))
    }

    pub(super) fn state<T: DeserializeOwned>(&self) -> Result<T, OptimError> {
        let owner = "the optimizer";
        let mut version = 1;
        if let Some(bytes) = self.bytes(STATE) {
            version = decode::<Versioned>(bytes, owner)?.version;
            if version == VERSION {
                return decode(bytes, owner);
            }
        }
        Err(OptimError::Record {
            message: format!(
                "its format is version {version}, and this version of the library reads version {VERSION}; \
                 resume with the version that wrote it, or start a new optimizer at the saved model"
            ),
        })
    }

    pub(crate) fn vector(&self, name: &str, space: &ParamSpace) -> Option<LeafVector> {
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
        let Some(bytes) = self.bytes(BASE).map(<[u8]>::to_vec) else {
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
        Self::read(Reader::from_bytes(bytes).map_err(failed)?)
    }

    /// Writes the record to a file.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn save(self, path: impl AsRef<Path>) -> Result<(), OptimError> {
        self.writer().write_to_file(path).map_err(failed)?;
        Ok(())
    }

    /// Reads a record from a file.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, OptimError> {
        Self::read(Reader::from_file(path).map_err(failed)?)
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
        let mut writer = Writer::new(tensors).with_metadata(KIND, &self.kind);
        for (index, parameter) in self.parameters.iter().enumerate() {
            let shape: Vec<String> = parameter.shape.iter().map(usize::to_string).collect();
            let value = format!("{} {} {}", parameter.id, shape.join("x"), parameter.path);
            writer = writer.with_metadata(&format!("{PARAMETER}{index:06}"), &value);
        }
        for (name, value) in self.counters {
            writer = writer.with_scalar(&name, Scalar::from(value));
        }
        writer
    }

    fn read(reader: Reader) -> Result<Self, OptimError> {
        let malformed = |what: &str| OptimError::Record {
            message: format!("no valid {what}"),
        };
        let metadata = reader.metadata();
        let kind = metadata.get(KIND).ok_or_else(|| malformed("kind"))?.clone();
        let listed = metadata
            .iter()
            .filter(|(key, _)| key.starts_with(PARAMETER));
        let parameters: Option<Vec<_>> = listed.map(|(_, value)| Recorded::parse(value)).collect();
        let parameters = parameters.ok_or_else(|| malformed("parameter list"))?;
        let mut counters = BTreeMap::new();
        for (name, value) in reader.scalars() {
            let value = f64::try_from(*value).map_err(|_| malformed("counter"))?;
            counters.insert(name.clone(), value);
        }
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
            counters,
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

pub(super) fn missing(name: &str) -> OptimError {
    OptimError::Record {
        message: format!("`{name}` is missing; take another copy of the record"),
    }
}

pub(super) fn failed(error: impl std::fmt::Debug) -> OptimError {
    OptimError::Record {
        message: format!("{error:?}"),
    }
}

/// MessagePack with the names of fields: exact for every number, and a field that is missing is noticed.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, OptimError> {
    rmp_serde::to_vec_named(value).map_err(|error| OptimError::Record {
        message: error.to_string(),
    })
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], owner: &str) -> Result<T, OptimError> {
    rmp_serde::from_slice(bytes).map_err(|error| OptimError::Record {
        message: format!(
            "the memory of {owner} has another form: {error}; load it with the version that wrote it"
        ),
    })
}
