//! Every setting of every measure changes a result, changes a cost, or is refused.

use std::fmt::Display;

use burnscape::loss::{Likelihood, Risk};
use burnscape::sharpness::{
    AverageSharpnessConfig, McAllesterConfig, PacBayesSigmaConfig, Region, RelativeFlatnessConfig,
    SharpnessReportConfig, WorstCaseSharpnessConfig,
};
use burnscape::space::Scale;
use serde::Serialize;
use serde_json::Value;

use super::networks::{Point, filled, matrix, net, net_loss, net_split, quadratic, regression};

/// The effect of a change of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    /// Another result.
    Result,
    /// The same result at another cost.
    Cost,
    /// One of the two values is refused.
    Refused,
    /// None: the setting has no purpose.
    Nothing,
}

/// A result without its config, and its cost.
pub(crate) type Measured = Result<(Value, Vec<Value>), String>;

pub(crate) fn measured<T: Serialize, E: Display>(result: Result<T, E>) -> Measured {
    let result = result.map_err(|error| error.to_string())?;
    let mut value = serde_json::to_value(&result).unwrap();
    let mut cost = Vec::new();
    take_cost(&mut value, &mut cost);
    Ok((value, cost))
}

fn take_cost(value: &mut Value, cost: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            fields.remove("config");
            for name in ["num_losses", "num_gradients", "num_matvecs"] {
                cost.extend(fields.remove(name));
            }
            fields.values_mut().for_each(|field| take_cost(field, cost));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| take_cost(item, cost)),
        _ => {}
    }
}

pub(crate) fn effect([one, other]: &[Measured; 2]) -> Effect {
    match (one, other) {
        (Ok(one), Ok(other)) if one.0 != other.0 => Effect::Result,
        (Ok(one), Ok(other)) if one.1 != other.1 => Effect::Cost,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => Effect::Refused,
        _ => Effect::Nothing,
    }
}

/// Names the settings of structs and variants. A field or a variant that is new does not compile without being named.
macro_rules! settings {
    ($($type:ty { $($path:path { $($field:tt),* }),* })*) => {
        fn settings() -> Vec<&'static str> {
            $(const _: fn(&$type) = |value| match value { $($path { $($field: _),* } => {})* };)*
            vec![$($($(concat!(stringify!($path), ".", stringify!($field)),)*)*)*]
        }
    };
}

settings! {
    AverageSharpnessConfig {
        AverageSharpnessConfig {
            sigma, fixed_length, num_samples, scale, antithetic, confidence, seed
        }
    }
    WorstCaseSharpnessConfig {
        WorstCaseSharpnessConfig {
            rho, region, num_steps, num_starts, step_size, tolerance, seed
        }
    }
    Region { Region::Ball { 0 }, Region::KeskarBox { num_flips } }
    PacBayesSigmaConfig {
        PacBayesSigmaConfig {
            threshold, num_samples, antithetic, start, tolerance, max_steps, scale, seed
        }
    }
    McAllesterConfig { McAllesterConfig { sigma, delta, num_priors, num_samples, seed } }
    RelativeFlatnessConfig { RelativeFlatnessConfig { path, max_matvecs, confidence, seed } }
    SharpnessReportConfig {
        SharpnessReportConfig {
            scales, sigma, rho, relative_rho, epsilon, threshold, delta, gamma, num_samples,
            num_steps, trace_matvecs, lambda_max_matvecs, seed
        }
    }
}

