//! Layers.

use burn_ir::{AttentionOpIr, ModuleOperationIr as Module, TensorIr};

use super::super::found::FixedReason;
use super::super::labels::Labels;
use super::super::term::{Division, Term};
use super::super::walk::Walk;

/// Whether the first axis of a convolution's weight is that of the outputs.
#[derive(Clone, Copy, PartialEq)]
enum Weight {
    /// `[out, in / groups, …]`
    OutFirst,
    /// `[in, out / groups, …]`
    InFirst,
}

/// The channels of a convolution.
struct Channels {
    outputs: Term,
    inputs: Inputs,
}

/// The channels that a convolution sums over.
enum Inputs {
    /// Those of a group, beside the outputs.
    Beside(Term),
    /// Those of all groups, and the outputs of a group: the terms of the sum have the groups once.
    WithGroups(Term, Term),
}

impl Walk<'_> {
    /// `None` if there is no rule.
    pub(super) fn module(&mut self, op: &Module) -> Option<Vec<Labels>> {
        let labels = match op {
            Module::Linear(o) => {
                let (mut labels, weight) = (self.of(&o.x), self.of(&o.weight));
                let last = labels.axes.len().checked_sub(1)?;
                self.multiplied(&o.x, last, &o.weight);
                self.terms.unify(&labels.axes[last], &weight.axes[0]);
                labels.axes[last] = weight.axes[1].clone();
                self.summed(&labels, &weight.axes[0]);
                if let Some(bias) = &o.bias {
                    self.along(&mut labels, last, &[bias]);
                }
                labels
            }
            Module::BatchNorm(o) => {
                let mut labels = self.of(&o.x);
                self.along(&mut labels, 1, &[&o.gamma, &o.beta, &o.mean, &o.variance]);
                labels
            }
            Module::LayerNorm(o) => {
                let mut labels = self.of(&o.input);
                let last = labels.axes.len().checked_sub(1)?;
                let vectors: Vec<&TensorIr> = std::iter::once(&o.gamma).chain(&o.beta).collect();
                self.along(&mut labels, last, &vectors);
                self.mixed(labels, last)
            }
            Module::Embedding(o) => {
                let weights = self.of(&o.weights);
                self.terms.fix(&weights.axes[0], FixedReason::IndexedByData);
                let mut labels = self.of(&o.indices);
                labels.axes.push(weights.axes[1].clone());
                labels
            }
            Module::Attention(o) => self.attention(o),
            Module::Conv1d(o) => {
                let operands = (&o.x, &o.weight, o.bias.as_ref(), &o.out);
                self.convolution(operands, o.options.groups, Weight::OutFirst)
            }
            Module::Conv2d(o) => {
                let operands = (&o.x, &o.weight, o.bias.as_ref(), &o.out);
                self.convolution(operands, o.options.groups, Weight::OutFirst)
            }
            Module::Conv3d(o) => {
                let operands = (&o.x, &o.weight, o.bias.as_ref(), &o.out);
                self.convolution(operands, o.options.groups, Weight::OutFirst)
            }
            Module::ConvTranspose1d(o) => {
                let operands = (&o.x, &o.weight, o.bias.as_ref(), &o.out);
                self.convolution(operands, o.options.groups, Weight::InFirst)
            }
            Module::ConvTranspose2d(o) => {
                let operands = (&o.x, &o.weight, o.bias.as_ref(), &o.out);
                self.convolution(operands, o.options.groups, Weight::InFirst)
            }
            Module::ConvTranspose3d(o) => {
                let operands = (&o.x, &o.weight, o.bias.as_ref(), &o.out);
                self.convolution(operands, o.options.groups, Weight::InFirst)
            }
            // Groups of channels share windows, so only the outputs of a single group are free.
            Module::DeformableConv2d(o) => {
                let (x, weight) = (self.of(&o.x), self.of(&o.weight));
                let mut labels = Labels::of(vec![x.axes[0].clone(), weight.axes[0].clone()]);
                for axis in x.axes[1..].iter().chain(&weight.axes[1..]) {
                    self.terms.fix(axis, FixedReason::Position);
                }
                if o.options.weight_groups > 1 {
                    self.terms.fix(&weight.axes[0], FixedReason::Position);
                    labels.axes[1] = self.terms.fixed(o.out.shape[1], FixedReason::Position);
                }
                for tensor in std::iter::once(&o.offset).chain(&o.mask) {
                    let others = self.of(tensor);
                    self.terms.unify(&labels.axes[0], &others.axes[0]);
                    labels.axes[0] = self.terms.meet(&labels.axes[0], &others.axes[0]);
                    for axis in &others.axes[1..] {
                        self.terms.fix(axis, FixedReason::Position);
                    }
                }
                if let Some(bias) = &o.bias {
                    self.along(&mut labels, 1, &[bias]);
                }
                self.positions(labels.axes[0].clone(), labels.axes[1].clone(), &o.out)
            }
            Module::AvgPool1d(o) => self.pool(&o.x, &o.out),
            Module::AvgPool2d(o) => self.pool(&o.x, &o.out),
            Module::AdaptiveAvgPool1d(o) => self.pool(&o.x, &o.out),
            Module::AdaptiveAvgPool2d(o) => self.pool(&o.x, &o.out),
            Module::AdaptiveAvgPool3d(o) => self.pool(&o.x, &o.out),
            Module::MaxPool1d(o) => self.pool(&o.x, &o.out),
            Module::MaxPool2d(o) => self.pool(&o.x, &o.out),
            Module::Interpolate(o) => self.pool(&o.x, &o.out),
            // The indices are positions.
            Module::MaxPool1dWithIndices(o) => {
                let labels = self.pool(&o.x, &o.out);
                return Some(vec![labels.clone(), labels]);
            }
            Module::MaxPool2dWithIndices(o) => {
                let labels = self.pool(&o.x, &o.out);
                return Some(vec![labels.clone(), labels]);
            }
            Module::Unfold4d(o) => {
                let labels = self.pool(&o.x, &o.x);
                let window: usize = o.kernel_size.iter().product();
                let window = self.terms.fixed(window, FixedReason::Position);
                let channels = Term::Product(vec![labels.axes[1].clone(), window]);
                let channels = self.terms.normal(&channels);
                self.positions(labels.axes[0].clone(), channels, &o.out)
            }
            Module::EmbeddingBackward(_)
            | Module::LinearXBackward(_)
            | Module::LinearWeightBackward(_)
            | Module::LinearBiasBackward(_)
            | Module::Conv1dXBackward(_)
            | Module::Conv1dWeightBackward(_)
            | Module::Conv1dBiasBackward(_)
            | Module::Conv2dXBackward(_)
            | Module::Conv2dWeightBackward(_)
            | Module::Conv2dBiasBackward(_)
            | Module::Conv3dXBackward(_)
            | Module::Conv3dWeightBackward(_)
            | Module::Conv3dBiasBackward(_)
            | Module::DeformableConv2dBackward(_)
            | Module::AvgPool1dBackward(_)
            | Module::AvgPool2dBackward(_)
            | Module::AdaptiveAvgPool1dBackward(_)
            | Module::AdaptiveAvgPool2dBackward(_)
            | Module::AdaptiveAvgPool3dBackward(_)
            | Module::MaxPool1dWithIndicesBackward(_)
            | Module::MaxPool2dWithIndicesBackward(_)
            | Module::InterpolateBackward(_)
            | Module::CtcLoss(_)
            | Module::CtcLossBackward(_)
            | Module::ConvTranspose1dWeightBackward(_)
            | Module::ConvTranspose1dBiasBackward(_)
            | Module::ConvTranspose2dWeightBackward(_)
            | Module::ConvTranspose2dBiasBackward(_)
            | Module::ConvTranspose3dWeightBackward(_)
            | Module::ConvTranspose3dBiasBackward(_) => return None,
        };
        Some(vec![labels])
    }

    /// Vectors that meet an axis element by element.
    fn along(&mut self, labels: &mut Labels, axis: usize, vectors: &[&TensorIr]) {
        for vector in vectors {
            let vector = self.of(vector);
            let Some(own) = vector.axes.last() else {
                continue;
            };
            self.terms.unify(&labels.axes[axis], own);
            labels.axes[axis] = self.terms.meet(&labels.axes[axis], own);
        }
    }

    fn pool(&mut self, x: &TensorIr, out: &TensorIr) -> Labels {
        let labels = self.of(x);
        for axis in &labels.axes[2..] {
            self.terms.fix(axis, FixedReason::Position);
        }
        self.positions(labels.axes[0].clone(), labels.axes[1].clone(), out)
    }

    fn convolution(
        &mut self,
        (x, weight, bias, out): (&TensorIr, &TensorIr, Option<&TensorIr>, &TensorIr),
        groups: usize,
        order: Weight,
    ) -> Labels {
        self.multiplied(x, 1, weight);
        let (x, weight) = (self.of(x), self.of(weight));
        for axis in x.axes[2..].iter().chain(&weight.axes[2..]) {
            self.terms.fix(axis, FixedReason::Position);
        }
        let channels = self.channels(&x.axes[1], &weight.axes, groups, order);
        let mut labels = Labels::of(vec![x.axes[0].clone(), channels.outputs]);
        match channels.inputs {
            Inputs::Beside(inputs) => self.summed(&labels, &inputs),
            Inputs::WithGroups(inputs, outputs) => {
                let terms = vec![x.axes[0].clone(), inputs, outputs];
                self.inner.push(Labels::of(terms));
            }
        }
        if let Some(bias) = bias {
            self.along(&mut labels, 1, &[bias]);
        }
        self.positions(labels.axes[0].clone(), labels.axes[1].clone(), out)
    }

    /// The channels of a convolution.
    fn channels(&mut self, x: &Term, weight: &[Term], groups: usize, order: Weight) -> Channels {
        let (first, second) = (&weight[0], &weight[1]);
        let (inputs, outputs) = match order {
            Weight::OutFirst => (second, first),
            Weight::InFirst => (first, second),
        };
        if groups == 1 {
            self.terms.unify(x, inputs);
            return Channels {
                outputs: outputs.clone(),
                inputs: Inputs::Beside(self.terms.meet(x, inputs)),
            };
        }
        let of_x = self.terms.split(x, groups, Division::Factors);
        let of_weight = self.terms.split(first, groups, Division::Factors);
        let (Some((group, own)), Some((same, rest))) = (of_x, of_weight) else {
            for term in [x, first, second] {
                self.terms.fix(term, FixedReason::DoesNotNest);
            }
            let len = match order {
                Weight::OutFirst => self.terms.size(first),
                Weight::InFirst => self.terms.size(second) * groups,
            };
            return Channels {
                outputs: self.terms.fixed(len, FixedReason::DoesNotNest),
                inputs: Inputs::Beside(inputs.clone()),
            };
        };
        // A kernel may be the same for all groups.
        self.terms.unify(&group, &same);
        let group = self.terms.meet(&group, &same);
        let product = |walk: &mut Self, inner: &Term| {
            let product = Term::Product(vec![group.clone(), inner.clone()]);
            walk.terms.normal(&product)
        };
        match order {
            Weight::OutFirst => {
                self.terms.unify(&own, second);
                Channels {
                    outputs: product(self, &rest),
                    inputs: Inputs::Beside(self.terms.meet(&own, second)),
                }
            }
            Weight::InFirst => {
                self.terms.unify(&own, &rest);
                let own = self.terms.meet(&own, &rest);
                Channels {
                    outputs: product(self, second),
                    inputs: Inputs::WithGroups(product(self, &own), second.clone()),
                }
            }
        }
    }

    /// `softmax(q kᵀ) v` over `[batch, heads, length, depth]`.
    fn attention(&mut self, o: &AttentionOpIr) -> Labels {
        let (q, k, v) = (self.of(&o.query), self.of(&o.key), self.of(&o.value));
        let mut both = Vec::new();
        for axis in 0..2 {
            self.terms.unify(&q.axes[axis], &k.axes[axis]);
            let met = self.terms.meet(&q.axes[axis], &k.axes[axis]);
            self.terms.unify(&met, &v.axes[axis]);
            both.push(self.terms.meet(&met, &v.axes[axis]));
        }
        self.terms.unify(&q.axes[3], &k.axes[3]);
        self.terms.unify(&k.axes[2], &v.axes[2]);
        let keys = self.terms.meet(&k.axes[2], &v.axes[2]);
        if o.options.is_causal {
            for axis in [&q.axes[2], &keys] {
                self.terms.fix(axis, FixedReason::Ordered);
            }
        }
        let mut scores = Labels::of(vec![both[0].clone(), both[1].clone()]);
        scores.axes.extend([q.axes[2].clone(), keys]);
        let shape: Vec<usize> = scores
            .axes
            .iter()
            .map(|axis| self.terms.size(axis))
            .collect();
        for tensor in o.mask.iter().chain(&o.attn_bias) {
            let other = self.of(tensor);
            scores = self.terms.elementwise(vec![scores, other], &shape);
        }
        if o.options.is_causal {
            for axis in [2, 3] {
                scores.axes[axis] = self.terms.fixed(shape[axis], FixedReason::Ordered);
            }
        }
        self.summed(&scores, &q.axes[3]);
        self.inner.push(scores.clone());
        let scores = self.mixed(scores, 3);
        let mut axes = scores.axes[..3].to_vec();
        axes.push(v.axes[3].clone());
        let labels = Labels::of(axes);
        self.summed(&labels, &scores.axes[3]);
        labels
    }
}
