use burn::backend::DispatchTensor;
use burn::tensor::{Device, DeviceSettings, Tensor};

use super::jvp::jvp;
use super::program::Port;
use super::run::{Engine, Executable, engine};
use super::split::split;
use super::trace::GradientTrace;
use super::{LinearizeError, Program};

/// The gradient of a loss at one point on one batch, linearized: its exact derivative along any
/// direction, the Hessian-vector product, without taking the gradient again.
///
/// # Cost
///
/// Making it takes about a gradient and keeps the residuals of one batch in memory. Each product
/// runs what is linear in the direction and nothing else.
pub struct LinearizedGradient {
    engine: Box<dyn Engine>,
    each: Executable,
    tangents: Vec<Port>,
    products: Vec<Option<Port>>,
    loss: Tensor<1>,
    gradients: Vec<Option<Tensor<1>>>,
}

impl std::fmt::Debug for LinearizedGradient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinearizedGradient")
            .field("tangents", &self.tangents)
            .finish_non_exhaustive()
    }
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
        let wrt: Vec<usize> = trace
            .parameters
            .iter()
            .map(|parameter| parameter.input)
            .collect();
        let derivative = jvp(&trace.program, &wrt, settings)?;
        let split = split(&derivative)?;
        let mut engine = engine(device)?;
        bind_all(&mut *engine, &split.once, &trace.bindings)?;
        for program in [&split.once, &split.each] {
            for (id, data) in &program.constants {
                engine.constant(*id, data.clone());
            }
        }
        engine.execute(&Executable::new(&split.once, |_| false))?;
        let outputs = &split.once.outputs;
        let loss = Tensor::from_dispatch(engine.take(&outputs[0], false));
        let gradients = trace.parameters.iter().map(|parameter| {
            let index = parameter.gradient?;
            Some(Tensor::from_dispatch(engine.take(&outputs[index], false)))
        });
        let gradients = gradients.collect();
        let num_residuals = outputs.len() - split.num_outputs;
        let each = Executable::new(&split.each, |index| index < num_residuals);
        let products = trace.parameters.iter().map(|parameter| {
            let index = derivative.tangent_outputs[parameter.gradient?]?;
            Some(derivative.program.outputs[index].clone())
        });
        Ok(Self {
            products: products.collect(),
            tangents: split.each.inputs[num_residuals..].to_vec(),
            engine,
            each,
            loss,
            gradients,
        })
    }

    /// The loss, one element.
    pub fn loss(&self) -> &Tensor<1> {
        &self.loss
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
        if direction.len() != self.tangents.len() {
            return Err(LinearizeError::Mismatch {
                what: "the direction".into(),
                expected: format!("{} parts", self.tangents.len()),
                found: format!("{} parts", direction.len()),
            });
        }
        for (port, part) in self.tangents.iter().zip(direction) {
            self.engine.bind(port, part.clone().into_dispatch())?;
        }
        self.engine.execute(&self.each)?;
        // Two parameters may share one product; the last reader takes it.
        let mut results = Vec::with_capacity(self.products.len());
        for (index, port) in self.products.iter().enumerate() {
            let is_last = port.as_ref().is_some_and(|port| {
                let mut later = self.products[index + 1..].iter().flatten();
                !later.any(|other| other.tensor.id == port.tensor.id)
            });
            let take = |port: &Port| Tensor::from_dispatch(self.engine.take(port, is_last));
            results.push(port.as_ref().map(take));
        }
        Ok(results)
    }
}

fn bind_all(
    engine: &mut dyn Engine,
    program: &Program,
    bindings: &[DispatchTensor],
) -> Result<(), LinearizeError> {
    for (port, tensor) in program.inputs.iter().zip(bindings) {
        engine.bind(port, tensor.clone())?;
    }
    Ok(())
}
