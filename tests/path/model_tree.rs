//! Merge trees of models that are joined by measured paths.

use std::ops::ControlFlow;

use burn::tensor::Tensor;
use burnscape::loss::Work;
use burnscape::path::{
    CurveProfile, CurveProfileConfig, PathError, PolygonalChain, model_merge_tree,
};
use burnscape::prelude::*;
use burnscape::topology::{Death, TopologyError};
use burnscape_testkit::objectives::Point;

use super::models::{nothing, point, ring};

/// `(x² − 1)² + 0.3 x`: wells of about −0.3 and 0.3, and a pass a little above 1.
fn double_well(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let x = point.w.val();
    ((x.clone().square() - 1.0).square() + x * 0.3).sum()
}

/// The profile of a straight line, with a place every twentieth.
fn line(risk: &Risk<'_, Point>, ends: [&Point; 2]) -> CurveProfile {
    let [first, last] = ends;
    let config = CurveProfileConfig::new().with_num_points(21);
    let line = PolygonalChain::line(first, last).unwrap();
    config.run(risk, &line).unwrap()
}

fn losses<const N: usize>(risk: &Risk<'_, Point>, models: &[Point; N]) -> [f64; N] {
    std::array::from_fn(|index| risk.loss(&models[index]).unwrap().value)
}

#[test]
fn models_on_a_line_meet_at_the_pass_of_a_double_well() {
    let data = nothing();
    let risk = Risk::new(&double_well, &data);
    let models = [[-1.0], [1.0], [2.0]].map(|x| point(&x));
    let [left, right, high] = &models;
    let losses = losses(&risk, &models);
    let [across, up, over] =
        [[left, right], [right, high], [left, high]].map(|ends| line(&risk, ends));
    let paths = [(0, 1, &across), (1, 2, &up), (0, 2, &over)];
    let tree = model_merge_tree(&losses, &paths).unwrap();
    // The lower model survives, and x = 2 is no well of its own: it dies where it is born.
    let minima: Vec<usize> = tree
        .branches()
        .iter()
        .map(|branch| branch.minimum)
        .collect();
    assert_eq!(minima, [0, 1, 2]);
    assert_eq!(tree.branches()[0].death, Death::Never);
    let pass = tree.branches()[1].death.value().unwrap();
    // The highest of the places is x = 0.1.
    assert!((pass - 1.0101).abs() < 1e-12, "{pass}");
    assert_eq!(tree.branches()[2].death, Death::At(losses[2]));
    assert_eq!(tree.branches()[2].persistence(), 0.0);
    assert_eq!(
        tree.to_string(),
        "merge tree of sublevel sets, 3 models (deaths are upper bounds), 3 branches
model 0 at -0.3, never dies
├─ model 1 at 0.3, dies at 1.0101, persistence 0.7101
└─ model 2 at 9.6, dies at 9.6, persistence 0
"
    );
    // Without the paths to model 2, it is alone.
    let alone = model_merge_tree(&losses, &paths[..1]).unwrap();
    assert_eq!(alone.branches()[2].death, Death::Never);
    assert_eq!(alone.branches()[1].death, tree.branches()[1].death);
}

#[test]
fn a_path_around_the_barrier_lowers_the_death() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let models = [[-1.0, 0.0], [1.0, 0.0]].map(|x| point(&x));
    let [left, right] = &models;
    let straight = line(&risk, [left, right]);
    let bent = PolygonalChain::from_models(&[left, &point(&[0.0, 1.0]), right]).unwrap();
    let bent = CurveProfileConfig::new().run(&risk, &bent).unwrap();
    let losses = losses(&risk, &models);
    let death = |paths: &[(usize, usize, &CurveProfile)]| {
        let tree = model_merge_tree(&losses, paths).unwrap();
        tree.branches()[1].death.value().unwrap()
    };
    assert_eq!(death(&[(0, 1, &straight)]), 1.0);
    for paths in [
        [(0, 1, &straight), (0, 1, &bent)],
        [(0, 1, &bent), (0, 1, &straight)],
    ] {
        // Halfway along a chord the square of the radius is ½.
        assert!((death(&paths) - 0.25).abs() < 1e-12);
    }
}

#[test]
fn what_lies_between_the_places_of_a_profile_is_missed() {
    let data = nothing();
    let risk = Risk::new(&double_well, &data);
    let models = [[-1.0], [1.0]].map(|x| point(&x));
    let [left, right] = &models;
    let losses = losses(&risk, &models);
    // All places of one are among those of the next.
    let deaths = [2, 21, 401].map(|num_points| {
        let config = CurveProfileConfig::new().with_num_points(num_points);
        let line = PolygonalChain::line(left, right).unwrap();
        let profile = config.run(&risk, &line).unwrap();
        let tree = model_merge_tree(&losses, &[(0, 1, &profile)]).unwrap();
        tree.branches()[1].death.value().unwrap()
    });
    // The ends; x = 0.1; and x = 0.075, where the pass is, to the spacing of 0.005.
    for (death, exact) in deaths.into_iter().zip([0.3, 1.0101, 1.011281640625]) {
        assert!((death - exact).abs() < 1e-12, "{death} {exact}");
    }
}

/// The profile with these losses at its ends and between them.
fn with_losses(profile: &CurveProfile, values: [f64; 3]) -> CurveProfile {
    let mut profile = profile.clone();
    profile.train.max = values.into_iter().fold(f64::NEG_INFINITY, f64::max);
    profile.train.values = values.to_vec();
    profile
}

