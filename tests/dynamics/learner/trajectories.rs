//! The checkpoints of a training by Burn's `Learner`, also of one that is resumed.

use std::fs;

use burn::train::checkpoint::KeepLastNCheckpoints;
use burnscape::dynamics::{Due, LearnerMonitors, Monitors, Observation, Watch};
use burnscape::loss::Risk;
use burnscape::trajectory::{Thinning, Trajectory, TrajectoryLog, TrajectoryReading};

use super::{
    BATCH, Batch, Directory, ITEMS, LR, Mlp, data, launch, model, squared, training, weights,
};

/// Trains until the end of an epoch, from the start or from the end of another one. Returns the readings.
fn train(
    directory: &Directory,
    (epochs, resume): (usize, Option<usize>),
) -> Vec<Observation<TrajectoryReading>> {
    let distance = |model: &Mlp, (x, y): Batch| (model.forward(x) - y).abs().mean();
    let log = TrajectoryLog::create(directory.0.join("trajectory")).unwrap();
    let log = log.with_metric("distance", &Risk::owned(distance, data()));
    let log = log.with_thinning(Thinning::AtMost(6));
    let watch = Watch::new(Due::Every(2), log, Risk::owned(squared, data())).unwrap();
    let readings = watch.readings();
    let monitors = LearnerMonitors::new(Monitors::new().with(watch).unwrap());
    let metric = monitors.metric(&readings, "loss").unwrap();
    let mut training = training(directory, (epochs, 1))
        .metric_train_numeric(metric)
        .with_default_checkpointers()
        .with_checkpointing_strategy(KeepLastNCheckpoints::new(4));
    if let Some(epoch) = resume {
        training = training.checkpoint(epoch);
    }
    let strategy = monitors.plain().unwrap();
    let strategy = strategy.with_checkpoints(directory.0.join("checkpoint"));
    let result = launch(training, Some(strategy));
    assert!(result.error.is_none(), "{:?}", result.error);
    assert_eq!(monitors.error(), None);
    readings.to_vec()
}

/// The index of a trajectory, and its models.
fn kept(directory: &Directory) -> (String, Vec<Vec<u64>>) {
    let directory = directory.0.join("trajectory");
    let index = fs::read_to_string(directory.join("trajectory.jsonl")).unwrap();
    let trajectory = Trajectory::open(&directory, &model()).unwrap();
    let models = (0..trajectory.len()).map(|index| weights(&trajectory.model(index).unwrap()));
    (index, models.collect())
}

#[test]
fn a_resumed_training_has_the_trajectory_of_an_uninterrupted_one() {
    let whole = Directory::new();
    let readings = train(&whole, (3, None));
    let steps: Vec<usize> = readings.iter().map(|seen| seen.step).collect();
    assert_eq!(steps, (0..3 * ITEMS / BATCH).step_by(2).collect::<Vec<_>>());
    assert!(readings.iter().all(|seen| seen.lr == LR));
    let (index, models) = kept(&whole);
    assert_eq!(models[0], weights(&model()));
    assert!(models.len() <= 6 && models.windows(2).all(|pair| pair[0] != pair[1]));

    let parts = Directory::new();
    train(&parts, (2, None));
    assert!(kept(&parts).0 != index);
    let resumed = train(&parts, (3, Some(1)));
    assert_eq!(resumed, readings);
    assert_eq!(kept(&parts), (index, models));
}
