//! Products of tensors, and attention.

use super::{Binary, Generator, Step};

impl Generator {
    /// With any tensor that fits, transposed or not.
    pub(super) fn matmul(&mut self, left: usize) -> Option<usize> {
        let own = self.pool[left].shape;
        let transposed = self.draws.chance(0.5);
        let contracted = if transposed { 3 } else { 2 };
        let right = self.partner(|_, other| {
            let groups = [own[1], other.shape[1]];
            let meets = groups[0] == groups[1] || groups.contains(&1);
            meets && other.shape[contracted] == own[3]
        })?;
        self.multiplied(left, right, transposed)
    }

    /// A product of tensors that fit.
    fn multiplied(&mut self, left: usize, right: usize, transposed: bool) -> Option<usize> {
        let (own, other) = (self.pool[left], self.pool[right]);
        let free = if transposed { 2 } else { 3 };
        let shape = [
            own.shape[0],
            own.shape[1].max(other.shape[1]),
            own.shape[2],
            other.shape[free],
        ];
        let step = Step::Matmul {
            left,
            right,
            transposed,
        };
        self.push(step, shape, own.degree + other.degree)
    }

    /// Attention of a tensor over others, often itself.
    pub(super) fn attention_over(&mut self, query: usize) -> Option<usize> {
        let own = self.pool[query].shape;
        let key = self.partner(|_, other| other.shape[1] == own[1] && other.shape[3] == own[3])?;
        let places = self.pool[key].shape[2];
        let value =
            self.partner(|_, other| other.shape[1] == own[1] && other.shape[2] == places)?;
        self.attention(query, key, value)
    }

    fn attention(&mut self, query: usize, key: usize, value: usize) -> Option<usize> {
        let scores = self.multiplied(query, key, true)?;
        let shape = self.pool[scores].shape;
        let shares = Step::Softmax {
            of: scores,
            axis: 3,
        };
        let shares = self.push(shares, shape, 1)?;
        self.multiplied(shares, value, false)
    }

    /// Attention with several heads, from three matrices or from one, and a residual sum.
    pub(super) fn heads(&mut self, of: usize) -> Option<usize> {
        let [batch, groups, places, features] = self.pool[of].shape;
        if groups != 1 {
            return None;
        }
        let heads = 2 + self.draws.below(2);
        let width = self.draws.choose(&[2, 4])?;
        let split = [batch, places, heads, width];
        let parts = match self.draws.below(3) {
            0 => {
                let mut parts = [0; 3];
                for part in &mut parts {
                    let made = self.linear(of, Some(heads * width))?;
                    let made = self.reshaped(made, split)?;
                    *part = self.permuted(made, [0, 2, 1, 3])?;
                }
                parts
            }
            1 => {
                let all = self.linear(of, Some(3 * heads * width))?;
                let mut parts = [0; 3];
                for (index, part) in parts.iter_mut().enumerate() {
                    let made = self.sliced(all, 3, index * heads * width, heads * width)?;
                    let made = self.reshaped(made, split)?;
                    *part = self.permuted(made, [0, 2, 1, 3])?;
                }
                parts
            }
            _ => {
                let all = self.linear(of, Some(3 * heads * width))?;
                let all = self.reshaped(all, [batch, places, heads, 3 * width])?;
                let all = self.permuted(all, [0, 2, 1, 3])?;
                let mut parts = [0; 3];
                for (index, part) in parts.iter_mut().enumerate() {
                    *part = self.sliced(all, 3, index * width, width)?;
                }
                parts
            }
        };
        let [query, key, value] = parts;
        let context = self.attention(query, key, value)?;
        let context = self.permuted(context, [0, 2, 1, 3])?;
        let context = self.reshaped(context, [batch, 1, places, heads * width])?;
        let right = self.linear(context, Some(features))?;
        let degree = self.pool[of].degree.max(self.pool[right].degree);
        let sum = Step::Binary {
            left: of,
            right,
            kind: Binary::Add,
        };
        self.push(sum, self.pool[of].shape, degree)
    }
}
