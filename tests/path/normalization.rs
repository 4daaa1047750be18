//! Running statistics along a path.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::loss::{Mode, NormalizationPolicy, Risk};
use burnscape::path::{CurveProfileConfig, PolygonalChain};
use burnscape_testkit::models::Normalized;

use super::models::network;

fn inputs(count: usize, shift: f64) -> Tensor<2> {
    let numbers = (0..count * 4).map(|i| 3.0 * (1.7 * i as f64 + shift).sin() as f32 + 5.0);
    let data = TensorData::new(numbers.collect::<Vec<_>>(), [count, 4]);
    Tensor::from_data(data, &Device::default())
}

fn loss(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).powi_scalar(2).mean()
}

fn train_loss(net: &Normalized, data: &[Tensor<2>; 1]) -> f64 {
    let risk = Risk::new(&loss, data).with_mode(Mode::Train);
    risk.loss(net).unwrap().value
}

fn profile(policy: NormalizationPolicy, ends: [&Normalized; 2], data: &[Tensor<2>; 1]) -> Vec<f64> {
    let line = PolygonalChain::line(ends[0], ends[1]).unwrap();
    let profile = CurveProfileConfig::new()
        .with_policy(policy)
        .with_num_points(5)
        .run(&Risk::new(&loss, data), &line)
        .unwrap();
    assert_eq!(profile.policy, policy);
    profile.train.values
}

#[test]
fn after_reestimation_the_ends_have_their_own_training_loss() {
    let (a, b) = (network(1), network(2));
    let data = [inputs(32, 0.0)];
    let own = [&a, &b].map(|net| train_loss(net, &data));
    let losses = profile(NormalizationPolicy::ReestimateAll, [&a, &b], &data);
    for (loss, own) in [losses[0], losses[4]].into_iter().zip(own) {
        assert!((loss / own - 1.0).abs() < 1e-4, "{loss} {own}");
    }
    // A common error: statistics that never saw the data.
    let stale = profile(NormalizationPolicy::Leave, [&a, &b], &data);
    for (loss, own) in [stale[0], stale[4]].into_iter().zip(own) {
        assert!(loss > 5.0 * own, "{loss} {own}");
    }
}

#[test]
fn between_the_ends_the_policies_differ() {
    let data = [inputs(32, 0.0)];
    let risk = Risk::new(&loss, &data);
    let ends = [1, 2].map(|seed| risk.reestimate(&network(seed), None).unwrap());
    let [again, left, mixed] = [
        NormalizationPolicy::ReestimateAll,
        NormalizationPolicy::Leave,
        NormalizationPolicy::Interpolate,
    ]
    .map(|policy| profile(policy, [&ends[0], &ends[1]], &data));
    for end in [0, 4] {
        assert!(
            (left[end] / again[end] - 1.0).abs() < 1e-3,
            "{left:?} {again:?}"
        );
        assert_eq!(left[end], mixed[end]);
    }
    assert!((left[2] / again[2] - 1.0).abs() > 0.2, "{left:?} {again:?}");
    assert!(mixed[2] != left[2] && mixed[2] != again[2]);
    // The mean of the first layer is linear in its weights, so interpolation is exact there.
    let line = PolygonalChain::line(&ends[0], &ends[1]).unwrap();
    let quarter = |policy: NormalizationPolicy| {
        let net = policy.point(&risk, &line, 0.25).unwrap();
        net.norm.running_mean.value_sync()
    };
    let difference =
        quarter(NormalizationPolicy::Interpolate) - quarter(NormalizationPolicy::ReestimateAll);
    assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
}

#[test]
fn a_pass_gives_the_mean_of_the_batches_whatever_the_momentum() {
    let batches = [inputs(3, 0.0), inputs(9, 1.0)];
    let device = Device::default();
    let forward = |norm: &BatchNorm, x: Tensor<2>| norm.forward(x).mean();
    let risk = Risk::new(&forward, &batches);
    let column = |x: &Tensor<2>| x.clone();
    let mean = |x: Tensor<2>| x.mean_dim(0);
    let expected = (mean(column(&batches[0])) * 3.0 + mean(column(&batches[1])) * 9.0) / 12.0;
    for momentum in [0.01, 0.1, 0.5, 1.0] {
        let config = BatchNormConfig::new(4).with_momentum(momentum);
        let norm = config.init(&device);
        let estimated = risk.reestimate(&norm, None).unwrap();
        let found = estimated.running_mean.value_sync().unsqueeze::<2>();
        let difference: f32 = (found - expected.clone()).abs().max().into_scalar();
        assert!(difference < 1e-3, "{momentum} {difference}");
        // The user's model does not change.
        let untouched: f32 = norm.running_mean.value_sync().abs().max().into_scalar();
        assert_eq!(untouched, 0.0);
        let first = risk.reestimate(&norm, Some(1)).unwrap();
        let found = first.running_mean.value_sync().unsqueeze::<2>();
        let difference: f32 = (found - mean(column(&batches[0])))
            .abs()
            .max()
            .into_scalar();
        assert!(difference < 1e-3);
    }
}

#[test]
fn layers_without_updates_keep_their_statistics() {
    let device = Device::default();
    let forward = |norm: &BatchNorm, x: Tensor<2>| norm.forward(x).mean();
    let norm = BatchNormConfig::new(4).with_momentum(0.0).init(&device);
    let estimated = Risk::new(&forward, &[inputs(5, 0.0)])
        .reestimate(&norm, None)
        .unwrap();
    let values = |state: Tensor<1>| state.into_data().iter::<f32>().collect::<Vec<_>>();
    assert_eq!(values(estimated.running_mean.value_sync()), [0.0; 4]);
    assert_eq!(values(estimated.running_var.value_sync()), [1.0; 4]);
    // Without running statistics nothing is evaluated.
    let linear = burn::nn::LinearConfig::new(2, 2).init(&device);
    let never = |_: &burn::nn::Linear, _: Tensor<2>| -> Tensor<1> { unreachable!() };
    let same = Risk::new(&never, &[inputs(5, 0.0)])
        .reestimate(&linear, None)
        .unwrap();
    assert_eq!(same.num_params(), linear.num_params());
}
