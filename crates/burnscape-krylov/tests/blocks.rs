//! Block Lanczos, LOBPCG and the power iteration find prescribed pairs.

use std::cell::Cell;
use std::ops::ControlFlow;

use crate::counted::Counted;
use crate::spectra::{Diagonal, Single, size, with_spectrum};
use burnscape_krylov::{
    EigenMethod, Eigenpairs, EigenpairsConfig, KrylovFault, LinearOperator, Preconditioned,
    SelfAdjoint, VectorSpace, Which,
};

fn expected(values: &[f64], which: Which, k: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    match which {
        Which::Smallest => values.sort_by(f64::total_cmp),
        Which::LargestMagnitude => values.sort_by(|a, b| b.abs().total_cmp(&a.abs())),
        _ => values.sort_by(|a, b| b.total_cmp(a)),
    }
    values.truncate(k);
    values
}

/// The pairs are those of the operator: values, true residuals, orthonormal vectors.
fn check<A: SelfAdjoint<Vector = Vec<f64>, Error = KrylovFault>>(
    what: &str,
    a: &A,
    found: &Eigenpairs<Vec<f64>>,
    (values, tolerance): (&[f64], f64),
) {
    assert!(found.outcome.is_converged(), "{what}");
    assert_eq!(found.values.len(), values.len(), "{what}");
    for (index, expected) in (0..found.values.len()).zip(values) {
        let error = (found.values[index] - expected).abs();
        assert!(
            error <= tolerance,
            "{what}: {} {expected}",
            found.values[index]
        );
        let product = a.matvec(&found.vectors[index]).unwrap();
        let rest = product
            .axpy(-found.values[index], &found.vectors[index])
            .unwrap();
        let difference = (rest.norm().unwrap() - found.residuals[index]).abs();
        assert!(
            difference <= 1e-3 * tolerance + 1e-300,
            "{what}: {difference}"
        );
        for (other, second) in found.vectors.iter().enumerate() {
            let dot = found.vectors[index].dot(second).unwrap();
            let unit = f64::from(u8::from(index == other));
            assert!((dot - unit).abs() < 1e-9, "{what}: {index} {other} {dot}");
        }
    }
}

#[test]
fn blocks_find_prescribed_pairs_with_their_copies() {
    for (name, values) in crate::spectra::all(40) {
        let a = with_spectrum(&values, 6);
        let scale = size(&values).max(1e-300);
        for end in [Which::Largest, Which::Smallest, Which::LargestMagnitude] {
            // As in the tests of single vectors: only the whole space tells these apart.
            let is_hard = (name, end) == ("decay", Which::Smallest);
            let config = EigenpairsConfig::new(4, end)
                .with_method(EigenMethod::Block)
                .with_tolerance(1e-11)
                .with_block(3)
                .with_max_basis(if is_hard { 40 } else { 20 });
            let counted = Counted::new(&a);
            let found = config.run(&counted).unwrap();
            assert_eq!(found.num_matvecs, counted.num_matvecs());
            let values = expected(&values, end, 4);
            check(
                &format!("{name} {end:?}"),
                &a,
                &found,
                (&values, 1e-9 * scale),
            );
        }
    }
}

#[test]
fn blocks_find_a_cluster_that_single_vectors_miss() {
    // Three copies of the top above two others, and a bulk that no space exhausts.
    let mut values: Vec<f64> = (0..300).map(|i| f64::from(i) / 300.0).collect();
    for index in [17, 118, 219] {
        values[index] = 3.0;
    }
    (values[50], values[70]) = (2.6, 2.3);
    let a = Diagonal(values);
    let block = EigenpairsConfig::new(3, Which::Largest)
        .with_method(EigenMethod::Block)
        .run(&a)
        .unwrap();
    check("cluster", &a, &block, (&[3.0, 3.0, 3.0], 1e-9));
    // A single vector's space has one of them, and takes others for the rest.
    let single = EigenpairsConfig::new(3, Which::Largest)
        .with_tolerance(1e-3)
        .run(&a)
        .unwrap();
    println!(
        "block: {} products, single: values {:?}",
        block.num_matvecs, single.values
    );
    assert!(single.values[1] < 2.7);
}

#[test]
fn blocks_share_passes_and_hold_their_limits() {
    let a = Diagonal((0..200).map(|i| f64::from(i).sqrt()).collect());
    let mut passes = 0;
    let config = EigenpairsConfig::new(4, Which::Largest)
        .with_method(EigenMethod::Block)
        .with_tolerance(1e-4);
    let observed = (&a).observed(|step| {
        passes += 1;
        assert_eq!(step.num_matvecs, 4 * passes);
        ControlFlow::Continue(())
    });
    let found = config.run(&observed).unwrap();
    let single = EigenpairsConfig::new(4, Which::Largest)
        .with_tolerance(1e-4)
        .run(&a)
        .unwrap();
    println!(
        "block: {} products in {passes} passes; single vectors: {} products",
        found.num_matvecs, single.num_matvecs
    );
    assert!(found.outcome.is_converged() && passes < single.num_matvecs / 2);
    let few = config.clone().with_max_matvecs(20).run(&a).unwrap();
    assert!(!few.outcome.is_converged() && few.num_matvecs <= 20 && few.values.len() == 4);
    // The same, warm.
    let warm = config.run_from(&a, &found.vectors).unwrap();
    assert!(
        warm.outcome.is_converged() && warm.num_matvecs <= 12,
        "{}",
        warm.num_matvecs
    );
    let stopped = (&a).observed(|_| ControlFlow::Break(()));
    let stopped = config.run(&stopped).unwrap();
    assert_eq!(
        (stopped.num_matvecs, stopped.outcome.is_converged()),
        (4, false)
    );
}

