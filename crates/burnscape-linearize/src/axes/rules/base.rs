//! Operations that move, select and compare values.

use burn::tensor::Slice;
use burn_ir::{BaseOperationIr as Base, TensorIr};

use super::super::found::FixedReason;
use super::super::labels::Labels;
use super::super::term::{ONE, Term, Terms};
use super::super::walk::Walk;

impl Walk<'_> {
    pub(super) fn base(&mut self, op: &Base) -> Labels {
        match op {
            Base::Reshape(o) => {
                let labels = self.with_cases(&o.input);
                let reshaped = self.terms.reshape(labels, o.out.shape.as_slice());
                self.regrouped(&reshaped);
                reshaped
            }
            Base::SwapDims(o) => {
                let mut axes: Vec<usize> = (0..o.input.shape.num_dims()).collect();
                axes.swap(o.dim1, o.dim2);
                self.permuted(&o.input, &axes)
            }
            Base::Permute(o) => self.permuted(&o.input, &o.axes),
            Base::Flip(o) => {
                let mut labels = self.of(&o.input);
                for &axis in &o.axes {
                    let term = self.terms.normal(&labels.axes[axis]);
                    // Only what is uniform as a whole is the same from behind.
                    if !matches!(term, Term::Uniform(_)) {
                        self.terms.fix(&term, FixedReason::Ordered);
                        let len = self.terms.size(&term);
                        labels.axes[axis] = self.terms.fixed(len, FixedReason::Ordered);
                    }
                }
                labels
            }
            Base::Expand(o) => {
                let labels = self.with_cases(&o.input);
                self.terms.elementwise(vec![labels], o.out.shape.as_slice())
            }
            Base::Unfold(o) => {
                let mut labels = self.fixed_along(&o.input, o.dim, FixedReason::Position);
                let windows = o.out.shape[o.dim];
                labels.axes[o.dim] = self.terms.fixed(windows, FixedReason::Position);
                let window = self.terms.fixed(o.size, FixedReason::Position);
                labels.axes.push(window);
                labels
            }
            Base::Slice(o) => self.slice(&o.tensor, &o.ranges, &o.out),
            Base::SliceAssign(o) => self.slice_assign(&o.tensor, &o.ranges, &o.value),
            Base::Select(o) => self.select(&o.tensor, o.dim, &o.indices),
            Base::SelectAssign(o) => {
                let mut labels = self.fixed_along(&o.tensor, o.dim, FixedReason::IndexedByData);
                let value = self.of(&o.value);
                let indices = self.of(&o.indices);
                self.terms
                    .fix(&value.axes[o.dim], FixedReason::IndexedByData);
                self.terms.fix(&indices.axes[0], FixedReason::IndexedByData);
                for axis in (0..labels.axes.len()).filter(|axis| *axis != o.dim) {
                    labels.axes[axis] = self.met(&labels.axes[axis], &value.axes[axis]);
                }
                labels
            }
            Base::MaskWhere(o) => self.elementwise(&[&o.tensor, &o.mask, &o.value], &o.out),
            Base::MaskFill(o) => self.elementwise(&[&o.tensor, &o.mask], &o.out),
            Base::Gather(o) => self.gather(&o.tensor, o.dim, &o.indices),
            Base::Scatter(o) => {
                let mut labels = self.fixed_along(&o.tensor, o.dim, FixedReason::IndexedByData);
                for other in [&o.indices, &o.value] {
                    let other = self.of(other);
                    for axis in 0..labels.axes.len() {
                        if axis == o.dim {
                            self.terms
                                .fix(&other.axes[axis], FixedReason::IndexedByData);
                        } else {
                            labels.axes[axis] = self.met(&labels.axes[axis], &other.axes[axis]);
                        }
                    }
                }
                labels
            }
            Base::GatherNd(o) => {
                let (data, indices) = (self.of(&o.data), self.of(&o.indices));
                let Some((index, places)) = indices.axes.split_last() else {
                    return self.all_fixed(&[&o.data], &o.out);
                };
                let depth = o.indices.shape[places.len()];
                self.terms.fix(index, FixedReason::IndexedByData);
                for axis in &data.axes[..depth.min(data.axes.len())] {
                    self.terms.fix(axis, FixedReason::IndexedByData);
                }
                let rest = data.axes.iter().skip(depth).cloned();
                let mut axes: Vec<Term> = places.iter().cloned().chain(rest).collect();
                axes.resize(o.out.shape.num_dims(), ONE);
                Labels::of(axes)
            }
            Base::ScatterNd(o) => self.all_fixed(&[&o.data, &o.indices, &o.values], &o.out),
            Base::Equal(o) | Base::NotEqual(o) => self.elementwise(&[&o.lhs, &o.rhs], &o.out),
            Base::EqualElem(o) | Base::NotEqualElem(o) => self.same(&o.lhs),
            Base::All(o) | Base::Any(o) => {
                let axes: Vec<usize> = (0..o.input.shape.num_dims()).collect();
                self.reduced(&o.input, &axes, &o.out)
            }
            Base::AllDim(o) | Base::AnyDim(o) => self.reduced(&o.input, &[o.axis], &o.out),
            Base::RepeatDim(o) => {
                let mut labels = self.of(&o.tensor);
                let tile = labels.axes[o.dim].clone();
                let repeated = Term::Product(vec![Term::Uniform(o.times), tile]);
                labels.axes[o.dim] = self.terms.normal(&repeated);
                labels
            }
            Base::Cat(o) => self.joined(&o.tensors, o.dim),
            Base::Cast(o) => self.same(&o.input),
            Base::Empty(o) | Base::Ones(o) | Base::Zeros(o) => {
                Terms::uniform(o.out.shape.as_slice())
            }
        }
    }

    /// A reshape moves factors from one axis to another, beside others: each counts as an axis by itself.
    fn regrouped(&mut self, labels: &Labels) {
        if labels.case.is_some() {
            return;
        }
        let mut factors = Vec::new();
        for axis in &labels.axes {
            match self.terms.normal(axis) {
                Term::Product(inner) => factors.extend(inner),
                term => factors.push(term),
            }
        }
        self.inner.push(Labels::of(factors));
    }

    /// Every axis of the operands is fixed because data select along them.
    fn all_fixed(&mut self, operands: &[&TensorIr], out: &TensorIr) -> Labels {
        for tensor in operands {
            let labels = self.of(tensor);
            for axis in &labels.axes {
                self.terms.fix(axis, FixedReason::IndexedByData);
            }
        }
        let shape = out.shape.as_slice();
        self.terms.all_fixed(shape, FixedReason::IndexedByData)
    }

    fn permuted(&mut self, input: &TensorIr, order: &[usize]) -> Labels {
        let labels = self.with_cases(input);
        let case = labels.case;
        Labels {
            axes: order
                .iter()
                .map(|&axis| labels.axes[axis].clone())
                .collect(),
            case: case.and_then(|case| order.iter().position(|&axis| axis == case)),
        }
    }

    fn slice(&mut self, tensor: &TensorIr, ranges: &[Slice], out: &TensorIr) -> Labels {
        let mut labels = self.with_cases(tensor);
        for (axis, range) in ranges.iter().enumerate() {
            let len = tensor.shape[axis];
            let taken = range.to_range(len);
            if taken == (0..len) && range.step == 1 {
                continue;
            }
            if labels.case == Some(axis) && range.step == 1 {
                labels = self.some_cases(labels, axis, taken);
                continue;
            }
            if labels.case == Some(axis) || matches!(labels.axes[axis], Term::Cases(_)) {
                labels = self.terms.collapsed(labels);
            }
            labels.axes[axis] = if range.step == 1 {
                self.part(&labels.axes[axis], taken)
            } else {
                self.strided(&labels.axes[axis], taken, range.step, out.shape[axis])
            };
        }
        labels
    }

    /// A range of an axis.
    fn part(&mut self, axis: &Term, range: std::ops::Range<usize>) -> Term {
        let (_, rest) = self.terms.split_sum(axis, range.start);
        self.terms.split_sum(&rest, range.len()).0
    }

    /// Every `step`-th value of an axis, as the first of `[n / step, step]`.
    fn strided(
        &mut self,
        axis: &Term,
        range: std::ops::Range<usize>,
        step: isize,
        len: usize,
    ) -> Term {
        let whole = self.terms.size(axis);
        // Backward steps read the values in the other order.
        let step = usize::try_from(step).unwrap_or(1);
        let is_grid = range.start < step && range.end == whole && len * step == whole;
        if is_grid && step > 1 {
            let labels = Labels::of(vec![axis.clone()]);
            let split = self.terms.reshape(labels, &[len, step]);
            let split = self.terms.collapsed(split);
            self.terms.fix(&split.axes[1], FixedReason::Ordered);
            return split.axes[0].clone();
        }
        self.terms.fix(axis, FixedReason::Ordered);
        self.terms.fixed(len, FixedReason::Ordered)
    }

    /// A range of the cases.
    fn some_cases(&mut self, labels: Labels, case: usize, range: std::ops::Range<usize>) -> Labels {
        let is_single = range.len() == 1;
        let axes = labels
            .axes
            .into_iter()
            .enumerate()
            .map(|(axis, term)| match term {
                _ if axis == case => self.terms.fixed(range.len(), FixedReason::Position),
                Term::Cases(cases) if is_single => {
                    cases.into_iter().nth(range.start).unwrap_or(ONE)
                }
                Term::Cases(cases) => Term::Cases(cases[range.clone()].to_vec()),
                term => term,
            });
        Labels {
            axes: axes.collect(),
            case: (!is_single).then_some(case),
        }
    }

    fn slice_assign(&mut self, tensor: &TensorIr, ranges: &[Slice], value: &TensorIr) -> Labels {
        let (mut labels, value_labels) = (self.of(tensor), self.of(value));
        for axis in 0..labels.axes.len() {
            let (own, new) = (labels.axes[axis].clone(), &value_labels.axes[axis]);
            let len = tensor.shape[axis];
            let range = ranges.get(axis);
            let taken = range.map_or(0..len, |range| range.to_range(len));
            if range.is_some_and(|range| range.step != 1) {
                self.terms.fix(&own, FixedReason::Ordered);
                self.terms.fix(new, FixedReason::Ordered);
                labels.axes[axis] = self.terms.fixed(len, FixedReason::Ordered);
                continue;
            }
            let (before, rest) = self.terms.split_sum(&own, taken.start);
            let (middle, after) = self.terms.split_sum(&rest, taken.len());
            self.terms.unify(&middle, new);
            let middle = self.terms.meet(&middle, new);
            let whole = Term::Sum(vec![before, middle, after]);
            labels.axes[axis] = self.terms.normal(&whole);
        }
        labels
    }

    fn select(&mut self, tensor: &TensorIr, dim: usize, indices: &TensorIr) -> Labels {
        let mut labels = self.of(tensor);
        if let Some(range) = self.constant_range(indices) {
            labels.axes[dim] = self.part(&labels.axes[dim], range);
            return labels;
        }
        self.terms
            .fix(&labels.axes[dim], FixedReason::IndexedByData);
        let indices = self.of(indices);
        labels.axes[dim] = indices.axes.first().cloned().unwrap_or(ONE);
        labels
    }

    /// The range that constant indices count through.
    fn constant_range(&self, indices: &TensorIr) -> Option<std::ops::Range<usize>> {
        let data = self.program.constants.get(&indices.id)?;
        let places: Vec<i64> = data.iter::<i64>().collect();
        let start = *places.first()?;
        let counts = places
            .iter()
            .zip(start..)
            .all(|(place, count)| *place == count);
        let start = usize::try_from(start).ok()?;
        counts.then_some(start..start + places.len())
    }

    fn gather(&mut self, tensor: &TensorIr, dim: usize, indices: &TensorIr) -> Labels {
        let (data, mut labels) = (self.of(tensor), self.of(indices));
        for axis in 0..labels.axes.len() {
            if axis == dim {
                self.terms.fix(&data.axes[axis], FixedReason::IndexedByData);
                continue;
            }
            labels.axes[axis] = self.met(&labels.axes[axis], &data.axes[axis]);
        }
        labels
    }

    /// Axes that meet. If one is shorter, it meets the first values of the other.
    fn met(&mut self, own: &Term, other: &Term) -> Term {
        if self.terms.size(own) == self.terms.size(other) {
            self.terms.unify(own, other);
            return self.terms.meet(own, other);
        }
        self.terms.fix(own, FixedReason::Ordered);
        self.terms.fix(other, FixedReason::Ordered);
        let len = self.terms.size(own);
        self.terms.fixed(len, FixedReason::Ordered)
    }

    fn joined(&mut self, tensors: &[TensorIr], dim: usize) -> Labels {
        let all: Vec<Labels> = tensors.iter().map(|tensor| self.of(tensor)).collect();
        let Some((first, others)) = all.split_first() else {
            return Labels::of(Vec::new());
        };
        let mut labels = first.clone();
        for other in others {
            for axis in (0..labels.axes.len()).filter(|axis| *axis != dim) {
                labels.axes[axis] = self.met(&labels.axes[axis], &other.axes[axis]);
            }
        }
        let parts = all.iter().map(|labels| labels.axes[dim].clone());
        let sum = Term::Sum(parts.collect());
        labels.axes[dim] = self.terms.normal(&sum);
        labels
    }
}
