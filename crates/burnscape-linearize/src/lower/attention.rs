//! The gradient of attention, written out.
//!
//! With `S = s Q Kᵀ`, capped to `c tanh(S / c)` and masked, `P = softmax(S)` and the gradient `G` of the output
//! `P V`: `dV = Pᵀ G`, `dS = P ⊙ (G Vᵀ − Σ P ⊙ G Vᵀ) ⊙ (1 − tanh²(S / c))`, `dQ = s dS K` and `dK = s dSᵀ Q`.
//!
//! `P` is computed by the steps of Burn's `attention_fallback`, so that a program has it once for forward and backward pass.
//! Burn 0.22 differentiates these steps itself; from 0.23 its backward pass of attention is one operation.

use burn::backend::TensorMetadata;
use burn::backend::ops::{AttentionModuleOptions, BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::{Scalar, Shape};

use super::deformable::Kinds;
use crate::record::{C, Symbol};

/// The arguments of attention without a mask and an additive bias, `[batch, heads, length, size]`. Adjacent heads of the
/// queries may share a head of keys and values.
pub(super) struct Attention<'a> {
    pub(super) query: Symbol,
    pub(super) key: Symbol,
    pub(super) value: Symbol,
    pub(super) options: AttentionModuleOptions,
    /// If causal, a query sees the keys up to its own position plus this.
    pub(super) offset: i64,
    pub(super) kinds: &'a Kinds,
}

impl Attention<'_> {
    /// The gradients of queries, keys and values from that of the output.
    pub(super) fn gradients(self, gradient: Symbol) -> [Symbol; 3] {
        let scale = self.options.scale.unwrap_or_else(|| {
            let shape = self.query.shape();
            1.0 / (shape[3] as f64).sqrt()
        });
        let scale = Scalar::Float(scale);
        let products = C::float_matmul(
            self.rows(self.query.clone()),
            C::float_transpose(self.key.clone()),
        );
        let products = C::float_mul_scalar(self.heads(products), scale);
        let capped = self.options.softcap.map(|cap| {
            let cap = Scalar::Float(cap);
            (
                C::float_tanh(C::float_div_scalar(products.clone(), cap)),
                cap,
            )
        });
        let scores = match &capped {
            Some((tanh, cap)) => C::float_mul_scalar(tanh.clone(), *cap),
            None => products,
        };
        let weights = self.rows(softmax(self.masked(scores)));

        let gradient = self.rows(gradient);
        let of_value = C::float_matmul(C::float_transpose(weights.clone()), gradient.clone());
        let of_weights = C::float_matmul(gradient, C::float_transpose(self.value.clone()));
        let mean = C::float_sum_dim(C::float_mul(weights.clone(), of_weights.clone()), 3);
        let of_scores = C::float_mul(weights, C::float_sub(of_weights, mean));
        let of_scores = match capped {
            Some((tanh, _)) => {
                let square = C::float_mul(tanh.clone(), tanh);
                let slope = C::float_add_scalar(C::float_neg(square), Scalar::Float(1.0));
                C::float_mul(of_scores, self.rows(slope))
            }
            None => of_scores,
        };
        let of_scores = C::float_mul_scalar(of_scores, scale);
        let of_query = self.heads(C::float_matmul(of_scores.clone(), self.key.clone()));
        let of_key = C::float_matmul(C::float_transpose(of_scores), self.rows(self.query.clone()));
        [of_query, of_key, of_value]
    }

    /// The heads that share keys as the rows of one matrix.
    fn rows(&self, x: Symbol) -> Symbol {
        let (shape, heads) = (x.shape(), self.key.shape()[1]);
        if shape[1] == heads {
            return x;
        }
        let rows = shape[1] / heads * shape[2];
        C::float_reshape(x, Shape::from([shape[0], heads, rows, shape[3]]))
    }

    /// The opposite of [`rows`](Self::rows).
    fn heads(&self, x: Symbol) -> Symbol {
        let (shape, of_query) = (x.shape(), self.query.shape());
        if shape[1] == of_query[1] {
            return x;
        }
        C::float_reshape(
            x,
            Shape::from([shape[0], of_query[1], of_query[2], shape[3]]),
        )
    }

    /// The scores, with `−∞` for the keys that a query does not see.
    fn masked(&self, scores: Symbol) -> Symbol {
        if !self.options.is_causal {
            return scores;
        }
        let (
            Kinds {
                device,
                ints,
                masks,
            },
            shape,
        ) = (self.kinds, scores.shape());
        let (queries, keys) = (shape[2], shape[3]);
        let places = |len: usize| C::int_arange(0..len as i64, device, *ints);
        let row = C::int_reshape(places(queries), Shape::from([queries, 1]));
        let column = C::int_reshape(places(keys), Shape::from([1, keys]));
        let row = C::int_add_scalar(row, Scalar::Int(self.offset));
        let mask = C::int_lower(row, column, *masks);
        let mask = C::bool_reshape(mask, Shape::from([1, 1, queries, keys]));
        let mask = C::bool_expand(mask, shape);
        C::float_mask_fill(scores, mask, Scalar::Float(f64::from(f32::NEG_INFINITY)))
    }
}

