//! Pseudo-random numbers that are the same on every machine.

use std::f64::consts::TAU;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// The stream of this seed. Streams of neighboring seeds have nothing in common.
    pub fn new(seed: u64) -> Self {
        let mut draws = Self { state: seed };
        draws.state = draws.word();
        draws
    }

    fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A standard normal number.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }

    /// An index below `count`, or 0 if there is none.
    pub fn below(&mut self, count: usize) -> usize {
        (self.word() % count.max(1) as u64) as usize
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// One of the items.
    pub fn choose<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }

    /// A permutation of `0..count`.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            let other = self.below(last + 1);
            order.swap(last, other);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_moments_of_their_law() {
        let mut draws = Draws::new(1);
        let count = 20_000;
        let normal: Vec<f64> = (0..count).map(|_| draws.normal()).collect();
        let mean = normal.iter().sum::<f64>() / f64::from(count);
        let square = normal.iter().map(|x| x * x).sum::<f64>() / f64::from(count);
        assert!(
            mean.abs() < 0.03 && (square - 1.0).abs() < 0.05,
            "{mean} {square}"
        );
        let uniform = (0..count).map(|_| draws.uniform()).sum::<f64>() / f64::from(count);
        assert!((uniform - 0.5).abs() < 0.02, "{uniform}");
    }

    #[test]
    fn a_permutation_has_every_index_once() {
        let mut draws = Draws::new(2);
        for count in 0..9 {
            let mut order = draws.permutation(count);
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
        let empty: [usize; 0] = [];
        assert_eq!(draws.choose(&empty), None);
    }

    #[test]
    fn neighboring_seeds_have_streams_of_their_own() {
        let [mut a, mut b] = [7, 8].map(Draws::new);
        let streams = [&mut a, &mut b].map(|draws| {
            (0..50)
                .map(|_| draws.uniform().to_bits())
                .collect::<Vec<_>>()
        });
        assert!(streams[0].iter().all(|word| !streams[1].contains(word)));
    }
}
