//! Lanczos finds prescribed spectra: nothing missing, nothing invented.

use std::cell::Cell;
use std::ops::ControlFlow;

use crate::counted::Counted;
use crate::spectra::Single;
use burnscape_krylov::{
    Dense, EigenpairsConfig, KrylovFault, LanczosFactorization, LinearOperator, Probe, SelfAdjoint,
    Symmetric, VectorBlock, VectorSpace, Which,
};

/// `H D H` with a Householder reflection `H`: the spectrum `values`, no vector of it an axis.
fn with_spectrum(values: &[f64]) -> Symmetric<Dense> {
    let n = values.len();
    let v: Vec<f64> = Probe::Gaussian.draw(&n, 99, 0).unwrap();
    let square = v.dot(&v).unwrap();
    let reflection: Vec<f64> = (0..n * n)
        .map(|index| {
            let (i, j) = (index / n, index % n);
            f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square
        })
        .collect();
    let reflection = Dense::from_row_major(n, n, reflection).unwrap();
    let scaled: Vec<f64> = (0..n * n)
        .map(|index| reflection.as_slice()[index] * values[index % n])
        .collect();
    let scaled = Dense::from_row_major(n, n, scaled).unwrap();
    let full = scaled.multiply(&reflection).unwrap();
    Symmetric::verified(full, 1e-10, 0).unwrap()
}

fn size(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |size, x| size.max(x.abs()))
}

/// `|A Qᵀ − Qᵀ T − r eᵀ|` column by column, and `|Q Qᵀ − I|`.
fn defects<A: SelfAdjoint<Vector = Vec<f64>>>(
    a: &A,
    record: &LanczosFactorization<Vec<f64>>,
) -> (f64, f64) {
    let (basis, t) = (record.basis(), record.projected().unwrap());
    let mut relation = 0.0_f64;
    for j in 0..record.len() - 1 {
        let product = a.matvec(&basis.get(j).unwrap().unwrap()).unwrap();
        let column: Vec<f64> = t.row(j).unwrap().to_vec();
        let rest = product
            .axpy(-1.0, &basis.linear_combination(&column).unwrap())
            .unwrap();
        // What is left is along the next vector, unless a fresh one was drawn.
        relation = relation.max(rest.norm().unwrap());
    }
    let gram = basis.gram(basis).unwrap();
    let orthonormality = gram.rows().enumerate().fold(0.0_f64, |worst, (i, row)| {
        row.iter().enumerate().fold(worst, |worst, (j, x)| {
            worst.max((x - f64::from(u8::from(i == j))).abs())
        })
    });
    (relation, orthonormality)
}

fn spectra() -> Vec<(&'static str, Vec<f64>)> {
    let n = 40;
    let map = |f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<f64>>();
    let mut outlier = map(&|i| i as f64 / n as f64);
    outlier[0] = 1e6;
    vec![
        ("decay", map(&|i| 0.7_f64.powi(i as i32))),
        ("steps", map(&|i| (i / 10) as f64)),
        ("clusters", map(&|i| (i / 8) as f64 + 1e-7 * (i % 8) as f64)),
        ("negative", map(&|i| i as f64 - 25.5)),
        ("rank 3", map(&|i| if i < 3 { 5.0 - i as f64 } else { 0.0 })),
        ("identity", vec![1.0; n]),
        ("zero", vec![0.0; n]),
        ("outlier", outlier),
    ]
}

#[test]
fn whole_spectra_are_found_with_their_multiplicities() {
    for (name, mut values) in spectra() {
        let a = with_spectrum(&values);
        let record = LanczosFactorization::from_random(&a, values.len(), 3).unwrap();
        assert_eq!(record.len(), values.len(), "{name}");
        assert!(record.is_invariant());
        values.sort_by(f64::total_cmp);
        let found = record.ritz_values();
        let scale = size(&values).max(1e-300);
        for (found, value) in found.iter().zip(&values) {
            assert!(
                (found - value).abs() <= 1e-10 * scale,
                "{name}: {found} {value}"
            );
        }
        let (relation, orthonormality) = defects(&a, &record);
        println!("{name}: relation {relation:.1e}, orthonormality {orthonormality:.1e}");
        assert!(
            relation <= 1e-12 * scale && orthonormality <= 1e-12,
            "{name}"
        );
    }
}

