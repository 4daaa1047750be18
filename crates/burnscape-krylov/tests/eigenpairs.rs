//! The search for outer eigenpairs: as frugal as ARPACK, warm starts, caps, both ends.

use std::ops::ControlFlow;

use crate::counted::Counted;
use crate::spectra::{Diagonal, Single, size, with_spectrum};
use burnscape_krylov::{
    Dense, EigenpairsConfig, KrylovFault, LinearOperator, Probe, Sum, VectorSpace, Which,
};

fn golden() -> serde_json::Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../golden/krylov/eigsh.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_top_five_take_at_most_the_products_of_arpack() {
    let golden = golden();
    let number = |case: &serde_json::Value, key: &str| case[key].as_f64().unwrap();
    let k = golden["k"].as_u64().unwrap() as usize;
    for case in golden["cases"].as_array().unwrap() {
        let name = case["spectrum"].as_str().unwrap();
        let values = golden["spectra"][name].as_array().unwrap();
        let values: Vec<f64> = values.iter().map(|x| x.as_f64().unwrap()).collect();
        let (basis, tolerance) = (number(case, "ncv") as usize, number(case, "tol"));
        let mut exact = values.clone();
        exact.sort_by(|a, b| b.total_cmp(a));
        let a = Diagonal(values);
        let config = EigenpairsConfig::new(k, Which::Largest)
            .with_max_basis(basis)
            .with_tolerance(tolerance)
            .with_estimated_residuals(true);
        let mut total = 0;
        for seed in 0..4 {
            let found = config.clone().with_seed(seed).run(&a).unwrap();
            assert!(found.outcome.is_converged(), "{name} {basis} {tolerance:e}");
            total += found.num_matvecs;
            for (i, exact) in (0..found.values.len()).zip(&exact) {
                let error = (found.values[i] - exact).abs();
                // ARPACK does not measure residuals either; the estimates are true.
                let product = a.matvec(&found.vectors[i]).unwrap();
                let rest = product.axpy(-found.values[i], &found.vectors[i]).unwrap();
                assert!((rest.norm().unwrap() - found.residuals[i]).abs() <= 1e-13 * size(&a.0));
                assert!(
                    error <= tolerance * size(&a.0),
                    "{name} {basis} {tolerance:e}: {} {exact}",
                    found.values[i]
                );
            }
        }
        let (mean, theirs) = (f64::from(total as u32) / 4.0, number(case, "products"));
        println!("{name} basis {basis} tolerance {tolerance:e}: {mean} products, ARPACK {theirs}");
        assert!(mean <= theirs, "{name} {basis} {tolerance:e}");
    }
}

/// A Hessian as training has it: a bulk near zero and some outliers; and a change of it.
fn hessian(n: usize) -> Vec<f64> {
    let mut values: Vec<f64> = (0..n)
        .map(|i| 0.3 * (i as f64 / n as f64).powi(6) - 0.01)
        .collect();
    for (index, value) in [1.5, 2.0, 3.0, 5.0, 8.0].into_iter().enumerate() {
        values[n - 5 + index] = value;
    }
    values
}

#[test]
fn a_warm_monitor_takes_a_dozen_products() {
    let n = 150;
    let a = with_spectrum(&hessian(n), 1);
    let config = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
    let mut old = config.run(&a).unwrap();
    let cold = old.num_matvecs;
    let mut most = 0;
    // The operator drifts by a hundredth of its norm between measurements.
    let mut now = a.operator().clone();
    for step in 0..20 {
        let change = with_spectrum(&vec_of(n, 0.08, step), 100 + step);
        now = Dense::of(&Sum::new(&now, change.operator()).unwrap()).unwrap();
        let symmetric = burnscape_krylov::Symmetric::verified(&now, 1e-10, 0).unwrap();
        let warm = config.run_from(&symmetric, &old.vectors).unwrap();
        let fresh = config.clone().with_tolerance(1e-9).run(&symmetric).unwrap();
        assert!(warm.outcome.is_converged());
        let error = (warm.values[0] - fresh.values[0]).abs();
        assert!(error < 1e-4 * fresh.values[0], "{error}");
        most = most.max(warm.num_matvecs);
        old = warm;
    }
    println!("cold {cold} products, warm at most {most}");
    assert!(most <= 12 && most < cold);
}

fn vec_of(n: usize, size: f64, seed: u64) -> Vec<f64> {
    let draw: Vec<f64> = Probe::Gaussian.draw(&n, seed, 77).unwrap();
    draw.iter().map(|x| x * size / 3.0).collect()
}

#[test]
fn a_warm_start_finds_what_came_in_from_elsewhere() {
    // The old pairs stay, and a new one rises above them.
    let n = 120;
    let mut values: Vec<f64> = hessian(n);
    let old = EigenpairsConfig::new(3, Which::Largest)
        .run(&Diagonal(values.clone()))
        .unwrap();
    values[7] = 20.0;
    let a = Diagonal(values);
    let found = EigenpairsConfig::new(3, Which::Largest)
        .run_from(&a, &old.vectors)
        .unwrap();
    let expected = [20.0, 8.0, 5.0];
    assert!(found.outcome.is_converged());
    for (i, expected) in (0..found.values.len()).zip(expected) {
        assert!(
            (found.values[i] - expected).abs() < 1e-9,
            "{}",
            found.values[i]
        );
    }
    // Vectors that say nothing new are left out: twice the same is one.
    let twice = vec![old.vectors[0].clone(), old.vectors[0].clone()];
    let again = EigenpairsConfig::new(3, Which::Largest).run_from(&a, &twice);
    assert!(again.unwrap().outcome.is_converged());
    let nan = EigenpairsConfig::new(1, Which::Largest).run_from(&a, &[vec![f64::NAN; n]]);
    assert!(matches!(
        nan.map(|_| ()),
        Err(KrylovFault::NonFiniteArgument { name: "starts", .. })
    ));
}

