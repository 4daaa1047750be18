//! One config for every method of eigenpairs: settings are used or refused, results survive JSON.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod spectra;

use burnscape_krylov::{
    DensityConfig, EigenMethod, Eigenpairs, EigenpairsConfig, KrylovFault, LanczosCheckpoint,
    LanczosFactorization, Preconditioned, TraceConfig, TraceEstimate, Which,
};
use spectra::Diagonal;

const METHODS: [EigenMethod; 5] = [
    EigenMethod::Lanczos,
    EigenMethod::Block,
    EigenMethod::Lobpcg,
    EigenMethod::Davidson,
    EigenMethod::Power,
];

fn squares() -> Diagonal {
    Diagonal((0..40).map(|i| f64::from(i).powi(2)).collect())
}

#[test]
fn every_method_finds_the_largest_pairs() {
    for method in METHODS {
        let config = EigenpairsConfig::new(2, Which::LargestMagnitude).with_method(method);
        let found = config.with_tolerance(1e-6).run(&squares()).unwrap();
        assert!(found.outcome.is_converged(), "{method:?}");
        for (value, expected) in found.values.iter().zip([1521.0, 1444.0]) {
            assert!((value - expected).abs() < 1e-4, "{method:?}: {value}");
        }
    }
}

#[test]
fn settings_are_used_or_refused() {
    type Set = fn(EigenpairsConfig) -> EigenpairsConfig;
    let settings: [(&str, Set, &[EigenMethod]); 7] = [
        ("max_basis", |c| c.with_max_basis(12), &METHODS[..2]),
        ("max_bytes", |c| c.with_max_bytes(1 << 20), &METHODS[..1]),
        (
            "estimated_residuals",
            |c| c.with_estimated_residuals(true),
            &METHODS[..1],
        ),
        ("verification", |c| c.with_verification(true), &METHODS[..1]),
        ("block", |c| c.with_block(2), &METHODS[1..2]),
        ("guards", |c| c.with_guards(1), &METHODS[2..3]),
        ("extra", |c| c.with_extra(1), &METHODS[3..4]),
    ];
    for method in METHODS {
        for (name, set, users) in &settings {
            let config = EigenpairsConfig::new(2, Which::LargestMagnitude).with_method(method);
            let found = set(config).run(&squares());
            match found {
                Ok(_) => assert!(users.contains(&method), "{name}, {method:?}"),
                Err(KrylovFault::UnusedSetting { setting, .. }) => {
                    assert!(!users.contains(&method) && setting == *name, "{method:?}");
                }
                Err(error) => panic!("{name}, {method:?}: {error}"),
            }
        }
    }
    let power = EigenpairsConfig::new(1, Which::Largest).with_method(EigenMethod::Power);
    let refused = power.run(&squares()).map(|_| ()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`which` has no meaning for the power iteration; leave it out, or choose another method"
    );
    let lanczos = EigenpairsConfig::new(1, Which::Largest);
    let refused = lanczos.run(&Preconditioned::new(&squares(), &squares()).unwrap());
    assert!(matches!(refused, Err(KrylovFault::UnusedSetting { .. })));
}

#[test]
fn results_go_through_json() {
    let config = EigenpairsConfig::new(2, Which::Largest);
    let found = config.run(&squares()).unwrap();
    let text = serde_json::to_string(&found).unwrap();
    let read: Eigenpairs<Vec<f64>> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (read.outcome, read.num_matvecs),
        (found.outcome, found.num_matvecs)
    );
    for (read, found) in read.values.iter().zip(&found.values) {
        assert!((read / found - 1.0).abs() < 1e-15);
    }
    // Vectors are written beside.
    assert!(read.vectors.is_empty());
    let refused = DensityConfig::new().run_deflated(&squares(), &read);
    let missing = KrylovFault::MissingVectors {
        values: 2,
        vectors: 0,
    };
    assert_eq!(refused.map(|_| ()), Err(missing));
    let trace = TraceConfig::new().run(&squares()).unwrap();
    let text = serde_json::to_string(&trace).unwrap();
    let read: TraceEstimate = serde_json::from_str(&text).unwrap();
    assert_eq!((read.method, read.outcome), (trace.method, trace.outcome));
    let density = DensityConfig::new().with_probes(2).with_steps(5);
    let density = density.run(&squares()).unwrap();
    let text = serde_json::to_string(&density).unwrap();
    let read: burnscape_krylov::SpectralDensity = serde_json::from_str(&text).unwrap();
    assert_eq!(read.dimension(), density.dimension());
}

#[test]
fn a_checkpoint_from_before_the_new_names_is_read() {
    let checkpoint = LanczosFactorization::from_random(&squares(), 3, 0).unwrap();
    let checkpoint = checkpoint.checkpoint().unwrap();
    let text = serde_json::to_string(&checkpoint).unwrap();
    let old = text.replace("\"num_matvecs\"", "\"products\"");
    assert_ne!(old, text);
    let read: LanczosCheckpoint = serde_json::from_str(&old).unwrap();
    assert_eq!(read, checkpoint);
}