#[test]
fn outer_pairs_are_found_under_a_small_basis() {
    for (name, mut values) in spectra() {
        values.sort_by(f64::total_cmp);
        let a = with_spectrum(&values);
        let scale = size(&values).max(1e-300);
        for end in [Which::Largest, Which::Smallest] {
            // The bottom of a geometric decay lies within 1e-6 of the norm: only the whole space tells
            // its values apart.
            let is_hard = (name, end) == ("decay", Which::Smallest);
            let config = EigenpairsConfig::new(4, end)
                .with_tolerance(1e-11)
                .with_max_basis(if is_hard { 40 } else { 14 });
            let found = config.run(&a).unwrap();
            let expected: Vec<f64> = match end {
                Which::Smallest => values.iter().take(4).copied().collect(),
                _ => values.iter().rev().take(4).copied().collect(),
            };
            println!(
                "{name} {end:?}: {} products, {} restarts",
                found.num_matvecs, found.num_restarts
            );
            assert!(found.outcome.is_converged(), "{name} {end:?}");
            for (i, expected) in (0..found.values.len()).zip(&expected) {
                let error = (found.values[i] - expected).abs();
                assert!(
                    error <= 1e-10 * scale,
                    "{name} {end:?}: {} {expected}",
                    found.values[i]
                );
                // The residual is that of the pair.
                let product = a.matvec(&found.vectors[i]).unwrap();
                let rest = product
                    .axpy(-found.values[i], &found.vectors[i])
                    .unwrap()
                    .norm()
                    .unwrap();
                assert!((rest - found.residuals[i]).abs() <= 1e-14 * scale);
                assert!((found.vectors[i].norm().unwrap() - 1.0).abs() < 1e-13);
            }
        }
    }
}

#[test]
fn restarts_reach_what_one_long_run_reaches() {
    // Two hundred even steps: the ends converge slowly.
    let values: Vec<f64> = (0..200).map(f64::from).collect();
    let a = with_spectrum(&values);
    let config = EigenpairsConfig::new(5, Which::Smallest).with_tolerance(1e-10);
    let long = config.clone().with_max_basis(200).run(&a).unwrap();
    let short = config.with_max_basis(24).run(&a).unwrap();
    assert!(long.outcome.is_converged() && long.num_restarts == 0);
    assert!(short.outcome.is_converged() && short.num_restarts > 2);
    println!(
        "{} products in one run, {} with restarts",
        long.num_matvecs, short.num_matvecs
    );
    for (a, b) in long.values.iter().zip(&short.values) {
        assert!((a - b).abs() < 1e-8, "{a} {b}");
    }
    for (a, b) in long.vectors.iter().zip(&short.vectors) {
        assert!(a.dot(b).unwrap().abs() > 1.0 - 1e-8);
    }
    assert!(short.num_matvecs < 4 * long.num_matvecs);
}

