//! Laws over random matrices, sizes and factors.
#![cfg(test)]

use burnscape_krylov::{
    Deflated, Dense, HasAdjoint, LinearOperator, Orthonormal, Probe, Product, Restricted, Scaled,
    Shifted, Square, Sum, Symmetric, Transposed, VectorBlock, VectorSpace,
};
use proptest::prelude::*;

/// Entries of many sizes, zero among them.
fn matrix(rows: usize, columns: usize) -> impl Strategy<Value = Dense> {
    let entry = prop_oneof![4 => -1.0..1.0, 1 => -1e6..1e6, 1 => Just(0.0)];
    prop::collection::vec(entry, rows * columns)
        .prop_map(move |entries| Dense::from_row_major(rows, columns, entries).unwrap())
}

fn square() -> impl Strategy<Value = Dense> {
    (1_usize..9).prop_flat_map(|n| matrix(n, n))
}

fn rectangle() -> impl Strategy<Value = Dense> {
    (1_usize..9, 1_usize..9).prop_flat_map(|(rows, columns)| matrix(rows, columns))
}

fn pair_of_squares() -> impl Strategy<Value = (Dense, Dense)> {
    (1_usize..9).prop_flat_map(|n| (matrix(n, n), matrix(n, n)))
}

fn symmetrized(a: &Dense) -> Symmetric<Dense> {
    let sum = Dense::of(&Sum::new(a, Transposed::new(a)).unwrap()).unwrap();
    Symmetric::verified(sum, 1e-12, 0).unwrap()
}

fn basis(count: usize, dimension: usize, seed: u64) -> Orthonormal<Vec<f64>> {
    let vectors = (0..count as u64).map(|i| Probe::Gaussian.draw(&dimension, seed, i).unwrap());
    Orthonormal::orthonormalize(&dimension, vectors.collect()).unwrap()
}

fn largest(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |most, x| most.max(x.abs()))
}

