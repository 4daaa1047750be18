//! Dinh's rescaling: the measures that change, and those that must not.

use burn::module::Module;
use burn::tensor::{Tensor, activation::tanh};
use burnscape::OutOfRange;
use burnscape::loss::{Likelihood, Risk, Split};
use burnscape::sharpness::{
    SharpnessComparison, SharpnessError, SharpnessMeasure, SharpnessReport, SharpnessReportConfig,
    rescale_relu_pair,
};
use burnscape::space::{ParamSpace, ParamVector, Scale, UnfilteredRule};
use burnscape_testkit::models::TwoLayers;

use super::networks::{
    ConvNet, Deep, Pair, close, conv_loss, deep_split, half_squared, images, net, net_loss,
    net_split, regression,
};

const ABSOLUTE: Scale = Scale::Absolute;
const ELEMENT: Scale = Scale::ElementRelative;
const FILTER: Scale = Scale::FilterRelative(UnfilteredRule::AsOneFilter);

fn config() -> SharpnessReportConfig {
    SharpnessReportConfig::new().with_num_samples(5)
}

/// The measures of a model before and after the rescaling by 8.
fn compared<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    layers: [&str; 2],
    report: impl Fn(&M) -> SharpnessReport,
) -> SharpnessComparison {
    let rescaled = rescale_relu_pair(risk, model, layers, 8.0).unwrap();
    report(model).compare(&report(&rescaled))
}

fn with_fisher<M: Module + 'static>(risk: &Risk<'_, M, Split>, model: &M) -> SharpnessReport {
    let mut report = config().run(risk, model).unwrap();
    let fisher = risk.fisher(model, Likelihood::Gaussian).unwrap();
    report.add_fisher(&fisher, model).unwrap();
    report
}

/// Invariant measures change by less than 1e-6, λ_max and trace by more than a factor of two.
fn check(found: &SharpnessComparison) {
    close(found.loss_after, found.loss_before, 1e-14);
    let mut invariant = 0;
    for change in &found.changes {
        let is_invariant = matches!(change.scale, Some(ELEMENT | FILTER))
            || matches!(
                change.measure,
                SharpnessMeasure::FisherRaoNorm | SharpnessMeasure::RelativeFlatness
            );
        if is_invariant {
            assert!(change.before > 0.0, "{change:?}");
            assert!(change.relative_change < 1e-6, "{change:?}");
            invariant += 1;
        }
    }
    // Six in each of two scales, and the relative flatness of two weights or more.
    assert!(invariant >= 14, "{invariant}");
    for measure in [
        SharpnessMeasure::LambdaMax,
        SharpnessMeasure::Trace,
        SharpnessMeasure::FrobeniusNorm,
    ] {
        let change = found.change(measure, Some(ABSOLUTE)).unwrap();
        let ratio = change.after / change.before;
        assert!(!(0.5..=2.0).contains(&ratio), "{change:?}");
    }
    for (measure, scale) in [
        (SharpnessMeasure::AverageSharpness, Some(ABSOLUTE)),
        (SharpnessMeasure::WorstCaseSharpness, Some(ABSOLUTE)),
        (SharpnessMeasure::PacBayesSigma, Some(ABSOLUTE)),
        (SharpnessMeasure::Keskar, None),
    ] {
        assert!(found.change(measure, scale).unwrap().relative_change > 0.01);
    }
}

#[test]
fn invariant_measures_of_a_linear_pair_with_bias_stay() {
    let data = regression();
    let risk = net_split(&data);
    let report = |model: &TwoLayers| with_fisher(&risk, model);
    let found = compared(&risk, &net(), ["first", "second"], report);
    check(&found);
    assert!(
        found
            .change(SharpnessMeasure::FisherRaoNorm, None)
            .is_some()
    );
    // The Fisher matrix is not invariant, and so neither is its effective dimension.
    let dimension = found.change(SharpnessMeasure::EffectiveDimension, None);
    assert!(dimension.unwrap().relative_change > 0.01);
    assert!(found.to_string().contains("Fisher-Rao norm"));
}

#[test]
fn invariant_measures_of_a_pair_within_a_deep_net_stay() {
    let data = regression();
    let risk = deep_split(&data);
    let report = |model: &Deep| with_fisher(&risk, model);
    check(&compared(&risk, &Deep::new(), ["second", "third"], report));
}

