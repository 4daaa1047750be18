//! The parts of a sharpness-aware step beside the weights: statistics, groups, seeds, and the two halves.

use burn::module::ParamGroup;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Distribution, Tensor, TensorData};
use burnscape::loss::{ExampleLosses, Mode, Reduction, Risk};
use burnscape::optim::{
    ClosureStep, Metric, OptimError, RhoGroup, RhoSchedule, Sam, SamConfig, SkipReason, SwaConfig,
};
use burnscape::space::{LeafVector, ParamSpace, ParamVector, unshared_copy};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::{Point, quadratic};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::fixture::device;

fn momentum() -> ModuleOptimizer {
    let momentum = MomentumConfig::new()
        .with_momentum(0.875)
        .with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum)).init()
}

fn build(config: SamConfig) -> Sam {
    config.init(momentum()).expect("a valid configuration")
}

fn model() -> Normalized {
    Normalized::new([4, 6, 2], &device())
}

fn mean_square(model: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (model.forward(x) - 1.0).square().mean()
}

fn running(model: &Normalized) -> [TensorData; 2] {
    model.running().map(Tensor::into_data)
}

fn input() -> Tensor<2> {
    let mut rng = StdRng::seed_from_u64(9);
    let data = TensorData::random::<f32, _, _>([16, 4], Distribution::Normal(0.5, 2.0), &mut rng);
    Tensor::from_data(data, &device())
}

fn weights(model: &Normalized) -> Vec<f64> {
    let space = ParamSpace::of(model).expect("a space");
    let weights = ParamVector::from_module(&space, model).expect("weights");
    weights.to_host().expect("numbers")
}

#[test]
fn running_statistics_are_those_of_the_first_pass() {
    let mut model = model();
    let once = unshared_copy(&model);
    let clone = model.clone();
    let mut sam = build(SamConfig::new().with_rho(0.5));
    sam.step(0.1, &mut model, |m: &Normalized| mean_square(m, input()))
        .expect("a step");
    once.forward(input());
    assert_eq!(running(&model), running(&once));
    // The displaced pass writes to a copy; the user's clones have the statistics of the first pass only, as in a
    // plain loop.
    assert_eq!(running(&clone), running(&once));
}

#[test]
fn a_skipped_step_leaves_the_running_statistics() {
    for config in [SamConfig::new(), SamConfig::asam()] {
        let mut model = model();
        let mut sam = build(config);
        sam.step(0.1, &mut model, |m: &Normalized| mean_square(m, input()))
            .expect("a step");
        let (before, statistics) = (weights(&model), running(&model));
        let poisoned = |m: &Normalized| mean_square(m, input() * f32::NAN);
        let report = sam.step(0.1, &mut model, poisoned).expect("a report");
        assert_eq!(report.skipped, Some(SkipReason::NonFinite));
        assert_eq!(weights(&model), before);
        assert_eq!(running(&model), statistics);
        // Training continues as without the batch.
        let report = sam
            .step(0.1, &mut model, |m: &Normalized| mean_square(m, input()))
            .expect("a report");
        assert_eq!(report.skipped, None);
    }
    // A plain optimizer in the same loop does the same.
    let mut model = model();
    let statistics = running(&model);
    let poisoned = |m: &Normalized| mean_square(m, input() * f32::NAN);
    let report = momentum()
        .closure_step(0.1, &mut model, poisoned)
        .expect("a report");
    assert_eq!(report.skipped, Some(SkipReason::NonFinite));
    assert_eq!(running(&model), statistics);
}

#[test]
fn an_error_leaves_the_model_as_it_was() {
    let mut model = model();
    let (before, statistics) = (weights(&model), running(&model));
    let mut sam = build(SamConfig::new());
    // The second pass fails, after the first has written its statistics.
    let mut calls = 0;
    let error = sam.step(0.1, &mut model, |m: &Normalized| {
        calls += 1;
        let loss = mean_square(m, input());
        if calls == 2 { loss.inner() } else { loss }
    });
    assert!(error.is_err());
    assert_eq!(weights(&model), before);
    assert_eq!(running(&model), statistics);
    assert_eq!(sam.num_steps(), 0);
}

#[test]
fn the_original_weights_come_back_bit_for_bit() {
    let model = model();
    let before = weights(&model);
    let mut sam = build(SamConfig::new().with_rho(10.0));
    let gradients =
        |m: &Normalized| GradientsParams::from_grads(mean_square(m, input()).backward(), m);
    let first = gradients(&model);
    let ascended = sam.ascend(0.0, model, &first).expect("an ascent");
    assert_ne!(weights(ascended.module()), before);
    let second = gradients(ascended.module());
    // A rate of zero: the base adds nothing.
    let (model, report) = sam.descend(ascended, second).expect("a descent");
    assert_eq!(weights(&model), before);
    assert_eq!(report.num_gradients, 2);
    let ascended = sam.ascend(0.0, model, &first).expect("an ascent");
    assert_eq!(weights(&ascended.into_original()), before);
}

