//! Bad input to the optimizers: a typed error that does not change the model, or a documented no-op.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use burnscape::OutOfRange;
use burnscape::loss::LossError;
use burnscape::optim::{
    Ascent, AscentDirection, ClosureStep, DescentGradient, Metric, OptimError, OptimRecord,
    PerturbedGdConfig, RhoGroup, RhoSchedule, Sam, SamConfig, SkipReason, SwaConfig,
};
use burnscape::space::SpaceError;
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{device, sgd};

fn refused(config: SamConfig) -> OptimError {
    config.init(sgd()).expect_err("an invalid configuration")
}

fn point() -> Point {
    Point::new(&[1.0, -2.0], &device(), DType::F64)
}

/// Steps on a loss, expects an error, and checks that the weights did not change.
fn step_error<R: burnscape::optim::IntoEvaluation>(loss: impl Fn(&Point) -> R) -> OptimError {
    let mut model = point();
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let error = sam.step(0.1, &mut model, loss).expect_err("a refusal");
    assert_eq!(model.coordinates(), [1.0, -2.0]);
    error
}

#[test]
fn a_closure_that_panics_is_an_error_in_both_passes_and_the_weights_stay() {
    let at_once = step_error(|_: &Point| -> Tensor<1> { panic!("at once") });
    assert!(at_once.to_string().contains("at once"), "{at_once}");
    let calls = std::cell::Cell::new(0);
    let uphill = step_error(|point: &Point| {
        calls.set(calls.get() + 1);
        assert!(calls.get() < 2, "uphill");
        quadratic(point, &[1.0, 1.0])
    });
    assert!(uphill.to_string().contains("uphill"), "{uphill}");
}

