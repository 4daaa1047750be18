use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::loss::Digest;
use crate::space::mix;

/// Numbers from 0 to 1, one for each element of a tensor of a model, in order. They depend on the seed, the index of
/// the model and the name of the tensor, and on nothing else.
#[derive(Debug, Clone)]
pub(super) struct Draws(Xoshiro256PlusPlus);

impl Draws {
    pub(super) fn new(seed: u64, model: usize, name: &str) -> Self {
        let mut digest = Digest::new();
        digest.bytes(name.bytes());
        let seed = mix(mix(seed, model as u64), digest.value());
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// At least 0 and less than 1, uniform.
    pub(super) fn uniform(&mut self) -> f64 {
        self.0.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_model_and_name_has_its_own_draws() {
        let first = |seed, model, name| Draws::new(seed, model, name).uniform();
        let all = [
            first(0, 0, "a"),
            first(1, 0, "a"),
            first(0, 1, "a"),
            first(0, 0, "b"),
            first(0, 0, "ab"),
        ];
        for (index, draw) in all.iter().enumerate() {
            assert!((0.0..1.0).contains(draw));
            assert!(all[..index].iter().all(|other| other != draw), "{index}");
        }
        assert_eq!(first(0, 0, "a"), all[0]);
    }
}
