//! Monitors in Burn's checkpoints. That a resumed training has the readings of an uninterrupted one is shown on a real
//! model (`tests/real_models/monitors.rs`).

use std::fs;

use burn::train::LearningResult;
use burn::train::checkpoint::KeepLastNCheckpoints;
use burnscape::dynamics::{EdgeRule, LearnerMonitors, Monitors};
use burnscape::optim::{Sam, SamConfig};

use super::{Directory, Mlp, launch, monitors, training, watch};

/// Trains with Burn's checkpointers, from the start or from an epoch.
fn with_checkpoints(
    directory: &Directory,
    monitors: &LearnerMonitors<Mlp>,
    (epochs, resume): (usize, Option<usize>),
) -> LearningResult<Mlp> {
    let mut training = training(directory, (epochs, 1))
        .with_default_checkpointers()
        .with_checkpointing_strategy(KeepLastNCheckpoints::new(2));
    if let Some(epoch) = resume {
        training = training.checkpoint(epoch);
    }
    let checkpoints = directory.0.join("checkpoint");
    let strategy = monitors.plain().unwrap();
    launch(training, Some(strategy.with_checkpoints(checkpoints)))
}

/// The message of a training that was refused.
fn refused(result: &LearningResult<Mlp>) -> String {
    result.error.as_ref().unwrap().to_string()
}

#[test]
fn records_of_the_monitors_go_with_their_models() {
    let directory = Directory::new();
    let (first, _) = monitors(4);
    let result = with_checkpoints(&directory, &first, (4, None));
    assert!(result.error.is_none(), "{:?}", result.error);
    let file = |epoch: usize| directory.0.join(format!("checkpoint/monitors-{epoch}.mpk"));
    let present: Vec<usize> = (1..=4).filter(|&epoch| file(epoch).exists()).collect();
    assert!(
        present.ends_with(&[3, 4]) && !present.contains(&1),
        "{present:?}"
    );

    // What a resumption is refused with.
    let resumed = |monitors: &LearnerMonitors<Mlp>, with: &str| {
        let text = refused(&with_checkpoints(&directory, monitors, (5, Some(4))));
        for part in ["monitors-4.mpk", with] {
            assert!(text.contains(part), "{text}");
        }
    };
    let named = watch(4, &EdgeRule::gradient_descent()).named("other");
    let other = LearnerMonitors::new(Monitors::new().with(named).unwrap());
    resumed(&other, "other");
    fs::write(file(4), b"not a record").unwrap();
    resumed(&first, "is refused");
    fs::remove_file(file(4)).unwrap();
    resumed(&first, "resume from");
}

#[test]
fn monitors_are_not_left_out_of_checkpoints_silently() {
    let directory = Directory::new();
    let (monitors, readings) = monitors(2);
    let training = training(&directory, (1, 1)).with_default_checkpointers();
    let strategy = Sam::strategy(SamConfig::new()).unwrap();
    let text = refused(&launch(training, Some(monitors.attach(strategy))));
    for part in ["monitors", "with_checkpoints"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(readings.is_empty());
}
