use burn::tensor::TensorData;

use crate::OutOfRange;
use crate::merge::{MergeError, MergeMethod, MergeTensor};

/// Leaves tensors as one of the models has them, bit by bit. Its name is `take`.
///
/// With a [pattern](crate::merge::Recipe::with) it leaves parts of a model out of a merge, with the running statistics
/// of their normalizations. In files, tensors of integers are taken as well.
///
/// # Cost
///
/// One pass.
///
/// # Errors
///
/// [`MergeError::OutOfRange`] for an index that no model has; [`MergeError::NoBase`].
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{MergeMethod, MergeTensor, Take};
///
/// let models = [TensorData::from([1.0_f32]), TensorData::from([5.0_f32])];
/// let tensor = MergeTensor::new("head.bias", &models)?;
/// assert_eq!(Take::Model(1).merge(&tensor)?, models[1]);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// As the base has them.
    Base,
    /// As the model of this index has them. The first is 0.
    Model(usize),
}

impl MergeMethod for Take {
    fn name(&self) -> String {
        "take".to_string()
    }

    fn needs_base(&self) -> bool {
        *self == Self::Base
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        match *self {
            Self::Base => Ok(()),
            Self::Model(model) => Ok(check_index(model, weights.len())?),
        }
    }

    fn note(&self, _name: &str, _shape: &[usize]) -> Option<String> {
        Some(match self {
            Self::Base => "as in the base".to_string(),
            Self::Model(model) => format!("as in model {model}"),
        })
    }

    fn takes(&self) -> Option<Take> {
        Some(*self)
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        match *self {
            Self::Model(model) => taken(tensor, model),
            Self::Base if tensor.has_base() => Ok(tensor.map(|block, out| {
                if let Some(base) = block.base {
                    out.copy_from_slice(base);
                }
            })),
            Self::Base => Err(MergeError::NoBase {
                method: self.name(),
            }),
        }
    }
}

/// The tensor of one model.
pub(super) fn taken(tensor: &MergeTensor<'_>, model: usize) -> Result<TensorData, MergeError> {
    check_index(model, tensor.num_models())?;
    Ok(tensor.map(|block, out| out.copy_from_slice(block.models[model])))
}

fn check_index(model: usize, num_models: usize) -> Result<(), OutOfRange> {
    if model < num_models {
        return Ok(());
    }
    let expected = format!("an index below {num_models}, the number of models");
    Err(OutOfRange::new("Take::Model", model as f64, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_bit_by_bit() {
        let models = [[-0.0_f32, 1e-42], [0.1, 3.0]].map(TensorData::from);
        let tensor = MergeTensor::new("w", &models).unwrap();
        for (index, model) in models.iter().enumerate() {
            assert_eq!(&Take::Model(index).merge(&tensor).unwrap(), model);
        }
        let error = Take::Model(2).merge(&tensor).unwrap_err().to_string();
        assert!(
            error.contains("`Take::Model` is 2; use an index below 2"),
            "{error}"
        );
        assert!(Take::Base.merge(&tensor).is_err());
        let base = TensorData::from([7.0_f32, -7.0]);
        assert_eq!(Take::Base.merge(&tensor.with_base(&base)).unwrap(), base);
    }
}
