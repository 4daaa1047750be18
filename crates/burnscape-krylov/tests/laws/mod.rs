//! Every operator of the crate, made from known matrices, under every law.

mod blocks;
mod cases;
mod matrices;

use burnscape_krylov::{Dense, HasAdjoint, KrylovFault, LinearOperator, Probe, Square, Transposed};
use cases::{Case, all};

/// Rounding of products of matrices with a dozen rows, relative to the largest entry.
const ROUNDING: f64 = 1e-13;
/// The largest relative defect.
const DEFECT: f64 = 2e-15;

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn assert_close(found: &[f64], expected: &[f64], claim: &str) {
    assert_eq!(found.len(), expected.len(), "{claim}: lengths");
    let scale = largest(expected).max(1.0);
    for (found, expected) in found.iter().zip(expected) {
        let distance = (found - expected).abs();
        assert!(
            distance <= ROUNDING * scale,
            "{claim}: {found} for {expected}"
        );
    }
}

fn vectors(dimension: usize, count: u64, seed: u64) -> Vec<Vec<f64>> {
    (0..count)
        .map(|index| Probe::Gaussian.draw(&dimension, seed, index).unwrap())
        .collect()
}

fn inputs(case: &Case) -> Vec<Vec<f64>> {
    vectors(case.operator.domain(), 5, 1)
}

fn cotangents(case: &Case) -> Vec<Vec<f64>> {
    vectors(case.operator.range(), 5, 2)
}

#[test]
fn operators_equal_their_matrices() {
    for case in all() {
        let dense = Dense::of(&case.operator).unwrap();
        assert_eq!(dense.num_rows(), case.matrix.num_rows(), "{}", case.name);
        assert_eq!(
            dense.num_columns(),
            case.matrix.num_columns(),
            "{}",
            case.name
        );
        assert_close(dense.as_slice(), case.matrix.as_slice(), case.name);
    }
}

#[test]
fn adjoints_equal_their_transposed_matrices() {
    for case in all() {
        let dense = Dense::of(&Transposed::new(&case.operator)).unwrap();
        assert_close(
            dense.as_slice(),
            case.matrix.transpose().as_slice(),
            case.name,
        );
    }
}

#[test]
fn products_equal_those_of_the_matrix() {
    for case in all() {
        for v in inputs(&case) {
            let expected = case.matrix.matvec(&v).unwrap();
            assert_close(&case.operator.matvec(&v).unwrap(), &expected, case.name);
        }
    }
}

#[test]
fn operators_are_linear() {
    for case in all() {
        let defect = case.operator.linearity_defect(4, 3).unwrap();
        assert!(defect < DEFECT, "{}: {defect:e}", case.name);
    }
}

#[test]
fn the_adjoint_identity_holds() {
    for case in all() {
        let defect = case.operator.adjoint_defect(4, 4).unwrap();
        assert!(defect < DEFECT, "{}: {defect:e}", case.name);
    }
}

#[test]
fn what_is_self_adjoint_by_type_is_so_in_numbers() {
    let mut seen = 0;
    for case in all().into_iter().filter(|case| case.self_adjoint) {
        seen += 1;
        let defect = case.operator.symmetry_defect(4, 5).unwrap();
        assert!(defect < DEFECT, "{}: {defect:e}", case.name);
        for v in inputs(&case) {
            let (product, adjoint) = (case.operator.matvec(&v), case.operator.matvec_adjoint(&v));
            assert_close(&product.unwrap(), &adjoint.unwrap(), case.name);
        }
    }
    assert!(seen > 10);
}

#[test]
fn a_block_of_products_is_the_products_one_by_one() {
    for case in all() {
        let v = inputs(&case);
        let each: Vec<_> = v.iter().map(|v| case.operator.matvec(v).unwrap()).collect();
        assert_eq!(case.operator.matmat(&v).unwrap(), each, "{}", case.name);
        let u = cotangents(&case);
        let each: Vec<_> = u
            .iter()
            .map(|u| case.operator.matvec_adjoint(u).unwrap())
            .collect();
        assert_eq!(
            case.operator.matmat_adjoint(&u).unwrap(),
            each,
            "{}",
            case.name
        );
        assert!(
            case.operator.matmat(&[]).unwrap().is_empty(),
            "{}",
            case.name
        );
    }
}

#[test]
fn scaling_by_a_power_of_two_is_exact() {
    let times = |v: &[f64], factor: f64| -> Vec<f64> { v.iter().map(|x| factor * x).collect() };
    for case in all() {
        for factor in [2.0_f64.powi(-40), -0.5, 2.0_f64.powi(60)] {
            for v in inputs(&case) {
                let product = case.operator.matvec(&v).unwrap();
                let scaled = case.operator.matvec(&times(&v, factor)).unwrap();
                assert_eq!(scaled, times(&product, factor), "{}", case.name);
            }
            for u in cotangents(&case) {
                let product = case.operator.matvec_adjoint(&u).unwrap();
                let scaled = case.operator.matvec_adjoint(&times(&u, factor)).unwrap();
                assert_eq!(scaled, times(&product, factor), "{}", case.name);
            }
        }
    }
}

#[test]
fn products_repeat_bit_for_bit() {
    for case in all() {
        for v in inputs(&case) {
            let (first, second) = (case.operator.matvec(&v), case.operator.matvec(&v));
            assert_eq!(first.unwrap(), second.unwrap(), "{}", case.name);
        }
    }
}

#[test]
fn zero_goes_to_zero() {
    for case in all() {
        let product = case.operator.matvec(&vec![0.0; case.operator.domain()]);
        assert_eq!(largest(&product.unwrap()), 0.0, "{}", case.name);
    }
}

#[test]
fn a_vector_of_another_space_is_a_typed_error() {
    for case in all() {
        let (domain, range) = (case.operator.domain(), case.operator.range());
        let refusals = [
            (domain, case.operator.matvec(&vec![1.0; domain + 1]).err()),
            (
                range,
                case.operator.matvec_adjoint(&vec![1.0; range + 1]).err(),
            ),
        ];
        for (expected, refusal) in refusals {
            let found = expected + 1;
            let mismatch = KrylovFault::DimensionMismatch { expected, found };
            let count = KrylovFault::CoefficientCount { expected, found };
            let known = refusal == Some(mismatch) || refusal == Some(count);
            assert!(known, "{}: {refusal:?}", case.name);
        }
    }
}

#[test]
fn nan_passes_through_and_is_never_lost() {
    for case in all().into_iter().filter(|case| case.operator.range() > 0) {
        let mut v = vec![1.0; case.operator.domain()];
        let Some(last) = v.last_mut() else { continue };
        *last = f64::NAN;
        let product = case.operator.matvec(&v).unwrap();
        assert!(product.iter().any(|value| value.is_nan()), "{}", case.name);
    }
}

#[test]
fn every_operator_of_the_crate_is_registered() {
    let cases = all();
    let mut found = 0;
    for room in ["combinator", "dense", "operator", "vector"] {
        let folder = format!("{}/src/{room}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for line in text.lines().filter(|line| line.starts_with("impl")) {
                let Some((_, implementer)) = line.split_once("LinearOperator for ") else {
                    continue;
                };
                let name = implementer.split(['<', ' ', '{']).next().unwrap();
                // Linear to the tolerance of its solver only, with errors of its own: `tests/inverses.rs`.
                if name == "Inverse" {
                    continue;
                }
                let path = format!("::{name}");
                let registered = cases.iter().any(|case| case.type_name.contains(&path));
                assert!(registered, "{name} is in no case");
                found += 1;
            }
        }
    }
    assert!(found >= 9, "the search found {found}");
}
