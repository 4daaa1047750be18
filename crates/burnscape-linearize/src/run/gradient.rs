use burn::tensor::{Device, DeviceSettings, Tensor};

use super::linearized::Linearized;
use super::point::{Checkpointing, Point};
use crate::LinearizeError;
use crate::map::LinearMap;
use crate::trace::GradientTrace;

/// The gradient of a loss, linearized at one point on one batch: exact Hessian-vector products without
/// recomputing the gradient.
///
/// Directions and products consist of parts, one flat tensor per parameter. [`LinearMap::hessian`] works with a
/// single flat vector, and with many batches.
///
/// # Cost
///
/// Construction costs about one gradient, and stores the residuals of one batch. A product costs only the
/// part of the program that is linear in the direction.
#[derive(Debug)]
pub struct LinearizedGradient {
    linearized: Linearized,
    point: Point,
    gradients: Vec<Option<Tensor<1>>>,
    /// For each parameter, the index of its part in the results; `None` is zero.
    products: Vec<Option<usize>>,
}

impl LinearizedGradient {
    /// Linearizes a traced gradient on `device`, at the values it was traced with.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`] for an operation without a derivative rule, and the errors of
    /// [`Linearized::new`] and [`Linearized::point`].
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
        let derivative = trace.program.jvp(&wrt, settings)?;
        let num_values = derivative.tangent_outputs.len();
        let products = parameters.clone().map(|parameter| {
            let index = derivative.tangent_outputs[parameter.gradient?]?;
            Some(index - num_values)
        });
        let products = products.collect();
        let map = LinearMap::new(derivative.program, wrt.len(), num_values, settings)?;
        let mut linearized = Linearized::new(&map, device)?;
        let point = linearized.point(&trace.bindings, Checkpointing::Store)?;
        let gradients = parameters.map(|p| p.gradient.map(|index| point.values()[index].clone()));
        let gradients = gradients.collect();
        Ok(Self {
            linearized,
            point,
            gradients,
            products,
        })
    }

    /// The loss, a tensor with one element.
    pub fn loss(&self) -> &Tensor<1> {
        &self.point.values()[0]
    }

    /// The gradient of each parameter, flat; `None` where the loss does not depend on it.
    pub fn gradients(&self) -> &[Option<Tensor<1>>] {
        &self.gradients
    }

    /// The product of the Hessian with a direction, both with one flat tensor per parameter; `None` is zero.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the parts of the direction do not match the parameters,
    /// [`LinearizeError::Execution`].
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