#[test]
fn five_models_form_the_tree_of_the_lowest_paths() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let any = line(&risk, [&point(&[-1.0, 0.0]), &point(&[1.0, 0.0])]);
    let losses = [0.1, 0.2, 0.15, 0.3, 0.12];
    let measured = [
        (0, 1, 0.5),
        (1, 2, 0.4),
        (0, 2, 0.9),
        (2, 3, 0.35),
        (3, 4, 0.8),
        (0, 4, 1.1),
    ];
    let profiles: Vec<CurveProfile> = measured
        .iter()
        .map(|&(first, second, highest)| {
            with_losses(&any, [losses[first], highest, losses[second]])
        })
        .collect();
    let paths: Vec<(usize, usize, &CurveProfile)> = measured
        .iter()
        .zip(&profiles)
        .map(|(&(first, second, _), profile)| (first, second, profile))
        .collect();
    let tree = model_merge_tree(&losses, &paths).unwrap();
    let found: Vec<(usize, Death)> = tree
        .branches()
        .iter()
        .map(|branch| (branch.minimum, branch.death))
        .collect();
    let expected = [
        (0, Death::Never),
        (4, Death::At(0.8)),
        (2, Death::At(0.5)),
        (1, Death::At(0.4)),
        (3, Death::At(0.35)),
    ];
    assert_eq!(found, expected);
    // Models 1 and 4 meet where their lowest way is highest.
    assert_eq!(tree.meeting(3, 1).unwrap(), Death::At(0.8));
    // Two of the paths close cycles, and change nothing.
    let needed = [0, 1, 3, 4].map(|index| paths[index]);
    let shorter = model_merge_tree(&losses, &needed).unwrap();
    let deaths = shorter.branches().iter().map(|branch| branch.death);
    assert_eq!(deaths.collect::<Vec<_>>(), expected.map(|(_, death)| death));
}

#[test]
fn a_stopped_profile_is_refused_and_stopped_controls_are_not() {
    let data = nothing();
    let models = [[-1.0, 0.0], [1.0, 0.0]].map(|x| point(&x));
    let [left, right] = &models;
    // Places 1 to 3 of the path, of the line, and of the random line.
    let stopped_at = |place: usize| {
        let mut places = 0;
        let risk = Risk::new(&ring, &data).with_observer(move |progress| {
            places += usize::from(progress.work == Work::Point);
            match progress.work == Work::Point && places == place {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let config = CurveProfileConfig::new()
            .with_num_points(3)
            .with_controls(1);
        let line = PolygonalChain::line(left, right).unwrap();
        config.run(&risk, &line).unwrap()
    };
    let stopped = stopped_at(2);
    assert!(!stopped.completed);
    let error = model_merge_tree(&[0.0, 0.0], &[(0, 1, &stopped)]).unwrap_err();
    let expected = PathError::StoppedProfile {
        first: 0,
        second: 1,
        t: 0.5,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "the profile of the path from model 0 to model 1 was stopped at t = 0.5, and the path may be higher after \
         it; measure it to its end"
    );
    let controls = stopped_at(4);
    assert!(!controls.completed && controls.barriers().is_some());
    let tree = model_merge_tree(&[0.0, 0.0], &[(0, 1, &controls)]).unwrap();
    assert_eq!(tree.branches()[1].death, Death::At(1.0));
}

#[test]
fn losses_that_are_not_those_of_the_ends_are_refused() {
    let data = nothing();
    let risk = Risk::new(&double_well, &data);
    let models = [[-1.0], [1.0]].map(|x| point(&x));
    let [left, right] = &models;
    let profile = line(&risk, [left, right]);
    let tree = |losses: [f64; 2]| model_merge_tree(&losses, &[(0, 1, &profile)]);
    // To a thousandth, for sums in another order.
    assert!(tree([-0.3, 0.3 * (1.0 + 9e-4)]).is_ok());
    assert!(tree([-0.3, 0.3 * (1.0 + 1.1e-3)]).is_err());
    let error = tree([-0.3, 0.5]).unwrap_err();
    assert!(matches!(
        error,
        PathError::OtherEnds {
            first: 0,
            second: 1,
            ..
        }
    ));
    let exact = with_losses(&profile, [0.25, 1.0, 0.5]);
    // A path that runs the other way.
    let error = model_merge_tree(&[0.25, 0.5], &[(1, 0, &exact)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the path from model 1 to model 0 has losses [0.25, 0.5] at its ends, and these models have [0.5, 0.25]; \
         pass the profile of a path between them, or the losses measured with the data, mode and \
         `NormalizationPolicy` of the profile"
    );
}

#[test]
fn models_that_are_not_there_are_refused() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let profile = line(&risk, [&point(&[-1.0, 0.0]), &point(&[1.0, 0.0])]);
    let refused = |losses: &[f64], first, second| {
        let error = model_merge_tree(losses, &[(first, second, &profile)]);
        match error.unwrap_err() {
            PathError::Topology(error) => error,
            other => panic!("{other}"),
        }
    };
    for (first, second) in [(0, 2), (2, 1), (1, 1)] {
        let expected = TopologyError::NoEdge {
            first,
            second,
            models: 2,
        };
        assert_eq!(refused(&[0.0, 0.0], first, second), expected);
    }
    assert_eq!(refused(&[], 0, 1), TopologyError::NoModels);
    let expected = TopologyError::NanLoss { model: 1 };
    assert_eq!(refused(&[0.0, f64::NAN], 0, 1), expected);
}
