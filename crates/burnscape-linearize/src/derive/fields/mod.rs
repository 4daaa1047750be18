//! The derivatives of fields, in the place of their requests.

mod line;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DeviceSettings, Shape, Slice};
use burn_ir::{
    CustomOpIr, IrVisitorMut, NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::laplacian::{Laplacian, laplacian};
use super::rows::check_rows;
use super::vjp::vjp;
use crate::LinearizeError;
use crate::coverage::{Rule, describe};
use crate::program::{Program, Rename, first_free};
use crate::record::{C, Symbol};

/// A derivative of a field `u` by its input `x`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Derivative {
    /// The Jacobian times the operand.
    Jvp,
    /// The transposed Jacobian times the operand.
    Vjp,
    /// By columns of `x`, one after another.
    Partial(Vec<usize>),
    Gradient,
    Jacobian,
    Divergence,
    Laplacian,
}

impl Derivative {
    /// The name of the operation that stands for a derivative. Its operands are `x`, `u` and the operand.
    pub(crate) const REQUEST: &'static str = "burnscape::derivative";
    /// The name of the operation that stands for the pullback of a derivative. Its operands are the derivative, the
    /// cotangent, and the tensors that it pulls back to.
    pub(crate) const PULLBACK: &'static str = "burnscape::pullback";
}

/// What is worth knowing about the derivatives of the fields in a loss.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldNotes {
    /// The piecewise linear operations in fields, whose second derivatives count as zero.
    pub kinks: Vec<String>,
    /// The derivatives that are zero whatever the values, since the field does not depend on the input.
    pub zeros: Vec<String>,
}

impl FieldNotes {
    /// Adds what is not known yet.
    #[doc(hidden)]
    pub fn extend(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.kinks, &other.kinks),
            (&mut self.zeros, &other.zeros),
        ] {
            for note in other {
                if !own.contains(note) {
                    own.push(note.clone());
                }
            }
        }
    }
}

/// Replaces all requests of a recording by operations. Also returns, for each output, whether it is zero whatever the
/// values.
pub(crate) fn with_derivatives(
    program: Program,
    requests: &[Derivative],
    settings: DeviceSettings,
) -> Result<(Program, Vec<bool>, FieldNotes), LinearizeError> {
    let next = first_free(&program.operations);
    let Program {
        operations,
        inputs,
        mut outputs,
        constants,
        ..
    } = program;
    let mut expansion = Expansion {
        line: Program::unchecked(Vec::new(), inputs, Vec::new(), constants),
        rename: Rename::default(),
        zeros: FxHashSet::default(),
        notes: FieldNotes::default(),
        settings,
        next,
    };
    let mut requests = requests.iter();
    let is_operation =
        |operation: &OperationIr| !matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_));
    for mut operation in operations.into_iter().filter(is_operation) {
        operation.visit_mut(&mut expansion.rename);
        match operation {
            OperationIr::Custom(marker) if marker.id == Derivative::REQUEST => {
                let what = requests.next().ok_or_else(|| lost(&marker))?;
                expansion.derivative(&marker, what)?;
            }
            OperationIr::Custom(marker) if marker.id == Derivative::PULLBACK => {
                expansion.pullback(&marker)?;
            }
            operation => expansion.add(operation),
        }
    }
    let Expansion {
        mut line,
        mut rename,
        zeros,
        notes,
        ..
    } = expansion;
    for port in &mut outputs {
        rename.visit_tensor_mut(&mut port.tensor);
    }
    let are_zero = outputs.iter().map(|port| zeros.contains(&port.tensor.id));
    let are_zero = are_zero.collect();
    line.outputs = outputs;
    Ok((line.normalized()?, are_zero, notes))
}

fn lost(marker: &CustomOpIr) -> LinearizeError {
    LinearizeError::Internal {
        message: format!("`{}` without its operands", marker.id),
    }
}

struct Expansion {
    /// The operations so far.
    line: Program,
    rename: Rename,
    /// Tensors that are zero whatever the values.
    zeros: FxHashSet<TensorId>,
    notes: FieldNotes,
    settings: DeviceSettings,
    /// The next free name.
    next: u64,
}

impl Expansion {
    fn add(&mut self, operation: OperationIr) {
        if let OperationIr::NumericFloat(_, Numeric::Add(sum)) = &operation {
            for (zero, other) in [(&sum.lhs, &sum.rhs), (&sum.rhs, &sum.lhs)] {
                if self.zeros.contains(&zero.id) && other.shape == sum.out.shape {
                    self.rename.0.insert(sum.out.id, other.id);
                    return;
                }
            }
        }
        self.line.operations.push(operation);
    }

