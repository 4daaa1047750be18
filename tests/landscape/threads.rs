//! Landscapes on several threads.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use burnscape::landscape::{Landscape, LandscapeConfig, LandscapeError};
use burnscape::loss::{LossError, NormalizationPolicy, Progress, Recorded, Work};
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use super::models::{absolutes, bits, diagonal, drawn, given, inputs, point, quadratic, squares};
use crate::path::models::network;

fn axes() -> [Grid; 2] {
    [
        Grid::symmetric(0.5, 7).unwrap(),
        Grid::linspace(-0.3, 0.6, 5).unwrap(),
    ]
}

fn bits_of(landscape: &Landscape) -> Vec<u64> {
    let metrics = landscape
        .metrics
        .iter()
        .flat_map(|metric| bits(&metric.values));
    bits(&landscape.losses).into_iter().chain(metrics).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let model = network(1);
    let directions = drawn(&model, &[1, 2]);
    let (data, other) = (inputs(&[6, 3]), inputs(&[5]));
    let metric = Risk::new(&absolutes, &other);
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&squares, &data).with_mode(mode);
        for policy in [
            NormalizationPolicy::Leave,
            NormalizationPolicy::ReestimateAll,
        ] {
            let run = |threads| {
                let found = LandscapeConfig::new(axes())
                    .with_metric("absolutes", &metric)
                    .with_policy(policy)
                    .with_threads(threads)
                    .run(&risk, &model, &directions)
                    .unwrap();
                assert!(found.completed);
                (bits_of(&found), found.num_losses)
            };
            let one = run(1);
            // More than there are points.
            for threads in [2, 3, 100] {
                assert_eq!(run(threads), one, "{threads} threads, {mode:?}, {policy:?}");
            }
        }
    }
}

