use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AscentContext;
use crate::OutOfRange;
use crate::optim::evaluation::Evaluation;
use crate::optim::sam::StepGradients;
use crate::optim::sam::part::SamPart;
use crate::optim::{Need, OptimError};
use crate::space::LeafVector;

/// The rule by which an ascent finds the point of the second gradient.
///
/// [`Ascent::custom`](super::Ascent::custom) adds any implementation to a
/// [`SamConfig`](crate::optim::SamConfig). Every entry point accepts it, or refuses it by its
/// [needs](Self::needs), and its memory is saved and restored with the optimizer's.
///
/// # Example
///
/// An ascent along the gradient at the displaced weights of the previous step:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::{
///     Ascent, AscentContext, AscentRule, Need, OptimError, Perturbation, SamConfig,
/// };
/// use burnscape::space::LeafVector;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone)]
/// struct Previous;
///
/// #[derive(Debug, Clone, Default, Serialize, Deserialize)]
/// struct Last {
///     #[serde(skip)]
///     gradient: Option<LeafVector>,
/// }
///
/// impl AscentRule for Previous {
///     type Memory = Last;
///
///     fn name(&self) -> &'static str {
///         "an ascent along the previous gradient"
///     }
///
///     fn needs(&self) -> &'static [Need] {
///         &[Need::Memory]
///     }
///
///     fn vectors(last: &mut Last) -> Vec<(&'static str, &mut Option<LeafVector>)> {
///         vec![("gradient", &mut last.gradient)]
///     }
///
///     fn ascend(&self, last: &Last, at: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
///         let vector = last.gradient.as_ref().unwrap_or(at.gradient).clone();
///         let scale = at.rho / vector.norm()?.max(f64::MIN_POSITIVE);
///         Ok(Perturbation::Displacement { vector, scale })
///     }
///
///     fn remember(
///         &self,
///         last: &mut Last,
///         _gradient: &LeafVector,
///         perturbed: Option<&LeafVector>,
///     ) -> Result<(), OptimError> {
///         last.gradient = perturbed.cloned();
///         Ok(())
///     }
/// }
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(1, 1).init(&device);
/// let x = Tensor::<2>::ones([2, 1], &device);
/// let config = SamConfig::new().with_ascent(Ascent::custom(Previous));
/// let mut sam = config.init(SgdConfig::new().init())?;
/// let report = sam.step(0.1, &mut model, |m: &Linear| m.forward(x.clone()).square().mean())?;
/// assert_eq!(report.num_gradients, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AscentRule: Clone + Debug + Send + Sync + 'static {
    /// The memory from step to step; `()` for none.
    ///
    /// Serde writes the numbers; a field that is missing from a record is an error. A vector is an
    /// `Option<LeafVector>` with `#[serde(skip)]` that [`vectors`](Self::vectors) lists.
    type Memory: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The name that errors and records use.
    fn name(&self) -> &'static str;

    /// The needs besides the two gradients of a step. An ascent with a memory needs [`Need::Memory`].
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Names the setting that is out of range.
    fn validate(&self) -> Result<(), OutOfRange> {
        Ok(())
    }

    /// Every vector of the memory, each under a different name. They are saved as tensors.
    fn vectors(_memory: &mut Self::Memory) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        Vec::new()
    }

    /// Finds the point of the second gradient. The memory does not change here, because the step may still be
    /// skipped.
    ///
    /// # Errors
    ///
    /// Any; the step then fails, and model and memories stay as they were.
    fn ascend(
        &self,
        memory: &Self::Memory,
        context: &mut AscentContext<'_>,
    ) -> Result<Perturbation, OptimError>;

    /// Updates the memory, after an active step that moves the weights. `gradient` is that of the whole batch at
    /// the weights, `perturbed` that at the displaced weights; `None` in a step without an ascent.
    ///
    /// # Errors
    ///
    /// Any; the step then fails, and model and memories stay as they were.
    fn remember(
        &self,
        _memory: &mut Self::Memory,
        _gradient: &LeafVector,
        _perturbed: Option<&LeafVector>,
    ) -> Result<(), OptimError> {
        Ok(())
    }
}

/// The result of an ascent.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one a step, moved once")]
pub enum Perturbation {
    /// The second gradient is taken at the weights plus `scale · vector`.
    Displacement {
        /// A vector of parameter space.
        vector: LeafVector,
        /// Its factor.
        scale: f64,
    },
    /// The second gradient is one that the ascent has evaluated.
    Evaluated(Evaluation),
}

/// An ascent rule changes one stage of a step.
impl<R: AscentRule> SamPart for R {
    type Memory = R::Memory;

    fn name(&self) -> &'static str {
        AscentRule::name(self)
    }

    fn needs(&self) -> &'static [Need] {
        AscentRule::needs(self)
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        AscentRule::validate(self)
    }

    fn vectors(memory: &mut R::Memory) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        <R as AscentRule>::vectors(memory)
    }

    fn ascend(
        &self,
        memory: &R::Memory,
        context: &mut AscentContext<'_>,
    ) -> Result<Perturbation, OptimError> {
        AscentRule::ascend(self, memory, context)
    }

    fn remember(
        &self,
        memory: &mut R::Memory,
        gradients: &StepGradients,
    ) -> Result<(), OptimError> {
        let perturbed = gradients.perturbed.as_ref();
        AscentRule::remember(self, memory, &gradients.plain, perturbed)
    }
}