    fn set(&mut self, result: &TensorIr, value: Option<TensorIr>) {
        let value = value.unwrap_or_else(|| {
            let zero = self.filled(0.0, result);
            self.zeros.insert(zero.id);
            zero
        });
        self.rename.0.insert(result.id, value.id);
    }

    fn derivative(&mut self, marker: &CustomOpIr, what: &Derivative) -> Result<(), LinearizeError> {
        let ([x, u, operand @ ..], [result]) = (&marker.inputs[..], &marker.outputs[..]) else {
            return Err(lost(marker));
        };
        // Not every kernel takes tensors without elements.
        if result.shape.num_elements() == 0 {
            self.set(result, None);
            return Ok(());
        }
        let value = match self.between(x, u)? {
            None => None,
            Some(field) if operand.is_empty() => self.by_rows(&field, what, x, u)?,
            Some(field) if *what == Derivative::Vjp => self.backward(&field, &operand[0])?,
            Some(field) => self.forward(&field, operand)?,
        };
        if value.is_none() {
            self.notes.zeros.push(format!("{what:?}"));
        }
        self.set(result, value);
        Ok(())
    }

    /// A derivative of each row, for which rows must not be mixed.
    fn by_rows(
        &mut self,
        field: &Program,
        what: &Derivative,
        x: &TensorIr,
        u: &TensorIr,
    ) -> Result<Option<TensorIr>, LinearizeError> {
        check_rows(field, x.id, field.outputs[0].tensor.id)?;
        let width = x.shape.as_slice().get(1).copied().unwrap_or(1);
        match what {
            Derivative::Gradient => {
                let ones = self.filled(1.0, u);
                self.backward(field, &ones)
            }
            Derivative::Partial(columns) => self.partial(field, x, columns),
            // Nothing to differentiate by.
            Derivative::Laplacian if width == 0 => Ok(None),
            Derivative::Laplacian => self.laplacian(field, x, width),
            Derivative::Jacobian => self.jacobian(field, x, u),
            Derivative::Divergence => {
                let mut terms = Vec::new();
                for column in 0..width {
                    let Some(partial) = self.partial(field, x, &[column])? else {
                        continue;
                    };
                    let term = self.combined(vec![partial], |all| {
                        let rows = all[0].shape()[0];
                        let ranges = [Slice::from(0..rows), Slice::from(column..column + 1)];
                        C::float_slice(all[0].clone(), &ranges)
                    })?;
                    terms.extend(term);
                }
                self.combined(terms, added)
            }
            Derivative::Jvp | Derivative::Vjp => Err(LinearizeError::Internal {
                message: format!("{what:?} without its operand"),
            }),
        }
    }

    fn laplacian(
        &mut self,
        field: &Program,
        x: &TensorIr,
        width: usize,
    ) -> Result<Option<TensorIr>, LinearizeError> {
        match laplacian(field, width, self.settings)? {
            Laplacian::Zero => Ok(None),
            Laplacian::Program(program) => {
                let ports = program.inputs[program.inputs.len() - width..].to_vec();
                let columns = (0..width).map(|column| self.column(column, x).id);
                let bindings = ports.iter().map(|port| port.tensor.id).zip(columns);
                let bindings: Vec<_> = bindings.collect();
                Ok(self.append(program, &bindings)?.pop())
            }
            Laplacian::Unknown => {
                let seconds = (0..width).map(|i| self.partial(field, x, &[i, i]));
                let seconds = seconds.collect::<Result<Vec<_>, _>>()?;
                self.combined(seconds.into_iter().flatten().collect(), added)
            }
        }
    }

    /// A mixed partial derivative.
    fn partial(
        &mut self,
        field: &Program,
        x: &TensorIr,
        columns: &[usize],
    ) -> Result<Option<TensorIr>, LinearizeError> {
        let directions = columns.iter().map(|column| self.column(*column, x));
        let directions: Vec<TensorIr> = directions.collect();
        self.forward(field, &directions)
    }

    /// The derivative along several directions, one after another.
    fn forward(
        &mut self,
        field: &Program,
        directions: &[TensorIr],
    ) -> Result<Option<TensorIr>, LinearizeError> {
        let mut current = field.clone();
        let mut bindings = Vec::new();
        for direction in directions {
            let derivative = current.jvp(&[0], self.settings)?;
            let Some(tangent) = derivative.tangent_outputs[0] else {
                return Ok(None);
            };
            let mut program = derivative.program;
            program.outputs = vec![program.outputs[tangent].clone()];
            let port = program.inputs[derivative.tangent_inputs[0]].tensor.id;
            bindings.push((port, direction.id));
            current = program;
        }
        Ok(self.append(current, &bindings)?.pop())
    }