#[test]
fn both_doors_and_all_closure_shapes_give_the_same_step() {
    let mut ends = Vec::new();
    for door in 0..4 {
        let mut rng = StdRng::seed_from_u64(4);
        let mut model = Point::new(&[0.0; 3], &device(), DType::F32);
        let start = TensorData::random::<f32, _, _>([3], Distribution::Normal(0.0, 1.0), &mut rng);
        model.w = model
            .w
            .map(|w| Tensor::from_data(start, &w.device()).require_grad());
        let mut sam = build(SamConfig::gsam().with_rho(0.3));
        let loss = |m: &Point| quadratic(m, &[1.0, 4.0, 0.5]);
        let gradients = |m: &Point| GradientsParams::from_grads(loss(m).backward(), m);
        for _ in 0..5 {
            match door {
                0 => drop(sam.step(0.1, &mut model, loss).expect("a step")),
                1 => {
                    let closure = |m: &Point| (0.5_f64, gradients(m));
                    let report = sam.step(0.1, &mut model, closure).expect("a step");
                    assert_eq!(report.loss, Some(0.5));
                }
                2 => drop(sam.step(0.1, &mut model, gradients).expect("a step")),
                _ => {
                    let first = gradients(&model);
                    let ascended = sam.ascend(0.1, model, &first).expect("an ascent");
                    let second = gradients(ascended.module());
                    model = sam.descend(ascended, second).expect("a descent").0;
                }
            }
        }
        ends.push(model.coordinates());
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
}

#[test]
fn excluded_parameters_are_not_displaced_and_do_not_count_in_the_norm() {
    let rho = 0.7;
    let groups = vec![
        RhoGroup::new(ParamGroup::from_predicate("norm"), 0.0),
        RhoGroup::new(ParamGroup::from_predicate("second"), 0.5),
    ];
    let model = model();
    let space = ParamSpace::of(&model).expect("a space");
    let gradients = GradientsParams::from_grads(mean_square(&model, input()).backward(), &model);
    let gradient = LeafVector::from_gradients(&space, &gradients).expect("gradients");
    let inside = gradient
        .clone()
        .map(|leaf, value| (!leaf.path().starts_with("norm")).then_some(value));
    let norm = inside.norm().expect("a norm");
    let before = LeafVector::from_module(&space, &model).expect("weights");
    let sam = build(SamConfig::new().with_rho(rho).with_groups(groups));
    let ascended = sam.ascend(0.1, model, &gradients).expect("an ascent");
    let after = LeafVector::from_module(&space, ascended.module()).expect("weights");
    let leaves = space.leaves().iter().zip(gradient.leaves());
    for ((leaf, gradient), (before, after)) in
        leaves.zip(before.leaves().iter().zip(after.leaves()))
    {
        let factor = match leaf.path() {
            path if path.starts_with("norm") => 0.0,
            path if path.starts_with("second") => 0.5,
            _ => 1.0,
        };
        let read = |value: &Option<Tensor<1>>| -> Vec<f64> {
            value
                .clone()
                .expect("a leaf")
                .into_data()
                .iter::<f64>()
                .collect()
        };
        let rows = read(gradient)
            .into_iter()
            .zip(read(before).into_iter().zip(read(after)));
        for (gradient, (before, after)) in rows {
            let expected = factor * rho * gradient / norm;
            assert!((after - before - expected).abs() < 1e-6, "{}", leaf.path());
        }
    }
}

#[test]
fn the_mask_keeps_its_share_of_the_parameters_and_its_mean_displacement() {
    let keep = 0.25;
    let (steps, rho) = (400, 0.1);
    let mut model = model();
    let space = ParamSpace::of(&model).expect("a space");
    let gradients = GradientsParams::from_grads(mean_square(&model, input()).backward(), &model);
    let gradient = LeafVector::from_gradients(&space, &gradients).expect("gradients");
    let scale = rho / gradient.norm().expect("a norm");
    let mut sam = build(
        SamConfig::new()
            .with_rho(rho)
            .with_mask(Some(keep))
            .with_seed(5),
    );
    let (mut kept, mut offered) = (0, 0);
    let start = LeafVector::from_module(&space, &model).expect("weights");
    for _ in 0..steps {
        let ascended = sam.ascend(0.0, model, &gradients).expect("an ascent");
        let moved = LeafVector::from_module(&space, ascended.module()).expect("weights");
        let moved = moved.axpby(1.0, -1.0, &start).expect("same space");
        for (moved, gradient) in moved.leaves().iter().zip(gradient.leaves()) {
            let read = |value: &Option<Tensor<1>>| -> f64 {
                value
                    .clone()
                    .expect("a leaf")
                    .square()
                    .sum()
                    .sqrt()
                    .into_scalar()
            };
            let (moved, gradient) = (read(moved), read(gradient));
            if gradient < 1e-3 {
                continue; // a bias before batch norm
            }
            offered += 1;
            if moved > 0.0 {
                kept += 1;
                assert!((moved / (gradient * scale / keep) - 1.0).abs() < 1e-3);
            }
        }
        let second = GradientsParams::from_grads(
            mean_square(ascended.module(), input()).backward(),
            ascended.module(),
        );
        model = sam.descend(ascended, second).expect("a descent").0;
    }
    let share = f64::from(kept) / f64::from(offered);
    let error = (keep * (1.0 - keep) / f64::from(offered)).sqrt();
    assert!((share - keep).abs() < 4.0 * error, "{share}");
}

/// A line through the origin with one loss per example: `½ (w x)²`.
fn example_losses(point: &Point, x: Tensor<1>) -> Tensor<1> {
    (point.w.val() * x).square() * 0.5
}

#[test]
fn data_selection_descends_on_the_examples_whose_loss_rises_most() {
    // At w = 1 and w + e the loss of x is ½ x² w²: the largest |x| rise most.
    let x = Tensor::<1>::from_data(
        TensorData::from([0.1, -3.0, 0.2, 2.0]),
        (&device(), DType::F64),
    );
    let objective = ExampleLosses::new(example_losses, Reduction::Mean);
    let (rho, lr) = (0.5, 0.01);
    let config = SamConfig::new().with_rho(rho).with_selection(Some(0.5));
    let mut sam = config
        .init(SgdConfig::new().init())
        .expect("a valid configuration");
    let mut model = Point::new(&[1.0], &device(), DType::F64);
    let report = sam.step_on(lr, &mut model, x, &objective).expect("a step");
    let w = 1.0 + rho;
    let gradient = w * (9.0 + 4.0) / 2.0;
    assert!((model.coordinates()[0] - (1.0 - lr * gradient)).abs() < 1e-9);
    let all = 0.5 * w * w * (0.01 + 9.0 + 0.04 + 4.0) / 4.0;
    assert!((report.perturbed_loss.expect("a loss") - all).abs() < 1e-9);
}

#[test]
fn the_fisher_metric_of_examples_is_the_mean_of_their_squares() {
    // Gradients of the examples at w = 1: x². Their squares: x⁴.
    let values = [0.5, -1.0, 2.0];
    let x = Tensor::<1>::from_data(TensorData::from(values), (&device(), DType::F64));
    let objective = ExampleLosses::new(example_losses, Reduction::Mean);
    let (eta, rho) = (0.7, 0.4);
    let metric = Metric::ExampleFisher { eta };
    let config = SamConfig::new().with_rho(rho).with_metric(metric);
    let mut sam = config
        .init(SgdConfig::new().init())
        .expect("a valid configuration");
    let mut model = Point::new(&[1.0], &device(), DType::F64);
    let report = sam.step_on(1.0, &mut model, x, &objective).expect("a step");
    assert_eq!(report.num_gradients, 1 + 3 + 1);
    let fisher = values.iter().map(|x: &f64| x.powi(4)).sum::<f64>() / 3.0;
    // In one dimension e = rho T, with T = 1/sqrt(1 + eta f).
    let w = 1.0 + rho / (1.0 + eta * fisher).sqrt();
    let gradient = w * values.iter().map(|x| x * x).sum::<f64>() / 3.0;
    assert!((model.coordinates()[0] - (1.0 - gradient)).abs() < 1e-9);
}

#[test]
fn the_radius_follows_its_schedule() {
    let radii = |schedule, rates: &[f64]| -> Vec<f64> {
        let config = SamConfig::new().with_rho(0.2).with_schedule(schedule);
        let mut sam = config
            .init(SgdConfig::new().init())
            .expect("a valid configuration");
        let mut model = Point::new(&[1.0], &device(), DType::F64);
        let loss = |m: &Point| quadratic(m, &[1.0]);
        let mut radius = |&lr| sam.step(lr, &mut model, loss).expect("a step").rho;
        rates.iter().map(&mut radius).collect()
    };
    let near = |found: Vec<f64>, expected: &[f64]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} and {expected}");
        }
    };
    let linear = RhoSchedule::Linear { end: 0.5, steps: 2 };
    near(radii(linear, &[0.1; 4]), &[0.2, 0.15, 0.1, 0.1]);
    let cosine = RhoSchedule::Cosine { end: 0.0, steps: 4 };
    let middle = 0.1 * (1.0 + 0.5_f64.sqrt());
    near(
        radii(cosine, &[0.1; 5]),
        &[0.2, middle, 0.1, 0.2 - middle, 0.0],
    );
    let rates = RhoSchedule::WithLearningRate {
        rho_min: 0.05,
        lr_min: 0.0,
        lr_max: 0.1,
    };
    near(
        radii(rates, &[0.1, 0.05, 0.0, 0.5]),
        &[0.2, 0.125, 0.05, 0.2],
    );
}