/// Softmax along the last axis; zero where all scores are `−∞`.
fn softmax(scores: Symbol) -> Symbol {
    let limits = scores.dtype().finfo();
    let (least, tiny) = limits.map_or((f64::MIN, f64::MIN_POSITIVE), |limits| {
        (limits.min, limits.min_positive)
    });
    let largest = C::float_max_dim(scores.clone(), 3);
    let largest = C::float_clamp_min(largest, Scalar::Float(least));
    let numerator = C::float_exp(C::float_sub(scores, largest));
    let sum = C::float_sum_dim(numerator.clone(), 3);
    let sum = C::float_clamp_min(sum, Scalar::Float(tiny));
    C::float_div(numerator, sum)
}

#[cfg(test)]
mod tests {
    use burn::backend::AutodiffBackend;
    use burn::backend::ops::ModuleOps;

    use super::*;
    use crate::derive::Jvp;
    use crate::lower::lower;
    use crate::program::Program;
    use crate::record::AC;
    use crate::rule::tests::{Given, plain, program, run, values};

    type Leaf = <AC as burn::backend::BackendTypes>::FloatTensorPrimitive;

    /// Shapes of queries, keys, values and output.
    struct Case {
        shapes: [[usize; 4]; 4],
        options: AttentionModuleOptions,
    }