#[test]
fn single_precision_blocks_find_prescribed_pairs() {
    for (name, values) in crate::spectra::all(40) {
        let a = Single::of(with_spectrum(&values, 3).operator());
        let scale = size(&values);
        let values = expected(&values, Which::Largest, 4);
        let block = EigenpairsConfig::new(4, Which::Largest)
            .with_method(EigenMethod::Block)
            .with_block(2)
            .run(&a)
            .unwrap();
        let lobpcg = EigenpairsConfig::new(4, Which::Largest)
            .with_method(EigenMethod::Lobpcg)
            .with_tolerance(1e-5)
            .run(&a)
            .unwrap();
        for (method, found) in [("block", block), ("LOBPCG", lobpcg)] {
            assert!(found.outcome.is_converged(), "{method} {name}");
            for (i, expected) in (0..found.values.len()).zip(&values) {
                let error = (found.values[i] - expected).abs();
                assert!(
                    error <= 1e-5 * scale,
                    "{method} {name}: {} {expected}",
                    found.values[i]
                );
            }
        }
    }
}

#[test]
fn lobpcg_finds_prescribed_pairs() {
    for (name, values) in crate::spectra::all(40) {
        let a = with_spectrum(&values, 6);
        let scale = size(&values).max(1e-300);
        for end in [Which::Largest, Which::Smallest] {
            // Values within 1e-6 of the norm of one another, and a condition number of 4e7: what
            // three terms without a preconditioner cannot do.
            if end == Which::Smallest && ["decay", "outlier"].contains(&name) {
                continue;
            }
            let counted = Counted::new(&a);
            let found = EigenpairsConfig::new(4, end)
                .with_method(EigenMethod::Lobpcg)
                .with_tolerance(1e-9)
                .run(&counted)
                .unwrap();
            assert_eq!(found.num_matvecs, counted.num_matvecs());
            println!("{name} {end:?}: {} products", found.num_matvecs);
            let values = expected(&values, end, 4);
            check(
                &format!("{name} {end:?}"),
                &a,
                &found,
                (&values, 1e-8 * scale),
            );
        }
    }
}

#[test]
fn lobpcg_gains_from_a_preconditioner_and_from_a_warm_start() {
    let values: Vec<f64> = (1..=400).map(|i| f64::from(i).powi(2)).collect();
    let a = Diagonal(values.clone());
    let config = EigenpairsConfig::new(3, Which::Smallest)
        .with_method(EigenMethod::Lobpcg)
        .with_tolerance(1e-10)
        .with_max_matvecs(4000);
    let plain = config.run(&a).unwrap();
    // Close to the inverse, not the inverse.
    let inverse = Diagonal(
        values
            .iter()
            .enumerate()
            .map(|(i, x)| (1.0 + 0.5 * (i as f64).sin()) / x)
            .collect(),
    );
    let preconditioned = Preconditioned::new(&a, &inverse).unwrap();
    let better = config.run(&preconditioned).unwrap();
    println!(
        "products: {} plain, {} with a preconditioner",
        plain.num_matvecs, better.num_matvecs
    );
    check("preconditioned", &a, &better, (&[1.0, 4.0, 9.0], 1e-4));
    assert!(better.num_matvecs < plain.num_matvecs / 4);
    let warm = config.run_from(&preconditioned, &better.vectors).unwrap();
    assert!(
        warm.num_matvecs < better.num_matvecs / 2,
        "{}",
        warm.num_matvecs
    );
    // Stopped at once, and at a limit, it has its pairs with residuals that are theirs.
    let stopped = (&a).observed(|_| ControlFlow::Break(()));
    let stopped = config.run(&stopped).unwrap();
    let few = config.with_max_matvecs(20).run(&a).unwrap();
    for (found, most) in [(stopped, 8), (few, 20)] {
        assert!(
            !found.outcome.is_converged() && found.num_matvecs <= most && found.values.len() == 3
        );
        let rest = a.matvec(&found.vectors[0]).unwrap();
        let rest = rest.axpy(-found.values[0], &found.vectors[0]).unwrap();
        let difference = rest.norm().unwrap() - found.residuals[0];
        assert!(difference.abs() < 1e-9 * found.residuals[0]);
    }
}