/// A setting, the effect of changing it, and the results for two of its values.
pub(crate) type Law = (&'static str, Effect, [Measured; 2]);

/// Fails for a law whose effect is another one, and for settings without a law.
pub(crate) fn check(laws: &[Law], settings: &[&str]) {
    let wrong = laws
        .iter()
        .filter(|(_, stated, pair)| effect(pair) != *stated);
    let wrong: Vec<_> = wrong
        .map(|(setting, stated, pair)| (*setting, *stated, effect(pair)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let named: Vec<&str> = laws.iter().map(|(setting, ..)| *setting).collect();
    assert_eq!(named, settings);
}

fn average() -> Vec<Law> {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let run = |config: AverageSharpnessConfig| measured(config.run(&risk, &model));
    let config = || AverageSharpnessConfig::new(0.1).with_num_samples(3);
    let with = |other| [run(config()), run(other)];
    vec![
        (
            "AverageSharpnessConfig.sigma",
            Effect::Refused,
            with(AverageSharpnessConfig::new(-1.0)),
        ),
        (
            "AverageSharpnessConfig.fixed_length",
            Effect::Result,
            with(config().with_fixed_length(true)),
        ),
        (
            "AverageSharpnessConfig.num_samples",
            Effect::Result,
            with(config().with_num_samples(4)),
        ),
        (
            "AverageSharpnessConfig.scale",
            Effect::Result,
            with(config().with_scale(Scale::ElementRelative)),
        ),
        (
            "AverageSharpnessConfig.antithetic",
            Effect::Result,
            with(config().with_antithetic(true)),
        ),
        (
            "AverageSharpnessConfig.confidence",
            Effect::Result,
            with(config().with_confidence(0.5)),
        ),
        (
            "AverageSharpnessConfig.seed",
            Effect::Result,
            with(config().with_seed(1)),
        ),
    ]
}

fn worst_case() -> Vec<Law> {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let run = |config: WorstCaseSharpnessConfig| measured(config.run(&risk, &model));
    let config = || WorstCaseSharpnessConfig::new(0.1);
    let with = |other| [run(config()), run(other)];
    let ball = Region::Ball(Scale::ElementRelative);
    // A quadratic at its minimum, whose corners differ.
    let (point, bowl) = (
        Point::new(&[0.0; 4]),
        matrix([
            [2.0, 1.0, -0.5, 0.3],
            [1.0, 3.0, 0.7, -0.2],
            [-0.5, 0.7, 1.0, 0.4],
            [0.3, -0.2, 0.4, 2.0],
        ]),
    );
    let bowl = Risk::new(&quadratic, &bowl);
    let flips = |num_flips| {
        let config = WorstCaseSharpnessConfig::keskar(0.1);
        measured(
            config
                .with_region(Region::KeskarBox { num_flips })
                .run(&bowl, &point),
        )
    };
    vec![
        (
            "WorstCaseSharpnessConfig.rho",
            Effect::Result,
            with(WorstCaseSharpnessConfig::new(0.2)),
        ),
        (
            "WorstCaseSharpnessConfig.region",
            Effect::Result,
            with(WorstCaseSharpnessConfig::keskar(0.1)),
        ),
        (
            "WorstCaseSharpnessConfig.num_steps",
            Effect::Result,
            with(config().with_num_steps(1)),
        ),
        (
            "WorstCaseSharpnessConfig.num_starts",
            Effect::Result,
            with(config().with_num_starts(1)),
        ),
        (
            "WorstCaseSharpnessConfig.step_size",
            Effect::Result,
            with(config().with_step_size(0.1)),
        ),
        (
            "WorstCaseSharpnessConfig.tolerance",
            Effect::Result,
            with(config().with_tolerance(0.1)),
        ),
        (
            "WorstCaseSharpnessConfig.seed",
            Effect::Result,
            with(config().with_seed(1)),
        ),
        (
            "Region::Ball.0",
            Effect::Result,
            with(config().with_region(ball)),
        ),
        (
            "Region::KeskarBox.num_flips",
            Effect::Result,
            [flips(0), flips(8)],
        ),
    ]
}

fn pac_bayes() -> Vec<Law> {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let run = |config: PacBayesSigmaConfig| measured(config.run(&risk, &model));
    let config = || PacBayesSigmaConfig::new(0.1).with_num_samples(3);
    let with = |other| [run(config()), run(other)];
    let bound = |config: McAllesterConfig| {
        let prior = filled(&model, 0.1, 30.0);
        measured(config.run(&risk, &model, &prior))
    };
    let bounds = || McAllesterConfig::new(0.1).with_num_samples(3);
    let bounded = |other| [bound(bounds()), bound(other)];
    vec![
        (
            "PacBayesSigmaConfig.threshold",
            Effect::Result,
            with(PacBayesSigmaConfig::new(0.2).with_num_samples(3)),
        ),
        (
            "PacBayesSigmaConfig.num_samples",
            Effect::Result,
            with(config().with_num_samples(4)),
        ),
        (
            "PacBayesSigmaConfig.antithetic",
            Effect::Result,
            with(config().with_antithetic(false)),
        ),
        (
            "PacBayesSigmaConfig.start",
            Effect::Result,
            with(config().with_start(0.03)),
        ),
        (
            "PacBayesSigmaConfig.tolerance",
            Effect::Result,
            with(config().with_tolerance(0.2)),
        ),
        (
            "PacBayesSigmaConfig.max_steps",
            Effect::Result,
            with(config().with_max_steps(2)),
        ),
        (
            "PacBayesSigmaConfig.scale",
            Effect::Result,
            with(config().with_scale(Scale::ElementRelative)),
        ),
        (
            "PacBayesSigmaConfig.seed",
            Effect::Result,
            with(config().with_seed(1)),
        ),
        (
            "McAllesterConfig.sigma",
            Effect::Result,
            bounded(McAllesterConfig::new(0.2).with_num_samples(3)),
        ),
        (
            "McAllesterConfig.delta",
            Effect::Result,
            bounded(bounds().with_delta(0.1)),
        ),
        (
            "McAllesterConfig.num_priors",
            Effect::Result,
            bounded(bounds().with_num_priors(2)),
        ),
        (
            "McAllesterConfig.num_samples",
            Effect::Result,
            bounded(bounds().with_num_samples(4)),
        ),
        (
            "McAllesterConfig.seed",
            Effect::Result,
            bounded(bounds().with_seed(1)),
        ),
    ]
}

fn flatness() -> Vec<Law> {
    let (model, data) = (net(), regression());
    let hessian = Risk::new(&net_loss, &data).hessian(&model).unwrap();
    let run = |config: RelativeFlatnessConfig| measured(config.run(&hessian, &model));
    let config = || RelativeFlatnessConfig::new().with_max_matvecs(8);
    let with = |other| [run(config()), run(other)];
    let path = Some("first.weight".to_owned());
    vec![
        (
            "RelativeFlatnessConfig.path",
            Effect::Result,
            with(config().with_path(path)),
        ),
        (
            "RelativeFlatnessConfig.max_matvecs",
            Effect::Result,
            with(config().with_max_matvecs(64)),
        ),
        (
            "RelativeFlatnessConfig.confidence",
            Effect::Result,
            with(config().with_confidence(0.5)),
        ),
        (
            "RelativeFlatnessConfig.seed",
            Effect::Result,
            with(config().with_seed(1)),
        ),
    ]
}

fn report() -> Vec<Law> {
    let (model, data) = (net(), regression());
    let (risk, split) = (Risk::new(&net_loss, &data), net_split(&data));
    let fisher = split.fisher(&model, Likelihood::Gaussian).unwrap();
    let prior = filled(&model, 0.1, 30.0);
    let run = |config: SharpnessReportConfig| {
        measured(config.run(&risk, &model).and_then(|mut report| {
            report.add_fisher(&fisher, &model)?;
            report.add_mcallester_bound(&risk, &model, &prior)?;
            Ok(report)
        }))
    };
    let config = || {
        SharpnessReportConfig::new()
            .with_scales(vec![Scale::Absolute, Scale::ElementRelative])
            .with_num_samples(1)
            .with_num_steps(1)
            .with_trace_matvecs(2)
    };
    let same = run(config());
    let with = |other| [same.clone(), run(other)];
    vec![
        (
            "SharpnessReportConfig.scales",
            Effect::Result,
            with(config().with_scales(vec![Scale::Absolute])),
        ),
        (
            "SharpnessReportConfig.sigma",
            Effect::Result,
            with(config().with_sigma(0.1)),
        ),
        (
            "SharpnessReportConfig.rho",
            Effect::Result,
            with(config().with_rho(0.1)),
        ),
        (
            "SharpnessReportConfig.relative_rho",
            Effect::Result,
            with(config().with_relative_rho(0.1)),
        ),
        (
            "SharpnessReportConfig.epsilon",
            Effect::Result,
            with(config().with_epsilon(0.1)),
        ),
        (
            "SharpnessReportConfig.threshold",
            Effect::Result,
            with(config().with_threshold(0.2)),
        ),
        (
            "SharpnessReportConfig.delta",
            Effect::Result,
            with(config().with_delta(0.1)),
        ),
        (
            "SharpnessReportConfig.gamma",
            Effect::Result,
            with(config().with_gamma(0.1)),
        ),
        (
            "SharpnessReportConfig.num_samples",
            Effect::Result,
            with(config().with_num_samples(2)),
        ),
        (
            "SharpnessReportConfig.num_steps",
            Effect::Result,
            with(config().with_num_steps(2)),
        ),
        (
            "SharpnessReportConfig.trace_matvecs",
            Effect::Result,
            with(config().with_trace_matvecs(3)),
        ),
        (
            "SharpnessReportConfig.lambda_max_matvecs",
            Effect::Result,
            with(config().with_lambda_max_matvecs(3)),
        ),
        (
            "SharpnessReportConfig.seed",
            Effect::Result,
            with(config().with_seed(1)),
        ),
    ]
}

#[test]
fn every_setting_has_an_effect() {
    let laws = [average(), worst_case(), pac_bayes(), flatness(), report()].concat();
    check(&laws, &settings());
}
