//! Batches of matrix products, folded into a single product.
//!
//! Burn computes a linear layer on tokens `[batch, tokens, inputs]` as a batch of products with one matrix,
//! and the gradient of its weights as a sum over a batch of products. A single product over all tokens
//! uses the kernel better and avoids writing a batch of weight gradients. Derivatives of folded products are
//! folded as well.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;
use burn_ir::{
    BaseOperationIr as Base, FloatOperationIr as Float, MatmulOpIr, NumericOperationIr as Numeric,
    OperationIr, TensorId, TensorIr,
};
use rustc_hash::FxHashMap;

use crate::program::Program;
use crate::record::{C, Symbol};

/// Which operation makes each tensor, and how often it is read.
pub(crate) struct Makers<'p> {
    makers: FxHashMap<TensorId, &'p OperationIr>,
    reads: FxHashMap<TensorId, usize>,
}

impl<'p> Makers<'p> {
    pub(crate) fn of(program: &'p Program) -> Self {
        let mut found = Self {
            makers: FxHashMap::default(),
            reads: FxHashMap::default(),
        };
        // Most programs have no batches of products.
        if !program.operations.iter().any(|op| batched(op).is_some()) {
            return found;
        }
        for operation in &program.operations {
            for tensor in operation.outputs() {
                found.makers.insert(tensor.id, operation);
            }
            for tensor in operation.inputs() {
                *found.reads.entry(tensor.id).or_default() += 1;
            }
        }
        for port in &program.outputs {
            *found.reads.entry(port.tensor.id).or_default() += 1;
        }
        found
    }

    /// Whether [`folded`](Self::folded) rewrites the operation.
    pub(crate) fn folds(&self, operation: &OperationIr) -> bool {
        self.rows(operation).is_some() || self.sum(operation).is_some()
    }

    /// The result of the operation, and the symbol that replaces it.
    pub(crate) fn folded(
        &self,
        operation: &OperationIr,
        symbol: impl Fn(&TensorIr) -> Symbol,
    ) -> Option<(TensorIr, Symbol)> {
        if let Some(o) = self.rows(operation) {
            let [inner, columns] = matrix(&o.rhs);
            let rows = o.lhs.shape.num_elements() / inner;
            let lhs = C::float_reshape(symbol(&o.lhs), Shape::from([rows, inner]));
            let rhs = match self.transposed(&o.rhs) {
                None => C::float_reshape(symbol(&o.rhs), Shape::from([inner, columns])),
                Some(source) => {
                    let source = C::float_reshape(symbol(source), Shape::from([columns, inner]));
                    C::float_swap_dims(source, 0, 1)
                }
            };
            let product = C::float_matmul(lhs, rhs);
            return Some((
                o.out.clone(),
                C::float_reshape(product, o.out.shape.clone()),
            ));
        }
        let (o, source, out) = self.sum(operation)?;
        let [inner, columns] = matrix(&o.rhs);
        let rows = o.lhs.shape[1];
        let inner = o.rhs.shape[0] * inner;
        let lhs = C::float_reshape(symbol(source), Shape::from([inner, rows]));
        let rhs = C::float_reshape(symbol(&o.rhs), Shape::from([inner, columns]));
        let product = C::float_matmul(C::float_swap_dims(lhs, 0, 1), rhs);
        Some((out.clone(), C::float_reshape(product, out.shape.clone())))
    }

    /// A batch of products with one matrix, with contiguous rows.
    fn rows<'o>(&self, operation: &'o OperationIr) -> Option<&'o MatmulOpIr> {
        let o = batched(operation)?;
        let is_one = num_matrices(&o.rhs) == 1 && num_matrices(&o.lhs) > 1;
        let is_view = matches!(
            self.makers.get(&o.lhs.id),
            Some(OperationIr::BaseFloat(
                Base::SwapDims(_) | Base::Permute(_) | Base::Expand(_)
            ))
        );
        (is_one && !is_view).then_some(o)
    }

    /// A batch of products `Xᵀ Y` of which only the sum is used, with `X` and the sum.
    fn sum<'o>(
        &self,
        operation: &'o OperationIr,
    ) -> Option<(&'p MatmulOpIr, &'p TensorIr, &'o TensorIr)> {
        let OperationIr::NumericFloat(_, Numeric::SumDim(sum)) = operation else {
            return None;
        };
        let o = batched(self.makers.get(&sum.input.id)?)?;
        let is_alone = self.reads.get(&o.out.id) == Some(&1);
        let is_batch = sum.axis == 0
            && o.out.shape.num_dims() == 3
            && o.lhs.shape[0] == o.rhs.shape[0]
            && o.lhs.shape[0] > 1;
        let source = self.transposed(&o.lhs)?;
        (is_alone && is_batch).then_some((o, source, &sum.out))
    }

    /// The tensor that this one is the transpose of, matrix by matrix.
    fn transposed(&self, tensor: &TensorIr) -> Option<&'p TensorIr> {
        let last = tensor.shape.num_dims() - 1;
        match self.makers.get(&tensor.id)? {
            OperationIr::BaseFloat(Base::SwapDims(o))
                if (o.dim1.min(o.dim2), o.dim1.max(o.dim2)) == (last - 1, last) =>
            {
                Some(&o.input)
            }
            _ => None,
        }
    }
}