#[test]
fn the_power_iteration_is_right_and_slow() {
    let mut values: Vec<f64> = (0..100).map(|i| f64::from(i) / 50.0).collect();
    values[3] = -9.0;
    values[40] = 6.0;
    values[60] = 4.0;
    let a = with_spectrum(&values, 9);
    let found = EigenpairsConfig::new(3, Which::LargestMagnitude)
        .with_method(EigenMethod::Power)
        .with_tolerance(1e-7)
        .run(&a)
        .unwrap();
    check("power", &a, &found, (&[-9.0, 6.0, 4.0], 1e-6));
    let lanczos = EigenpairsConfig::new(3, Which::LargestMagnitude)
        .with_tolerance(1e-7)
        .run(&a)
        .unwrap();
    println!(
        "power: {} products, Lanczos: {}",
        found.num_matvecs, lanczos.num_matvecs
    );
    assert!(found.num_matvecs > 3 * lanczos.num_matvecs);
    let warm = EigenpairsConfig::new(3, Which::LargestMagnitude)
        .with_method(EigenMethod::Power)
        .with_tolerance(1e-7)
        .run_from(&a, &found.vectors)
        .unwrap();
    assert!(warm.num_matvecs <= 6 && warm.outcome.is_converged());
    let few = EigenpairsConfig::new(3, Which::LargestMagnitude)
        .with_method(EigenMethod::Power)
        .with_max_matvecs(5)
        .run(&a)
        .unwrap();
    assert!(!few.outcome.is_converged() && few.num_matvecs == 5 && few.values.len() == 1);
    // Multiplicities come one after the other; nothing is nothing.
    let two = EigenpairsConfig::new(2, Which::LargestMagnitude)
        .with_method(EigenMethod::Power)
        .run(&Diagonal(vec![3.0, 1.0, 3.0]))
        .unwrap();
    assert!((two.values[1] - 3.0).abs() < 1e-5 && two.outcome.is_converged());
    let zero = EigenpairsConfig::new(2, Which::LargestMagnitude)
        .with_method(EigenMethod::Power)
        .run(&Diagonal(vec![0.0; 5]))
        .unwrap();
    assert_eq!((zero.values[1], zero.outcome.is_converged()), (0.0, true));
}

/// Gives NaN from a product on.
struct Broken(Cell<usize>);

impl LinearOperator for Broken {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;
    fn domain(&self) -> usize {
        20
    }
    fn range(&self) -> usize {
        20
    }
    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        if self.0.get() == 0 {
            return Ok(vec![f64::NAN; 20]);
        }
        self.0.set(self.0.get() - 1);
        Ok(v.iter().enumerate().map(|(i, x)| x * i as f64).collect())
    }
}

impl SelfAdjoint for Broken {}

#[test]
fn bad_input_is_refused_by_name() {
    let a = Diagonal(vec![1.0, 2.0, 3.0]);
    let refusals = |k: usize, tolerance: f64| {
        [
            EigenpairsConfig::new(k, Which::Largest)
                .with_method(EigenMethod::Block)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            EigenpairsConfig::new(k, Which::Largest)
                .with_method(EigenMethod::Lobpcg)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            EigenpairsConfig::new(k, Which::LargestMagnitude)
                .with_method(EigenMethod::Power)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
        ]
    };
    for k in [0, 4] {
        for refused in refusals(k, 0.1) {
            let error = KrylovFault::TooMany {
                name: "eigenpairs",
                asked: k,
                available: 3,
            };
            assert_eq!(refused, Err(error));
        }
    }
    for tolerance in [0.0, -1.0, f64::INFINITY] {
        for refused in refusals(1, tolerance) {
            assert_eq!(
                refused,
                Err(KrylovFault::OutOfBounds {
                    name: "tolerance",
                    value: tolerance,
                    allowed: "a positive, finite number"
                })
            );
        }
    }
    for found in refusals(3, 1e-6) {
        assert_eq!(found, Ok(()));
    }
    let small = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Block)
        .with_block(1)
        .with_max_basis(2);
    let needed = KrylovFault::BasisTooSmall {
        vectors: 2,
        needed: 3,
    };
    assert_eq!(small.run(&a).map(|_| ()), Err(needed));
    let none = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Block)
        .with_block(0)
        .run(&a);
    assert!(matches!(
        none.map(|_| ()),
        Err(KrylovFault::TooMany { asked: 0, .. })
    ));
    let broken = |good: usize| Broken(Cell::new(good));
    let named = |product: usize| Err(KrylovFault::NonFinite { product });
    let block = EigenpairsConfig::new(2, Which::Largest).with_method(EigenMethod::Block);
    assert_eq!(block.run(&broken(5)).map(|_| ()), named(5));
    let lobpcg = EigenpairsConfig::new(2, Which::Largest).with_method(EigenMethod::Lobpcg);
    assert_eq!(lobpcg.run(&broken(6)).map(|_| ()), named(6));
    assert_eq!(
        EigenpairsConfig::new(1, Which::LargestMagnitude)
            .with_method(EigenMethod::Power)
            .run(&broken(3))
            .map(|_| ()),
        named(3)
    );
    let nan = block.run_from(&a, &[vec![f64::NAN; 3]]);
    assert!(matches!(
        nan.map(|_| ()),
        Err(KrylovFault::NonFiniteArgument { .. })
    ));
    let long = lobpcg.run_from(&a, &[vec![1.0; 4]]);
    assert!(long.is_err());
}
