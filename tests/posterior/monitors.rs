//! The learning coefficient along a training run, and its stages.

use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use burnscape::dynamics::{
    Due, DynamicsError, Moment, Monitor, Monitors, Observation, Reading, Watch, WatchRecord,
};
use burnscape::loss::{Whole, Work};
use burnscape::posterior::{
    LearningCoefficient, LearningCoefficientConfig, PosteriorConfig, PosteriorError, Sampler,
    StagesConfig,
};
use burnscape::prelude::*;
use burnscape_testkit::double::device;

use super::potentials::at;

#[derive(Module, Debug)]
struct Point {
    w: Param<Tensor<1>>,
}

impl Point {
    fn new(values: [f64; 2]) -> Self {
        let data = TensorData::new(values.to_vec(), [2]);
        Self {
            w: Param::from_tensor(Tensor::from_data(data, &device())),
        }
    }
}

/// `½ |w|²`, lowest at zero.
fn bowl(model: &Point, _: Tensor<1>) -> Tensor<1> {
    model.w.val().square().sum() * 0.5
}

fn nothing() -> [Tensor<1>; 1] {
    [Tensor::zeros([1], &device())]
}

type Learning<'a> = Watch<'a, Point, Whole, LearningCoefficientConfig>;

fn posterior() -> PosteriorConfig {
    at(100.0)
        .with_num_chains(2)
        .with_burn_in(20)
        .with_num_draws(20)
}

fn config() -> LearningCoefficientConfig {
    LearningCoefficientConfig::new(posterior()).with_localizer_check(false)
}

#[test]
fn readings_of_a_resumed_watch_are_those_of_the_first_and_differ_by_step() {
    let (model, data) = (Point::new([0.0, 0.0]), nothing());
    let watch = || Watch::new(Due::Every(5), config(), Risk::new(&bowl, &data)).unwrap();
    let mut first = watch();
    assert_eq!(first.name(), "learning_coefficient");
    let observe = |watch: &mut Learning<'_>, step: usize| {
        watch.observe(&Moment::new(step, 0.1, &model)).unwrap()
    };
    let zero = observe(&mut first, 0).unwrap();
    assert!(observe(&mut first, 3).is_none());
    let record = first.to_record().unwrap();
    let bytes = rmp_serde::to_vec_named(&record).unwrap();
    let read: WatchRecord<LearningCoefficient, ()> = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(read, record);
    let five = observe(&mut first, 5).unwrap();
    assert_ne!(five.reading.estimate, zero.reading.estimate);
    let mut resumed = watch().resume(read).unwrap();
    assert_eq!(observe(&mut resumed, 5).unwrap(), five);
    assert_eq!(resumed.readings().to_vec(), first.readings().to_vec());
    // A reading does not carry the chains, and its step decides its seed.
    assert!(five.reading.posterior.is_none());
    assert_eq!(observe(&mut watch(), 5).unwrap(), five);
    let cost = first.readings().cost();
    assert_eq!(
        cost.num_gradients,
        zero.reading.cost.num_gradients + five.reading.cost.num_gradients
    );
}

