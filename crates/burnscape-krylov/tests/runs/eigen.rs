//! Every search for eigenpairs.

use burnscape_krylov::{
    Deflated, Dense, EigenMethod, EigenpairsConfig, Inverse, Orthonormal, Preconditioned, Product,
    Scaled, Shifted, SolveConfig, Sum, Symmetric, Which,
};

use super::case::{Run, Said};

const ENDS: [Which; 4] = [
    Which::Largest,
    Which::Smallest,
    Which::LargestMagnitude,
    Which::BothEnds,
];
/// Number of pairs.
const K: usize = 2;

pub(crate) fn runs() -> Vec<Run> {
    let mut runs: Vec<Run> = ENDS.into_iter().flat_map(of_end).collect();
    runs.extend(lanczos());
    runs.extend(others());
    runs
}

/// Every method with its defaults.
fn of_end(end: Which) -> Vec<Run> {
    // The names that the file has.
    let name = match end {
        Which::Largest => "Top",
        Which::Smallest => "Bottom",
        Which::LargestMagnitude => "Magnitude",
        Which::BothEnds => "Both",
    };
    vec![
        Run::new(format!("eigenpairs, {name}"), move |case| {
            let config = EigenpairsConfig::new(K, end).with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new(format!("block Lanczos, {name}"), move |case| {
            let config = EigenpairsConfig::new(K, end)
                .with_method(EigenMethod::Block)
                .with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new(format!("LOBPCG, {name}"), move |case| {
            let config = EigenpairsConfig::new(K, end)
                .with_method(EigenMethod::Lobpcg)
                .with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new(format!("Davidson, {name}"), move |case| {
            let config = EigenpairsConfig::new(K, end)
                .with_method(EigenMethod::Davidson)
                .with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
    ]
}

/// Other settings of Lanczos with thick restarts.
fn lanczos() -> Vec<Run> {
    vec![
        Run::new("eigenpairs, verified, Bottom", |case| {
            let config = EigenpairsConfig::new(K, Which::Smallest).with_verification(true);
            Ok(config.with_seed(case.seed).run(&case.a)?.into())
        }),
        Run::new(
            "eigenpairs, a basis of 12, estimated residuals, Top",
            |case| {
                let config = EigenpairsConfig::new(K, Which::Largest)
                    .with_max_basis(12)
                    .with_estimated_residuals(true)
                    .with_seed(case.seed);
                Ok(config.run(&case.a)?.into())
            },
        ),
        Run::new("eigenpairs, warm, Top", |case| {
            let config = EigenpairsConfig::new(K, Which::Largest).with_tolerance(1e-4);
            let config = config.with_seed(case.seed);
            let found = config.run(&case.a)?;
            Ok(config.run_from(&case.a, &found.vectors)?.into())
        }),
        Run::new("eigenpairs of A (A + 1) / 2, deflated, Top", |case| {
            let config = EigenpairsConfig::new(1, Which::Largest).with_seed(case.seed);
            let first = config.run(&case.a)?;
            let n = case.values.len();
            let basis = Orthonormal::<Vec<f64>>::orthonormalize(&n, first.vectors)?;
            let square = Product::new(&case.a, &case.a)?;
            let square = Symmetric::verified(square, 1e-9, case.seed)?;
            let sum = Scaled::new(Sum::new(square, &case.a)?, 0.5)?;
            Ok(config.run(&Deflated::new(sum, basis)?)?.into())
        }),
        Run::new("eigenpairs of an inverse, Magnitude", |case| {
            let shifted = Shifted::new(&case.a, 1.5 * case.norm())?;
            let inverse = Inverse::new(shifted, SolveConfig::minres().with_tolerance(1e-10))?;
            let config = EigenpairsConfig::new(1, Which::LargestMagnitude).with_seed(case.seed);
            Ok(config.run(&inverse)?.into())
        }),
    ]
}

fn others() -> Vec<Run> {
    vec![
        Run::new("block Lanczos, a block of 4, Top", |case| {
            let config = EigenpairsConfig::new(K, Which::Largest)
                .with_method(EigenMethod::Block)
                .with_block(4);
            Ok(config.with_seed(case.seed).run(&case.a)?.into())
        }),
        Run::new("block Lanczos, warm, Bottom", |case| {
            let config = EigenpairsConfig::new(K, Which::Smallest)
                .with_method(EigenMethod::Block)
                .with_seed(case.seed);
            Ok(config.run_from(&case.a, &[case.b()])?.into())
        }),
        Run::new("LOBPCG, preconditioned, Bottom", |case| {
            let n = case.values.len();
            let factors: Vec<f64> = (0..n).map(|i| 1.0 / (1.0 + i as f64 / n as f64)).collect();
            let preconditioner = Symmetric::verified(Dense::diagonal(&factors), 1e-12, 0)?;
            let config = EigenpairsConfig::new(K, Which::Smallest)
                .with_method(EigenMethod::Lobpcg)
                .with_seed(case.seed);
            let a = Preconditioned::new(&case.a, &preconditioner)?;
            let found = config.run_from(&a, &[case.b()])?;
            Ok(found.into())
        }),
        Run::new("Davidson, from starts, extra pairs, Top", |case| {
            let config = EigenpairsConfig::new(1, Which::Largest)
                .with_method(EigenMethod::Davidson)
                .with_extra(1);
            let config = config.with_seed(case.seed);
            Ok(config.run_from(&case.a, &[case.b()])?.into())
        }),
        Run::new("power iteration", |case| {
            let config = EigenpairsConfig::new(1, Which::LargestMagnitude)
                .with_method(EigenMethod::Power)
                .with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new("power iteration, two", |case| {
            let config = EigenpairsConfig::new(K, Which::LargestMagnitude)
                .with_method(EigenMethod::Power)
                .with_tolerance(1e-3);
            let found = config.with_seed(case.seed).run_from(&case.a, &[case.b()])?;
            Ok(Said::from(found))
        }),
    ]
}
