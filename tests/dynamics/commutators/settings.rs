//! Every setting changes a result, changes a cost, or is refused.

use burn::optim::SgdConfig;
use burnscape::dynamics::{AlarmConfig, AlarmPoint, CommutatorConfig, FiniteCommutatorConfig};
use burnscape::loss::Risk;

use super::dense::{examples, loss, net};
use crate::sharpness::settings::{Effect, Law, check, measured};

/// Names of all fields, which do not compile if one is missing.
macro_rules! fields {
    ($config:ident { $($field:ident),+ }) => {{
        #[allow(dead_code, reason = "the compiler checks the fields")]
        fn exhaustive(config: &$config) {
            let $config { $($field: _),+ } = config;
        }
        &[$(stringify!($field)),+]
    }};
}

#[test]
fn of_a_commutator() {
    let (net, data) = (net(), [examples()]);
    let risk = Risk::new(&loss, &data);
    let base = || {
        CommutatorConfig::new()
            .with_batch_size(Some(1))
            .with_num_pairs(1)
    };
    let run = |config: CommutatorConfig| measured(config.run(&risk, &net));
    let law = |name, other| -> Law { (name, Effect::Result, [run(base()), run(other)]) };
    let laws = [
        law("batch_size", base().with_batch_size(Some(2))),
        law("num_pairs", base().with_num_pairs(2)),
        law("invariant", base().with_invariant(true)),
        law("sharpness", base().with_sharpness(true)),
        law("seed", base().with_seed(3)),
    ];
    check(
        &laws,
        fields!(CommutatorConfig {
            batch_size,
            num_pairs,
            invariant,
            sharpness,
            seed
        }),
    );
}

#[test]
fn of_a_finite_commutator() {
    let (net, data) = (net(), [examples()]);
    let (risk, sgd) = (Risk::new(&loss, &data), SgdConfig::new().init());
    let base = |lr| {
        FiniteCommutatorConfig::new(lr)
            .with_batch_size(Some(1))
            .with_num_pairs(1)
    };
    let run = |config: FiniteCommutatorConfig| measured(config.run(&risk, &net, &sgd));
    let law = |name, other| -> Law { (name, Effect::Result, [run(base(0.01)), run(other)]) };
    let laws = [
        law("lr", base(0.02)),
        law("batch_size", base(0.01).with_batch_size(Some(2))),
        law("num_pairs", base(0.01).with_num_pairs(2)),
        law("seed", base(0.01).with_seed(3)),
    ];
    check(
        &laws,
        fields!(FiniteCommutatorConfig {
            lr,
            batch_size,
            num_pairs,
            seed
        }),
    );
}

#[test]
fn of_an_alarm() {
    let point = |step, value, train_accuracy, test_accuracy| AlarmPoint {
        step,
        value,
        train_accuracy,
        test_accuracy,
    };
    let run = [
        point(0, 1.0, 0.8, 0.0),
        point(1, 2.0, 0.995, 0.0),
        point(2, 3.0, 1.0, 0.3),
        point(3, 5.0, 1.0, 0.6),
    ];
    let control = [point(0, 1.0, 1.0, 0.0), point(9, 1.0, 1.0, 0.0)];
    let judged = |config: AlarmConfig| measured(config.run(&run, &control));
    let base = || AlarmConfig::new(1.5);
    let law = |name, other| -> Law { (name, Effect::Result, [judged(base()), judged(other)]) };
    let laws = [
        law("factor", AlarmConfig::new(2.5)),
        law("memorized", base().with_memorized(0.7)),
        law("generalized", base().with_generalized(0.2)),
    ];
    check(
        &laws,
        fields!(AlarmConfig {
            factor,
            memorized,
            generalized
        }),
    );
}
