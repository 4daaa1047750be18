//! Where parameters are multiplied with what depends on the batch, and summed over.

use burn_ir::{FloatOperationIr as Float, ModuleOperationIr as Module, OperationIr, TensorIr};

use super::found::Contraction;
use super::producers::views;
use super::walk::Walk;
use crate::program::Port;

/// A tensor with its axis, and what it is multiplied with, with the axis of that.
type Sum<'o> = (&'o TensorIr, usize, &'o TensorIr, usize);

/// The sums over whole axes of parameters, in the order of the program.
pub(super) fn contractions(walk: &Walk<'_>, num_free: usize) -> Vec<Contraction> {
    let program = walk.program;
    let views = views(program, num_free);
    let mut found = Vec::new();
    for (tensor, axis, parameter, own) in program.operations.iter().flat_map(sums) {
        if !walk.is_varying(tensor) {
            continue;
        }
        let Some(view) = views.get(&parameter.id) else {
            continue;
        };
        let Some(by_axis) = view.axes.get(own).copied().flatten() else {
            continue;
        };
        // A view may be a part of the parameter.
        if program.inputs[view.input].shape().get(by_axis) == Some(&tensor.shape[axis]) {
            found.push(Contraction {
                tensor: Port {
                    name: format!("activation {}", tensor.id.value()),
                    tensor: tensor.clone(),
                },
                axis,
                by: view.input,
                by_axis,
            });
        }
    }
    found
}

