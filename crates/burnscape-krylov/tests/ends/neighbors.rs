//! Neighbors and copies near the wanted end, from seeds that no threshold was chosen with.

use burnscape_krylov::Which;

use super::cases::{Method, say};

const SEEDS: std::ops::Range<u64> = 100..140;

fn steps() -> Vec<f64> {
    let mut values: Vec<f64> = (0..100).map(|i| f64::from(i / 25)).collect();
    values.push(1e6);
    values
}

#[test]
fn davidson_finds_copies_whatever_a_lone_random_vector_shows() {
    // Of a hundred dimensions a random vector may see none of the end that it has a part in.
    for (seed, k) in SEEDS.flat_map(|seed| [(seed, 3), (seed, 4)]) {
        let said = say(Method::Davidson, &steps(), (k, Which::Smallest), seed);
        assert!(said.converged && said.is_right(), "{seed}, {k}");
    }
}

#[test]
fn a_block_that_is_exhausted_in_part_goes_on_with_the_rest() {
    // Three times the four steps, the outlier and the pairs' own products; nine hundred where fresh vectors
    // took the place of what the outlier left out.
    for seed in SEEDS {
        let said = say(Method::Block, &steps(), (3, Which::Smallest), seed);
        assert!(said.converged && said.is_right(), "{seed}");
        assert!(said.num_matvecs <= 20, "{seed}: {}", said.num_matvecs);
    }
}

#[test]
fn one_vector_turns_to_the_outermost_of_a_cluster() {
    for outlier in [97.0, 1e4] {
        let mut values = vec![0.0, 0.0022, 0.0044];
        values.extend((0..130).map(|i| 1.0 + f64::from(i) / 129.0));
        values.push(outlier);
        for method in [Method::Lanczos, Method::Davidson] {
            for (seed, k) in SEEDS.flat_map(|seed| [(seed, 1), (seed, 2)]) {
                let said = say(method, &values, (k, Which::Smallest), seed);
                let is_right = said.converged && said.is_right();
                assert!(
                    is_right,
                    "{method:?}, {outlier:e}, {seed}, {k}: {}",
                    said.excess
                );
            }
        }
    }
}
