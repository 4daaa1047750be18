//! The parameters of many models on the host.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::weights::{Compared, Name, compared, dot, host_values, wide};
use super::{AlignError, WeightSimilarity};
use crate::symmetry::{Element, Symmetries, host_device};

/// The arguments that models are, as errors name them.
const NAMES: [Name; 10] = [
    "models[0]",
    "models[1]",
    "models[2]",
    "models[3]",
    "models[4]",
    "models[5]",
    "models[6]",
    "models[7]",
    "models[8]",
    "models[9]",
];

fn name(model: usize) -> Name {
    NAMES.get(model).copied().unwrap_or("models")
}

/// The parameters that groups permute, of all models.
pub(super) struct HostModels {
    symmetries: Symmetries,
    host: Device,
    models: Vec<Compared>,
}

impl HostModels {
    pub(super) fn new<M: Module>(
        symmetries: &Symmetries,
        models: &[&M],
    ) -> Result<Self, AlignError> {
        let host = host_device()?;
        let models = models.iter().enumerate();
        let models = models.map(|(index, &model)| compared(symmetries, name(index), model, &host));
        Ok(Self {
            models: models.collect::<Result<_, _>>()?,
            symmetries: symmetries.clone(),
            host,
        })
    }

    pub(super) fn num_models(&self) -> usize {
        self.models.len()
    }

    pub(super) fn symmetries(&self) -> &Symmetries {
        &self.symmetries
    }

    pub(super) fn host(&self) -> &Device {
        &self.host
    }

    /// The number of float tensors.
    pub(super) fn num_tensors(&self) -> usize {
        self.symmetries.layout().tensors.len()
    }

    /// A flat parameter of a model in f64; none if it is not compared.
    pub(super) fn values(&self, model: usize, tensor: usize) -> Option<Tensor<1>> {
        let (values, _) = self.models[model][tensor].as_ref()?;
        Some(wide(values.clone()))
    }

    /// The norm of a parameter of a model.
    pub(super) fn norm(&self, model: usize, tensor: usize) -> f64 {
        let found = self.models[model][tensor].as_ref();
        found.map_or(0.0, |(_, norm)| *norm)
    }

    /// `Σ_{p<q} ⟨g_p θ_p, g_q θ_q⟩`.
    pub(super) fn objective(&self, elements: &[Element]) -> Result<f64, AlignError> {
        let mut objective = 0.0;
        for tensor in 0..self.num_tensors() {
            let mut before: Vec<f64> = Vec::new();
            for (model, element) in elements.iter().enumerate() {
                let Some(values) = self.values(model, tensor) else {
                    break;
                };
                let moved = host_values(element.moved(tensor, values))?;
                if before.is_empty() {
                    before = moved;
                    continue;
                }
                objective += dot(&before, &moved);
                for (sum, own) in before.iter_mut().zip(moved) {
                    *sum += own;
                }
            }
        }
        Ok(objective)
    }

    /// A model compared with the sum of all others, which are moved.
    pub(super) fn similarity(
        &self,
        elements: &[Element],
        model: usize,
    ) -> Result<WeightSimilarity, AlignError> {
        let mut others = Vec::with_capacity(self.num_tensors());
        for tensor in 0..self.num_tensors() {
            let mut sum: Option<Tensor<1>> = None;
            for (other, element) in elements.iter().enumerate() {
                if other != model
                    && let Some(values) = self.values(other, tensor)
                {
                    let moved = element.moved(tensor, values);
                    sum = Some(match sum {
                        Some(sum) => sum + moved,
                        None => moved,
                    });
                }
            }
            others.push(match sum {
                Some(sum) => {
                    let values = host_values(sum.clone())?;
                    Some((sum, dot(&values, &values).sqrt()))
                }
                None => None,
            });
        }
        Ok(self.between(others, model))
    }

    /// A model compared with another one as it is.
    pub(super) fn pair(&self, reference: usize, model: usize) -> WeightSimilarity {
        self.between(self.models[reference].clone(), model)
    }

    fn between(&self, a: Compared, model: usize) -> WeightSimilarity {
        let b = self.models[model].clone();
        WeightSimilarity::between(&self.symmetries, self.host.clone(), a, b)
    }
}
