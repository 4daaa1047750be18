//! Functions of which a network sees a few values: addition modulo a prime, and the depth of parentheses.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::studies::criteria::grokking::{ADDITION, DYCK};

/// Where the ones of each input are, `[n, ones]`, and the class of each, `[n]`.
pub(super) type Examples = (Tensor<2, Int>, Tensor<1, Int>);

/// Parts of the training data for commutators: three pairs.
pub(super) const PARTS: usize = 6;

/// A function on finitely many inputs, which have a few ones and zeros otherwise.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) name: &'static str,
    ones: Vec<Vec<usize>>,
    classes: Vec<usize>,
    /// The length of an input.
    pub(super) inputs: usize,
    pub(super) num_classes: usize,
    pub(super) num_train: usize,
    /// Standard deviation of the weights of the first layer at the start.
    pub(super) deviation: f64,
    /// The test accuracy of a network that generalizes.
    pub(super) generalized: f64,
    /// The step from which on a training is interfered with.
    pub(super) from: usize,
}

impl Task {
    /// `a + b` modulo a prime, from both terms, of which 40 % of all pairs are shown.
    pub(super) fn addition(modulus: usize, from: usize) -> Self {
        let pairs = (0..modulus).flat_map(|a| (0..modulus).map(move |b| [a, b]));
        let pairs: Vec<[usize; 2]> = pairs.collect();
        let ones = pairs.iter().map(|[a, b]| vec![*a, modulus + b]);
        let classes = pairs.iter().map(|[a, b]| (a + b) % modulus);
        Self {
            name: ADDITION,
            ones: ones.collect(),
            classes: classes.collect(),
            inputs: 2 * modulus,
            num_classes: modulus,
            num_train: in_parts(0.4, pairs.len()),
            deviation: 0.125_f64.sqrt(),
            generalized: 0.5,
            from,
        }
    }

    /// How many parentheses are open after a string of even length in which none is closed too early. 15 % of all
    /// strings are shown.
    pub(super) fn dyck(length: usize, from: usize) -> Self {
        let mut strings: Vec<(Vec<usize>, usize)> = vec![(Vec::new(), 0)];
        for place in 0..length {
            let longer = |(ones, depth): (Vec<usize>, usize)| {
                let closed = depth.checked_sub(1).map(|depth| (2 * place + 1, depth));
                let both = [Some((2 * place, depth + 1)), closed].into_iter().flatten();
                both.map(move |(one, depth)| ([ones.as_slice(), &[one]].concat(), depth))
            };
            strings = strings.into_iter().flat_map(longer).collect();
        }
        let num_train = in_parts(0.15, strings.len());
        // The depth is even.
        let halved = strings.into_iter().map(|(ones, depth)| (ones, depth / 2));
        let (ones, classes) = halved.unzip();
        Self {
            name: DYCK,
            ones,
            classes,
            inputs: 2 * length,
            num_classes: length / 2 + 1,
            num_train,
            deviation: 1.0,
            generalized: 0.9,
            from,
        }
    }

    /// All inputs, in their order.
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.classes.len()).collect()
    }

    /// Those that are shown, and the others.
    pub(super) fn split(&self, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let mut shown = self.all();
        shown.shuffle(&mut StdRng::seed_from_u64(seed));
        let others = shown.split_off(self.num_train);
        (shown, others)
    }

    pub(super) fn class(&self, input: usize) -> usize {
        self.classes[input]
    }

    pub(super) fn examples(&self, inputs: &[usize], device: &Device) -> Examples {
        let ones = inputs.iter().flat_map(|&input| &self.ones[input]);
        let ones: Vec<i64> = ones.map(|&one| one as i64).collect();
        let shape = [inputs.len(), ones.len() / inputs.len().max(1)];
        let classes = inputs.iter().map(|&input| self.classes[input] as i64);
        let classes = TensorData::new(classes.collect::<Vec<i64>>(), [inputs.len()]);
        (
            Tensor::from_data(TensorData::new(ones, shape), device),
            Tensor::from_data(classes, device),
        )
    }
}

/// A share of all, to equal parts.
fn in_parts(share: f64, total: usize) -> usize {
    let count = (share * total as f64) as usize;
    count - count % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_both_terms() {
        let task = Task::addition(31, 500);
        assert_eq!((task.all().len(), task.num_train), (961, 384));
        assert_eq!(task.ones[31 * 20 + 15], [20, 31 + 15]);
        assert_eq!(task.class(31 * 20 + 15), 4);
    }

    #[test]
    fn depths_count_what_is_open() {
        let task = Task::dyck(12, 200);
        // The binomial coefficient of 12 over 6.
        assert_eq!((task.all().len(), task.num_train), (924, 138));
        for input in task.all() {
            let (mut depth, ones) = (0_i64, &task.ones[input]);
            for (place, one) in ones.iter().enumerate() {
                assert_eq!(one / 2, place);
                depth += if one % 2 == 0 { 1 } else { -1 };
                assert!(depth >= 0);
            }
            assert_eq!(depth, 2 * task.class(input) as i64);
        }
    }

    #[test]
    fn a_split_has_every_input_once() {
        let task = Task::dyck(8, 200);
        let (mut shown, others) = task.split(3);
        assert_eq!((shown.len(), others.len()), (6, 64));
        assert_ne!(task.split(4).0, shown);
        shown.extend(others);
        shown.sort_unstable();
        assert_eq!(shown, task.all());
        let (ones, classes) = task.examples(&[0, 5], &Device::default());
        assert_eq!((ones.dims(), classes.dims()), ([2, 8], [2]));
    }
}
