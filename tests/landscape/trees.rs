//! Merge trees of landscapes whose wells are known, and what the grid resolves of them.

use std::ops::ControlFlow;

use burn::tensor::Tensor;
use burnscape::landscape::{
    Direction, DirectionKind, Landscape, LandscapeConfig, LandscapeError, LandscapeTree, LossScale,
};
use burnscape::loss::Work;
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape::topology::{
    Connectivity, Death, Level, MergeTreeConfig, NanPolicy, Resolution, TopologyError,
};
use burnscape_testkit::objectives::Point;

use crate::path::models::{nothing, point};

/// The landscape around the origin, with an axis along each coordinate from −`tenths`/10 to `tenths`/10 by a tenth.
fn landscape(risk: &Risk<'_, Point>, tenths: &[i32]) -> Landscape {
    let axes = tenths.iter().map(|&end| {
        let coordinates = (-end..=end).map(|tenth| f64::from(tenth) / 10.0);
        coordinates.collect::<Vec<f64>>()
    });
    over(risk, axes.collect())
}

/// The landscape around the origin, with an axis along each coordinate.
fn over(risk: &Risk<'_, Point>, axes: Vec<Vec<f64>>) -> Landscape {
    let model = point(&vec![0.0; axes.len()]);
    let space = risk.space(&model).unwrap();
    let directions = (0..axes.len()).map(|axis| {
        let mut unit = vec![0.0; axes.len()];
        unit[axis] = 1.0;
        let unit = ParamVector::from_host(&space, &unit).unwrap();
        Direction::new(DirectionKind::Other(format!("coordinate {axis}")), unit)
    });
    let directions: Vec<Direction> = directions.collect();
    let grids = axes
        .into_iter()
        .map(|axis| Grid::from_coordinates(axis).unwrap());
    LandscapeConfig::new(grids)
        .run(risk, &model, &directions)
        .unwrap()
}

fn tree(landscape: &Landscape, scale: LossScale) -> LandscapeTree {
    landscape
        .merge_tree(scale, &MergeTreeConfig::new())
        .unwrap()
}

fn coordinates(point: &Point) -> [Tensor<1>; 2] {
    [0_usize, 1].map(|index| point.w.val().slice(index..index + 1))
}

/// `(x² − 1)² + y² + tilt x`.
fn double_well(point: &Point, tilt: f64) -> Tensor<1> {
    let [x, y] = coordinates(point);
    (x.clone().square() - 1.0).square() + y.square() + x * tilt
}

fn tilted(point: &Point, _: Tensor<1>) -> Tensor<1> {
    double_well(point, 0.3)
}

/// The six-hump camel function.
fn camel(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let [x, y] = coordinates(point);
    let (xx, yy) = (x.clone().square(), y.clone().square());
    let along_x = (xx.clone().square() / 3.0 - xx.clone() * 2.1 + 4.0) * xx;
    along_x + x * y + (yy.clone() * 4.0 - 4.0) * yy
}

/// `(x² − 1)² / 1000 + 10⁻⁶`: two wells with a low wall of three decades between them.
fn low_wall(point: &Point, _: Tensor<1>) -> Tensor<1> {
    (point.w.val().square() - 1.0).square().sum() * 1e-3 + 1e-6
}

#[test]
fn the_wells_of_a_tilted_double_well_meet_over_its_pass() {
    let data = nothing();
    let found = landscape(&Risk::new(&tilted, &data), &[20, 10]);
    let found = tree(&found, LossScale::Linear);
    let [deep, shallow] = found.tree.branches() else {
        panic!("{found}");
    };
    // Cells (−1, 0), (1, 0), and (0.1, 0) between them.
    assert_eq!((deep.minimum, shallow.minimum), (220, 640));
    assert_eq!((deep.death, shallow.saddle), (Death::Never, Some(451)));
    assert!((deep.birth + 0.3).abs() < 1e-12 && (shallow.birth - 0.3).abs() < 1e-12);
    assert!((shallow.persistence() - 0.7101).abs() < 1e-12);
    assert_eq!(found.ratios[0], f64::INFINITY);
    assert!((found.ratios[1] - 22.6507).abs() < 1e-4);
    assert_eq!(
        found.to_string(),
        "merge tree of the loss on 41 × 21 points, sublevel sets, full connectivity
2 branches: 1 essential, 1 resolved, 0 doubtful, 0 unresolved
-0.3 at (-1, 0), never dies
0.3 at (1, 0), dies at 1.0101, persistence 0.7101, ratio 22.65, resolved
"
    );
}

