//! Principal components of trajectories that are known exactly, and of models beside dense decompositions.

use std::f64::consts::PI;

use burn::tensor::{DType, Device};
use burnscape::landscape::DirectionKind;
use burnscape::prelude::*;
use burnscape::trajectory::{
    Centering, Trajectory, TrajectoryError, TrajectoryPca, TrajectoryPcaConfig,
};
use burnscape_testkit::golden;
use burnscape_testkit::models::TwoLayers;
use burnscape_testkit::objectives::Point;
use serde::Deserialize;

use super::points::{Signs, reached, through};
use crate::path::models::{network, parameters};
use crate::path::settings::each_matters;

const BOTH: [Centering; 2] = [Centering::End, Centering::Mean];

fn pca<P: AsRef<[f64]>>(points: &[P], count: usize, centering: Centering) -> TrajectoryPca {
    let config = TrajectoryPcaConfig::new(count).with_centering(centering);
    config.run(&through(points)).unwrap()
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    for (index, expected) in expected.iter().enumerate() {
        let found = found[index];
        assert!(
            (found - expected).abs() < tolerance,
            "{index}: {found} {expected}"
        );
    }
}

#[test]
fn a_line_has_one_component() {
    let points = [[1.0, 0.0], [2.0, 2.0], [4.0, 6.0], [3.5, 5.0]];
    for centering in BOTH {
        let found = pca(&points, 1, centering);
        assert_near(&found.shares, &[1.0, 0.0, 0.0], 1e-12);
        assert_eq!(found.shares.len(), 3);
        let direction = found.directions()[0].vector().to_host().unwrap();
        let root = 5.0_f64.sqrt();
        assert_near(&direction, &[1.0 / root, 2.0 / root], 1e-12);
    }
    let ahead = pca(&points, 1, Centering::End);
    let root = 5.0_f64.sqrt();
    assert_near(
        &ahead.coordinates[0],
        &[-2.5 * root, -1.5 * root, 0.5 * root, 0.0],
        1e-12,
    );
}

#[test]
fn a_circle_and_an_ellipse_explain_what_their_axes_say() {
    for count in [3, 4, 7, 12] {
        let ellipse = |short: f64| -> Vec<[f64; 2]> {
            let angle = |i: usize| 2.0 * PI * i as f64 / count as f64;
            let points = (0..count).map(|i| [angle(i).cos(), short * angle(i).sin()]);
            points.collect()
        };
        let circle = pca(&ellipse(1.0), 2, Centering::Mean);
        assert_near(&circle.shares, &[0.5, 0.5], 1e-12);
        let half = pca(&ellipse(0.5), 2, Centering::Mean);
        assert_near(&half.shares, &[0.8, 0.2], 1e-12);
        let singular_value = (0.5 * count as f64).sqrt();
        let expected = [singular_value, 0.5 * singular_value];
        assert_near(&half.singular_values, &expected, 1e-12);
    }
}

#[test]
fn a_path_with_a_corner_explains_what_its_center_says() {
    let points = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 1.0]];
    let mean = pca(&points, 2, Centering::Mean);
    assert_near(&mean.shares, &[6.0 / 7.0, 1.0 / 7.0, 0.0], 1e-12);
    let end = pca(&points, 2, Centering::End);
    assert_near(&end.shares, &[0.895_284_71, 0.104_715_29, 0.0], 1e-8);
    assert!((end.explained_share() - 1.0).abs() < 1e-12);
    assert_eq!(end.steps, [0, 10, 20, 30]);
    // The steps are two to the right and one up.
    let expected = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
    for (s, row) in end.step_gram.iter().enumerate() {
        for (t, found) in row.iter().enumerate() {
            let dot = expected[s][0] * expected[t][0] + expected[s][1] * expected[t][1];
            assert!((found - dot).abs() < 1e-12, "{s} {t}");
        }
    }
}

