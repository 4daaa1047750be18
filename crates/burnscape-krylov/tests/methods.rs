//! One config for every method of eigenpairs.

use crate::spectra::Diagonal;
use burnscape_krylov::{
    Dense, DensityConfig, EigenMethod, EigenpairsConfig, KrylovFault, LanczosCheckpoint,
    LanczosFactorization, Preconditioned, Symmetric, TraceConfig, TraceMethod, Which,
};

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
fn a_setting_without_a_use_is_refused_with_a_remedy() {
    let power = EigenpairsConfig::new(1, Which::Largest).with_method(EigenMethod::Power);
    let refused = power.run(&squares()).map(|_| ()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the power iteration finds only `Which::LargestMagnitude`; pass that, or choose another method"
    );
    let lanczos = EigenpairsConfig::new(1, Which::Largest).with_guards(1);
    let refused = lanczos.run(&squares()).map(|_| ()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Lanczos does not use `guards`; leave it out, or choose another method"
    );
    let trace = TraceConfig::new().with_method(TraceMethod::XTrace);
    let refused = trace.run_integrands(&squares(), |_, _| Ok(vec![1.0]));
    assert_eq!(refused, Err(KrylovFault::HutchinsonOnly));
}

#[test]
fn methods_without_a_preconditioner_ignore_it() {
    let (a, p) = (
        squares(),
        Symmetric::verified(Dense::identity(40), 1e-12, 0).unwrap(),
    );
    let preconditioned = Preconditioned::new(&a, &p).unwrap();
    for method in METHODS {
        let config = EigenpairsConfig::new(2, Which::LargestMagnitude).with_method(method);
        let (plain, found) = (
            config.run(&a).unwrap(),
            config.run(&preconditioned).unwrap(),
        );
        if method != EigenMethod::Lobpcg {
            assert_eq!(
                (found.values, found.num_matvecs),
                (plain.values, plain.num_matvecs)
            );
        }
    }
    // The search for outliers is Lanczos.
    let density = DensityConfig::new().with_outliers(2).with_steps(10);
    assert_eq!(
        density.run(&preconditioned).unwrap(),
        density.run(&a).unwrap()
    );
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
