//! What is done with each tensor of a merge, whether the models are modules or files.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::TensorData;

use super::method::Pass;
use super::methods::{Average, check_mean_weights};
use super::tensor::first_non_finite;
use super::{MergeError, MergeMethod, MergePass, MergeReport, MergeTensor, MergedTensor, Recipe};
use crate::OutOfRange;
use crate::path_pattern::is_below;

/// A tensor with up to this many elements is its own sample.
const WHOLE: usize = 65_536;
/// The stretches of a sample.
const STRETCHES: usize = 64;

/// A tensor that all models have.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) is_running_statistic: bool,
    /// The axis of the output units of a weight, if it is known.
    pub(crate) filter_axis: Option<usize>,
}

/// One of the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Base,
    Model(usize),
}

/// Reads a tensor of a model, by the index of its entry. If the last argument is true, only the elements in
/// [`sample_ranges`] are read: flat, unless they are all.
pub(crate) type Read<'r> = dyn Fn(Role, usize, bool) -> Result<TensorData, MergeError> + 'r;

/// A recipe for the tensors of some models.
#[derive(Debug)]
pub(crate) struct Plan {
    entries: Vec<Entry>,
    /// One for each entry.
    steps: Vec<Step>,
    num_models: usize,
}

/// What is done with one tensor.
#[derive(Debug)]
struct Step {
    method: Arc<dyn MergeMethod>,
    weights: Vec<f64>,
    note: Option<String>,
}

/// The inputs of one tensor.
struct Inputs {
    models: Vec<TensorData>,
    base: Option<TensorData>,
}

impl Plan {
    /// Chooses a method for each tensor and checks the recipe. `has_filters` says whether filter axes are known.
    pub(crate) fn new(
        recipe: &Recipe,
        entries: Vec<Entry>,
        num_models: usize,
        has_base: bool,
        has_filters: bool,
    ) -> Result<Self, MergeError> {
        if num_models == 0 {
            return Err(MergeError::NoModels);
        }
        let given = recipe.weights.len();
        if given != 0 && given != num_models {
            let expected = format!("{num_models} weights, one for each model (the base has none)");
            return Err(OutOfRange::new("number of weights", given as f64, expected).into());
        }
        check_patterns(recipe, &entries)?;
        let average: Arc<dyn MergeMethod> = Arc::new(Average);
        let mut steps = Vec::with_capacity(entries.len());
        for entry in &entries {
            let weights: Vec<f64> = if recipe.weights.is_empty() {
                vec![1.0; num_models]
            } else {
                let weights = recipe.weights.iter();
                weights.map(|weight| *weight.at(&entry.name)).collect()
            };
            let is_averaged = entry.is_running_statistic && recipe.taken(&entry.name).is_none();
            steps.push(if is_averaged {
                running_statistic(&average, weights)
            } else {
                let method = recipe.method_of(&entry.name);
                check(&**method, entry, &weights, has_base, has_filters)?;
                Step {
                    method: Arc::clone(method),
                    weights,
                    note: method.note(&entry.name, &entry.shape),
                }
            });
        }
        Ok(Self {
            entries,
            steps,
            num_models,
        })
    }

    /// The name of the method of an entry.
    pub(crate) fn method_name(&self, index: usize) -> String {
        self.steps[index].method.name()
    }

    pub(crate) fn report(&self) -> MergeReport {
        let tensors = self.entries.iter().zip(&self.steps);
        let tensors = tensors.map(|(entry, step)| MergedTensor {
            name: entry.name.clone(),
            shape: entry.shape.clone(),
            method: step.method.name(),
            note: step.note.clone(),
        });
        MergeReport {
            tensors: tensors.collect(),
        }
    }