#[test]
fn radii_outside_the_range_are_named() {
    for rho in [-1.0, f64::NAN, f64::INFINITY] {
        match refused(SamConfig::new().with_rho(rho)) {
            OptimError::OutOfRange(OutOfRange {
                name: "rho", value, ..
            }) => {
                assert_eq!(value.to_bits(), rho.to_bits());
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn every_setting_has_a_range() {
    let wrong = [
        SamConfig::new().with_metric(Metric::Adaptive { eta: -0.1 }),
        SamConfig::new().with_metric(Metric::Fisher { eta: f64::NAN }),
        SamConfig::new().with_ascent_direction(AscentDirection::Friendly {
            sigma: -1.0,
            momentum: 0.9,
        }),
        SamConfig::new().with_ascent_direction(AscentDirection::Friendly {
            sigma: 1.0,
            momentum: 1.0,
        }),
        SamConfig::new().with_descent_gradient(DescentGradient::SurrogateGap { alpha: -1.0 }),
        SamConfig::new().with_descent_gradient(DescentGradient::Weighted {
            gamma: 1.0,
            decoupled: false,
        }),
        SamConfig::new().with_descent_gradient(DescentGradient::Look {
            every: 0,
            alpha: 0.7,
        }),
        SamConfig::new().with_descent_gradient(DescentGradient::Look {
            every: 5,
            alpha: f64::INFINITY,
        }),
        SamConfig::new().with_schedule(RhoSchedule::Linear { end: 0.0, steps: 0 }),
        SamConfig::new().with_schedule(RhoSchedule::Cosine {
            end: -1.0,
            steps: 3,
        }),
        SamConfig::new().with_mask(Some(0.0)),
        SamConfig::new().with_group_size(Some(0)),
        SamConfig::new().with_selection(Some(0.0)),
        SamConfig::new().with_selection(Some(1.5)),
        SamConfig::new().with_ascent(Ascent::Projected {
            steps: 0,
            restarts: 1,
            step_size: 1.0,
        }),
        SamConfig::new().with_groups(vec![RhoGroup::new(
            burn::module::ParamGroup::all(),
            f64::NAN,
        )]),
    ];
    for config in wrong {
        let error = refused(config);
        assert!(matches!(error, OptimError::OutOfRange(_)), "{error}");
    }
    assert!(PerturbedGdConfig::new(0.0, 1.0, 1.0).init(sgd()).is_err());
    assert!(SwaConfig::new().with_every(0).init().is_err());
}

#[test]
fn a_schedule_must_not_run_backwards() {
    let error = refused(SamConfig::new().with_active_steps(Some(10..10)));
    assert_eq!(
        error.to_string(),
        "`active_steps.end` is 10; use more than 10, where the active steps start"
    );
    let schedule = RhoSchedule::WithLearningRate {
        rho_min: 0.0,
        lr_min: 0.1,
        lr_max: 0.1,
    };
    let error = refused(SamConfig::new().with_schedule(schedule));
    assert_eq!(error.to_string(), "`lr_max` is 0.1; use more than 0.1");
}

#[test]
fn parts_that_exclude_each_other_are_named() {
    let error = refused(
        SamConfig::sa_gd()
            .with_seed(0)
            .with_metric(Metric::Adaptive { eta: 0.01 }),
    );
    assert!(matches!(
        error,
        OptimError::Incompatible {
            first: "projected ascent",
            ..
        }
    ));
    let error = refused(SamConfig::esam().with_seed(0).with_group_size(Some(2)));
    assert!(matches!(error, OptimError::Incompatible { .. }));
}

#[test]
fn a_loss_of_several_elements_is_refused_with_its_shape() {
    let error = step_error(|m: &Point| m.w.val());
    assert_eq!(
        error,
        OptimError::Loss(LossError::NotScalar { shape: vec![2] })
    );
}

#[test]
fn an_untracked_loss_is_refused() {
    let error = step_error(|m: &Point| quadratic(m, &[1.0, 1.0]).inner());
    assert_eq!(error, OptimError::Loss(LossError::Untracked));
    // The same holds for a loss that does not depend on any leaf.
    let error = step_error(|m: &Point| quadratic(m, &[1.0, 1.0]).detach());
    assert_eq!(error, OptimError::Loss(LossError::Untracked));
}

#[test]
fn a_model_on_a_plain_device_has_no_gradient_to_step_along() {
    let mut model = Point::new(&[1.0], &Device::flex(), DType::F64);
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let error = sam.step(0.1, &mut model, |m: &Point| quadratic(m, &[1.0]));
    assert_eq!(error, Err(OptimError::Loss(LossError::Untracked)));
}

#[test]
fn a_loss_that_is_not_finite_skips_the_step() {
    for value in [f64::NAN, f64::INFINITY] {
        let mut model = point();
        let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
        let loss = |m: &Point| quadratic(m, &[1.0, 1.0]) * value;
        let report = sam.step(0.1, &mut model, loss).expect("a report");
        assert_eq!(report.skipped, Some(SkipReason::NonFinite));
        assert_eq!(model.coordinates(), [1.0, -2.0]);
    }
}

#[test]
fn a_second_pass_that_is_not_finite_skips_the_step() {
    let mut model = point();
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let mut calls = 0;
    let report = sam.step(0.1, &mut model, |m: &Point| {
        calls += 1;
        quadratic(m, &[1.0, 1.0]) * if calls == 2 { f64::NAN } else { 1.0 }
    });
    assert_eq!(
        report.expect("a report").skipped,
        Some(SkipReason::NonFinitePerturbed)
    );
    assert_eq!(model.coordinates(), [1.0, -2.0]);
}

#[test]
fn lost_leaves_are_an_error_and_not_a_step_of_length_zero() {
    // A weight computed by arithmetic is no leaf; Burn returns no gradient and no error for it.
    let mut model = point();
    model.w = model.w.map(|w| w * 1.0);
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let error = sam.step(0.1, &mut model, |m: &Point| quadratic(m, &[1.0, 1.0]));
    assert_eq!(
        error,
        Err(OptimError::Space(SpaceError::NoGradients { parameters: 1 }))
    );
}

#[test]
fn a_model_without_trainable_parameters_is_refused() {
    let mut model = point().no_grad();
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let error = sam.step(0.1, &mut model, |m: &Point| quadratic(m, &[1.0, 1.0]));
    let expected = SpaceError::NoTrainableParameters { frozen: 1 };
    assert_eq!(error, Err(OptimError::Space(expected)));
}

#[derive(Module, Debug)]
struct TwoHeads {
    used: Linear,
    unused: Linear,
}

#[test]
fn an_unused_head_is_counted_and_left_alone() {
    let device = device();
    let head = || LinearConfig::new(2, 1).init(&device);
    let mut model = TwoHeads {
        used: head(),
        unused: head(),
    };
    let before = model.unused.weight.val().into_data();
    let x = Tensor::<2>::ones([3, 2], &device);
    for config in [SamConfig::new(), SamConfig::asam(), SamConfig::fisher_sam()] {
        let mut sam = config.init(sgd()).expect("a valid configuration");
        let loss = |m: &TwoHeads| m.used.forward(x.clone()).square().mean();
        let report = sam.step(0.1, &mut model, loss).expect("a step");
        assert_eq!(report.without_gradient, 2);
    }
    assert_eq!(model.unused.weight.val().into_data(), before);
    assert!(model.unused.weight.is_require_grad());
}

#[test]
fn a_learning_rate_that_is_no_rate_is_refused() {
    for lr in [-0.1, f64::NAN, f64::INFINITY] {
        let mut model = point();
        let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
        let error = sam.step(lr, &mut model, |m: &Point| quadratic(m, &[1.0, 1.0]));
        assert!(matches!(error, Err(OptimError::LearningRate { .. })));
    }
}

#[test]
fn variants_that_need_the_batch_are_refused_without_it() {
    let fisher = Metric::ExampleFisher { eta: 1.0 };
    let configs = [
        SamConfig::new().with_group_size(Some(2)),
        SamConfig::esam().with_seed(0),
        SamConfig::sa_gd_trust_region().with_seed(0),
        SamConfig::new().with_metric(fisher),
    ];
    for config in configs {
        let mut model = point();
        let mut sam = config.init(sgd()).expect("a valid configuration");
        let error = sam.step(0.1, &mut model, |m: &Point| quadratic(m, &[1.0, 1.0]));
        assert!(matches!(error, Err(OptimError::Unmet { .. })), "{error:?}");
        let gradients =
            GradientsParams::from_grads(quadratic(&model, &[1.0, 1.0]).backward(), &model);
        let error = sam.ascend(0.1, model, &gradients).map(|_| ());
        assert!(matches!(error, Err(OptimError::Unmet { .. })), "{error:?}");
    }
}

#[test]
fn data_selection_needs_the_losses_of_examples() {
    let device = device();
    let mut model = LinearConfig::new(2, 1).init(&device);
    let mut sam = SamConfig::esam()
        .with_seed(0)
        .init(sgd())
        .expect("a valid configuration");
    let mean = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
    let error = sam.step_on(0.1, &mut model, Tensor::ones([4, 2], &device), &mean);
    assert_eq!(error, Err(OptimError::Loss(LossError::NotPerExample)));
}

#[test]
fn a_batch_without_examples_is_refused() {
    let device = device();
    let mut model = LinearConfig::new(2, 1).init(&device);
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let mean = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
    let error = sam.step_on(0.1, &mut model, Tensor::zeros([0, 2], &device), &mean);
    assert_eq!(
        error,
        Err(OptimError::Loss(LossError::EmptyBatch { batch: 0 }))
    );
}

#[test]
fn projected_ascent_cannot_run_on_given_gradients() {
    let model = point();
    let gradients = GradientsParams::from_grads(quadratic(&model, &[1.0, 1.0]).backward(), &model);
    let sam = SamConfig::sa_gd()
        .with_seed(0)
        .init(sgd())
        .expect("a valid configuration");
    let error = sam.ascend(0.1, model, &gradients).map(|_| ());
    assert!(matches!(error, Err(OptimError::Unmet { .. })));
}

#[test]
fn a_descent_without_its_gradient_is_refused() {
    let model = point();
    let gradients = GradientsParams::from_grads(quadratic(&model, &[1.0, 1.0]).backward(), &model);
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let ascended = sam.ascend(0.1, model, &gradients).expect("an ascent");
    let error = sam.descend(ascended, None).map(|_| ());
    assert_eq!(error, Err(OptimError::MissingGradient));
}

fn stepped(mut sam: Sam, model: &mut Linear) -> Sam {
    let x = Tensor::<2>::ones([4, 3], &device());
    sam.step(0.1, model, |m: &Linear| {
        m.forward(x.clone()).square().mean()
    })
    .expect("a step");
    sam
}

#[test]
fn a_record_of_another_model_is_refused() {
    let device = device();
    let fresh = || {
        SamConfig::friendly_sam()
            .init(sgd())
            .expect("a valid configuration")
    };
    let mut model = LinearConfig::new(3, 2).init(&device);
    let sam = stepped(fresh(), &mut model);
    let record = || sam.to_record(&model).expect("a record");
    let others = [
        ("another shape", LinearConfig::new(3, 4).init(&device)),
        (
            "another number of parameters",
            LinearConfig::new(3, 2).with_bias(false).init(&device),
        ),
    ];
    for (name, other) in others {
        let error = fresh().load_record(record(), &other).expect_err(name);
        assert!(
            matches!(error, OptimError::OtherModel { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_record_of_another_optimizer_or_garbage_is_refused() {
    let mut model = LinearConfig::new(3, 2).init(&device());
    let sam = stepped(
        SamConfig::new().init(sgd()).expect("a valid configuration"),
        &mut model,
    );
    let descent = PerturbedGdConfig::new(0.1, 0.1, 0.1)
        .init(sgd())
        .expect("a configuration");
    let record = sam.to_record(&model).expect("a record");
    let error = descent
        .load_state(record, &model)
        .expect_err("another optimizer");
    assert!(matches!(error, OptimError::Record { .. }), "{error}");
    let garbage = burn::tensor::Bytes::from_bytes_vec(vec![1, 2, 3]);
    assert!(matches!(
        OptimRecord::from_bytes(garbage),
        Err(OptimError::Record { .. })
    ));
    let record = sam.to_record(&model).expect("a record");
    let directory = std::env::temp_dir().join("burnscape-missing");
    for error in [
        OptimRecord::load(directory.join("sam.bpk")).map(drop),
        record.save(directory.join("sam.bpk")),
    ] {
        let text = error.expect_err("no such directory").to_string();
        assert!(text.contains("burnscape-missing"), "{text}");
        assert!(text.contains("; "), "no remedy: {text}");
    }
}

#[derive(Module, Debug)]
struct Tying {
    encoder: Param<Tensor<1>>,
    decoder: Param<Tensor<1>>,
}

impl Tying {
    fn new() -> Self {
        let encoder = Param::from_data([1.0, -2.0], &device());
        Self {
            decoder: encoder.clone(),
            encoder,
        }
    }

    fn loss(&self) -> Tensor<1> {
        (self.encoder.val() * self.decoder.val()).square().sum()
    }
}

#[test]
fn a_parameter_that_occurs_twice_is_refused_unless_ties_are_restored() {
    let mut model = Tying::new();
    let mut sam = SamConfig::new().init(sgd()).expect("a valid configuration");
    let error = sam.step(0.01, &mut model, Tying::loss);
    let (first, second) = ("encoder".to_string(), "decoder".to_string());
    assert_eq!(error, Err(OptimError::TiedParameter { first, second }));

    let config = SamConfig::new().with_rho(0.0).with_restore_tied(true);
    let mut sam = config.init(sgd()).expect("a valid configuration");
    for _ in 0..3 {
        // L = Σ w⁴ with one w, so that the gradient is 4 w³.
        let before: Vec<f64> = model.encoder.val().into_data().iter::<f64>().collect();
        sam.step(0.01, &mut model, Tying::loss).expect("a step");
        let after: Vec<f64> = model.encoder.val().into_data().iter::<f64>().collect();
        for (w, moved) in before.iter().zip(after) {
            assert!((w - 0.01 * 4.0 * w.powi(3) - moved).abs() < 1e-5);
        }
        assert_eq!(
            model.encoder.val().into_data(),
            model.decoder.val().into_data()
        );
    }
}

#[test]
fn an_average_of_nothing_is_refused() {
    let swa = SwaConfig::new().init().expect("a configuration");
    assert!(matches!(
        swa.average(&point()),
        Err(OptimError::NothingAveraged)
    ));
}

#[test]
fn gradients_in_a_train_step_refuse_memories() {
    let stateful = [
        SamConfig::friendly_sam(),
        SamConfig::look_sam(),
        SamConfig::wsam(),
        SamConfig::new().with_active_steps(Some(1..100)),
        SamConfig::new().with_schedule(RhoSchedule::Linear { end: 0.0, steps: 5 }),
    ];
    for config in stateful {
        let loss = |m: &Point| quadratic(m, &[1.0, 1.0]);
        let error = Sam::gradients(&config, &point(), loss).map(|_| ());
        assert!(matches!(error, Err(OptimError::Unmet { .. })), "{error:?}");
    }
}
