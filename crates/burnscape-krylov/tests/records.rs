//! Records are kept and resumed bit for bit, and answer without new products.

use crate::spectra::{Diagonal, Single, rotation, size, with_spectrum};
use burnscape_krylov::{
    KrylovFault, LanczosCheckpoint, LanczosFactorization, LinearOperator, Probe, VectorBlock,
    VectorSpace,
};

fn through_text<V: VectorSpace>(record: &LanczosFactorization<V>) -> LanczosFactorization<V> {
    let text = serde_json::to_string(&record.checkpoint().unwrap()).unwrap();
    let state: LanczosCheckpoint = serde_json::from_str(&text).unwrap();
    LanczosFactorization::from_checkpoint(&record.space(), &state).unwrap()
}

#[test]
fn a_run_that_is_stored_and_resumed_is_the_uninterrupted_one() {
    for (name, values) in crate::spectra::all(30) {
        let a = with_spectrum(&values, 4);
        for cut in [0, 1, 3, 7, 20, 30] {
            let whole = LanczosFactorization::from_random(&a, 30, 7).unwrap();
            let part = LanczosFactorization::from_random(&a, cut, 7).unwrap();
            let mut resumed = through_text(&part);
            resumed.extend(&a, 30 - cut).unwrap();
            // Everything, the seeds of fresh vectors included.
            let is_same = resumed.checkpoint().unwrap() == whole.checkpoint().unwrap();
            assert!(is_same, "{name} {cut}");
        }
        let single = Single::of(a.operator());
        let whole = LanczosFactorization::from_random(&single, 15, 0).unwrap();
        let mut resumed = through_text(&LanczosFactorization::from_random(&single, 6, 0).unwrap());
        resumed.extend(&single, 9).unwrap();
        let is_same = resumed.checkpoint().unwrap() == whole.checkpoint().unwrap();
        assert!(is_same, "{name}");
    }
}

#[test]
fn states_that_contradict_themselves_are_refused() {
    let a = with_spectrum(&[1.0, 2.0, 3.0, 4.0], 1);
    let state = LanczosFactorization::from_random(&a, 3, 0)
        .unwrap()
        .checkpoint()
        .unwrap();
    let good = serde_json::to_value(&state).unwrap();
    let refusal = |field: &str, value: serde_json::Value| {
        let mut changed = good.clone();
        changed[field] = value;
        let state: LanczosCheckpoint = serde_json::from_value(changed).unwrap();
        LanczosFactorization::<Vec<f64>>::from_checkpoint(&4, &state)
            .map(|_| ())
            .unwrap_err()
    };
    for (field, value) in [
        ("projected", serde_json::json!([[0], [0]])),
        ("beta", serde_json::json!(f64::NAN.to_bits())),
        ("piece", serde_json::json!(9)),
        ("first", serde_json::json!(9)),
    ] {
        let error = refusal(field, value);
        assert!(
            matches!(error, KrylovFault::InvalidCheckpoint { field: named } if named == field),
            "{error}"
        );
    }
    // A number that no run leaves behind, and no eigenvalue method ends on.
    let mut numbers = good["projected"].clone();
    numbers[1][0] = serde_json::json!(f64::NAN.to_bits());
    let error = refusal("projected", numbers);
    assert!(
        matches!(error, KrylovFault::InvalidCheckpoint { field: "projected" }),
        "{error}"
    );
    let mismatch = KrylovFault::DimensionMismatch {
        expected: 4,
        found: 1,
    };
    assert_eq!(refusal("next", serde_json::json!([0])), mismatch);
    let other = LanczosFactorization::<Vec<f64>>::from_checkpoint(&5, &state).map(|_| ());
    assert!(other.is_err());
}