/// A matrix product with batch axes.
fn batched(operation: &OperationIr) -> Option<&MatmulOpIr> {
    match operation {
        OperationIr::Float(_, Float::Matmul(o)) if o.out.shape.num_dims() > 2 => Some(o),
        _ => None,
    }
}

fn matrix(tensor: &TensorIr) -> [usize; 2] {
    let dims = tensor.shape.as_slice();
    [dims[dims.len() - 2], dims[dims.len() - 1]]
}

fn num_matrices(tensor: &TensorIr) -> usize {
    let dims = tensor.shape.as_slice();
    dims[..dims.len() - 2].iter().product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use crate::rule::tests::{Given, plain, program, run, values};

    /// The ranks of the matrix products after lowering, which must not change the value.
    fn ranks_left(shapes: &[&[usize]], operation: fn(&Given) -> Symbol) -> Vec<usize> {
        let written = program(shapes, operation);
        let lowered = lower(written.clone(), plain().settings()).expect("a program");
        let given = values(&written, 0.7);
        let (before, after) = (run(&written, &[&given], 0), run(&lowered, &[&given], 0));
        assert!(before.iter().any(|x| x.abs() > 1e-3));
        for (x, y) in before.iter().zip(&after) {
            assert!((x - y).abs() < 1e-12, "{x} became {y}");
        }
        let ranks = lowered.operations.iter().filter_map(|op| match op {
            OperationIr::Float(_, Float::Matmul(o)) => Some(o.out.shape.num_dims()),
            _ => None,
        });
        ranks.collect()
    }

    #[test]
    fn a_batch_times_one_matrix_becomes_one_product() {
        let layer = |given: &Given| C::float_matmul(given.at(0), given.at(1));
        assert_eq!(ranks_left(&[&[2, 3, 4], &[1, 4, 5]], layer), [2]);
        assert_eq!(ranks_left(&[&[2, 2, 3, 4], &[1, 1, 4, 5]], layer), [2]);
        // The transposed matrix, as in a backward pass.
        let back =
            |given: &Given| C::float_matmul(given.at(0), C::float_swap_dims(given.at(1), 1, 2));
        assert_eq!(ranks_left(&[&[2, 3, 4], &[1, 5, 4]], back), [2]);
    }

    #[test]
    fn a_summed_batch_of_products_becomes_one_product() {
        let weights = |given: &Given| {
            let x = C::float_swap_dims(given.at(0), 1, 2);
            C::float_sum_dim(C::float_matmul(x, given.at(1)), 0)
        };
        assert_eq!(ranks_left(&[&[2, 3, 4], &[2, 3, 5]], weights), [2]);
        assert_eq!(ranks_left(&[&[7, 1, 1], &[7, 1, 2]], weights), [2]);
    }

    #[test]
    fn other_batches_of_products_are_kept() {
        let plain = |given: &Given| C::float_matmul(given.at(0), given.at(1));
        assert_eq!(ranks_left(&[&[2, 3, 4], &[2, 4, 5]], plain), [3]);
        assert_eq!(ranks_left(&[&[1, 3, 4], &[2, 4, 5]], plain), [3]);
        // Rows that are not contiguous would have to be copied.
        let turned =
            |given: &Given| C::float_matmul(C::float_swap_dims(given.at(0), 1, 2), given.at(1));
        assert_eq!(ranks_left(&[&[2, 4, 3], &[1, 4, 5]], turned), [3]);
        // SumLoss along another axis, or used elsewhere as well.
        let other = |given: &Given| {
            let x = C::float_swap_dims(given.at(0), 1, 2);
            C::float_sum_dim(C::float_matmul(x, given.at(1)), 1)
        };
        assert_eq!(ranks_left(&[&[2, 3, 4], &[2, 3, 5]], other), [3]);
        let twice = |given: &Given| {
            let product = C::float_matmul(C::float_swap_dims(given.at(0), 1, 2), given.at(1));
            C::float_add(C::float_sum_dim(product.clone(), 0), product)
        };
        assert_eq!(ranks_left(&[&[2, 3, 4], &[2, 3, 5]], twice), [3]);
    }
}
