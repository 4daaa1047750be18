//! Finds the distribution function of the normal distribution in a program.
//!
//! GELU is written out before it is differentiated (room `lower`), with `Φ(x) = (erf(x/√2) + 1) · 0.5` as four
//! operations. They become one.

use std::f64::consts::FRAC_1_SQRT_2;

use burn_ir::{
    FloatOperationIr as Float, NumericOperationIr as Numeric, OperationIr, ScalarOpIr, TensorId,
    TensorIr, UnaryOpIr,
};
use rustc_hash::FxHashMap;

use crate::program::Program;

/// The places where a program computes `Φ`: the last operation of each, with `x` and the result.
///
/// Only where nothing else reads the sum or the error function, which would be computed twice.
pub(super) fn distributions(program: &Program) -> Vec<(usize, UnaryOpIr)> {
    let is_erf =
        |operation: &OperationIr| matches!(operation, OperationIr::Float(_, Float::Erf(_)));
    if !program.operations.iter().any(is_erf) {
        return Vec::new();
    }
    let chains = Chains::of(program);
    let operations = program.operations.iter().enumerate();
    operations
        .filter_map(|(index, operation)| Some((index, chains.ending_with(operation)?)))
        .collect()
}

struct Chains<'p> {
    makers: FxHashMap<TensorId, &'p OperationIr>,
    num_reads: FxHashMap<TensorId, usize>,
}

impl<'p> Chains<'p> {
    fn of(program: &'p Program) -> Self {
        let mut makers = FxHashMap::default();
        let mut num_reads: FxHashMap<TensorId, usize> = FxHashMap::default();
        for operation in &program.operations {
            makers.extend(operation.outputs().map(|out| (out.id, operation)));
            for input in operation.inputs() {
                *num_reads.entry(input.id).or_default() += 1;
            }
        }
        for root in program.roots() {
            *num_reads.entry(root).or_default() += 1;
        }
        Self { makers, num_reads }
    }

    fn ending_with(&self, operation: &OperationIr) -> Option<UnaryOpIr> {
        let OperationIr::NumericFloat(_, Numeric::MulScalar(halved)) = operation else {
            return None;
        };
        let sum = self.only_read(with_scalar(halved, 0.5)?)?;
        let OperationIr::NumericFloat(_, Numeric::AddScalar(sum)) = sum else {
            return None;
        };
        let erf = self.only_read(with_scalar(sum, 1.0)?)?;
        let OperationIr::Float(_, Float::Erf(erf)) = erf else {
            return None;
        };
        let scaled = self.makers.get(&erf.input.id)?;
        let OperationIr::NumericFloat(_, Numeric::MulScalar(scaled)) = scaled else {
            return None;
        };
        Some(UnaryOpIr {
            input: with_scalar(scaled, FRAC_1_SQRT_2)?.clone(),
            out: halved.out.clone(),
        })
    }

    /// The operation that makes a tensor, if the tensor is read once.
    fn only_read(&self, tensor: &TensorIr) -> Option<&'p OperationIr> {
        let is_only = self.num_reads.get(&tensor.id) == Some(&1);
        self.makers.get(&tensor.id).copied().filter(|_| is_only)
    }
}

/// The tensor of an operation with this scalar, up to its last bit: `1/√2` has two roundings.
fn with_scalar(operation: &ScalarOpIr, scalar: f64) -> Option<&TensorIr> {
    let difference = operation.rhs.elem::<f64>() - scalar;
    (difference.abs() <= f64::EPSILON).then_some(&operation.lhs)
}