#[test]
fn functions_of_the_operator_come_without_products() {
    let n = 60;
    let values: Vec<f64> = (0..n).map(|i| 0.1 + i as f64 / 12.0).collect();
    let a = with_spectrum(&values, 5);
    let rows = rotation(n, 5);
    let b: Vec<f64> = Probe::Gaussian.draw(&n, 3, 0).unwrap();
    // f(A) b = Σ f(λ) u (u · b), from the eigenvectors.
    let exact = |f: fn(f64) -> f64| {
        rows.iter()
            .zip(&values)
            .fold(vec![0.0; n], |sum, (u, value)| {
                sum.axpy(f(*value) * u.dot(&b).unwrap(), u).unwrap()
            })
    };
    let record = |steps: usize| LanczosFactorization::from_vector(&a, b.clone(), steps, 0).unwrap();
    for (name, f) in [
        ("exp", (|x: f64| (-x).exp()) as fn(f64) -> f64),
        ("root", f64::sqrt),
        ("inverse", f64::recip),
    ] {
        let exact = exact(f);
        let error = |steps: usize| {
            let found = record(steps).apply(f).unwrap().unwrap();
            let rest = found.axpy(-1.0, &exact).unwrap();
            rest.norm().unwrap() / exact.norm().unwrap()
        };
        let (early, late, whole) = (error(10), error(25), error(60));
        println!("{name}: {early:.1e} after 10 steps, {late:.1e} after 25, {whole:.1e} after 60");
        assert!(late < 0.1 * early && whole < 1e-12, "{name}");
        let form = record(60).quadratic_form(f).unwrap();
        let expected = b.dot(&exact).unwrap();
        assert!((form - expected).abs() < 1e-11 * expected.abs(), "{name}");
    }
    // The density of the whole record is that of the eigenvalues as the start weighs them.
    let density = record(60).density().unwrap();
    let expected: f64 = rows
        .iter()
        .zip(&values)
        .map(|(u, value)| value.ln() * u.dot(&b).unwrap().powi(2))
        .sum();
    let expected = 60.0 * expected / b.dot(&b).unwrap();
    assert!((density.log_determinant().value - expected).abs() < 1e-10);
    // Before a step there is nothing to say.
    assert!(record(0).quadrature().is_none() && record(0).apply(f64::exp).unwrap().is_none());
}

#[test]
fn a_breakdown_leaves_answers_exact() {
    let mut values = vec![0.0; 40];
    values[..3].copy_from_slice(&[5.0, 4.0, -3.0]);
    let a = with_spectrum(&values, 8);
    let b: Vec<f64> = Probe::Gaussian.draw(&40, 3, 0).unwrap();
    let record = LanczosFactorization::from_vector(&a, b.clone(), 12, 0).unwrap();
    assert_eq!(record.quadrature().unwrap().nodes.len(), 4);
    // The exponential, from a basis of twelve of which four are the first space.
    let found = record.apply(|x| x * x).unwrap().unwrap();
    let exact = a.matvec(&a.matvec(&b).unwrap()).unwrap();
    let rest = found.axpy(-1.0, &exact).unwrap();
    assert!(rest.norm().unwrap() < 1e-12 * exact.norm().unwrap());
}

#[test]
fn counts_say_what_is_certain() {
    let mut values: Vec<f64> = (0..200).map(|i| f64::from(i) * 1e-3 - 0.05).collect();
    for (index, value) in [9.0, 7.0, 6.5, -4.0, -3.0].into_iter().enumerate() {
        values[index * 30] = value;
    }
    let a = Diagonal(values.clone());
    let true_count = |low: f64, high: f64| {
        let inside = values.iter().filter(|&&x| low <= x && x <= high);
        inside.count()
    };
    for steps in [3, 6, 20, 60] {
        for seed in 0..3 {
            let record = LanczosFactorization::from_random(&a, steps, seed).unwrap();
            for (low, high) in [
                (1.0, 100.0),
                (-10.0, -1.0),
                (0.0, 0.1),
                (-0.04, 0.02),
                (6.8, 7.1),
            ] {
                let count = record.count_in(low..=high);
                assert!(
                    count.at_least <= true_count(low, high),
                    "{steps} {low} {high}"
                );
                assert_eq!(count.exact, None);
            }
        }
    }
    let record = LanczosFactorization::from_random(&a, 20, 0).unwrap();
    assert_eq!(record.count_in(1.0..).at_least, 3);
    assert_eq!(record.count_in(..-1.0).at_least, 2);
    assert_eq!(record.count_in(6.8..7.2).at_least, 1);
    // Mean of the estimate over starts: the number of positive values.
    let estimates = (0..100).map(|seed| {
        let record = LanczosFactorization::from_random(&a, 20, seed).unwrap();
        record.count_in(0.02..).estimate.unwrap()
    });
    let mean = estimates.sum::<f64>() / 100.0;
    let exact = true_count(0.02, 100.0) as f64;
    println!("above 0.02: {exact}, mean estimate {mean}");
    assert!((mean - exact).abs() < 0.05 * exact);
    // A whole record is a certificate.
    let small = with_spectrum(&[-1.0, 0.5, 2.0, 2.0, 3.0], 1);
    let record = LanczosFactorization::from_random(&small, 5, 0).unwrap();
    let count = record.count_in(1.5..2.5);
    assert_eq!((count.exact, count.at_least), (Some(2), 2));
    // The first Krylov space has one of the two copies, the count both.
    assert_eq!(
        (count.estimate, count.interval),
        (Some(2.0), Some((2.0, 2.0)))
    );
    // An eigenvalue at the edge is not certain.
    assert_eq!(record.count_in(3.0..=3.0).at_least, 0);
    assert!(size(&values) == 9.0 && record.basis().len() == 5);
}
