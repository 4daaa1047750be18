use std::ops::ControlFlow;

use super::*;
use crate::{Dense, Scaled, Symmetric};

const N: usize = 20;

/// A symmetric matrix whose entries have no pattern.
fn matrix(phase: f64) -> Symmetric<Dense> {
    let entry = |index: usize| {
        let (i, j) = (index / N, index % N);
        let at = (i.min(j) * N + i.max(j)) as f64 + phase;
        (0.37 * at.powf(1.31)).sin() + if i == j { 2.0 } else { 0.0 }
    };
    let dense = Dense::from_row_major(N, N, (0..N * N).map(entry).collect()).unwrap();
    Symmetric::verified(dense, 1e-12, 0).unwrap()
}

/// `v vᵀ` for the unit vector along the sines of multiples of `index`: those of different indices are orthogonal.
fn projector(index: usize) -> Symmetric<Dense> {
    let angle = std::f64::consts::PI * index as f64 / (N + 1) as f64;
    let v = |i: usize| ((i + 1) as f64 * angle).sin() * (2.0 / (N + 1) as f64).sqrt();
    let entries = (0..N * N).map(|place| v(place / N) * v(place % N));
    let dense = Dense::from_row_major(N, N, entries.collect()).unwrap();
    Symmetric::verified(dense, 1e-12, 0).unwrap()
}

/// `tr(AB)`, `|A|` and `|B|`.
fn exact(a: &Symmetric<Dense>, b: &Symmetric<Dense>) -> [f64; 3] {
    let inner = |a: &Symmetric<Dense>, b: &Symmetric<Dense>| -> f64 {
        let pairs = a.operator().as_slice().iter().zip(b.operator().as_slice());
        pairs.map(|(a, b)| a * b).sum()
    };
    [inner(a, b), inner(a, a).sqrt(), inner(b, b).sqrt()]
}

#[test]
fn estimates_are_the_exact_values_within_their_errors() {
    let (a, b) = (matrix(0.3), matrix(7.1));
    let [inner, norm_a, norm_b] = exact(&a, &b);
    let found = OverlapConfig::new().with_num_probes(2000).run(&a, &b);
    let found = found.unwrap();
    for (estimate, exact) in [
        (found.inner, inner),
        (found.norm_a, norm_a),
        (found.norm_b, norm_b),
        (found.cosine, inner / (norm_a * norm_b)),
    ] {
        let error = estimate.standard_error.unwrap();
        assert!(error > 0.0 && error < 0.05 * exact.abs(), "{error} {exact}");
        assert!(
            (estimate.value - exact).abs() < 4.0 * error,
            "{estimate:?} {exact}"
        );
        assert_eq!(estimate.samples, 2000);
    }
    assert_eq!(
        (found.num_matvecs, found.outcome),
        (4000, Outcome::Converged)
    );
}

#[test]
fn intervals_cover_the_cosine() {
    let (a, b) = (matrix(0.3), matrix(7.1));
    let [inner, norm_a, norm_b] = exact(&a, &b);
    let covers = |seed: u64| {
        let found = OverlapConfig::new().with_seed(seed).run(&a, &b).unwrap();
        (found.cosine.value - inner / (norm_a * norm_b)).abs() <= found.half_width.unwrap()
    };
    let covered = (0..400).filter(|&seed| covers(seed)).count();
    assert!((362..=398).contains(&covered), "{covered} of 400");
}

#[test]
fn an_operator_is_itself() {
    let a = matrix(0.3);
    for num_probes in [2, 7, 64] {
        let config = OverlapConfig::new().with_num_probes(num_probes);
        let found = config.run(&a, &a).unwrap();
        assert_eq!(found.cosine.value, 1.0);
        assert_eq!(
            (found.cosine.standard_error, found.half_width),
            (Some(0.0), Some(0.0))
        );
        let opposite = config.run(&a, &Scaled::new(&a, -1.0).unwrap()).unwrap();
        assert_eq!(opposite.cosine.value, -1.0);
    }
}

#[test]
fn the_cosine_does_not_depend_on_scales() {
    let (a, b) = (matrix(0.3), matrix(7.1));
    let plain = OverlapConfig::new().run(&a, &b).unwrap();
    let scaled = |left: f64, right: f64| {
        let (a, b) = (
            Scaled::new(&a, left).unwrap(),
            Scaled::new(&b, right).unwrap(),
        );
        OverlapConfig::new().run(&a, &b).unwrap()
    };
    // With powers of two, every step is exact.
    let powers = scaled(2.0_f64.powi(200), 2.0_f64.powi(-300));
    assert_eq!(
        (powers.cosine, powers.half_width),
        (plain.cosine, plain.half_width)
    );
    let thirds = scaled(3.0, 0.7);
    assert!((thirds.cosine.value - plain.cosine.value).abs() < 1e-14);
    assert!((thirds.norm_a.value / plain.norm_a.value - 3.0).abs() < 1e-13);
    assert_eq!(scaled(1.0, -1.0).cosine.value, -plain.cosine.value);
}

#[test]
fn projectors_on_orthogonal_subspaces_do_not_overlap() {
    let found = OverlapConfig::new()
        .run(&projector(2), &projector(5))
        .unwrap();
    assert!(found.inner.value.abs() < 1e-13 && found.cosine.value.abs() < 1e-13);
    let one = found.norm_a;
    assert!((one.value - 1.0).abs() < 4.0 * one.standard_error.unwrap());
}

