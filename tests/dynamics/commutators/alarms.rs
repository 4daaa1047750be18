//! Alarms beside their controls.

use burnscape::Json;
use burnscape::dynamics::{Alarm, AlarmConfig, AlarmPoint, DynamicsError};

/// Points at every 100 steps: value, training accuracy, test accuracy.
fn points(readings: &[(f64, f64, f64)]) -> Vec<AlarmPoint> {
    let points = readings.iter().enumerate();
    points
        .map(
            |(index, &(value, train_accuracy, test_accuracy))| AlarmPoint {
                step: 100 * index,
                value,
                train_accuracy,
                test_accuracy,
            },
        )
        .collect()
}

/// Memorizes at step 100, rises to twice its minimum at 400, generalizes at 600.
fn run() -> Vec<AlarmPoint> {
    points(&[
        (0.1, 0.1, 0.0),
        (4.0, 0.99, 0.0),
        (2.0, 1.0, 0.1),
        (3.0, 1.0, 0.1),
        (4.0, 1.0, 0.2),
        (9.0, 1.0, 0.4),
        (1.0, 1.0, 0.5),
    ])
}

/// Memorizes and stays at these values.
fn control(values: &[f64]) -> Vec<AlarmPoint> {
    let readings: Vec<_> = values.iter().map(|&value| (value, 1.0, 0.1)).collect();
    points(&readings)
}

const QUIET: [f64; 7] = [3.0, 3.0, 3.5, 4.0, 3.1, 5.9, 3.0];

fn judged(run: &[AlarmPoint], control: &[AlarmPoint]) -> Alarm {
    AlarmConfig::new(2.0).run(run, control).unwrap()
}

#[test]
fn an_alarm_is_a_rise_above_the_least_value_since_memorization() {
    let found = judged(&run(), &control(&QUIET));
    // Not at step 100, which is far above the value before memorization.
    assert_eq!((found.memorized, found.step), (Some(100), Some(400)));
    assert_eq!((found.generalized, found.lead), (Some(600), Some(200)));
    assert_eq!((found.control_memorized, found.control_step), (0, None));
    assert!(found.is_specific);
    let expected = "The run memorizes at step 100, with an alarm at step 400, 200 steps before it generalizes. There \
                    is no alarm in the control. In these two runs the alarm is specific.";
    assert_eq!(found.to_string(), expected);
    let read = Alarm::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read, found);
}

#[test]
fn an_alarm_that_the_control_gives_too_is_not_specific() {
    let found = judged(&run(), &control(&[3.0, 3.0, 6.0, 3.0, 3.0]));
    assert_eq!((found.step, found.control_step), (Some(400), Some(200)));
    assert!(!found.is_specific);
    let text = found.to_string();
    assert!(
        text.contains("The control, which never generalizes, has one at step 200."),
        "{text}"
    );
    assert!(
        text.ends_with("The alarm does not announce generalization."),
        "{text}"
    );
}

#[test]
fn a_run_without_an_alarm_is_not_specific() {
    let flat = points(&[(1.0, 1.0, 0.0), (1.5, 1.0, 0.0), (1.2, 1.0, 0.9)]);
    let found = judged(&flat, &control(&[1.0]));
    assert_eq!(
        (found.step, found.lead, found.is_specific),
        (None, None, false)
    );
    let expected = "The run memorizes at step 0, without an alarm. It generalizes at step 200. There is no alarm in the \
                    control.";
    assert_eq!(found.to_string(), expected);
    let never = points(&[(1.0, 0.5, 0.0), (9.0, 0.5, 0.0)]);
    let found = judged(&never, &control(&[1.0]));
    assert_eq!((found.memorized, found.step), (None, None));
    assert!(
        found
            .to_string()
            .starts_with("The run does not memorize its training data. It does not")
    );
}

