//! Every setting of a risk changes a result or a cost, or is refused.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::ParamGroup;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Tensor};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{LossError, Mode, Progress, Reduction, Risk, Work};
use burnscape::space::{FlatSpace, ParamVector};
use burnscape_testkit::turn;

/// The settings, and the test that each of them matters.
const SETTINGS: [(&str, fn()); 10] = [
    ("with_mode", the_mode_chooses_the_statistics),
    ("with_group", a_group_restricts_derivatives),
    ("with_draws_seed", a_seed_fixes_draws),
    ("with_observer", an_observer_is_called_and_stops),
    ("with_residual_budget", a_budget_decides_what_is_stored),
    ("with_memory_budget", a_budget_that_is_too_small_is_refused),
    ("with_basis_device", a_basis_device_stores_bases),
    ("with_block_size", a_block_size_decides_the_passes),
    ("with_checks", checks_make_products),
    ("with_reduction", a_reduction_scales_the_loss),
];

#[test]
fn every_setting_matters() {
    let _turn = turn();
    for (_, matters) in SETTINGS {
        matters();
    }
}

/// The running mean and variance of a layer.
fn statistics(norm: &BatchNorm) -> [Vec<f32>; 2] {
    [
        norm.running_mean.value_sync(),
        norm.running_var.value_sync(),
    ]
    .map(|values| values.into_data().iter::<f32>().collect())
}

#[test]
fn a_seed_fixes_the_draws_of_statistics() {
    let _turn = turn();
    let device = Device::default();
    let data = [16_usize, 8].map(|rows| Tensor::<2>::ones([rows, 8], &device));
    let dropout = || DropoutConfig::new(0.5).init();
    let norm = || BatchNormConfig::new(8).init(&device);
    let loss = |(dropout, norm): &(Dropout, BatchNorm), x: Tensor<2>| {
        norm.forward(dropout.forward(x)).square().mean()
    };
    let (risk, model) = (Risk::new(&loss, &data), (dropout(), norm()));
    // That nothing is drawn in evaluation mode is no proof.
    risk.loss(&model).unwrap();
    for batches in [None, Some(1)] {
        let found = risk.reestimate(&model, batches);
        assert_eq!(found.map(drop), Err(LossError::Draws));
    }
    let of_seed = |seed| {
        let seeded = risk.clone().with_draws_seed(seed);
        let (_, norm) = seeded.reestimate(&model, None).unwrap();
        statistics(&norm)
    };
    let first = of_seed(1);
    assert_ne!(of_seed(2), first);
    // Whatever the device draws in between.
    drop(Tensor::<1>::random([3], Distribution::Default, &device));
    assert_eq!(of_seed(1), first);
    // Half of the ones are zeros, the others twos: means are near 1, and differ.
    let mean = &first[0];
    assert!(mean.iter().all(|mean| (mean - 1.0).abs() < 0.8), "{mean:?}");
    assert!(mean.iter().any(|other| *other != mean[0]), "{mean:?}");
    // Draws behind the layer change none of its statistics.
    let behind = |(norm, dropout): &(BatchNorm, Dropout), x: Tensor<2>| {
        dropout.forward(norm.forward(x)).square().mean()
    };
    let model = (norm(), dropout());
    let (norm, _) = Risk::new(&behind, &data).reestimate(&model, None).unwrap();
    let [mean, variance] = statistics(&norm);
    let is_near = |values: &[f32], to: f32| values.iter().all(|x| (x - to).abs() < 1e-4);
    assert!(is_near(&mean, 1.0) && is_near(&variance, 0.0), "{mean:?}");
}

#[test]
fn no_setting_is_missing() {
    let sources = [
        include_str!("../../crates/burnscape/src/loss/risk/mod.rs"),
        include_str!("../../crates/burnscape/src/loss/risk/constructors.rs"),
    ];
    let setters = sources.iter().flat_map(|source| {
        let lines = source.lines().map(str::trim);
        let setters = lines.filter_map(|line| line.strip_prefix("pub fn with_"));
        setters.map(|line| format!("with_{}", line.split('(').next().unwrap_or_default()))
    });
    let listed = SETTINGS.map(|(name, _)| name.to_string());
    assert_eq!(setters.collect::<BTreeSet<_>>(), BTreeSet::from(listed));
}

fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).powi_scalar(3).mean()
}

fn data() -> Vec<Tensor<2>> {
    let device = Device::default();
    let batch = |count| Tensor::ones([count, 2], &device) * count as f32;
    [1_usize, 3, 2].map(batch).into()
}

fn model() -> Linear {
    LinearConfig::new(2, 1).init(&Device::default())
}