/// The singular value decomposition of the checkpoints around their center, by NumPy.
#[derive(Deserialize)]
struct Golden {
    count: usize,
    dimension: usize,
    centering: Centering,
    shares: Vec<f64>,
    singular_values: Vec<f64>,
    directions: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct GoldenFile {
    cases: Vec<Golden>,
}

/// The checkpoints, measured from their center.
fn centered(points: &[Vec<f64>], centering: Centering) -> Vec<Vec<f64>> {
    let (count, dimension) = (points.len(), points[0].len());
    let center: Vec<f64> = match centering {
        Centering::End => points[count - 1].clone(),
        Centering::Mean => (0..dimension)
            .map(|j| points.iter().map(|point| point[j]).sum::<f64>() / count as f64)
            .collect(),
    };
    let from_center = |point: &Vec<f64>| point.iter().zip(&center).map(|(x, c)| x - c).collect();
    points.iter().map(from_center).collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Numbers without a pattern.
fn scattered(count: usize, dimension: usize) -> Vec<Vec<f64>> {
    let number = |index: usize| (1.3 * (index * index) as f64).sin();
    let point = |i: usize| (0..dimension).map(move |j| number(i * dimension + j + 1));
    (0..count).map(|i| point(i).collect()).collect()
}

#[test]
fn components_are_those_of_a_dense_decomposition() {
    let golden: GoldenFile = golden::load("trajectory", "pca").unwrap();
    assert_eq!(golden.cases.len(), 6);
    for exact in golden.cases {
        let points = scattered(exact.count, exact.dimension);
        let found = pca(&points, exact.directions.len(), exact.centering);
        assert_near(&found.shares, &exact.shares, 1e-10);
        let largest = exact.singular_values[0];
        assert_near(
            &found.singular_values,
            &exact.singular_values,
            1e-10 * largest,
        );
        assert_eq!(found.shares.len(), exact.count - 1);
        for (k, direction) in found.directions().iter().enumerate() {
            let vector = direction.vector().to_host().unwrap();
            let cosine = dot(&vector, &exact.directions[k]);
            assert!((cosine.abs() - 1.0).abs() < 1e-10, "{k}: {cosine}");
            for (t, point) in centered(&points, exact.centering).iter().enumerate() {
                let along = dot(&vector, point);
                assert!((found.coordinates[k][t] - along).abs() < 1e-10 * largest);
            }
        }
    }
}

#[test]
fn components_are_orthonormal_and_have_a_sign() {
    // The second and third are a hundred thousand times smaller than the first.
    let mut points = scattered(7, 40);
    for (i, point) in points.iter_mut().enumerate() {
        for (j, x) in point.iter_mut().enumerate() {
            *x = 1e-2 * *x + (i * i) as f64 * (1.0 + j as f64);
        }
    }
    for centering in BOTH {
        let found = pca(&points, 3, centering);
        let vectors = found.directions().iter().map(|direction| {
            let vector = direction.vector().to_host().unwrap();
            let largest = vector
                .iter()
                .fold(0.0_f64, |largest, x| largest.max(x.abs()));
            let first = vector.iter().find(|x| x.abs() == largest).unwrap();
            assert!(*first > 0.0);
            vector
        });
        let vectors: Vec<Vec<f64>> = vectors.collect();
        for (k, one) in vectors.iter().enumerate() {
            for (l, other) in vectors.iter().enumerate() {
                let expected = if k == l { 1.0 } else { 0.0 };
                assert!((dot(one, other) - expected).abs() < 1e-12, "{k} {l}");
            }
        }
        for (k, direction) in found.directions().iter().enumerate() {
            let kind = DirectionKind::PrincipalComponent {
                index: k,
                share: found.shares[k],
            };
            assert_eq!(direction.kind(), &kind);
        }
    }
}

#[test]
fn a_model_of_several_pieces_and_parameters_has_the_components_of_its_vectors() {
    // 3,080 parameters in four tensors; a piece has 1,024 coordinates, for two checkpoints all of them.
    let start = TwoLayers::new([30, 60, 20], &Device::default());
    let space = ParamSpace::of(&start).unwrap();
    for count in [2, 10] {
        let models: Vec<TwoLayers> = (0..count)
            .map(|seed| {
                let weights = ParamVector::gaussian(&space, seed).unwrap();
                weights.apply_to(&start).unwrap()
            })
            .collect();
        let points: Vec<Vec<f64>> = models.iter().map(parameters).collect();
        let trajectory = Trajectory::of(models.into_iter().enumerate()).unwrap();
        for centering in BOTH {
            let config = TrajectoryPcaConfig::new(1).with_centering(centering);
            let found = config.run(&trajectory).unwrap();
            // An eigenvector of the covariance, and the largest. The vector has the element type of the model.
            let away = centered(&points, centering);
            let all: f64 = away.iter().map(|point| dot(point, point)).sum();
            let vector = found.directions()[0].vector().to_host().unwrap();
            let along: Vec<f64> = away.iter().map(|point| dot(point, &vector)).collect();
            let largest = dot(&along, &along);
            assert!((found.shares[0] - largest / all).abs() < 1e-6);
            assert!(found.shares.iter().all(|share| *share <= found.shares[0]));
            for (j, x) in vector.iter().enumerate() {
                let product: f64 = away.iter().zip(&along).map(|(point, a)| point[j] * a).sum();
                assert!((product / largest - x).abs() < 1e-5, "{j}");
            }
        }
    }
}

#[test]
fn the_plane_of_the_end_contains_the_trained_model_and_has_the_coordinates() {
    let points = scattered(6, 30);
    for centering in BOTH {
        let trajectory = through(&points);
        let config = TrajectoryPcaConfig::new(3).with_centering(centering);
        let found = config.run(&trajectory).unwrap();
        let plane = found.plane(&trajectory).unwrap();
        for (t, point) in points.iter().enumerate() {
            let model = Point::new(point, &Device::default(), DType::F64);
            let place = plane.place(&model).unwrap();
            assert!((place.x - found.coordinates[0][t]).abs() < 1e-10);
            assert!((place.y - found.coordinates[1][t]).abs() < 1e-10);
            if t == 5 && centering == Centering::End {
                assert_eq!((place.x, place.y, place.distance), (0.0, 0.0, 0.0));
                assert_eq!(place.off_plane_share, 0.0);
            } else {
                assert!(place.off_plane_share > 0.01);
            }
        }
        let origin = plane.point(0.0, 0.0).unwrap().coordinates();
        let expected: Vec<f64> = (0..30)
            .map(|j| match centering {
                Centering::End => points[5][j],
                Centering::Mean => points.iter().map(|point| point[j]).sum::<f64>() / 6.0,
            })
            .collect();
        assert_near(&origin, &expected, 1e-12);
    }
}

#[test]
fn every_setting_matters() {
    let trajectory = through(&scattered(5, 8));
    let base = TrajectoryPcaConfig::new(1);
    let settings = vec![
        ("num_components", TrajectoryPcaConfig::new(2)),
        ("centering", base.with_centering(Centering::Mean)),
    ];
    each_matters(&base, settings, |config| {
        config.run(&trajectory).unwrap().to_json().unwrap()
    });
}

#[test]
fn what_has_no_components_is_refused() {
    let run = |trajectory: &Trajectory<Point>, count| {
        TrajectoryPcaConfig::new(count).run(trajectory).unwrap_err()
    };
    let line = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [5.0, 5.0]];
    assert_eq!(
        run(&through(&line), 2),
        TrajectoryError::NoComponent {
            asked: 2,
            available: 1
        }
    );
    let corner = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 1.0]];
    assert_eq!(
        run(&through(&corner), 3),
        TrajectoryError::NoComponent {
            asked: 3,
            available: 2
        }
    );
    let still = [[1.0, -0.5]; 4];
    assert_eq!(run(&through(&still), 1), TrajectoryError::NotMoving);
    assert_eq!(
        run(&through(&[[1.0, 2.0]]), 1),
        TrajectoryError::TooFewCheckpoints {
            found: 1,
            needed: 2
        }
    );
    for bad in [f64::NAN, f64::INFINITY] {
        for place in 0..3 {
            let mut points = [[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]];
            points[place][1] = bad;
            let step = 10 * place;
            assert_eq!(
                run(&through(&points), 1),
                TrajectoryError::NonFinite { step }
            );
        }
    }
    // The numbers are finite, and the squares of the differences are not.
    let far = [[0.0], [1e200], [0.0]];
    assert_eq!(
        run(&through(&far), 1),
        TrajectoryError::NonFinite { step: 10 }
    );
    let error = run(&through(&line), 0);
    assert!(matches!(error, TrajectoryError::OutOfRange(_)), "{error}");
}

