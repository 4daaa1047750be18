//! Products with several tangents in one program, with residuals recomputed once for all of them.

use std::borrow::Cow;

use burn_ir::{IrVisitorMut, OperationIr, TensorId};
use rustc_hash::FxHashSet;

use super::LinearMap;
use super::demand::on_demand;
use crate::program::{Port, Program, Rename, first_free};

impl LinearMap {
    /// From primal inputs, draws and `count` tangents to as many results: `once`, and `each` for every tangent, as one
    /// program, with residuals made on demand. The operations of a product are those of a single one, in the same order.
    /// With several `segments`, most of the forward pass runs twice, so that its results take less memory.
    #[doc(hidden)]
    pub fn several(&self, segments: usize, count: usize) -> Program {
        let tangents = &self.each.inputs[self.num_residuals()..];
        let mut names = self.names(tangents, count);
        let mut inputs = self.once.inputs.clone();
        let mut outputs = Vec::new();
        for names in &mut names {
            inputs.extend(tangents.iter().map(|port| renamed(port, names)));
            outputs.extend(self.each.outputs.iter().map(|port| renamed(port, names)));
        }
        let mut line = Vec::with_capacity(count * self.each.operations.len());
        for operation in &self.each.operations {
            line.extend(names.iter_mut().map(|names| {
                let mut operation = operation.clone();
                operation.visit_mut(names);
                operation
            }));
        }
        let ids = outputs.iter().map(|port: &Port| port.tensor.id);
        let operations = on_demand(line, self.once.operations.clone(), ids);
        let mut constants = self.once.constants.clone();
        constants.extend(self.each.constants.clone());
        let mut several = Program::unchecked(operations, inputs, outputs, constants);
        several.remove_dead();
        self.in_segments(several, &self.forward_of(&names), segments)
    }

    /// The names of everything that depends on a tangent, for each tangent. The first one's are its own.
    fn names(&self, tangents: &[Port], count: usize) -> Vec<Rename> {
        let made = self.each.operations.iter().flat_map(OperationIr::outputs);
        let made = made.map(|tensor| tensor.id);
        let moving = tangents.iter().map(|port| port.tensor.id).chain(made);
        let moving: Vec<TensorId> = moving.collect();
        let all = self.once.operations.iter().chain(&self.each.operations);
        let mut next = first_free(all);
        let names = (0..count).map(|tangent| {
            let mut names = Rename::default();
            if tangent > 0 {
                let new = moving.iter().map(|id| {
                    next += 1;
                    (*id, TensorId::new(next - 1))
                });
                names.0.extend(new);
            }
            names
        });
        names.collect()
    }

    /// The results of the forward pass, with the tangents of all of them.
    fn forward_of(&self, names: &[Rename]) -> Cow<'_, FxHashSet<TensorId>> {
        let mut forward = Cow::Borrowed(&*self.forward);
        for names in names.iter().filter(|names| !names.0.is_empty()) {
            let more = self.forward.iter().filter_map(|id| names.0.get(id));
            forward.to_mut().extend(more);
        }
        forward
    }
}

fn renamed(port: &Port, names: &mut Rename) -> Port {
    let mut port = port.clone();
    names.visit_tensor_mut(&mut port.tensor);
    port
}
