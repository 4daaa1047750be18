//! A device whose products with a basis round their operands loses what Krylov methods rely on.

use burnscape_krylov::{LanczosFactorization, VectorBlock, VectorSpace};

use super::device_vector::{DeviceSpace, DeviceVector};
use super::operators::Spectrum;

const STEPS: usize = 60;

/// Three eigenvalues far above the others, as Hessians have them.
fn values(n: usize) -> Vec<f32> {
    let bulk = (0..n).map(|i| i as f32 / n as f32);
    let outliers = [10_000.0, 300.0, 100.0];
    outliers.into_iter().chain(bulk).take(n).collect()
}

/// `|Q Qᵀ − I|` on the host, how many Ritz values are the largest eigenvalue, and by how much the third is wrong.
fn defects(space: DeviceSpace) -> (f64, usize, f64) {
    let n = DeviceVector::dimension(&space);
    let a = Spectrum(space, values(n));
    let run = LanczosFactorization::from_random(&a, STEPS, 0).unwrap();
    let rows = run.basis().vectors().map(|q| q.unwrap().to_host().unwrap());
    let rows: Vec<Vec<f64>> = rows.collect();
    let mut defect = 0.0_f64;
    for (i, x) in rows.iter().enumerate() {
        for (j, y) in rows[..=i].iter().enumerate() {
            let product: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            defect = defect.max((product - f64::from(u8::from(i == j))).abs());
        }
    }
    let values = run.ritz_values();
    let copies = values.iter().filter(|value| **value > 9_990.0).count();
    (defect, copies, (values[STEPS - 3] - 100.0).abs())
}

#[test]
fn a_basis_is_orthonormal_where_products_round_nothing_and_not_where_they_round_to_ten_bits() {
    let (exact, one, small) = defects(DeviceSpace::new("model", 400));
    let (rounded, several, large) = defects(DeviceSpace::rounded("model", 400));
    assert!(exact < 2e-6 && small < 1e-4, "{exact:e}, {small:e}");
    assert!(rounded > 100.0 * exact, "{rounded:e} and {exact:e}");
    assert!(large > 100.0 * small, "{large:e} and {small:e}");
    // A pass with rounded products still takes out all but a thousandth: enough to keep copies away.
    assert_eq!((one, several), (1, 1));
}
