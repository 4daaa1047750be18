//! Random vectors: their streams and their moments.

use burnscape_krylov::{Probe, VectorSpace};

fn draw(probe: Probe, seed: u64, index: u64) -> Vec<f64> {
    probe.draw(&4000, seed, index).unwrap()
}

#[test]
fn a_probe_is_a_function_of_seed_and_index() {
    for probe in [Probe::Rademacher, Probe::Gaussian] {
        assert_eq!(draw(probe, 1, 2), draw(probe, 1, 2));
        for (seed, index) in [(1, 3), (2, 2), (2, 1), (0, 3)] {
            assert_ne!(draw(probe, 1, 2), draw(probe, seed, index));
        }
    }
}

#[test]
fn types_hold_the_same_probe_to_rounding() {
    let wide = draw(Probe::Gaussian, 5, 0);
    let narrow: Vec<f32> = Probe::Gaussian.draw(&4000, 5, 0).unwrap();
    assert!(
        wide.iter()
            .zip(&narrow)
            .all(|(&wide, &narrow)| wide as f32 == narrow)
    );
}

#[test]
fn coordinates_have_mean_zero_and_variance_one() {
    for probe in [Probe::Rademacher, Probe::Gaussian] {
        let v = draw(probe, 0, 0);
        let mean = v.iter().sum::<f64>() / 4000.0;
        let second = v.dot(&v).unwrap() / 4000.0;
        // Four standard errors of the mean; of the second moment for a Gaussian.
        assert!(mean.abs() < 4.0 / 4000.0_f64.sqrt(), "{probe:?}: {mean}");
        assert!(
            (second - 1.0).abs() < 4.0 * (2.0_f64 / 4000.0).sqrt(),
            "{probe:?}: {second}"
        );
    }
    assert!(draw(Probe::Rademacher, 0, 0).iter().all(|x| x.abs() == 1.0));
}

#[test]
fn neighboring_probes_are_uncorrelated() {
    for probe in [Probe::Rademacher, Probe::Gaussian] {
        for (seed, index) in [(7, 1), (8, 0), (8, 1)] {
            let product = draw(probe, 7, 0).dot(&draw(probe, seed, index)).unwrap();
            assert!(
                product.abs() < 4.0 * 4000.0_f64.sqrt(),
                "{probe:?}: {product}"
            );
        }
    }
}
