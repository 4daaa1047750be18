//! Cases in which arithmetic or bookkeeping could fail silently.

use burn::module::{Module, Param, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::tensor::{DType, Device, Tensor};
use burnscape::OutOfRange;
use burnscape::optim::{
    Ascent, AscentDirection, ClosureStep, DescentGradient, OptimError, OptimRecord, PerturbedGd,
    PerturbedGdConfig, RhoGroup, Sam, SamConfig, SkipReason, SwaConfig,
};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::objectives::{Point, quadratic, saddle};

use super::fixture::{build, device, sgd};

fn point(coordinates: &[f64], dtype: DType) -> Point {
    Point::new(coordinates, &device(), dtype)
}

#[test]
fn looksam_does_not_blow_rounding_up_to_a_gradient() {
    // With the Hessian 1 both gradients are parallel, and the kept part is zero.
    for dtype in [DType::F32, DType::F64] {
        let mut model = point(&[0.3, -0.7, 1.1], dtype);
        let mut sam = build(
            SamConfig::new().with_descent_gradient(DescentGradient::Look {
                every: 5,
                alpha: 0.7,
            }),
        );
        let loss = |m: &Point| quadratic(m, &[1.0, 1.0, 1.0]);
        sam.step(0.01, &mut model, loss).expect("a step");
        let before = model.coordinates();
        let report = sam.step(0.01, &mut model, loss).expect("a step");
        assert_eq!((report.num_gradients, report.rho), (1, 0.0));
        assert_eq!(report.sam_edge, Some(200.0));
        for (before, after) in before.iter().zip(model.coordinates()) {
            let step = (before - after) / 0.01;
            assert!(
                (step - before).abs() < 1e-3 * before.abs(),
                "{step} along {before}"
            );
        }
    }
}

#[test]
fn half_precision_takes_steps_and_rests_at_a_zero_gradient() {
    for dtype in [DType::F16, DType::BF16] {
        let mut model = point(&[0.0, 0.0], dtype);
        let mut sam = build(SamConfig::new());
        let loss = |m: &Point| quadratic(m, &[1.0, 2.0]);
        let report = sam.step(0.1, &mut model, loss).expect("a step");
        assert_eq!(report.skipped, None);
        assert_eq!(model.coordinates(), [0.0, 0.0]);
        let mut model = point(&[1.0, -1.0], dtype);
        for variant in [
            SamConfig::new(),
            SamConfig::friendly_sam(),
            SamConfig::asam(),
        ] {
            let mut sam = build(variant);
            let report = sam.step(0.1, &mut model, loss).expect("a step");
            assert_eq!(report.skipped, None);
        }
        // A gradient whose norm is far below the divisors that f16 can represent.
        let mut model = point(&[1e-3, 0.0], dtype);
        let report = sam.step(0.1, &mut model, |m: &Point| quadratic(m, &[1e-3, 1e-3]));
        assert_eq!(report.expect("a step").skipped, None);
    }
}

#[test]
fn an_average_over_many_points_does_not_stall_in_half_precision() {
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        let mut swa = SwaConfig::new().init().expect("a configuration");
        let (one, three) = (point(&[1.0], dtype), point(&[3.0], dtype));
        for step in 0..4000 {
            let model = if step < 1000 { &one } else { &three };
            swa.update(step, model).expect("an update");
        }
        let mean = swa.average(&one).expect("an average").coordinates()[0];
        assert!((mean - 2.5).abs() < 0.02, "{dtype:?}: {mean}");
    }
}

#[test]
fn a_failed_escape_certifies_nothing() {
    let config = PerturbedGdConfig::new(0.05, 1e-4, 1e-3).with_patience(40);
    let mut descent = config.init(sgd()).expect("a valid configuration");
    let mut model = point(&[0.0, 0.0], DType::F64);
    // The pass at the noisy point fails once.
    let mut calls = 0;
    let error = descent.closure_step(0.1, &mut model, |m: &Point| {
        calls += 1;
        let loss = saddle(m);
        if calls == 2 { loss.inner() } else { loss }
    });
    assert!(error.is_err());
    assert_eq!(model.coordinates(), [0.0, 0.0]);
    for _ in 0..400 {
        descent
            .closure_step(0.1, &mut model, saddle)
            .expect("a step");
    }
    let certified = descent.certified().expect("a minimum");
    assert!((certified.loss + 0.25).abs() < 1e-4, "{certified:?}");
}