#[test]
fn quantities_of_a_refused_reading_have_no_coefficient() {
    let (data, mut monitor) = (nothing(), config());
    let risk = Risk::new(&bowl, &data);
    let mut measured = |values| {
        let model = Point::new(values);
        let moment = Moment::new(1, 0.1, &model);
        monitor.measure(&risk, &moment).unwrap()
    };
    let (minimum, slope) = (measured([0.0, 0.0]), measured([2.0, -1.0]));
    let value = |reading: &LearningCoefficient, name: &str| {
        let quantities = LearningCoefficient::quantities().iter();
        let mut named = quantities.filter(|quantity| quantity.name == name);
        (named.next().unwrap().value)(reading)
    };
    assert_eq!(
        value(&minimum, "learning_coefficient"),
        Some(minimum.estimate)
    );
    assert_eq!(value(&slope, "learning_coefficient"), None);
    assert_eq!(value(&slope, "estimate"), Some(slope.estimate));
    assert_eq!(value(&slope, "base_loss"), Some(2.5));
    assert_eq!(value(&slope, "share_below"), slope.share_below);
    assert_eq!(value(&slope, "ess"), Some(slope.diagnostics.ess));
    // In a table it is an empty cell.
    let mut watch = Watch::new(Due::Every(1), config(), risk).unwrap();
    let model = Point::new([2.0, -1.0]);
    watch.observe(&Moment::new(1, 0.1, &model)).unwrap();
    let mut table = Vec::new();
    watch.readings().to_vec().write_csv(&mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    assert!(
        table.starts_with("step,lr,learning_coefficient,"),
        "{table}"
    );
    assert!(
        table.lines().nth(1).unwrap().starts_with("1,0.1,,"),
        "{table}"
    );
}

#[test]
fn an_observer_that_breaks_is_an_error_of_the_measurement() {
    let (model, data) = (Point::new([0.0, 0.0]), nothing());
    let moment = Moment::new(0, 0.1, &model);
    for work in [Work::Sample, Work::Step] {
        let risk = Risk::new(&bowl, &data).with_observer(move |progress| {
            if progress.work == work && progress.done > 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let error = config().measure(&risk, &moment).unwrap_err();
        assert_eq!(burnscape::Error::from(error), burnscape::Error::Stopped);
    }
}

#[test]
fn other_errors_of_a_measurement_keep_their_message() {
    let (model, data) = (Point::new([0.0, 0.0]), nothing());
    let unstable = Sampler::Langevin { step: Some(1.0) };
    let config = LearningCoefficientConfig::new(posterior().with_sampler(unstable));
    let risk = Risk::new(&bowl, &data);
    let expected = config.run(&risk, &model).unwrap_err();
    assert!(matches!(expected, PosteriorError::UnstableStep { .. }));
    let mut monitors = Monitors::new()
        .with(Watch::new(Due::Every(1), config, risk).unwrap())
        .unwrap();
    let error = monitors.observe(&Moment::new(7, 0.1, &model)).unwrap_err();
    let DynamicsError::Watch { name, step, source } = error else {
        panic!("{error}");
    };
    assert_eq!((name.as_str(), step), ("learning_coefficient", 7));
    assert_eq!(source.to_string(), expected.to_string());
    assert!(matches!(*source, DynamicsError::Measurement { .. }));
}

/// Observations at the steps, with these coefficients; none is a refusal.
fn run(config: &LearningCoefficientConfig, values: &[(usize, Option<f64>)]) -> Readings {
    let (model, data) = (Point::new([0.0, 0.0]), nothing());
    let mut watch = Watch::new(Due::Every(1), config.clone(), Risk::new(&bowl, &data)).unwrap();
    // One measurement: the numbers are replaced.
    watch.observe(&Moment::new(0, 0.1, &model)).unwrap();
    let measured = watch.readings().last().unwrap();
    let observation = |&(step, coefficient): &(usize, Option<f64>)| {
        let mut observation = measured.clone();
        observation.step = step;
        observation.reading.coefficient = coefficient;
        observation.reading.standard_error = 0.01;
        observation
    };
    values.iter().map(observation).collect()
}

type Readings = Vec<Observation<LearningCoefficient>>;

/// 1 until step 32, then 2 more with every factor of e until 512, then constant; two readings an octave.
fn curve() -> Vec<(usize, Option<f64>)> {
    let steps = (4..=26).map(|half| 2.0_f64.powf(f64::from(half) / 2.0).round());
    let height = |step: f64| 1.0 + 2.0 * (step / 32.0).ln().clamp(0.0, 16.0_f64.ln());
    steps
        .map(|step| (step as usize, Some(height(step))))
        .collect()
}

#[test]
fn stages_of_readings_are_those_of_their_coefficients_over_log_steps() {
    let mut values = vec![(0, Some(7.0)), (1, None), (2, Some(1.0)), (3, None)];
    values.extend(curve());
    let stages = StagesConfig::new().run_readings(&run(&config(), &values));
    let stages = stages.unwrap();
    let knots: Vec<f64> = stages.knots.iter().map(|knot| knot.time).collect();
    assert_eq!(knots, [32.0, 512.0], "{stages}");
    let plateaus: Vec<bool> = stages.stages.iter().map(|stage| stage.is_plateau).collect();
    assert_eq!(plateaus, [true, false, true], "{stages}");
    assert!((stages.stages[1].slope - 2.0).abs() < 0.05, "{stages}");
    assert_eq!((stages.num_refused, stages.num_at_step_zero), (2, 1));
    assert_eq!(stages.times.len(), 24);
    let text = stages.to_string();
    assert!(text.contains("left out: 2 refused readings"), "{text}");
}

#[test]
fn readings_of_other_settings_are_not_compared() {
    let langevin = |step| posterior().with_sampler(Sampler::Langevin { step: Some(step) });
    let others = [
        (posterior(), at(120.0), "inverse temperature"),
        (posterior(), posterior().with_localizer(0.5), "localizer"),
        (posterior(), langevin(1e-3), "sampler"),
        (langevin(1e-3), langevin(2e-3), "step"),
    ];
    for (one, other, part) in others {
        let other = other.with_num_chains(2).with_burn_in(20).with_num_draws(20);
        let [one, other] = [one, other].map(|posterior| {
            LearningCoefficientConfig::new(posterior)
                .with_localizer_check(false)
                .with_step_check(false)
        });
        let mut readings = run(&one, &curve()[..12]);
        readings.extend(run(&other, &curve()[12..]));
        let error = StagesConfig::new().run_readings(&readings).unwrap_err();
        let PosteriorError::OtherSettings { message } = &error else {
            panic!("{error}");
        };
        assert!(message.contains(part), "{part}: {message}");
        let steps = (curve()[11].0, curve()[12].0);
        for step in [steps.0, steps.1] {
            assert!(message.contains(&format!("at step {step}")), "{message}");
        }
    }
    // Seeds and lengths have no bias.
    let longer = posterior().with_seed(4).with_num_draws(30);
    let longer = LearningCoefficientConfig::new(longer).with_localizer_check(false);
    let mut readings = run(&config(), &curve()[..12]);
    readings.extend(run(&longer, &curve()[12..]));
    assert!(StagesConfig::new().run_readings(&readings).is_ok());
}
