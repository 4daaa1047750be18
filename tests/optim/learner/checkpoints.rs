//! Trainings that are interrupted and resumed.

use burn::train::LearningResult;
use burnscape::optim::SamConfig;

use super::model::Net;
use super::training::{Directory, Run, configurations, message, strategy};

/// Trains with checkpoints, from the start or from an epoch.
fn with_checkpoints(
    directory: &Directory,
    config: SamConfig,
    epochs: usize,
    resume: Option<usize>,
) -> LearningResult<Net> {
    let strategy = strategy(config).with_checkpoints(directory.checkpoints());
    let run = Run {
        epochs,
        resume,
        keep: Some(2),
        ..Run::default()
    };
    // Weights that the checkpoint must replace.
    let phase = if resume.is_some() { 1.0 } else { 0.0 };
    run.launch(&directory.0, Net::new(phase), Some(strategy.into()))
}

#[test]
fn a_resumed_training_is_the_uninterrupted_one() {
    for config in configurations() {
        let whole = Directory::new();
        let uninterrupted = with_checkpoints(&whole, config.clone(), 3, None);
        assert!(uninterrupted.error.is_none());

        let parts = Directory::new();
        let first = with_checkpoints(&parts, config.clone(), 1, None);
        assert!(first.error.is_none());
        let resumed = with_checkpoints(&parts, config.clone(), 3, Some(1));
        assert!(resumed.error.is_none(), "{:?}", resumed.error);
        let expected = uninterrupted.model.state();
        assert_eq!(resumed.model.state(), expected, "{config:?}");
        assert_ne!(first.model.state(), expected);
    }
}

#[test]
fn records_go_with_the_models_they_belong_to() {
    let directory = Directory::new();
    let result = with_checkpoints(&directory, SamConfig::look_sam(), 5, None);
    assert!(result.error.is_none());
    let present = |name: &str| -> Vec<usize> {
        let file = |epoch: &usize| directory.checkpoints().join(format!("{name}-{epoch}.bpk"));
        (1..=5).filter(|epoch| file(epoch).exists()).collect()
    };
    assert_eq!(present("model"), [4, 5]);
    let records = present("sam");
    assert!(
        records.ends_with(&[4, 5]) && !records.contains(&1),
        "{records:?}"
    );
}

#[test]
fn a_memory_is_not_lost_silently() {
    let run = || Run {
        keep: Some(2),
        ..Run::default()
    };
    let directory = Directory::new();
    let forgetful = Some(strategy(SamConfig::friendly_sam()).into());
    let result = run().launch(&directory.0, Net::new(0.0), forgetful);
    let text = message(&result);
    assert!(
        text.contains("Friendly SAM") && text.contains("with_checkpoints"),
        "{text}"
    );
    assert_eq!(result.model.state(), Net::new(0.0).state());

    // Plain SAM has no memory.
    let plain = Some(strategy(SamConfig::new()).into());
    let result = run().launch(&directory.0, Net::new(0.0), plain);
    assert!(result.error.is_none());
}

#[test]
fn a_missing_record_is_an_error_with_a_remedy() {
    let directory = Directory::new();
    drop(with_checkpoints(
        &directory,
        SamConfig::friendly_sam(),
        1,
        None,
    ));
    std::fs::remove_file(directory.record(1)).unwrap();
    let result = with_checkpoints(&directory, SamConfig::friendly_sam(), 2, Some(1));
    let text = message(&result);
    assert!(
        text.contains("sam-1.bpk") && text.contains("resume from"),
        "{text}"
    );
}

#[test]
fn a_record_fits_a_model_of_the_same_paths_and_shapes() {
    let directory = Directory::new();
    let other = Directory::new();
    for directory in [&directory, &other] {
        let result = with_checkpoints(directory, SamConfig::friendly_sam(), 1, None);
        assert!(result.error.is_none());
    }
    std::fs::copy(other.record(1), directory.record(1)).unwrap();
    let result = with_checkpoints(&directory, SamConfig::friendly_sam(), 2, Some(1));
    assert!(result.error.is_none(), "{}", message(&result));
}

#[test]
fn a_damaged_record_is_refused() {
    let directory = Directory::new();
    drop(with_checkpoints(
        &directory,
        SamConfig::friendly_sam(),
        1,
        None,
    ));
    std::fs::write(directory.record(1), b"not a record").unwrap();
    let result = with_checkpoints(&directory, SamConfig::friendly_sam(), 2, Some(1));
    let text = message(&result);
    assert!(
        text.contains("sam-1.bpk") && text.contains("refused"),
        "{text}"
    );
}
