//! Linear maps built from the outputs of a model: Jacobian, Gauss-Newton, Fisher.

use burn::tensor::{DType, DeviceSettings};
use burn_ir::{IrVisitorMut, TensorId};

use super::flat_io::{FlatIo, Part, Vector};
use super::linear_map::LinearMap;
use super::output_metric::OutputMetric;
use crate::LinearizeError;
use crate::program::{Port, Program, Rename, join};
use crate::trace::{OutputTrace, chosen};

impl LinearMap {
    /// The Jacobian, from the flat parameters `wrt` (indices into [`OutputTrace::parameters`]) to the flat
    /// outputs. The value of the map is the outputs.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`], [`LinearizeError::Mismatch`].
    pub fn jacobian(
        trace: &OutputTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let pushed = Pushforward::new(trace, wrt, settings)?;
        let product = Part {
            tensor: pushed.moved,
            len: trace.outputs.num_elements(),
        };
        let outputs = vec![
            Vector::of(&trace.outputs),
            Vector::new("product", vec![product], trace.output_dtype()),
        ];
        let io = FlatIo {
            tangents: pushed.tangents,
            outputs,
            dtype: pushed.dtype,
        };
        Self::new(io.wrap(&pushed.program, settings)?, 1, 1, settings)
    }

    /// The transposed Jacobian, from the flat outputs to the flat parameters `wrt`. The value of the map is
    /// the outputs.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`].
    pub fn jacobian_transposed(
        trace: &OutputTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let back = trace.pullback();
        let inputs = back.inputs.clone();
        let program = join(&[trace.forward(), back], &Rename::default(), inputs);
        let outputs = vec![
            Vector::of(&trace.outputs),
            Vector::new("product", parts(trace, wrt)?, parameter_dtype(trace, wrt)?),
        ];
        let io = FlatIo {
            tangents: vec![trace.cotangent.clone()],
            outputs,
            dtype: trace.output_dtype(),
        };
        Self::new(io.wrap(&program, settings)?, 1, 1, settings)
    }

    /// The generalized Gauss-Newton matrix `Jᵀ (∂²ℓ/∂z²) J` of a trace with a criterion. The inner matrix
    /// is the exact derivative of the criterion's gradient and therefore includes class weights,
    /// smoothing and so on. The value of the map is the loss.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`], and [`LinearizeError::Mismatch`] also for a trace without a criterion.
    pub fn gauss_newton(
        trace: &OutputTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let (Some(criterion), Some(criterion_program)) =
            (&trace.criterion, trace.criterion_program())
        else {
            return Err(LinearizeError::Mismatch {
                what: "the trace of a Gauss-Newton matrix".into(),
                expected: "outputs with a criterion (`OutputTrace::with_criterion`)".into(),
                found: "outputs alone (`OutputTrace::new`)".into(),
            });
        };
        let pushed = Pushforward::new(trace, wrt, settings)?;
        let leaf = criterion_program.inputs.len() - 1;
        let bent = criterion_program.jvp(&[leaf], settings)?;
        let moved = bent.tangent_outputs.get(1).copied().flatten();
        let middle = Middle {
            outputs: criterion.leaf.tensor.id,
            vector: bent.program.inputs[bent.tangent_inputs[0]].tensor.id,
            product: moved.map(|index| bent.program.outputs[index].tensor.id),
            noise: None,
            program: bent.program,
            value: criterion.loss.clone(),
            value_program: criterion_program,
        };
        sandwich(trace, wrt, pushed, middle, settings)
    }

    /// `Jᵀ A J` with a quadratic form `A` on the outputs: a Fisher matrix or a Gram matrix. The value of
    /// the map is the outputs. A form that samples takes its noise as the last input.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`], [`LinearizeError::Mismatch`].
    pub fn pulled_back(
        trace: &OutputTrace,
        wrt: &[usize],
        metric: OutputMetric,
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let pushed = Pushforward::new(trace, wrt, settings)?;
        let program = metric.program(&trace.outputs, settings)?;
        let middle = Middle {
            outputs: program.inputs[0].tensor.id,
            vector: program.inputs[1].tensor.id,
            product: Some(program.outputs[0].tensor.id),
            noise: program.inputs.get(2).cloned(),
            program,
            value: trace.outputs.clone(),
            value_program: trace.forward(),
        };
        sandwich(trace, wrt, pushed, middle, settings)
    }
}

