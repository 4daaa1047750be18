//! Every setting of every config changes a result or a cost, or is refused.
//!
//! A setter without a row fails: the names are read from the source files.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::ControlFlow;

use crate::spectra::with_spectrum;
use burnscape_krylov::{
    DensityConfig, DiagonalConfig, DiagonalMethod, EigenMethod, EigenpairsConfig, FlowConfig,
    KrylovFault, LinearOperator, OverlapConfig, RungeKutta, SelfAdjoint, SolveConfig, TraceConfig,
    TraceMethod, TrustRegionConfig, VectorSpace, Which,
};

type Operator<'a> = dyn SelfAdjoint<Vector = Vec<f64>, Domain = Vec<f64>, Range = Vec<f64>, Error = KrylovFault>
    + 'a;
/// All numbers and costs of a result, and the number of steps that an observer saw.
type Said = Result<String, KrylovFault>;
/// A setting by the name of its setter, and how it is set.
type Setting<C> = (&'static str, fn(C) -> C);

fn said<T: Debug>(run: impl FnOnce(&Operator<'_>) -> Result<T, KrylovFault>) -> Said {
    let values: Vec<f64> = (0..60).map(|i| (f64::from(i) / 10.0).exp()).collect();
    let (a, mut steps) = (with_spectrum(&values, 3), 0);
    let observed = (&a).observed(|_| {
        steps += 1;
        ControlFlow::Continue(())
    });
    let found = format!("{:?}", run(&observed)?);
    Ok(format!("{found} after {steps} steps"))
}

/// Holds the settings against the setters in the source of a config. Every setting changes some run of the configs, and
/// each run that it does not change refuses it.
fn check<C: Clone>(source: &str, configs: &[C], settings: &[Setting<C>], run: impl Fn(&C) -> Said) {
    let methods = source.split("pub fn ").skip(1);
    let names = methods.filter_map(|text| text.split('(').next());
    let setters: BTreeSet<&str> = names.filter(|name| name.starts_with("with_")).collect();
    let rows: BTreeSet<&str> = settings.iter().map(|(setter, _)| *setter).collect();
    assert_eq!(
        setters, rows,
        "a row for every setter, a setter for every row"
    );
    for (setter, set) in settings {
        let mut has_effect = false;
        for (index, config) in configs.iter().enumerate() {
            let (plain, changed) = (run(config).unwrap(), run(&set(config.clone())));
            match changed {
                Ok(changed) => assert_ne!(plain, changed, "{setter} has no effect on {index}"),
                Err(KrylovFault::UnusedSetting { setting, .. }) => {
                    assert_eq!(format!("with_{setting}"), *setter);
                    continue;
                }
                Err(error) => panic!("{setter}, {index}: {error}"),
            }
            has_effect = true;
        }
        assert!(has_effect, "{setter} is refused everywhere");
    }
}

#[test]
fn settings_of_eigenpairs() {
    let config = |method: EigenMethod| {
        let config = EigenpairsConfig::new(2, Which::LargestMagnitude).with_method(method);
        config.with_tolerance(1e-4).with_max_matvecs(90)
    };
    check(
        include_str!("../src/eigen/config.rs"),
        &[
            config(EigenMethod::Lanczos),
            config(EigenMethod::Block),
            config(EigenMethod::Lobpcg),
            config(EigenMethod::Davidson),
            config(EigenMethod::Power),
        ],
        &[
            // To the next method: no two give the same numbers.
            ("with_method", |c| {
                let power = c.clone().with_method(EigenMethod::Power);
                if c == power {
                    c.with_method(EigenMethod::Lanczos)
                } else {
                    power
                }
            }),
            ("with_tolerance", |c| c.with_tolerance(1e-2)),
            ("with_max_matvecs", |c| c.with_max_matvecs(7)),
            ("with_max_basis", |c| c.with_max_basis(8)),
            ("with_max_bytes", |c| c.with_max_bytes(8 * 60 * 12)),
            ("with_estimated_residuals", |c| {
                c.with_estimated_residuals(true)
            }),
            ("with_verification", |c| c.with_verification(true)),
            ("with_block", |c| c.with_block(3)),
            ("with_guards", |c| c.with_guards(1)),
            ("with_extra", |c| c.with_extra(1)),
            ("with_seed", |c| c.with_seed(1)),
        ],
        |config| said(|a| config.run(a)),
    );
}

#[test]
fn settings_of_traces() {
    let config = |method: TraceMethod| TraceConfig::new().with_method(method);
    check(
        include_str!("../src/trace/config.rs"),
        &[
            config(TraceMethod::Hutchinson),
            config(TraceMethod::HutchPlusPlus),
            config(TraceMethod::XTrace),
            config(TraceMethod::XNysTrace),
        ],
        &[
            ("with_method", |c| {
                let next = c.clone().with_method(TraceMethod::XTrace);
                if c == next {
                    c.with_method(TraceMethod::Hutchinson)
                } else {
                    next
                }
            }),
            ("with_max_matvecs", |c| c.with_max_matvecs(30)),
            ("with_block", |c| c.with_block(8)),
            ("with_tolerance", |c| c.with_tolerance(10.0)),
            ("with_confidence", |c| c.with_confidence(0.5)),
            ("with_seed", |c| c.with_seed(1)),
        ],
        |config| said(|a| config.run(a)),
    );
}

#[test]
fn settings_of_diagonals() {
    let config = |method: DiagonalMethod| DiagonalConfig::new().with_method(method);
    check(
        include_str!("../src/diagonal/config.rs"),
        &[
            config(DiagonalMethod::Hutchinson),
            config(DiagonalMethod::XDiag),
        ],
        &[
            ("with_method", |c| {
                let next = c.clone().with_method(DiagonalMethod::XDiag);
                if c == next {
                    c.with_method(DiagonalMethod::Hutchinson)
                } else {
                    next
                }
            }),
            ("with_max_matvecs", |c| c.with_max_matvecs(30)),
            ("with_tolerance", |c| c.with_tolerance(10.0)),
            ("with_seed", |c| c.with_seed(1)),
        ],
        |config| said(|a| config.run(a)),
    );
}

#[test]
fn settings_of_overlaps() {
    let values: Vec<f64> = (0..60).map(|i| f64::from(i).sin()).collect();
    let b = with_spectrum(&values, 5);
    check(
        include_str!("../src/estimate/overlap.rs"),
        &[OverlapConfig::new()],
        &[
            ("with_num_probes", |c| c.with_num_probes(30)),
            ("with_confidence", |c| c.with_confidence(0.5)),
            ("with_seed", |c| c.with_seed(1)),
        ],
        |config| said(|a| config.run(a, &b)),
    );
}

#[test]
fn settings_of_densities() {
    check(
        include_str!("../src/density/config.rs"),
        &[DensityConfig::new().with_num_probes(2).with_steps(8)],
        &[
            ("with_num_probes", |c| c.with_num_probes(3)),
            ("with_steps", |c| c.with_steps(9)),
            ("with_outliers", |c| c.with_outliers(2)),
            ("with_seed", |c| c.with_seed(1)),
        ],
        |config| said(|a| config.run(a)),
    );
}

#[test]
fn settings_of_linear_systems() {
    check(
        include_str!("../src/solve/config.rs"),
        &[SolveConfig::conjugate_gradients(), SolveConfig::minres()],
        &[
            ("with_tolerance", |c| c.with_tolerance(1e-3)),
            ("with_max_matvecs", |c| c.with_max_matvecs(5)),
        ],
        |config| said(|a| config.run(a, &vec![1.0; 60])),
    );
}

#[test]
fn settings_of_trust_regions() {
    check(
        include_str!("../src/trust_region/config.rs"),
        &[TrustRegionConfig::new(0.5)],
        &[
            ("with_tolerance", |c| c.with_tolerance(1e-2)),
            ("with_max_basis", |c| c.with_max_basis(4)),
            ("with_certificate", |c| c.with_certificate(false)),
            ("with_seed", |c| c.with_seed(1)),
        ],
        |config| {
            let b: Vec<f64> = (0..60).map(|i| f64::from(i).sin()).collect();
            said(|a| config.minimize(a, &a.matvec(&a.matvec(&b)?)?))
        },
    );
}

#[test]
fn settings_of_flows() {
    check(
        include_str!("../src/flow/config.rs"),
        &[FlowConfig::new(0.1)],
        &[
            ("with_method", |c| {
                c.with_method(RungeKutta::BogackiShampine)
            }),
            ("with_tolerances", |c| c.with_tolerances(1e-3, 1e-6)),
            ("with_max_step", |c| c.with_max_step(1e-3)),
            ("with_first_step", |c| c.with_first_step(1e-5)),
            ("with_max_evaluations", |c| c.with_max_evaluations(20)),
        ],
        |config| {
            said(|a| {
                let field = |_: f64, y: &Vec<f64>| Ok(a.matvec(y)?.scale(-1.0));
                config.run(vec![1.0; 60], field, |_| Ok(ControlFlow::Continue(())))
            })
        },
    );
}
