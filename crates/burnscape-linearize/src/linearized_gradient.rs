use burn::tensor::{Device, DeviceSettings, Tensor};

use super::jvp::jvp;
use super::linearized::{Linearized, Point, Residuals};
use super::trace::GradientTrace;
use super::{LinearMap, LinearizeError};

/// The gradient of a loss at one point on one batch, linearized: its exact derivative along any
/// direction, the Hessian-vector product, without taking the gradient again.
///
/// Directions and products come in parts, one flat tensor a parameter;
/// [`LinearMap::hessian`] has the same in one flat vector, for many batches.
///
/// # Cost
///
/// Making it takes about a gradient and keeps the residuals of one batch in memory. Each product
/// runs what is linear in the direction and nothing else.
#[derive(Debug)]
pub struct LinearizedGradient {
    linearized: Linearized,
    point: Point,
    gradients: Vec<Option<Tensor<1>>>,
    /// For each parameter, the index of its part among the results; `None` is zero.
    products: Vec<Option<usize>>,
}

impl LinearizedGradient {
    /// Linearizes a traced gradient at the values it is bound to, on `device`.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`] for an operation whose derivative is not known,
    /// [`LinearizeError::Device`], [`LinearizeError::Mismatch`], [`LinearizeError::Run`].
    pub fn new(
        trace: &GradientTrace,
        settings: DeviceSettings,
        device: &Device,
    ) -> Result<Self, LinearizeError> {
        let parameters = trace.parameters.iter();
        let wrt: Vec<usize> = parameters
            .clone()
            .map(|parameter| parameter.input)
            .collect();
        let derivative = jvp(&trace.program, &wrt, settings)?;
        let num_values = derivative.tangent_outputs.len();
        let products = parameters.clone().map(|parameter| {
            let index = derivative.tangent_outputs[parameter.gradient?]?;
            Some(index - num_values)
        });
        let products = products.collect();
        let map = LinearMap::new(derivative.program, wrt.len(), num_values, settings)?;
        let mut linearized = Linearized::new(&map, device)?;
        let point = linearized.point(&trace.bindings, Residuals::Kept)?;
        let gradients = parameters.map(|p| p.gradient.map(|index| point.values()[index].clone()));
        let gradients = gradients.collect();
        Ok(Self {
            linearized,
            point,
            gradients,
            products,
        })
    }

    /// The loss, one element.
    pub fn loss(&self) -> &Tensor<1> {
        &self.point.values()[0]
    }

    /// The gradient of each parameter, flat; `None` where the loss does not depend on it.
    pub fn gradients(&self) -> &[Option<Tensor<1>>] {
        &self.gradients
    }

    /// The Hessian times a direction: one flat tensor a parameter in, one out; `None` is zero.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the direction has other parts than the model has parameters,
    /// [`LinearizeError::Run`].
    pub fn hvp(
        &mut self,
        direction: &[Tensor<1>],
    ) -> Result<Vec<Option<Tensor<1>>>, LinearizeError> {
        let results = self.linearized.apply(&self.point, direction)?;
        let products = self.products.iter();
        Ok(products
            .map(|index| index.map(|index| results[index].clone()))
            .collect())
    }
}
