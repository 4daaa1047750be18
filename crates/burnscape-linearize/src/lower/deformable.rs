//! Deformable convolution in elementary operations: samples interpolated between input cells at places
//! displaced by the offsets, then an ordinary product with the weights.
//!
//! With `y, x` the place of a sample and `V` the input, which is zero outside,
//!
//! `S = Σ over the corners (a, b) of w_a(y) w_b(x) V[⌊y⌋ + a, ⌊x⌋ + b]`, `w₁(y) = y − ⌊y⌋ = 1 − w₀(y)`.

use burn::backend::TensorMetadata;
use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::{
    BoolDType, FloatDType, IndexingUpdateOp, IntDType, Scalar, Shape, Slice, TensorData,
};
use burn_capture::CaptureDevice;
use burn_ir::{DeformConv2dBackwardOpIr, DeformConv2dOpIr, DeformableConv2dOptionsIr, TensorIr};

use crate::record::{C, Recorder, Symbol};

/// A corner that contributes to a sample; its value is zero outside the input.
struct Corner {
    /// `[batch, groups, channels of a group, kernel × places]`
    value: Symbol,
    /// The index of the cell in the flat input; an arbitrary cell if it is outside.
    cell: Symbol,
    is_outside: Symbol,
    /// The weights of its row and its column, `[batch, groups, 1, kernel × places]`.
    weights: [Symbol; 2],
}

/// The tensors that samples are computed from.
struct Sources {
    input: Symbol,
    offset: Symbol,
    mask: Option<Symbol>,
}

/// The samples of a deformable convolution, before the weights are applied.
///
/// The axes are `[batch, groups of offsets, channels of a group, kernel × places]`.
pub(crate) struct Samples {
    /// Rows first: `[(0, 0), (0, 1), (1, 0), (1, 1)]`.
    corners: [Corner; 4],
    /// `S`
    sampled: Symbol,
    mask: Option<Symbol>,
    sizes: Sizes,
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    channels: usize,
    height: usize,
    width: usize,
    filters: usize,
    kernel: [usize; 2],
    places: [usize; 2],
    offset_groups: usize,
    weight_groups: usize,
}

impl Sizes {
    /// The number of samples per channel: one per kernel cell and place.
    fn samples(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.num_places()
    }

    fn num_places(&self) -> usize {
        self.places[0] * self.places[1]
    }

    /// The number of weights per filter.
    fn depth(&self) -> usize {
        self.channels / self.weight_groups * self.kernel[0] * self.kernel[1]
    }

    fn by_offset(&self, channels: usize) -> [usize; 4] {
        let groups = self.offset_groups;
        [self.batch, groups, channels, self.samples()]
    }

    fn group_channels(&self) -> usize {
        self.channels / self.offset_groups
    }

    fn by_weight(&self, rows: usize) -> [usize; 4] {
        [self.batch, self.weight_groups, rows, self.num_places()]
    }
}

/// Element types and device for new tensors.
pub(crate) struct Kinds {
    pub(crate) device: CaptureDevice,
    pub(crate) ints: IntDType,
    pub(crate) masks: BoolDType,
}

/// The convolution, decomposed.
pub(crate) fn forward(op: &DeformConv2dOpIr, recorder: &Recorder, kinds: &Kinds) -> Symbol {
    let symbol = |tensor: &TensorIr| recorder.named(tensor.id, tensor.shape.clone(), tensor.dtype);
    let sizes = sizes(&op.x, &op.weight, &op.out, &op.options);
    let sources = Sources {
        input: symbol(&op.x),
        offset: symbol(&op.offset),
        mask: op.mask.as_ref().map(symbol),
    };
    let samples = Samples::new(sources, &op.options, sizes, kinds);
    let product = C::float_matmul(weights(symbol(&op.weight), sizes), samples.columns());
    let out = C::float_reshape(product, op.out.shape.clone());
    match &op.bias {
        Some(bias) => C::float_add(out, shaped(symbol(bias), [1, sizes.filters, 1, 1])),
        None => out,
    }
}