/// The forward program with its derivative with respect to the parameters.
struct Pushforward {
    program: Program,
    tangents: Vec<Port>,
    /// The tangent of the outputs; `None` is zero.
    moved: Option<Port>,
    dtype: DType,
}

impl Pushforward {
    fn new(
        trace: &OutputTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let parameters = chosen(&trace.parameters, wrt)?;
        let inputs: Vec<usize> = parameters.iter().map(|parameter| parameter.input).collect();
        let derivative = trace.forward().jvp(&inputs, settings)?;
        let tangents = derivative.tangents();
        let moved = derivative.tangent_outputs[0];
        Ok(Self {
            moved: moved.map(|index| derivative.program.outputs[index].clone()),
            dtype: tangents
                .first()
                .map_or(trace.outputs.tensor.dtype, |port| port.tensor.dtype),
            program: derivative.program,
            tangents,
        })
    }
}

/// The matrix between the Jacobian and its transpose.
struct Middle {
    program: Program,
    /// The input that stands for the outputs of the model.
    outputs: TensorId,
    /// The input that is multiplied.
    vector: TensorId,
    /// The result; `None` is zero.
    product: Option<TensorId>,
    noise: Option<Port>,
    /// The value of the map.
    value: Port,
    /// The program that computes the value.
    value_program: Program,
}

/// `Jᵀ A J` as one program.
fn sandwich(
    trace: &OutputTrace,
    wrt: &[usize],
    pushed: Pushforward,
    middle: Middle,
    settings: DeviceSettings,
) -> Result<LinearMap, LinearizeError> {
    let mut rename = Rename::default();
    rename.0.insert(middle.outputs, trace.outputs.tensor.id);
    let mut value = middle.value;
    let mut programs = vec![pushed.program, middle.value_program];
    let mut product = parts(trace, wrt)?;
    match (&pushed.moved, middle.product) {
        (Some(moved), Some(bent)) => {
            rename.0.insert(middle.vector, moved.tensor.id);
            // The product may be the vector itself.
            let bent = rename.0.get(&bent).copied().unwrap_or(bent);
            rename.0.insert(trace.cotangent.tensor.id, bent);
            programs.extend([middle.program, trace.pullback()]);
        }
        // The Jacobian or the inner matrix is zero.
        _ => product.iter_mut().for_each(|part| part.tensor = None),
    }
    rename.visit_tensor_mut(&mut value.tensor);
    for port in product.iter_mut().filter_map(|part| part.tensor.as_mut()) {
        rename.visit_tensor_mut(&mut port.tensor);
    }
    let mut inputs = trace.forward().inputs;
    inputs.extend(middle.noise);
    inputs.extend(pushed.tangents.iter().cloned());
    let program = join(&programs, &rename, inputs);
    let outputs = vec![
        Vector::of(&value),
        Vector::new("product", product, pushed.dtype),
    ];
    let io = FlatIo {
        tangents: pushed.tangents,
        outputs,
        dtype: pushed.dtype,
    };
    LinearMap::new(io.wrap(&program, settings)?, 1, 1, settings)
}

/// The element type of the chosen parameters.
fn parameter_dtype(trace: &OutputTrace, wrt: &[usize]) -> Result<DType, LinearizeError> {
    let inputs = trace.forward().inputs;
    let parameters = chosen(&trace.parameters, wrt)?;
    let first = parameters
        .first()
        .map(|first| inputs[first.input].tensor.dtype);
    Ok(first.unwrap_or(trace.output_dtype()))
}

/// The pullback of a cotangent to the chosen parameters.
fn parts(trace: &OutputTrace, wrt: &[usize]) -> Result<Vec<Part>, LinearizeError> {
    let (inputs, pulled) = (trace.forward().inputs, trace.pullback().outputs);
    let parameters = chosen(&trace.parameters, wrt)?;
    let parts = parameters.iter().map(|parameter| Part {
        tensor: parameter.gradient.map(|index| pulled[index].clone()),
        len: inputs[parameter.input].num_elements(),
    });
    Ok(parts.collect())
}
