//! A recipe on modules.

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::{DType, Element, Tensor, TensorData, bf16, f16};

use super::models::checked;
use super::plan::{Entry, Plan, Role, model_name, sample_ranges};
use super::spherical::filter_axes;
use super::tensor::{all_values, first_non_finite};
use super::{MergeError, MergeReport, Recipe};
use crate::space::{FloatTensor, SpaceError, with_values};

/// A merged model, the result of [`Recipe::run`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Merged<M> {
    /// The model. It shares no state with the others.
    pub model: M,
    /// What was done with each tensor.
    pub report: MergeReport,
}

impl Recipe {
    /// Merges modules, parameter by parameter. `base` is the model from which the others were trained, for methods that
    /// merge differences from it.
    ///
    /// Models match by path. Parameters count whether they are trained or frozen; tied ones are one, named by their
    /// first path. Running statistics are averaged with the weights, whatever the method is, or with equal weights if
    /// those have no mean; the report says so. Usually they have to be [estimated
    /// again](crate::loss::NormalizationPolicy::normalize). Those that [`Take`](super::Take) selects are taken as they
    /// are. Everything else is that of the base, or of the first model if there is none: autodiff, what requires
    /// gradients, flags and ties. So are integer and Boolean tensors, also where `Take` selects another model.
    ///
    /// Results are computed on the host, in f64, rounded to f32 (to f64 if a parameter is), and then to the type of the
    /// parameter. So they do not depend on the device, and are those of merging checkpoints.
    ///
    /// # Cost
    ///
    /// One download of each tensor of each model and one upload of the result, and a pass on the device that looks for
    /// numbers that are not finite. Methods that see all tensors first download them once or twice more. Host memory
    /// for one tensor of every model and two more.
    ///
    /// # Errors
    ///
    /// [`MergeError::NoModels`]; [`MergeError::DifferentModel`], with the first parameter that differs in path, shape,
    /// element type or ties; [`MergeError::NonFinite`]; [`MergeError::OutOfRange`] unless there is one weight for each
    /// model, and for settings; [`MergeError::NoSuchTensor`] for a pattern that selects nothing;
    /// [`MergeError::NoBase`]; [`MergeError::Method`] for a result that the type of the parameter cannot hold;
    /// [`MergeError::Space`]; those of the methods.
    pub fn run<M: Module>(&self, base: Option<&M>, models: &[&M]) -> Result<Merged<M>, MergeError> {
        let first = match (base, models) {
            (_, []) => return Err(MergeError::NoModels),
            (Some(base), _) => base,
            (None, [first, ..]) => *first,
        };
        let roles = base.map(|base| (Role::Base, base)).into_iter();
        let roles = roles.chain((0..).map(Role::Model).zip(models.iter().copied()));
        let named: Vec<(String, &M)> = roles
            .map(|(role, model)| (model_name(role), model))
            .collect();
        let all = checked(&named)?;
        let Some(own) = all.first() else {
            return Err(MergeError::NoModels);
        };
        let entries = entries(own, &self.filter_axes(first, own)?);
        let mut plan = Plan::new(self, entries, models.len(), base.is_some(), true)?;
        let before = usize::from(base.is_some());
        let read = |role: Role, index: usize, is_sampled: bool| -> Result<TensorData, MergeError> {
            let tensors: &Vec<FloatTensor> = match role {
                Role::Base => own,
                Role::Model(model) => &all[before + model],
            };
            Ok(downloaded(&tensors[index], is_sampled)?)
        };
        plan.prepare(&read)?;
        let merged = own.iter().enumerate().map(|(index, tensor)| {
            let (merged, name) = (plan.merged(index, &read)?, tensor.paths.first());
            let (method, name) = (plan.method_name(index), name.map_or("", String::as_str));
            let data = checked_cast(merged, tensor.values.dtype(), &method, name)?;
            let (len, dtype) = (data.num_elements(), data.dtype());
            let flat = reshaped(data, vec![len])?;
            let device = tensor.values.device();
            Ok((tensor, Tensor::from_data(flat, (&device, dtype))))
        });
        let merged: Vec<(&FloatTensor, Tensor<1>)> = merged.collect::<Result<_, MergeError>>()?;
        Ok(Merged {
            model: with_values(first, merged),
            report: plan.report(),
        })
    }

    /// The axis of the filters of each weight, by path. Only for methods that need them they have to be found.
    fn filter_axes<M: Module>(
        &self,
        model: &M,
        tensors: &[FloatTensor],
    ) -> Result<HashMap<String, usize>, SpaceError> {
        let found = filter_axes(model);
        let rules = self.rules.iter().map(|(_, method)| method);
        let mut methods = rules.chain([&self.method]);
        let is_needed = methods.any(|method| {
            let mut tensors = tensors.iter();
            tensors.any(|tensor| method.needs_filters(&tensor.shape))
        });
        if is_needed {
            found
        } else {
            Ok(found.unwrap_or_default())
        }
    }
}

