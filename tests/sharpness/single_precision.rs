//! The table of all measures in single precision, on a classifier and under rescaling.

use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::loss::{Likelihood, Risk};
use burnscape::sharpness::{SharpnessMeasure, SharpnessReportConfig, rescale_relu_pair};
use burnscape::space::{ParamSpace, ParamVector, Scale};
use burnscape_testkit::models::{Classifier, Cnn};

use super::models::{net, regression, squared_error};

type Digits = (Tensor<4>, Tensor<1, Int>);

#[test]
fn every_measure_of_a_convolutional_classifier_has_a_number() {
    let device = Device::default();
    let cnn = Cnn::golden(&device);
    let space = ParamSpace::of(&cnn).unwrap();
    let weights = ParamVector::gaussian(&space, 1).unwrap().scale(0.3);
    let cnn = weights.apply_to(&cnn).unwrap();
    let pixels: Vec<f32> = (0..12 * 64).map(|i| (0.7 * i as f32).sin()).collect();
    let classes: Vec<i64> = (0..12).map(|i| i % 3).collect();
    let data: [Digits; 1] = [(
        Tensor::from_data(TensorData::new(pixels, [12, 1, 8, 8]), &device),
        Tensor::from_data(TensorData::new(classes, [12]), &device),
    )];
    let risk = Risk::split(
        |m: &Cnn, (x, _): &Digits| m.logits(x.clone()),
        |z: Tensor<2>, (_, y): Digits| {
            burn::nn::loss::CrossEntropyLossConfig::new()
                .init(&z.device())
                .forward(z, y)
        },
        &data,
    );
    let config = SharpnessReportConfig::new().with_num_samples(3);
    let mut report = config.run(&risk, &cnn).unwrap();
    let fisher = risk.fisher(&cnn, Likelihood::Categorical).unwrap();
    report.add_fisher(&fisher, &cnn).unwrap();
    println!("{report}");
    for row in &report.rows {
        assert!(row.value.is_some_and(f64::is_finite), "{row:?}");
    }
    // A trace is at most the Frobenius norm times the root of the dimension, and λ_max below it.
    for scale in report.config.scales.iter().copied().map(Some) {
        let value = |measure| report.value(measure, scale).unwrap();
        let (top, norm) = (
            value(SharpnessMeasure::LambdaMax),
            value(SharpnessMeasure::FrobeniusNorm),
        );
        assert!(top > 0.0 && top < 2.0 * norm, "{scale:?}: {top} {norm}");
    }
    let dimension = report
        .value(SharpnessMeasure::EffectiveDimension, None)
        .unwrap();
    // Two independent logits for each of twelve images.
    assert!(dimension > 1.0 && dimension < 30.0, "{dimension}");
}

#[test]
fn rescaling_by_a_power_of_two_moves_no_invariant_measure_in_single_precision() {
    let adaptive = Scale::ElementRelative;
    let config = SharpnessReportConfig::new()
        .with_scales(vec![Scale::Absolute, adaptive])
        .with_num_samples(3);
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let rescaled = rescale_relu_pair(&risk, &model, ["first", "second"], 8.0).unwrap();
    let report = |model| config.run(&risk, model).unwrap();
    let found = report(&model).compare(&report(&rescaled));
    println!("{found}");
    for change in &found.changes {
        if change.scale == Some(adaptive) || change.measure == SharpnessMeasure::RelativeFlatness {
            assert!(change.relative_change < 1e-5, "{change:?}");
        }
    }
    let top = found
        .change(SharpnessMeasure::LambdaMax, Some(Scale::Absolute))
        .unwrap();
    assert!(top.after > 2.0 * top.before);
}