#[test]
fn the_humps_of_the_camel_have_known_ratios_and_words() {
    let data = nothing();
    let found = landscape(&Risk::new(&camel, &data), &[20, 10]);
    let found = tree(&found, LossScale::Linear);
    assert_eq!(found.tree.branches().len(), 6);
    assert_eq!(found.tree.branches()[0].minimum, 416);
    let exact = [
        (-1.029810, Death::Never, f64::INFINITY),
        (-1.029810, Death::At(0.0), 13.39),
        (-0.215154, Death::At(0.554310), 4.92),
        (-0.215154, Death::At(0.554310), 4.92),
        (2.108245, Death::At(2.229526), 1.40),
        (2.108245, Death::At(2.229526), 1.40),
    ];
    let branches = found.tree.branches().iter().zip(&found.ratios);
    for ((branch, ratio), (birth, death, exact)) in branches.zip(exact) {
        assert!((branch.birth - birth).abs() < 1e-6, "{branch:?}");
        let deaths = branch.death.value().zip(death.value());
        assert_eq!(branch.death == Death::Never, death == Death::Never);
        assert!(deaths.is_none_or(|(found, exact)| (found - exact).abs() < 1e-6));
        assert!(*ratio == exact || (ratio - exact).abs() < 0.005, "{ratio}");
    }
    let words: Vec<Resolution> = (0..6)
        .map_while(|branch| found.resolution(branch))
        .collect();
    let (resolved, doubtful) = (Resolution::Resolved, Resolution::Doubtful);
    let expected = [resolved, resolved, resolved, resolved, doubtful, doubtful];
    assert_eq!(words, expected);
    assert_eq!(found.resolution(6), None);
    assert_eq!(
        found.to_string(),
        "merge tree of the loss on 41 × 21 points, sublevel sets, full connectivity
6 branches: 1 essential, 3 resolved, 2 doubtful, 0 unresolved
-1.02981 at (-0.1, 0.7), never dies
-1.02981 at (0.1, -0.7), dies at 0, persistence 1.02981, ratio 13.39, resolved
-0.215154 at (-1.7, 0.8), dies at 0.55431, persistence 0.769464, ratio 4.92, resolved
-0.215154 at (1.7, -0.8), dies at 0.55431, persistence 0.769464, ratio 4.92, resolved
2.10825 at (-1.6, -0.6), dies at 2.22953, persistence 0.121281, ratio 1.40, doubtful
2.10825 at (1.6, 0.6), dies at 2.22953, persistence 0.121281, ratio 1.40, doubtful
"
    );
    // Those that die, and have more than a persistence and a ratio.
    let counts = [0.0, 0.2, 0.8, 2.0].map(|least| found.count(least));
    assert_eq!(counts, [5, 3, 1, 0]);
    let counts = [1.0, 2.0, 5.0, 20.0].map(|ratio| found.count_resolved(0.0, ratio));
    assert_eq!(counts, [5, 3, 1, 0]);
    assert_eq!(found.count_resolved(0.2, 1.0), 3);
    assert_eq!(found.count_resolved(0.8, 20.0), 0);
}

#[test]
fn a_low_wall_counts_in_decades_and_not_in_the_loss() {
    let data = nothing();
    let found = landscape(&Risk::new(&low_wall, &data), &[20]);
    let linear = tree(&found, LossScale::Linear);
    let decades = tree(&found, LossScale::Log10);
    // The same wells and passes: the logarithm is monotone.
    for (one, other) in linear.tree.branches().iter().zip(decades.tree.branches()) {
        assert_eq!((one.minimum, one.saddle), (other.minimum, other.saddle));
        assert!((one.birth.log10() - other.birth).abs() < 1e-12);
    }
    assert_eq!((linear.count(0.05), decades.count(0.05)), (0, 1));
    assert!((linear.tree.branches()[1].persistence() - 1e-3).abs() < 1e-12);
    assert_eq!(
        decades.to_string(),
        "merge tree of log10 of the loss on 41 points, sublevel sets, full connectivity
2 branches: 1 essential, 1 resolved, 0 doubtful, 0 unresolved
-6 at (-1), never dies
-6 at (1), dies at -2.99957, persistence 3.00043 decades, ratio 3.72, resolved
"
    );
    assert_eq!(decades.count_resolved(0.05, 2.0), 1);
    assert_eq!(decades.count_resolved(0.05, 4.0), 0);
}

