use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;

use burn::optim::OptimizerRecord;
use burn::tensor::{DType, bf16, f16};
use burn_pack::{Reader, Scalar, Tensor};

use crate::dynamics::DynamicsError;
use crate::space::ParamLeaf;

/// What an optimizer keeps of each parameter, from its record.
///
/// A record is a burnpack whose tensors and scalars are named `IDENTIFIER.FIELD`, with the identifier of the parameter
/// and the path of the field in Burn's state.
pub(super) struct States {
    optimizer: &'static str,
    parameters: HashSet<String>,
    tensors: HashMap<String, Tensor>,
    scalars: BTreeMap<String, Scalar>,
}

/// Refuses the record of an optimizer that divides the gradient, for a rule without a preconditioner.
pub(crate) fn refuse_preconditioner(record: OptimizerRecord) -> Result<(), DynamicsError> {
    const KEPT: [&str; 3] = ["moment_2", "centered.avg", "lr_decay.sum"];
    let bytes = record.into_bytes().map_err(unreadable)?;
    let reader = Reader::from_bytes(bytes).map_err(unreadable)?;
    for tensor in reader.into_tensors().map_err(unreadable)? {
        if let Some(field) = KEPT.iter().find(|field| tensor.name.ends_with(**field)) {
            return Err(other(format!(
                "its record has `{field}`, by which it divides the gradient, and the rule has no preconditioner; make the \
                 rule from the config of the optimizer that trains the model"
            )));
        }
    }
    Ok(())
}

impl States {
    /// The states in the record of an optimizer of this name; none before its first step.
    pub(super) fn read(
        record: OptimizerRecord,
        optimizer: &'static str,
    ) -> Result<Option<Self>, DynamicsError> {
        let bytes = record.into_bytes().map_err(unreadable)?;
        let reader = Reader::from_bytes(bytes).map_err(unreadable)?;
        let scalars = reader.scalars().clone();
        let tensors = reader.into_tensors().map_err(unreadable)?;
        let tensors = tensors.into_iter();
        let tensors: HashMap<String, Tensor> = tensors
            .map(|tensor| (tensor.name.clone(), tensor))
            .collect();
        let names = tensors.keys().chain(scalars.keys());
        let parameters: HashSet<String> = names
            .filter_map(|name| name.split_once('.'))
            .map(|(id, _)| id.to_string())
            .collect();
        // Plain gradient descent keeps no tensors, but its record names the parameters that it has stepped.
        Ok((!parameters.is_empty()).then_some(Self {
            optimizer,
            parameters,
            tensors,
            scalars,
        }))
    }

    /// The state of one parameter.
    pub(super) fn of<'s>(&'s self, leaf: &'s ParamLeaf) -> Result<State<'s>, DynamicsError> {
        let id = leaf.id().val().to_string();
        if !self.parameters.contains(&id) {
            let path = leaf.path();
            return Err(other(format!(
                "its record has no state of `{path}`; pass the optimizer that trains this model, and leave parameters that \
                 it does not step out of the risk (`Risk::with_group`)"
            )));
        }
        Ok(State {
            states: self,
            leaf,
            id,
        })
    }
}

/// What an optimizer keeps of one parameter.
pub(super) struct State<'s> {
    states: &'s States,
    leaf: &'s ParamLeaf,
    id: String,
}

impl State<'_> {
    /// The elements of a tensor that has the parameter's shape.
    pub(super) fn values(&self, field: &str) -> Result<Vec<f64>, DynamicsError> {
        let Some(tensor) = self.states.tensors.get(&self.name(field)) else {
            return Err(self.lacks(field));
        };
        let bytes = tensor.to_bytes().map_err(unreadable)?;
        let (path, expected) = (self.leaf.path(), self.leaf.len());
        match floats(tensor.dtype, &bytes) {
            Some(values) if values.len() == expected => Ok(values),
            Some(values) => Err(other(format!(
                "`{field}` of `{path}` has {} elements in its record, and the parameter has {expected}; pass the optimizer \
                 that trains this model",
                values.len()
            ))),
            None => Err(other(format!(
                "`{field}` of `{path}` has elements of type {:?} in its record; keep the state in floating-point numbers",
                tensor.dtype
            ))),
        }
    }

    /// A number of steps.
    pub(super) fn count(&self, field: &str) -> Result<usize, DynamicsError> {
        let scalar = self.states.scalars.get(&self.name(field));
        let count = scalar.and_then(|scalar| usize::try_from(*scalar).ok());
        count.ok_or_else(|| self.lacks(field))
    }

    /// Refuses a state that has a tensor with other settings only, or lacks one that it has with these.
    pub(super) fn refuse_unless(&self, is_kept: bool, field: &str) -> Result<(), DynamicsError> {
        let is_there = self.states.tensors.contains_key(&self.name(field));
        match (is_kept, is_there) {
            (true, false) => Err(self.lacks(field)),
            (false, true) => Err(other(format!(
                "its record has `{field}` of `{}`, which {} does not keep with the settings of the rule; make the rule \
                 from the config of the optimizer that trains the model",
                self.leaf.path(),
                self.states.optimizer
            ))),
            _ => Ok(()),
        }
    }

    fn lacks(&self, field: &str) -> DynamicsError {
        other(format!(
            "its record has no `{field}` of `{}`, which {} keeps with the settings of the rule; make the rule from the \
             config of the optimizer that trains the model",
            self.leaf.path(),
            self.states.optimizer
        ))
    }

    fn name(&self, field: &str) -> String {
        format!("{}.{field}", self.id)
    }
}

/// The numbers that a burnpack stores, in little-endian order and aligned to no type in particular.
fn floats(dtype: DType, bytes: &[u8]) -> Option<Vec<f64>> {
    match dtype {
        DType::F64 => Some(numbers(bytes, f64::from_le_bytes)),
        DType::F32 | DType::Flex32 => {
            Some(numbers(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))))
        }
        DType::F16 => Some(numbers(bytes, |bytes| f16::from_le_bytes(bytes).to_f64())),
        DType::BF16 => Some(numbers(bytes, |bytes| bf16::from_le_bytes(bytes).to_f64())),
        _ => None,
    }
}

fn numbers<const SIZE: usize>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> f64) -> Vec<f64> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    elements.iter().map(|element| number(*element)).collect()
}

/// A record that does not fit a rule or a model.
pub(super) fn other(message: String) -> DynamicsError {
    DynamicsError::OtherOptimizer { message }
}

fn unreadable(error: impl Display) -> DynamicsError {
    other(format!(
        "its record cannot be read: {error}; pass the optimizer that trains the model"
    ))
}
