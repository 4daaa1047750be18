//! Davidson's method finds prescribed eigenpairs, and little by little what has become of them.

use crate::counted::Counted;
use burnscape_krylov::{
    Dense, EigenMethod, Eigenpairs, EigenpairsConfig, KrylovFault, LinearOperator, Probe,
    SelfAdjoint, Symmetric, VectorSpace, Which,
};

/// `Q D Qᵀ` with a reflection `Q` that `angle` turns a little.
fn turned(values: &[f64], angle: f64) -> Symmetric<Dense> {
    let n = values.len();
    let v: Vec<f64> = Probe::Gaussian.draw(&n, 99, 0).unwrap();
    let w: Vec<f64> = Probe::Gaussian.draw(&n, 99, 1).unwrap();
    let v = v.axpy(angle, &w).unwrap();
    let square = v.dot(&v).unwrap();
    let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square;
    let reflection: Vec<f64> = (0..n * n)
        .map(|index| entry(index / n, index % n))
        .collect();
    let scaled = reflection.iter().enumerate();
    let scaled: Vec<f64> = scaled.map(|(index, x)| x * values[index % n]).collect();
    let reflection = Dense::from_row_major(n, n, reflection).unwrap();
    let scaled = Dense::from_row_major(n, n, scaled).unwrap();
    Symmetric::verified(scaled.multiply(&reflection).unwrap(), 1e-10, 0).unwrap()
}

fn vectors(found: &Eigenpairs<Vec<f64>>) -> Vec<Vec<f64>> {
    found.vectors.clone()
}

/// A bulk of small eigenvalues and a crowd of large ones, as networks at the edge of stability have.
fn crowded() -> Vec<f64> {
    let bulk = (0..150).map(|i| (f64::from(i) * 0.7).sin());
    bulk.chain([19.9, 20.0, 20.05, 20.1]).collect()
}

#[test]
fn a_cold_run_takes_the_products_that_lanczos_takes() {
    let values: Vec<f64> = (0..120).map(|i| f64::from(i).powf(1.2)).collect();
    let a = turned(&values, 0.0);
    for (end, expected) in [(Which::Largest, values[119]), (Which::Smallest, 0.0)] {
        let davidson = EigenpairsConfig::new(1, end)
            .with_method(EigenMethod::Davidson)
            .run(&a)
            .unwrap();
        assert!(davidson.outcome.is_converged());
        assert!((davidson.values[0] - expected).abs() < 1e-5, "{end:?}");
        let lanczos = EigenpairsConfig::new(1, end).run(&a).unwrap();
        assert!(
            davidson.num_matvecs <= lanczos.num_matvecs + 4,
            "{} {}",
            davidson.num_matvecs,
            lanczos.num_matvecs
        );
    }
}

