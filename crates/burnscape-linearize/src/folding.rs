//! Batches of matrix products that are one product, written as one.
//!
//! A linear layer on words `[batch, words, inputs]` is a batch of products with one matrix, and the gradient of
//! its weights a sum over a batch of products. Burn makes them so; as one product of all words each, they fill
//! the kernel, and no batch of weight gradients is written to be summed up. Derivatives of what is folded are
//! folded themselves.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;
use burn_ir::{
    BaseOperationIr as Base, FloatOperationIr as Float, MatmulOpIr, NumericOperationIr as Numeric,
    OperationIr, TensorId, TensorIr,
};
use rustc_hash::FxHashMap;

use super::lifter::C;
use super::program::Program;
use super::recording::Symbol;

/// Which operation makes a tensor, and how many read it.
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

    /// Whether [`folded`](Self::folded) has something to say.
    pub(crate) fn folds(&self, operation: &OperationIr) -> bool {
        self.rows(operation).is_some() || self.sum(operation).is_some()
    }

    /// The result of an operation, and how it is recorded instead.
    pub(crate) fn folded(
        &self,
        operation: &OperationIr,
        symbol: impl Fn(&TensorIr) -> Symbol,
    ) -> Option<(TensorIr, Symbol)> {
        if let Some(o) = self.rows(operation) {
            let [inner, columns] = matrix(&o.rhs);
            let rows = o.lhs.shape.num_elements() / inner;
            let lhs = C::float_reshape(symbol(&o.lhs), Shape::from([rows, inner]));
            let rhs = match self.turned(&o.rhs) {
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

    /// A batch of products with one matrix, whose rows lie one after the other.
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

    /// The sum of a batch of products `Xᵀ Y` that nothing else reads, with `X` and the sum.
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
        let source = self.turned(&o.lhs)?;
        (is_alone && is_batch).then_some((o, source, &sum.out))
    }

    /// What the tensor is the transpose of, matrix by matrix.
    fn turned(&self, tensor: &TensorIr) -> Option<&'p TensorIr> {
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

/// A product of batches of matrices.
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

    /// The ranks of the matrix products that are left of an operation; its value has to stay.
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
    fn one_matrix_for_a_whole_batch_meets_all_rows_at_once() {
        let layer = |given: &Given| C::float_matmul(given.at(0), given.at(1));
        assert_eq!(ranks_left(&[&[2, 3, 4], &[1, 4, 5]], layer), [2]);
        assert_eq!(ranks_left(&[&[2, 2, 3, 4], &[1, 1, 4, 5]], layer), [2]);
        // Its transpose, as in a backward pass.
        let back =
            |given: &Given| C::float_matmul(given.at(0), C::float_swap_dims(given.at(1), 1, 2));
        assert_eq!(ranks_left(&[&[2, 3, 4], &[1, 5, 4]], back), [2]);
    }

    #[test]
    fn a_batch_that_is_summed_up_is_one_product() {
        let weights = |given: &Given| {
            let x = C::float_swap_dims(given.at(0), 1, 2);
            C::float_sum_dim(C::float_matmul(x, given.at(1)), 0)
        };
        assert_eq!(ranks_left(&[&[2, 3, 4], &[2, 3, 5]], weights), [2]);
        assert_eq!(ranks_left(&[&[7, 1, 1], &[7, 1, 2]], weights), [2]);
    }

    #[test]
    fn what_is_no_single_product_stays() {
        let plain = |given: &Given| C::float_matmul(given.at(0), given.at(1));
        assert_eq!(ranks_left(&[&[2, 3, 4], &[2, 4, 5]], plain), [3]);
        assert_eq!(ranks_left(&[&[1, 3, 4], &[2, 4, 5]], plain), [3]);
        // Rows that do not lie one after the other would have to be copied.
        let turned =
            |given: &Given| C::float_matmul(C::float_swap_dims(given.at(0), 1, 2), given.at(1));
        assert_eq!(ranks_left(&[&[2, 4, 3], &[1, 4, 5]], turned), [3]);
        // Summed along another axis, or read by something else as well.
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
