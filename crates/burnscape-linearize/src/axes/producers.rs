//! What layers make: sums of products with weights and their biases, or the normalizations after them.

use burn_ir::{
    BaseOperationIr as Base, FloatOperationIr as Float, MatmulOpIr, ModuleOperationIr as Module,
    NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr,
};
use rustc_hash::FxHashMap;

use super::reshape::segments;
use super::walk::Walk;
use crate::program::Program;

/// A tensor that parameters scale and shift along an axis.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    pub(super) tensor: TensorIr,
    /// The axis of the tensor.
    pub(super) axis: usize,
    /// The input that scales it, and the axis of that input: a weight with its output axis, or a gain.
    pub(super) scale: (usize, usize),
    /// The input that is added.
    pub(super) shift: Option<usize>,
    /// The inputs that scale and shift what a normalization made this of.
    pub(super) replaced: Vec<usize>,
}

/// The tensors that parameters scale and shift, in the order of the program: each as it is after its bias, or after the
/// normalization that follows. A tensor that something else reads as well stays a producer beside its normalization.
pub(super) fn producers(walk: &Walk<'_>, num_free: usize) -> Vec<Affine> {
    let program = walk.program;
    let mut producers = Producers {
        views: views(program, num_free),
        num_reads: num_reads(program),
        found: FxHashMap::default(),
    };
    let mut order = Vec::new();
    for operation in &program.operations {
        let Some((affine, continued)) = producers.affine(operation) else {
            continue;
        };
        if !walk.is_varying(&affine.tensor) {
            continue;
        }
        if let Some(continued) = continued {
            producers.found.remove(&continued);
        }
        order.push(affine.tensor.id);
        producers.found.insert(affine.tensor.id, affine);
    }
    let Producers { mut found, .. } = producers;
    order
        .into_iter()
        .filter_map(|id| found.remove(&id))
        .collect()
}

/// A parameter as an operation reads it.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) input: usize,
    /// For each axis the axis of the input, if it is one. It may be a part of it.
    pub(super) axes: Vec<Option<usize>>,
}

/// The parameters as they are read.
pub(super) fn views(program: &Program, num_free: usize) -> FxHashMap<TensorId, View> {
    let floats = program.inputs.iter().take(num_free).enumerate();
    let floats = floats.filter(|(_, port)| port.tensor.dtype.is_float());
    let mut views: FxHashMap<TensorId, View> = floats
        .map(|(input, port)| {
            let axes = (0..port.shape().len()).map(Some).collect();
            (port.tensor.id, View { input, axes })
        })
        .collect();
    for operation in &program.operations {
        if let OperationIr::BaseFloat(base) = operation
            && super::rules::moves_values(operation)
            && let (Some(read), Some(out)) = (operation.inputs().next(), operation.outputs().next())
            && operation.inputs().count() == 1
            && let Some(view) = views.get(&read.id)
        {
            let moved = View {
                input: view.input,
                axes: moved(base, &view.axes),
            };
            views.insert(out.id, moved);
        }
    }
    views
}

/// The axes of the input after an operation that moves values.
fn moved(operation: &Base, axes: &[Option<usize>]) -> Vec<Option<usize>> {
    match operation {
        Base::SwapDims(o) => {
            let mut axes = axes.to_vec();
            axes.swap(o.dim1, o.dim2);
            axes
        }
        Base::Permute(o) => o.axes.iter().map(|&axis| axes[axis]).collect(),
        Base::Reshape(o) => {
            let (from, to) = (o.input.shape.as_slice(), o.out.shape.as_slice());
            let mut moved = vec![None; to.len()];
            for (before, after) in segments(from, to) {
                let before: Vec<usize> = before.filter(|&axis| from[axis] != 1).collect();
                let after: Vec<usize> = after.filter(|&axis| to[axis] != 1).collect();
                if let ([before], [after]) = (&before[..], &after[..]) {
                    moved[*after] = axes[*before];
                }
            }
            moved
        }
        // New axes are in front.
        Base::Expand(o) => {
            let mut moved = vec![None; o.out.shape.num_dims().saturating_sub(axes.len())];
            moved.extend_from_slice(axes);
            moved
        }
        _ => axes.to_vec(),
    }
}

/// How often operations and outputs read each tensor.
fn num_reads(program: &Program) -> FxHashMap<TensorId, usize> {
    let reads = program.operations.iter().flat_map(OperationIr::inputs);
    let outputs = program.outputs.iter().map(|port| &port.tensor);
    let mut num_reads = FxHashMap::default();
    for tensor in reads.chain(outputs) {
        *num_reads.entry(tensor.id).or_insert(0) += 1;
    }
    num_reads
}