#[test]
fn residuals_are_those_of_products_of_their_own_and_products_are_counted() {
    let a = Counted::new(turned(&crowded(), 0.0));
    let found = EigenpairsConfig::new(2, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .with_extra(2)
        .run(&a)
        .unwrap();
    assert_eq!(found.num_matvecs, a.num_matvecs());
    assert!(found.outcome.is_converged());
    assert_eq!(found.values.len(), 4);
    for index in 0..found.values.len() {
        assert!((found.vectors[index].norm().unwrap() - 1.0).abs() < 1e-12);
        let product = a.matvec(&found.vectors[index]).unwrap();
        let residual = product
            .axpy(-found.values[index], &found.vectors[index])
            .unwrap();
        let residual = residual.norm().unwrap();
        assert!(
            (residual - found.residuals[index]).abs() < 1e-10,
            "{residual} {}",
            found.residuals[index]
        );
        assert!(index >= 2 || residual <= found.goal * 1.001);
    }
    for (i, expected) in (0..found.values.len()).zip([20.1, 20.05]) {
        assert!(
            (found.values[i] - expected).abs() < 1e-5,
            "{}",
            found.values[i]
        );
    }
}

#[test]
fn a_crowd_is_followed_in_a_dozen_products() {
    let config = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .with_extra(3)
        .with_tolerance(1e-3);
    let first = config.run(&turned(&crowded(), 0.0)).unwrap();
    let mut known = vectors(&first);
    for step in 1..20 {
        let a = turned(&crowded(), 0.02 * f64::from(step));
        let found = config
            .clone()
            .with_seed(step as u64)
            .run_from(&a, &known)
            .unwrap();
        assert!(found.outcome.is_converged());
        assert!((found.values[0] - 20.1).abs() < 0.02, "{}", found.values[0]);
        assert!(found.num_matvecs <= 12, "{} at {step}", found.num_matvecs);
        known = vectors(&found);
    }
}

#[test]
fn an_eigenvector_that_is_no_longer_the_top_one_does_not_hold_the_search() {
    // The starts are exact eigenvectors of both operators; another one is on top of the second.
    let mut values = crowded();
    let config = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .with_tolerance(1e-3)
        .with_extra(3);
    let first = config.run(&turned(&values, 0.0)).unwrap();
    values[70] = 25.0;
    let a = turned(&values, 0.0);
    let is_found = |found: &Eigenpairs<Vec<f64>>| (found.values[0] - 25.0).abs() < 0.05;
    let mut num_missed = 0;
    for seed in 0..40 {
        let found = config
            .clone()
            .with_seed(seed)
            .run_from(&a, &vectors(&first))
            .unwrap();
        if !is_found(&found) {
            // A random vector may have hardly a part in it. The next one has.
            num_missed += 1;
            let next = config.clone().with_seed(seed + 100);
            assert!(
                is_found(&next.run_from(&a, &vectors(&found)).unwrap()),
                "{seed}"
            );
        }
    }
    assert!(num_missed <= 4, "{num_missed} of 40");
}

#[test]
fn starts_need_not_be_good_nor_independent() {
    let values: Vec<f64> = (0..60).map(f64::from).collect();
    let a = turned(&values, 0.0);
    let v: Vec<f64> = Probe::Gaussian.draw(&60, 5, 0).unwrap();
    let zero = vec![0.0; 60];
    let broken = vec![f64::NAN; 60];
    let starts = [v.clone(), v.clone().scale(-3.0), zero, broken, v];
    let found = EigenpairsConfig::new(1, Which::Smallest)
        .with_method(EigenMethod::Davidson)
        .with_extra(usize::MAX)
        .run_from(&a, &starts)
        .unwrap();
    assert!(found.outcome.is_converged());
    assert!(found.values[0].abs() < 1e-6);
    // As many extra pairs as there are.
    assert_eq!(found.values.len(), found.num_matvecs);
}

#[test]
fn small_and_degenerate_operators_are_spanned() {
    let one = Symmetric::verified(Dense::diagonal(&[-3.0]), 1e-12, 0).unwrap();
    let found = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .run(&one)
        .unwrap();
    assert!(found.outcome.is_converged());
    assert_eq!((found.values[0], found.num_matvecs), (-3.0, 1));

    let zero = Symmetric::verified(Dense::diagonal(&[0.0; 9]), 1e-12, 0).unwrap();
    let found = EigenpairsConfig::new(2, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .run(&zero)
        .unwrap();
    assert!(found.outcome.is_converged());
    assert_eq!((found.values[0], found.values[1]), (0.0, 0.0));

    // All of a multiple eigenvalue.
    let a = turned(&[1.0, 1.0, 4.0, 4.0, 4.0, 2.0], 0.0);
    let found = EigenpairsConfig::new(3, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .run(&a)
        .unwrap();
    assert!(found.outcome.is_converged());
    for i in 0..found.values.len() {
        assert!((found.values[i] - 4.0).abs() < 1e-12, "{}", found.values[i]);
    }
}

#[test]
fn copies_of_a_multiple_eigenvalue_are_found_in_large_spaces_too() {
    // Four values of a quarter of the space each, and three above a large null space.
    let steps: Vec<f64> = (0..100).map(|i| f64::from(i / 25)).collect();
    let rank_three: Vec<f64> = (0..100).map(|i| f64::from((5 - i).max(2) - 2)).collect();
    for (values, end, expected) in [
        (&steps, Which::Largest, 3.0),
        (&steps, Which::Smallest, 0.0),
        (&rank_three, Which::Smallest, 0.0),
    ] {
        let a = turned(values, 0.0);
        for seed in 0..5 {
            let config = EigenpairsConfig::new(3, end)
                .with_method(EigenMethod::Davidson)
                .with_seed(seed);
            let found = config.run(&a).unwrap();
            assert!(found.outcome.is_converged());
            for i in 0..found.values.len() {
                assert!((found.values[i] - expected).abs() < 1e-10, "{end:?} {i}");
            }
        }
    }
}

#[test]
fn a_limit_of_products_ends_the_run_with_what_there_is() {
    let a = Counted::new(turned(&crowded(), 0.0));
    let found = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .with_max_matvecs(4)
        .run(&a)
        .unwrap();
    assert!(!found.outcome.is_converged());
    assert_eq!((found.num_matvecs, a.num_matvecs()), (4, 4));
    assert!(found.residuals[0] > found.goal);
    // A Ritz value is never beyond the spectrum.
    assert!(found.values[0] < 20.1 + 1e-9);
    let starts: Vec<Vec<f64>> = (0..9)
        .map(|i| Probe::Gaussian.draw(&154, 3, i).unwrap())
        .collect();
    let found = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .with_max_matvecs(4)
        .run_from(&a, &starts)
        .unwrap();
    assert_eq!(found.num_matvecs, 4);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let a = turned(&crowded(), 0.0);
    let run = |seed: u64| {
        EigenpairsConfig::new(1, Which::Largest)
            .with_method(EigenMethod::Davidson)
            .with_seed(seed)
            .run(&a)
            .unwrap()
    };
    assert_eq!(run(3).values[0].to_bits(), run(3).values[0].to_bits());
    assert_ne!(run(3).vectors[0], run(4).vectors[0]);
}

#[test]
fn bad_settings_are_refused() {
    let a = turned(&[1.0, 2.0, 3.0], 0.0);
    let run = |config: EigenpairsConfig| config.run(&a).map(|_| ());
    let new = |k| EigenpairsConfig::new(k, Which::Largest).with_method(EigenMethod::Davidson);
    assert_eq!(
        run(new(0)),
        Err(KrylovFault::TooMany {
            name: "eigenpairs",
            asked: 0,
            available: 3
        })
    );
    assert_eq!(
        run(new(4)),
        Err(KrylovFault::TooMany {
            name: "eigenpairs",
            asked: 4,
            available: 3
        })
    );
    let refused = run(new(2).with_max_matvecs(1));
    assert_eq!(
        refused,
        Err(KrylovFault::TooMany {
            name: "eigenpairs",
            asked: 2,
            available: 1
        })
    );
    let refused = run(new(1).with_tolerance(0.0));
    assert_eq!(
        refused,
        Err(KrylovFault::OutOfBounds {
            name: "tolerance",
            value: 0.0,
            allowed: "a positive, finite number"
        })
    );
    let other = new(1).run_from(&a, &[vec![1.0; 4]]).map(|_| ());
    assert!(matches!(other, Err(KrylovFault::DimensionMismatch { .. })));
}

#[test]
fn a_product_that_is_not_finite_is_told() {
    struct Broken(Symmetric<Dense>);
    impl LinearOperator for Broken {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = KrylovFault;
        fn domain(&self) -> usize {
            3
        }
        fn range(&self) -> usize {
            3
        }
        fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            let product = self.0.matvec(v)?;
            Ok(product.into_iter().map(|x| x / 0.0).collect())
        }
    }
    impl SelfAdjoint for Broken {}
    let broken = Broken(turned(&[1.0, 2.0, 3.0], 0.0));
    let found = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .run(&broken)
        .map(|_| ());
    assert_eq!(found, Err(KrylovFault::NonFinite { product: 0 }));
}

#[test]
fn any_part_of_the_spectrum_is_found() {
    let values: Vec<f64> = (0..60).map(|i| f64::from(i) - 20.5).collect();
    let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
    for (end, expected) in [
        (Which::LargestMagnitude, [38.5, 37.5, 36.5]),
        (Which::BothEnds, [38.5, -20.5, 37.5]),
    ] {
        let found = EigenpairsConfig::new(3, end)
            .with_method(EigenMethod::Davidson)
            .with_tolerance(1e-8)
            .run(&a)
            .unwrap();
        assert!(found.outcome.is_converged());
        for (i, expected) in (0..found.values.len()).zip(expected) {
            assert!(
                (found.values[i] - expected).abs() < 1e-9,
                "{end:?} {}",
                found.values[i]
            );
        }
    }
}
