//! Arithmetic, reductions, orders and functions of numbers.

use burn_ir::{
    FloatOperationIr as Float, NumericOperationIr as Numeric, PadModeIr, PadOpIr, TensorIr,
};

use super::super::found::FixedReason;
use super::super::labels::Labels;
use super::super::term::{Term, Terms};
use super::super::walk::Walk;

impl Walk<'_> {
    pub(super) fn numeric(&mut self, op: &Numeric) -> Vec<Labels> {
        let labels = match op {
            Numeric::Add(o)
            | Numeric::Sub(o)
            | Numeric::Div(o)
            | Numeric::Rem(o)
            | Numeric::Mul(o)
            | Numeric::Powi(o)
            | Numeric::Greater(o)
            | Numeric::GreaterEqual(o)
            | Numeric::Lower(o)
            | Numeric::LowerEqual(o) => self.elementwise(&[&o.lhs, &o.rhs], &o.out),
            Numeric::AddScalar(o)
            | Numeric::SubScalar(o)
            | Numeric::DivScalar(o)
            | Numeric::RemScalar(o)
            | Numeric::MulScalar(o)
            | Numeric::PowiScalar(o)
            | Numeric::GreaterElem(o)
            | Numeric::GreaterEqualElem(o)
            | Numeric::LowerElem(o)
            | Numeric::LowerEqualElem(o)
            | Numeric::ClampMin(o)
            | Numeric::ClampMax(o) => self.same(&o.lhs),
            Numeric::Abs(o) | Numeric::Neg(o) | Numeric::Sign(o) => self.same(&o.input),
            Numeric::Clamp(o) => self.same(&o.tensor),
            Numeric::Full(o) => Terms::uniform(o.out.shape.as_slice()),
            Numeric::IntRandom(o) => {
                let shape = o.out.shape.as_slice();
                self.terms.all_fixed(shape, FixedReason::Constant)
            }
            Numeric::Mean(o)
            | Numeric::Sum(o)
            | Numeric::Prod(o)
            | Numeric::Max(o)
            | Numeric::Min(o)
            | Numeric::MaxAbs(o) => {
                let axes: Vec<usize> = (0..o.input.shape.num_dims()).collect();
                self.reduced(&o.input, &axes, &o.out)
            }
            Numeric::MeanDim(o)
            | Numeric::SumDim(o)
            | Numeric::ProdDim(o)
            | Numeric::MaxDim(o)
            | Numeric::MinDim(o)
            | Numeric::MaxAbsDim(o) => self.reduced(&o.input, &[o.axis], &o.out),
            Numeric::SumDims(o) => self.reduced(&o.input, &o.axes, &o.out),
            Numeric::MaxDimWithIndices(o) | Numeric::MinDimWithIndices(o) => {
                if self.is_read(&o.out_indices) {
                    self.fixed_along(&o.tensor, o.dim, FixedReason::IndexedByData);
                }
                let values = self.reduced(&o.tensor, &[o.dim], &o.out);
                return vec![values.clone(), values];
            }
            Numeric::ArgMax(o) | Numeric::ArgMin(o) | Numeric::ArgTopK(o) => {
                self.fixed_along(&o.input, o.axis, FixedReason::IndexedByData);
                self.ordered(&o.input, o.axis, &o.out)
            }
            Numeric::TopK(o) => self.ordered(&o.input, o.axis, &o.out),
            Numeric::Sort(o) => self.ordered(&o.input, o.dim, &o.out),
            Numeric::ArgSort(o) => {
                self.fixed_along(&o.input, o.dim, FixedReason::IndexedByData);
                self.ordered(&o.input, o.dim, &o.out)
            }
            Numeric::TopKWithIndices(o) => {
                return self.with_indices(&o.tensor, o.dim, &o.out, &o.out_indices);
            }
            Numeric::SortWithIndices(o) => {
                return self.with_indices(&o.input, o.dim, &o.out, &o.out_indices);
            }
            Numeric::CumSum(o) | Numeric::CumProd(o) | Numeric::CumMin(o) | Numeric::CumMax(o) => {
                self.fixed_along(&o.input, o.axis, FixedReason::Ordered)
            }
            Numeric::Pad(o) => self.pad(o),
        };
        vec![labels]
    }

    /// A result in the order of its values: the order of the operand does not matter.
    fn ordered(&mut self, input: &TensorIr, axis: usize, out: &TensorIr) -> Labels {
        let mut labels = self.of(input);
        labels.axes[axis] = self.terms.fixed(out.shape[axis], FixedReason::Ordered);
        labels
    }

    fn with_indices(
        &mut self,
        input: &TensorIr,
        axis: usize,
        out: &TensorIr,
        indices: &TensorIr,
    ) -> Vec<Labels> {
        if self.is_read(indices) {
            self.fixed_along(input, axis, FixedReason::IndexedByData);
        }
        let labels = self.ordered(input, axis, out);
        vec![labels.clone(), labels]
    }

    fn pad(&mut self, o: &PadOpIr) -> Labels {
        let mut labels = self.of(&o.input);
        for (axis, &(before, after)) in o.padding.iter().enumerate() {
            if (before, after) == (0, 0) {
                continue;
            }
            let own = labels.axes[axis].clone();
            labels.axes[axis] = match o.mode {
                PadModeIr::Constant(_) => {
                    let parts = vec![Term::Uniform(before), own, Term::Uniform(after)];
                    self.terms.normal(&Term::Sum(parts))
                }
                PadModeIr::Reflect | PadModeIr::Edge => {
                    self.terms.fix(&own, FixedReason::Position);
                    let len = o.out.shape[axis];
                    self.terms.fixed(len, FixedReason::Position)
                }
            };
        }
        labels
    }

    /// `None` if there is no rule.
    pub(super) fn float(&mut self, op: &Float) -> Option<Labels> {
        Some(match op {
            Float::Exp(o)
            | Float::Log(o)
            | Float::Log1p(o)
            | Float::Erf(o)
            | Float::Sqrt(o)
            | Float::Cos(o)
            | Float::Cosh(o)
            | Float::Sin(o)
            | Float::Sinh(o)
            | Float::Tan(o)
            | Float::Tanh(o)
            | Float::ArcCos(o)
            | Float::ArcCosh(o)
            | Float::ArcSin(o)
            | Float::ArcSinh(o)
            | Float::ArcTan(o)
            | Float::ArcTanh(o)
            | Float::Round(o)
            | Float::Floor(o)
            | Float::Ceil(o)
            | Float::Trunc(o)
            | Float::Recip(o)
            | Float::IsNan(o)
            | Float::IsInf(o) => self.same(&o.input),
            Float::PowfScalar(o) => self.same(&o.lhs),
            Float::IntoInt(o) => self.same(&o.input),
            Float::ArcTan2(o) | Float::Powf(o) | Float::Hypot(o) => {
                self.elementwise(&[&o.lhs, &o.rhs], &o.out)
            }
            Float::Matmul(o) => self.product(o),
            Float::Cross(o) => {
                for tensor in [&o.lhs, &o.rhs] {
                    self.fixed_along(tensor, o.dim, FixedReason::Ordered);
                }
                let labels = self.elementwise(&[&o.lhs, &o.rhs], &o.out);
                let mut labels = self.terms.collapsed(labels);
                labels.axes[o.dim] = self.terms.fixed(o.out.shape[o.dim], FixedReason::Ordered);
                labels
            }
            Float::Random(o) => {
                let shape = o.out.shape.as_slice();
                self.terms.all_fixed(shape, FixedReason::Constant)
            }
            // Images `[n, channels, rows, columns]`, a grid of places `[n, rows, columns, 2]`.
            Float::GridSample2d(o) => {
                let (images, grid) = (self.of(&o.tensor), self.of(&o.grid));
                self.terms.unify(&images.axes[0], &grid.axes[0]);
                let examples = self.terms.meet(&images.axes[0], &grid.axes[0]);
                for axis in images.axes[2..].iter().chain(&grid.axes[1..]) {
                    self.terms.fix(axis, FixedReason::Position);
                }
                self.positions(examples, images.axes[1].clone(), &o.out)
            }
            Float::Quantize(_) | Float::Dequantize(_) => return None,
        })
    }

    /// Examples and channels, and fixed positions.
    pub(super) fn positions(&mut self, examples: Term, channels: Term, out: &TensorIr) -> Labels {
        let mut axes = vec![examples, channels];
        for &len in &out.shape.as_slice()[2..] {
            axes.push(self.terms.fixed(len, FixedReason::Position));
        }
        Labels::of(axes)
    }
}
