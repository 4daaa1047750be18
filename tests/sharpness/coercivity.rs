//! Villani's function along rays, against losses where it is known.

use std::ops::ControlFlow;

use burn::tensor::{DType, Tensor, TensorData};
use burnscape::loss::{Risk, Work};
use burnscape::sharpness::{Coercivity, CoercivityConfig, SharpnessError};
use burnscape::space::{Grid, SpaceError};
use burnscape::{Csv, OutOfRange};
use burnscape_testkit::double::device;
use burnscape_testkit::objectives::Point;

fn grid(radii: &[f64]) -> Grid {
    Grid::from_coordinates(radii.to_vec()).unwrap()
}

fn zeros(dimension: usize) -> Point {
    Point::new(&vec![0.0; dimension], &device(), DType::F64)
}

fn run(
    config: &CoercivityConfig,
    dimension: usize,
    loss: impl Fn(&Point) -> Tensor<1> + Sync,
) -> Result<Coercivity, SharpnessError> {
    let loss = |m: &Point, _: Tensor<1>| loss(m);
    let data = [Tensor::<1>::zeros([1], &device())];
    config.run(&Risk::new(&loss, &data), &zeros(dimension))
}

fn square(point: &Point) -> Tensor<1> {
    point.w.val().square().sum()
}

fn logarithm(point: &Point) -> Tensor<1> {
    (square(point) + 1.0).log()
}

/// A fourth power of sums of the coordinates.
fn quartic(point: &Point) -> Tensor<1> {
    let w = point.w.val();
    let n = w.dims()[0];
    let entries: Vec<f64> = (0..n * n)
        .map(|at| (1.0 + 0.37 * (at * at) as f64).sin())
        .collect();
    let entries = TensorData::new(entries, [n, n]);
    let matrix = Tensor::<2>::from_data(entries, (&w.device(), w.dtype()));
    let sums = w.unsqueeze::<2>().matmul(matrix);
    sums.square().square().sum() * 0.25
}

#[test]
fn a_quadratic_grows_with_the_square_of_the_radius_on_every_ray() {
    for seed in 0..3 {
        let config = CoercivityConfig::new(grid(&[1.0, 2.0, 3.0]), 0.5).with_seed(seed);
        let found = run(&config, 10, square).unwrap();
        // ½ h |w|² with h = 2: −d h + h² r² / s.
        for (found, exact) in found.minima.iter().zip([-12.0, 12.0, 52.0]) {
            assert!((found - exact).abs() < 1e-11, "{found} {exact}");
        }
        for (mean, minimum) in found.means.iter().zip(&found.minima) {
            assert!((mean - minimum).abs() < 1e-11);
        }
        assert!(found.slopes.iter().all(|slope| (slope - 8.0).abs() < 1e-11));
        assert_eq!(found.half_widths, [Some(0.0); 3]);
        assert!(!found.is_refuted && found.completed);
        assert_eq!((found.num_rays, found.num_gradients), (16, 48));
        assert_eq!(found.num_matvecs, 480);
        let text = found.to_string();
        assert!(
            text.starts_with("Villani's condition is not refuted on 16 rays up to radius 3 ("),
            "{text}"
        );
        assert!(text.ends_with("this proves nothing about other rays and larger radii"));
    }
}

#[test]
fn a_loss_that_grows_too_slowly_is_refuted() {
    let config = CoercivityConfig::new(grid(&[1.0, 10.0, 100.0]), 1.0).with_num_rays(4);
    let found = run(&config, 10, logarithm).unwrap();
    for (found, exact) in found.minima.iter().zip([-8.0, -0.119_596, -0.001_199_96]) {
        assert!((found - exact).abs() < 1e-6, "{found} {exact}");
    }
    assert!(found.is_refuted);
    let text = found.to_string();
    assert!(
        text.ends_with("the smallest value is -1.2000e-3 there, not positive"),
        "{text}"
    );
    // In two dimensions and with more noise the function is positive, and falls.
    let config = CoercivityConfig::new(grid(&[10.0, 100.0]), 0.1);
    let found = run(&config, 2, logarithm).unwrap();
    assert!(found.minima[0] > found.minima[1] && found.minima[1] > 0.0);
    assert!(found.is_refuted);
    let text = found.to_string();
    assert!(text.ends_with("so that it does not grow"), "{text}");
    // A constant slope does not grow either.
    let plane = |point: &Point| point.w.val().sum();
    assert!(run(&config, 2, plane).unwrap().is_refuted);
    // An L2 term confines the logarithm.
    let confined = |point: &Point| logarithm(point) + square(point) * 0.05;
    assert!(!run(&config, 2, confined).unwrap().is_refuted);
}