    /// Lets every method see the tensors that it merges.
    pub(crate) fn prepare(&mut self, read: &Read<'_>) -> Result<(), MergeError> {
        let mut groups: Vec<(Arc<dyn MergeMethod>, Vec<usize>)> = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let mut known = groups.iter_mut();
            match known.find(|(method, _)| Arc::ptr_eq(method, &step.method)) {
                Some((_, indices)) => indices.push(index),
                None => groups.push((Arc::clone(&step.method), vec![index])),
            }
        }
        for (method, mut indices) in groups {
            // Sums over tensors are then the same for modules and files.
            indices.sort_by(|a, b| self.entries[*a].name.cmp(&self.entries[*b].name));
            let Some(prepared) = self.prepared(&*method, &indices, read)? else {
                continue;
            };
            for index in indices {
                self.steps[index].method = Arc::clone(&prepared);
            }
        }
        Ok(())
    }

    fn prepared(
        &self,
        method: &dyn MergeMethod,
        indices: &[usize],
        read: &Read<'_>,
    ) -> Result<Option<Arc<dyn MergeMethod>>, MergeError> {
        let pass: &Pass<'_> = &|is_sampled, visit| {
            for &index in indices {
                let inputs = self.inputs(index, is_sampled, read)?;
                visit(&self.tensor(index, &inputs)?)?;
            }
            Ok(())
        };
        let lengths = indices
            .iter()
            .map(|index| num_elements(&self.entries[*index].shape));
        method.prepare(&MergePass::new(pass, lengths.collect(), self.num_models))
    }

    /// The merged tensor, f32 or f64.
    pub(crate) fn merged(&self, index: usize, read: &Read<'_>) -> Result<TensorData, MergeError> {
        let (entry, method) = (&self.entries[index], &self.steps[index].method);
        if num_elements(&entry.shape) == 0 {
            // Other axes may be of any length.
            return Ok(TensorData::new(Vec::<f32>::new(), entry.shape.clone()));
        }
        let inputs = self.inputs(index, false, read)?;
        let merged = method.merge(&self.tensor(index, &inputs)?)?;
        let shape = merged.shape().as_slice();
        if shape == entry.shape && merged.dtype().is_float() {
            return Ok(merged);
        }
        let (dtype, expected) = (merged.dtype().name(), &entry.shape);
        Err(MergeError::Method {
            method: self.method_name(index),
            tensor: entry.name.clone(),
            message: format!(
                "it returned {dtype} numbers of shape {shape:?}; return f32 or f64 numbers of shape {expected:?}, for \
                 instance with `MergeTensor::map`"
            ),
        })
    }

    fn inputs(
        &self,
        index: usize,
        is_sampled: bool,
        read: &Read<'_>,
    ) -> Result<Inputs, MergeError> {
        let entry = &self.entries[index];
        let read = |role| -> Result<TensorData, MergeError> {
            let data = read(role, index, is_sampled)?;
            if !is_sampled {
                check_data(role, entry, &data)?;
            }
            Ok(data)
        };
        let models = (0..self.num_models).map(|model| read(Role::Model(model)));
        let needs_base = self.steps[index].method.needs_base();
        Ok(Inputs {
            models: models.collect::<Result<_, MergeError>>()?,
            base: needs_base.then(|| read(Role::Base)).transpose()?,
        })
    }

    fn tensor<'t>(
        &'t self,
        index: usize,
        inputs: &'t Inputs,
    ) -> Result<MergeTensor<'t>, MergeError> {
        let (entry, step) = (&self.entries[index], &self.steps[index]);
        let tensor = MergeTensor::new(&entry.name, &inputs.models)?.with_weights(&step.weights);
        let is_whole = tensor.shape() == entry.shape;
        let tensor = tensor.with_filter_axis(entry.filter_axis.filter(|_| is_whole));
        Ok(match &inputs.base {
            Some(base) => tensor.with_base(base),
            None => tensor,
        })
    }
}

/// Some elements of a flat tensor, for estimates: all of up to 65,536, else 64 evenly spaced stretches of a 4096th of
/// them, or of 1024 if that is more.
pub(crate) fn sample_ranges(len: usize) -> Vec<Range<usize>> {
    if len <= WHOLE {
        return std::iter::once(0..len).collect();
    }
    let width = (len / 4096).max(WHOLE / STRETCHES);
    let starts = (0..STRETCHES).map(|stretch| (len - width) / (STRETCHES - 1) * stretch);
    starts.map(|start| start..start + width).collect()
}

fn num_elements(shape: &[usize]) -> usize {
    if shape.contains(&0) {
        0
    } else {
        shape.iter().product()
    }
}

/// The name of a model in errors.
pub(super) fn model_name(role: Role) -> String {
    match role {
        Role::Base => "the base".to_string(),
        Role::Model(model) => format!("model {model}"),
    }
}

/// Refuses patterns that select nothing.
fn check_patterns(recipe: &Recipe, entries: &[Entry]) -> Result<(), MergeError> {
    let methods = recipe.rules.iter().map(|(pattern, _)| pattern);
    let weights = recipe.weights.iter().flat_map(|weight| &weight.rules);
    for pattern in methods.chain(weights.map(|(pattern, _)| pattern)) {
        let mut entries = entries.iter().map(|entry| &entry.name);
        let example = entries.clone().next();
        if !entries.any(|name| is_below(name, pattern)) {
            return Err(MergeError::NoSuchTensor {
                pattern: pattern.clone(),
                example: example.cloned().unwrap_or_default(),
            });
        }
    }
    Ok(())
}