/// The backward pass, decomposed: each result with the gradient that computes it.
pub(crate) fn backward(
    op: &DeformConv2dBackwardOpIr,
    recorder: &Recorder,
    kinds: &Kinds,
) -> Vec<(TensorIr, Symbol)> {
    let symbol = |tensor: &TensorIr| recorder.named(tensor.id, tensor.shape.clone(), tensor.dtype);
    let sizes = sizes(&op.x, &op.weight, &op.out_grad, &op.options);
    let sources = Sources {
        input: symbol(&op.x),
        offset: symbol(&op.offset),
        mask: op.mask.as_ref().map(symbol),
    };
    let samples = Samples::new(sources, &op.options, sizes, kinds);
    let rows = sizes.filters / sizes.weight_groups;
    let gradient = shaped(symbol(&op.out_grad), sizes.by_weight(rows));
    let of_weights = C::float_matmul(
        gradient.clone(),
        C::float_swap_dims(samples.columns(), 2, 3),
    );
    let weights = C::float_swap_dims(weights(symbol(&op.weight), sizes), 2, 3);
    let of_columns = C::float_matmul(weights, gradient);
    let of_columns = shaped(of_columns, sizes.by_offset(sizes.group_channels()));
    let of_samples = samples.masked(of_columns.clone());
    let mut results = vec![
        (&op.input_grad, samples.of_input(&of_samples, kinds)),
        (&op.offset_grad, samples.of_offsets(&of_samples)),
        (&op.weight_grad, C::float_sum_dim(of_weights, 0)),
    ];
    if let Some(out) = &op.mask_grad {
        let product = C::float_mul(of_columns, samples.sampled.clone());
        results.push((out, C::float_sum_dim(product, 2)));
    }
    if let Some(bias) = &op.bias {
        // No gradient needs the bias. A dead read makes it known to the scope.
        drop(C::float_neg(symbol(bias)));
    }
    if let Some(out) = &op.bias_grad {
        results.push((out, C::float_sum_dims(symbol(&op.out_grad), &[0, 2, 3])));
    }
    results
        .into_iter()
        .map(|(out, result)| (out.clone(), C::float_reshape(result, out.shape.clone())))
        .collect()
}

impl Samples {
    fn new(
        sources: Sources,
        options: &DeformableConv2dOptionsIr,
        sizes: Sizes,
        kinds: &Kinds,
    ) -> Self {
        let Sources {
            input,
            offset,
            mask,
        } = sources;
        let dtype = FloatDType::from(input.dtype());
        let cells = sizes.height * sizes.width;
        let channels = sizes.group_channels();
        let flat = [sizes.batch, sizes.offset_groups, channels, cells];
        let input = shaped(input, flat);
        let kernel = sizes.kernel[0] * sizes.kernel[1];
        // Offsets are pairs of row and column, one per kernel cell.
        let pairs = [
            sizes.batch,
            sizes.offset_groups,
            kernel,
            2,
            sizes.num_places(),
        ];
        let offset = shaped(offset, pairs);
        let axis = |axis: usize| {
            let all = |len: usize| Slice::from(0..len as isize);
            let one = Slice::from(axis as isize..axis as isize + 1);
            let ranges = [
                all(pairs[0]),
                all(pairs[1]),
                all(kernel),
                one,
                all(pairs[4]),
            ];
            let moved = shaped(C::float_slice(offset.clone(), &ranges), sizes.by_offset(1));
            let places = TensorData::new(places(axis, options, sizes), [1, 1, 1, sizes.samples()]);
            let places = places.convert_dtype(dtype.into());
            C::float_add(moved, C::float_from_data(places, &kinds.device))
        };
        let (rows, columns) = (
            sides(axis(0), sizes.height, kinds),
            sides(axis(1), sizes.width, kinds),
        );
        let corner = |row: usize, column: usize| {
            let (row, column) = (&rows[row], &columns[column]);
            let cell = C::int_mul_scalar(row.cell.clone(), Scalar::Int(sizes.width as i64));
            let cell = C::int_add(cell, column.cell.clone());
            let cell = C::int_expand(cell, Shape::from(sizes.by_offset(channels)));
            let is_outside = C::bool_or(row.is_outside.clone(), column.is_outside.clone());
            let is_outside = C::bool_expand(is_outside, Shape::from(sizes.by_offset(channels)));
            let value = C::float_gather(3, input.clone(), cell.clone());
            Corner {
                value: C::float_mask_fill(value, is_outside.clone(), Scalar::Float(0.0)),
                cell,
                is_outside,
                weights: [row.weight.clone(), column.weight.clone()],
            }
        };
        let corners = [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)];
        let weighted = |corner: &Corner| C::float_mul(corner.value.clone(), corner.weight());
        let others = corners[1..].iter().map(weighted);
        let sampled = others.fold(weighted(&corners[0]), C::float_add);
        Self {
            sampled,
            mask: mask.map(|mask| shaped(mask, sizes.by_offset(1))),
            corners,
            sizes,
        }
    }

    /// Multiplies by the mask, if there is one.
    fn masked(&self, x: Symbol) -> Symbol {
        match &self.mask {
            Some(mask) => C::float_mul(x, mask.clone()),
            None => x,
        }
    }

    /// `[batch, groups of weights, weights of a filter, places]`
    fn columns(&self) -> Symbol {
        let columns = self.masked(self.sampled.clone());
        shaped(columns, self.sizes.by_weight(self.sizes.depth()))
    }

    /// Distributes the gradient of each sample to its corners by their weights.
    fn of_input(&self, of_samples: &Symbol, kinds: &Kinds) -> Symbol {
        let sizes = self.sizes;
        let cells = sizes.height * sizes.width;
        let flat = [
            sizes.batch,
            sizes.offset_groups,
            sizes.group_channels(),
            cells,
        ];
        let dtype = FloatDType::from(of_samples.dtype());
        let zeros = C::float_zeros(Shape::from(flat), &kinds.device, dtype);
        self.corners.iter().fold(zeros, |sum, corner| {
            let part = C::float_mul(of_samples.clone(), corner.weight());
            let outside = corner.is_outside.clone();
            let part = C::float_mask_fill(part, outside, Scalar::Float(0.0));
            C::float_scatter(3, sum, corner.cell.clone(), part, IndexingUpdateOp::Add)
        })
    }

    /// Along rows `w₀(x) (V₁₀ − V₀₀) + w₁(x) (V₁₁ − V₀₁)`, along columns likewise.
    fn of_offsets(&self, of_samples: &Symbol) -> Symbol {
        let [low, right, below, both] = &self.corners;
        let slope = |axis: usize, [from, to]: [&Corner; 2], [also_from, also_to]: [&Corner; 2]| {
            let rise = |from: &Corner, to: &Corner| {
                let rise = C::float_sub(to.value.clone(), from.value.clone());
                C::float_mul(rise, from.weights[1 - axis].clone())
            };
            let slope = C::float_add(rise(from, to), rise(also_from, also_to));
            let sum = C::float_sum_dim(C::float_mul(slope, of_samples.clone()), 2);
            let sizes = self.sizes;
            let kernel = sizes.kernel[0] * sizes.kernel[1];
            let shape = [
                sizes.batch,
                sizes.offset_groups,
                kernel,
                1,
                sizes.num_places(),
            ];
            shaped(sum, shape)
        };
        let rows = slope(0, [low, below], [right, both]);
        let columns = slope(1, [low, right], [below, both]);
        C::float_cat(vec![rows, columns], 3)
    }
}