fn the_mode_chooses_the_statistics() {
    let norm: BatchNorm = BatchNormConfig::new(2).init(&Device::default());
    let data = data();
    let squares = |norm: &BatchNorm, x: Tensor<2>| norm.forward(x).square().mean();
    let value = |mode| Risk::new(&squares, &data).with_mode(mode).loss(&norm);
    assert_ne!(
        value(Mode::Eval).unwrap().value,
        value(Mode::Train).unwrap().value
    );
}

fn a_group_restricts_derivatives() {
    let (model, data) = (model(), data());
    let risk = Risk::new(&loss, &data);
    let bias = risk.clone().with_group(ParamGroup::from_path("bias"));
    let len = |risk: &Risk<'_, Linear>| {
        risk.loss_and_gradient(&model)
            .unwrap()
            .gradient
            .space()
            .len()
    };
    assert_eq!((len(&risk), len(&bias)), (3, 1));
}

fn a_seed_fixes_draws() {
    let (model, data) = (model(), data());
    let noisy = |model: &Linear, x: Tensor<2>| {
        let noise = x.random_like(Distribution::Default);
        model.forward(x + noise).square().mean()
    };
    let risk = Risk::new(&noisy, &data);
    assert_eq!(risk.loss(&model), Err(LossError::Draws));
    let value = |seed| {
        risk.clone()
            .with_draws_seed(seed)
            .loss(&model)
            .unwrap()
            .value
    };
    assert_eq!(value(1), value(1));
    assert_ne!(value(1), value(2));
}

fn an_observer_is_called_and_stops() {
    let (model, data) = (model(), data());
    let risk = Risk::new(&loss, &data).with_observer(|_| ControlFlow::Break(()));
    assert_eq!(risk.loss(&model).unwrap().num_batches, 1);
}

fn a_budget_decides_what_is_stored() {
    let (model, data) = (model(), data());
    let stored = |bytes| {
        let risk = Risk::new(&loss, &data).with_residual_budget(bytes);
        risk.hessian(&model).unwrap().num_kept_batches()
    };
    assert_eq!((stored(0), stored(1 << 20)), (0, 3));
}

fn a_budget_that_is_too_small_is_refused() {
    let (model, data) = (model(), data());
    let plan = |bytes| {
        let risk = Risk::new(&loss, &data).with_memory_budget(bytes);
        risk.hessian(&model).map(|hessian| hessian.memory_plan())
    };
    assert!(plan(1).is_err());
    let plan = plan(1 << 30).unwrap();
    assert_eq!((plan.budget_bytes, plan.kept_batches), (Some(1 << 30), 3));
}

fn a_basis_device_stores_bases() {
    let (model, data, device) = (model(), data(), Device::default());
    let risk = || Risk::new(&loss, &data);
    let own = risk().hessian(&model).unwrap();
    let moved = risk().with_basis_device(&device).hessian(&model).unwrap();
    assert_eq!(FlatSpace::basis_device(own.space()), None);
    assert_eq!(FlatSpace::basis_device(moved.space()), Some(&device));
}

/// The passes over the data for products of a new operator and of `vectors` vectors.
fn passes(set: impl Fn(Risk<'_, Linear>) -> Risk<'_, Linear>, vectors: u64) -> usize {
    let (model, data, passes) = (model(), data(), AtomicUsize::new(0));
    let observe = |progress: &Progress| {
        let is_end = progress.work == Work::Product && Some(progress.done) == progress.total;
        passes.fetch_add(usize::from(is_end), Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let risk = set(Risk::new(&loss, &data).with_observer(observe));
    let hessian = risk.hessian(&model).unwrap();
    let vectors = (0..vectors).map(|seed| ParamVector::gaussian(hessian.space(), seed).unwrap());
    hessian.matmat(&vectors.collect::<Vec<_>>()).unwrap();
    passes.load(Ordering::Relaxed)
}

fn a_block_size_decides_the_passes() {
    let unchecked = |size| passes(|risk| risk.with_checks(false).with_block_size(size), 4);
    assert_eq!((unchecked(2), unchecked(4)), (2, 1));
    let (model, data) = (model(), data());
    let refused = Risk::new(&loss, &data).with_block_size(0).hessian(&model);
    assert!(refused.is_err());
}

fn checks_make_products() {
    assert_eq!(passes(|risk| risk.with_checks(true), 0), 2);
    assert_eq!(passes(|risk| risk.with_checks(false), 0), 0);
}

fn a_reduction_scales_the_loss() {
    let (model, data) = (model(), data());
    let losses = |model: &Linear, x: Tensor<2>| model.forward(x).squeeze_dim::<1>(1);
    let value = |reduction| {
        let risk = Risk::per_example(losses, &data).with_reduction(reduction);
        risk.loss(&model).unwrap().value
    };
    let (mean, sum) = (value(Reduction::Mean), value(Reduction::Sum));
    assert!((sum - 6.0 * mean).abs() < 1e-5 * sum.abs());
}
