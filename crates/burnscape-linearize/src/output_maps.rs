//! What the outputs of a model make linear: Jacobian, Gauss-Newton, Fisher.

use std::collections::{BTreeMap, HashSet};

use burn::tensor::{DType, DeviceSettings};
use burn_ir::{IrVisitorMut, TensorId};

use super::flat::{Part, Vector, with_flat_ends};
use super::program::{Port, Program, Rename};
use super::trace::chosen;
use super::{LinearMap, LinearizeError, OutputMetric, OutputTrace, jvp};

impl LinearMap {
    /// The Jacobian of the outputs: from the parameters `wrt` (indices of
    /// [`OutputTrace::parameters`]), flat, to the outputs, flat. The outputs are its value.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoRule`], [`LinearizeError::Mismatch`].
    pub fn jacobian(
        trace: &OutputTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let pushed = Pushed::new(trace, wrt, settings)?;
        let ends = [
            Vector {
                name: "outputs".into(),
                parts: vec![Part::of(&trace.outputs)],
                dtype: trace.output_dtype(),
            },
            Vector {
                name: "product".into(),
                parts: vec![Part {
                    tensor: pushed.moved.clone(),
                    len: trace.outputs.num_elements(),
                }],
                dtype: trace.output_dtype(),
            },
        ];
        let program = with_flat_ends(
            &pushed.program,
            &pushed.tangents,
            &ends,
            pushed.dtype,
            settings,
        )?;
        Self::new(program, 1, 1, settings)
    }

    /// The transposed Jacobian: from the outputs, flat, to the parameters `wrt`, flat. The outputs
    /// are its value.
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
        let ends = [
            Vector {
                name: "outputs".into(),
                parts: vec![Part::of(&trace.outputs)],
                dtype: trace.output_dtype(),
            },
            Vector {
                name: "product".into(),
                parts: parts(trace, wrt)?,
                dtype: parameter_dtype(trace, wrt)?,
            },
        ];
        let cotangent = std::slice::from_ref(&trace.cotangent);
        let dtype = trace.output_dtype();
        let program = with_flat_ends(&program, cotangent, &ends, dtype, settings)?;
        Self::new(program, 1, 1, settings)
    }

    /// The generalized Gauss-Newton matrix `Jᵀ (∂²ℓ/∂z²) J` of a trace with a criterion. The middle
    /// is the exact derivative of the criterion's own gradient, so that class weights, smoothing and
    /// whatever else it does are in it. The loss is its value.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::NoCriterion`], [`LinearizeError::NoRule`], [`LinearizeError::Mismatch`].
    pub fn gauss_newton(
        trace: &OutputTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let (Some(criterion), Some(judge)) = (&trace.criterion, trace.criterion_program()) else {
            return Err(LinearizeError::NoCriterion);
        };
        let pushed = Pushed::new(trace, wrt, settings)?;
        let leaf = judge.inputs.len() - 1;
        let bent = jvp(&judge, &[leaf], settings)?;
        let moved = bent.tangent_outputs.get(1).copied().flatten();
        let middle = Middle {
            outputs: criterion.leaf.tensor.id,
            vector: bent.program.inputs[bent.tangent_inputs[0]].tensor.id,
            product: moved.map(|index| bent.program.outputs[index].tensor.id),
            noise: None,
            program: bent.program,
            value: (criterion.loss.clone(), judge),
        };
        sandwich(trace, &pushed, wrt, middle, settings)
    }

    /// `Jᵀ A J` with a quadratic form `A` on the outputs: a Fisher matrix, or a Gram matrix. The
    /// outputs are its value. A form that samples takes its noise as the last input.
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
        let pushed = Pushed::new(trace, wrt, settings)?;
        let program = metric.program(&trace.outputs, settings)?;
        let middle = Middle {
            outputs: program.inputs[0].tensor.id,
            vector: program.inputs[1].tensor.id,
            product: Some(program.outputs[0].tensor.id),
            noise: program.inputs.get(2).cloned(),
            program,
            value: (trace.outputs.clone(), trace.forward()),
        };
        sandwich(trace, &pushed, wrt, middle, settings)
    }
}