#[test]
fn a_plane_needs_two_components() {
    let trajectory = through(&scattered(5, 8));
    let one = TrajectoryPcaConfig::new(1).run(&trajectory).unwrap();
    assert_eq!(
        one.plane(&trajectory).unwrap_err(),
        TrajectoryError::NoComponent {
            asked: 2,
            available: 1
        }
    );
    let two = TrajectoryPcaConfig::new(2).run(&trajectory).unwrap();
    let other = Trajectory::of([(0, network(1)), (1, network(2))]).unwrap();
    let error = two.plane(&other).unwrap_err();
    assert!(matches!(error, TrajectoryError::Space(_)), "{error}");
}

#[test]
fn a_plane_is_that_of_the_trajectory_that_was_analyzed() {
    let points = scattered(5, 8);
    let changed = |checkpoint: usize| {
        let mut points = points.clone();
        points[checkpoint][3] += 0.1;
        through(&points)
    };
    for centering in BOTH {
        let found = pca(&points, 2, centering);
        let refused = |trajectory: &Trajectory<Point>, part: &str| {
            let error = found.plane(trajectory).unwrap_err();
            let is_other = matches!(error, TrajectoryError::OtherTrajectory { .. });
            assert!(is_other && error.to_string().contains(part), "{error}");
        };
        refused(&through(&points[1..]), "4 checkpoints");
        // The same steps from another start, and to another end.
        refused(&changed(0), "first checkpoint");
        refused(&changed(4), "first checkpoint");
        // One that returns to its start has no distance from it.
        let mut returning = points.clone();
        returning[4] = points[0].clone();
        let trajectory = through(&returning);
        let found = pca(&returning, 2, centering);
        assert!(found.plane(&trajectory).is_ok());
    }
}