    /// The transposed derivative of a cotangent.
    fn backward(
        &mut self,
        field: &Program,
        cotangent: &TensorIr,
    ) -> Result<Option<TensorIr>, LinearizeError> {
        let mut found = self.pulled_back(field, &[0], cotangent)?;
        Ok(found.pop().flatten())
    }

    /// The pullback of a cotangent of the only output to some inputs.
    fn pulled_back(
        &mut self,
        program: &Program,
        wrt: &[usize],
        cotangent: &TensorIr,
    ) -> Result<Vec<Option<TensorIr>>, LinearizeError> {
        let transposed = vjp(program, &[0], wrt, self.settings)?;
        let mut program = transposed.program;
        let ends = transposed.gradients.iter().flatten();
        program.outputs = ends.map(|&index| program.outputs[index].clone()).collect();
        let port = program.inputs[transposed.cotangents[0]].tensor.id;
        let bindings = [(port, cotangent.id)];
        let mut results = self.append(program, &bindings)?.into_iter();
        let gradients = transposed.gradients.iter();
        Ok(gradients
            .map(|index| index.and_then(|_| results.next()))
            .collect())
    }

    fn jacobian(
        &mut self,
        field: &Program,
        x: &TensorIr,
        u: &TensorIr,
    ) -> Result<Option<TensorIr>, LinearizeError> {
        let [inputs, outputs] = [x.shape[1], u.shape[1]];
        // Of columns or rows, the fewer.
        let axis = if inputs <= outputs { 2 } else { 1 };
        let mut parts = Vec::new();
        let mut is_zero = true;
        for index in 0..inputs.min(outputs) {
            let (part, like) = if axis == 2 {
                (self.partial(field, x, &[index])?, u)
            } else {
                let one = self.column(index, u);
                (self.backward(field, &one)?, x)
            };
            is_zero &= part.is_none();
            parts.push(part.unwrap_or_else(|| self.filled(0.0, like)));
        }
        if is_zero {
            return Ok(None);
        }
        self.combined(parts, |all| {
            let parts = all.into_iter().map(|part| {
                let mut shape = part.shape().as_slice().to_vec();
                shape.insert(axis, 1);
                C::float_reshape(part, Shape::from(shape))
            });
            C::float_cat(parts.collect(), axis)
        })
    }

    fn pullback(&mut self, marker: &CustomOpIr) -> Result<(), LinearizeError> {
        let [derivative, cotangent, parents @ ..] = &marker.inputs[..] else {
            return Err(lost(marker));
        };
        let results = marker.outputs.clone();
        let (program, found) = self.from(parents, derivative)?;
        if self.zeros.contains(&derivative.id) || found.is_empty() {
            results.iter().for_each(|result| self.set(result, None));
            return Ok(());
        }
        let wrt: Vec<usize> = (0..found.len()).collect();
        let pulled = self.pulled_back(&program, &wrt, cotangent)?;
        let mut pulled: FxHashMap<usize, TensorIr> = found
            .into_iter()
            .zip(pulled)
            .filter_map(|(parent, value)| Some((parent, value?)))
            .collect();
        for (parent, result) in results.iter().enumerate() {
            self.set(result, pulled.remove(&parent));
        }
        Ok(())
    }

    /// The operations from `x` to `u`, with everything else that they read as further inputs; `None` if `u` does not
    /// depend on `x`.
    fn between(&mut self, x: &TensorIr, u: &TensorIr) -> Result<Option<Program>, LinearizeError> {
        let mut moving = FxHashSet::from_iter([x.id]);
        for operation in &self.line.operations {
            if operation.inputs().any(|tensor| moving.contains(&tensor.id)) {
                moving.extend(operation.outputs().map(|tensor| tensor.id));
            }
        }
        if !moving.contains(&u.id) {
            return Ok(None);
        }
        let is_inner = |operation: &OperationIr| {
            let mut outputs = operation.outputs();
            outputs.any(|tensor| moving.contains(&tensor.id) && tensor.id != x.id)
        };
        let program = self.part(std::slice::from_ref(x), u, is_inner)?;
        for operation in &program.operations {
            let (name, rule) = describe(operation);
            if rule == Rule::PiecewiseLinear && !self.notes.kinks.contains(&name) {
                self.notes.kinks.push(name);
            }
        }
        Ok(Some(program))
    }
}

/// The sum of one tensor or more.
fn added(mut all: Vec<Symbol>) -> Symbol {
    let first = all.remove(0);
    all.into_iter().fold(first, C::float_add)
}