#[test]
fn gradients_in_a_train_step_are_those_of_the_optimizer() {
    for config in [SamConfig::new(), SamConfig::asam(), SamConfig::gsam()] {
        let loss = |m: &Point| quadratic(m, &[1.0, 4.0]);
        let mut by_hand = Point::new(&[1.0, -0.5], &device(), DType::F64);
        let mut whole = by_hand.clone();
        let mut base = momentum();
        let mut sam = build(config.clone());
        for _ in 0..3 {
            let (gradients, report) = Sam::gradients(&config, &by_hand, loss).expect("gradients");
            assert_eq!(report.num_gradients, 2);
            by_hand = base.step(0.05, by_hand, gradients);
            sam.step(0.05, &mut whole, loss).expect("a step");
        }
        assert_eq!(by_hand.coordinates(), whole.coordinates());
    }
}

#[test]
fn the_average_of_weights_is_their_mean() {
    let mut swa = SwaConfig::new()
        .with_start(2)
        .with_every(2)
        .init()
        .expect("a configuration");
    let points: Vec<Point> = (0..7)
        .map(|i| Point::new(&[f64::from(i), 1.0], &device(), DType::F64))
        .collect();
    for (step, point) in points.iter().enumerate() {
        let counts = swa.update(step, point).expect("an update");
        assert_eq!(counts, [2, 4, 6].contains(&step));
    }
    // The points are three models of one architecture; the mean of 2, 4 and 6 is 4.
    let average = swa.average(&points[0]).expect("an average").coordinates();
    assert!((average[0] - 4.0).abs() < 1e-12 && (average[1] - 1.0).abs() < 1e-12);
    let record = swa.to_record(&points[2]).expect("a record");
    let fresh = SwaConfig::new().init().expect("a configuration");
    let resumed = fresh
        .load_record(record, &points[2])
        .expect("the model's own record");
    assert_eq!(resumed.num_averaged(), 3);
    assert_eq!(
        resumed
            .average(&points[0])
            .expect("an average")
            .coordinates(),
        average
    );
}