#[test]
fn a_run_that_is_interrupted_goes_on_as_if_it_had_not_been() {
    let values: Vec<f64> = (0..30).map(|i| f64::from(i) * 0.37 - 4.0).collect();
    let a = with_spectrum(&values);
    let whole = LanczosFactorization::from_random(&a, 20, 7).unwrap();
    let stopped = (&a).observed(|step| match step.num_matvecs == 8 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    let mut parts = LanczosFactorization::from_random(&stopped, 20, 7).unwrap();
    assert_eq!((parts.num_matvecs(), parts.len()), (8, 8));
    parts.extend(&a, 12).unwrap();
    assert_eq!(parts.ritz_values(), whole.ritz_values());
    assert_eq!(parts.projected().unwrap(), whole.projected().unwrap());
    for index in 0..20 {
        assert_eq!(parts.basis().get(index), whole.basis().get(index));
    }
}

#[test]
fn scaling_by_a_power_of_two_scales_everything_exactly() {
    let values: Vec<f64> = (0..30).map(|i| f64::from(i) * 0.37 - 4.0).collect();
    let a = with_spectrum(&values);
    let one = LanczosFactorization::from_random(&a, 12, 0)
        .unwrap()
        .projected()
        .unwrap();
    for k in [-300, -40, 17, 300] {
        let factor = 2.0_f64.powi(k);
        let scaled = burnscape_krylov::Scaled::new(&a, factor).unwrap();
        let other = LanczosFactorization::from_random(&scaled, 12, 0)
            .unwrap()
            .projected()
            .unwrap();
        let expected: Vec<f64> = one.as_slice().iter().map(|x| x * factor).collect();
        assert_eq!(other.as_slice(), expected);
    }
}

#[test]
fn quadrature_is_exact_for_polynomials_and_for_invariant_subspaces() {
    let values: Vec<f64> = (0..30).map(|i| f64::from(i) / 15.0 - 1.0).collect();
    let a = with_spectrum(&values);
    let start: Vec<f64> = Probe::Gaussian.draw(&30, 4, 0).unwrap();
    let run =
        |steps: usize| LanczosFactorization::from_vector(&a, start.clone(), steps, 0).unwrap();
    let six = run(6).quadrature().unwrap();
    assert!((six.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
    // vᵀ Aᵏ v for k up to eleven.
    let (mut power, square) = (start.clone(), start.dot(&start).unwrap());
    for k in 0..12 {
        let exact = start.dot(&power).unwrap() / square;
        assert!((six.integrate(|x| x.powi(k)) - exact).abs() < 1e-13, "{k}");
        power = a.matvec(&power).unwrap();
    }
    // Beyond that only the whole space is.
    let exact = start.dot(&power).unwrap() / square;
    assert!((six.integrate(|x| x.powi(12)) - exact).abs() > 1e-8);
    assert!((run(30).quadrature().unwrap().integrate(|x| x.powi(12)) - exact).abs() < 1e-13);
    // The identity is exhausted at once.
    let identity = Symmetric::verified(Dense::identity(9), 1e-12, 0).unwrap();
    let record = LanczosFactorization::from_random(&identity, 5, 0).unwrap();
    let one = record.quadrature().unwrap();
    assert_eq!(
        (one.nodes.len(), one.weights.as_slice()),
        (1, [1.0].as_slice())
    );
    assert!((one.nodes[0] - 1.0).abs() < 1e-15);
    assert_eq!(record.len(), 5);
}

#[test]
fn functions_of_the_operator_are_exact_where_quadrature_is() {
    let values: Vec<f64> = (0..30).map(|i| f64::from(i) / 15.0 - 0.97).collect();
    let a = with_spectrum(&values);
    let start: Vec<f64> = Probe::Gaussian.draw(&30, 4, 0).unwrap();
    let run =
        |steps: usize| LanczosFactorization::from_vector(&a, start.clone(), steps, 0).unwrap();
    let distance = |x: Vec<f64>, y: &Vec<f64>| x.axpy(-1.0, y).unwrap().norm().unwrap();
    let (six, mut power) = (run(6), start.clone());
    for k in 0..6 {
        let found = six.apply(|x| x.powi(k)).unwrap().unwrap();
        assert!(distance(found, &power) < 1e-13, "{k}");
        power = a.matvec(&power).unwrap();
    }
    let found = six.apply(|x| x.powi(6)).unwrap().unwrap();
    assert!(distance(found, &power) > 1e-3);
    // |A|⁻¹ twice, and A twice, is the identity.
    let inverse = |x: f64| 1.0 / x.abs();
    let once = run(30).apply(inverse).unwrap().unwrap();
    let twice = LanczosFactorization::from_vector(&a, once, 30, 0);
    let twice = twice.unwrap().apply(inverse).unwrap().unwrap();
    let back = a.matvec(&a.matvec(&twice).unwrap()).unwrap();
    assert!(distance(back, &start) < 1e-10 * start.norm().unwrap());
}

#[test]
fn single_precision_invents_no_eigenvalue() {
    // Rank three in f32: what rounding makes of the null space is no eigenvalue.
    let n = 60;
    let rows: Vec<Vec<f32>> = (0..3)
        .map(|seed| Probe::Gaussian.draw::<Vec<f32>>(&n, seed, 0).unwrap())
        .collect();
    struct LowRank(Vec<Vec<f32>>);
    impl LinearOperator for LowRank {
        type Domain = Vec<f32>;
        type Range = Vec<f32>;
        type Error = KrylovFault;
        fn domain(&self) -> usize {
            self.0[0].len()
        }
        fn range(&self) -> usize {
            self.0[0].len()
        }
        fn matvec(&self, v: &Vec<f32>) -> Result<Vec<f32>, KrylovFault> {
            let mut sum = vec![0.0_f32; v.len()];
            for row in &self.0 {
                let factor: f32 = row.iter().zip(v).map(|(a, b)| a * b).sum();
                sum.iter_mut().zip(row).for_each(|(s, r)| *s += factor * r);
            }
            Ok(sum)
        }
    }
    impl SelfAdjoint for LowRank {}
    let a = LowRank(rows);
    let record = LanczosFactorization::from_random(&a, 40, 0).unwrap();
    let values = record.ritz_values();
    let scale = values[values.len() - 1];
    let large = values.iter().filter(|x| x.abs() > 1e-5 * scale).count();
    assert_eq!(large, 3, "{values:?}");
    let top = EigenpairsConfig::new(3, Which::Largest).run(&a).unwrap();
    assert!(top.outcome.is_converged());
    assert!(
        top.residuals
            .iter()
            .all(|residual| *residual <= 1e-5 * scale)
    );
}

#[test]
fn single_precision_finds_whole_spectra_and_outer_pairs() {
    for (name, mut values) in spectra() {
        values.sort_by(f64::total_cmp);
        let full = with_spectrum(&values);
        let a = Single::of(full.operator());
        let scale = size(&values).max(1e-300);
        let record = LanczosFactorization::from_random(&a, values.len(), 0).unwrap();
        assert_eq!(record.len(), values.len(), "{name}");
        for (found, value) in record.ritz_values().iter().zip(&values) {
            let error = (found - value).abs() / scale;
            assert!(error <= 1e-5, "{name}: {error:e}");
        }
        // The tolerance is that of the type: a residual of 32 ε.
        let top = EigenpairsConfig::new(4, Which::Largest).with_max_basis(14);
        let top = top.run(&a).unwrap();
        assert!(top.outcome.is_converged(), "{name}");
        for index in 0..top.values.len() {
            let error = |value: &f64| (top.values[index] - value).abs() / scale;
            // Eigenvalues that the type cannot tell apart are copies of one, of which a Krylov space
            // that is not exhausted has one vector: no copy is promised, and nothing invented.
            let error = match name {
                "clusters" if index > 0 => values.iter().map(error).fold(1.0, f64::min),
                _ => error(&values[values.len() - 1 - index]),
            };
            assert!(error <= 1e-5, "{name}: {error:e}");
            let product: Vec<f64> = a.matvec(&top.vectors[index]).unwrap().to_host().unwrap();
            let vector = top.vectors[index].to_host().unwrap();
            let rest = product.axpy(-top.values[index], &vector).unwrap();
            let error = (rest.norm().unwrap() - top.residuals[index]).abs() / scale;
            assert!(error <= 1e-6, "{name}: {error:e}");
        }
    }
}

#[test]
fn products_are_counted_as_they_are_used() {
    let values: Vec<f64> = (0..50).map(f64::from).collect();
    let a = Counted::new(with_spectrum(&values));
    let found = EigenpairsConfig::new(2, Which::Largest).run(&a).unwrap();
    assert_eq!(found.num_matvecs, a.num_matvecs());
    // A limit is respected, and reported.
    let few = EigenpairsConfig::new(2, Which::Largest)
        .with_max_matvecs(9)
        .run(&a)
        .unwrap();
    assert!(!few.outcome.is_converged() && few.num_matvecs <= 9 && few.values.len() == 2);
}

/// Fails or gives NaN from a product on.
struct Broken {
    n: usize,
    good: Cell<usize>,
}

impl LinearOperator for Broken {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;
    fn domain(&self) -> usize {
        self.n
    }
    fn range(&self) -> usize {
        self.n
    }
    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        if self.good.get() == 0 {
            return Ok(vec![f64::NAN; self.n]);
        }
        self.good.set(self.good.get() - 1);
        Ok(v.iter().enumerate().map(|(i, x)| x * i as f64).collect())
    }
}

impl SelfAdjoint for Broken {}

#[test]
fn bad_input_is_refused_by_name() {
    let a = with_spectrum(&[1.0, 2.0, 3.0]);
    let refusal = |config: EigenpairsConfig| config.run(&a).map(|_| ()).unwrap_err();
    let error = refusal(EigenpairsConfig::new(4, Which::Largest));
    assert_eq!(
        error,
        KrylovFault::TooMany {
            name: "eigenpairs",
            asked: 4,
            available: 3
        }
    );
    let error = refusal(EigenpairsConfig::new(0, Which::Largest));
    assert_eq!(
        error,
        KrylovFault::TooMany {
            name: "eigenpairs",
            asked: 0,
            available: 3
        }
    );
    let error = refusal(EigenpairsConfig::new(1, Which::Largest).with_tolerance(0.0));
    assert_eq!(
        error,
        KrylovFault::OutOfBounds {
            name: "tolerance",
            value: 0.0,
            allowed: "a positive, finite number"
        }
    );
    let error = refusal(EigenpairsConfig::new(1, Which::Largest).with_max_basis(1));
    assert_eq!(
        error,
        KrylovFault::BasisTooSmall {
            vectors: 1,
            needed: 3
        }
    );
    let zero = LanczosFactorization::from_vector(&a, vec![0.0; 3], 2, 0);
    assert!(matches!(
        zero.map(|_| ()),
        Err(KrylovFault::OutOfBounds { name: "start", .. })
    ));
    let short = LanczosFactorization::from_vector(&a, vec![1.0; 2], 2, 0);
    assert!(short.is_err());
    let broken = Broken {
        n: 20,
        good: Cell::new(5),
    };
    let error = LanczosFactorization::from_random(&broken, 9, 0)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error, KrylovFault::NonFinite { product: 5 });
    // The record keeps what was reached.
    broken.good.set(5);
    let mut record = LanczosFactorization::from_random(&broken, 5, 0).unwrap();
    assert!(record.extend(&broken, 3).is_err());
    assert_eq!((record.len(), record.ritz_values().len()), (5, 5));
    broken.good.set(3);
    record.extend(&broken, 3).unwrap();
    assert_eq!(record.len(), 8);
}
