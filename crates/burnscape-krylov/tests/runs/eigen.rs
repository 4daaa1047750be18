//! Every search for eigenpairs.

use burnscape_krylov::{
    BlockLanczosConfig, DavidsonConfig, Deflated, Dense, EigenpairsConfig, End, Inverse,
    LobpcgConfig, MinresConfig, Orthonormal, PowerConfig, Product, Residuals, Scaled, Shifted, Sum,
    Symmetric,
};

use crate::case::{Run, Said};

const ENDS: [End; 4] = [End::Top, End::Bottom, End::Magnitude, End::Both];
/// Pairs that are asked for.
const K: usize = 2;

pub(crate) fn runs() -> Vec<Run> {
    let mut runs: Vec<Run> = ENDS.into_iter().flat_map(of_end).collect();
    runs.extend(lanczos());
    runs.extend(others());
    runs
}

/// Every method with its defaults.
fn of_end(end: End) -> Vec<Run> {
    vec![
        Run::new(format!("eigenpairs, {end:?}"), move |case| {
            let config = EigenpairsConfig::new(K, end).with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new(format!("block Lanczos, {end:?}"), move |case| {
            let config = BlockLanczosConfig::new(K, end).with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new(format!("LOBPCG, {end:?}"), move |case| {
            let config = LobpcgConfig::new(K, end).with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new(format!("Davidson, {end:?}"), move |case| {
            let config = DavidsonConfig::new(K, end).with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
    ]
}

/// What else can be asked of Lanczos with thick restarts.
fn lanczos() -> Vec<Run> {
    vec![
        Run::new("eigenpairs, verified, Bottom", |case| {
            let config = EigenpairsConfig::new(K, End::Bottom).with_verification(true);
            Ok(config.with_seed(case.seed).run(&case.a)?.into())
        }),
        Run::new(
            "eigenpairs, a basis of 12, estimated residuals, Top",
            |case| {
                let config = EigenpairsConfig::new(K, End::Top)
                    .with_max_basis(12)
                    .with_residuals(Residuals::Estimated)
                    .with_seed(case.seed);
                Ok(config.run(&case.a)?.into())
            },
        ),
        Run::new("eigenpairs, warm, Top", |case| {
            let config = EigenpairsConfig::new(K, End::Top).with_tolerance(1e-4);
            let config = config.with_seed(case.seed);
            let found = config.run(&case.a)?;
            Ok(config.run_from(&case.a, &found.vectors())?.into())
        }),
        Run::new("eigenpairs of A (A + 1) / 2, deflated, Top", |case| {
            let config = EigenpairsConfig::new(1, End::Top).with_seed(case.seed);
            let first = config.run(&case.a)?;
            let n = case.values.len();
            let basis = Orthonormal::<Vec<f64>>::orthonormalize(&n, first.vectors())?;
            let square = Product::new(&case.a, &case.a)?;
            let square = Symmetric::verified(square, 1e-9, case.seed)?;
            let sum = Scaled::new(Sum::new(square, &case.a)?, 0.5)?;
            Ok(config.run(&Deflated::new(sum, basis)?)?.into())
        }),
        Run::new("eigenpairs of an inverse, Magnitude", |case| {
            let shifted = Shifted::new(&case.a, 1.5 * case.norm())?;
            let inverse = Inverse::new(shifted, MinresConfig::new().with_tolerance(1e-10))?;
            let config = EigenpairsConfig::new(1, End::Magnitude).with_seed(case.seed);
            Ok(config.run(&inverse)?.into())
        }),
    ]
}

fn others() -> Vec<Run> {
    vec![
        Run::new("block Lanczos, a block of 4, Top", |case| {
            let config = BlockLanczosConfig::new(K, End::Top).with_block(4);
            Ok(config.with_seed(case.seed).run(&case.a)?.into())
        }),
        Run::new("block Lanczos, warm, Bottom", |case| {
            let config = BlockLanczosConfig::new(K, End::Bottom).with_seed(case.seed);
            Ok(config.run_from(&case.a, &[case.b()])?.into())
        }),
        Run::new("LOBPCG, preconditioned, Bottom", |case| {
            let n = case.values.len();
            let factors: Vec<f64> = (0..n).map(|i| 1.0 / (1.0 + i as f64 / n as f64)).collect();
            let preconditioner = Symmetric::verified(Dense::diagonal(&factors), 1e-12, 0)?;
            let config = LobpcgConfig::new(K, End::Bottom).with_seed(case.seed);
            let found = config.run_preconditioned(&case.a, &[case.b()], &preconditioner)?;
            Ok(found.into())
        }),
        Run::new("Davidson, from starts, extra pairs, Top", |case| {
            let config = DavidsonConfig::new(1, End::Top).with_extra(1);
            let config = config.with_seed(case.seed);
            Ok(config.run_from(&case.a, &[case.b()])?.into())
        }),
        Run::new("power iteration", |case| {
            let config = PowerConfig::new(1).with_seed(case.seed);
            Ok(config.run(&case.a)?.into())
        }),
        Run::new("power iteration, two", |case| {
            let config = PowerConfig::new(K).with_tolerance(1e-3);
            let found = config.with_seed(case.seed).run_from(&case.a, &[case.b()])?;
            Ok(Said::from(found))
        }),
    ]
}
