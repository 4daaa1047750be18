//! Landscapes that keep their points in a file.
#![cfg(feature = "files")]

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use burn::tensor::Tensor;
use burnscape::landscape::{Direction, DirectionKind, Landscape, LandscapeConfig, LandscapeError};
use burnscape::loss::{NormalizationPolicy, Work};
use burnscape::prelude::*;
use burnscape::space::{Grid, RunningStatistics, unshared_copy};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use crate::element;

/// A path of its own, whose file is deleted at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("burnscape-landscape-{}-{count}.csv", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn network(seed: u64) -> Normalized {
    let net = Normalized::new([2, 3, 1], &element::device());
    let space = ParamSpace::of(&net).unwrap();
    let weights = ParamVector::gaussian(&space, seed).unwrap();
    weights.apply_to(&net).unwrap()
}

fn squares(model: &Normalized, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).square().mean()
}

fn sizes(model: &Normalized, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).abs().mean()
}

/// Three batches.
fn inputs(shift: f64) -> [Tensor<2>; 3] {
    [0.3, -1.1, 0.7].map(|start| {
        let rows = [[start, shift], [1.0, start * start], [shift - start, 2.0]];
        Tensor::from_data(rows, &element::device())
    })
}

fn directions(model: &Normalized, seeds: [u64; 2]) -> [Direction; 2] {
    let space = ParamSpace::of(model).unwrap();
    seeds.map(|seed| {
        let vector = ParamVector::sphere(&space, seed).unwrap();
        Direction::new(DirectionKind::Other("drawn".to_string()), vector)
    })
}

/// More points than are evaluated at a time.
fn wide() -> [Grid; 2] {
    [
        Grid::symmetric(1.0, 17).unwrap(),
        Grid::linspace(-0.5, 1.0, 7).unwrap(),
    ]
}

fn small() -> [Grid; 2] {
    [(); 2].map(|()| Grid::symmetric(1.0, 3).unwrap())
}

fn cached<'a>(axes: [Grid; 2], place: &Place) -> LandscapeConfig<'a, Normalized> {
    LandscapeConfig::new(axes).with_cache(&place.0)
}

/// Every bit of the numbers, with a single NaN.
fn bits(landscape: &Landscape) -> Vec<u64> {
    let mut numbers = landscape.losses.clone();
    numbers.push(landscape.base_loss);
    for metric in &landscape.metrics {
        numbers.extend(&metric.values);
        numbers.push(metric.base);
    }
    let bits = |number: f64| {
        if number.is_nan() {
            f64::NAN.to_bits()
        } else {
            number.to_bits()
        }
    };
    numbers.into_iter().map(bits).collect()
}

