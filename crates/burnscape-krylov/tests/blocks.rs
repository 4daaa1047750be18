//! Block Lanczos, LOBPCG and the power iteration find prescribed pairs.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod spectra;

use std::cell::Cell;
use std::ops::ControlFlow;

use burnscape_krylov::{
    BlockLanczosConfig, Counted, Eigenpairs, EigenpairsConfig, End, HostError, KrylovError,
    LinearOperator, LobpcgConfig, PowerConfig, SelfAdjoint, VectorSpace,
};
use spectra::{Diagonal, Single, size, with_spectrum};

fn expected(values: &[f64], end: End, k: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    match end {
        End::Bottom => values.sort_by(f64::total_cmp),
        End::Magnitude => values.sort_by(|a, b| b.abs().total_cmp(&a.abs())),
        _ => values.sort_by(|a, b| b.total_cmp(a)),
    }
    values.truncate(k);
    values
}

/// The pairs are those of the operator: values, true residuals, orthonormal vectors.
fn check<A: SelfAdjoint<Vector = Vec<f64>, Error = HostError>>(
    what: &str,
    a: &A,
    found: &Eigenpairs<Vec<f64>>,
    (values, tolerance): (&[f64], f64),
) {
    assert!(found.outcome.is_converged(), "{what}");
    assert_eq!(found.pairs.len(), values.len(), "{what}");
    for (index, (pair, expected)) in found.pairs.iter().zip(values).enumerate() {
        let error = (pair.value - expected).abs();
        assert!(error <= tolerance, "{what}: {} {expected}", pair.value);
        let product = a.matvec(&pair.vector).unwrap();
        let rest = product.axpy(-pair.value, &pair.vector).unwrap();
        let difference = (rest.norm().unwrap() - pair.residual).abs();
        assert!(
            difference <= 1e-3 * tolerance + 1e-300,
            "{what}: {difference}"
        );
        for (other, second) in found.pairs.iter().enumerate() {
            let dot = pair.vector.dot(&second.vector).unwrap();
            let unit = f64::from(u8::from(index == other));
            assert!((dot - unit).abs() < 1e-9, "{what}: {index} {other} {dot}");
        }
    }
}

