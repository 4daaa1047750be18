//! One rule for each operation: which axes are one, which are divided, and which are fixed.

mod base;
mod module;
mod numeric;

use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BoolOperationIr as Bool,
    IntOperationIr as Int, MatmulOpIr, OperationIr, TensorIr,
};

use super::found::FixedReason;
use super::labels::Labels;
use super::term::{ONE, Term};
use super::walk::Walk;

/// Whether the operation only moves values. What it drops is not read.
pub(super) fn moves_values(operation: &OperationIr) -> bool {
    let (OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base)) =
        operation
    else {
        return false;
    };
    matches!(
        base,
        Base::Reshape(_)
            | Base::SwapDims(_)
            | Base::Permute(_)
            | Base::Expand(_)
            | Base::Slice(_)
            | Base::RepeatDim(_)
            | Base::Cat(_)
            | Base::Cast(_)
    )
}

impl Walk<'_> {
    /// The axes of the results of an operation.
    pub(super) fn results(&mut self, operation: &OperationIr) -> Vec<Labels> {
        match operation {
            OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
                vec![self.base(op)]
            }
            OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => self.numeric(op),
            OperationIr::Float(_, op) => match self.float(op) {
                Some(labels) => vec![labels],
                None => self.refused(operation),
            },
            OperationIr::Int(op) => vec![self.int(op)],
            OperationIr::Bool(op) => vec![self.bool(op)],
            OperationIr::Activation(op) => vec![self.activation(op)],
            OperationIr::Module(op) => match self.module(op) {
                Some(labels) => labels,
                None => self.refused(operation),
            },
            OperationIr::Custom(_) | OperationIr::Distributed(_) => self.refused(operation),
            OperationIr::Init(_) | OperationIr::Drop(_) => Vec::new(),
        }
    }

    /// Every axis of every operand is fixed, which is right for any operation.
    fn refused(&mut self, operation: &OperationIr) -> Vec<Labels> {
        for tensor in operation.inputs() {
            let labels = self.of(tensor);
            for axis in &labels.axes {
                self.terms.fix(axis, FixedReason::NoRule);
            }
        }
        let outputs = operation.outputs();
        outputs
            .map(|out| {
                self.terms
                    .all_fixed(out.shape.as_slice(), FixedReason::NoRule)
            })
            .collect()
    }

    /// Operands that meet element by element.
    fn elementwise(&mut self, operands: &[&TensorIr], out: &TensorIr) -> Labels {
        let operands = operands.iter().map(|tensor| self.with_cases(tensor));
        let operands = operands.collect();
        self.terms.elementwise(operands, out.shape.as_slice())
    }

    /// The rule for a function of single elements.
    fn same(&mut self, input: &TensorIr) -> Labels {
        self.with_cases(input)
    }

    /// An axis is fixed, and the values of the result vary along it.
    fn fixed_along(&mut self, input: &TensorIr, axis: usize, reason: FixedReason) -> Labels {
        let mut labels = self.of(input);
        self.terms.fix(&labels.axes[axis], reason);
        let len = self.terms.size(&labels.axes[axis]);
        labels.axes[axis] = self.terms.fixed(len, reason);
        labels
    }

    /// Axes go, to a length of 1 if the result has as many axes.
    fn reduced(&mut self, input: &TensorIr, axes: &[usize], out: &TensorIr) -> Labels {
        let mut labels = self.with_cases(input);
        let reduces_cases = |axis: &usize| {
            labels.case == Some(*axis) || matches!(labels.axes[*axis], Term::Cases(_))
        };
        if labels.case.is_some() && axes.iter().any(reduces_cases) {
            labels = self.terms.collapsed(labels);
        }
        if out.shape.num_dims() == labels.axes.len() {
            axes.iter().for_each(|&axis| labels.axes[axis] = ONE);
            return labels;
        }
        let labels = self.terms.collapsed(labels);
        let kept = (0..labels.axes.len()).filter(|axis| !axes.contains(axis));
        let mut kept: Vec<_> = kept.map(|axis| labels.axes[axis].clone()).collect();
        kept.resize(out.shape.num_dims(), ONE);
        Labels::of(kept)
    }

    /// An operation that mixes values along an axis and keeps the axis.
    fn mixed(&mut self, labels: Labels, axis: usize) -> Labels {
        let mut inner = labels.clone();
        inner.axes[axis] = ONE;
        self.inner.push(inner);
        labels
    }

    /// The terms of which a result is the sum: they have an axis more. A group on it meets everything that both operands
    /// have.
    fn summed(&mut self, result: &Labels, axis: &Term) {
        let mut inner = result.clone();
        inner.axes.push(axis.clone());
        self.inner.push(inner);
    }

    /// Batches of matrix products.
    fn product(&mut self, o: &MatmulOpIr) -> Labels {
        let (mut left, mut right) = (self.with_cases(&o.lhs), self.with_cases(&o.rhs));
        let rank = o.out.shape.num_dims();
        let is_of_batch = |labels: &Labels| {
            labels
                .case
                .is_none_or(|case| case + 2 < rank && labels.axes.len() == rank)
        };
        if left.case != right.case || !is_of_batch(&left) || !is_of_batch(&right) {
            left = self.terms.collapsed(left);
            right = self.terms.collapsed(right);
        }
        let (rows, columns) = (left.axes.len(), right.axes.len());
        if rows < 2 || columns < 2 {
            return self.refused_product(o);
        }
        self.multiplied(&o.lhs, rows - 1, &o.rhs);
        self.multiplied(&o.rhs, columns - 2, &o.lhs);
        let batch = |labels: &Labels| Labels {
            axes: labels.axes[..labels.axes.len() - 2].to_vec(),
            case: labels.case,
        };
        let batches = vec![batch(&left), batch(&right)];
        let out = o.out.shape.as_slice();
        let mut result = self.terms.elementwise(batches, &out[..rank - 2]);
        self.terms
            .unify(&left.axes[rows - 1], &right.axes[columns - 2]);
        result.axes.push(left.axes[rows - 2].clone());
        result.axes.push(right.axes[columns - 1].clone());
        self.summed(&result, &left.axes[rows - 1]);
        result
    }

    fn refused_product(&mut self, o: &MatmulOpIr) -> Labels {
        for tensor in [&o.lhs, &o.rhs] {
            let labels = self.of(tensor);
            for axis in &labels.axes {
                self.terms.fix(axis, FixedReason::NoRule);
            }
        }
        let shape = o.out.shape.as_slice();
        self.terms.all_fixed(shape, FixedReason::NoRule)
    }

    fn int(&mut self, op: &Int) -> Labels {
        match op {
            Int::Matmul(o) => self.product(o),
            Int::IntoFloat(o) => self.same(&o.input),
            Int::BitwiseNot(o) => self.same(&o.input),
            Int::BitwiseAnd(o)
            | Int::BitwiseOr(o)
            | Int::BitwiseXor(o)
            | Int::BitwiseLeftShift(o)
            | Int::BitwiseRightShift(o) => self.elementwise(&[&o.lhs, &o.rhs], &o.out),
            Int::BitwiseAndScalar(o)
            | Int::BitwiseOrScalar(o)
            | Int::BitwiseXorScalar(o)
            | Int::BitwiseLeftShiftScalar(o)
            | Int::BitwiseRightShiftScalar(o) => self.same(&o.lhs),
        }
    }

    fn bool(&mut self, op: &Bool) -> Labels {
        match op {
            Bool::IntoFloat(o) | Bool::IntoInt(o) => self.same(&o.input),
            Bool::Not(o) => self.same(&o.input),
            Bool::And(o) | Bool::Or(o) | Bool::Xor(o) => {
                self.elementwise(&[&o.lhs, &o.rhs], &o.out)
            }
        }
    }

    fn activation(&mut self, op: &Activation) -> Labels {
        match op {
            Activation::Softmax(o) | Activation::LogSoftmax(o) | Activation::Softmin(o) => {
                let labels = self.of(&o.input);
                self.mixed(labels, o.axis)
            }
            Activation::PRelu(o)
            | Activation::ReluBackward(o)
            | Activation::GeluBackward(o)
            | Activation::SigmoidBackward(o)
            | Activation::LogSigmoidBackward(o) => self.elementwise(&[&o.lhs, &o.rhs], &o.out),
            Activation::LeakyRelu(o) => self.same(&o.lhs),
            Activation::HardSigmoid(o) => self.same(&o.tensor),
            Activation::Relu(o)
            | Activation::Gelu(o)
            | Activation::Sigmoid(o)
            | Activation::LogSigmoid(o) => self.same(&o.input),
        }
    }
}