/// The lines of a file, whatever their order.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_complete_cache_gives_the_same_bits_and_evaluates_no_point() {
    let (place, model, data) = (Place::new(), network(1), inputs(0.5));
    let drawn = directions(&model, [1, 2]);
    let calls = AtomicUsize::new(0);
    let loss = |model: &Normalized, x: Tensor<2>| {
        calls.fetch_add(1, Ordering::Relaxed);
        squares(model, x)
    };
    let metric = Risk::new(&sizes, &data);
    let plain = LandscapeConfig::new(wide()).with_metric("size", &metric);
    let cached = plain.clone().with_cache(&place.0);
    let count = || calls.swap(0, Ordering::Relaxed);
    // Each with a new risk: a risk that was evaluated once needs fewer calls.
    let run = |config: &LandscapeConfig<'_, Normalized>| {
        let risk = Risk::new(&loss, &data);
        config.run(&risk, &model, &drawn).unwrap()
    };
    let (whole, first) = (run(&plain), run(&cached));
    count();
    let again = run(&cached);
    let calls_again = count();
    Risk::new(&loss, &data).loss(&model).unwrap();
    assert_eq!(bits(&first), bits(&whole));
    assert_eq!(bits(&again), bits(&whole));
    assert!(first.completed && again.completed);
    // What is left is one pass for each risk at the model, and one at the point that is compared.
    assert!(calls_again <= count() + data.len());
    assert_eq!((first.num_cached, again.num_losses), (0, 4));
    assert!(again.num_cached + 1 >= whole.num_points());
    // The digest of the data comes with a cache.
    assert!(first.data.is_some());
    assert_eq!((whole.data, &again.data), (None, &first.data));
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_bits() {
    let (model, data) = (network(1), inputs(0.5));
    let drawn = directions(&model, [1, 2]);
    let metric = Risk::new(&sizes, &data);
    let plain = LandscapeConfig::new(wide()).with_metric("size", &metric);
    let run = |config: &LandscapeConfig<'_, Normalized>| {
        let risk = Risk::new(&squares, &data);
        config.run(&risk, &model, &drawn).unwrap()
    };
    let whole = run(&plain);
    for (threads, threads_again) in [(1, 1), (1, 3), (3, 1), (3, 2)] {
        let place = Place::new();
        let config = plain.clone().with_cache(&place.0);
        let mut points = 0;
        let risk = Risk::new(&squares, &data).with_observer(move |progress| {
            points += usize::from(progress.work == Work::Point);
            if points < 25 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let first = config.clone().with_threads(threads);
        let stopped = first.run(&risk, &model, &drawn).unwrap();
        let evaluated = stopped.evaluated.iter().filter(|&&is| is).count();
        assert!(evaluated > 0);
        if threads == 1 {
            assert!(!stopped.completed && evaluated < whole.num_points());
        }
        let resumed = run(&config.clone().with_threads(threads_again));
        assert_eq!(bits(&resumed), bits(&whole), "{threads} {threads_again}");
        assert!(resumed.completed && resumed.evaluated.iter().all(|&is| is));
        assert!(resumed.num_cached + 1 >= evaluated);
        // Nothing is left to evaluate.
        assert_eq!(run(&config).num_losses, 4);
    }
}

#[test]
fn statistics_of_every_point_are_those_of_an_uninterrupted_run() {
    let (place, model, data) = (Place::new(), network(1), inputs(0.5));
    let drawn = directions(&model, [1, 2]);
    let plain = LandscapeConfig::new(small()).with_policy(NormalizationPolicy::ReestimateAll);
    let risk = Risk::new(&squares, &data);
    let whole = plain.run(&risk, &model, &drawn).unwrap();
    let config = plain.with_cache(&place.0);
    let mut points = 0;
    let watched = risk.clone().with_observer(move |progress| {
        points += usize::from(progress.work == Work::Point);
        match points < 4 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    let stopped = config.run(&watched, &model, &drawn).unwrap();
    assert!(!stopped.completed);
    let resumed = config.run(&risk, &model, &drawn).unwrap();
    assert_eq!((bits(&resumed), resumed.num_cached), (bits(&whole), 4));
}

fn bowl(point: &Point, heights: Tensor<1>) -> Tensor<1> {
    (point.w.val().square() * heights).sum() * 0.3
}

fn distance(point: &Point, _: Tensor<1>) -> Tensor<1> {
    point.w.val().square().sum().sqrt()
}

#[test]
fn a_file_cut_at_any_byte_goes_on_to_the_same_bits() {
    let device = element::device();
    let model = Point::new(&[1.0, -2.0], &device, element::DTYPE);
    let data = [Tensor::<1>::from_data([4.0, 0.7], &device)];
    let (place, risk) = (Place::new(), Risk::new(&bowl, &data));
    let vector = ParamVector::from_host(&risk.space(&model).unwrap(), &[0.3, 0.7]).unwrap();
    let kind = DirectionKind::Other("known".to_string());
    let direction = Direction::new(kind, vector);
    let metric = Risk::new(&distance, &data);
    let config = LandscapeConfig::new([Grid::symmetric(2.0, 9).unwrap()])
        .with_metric("distance", &metric)
        .with_cache(&place.0);
    let run = || config.run(&risk, &model, std::slice::from_ref(&direction));
    let whole = run().unwrap();
    let bytes = fs::read(&place.0).unwrap();
    let header = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let places = (0..header - 30).step_by(17);
    for end in places.chain(header - 30..bytes.len()) {
        fs::write(&place.0, &bytes[..end]).unwrap();
        let found = run().unwrap();
        assert_eq!(bits(&found), bits(&whole), "cut at {end}");
        assert!(found.completed && found.num_cached < 9);
        let left = fs::read(&place.0).unwrap();
        assert_eq!(lines(&left), lines(&bytes), "cut at {end}");
    }
}

#[test]
fn a_cache_with_lines_that_are_no_points_is_refused() {
    let (place, model, data) = (Place::new(), network(1), inputs(0.5));
    let (drawn, risk) = (directions(&model, [1, 2]), Risk::new(&squares, &data));
    let config = LandscapeConfig::new(small()).with_cache(&place.0);
    let run = || config.run(&risk, &model, &drawn);
    run().unwrap();
    let text = fs::read_to_string(&place.0).unwrap();
    let path = place.0.display().to_string();
    let number = text.lines().count() + 1;
    for (line, message) in [
        ("9,0.5", "there is no point 9"),
        ("4,0.5,0.5", "it has 2 values"),
        ("4", "it has 0 values"),
        ("4,half", "`half` is not a number"),
        ("", "is not the index of a point"),
    ] {
        fs::write(&place.0, format!("{text}{line}\n")).unwrap();
        let error = run().unwrap_err();
        assert!(matches!(error, LandscapeError::Cache { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(message) && error.contains(&path), "{error}");
        assert!(error.contains(&format!("line {number}: ")), "{error}");
    }
    for foreign in ["x,y,loss\n0,0,1\n", "{}\n", "\n"] {
        fs::write(&place.0, foreign).unwrap();
        let error = run().unwrap_err();
        assert!(matches!(error, LandscapeError::Cache { .. }), "{error:?}");
        // The file of another program is still there.
        assert_eq!(fs::read_to_string(&place.0).unwrap(), foreign);
    }
    let folder = std::env::temp_dir();
    for path in [folder.join("burnscape-missing/cache.csv"), folder] {
        let config = LandscapeConfig::new(small()).with_cache(&path);
        let error = config.run(&risk, &model, &drawn).unwrap_err();
        assert!(matches!(error, LandscapeError::Cache { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains("in a folder that exists"), "{error}");
    }
}

#[test]
fn the_cache_of_another_run_is_refused_with_what_differs() {
    let (place, model) = (Place::new(), network(1));
    let (data, other_data) = (inputs(0.5), inputs(0.25));
    let drawn = directions(&model, [1, 2]);
    let metric = Risk::new(&sizes, &data);
    let config = cached(small(), &place).with_metric("size", &metric);
    let risk = Risk::new(&squares, &data);
    let whole = config.run(&risk, &model, &drawn).unwrap();
    let bytes = fs::read(&place.0).unwrap();
    let refused = |wanted: &str, found: Result<Landscape, LandscapeError>| match found {
        Err(LandscapeError::OtherCache { path, what }) => {
            let named = what.strip_prefix("it differs in ").unwrap();
            assert!(named.starts_with(wanted), "{wanted}: {what}");
            assert_eq!(path, place.0.display().to_string());
            assert_eq!(fs::read(&place.0).unwrap(), bytes);
        }
        other => panic!("{wanted}: {other:?}"),
    };
    let other = network(2);
    refused("the weights", config.run(&risk, &other, &drawn));
    let other = RunningStatistics::of(&model).filled(0.5);
    let other = other.write_to(unshared_copy(&model));
    refused("the running statistics", config.run(&risk, &other, &drawn));
    let other = directions(&model, [1, 3]);
    refused("direction 1", config.run(&risk, &model, &other));
    let [first, second] = small();
    let longer = Grid::symmetric(1.0, 5).unwrap();
    let other = cached([first, longer], &place).with_metric("size", &metric);
    refused(
        "the shape of the grid ([3, 3], now [3, 5])",
        other.run(&risk, &model, &drawn),
    );
    let wider = Grid::symmetric(2.0, 3).unwrap();
    let other = cached([wider, second], &place).with_metric("size", &metric);
    refused(
        "the coordinates of axis 0",
        other.run(&risk, &model, &drawn),
    );
    let other = Risk::new(&squares, &other_data);
    refused("the data of `loss`", config.run(&other, &model, &drawn));
    // The same examples in one batch: their losses are rounded in another order.
    let joined = [Tensor::cat(data.to_vec(), 0)];
    let other = Risk::new(&squares, &joined);
    refused("the data of `loss`", config.run(&other, &model, &drawn));
    let other = Risk::new(&sizes, &data);
    refused(
        "the value of `loss` at the model",
        config.run(&other, &model, &drawn),
    );
    let other = risk.clone().with_mode(Mode::Train);
    refused(
        "the mode of `loss` (`Eval`, now `Train`)",
        config.run(&other, &model, &drawn),
    );
    let other = config
        .clone()
        .with_policy(NormalizationPolicy::ReestimateAll);
    refused(
        "the policy (`Leave`, now `ReestimateAll`)",
        other.run(&risk, &model, &drawn),
    );
    let other = cached(small(), &place).with_metric("length", &metric);
    refused(
        "the columns (`loss`, `size`, now `loss`, `length`)",
        other.run(&risk, &model, &drawn),
    );
    refused(
        "the columns (`loss`, `size`, now `loss`)",
        cached(small(), &place).run(&risk, &model, &drawn),
    );
    let other_metric = Risk::new(&sizes, &other_data);
    let other = cached(small(), &place).with_metric("size", &other_metric);
    refused("the data of `size`", other.run(&risk, &model, &drawn));
    let other_metric = Risk::new(&squares, &data);
    let other = cached(small(), &place).with_metric("size", &other_metric);
    refused(
        "the value of `size` at the model",
        other.run(&risk, &model, &drawn),
    );
    let again = config.run(&risk, &model, &drawn).unwrap();
    assert_eq!((bits(&again), again.num_losses), (bits(&whole), 4));
}

/// A line of five points around `w = 1` with a metric, which is kept in a file.
fn line(
    place: &Place,
    loss: &(impl Fn(&Point, Tensor<1>) -> Tensor<1> + Sync),
    metric: &(impl Fn(&Point, Tensor<1>) -> Tensor<1> + Sync),
) -> Result<Landscape, LandscapeError> {
    let device = element::device();
    let model = Point::new(&[1.0], &device, element::DTYPE);
    let data = [Tensor::<1>::from_data([1.0], &device)];
    let (risk, metric) = (Risk::new(loss, &data), Risk::new(metric, &data));
    let vector = ParamVector::from_host(&risk.space(&model).unwrap(), &[1.0]).unwrap();
    let kind = DirectionKind::Other("known".to_string());
    LandscapeConfig::new([Grid::symmetric(2.0, 5).unwrap()])
        .with_metric("metric", &metric)
        .with_cache(&place.0)
        .run(&risk, &model, &[Direction::new(kind, vector)])
}

/// `w² + decay (w − 1)²`, which is 1 at the model whatever the decay.
fn decayed(decay: f64) -> impl Fn(&Point, Tensor<1>) -> Tensor<1> + Sync {
    move |point, _| {
        let w = point.w.val();
        (w.clone().square() + (w - 1.0).square() * decay).sum()
    }
}

/// The place and the column in which functions differ from those of the file, which stays as it is.
fn other_function(place: &Place, found: Result<Landscape, LandscapeError>) -> String {
    match found {
        Err(LandscapeError::OtherCache { what, .. }) => {
            assert!(what.ends_with("which is another function"), "{what}");
            let what = what.split(" (").next().unwrap();
            what.replace("it differs in the value of ", "")
        }
        other => panic!("{}: {other:?}", place.0.display()),
    }
}

#[test]
fn functions_that_agree_at_the_model_only_are_told_apart_at_a_point() {
    let place = Place::new();
    let first = line(&place, &decayed(1e-6), &decayed(0.0)).unwrap();
    let bytes = fs::read(&place.0).unwrap();
    let found = line(&place, &decayed(2e-6), &decayed(0.0));
    assert_eq!(other_function(&place, found), "`loss` at point [-2.0]");
    let found = line(&place, &decayed(1e-6), &decayed(1e-6));
    assert_eq!(other_function(&place, found), "`metric` at point [-2.0]");
    assert_eq!(fs::read(&place.0).unwrap(), bytes);
    let again = line(&place, &decayed(1e-6), &decayed(0.0)).unwrap();
    assert_eq!((bits(&again), again.num_losses), (bits(&first), 4));
    // What is compared is in the file.
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let with = |points: &[&str]| {
        let kept = lines[1..].iter().filter(|line| {
            let index = line.split(',').next().unwrap_or_default();
            points.contains(&index)
        });
        let kept: String = kept.copied().collect();
        fs::write(&place.0, format!("{}{kept}", lines[0])).unwrap();
    };
    with(&["3", "2"]);
    let found = line(&place, &decayed(2e-6), &decayed(0.0));
    assert_eq!(other_function(&place, found), "`loss` at point [1.0]");
    // The values at the model are compared anyway.
    with(&["2"]);
    let found = line(&place, &decayed(2e-6), &decayed(0.0)).unwrap();
    assert_eq!((found.num_cached, found.num_losses), (1, 2 + 2 * 4));
}

#[test]
fn a_function_that_agrees_at_the_point_as_well_is_not_noticed() {
    let place = Place::new();
    let square = |point: &Point, _: Tensor<1>| point.w.val().square().sum();
    // The same up to w = 1, which is the model.
    let bent = |point: &Point, _: Tensor<1>| {
        let w = point.w.val();
        (w.clone().square() + (w - 1.0).clamp_min(0.0)).sum()
    };
    let first = line(&place, &square, &square).unwrap();
    let found = line(&place, &bent, &square).unwrap();
    assert_eq!(bits(&found), bits(&first));
}

#[test]
fn values_that_are_not_finite_are_compared_by_their_kind() {
    let log = |point: &Point, _: Tensor<1>| point.w.val().log().sum();
    let minus_log = |point: &Point, _: Tensor<1>| point.w.val().log().sum() * -1.0;
    let zero = |point: &Point, _: Tensor<1>| (point.w.val() * 0.0).sum();
    let line_of = |place: &Place, points: &[&str]| {
        line(place, &log, &zero).unwrap();
        let text = fs::read_to_string(&place.0).unwrap();
        let lines = text.split_inclusive('\n').enumerate();
        let kept = lines.filter(|(number, line)| {
            let index = line.split(',').next().unwrap_or_default();
            *number == 0 || points.contains(&index)
        });
        let kept: String = kept.map(|(_, line)| line).collect();
        fs::write(&place.0, kept).unwrap();
    };
    // NaN at w = −1, −∞ at 0, and ln 2 at 2.
    for (points, difference) in [
        (&["0", "1"][..], None),
        (&["1"][..], Some("`loss` at point [-1.0]")),
        (&["0", "1", "3"][..], Some("`loss` at point [1.0]")),
    ] {
        let place = Place::new();
        line_of(&place, points);
        let found = line(&place, &minus_log, &zero);
        match difference {
            Some(difference) => assert_eq!(other_function(&place, found), difference),
            None => assert_eq!(found.unwrap().num_cached, points.len()),
        }
        let place = Place::new();
        line_of(&place, points);
        let found = line(&place, &log, &zero).unwrap();
        assert_eq!(found.num_cached, points.len());
    }
}

#[test]
fn a_break_while_a_point_is_compared_stops_the_run() {
    let (place, model, data) = (Place::new(), network(1), inputs(0.5));
    let drawn = directions(&model, [1, 2]);
    let config = LandscapeConfig::new(small()).with_cache(&place.0);
    let risk = Risk::new(&squares, &data);
    let whole = config.run(&risk, &model, &drawn).unwrap();
    // Three batches at the model, then those of the point.
    let mut batches = 0;
    let watched = risk.clone().with_observer(move |_| {
        batches += 1;
        match batches < 5 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    let found = config.run(&watched, &model, &drawn);
    assert_eq!(found, Err(LandscapeError::Stopped));
    let again = config.run(&risk, &model, &drawn).unwrap();
    assert_eq!(bits(&again), bits(&whole));
}

#[test]
fn losses_that_are_not_finite_survive() {
    let device = element::device();
    let model = Point::new(&[1.0], &device, element::DTYPE);
    let data = [Tensor::<1>::from_data([1.0], &device)];
    let log = |point: &Point, x: Tensor<1>| (point.w.val().log() * x).sum();
    let minus_log = |point: &Point, x: Tensor<1>| (point.w.val().log() * x).sum() * -1.0;
    let (risk, metric) = (Risk::new(&log, &data), Risk::new(&minus_log, &data));
    let vector = ParamVector::from_host(&risk.space(&model).unwrap(), &[1.0]).unwrap();
    let kind = DirectionKind::Other("known".to_string());
    let direction = [Direction::new(kind, vector)];
    let place = Place::new();
    let config = LandscapeConfig::new([Grid::symmetric(2.0, 5).unwrap()])
        .with_metric("minus", &metric)
        .with_cache(&place.0);
    let first = config.run(&risk, &model, &direction).unwrap();
    let again = config.run(&risk, &model, &direction).unwrap();
    assert_eq!(again.num_losses, 4);
    assert_eq!(bits(&again), bits(&first));
    for landscape in [&first, &again] {
        assert!(landscape.losses[0].is_nan());
        assert_eq!(landscape.losses[1..3], [f64::NEG_INFINITY, 0.0]);
        assert_eq!(landscape.metrics[0].values[1], f64::INFINITY);
        assert!(landscape.completed);
    }
}

#[test]
fn a_second_run_on_the_same_file_is_refused_until_the_first_ends() {
    let (place, model, data) = (Place::new(), network(1), inputs(0.5));
    let drawn = directions(&model, [1, 2]);
    let config = LandscapeConfig::new(small()).with_cache(&place.0);
    let (sender, receiver) = mpsc::channel();
    let (own, path) = (model.clone(), place.0.clone());
    let risk = Risk::new(&squares, &data).with_observer(move |progress| {
        if progress.work != Work::Point {
            return ControlFlow::Continue(());
        }
        let (data, drawn) = (inputs(0.5), directions(&own, [1, 2]));
        let second = LandscapeConfig::new(small()).with_cache(&path);
        let found = second.run(&Risk::new(&squares, &data), &own, &drawn);
        sender.send(found.unwrap_err()).unwrap();
        ControlFlow::Break(())
    });
    config.run(&risk, &model, &drawn).unwrap();
    let error = receiver.recv().unwrap();
    assert!(matches!(error, LandscapeError::Cache { .. }), "{error:?}");
    assert!(error.to_string().contains("another run uses it"), "{error}");
    let risk = Risk::new(&squares, &data);
    let found = config.run(&risk, &model, &drawn).unwrap();
    let plain = LandscapeConfig::new(small());
    let expected = plain.run(&risk, &model, &drawn).unwrap();
    assert_eq!(bits(&found), bits(&expected));
}
