//! Every estimate: traces, diagonals, densities, counts, functions of the operator. Values and products;
//! no half widths, which are statements about values.

use burnscape_krylov::{
    Axis, DensityConfig, DiagonalConfig, DiagonalMethod, EigenpairsConfig, HasAdjoint, KrylovFault,
    LanczosFactorization, LinearOperator, Shifted, SpectralDensity, Square, TraceConfig,
    TraceMethod, VectorSpace, Which,
};

use super::case::{Case, Outcome, Run, Said};

pub(crate) fn runs() -> Vec<Run> {
    let mut runs = traces();
    runs.extend(diagonals());
    runs.extend(densities());
    runs.extend(records());
    runs.extend(checks());
    runs
}

fn traces() -> Vec<Run> {
    let trace = |case: &Case<'_>| TraceConfig::new().with_max_matvecs(48).with_seed(case.seed);
    let methods = [
        TraceMethod::Hutchinson,
        TraceMethod::HutchPlusPlus,
        TraceMethod::XTrace,
        TraceMethod::Auto,
    ];
    let of_method = methods.map(|method| {
        Run::new(format!("trace, {method:?}"), move |case| {
            let found = trace(case).with_method(method).run(&case.a)?;
            Ok(Said::of([found.value]))
        })
    });
    let mut runs: Vec<Run> = of_method.into_iter().collect();
    runs.extend([
        Run::new("trace, XNysTrace, shifted", move |case| {
            let shifted = Shifted::new(&case.a, 1.25 * case.norm())?;
            let found = trace(case)
                .with_method(TraceMethod::XNysTrace)
                .run(&shifted)?;
            Ok(Said::of([found.value]))
        }),
        Run::new("trace, Hutchinson, blocks of 5", move |case| {
            let found = trace(case).with_block(5).run(&case.a)?;
            Ok(Said::of([found.value]))
        }),
        Run::new("traces of two halves", move |case| {
            let parts = |v: &Vec<f64>, product: &Vec<f64>| -> Result<Vec<f64>, KrylovFault> {
                let half = v.len() / 2;
                let dot = |range: std::ops::Range<usize>| {
                    v[range.clone()].to_vec().dot(&product[range].to_vec())
                };
                Ok(vec![dot(0..half)?, dot(half..v.len())?])
            };
            let found = trace(case).run_integrands(&case.a, parts)?;
            Ok(Said::of(
                found.iter().map(|part| part.value).collect::<Vec<f64>>(),
            ))
        }),
        Run::new("squared Frobenius norm", move |case| {
            let square = |_: &Vec<f64>, product: &Vec<f64>| Ok(vec![product.norm()?.powi(2)]);
            let found = trace(case).run_integrands(&case.a, square)?;
            Ok(Said::of([found[0].value]))
        }),
    ]);
    runs
}

fn diagonals() -> [Run; 2] {
    [DiagonalMethod::Hutchinson, DiagonalMethod::XDiag].map(|method| {
        Run::new(format!("diagonal, {method:?}"), move |case| {
            let config = DiagonalConfig::new().with_method(method);
            let config = config.with_max_matvecs(40).with_seed(case.seed);
            let found = config.run(&case.a)?;
            let weights: Vec<f64> = (0..found.diagonal.len()).map(|i| 1.0 + i as f64).collect();
            Ok(Said::of([found.diagonal.dot(&weights)?, found.diagonal[0]]))
        })
    })
}

/// Smooth, positive, and of numbers of one size for every spectrum.
fn bell(x: f64) -> f64 {
    1.0 / (1.0 + x * x)
}

fn read(density: &SpectralDensity, case: &Case<'_>) -> Vec<f64> {
    let middle = 0.3 * case.norm();
    vec![
        density.trace_of(bell).value,
        density.fraction_below(middle).value,
        density.effective_dimension(middle).value,
        density.at_least_above(middle) as f64,
        density.outliers().iter().sum(),
    ]
}

fn densities() -> Vec<Run> {
    let density = |case: &Case<'_>| {
        let config = DensityConfig::new().with_num_probes(3).with_steps(15);
        config.with_seed(case.seed)
    };
    vec![
        Run::new("density", move |case| {
            Ok(Said::of(read(&density(case).run(&case.a)?, case)))
        }),
        Run::new("density, two outliers", move |case| {
            let found = density(case).with_outliers(2).run(&case.a)?;
            Ok(Said::of(read(&found, case)))
        }),
        Run::new("density, deflated", move |case| {
            let pairs = EigenpairsConfig::new(1, Which::Largest).with_seed(case.seed);
            let pairs = pairs.run(&case.a)?;
            let found = density(case).run_deflated(&case.a, &pairs)?;
            Ok(Said::of(read(&found, case)))
        }),
        Run::new("density, log-determinant, curve", move |case| {
            let shifted = Shifted::new(&case.a, 1.25 * case.norm())?;
            let found = density(case).run(&shifted)?;
            let curve = found.curve(Axis::Linear, 9, None)?;
            let middle = curve.density[4];
            Ok(Said::of([
                found.log_determinant().value,
                curve.bandwidth,
                middle,
            ]))
        }),
    ]
}

fn numbers_of(record: &LanczosFactorization<Vec<f64>>, case: &Case<'_>) -> Outcome {
    let (values, residuals) = (record.ritz_values(), record.residual_estimates());
    let last = values.len() - 1;
    let count = record.count_in(0.3 * case.norm()..);
    let applied = record.apply(bell)?.unwrap_or_default();
    Ok(Said::of([
        values[0],
        residuals[0],
        values[last],
        residuals[last],
        record.quadratic_form(bell).unwrap_or(f64::NAN),
        applied[0],
        count.at_least as f64,
        count.estimate.unwrap_or(f64::NAN),
    ]))
}

fn records() -> Vec<Run> {
    vec![
        Run::new("Lanczos, 20 steps", |case| {
            let record = LanczosFactorization::from_random(&case.a, 20, case.seed)?;
            numbers_of(&record, case)
        }),
        Run::new(
            "Lanczos from a vector, stored after 10 of 20 steps",
            |case| {
                let record = LanczosFactorization::from_vector(&case.a, case.b(), 10, case.seed)?;
                let mut record = LanczosFactorization::from_checkpoint(
                    &case.values.len(),
                    &record.checkpoint()?,
                )?;
                record.extend(&case.a, 10)?;
                numbers_of(&record, case)
            },
        ),
        Run::new("eigenpairs of a record", |case| {
            let record = LanczosFactorization::from_random(&case.a, 20, case.seed)?;
            Ok(Said::pairs(&record.eigenpairs(
                &case.a,
                Which::BothEnds,
                2,
            )?))
        }),
    ]
}

fn checks() -> [Run; 1] {
    [Run::new(
        "defects of symmetry, adjoint, linearity",
        |case| {
            let (a, seed) = (&case.a, case.seed);
            Ok(Said::of([
                a.symmetry_defect(2, seed)?,
                a.adjoint_defect(2, seed)?,
                a.linearity_defect(2, seed)?,
            ]))
        },
    )]
}
