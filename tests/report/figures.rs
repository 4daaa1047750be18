//! Results as figures: their numbers, scales and labels.

use burnscape::landscape::{Landscape, LandscapeError, LossScale};
use burnscape::plot::{AxisScale, Drawing, Figure, LandscapeFigure, PlotError};
use burnscape::report::{landscape_figure, path_figure, spectrum_figure, tree_branches};
use burnscape::topology::MergeTreeConfig;

use super::models::{bowl, bowl_on, density, double_well, profile};

fn figure(landscape: &Landscape, scale: LossScale) -> LandscapeFigure {
    landscape_figure("SGD", landscape, scale).unwrap()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
}

#[test]
fn coordinates_are_percent_of_the_weights() {
    let found = figure(&bowl(), LossScale::Linear);
    assert_near(&found.x, &[-40.0, -20.0, 0.0, 20.0, 40.0]);
    assert_near(&found.y, &[-20.0, 0.0, 20.0]);
    // The second axis is the faster one.
    let expected = [
        6.0, 5.0, 6.0, 3.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 6.0, 5.0, 6.0,
    ];
    assert_near(&found.values, &expected);
    assert_eq!(
        (found.name.as_str(), found.scale),
        ("SGD", AxisScale::Linear)
    );
    let expected = [
        "direction 1, given (% of the weights' norm)",
        "direction 2, given (% of the weights' norm)",
        "loss",
    ];
    assert_eq!(found.labels, expected);
    assert!(found.trajectory.is_empty() && found.metrics.is_empty());
    assert_eq!((found.branches.len(), found.basins), (1, vec![0; 15]));
    assert_near(&found.branches[0].at, &[0.0, 0.0]);
}

#[test]
fn weights_without_a_length_leave_coordinates_as_they_are() {
    let mut landscape = bowl();
    landscape.directions[1].relative_norm = f64::INFINITY;
    let found = figure(&landscape, LossScale::Linear);
    assert_near(&found.x, &[-2.0, -1.0, 0.0, 1.0, 2.0]);
    assert_eq!(found.labels[0], "direction 1, given (times the direction)");
}

#[test]
fn wells_are_those_of_the_merge_tree() {
    let landscape = double_well();
    let found = figure(&landscape, LossScale::Linear);
    let [deep, shallow] = &found.branches[..] else {
        panic!("{:?}", found.branches);
    };
    assert_eq!((deep.label.as_str(), shallow.label.as_str()), ("A", "B"));
    assert_eq!((deep.death, shallow.parent), (None, Some(0)));
    assert_near(&[deep.birth, shallow.birth], &[0.7, 1.3]);
    assert!((shallow.death.unwrap() - 2.0101).abs() < 1e-9);
    // A tenth is 2 % of the weights.
    assert_near(&deep.at, &[-20.0, 0.0]);
    assert_near(&shallow.at, &[20.0, 0.0]);
    assert_eq!([deep.is_resolved, shallow.is_resolved], [Some(true); 2]);
    assert_eq!(found.basins.len(), 41 * 21);
    let own = found.basins.iter().filter(|basin| **basin == 1).count();
    assert_eq!(own, shallow.volume);
    // The same tree, with the coordinates of the landscape.
    let tree = landscape.merge_tree(LossScale::Linear, &MergeTreeConfig::new());
    let branches = tree_branches(&tree.unwrap());
    assert_eq!(branches[1].death, shallow.death);
    assert_near(&branches[1].at, &[1.0, 0.0]);
}

#[test]
fn a_well_as_shallow_as_rounding_is_not_resolved() {
    let mut landscape = double_well();
    landscape.rounding = 0.72;
    for scale in [LossScale::Linear, LossScale::Log10] {
        let found = figure(&landscape, scale);
        assert_eq!(found.branches[1].is_resolved, Some(false), "{scale}");
    }
}

#[test]
fn a_loss_without_a_logarithm_has_no_tree() {
    let mut landscape = bowl();
    assert_eq!(figure(&landscape, LossScale::Log10).scale, AxisScale::Log);
    landscape.losses[7] = 0.0;
    let found = figure(&landscape, LossScale::Log10);
    assert_eq!((found.scale, found.branches.len()), (AxisScale::Log, 0));
    assert!(found.basins.is_empty());
    // Nothing is positive.
    landscape.losses.fill(-1.0);
    let found = figure(&landscape, LossScale::Log10);
    assert_eq!(found.scale, AxisScale::Linear);
}