/// What is known at a place in the program.
struct Producers {
    views: FxHashMap<TensorId, View>,
    num_reads: FxHashMap<TensorId, usize>,
    /// The producers so far.
    found: FxHashMap<TensorId, Affine>,
}

impl Producers {
    /// What an operation makes of parameters, and the producer so far that it continues.
    fn affine(&self, operation: &OperationIr) -> Option<(Affine, Option<TensorId>)> {
        let product = match operation {
            OperationIr::Module(module) => match module {
                Module::BatchNorm(o) => {
                    let norm = self.scaled(&o.out, 1, (&o.gamma, 0), Some(&o.beta))?;
                    return Some(self.after(norm, &o.x));
                }
                Module::LayerNorm(o) => {
                    let last = last(&o.out)?;
                    let norm = self.scaled(&o.out, last, (&o.gamma, 0), o.beta.as_ref())?;
                    return Some(self.after(norm, &o.input));
                }
                module => self.product(module)?,
            },
            OperationIr::Float(_, Float::Matmul(o)) => self.matmul(o)?,
            OperationIr::NumericFloat(_, Numeric::Mul(o)) => {
                let (_, gain) = self.vector_and_rest(&o.lhs, &o.rhs)?;
                let own = gain.shape.num_dims().checked_sub(1 + vector_axis(gain)?)?;
                self.scaled(&o.out, axis_of(gain, &o.out)?, (gain, own), None)?
            }
            OperationIr::NumericFloat(_, Numeric::Add(o)) => {
                let (x, shift) = self.vector_and_rest(&o.lhs, &o.rhs)?;
                let before = self.only_read(x, axis_of(shift, &o.out)?)?;
                if before.shift.is_some() {
                    return None;
                }
                let affine = Affine {
                    tensor: o.out.clone(),
                    shift: self.input(shift),
                    ..before.clone()
                };
                return Some((affine, Some(x.id)));
            }
            _ => return None,
        };
        Some((product, None))
    }

    /// A layer whose weight is multiplied with what it reads.
    fn product(&self, module: &Module) -> Option<Affine> {
        match module {
            Module::Linear(o) => {
                self.scaled(&o.out, last(&o.out)?, (&o.weight, 1), o.bias.as_ref())
            }
            Module::Conv1d(o) => self.scaled(&o.out, 1, (&o.weight, 0), o.bias.as_ref()),
            Module::Conv2d(o) => self.scaled(&o.out, 1, (&o.weight, 0), o.bias.as_ref()),
            Module::Conv3d(o) => self.scaled(&o.out, 1, (&o.weight, 0), o.bias.as_ref()),
            Module::ConvTranspose1d(o) => {
                let own = transposed(&o.weight, o.options.groups)?;
                self.scaled(&o.out, 1, (&o.weight, own), o.bias.as_ref())
            }
            Module::ConvTranspose2d(o) => {
                let own = transposed(&o.weight, o.options.groups)?;
                self.scaled(&o.out, 1, (&o.weight, own), o.bias.as_ref())
            }
            Module::ConvTranspose3d(o) => {
                let own = transposed(&o.weight, o.options.groups)?;
                self.scaled(&o.out, 1, (&o.weight, own), o.bias.as_ref())
            }
            _ => None,
        }
    }

    /// A product with a weight on the right or on the left.
    fn matmul(&self, o: &MatmulOpIr) -> Option<Affine> {
        let right = self.scaled(&o.out, last(&o.out)?, (&o.rhs, last(&o.rhs)?), None);
        right.or_else(|| {
            let (rows, own) = (last(&o.out)?.checked_sub(1)?, last(&o.lhs)?.checked_sub(1)?);
            self.scaled(&o.out, rows, (&o.lhs, own), None)
        })
    }

    /// A tensor that is scaled along an axis by an axis of a parameter.
    fn scaled(
        &self,
        out: &TensorIr,
        axis: usize,
        (parameter, own): (&TensorIr, usize),
        bias: Option<&TensorIr>,
    ) -> Option<Affine> {
        let view = self.views.get(&parameter.id)?;
        let own = view.axes.get(own).copied().flatten()?;
        Some(Affine {
            tensor: out.clone(),
            axis,
            scale: (view.input, own),
            shift: bias.and_then(|bias| self.input(bias)),
            replaced: Vec::new(),
        })
    }

    /// A normalization, in the place of the producer that it alone reads.
    fn after(&self, mut norm: Affine, x: &TensorIr) -> (Affine, Option<TensorId>) {
        let Some(before) = self.only_read(x, norm.axis) else {
            return (norm, None);
        };
        norm.replaced.clone_from(&before.replaced);
        norm.replaced.push(before.scale.0);
        norm.replaced.extend(before.shift);
        (norm, Some(x.id))
    }

