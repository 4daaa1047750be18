//! Every linear system and every trust region.

use burnscape_krylov::{
    Dense, Inverse, KrylovFault, LinearOperator, Orthonormal, Preconditioned, Probe, Restricted,
    Shifted, SolveConfig, Symmetric, TrustRegionConfig, VectorBlock, VectorSpace,
};

use super::case::{Case, Operator, Run, Said};

pub(crate) fn runs() -> Vec<Run> {
    let mut runs = solves();
    runs.extend(trust_regions());
    runs
}

/// A positive definite operator.
fn definite<'a>(case: &'a Case<'a>) -> Shifted<&'a Operator<'a>> {
    Shifted::new(&case.a, 1.01 * case.norm()).unwrap()
}

fn preconditioner(n: usize) -> Symmetric<Dense> {
    let factors: Vec<f64> = (0..n).map(|i| 1.0 / (1.0 + i as f64 / n as f64)).collect();
    Symmetric::verified(Dense::diagonal(&factors), 1e-12, 0).unwrap()
}

fn solves() -> Vec<Run> {
    vec![
        Run::new("conjugate gradients", |case| {
            let b = case.b();
            Said::solution(
                &SolveConfig::conjugate_gradients().run(&definite(case), &b)?,
                &b,
            )
        }),
        Run::new("conjugate gradients, preconditioned", |case| {
            let (b, p) = (case.b(), preconditioner(case.values.len()));
            let config = SolveConfig::conjugate_gradients().with_tolerance(1e-8);
            let found = config.run(&Preconditioned::new(definite(case), &p)?, &b)?;
            Said::solution(&found, &b)
        }),
        Run::new("MINRES", |case| {
            let b = case.b();
            let config = SolveConfig::minres().with_max_matvecs(200);
            Said::solution(&config.run(&case.a, &b)?, &b)
        }),
        Run::new("MINRES, shifted into the spectrum", |case| {
            let b = case.b();
            let shifted = Shifted::new(&case.a, -0.37 * case.norm())?;
            let config = SolveConfig::minres().with_max_matvecs(200);
            Said::solution(&config.run(&shifted, &b)?, &b)
        }),
        Run::new("MINRES, preconditioned", |case| {
            let (b, p) = (case.b(), preconditioner(case.values.len()));
            let config = SolveConfig::minres().with_max_matvecs(200);
            let found = config.run(&Preconditioned::new(definite(case), &p)?, &b)?;
            Said::solution(&found, &b)
        }),
        Run::new("inverse by conjugate gradients", |case| {
            let b = case.b();
            let inverse = Inverse::new(
                definite(case),
                SolveConfig::conjugate_gradients().with_tolerance(1e-3),
            )?;
            Said::solution(&inverse.solve(&b)?, &b)
        }),
        Run::new("MINRES in a subspace of 12", |case| {
            let n = case.values.len();
            let vectors: Result<Vec<Vec<f64>>, KrylovFault> = (0..12)
                .map(|i| Probe::Rademacher.draw(&n, case.seed, i))
                .collect();
            let basis = Orthonormal::<Vec<f64>>::orthonormalize(&n, vectors?)?;
            let b: Vec<f64> = basis.block().dots(&case.b())?;
            let inside = Restricted::new(&case.a, basis)?;
            Said::solution(&SolveConfig::minres().run(&inside, &b)?, &b)
        }),
    ]
}

fn trust_regions() -> Vec<Run> {
    vec![
        Run::new("trust region, maximum", |case| {
            let config = TrustRegionConfig::new(1.0).with_seed(case.seed);
            Ok(config.maximize(&case.a, &case.b())?.into())
        }),
        Run::new("trust region, minimum, no certificate", |case| {
            let config = TrustRegionConfig::new(0.1).with_certificate(false);
            Ok(config
                .with_seed(case.seed)
                .minimize(&case.a, &case.b())?
                .into())
        }),
        Run::new("trust region, interior", |case| {
            let config = TrustRegionConfig::new(100.0).with_seed(case.seed);
            Ok(config.minimize(&definite(case), &case.b())?.into())
        }),
        Run::new("trust region, hard", |case| {
            // What is left of a vector along the top is nothing.
            let top = case
                .values
                .iter()
                .copied()
                .fold(f64::NEG_INFINITY, f64::max);
            let b = case.b();
            let g = case.a.matvec(&b)?.axpy(-top, &b)?;
            let config = TrustRegionConfig::new(10.0).with_seed(case.seed);
            Ok(config.maximize(&case.a, &g)?.into())
        }),
    ]
}
