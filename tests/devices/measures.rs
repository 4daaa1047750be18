//! Spectra, sharpness, landscapes and paths of a risk on two devices against those of one.

use std::ops::ControlFlow;
use std::sync::Mutex;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::{EigenpairsConfig, LanczosFactorization, TraceConfig, Which};
use burnscape::landscape::{Direction, DirectionKind, Landscape, LandscapeConfig};
use burnscape::loss::{Mode, NormalizationPolicy, Progress, Risk, Work};
use burnscape::path::{CurveProfileConfig, PolygonalChain};
use burnscape::sharpness::{AverageSharpnessConfig, WorstCaseSharpnessConfig};
use burnscape::space::{Grid, ParamSpace};
use burnscape_testkit::models::{Normalized, TwoLayers};

use super::fixture::{
    Labeled, NEAR, SIZES, batches, both, evaluated, filled, mean, net, network, vector, wave,
};
use crate::element::{DTYPE, device};

/// The same risk on one device and on two.
fn one_and_two(data: &[Labeled]) -> [Risk<'_, TwoLayers>; 2] {
    let one = Risk::new(&mean, data);
    let two = one.clone().with_devices(both());
    [one, two]
}

#[track_caller]
fn assert_within(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= tolerance,
            "{index}: {found} for {expected}, {tolerance:e}"
        );
    }
}

/// Losses that differ by rounding.
#[track_caller]
fn assert_losses(found: &[f64], expected: &[f64]) {
    let size = expected.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
    assert_within(found, expected, 10.0 * NEAR * size);
}

#[test]
fn eigenvalues_and_traces_are_those_of_one_device() {
    let (net, data) = (net(), batches(&SIZES));
    let run = |risk: &Risk<'_, TwoLayers>| {
        let hessian = risk.hessian(&net).unwrap();
        let top = EigenpairsConfig::new(2, Which::Largest);
        let trace = TraceConfig::new();
        let record = LanczosFactorization::from_random(&hessian, 6, 3).unwrap();
        [
            top.run(&hessian).unwrap().values,
            vec![trace.run(&hessian).unwrap().value],
            record.ritz_values(),
        ]
    };
    let [one, two] = one_and_two(&data);
    let (expected, found) = (run(&one), run(&two));
    // Iterations end within a tolerance, not within rounding.
    for (found, expected) in found.iter().zip(&expected) {
        let size = expected.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
        let tolerance = burnscape_testkit::tolerance(DTYPE, size);
        assert_within(found, expected, tolerance);
    }
    assert_eq!(run(&two), found);
}

#[test]
fn sharpness_is_that_of_one_device() {
    let (net, data) = (net(), batches(&SIZES));
    let [one, two] = one_and_two(&data);
    let average = AverageSharpnessConfig::new(0.3).with_num_samples(5);
    let [expected, found] = [&one, &two].map(|risk| average.run(risk, &net).unwrap());
    assert_losses(&[found.base_loss], &[expected.base_loss]);
    // Differences of losses.
    let tolerance = 10.0 * NEAR * expected.base_loss;
    assert_within(&found.rises, &expected.rises, tolerance);
    assert_eq!(found.num_losses, expected.num_losses);
    assert_eq!(average.run(&two, &net).unwrap(), found);

    let worst = WorstCaseSharpnessConfig::new(0.3).with_num_steps(3);
    let [expected, found] = [&one, &two].map(|risk| worst.run(risk, &net).unwrap());
    // Rounding grows along an ascent.
    let tolerance = 1e3 * NEAR * expected.base_loss;
    assert_within(&found.rises, &expected.rises, tolerance);
    assert_eq!(found.num_gradients, expected.num_gradients);
    assert_eq!(worst.run(&two, &net).unwrap().rises, found.rises);
}

fn directions<M: Module>(model: &M) -> [Direction; 2] {
    let space = ParamSpace::of(model).unwrap();
    [3.0, 5.0].map(|phase| {
        let kind = DirectionKind::Other("given".to_string());
        Direction::new(kind, vector(&space, phase))
    })
}

fn grids() -> [Grid; 2] {
    [
        Grid::symmetric(0.5, 9).unwrap(),
        Grid::linspace(-0.3, 0.6, 9).unwrap(),
    ]
}

#[track_caller]
fn assert_landscapes(found: &Landscape, expected: &Landscape) {
    assert_losses(&found.losses, &expected.losses);
    assert_losses(&[found.base_loss], &[expected.base_loss]);
    for (found, expected) in found.metrics.iter().zip(&expected.metrics) {
        assert_losses(&found.values, &expected.values);
    }
    assert_eq!(found.evaluated, expected.evaluated);
    assert_eq!(
        (found.num_losses, found.num_batches, found.num_examples),
        (
            expected.num_losses,
            expected.num_batches,
            expected.num_examples
        )
    );
    assert_eq!(found.completed, expected.completed);
}

