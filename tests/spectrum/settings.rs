//! Every setting of a spectrum changes a result, changes a cost, or is refused.

use burnscape::spectrum::Spectrum;

use super::fixture::{Matrix, point};
use crate::sharpness::settings::{Effect, Law, check, measured};
use burnscape::krylov::Dense;
use burnscape::space::ParamSpace;

const N: usize = 60;

/// The setters of `Spectrum`, as its source names them.
fn settings() -> Vec<&'static str> {
    let source = include_str!("../../crates/burnscape/src/spectrum/spectrum_of.rs");
    let setters = source.split("pub fn with_").skip(1);
    setters
        .map(|rest| rest.split('(').next().unwrap())
        .collect()
}

/// A symmetric matrix that is not diagonal, with eigenvalues of both signs.
fn matrix() -> Matrix {
    let entry = |i: usize, j: usize| {
        let diagonal = if i == j { i as f64 - 7.5 } else { 0.0 };
        diagonal + 0.3 * (1.0 + (i * j) as f64 + (i + j) as f64).sin()
    };
    let entries = (0..N * N).map(|at| entry(at / N, at % N)).collect();
    Matrix {
        space: ParamSpace::of(&point(N)).unwrap(),
        entries: Dense::from_row_major(N, N, entries).unwrap(),
    }
}

#[test]
fn every_setting_has_an_effect() {
    let matrix = matrix();
    let spectrum = || {
        Spectrum::of(&matrix)
            .with_num_probes(3)
            .with_steps(8)
            .with_max_matvecs(30)
    };
    let top = |spectrum: Spectrum<'_, Matrix>| measured(spectrum.top_eigenpairs(2));
    let trace = |spectrum: Spectrum<'_, Matrix>| measured(spectrum.trace());
    let inertia = |spectrum: Spectrum<'_, Matrix>| measured(spectrum.inertia());
    let density = |spectrum: Spectrum<'_, Matrix>| measured(spectrum.density());
    let laws: [Law; 10] = [
        (
            "tolerance",
            Effect::Result,
            [top(spectrum()), top(spectrum().with_tolerance(0.1))],
        ),
        (
            "trace_tolerance",
            Effect::Result,
            [
                trace(spectrum().with_trace_tolerance(1e-9)),
                trace(spectrum().with_trace_tolerance(10.0)),
            ],
        ),
        (
            "max_matvecs",
            Effect::Result,
            [top(spectrum()), top(spectrum().with_max_matvecs(5))],
        ),
        (
            "max_basis",
            Effect::Result,
            [top(spectrum()), top(spectrum().with_max_basis(6))],
        ),
        (
            "max_bytes",
            Effect::Refused,
            [top(spectrum()), top(spectrum().with_max_bytes(100))],
        ),
        (
            "num_probes",
            Effect::Result,
            [density(spectrum()), density(spectrum().with_num_probes(4))],
        ),
        (
            "steps",
            Effect::Result,
            [density(spectrum()), density(spectrum().with_steps(9))],
        ),
        (
            "outliers",
            Effect::Result,
            [density(spectrum()), density(spectrum().with_outliers(1))],
        ),
        (
            "confidence",
            Effect::Result,
            [
                inertia(spectrum()),
                inertia(spectrum().with_confidence(0.5)),
            ],
        ),
        (
            "zero",
            Effect::Result,
            [inertia(spectrum()), inertia(spectrum().with_zero(5.0))],
        ),
    ];
    let seed = (
        "seed",
        Effect::Result,
        [top(spectrum()), top(spectrum().with_seed(1))],
    );
    check(&[laws.to_vec(), vec![seed]].concat(), &settings());
}