#[test]
fn a_search_resumes_in_the_middle_of_an_escape() {
    let config = PerturbedGdConfig::new(0.05, 1e-4, 1e-3).with_patience(40);
    let fresh = || config.init(sgd()).expect("a valid configuration");
    let run = |mut search: PerturbedGd, mut model: Point, steps| {
        for _ in 0..steps {
            let step = search.closure_step(0.1, &mut model, saddle);
            step.expect("a step");
        }
        (search, model)
    };
    let (search, model) = run(fresh(), point(&[0.0, 0.0], DType::F64), 5);
    let bytes = search.save_state(&model).and_then(OptimRecord::into_bytes);
    let record = OptimRecord::from_bytes(bytes.expect("bytes")).expect("a record");
    let resumed = fresh().load_state(record, &model).expect("its own record");
    let (resumed, again) = run(resumed, model.clone(), 400);
    let (search, model) = run(search, model, 400);
    assert_eq!(model.coordinates(), again.coordinates());
    assert!(search.certified().is_some());
    assert_eq!(search.certified(), resumed.certified());
}

#[test]
fn variants_that_compare_losses_need_them() {
    let gradients = |m: &Point| GradientsParams::from_grads(saddle(m).backward(), m);
    let mut model = point(&[0.5, 0.1], DType::F64);
    let config = PerturbedGdConfig::new(0.05, 1e-4, 1e-3);
    let mut descent = config.init(sgd()).expect("a valid configuration");
    let error = descent.closure_step(0.1, &mut model, gradients);
    assert!(matches!(error, Err(OptimError::Unmet { .. })), "{error:?}");
    let error = build(SamConfig::sa_gd().with_seed(0)).step(0.1, &mut model, gradients);
    assert!(matches!(error, Err(OptimError::Unmet { .. })), "{error:?}");
    // One start compares nothing, and reports no loss.
    let ascent = Ascent::Projected {
        steps: 3,
        restarts: 1,
        step_size: 1.0,
    };
    let report = build(SamConfig::new().with_ascent(ascent)).step(0.1, &mut model, gradients);
    let report = report.expect("a step");
    assert_eq!((report.loss, report.perturbed_loss), (None, None));
    assert_eq!(report.num_gradients, 4);
}

#[test]
fn gradients_in_a_train_step_are_checked_like_a_step() {
    let loss = |m: &Point| quadratic(m, &[1.0, 1.0]);
    let model = point(&[1.0, -2.0], DType::F64);
    for rho in [-1.0, f64::NAN, f64::INFINITY] {
        let config = SamConfig::new().with_rho(rho);
        let error = Sam::gradients(&config, &model, loss).map(|_| ());
        let is_refused = matches!(
            error,
            Err(OptimError::OutOfRange(OutOfRange { name: "rho", .. }))
        );
        assert!(is_refused, "{error:?}");
    }
    let without_memory = [
        SamConfig::new().with_draws_seed(Some(1)),
        SamConfig::new().with_restore_tied(true),
        SamConfig::sa_gd().with_seed(1),
    ];
    for config in without_memory {
        let error = Sam::gradients(&config, &model, loss).map(|_| ());
        assert!(matches!(error, Err(OptimError::Unmet { .. })), "{error:?}");
    }
    let infinite = |m: &Point| quadratic(m, &[1.0, 1.0]) * f64::NAN;
    let gradients = Sam::gradients(&SamConfig::new(), &model, infinite);
    let (_, report) = gradients.expect("gradients");
    assert_eq!(report.skipped, Some(SkipReason::NonFinite));
}

#[test]
fn a_draws_seed_needs_a_pass_that_can_be_seeded() {
    let model = point(&[1.0, -2.0], DType::F64);
    let loss = quadratic(&model, &[1.0, 1.0]);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let sam = build(SamConfig::new().with_draws_seed(Some(3)));
    let error = sam.ascend(0.1, model, &gradients).map(|_| ());
    assert!(matches!(error, Err(OptimError::Unmet { .. })));
}

#[test]
fn learning_rates_are_checked_for_every_parameter() {
    let loss = |m: &Point| quadratic(m, &[1.0, 1.0]);
    let mut model = point(&[1.0, -2.0], DType::F64);
    let mut sam = build(SamConfig::new());
    let empty = ModuleLearningRate::default();
    assert_eq!(
        sam.step(empty, &mut model, loss),
        Err(OptimError::NoLearningRate)
    );
    let mut scheduler =
        ModuleLrScheduler::new(0.1).with_group(ParamGroup::from_predicate("w"), f64::NAN);
    let error = sam.step(scheduler.step(), &mut model, loss);
    assert!(
        matches!(error, Err(OptimError::LearningRate { .. })),
        "{error:?}"
    );
    assert_eq!(model.coordinates(), [1.0, -2.0]);
}