#[test]
fn an_estimated_laplacian_is_within_its_interval() {
    let radii = [0.5, 1.0];
    for seed in 0..3 {
        let config = CoercivityConfig::new(grid(&radii), 1.0).with_num_rays(1);
        let exact = run(&config.clone().with_seed(seed), 40, quartic).unwrap();
        assert_eq!(exact.half_widths, [Some(0.0); 2]);
        assert_eq!(exact.num_matvecs, 80);
        let config = config.with_max_matvecs(32).with_seed(seed);
        let found = run(&config, 40, quartic).unwrap();
        assert_eq!(found.num_matvecs, 64);
        for index in 0..2 {
            let width = found.half_widths[index].unwrap();
            let difference = (found.minima[index] - exact.minima[index]).abs();
            assert!(width > 0.0 && difference <= 2.0 * width, "{found:?}");
        }
        let narrow = run(&config.clone().with_confidence(0.5), 40, quartic).unwrap();
        assert_eq!(narrow.minima, found.minima);
        assert!(narrow.half_widths[0] < found.half_widths[0]);
        // Further rays leave the estimate of the first one.
        let many = run(&config.with_num_rays(8), 40, quartic).unwrap();
        assert!(many.minima[0] <= found.minima[0]);
    }
    // A single product has no interval, and refutes nothing.
    let config = CoercivityConfig::new(grid(&[10.0, 100.0]), 0.1).with_max_matvecs(1);
    let found = run(&config, 2, logarithm).unwrap();
    assert_eq!((found.half_widths[1], found.is_refuted), (None, false));
}

#[test]
fn more_rays_leave_the_first_ones_and_can_only_lower_the_minima() {
    let config = CoercivityConfig::new(grid(&[0.5, 1.0, 2.0]), 1.0);
    let [few, many] = [3, 6].map(|count| {
        let config = config.clone().with_num_rays(count);
        run(&config, 6, quartic).unwrap()
    });
    for (few, many) in few.minima.iter().zip(&many.minima) {
        assert!(many <= few, "{many} {few}");
    }
    let other = run(&config.with_num_rays(3).with_seed(1), 6, quartic).unwrap();
    assert_ne!(few.minima, other.minima);
}

#[test]
fn a_stopped_measurement_has_the_rays_before() {
    let config = CoercivityConfig::new(grid(&[1.0, 2.0]), 1.0).with_num_rays(3);
    let loss = |m: &Point, _: Tensor<1>| quartic(m);
    let data = [Tensor::<1>::zeros([1], &device())];
    let stop_at = |point: usize| {
        let risk = Risk::new(&loss, &data).with_observer(move |progress| {
            assert_eq!((progress.work, progress.total), (Work::Sample, Some(6)));
            if progress.done == point {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        config.run(&risk, &zeros(4))
    };
    assert_eq!(stop_at(1), Err(SharpnessError::Stopped));
    for (point, rays) in [(2, 1), (3, 1), (4, 2), (5, 2)] {
        let found = stop_at(point).unwrap();
        assert_eq!((found.num_rays, found.completed), (rays, false), "{point}");
    }
    assert!(stop_at(6).unwrap().completed);
}

#[test]
fn a_table_has_a_line_for_each_radius() {
    let config = CoercivityConfig::new(grid(&[1.0, 3.0]), 0.5).with_num_rays(1);
    let found = run(&config, 1, square).unwrap();
    let mut table = Vec::new();
    found.write_csv(&mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(
        lines[0],
        ["radius", "minimum", "half_width", "mean", "slope"]
    );
    let number = |text: &str| text.parse::<f64>().unwrap();
    for (line, exact) in lines[1..]
        .iter()
        .zip([[1.0, 6.0, 0.0, 6.0], [3.0, 70.0, 0.0, 70.0]])
    {
        for (cell, exact) in line.iter().zip(exact) {
            assert!((number(cell) - exact).abs() < 1e-12, "{cell} {exact}");
        }
    }
    assert!((number(lines[1][4]) - 8.0).abs() < 1e-12);
    assert_eq!((lines[2][4], lines.len()), ("", 3));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let config = || CoercivityConfig::new(grid(&[1.0, 2.0]), 1.0);
    for (name, config) in [
        ("radii[0]", CoercivityConfig::new(grid(&[0.0, 1.0]), 1.0)),
        ("rate", CoercivityConfig::new(grid(&[1.0, 2.0]), 0.0)),
        ("num_rays", config().with_num_rays(0)),
        ("max_matvecs", config().with_max_matvecs(0)),
        ("confidence", config().with_confidence(1.0)),
    ] {
        let error = run(&config, 2, square).unwrap_err();
        let SharpnessError::OutOfRange(OutOfRange { name: found, .. }) = error else {
            panic!("{name}: {error}");
        };
        assert_eq!(found, name);
    }
    let error = run(&CoercivityConfig::new(grid(&[1.0]), 1.0), 2, square);
    let (found, needed) = (1, 2);
    let expected = SpaceError::TooFewPoints { found, needed };
    assert_eq!(error, Err(SharpnessError::Space(expected)));
    // A root of what is negative beyond a radius of 1.5.
    let bounded = |point: &Point| (square(point).neg() + 2.25).sqrt();
    let error = run(&config(), 2, bounded).unwrap_err();
    let is_expected = matches!(error, SharpnessError::NonFiniteSample { sample: 0, .. });
    assert!(is_expected, "{error}");
}