#[test]
fn a_grid_that_is_not_even_has_no_ratios_and_says_why() {
    let data = nothing();
    let risk = Risk::new(&tilted, &data);
    let tenths = |end: i32| (-end..=end).map(|tenth| f64::from(tenth) / 10.0);
    let halves: Vec<f64> = (-2..=2).map(|half| f64::from(half) / 2.0).collect();
    // Finer to the left of −1.5.
    let fine = (-40..-30).map(|twentieth| f64::from(twentieth) / 20.0);
    let graded: Vec<f64> = fine.chain(tenths(20).skip(5)).collect();
    let graded = over(&risk, vec![graded, halves.clone()]);
    let found = tree(&graded, LossScale::Linear);
    let branches = found.tree.branches();
    assert_eq!(branches.len(), 2);
    assert!((branches[1].persistence() - 0.7101).abs() < 1e-12);
    assert!(found.ratios.len() == 2 && found.ratios.iter().all(|ratio| ratio.is_nan()));
    assert_eq!((found.resolution(0), found.resolution(1)), (None, None));
    // The well is there; whether the grid resolves it is not known.
    assert_eq!((found.count(0.5), found.count_resolved(0.5, 0.0)), (1, 0));
    assert_eq!(
        found.to_string(),
        "merge tree of the loss on 46 × 5 points, sublevel sets, full connectivity
2 branches: 1 essential; no resolution ratios, because axis 0 is not evenly spaced
-0.3 at (-1, 0), never dies
0.3 at (1, 0), dies at 1.0101, persistence 0.7101
"
    );
    let read = LandscapeTree::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read.to_string(), found.to_string());
    // Axes may have different gaps.
    let even = over(&risk, vec![tenths(20).collect(), halves]);
    let even = tree(&even, LossScale::Linear);
    assert_eq!(even.resolution(0), Some(Resolution::Resolved));
    assert!(even.ratios[1] > 1.0, "{even}");
}

#[test]
fn the_config_chooses_sets_and_neighbors() {
    let data = nothing();
    let found = landscape(&Risk::new(&tilted, &data), &[20, 10]);
    let config = MergeTreeConfig::new().with_level(Level::Super);
    let peaks = found.merge_tree(LossScale::Linear, &config).unwrap();
    assert_eq!(peaks.tree.connectivity(), Some(Connectivity::Axis));
    let text = peaks.to_string();
    assert!(
        text.starts_with(
            "merge tree of the loss on 41 × 21 points, superlevel sets, axis connectivity\n"
        ),
        "{text}"
    );
    // The corners at x = 2 are the highest, and of equals the first one is the eldest.
    let top = peaks.tree.branches()[0];
    assert_eq!((top.minimum, top.death), (40 * 21, Death::Never));
    assert!((top.birth - 10.6).abs() < 1e-12);
}

#[test]
fn branches_without_persistence_are_unresolved() {
    // min(|x|, 1). Of the left plateau the first cell enters first, and meets the well at its own height.
    let well = |point: &Point, _: Tensor<1>| point.w.val().abs().clamp_max(1.0).sum();
    let data = nothing();
    let found = landscape(&Risk::new(&well, &data), &[20]);
    let plain = tree(&found, LossScale::Linear);
    assert_eq!(plain.tree.branches().len(), 1);
    let config = MergeTreeConfig::new().with_zero_branches(true);
    let kept = found.merge_tree(LossScale::Linear, &config).unwrap();
    let minima: Vec<usize> = kept
        .tree
        .branches()
        .iter()
        .map(|branch| branch.minimum)
        .collect();
    assert_eq!(minima, [20, 0]);
    assert_eq!(kept.ratios, [f64::INFINITY, 0.0]);
    assert_eq!(kept.resolution(1), Some(Resolution::Unresolved));
    let text = kept.to_string();
    assert!(
        text.contains("2 branches: 1 essential, 0 resolved, 0 doubtful, 1 unresolved\n"),
        "{text}"
    );
    assert_eq!(kept.count(0.0), 0);
}