/// What an operation sums over, from the side of each operand that may depend on the batch.
fn sums(operation: &OperationIr) -> Vec<Sum<'_>> {
    match operation {
        OperationIr::Float(_, Float::Matmul(o)) => {
            let (left, right) = (o.lhs.shape.num_dims(), o.rhs.shape.num_dims());
            if left < 2 || right < 2 {
                return Vec::new();
            }
            let (last, first) = (left - 1, right - 2);
            vec![(&o.lhs, last, &o.rhs, first), (&o.rhs, first, &o.lhs, last)]
        }
        OperationIr::Module(module) => layer(module).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The sum of a layer. With several groups, a convolution does not sum over an axis of what it reads.
fn layer(module: &Module) -> Option<Sum<'_>> {
    match module {
        Module::Linear(o) => {
            let last = o.x.shape.num_dims().checked_sub(1)?;
            Some((&o.x, last, &o.weight, 0))
        }
        Module::Conv1d(o) if o.options.groups == 1 => Some((&o.x, 1, &o.weight, 1)),
        Module::Conv2d(o) if o.options.groups == 1 => Some((&o.x, 1, &o.weight, 1)),
        Module::Conv3d(o) if o.options.groups == 1 => Some((&o.x, 1, &o.weight, 1)),
        Module::ConvTranspose1d(o) if o.options.groups == 1 => Some((&o.x, 1, &o.weight, 0)),
        Module::ConvTranspose2d(o) if o.options.groups == 1 => Some((&o.x, 1, &o.weight, 0)),
        Module::ConvTranspose3d(o) if o.options.groups == 1 => Some((&o.x, 1, &o.weight, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps};
    use burn::tensor::{Shape, Slice};

    use crate::axes::axes;
    use crate::record::{C, Symbol};
    use crate::rule::tests::{Given, program};

    /// The shape of what is read, its axis, the parameter, and its axis.
    type Facts = (Vec<usize>, usize, usize, usize);

    /// The sums of an operation on parameters of these shapes, followed by the batch.
    fn found(
        parameters: &[&[usize]],
        batch: &[usize],
        operation: impl Fn(&Given) -> Symbol,
    ) -> Vec<Facts> {
        let shapes = [parameters, &[batch]].concat();
        let found = axes(&program(&shapes, operation), parameters.len());
        let found = found.contractions.iter();
        found
            .map(|one| (one.tensor.shape().to_vec(), one.axis, one.by, one.by_axis))
            .collect()
    }

    #[test]
    fn the_operation_says_which_axes_are_summed_over() {
        let linear = found(&[&[3, 4], &[4]], &[5, 3], |g| {
            C::linear(g.c(), g.a(), Some(g.b()))
        });
        assert_eq!(linear, [(vec![5, 3], 1, 0, 0)]);
        // A square weight on the right, transposed on the right, on the left.
        let square: &[&[usize]] = &[&[4, 4]];
        let right = found(square, &[5, 4], |g| C::float_matmul(g.b(), g.a()));
        assert_eq!(right, [(vec![5, 4], 1, 0, 0)]);
        let transposed = found(square, &[5, 4], |g| {
            C::float_matmul(g.b(), C::float_swap_dims(g.a(), 0, 1))
        });
        assert_eq!(transposed, [(vec![5, 4], 1, 0, 1)]);
        let left = found(square, &[2, 4, 5], |g| {
            C::float_matmul(C::float_reshape(g.a(), Shape::from([1, 4, 4])), g.b())
        });
        assert_eq!(left, [(vec![2, 4, 5], 1, 0, 1)]);
    }

    #[test]
    fn convolutions_sum_over_the_channels_of_what_they_read() {
        let conv = |groups| ConvOptions::new([1], [1], [1], groups);
        let whole = found(&[&[4, 6, 3]], &[2, 6, 7], |g| {
            C::conv1d(g.b(), g.a(), None, conv(1))
        });
        assert_eq!(whole, [(vec![2, 6, 7], 1, 0, 1)]);
        let grouped = found(&[&[4, 3, 3]], &[2, 6, 7], |g| {
            C::conv1d(g.b(), g.a(), None, conv(2))
        });
        assert!(grouped.is_empty(), "{grouped:?}");
        let transposed = found(&[&[6, 4, 3]], &[2, 6, 7], |g| {
            let options = ConvTransposeOptions::new([1], [0], [0], [1], 1);
            C::conv_transpose1d(g.b(), g.a(), None, options)
        });
        assert_eq!(transposed, [(vec![2, 6, 7], 1, 0, 0)]);
    }

    #[test]
    fn each_use_of_a_parameter_is_a_sum() {
        let tied = found(&[&[3, 4]], &[5, 3], |g| {
            let code = C::float_tanh(C::float_matmul(g.b(), g.a()));
            C::float_matmul(code, C::float_swap_dims(g.a(), 0, 1))
        });
        assert_eq!(tied, [(vec![5, 3], 1, 0, 0), (vec![5, 4], 1, 0, 1)]);
        let twice = found(&[&[3, 3]], &[5, 3], |g| {
            C::float_matmul(C::float_tanh(C::float_matmul(g.b(), g.a())), g.a())
        });
        assert_eq!(twice, [(vec![5, 3], 1, 0, 0), (vec![5, 3], 1, 0, 0)]);
    }

    #[test]
    fn parts_and_functions_of_parameters_are_no_sums() {
        let part = found(&[&[4, 6]], &[5, 2], |g| {
            let rows = C::float_slice(g.a(), &[Slice::from(0..2), Slice::from(0..6)]);
            C::float_matmul(g.b(), rows)
        });
        assert!(part.is_empty(), "{part:?}");
        let computed = found(&[&[3, 4]], &[5, 3], |g| {
            C::float_matmul(g.b(), C::float_tanh(g.a()))
        });
        assert!(computed.is_empty(), "{computed:?}");
        // Parameters alone, and data alone.
        let alone = found(&[&[3, 4], &[4, 2]], &[3, 2], |g| {
            C::float_add(C::float_matmul(g.a(), g.b()), g.c())
        });
        assert!(alone.is_empty(), "{alone:?}");
        let data = found(&[&[5, 5]], &[5, 3], |g| {
            let own = C::float_matmul(g.b(), C::float_swap_dims(g.b(), 0, 1));
            C::float_add(own, g.a())
        });
        assert!(data.is_empty(), "{data:?}");
    }
}