impl Corner {
    fn weight(&self) -> Symbol {
        C::float_mul(self.weights[0].clone(), self.weights[1].clone())
    }
}

/// One of the two rows or columns around a sample.
struct Side {
    weight: Symbol,
    cell: Symbol,
    is_outside: Symbol,
}

fn sides(place: Symbol, len: usize, kinds: &Kinds) -> [Side; 2] {
    let low = C::float_floor(place.clone());
    let above = C::float_sub(place, low.clone());
    let below = C::float_add_scalar(C::float_neg(above.clone()), Scalar::Float(1.0));
    let high = C::float_add_scalar(low.clone(), Scalar::Float(1.0));
    let last = (len - 1) as f64;
    [(low, below), (high, above)].map(|(cell, weight)| {
        let before = C::float_lower_elem(cell.clone(), Scalar::Float(0.0), kinds.masks);
        let after = C::float_greater_elem(cell.clone(), Scalar::Float(last), kinds.masks);
        let inside = C::float_clamp(cell, Scalar::Float(0.0), Scalar::Float(last));
        Side {
            weight,
            cell: C::float_into_int(inside, kinds.ints),
            is_outside: C::bool_or(before, after),
        }
    })
}

/// The sample positions along an axis before offsets are added, kernel axes first.
fn places(axis: usize, options: &DeformableConv2dOptionsIr, sizes: Sizes) -> Vec<f64> {
    let mut values = Vec::with_capacity(sizes.samples());
    for row in 0..sizes.kernel[0] {
        for column in 0..sizes.kernel[1] {
            for down in 0..sizes.places[0] {
                for along in 0..sizes.places[1] {
                    let (cell, place) = ([row, column][axis], [down, along][axis]);
                    let at = place * options.stride[axis] + cell * options.dilation[axis];
                    values.push(at as f64 - options.padding[axis] as f64);
                }
            }
        }
    }
    values
}

fn sizes(
    input: &TensorIr,
    weight: &TensorIr,
    output: &TensorIr,
    options: &DeformableConv2dOptionsIr,
) -> Sizes {
    let (input, weight, output) = (&input.shape, &weight.shape, &output.shape);
    Sizes {
        batch: input[0],
        channels: input[1],
        height: input[2],
        width: input[3],
        filters: weight[0],
        kernel: [weight[2], weight[3]],
        places: [output[2], output[3]],
        offset_groups: options.offset_groups,
        weight_groups: options.weight_groups,
    }
}

/// `[1, groups, filters of a group, weights of a filter]`
fn weights(weight: Symbol, sizes: Sizes) -> Symbol {
    let rows = sizes.filters / sizes.weight_groups;
    shaped(weight, [1, sizes.weight_groups, rows, sizes.depth()])
}

fn shaped<const D: usize>(x: Symbol, shape: [usize; D]) -> Symbol {
    C::float_reshape(x, Shape::from(shape))
}
