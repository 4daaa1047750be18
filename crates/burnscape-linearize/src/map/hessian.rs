use burn::tensor::DeviceSettings;

use super::flat_io::{FlatIo, Part, Vector};
use super::linear_map::LinearMap;
use crate::LinearizeError;
use crate::derive::jvp_unnormalized;
use crate::program::{Rename, join};
use crate::trace::{GradientTrace, TracedParam, chosen};

impl LinearMap {
    /// The exact Hessian of a traced loss, by forward over reverse differentiation.
    ///
    /// `wrt` are indices into [`GradientTrace::parameters`]. Tangent and result are flat vectors of these
    /// parameters, in the given order. The values of the map are the loss and the flat gradient.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`] for an operation without a derivative rule,
    /// [`LinearizeError::Mismatch`] for an index without a parameter.
    pub fn hessian(
        trace: &GradientTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let parameters = chosen(&trace.parameters, wrt)?;
        let derivative = jvp_unnormalized(&trace.program, &inputs(&parameters), settings)?;
        let outputs = &derivative.program.outputs;
        let part = |index: Option<usize>, input: usize| Part {
            tensor: index.map(|index| outputs[index].clone()),
            len: trace.program.inputs[input].num_elements(),
        };
        let gradient = parameters.iter().map(|p| part(p.gradient, p.input));
        let product = parameters.iter().map(|p| {
            let tangent = |gradient: usize| derivative.tangent_outputs[gradient];
            part(p.gradient.and_then(tangent), p.input)
        });
        let tangents = derivative.tangents();
        let dtype = tangents
            .first()
            .map_or(outputs[0].tensor.dtype, |port| port.tensor.dtype);
        let io = FlatIo {
            tangents,
            outputs: vec![
                Vector::of(&outputs[0]),
                Vector::new("gradient", gradient.collect(), dtype),
                Vector::new("product", product.collect(), dtype),
            ],
            dtype,
        };
        Self::new(io.wrap(&derivative.program, settings)?, 1, 2, settings)
    }

    /// The forward derivative of a traced loss, from the flat parameters `wrt` to a single number. It
    /// passes through everything, including tensors that are detached from the backward pass. The values
    /// of the map are the loss and the flat gradient of the backward pass.
    ///
    /// # Errors
    ///
    /// As [`hessian`](Self::hessian).
    pub fn slope(
        trace: &GradientTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let parameters = chosen(&trace.parameters, wrt)?;
        let mut loss = trace.program.clone();
        loss.outputs.truncate(1);
        loss.remove_dead();
        let derivative = jvp_unnormalized(&loss, &inputs(&parameters), settings)?;
        let outputs = &derivative.program.outputs;
        let slope = Part {
            tensor: derivative.tangent_outputs[0].map(|index| outputs[index].clone()),
            len: 1,
        };
        let gradient = parameters.iter().map(|parameter| Part {
            tensor: parameter
                .gradient
                .map(|index| trace.program.outputs[index].clone()),
            len: trace.program.inputs[parameter.input].num_elements(),
        });
        let tangents = derivative.tangents();
        let dtype = tangents
            .first()
            .map_or(outputs[0].tensor.dtype, |port| port.tensor.dtype);
        let io = FlatIo {
            outputs: vec![
                Vector::of(&outputs[0]),
                Vector::new("gradient", gradient.collect(), dtype),
                Vector::new("slope", vec![slope], dtype),
            ],
            tangents,
            dtype,
        };
        // The derivative of the loss keeps the names of the trace, so the backward pass continues from it.
        let inputs = derivative.program.inputs.clone();
        let programs = [trace.program.clone(), derivative.program];
        let program = join(&programs, &Rename::default(), inputs);
        Self::new(io.wrap(&program, settings)?, 1, 2, settings)
    }
}

/// The inputs that hold the parameters.
fn inputs(parameters: &[&TracedParam]) -> Vec<usize> {
    parameters.iter().map(|parameter| parameter.input).collect()
}
