//! Sums of two convolutions as one.
//!
//! The derivative of a convolution is `c(x', w) + c(x, w')`. Together they are a convolution of twice as many channels,
//! which is placed and written once, and needs no sum of two tensors. Gradients with respect to weights are sums over
//! twice as many images.

use burn_ir::{BinaryOpIr, NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr};
use rustc_hash::FxHashMap;

use super::Kind;
use super::operation::Operation;
use crate::program::Program;

/// The numbers of a weight up to which convolutions are paired.
const MAX_WEIGHT: usize = 1 << 18;

/// The sums whose terms are two convolutions of the same kind and shape that nothing else reads, with their places.
pub(super) fn pairs<'p>(
    program: &'p Program,
    is_ours: impl Fn(&Operation<'_>) -> bool,
) -> Vec<(usize, [Operation<'p>; 2])> {
    let mut makers: FxHashMap<TensorId, Operation<'p>> = FxHashMap::default();
    let mut sums: Vec<(usize, &'p BinaryOpIr)> = Vec::new();
    for (index, operation) in program.operations.iter().enumerate() {
        match operation {
            OperationIr::NumericFloat(_, Numeric::Add(sum)) => sums.push((index, sum)),
            _ => {
                let found = Operation::of(operation).filter(&is_ours);
                makers.extend(found.map(|found| (found.out.id, found)));
            }
        }
    }
    if makers.is_empty() || sums.is_empty() {
        return Vec::new();
    }
    let mut reads: FxHashMap<TensorId, usize> = FxHashMap::default();
    let inputs = program.operations.iter().flat_map(OperationIr::inputs);
    for id in inputs.map(|tensor| tensor.id).chain(program.roots()) {
        *reads.entry(id).or_default() += 1;
    }
    let term = |tensor: &TensorIr| {
        let is_alone = reads.get(&tensor.id) == Some(&1);
        makers
            .get(&tensor.id)
            .copied()
            .filter(|found| is_alone && found.bias.is_none())
    };
    let pair = |(index, sum): (usize, &'p BinaryOpIr)| {
        let [a, b] = [term(&sum.lhs)?, term(&sum.rhs)?];
        let is_same = a.kind == b.kind && a.conv == b.conv && a.out.shape == b.out.shape;
        // Both weights are read for each part of the batch, and should stay in the cache.
        let is_worth = a.kind == Kind::Weight || a.conv.weight_len() <= MAX_WEIGHT;
        let out = &sum.out;
        (is_same && is_worth).then_some((index, [a, b].map(|term| Operation { out, ..term })))
    };
    sums.into_iter().filter_map(pair).collect()
}
