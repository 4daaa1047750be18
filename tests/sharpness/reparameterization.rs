//! Dinh's rescaling: what moves and what must not.

use burn::module::Module;
use burn::tensor::{Tensor, activation::tanh};
use burnscape::OutOfRange;
use burnscape::loss::{Likelihood, Risk};
use burnscape::sharpness::{
    Measure, Reparameterization, ReparameterizationConfig, SharpnessError, SharpnessReportConfig,
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

fn config(first: &str, second: &str) -> ReparameterizationConfig {
    let report = SharpnessReportConfig::new().with_num_samples(5);
    ReparameterizationConfig::new(first.into(), second.into()).with_report(report)
}

/// B4: invariant measures move by less than 1e-6, λ_max and trace by more than a factor of two.
fn check(found: &Reparameterization) {
    assert!(found.completed);
    close(found.loss_after, found.loss_before, 1e-14);
    let mut invariant = 0;
    for change in &found.changes {
        let is_invariant = matches!(change.scale, Some(ELEMENT | FILTER))
            || matches!(
                change.measure,
                Measure::FisherRaoNorm | Measure::RelativeFlatness
            );
        if is_invariant {
            assert!(change.before > 0.0, "{change:?}");
            assert!(change.relative_change < 1e-6, "{change:?}");
            assert!(!change.moved);
            invariant += 1;
        }
    }
    // Six in each of two scales, and the relative flatness of two weights or more.
    assert!(invariant >= 14, "{invariant}");
    for measure in [Measure::LambdaMax, Measure::Trace, Measure::FrobeniusNorm] {
        let change = found.change(measure, Some(ABSOLUTE)).unwrap();
        let ratio = change.after / change.before;
        assert!(change.moved && !(0.5..=2.0).contains(&ratio), "{change:?}");
    }
    for measure in [
        Measure::AverageSharpness,
        Measure::WorstCaseSharpness,
        Measure::PacBayesSigma,
    ] {
        assert!(found.change(measure, Some(ABSOLUTE)).unwrap().moved);
    }
    assert!(found.change(Measure::Keskar, None).unwrap().moved);
}

#[test]
fn invariant_measures_of_a_linear_pair_with_bias_stay() {
    let found = config("first", "second")
        .run_split(&net_split(&regression()), &net(), Likelihood::Gaussian)
        .unwrap();
    check(&found);
    assert!(found.change(Measure::FisherRaoNorm, None).is_some());
    // The Fisher matrix itself is not invariant, and so neither is its effective dimension.
    assert!(
        found
            .change(Measure::EffectiveDimension, None)
            .unwrap()
            .moved
    );
    assert!(found.to_string().contains("Fisher-Rao norm"));
}

#[test]
fn invariant_measures_of_a_pair_within_a_deep_net_stay() {
    let found = config("second", "third")
        .run_split(
            &deep_split(&regression()),
            &Deep::new(),
            Likelihood::Gaussian,
        )
        .unwrap();
    check(&found);
}

#[test]
fn invariant_measures_of_convolutions_stay() {
    let found = config("first", "second")
        .run(&Risk::new(&conv_loss, &images()), &ConvNet::new())
        .unwrap();
    check(&found);
}

#[test]
fn estimates_of_invariant_measures_stay_sample_by_sample() {
    // Eight products for traces, sixteen of 34 for relative flatness.
    let mut config = config("first", "second");
    config.report = config.report.with_num_matvecs(8);
    let found = config
        .run(&Risk::new(&net_loss, &regression()), &net())
        .unwrap();
    let flatness = found.before.row(Measure::RelativeFlatness, None).unwrap();
    assert_eq!(flatness.setting, "estimated");
    check(&found);
}

#[test]
fn a_factor_that_rounds_moves_invariant_measures_no_more_than_rounding() {
    let mut config = config("first", "second").with_alpha(3.3);
    config.report = config.report.with_scales(vec![ABSOLUTE, ELEMENT, FILTER]);
    let found = config
        .run(&Risk::new(&net_loss, &regression()), &net())
        .unwrap();
    for scale in [ELEMENT, FILTER] {
        for measure in [
            Measure::LambdaMax,
            Measure::Trace,
            Measure::AverageSharpness,
        ] {
            let change = found.change(measure, Some(scale)).unwrap();
            assert!(change.relative_change < 1e-6, "{change:?}");
        }
    }
}

#[test]
fn the_pair_is_multiplied_and_divided_and_nothing_else() {
    let net = net();
    let rescaled = rescale_relu_pair(&net, "first", "second", 4.0).unwrap();
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
    let error = config("first", "second").run(&Risk::new(&smooth, &regression()), &model);
    let Err(SharpnessError::FunctionChanged { before, after, .. }) = error else {
        panic!("{error:?}");
    };
    assert!((before - after).abs() > 1e-3);
}

#[test]
fn a_layer_that_is_not_there_is_refused_by_path() {
    let error = |model: &TwoLayers, first: &str, second: &str| {
        rescale_relu_pair(model, first, second, 2.0)
            .map(|_| ())
            .unwrap_err()
    };
    let missing = |path: &str| SharpnessError::NoLayer {
        path: path.into(),
        example: "first.weight".into(),
    };
    let net = net();
    assert_eq!(error(&net, "fist", "second"), missing("fist.weight"));
    assert_eq!(error(&net, "first", "third"), missing("third.weight"));
    // Frozen parameters are no coordinates of the loss.
    let mut frozen = net;
    frozen.second = frozen.second.no_grad();
    assert_eq!(error(&frozen, "first", "second"), missing("second.weight"));
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = rescale_relu_pair(&frozen, "first", "second", alpha).map(|_| ());
        assert!(matches!(
            error,
            Err(SharpnessError::OutOfRange(OutOfRange { name: "alpha", .. }))
        ));
    }
}
