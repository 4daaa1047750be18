//! Every setting changes the result. A new one does not compile without its name here.

use burn::module::{Module, ParamGroup};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burnscape::dynamics::{GradientNoise, GradientNoiseConfig, NoiseEstimator};
use burnscape::loss::Risk;

use super::regression::{Batch, Examples, INPUTS, layer, loss, model};

fn measured(config: &GradientNoiseConfig) -> GradientNoise {
    let data = Examples::new(20, 32).batches(8);
    config.run(&Risk::new(&loss, &data), &model()).unwrap()
}

#[test]
fn every_setting_changes_the_result() {
    let base = GradientNoiseConfig::new(NoiseEstimator::MicroBatches { size: None });
    let GradientNoiseConfig {
        estimator: _,
        curvature,
        confidence,
    } = base.clone();
    assert_eq!((curvature, confidence), (false, 0.95));
    let before = measured(&base);
    for estimator in [
        NoiseEstimator::PerExample,
        NoiseEstimator::MicroBatches { size: Some(4) },
        NoiseEstimator::TwoSizes { small: 2 },
        NoiseEstimator::TwoSizes { small: 4 },
    ] {
        let after = measured(&GradientNoiseConfig::new(estimator));
        assert_ne!(before.trace, after.trace);
        assert!((before.gradient_norm / after.gradient_norm - 1.0).abs() < 1e-12);
    }
    let with = measured(&base.clone().with_curvature(true));
    assert!(before.curvature_trace.is_none() && with.curvature_trace.is_some());
    assert_eq!(before.trace, with.trace);
    let wide = measured(&base.with_confidence(0.99));
    let width = |noise: &GradientNoise| {
        let (low, high) = noise.trace_interval.unwrap();
        high - low
    };
    assert!(width(&wide) > 1.2 * width(&before));
    assert!(wide.trace_interval.unwrap().0 < before.trace_interval.unwrap().0);
    assert_eq!(before.trace, wide.trace);
}

/// Two layers with the same gradient.
#[derive(Module, Debug)]
struct Twice {
    one: Linear,
    other: Linear,
}

#[test]
fn a_group_of_the_risk_restricts_the_noise() {
    let data = Examples::new(21, 32).batches(8);
    let twice = Twice {
        one: model(),
        other: layer(&[0.0; INPUTS]),
    };
    let loss = |m: &Twice, (x, y): Batch| -> Tensor<1> {
        let z = m.one.forward(x.clone()) + m.other.forward(x);
        (z - y).square().mean()
    };
    let risk = Risk::new(&loss, &data);
    for estimator in [
        NoiseEstimator::PerExample,
        NoiseEstimator::MicroBatches { size: None },
        NoiseEstimator::TwoSizes { small: 2 },
    ] {
        let config = GradientNoiseConfig::new(estimator).with_curvature(true);
        let all = config.run(&risk, &twice).unwrap();
        let group = ParamGroup::from_predicate("other");
        let half = config.run(&risk.clone().with_group(group), &twice).unwrap();
        let halves = [
            (all.trace, half.trace, 2.0),
            (all.gradient_norm_squared, half.gradient_norm_squared, 2.0),
            // The Hessian has four equal blocks.
            (
                all.curvature_trace.unwrap(),
                half.curvature_trace.unwrap(),
                4.0,
            ),
        ];
        for (all, half, times) in halves {
            assert!((all / half - times).abs() < 1e-10, "{all} {half}");
        }
    }
}
