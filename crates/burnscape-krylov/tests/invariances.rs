//! The effect of changes of the operator on every answer, over random matrices.

use crate::spectra::{Single, rotation, size, with_spectrum};
use burnscape_krylov::{
    Axis, Dense, DensityConfig, DiagonalConfig, DiagonalMethod, EigenMethod, Eigenpairs,
    EigenpairsConfig, LanczosFactorization, Probe, Scaled, SelfAdjoint, Shifted, Symmetric,
    TraceConfig, TraceMethod, VectorBlock, VectorSpace, Which,
};
use proptest::prelude::*;

/// Eigenvalues of either sign and many sizes.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![4 => -1.0..1.0, 1 => -100.0..100.0, 1 => Just(0.0), 1 => Just(2.0)];
    prop::collection::vec(value, 6..24)
}

/// Every number that the methods give, and how it scales: with the operator, or not at all.
fn answers<A: SelfAdjoint<Vector = Vec<f64>>>(a: &A, seed: u64) -> (Vec<f64>, Vec<f64>)
where
    A::Error: std::fmt::Debug,
{
    let (mut scaled, mut fixed) = (Vec::new(), Vec::new());
    let found = [
        EigenpairsConfig::new(2, Which::BothEnds)
            .with_max_basis(5)
            .with_max_matvecs(40)
            .with_seed(seed)
            .run(a)
            .unwrap(),
        EigenpairsConfig::new(2, Which::Largest)
            .with_method(EigenMethod::Block)
            .with_max_basis(10)
            .with_max_matvecs(40)
            .with_seed(seed)
            .run(a)
            .unwrap(),
        EigenpairsConfig::new(2, Which::Smallest)
            .with_method(EigenMethod::Lobpcg)
            .with_max_matvecs(40)
            .with_seed(seed)
            .run(a)
            .unwrap(),
        EigenpairsConfig::new(1, Which::LargestMagnitude)
            .with_method(EigenMethod::Power)
            .with_max_matvecs(20)
            .with_seed(seed)
            .run(a)
            .unwrap(),
    ];
    for found in found {
        fixed.push(found.num_matvecs as f64);
        scaled.extend(found.values);
        scaled.extend(found.residuals);
        fixed.extend(found.vectors.concat());
    }
    let density = DensityConfig::new()
        .with_num_probes(2)
        .with_steps(5)
        .with_outliers(1)
        .with_seed(seed);
    if let Ok(density) = density.run(a) {
        let measure = density.measure();
        scaled.extend(measure.nodes);
        fixed.extend(measure.weights);
        let curve = density.curve(Axis::Linear, 9, None).unwrap();
        scaled.extend(curve.grid);
    }
    for method in [
        TraceMethod::Hutchinson,
        TraceMethod::HutchPlusPlus,
        TraceMethod::XTrace,
        TraceMethod::Auto,
    ] {
        let config = TraceConfig::new().with_method(method).with_max_matvecs(31);
        let found = config.with_seed(seed).run(a).unwrap();
        scaled.push(found.value);
        scaled.extend(found.half_width);
    }
    for method in [DiagonalMethod::Hutchinson, DiagonalMethod::XDiag] {
        let config = DiagonalConfig::new()
            .with_method(method)
            .with_max_matvecs(12);
        scaled.extend(config.with_seed(seed).run(a).unwrap().diagonal);
    }
    let record = LanczosFactorization::from_random(a, 5, seed).unwrap();
    scaled.extend(record.ritz_values());
    scaled.extend(record.residual_estimates());
    (scaled, fixed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_power_of_two_goes_through_exactly(values in values(), power in -60_i32..60, seed in 0..1000_u64) {
        let a = with_spectrum(&values, seed);
        let factor = 2.0_f64.powi(power);
        let (one, fixed) = answers(&a, seed);
        let (other, same) = answers(&Scaled::new(&a, factor).unwrap(), seed);
        let expected: Vec<f64> = one.iter().map(|x| x * factor).collect();
        prop_assert_eq!(other, expected);
        prop_assert_eq!(same, fixed);
    }

    #[test]
    fn a_shift_moves_every_eigenvalue(values in values(), sigma in -10.0..10.0, seed in 0..1000_u64) {
        let a = with_spectrum(&values, seed);
        let shifted = Shifted::new(&a, sigma).unwrap();
        let steps = 4;
        let run = |record: LanczosFactorization<Vec<f64>>| record.projected().unwrap();
        let one = run(LanczosFactorization::from_random(&a, steps, seed).unwrap());
        let two = run(LanczosFactorization::from_random(&shifted, steps, seed).unwrap());
        // T moves by sigma times the identity, as far as the space has not been exhausted.
        let scale = size(&values) + sigma.abs();
        let record = LanczosFactorization::from_random(&a, steps, seed).unwrap();
        if record.quadrature().unwrap().nodes.len() == steps {
            let least = (1..steps).map(|i| one.row(i).unwrap()[i - 1].abs()).fold(1.0, f64::min);
            for (index, (x, y)) in one.as_slice().iter().zip(two.as_slice()).enumerate() {
                let diagonal = if index % (steps + 1) == 0 { sigma } else { 0.0 };
                // A small step amplifies rounding in those after it.
                prop_assert!((x + diagonal - y).abs() <= 1e-11 * scale * (scale / least).powi(2));
            }
        }
        let whole = |a: &dyn Fn() -> Vec<f64>| a();
        let plain = whole(&|| LanczosFactorization::from_random(&a, values.len(), 0).unwrap().ritz_values());
        let moved = whole(&|| LanczosFactorization::from_random(&shifted, values.len(), 0).unwrap().ritz_values());
        for (x, y) in plain.iter().zip(&moved) {
            prop_assert!((x + sigma - y).abs() <= 1e-10 * scale);
        }
    }

    #[test]
    fn a_rotation_changes_vectors_and_no_number(values in values(), seed in 0..1000_u64) {
        let n = values.len();
        let a = with_spectrum(&values, seed);
        let q = rotation(n, seed + 5000);
        let turn = Dense::from_rows(&q).unwrap();
        let rotated = turn.multiply(a.operator()).unwrap().multiply(&turn.transpose()).unwrap();
        let rotated = Symmetric::verified(rotated, 1e-10, 0).unwrap();
        let start: Vec<f64> = Probe::Gaussian.draw(&n, seed, 0).unwrap();
        let turned: Vec<f64> = q.iter().map(|row| row.dot(&start).unwrap()).collect();
        let one = LanczosFactorization::from_vector(&a, start.clone(), n, 0).unwrap();
        let two = LanczosFactorization::from_vector(&rotated, turned.clone(), n, 0).unwrap();
        let scale = size(&values).max(1e-3);
        for (x, y) in one.ritz_values().iter().zip(two.ritz_values()) {
            prop_assert!((x - y).abs() <= 1e-10 * scale);
        }
        let square = |record: &LanczosFactorization<Vec<f64>>| record.quadratic_form(|x| x * x).unwrap();
        let bound = 1e-9 * scale * scale * n as f64;
        prop_assert!((square(&one) - square(&two)).abs() <= bound);
        // f(QAQᵀ) Qv = Q f(A) v.
        let there = one.apply(f64::cos).unwrap().unwrap();
        let there: Vec<f64> = q.iter().map(|row| row.dot(&there).unwrap()).collect();
        let here = two.apply(f64::cos).unwrap().unwrap();
        let rest = here.axpy(-1.0, &there).unwrap().norm().unwrap();
        prop_assert!(rest <= 1e-8 * (1.0 + scale) * start.norm().unwrap());
    }

    #[test]
    fn blocks_find_the_top_of_random_spectra(values in values(), seed in 0..1000_u64) {
        // As many vectors as pairs: multiplicities are no obstacle.
        let a = with_spectrum(&values, seed);
        let config = EigenpairsConfig::new(3, Which::Largest).with_method(EigenMethod::Block).with_block(3).with_tolerance(1e-10);
        finds(config.run(&a).unwrap(), &values)?;
    }

    #[test]
    fn single_vectors_find_the_top_of_simple_spectra(values in values(), seed in 0..1000_u64) {
        let place = |(i, x): (usize, &f64)| x + 0.017 * i as f64;
        let values: Vec<f64> = values.iter().enumerate().map(place).collect();
        let a = with_spectrum(&values, seed);
        let config = EigenpairsConfig::new(3, Which::Largest).with_tolerance(1e-10);
        finds(config.run(&a).unwrap(), &values)?;
    }
}

fn finds(found: Eigenpairs<Vec<f64>>, values: &[f64]) -> Result<(), TestCaseError> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|x, y| y.total_cmp(x));
    let scale = size(values).max(1e-3);
    prop_assert!(found.outcome.is_converged());
    for (i, expected) in (0..found.values.len()).zip(&sorted) {
        let error = (found.values[i] - expected).abs();
        prop_assert!(error <= 1e-9 * scale, "{} {sorted:?}", found.values[i]);
    }
    Ok(())
}

#[test]
fn single_precision_finds_whole_spectra() {
    for (name, mut values) in crate::spectra::all(40) {
        let a = Single::of(with_spectrum(&values, 3).operator());
        let record = LanczosFactorization::from_random(&a, 40, 0).unwrap();
        values.sort_by(f64::total_cmp);
        let scale = size(&values).max(1e-30);
        for (found, expected) in record.ritz_values().iter().zip(&values) {
            assert!(
                (found - expected).abs() <= 1e-5 * scale,
                "{name}: {found} {expected}"
            );
        }
        // The basis is orthonormal to the rounding of its vectors.
        let gram = record.basis().gram(record.basis()).unwrap();
        for (i, row) in gram.rows().enumerate() {
            for (j, x) in row.iter().enumerate() {
                let unit = f64::from(u8::from(i == j));
                assert!((x - unit).abs() < 1e-5, "{name} {i} {j} {x}");
            }
        }
    }
}
