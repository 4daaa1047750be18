//! What logs write, and how they continue.

use std::fs;

use burn::tensor::{DType, Device, Tensor};
use burnscape::OutOfRange;
use burnscape::dynamics::{Due, DynamicsError, Moment, Monitors, Reading, Watch, WatchRecord};
use burnscape::loss::LossError;
use burnscape::prelude::*;
use burnscape::trajectory::{
    Thinning, Trajectory, TrajectoryError, TrajectoryLog, TrajectoryLogState, TrajectoryReading,
};
use burnscape_testkit::objectives::Point;

use super::fixture::{Directory, Log, Twins, log, observe, points, risk, run};

type Record = WatchRecord<TrajectoryReading, TrajectoryLogState>;

/// The message of a step that is refused. The log is as it was, and so is its directory.
#[track_caller]
fn refused(log: &mut Log, directory: &Directory, (step, point): (usize, &Point)) -> DynamicsError {
    let before = (directory.content(), log.to_record().unwrap());
    let error = log.observe(&Moment::new(step, 0.1, point)).unwrap_err();
    let after = (directory.content(), log.to_record().unwrap());
    assert!(before == after, "{error}");
    error
}

/// Whether a message has these parts.
#[track_caller]
fn says(error: impl std::error::Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_log_notes_what_it_measures() {
    let directory = Directory::new();
    let run = points(&[[1.0, 2.0], [0.5, 0.25], [0.0, 1.0]]);
    let mut log = log(&directory, Due::At(vec![3, 100, 7]), Thinning::All);
    for (step, point) in [(3, &run[0]), (4, &run[2]), (7, &run[1]), (100, &run[2])] {
        let moment = Moment::new(step, 0.5 / step as f64, point);
        log.observe(&moment).unwrap();
    }
    let readings = log.readings().to_vec();
    assert_eq!(readings.len(), 3);
    let names = [
        "step-000000003.bpk",
        "step-000000007.bpk",
        "step-000000100.bpk",
    ];
    let expected = [(5.0, 3.0), (0.3125, 0.75), (1.0, 1.0)];
    for ((seen, (loss, sum)), name) in readings.iter().zip(expected).zip(names) {
        assert_eq!(seen.reading.loss, loss);
        assert_eq!(seen.reading.metrics, [("sum".to_string(), sum)]);
        assert_eq!(seen.reading.file.as_deref(), Some(name));
        assert_eq!(seen.reading.distance, None);
        // The loss and one metric.
        assert_eq!(seen.reading.cost().num_losses, 2);
    }
    let names = names.into_iter().chain(["trajectory.jsonl"]);
    assert!(directory.content().keys().eq(names));

    let trajectory = Trajectory::open(&directory.0, &run[0]).unwrap();
    assert_eq!(trajectory.steps(), [3, 7, 100]);
    assert_eq!(trajectory.len(), 3);
    for (checkpoint, seen) in trajectory.checkpoints().iter().zip(&readings) {
        assert_eq!(checkpoint.step, seen.step);
        assert!((checkpoint.lr.unwrap() / seen.lr - 1.0).abs() <= f64::EPSILON);
        assert_eq!(checkpoint.loss, Some(seen.reading.loss));
        assert_eq!(checkpoint.metrics, seen.reading.metrics);
        assert_eq!(checkpoint.file, seen.reading.file);
    }
    assert_eq!(trajectory.model(1).unwrap().coordinates(), [0.5, 0.25]);
}

/// The steps of the checkpoints after each step of a run.
fn kept(thinning: Thinning, run: &[Point]) -> Vec<Vec<usize>> {
    let directory = Directory::new();
    let mut log = log(&directory, Due::Every(1), thinning);
    let steps = (0..run.len()).map(|step| {
        observe(&mut log, run, step..step + 1);
        let trajectory = Trajectory::open(&directory.0, &run[0]).unwrap();
        assert_eq!(trajectory.steps(), directory.steps());
        for (index, &step) in trajectory.steps().iter().enumerate() {
            let model = trajectory.model(index).unwrap();
            assert_eq!(model.coordinates(), run[step].coordinates());
        }
        trajectory.steps().to_vec()
    });
    steps.collect()
}

#[test]
fn the_first_and_the_newest_checkpoint_stay() {
    let run = run();
    let expected: [&[usize]; 3] = [&[0], &[0, 1], &[0, 1, 2]];
    assert_eq!(kept(Thinning::All, &run[..3]), expected);
    let four = kept(Thinning::AtMost(4), &run[..9]);
    let expected: [&[usize]; 9] = [
        &[0],
        &[0, 1],
        &[0, 1, 2],
        &[0, 1, 2, 3],
        &[0, 2, 4],
        &[0, 2, 4, 5],
        &[0, 2, 4, 6],
        &[0, 4, 7],
        &[0, 4, 8],
    ];
    assert_eq!(four, expected);
}

#[test]
fn what_hardly_moved_is_not_written() {
    let run = points(&[[1.0], [1.125], [1.25], [1.25], [2.0], [-1.0]]);
    let moved = kept(Thinning::Moved(0.25), &run);
    let expected: [&[usize]; 6] = [&[0], &[0], &[0, 2], &[0, 2], &[0, 2, 4], &[0, 2, 4, 5]];
    assert_eq!(moved, expected);

    let directory = Directory::new();
    let mut log = log(&directory, Due::Every(1), Thinning::Moved(0.25));
    observe(&mut log, &run, 0..6);
    let readings = log.readings().to_vec();
    // From the last one that was written, in its length.
    assert_eq!(readings[0].reading.distance, None);
    let distances = [0.125, 0.25, 0.0, 0.6, 1.5];
    for (seen, expected) in readings[1..].iter().zip(distances) {
        let distance = seen.reading.distance.unwrap();
        assert!((distance - expected).abs() < 1e-12, "{distance}");
        assert_eq!(seen.reading.file.is_some(), distance >= 0.25);
    }
    let quantities = TrajectoryReading::quantities().iter();
    let values = quantities.map(|known| (known.name, (known.value)(&readings[2].reading)));
    let expected = [("loss", Some(1.5625)), ("distance", Some(0.25))];
    assert_eq!(values.collect::<Vec<_>>(), expected);

    // From the origin every step is infinitely long.
    let run = points(&[[0.0], [0.0], [1e-6]]);
    let expected: [&[usize]; 3] = [&[0], &[0], &[0, 2]];
    assert_eq!(kept(Thinning::Moved(1e3), &run), expected);
}

#[test]
fn a_run_that_stops_anywhere_and_resumes_leaves_what_an_uninterrupted_one_leaves() {
    let run = run();
    for thinning in [Thinning::All, Thinning::AtMost(4), Thinning::Moved(0.15)] {
        // Measurements at even steps, and a record after every third step.
        let start = |directory: &Directory| log(directory, Due::Every(2), thinning);
        let whole = Directory::new();
        let mut uninterrupted = start(&whole);
        observe(&mut uninterrupted, &run, 0..20);
        let (expected, readings) = (whole.content(), uninterrupted.readings().to_vec());
        let is_thinned = expected.len() < 11;
        assert_eq!(is_thinned, thinning != Thinning::All);
        for stop in 1..=20 {
            let saved = (stop - stop % 3).max(1);
            let parts = Directory::new();
            let mut first = start(&parts);
            observe(&mut first, &run, 0..saved);
            let record = rmp_serde::to_vec_named(&first.to_record().unwrap()).unwrap();
            observe(&mut first, &run, saved..stop);
            drop(first);

            let before = parts.content();
            let record: Record = rmp_serde::from_slice(&record).unwrap();
            let resumed = || start(&parts).resume(record.clone()).unwrap();
            // Nothing is deleted before there is something new, so that the record can be resumed again.
            drop(resumed());
            assert!(parts.content() == before, "{thinning:?} {stop}");
            let mut second = resumed();
            observe(&mut second, &run, saved..20);
            assert!(parts.content() == expected, "{thinning:?} {stop}");
            assert_eq!(second.readings().to_vec(), readings, "{thinning:?} {stop}");
        }
    }
}

/// A process can end between any two writes.
#[test]
fn what_a_crash_leaves_is_removed() {
    let run = run();
    for thinning in [Thinning::All, Thinning::AtMost(3)] {
        let whole = Directory::new();
        let mut uninterrupted = log(&whole, Due::Every(1), thinning);
        observe(&mut uninterrupted, &run, 0..8);
        let expected = whole.content();

        let parts = Directory::new();
        let mut first = log(&parts, Due::Every(1), thinning);
        observe(&mut first, &run, 0..5);
        let record = first.to_record().unwrap();
        observe(&mut first, &run, 5..6);
        drop(first);
        // A checkpoint without a line, one that was not deleted yet, a line without its end, and files that were not
        // renamed yet.
        let checkpoint = fs::read(parts.file("step-000000005.bpk")).unwrap();
        fs::write(parts.file("step-000000006.bpk"), &checkpoint).unwrap();
        if thinning != Thinning::All {
            fs::write(parts.file("step-000000001.bpk"), &checkpoint).unwrap();
        }
        let index = parts.file("trajectory.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text + r#"{"step":6,"lr":0."#).unwrap();
        for name in ["step-000000006.bpk.1-0.tmp", "trajectory.jsonl.1-1.tmp"] {
            fs::write(parts.file(name), &checkpoint[..9]).unwrap();
        }
        // The directory can be read, without what is incomplete.
        let trajectory = Trajectory::open(&parts.0, &run[0]).unwrap();
        assert_eq!(trajectory.steps().last(), Some(&5));

        let second = log(&parts, Due::Every(1), thinning);
        let mut second = second.resume(record).unwrap();
        observe(&mut second, &run, 5..8);
        assert!(parts.content() == expected, "{thinning:?}");
    }
}

#[test]
fn a_new_log_deletes_what_is_incomplete_and_nothing_else() {
    let directory = Directory::new();
    let mut log = log(&directory, Due::Every(1), Thinning::All);
    let other = "step-000000007.bpk";
    for name in [other, "step-000000000.bpk.1-0.tmp", "notes.tmp"] {
        fs::write(directory.file(name), b"content").unwrap();
    }
    observe(&mut log, &run(), 0..1);
    let names: Vec<String> = directory.content().into_keys().collect();
    let expected = ["notes.tmp", "step-000000000.bpk", other, "trajectory.jsonl"];
    assert_eq!(names, expected);
}

#[test]
fn states_survive_every_format() {
    let directory = Directory::new();
    let run = run();
    let mut log = log(&directory, Due::Every(1), Thinning::AtMost(3));
    for step in 0..6 {
        let record = log.to_record().unwrap();
        let text = record.state.to_json().unwrap();
        assert_eq!(TrajectoryLogState::from_json(&text).unwrap(), record.state);
        let bytes = rmp_serde::to_vec_named(&record).unwrap();
        assert_eq!(rmp_serde::from_slice::<Record>(&bytes).unwrap(), record);
        observe(&mut log, &run, step..step + 1);
    }
}

#[test]
fn a_log_is_one_of_several_monitors() {
    let directory = Directory::new();
    let run = run();
    let start = || {
        let log = log(&directory, Due::Every(2), Thinning::All);
        let readings = log.readings();
        (Monitors::new().with(log).unwrap(), readings)
    };
    let (mut first, readings) = start();
    let mut at_six = None;
    for (step, point) in run.iter().enumerate().take(10) {
        if step == 6 {
            at_six = Some(first.to_record().unwrap());
        }
        first.observe(&Moment::new(step, 0.1, point)).unwrap();
    }
    let (content, readings) = (directory.content(), readings.to_vec());
    let (mut second, again) = start();
    second.load_record(at_six.unwrap()).unwrap();
    assert_eq!(directory.steps(), [0, 2, 4, 6, 8]);
    second.observe(&Moment::new(6, 0.1, &run[6])).unwrap();
    assert_eq!(directory.steps(), [0, 2, 4, 6]);
    for (step, point) in run.iter().enumerate().take(10).skip(7) {
        second.observe(&Moment::new(step, 0.1, point)).unwrap();
    }
    assert!(directory.content() == content);
    assert_eq!(again.to_vec(), readings);
    let table = second.to_string();
    assert!(table.contains("trajectory"), "{table}");
}

#[test]
fn a_directory_is_that_of_one_run() {
    let directory = Directory::new();
    let run = run();
    let mut first = log(&directory, Due::Every(1), Thinning::All);
    // Both are there before there is a trajectory.
    let mut second = log(&directory, Due::Every(1), Thinning::All);
    let before = first.to_record().unwrap();
    observe(&mut first, &run, 0..3);
    let path = directory.0.display().to_string();
    let parts = [path.as_str(), "already", "resume", "another directory"];
    let error = refused(&mut second, &directory, (3, &run[3]));
    says(error, &parts);
    // A record from before the first checkpoint says nothing about those of the directory.
    let third = log(&directory, Due::Every(1), Thinning::All);
    let error = third.resume(before).unwrap_err();
    assert!(matches!(error, DynamicsError::Record { .. }), "{error}");
    says(error, &parts);

    // The one that wrote it continues, until another one writes.
    observe(&mut first, &run, 3..4);
    let record = first.to_record().unwrap();
    let other = log(&directory, Due::Every(1), Thinning::All);
    let mut other = other.resume(record.clone()).unwrap();
    observe(&mut other, &run, 4..5);
    let error = refused(&mut first, &directory, (4, &run[4]));
    says(error, &[path.as_str(), "another program"]);
    let mut first = first.resume(record).unwrap();
    observe(&mut first, &run, 4..5);
    assert_eq!(directory.steps(), [0, 1, 2, 3, 4]);
}

/// A record that a log refuses. Nothing changes.
#[track_caller]
fn refuses(directory: &Directory, log: Log, record: &Record, parts: &[&str]) {
    let before = directory.content();
    let error = log.resume(record.clone()).unwrap_err();
    assert!(matches!(error, DynamicsError::Record { .. }), "{error}");
    says(error, parts);
    assert!(directory.content() == before);
}

#[test]
fn states_of_other_directories_are_refused() {
    let run = run();
    let start = |directory: &Directory| log(directory, Due::Every(1), Thinning::All);
    let logged = |directory: &Directory, run: &[Point], steps: usize| {
        let mut log = start(directory);
        observe(&mut log, run, 0..steps);
        log.to_record().unwrap()
    };
    let directory = Directory::new();
    let record = logged(&directory, &run, 4);

    let empty = Directory::new();
    let parts = ["no trajectory", "resume a record in the directory"];
    refuses(&empty, start(&empty), &record, &parts);
    // The same steps with other weights.
    let other = Directory::new();
    logged(&other, &run[1..], 4);
    refuses(&other, start(&other), &record, &["step 0", "another"]);
    // The beginning of the run only.
    let early = Directory::new();
    logged(&early, &run, 3);
    refuses(&early, start(&early), &record, &["step 3", "missing"]);
    // A state that has less: nothing was kept at step 1.
    let sparse = logged(&Directory::new(), &run, 1);
    let text = sparse.state.to_json().unwrap();
    let text = text.replace("\"last_step\":0", "\"last_step\":1");
    let sparse = Record {
        state: TrajectoryLogState::from_json(&text).unwrap(),
        ..sparse
    };
    refuses(&directory, start(&directory), &sparse, &["step 1", "none"]);
    // Another model.
    let narrow = Directory::new();
    logged(&narrow, &points(&[[1.0]]), 1);
    refuses(&narrow, start(&narrow), &record, &["another model"]);
    // A file that is lost.
    let lost = "step-000000002.bpk";
    fs::remove_file(directory.file(lost)).unwrap();
    refuses(&directory, start(&directory), &record, &[lost, "restore"]);
}

/// A log of the square of a number, and of a metric that is none for negative numbers.
fn partial(directory: &Directory, due: Due, thinning: Thinning) -> Log {
    let metric = risk(|point, _| match point.coordinates()[0] < 0.0 {
        true => Tensor::zeros([2], &Device::default()),
        false => point.w.val().sum(),
    });
    let log = TrajectoryLog::create(&directory.0).unwrap();
    let log = log.with_metric("partial", &metric);
    let square = risk(|point, _| point.w.val().square().sum());
    Watch::new(due, log.with_thinning(thinning), square).unwrap()
}

#[test]
fn a_measurement_that_fails_leaves_the_log_as_it_was() {
    let run = points(&[[1.0], [2.0], [-1.0], [4.0], [5.0]]);
    for thinning in [Thinning::All, Thinning::AtMost(2), Thinning::Moved(0.5)] {
        let directory = Directory::new();
        let mut log = partial(&directory, Due::Every(1), thinning);
        observe(&mut log, &run, 0..2);
        // A metric that is no number.
        let error = refused(&mut log, &directory, (2, &run[2]));
        let is_no_number = matches!(error, DynamicsError::Loss(LossError::NotScalar { .. }));
        assert!(is_no_number, "{error}");
        // A file that cannot be written, because something is in its place.
        let name = "step-000000003.bpk";
        fs::create_dir_all(directory.file(name).join("in the way")).unwrap();
        let before = log.to_record().unwrap();
        let error = log.observe(&Moment::new(3, 0.1, &run[3])).unwrap_err();
        says(error, &[name]);
        assert_eq!(log.to_record().unwrap(), before);
        fs::remove_dir_all(directory.file(name)).unwrap();
        // A step that is over.
        let error = refused(&mut log, &directory, (1, &run[1]));
        let DynamicsError::OutOfRange(OutOfRange { name, value, .. }) = error else {
            panic!("{error}");
        };
        assert_eq!((name, value), ("step", 1.0));
        // Another model.
        let wide = points(&[[1.0, 2.0]]);
        let error = refused(&mut log, &directory, (3, &wide[0]));
        says(error, &["another model", "`w` [1] F32", "`w` [2] F32"]);

        // The log continues as one that has not failed.
        observe(&mut log, &run, 3..5);
        let expected = Directory::new();
        let mut whole = partial(&expected, Due::At(vec![0, 1, 3, 4]), thinning);
        observe(&mut whole, &run, 0..5);
        assert!(directory.content() == expected.content(), "{thinning:?}");
        assert_eq!(log.to_record().unwrap(), whole.to_record().unwrap());
    }
}

/// A log of the sum of a number, and of its logarithm.
fn logarithms(directory: &Directory, thinning: Thinning) -> Log {
    let metric = risk(|point, _| point.w.val().log().sum());
    let log = TrajectoryLog::create(&directory.0).unwrap();
    let log = log.with_metric("logarithm", &metric);
    let sum = risk(|point, _| point.w.val().sum());
    Watch::new(Due::Every(1), log.with_thinning(thinning), sum).unwrap()
}

#[test]
fn a_run_that_diverges_is_recorded() {
    let run = points(&[[1.0], [0.0], [-1.0], [f64::INFINITY], [f64::NAN], [1.0]]);
    for thinning in [Thinning::All, Thinning::AtMost(6), Thinning::Moved(0.5)] {
        let whole = Directory::new();
        let mut log = logarithms(&whole, thinning);
        observe(&mut log, &run, 0..6);
        let readings = log.readings().to_vec();
        let text = |value: f64| value.to_string();
        let losses: Vec<String> = readings
            .iter()
            .map(|seen| text(seen.reading.loss))
            .collect();
        assert_eq!(losses, ["1", "0", "-1", "inf", "NaN", "1"]);
        let metric = |metrics: &[(String, f64)]| text(metrics[0].1);
        let metrics: Vec<String> = readings
            .iter()
            .map(|seen| metric(&seen.reading.metrics))
            .collect();
        assert_eq!(metrics, ["0", "-inf", "NaN", "inf", "NaN", "0"]);

        let trajectory = Trajectory::open(&whole.0, &run[0]).unwrap();
        assert_eq!(trajectory.steps(), [0, 1, 2, 3, 4, 5]);
        for (checkpoint, seen) in trajectory.checkpoints().iter().zip(&readings) {
            assert_eq!(text(checkpoint.loss.unwrap()), text(seen.reading.loss));
            assert_eq!(metric(&checkpoint.metrics), metric(&seen.reading.metrics));
        }
        let index = fs::read_to_string(whole.file("trajectory.jsonl")).unwrap();
        let line = index.lines().nth(5).unwrap();
        assert!(line.contains(r#""loss":"nan""#), "{line}");

        // Records keep it, in every format.
        let parts = Directory::new();
        let mut first = logarithms(&parts, thinning);
        observe(&mut first, &run, 0..5);
        let record = first.to_record().unwrap();
        let bytes = rmp_serde::to_vec_named(&record).unwrap();
        let json = record.to_json().unwrap();
        let record: Record = rmp_serde::from_slice(&bytes).unwrap();
        let mut second = logarithms(&parts, thinning).resume(record).unwrap();
        observe(&mut second, &run, 5..6);
        assert!(parts.content() == whole.content(), "{thinning:?}");
        let read = Record::from_json(&json).unwrap();
        assert!(read.observations[4].reading.loss.is_nan());
        assert_eq!(read.observations[3].reading.loss, f64::INFINITY);
    }
}

#[test]
fn metrics_have_names_of_their_own() {
    let run = run();
    let refused = |names: &[&str], parts: &[&str]| {
        let directory = Directory::new();
        let mut log = TrajectoryLog::create(&directory.0).unwrap();
        for name in names {
            log = log.with_metric(*name, &risk(|point, _| point.w.val().sum()));
        }
        let square = risk(|point, _| point.w.val().square().sum());
        let mut log = Watch::new(Due::Every(1), log, square).unwrap();
        let error = log.observe(&Moment::new(0, 0.1, &run[0])).unwrap_err();
        assert!(matches!(error, DynamicsError::Record { .. }), "{error}");
        says(error, parts);
        let record = self::log(&Directory::new(), Due::Every(1), Thinning::All);
        let record = record.to_record().unwrap();
        says(log.resume(record).unwrap_err(), parts);
        assert!(directory.content().is_empty());
    };
    refused(&["a", "b", "a"], &["two metrics", "`a`", "another name"]);
    for name in ["step", "lr", "loss", "file", "x", "y"] {
        let quoted = format!("`{name}`");
        refused(&["a", name], &[quoted.as_str(), "another name"]);
    }
}

#[test]
fn settings_outside_their_range_are_refused() {
    let run = run();
    let cases = [
        (Thinning::AtMost(0), "most", "2 or more"),
        (Thinning::AtMost(1), "most", "2 or more"),
        (Thinning::Moved(-1.0), "share", "0 or more"),
        (Thinning::Moved(f64::INFINITY), "share", "finite"),
    ];
    for (thinning, name, remedy) in cases {
        let directory = Directory::new();
        let mut log = log(&directory, Due::Every(1), thinning);
        let error = refused(&mut log, &directory, (0, &run[0]));
        assert!(matches!(error, DynamicsError::OutOfRange(_)), "{error}");
        says(error, &[name, remedy]);
        assert!(directory.content().is_empty());
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_refused() {
    let directory = Directory::new();
    fs::create_dir_all(&directory.0).unwrap();
    let file = directory.file("file");
    fs::write(&file, b"").unwrap();
    let refused = |path: std::path::PathBuf, parts: &[&str]| {
        let error = TrajectoryLog::<Point>::create(path).unwrap_err();
        assert!(matches!(error, TrajectoryError::File { .. }), "{error}");
        says(error, parts);
    };
    refused(file.join("below"), &["below", "another directory"]);
    fs::write(directory.file("trajectory.jsonl"), "{}\n").unwrap();
    refused(directory.0.clone(), &["trajectory.jsonl", "line 1"]);
}

#[test]
fn parameters_that_share_a_path_are_refused_at_the_first_checkpoint() {
    let directory = Directory::new();
    let device = Device::default();
    let twins = Twins([1.0, 2.0].map(|x| Point::new(&[x], &device, DType::F32)));
    let data = [Tensor::<2>::ones([1, 1], &device)];
    let loss = |twins: &Twins, _: Tensor<2>| twins.0[0].w.val().sum();
    let log = TrajectoryLog::create(&directory.0).unwrap();
    let mut log = Watch::new(Due::Every(1), log, Risk::new(&loss, &data)).unwrap();
    let error = log.observe(&Moment::new(0, 0.1, &twins)).unwrap_err();
    says(error, &["`w#2`", "path", "of its own"]);
    assert!(directory.content().is_empty());
}
