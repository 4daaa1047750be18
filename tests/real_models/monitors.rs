//! Three monitors at once in the training of Burn's `examples/text-classification`, interrupted and resumed.

use std::ops::ControlFlow;

use burn::train::SupervisedTraining;
use burn::train::metric::NumericEntry;
use burnscape::dynamics::{
    CommutatorConfig, CommutatorDefect, CurvatureMonitorConfig, CurvatureReading, Due,
    GradientNoise, GradientNoiseConfig, LearnerMonitors, Monitors, NoiseEstimator, Observation,
    Reading, Readings, Watch,
};
use burnscape::loss::{Mode, Risk};

use super::fixture::{device, stream};
use super::learner::{Directory, Setup, Weights, loader, weights};
use super::text_classification::{Classifier, loss};

/// Steps of an epoch: the optimizer steps on two of five batches, two, and the last one.
const STEPS: usize = 3;

/// What a training leaves.
#[derive(Debug, PartialEq)]
struct Left {
    weights: Weights,
    curvature: Vec<Observation<CurvatureReading>>,
    noise: Vec<Observation<GradientNoise>>,
    commutators: Vec<Observation<CommutatorDefect>>,
}

/// Trains until the end of an epoch, from the start or from the end of another one, or until a number of steps.
fn train(
    directory: &Directory,
    (epochs, resume): (usize, Option<usize>),
    most_steps: Option<usize>,
) -> Left {
    let risk = || Risk::owned(loss, loader());
    let curvature = CurvatureMonitorConfig::new().with_num_probes(2);
    let curvature = curvature.init().unwrap();
    // With other dropout masks in each measurement.
    let masked = risk().with_mode(Mode::Train).with_draws_seed(5);
    let curvature = Watch::new(Due::Every(2), curvature, masked).unwrap();
    let noise = NoiseEstimator::MicroBatches { size: None };
    let noise = GradientNoiseConfig::new(noise).init().unwrap();
    let noise = Watch::new(Due::At(vec![1, 4, 6, 11]), noise, risk()).unwrap();
    let commutators = CommutatorConfig::new().with_num_pairs(2).init().unwrap();
    let twofold = Due::Geometric {
        first: 1,
        ratio: 2.0,
    };
    let commutators = Watch::new(twofold, commutators, risk()).unwrap();

    let curvature_readings = curvature.readings();
    let noise_readings = noise.readings();
    let commutator_readings = commutators.readings();
    let monitors = Monitors::new().with(curvature).unwrap();
    let monitors = monitors.with(noise).unwrap().with(commutators).unwrap();
    let monitors = LearnerMonitors::new(monitors);

    let result = Setup::until(epochs, resume).launch(directory, |(training, strategy)| {
        let training = with_metrics(training, &monitors, &curvature_readings);
        let training = with_metrics(training, &monitors, &noise_readings);
        let training = with_metrics(training, &monitors, &commutator_readings);
        let mut taken = 0;
        let strategy = strategy.observe(move |_| {
            taken += 1;
            match most_steps {
                Some(most) if taken >= most => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        (training, monitors.attach(strategy))
    });
    assert_eq!(monitors.error(), None);
    assert_eq!(result.interrupted.is_some(), most_steps.is_some());
    Left {
        weights: weights(&result.model),
        curvature: curvature_readings.to_vec(),
        noise: noise_readings.to_vec(),
        commutators: commutator_readings.to_vec(),
    }
}

/// Adds a metric for each number of the readings.
fn with_metrics<R: Reading>(
    training: SupervisedTraining<Classifier>,
    monitors: &LearnerMonitors<Classifier>,
    readings: &Readings<R>,
) -> SupervisedTraining<Classifier> {
    R::quantities().iter().fold(training, |training, quantity| {
        let metric = monitors.metric(readings, quantity.name).unwrap();
        training.metric_train_numeric(metric)
    })
}

fn steps<R>(readings: &[Observation<R>]) -> Vec<usize> {
    readings.iter().map(|measured| measured.step).collect()
}

#[test]
fn three_monitors_resume_bit_for_bit() {
    let _stream = stream(1);
    let whole = Directory::new();
    let uninterrupted = train(&whole, (4, None), None);
    assert_eq!(steps(&uninterrupted.curvature), [0, 2, 4, 6, 8, 10]);
    assert_eq!(steps(&uninterrupted.noise), [1, 4, 6, 11]);
    assert_eq!(steps(&uninterrupted.commutators), [0, 1, 2, 4, 8]);

    // Interrupted in the third epoch, and resumed from the end of the second one.
    let parts = Directory::new();
    let first = train(&parts, (4, None), Some(2 * STEPS + 2));
    assert_eq!(steps(&first.curvature), [0, 2, 4, 6]);
    assert_eq!(first.curvature, uninterrupted.curvature[..4]);
    assert_ne!(first.weights, uninterrupted.weights);
    // Whatever else has drawn since is of no account.
    device().seed(99);
    let resumed = train(&parts, (4, Some(2)), None);
    assert_eq!(resumed, uninterrupted);

    // Metrics show the readings of their own epoch: of the third one, sharpness at steps 6 and 8, noise at step 6.
    let sharpness = |index: usize| uninterrupted.curvature[index].reading.sharpness;
    let noise = &uninterrupted.noise[2].reading;
    for directory in [&whole, &parts] {
        let of_epoch = |metric: &str| match directory.logged(metric, 3).last() {
            Some(NumericEntry::Final(value)) => *value,
            other => panic!("{other:?}"),
        };
        assert_eq!(of_epoch("sharpness"), (sharpness(3) + sharpness(4)) / 2.0);
        assert_eq!(
            of_epoch("gradient_norm_squared"),
            noise.gradient_norm_squared
        );
        // The curvature monitor has a metric of that name.
        assert_eq!(of_epoch("gradient_noise_trace"), noise.trace);
    }
}