#[test]
fn a_loss_without_a_logarithm_is_refused_with_its_place() {
    let plain = |point: &Point, _: Tensor<1>| double_well(point, 0.0);
    let data = nothing();
    let found = landscape(&Risk::new(&plain, &data), &[20, 10]);
    let config = MergeTreeConfig::new();
    assert!(found.merge_tree(LossScale::Linear, &config).is_ok());
    let error = found.merge_tree(LossScale::Log10, &config).unwrap_err();
    let expected = LandscapeError::NoLogarithm {
        at: vec![-1.0, 0.0],
        loss: 0.0,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "the loss at [-1.0, 0.0] is 0, which has no logarithm; use `LossScale::Linear`, or a loss that is positive"
    );
    let found = landscape(&Risk::new(&tilted, &data), &[20, 10]);
    let error = found.merge_tree(LossScale::Log10, &config).unwrap_err();
    let LandscapeError::NoLogarithm { at, loss } = error else {
        panic!("{error}");
    };
    // The first of the negative losses, with the last axis fastest.
    let is_negative = |(_, loss): &(usize, &f64)| **loss <= 0.0;
    let (first, lowest) = found.losses.iter().enumerate().find(is_negative).unwrap();
    assert_eq!(at, [found.axes[0][first / 21], found.axes[1][first % 21]]);
    assert_eq!(loss, *lowest);
}

#[test]
fn a_stopped_landscape_is_refused_and_its_coarser_grid_is_not() {
    let data = nothing();
    let risk =
        Risk::new(&tilted, &data).with_observer(|progress| match (progress.work, progress.done) {
            (Work::Point, 100) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    let stopped = landscape(&risk, &[20, 10]);
    assert!(!stopped.completed);
    let config = MergeTreeConfig::new();
    let error = stopped.merge_tree(LossScale::Linear, &config).unwrap_err();
    let evaluated = stopped.evaluated.iter().filter(|done| **done).count();
    let points = 861;
    assert_eq!(error, LandscapeError::Incomplete { evaluated, points });
    assert!(error.to_string().contains("take `coarser()`"), "{error}");
    let coarse = tree(&stopped.coarser().unwrap(), LossScale::Linear);
    assert_eq!(coarse.tree.shape(), [9, 9]);
    assert_eq!(coarse.count(0.5), 1);
    // Every fifth of 41 points, but of 21 points those two or three apart.
    assert_eq!(coarse.resolution(1), None);
    assert!(
        coarse.to_string().contains("axis 1 is not evenly spaced"),
        "{coarse}"
    );
}

#[test]
fn the_coarser_grids_of_two_to_the_k_and_one_points_stay_even() {
    let data = nothing();
    let risk =
        Risk::new(&tilted, &data).with_observer(|progress| match (progress.work, progress.done) {
            (Work::Point, 100) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    let stopped = landscape(&risk, &[16, 8]);
    assert_eq!(stopped.shape(), [33, 17]);
    let coarse = tree(&stopped.coarser().unwrap(), LossScale::Linear);
    assert_eq!(coarse.tree.shape(), [9, 9]);
    assert!(coarse.ratios.iter().all(|ratio| !ratio.is_nan()));
    assert_eq!(coarse.resolution(0), Some(Resolution::Resolved));
}

#[test]
fn a_loss_that_is_not_a_number_is_refused_unless_the_config_allows_it() {
    // Not a number below x = −1.55, and never zero.
    let rooted = |point: &Point, _: Tensor<1>| (point.w.val() + 1.55).sqrt().sum();
    let data = nothing();
    let found = landscape(&Risk::new(&rooted, &data), &[20]);
    for scale in [LossScale::Linear, LossScale::Log10] {
        let error = found.merge_tree(scale, &MergeTreeConfig::new());
        let expected = TopologyError::NanCell {
            cell: 0,
            coordinates: vec![0],
        };
        assert_eq!(error.unwrap_err(), LandscapeError::Topology(expected));
        let config = MergeTreeConfig::new().with_nan(NanPolicy::Wall);
        let found = found.merge_tree(scale, &config).unwrap();
        // The lowest loss beside the wall.
        assert_eq!(found.tree.branches()[0].minimum, 5);
    }
}

#[test]
fn a_tree_goes_through_json_with_its_infinite_ratio() {
    let data = nothing();
    let found = landscape(&Risk::new(&tilted, &data), &[20, 10]);
    let found = tree(&found, LossScale::Linear);
    let read = LandscapeTree::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read.ratios[0], f64::INFINITY);
    assert_eq!(read.to_string(), found.to_string());
}
