//! Orthonormal bases: what is accepted, what is made, what is refused.

use burnscape_krylov::{Dense, KrylovFault, Orthonormal, Probe, VectorBlock};

fn gaussian(count: u64, dimension: usize) -> Vec<Vec<f64>> {
    (0..count)
        .map(|index| Probe::Gaussian.draw(&dimension, 9, index).unwrap())
        .collect()
}

#[test]
fn made_bases_are_orthonormal_to_rounding() {
    for (count, dimension) in [(1, 1), (5, 5), (20, 200), (0, 4)] {
        let q = Orthonormal::orthonormalize(&dimension, gaussian(count, dimension)).unwrap();
        assert_eq!(q.len(), count as usize);
        assert!(q.defect() < 1e-14, "{:e}", q.defect());
    }
}

#[test]
fn nearly_dependent_vectors_lose_nothing() {
    // One pass of Gram-Schmidt leaves these vectors of Läuchli far from orthogonal.
    let small = 1e-9_f64;
    let vectors = vec![
        vec![1.0, small, 0.0, 0.0],
        vec![1.0, 0.0, small, 0.0],
        vec![1.0, 0.0, 0.0, small],
    ];
    let q = Orthonormal::orthonormalize(&4, vectors).unwrap();
    assert!(q.defect() < 1e-15, "{:e}", q.defect());
}

#[test]
fn scale_does_not_matter() {
    let vectors = gaussian(4, 10);
    let basis = |factor: f64| {
        let scaled: Vec<Vec<f64>> = vectors
            .iter()
            .map(|v| v.iter().map(|x| factor * x).collect())
            .collect();
        let q = Orthonormal::orthonormalize(&10, scaled).unwrap();
        q.block().transform(&Dense::identity(4)).unwrap()
    };
    let (plain, scaled) = (basis(1.0), basis(2.0_f64.powi(-80)));
    for index in 0..4 {
        assert_eq!(plain.get(index), scaled.get(index));
    }
}

#[test]
fn what_has_no_direction_of_its_own_is_refused() {
    let v = vec![1.0, 2.0, 3.0];
    let third = vec![1.0 / 3.0, 2.0 / 3.0, 1.0];
    let zero = vec![0.0; 3];
    let broken = vec![1.0, f64::NAN, 0.0];
    let infinite = vec![1.0, f64::INFINITY, 0.0];
    for refused in [third, zero, broken, infinite] {
        let error = Orthonormal::orthonormalize(&3, vec![v.clone(), refused]).unwrap_err();
        assert!(
            matches!(error, KrylovFault::Dependent { index: 1, .. }),
            "{error}"
        );
    }
    let error = Orthonormal::orthonormalize(&2, gaussian(3, 2)).unwrap_err();
    assert!(
        matches!(error, KrylovFault::Dependent { index: 2, .. }),
        "{error}"
    );
}

#[test]
fn claims_are_checked() {
    let not_orthogonal = vec![vec![1.0_f64, 0.0], vec![0.6, 0.8]];
    let error = Orthonormal::checked(&2, not_orthogonal).unwrap_err();
    let KrylovFault::NotOrthonormal {
        first,
        second,
        product,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((first, second, product), (0, 1, 0.6));
    let not_normal = vec![vec![1.0_f64, 0.0], vec![0.0, 1.0 + 1e-9]];
    let error = Orthonormal::checked(&2, not_normal).unwrap_err();
    assert!(matches!(
        error,
        KrylovFault::NotOrthonormal {
            first: 1,
            second: 1,
            ..
        }
    ));
    let error = Orthonormal::checked(&2, vec![vec![f64::NAN, 0.0]]).unwrap_err();
    assert!(matches!(
        error,
        KrylovFault::NotOrthonormal {
            first: 0,
            second: 0,
            ..
        }
    ));
    let error = Orthonormal::checked(&3, vec![vec![1.0_f64, 0.0]]).unwrap_err();
    let (expected, found) = (3, 2);
    let mismatch = KrylovFault::DimensionMismatch { expected, found };
    assert_eq!(error, mismatch);
}

#[test]
fn single_precision_is_held_to_its_own_rounding() {
    let vectors: Vec<Vec<f32>> = (0..8)
        .map(|index| Probe::Gaussian.draw(&500, 3, index).unwrap())
        .collect();
    let q = Orthonormal::orthonormalize(&500, vectors).unwrap();
    assert!(q.defect() > 1e-10 && q.defect() < 1e-6, "{:e}", q.defect());
}

#[test]
fn rotation_and_gram_are_matrix_products() {
    let (q, p) = (gaussian(3, 6), gaussian(5, 6));
    let (q_rows, p_rows) = (Dense::from_rows(&q).unwrap(), Dense::from_rows(&p).unwrap());
    let block = |vectors| {
        let block = burnscape_krylov::VectorList::<Vec<f64>>::from_vectors(&6, vectors);
        block.unwrap()
    };
    let (q, p) = (block(q), block(p));
    let gram = q.gram(&p).unwrap();
    let expected = q_rows.multiply(&p_rows.transpose()).unwrap();
    assert_eq!((gram.num_rows(), gram.num_columns()), (3, 5));
    for (found, expected) in gram.as_slice().iter().zip(expected.as_slice()) {
        assert!((found - expected).abs() < 1e-14);
    }
    let rotated = q.transform(&Dense::from_rows(&[[0.0, 2.0, 0.0], [1.0, 0.0, -1.0]]).unwrap());
    let rotated = rotated.unwrap();
    let (q0, q1, q2) = (
        q_rows.row(0).unwrap(),
        q_rows.row(1).unwrap(),
        q_rows.row(2).unwrap(),
    );
    let twice: Vec<f64> = q1.iter().map(|x| 2.0 * x).collect();
    let difference: Vec<f64> = q0.iter().zip(q2).map(|(a, b)| a - b).collect();
    assert_eq!(rotated.get(0), Ok(Some(twice)));
    assert_eq!(rotated.get(1), Ok(Some(difference)));
    assert_eq!(rotated.len(), 2);
}
