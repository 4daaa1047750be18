//! Observers of the model before each step.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use burnscape::optim::{SamConfig, SamStrategy, StepStart};

use super::model::{BATCH, ITEMS, Net};
use super::training::{Directory, Run, falling, strategy};

type Seen = Rc<RefCell<Vec<(StepStart, Vec<f32>)>>>;

fn watched(config: SamConfig, stop_at: Option<usize>) -> (SamStrategy<Net>, Seen) {
    let seen = Seen::default();
    let kept = seen.clone();
    let strategy = strategy(config).observe_model(move |model: &Net, start| {
        kept.borrow_mut().push((start.clone(), model.weights()));
        match stop_at == Some(start.step) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    (strategy, seen)
}

fn run(epochs: usize) -> Run {
    Run {
        epochs,
        ..Run::default()
    }
}

#[test]
fn steps_rates_and_items_are_those_of_the_training() {
    for accumulation in [None, Some(4)] {
        let directory = Directory::new();
        let (strategy, seen) = watched(SamConfig::new(), None);
        let run = Run {
            accumulation,
            ..run(2)
        };
        let result = run.launch(&directory.0, Net::new(0.0), Some(strategy.into()));
        assert!(result.error.is_none(), "{:?}", result.error);
        let per_epoch = ITEMS.div_ceil(BATCH);
        let group = accumulation.unwrap_or(1);
        // The last group of an epoch may be smaller.
        let ends = |epoch: usize| {
            let ends = (1..=per_epoch).filter(move |item| item % group == 0 || *item == per_epoch);
            ends.map(move |item| epoch * per_epoch + item)
        };
        let expected: Vec<usize> = ends(0).chain(ends(1)).collect();
        let seen = seen.borrow();
        let items: Vec<usize> = seen.iter().map(|(start, _)| start.items).collect();
        assert_eq!(items, expected);
        let mut rates = falling();
        for (index, (start, _)) in seen.iter().enumerate() {
            assert_eq!((start.step, start.lr), (index, rates.step().base()));
        }
        // Before the first step the weights are the initial ones.
        assert_eq!(seen[0].1, Net::new(0.0).weights());
        assert_ne!(seen[1].1, seen[0].1);
    }
}

#[test]
fn a_break_lets_the_step_be_the_last() {
    let directory = Directory::new();
    let (strategy, seen) = watched(SamConfig::new(), Some(3));
    let result = run(2).launch(&directory.0, Net::new(0.0), Some(strategy.into()));
    assert!(result.interrupted.is_some());
    let (_, all) = {
        let (strategy, all) = watched(SamConfig::new(), None);
        let directory = Directory::new();
        (
            run(1).launch(&directory.0, Net::new(0.0), Some(strategy.into())),
            all,
        )
    };
    let (seen, all) = (seen.borrow(), all.borrow());
    assert_eq!(*seen, all[..4]);
    // The weights after the last step are those before the next one.
    assert_eq!(result.model.weights(), all[4].1);
}

#[test]
fn steps_count_on_after_a_resumption_and_items_start_anew() {
    let directory = Directory::new();
    let keep = || Run {
        keep: Some(5),
        ..run(2)
    };
    let (whole, all) = watched(SamConfig::new(), None);
    let whole = whole.with_checkpoints(directory.checkpoints());
    keep().launch(&directory.0, Net::new(0.0), Some(whole.into()));
    let (resumed, seen) = watched(SamConfig::new(), None);
    let resumed = resumed.with_checkpoints(directory.checkpoints());
    let run = Run {
        resume: Some(1),
        ..keep()
    };
    run.launch(&directory.0, Net::new(0.3), Some(resumed.into()));
    let (all, seen) = (all.borrow(), seen.borrow());
    let per_epoch = ITEMS.div_ceil(BATCH);
    assert_eq!(seen.len(), per_epoch);
    for (index, (start, weights)) in seen.iter().enumerate() {
        let (before, expected) = &all[per_epoch + index];
        assert_eq!((start.step, start.lr), (before.step, before.lr));
        assert_eq!(start.items, index + 1);
        assert_eq!(weights, expected);
    }
}
