//! Steps of the strategy: equal to those of the loop written by hand.

use std::ops::ControlFlow;

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::SgdConfig;
use burn::train::RegressionOutput;
use burnscape::optim::SamConfig;
use burnscape_testkit::turn;

use super::model::{BATCH, Net, read};
use super::silent::Silent;
use super::training::{Directory, Run, by_hand, configurations, observed, strategy, train};

#[test]
fn the_strategy_is_the_loop_written_by_hand() {
    for config in configurations() {
        let trained = train(Run::default(), strategy(config.clone()), Net::new(0.0));
        let expected = by_hand(config.clone(), Run::default(), Net::new(0.0));
        assert_eq!(trained.state(), expected.state(), "{config:?}");
        assert_ne!(trained.state(), Net::new(0.0).state());
    }
}

#[test]
fn accumulated_gradients_ascend_once() {
    for accumulation in [2, 4, 100] {
        let run = || Run {
            accumulation: Some(accumulation),
            ..Run::default()
        };
        let config = SamConfig::friendly_sam().with_rho(0.2);
        let (strategy, reports) = observed(config.clone());
        let trained = train(run(), strategy, Net::new(0.0));
        let expected = by_hand(config, run(), Net::new(0.0));
        assert_eq!(trained.state(), expected.state());
        // Six batches an epoch, the last group being incomplete.
        assert_eq!(
            reports.lock().unwrap().len(),
            2 * 6_usize.div_ceil(accumulation)
        );
    }
}

#[test]
fn with_a_radius_of_zero_it_is_burns_strategy_event_for_event() {
    for accumulation in [None, Some(4)] {
        let mut outcomes = Vec::new();
        for strategy in [None, Some(strategy(SamConfig::new().with_rho(0.0)).into())] {
            let renderer = Silent::default();
            let run = Run {
                accumulation,
                renderer: renderer.clone(),
                ..Run::default()
            };
            let directory = Directory::new();
            let trained = run.launch(&directory.0, Net::new(0.0), strategy).model;
            let events = renderer.events.lock().unwrap().clone();
            outcomes.push((trained.state(), events));
        }
        assert!(outcomes[0].1.len() > 50);
        assert_eq!(outcomes[0], outcomes[1]);
    }
}

#[test]
fn clipping_applies_to_the_combined_gradient() {
    let clipped = |limit| {
        let clipping = GradientClippingConfig::Value(limit);
        let optimizer = SgdConfig::new().with_gradient_clipping(Some(clipping));
        Run {
            epochs: 1,
            items: (0..BATCH).collect(),
            optimizer: optimizer.init(),
            ..Run::default()
        }
    };
    let config = SamConfig::new().with_rho(0.2);
    let trained = train(clipped(0.01), strategy(config.clone()), Net::new(0.0));
    let expected = by_hand(config.clone(), clipped(0.01), Net::new(0.0));
    assert_eq!(trained.state(), expected.state());
    // One step with a rate below 0.1 moves no coordinate by more than 0.1 · 0.01.
    let before = Net::new(0.0).weights();
    let moves = before
        .iter()
        .zip(trained.weights())
        .map(|(a, b)| (a - b).abs());
    assert!(moves.fold(0.0, f32::max) <= 0.1 * 0.01 + 1e-6);
    let free = train(clipped(1e6), strategy(config), Net::new(0.0));
    assert_ne!(free.state(), trained.state());
}

#[test]
fn dropout_masks_are_those_of_the_loop() {
    let _turn = turn();
    let config = SamConfig::new().with_draws_seed(Some(5));
    let model = || Net::with_dropout(0.0, 0.5);
    let trained = train(Run::default(), strategy(config.clone()), model());
    let expected = by_hand(config.clone(), Run::default(), model());
    assert_eq!(trained.state(), expected.state());
    let without = train(Run::default(), strategy(config), Net::new(0.0));
    assert_ne!(trained.state(), without.state());
}

#[test]
fn both_passes_of_accumulated_batches_draw_the_same_masks() {
    let _turn = turn();
    let run = Run {
        accumulation: Some(3),
        ..Run::default()
    };
    let config = SamConfig::new().with_rho(0.0).with_draws_seed(Some(5));
    let (strategy, reports) = observed(config);
    let named = strategy.with_loss(|output: &RegressionOutput| output.loss.clone());
    train(run, named, Net::with_dropout(0.0, 0.5));
    for report in reports.lock().unwrap().iter() {
        assert!(report.loss.is_some());
        assert_eq!(report.loss, report.perturbed_loss);
    }
}

#[test]
fn weights_written_after_the_step_leave_frozen_ones_alone() {
    let model = || {
        let mut net = Net::new(0.0);
        net.hidden = net.hidden.set_require_grad(false);
        net
    };
    let config = SamConfig::wsam().with_rho(0.2);
    let trained = train(Run::default(), strategy(config.clone()), model());
    let expected = by_hand(config, Run::default(), model());
    assert_eq!(trained.state(), expected.state());
    assert_eq!(read(trained.hidden.val()), read(model().hidden.val()));
    assert_ne!(read(trained.output.val()), read(model().output.val()));
}

#[test]
fn an_observer_can_interrupt() {
    let breaking = strategy(SamConfig::new()).observe(|_| ControlFlow::Break(()));
    let directory = Directory::new();
    let result = Run::default().launch(&directory.0, Net::new(0.0), Some(breaking.into()));
    let reason = result.interrupted.and_then(|stop| stop.reason).unwrap();
    assert!(reason.contains("observer"), "{reason}");
    let one = Run {
        epochs: 1,
        items: (0..BATCH).collect(),
        ..Run::default()
    };
    let expected = by_hand(SamConfig::new(), one, Net::new(0.0));
    assert_eq!(result.model.state(), expected.state());
}
