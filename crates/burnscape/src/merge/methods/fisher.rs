use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::TensorData;

use super::average::check_mean_weights;
use super::means::{Mean, means};
use super::stores::{Stores, unusable};
use crate::merge::{MergeError, MergeMethod, MergeTensor, TensorStore};

/// Fisher-weighted averaging: the mean of the models in which each element counts by how much the model's predictions
/// depend on it. Its name is `fisher`.
///
/// With importances `F_i`, one for each element of a tensor, and weights `w_i`,
///
/// ```text
/// θ = Σ_i w_i F_i θ_i / Σ_i w_i F_i,
/// ```
///
/// element by element; and `Σ w_i θ_i / Σ w_i` where the denominator is zero. This is the maximum of the product of
/// Gaussian posteriors around the models, with diagonal precisions `F_i`.
/// [`squared_gradients`](Self::squared_gradients) collects the usual ones, the diagonal of the empirical Fisher
/// matrix; any importances of zero or more will do.
///
/// Tensors of which no model has importances, such as frozen parameters, are averaged, which the
/// [report](crate::merge::MergeReport) notes. The mean runs, so that equal models give that model bit by bit.
///
/// # Cost
///
/// One pass, and memory for the importances of a tensor in f64, for each model.
///
/// # Errors
///
/// [`MergeError::NumModels`] unless there is a store for each model; [`MergeError::OutOfRange`] for weights that are
/// negative or not finite, or all zero; [`MergeError::Statistics`] for importances that one model lacks and another one
/// has, of another shape than the tensor, negative or not finite.
///
/// # References
///
/// Matena & Raffel 2022, *Merging Models with Fisher-Weighted Averaging*, arXiv:2111.09832.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
///
/// use burn::tensor::TensorData;
/// use burnscape::merge::{FisherAverage, MergeMethod, MergeTensor, TensorMap, TensorStore};
///
/// let importance = |value: f64| -> Arc<dyn TensorStore> {
///     let mut map = TensorMap::new();
///     map.insert("bias", TensorData::from([value]));
///     Arc::new(map)
/// };
/// let method = FisherAverage::new(vec![importance(1.0), importance(3.0)]);
/// let models = [TensorData::from([1.0_f64]), TensorData::from([3.0_f64])];
/// let merged = method.merge(&MergeTensor::new("bias", &models)?)?;
/// assert_eq!(merged, TensorData::from([2.5_f64]));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FisherAverage {
    importances: Stores,
    /// Those that the stores read.
    files: Vec<PathBuf>,
}

impl FisherAverage {
    /// With a store of importances for each model, in the order of the models. They have the names of the tensors: for
    /// modules, the first path of each parameter.
    #[must_use]
    pub fn new(importances: Vec<Arc<dyn TensorStore>>) -> Self {
        Self {
            files: importances.iter().flat_map(|store| store.files()).collect(),
            importances: Stores::new(importances),
        }
    }
}

impl MergeMethod for FisherAverage {
    fn name(&self) -> String {
        "fisher".to_string()
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        self.importances.check(&self.name(), weights.len())?;
        Ok(check_mean_weights(weights)?)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }

    fn note(&self, name: &str, _shape: &[usize]) -> Option<String> {
        (!self.importances.has(name)).then(|| "averaged: no importances".to_string())
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        self.importances.check(&self.name(), tensor.num_models())?;
        let Some(importances) = self.importances.of(tensor.name())? else {
            return Ok(tensor.result(means(tensor)));
        };
        let importances = importances.iter().enumerate();
        let importances = importances.map(|(model, data)| checked(tensor, model, data));
        let importances = importances.collect::<Result<Vec<Vec<f64>>, MergeError>>()?;
        Ok(tensor.map(|block, merged| {
            for (index, merged) in merged.iter_mut().enumerate() {
                let (mut mean, mut plain) = (Mean::default(), Mean::default());
                let models = block.models.iter().zip(tensor.weights());
                for ((model, weight), importances) in models.zip(&importances) {
                    let importance = importances[block.start + index];
                    mean.add(model[index], weight * importance);
                    plain.add(model[index], *weight);
                }
                *merged = mean.value().or(plain.value()).unwrap_or_default();
            }
        }))
    }
}

/// The importances of a tensor in one model.
fn checked(
    tensor: &MergeTensor<'_>,
    model: usize,
    data: &TensorData,
) -> Result<Vec<f64>, MergeError> {
    let shape = data.shape().as_slice();
    if shape != tensor.shape() {
        let expected = tensor.shape();
        let message = format!(
            "the importances of model {model} are {shape:?}, the tensor is {expected:?}; collect them on the models \
             that are merged"
        );
        return Err(unusable(tensor.name(), message));
    }
    let values: Vec<f64> = data.iter::<f64>().collect();
    let is_usable = |value: f64| value >= 0.0 && value.is_finite();
    match values.iter().position(|value| !is_usable(*value)) {
        None => Ok(values),
        Some(index) => {
            let value = values[index];
            let message = format!(
                "the importance of element {index} in model {model} is {value}; use finite numbers of 0 or more"
            );
            Err(unusable(tensor.name(), message))
        }
    }
}
