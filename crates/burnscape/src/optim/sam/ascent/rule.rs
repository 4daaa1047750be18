use super::AscentContext;
use crate::optim::OptimError;
use crate::optim::evaluation::Evaluation;
use crate::optim::sam::SamPart;
use crate::optim::sam::part::{AnyPart, Remembering};
use crate::space::LeafVector;

/// How an ascent finds the point at which the second gradient is taken.
///
/// [`Ascent::custom`](super::Ascent::custom) makes any implementation a part of a
/// [`SamConfig`](crate::optim::SamConfig). Every entry point then takes it, or refuses it by its
/// [needs](SamPart::needs), and its memory is saved and restored with the optimizer's.
///
/// # Example
///
/// An ascent along the gradient at the displaced weights of the step before, which is what the last ascent
/// has found:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::{
///     Ascent, AscentContext, AscentRule, Need, OptimError, PartMemory, Perturbation, SamConfig, SamPart,
///     StepGradients,
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
/// impl PartMemory for Last {
///     fn vectors(&mut self) -> Vec<(&'static str, &mut Option<LeafVector>)> {
///         vec![("gradient", &mut self.gradient)]
///     }
/// }
///
/// impl SamPart for Previous {
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
///     fn remember(&self, last: &mut Last, gradients: &StepGradients) -> Result<(), OptimError> {
///         last.gradient = gradients.perturbed.clone();
///         Ok(())
///     }
/// }
///
/// impl AscentRule for Previous {
///     fn ascend(&self, last: &Last, at: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
///         let vector = last.gradient.as_ref().unwrap_or(at.gradient()).clone();
///         let scale = at.rho() / vector.norm()?.max(f64::MIN_POSITIVE);
///         Ok(Perturbation::Displacement { vector, scale })
///     }
/// }
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(1, 1).init(&device);
/// let x = Tensor::<2>::ones([2, 1], &device);
/// let config = SamConfig::new().with_ascent(Ascent::custom(Previous));
/// let mut sam = config.init(SgdConfig::new().init())?;
/// let report = sam.step(0.1, &mut model, |m: &Linear| m.forward(x.clone()).square().mean())?;
/// assert_eq!(report.gradients, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AscentRule: SamPart {
    /// Finds the point.
    ///
    /// The memory stays as it is, as the step may still be skipped.
    ///
    /// # Errors
    ///
    /// Any; the step then fails, and model and memories stay as they were.
    fn ascend(
        &self,
        memory: &Self::Memory,
        context: &mut AscentContext<'_>,
    ) -> Result<Perturbation, OptimError>;
}

/// Where an ascent leads.
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
    /// The second gradient is one that the ascent has taken already.
    Evaluated(Evaluation),
}

/// An ascent of any kind, with its memory.
pub(in crate::optim::sam) trait AnyAscent: AnyPart {
    fn ascend(&self, context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError>;

    fn boxed(&self) -> Box<dyn AnyAscent>;
}

impl<R: AscentRule> AnyAscent for Remembering<R> {
    fn ascend(&self, context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        self.part.ascend(&self.memory, context)
    }

    fn boxed(&self) -> Box<dyn AnyAscent> {
        Box::new(self.clone())
    }
}
