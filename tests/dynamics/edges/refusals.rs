//! Optimizers without an edge, states that do not fit, and settings that all count.

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdafactorConfig, AdamConfig, AdamWConfig, AdanConfig, LBFGSConfig, LambConfig,
    LionConfig, ModuleOptimizer, MuonConfig, RmsPropConfig, SgdConfig,
};
use burn::tensor::Tensor;
use burnscape::dynamics::{CurvatureReading, DynamicsError, EdgeRule, WatchedOptimizer};
use burnscape_testkit::objectives::Point;

use super::{point, read, stepped, tensor};

#[track_caller]
fn assert_no_edge(found: Result<EdgeRule, DynamicsError>, name: &str) {
    let error = found.unwrap_err();
    assert!(matches!(error, DynamicsError::NoEdge { .. }), "{error}");
    let message = error.to_string();
    let expected = format!("no edge is known for {name};");
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn optimizers_without_an_edge_are_refused_by_name() {
    assert_no_edge(EdgeRule::of(&AdafactorConfig::new()), "Adafactor");
    assert_no_edge(EdgeRule::of(&AdanConfig::new()), "Adan");
    assert_no_edge(EdgeRule::of(&LBFGSConfig::new()), "L-BFGS");
    assert_no_edge(EdgeRule::of(&LambConfig::new()), "LAMB");
    assert_no_edge(EdgeRule::of(&LionConfig::new()), "Lion");
    assert_no_edge(EdgeRule::of(&MuonConfig::new()), "Muon");
}

#[test]
fn settings_without_an_edge_are_refused_by_name() {
    let cautious = AdamWConfig::new().with_cautious_weight_decay(true);
    assert_no_edge(EdgeRule::of(&cautious), "AdamW with cautious weight decay");
    let clipping = || Some(GradientClippingConfig::Norm(1.0));
    let sgd = SgdConfig::new().with_gradient_clipping(clipping());
    assert_no_edge(EdgeRule::of(&sgd), "SGD with gradient clipping");
    let adam = AdamConfig::new().with_grad_clipping(clipping());
    assert_no_edge(EdgeRule::of(&adam), "Adam with gradient clipping");
    let adam = AdamWConfig::new().with_grad_clipping(clipping());
    assert_no_edge(EdgeRule::of(&adam), "AdamW with gradient clipping");
    let value = Some(GradientClippingConfig::Value(1.0));
    let rms_prop = RmsPropConfig::new().with_grad_clipping(value);
    assert_no_edge(EdgeRule::of(&rms_prop), "RMSProp with gradient clipping");
    let ada_grad = AdaGradConfig::new().with_grad_clipping(clipping());
    assert_no_edge(EdgeRule::of(&ada_grad), "AdaGrad with gradient clipping");
    for decayed in [
        EdgeRule::sam(0.1).unwrap().with_coupled_decay(0.1),
        EdgeRule::sam(0.1).unwrap().with_decoupled_decay(0.1),
    ] {
        assert_no_edge(decayed, "SAM with weight decay");
    }
}

#[track_caller]
fn assert_out_of_range(found: Result<EdgeRule, DynamicsError>, name: &str) {
    match found {
        Err(DynamicsError::OutOfRange(error)) => assert_eq!(error.name, name),
        other => panic!("{other:?}"),
    }
}

#[test]
fn settings_with_which_no_optimizer_works_are_refused() {
    let momentum = MomentumConfig::new;
    for beta in [1.0, -0.1, f64::NAN] {
        assert_out_of_range(
            EdgeRule::momentum(&momentum().with_momentum(beta)),
            "momentum",
        );
        assert_out_of_range(EdgeRule::ema(beta), "beta");
        assert_out_of_range(EdgeRule::nadam(beta), "beta");
    }
    for dampening in [1.0, f64::NEG_INFINITY] {
        let momentum = momentum().with_dampening(dampening);
        assert_out_of_range(EdgeRule::momentum(&momentum), "dampening");
        let sgd = SgdConfig::new().with_momentum(Some(momentum));
        assert_out_of_range(EdgeRule::of(&sgd), "dampening");
    }
    assert_out_of_range(EdgeRule::sam(-0.1), "rho");
    for rate in [-1.0, f64::INFINITY] {
        assert_out_of_range(
            EdgeRule::gradient_descent().with_coupled_decay(rate),
            "rate",
        );
        assert_out_of_range(
            EdgeRule::gradient_descent().with_decoupled_decay(rate),
            "rate",
        );
    }
    let penalty = Some(WeightDecayConfig::new(-1.0));
    assert_out_of_range(
        EdgeRule::of(&SgdConfig::new().with_weight_decay(penalty)),
        "rate",
    );
    assert_out_of_range(EdgeRule::of(&AdamConfig::new().with_beta_1(1.0)), "beta_1");
    assert_out_of_range(EdgeRule::of(&AdamConfig::new().with_beta_2(1.0)), "beta_2");
    assert_out_of_range(
        EdgeRule::of(&AdamWConfig::new().with_epsilon(-1.0)),
        "epsilon",
    );
    assert_out_of_range(
        EdgeRule::of(&AdamWConfig::new().with_weight_decay(-1.0)),
        "rate",
    );
    assert_out_of_range(EdgeRule::of(&RmsPropConfig::new().with_alpha(1.0)), "alpha");
    assert_out_of_range(
        EdgeRule::of(&RmsPropConfig::new().with_momentum(1.0)),
        "momentum",
    );
    assert_out_of_range(
        EdgeRule::of(&RmsPropConfig::new().with_epsilon(-1.0)),
        "epsilon",
    );
    assert_out_of_range(
        EdgeRule::of(&AdaGradConfig::new().with_epsilon(f32::NAN)),
        "epsilon",
    );
    assert_out_of_range(
        EdgeRule::of(&AdaGradConfig::new().with_lr_decay(-0.1)),
        "lr_decay",
    );
}

const CURVATURES: [f64; 2] = [4.0, 1.0];
const LR: f64 = 0.1;

/// Three steps with different gradients, at a rate of zero.
fn watched(mut optimizer: ModuleOptimizer) -> (ModuleOptimizer, Point) {
    let mut at = point(&[1.0, 2.0]);
    for slopes in [[4.0, 1.0], [-2.0, 1.0], [1.0, 2.0]] {
        let loss: Tensor<1> = (at.w.val() * tensor(&slopes)).sum();
        at = stepped(&mut optimizer, 0.0, at, loss);
    }
    (optimizer, at)
}

/// What a monitor reads after the steps of [`watched`].
fn reading(config: &impl WatchedOptimizer, optimizer: ModuleOptimizer) -> CurvatureReading {
    let (optimizer, at) = watched(optimizer);
    let rule = EdgeRule::of(config).unwrap();
    read(&rule, &optimizer, &at, &CURVATURES, LR).unwrap()
}

/// The ratio of sharpness and edge for each config, the first of which has none of the settings of the others.
#[track_caller]
fn assert_settings_count(ratios: &[(&str, CurvatureReading)]) {
    let of = |reading: &CurvatureReading| reading.edge_ratio.unwrap();
    let (_, plain) = &ratios[0];
    for (setting, reading) in &ratios[1..] {
        let (found, without) = (of(reading), of(plain));
        assert!(
            (found / without - 1.0).abs() > 1e-4,
            "{setting}: {found} {without}"
        );
    }
}

macro_rules! readings {
    ($($name:literal: $config:expr),* $(,)?) => {
        [$(($name, { let config = $config; reading(&config, config.init()) })),*]
    };
}

#[test]
fn every_setting_changes_the_ratio() {
    let penalty = || Some(WeightDecayConfig::new(1.0));
    let heavy_ball = || MomentumConfig::new().with_dampening(0.0);
    let sgd = |momentum: MomentumConfig| SgdConfig::new().with_momentum(Some(momentum));
    assert_settings_count(&readings! {
        "none": SgdConfig::new(),
        "momentum": sgd(heavy_ball()),
        "weight_decay": SgdConfig::new().with_weight_decay(penalty()),
    });
    assert_settings_count(&readings! {
        "none": sgd(heavy_ball()),
        "momentum": sgd(heavy_ball().with_momentum(0.8)),
        "dampening": sgd(heavy_ball().with_dampening(0.1)),
        "nesterov": sgd(heavy_ball().with_nesterov(true)),
    });
    let adam = AdamConfig::new;
    assert_settings_count(&readings! {
        "none": adam(),
        "beta_1": adam().with_beta_1(0.8),
        "beta_2": adam().with_beta_2(0.5),
        "epsilon": adam().with_epsilon(0.5),
        "weight_decay": adam().with_weight_decay(penalty()),
    });
    // The largest second moment is not the last one.
    let adam = || AdamConfig::new().with_beta_2(0.5);
    assert_settings_count(&readings! {
        "none": adam(),
        "amsgrad": adam().with_amsgrad(true),
    });
    let adam = AdamWConfig::new;
    assert_settings_count(&readings! {
        "none": adam(),
        "beta_1": adam().with_beta_1(0.8),
        "beta_2": adam().with_beta_2(0.5),
        "epsilon": adam().with_epsilon(0.5),
        "weight_decay": adam().with_weight_decay(5.0),
    });
    let adam = || AdamWConfig::new().with_beta_2(0.5);
    assert_settings_count(&readings! {
        "none": adam(),
        "amsgrad": adam().with_amsgrad(true),
    });
    let rms_prop = RmsPropConfig::new;
    assert_settings_count(&readings! {
        "none": rms_prop(),
        "alpha": rms_prop().with_alpha(0.5),
        "momentum": rms_prop().with_momentum(0.5),
        "epsilon": rms_prop().with_epsilon(0.5),
        "centered": rms_prop().with_centered(true),
        "weight_decay": rms_prop().with_weight_decay(penalty()),
    });
    let ada_grad = AdaGradConfig::new;
    assert_settings_count(&readings! {
        "none": ada_grad(),
        "lr_decay": ada_grad().with_lr_decay(0.1),
        "epsilon": ada_grad().with_epsilon(0.5),
        "weight_decay": ada_grad().with_weight_decay(penalty()),
    });
}

#[test]
fn decays_of_a_rule_replace_those_of_its_config() {
    let config = AdamConfig::new().with_weight_decay(Some(WeightDecayConfig::new(1.0)));
    let (optimizer, at) = watched(config.init());
    let ratio = |rule: EdgeRule| {
        read(&rule, &optimizer, &at, &CURVATURES, LR)
            .unwrap()
            .edge_ratio
    };
    let rule = EdgeRule::of(&config).unwrap();
    let plain = EdgeRule::of(&AdamConfig::new()).unwrap();
    let replaced = rule.clone().with_coupled_decay(0.0).unwrap();
    assert_eq!(ratio(replaced), ratio(plain.clone()));
    // A decay of 10 halves the edge 2/lr = 20.
    let halved = plain.clone().with_decoupled_decay(10.0).unwrap();
    assert_eq!(ratio(halved).unwrap(), 2.0 * ratio(plain).unwrap());
    assert!(ratio(rule).is_some());
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let rule = EdgeRule::of(&AdamConfig::new()).unwrap();
    let refusal = |optimizer: &ModuleOptimizer, at: &Point| {
        let error = read(&rule, optimizer, at, &CURVATURES, LR).unwrap_err();
        assert!(
            matches!(error, DynamicsError::OtherOptimizer { .. }),
            "{error}"
        );
        error.to_string()
    };
    let (rms_prop, at) = watched(RmsPropConfig::new().init());
    let message = refusal(&rms_prop, &at);
    assert!(
        message.contains("no `momentum.moment_2` of `w`"),
        "{message}"
    );
    assert!(
        message.contains("from the config of the optimizer"),
        "{message}"
    );
    // The optimizer of another model with the same architecture.
    let (adam, _) = watched(AdamConfig::new().init());
    let message = refusal(&adam, &at);
    assert!(message.contains("no state of `w`"), "{message}");
    assert!(
        message.contains("the optimizer that trains this model"),
        "{message}"
    );
}

#[test]
fn before_its_first_step_an_optimizer_has_no_preconditioned_edge() {
    let config = AdamConfig::new();
    let rule = EdgeRule::of(&config).unwrap();
    let reading = read(&rule, &config.init(), &point(&[1.0, 2.0]), &CURVATURES, LR).unwrap();
    assert_eq!((reading.edge, reading.edge_ratio), (None, None));
    assert_eq!(reading.preconditioned_sharpness, None);
    assert!((reading.sharpness - 4.0).abs() < 1e-9);
}

/// Of an optimizer without a known edge there is the sharpness, and no number beside it.
#[test]
fn without_a_rule_there_is_no_edge() {
    let (lion, at) = watched(LionConfig::new().init());
    let reading = read(&EdgeRule::none(), &lion, &at, &CURVATURES, LR).unwrap();
    assert!(reading.sharpness > 0.0);
    assert_eq!((reading.edge, reading.edge_ratio), (None, None));
    assert_eq!(EdgeRule::none().edge(LR, 1.0), None);
}

/// A rule without a preconditioner is not that of an optimizer that has one.
#[test]
fn a_plain_rule_beside_an_optimizer_that_divides_is_refused() {
    let rule = EdgeRule::gradient_descent();
    for optimizer in [
        AdamConfig::new().init(),
        RmsPropConfig::new().init(),
        AdaGradConfig::new().init(),
    ] {
        let (optimizer, at) = watched(optimizer);
        let error = read(&rule, &optimizer, &at, &CURVATURES, LR).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("by which it divides the gradient"),
            "{error}"
        );
    }
    let (sgd, at) = watched(SgdConfig::new().init());
    assert!(read(&rule, &sgd, &at, &CURVATURES, LR).is_ok());
}