#[test]
fn invariant_measures_of_convolutions_stay() {
    let data = images();
    let risk = Risk::new(&conv_loss, &data);
    let report = |model: &ConvNet| config().run(&risk, model).unwrap();
    check(&compared(
        &risk,
        &ConvNet::new(),
        ["first", "second"],
        report,
    ));
}

#[test]
fn estimates_of_invariant_measures_stay_sample_by_sample() {
    // Eight products for traces, sixteen of 34 for relative flatness.
    let data = regression();
    let risk = Risk::new(&net_loss, &data);
    let report = |model: &TwoLayers| {
        let report = config().with_trace_matvecs(8).run(&risk, model).unwrap();
        let flatness = report.row(SharpnessMeasure::RelativeFlatness, None);
        assert_eq!(flatness.unwrap().setting, "estimated");
        report
    };
    check(&compared(&risk, &net(), ["first", "second"], report));
}

#[test]
fn a_factor_that_rounds_moves_invariant_measures_no_more_than_rounding() {
    let data = regression();
    let risk = Risk::new(&net_loss, &data);
    let rescaled = rescale_relu_pair(&risk, &net(), ["first", "second"], 3.3).unwrap();
    let report = |model: &TwoLayers| config().run(&risk, model).unwrap();
    let found = report(&net()).compare(&report(&rescaled));
    for scale in [ELEMENT, FILTER] {
        for measure in [
            SharpnessMeasure::LambdaMax,
            SharpnessMeasure::Trace,
            SharpnessMeasure::AverageSharpness,
        ] {
            let change = found.change(measure, Some(scale)).unwrap();
            assert!(change.relative_change < 1e-6, "{change:?}");
        }
    }
}

#[test]
fn the_pair_is_multiplied_and_divided_and_nothing_else() {
    let (net, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let rescaled = rescale_relu_pair(&risk, &net, ["first", "second"], 4.0).unwrap();
    let space = ParamSpace::of(&net).unwrap();
    let values = |net: &TwoLayers| {
        let weights = ParamVector::from_module(&space, net).unwrap();
        weights.to_host().unwrap()
    };
    let factors = [4.0, 4.0, 0.25, 1.0];
    let (before, after) = (values(&net), values(&rescaled));
    for (leaf, factor) in space.leaves().iter().zip(factors) {
        for index in leaf.offset()..leaf.offset() + leaf.len() {
            assert_eq!(after[index], factor * before[index], "{}", leaf.path());
        }
    }
}

#[test]
fn a_pair_that_is_not_joined_by_relu_is_refused() {
    let model = net();
    let smooth = |m: &TwoLayers, (x, y): Pair<2>| {
        let hidden: Tensor<2> = tanh(m.first.forward(x));
        half_squared(m.second.forward(hidden), y)
    };
    let data = regression();
    let risk = Risk::new(&smooth, &data);
    let error = rescale_relu_pair(&risk, &model, ["first", "second"], 8.0);
    let Err(SharpnessError::FunctionChanged { before, after, .. }) = error else {
        panic!("{error:?}");
    };
    assert!((before - after).abs() > 1e-3);
}

#[test]
fn a_layer_that_is_not_there_is_refused_by_path() {
    let data = regression();
    let risk = Risk::new(&net_loss, &data);
    let error = |model: &TwoLayers, first: &str, second: &str| {
        rescale_relu_pair(&risk, model, [first, second], 2.0).unwrap_err()
    };
    let missing = |path: &str| SharpnessError::NoLayer {
        path: path.into(),
        example: "first.weight".into(),
    };
    let net = net();
    assert_eq!(error(&net, "fist", "second"), missing("fist.weight"));
    assert_eq!(error(&net, "first", "third"), missing("third.weight"));
    // Frozen parameters are not coordinates of the loss.
    let mut frozen = net;
    frozen.second = frozen.second.no_grad();
    assert_eq!(error(&frozen, "first", "second"), missing("second.weight"));
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = rescale_relu_pair(&risk, &frozen, ["first", "second"], alpha).map(drop);
        assert!(matches!(
            error,
            Err(SharpnessError::OutOfRange(OutOfRange { name: "alpha", .. }))
        ));
    }
}