fn check(
    method: &dyn MergeMethod,
    entry: &Entry,
    weights: &[f64],
    has_base: bool,
    has_filters: bool,
) -> Result<(), MergeError> {
    method.check(&entry.name, weights)?;
    if method.needs_base() && !has_base {
        return Err(MergeError::NoBase {
            method: method.name(),
        });
    }
    if !has_filters && method.needs_filters(&entry.shape) {
        return Err(MergeError::NoLayout {
            method: method.name(),
            tensor: entry.name.clone(),
        });
    }
    Ok(())
}

/// Running statistics have no differences and no directions.
fn running_statistic(average: &Arc<dyn MergeMethod>, weights: Vec<f64>) -> Step {
    let (weights, how) = match check_mean_weights(&weights) {
        Ok(()) => (weights, ""),
        Err(_) => (vec![1.0; weights.len()], " with equal weights"),
    };
    Step {
        method: Arc::clone(average),
        weights,
        note: Some(format!(
            "running statistics are averaged{how}; estimate them again"
        )),
    }
}

/// Refuses data of another shape, and numbers that are not finite.
fn check_data(role: Role, entry: &Entry, data: &TensorData) -> Result<(), MergeError> {
    let shape = data.shape().as_slice();
    if shape != entry.shape || !data.dtype().is_float() {
        let name = &entry.name;
        return Err(MergeError::DifferentModel {
            model: model_name(role),
            expected: format!("`{name}` {:?}", entry.shape),
            found: format!("`{name}` {shape:?} {}", data.dtype().name()),
        });
    }
    match first_non_finite(data) {
        None => Ok(()),
        Some((index, value)) => Err(MergeError::NonFinite {
            model: model_name(role),
            path: entry.name.clone(),
            index,
            value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{ByPath, Slerp, SlerpUnit, Take};

    fn entries() -> Vec<Entry> {
        let entry = |name: &str, is_running_statistic| Entry {
            name: name.to_string(),
            shape: vec![2],
            is_running_statistic,
            filter_axis: None,
        };
        vec![
            entry("body.weight", false),
            entry("head.weight", false),
            entry("norm.running_mean", true),
        ]
    }

    fn plan(recipe: &Recipe) -> Result<Plan, MergeError> {
        Plan::new(recipe, entries(), 2, false, false)
    }

    /// Model `i` is `(10 i + index, 1)`, the base `(100, 1)`.
    fn read(role: Role, index: usize, _: bool) -> Result<TensorData, MergeError> {
        let first = match role {
            Role::Base => 100.0,
            Role::Model(model) => (10 * model + index) as f32,
        };
        Ok(TensorData::from([first, 1.0]))
    }

    #[test]
    fn the_first_rule_chooses_the_method_and_weights_follow_the_path() {
        let recipe = Recipe::new(Average)
            .with("head.weight", Take::Model(1))
            .with("head", Take::Model(0))
            .with_weights([ByPath::new(1.0).with("norm", -1.0), ByPath::new(3.0)]);
        let plan = plan(&recipe).unwrap();
        let merged = |index| plan.merged(index, &read).unwrap();
        assert_eq!(merged(0), TensorData::from([7.5_f32, 1.0]));
        assert_eq!(merged(1), TensorData::from([11.0_f32, 1.0]));
        assert_eq!(merged(2), TensorData::from([7.0_f32, 1.0]));
        let report = plan.report();
        let methods = report.tensors.iter().map(|tensor| tensor.method.as_str());
        assert_eq!(methods.collect::<Vec<_>>(), ["average", "take", "average"]);
        let note = report.tensors[2].note.as_deref().unwrap();
        assert!(
            note.contains("with equal weights; estimate them again"),
            "{note}"
        );
    }

    #[test]
    fn what_is_taken_has_its_running_statistics() {
        let recipe = Recipe::new(Average).with("norm", Take::Model(1));
        assert_eq!(recipe.taken("norm.count"), Some(Take::Model(1)));
        assert_eq!(recipe.taken("body.weight"), None);
        let plan = plan(&recipe).unwrap();
        assert_eq!(plan.method_name(2), "take");
        let found = plan.merged(2, &read).unwrap();
        assert_eq!(found, TensorData::from([12.0_f32, 1.0]));
    }

    #[test]
    fn an_empty_tensor_is_empty_without_a_method() {
        let mut empty = entries();
        empty[0].shape = vec![1 << 42, 0];
        let filters = Recipe::new(Slerp::new().with_unit(SlerpUnit::Filter));
        let plan = Plan::new(&filters, empty, 2, false, true).unwrap();
        let found = plan.merged(0, &read).unwrap();
        assert_eq!(found.shape().as_slice(), [1 << 42, 0]);
    }

    #[test]
    fn recipes_that_do_not_fit_the_models_are_refused() {
        let refused = |recipe: Recipe| plan(&recipe).unwrap_err();
        let error = refused(Recipe::new(Average).with("tail", Average));
        let (pattern, example) = ("tail".to_string(), "body.weight".to_string());
        assert_eq!(error, MergeError::NoSuchTensor { pattern, example });
        let weights = [ByPath::new(1.0), ByPath::new(1.0).with("tail", 2.0)];
        let error = refused(Recipe::new(Average).with_weights(weights));
        assert!(matches!(error, MergeError::NoSuchTensor { .. }), "{error}");
        let error = refused(Recipe::new(Average).with_weights([ByPath::new(1.0)]));
        assert!(error.to_string().contains("use 2 weights"), "{error}");
        let error = refused(Recipe::new(Average).with("head", Take::Base));
        assert!(matches!(error, MergeError::NoBase { .. }), "{error}");
        let error = refused(Recipe::new(Take::Model(2)));
        assert!(matches!(error, MergeError::OutOfRange(_)), "{error}");
        let none = Plan::new(&Recipe::new(Average), entries(), 0, false, false);
        assert_eq!(none.unwrap_err(), MergeError::NoModels);

        let filters = Recipe::new(Slerp::new().with_unit(SlerpUnit::Filter));
        assert!(plan(&filters).is_ok());
        let mut matrix = entries();
        matrix[1].shape = vec![2, 2];
        let method = "slerp".to_string();
        let tensor = "head.weight".to_string();
        let unknown = Plan::new(&filters, matrix.clone(), 2, false, false);
        let expected = MergeError::NoLayout { method, tensor };
        assert_eq!(unknown.unwrap_err(), expected);
        assert!(Plan::new(&filters, matrix, 2, false, true).is_ok());
    }

    #[test]
    fn numbers_that_are_not_finite_are_found_in_every_model() {
        let recipe = Recipe::new(Average).with("head", Take::Base);
        let plan = Plan::new(&recipe, entries(), 2, true, true).unwrap();
        for (wrong, name, index) in [(Role::Base, "the base", 1), (Role::Model(1), "model 1", 0)] {
            let broken = |role: Role, index: usize, is_sampled: bool| {
                if role == wrong {
                    Ok(TensorData::from([1.0, f32::NAN]))
                } else {
                    read(role, index, is_sampled)
                }
            };
            let error = plan.merged(index, &broken).unwrap_err().to_string();
            assert!(
                error.contains(&format!("of {name} is NaN at flat index 1")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_method_is_prepared_with_the_tensors_that_it_merges() {
        // cos ω of (0, 1, 1, 1) and (10, 1, 11, 1), not of the running mean.
        let recipe = Recipe::new(Slerp::new().with_unit(SlerpUnit::Model));
        let mut plan = plan(&recipe).unwrap();
        plan.prepare(&read).unwrap();
        let angle = (13.0 / (3.0_f64.sqrt() * 223.0_f64.sqrt())).acos();
        let half = (0.5 * angle).sin() / angle.sin();
        let found = plan.merged(0, &read).unwrap();
        let expected = TensorData::from([(10.0 * half) as f32, (2.0 * half) as f32]);
        for (found, expected) in found.iter::<f64>().zip(expected.iter::<f64>()) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn samples_are_disjoint_and_spread() {
        for len in [0, 7, WHOLE] {
            let ranges = sample_ranges(len);
            assert_eq!((ranges.len(), &ranges[0]), (1, &(0..len)));
        }
        for (len, width) in [(WHOLE + 1, 1024), (10_000_000, 2441)] {
            let ranges = sample_ranges(len);
            assert_eq!((ranges.len(), ranges[0].start), (64, 0));
            assert!(ranges.iter().all(|range| range.len() == width));
            assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
            let last = ranges[63].end;
            assert!(last <= len && last + 64 > len);
        }
    }
}