    fn cases() -> Vec<Case> {
        let causal = |is_causal| AttentionModuleOptions {
            is_causal,
            ..Default::default()
        };
        let options = |softcap, is_causal, scale| AttentionModuleOptions {
            scale,
            softcap,
            ..causal(is_causal)
        };
        let equal = [[2, 2, 3, 4], [2, 2, 3, 4], [2, 2, 3, 5], [2, 2, 3, 5]];
        let longer = [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 2], [1, 2, 3, 2]];
        // The first two queries see no key.
        let shorter = [[1, 2, 5, 4], [1, 2, 3, 4], [1, 2, 3, 2], [1, 2, 5, 2]];
        // Two heads of queries for one of keys.
        let shared = [[1, 4, 3, 4], [1, 2, 5, 4], [1, 2, 5, 2], [1, 4, 3, 2]];
        let mut cases = Vec::new();
        for shapes in [equal, longer, shorter, shared] {
            for options in [
                options(None, false, None),
                options(None, true, Some(0.7)),
                // Burn rounds the derivative of a division by a number to f32, which is exact for a power of two.
                options(Some(2.0), true, None),
            ] {
                cases.push(Case { shapes, options });
            }
        }
        cases
    }

    fn flat(parts: [Symbol; 3]) -> Symbol {
        let flat = parts.map(|part| {
            let len = part.shape().num_elements();
            C::float_reshape(part, Shape::from([len]))
        });
        C::float_cat(flat.to_vec(), 0)
    }

    /// Burn's gradient, with keys and values repeated for the heads that share them.
    fn recorded(case: &Case) -> impl Fn(&Given) -> Symbol + '_ {
        |given| {
            let leaf = |index| -> Leaf {
                let leaf = AC::from_inner(given.at(index));
                <AC as FloatTensorOps<AC>>::float_set_require_grad(leaf, true)
            };
            let leaves = [leaf(0), leaf(1), leaf(2)];
            let [query, key, value] = leaves.clone();
            let repeated = |x: Leaf| {
                let [batch, heads, len, size] = x.shape().dims();
                let groups = case.shapes[0][1] / heads;
                let x = AC::float_reshape(x, Shape::from([batch, heads, 1, len, size]));
                let x = AC::float_expand(x, Shape::from([batch, heads, groups, len, size]));
                AC::float_reshape(x, Shape::from([batch, heads * groups, len, size]))
            };
            let (key, value) = (repeated(key), repeated(value));
            let out = AC::attention(query, key, value, None, None, case.options);
            let product = AC::float_mul(out, AC::from_inner(given.at(3)));
            let gradients = AC::backward(AC::float_sum(product));
            flat(leaves.map(|leaf| AC::grad(&leaf, &gradients).expect("a gradient")))
        }
    }

    fn written(case: &Case) -> impl Fn(&Given) -> Symbol + '_ {
        |given| {
            let kinds = Kinds {
                device: given.device,
                ints: given.settings.int_dtype,
                masks: given.settings.bool_dtype,
            };
            let attention = Attention {
                query: given.at(0),
                key: given.at(1),
                value: given.at(2),
                options: case.options,
                offset: case.shapes[1][2] as i64 - case.shapes[0][2] as i64,
                kinds: &kinds,
            };
            flat(attention.gradients(given.at(3)))
        }
    }

    /// The gradients, and their derivative along a direction.
    fn found(program: Program) -> [Vec<f64>; 2] {
        let settings = plain().settings();
        let lowered = lower(program, settings).expect("a program");
        let Jvp {
            program: derivative,
            tangent_outputs,
            ..
        } = lowered.jvp(&[0, 1, 2, 3], settings).expect("a derivative");
        let (x, u) = (values(&lowered, 0.5), values(&lowered, 91.0));
        let tangent = tangent_outputs[0].expect("a tangent");
        [
            run(&lowered, &[&x], 0),
            run(&derivative, &[&x, &u], tangent),
        ]
    }

    #[test]
    fn it_is_burns_gradient_and_has_its_derivative() {
        for case in cases() {
            let shapes: Vec<&[usize]> = case.shapes.iter().map(|shape| &shape[..]).collect();
            let expected = found(program(&shapes, recorded(&case)));
            let found = found(program(&shapes, written(&case)));
            for (found, expected) in found.iter().zip(&expected) {
                assert!(expected.iter().any(|x| x.abs() > 1e-2));
                let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
                let worst = worst.fold(0.0, f64::max);
                let Case { shapes, options } = &case;
                assert!(worst < 1e-13, "{worst:e} {shapes:?} {options:?}");
            }
        }
    }

    /// A program that also computes the output has one softmax.
    #[test]
    fn it_shares_its_softmax_with_the_forward_pass() {
        for case in cases().into_iter().take(9) {
            let shapes: Vec<&[usize]> = case.shapes.iter().map(|shape| &shape[..]).collect();
            let both = program(&shapes, |given| {
                let out = C::attention(
                    given.at(0),
                    given.at(1),
                    given.at(2),
                    None,
                    None,
                    case.options,
                );
                let gradients = written(&case)(given);
                let len = out.shape().num_elements();
                let out = C::float_reshape(out, Shape::from([len]));
                C::float_cat(vec![out, gradients], 0)
            });
            let lowered = lower(both, plain().settings()).expect("a program");
            let exponentials = lowered.operation_names();
            assert_eq!(exponentials.filter(|name| name == "Float::Exp").count(), 1);
        }
    }
}