    /// The producer along this axis that a tensor is, if it is read once.
    fn only_read(&self, tensor: &TensorIr, axis: usize) -> Option<&Affine> {
        let before = self.found.get(&tensor.id)?;
        let is_only_read = self.num_reads.get(&tensor.id) == Some(&1);
        (is_only_read && before.axis == axis).then_some(before)
    }

    /// The parameter that a tensor is a view of.
    fn input(&self, tensor: &TensorIr) -> Option<usize> {
        self.views.get(&tensor.id).map(|view| view.input)
    }

    /// Of two operands, the one that is no parameter, and the vector of parameters.
    fn vector_and_rest<'o>(
        &self,
        left: &'o TensorIr,
        right: &'o TensorIr,
    ) -> Option<(&'o TensorIr, &'o TensorIr)> {
        let is_vector = |tensor: &TensorIr| {
            self.views.contains_key(&tensor.id) && vector_axis(tensor).is_some()
        };
        match (is_vector(left), is_vector(right)) {
            (false, true) => Some((left, right)),
            (true, false) => Some((right, left)),
            _ => None,
        }
    }
}

fn last(tensor: &TensorIr) -> Option<usize> {
    tensor.shape.num_dims().checked_sub(1)
}

/// The axis of a transposed convolution's weight that is the channels of the result. With several groups the channels are
/// no axis of the weight, unless every group makes one.
fn transposed(weight: &TensorIr, groups: usize) -> Option<usize> {
    if groups == 1 {
        return Some(1);
    }
    (weight.shape[0] == groups && weight.shape[1] == 1).then_some(0)
}

/// The axis along which a tensor is a vector, counted from the last one.
fn vector_axis(tensor: &TensorIr) -> Option<usize> {
    let long = tensor.shape.iter().rev().enumerate();
    let mut long = long.filter(|(_, len)| **len > 1).map(|(axis, _)| axis);
    let first = long.next()?;
    long.next().is_none().then_some(first)
}

/// The axis of a result along which a vector lies.
fn axis_of(vector: &TensorIr, out: &TensorIr) -> Option<usize> {
    let from_last = vector_axis(vector)?;
    let axis = out.shape.num_dims().checked_sub(1 + from_last)?;
    (out.shape[axis] > 1).then_some(axis)
}

