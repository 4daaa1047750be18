//! Orthogonal factors of matrices.

use burnscape_krylov::Dense;
use nalgebra::DMatrix;

/// The entries of `Qᵀ A`.
fn remainder(q: &Dense, a: &Dense, size: usize) -> Vec<f64> {
    let (q, a) = (q.as_slice(), a.as_slice());
    let entry = |place: usize| -> f64 {
        let (i, j) = (place / size, place % size);
        (0..size).map(|k| q[k * size + i] * a[k * size + j]).sum()
    };
    (0..size * size).map(entry).collect()
}

/// A symmetric and positive remainder is what makes an orthogonal matrix the nearest one.
#[track_caller]
fn assert_nearest(a: &Dense, size: usize) {
    let q = a.polar().expect("a factor");
    let rest = remainder(&q, a, size);
    let scale = a.as_slice().iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    for i in 0..size {
        for j in 0..i {
            let gap = rest[i * size + j] - rest[j * size + i];
            assert!(gap.abs() < 1e-12 * scale, "{rest:?}");
        }
    }
    let values = DMatrix::from_row_slice(size, size, &rest).symmetric_eigenvalues();
    assert!(values.min() > -1e-12 * scale, "{values}");
}

#[test]
fn factors_of_whole_numbers_are_the_nearest_ones() {
    // The first ones are matrices on which singular value decompositions were wrong.
    for rows in [
        [[1.0, 2.0, 2.0], [2.0, -1.0, -1.0], [2.0, 1.0, -1.0]],
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
        [[2.0, -1.0, -2.0], [-1.0, 0.0, 2.0], [0.0, -2.0, -1.0]],
    ] {
        assert_nearest(&Dense::from_rows(&rows).expect("a matrix"), 3);
    }
}

#[test]
fn small_whole_numbers_of_all_kinds_have_factors() {
    let size = 4;
    for seed in 0_u64..2000 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let entries = (0..size * size).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % 5) as f64 - 2.0
        });
        let a = Dense::from_row_major(size, size, entries.collect()).expect("a matrix");
        assert_nearest(&a, size);
    }
}
