use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor};

use super::SpaceError;
use super::cast::{as_accumulator, as_dtype};
use super::context::ParamContext;
use super::module_path::{ModulePath, follow_path};
use super::read::Contexts;
use super::wait::moved;

/// The running statistics of a model's normalization layers, which its forward pass writes in training mode.
/// Frozen parameters are not included.
///
/// # Cost
///
/// A few visits of the module; tensors are shared, not copied.
///
/// # Example
///
/// ```
/// use burn::nn::BatchNormConfig;
/// use burn::tensor::Device;
/// use burnscape::space::{RunningStatistics, unshared_copy};
///
/// let norm = BatchNormConfig::new(3).init(&Device::default());
/// let statistics = RunningStatistics::of(&norm);
/// assert_eq!(statistics.paths().collect::<Vec<_>>(), ["running_mean", "running_var"]);
/// let half = statistics.axpby(0.5, 0.0, &RunningStatistics::of(&norm))?;
/// let copy = half.write_to(unshared_copy(&norm));
/// assert_eq!(copy.running_var.value_sync().mean().into_scalar::<f32>(), 0.5);
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunningStatistics {
    values: BTreeMap<String, Value>,
}

/// One statistic, flattened, and its shape.
#[derive(Debug, Clone)]
struct Value {
    values: Tensor<1>,
    shape: Vec<usize>,
    dtype: DType,
}

impl RunningStatistics {
    /// The current statistics, including the last update.
    pub fn of<M: Module>(model: &M) -> Self {
        let plain = model.valid();
        // Everything that requires gradients after unfreezing is a parameter.
        let contexts = Contexts::of(&plain.clone().unfreeze().train());
        Self::without_gradients(&plain, contexts)
    }

    /// The values of a plain model that do not require gradients according to `contexts`.
    pub(super) fn without_gradients<M: Module>(plain: &M, contexts: Contexts) -> Self {
        let mut reader = Reader {
            contexts,
            place: ModulePath::default(),
            position: 0,
            values: BTreeMap::new(),
        };
        plain.visit(&mut reader);
        Self {
            values: reader.values,
        }
    }

    /// The statistics of a model that has none.
    pub(super) fn none() -> Self {
        Self {
            values: BTreeMap::new(),
        }
    }

    /// Whether the model has no running statistics.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The paths of the statistics.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The statistic at a path, flattened.
    pub fn get(&self, path: &str) -> Option<&Tensor<1>> {
        self.values.get(path).map(|value| &value.values)
    }

    /// Statistics of the same shapes with every element equal to `fill`.
    #[must_use]
    pub fn filled(&self, fill: f64) -> Self {
        self.clone().map(|_, value| value.full_like(fill))
    }

    /// `a · self + b · other`, in f32 if the element type is narrower.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`] if paths or shapes differ.
    pub fn axpby(self, a: f64, b: f64, other: &Self) -> Result<Self, SpaceError> {
        let describe = |(path, value): (&String, &Value)| format!("`{path}` {:?}", value.shape);
        let names =
            |statistics: &Self| -> Vec<String> { statistics.values.iter().map(describe).collect() };
        let (expected, found) = (names(&self), names(other));
        if expected != found {
            return Err(SpaceError::DifferentSpaces {
                expected: expected.join(", "),
                found: found.join(", "),
            });
        }
        Ok(self.zip(other, |own, other| own * a + other * b))
    }

    /// `1 + scale · |self|`, element by element.
    #[must_use]
    pub(crate) fn spread(&self, scale: f64) -> Self {
        self.clone().map(|_, value| value.abs() * scale + 1.0)
    }

    /// Applies `f` to each statistic and its counterpart in `other`.
    #[must_use]
    pub(crate) fn zip(self, other: &Self, f: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>) -> Self {
        self.map(|path, value| match other.values.get(path) {
            Some(other) => f(as_accumulator(value), as_accumulator(other.values.clone())),
            None => value,
        })
    }

    /// The statistics on another device.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`], [`SpaceError::TimedOut`].
    pub(crate) fn on(mut self, device: &Device) -> Result<Self, SpaceError> {
        for value in self.values.values_mut() {
            value.values = moved(value.values.clone(), device)?;
        }
        Ok(self)
    }

    /// Writes the statistics to `model` *and every clone that shares them*; pass an
    /// [`unshared_copy`](super::unshared_copy) to avoid that.
    pub fn write_to<M: Module>(&self, model: M) -> M {
        // Applies pending updates, which would otherwise overwrite the new values.
        drop(model.valid());
        let mut writer = Writer {
            place: ModulePath::default(),
            values: &self.values,
        };
        model.map(&mut writer)
    }

    fn map(mut self, mut f: impl FnMut(&str, Tensor<1>) -> Tensor<1>) -> Self {
        for (path, value) in &mut self.values {
            value.values = f(path, value.values.clone());
        }
        self
    }
}

struct Reader {
    contexts: Contexts,
    place: ModulePath,
    position: usize,
    values: BTreeMap<String, Value>,
}

impl ModuleVisitor for Reader {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.float_path();
        let context = self.contexts.floats.get(self.position);
        self.position += 1;
        if context.is_none_or(|(_, context)| context.is_require_grad()) {
            return;
        }
        let value = param.base().inner();
        if matches!(value.dtype(), DType::QFloat(_)) {
            return;
        }
        let shape = value.shape().as_slice().to_vec();
        let value = Value {
            dtype: value.dtype(),
            values: value.reshape([shape.iter().product::<usize>()]),
            shape,
        };
        self.values.insert(path, value);
    }
}

struct Writer<'a> {
    place: ModulePath,
    values: &'a BTreeMap<String, Value>,
}

impl ModuleMapper for Writer<'_> {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(value) = self.values.get(&self.place.float_path()) else {
            return param;
        };
        let (id, present, mapper) = param.consume();
        let shape = present.shape();
        if shape.as_slice() != value.shape {
            return Param::from_mapped_value(id, present, mapper);
        }
        let context = ParamContext::of(&present);
        let new = as_dtype(value.values.clone(), value.dtype).reshape(shape);
        Param::from_mapped_value(id, context.restore(new, id), mapper)
    }
}