#[cfg(test)]
mod tests {
    use burn::backend::ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps};
    use burn::tensor::{Shape, Slice};

    use crate::axes::{Axes, axes};
    use crate::record::{C, Symbol};
    use crate::rule::tests::{Given, program};

    /// The axes of an operation on parameters of these shapes, followed by those of the batch.
    fn found(
        parameters: &[&[usize]],
        batch: &[&[usize]],
        operation: impl Fn(&Given) -> Symbol,
    ) -> Axes {
        let shapes = [parameters, batch].concat();
        axes(&program(&shapes, operation), parameters.len())
    }

    /// A producer's axis, its scale, its shift, and what it replaces.
    type Facts = (usize, (usize, usize), Option<usize>, Vec<usize>);

    fn producers(axes: &Axes) -> Vec<Facts> {
        let producers = axes.producers.iter();
        producers
            .map(|one| (one.axis, one.scale[0], one.shift, one.replaced.clone()))
            .collect()
    }

    #[test]
    fn a_normalization_replaces_the_product_that_it_alone_reads() {
        const PARAMETERS: &[&[usize]] = &[&[3, 4], &[4], &[4], &[4]];
        let normalized = |g: &Given, x: Symbol| C::layer_norm(x, g.at(2), Some(g.at(3)), 1e-5);
        let product = |g: &Given| C::linear(g.at(4), g.a(), Some(g.b()));
        let alone = found(PARAMETERS, &[&[5, 3]], |g| normalized(g, product(g)));
        assert_eq!(
            producers(&alone),
            [(1, (2, 0), Some(3), vec![0, 1])],
            "alone"
        );
        // A residual stream reads the product, too.
        let beside = found(PARAMETERS, &[&[5, 3]], |g| {
            let y = product(g);
            C::float_add(y.clone(), normalized(g, y))
        });
        let both = [(1, (0, 1), Some(1), vec![]), (1, (2, 0), Some(3), vec![])];
        assert_eq!(producers(&beside), both, "beside");
        // Two normalizations of one product: neither replaces it.
        let twice = found(PARAMETERS, &[&[5, 3]], |g| {
            let y = product(g);
            let other = C::layer_norm(y.clone(), g.at(3), Some(g.at(2)), 1e-5);
            C::float_mul(normalized(g, y), other)
        });
        assert_eq!(producers(&twice).len(), 3, "twice");
    }

    #[test]
    fn a_bias_continues_the_product_that_it_alone_reads() {
        const PARAMETERS: &[&[usize]] = &[&[3, 4], &[4]];
        let product = |g: &Given| C::float_matmul(g.at(2), g.a());
        let bias = |g: &Given| C::float_reshape(g.b(), Shape::from([1, 4]));
        let alone = found(PARAMETERS, &[&[5, 3]], |g| {
            C::float_tanh(C::float_add(product(g), bias(g)))
        });
        assert_eq!(producers(&alone), [(1, (0, 1), Some(1), vec![])]);
        let beside = found(PARAMETERS, &[&[5, 3]], |g| {
            let y = product(g);
            C::float_mul(y.clone(), C::float_add(y, bias(g)))
        });
        assert_eq!(producers(&beside), [(1, (0, 1), None, vec![])]);
        // A gain scales channels beside the weight.
        let gained = found(&[&[3, 4], &[4], &[4]], &[&[5, 3]], |g| {
            let gain = C::float_reshape(g.c(), Shape::from([1, 4]));
            let product = C::float_matmul(g.at(3), g.a());
            C::float_tanh(C::float_add(C::float_mul(product, gain), bias(g)))
        });
        let both = [(1, (0, 1), None, vec![]), (1, (2, 0), Some(1), vec![])];
        assert_eq!(producers(&gained), both);
    }

    #[test]
    fn the_operation_says_which_axis_of_a_weight_is_that_of_the_channels() {
        // A square weight on the right, transposed on the right, on the left.
        let square: &[&[usize]] = &[&[4, 4]];
        let right = found(square, &[&[5, 4]], |g| C::float_matmul(g.b(), g.a()));
        assert_eq!(producers(&right), [(1, (0, 1), None, vec![])]);
        let transposed = found(square, &[&[5, 4]], |g| {
            C::float_matmul(g.b(), C::float_swap_dims(g.a(), 0, 1))
        });
        assert_eq!(producers(&transposed), [(1, (0, 0), None, vec![])]);
        let left = found(square, &[&[4, 5]], |g| C::float_matmul(g.a(), g.b()));
        assert_eq!(producers(&left), [(0, (0, 0), None, vec![])]);
        let batched = found(square, &[&[2, 4, 5]], |g| {
            let weight = C::float_reshape(g.a(), Shape::from([1, 4, 4]));
            C::float_matmul(weight, g.b())
        });
        assert_eq!(producers(&batched), [(1, (0, 0), None, vec![])]);
        // As many inputs as outputs.
        let conv = found(&[&[4, 4, 3]], &[&[2, 4, 7]], |g| {
            C::conv1d(g.b(), g.a(), None, ConvOptions::new([1], [1], [1], 1))
        });
        assert_eq!(producers(&conv), [(1, (0, 0), None, vec![])]);
        let back = |groups| ConvTransposeOptions::new([1], [0], [0], [1], groups);
        let whole = found(&[&[4, 4, 3]], &[&[2, 4, 7]], |g| {
            C::conv_transpose1d(g.b(), g.a(), None, back(1))
        });
        assert_eq!(producers(&whole), [(1, (0, 1), None, vec![])]);
        let by_channel = found(&[&[4, 1, 3]], &[&[2, 4, 7]], |g| {
            C::conv_transpose1d(g.b(), g.a(), None, back(4))
        });
        assert_eq!(producers(&by_channel), [(1, (0, 0), None, vec![])]);
    }

    #[test]
    fn weights_without_an_axis_for_the_channels_make_no_producer() {
        // The channels are two groups of two.
        let grouped = found(&[&[4, 2, 3]], &[&[2, 4, 7]], |g| {
            let options = ConvTransposeOptions::new([1], [0], [0], [1], 2);
            C::conv_transpose1d(g.b(), g.a(), None, options)
        });
        assert!(grouped.producers.is_empty());
        let part = found(&[&[4, 6]], &[&[5, 4]], |g| {
            let columns = C::float_slice(g.a(), &[Slice::from(0..4), Slice::from(2..6)]);
            C::float_matmul(g.b(), columns)
        });
        assert!(part.producers.is_empty());
        let computed = found(&[&[3, 4]], &[&[5, 3]], |g| {
            C::float_matmul(g.b(), C::float_tanh(g.a()))
        });
        assert!(computed.producers.is_empty());
        let looked_up = found(&[&[4, 3]], &[], |g| {
            C::embedding(g.a(), g.ints(&[0, 3, 3, 1], [2, 2]))
        });
        assert!(looked_up.producers.is_empty());
        // A factor along another axis than that of the channels.
        let along = found(&[&[3, 4], &[5]], &[&[5, 3]], |g| {
            let factors = C::float_reshape(g.b(), Shape::from([5, 1]));
            C::float_mul(C::float_matmul(g.c(), g.a()), factors)
        });
        let both = [(1, (0, 1), None, vec![]), (0, (1, 0), None, vec![])];
        assert_eq!(producers(&along), both);
    }
}