#[test]
fn a_step_does_not_disturb_measurements_of_the_same_model() {
    // Evaluating between steps, in both modes, must not change the run.
    let run = |measures: bool| {
        let mut model = model();
        let space = ParamSpace::of(&model).expect("a space");
        let start: Vec<f64> = (0..space.len()).map(|i| (i as f64 * 0.7).sin()).collect();
        let start = ParamVector::from_host(&space, &start).expect("a vector");
        model = start.apply_to(&model).expect("a model");
        let mut sam = build(SamConfig::new());
        let (data, scaled) = ([input()], [input() * 3.0]);
        for _ in 0..3 {
            sam.step(0.05, &mut model, |m: &Normalized| mean_square(m, input()))
                .expect("a step");
            if measures {
                for mode in [Mode::Eval, Mode::Train] {
                    let risk = Risk::new(&mean_square, &data).with_mode(mode);
                    risk.loss_and_gradient(&model).expect("a gradient");
                    let risk = Risk::new(&mean_square, &scaled).with_mode(mode);
                    risk.loss(&model).expect("a loss");
                }
            }
        }
        (weights(&model), running(&model))
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_missing_second_gradient_is_not_taken_for_a_step() {
    let model = model();
    let gradients = GradientsParams::from_grads(mean_square(&model, input()).backward(), &model);
    let mut sam = build(SamConfig::new());
    let ascended = sam.ascend(0.1, model, &gradients).expect("an ascent");
    assert!(ascended.wants_gradient());
    let result = sam.descend(ascended, None).map(|_| ());
    assert_eq!(result, Err(OptimError::MissingGradient));
    assert_eq!(sam.num_steps(), 0);
}
