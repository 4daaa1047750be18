use burn::tensor::DeviceSettings;

use super::flat::{Part, Vector, with_flat_ends};
use super::jvp::recorded;
use super::output_maps::join;
use super::program::{Port, Rename};
use super::{GradientTrace, LinearMap, LinearizeError};

impl LinearMap {
    /// The Hessian of a traced loss: forward over reverse, exactly.
    ///
    /// `wrt` are indices of [`GradientTrace::parameters`]; tangent and result are the flat vectors of
    /// these parameters in the order given. Values are the loss, and the flat gradient.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`] for an operation whose derivative is not known,
    /// [`LinearizeError::Mismatch`] for an index without a parameter.
    pub fn hessian(
        trace: &GradientTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let parameters = trace.chosen(wrt)?;
        let inputs: Vec<usize> = parameters.iter().map(|parameter| parameter.input).collect();
        let derivative = recorded(&trace.program, &inputs, settings)?;
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
        let tangents: Vec<Port> = derivative
            .tangent_inputs
            .iter()
            .map(|&index| derivative.program.inputs[index].clone())
            .collect();
        let dtype = tangents
            .first()
            .map_or(outputs[0].tensor.dtype, |port| port.tensor.dtype);
        let vector = |name: &str, parts| Vector {
            name: name.into(),
            parts,
            dtype,
        };
        let ends = [
            vector("loss", vec![Part::of(&outputs[0])]),
            vector("gradient", gradient.collect()),
            vector("product", product.collect()),
        ];
        let program = with_flat_ends(&derivative.program, &tangents, &ends, dtype, settings)?;
        Self::new(program, 1, 2, settings)
    }

    /// The derivative of a traced loss, forwards: from the parameters `wrt`, flat, to one number. It
    /// goes through everything, also through what is detached from the backward pass. Values are the
    /// loss and the flat gradient that the backward pass gives.
    ///
    /// # Errors
    ///
    /// As [`hessian`](Self::hessian).
    pub fn slope(
        trace: &GradientTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let parameters = trace.chosen(wrt)?;
        let inputs: Vec<usize> = parameters.iter().map(|parameter| parameter.input).collect();
        let mut loss = trace.program.clone();
        loss.outputs.truncate(1);
        loss.remove_dead();
        let mut derivative = recorded(&loss, &inputs, settings)?;
        let outputs = &derivative.program.outputs;
        let value = Part::of(&outputs[0]);
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
        let gradient: Vec<Part> = gradient.collect();
        let tangents: Vec<Port> = derivative
            .tangent_inputs
            .iter()
            .map(|&index| derivative.program.inputs[index].clone())
            .collect();
        let dtype = tangents
            .first()
            .map_or(outputs[0].tensor.dtype, |port| port.tensor.dtype);
        let vector = |name: &str, parts| Vector {
            name: name.into(),
            parts,
            dtype,
        };
        let ends = [
            vector("loss", vec![value]),
            vector("gradient", gradient),
            vector("slope", vec![slope]),
        ];
        // The derivative of the loss keeps the names of the trace: the backward pass goes on from there.
        let inputs = derivative.program.inputs.clone();
        let programs = [trace.program.clone(), derivative.program];
        derivative.program = join(&programs, &Rename::default(), inputs);
        let program = with_flat_ends(&derivative.program, &tangents, &ends, dtype, settings)?;
        Self::new(program, 1, 2, settings)
    }
}