#[test]
fn results_go_through_json_without_their_vectors() {
    let trajectory = through(&scattered(5, 8));
    let found = TrajectoryPcaConfig::new(2).run(&trajectory).unwrap();
    let read = TrajectoryPca::from_json(&found.to_json().unwrap()).unwrap();
    assert!(read.directions().is_empty());
    assert_eq!(read.steps, found.steps);
    assert_near(&read.shares, &found.shares, 1e-15);
    assert_near(&read.coordinates[1], &found.coordinates[1], 1e-14);
    let [read, found] = [read, found].map(|pca| pca.sign_flip(9, 3).unwrap());
    assert_eq!(read.p_value, found.p_value);
    assert!((read.mean - found.mean).abs() < 1e-12);
}

#[test]
fn coordinates_are_a_table() {
    let found = pca(&[[0.0, 1.0], [1.0, 1.0], [3.0, 1.0]], 1, Centering::End);
    let mut written = Vec::new();
    found.write_csv(&mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("step,pc1", 4));
    assert!(lines[1].starts_with("0,-3") || lines[1].starts_with("0,-2.99"));
    assert!(lines[3] == "20,0" || lines[3] == "20,-0");
}

#[test]
fn steps_of_equal_length_in_new_directions_are_a_random_walk() {
    // Orthonormal steps: the Gram matrix is that of a walk in infinitely many dimensions.
    for count in [2, 3, 5, 50] {
        let step = |t: usize| -> Vec<f64> {
            let one = |j: usize| if j == t { 1.0 } else { 0.0 };
            (0..count - 1).map(one).collect()
        };
        let steps: Vec<Vec<f64>> = (0..count - 1).map(step).collect();
        for centering in BOTH {
            let found = pca(&reached(&steps), 1, centering);
            assert_near(&found.shares, &found.random_walk_shares(), 1e-12);
            assert_eq!(found.shares.len(), count - 1);
        }
    }
}

#[test]
fn a_walk_in_many_dimensions_explains_what_the_null_says() {
    let mut signs = Signs::new(1);
    let mut step = |_: usize| -> Vec<f64> { (0..20_000).map(|_| signs.draw()).collect() };
    let steps: Vec<Vec<f64>> = (1..200).map(&mut step).collect();
    let trajectory = through(&reached(&steps));
    for centering in BOTH {
        let config = TrajectoryPcaConfig::new(1).with_centering(centering);
        let found = config.run(&trajectory).unwrap();
        assert_near(&found.shares, &found.random_walk_shares(), 3e-3);
    }
}