fn entries(tensors: &[FloatTensor], filters: &HashMap<String, usize>) -> Vec<Entry> {
    let entries = tensors.iter().map(|tensor| {
        let name = tensor.paths.first().cloned().unwrap_or_default();
        Entry {
            filter_axis: filters.get(&name).copied(),
            name,
            shape: tensor.shape.clone(),
            is_running_statistic: tensor.is_running_statistic,
        }
    });
    entries.collect()
}

/// The values in the type in which they are stored, in the shape of the tensor; or a flat sample of them.
pub(super) fn downloaded(tensor: &FloatTensor, is_sampled: bool) -> Result<TensorData, SpaceError> {
    let len = tensor.shape.iter().product();
    let ranges = sample_ranges(len);
    if is_sampled && ranges.len() > 1 {
        let parts = ranges
            .into_iter()
            .map(|range| tensor.values.clone().slice([range]));
        return Tensor::cat(parts.collect(), 0)
            .try_into_data()
            .map_err(failed);
    }
    let data = tensor.values.clone().try_into_data().map_err(failed)?;
    reshaped(data, tensor.shape.clone())
}

/// The same values in another shape.
fn reshaped(data: TensorData, shape: Vec<usize>) -> Result<TensorData, SpaceError> {
    let (bytes, _, dtype) = data.into_parts();
    TensorData::try_from_bytes(bytes, shape, dtype).map_err(failed)
}

/// Float values in another float type; to f16 and bf16 by way of f32. Other types stay what they are.
pub(crate) fn cast(data: TensorData, dtype: DType) -> TensorData {
    match dtype {
        _ if data.dtype() == dtype => data,
        DType::F64 => converted(&data, |value| value),
        DType::F32 | DType::Flex32 => converted(&data, |value| value as f32),
        DType::F16 => converted(&data, |value| f16::from_f32(value as f32)),
        DType::BF16 => converted(&data, |value| bf16::from_f32(value as f32)),
        _ => data,
    }
}

/// The same for a result of a method, which is refused if it is not finite in this type.
pub(crate) fn checked_cast(
    data: TensorData,
    dtype: DType,
    method: &str,
    tensor: &str,
) -> Result<TensorData, MergeError> {
    // A number that is not finite in a type is none in a wider one.
    let is_widened = data.dtype().size() < dtype.size();
    let narrowest = if is_widened { data.dtype() } else { dtype };
    let data = cast(data, dtype);
    let Some((index, value)) = first_non_finite(&data) else {
        return Ok(data);
    };
    let dtype = narrowest.name();
    Err(MergeError::Method {
        method: method.to_string(),
        tensor: tensor.to_string(),
        message: format!(
            "element {index} is {value} as {dtype}; choose a wider element type, or a smaller scale"
        ),
    })
}

fn converted<E: Element>(data: &TensorData, number: impl Fn(f64) -> E) -> TensorData {
    let values = all_values(data).into_iter().map(number);
    TensorData::new(values.collect(), data.shape().clone())
}

fn failed(error: impl std::fmt::Debug) -> SpaceError {
    SpaceError::Device {
        message: format!("{error:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_round_to_the_nearest_by_way_of_f32() {
        let values = [1.0, 1.0 / 3.0, -65519.0, 1e-8];
        let data = TensorData::from(values);
        let single: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let expected = TensorData::new(single.clone(), [4]);
        assert_eq!(cast(data.clone(), DType::F32), expected);
        let halves: Vec<f16> = single.iter().map(|value| f16::from_f32(*value)).collect();
        let halves = TensorData::new(halves, [4]);
        assert_eq!(cast(data.clone(), DType::F16), halves);
        assert_eq!(cast(expected.clone(), DType::F16), halves);
        assert_eq!(cast(cast(halves.clone(), DType::F64), DType::F16), halves);
        let brain: Vec<bf16> = single.iter().map(|value| bf16::from_f32(*value)).collect();
        assert_eq!(cast(expected, DType::BF16), TensorData::new(brain, [4]));
        assert_eq!(cast(data.clone(), DType::I32), data);
    }

    #[test]
    fn results_are_finite_in_the_type_that_is_written() {
        let message = |data: TensorData, dtype: DType| {
            let cast = checked_cast(data, dtype, "average", "w");
            cast.unwrap_err().to_string()
        };
        let data = TensorData::from([1.0_f32, 65_504.0, -65_520.0]);
        assert!(checked_cast(data.clone(), DType::BF16, "average", "w").is_ok());
        let text = message(data, DType::F16);
        let expected = "`average` cannot merge `w`: element 2 is -inf as f16; choose a wider \
                        element type, or a smaller scale";
        assert_eq!(text, expected);
        let data = TensorData::from([1e300]);
        assert!(message(data, DType::BF16).contains("element 0 is inf as bf16"));
        let data = TensorData::from([f32::INFINITY]);
        assert!(message(data.clone(), DType::F64).contains("inf as f32"));
        assert!(message(data, DType::F32).contains("inf as f32"));
    }
}