#[test]
fn an_alarm_may_come_late_or_for_nothing() {
    let late = points(&[(1.0, 1.0, 0.6), (1.0, 1.0, 0.9), (3.0, 1.0, 1.0)]);
    let found = judged(&late, &control(&QUIET));
    assert_eq!((found.generalized, found.lead), (Some(0), Some(-200)));
    assert!(!found.is_specific);
    let text = found.to_string();
    assert!(text.contains("200 steps after it generalizes"));
    assert!(text.ends_with("The alarm does not announce generalization."));
    let nothing = points(&[(1.0, 1.0, 0.0), (3.0, 1.0, 0.0)]);
    let found = judged(&nothing, &control(&QUIET));
    assert_eq!((found.step, found.lead), (Some(100), None));
    assert!(!found.is_specific);
    let text = found.to_string();
    assert!(
        text.contains("with an alarm at step 100. It does not generalize."),
        "{text}"
    );
}

#[test]
fn readings_of_zero_are_no_rise() {
    let found = judged(&run(), &control(&[0.0, 0.0, 0.0, 0.0, 0.0]));
    assert_eq!(found.control_step, None);
    let found = judged(&run(), &control(&[1.0, 0.0, 0.0, 1e-9, 0.0]));
    assert_eq!(found.control_step, Some(300));
}

/// A control that memorizes at its last point cannot have an alarm.
#[test]
fn a_control_is_watched_as_long_as_the_run() {
    let run = points(&[(1.0, 1.0, 0.0), (1.0, 1.0, 0.0), (3.0, 1.0, 0.9)]);
    let late = points(&[(1.0, 0.1, 0.0), (1.0, 0.1, 0.0), (1.0, 1.0, 0.0)]);
    let error = AlarmConfig::new(2.0).run(&run, &late).unwrap_err();
    let expected = "as long as the run until its alarm, 200 steps";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_control_that_is_none_is_refused() {
    let refused = |run: &[AlarmPoint], control: &[AlarmPoint]| {
        let error = AlarmConfig::new(2.0).run(run, control).unwrap_err();
        let DynamicsError::OutOfRange(found) = error else {
            panic!("{error}");
        };
        (found.name, found.expected)
    };
    let (name, expected) = refused(&run(), &[]);
    assert_eq!(name, "control.len()");
    assert!(
        expected.contains("without it, no alarm means anything"),
        "{expected}"
    );
    let (name, expected) = refused(&run(), &run());
    assert_eq!(name, "control.test_accuracy");
    assert!(
        expected.contains("a run that never generalizes"),
        "{expected}"
    );
    let (name, _) = refused(&run(), &points(&[(1.0, 0.9, 0.0), (1.0, 0.5, 0.0)]));
    assert_eq!(name, "control.train_accuracy");
    // It ends before the alarm.
    let (name, expected) = refused(&run(), &control(&QUIET[..4]));
    assert_eq!(name, "control.step");
    assert!(expected.starts_with("400 or more"), "{expected}");
}

#[test]
fn points_and_settings_out_of_range_are_refused() {
    let name = |config: &AlarmConfig, run: &[AlarmPoint]| match config.run(run, &control(&QUIET)) {
        Err(DynamicsError::OutOfRange(found)) => found.name,
        other => panic!("{other:?}"),
    };
    let config = AlarmConfig::new(2.0);
    for factor in [1.0, 0.0, f64::NAN] {
        assert_eq!(name(&AlarmConfig::new(factor), &run()), "factor");
    }
    assert_eq!(
        name(&config.clone().with_memorized(0.0), &run()),
        "memorized"
    );
    assert_eq!(
        name(&config.clone().with_generalized(1.1), &run()),
        "generalized"
    );
    assert_eq!(name(&config, &[]), "run.len()");
    let with = |change: fn(&mut AlarmPoint)| {
        let mut changed = run();
        change(&mut changed[2]);
        name(&config, &changed)
    };
    assert_eq!(with(|point| point.step = 100), "run.step");
    assert_eq!(with(|point| point.value = f64::NAN), "run.value");
    assert_eq!(with(|point| point.value = -1.0), "run.value");
    assert_eq!(
        with(|point| point.train_accuracy = 1.1),
        "run.train_accuracy"
    );
    assert_eq!(
        with(|point| point.test_accuracy = f64::INFINITY),
        "run.test_accuracy"
    );
}