#[test]
fn observers_see_the_same_points_and_stop_at_the_same_one() {
    let model = point(&[1.0, -2.0, 0.5]);
    let data = diagonal(&[4.0, 0.3, 1.0]);
    let directions = drawn(&model, &[1, 2]);
    let run = |threads: usize, stop: usize| {
        let seen: Mutex<Vec<Progress>> = Mutex::default();
        let risk = Risk::new(&quadratic, &data).with_observer(|progress| {
            if progress.work != Work::Point {
                return ControlFlow::Continue(());
            }
            seen.lock().unwrap().push(progress.clone());
            match progress.done == stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let config = LandscapeConfig::new(axes()).with_threads(threads);
        let found = config.run(&risk, &model, &directions).unwrap();
        drop(risk);
        let losses = bits(&found.losses);
        (
            seen.into_inner().unwrap(),
            found.evaluated,
            losses,
            found.num_losses,
        )
    };
    for stop in [1, 2, 13, 35, 99] {
        let one = run(1, stop);
        assert_eq!(one.0.len(), stop.min(35));
        for threads in [2, 3] {
            assert_eq!(run(threads, stop), one, "{threads} threads, {stop} points");
        }
    }
}

/// Runs on one, two and three threads and returns the error, which must be the same.
fn refused(loss: impl Fn(&Point, Tensor<1>) -> Tensor<1> + Sync) -> LandscapeError {
    let model = point(&[0.0]);
    let data = diagonal(&[1.0]);
    let risk = Risk::new(&loss, &data);
    let directions = given(&model, &[&[1.0]]);
    let mut errors = [1, 2, 3].map(|threads| {
        let grid = Grid::symmetric(1.0, 65).unwrap();
        let config = LandscapeConfig::new([grid]).with_threads(threads);
        config.run(&risk, &model, &directions).unwrap_err()
    });
    errors.sort_by_key(ToString::to_string);
    assert_eq!(errors[0], errors[2]);
    errors[0].clone()
}

fn coordinate(model: &Point) -> f64 {
    model.coordinates()[0]
}

#[test]
fn a_panic_in_the_closure_of_a_thread_is_an_error() {
    let error = refused(|model, h| {
        assert!(coordinate(model) < 0.4, "too far");
        quadratic(model, h)
    });
    let LandscapeError::Loss(LossError::Panicked { message }) = error else {
        panic!("{error:?}");
    };
    assert!(message.contains("too far"), "{message}");
}

#[test]
fn an_error_in_the_closure_of_a_thread_is_an_error() {
    let error = refused(|model, h| {
        let loss = quadratic(model, h);
        if coordinate(model) > 0.4 {
            Tensor::cat(vec![loss.clone(), loss], 0)
        } else {
            loss
        }
    });
    let expected = LossError::NotScalar { shape: vec![2] };
    assert_eq!(error, LandscapeError::Loss(expected));
}

#[test]
fn a_panic_of_the_data_is_an_error_on_any_number_of_threads() {
    let model = network(1);
    let batches = inputs(&[3]);
    let directions = drawn(&model, &[1, 2]);
    // At the model, or at some point.
    for last in [0, 5] {
        for threads in [1, 2] {
            let visits = AtomicUsize::new(0);
            let data = || {
                let visit = visits.fetch_add(1, Ordering::Relaxed);
                assert!(visit < last, "the disk is gone");
                batches.clone()
            };
            let risk: Risk<'_, Normalized> = Risk::new(&squares, &data);
            let config = LandscapeConfig::new(axes()).with_threads(threads);
            let error = config.run(&risk, &model, &directions).unwrap_err();
            let LandscapeError::Loss(LossError::Panicked { message }) = error else {
                panic!("{error:?}");
            };
            assert!(message.contains("the disk is gone"), "{message}");
        }
    }
}

#[test]
fn recorded_losses_have_the_same_bits_on_several_threads() {
    let model = network(1);
    let directions = drawn(&model, &[1, 2]);
    // Two programs, one for each shape.
    let data = inputs(&[6, 3]);
    let run = |threads| {
        let recorded = Recorded::new(squares);
        let risk = Risk::new(&recorded, &data);
        let config = LandscapeConfig::new(axes()).with_threads(threads);
        config.run(&risk, &model, &directions).unwrap()
    };
    let one = run(1);
    assert!(one.losses.iter().all(|loss| loss.is_finite()));
    assert_eq!(bits(&run(2).losses), bits(&one.losses));
}

#[test]
fn observers_of_metrics_see_their_batches_on_one_thread_only() {
    let model = point(&[1.0, -2.0, 0.5]);
    let data = diagonal(&[4.0, 0.3, 1.0]);
    let directions = drawn(&model, &[1, 2]);
    let risk = Risk::new(&quadratic, &data);
    let seen = |threads| {
        let count = AtomicUsize::new(0);
        let metric = risk.clone().with_observer(|_| {
            count.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Continue(())
        });
        let config = LandscapeConfig::new(axes()).with_threads(threads);
        let config = config.with_metric("again", &metric);
        config.run(&risk, &model, &directions).unwrap();
        count.load(Ordering::Relaxed)
    };
    // One batch at the model, and one at each of 35 points.
    assert_eq!((seen(1), seen(2)), (36, 1));
}

#[test]
fn draws_are_refused_on_several_threads() {
    let model = network(1);
    let directions = drawn(&model, &[1, 2]);
    let data = inputs(&[3]);
    let risk = Risk::new(&squares, &data);
    let seeded = risk.clone().with_draws_seed(1);
    let config = LandscapeConfig::new(axes());
    let run = |config: &LandscapeConfig<'_, Normalized>, risk: &Risk<'_, Normalized>| {
        config
            .run(risk, &model, &directions)
            .map(|found| bits(&found.losses))
    };
    assert_eq!(run(&config, &seeded), run(&config, &risk));
    let error = LandscapeError::DrawsOnThreads;
    let several = config.clone().with_threads(2);
    assert_eq!(run(&several, &seeded), Err(error.clone()));
    let metric = several.with_metric("seeded", &seeded);
    assert_eq!(run(&metric, &risk), Err(error));
    assert!(run(&metric.with_threads(1), &risk).is_ok());
}