/// One parameter at two places, as separate leaves.
#[derive(Module, Debug)]
struct Twins {
    encoder: Param<Tensor<1>>,
    decoder: Param<Tensor<1>>,
}

impl Twins {
    fn new() -> Self {
        let encoder: Param<Tensor<1>> = Param::from_data([1.0, -2.0], &device());
        // Freezing and unfreezing makes each occurrence a separate leaf.
        Self {
            decoder: encoder.clone(),
            encoder,
        }
        .freeze()
        .unfreeze()
    }

    fn loss(&self) -> Tensor<1> {
        (self.encoder.val() * self.decoder.val()).square().sum()
    }
}

#[test]
fn with_restored_ties_the_first_step_has_the_whole_gradient() {
    let mut model = Twins::new();
    let mut sam = build(SamConfig::new().with_rho(0.0).with_restore_tied(true));
    let report = sam.step(0.0, &mut model, Twins::loss).expect("a step");
    // L = Σ w⁴: the gradient is 4 w³ = (4, −32).
    assert!((report.gradient_norm - 4.0_f64.hypot(32.0)).abs() < 1e-4);
}

#[test]
fn a_group_that_names_one_occurrence_names_the_parameter() {
    let groups = vec![RhoGroup::new(ParamGroup::from_path("decoder"), 0.0)];
    let config = SamConfig::new()
        .with_rho(1.0)
        .with_restore_tied(true)
        .with_groups(groups);
    let mut model = Twins::new();
    let report = build(config)
        .step(0.0, &mut model, Twins::loss)
        .expect("a step");
    assert_eq!(report.loss, report.perturbed_loss);
}

#[test]
fn gradients_of_another_type_are_refused() {
    let model = point(&[1.0, -2.0], DType::F64);
    let mut gradients = GradientsParams::new();
    gradients.register::<1>(
        model.w.id,
        Tensor::from_data([1.0_f32, 2.0], &Device::flex()),
    );
    let error = build(SamConfig::new())
        .ascend(0.1, model, &gradients)
        .map(|_| ());
    assert!(matches!(error, Err(OptimError::Space(_))), "{error:?}");
}

#[test]
fn a_record_of_another_variant_is_refused() {
    let mut model = point(&[1.0, -2.0], DType::F64);
    let loss = |m: &Point| quadratic(m, &[1.0, 3.0]);
    let mut look = build(SamConfig::look_sam());
    look.step(0.1, &mut model, loss).expect("a step");
    let record = look.to_record(&model).expect("a record");
    let friendly = SamConfig::new()
        .with_ascent_direction(AscentDirection::Friendly {
            sigma: 1.0,
            momentum: 0.9,
        })
        .init(sgd())
        .expect("a valid configuration");
    let error = friendly.load_record(record, &model).map(|_| ());
    assert!(matches!(error, Err(OptimError::Record { .. })), "{error:?}");
}

/// A point behind batch norm, whose statistics an escape must not keep.
#[derive(Module, Debug)]
struct Normed {
    norm: BatchNorm,
    point: Point,
}

#[test]
fn a_point_that_is_taken_back_has_its_statistics() {
    let device = device();
    let mut model = Normed {
        norm: BatchNormConfig::new(1).init(&device),
        point: Point::new(&[0.0, 1.0], &device, DType::F32),
    };
    let config = PerturbedGdConfig::new(0.01, 1e-2, 1e-2).with_patience(10);
    let mut descent = config.init(sgd()).expect("a valid configuration");
    let mut taken = 0.0_f32;
    let mut statistics = None;
    while descent.certified().is_none() {
        taken += 1.0;
        assert!(taken < 100.0, "no certificate");
        let before = model.norm.running_mean.value_sync().into_data();
        let input = Tensor::<2>::full([4, 1], taken, &device);
        let closure = |m: &Normed| saddle(&m.point) + m.norm.forward(input.clone()).sum() * 0.0;
        let report = descent
            .closure_step(0.05, &mut model, closure)
            .expect("a step");
        if report.num_gradients == 2 {
            statistics = Some(before);
        }
    }
    assert_eq!(
        Some(model.norm.running_mean.value_sync().into_data()),
        statistics
    );
    let space = ParamSpace::of(&model).expect("a space");
    let weights = ParamVector::from_module(&space, &model).expect("weights");
    assert_eq!(weights.to_host().expect("numbers")[2..], [0.0, 1.0]);
}
