use std::collections::{BTreeMap, HashSet};

use super::{Port, Program, Rename, Tie};

/// Concatenates programs. Equal names denote equal tensors: an operation that several programs
/// contain is kept once. The result has no outputs yet.
pub(crate) fn join(programs: &[Program], rename: &Rename, inputs: Vec<Port>) -> Program {
    let mut made = HashSet::new();
    let (mut operations, mut constants) = (Vec::new(), BTreeMap::new());
    let mut ties = Vec::new();
    for program in programs {
        let renamed = |tie: &Tie| tie.renamed(&mut Rename(rename.0.clone()));
        ties.extend(program.ties.iter().map(renamed));
        for operation in &program.operations {
            // A name denotes the same value in every program.
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
    let mut joined = Program::unchecked(operations, inputs, Vec::new(), constants);
    joined.ties = ties;
    joined
}
