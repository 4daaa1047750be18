//! Matrix products and convolutions, with the tangents folded into rows or into the batch.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::tensor::Shape;
use burn_ir::{FloatOperationIr as Float, ModuleOperationIr as Module, OperationIr, TensorIr};

use super::Block;
use crate::record::{C, Symbol};

pub(super) fn apply(operation: &OperationIr, block: &mut Block<'_>) -> bool {
    match operation {
        OperationIr::Float(_, Float::Matmul(o)) => {
            let result = match (block.moves(&o.lhs), o.rhs.shape.as_slice()) {
                // All rows are multiplied by the same matrix.
                (true, [inner, columns]) if !block.moves(&o.rhs) => {
                    let rows = folded(block.spread(&o.lhs), *inner);
                    let product = C::float_matmul(rows, block.fixed(&o.rhs));
                    debug_assert_eq!(product.shape()[1], *columns);
                    C::float_reshape(product, block.shape(&o.out))
                }
                // One matrix is multiplied by all columns.
                (false, [inner, columns]) => {
                    let (inner, columns) = (*inner, *columns);
                    let rows = o.lhs.shape[0];
                    let all = beside(block.spread(&o.rhs), inner, block.k * columns);
                    let product = C::float_matmul(block.fixed(&o.lhs), all);
                    apart(product, [rows, block.k, columns])
                }
                _ => C::float_matmul(block.float(&o.lhs), block.float(&o.rhs)),
            };
            block.set(&o.out, result);
            true
        }
        OperationIr::Module(op) => layer(op, block),
        _ => false,
    }
}

fn layer(op: &Module, block: &mut Block<'_>) -> bool {
    let result = match op {
        Module::Linear(o) => {
            let [inputs, outputs] = [o.weight.shape[0], o.weight.shape[1]];
            let product = if block.moves(&o.weight) {
                C::float_matmul(block.rows(&o.x, inputs), block.float(&o.weight))
            } else {
                let rows = folded(block.spread(&o.x), inputs);
                C::float_matmul(rows, block.fixed(&o.weight))
            };
            let product = C::float_reshape(product, block.shape(&o.out));
            match &o.bias {
                None => product,
                Some(bias) => {
                    let mut axes = vec![if block.moves(bias) { block.k } else { 1 }];
                    axes.resize(o.out.shape.num_dims(), 1);
                    axes.push(outputs);
                    let bias = C::float_reshape(block.float(bias), Shape::from(axes));
                    C::float_add(product, bias)
                }
            }
        }
        Module::LinearXBackward(o) => {
            let outputs = o.weight.shape[1];
            let product = if block.moves(&o.weight) {
                let turned = C::float_swap_dims(block.float(&o.weight), 1, 2);
                C::float_matmul(block.rows(&o.output_grad, outputs), turned)
            } else {
                let rows = folded(block.spread(&o.output_grad), outputs);
                C::float_matmul(rows, C::float_swap_dims(block.fixed(&o.weight), 0, 1))
            };
            C::float_reshape(product, block.shape(&o.out))
        }
        Module::LinearWeightBackward(o) => {
            let [inputs, outputs] = [o.out.shape[0], o.out.shape[1]];
            let x = C::float_swap_dims(block.rows(&o.x, inputs), 1, 2);
            let product = C::float_matmul(x, block.rows(&o.output_grad, outputs));
            C::float_reshape(product, block.shape(&o.out))
        }
        Module::LinearBiasBackward(o) => {
            let rows = block.rows(&o.output_grad, o.out.shape.num_elements());
            C::float_reshape(C::float_sum_dim(rows, 1), block.shape(&o.out))
        }
        Module::Conv1d(o) if block.only_first(&o.x, &o.weight, o.bias.as_ref()) => {
            let x = block.merged(&o.x);
            let y = C::conv1d(x, block.fixed(&o.weight), None, o.options.clone().into());
            C::float_reshape(y, block.shape(&o.out))
        }
        Module::Conv2d(o) if block.only_first(&o.x, &o.weight, o.bias.as_ref()) => {
            let x = block.merged(&o.x);
            let y = C::conv2d(x, block.fixed(&o.weight), None, o.options.clone().into());
            C::float_reshape(y, block.shape(&o.out))
        }
        Module::Conv3d(o) if block.only_first(&o.x, &o.weight, o.bias.as_ref()) => {
            let x = block.merged(&o.x);
            let y = C::conv3d(x, block.fixed(&o.weight), None, o.options.clone().into());
            C::float_reshape(y, block.shape(&o.out))
        }
        _ => return false,
    };
    let out = match op {
        Module::Linear(o) => &o.out,
        Module::LinearXBackward(o) => &o.out,
        Module::LinearWeightBackward(o) => &o.out,
        Module::LinearBiasBackward(o) => &o.out,
        Module::Conv1d(o) => &o.out,
        Module::Conv2d(o) => &o.out,
        Module::Conv3d(o) => &o.out,
        _ => return false,
    };
    block.set(out, result);
    true
}

impl Block<'_> {
    /// `[k or 1, rows, columns]`.
    fn rows(&self, tensor: &TensorIr, columns: usize) -> Symbol {
        let symbol = self.float(tensor);
        let first = symbol.shape()[0];
        let rows = tensor.shape.num_elements() / columns;
        C::float_reshape(symbol, Shape::from([first, rows, columns]))
    }

    /// The axis of the tangents merged with the batch axis.
    fn merged(&self, tensor: &TensorIr) -> Symbol {
        let mut axes = tensor.shape.as_slice().to_vec();
        axes[0] *= self.k;
        C::float_reshape(self.spread(tensor), Shape::from(axes))
    }

    fn only_first(&self, x: &TensorIr, weight: &TensorIr, bias: Option<&TensorIr>) -> bool {
        self.moves(x) && !self.moves(weight) && bias.is_none()
    }
}

/// `[k, inner, columns]` as `[inner, k · columns]`, with the columns of all tangents side by side.
fn beside(symbol: Symbol, inner: usize, width: usize) -> Symbol {
    C::float_reshape(
        C::float_swap_dims(symbol, 0, 1),
        Shape::from([inner, width]),
    )
}

/// `[rows, k · columns]` as `[k, rows, columns]`.
fn apart(symbol: Symbol, shape: [usize; 3]) -> Symbol {
    C::float_swap_dims(C::float_reshape(symbol, Shape::from(shape)), 0, 1)
}

/// `[rows, columns]`.
fn folded(symbol: Symbol, columns: usize) -> Symbol {
    let rows = symbol.shape().num_elements() / columns;
    C::float_reshape(symbol, Shape::from([rows, columns]))
}
