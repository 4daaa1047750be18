//! Training on two devices: the batches of both in each step, and the loop written by hand on one.

use std::sync::{Arc, Mutex};

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Device;
use burn::train::{RegressionOutput, TrainStep};
use burnscape::optim::{AscentScope, OptimError, SamConfig, SamStrategy, StepReport};
use burnscape::space::{LeafVector, ParamSpace};
use burnscape_testkit::turn;

use super::model::{ITEMS, Net, Points, batches};
use super::training::{Directory, Run, configurations, falling, observed, sgd, strategy, train};

const SCOPES: [AscentScope; 2] = [AscentScope::Shared, AscentScope::PerDevice];
const RHO: f64 = 0.2;

#[allow(
    deprecated,
    reason = "the only second device that every machine has; Burn deprecates its constructor"
)]
fn devices() -> [Device; 2] {
    [Device::default(), Device::ndarray()]
}

fn spread(config: &SamConfig, scope: AscentScope) -> SamStrategy<Net> {
    strategy(config.clone())
        .on_devices(devices(), scope)
        .unwrap()
}

fn spread_and_observed(
    config: &SamConfig,
    scope: AscentScope,
) -> (SamStrategy<Net>, Arc<Mutex<Vec<StepReport>>>) {
    let (strategy, reports) = observed(config.clone());
    (strategy.on_devices(devices(), scope).unwrap(), reports)
}

/// The batches of each step: one of each half of the items.
fn rounds() -> Vec<Vec<Points>> {
    let first = batches((0..ITEMS / 2).collect());
    let second = batches((ITEMS / 2..ITEMS).collect());
    let rounds = first.into_iter().zip(second);
    rounds.map(|(first, second)| vec![first, second]).collect()
}

#[track_caller]
fn assert_near(found: &Net, expected: &Net) {
    let (found, expected) = (found.weights(), expected.weights());
    let norm = |values: Vec<f32>| values.iter().map(|x| x * x).sum::<f32>().sqrt();
    let pairs = found.iter().zip(&expected);
    let difference = norm(pairs.map(|(x, y)| x - y).collect());
    assert!(difference < 1e-4 * norm(expected), "{difference}");
}

#[test]
fn a_list_of_one_device_changes_no_bit() {
    for scope in SCOPES {
        for config in configurations() {
            let one = strategy(config.clone()).on_devices([Device::default()], scope);
            let trained = train(Run::default(), one.unwrap(), Net::new(0.0));
            let expected = train(Run::default(), strategy(config), Net::new(0.0));
            assert_eq!(trained.state(), expected.state());
        }
    }
}

#[test]
fn a_shared_ascent_follows_the_sum_of_the_gradients_of_both_devices() {
    for accumulation in [1, 2] {
        for config in configurations() {
            let run = || Run {
                accumulation: Some(accumulation),
                ..Run::default()
            };
            let (strategy, reports) = spread_and_observed(&config, AscentScope::Shared);
            let trained = train(run(), strategy, Net::new(0.0));
            let mut sam = config.init(sgd().init()).unwrap();
            let (mut rates, mut model) = (falling(), Net::new(0.0));
            let mut num_steps = 0;
            for _ in 0..run().epochs {
                for step in rounds().chunks(accumulation) {
                    let closure = |model: &Net| -> GradientsParams {
                        let mut sum = GradientsAccumulator::new();
                        for batch in step.iter().flatten() {
                            sum.accumulate(model, TrainStep::step(model, batch.clone()).grads);
                        }
                        sum.grads()
                    };
                    sam.step(rates.step(), &mut model, closure).unwrap();
                    num_steps += 1;
                }
            }
            assert_near(&trained, &model);
            assert_eq!(reports.lock().unwrap().len(), num_steps);
        }
    }
}

#[test]
fn each_device_ascends_along_its_own_gradient() {
    let config = SamConfig::new().with_rho(RHO);
    let (strategy, reports) = spread_and_observed(&config, AscentScope::PerDevice);
    let trained = train(Run::default(), strategy, Net::new(0.0));
    let (mut rates, mut model, mut base) = (falling(), Net::new(0.0), sgd().init());
    let space = ParamSpace::of(&model).unwrap();
    for _ in 0..Run::default().epochs {
        for round in rounds() {
            let gradient = |model: &Net, batch: &Points| {
                let gradients = TrainStep::step(model, batch.clone()).grads;
                LeafVector::from_gradients(&space, &gradients).unwrap()
            };
            let mut sum = LeafVector::zeros(&space);
            for batch in &round {
                let g = gradient(&model, batch);
                let displaced = g.perturb(&model, RHO / g.norm().unwrap()).unwrap();
                sum = sum.axpby(1.0, 1.0, &gradient(&displaced, batch)).unwrap();
            }
            model = base.step(rates.step(), model, sum.into_gradients());
        }
    }
    assert_near(&trained, &model);
    let reports = reports.lock().unwrap();
    assert!(reports.iter().all(|report| report.num_gradients == 4));
    let shared = train(
        Run::default(),
        spread(&config, AscentScope::Shared),
        Net::new(0.0),
    );
    assert_ne!(shared.state(), trained.state());
}

#[test]
fn the_same_devices_have_the_same_bits_and_a_training_resumes() {
    for scope in SCOPES {
        let config = SamConfig::friendly_sam().with_rho(RHO);
        let run = |epochs, resume| Run {
            epochs,
            resume,
            keep: Some(5),
            ..Run::default()
        };
        let launch = |directory: &Directory, run: Run| {
            let strategy = spread(&config, scope).with_checkpoints(directory.checkpoints());
            let result = run.launch(&directory.0, Net::new(0.0), Some(strategy.into()));
            assert!(result.error.is_none(), "{:?}", result.error);
            result.model.state()
        };
        let whole = launch(&Directory::new(), run(3, None));
        let directory = Directory::new();
        launch(&directory, run(2, None));
        assert_eq!(launch(&directory, run(3, Some(2))), whole);
    }
}

#[test]
fn both_passes_draw_the_same_masks_on_every_device() {
    let _turn = turn();
    let config = SamConfig::new().with_rho(0.0).with_draws_seed(Some(5));
    for scope in SCOPES {
        let mut ends = Vec::new();
        for _ in 0..2 {
            let (strategy, reports) = spread_and_observed(&config, scope);
            let named = strategy.with_loss(|output: &RegressionOutput| output.loss.clone());
            ends.push(train(Run::default(), named, Net::with_dropout(0.0, 0.5)).state());
            for report in reports.lock().unwrap().iter() {
                assert!(report.loss.is_some());
                assert_eq!(report.loss, report.perturbed_loss);
            }
        }
        assert_eq!(ends[0], ends[1]);
    }
}

#[test]
fn lists_that_cannot_be_used_are_refused() {
    for list in [vec![], vec![Device::default(), Device::default()]] {
        let refused = strategy::<Net>(SamConfig::new()).on_devices(list, AscentScope::Shared);
        assert!(matches!(refused, Err(OptimError::Loss(_))), "{refused:?}");
    }
}
