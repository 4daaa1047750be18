use std::sync::Arc;

use super::{ByPath, MergeMethod, Take};
use crate::path_pattern::is_below;

/// How models are merged: a method, other methods for some of the tensors, and the weights of the models.
///
/// [`run`](Self::run) merges modules. With the feature `files`, the same recipe merges checkpoints.
///
/// # Defaults
///
/// All weights are 1.
///
/// # Example
///
/// Spherical interpolation, a mean of the biases, and the head of one model:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burnscape::merge::{Average, ByPath, Recipe, Slerp, Take};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     body: Linear,
///     head: Linear,
/// }
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| Net {
///     body: LinearConfig::new(3, 4).init(&device),
///     head: LinearConfig::new(4, 2).init(&device),
/// });
/// let recipe = Recipe::new(Slerp::new())
///     .with("head", Take::Model(1))
///     .with("*.bias", Average)
///     .with_weights([ByPath::new(0.75), ByPath::new(0.25).with("body.bias", 0.75)]);
/// let merged = recipe.run(None, &[&a, &b])?;
/// println!("{}", merged.report); // a row for each tensor
/// let data = |model: &Net| model.head.weight.val().into_data();
/// assert_eq!(data(&merged.model), data(&b));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recipe {
    pub(super) method: Arc<dyn MergeMethod>,
    /// Patterns and their methods. The first one that matches decides.
    pub(super) rules: Vec<(String, Arc<dyn MergeMethod>)>,
    /// One for each model, or none.
    pub(super) weights: Vec<ByPath<f64>>,
}

impl Recipe {
    /// One method for all tensors.
    pub fn new(method: impl MergeMethod + 'static) -> Self {
        Self {
            method: Arc::new(method),
            rules: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// Adds a method for the tensors that a pattern selects, as in [`ByPath`]. The first pattern that matches decides.
    ///
    /// A method that sees all tensors before it merges, as [`SlerpUnit::Model`](super::SlerpUnit) does, sees those that
    /// it merges.
    #[must_use]
    pub fn with(mut self, pattern: impl Into<String>, method: impl MergeMethod + 'static) -> Self {
        self.rules.push((pattern.into(), Arc::new(method)));
        self
    }

    /// Sets the weights: one for each model, not for the base. What they mean is up to the method.
    #[must_use]
    pub fn with_weights(self, weights: impl IntoIterator<Item = ByPath<f64>>) -> Self {
        Self {
            weights: weights.into_iter().collect(),
            ..self
        }
    }

    /// The method of a tensor.
    pub(super) fn method_of(&self, name: &str) -> &Arc<dyn MergeMethod> {
        let mut rules = self.rules.iter();
        let rule = rules.find(|(pattern, _)| is_below(name, pattern));
        rule.map_or(&self.method, |(_, method)| method)
    }

    /// Which model's tensor of this name is left as it is.
    pub(crate) fn taken(&self, name: &str) -> Option<Take> {
        self.method_of(name).takes()
    }
}
