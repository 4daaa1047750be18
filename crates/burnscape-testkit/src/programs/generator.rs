//! The programs of [`RandomNet`](super::RandomNet), whose shapes fit.

mod attention;

use super::{Binary, Draws, INPUTS, OUTPUTS, Ordered, Product, Reduction, Shape, Step, Unary};

/// The most elements of a tensor.
const LARGEST: usize = 600;
/// The largest power of a number that a tensor holds: products of products would leave the range of numbers.
const DEGREE: u32 = 4;

/// A vector of a network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vector {
    pub(super) length: usize,
    /// Around one; others are around zero.
    pub(super) is_gain: bool,
}

/// A program, and the shapes of its parameters.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) matrices: Vec<[usize; 2]>,
    pub(super) vectors: Vec<Vector>,
    pub(super) steps: Vec<Step>,
    pub(super) outputs: Vec<usize>,
}

/// What is known of a tensor before it is computed.
#[derive(Debug, Clone, Copy)]
struct Slot {
    shape: Shape,
    degree: u32,
}

/// Adds steps at random.
pub(super) struct Generator {
    draws: Draws,
    plan: Plan,
    pool: Vec<Slot>,
}

fn count(shape: Shape) -> usize {
    shape.iter().product()
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        let pool = INPUTS.map(|shape| Slot { shape, degree: 1 });
        Self {
            draws: Draws::new(seed),
            plan: Plan::default(),
            pool: pool.to_vec(),
        }
    }

    pub(super) fn plan(mut self) -> Plan {
        // Most attempts add a step, some several, and a few none.
        let attempts = 10 + self.draws.below(14);
        for _ in 0..attempts {
            self.grow();
        }
        self.finish()
    }

    /// Sends the last tensors to the outputs.
    fn finish(mut self) -> Plan {
        let all = self.pool.len();
        for of in all.saturating_sub(3)..all {
            let Slot { shape, degree } = self.pool[of];
            self.plan.matrices.push([shape[3], OUTPUTS]);
            let step = Step::Linear {
                of,
                weight: self.plan.matrices.len() - 1,
                transposed: false,
                bias: None,
                product: Product::Layer,
            };
            let shape = [shape[0], shape[1], shape[2], OUTPUTS];
            let made = self.add(step, shape, degree);
            self.plan.outputs.push(made);
        }
        self.plan
    }

    /// Adds a step, and returns the index of what it makes.
    fn add(&mut self, step: Step, shape: Shape, degree: u32) -> usize {
        self.plan.steps.push(step);
        self.pool.push(Slot { shape, degree });
        self.pool.len() - 1
    }

    /// Adds a step if what it makes is neither too large nor of too high a power.
    fn push(&mut self, step: Step, shape: Shape, degree: u32) -> Option<usize> {
        let fits = count(shape) <= LARGEST && degree <= DEGREE;
        fits.then(|| self.add(step, shape, degree))
    }

    /// A tensor, one time in two of the last ones.
    fn pick(&mut self) -> usize {
        let all = self.pool.len();
        match self.draws.chance(0.5) {
            true => all - 1 - self.draws.below(3),
            false => self.draws.below(all),
        }
    }

    /// One of the tensors for which this holds.
    fn partner(&mut self, fits: impl Fn(usize, Slot) -> bool) -> Option<usize> {
        let all = self.pool.iter().enumerate();
        let fitting: Vec<usize> = all
            .filter(|&(index, &slot)| fits(index, slot))
            .map(|(index, _)| index)
            .collect();
        self.draws.choose(&fitting)
    }

    /// An axis other than that of the examples, of at least this length.
    fn axis(&mut self, shape: Shape, least: usize) -> Option<usize> {
        let long: Vec<usize> = (1..4).filter(|&axis| shape[axis] >= least).collect();
        self.draws.choose(&long)
    }

    fn divisor(&mut self, of: usize) -> usize {
        let all: Vec<usize> = (1..=of).filter(|&k| of.is_multiple_of(k)).collect();
        self.draws.choose(&all).unwrap_or(1)
    }

    fn grow(&mut self) {
        let of = self.pick();
        // The input has no symmetries: programs begin with products.
        if self.pool.len() < 6 {
            self.linear(of, None);
            return;
        }
        let _: Option<usize> = match self.draws.below(26) {
            0..=4 => self.linear(of, None),
            5 | 6 => self.unary(of),
            7..=9 => self.binary(of),
            10 => self.cat(of),
            11 | 12 => self.slice(of),
            13 | 14 => self.reshape(of),
            15 => self.permute(of),
            16 => self.matmul(of),
            17 => self.attention_over(of),
            18 => self.reduce(of),
            19 => self.softmax(of),
            20 => self.norm(of),
            21 => self.repeat(of),
            22 => self.place(of),
            23 => self.ordered(of),
            _ => self.heads(of),
        };
    }

    /// A matrix with these axes, one time in three of another step, maybe transposed.
    fn matrix(&mut self, from: usize, to: usize) -> (usize, bool) {
        let all = self.plan.matrices.iter().enumerate();
        let known: Vec<(usize, bool)> = all
            .filter_map(|(index, &[rows, columns])| {
                if (rows, columns) == (from, to) {
                    Some((index, false))
                } else if (rows, columns) == (to, from) {
                    Some((index, true))
                } else {
                    None
                }
            })
            .collect();
        if self.draws.chance(0.33)
            && let Some(shared) = self.draws.choose(&known)
        {
            return shared;
        }
        self.plan.matrices.push([from, to]);
        (self.plan.matrices.len() - 1, false)
    }

    fn vector(&mut self, length: usize, is_gain: bool) -> usize {
        let all = self.plan.vectors.iter().enumerate();
        let known: Vec<usize> = all
            .filter(|(_, other)| other.length == length && other.is_gain == is_gain)
            .map(|(index, _)| index)
            .collect();
        if self.draws.chance(0.15)
            && let Some(shared) = self.draws.choose(&known)
        {
            return shared;
        }
        self.plan.vectors.push(Vector { length, is_gain });
        self.plan.vectors.len() - 1
    }

    fn linear(&mut self, of: usize, to: Option<usize>) -> Option<usize> {
        let Slot { shape, degree } = self.pool[of];
        let to = match to {
            Some(to) => to,
            None => self.draws.choose(&[4, 6, 8, 12])?,
        };
        let made = [shape[0], shape[1], shape[2], to];
        if count(made) > LARGEST {
            return None;
        }
        let (weight, transposed) = self.matrix(shape[3], to);
        let has_bias = self.draws.chance(0.6);
        let bias = has_bias.then(|| self.vector(to, false));
        let products = [Product::Layer, Product::Batched, Product::Rows];
        let step = Step::Linear {
            of,
            weight,
            transposed,
            bias,
            product: self.draws.choose(&products)?,
        };
        self.push(step, made, degree)
    }

    fn unary(&mut self, of: usize) -> Option<usize> {
        let Slot { shape, degree } = self.pool[of];
        let kinds = [
            (Unary::Relu, degree),
            (Unary::Tanh, 1),
            (Unary::Sigmoid, 1),
            (Unary::Gelu, degree),
            (Unary::Square, 2 * degree),
            (Unary::Affine, degree),
        ];
        let (kind, degree) = self.draws.choose(&kinds)?;
        self.push(Step::Unary { of, kind }, shape, degree)
    }

    /// With a tensor whose axes are as long, or 1 on either side.
    fn binary(&mut self, left: usize) -> Option<usize> {
        let own = self.pool[left];
        let right = self.partner(|index, other| {
            let mut axes = own.shape.iter().zip(other.shape);
            index != left && axes.all(|(&a, b)| a == b || a == 1 || b == 1)
        })?;
        let other = self.pool[right];
        let shape = std::array::from_fn(|axis| own.shape[axis].max(other.shape[axis]));
        let larger = own.degree.max(other.degree);
        let kinds = [
            (Binary::Add, larger),
            (Binary::Add, larger),
            (Binary::Sub, larger),
            (Binary::Mul, own.degree + other.degree),
            (Binary::Max, larger),
        ];
        let (kind, degree) = self.draws.choose(&kinds)?;
        // Burn's maximum of two tensors does not broadcast.
        let kind = match kind {
            Binary::Max if own.shape != other.shape => Binary::Add,
            kind => kind,
        };
        self.push(Step::Binary { left, right, kind }, shape, degree)
    }

    fn cat(&mut self, left: usize) -> Option<usize> {
        let own = self.pool[left];
        let axis = 1 + self.draws.below(3);
        let right = self.partner(|_, other| {
            (0..4).all(|index| index == axis || own.shape[index] == other.shape[index])
        })?;
        let other = self.pool[right];
        let mut shape = own.shape;
        shape[axis] += other.shape[axis];
        let degree = own.degree.max(other.degree);
        self.push(Step::Cat { left, right, axis }, shape, degree)
    }

    /// One time in two an equal part, otherwise anything.
    fn slice(&mut self, of: usize) -> Option<usize> {
        let shape = self.pool[of].shape;
        let axis = self.axis(shape, 2)?;
        let size = shape[axis];
        let (start, length) = if self.draws.chance(0.5) {
            let length = self.divisor(size);
            (length * self.draws.below(size / length), length)
        } else {
            let start = self.draws.below(size);
            (start, 1 + self.draws.below(size - start))
        };
        if length == size {
            return None;
        }
        self.sliced(of, axis, start, length)
    }

    fn sliced(&mut self, of: usize, axis: usize, start: usize, length: usize) -> Option<usize> {
        let Slot { mut shape, degree } = self.pool[of];
        shape[axis] = length;
        let step = Step::Slice {
            of,
            axis,
            start,
            length,
        };
        self.push(step, shape, degree)
    }

    fn reshape(&mut self, of: usize) -> Option<usize> {
        let [batch, groups, places, features] = self.pool[of].shape;
        let shape = match self.draws.below(5) {
            0 => [batch, 1, 1, groups * places * features],
            1 => [batch, 1, groups * places, features],
            2 => [batch, groups, 1, places * features],
            3 if groups == 1 => {
                let part = self.divisor(features);
                [batch, places, part, features / part]
            }
            3 => {
                let part = self.divisor(groups);
                [batch, part, groups / part * places, features]
            }
            // Most of these cut across what is there.
            _ => {
                let all = groups * places * features;
                let first = self.divisor(all);
                let second = self.divisor(all / first);
                [batch, first, second, all / first / second]
            }
        };
        self.reshaped(of, shape)
    }

    fn reshaped(&mut self, of: usize, shape: Shape) -> Option<usize> {
        let own = self.pool[of];
        if own.shape == shape || count(own.shape) != count(shape) {
            return None;
        }
        self.push(Step::Reshape { of, shape }, shape, own.degree)
    }

    fn permute(&mut self, of: usize) -> Option<usize> {
        let order = self.draws.permutation(3);
        self.permuted(of, [0, 1 + order[0], 1 + order[1], 1 + order[2]])
    }

    fn permuted(&mut self, of: usize, axes: Shape) -> Option<usize> {
        let Slot { shape, degree } = self.pool[of];
        if axes == [0, 1, 2, 3] {
            return None;
        }
        let shape = axes.map(|axis| shape[axis]);
        self.push(Step::Permute { of, axes }, shape, degree)
    }

    fn reduce(&mut self, of: usize) -> Option<usize> {
        let Slot { mut shape, degree } = self.pool[of];
        let axis = self.axis(shape, 2)?;
        shape[axis] = 1;
        let kinds = [Reduction::Sum, Reduction::Mean, Reduction::Max];
        let kind = self.draws.choose(&kinds)?;
        self.push(Step::Reduce { of, axis, kind }, shape, degree)
    }

    fn softmax(&mut self, of: usize) -> Option<usize> {
        let shape = self.pool[of].shape;
        let axis = self.axis(shape, 2)?;
        self.push(Step::Softmax { of, axis }, shape, 1)
    }

    fn norm(&mut self, of: usize) -> Option<usize> {
        let shape = self.pool[of].shape;
        if shape[3] < 2 {
            return None;
        }
        let step = Step::Norm {
            of,
            gain: self.vector(shape[3], true),
            shift: self.vector(shape[3], false),
            is_whole: self.draws.chance(0.5),
        };
        self.push(step, shape, 1)
    }

    fn repeat(&mut self, of: usize) -> Option<usize> {
        let Slot { mut shape, degree } = self.pool[of];
        let axis = self.axis(shape, 1)?;
        let times = 2 + self.draws.below(2);
        shape[axis] *= times;
        self.push(Step::Repeat { of, axis, times }, shape, degree)
    }

    fn place(&mut self, of: usize) -> Option<usize> {
        let Slot { mut shape, degree } = self.pool[of];
        let axis = self.axis(shape, 1)?;
        let (before, after) = (self.draws.below(3), self.draws.below(3));
        if before + after == 0 {
            return None;
        }
        shape[axis] += before + after;
        let step = Step::Place {
            of,
            axis,
            before,
            after,
        };
        self.push(step, shape, degree)
    }

    fn ordered(&mut self, of: usize) -> Option<usize> {
        let Slot { shape, degree } = self.pool[of];
        let axis = self.axis(shape, 2)?;
        let kinds = [Ordered::CumSum, Ordered::Flip, Ordered::Sort];
        let kind = self.draws.choose(&kinds)?;
        self.push(Step::Ordered { of, axis, kind }, shape, degree)
    }
}