#[test]
fn a_stopped_landscape_is_its_finest_complete_grid() {
    let mut landscape = bowl();
    landscape.losses[3] = f64::NAN;
    landscape.evaluated[3] = false;
    landscape.completed = false;
    let found = figure(&landscape, LossScale::Linear);
    assert_near(&found.x, &[-40.0, 0.0, 40.0]);
    assert_near(&found.y, &[-20.0, 0.0, 20.0]);
    assert_near(
        &found.values,
        &[6.0, 5.0, 6.0, 2.0, 1.0, 2.0, 6.0, 5.0, 6.0],
    );
    assert_eq!(found.basins.len(), 9);
    landscape.evaluated.fill(false);
    let refused = landscape_figure("SGD", &landscape, LossScale::Linear);
    assert_eq!(refused, Err(LandscapeError::Stopped));
}

#[test]
fn landscapes_over_one_or_three_directions_are_refused() {
    let axis = vec![-1.0, 0.0, 1.0];
    for count in [1, 3] {
        let landscape = bowl_on(&vec![axis.clone(); count]);
        let error = landscape_figure("SGD", &landscape, LossScale::Linear).unwrap_err();
        let remedy = "use 2: a picture has two directions, and a table any number";
        let expected = format!("`landscape.axes.len()` is {count}; {remedy}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_is_not_a_number_is_a_wall() {
    let mut landscape = bowl();
    // A column across the bowl.
    landscape.losses[6..9].fill(f64::NAN);
    let found = figure(&landscape, LossScale::Linear);
    assert_eq!(found.basins[6..9], [u32::MAX; 3]);
    let deaths: Vec<Option<f64>> = found.branches.iter().map(|branch| branch.death).collect();
    assert_eq!(deaths, [None, None]);
    landscape.losses.fill(f64::NAN);
    let found = figure(&landscape, LossScale::Log10);
    assert!(found.branches.is_empty());
    let refused = Figure::HeatMap(found).to_svg(&Drawing::new(600, 480));
    assert!(matches!(refused, Err(PlotError::NothingFinite { .. })));
}

#[test]
fn a_path_has_a_bracket_where_it_is_highest_above_the_line() {
    let profile = profile();
    let found = path_figure(&[("line", &profile), ("again", &profile)]);
    let names: Vec<&str> = found.series.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["line", "again"]);
    assert_near(&found.series[0].x, &profile.times);
    assert_near(&found.series[0].y, &profile.train.values);
    let bracket = found.bracket.unwrap();
    assert_near(&[bracket.at, bracket.low, bracket.high], &[0.5, 0.0, 1.0]);
    assert_eq!(bracket.label, "barrier 1");
    let mut stopped = profile.clone();
    stopped.train.barriers = None;
    assert_eq!(path_figure(&[("line", &stopped)]).bracket, None);
    assert!(path_figure(&[]).series.is_empty());
}

#[test]
fn controls_of_a_path_are_curves_of_their_own() {
    let mut own = profile();
    own.line = Some(Box::new(profile()));
    own.random = Some(Box::new(profile()));
    let found = path_figure(&[("curve", &own)]);
    let names: Vec<&str> = found.series.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        ["curve", "curve: straight line", "curve: random direction"]
    );
}

#[test]
fn a_spectrum_has_its_band_and_its_share_below_zero() {
    let density = density();
    let found = spectrum_figure(&density);
    assert_eq!((found.eigenvalues.len(), found.density.len()), (301, 301));
    assert!(found.eigenvalues.is_sorted());
    assert!((found.negative_mass.unwrap() - 0.1).abs() < 1e-9);
    assert!(found.outliers.is_empty());
    let [low, high] = found.band.as_ref().unwrap();
    for ((low, high), value) in low.iter().zip(high).zip(&found.density) {
        assert!(*low >= 0.0 && low <= value && value <= high);
    }
    let svg = Figure::Spectrum(found).to_svg(&Drawing::new(600, 400));
    assert!(svg.is_ok());
}