#[test]
fn blocks_find_prescribed_pairs_with_their_copies() {
    for (name, values) in spectra::all(40) {
        let a = with_spectrum(&values, 6);
        let scale = size(&values).max(1e-300);
        for end in [End::Top, End::Bottom, End::Magnitude] {
            // As in the tests of single vectors: only the whole space tells these apart.
            let is_hard = (name, end) == ("decay", End::Bottom);
            let config = BlockLanczosConfig::new(4, end)
                .with_tolerance(1e-11)
                .with_block(3)
                .with_max_basis(if is_hard { 40 } else { 20 });
            let counted = Counted::new(&a);
            let found = config.run(&counted).unwrap();
            assert_eq!(found.products, counted.num_matvecs());
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
    let block = BlockLanczosConfig::new(3, End::Top).run(&a).unwrap();
    check("cluster", &a, &block, (&[3.0, 3.0, 3.0], 1e-9));
    // A single vector's space has one of them, and takes others for the rest.
    let single = EigenpairsConfig::new(3, End::Top)
        .with_tolerance(1e-3)
        .run(&a)
        .unwrap();
    println!(
        "block: {} products, single: values {:?}",
        block.products,
        single
            .pairs
            .iter()
            .map(|pair| pair.value)
            .collect::<Vec<_>>()
    );
    assert!(single.pairs[1].value < 2.7);
}

#[test]
fn blocks_share_passes_and_hold_their_limits() {
    let a = Diagonal((0..200).map(|i| f64::from(i).sqrt()).collect());
    let mut passes = 0;
    let config = BlockLanczosConfig::new(4, End::Top).with_tolerance(1e-4);
    let observed = (&a).observed(|step| {
        passes += 1;
        assert_eq!(step.num_matvecs, 4 * passes);
        ControlFlow::Continue(())
    });
    let found = config.run(&observed).unwrap();
    let single = EigenpairsConfig::new(4, End::Top)
        .with_tolerance(1e-4)
        .run(&a)
        .unwrap();
    println!(
        "block: {} products in {passes} passes; single vectors: {} products",
        found.products, single.products
    );
    assert!(found.outcome.is_converged() && passes < single.products / 2);
    let few = config.clone().with_max_products(20).run(&a).unwrap();
    assert!(!few.outcome.is_converged() && few.products <= 20 && few.pairs.len() == 4);
    // The same, warm.
    let warm = config.run_from(&a, &found.vectors()).unwrap();
    assert!(
        warm.outcome.is_converged() && warm.products <= 12,
        "{}",
        warm.products
    );
    let stopped = (&a).observed(|_| ControlFlow::Break(()));
    let stopped = config.run(&stopped).unwrap();
    assert_eq!(
        (stopped.products, stopped.outcome.is_converged()),
        (4, false)
    );
}

#[test]
fn single_precision_blocks_find_prescribed_pairs() {
    for (name, values) in spectra::all(40) {
        let a = Single::of(with_spectrum(&values, 3).operator());
        let scale = size(&values);
        let values = expected(&values, End::Top, 4);
        let block = BlockLanczosConfig::new(4, End::Top)
            .with_block(2)
            .run(&a)
            .unwrap();
        let lobpcg = LobpcgConfig::new(4, End::Top)
            .with_tolerance(1e-5)
            .run(&a)
            .unwrap();
        for (method, found) in [("block", block), ("LOBPCG", lobpcg)] {
            assert!(found.outcome.is_converged(), "{method} {name}");
            for (pair, expected) in found.pairs.iter().zip(&values) {
                let error = (pair.value - expected).abs();
                assert!(
                    error <= 1e-5 * scale,
                    "{method} {name}: {} {expected}",
                    pair.value
                );
            }
        }
    }
}

#[test]
fn lobpcg_finds_prescribed_pairs() {
    for (name, values) in spectra::all(40) {
        let a = with_spectrum(&values, 6);
        let scale = size(&values).max(1e-300);
        for end in [End::Top, End::Bottom] {
            // Values within 1e-6 of the norm of one another, and a condition number of 4e7: what
            // three terms without a preconditioner cannot do.
            if end == End::Bottom && ["decay", "outlier"].contains(&name) {
                continue;
            }
            let counted = Counted::new(&a);
            let found = LobpcgConfig::new(4, end)
                .with_tolerance(1e-9)
                .run(&counted)
                .unwrap();
            assert_eq!(found.products, counted.num_matvecs());
            println!("{name} {end:?}: {} products", found.products);
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
    let config = LobpcgConfig::new(3, End::Bottom)
        .with_tolerance(1e-10)
        .with_max_products(4000);
    let plain = config.run(&a).unwrap();
    // Close to the inverse, not the inverse.
    let inverse = Diagonal(
        values
            .iter()
            .enumerate()
            .map(|(i, x)| (1.0 + 0.5 * (i as f64).sin()) / x)
            .collect(),
    );
    let better = config.run_preconditioned(&a, &[], &inverse).unwrap();
    println!(
        "products: {} plain, {} with a preconditioner",
        plain.products, better.products
    );
    check("preconditioned", &a, &better, (&[1.0, 4.0, 9.0], 1e-4));
    assert!(better.products < plain.products / 4);
    let warm = config
        .run_preconditioned(&a, &better.vectors(), &inverse)
        .unwrap();
    assert!(warm.products < better.products / 2, "{}", warm.products);
    // Stopped at once, and at a limit, it has its pairs with residuals that are theirs.
    let stopped = (&a).observed(|_| ControlFlow::Break(()));
    let stopped = config.run(&stopped).unwrap();
    let few = config.with_max_products(20).run(&a).unwrap();
    for (found, most) in [(stopped, 8), (few, 20)] {
        assert!(!found.outcome.is_converged() && found.products <= most && found.pairs.len() == 3);
        let pair = &found.pairs[0];
        let rest = a.matvec(&pair.vector).unwrap();
        let rest = rest.axpy(-pair.value, &pair.vector).unwrap();
        let difference = rest.norm().unwrap() - pair.residual;
        assert!(difference.abs() < 1e-9 * pair.residual);
    }
}

#[test]
fn the_power_iteration_is_right_and_slow() {
    let mut values: Vec<f64> = (0..100).map(|i| f64::from(i) / 50.0).collect();
    values[3] = -9.0;
    values[40] = 6.0;
    values[60] = 4.0;
    let a = with_spectrum(&values, 9);
    let found = PowerConfig::new(3).with_tolerance(1e-7).run(&a).unwrap();
    check("power", &a, &found, (&[-9.0, 6.0, 4.0], 1e-6));
    let lanczos = EigenpairsConfig::new(3, End::Magnitude)
        .with_tolerance(1e-7)
        .run(&a)
        .unwrap();
    println!(
        "power: {} products, Lanczos: {}",
        found.products, lanczos.products
    );
    assert!(found.products > 3 * lanczos.products);
    let warm = PowerConfig::new(3)
        .with_tolerance(1e-7)
        .run_from(&a, &found.vectors())
        .unwrap();
    assert!(warm.products <= 6 && warm.outcome.is_converged());
    let few = PowerConfig::new(3).with_max_products(5).run(&a).unwrap();
    assert!(!few.outcome.is_converged() && few.products == 5 && few.pairs.len() == 1);
    // Multiplicities come one after the other; nothing is nothing.
    let two = PowerConfig::new(2)
        .run(&Diagonal(vec![3.0, 1.0, 3.0]))
        .unwrap();
    assert!((two.pairs[1].value - 3.0).abs() < 1e-5 && two.outcome.is_converged());
    let zero = PowerConfig::new(2).run(&Diagonal(vec![0.0; 5])).unwrap();
    assert_eq!(
        (zero.pairs[1].value, zero.outcome.is_converged()),
        (0.0, true)
    );
}

/// Gives NaN from a product on.
struct Broken(Cell<usize>);

impl LinearOperator for Broken {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = HostError;
    fn domain(&self) -> usize {
        20
    }
    fn range(&self) -> usize {
        20
    }
    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, HostError> {
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
            BlockLanczosConfig::new(k, End::Top)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            LobpcgConfig::new(k, End::Top)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            PowerConfig::new(k)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
        ]
    };
    for k in [0, 4] {
        for refused in refusals(k, 0.1) {
            let error = KrylovError::TooMany {
                asked: k,
                available: 3,
            };
            assert_eq!(refused, Err(error));
        }
    }
    for tolerance in [0.0, -1.0, f64::INFINITY] {
        for refused in refusals(1, tolerance) {
            assert_eq!(refused, Err(KrylovError::InvalidTolerance { tolerance }));
        }
    }
    for found in refusals(3, 1e-6) {
        assert_eq!(found, Ok(()));
    }
    let small = BlockLanczosConfig::new(1, End::Top)
        .with_block(1)
        .with_max_basis(2);
    let needed = KrylovError::BasisTooSmall {
        vectors: 2,
        needed: 3,
    };
    assert_eq!(small.run(&a).map(|_| ()), Err(needed));
    let none = BlockLanczosConfig::new(1, End::Top).with_block(0).run(&a);
    assert!(matches!(
        none.map(|_| ()),
        Err(KrylovError::TooMany { asked: 0, .. })
    ));
    let broken = |good: usize| Broken(Cell::new(good));
    let named = |product: usize| Err(KrylovError::NonFinite { product });
    let block = BlockLanczosConfig::new(2, End::Top);
    assert_eq!(block.run(&broken(5)).map(|_| ()), named(5));
    let lobpcg = LobpcgConfig::new(2, End::Top);
    assert_eq!(lobpcg.run(&broken(6)).map(|_| ()), named(6));
    assert_eq!(PowerConfig::new(1).run(&broken(3)).map(|_| ()), named(3));
    let nan = block.run_from(&a, &[vec![f64::NAN; 3]]);
    assert!(matches!(
        nan.map(|_| ()),
        Err(KrylovError::NonFiniteArgument { .. })
    ));
    let long = lobpcg.run_from(&a, &[vec![1.0; 4]]);
    assert!(matches!(long.map(|_| ()), Err(KrylovError::Operator(_))));
}