#[test]
fn a_landscape_is_that_of_one_device() {
    let (net, data) = (net(), batches(&SIZES));
    let [one, two] = one_and_two(&data);
    let other = batches(&[3, 2]);
    let metric = Risk::new(&mean, &other);
    let directions = directions(&net);
    let config = LandscapeConfig::new(grids()).with_metric("other", &metric);
    let expected = config.run(&one, &net, &directions).unwrap();
    let found = config.run(&two, &net, &directions).unwrap();
    assert!(found.completed && found.losses.len() == 81);
    assert_landscapes(&found, &expected);
    // Every batch of every point, whichever device had the time.
    let batches: usize = evaluated(&two).iter().sum();
    assert!(batches >= 80 * SIZES.len(), "{batches}");
}

#[test]
fn an_observer_sees_the_points_of_a_landscape_in_order() {
    let (net, data) = (net(), batches(&SIZES));
    let directions = directions(&net);
    let config = LandscapeConfig::new(grids());
    for stop in [1, 30, usize::MAX] {
        let run = |risk: Risk<'_, TwoLayers>| {
            let seen: Mutex<Vec<(usize, Option<usize>)>> = Mutex::default();
            let watched = risk.with_observer(|progress: &Progress| {
                if progress.work != Work::Point {
                    return ControlFlow::Continue(());
                }
                seen.lock().unwrap().push((progress.done, progress.total));
                if progress.done == stop {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            let found = config.run(&watched, &net, &directions).unwrap();
            drop(watched);
            (found, seen.into_inner().unwrap())
        };
        let [(expected, order), (found, seen)] = one_and_two(&data).map(run);
        assert_eq!(seen, order);
        assert_eq!(seen.len(), stop.min(81));
        // Points that were not evaluated are NaN.
        assert_eq!(found.evaluated, expected.evaluated);
        let known = |landscape: &Landscape| -> Vec<f64> {
            let losses = landscape.losses.iter().copied();
            losses.filter(|loss| loss.is_finite()).collect()
        };
        assert_losses(&known(&found), &known(&expected));
    }
}

fn squares(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

#[test]
fn a_landscape_reestimates_running_statistics_on_each_device() {
    let net = filled(&Normalized::new([3, 5, 2], &device()), 9.1);
    let batch = |rows: usize| {
        let numbers: Vec<f64> = (0..rows * 3).map(|i| 2.0 + 3.0 * wave(i, 1.1)).collect();
        let data = TensorData::new(numbers, [rows, 3]);
        Tensor::<2>::from_data(data, (&device(), DTYPE))
    };
    let data = [batch(6), batch(4)];
    let directions = directions(&net);
    for (mode, policy) in [
        (Mode::Eval, NormalizationPolicy::Leave),
        (Mode::Eval, NormalizationPolicy::ReestimateAll),
        (Mode::Train, NormalizationPolicy::Leave),
    ] {
        let one = Risk::new(&squares, &data).with_mode(mode);
        let two = one.clone().with_devices(both());
        let config = LandscapeConfig::new(grids()).with_policy(policy);
        let [expected, found] =
            [one, two].map(|risk| config.run(&risk, &net, &directions).unwrap());
        assert_landscapes(&found, &expected);
    }
}

#[test]
fn a_profile_of_a_path_is_that_of_one_device() {
    let data = batches(&SIZES);
    let [one, two] = one_and_two(&data);
    let [a, b] = [network(9.1), network(4.2)];
    let line = PolygonalChain::line(&a, &b).unwrap();
    let config = CurveProfileConfig::new().with_num_points(7);
    let [expected, found] = [&one, &two].map(|risk| config.run(risk, &line).unwrap());
    assert!(found.completed);
    assert_eq!(
        (&found.times, &found.lengths, found.num_losses),
        (&expected.times, &expected.lengths, expected.num_losses)
    );
    assert_losses(&found.train.values, &expected.train.values);
    let tolerance = 10.0 * NEAR * expected.train.max;
    let [found, expected] = [found, expected].map(|profile| profile.barriers().unwrap());
    assert_within(&[found.above_line], &[expected.above_line], tolerance);
    // A test set on devices of its own.
    let other = batches(&[3, 2]);
    let [plain, spread] = one_and_two(&other);
    let run = |test: &Risk<'_, TwoLayers>| {
        let config = CurveProfileConfig::new().with_num_points(7).with_test(test);
        config.run(&two, &line).unwrap().test.unwrap().values
    };
    assert_losses(&run(&spread), &run(&plain));
}