/// The forward program with its derivative along parameters.
struct Pushed {
    program: Program,
    tangents: Vec<Port>,
    /// The derivative of the outputs; `None` is zero.
    moved: Option<Port>,
    dtype: DType,
}

impl Pushed {
    fn new(
        trace: &OutputTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let parameters = chosen(&trace.parameters, wrt)?;
        let inputs: Vec<usize> = parameters.iter().map(|parameter| parameter.input).collect();
        let derivative = jvp(&trace.forward(), &inputs, settings)?;
        let tangents: Vec<Port> = derivative
            .tangent_inputs
            .iter()
            .map(|&index| derivative.program.inputs[index].clone())
            .collect();
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

/// What stands between the Jacobian and its transpose.
struct Middle {
    program: Program,
    /// Names within the program: of the outputs, the vector, and the product (`None` is zero).
    outputs: TensorId,
    vector: TensorId,
    product: Option<TensorId>,
    noise: Option<Port>,
    /// What is reported, and the program that makes it.
    value: (Port, Program),
}

fn sandwich(
    trace: &OutputTrace,
    pushed: &Pushed,
    wrt: &[usize],
    middle: Middle,
    settings: DeviceSettings,
) -> Result<LinearMap, LinearizeError> {
    let mut rename = Rename::default();
    rename.0.insert(middle.outputs, trace.outputs.tensor.id);
    let (mut value, valued) = middle.value;
    let mut programs = vec![pushed.program.clone(), valued];
    let mut product = parts(trace, wrt)?;
    match (&pushed.moved, middle.product) {
        (Some(moved), Some(bent)) => {
            rename.0.insert(middle.vector, moved.tensor.id);
            // The product may be the vector itself.
            let bent = rename.0.get(&bent).copied().unwrap_or(bent);
            rename.0.insert(trace.cotangent.tensor.id, bent);
            programs.extend([middle.program, trace.pullback()]);
        }
        // Nothing moves the outputs, or nothing bends the criterion.
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
    let ends = [
        Vector {
            name: value.name.clone(),
            parts: vec![Part::of(&value)],
            dtype: value.tensor.dtype,
        },
        Vector {
            name: "product".into(),
            parts: product,
            dtype: pushed.dtype,
        },
    ];
    let program = with_flat_ends(&program, &pushed.tangents, &ends, pushed.dtype, settings)?;
    LinearMap::new(program, 1, 1, settings)
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

/// What comes back to the parameters from a cotangent.
fn parts(trace: &OutputTrace, wrt: &[usize]) -> Result<Vec<Part>, LinearizeError> {
    let (inputs, pulled) = (trace.forward().inputs, trace.pullback().outputs);
    let parameters = chosen(&trace.parameters, wrt)?;
    let parts = parameters.iter().map(|parameter| Part {
        tensor: parameter.gradient.map(|index| pulled[index].clone()),
        len: inputs[parameter.input].num_elements(),
    });
    Ok(parts.collect())
}

/// Programs one after the other, with tensors identified by name: what several of them compute is
/// computed once.
pub(super) fn join(programs: &[Program], rename: &Rename, inputs: Vec<Port>) -> Program {
    let mut made = HashSet::new();
    let (mut operations, mut constants) = (Vec::new(), BTreeMap::new());
    for program in programs {
        for operation in &program.operations {
            // A name means one value, whichever program it is met in.
            if operation.outputs().all(|tensor| made.contains(&tensor.id)) {
                continue;
            }
            let mut operation = operation.clone();
            operation.visit_mut(&mut Rename(rename.0.clone()));
            made.extend(operation.outputs().map(|tensor| tensor.id));
            operations.push(operation);
        }
        constants.extend(program.constants.clone());
    }
    Program::unchecked(operations, inputs, Vec::new(), constants)
}
