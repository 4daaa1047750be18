use burn::module::Module;
use burnscape_krylov::LinearOperator;

use crate::curvature::{Jacobian, OutputSpace};
use crate::dynamics::DynamicsError;
use crate::loss::{Risk, Split};
use crate::space::{FlatVector, ParamVector};

/// A model that is linear in its weights: the first-order expansion of another one around the weights `w₀`,
/// `f_lin(x) = f₀(x) + J(x) (w − w₀)`.
///
/// Its tangent kernel is constant, and training it is a convex problem for a convex loss. It [predicts](Self::predict)
/// what a model that trains lazily does, on the data of a risk: the training data, or others. The [gap](Self::gap) says
/// how far a model is from that.
///
/// Whatever is not a parameter of the risk is that of the start: parameters outside its [group](Risk::with_group), and
/// in [`Mode::Eval`](crate::loss::Mode::Eval) running statistics.
///
/// # Shapes
///
/// Outputs are those of all batches in order, each flattened row by row.
///
/// # Cost
///
/// Construction: that of the [`Jacobian`], and one forward pass. A prediction is one forward derivative over the data,
/// a gap also a forward pass.
///
/// # Errors
///
/// Those of the [`Jacobian`], and [`DynamicsError::Space`] for another model.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::LinearizedModel;
/// use burnscape::loss::Risk;
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let space = ParamSpace::of(&model)?;
/// let at = |weight: f64| ParamVector::from_host(&space, &[weight])?.apply_to(&model);
/// let data = [Tensor::<2>::from_data([[1.0], [2.0]], &device)];
/// let risk = Risk::split(
///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()).square(), // w² x²
///     |z: Tensor<2>, _: Tensor<2>| z.mean(),
///     &data,
/// );
/// let linearized = LinearizedModel::new(&risk, &at(1.0)?)?;
/// // From x² along 2 x².
/// assert_eq!(linearized.predict(&at(1.5)?)?.to_host()?, [2.0, 8.0]);
/// // The model itself goes to 2.25 x².
/// assert!(linearized.gap(&at(1.5)?)?.is_some_and(|gap| (gap - 0.2).abs() < 1e-6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Lee et al. 2019, *Wide Neural Networks of Any Depth Evolve as Linear Models Under Gradient Descent*,
/// arXiv:1902.06720.
#[derive(Debug)]
pub struct LinearizedModel<'a, M> {
    risk: Risk<'a, M, Split>,
    jacobian: Jacobian<'a>,
    start: ParamVector,
    start_outputs: FlatVector<OutputSpace>,
}

impl<'a, M: Module> LinearizedModel<'a, M> {
    /// The expansion around the weights of `start`, over the data of `risk`. It does not use the criterion of the risk.
    ///
    /// # Errors
    ///
    /// As [`LinearizedModel`] states.
    pub fn new(risk: &Risk<'a, M, Split>, start: &M) -> Result<Self, DynamicsError> {
        let jacobian = risk.jacobian(start)?;
        let outputs = risk.outputs(start)?.values;
        Ok(Self {
            risk: risk.clone(),
            start: ParamVector::from_module(jacobian.space(), start)?,
            start_outputs: FlatVector::from_values(jacobian.outputs(), outputs.values().clone())?,
            jacobian,
        })
    }

    /// The outputs at the start, `f₀`.
    pub fn start_outputs(&self) -> &FlatVector<OutputSpace> {
        &self.start_outputs
    }

    /// The outputs of the linearized model at the weights of `model`, `f₀ + J (w − w₀)`.
    ///
    /// # Errors
    ///
    /// As [`LinearizedModel`] states.
    pub fn predict(&self, model: &M) -> Result<FlatVector<OutputSpace>, DynamicsError> {
        let weights = ParamVector::from_module(self.jacobian.space(), model)?;
        let moved = self.jacobian.matvec(&weights.axpy(-1.0, &self.start)?)?;
        Ok(moved.axpy(1.0, &self.start_outputs)?)
    }

    /// `|f − f_lin| / |f − f₀|` for the outputs `f` of `model`, over all examples: near 0 if the model moves as the
    /// linearized one does. None if its outputs are those of the start.
    ///
    /// Outputs that have moved by little more than the rounding of their element type have a gap of rounding.
    ///
    /// # Errors
    ///
    /// As [`LinearizedModel`] states.
    pub fn gap(&self, model: &M) -> Result<Option<f64>, DynamicsError> {
        self.gap_of(model, &self.risk.outputs(model)?.values)
    }

    /// The gap of a model whose outputs are known.
    pub(super) fn gap_of(
        &self,
        model: &M,
        outputs: &FlatVector<OutputSpace>,
    ) -> Result<Option<f64>, DynamicsError> {
        let outputs = outputs.values().clone();
        let outputs = FlatVector::from_values(self.jacobian.outputs(), outputs)?;
        let moved = outputs.clone().axpy(-1.0, &self.start_outputs)?.norm()?;
        if moved == 0.0 {
            return Ok(None);
        }
        let missed = outputs.axpy(-1.0, &self.predict(model)?)?.norm()?;
        Ok(Some(missed / moved))
    }
}