#[test]
fn a_single_vector_has_no_interval_and_a_zero_operator_no_cosine() {
    let a = matrix(0.3);
    let one = OverlapConfig::new()
        .with_num_probes(1)
        .run(&a, &matrix(7.1))
        .unwrap();
    assert_eq!((one.half_width, one.inner.standard_error), (None, None));
    assert!(one.cosine.value.is_finite());
    assert_eq!(one.outcome, Outcome::LimitReached);
    let zero = Symmetric::verified(Dense::diagonal(&[0.0; N]), 1e-12, 0).unwrap();
    let found = OverlapConfig::new().run(&a, &zero).unwrap();
    assert!(found.cosine.value.is_nan() && found.norm_b.value == 0.0);
    assert_eq!(found.inner.value, 0.0);
}

#[test]
fn settings_and_operators_that_make_no_sense_are_refused() {
    let a = matrix(0.3);
    let refused = |config: OverlapConfig| config.run(&a, &a).unwrap_err();
    assert_eq!(
        refused(OverlapConfig::new().with_num_probes(0)),
        KrylovFault::NoProbes {
            method: "an overlap",
            name: "num_probes",
            needed: 1,
            found: 0
        }
    );
    for confidence in [0.0, 1.0, -0.5, f64::NAN] {
        let error = refused(OverlapConfig::new().with_confidence(confidence));
        assert!(
            matches!(
                error,
                KrylovFault::OutOfBounds {
                    name: "confidence",
                    ..
                }
            ),
            "{error}"
        );
    }
    let small = Symmetric::verified(Dense::identity(3), 1e-12, 0).unwrap();
    let (expected, found) = (N, 3);
    assert_eq!(
        OverlapConfig::new().run(&a, &small).unwrap_err(),
        KrylovFault::DimensionMismatch { expected, found }
    );
}

#[test]
fn products_that_are_not_finite_are_told_apart() {
    let of = |entry: f64| Diagonal(vec![1.0, entry]);
    let run = |a: f64, b: f64| OverlapConfig::new().run(&of(a), &of(b)).unwrap_err();
    assert_eq!(run(f64::NAN, 1.0), KrylovFault::NonFinite { product: 0 });
    assert_eq!(
        run(1.0, f64::INFINITY),
        KrylovFault::NonFinite { product: 1 }
    );
    assert!(matches!(run(1e200, 1.0), KrylovFault::OutOfRange { .. }));
}

struct Diagonal(Vec<f64>);

impl LinearOperator for Diagonal {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        self.0.len()
    }

    fn range(&self) -> usize {
        self.0.len()
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        Ok(v.iter().zip(&self.0).map(|(x, value)| x * value).collect())
    }
}

impl SelfAdjoint for Diagonal {}

#[test]
fn the_observer_of_either_operator_sees_every_vector_and_may_end_the_run() {
    let (a, b) = (matrix(0.3), matrix(7.1));
    let config = OverlapConfig::new().with_num_probes(9);
    let mut steps = Vec::new();
    let observed = (&b).observed(|step| {
        steps.push((step.num_matvecs, step.limit, step.value));
        ControlFlow::Continue(())
    });
    let whole = config.run(&a, &observed).unwrap();
    assert_eq!(whole, config.run(&a, &b).unwrap());
    let products: Vec<usize> = steps.iter().map(|step| step.0).collect();
    assert_eq!(products, [2, 4, 6, 8, 10, 12, 14, 16, 18]);
    assert_eq!(steps[8], (18, Some(18), Some(whole.cosine.value)));
    let first_four = config.clone().with_num_probes(4).run(&a, &b).unwrap();
    let stopped = |step: &Step| match step.num_matvecs {
        8 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    for found in [
        config.run(&(&a).observed(stopped), &b),
        config.run(&a, &(&b).observed(stopped)),
    ] {
        let found = found.unwrap();
        assert_eq!(found.outcome, Outcome::Stopped);
        assert_eq!((found.cosine, found.num_matvecs), (first_four.cosine, 8));
    }
    // A run that is ended at its last vector is complete.
    let last = config.with_num_probes(4).run(&(&a).observed(stopped), &b);
    assert_eq!(last.unwrap(), first_four);
}

/// A product that ends half-way, from number `last` on.
struct Ending(usize, std::cell::Cell<usize>);

impl LinearOperator for Ending {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        N
    }

    fn range(&self) -> usize {
        N
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        self.1.set(self.1.get() + 1);
        match self.1.get() >= self.0 {
            true => Err(KrylovFault::Stopped),
            false => Ok(v.clone()),
        }
    }

    fn is_stop(&self, error: &KrylovFault) -> bool {
        *error == KrylovFault::Stopped
    }
}

impl SelfAdjoint for Ending {}

#[test]
fn a_run_that_ends_within_a_product_returns_what_it_has() {
    let a = matrix(0.3);
    let ending = |last| Ending(last, std::cell::Cell::new(0));
    let config = OverlapConfig::new();
    let two = config
        .clone()
        .with_num_probes(2)
        .run(&a, &ending(9))
        .unwrap();
    let found = config.run(&a, &ending(3)).unwrap();
    assert_eq!((found.cosine, found.num_matvecs), (two.cosine, 5));
    assert_eq!(found.outcome, Outcome::Stopped);
    let found = config.run(&ending(3), &a).unwrap();
    assert_eq!((found.num_matvecs, found.outcome), (4, Outcome::Stopped));
    for error in [config.run(&a, &ending(1)), config.run(&ending(1), &a)] {
        assert_eq!(error.unwrap_err(), KrylovFault::Stopped);
    }
}