proptest! {
    #[test]
    fn dense_operators_are_linear_and_have_their_adjoint(a in rectangle(), seed: u64) {
        // Room for products that are small by cancellation: a row times a vector can be anything.
        prop_assert!(a.linearity_defect(2, seed).unwrap() < 1e-12);
        prop_assert!(a.adjoint_defect(2, seed).unwrap() < 1e-12);
        prop_assert_eq!(Dense::of(&a).unwrap(), a.clone());
        prop_assert_eq!(Dense::of(&Transposed::new(&a)).unwrap(), a.transpose());
    }

    #[test]
    fn scaling_by_powers_of_two_is_exact(a in rectangle(), power in -200_i32..200, seed: u64) {
        let factor = 2.0_f64.powi(power);
        let v: Vec<f64> = Probe::Gaussian.draw(&a.domain(), seed, 0).unwrap();
        let expected = a.matvec(&v).unwrap().scale(factor);
        prop_assert_eq!(&a.matvec(&v.clone().scale(factor)).unwrap(), &expected);
        prop_assert_eq!(&Scaled::new(&a, factor).unwrap().matvec(&v).unwrap(), &expected);
    }

    #[test]
    fn a_shift_and_its_opposite_cancel((a, sigma) in (square(), -10.0..10.0)) {
        let there = Shifted::new(&a, sigma).unwrap();
        let back = Dense::of(&Shifted::new(there, -sigma).unwrap()).unwrap();
        for (found, expected) in back.as_slice().iter().zip(a.as_slice()) {
            prop_assert!((found - expected).abs() <= 4e-15 * (expected.abs() + 10.0));
        }
    }

    #[test]
    fn sums_commute_and_products_transpose((a, b) in pair_of_squares()) {
        let sum = Dense::of(&Sum::new(&a, &b).unwrap()).unwrap();
        prop_assert_eq!(sum, Dense::of(&Sum::new(&b, &a).unwrap()).unwrap());
        let product = Transposed::new(Product::new(&a, &b).unwrap());
        let reversed = Product::new(Transposed::new(&b), Transposed::new(&a)).unwrap();
        prop_assert_eq!(Dense::of(&product).unwrap(), Dense::of(&reversed).unwrap());
    }

    #[test]
    fn combinators_keep_symmetry((a, b) in pair_of_squares(), sigma in -10.0..10.0, seed: u64) {
        let (a, b) = (symmetrized(&a), symmetrized(&b));
        let n = a.domain();
        let q = basis(n / 2, n, seed);
        // Relative to the parts, for a sum may cancel what its rounding is relative to.
        let sum = Shifted::new(Sum::new(&a, Scaled::new(&b, -0.5).unwrap()).unwrap(), sigma);
        let matrix = Dense::of(&sum.unwrap()).unwrap();
        let scale = largest(a.operator().as_slice()) + largest(b.operator().as_slice());
        for (x, y) in matrix.as_slice().iter().zip(matrix.transpose().as_slice()) {
            prop_assert!((x - y).abs() <= 1e-15 * (scale + 10.0));
        }
        let scale = largest(a.operator().as_slice()).max(f64::MIN_POSITIVE);
        let unit = Scaled::new(&a, scale.recip());
        if let Ok(unit) = unit {
            for matrix in [
                Dense::of(&Deflated::new(&unit, q.clone()).unwrap()).unwrap(),
                Dense::of(&Restricted::new(&unit, q).unwrap()).unwrap(),
            ] {
                for (x, y) in matrix.as_slice().iter().zip(matrix.transpose().as_slice()) {
                    prop_assert!((x - y).abs() <= 2e-14);
                }
            }
        }
        prop_assert!(a.symmetry_defect(2, seed).unwrap() < 1e-12);
    }

    #[test]
    fn deflation_takes_the_subspace_out(a in square(), seed: u64) {
        let n = a.domain();
        let q = basis(n.div_ceil(2), n, seed);
        let deflated = Deflated::new(&a, q.clone()).unwrap();
        let scale = largest(a.as_slice()).max(1.0);
        for index in 0..q.len() {
            let row = q.block().get(index).unwrap().unwrap();
            prop_assert!(largest(&deflated.matvec(&row).unwrap()) < 1e-13 * scale);
        }
        let v: Vec<f64> = Probe::Gaussian.draw(&n, seed, 99).unwrap();
        let product = deflated.matvec(&v).unwrap();
        prop_assert!(largest(&q.block().dots(&product).unwrap()) < 1e-13 * scale);
        // Once is enough: a projection does nothing the second time.
        let twice = Deflated::new(&deflated, q).unwrap().matvec(&v).unwrap();
        let change = twice.axpy(-1.0, &product).unwrap();
        prop_assert!(largest(&change) < 1e-12 * scale);
    }

    #[test]
    fn restriction_keeps_the_quadratic_form(a in square(), seed: u64) {
        let n = a.domain();
        let restricted = Restricted::new(&a, basis(n.div_ceil(2), n, seed)).unwrap();
        let c: Vec<f64> = Probe::Gaussian.draw(&restricted.domain(), seed, 50).unwrap();
        let v = restricted.lift(&c).unwrap();
        let inside = c.dot(&restricted.matvec(&c).unwrap()).unwrap();
        let outside = v.dot(&a.matvec(&v).unwrap()).unwrap();
        let scale = largest(a.as_slice()) * v.dot(&v).unwrap();
        prop_assert!((inside - outside).abs() <= 1e-13 * scale);
    }

    #[test]
    fn a_full_basis_keeps_the_trace(a in square(), seed: u64) {
        let n = a.domain();
        let rotated = Dense::of(&Restricted::new(&a, basis(n, n, seed)).unwrap()).unwrap();
        let trace = |a: &Dense| -> f64 { a.rows().enumerate().map(|(i, row)| row[i]).sum() };
        prop_assert!((trace(&rotated) - trace(&a)).abs() <= 1e-12 * largest(a.as_slice()));
    }

    #[test]
    fn gram_schmidt_gives_an_orthonormal_basis(n in 1_usize..40, part in 0.0..1.0, seed: u64) {
        let q = basis((n as f64 * part) as usize, n, seed);
        prop_assert!(q.defect() < 1e-14);
    }
}
