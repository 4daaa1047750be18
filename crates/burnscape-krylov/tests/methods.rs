//! One config for every method of eigenpairs.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod spectra;

use burnscape_krylov::{
    EigenMethod, EigenpairsConfig, KrylovFault, LanczosCheckpoint, LanczosFactorization,
    Preconditioned, Which,
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
fn a_setting_without_a_use_is_named_with_the_method() {
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
fn a_checkpoint_from_before_the_new_names_is_read() {
    let checkpoint = LanczosFactorization::from_random(&squares(), 3, 0).unwrap();
    let checkpoint = checkpoint.checkpoint().unwrap();
    let text = serde_json::to_string(&checkpoint).unwrap();
    let old = text.replace("\"num_matvecs\"", "\"products\"");
    assert_ne!(old, text);
    let read: LanczosCheckpoint = serde_json::from_str(&old).unwrap();
    assert_eq!(read, checkpoint);
}
