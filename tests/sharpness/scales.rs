//! Perturbations relative to the weights, and what they are invariant to.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burnscape::loss::Risk;
use burnscape::sharpness::{AverageSharpnessConfig, Region, WorstCaseSharpnessConfig};
use burnscape::space::{ParamSpace, ParamVector, Scale, UnfilteredRule};
use burnscape_testkit::models::TwoLayers;

use super::models::{net, regression, rescaled, squared_error};

#[test]
fn relative_noise_has_the_stated_variance() {
    // Two filters (columns) of norms 5 and 2, three elements each: c² is 25/3 and 4/3.
    let device = Device::default();
    let layer = LinearConfig::new(3, 2).with_bias(false).init(&device);
    let space = ParamSpace::of(&layer).unwrap();
    let weights = ParamVector::from_host(&space, &[3.0, 2.0, 4.0, 0.0, 0.0, 0.0]).unwrap();
    let layer = weights.apply_to(&layer).unwrap();
    let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum() * 0.5;
    let measure = |scale| {
        AverageSharpnessConfig::new(0.2)
            .with_scale(scale)
            .with_num_samples(400)
            .with_antithetic(true)
            .run(&Risk::new(&loss, &[Tensor::eye(3, &device)]), &layer)
            .unwrap()
    };
    // ½ σ² Σ c² is the same for both scales: filters and elements divide one |w|².
    for scale in [
        Scale::FilterRelative(UnfilteredRule::Zero),
        Scale::ElementRelative,
    ] {
        let rise = measure(scale);
        let exact = 0.5 * 0.04 * 29.0;
        assert!((rise.rise - exact).abs() < 4.0 * rise.standard_error.unwrap());
        assert!((rise.displacement_norm - 0.2 * 29.0_f64.sqrt()).abs() < 1e-5);
    }
}

#[test]
fn the_filter_relative_rise_is_invariant_under_positive_rescaling() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let rise = |model: &TwoLayers, scale| {
        AverageSharpnessConfig::new(0.3)
            .with_scale(scale)
            .with_num_samples(20)
            .run(&risk, model)
            .unwrap()
            .rise
    };
    for a in [3.0, 8.0] {
        let other = rescaled(&model, a);
        for scale in [
            Scale::FilterRelative(UnfilteredRule::Zero),
            Scale::ElementRelative,
        ] {
            let (one, two) = (rise(&model, scale), rise(&other, scale));
            assert!(
                (one - two).abs() < 1e-5 * one,
                "{scale:?}, {a}: {one} {two}"
            );
        }
        let (one, two) = (rise(&model, Scale::Absolute), rise(&other, Scale::Absolute));
        assert!(two > 2.0 * one, "{one} {two}");
    }
}

#[test]
fn the_relative_worst_case_is_invariant_under_positive_rescaling() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    for scale in [
        Scale::FilterRelative(UnfilteredRule::Zero),
        Scale::ElementRelative,
    ] {
        let config = WorstCaseSharpnessConfig::new(0.5).with_region(Region::Ball(scale));
        let one = config.run(&risk, &model).unwrap();
        let two = config.run(&risk, &rescaled(&model, 3.0)).unwrap();
        assert!((one.rise - two.rise).abs() < 1e-3 * one.rise);
    }
}
