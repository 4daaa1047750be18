//! The operations that keep rows apart, and where the rows are in their results.

use burn::tensor::{Shape, Slice};
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BoolOperationIr as Bool,
    FloatOperationIr as Float, IntOperationIr as Int, MatmulOpIr, ModuleOperationIr as Module,
    NumericOperationIr as Numeric, OperationIr, TensorIr,
};

use super::{Follower, Rows, is_empty};
use crate::program::{is_arithmetic, is_comparison};

impl Follower {
    /// Where the rows are in the results of an operation that reads some; `None` if it mixes them or is not
    /// known.
    pub(super) fn result(&self, operation: &OperationIr) -> Option<Rows> {
        let rows = self.shared(operation)?;
        let found = match operation {
            OperationIr::BaseFloat(Base::Reshape(o))
            | OperationIr::BaseInt(Base::Reshape(o))
            | OperationIr::BaseBool(Base::Reshape(o)) => {
                return self.reshaped(rows, &o.input.shape, &o.out.shape);
            }
            OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
                self.base(op, operation, rows)?
            }
            OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => {
                self.numeric(op, operation, rows)?
            }
            OperationIr::Float(_, op) => self.float(op, operation, rows)?,
            OperationIr::Activation(op) => self.activation(op, operation, rows)?,
            OperationIr::Module(op) => self.module(op, rows)?,
            OperationIr::Int(op) => self.int(op, operation, rows)?,
            OperationIr::Bool(op) => self.bool(op, operation, rows)?,
            _ => return None,
        };
        // Everything but reshaping has as many indices along the rows as its operands.
        let mut outputs = operation.outputs();
        let is_whole = outputs.all(|out| {
            is_empty(out) || out.shape.as_slice().get(found.axis) == Some(&found.length)
        });
        is_whole.then_some(found)
    }

    /// Elementwise with broadcasting: axes correspond if the ranks are equal.
    fn elementwise(&self, operation: &OperationIr, rows: Rows) -> Option<Rows> {
        let mut outputs = operation.outputs();
        let is_aligned = outputs.all(|out| {
            let mut read = operation.inputs();
            read.all(|read| self.is_free(read) || read.shape.num_dims() == out.shape.num_dims())
        });
        is_aligned.then_some(rows)
    }

    /// The elements keep their order, so the row of one is `(index / stride) % n` in both shapes.
    fn reshaped(&self, rows: Rows, from: &Shape, to: &Shape) -> Option<Rows> {
        let stride = rows.inner * from[rows.axis + 1..].iter().product::<usize>();
        let mut below = 1;
        for (axis, &length) in to.iter().enumerate().rev() {
            if below * length > stride {
                let inner = stride / below;
                let is_whole =
                    stride.is_multiple_of(below) && length.is_multiple_of(self.n * inner);
                return is_whole.then_some(Rows {
                    axis,
                    length,
                    inner,
                });
            }
            below *= length;
        }
        None
    }

    fn base(&self, op: &Base, operation: &OperationIr, rows: Rows) -> Option<Rows> {
        let at = |axis| Some(Rows { axis, ..rows });
        let if_not_along = |dim: usize| (dim != rows.axis).then_some(rows);
        match op {
            Base::SwapDims(o) => at(match rows.axis {
                axis if axis == o.dim1 => o.dim2,
                axis if axis == o.dim2 => o.dim1,
                axis => axis,
            }),
            Base::Permute(o) => at(o.axes.iter().position(|axis| *axis == rows.axis)?),
            // New axes come in front of the old ones.
            Base::Expand(o) => at(rows.axis + o.out.shape.num_dims() - o.input.shape.num_dims()),
            Base::Flip(o) => (!o.axes.contains(&rows.axis)).then_some(rows),
            Base::Unfold(o) => if_not_along(o.dim),
            Base::RepeatDim(o) => if_not_along(o.dim),
            Base::Cat(o) => if_not_along(o.dim),
            Base::AllDim(o) | Base::AnyDim(o) => if_not_along(o.axis),
            Base::Slice(o) => is_forward(&o.ranges, rows.axis).then_some(rows),
            // Constants may overwrite some rows.
            Base::SliceAssign(o) if self.is_free(&o.value) => Some(rows),
            Base::SliceAssign(o) => {
                let is_whole = o.value.shape.as_slice().get(rows.axis) == Some(&rows.length);
                (is_whole && is_forward(&o.ranges, rows.axis)).then_some(rows)
            }
            Base::Select(o) if self.is_free(&o.tensor) => at(o.dim),
            Base::Select(o) if self.is_free(&o.indices) => if_not_along(o.dim),
            Base::SelectAssign(o) if self.is_free(&o.indices) => {
                if self.is_free(&o.value) {
                    Some(rows)
                } else {
                    if_not_along(o.dim)
                }
            }
            Base::Gather(o) if self.is_free(&o.tensor) => Some(rows),
            Base::Gather(o) => if_not_along(o.dim),
            Base::Scatter(o) if self.are_free([Some(&o.indices), Some(&o.value)]) => Some(rows),
            Base::Scatter(o) => if_not_along(o.dim),
            // The last axis of the indices is one index.
            Base::GatherNd(o) if self.is_free(&o.data) => {
                if_not_along(o.indices.shape.num_dims() - 1)
            }
            Base::ScatterNd(o) if self.are_free([Some(&o.indices), Some(&o.values)]) => Some(rows),
            Base::MaskWhere(_)
            | Base::MaskFill(_)
            | Base::Equal(_)
            | Base::EqualElem(_)
            | Base::NotEqual(_)
            | Base::NotEqualElem(_)
            | Base::Cast(_) => self.elementwise(operation, rows),
            _ => None,
        }
    }

    fn numeric(&self, op: &Numeric, operation: &OperationIr, rows: Rows) -> Option<Rows> {
        let if_not_along = |dim: usize| (dim != rows.axis).then_some(rows);
        match op {
            Numeric::MeanDim(o)
            | Numeric::SumDim(o)
            | Numeric::ProdDim(o)
            | Numeric::ArgMax(o)
            | Numeric::ArgMin(o)
            | Numeric::ArgTopK(o)
            | Numeric::TopK(o)
            | Numeric::MaxDim(o)
            | Numeric::MinDim(o)
            | Numeric::MaxAbsDim(o) => if_not_along(o.axis),
            Numeric::SumDims(o) => (!o.axes.contains(&rows.axis)).then_some(rows),
            Numeric::MaxDimWithIndices(o) | Numeric::MinDimWithIndices(o) => if_not_along(o.dim),
            Numeric::TopKWithIndices(o) => if_not_along(o.dim),
            Numeric::CumSum(o) | Numeric::CumProd(o) | Numeric::CumMin(o) | Numeric::CumMax(o) => {
                if_not_along(o.axis)
            }
            Numeric::Sort(o) | Numeric::ArgSort(o) => if_not_along(o.dim),
            Numeric::SortWithIndices(o) => if_not_along(o.dim),
            // Padded rows make the axis longer.
            Numeric::Pad(_) => Some(rows),
            Numeric::Rem(_)
            | Numeric::RemScalar(_)
            | Numeric::Powi(_)
            | Numeric::PowiScalar(_)
            | Numeric::Sign(_)
            | Numeric::Clamp(_)
            | Numeric::ClampMin(_)
            | Numeric::ClampMax(_) => self.elementwise(operation, rows),
            op if is_arithmetic(op) || is_comparison(op) => self.elementwise(operation, rows),
            _ => None,
        }
    }

    fn float(&self, op: &Float, operation: &OperationIr, rows: Rows) -> Option<Rows> {
        match op {
            Float::Matmul(o) => self.product(o, rows),
            Float::Cross(o) if o.dim != rows.axis => self.elementwise(operation, rows),
            // One grid an image.
            Float::GridSample2d(_) if rows.axis == 0 => Some(rows),
            Float::Exp(_)
            | Float::Log(_)
            | Float::Log1p(_)
            | Float::Erf(_)
            | Float::PowfScalar(_)
            | Float::Powf(_)
            | Float::Sqrt(_)
            | Float::Recip(_)
            | Float::Hypot(_)
            | Float::Cos(_)
            | Float::Cosh(_)
            | Float::Sin(_)
            | Float::Sinh(_)
            | Float::Tan(_)
            | Float::Tanh(_)
            | Float::ArcCos(_)
            | Float::ArcCosh(_)
            | Float::ArcSin(_)
            | Float::ArcSinh(_)
            | Float::ArcTan(_)
            | Float::ArcTanh(_)
            | Float::ArcTan2(_)
            | Float::Round(_)
            | Float::Floor(_)
            | Float::Ceil(_)
            | Float::Trunc(_)
            | Float::IntoInt(_)
            | Float::IsNan(_)
            | Float::IsInf(_) => self.elementwise(operation, rows),
            _ => None,
        }
    }

    fn int(&self, op: &Int, operation: &OperationIr, rows: Rows) -> Option<Rows> {
        match op {
            Int::Matmul(o) => self.product(o, rows),
            Int::IntoFloat(_)
            | Int::BitwiseAnd(_)
            | Int::BitwiseAndScalar(_)
            | Int::BitwiseOr(_)
            | Int::BitwiseOrScalar(_)
            | Int::BitwiseXor(_)
            | Int::BitwiseXorScalar(_)
            | Int::BitwiseNot(_)
            | Int::BitwiseLeftShift(_)
            | Int::BitwiseLeftShiftScalar(_)
            | Int::BitwiseRightShift(_)
            | Int::BitwiseRightShiftScalar(_) => self.elementwise(operation, rows),
        }
    }

    fn bool(&self, op: &Bool, operation: &OperationIr, rows: Rows) -> Option<Rows> {
        match op {
            Bool::IntoFloat(_)
            | Bool::IntoInt(_)
            | Bool::Not(_)
            | Bool::And(_)
            | Bool::Or(_)
            | Bool::Xor(_) => self.elementwise(operation, rows),
        }
    }

    /// Rows may be rows of the left matrix, columns of the right one, or a batch axis of both.
    fn product(&self, o: &MatmulOpIr, rows: Rows) -> Option<Rows> {
        let rank = o.out.shape.num_dims();
        let is_of_rank = |tensor: &TensorIr| tensor.shape.num_dims() == rank;
        if !is_of_rank(&o.lhs) || !is_of_rank(&o.rhs) {
            return None;
        }
        let is_apart = match rank - rows.axis {
            1 => self.is_free(&o.lhs),
            2 => self.is_free(&o.rhs),
            _ => true,
        };
        is_apart.then_some(rows)
    }

    fn activation(&self, op: &Activation, operation: &OperationIr, rows: Rows) -> Option<Rows> {
        match op {
            Activation::Softmax(o) | Activation::LogSoftmax(o) | Activation::Softmin(o) => {
                (o.axis != rows.axis).then_some(rows)
            }
            Activation::Relu(_)
            | Activation::ReluBackward(_)
            | Activation::LeakyRelu(_)
            | Activation::PRelu(_)
            | Activation::Gelu(_)
            | Activation::GeluBackward(_)
            | Activation::Sigmoid(_)
            | Activation::SigmoidBackward(_)
            | Activation::HardSigmoid(_)
            | Activation::LogSigmoid(_)
            | Activation::LogSigmoidBackward(_) => self.elementwise(operation, rows),
        }
    }

    /// Layers process the examples of their first axis separately, linear layers all vectors of the last one.
    /// Rows of weights, and gradients of weights, are sums over examples.
    fn module(&self, op: &Module, rows: Rows) -> Option<Rows> {
        let by_example = |weights: [Option<&TensorIr>; 2]| {
            (rows.axis == 0 && self.are_free(weights)).then_some(rows)
        };
        let by_vector = |vectors: &TensorIr, weights: [Option<&TensorIr>; 2]| {
            let is_outside = rows.axis + 1 < vectors.shape.num_dims();
            (is_outside && self.are_free(weights)).then_some(rows)
        };
        match op {
            Module::Linear(o) => by_vector(&o.x, [Some(&o.weight), o.bias.as_ref()]),
            Module::LinearXBackward(o) => by_vector(&o.output_grad, [Some(&o.weight), None]),
            Module::LayerNorm(o) => by_vector(&o.input, [Some(&o.gamma), o.beta.as_ref()]),
            Module::Embedding(o) if self.is_free(&o.weights) => Some(rows),
            // With statistics that do not depend on the batch, elementwise.
            Module::BatchNorm(o) => {
                let statistics = [Some(&o.mean), Some(&o.variance)];
                let is_fixed =
                    self.are_free(statistics) && self.are_free([Some(&o.gamma), Some(&o.beta)]);
                is_fixed.then_some(rows)
            }
            Module::Conv1d(o) => by_example([Some(&o.weight), o.bias.as_ref()]),
            Module::Conv2d(o) => by_example([Some(&o.weight), o.bias.as_ref()]),
            Module::Conv3d(o) => by_example([Some(&o.weight), o.bias.as_ref()]),
            Module::Conv1dXBackward(o) => by_example([Some(&o.weight), None]),
            Module::Conv2dXBackward(o) => by_example([Some(&o.weight), None]),
            Module::Conv3dXBackward(o) => by_example([Some(&o.weight), None]),
            Module::ConvTranspose1d(o) => by_example([Some(&o.weight), o.bias.as_ref()]),
            Module::ConvTranspose2d(o) => by_example([Some(&o.weight), o.bias.as_ref()]),
            Module::ConvTranspose3d(o) => by_example([Some(&o.weight), o.bias.as_ref()]),
            Module::DeformableConv2d(o) => by_example([Some(&o.weight), o.bias.as_ref()]),
            Module::AvgPool1d(_)
            | Module::AvgPool2d(_)
            | Module::AvgPool1dBackward(_)
            | Module::AvgPool2dBackward(_)
            | Module::AdaptiveAvgPool1d(_)
            | Module::AdaptiveAvgPool2d(_)
            | Module::AdaptiveAvgPool3d(_)
            | Module::AdaptiveAvgPool1dBackward(_)
            | Module::AdaptiveAvgPool2dBackward(_)
            | Module::AdaptiveAvgPool3dBackward(_)
            | Module::MaxPool1d(_)
            | Module::MaxPool1dWithIndices(_)
            | Module::MaxPool1dWithIndicesBackward(_)
            | Module::MaxPool2d(_)
            | Module::MaxPool2dWithIndices(_)
            | Module::MaxPool2dWithIndicesBackward(_)
            | Module::Interpolate(_)
            | Module::InterpolateBackward(_)
            | Module::Unfold4d(_)
            | Module::Attention(_) => by_example([None, None]),
            _ => None,
        }
    }
}

/// Whether the range of a slice on this axis does not run backward.
fn is_forward(ranges: &[Slice], axis: usize) -> bool {
    ranges.get(axis).is_none_or(|range| range.step == 1)
}
