//! Programs that compute results of their forward pass twice instead of holding them.
//!
//! The same operations on the same operands give the same bits, so results do not change.

use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::demand::on_demand;
use crate::program::{Program, Rename, first_free};

/// The operations of a program in two parts, each in order.
#[derive(Debug, Clone)]
pub(super) struct TwoPasses {
    pub(super) forward: Vec<OperationIr>,
    pub(super) backward: Vec<OperationIr>,
    outputs: Vec<TensorId>,
}

impl TwoPasses {
    /// Divides a program. `forward` are results of the forward pass; what they depend on belongs to it as well.
    pub(super) fn of(program: &Program, forward: &FxHashSet<TensorId>) -> Self {
        let mut needed: FxHashSet<TensorId> = FxHashSet::default();
        let mut is_forward = vec![false; program.operations.len()];
        for (index, operation) in program.operations.iter().enumerate().rev() {
            let is_needed =
                |tensor: &TensorIr| forward.contains(&tensor.id) || needed.contains(&tensor.id);
            if operation.outputs().any(is_needed) {
                needed.extend(operation.inputs().map(|tensor| tensor.id));
                is_forward[index] = true;
            }
        }
        let mut passes = Self {
            forward: Vec::new(),
            backward: Vec::new(),
            outputs: program.outputs.iter().map(|port| port.tensor.id).collect(),
        };
        for (operation, is_forward) in program.operations.iter().zip(is_forward) {
            let pass = if is_forward {
                &mut passes.forward
            } else {
                &mut passes.backward
            };
            pass.push(operation.clone());
        }
        passes
    }

    /// The passes as a program with the inputs and outputs of `like`.
    pub(super) fn program(self, like: &Program) -> Program {
        let mut program = Program {
            operations: [self.forward, self.backward].concat(),
            ..like.clone()
        };
        program.remove_dead();
        program
    }

    /// The same results, with `twice`, results of the forward pass, computed again for the backward pass, shortly
    /// before it reads them.
    pub(super) fn recomputing(&self, twice: FxHashSet<TensorId>) -> Self {
        let mut copies = Copies::new(self, twice);
        let mut backward = self.backward.clone();
        for operation in &mut backward {
            operation.visit_mut(&mut Redirect(&mut copies));
        }
        let copies = copies.made;
        let outputs = self.outputs.iter().copied();
        Self {
            forward: self.forward.clone(),
            backward: on_demand(backward, copies, outputs),
            outputs: self.outputs.clone(),
        }
    }
}

/// Copies of operations of a forward pass.
struct Copies<'p> {
    forward: &'p [OperationIr],
    /// For each result that is not held, the operation that makes it.
    makers: FxHashMap<TensorId, usize>,
    names: Rename,
    is_made: Vec<bool>,
    made: Vec<OperationIr>,
    next: u64,
}

impl<'p> Copies<'p> {
    fn new(passes: &'p TwoPasses, twice: FxHashSet<TensorId>) -> Self {
        let forward = passes.forward.as_slice();
        let made = forward.iter().enumerate().flat_map(|(index, operation)| {
            operation.outputs().map(move |tensor| (tensor.id, index))
        });
        Self {
            forward,
            makers: made.filter(|(id, _)| twice.contains(id)).collect(),
            names: Rename::default(),
            is_made: vec![false; forward.len()],
            made: Vec::new(),
            next: first_free(forward.iter().chain(&passes.backward)),
        }
    }

    /// Copies what makes a tensor, unless it is held.
    fn of(&mut self, id: TensorId) {
        let mut found = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let Some(&index) = self.makers.get(&id) else {
                continue;
            };
            if !std::mem::replace(&mut self.is_made[index], true) {
                stack.extend(self.forward[index].inputs().map(|tensor| tensor.id));
                found.push(index);
            }
        }
        found.sort_unstable();
        for index in found {
            let mut operation = self.forward[index].clone();
            for out in operation.outputs() {
                self.names.0.insert(out.id, TensorId::new(self.next));
                self.next += 1;
            }
            let is_held = |id: &TensorId| !self.makers.contains_key(id);
            let outputs: Vec<TensorId> = operation.outputs().map(|out| out.id).collect();
            operation.visit_mut(&mut self.names);
            self.made.push(operation);
            // Another result of the operation may be held.
            for id in outputs.iter().filter(|id| is_held(id)) {
                self.names.0.remove(id);
            }
        }
    }
}

/// Redirects reads to copies.
struct Redirect<'c, 'p>(&'c mut Copies<'p>);

impl IrVisitorMut for Redirect<'_, '_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        self.0.of(tensor.id);
        self.0.names.visit_tensor_mut(tensor);
    }
}