#[test]
fn five_warm_pairs_take_fewer_products_than_cold_ones() {
    let n = 150;
    let a = with_spectrum(&hessian(n), 1);
    let config = EigenpairsConfig::new(5, Which::Largest).with_tolerance(1e-3);
    let old = config.run(&a).unwrap();
    let change = with_spectrum(&vec_of(n, 0.02, 3), 100);
    let later = Dense::of(&Sum::new(a.operator(), change.operator()).unwrap()).unwrap();
    let later = burnscape_krylov::Symmetric::verified(later, 1e-10, 0).unwrap();
    let cold = config.run(&later).unwrap();
    let warm = config.run_from(&later, &old.vectors).unwrap();
    println!(
        "five pairs: cold {}, warm {}",
        cold.num_matvecs, warm.num_matvecs
    );
    assert!(warm.outcome.is_converged() && warm.num_matvecs < cold.num_matvecs);
    for (a, b) in warm.values.iter().zip(&cold.values) {
        assert!((a - b).abs() < 1e-3 * 8.0);
    }
}

#[test]
fn every_part_of_the_spectrum_can_be_asked_for() {
    let mut values: Vec<f64> = (0..60).map(|i| f64::from(i) * 0.1 - 2.0).collect();
    values[3] = -9.0;
    values[30] = 7.0;
    let a = with_spectrum(&values, 2);
    for (end, expected) in [
        (Which::LargestMagnitude, [-9.0, 7.0, 3.9, 3.8]),
        (Which::BothEnds, [7.0, -9.0, 3.9, -2.0]),
        (Which::Largest, [7.0, 3.9, 3.8, 3.7]),
        (Which::Smallest, [-9.0, -2.0, -1.9, -1.8]),
    ] {
        let counted = Counted::new(&a);
        let found = EigenpairsConfig::new(4, end)
            .with_tolerance(1e-10)
            .run(&counted)
            .unwrap();
        assert!(found.outcome.is_converged());
        assert_eq!(found.num_matvecs, counted.num_matvecs());
        for (i, expected) in (0..found.values.len()).zip(expected) {
            assert!(
                (found.values[i] - expected).abs() < 1e-9,
                "{end:?} {}",
                found.values[i]
            );
        }
    }
}

#[test]
fn single_precision_finds_prescribed_pairs() {
    for (name, mut values) in crate::spectra::all(40) {
        values.sort_by(|a, b| b.total_cmp(a));
        let a = Single::of(with_spectrum(&values, 3).operator());
        let found = EigenpairsConfig::new(4, Which::Largest).run(&a).unwrap();
        let scale = size(&values);
        assert!(found.outcome.is_converged(), "{name}");
        for (i, expected) in (0..found.values.len()).zip(&values) {
            let error = (found.values[i] - expected).abs();
            assert!(
                error <= 1e-5 * scale,
                "{name}: {} {expected}",
                found.values[i]
            );
            assert!(found.residuals[i] <= 1e-5 * scale);
        }
    }
}

#[test]
fn memory_stays_under_its_cap() {
    let a = with_spectrum(&hessian(150), 1);
    let vector = 150 * 8;
    assert_eq!(vec![0.0_f64; 150].num_bytes(), vector);
    assert_eq!(vec![0.0_f32; 150].num_bytes(), vector / 2);
    let config = EigenpairsConfig::new(2, Which::Largest).with_tolerance(1e-10);
    let wide = config.run(&a).unwrap();
    // Fourteen vectors in all: a basis of seven, four that a restart keeps, and the working ones.
    let narrow = config.clone().with_max_bytes(15 * vector).run(&a).unwrap();
    assert!(narrow.outcome.is_converged() && narrow.num_restarts > wide.num_restarts);
    assert!((narrow.values[1] - wide.values[1]).abs() < 1e-9);
    for bytes in [0, vector - 1, 8 * vector] {
        let refused = config.clone().with_max_bytes(bytes).run(&a).map(|_| ());
        let expected = KrylovFault::MemoryTooSmall {
            bytes,
            needed: 10 * vector,
        };
        assert_eq!(refused, Err(expected));
    }
    assert!(config.with_max_bytes(10 * vector).run(&a).is_ok());
}

#[test]
fn a_stopped_search_returns_what_it_has() {
    let a = Diagonal((0..100).map(f64::from).collect());
    let stopped = (&a).observed(|step| match step.num_matvecs == 9 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    let found = EigenpairsConfig::new(3, Which::Largest)
        .run(&stopped)
        .unwrap();
    assert!(!found.outcome.is_converged());
    assert_eq!((found.num_matvecs, found.values.len()), (9, 3));
    assert!(found.values[0] > 80.0);
    let stopped = (&a).observed(|_| ControlFlow::Break(()));
    let at_once = EigenpairsConfig::new(3, Which::Largest)
        .run(&stopped)
        .unwrap();
    assert_eq!((at_once.num_matvecs, at_once.values.len()), (1, 1));
    assert!(!at_once.outcome.is_converged());
}

#[test]
fn a_space_of_one_dimension_is_a_space() {
    let one = Diagonal(vec![-3.0]);
    for end in [
        Which::Largest,
        Which::Smallest,
        Which::LargestMagnitude,
        Which::BothEnds,
    ] {
        let found = EigenpairsConfig::new(1, end).run(&one).unwrap();
        assert!(found.outcome.is_converged());
        assert_eq!(found.values[0], -3.0);
    }
    assert_eq!(Dense::identity(1).as_slice(), [1.0]);
}
