//! What matrices say, against LAPACK's word on PyTorch's matrices.

use burnscape::curvature::CurvatureError;
use burnscape::krylov::{DensityConfig, DiagonalConfig, LanczosFactorization, SelfAdjoint};
use burnscape::space::ParamVector;
use burnscape::spectrum::Spectrum;
use burnscape_testkit::golden::{GoldenHeader, load};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[allow(dead_code, reason = "read so that unknown fields can be denied")]
    header: GoldenHeader,
    gamma: f64,
    hessian: Answers,
    gauss_newton: Answers,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    eigenvalues: Vec<f64>,
    diagonal: Vec<f64>,
    trace: f64,
    layers: Vec<Layer>,
    frobenius: f64,
    effective_dimension: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    path: String,
    len: usize,
    trace: f64,
}

pub(super) enum Which {
    Hessian,
    GaussNewton,
}

/// Holds the answers of [`Spectrum`] about an operator to those of the file.
pub(super) fn check<A>(case: &str, which: &Which, operator: &A)
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>,
{
    let file: File = load("spectrum", case).expect("a golden file");
    let answers = match which {
        Which::Hessian => &file.hessian,
        Which::GaussNewton => &file.gauss_newton,
    };
    let values = &answers.eigenvalues;
    let n = values.len();
    let size = values[n - 1].abs().max(values[0].abs());
    let near = |what: &str, found: f64, expected: f64, allowed: f64| {
        assert!(
            (found - expected).abs() <= allowed,
            "{case}: {what}: {found} {expected}, {allowed:e} allowed"
        );
    };

    let whole = LanczosFactorization::from_random(operator, n, 0).expect("a run");
    for (found, expected) in whole.ritz_values().iter().zip(values) {
        near("eigenvalue", *found, *expected, 1e-9 * size);
    }
    let spectrum = Spectrum::of(operator).with_tolerance(1e-10);
    let top = spectrum.top_eigenpairs(5).expect("pairs");
    assert!(top.outcome.is_converged(), "{case}: {top:?}");
    for (found, expected) in top.values.iter().zip(values.iter().rev()) {
        near("top", *found, *expected, 1e-9 * size);
    }
    let bottom = spectrum.bottom_eigenpairs(1).expect("pairs");
    near("bottom", bottom.values[0], values[0], 1e-9 * size);

    let zero = 1e-7 * size;
    let inertia = spectrum.with_zero(zero).inertia().expect("counts");
    let count = |is_one: &dyn Fn(f64) -> bool| values.iter().filter(|x| is_one(**x)).count();
    assert_eq!(inertia.positive.exact, Some(count(&|x| x > zero)), "{case}");
    assert_eq!(
        inertia.negative.exact,
        Some(count(&|x| x < -zero)),
        "{case}"
    );

    // Estimates, by their own errors.
    let spectrum = Spectrum::of(operator).with_num_probes(300).with_seed(1);
    let layers = spectrum.trace_by_layer().expect("traces");
    for (found, expected) in layers.layers.iter().zip(&answers.layers) {
        assert_eq!((&found.path, found.len), (&expected.path, expected.len));
        let allowed = 2.0 * found.half_width.expect("an interval") + 1e-12 * size;
        near("trace of a layer", found.value, expected.trace, allowed);
    }
    let allowed = 2.0 * layers.total.half_width.expect("an interval");
    near("trace", layers.total.value, answers.trace, allowed);
    let diagonal = DiagonalConfig::new()
        .with_max_matvecs(300)
        .with_seed(1)
        .run(operator)
        .expect("a diagonal");
    let found = diagonal.diagonal.to_host().expect("numbers");
    let variances = diagonal.variance.to_host().expect("numbers");
    for ((found, expected), variance) in found.iter().zip(&answers.diagonal).zip(variances) {
        near(
            "diagonal",
            *found,
            *expected,
            6.0 * variance.sqrt() + 1e-12 * size,
        );
    }
    let density = DensityConfig::new()
        .with_num_probes(40)
        .with_steps(n)
        .run(operator)
        .expect("a density");
    let square = density.trace_of(|x| x * x);
    let allowed = 4.0 * square.standard_error.expect("an error");
    near(
        "Frobenius",
        square.value,
        answers.frobenius.powi(2),
        allowed,
    );
    let dimension = spectrum.with_num_probes(40).effective_dimension(file.gamma);
    let dimension = dimension.expect("a number");
    let allowed = 4.0 * dimension.standard_error.expect("an error");
    near(
        "effective dimension",
        dimension.value,
        answers.effective_dimension,
        allowed,
    );
}
