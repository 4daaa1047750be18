//! Keskar's box against its corners, and bounds from above.

use burn::tensor::{Tensor, TensorData};
use burnscape::loss::Risk;
use burnscape::sharpness::{Region, WorstCaseBound, WorstCaseSharpnessConfig};
use burnscape::space::Scale;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

use super::networks::{Point, close, device, matrix, quadratic};

#[test]
fn a_linear_loss_rises_to_the_corner_in_one_step() {
    let (model, data) = (
        Point::new(&[0.5, -2.0, 0.0]),
        [Tensor::<1>::from_data([3.0, -4.0, 0.5], &device())],
    );
    let loss = |m: &Point, g: Tensor<1>| (m.w.val() * g).sum() + 1.0;
    let found = WorstCaseSharpnessConfig::keskar(0.01)
        .with_num_starts(1)
        .run(&Risk::new(&loss, &data), &model)
        .unwrap();
    // 1 + 1.5 + 8; widths 1.5, 3 and 1.
    let rise = 0.01 * (3.0 * 1.5 + 4.0 * 3.0 + 0.5);
    close(found.base_loss, 10.5, 1e-14);
    close(found.rise, rise, 1e-12);
    close(found.keskar().unwrap(), 100.0 * rise / 11.5, 1e-12);
    assert_eq!((found.at_bounds, found.num_gradients), (Some(1.0), 2));
    assert!(found.outcome.is_converged() && found.on_boundary);
    close(
        found.displacement_norm,
        0.01 * (2.25 + 9.0 + 1.0_f64).sqrt(),
        1e-12,
    );
}

#[test]
fn a_convex_loss_is_highest_in_the_best_of_all_corners() {
    let h = [[4.0, 1.0, 0.5], [1.0, 1.0, -0.3], [0.5, -0.3, 2.0]];
    let (w, epsilon) = ([0.3_f64, -0.2, 0.1], 0.5);
    let value = |w: [f64; 3]| -> f64 {
        let rows = (0..3).map(|i| (0..3).map(|j| w[i] * h[i][j] * w[j]).sum::<f64>());
        0.5 * rows.sum::<f64>()
    };
    let corners = (0..8).map(|corner: usize| {
        value(std::array::from_fn(|i| {
            let sign = if corner >> i & 1 == 1 { 1.0 } else { -1.0 };
            w[i] + sign * epsilon * (w[i].abs() + 1.0)
        }))
    });
    let rise = corners.fold(0.0, f64::max) - value(w);
    let found = WorstCaseSharpnessConfig::keskar(epsilon)
        .with_num_starts(10)
        .run(&Risk::new(&quadratic, &matrix(h)), &Point::new(&w))
        .unwrap();
    close(found.rise, rise, 1e-12);
    close(
        found.keskar().unwrap(),
        100.0 * rise / (1.0 + value(w)),
        1e-12,
    );
    assert_eq!(found.at_bounds, Some(1.0));
    assert!(found.standard_error.is_some() && found.rises.len() == 10);
}

#[test]
fn a_maximum_inside_the_box_is_found() {
    let (model, data) = (
        Point::new(&[0.0, 0.0]),
        [Tensor::<1>::from_data([0.03, -0.07], &device())],
    );
    let loss = |m: &Point, top: Tensor<1>| (m.w.val() - top).square().sum().neg() + 1.0;
    let found = WorstCaseSharpnessConfig::keskar(0.1)
        .with_num_steps(100)
        .run(&Risk::new(&loss, &data), &model)
        .unwrap();
    assert!((found.rise - 0.0058).abs() < 1e-7, "{}", found.rise);
    assert_eq!((found.at_bounds, found.on_boundary), (Some(0.0), false));
    assert!(found.outcome.is_converged());
}

#[test]
fn a_box_of_no_width_has_no_rise() {
    let data = matrix([[2.0, 1.0], [1.0, 2.0]]);
    let found = WorstCaseSharpnessConfig::keskar(0.0)
        .run(&Risk::new(&quadratic, &data), &Point::new(&[1.0, 1.0]))
        .unwrap();
    assert_eq!((found.rise, found.keskar().unwrap()), (0.0, 0.0));
}

/// A quadratic at its minimum: the place, and the matrix row by row.
struct Bowl {
    center: Vec<f64>,
    rows: Vec<f64>,
}

impl Bowl {
    /// `B Bᵀ` for a matrix of standard normal numbers, with `columns` times as many columns as rows.
    fn new(n: usize, columns: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let center: Vec<f64> = (0..n).map(|_| normal()).collect();
        let factor: Vec<f64> = (0..n * n * columns).map(|_| normal()).collect();
        let row = |i: usize| &factor[i * n * columns..(i + 1) * n * columns];
        let dot = |i: usize, j: usize| row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
        let rows = (0..n * n).map(|at| dot(at / n, at % n)).collect();
        Self { center, rows }
    }

    fn data(&self) -> [(Tensor<2>, Tensor<1>); 1] {
        let n = self.center.len();
        let h = Tensor::from_data(TensorData::new(self.rows.clone(), [n, n]), &device());
        let center = Tensor::from_data(TensorData::new(self.center.clone(), [n]), &device());
        [(h, center)]
    }

    /// The largest rise over all corners of the box.
    fn highest_corner(&self, epsilon: f64) -> f64 {
        let n = self.center.len();
        let width: Vec<f64> = self
            .center
            .iter()
            .map(|w| epsilon * (w.abs() + 1.0))
            .collect();
        let rise = |corner: usize| -> f64 {
            let sign = |i: usize| if corner >> i & 1 == 1 { 1.0 } else { -1.0 };
            let e: Vec<f64> = (0..n).map(|i| sign(i) * width[i]).collect();
            let term = |at: usize| e[at / n] * self.rows[at] * e[at % n];
            0.5 * (0..n * n).map(term).sum::<f64>()
        };
        // Opposite corners are as high as each other.
        (0..1 << (n - 1)).map(rise).fold(0.0, f64::max)
    }
}

fn bowl(m: &Point, (h, center): (Tensor<2>, Tensor<1>)) -> Tensor<1> {
    let w = (m.w.val() - center).reshape([1, h.dims()[0]]);
    (w.clone().matmul(h) * w).sum() * 0.5
}

#[test]
fn most_random_quadratics_are_climbed_to_their_highest_corner() {
    let epsilon = 0.01;
    for (n, columns) in [(8, 1), (8, 2), (12, 1), (12, 2)] {
        let (mut reached, mut gradients, mut short) = (0, 0, Vec::new());
        for seed in 0..40 {
            let it = Bowl::new(n, columns, seed);
            let highest = it.highest_corner(epsilon);
            let model = Point::new(&it.center);
            let found = WorstCaseSharpnessConfig::keskar(epsilon)
                .with_seed(seed)
                .run(&Risk::new(&bowl, &it.data()), &model)
                .unwrap();
            assert!(found.rise <= highest * (1.0 + 1e-12));
            reached += usize::from(found.rise >= highest * (1.0 - 1e-9));
            gradients += found.num_gradients;
            short.push(1.0 - found.rise / highest);
        }
        short.sort_by(f64::total_cmp);
        println!(
            "{n} coordinates, rank {}: {reached} of 40 reach the highest corner, median {:.3}, worst {:.3} \
             short, {:.0} gradients",
            n * columns,
            short[20],
            short[39],
            gradients as f64 / 40.0
        );
        assert!(reached >= 30, "{reached}");
        assert!(short[20] < 1e-9 && short[39] < 0.2, "{short:?}");
        assert!(gradients <= 40 * 40, "{gradients}");
    }
}

#[test]
fn the_bound_from_above_holds_for_the_highest_corner_of_a_quadratic() {
    let epsilon = 0.01;
    for seed in 0..40 {
        let it = Bowl::new(10, 1, seed);
        let (model, data) = (Point::new(&it.center), it.data());
        let hessian = Risk::new(&bowl, &data).hessian(&model).unwrap();
        let config = WorstCaseSharpnessConfig::keskar(epsilon);
        let bound = WorstCaseBound::of(&config, &hessian, &model).unwrap();
        let highest = it.highest_corner(epsilon);
        assert!(highest <= bound.rise * (1.0 + 1e-12), "{bound:?} {highest}");
        assert!(bound.rise < 4.0 * highest, "{bound:?} {highest}");
        assert_eq!(bound.confidence, 1.0);
        close(bound.linear, 0.0, 1e-12);
    }
}

#[test]
fn the_bound_from_above_has_a_part_of_the_gradient() {
    let (model, data) = (Point::new(&[1.0, -2.0]), matrix([[2.0, 0.0], [0.0, 1.0]]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let config = WorstCaseSharpnessConfig::keskar(0.1);
    let bound = WorstCaseBound::of(&config, &hessian, &model).unwrap();
    // c = (2, 3), g = (2, −2), C H C = diag(8, 9).
    close(bound.linear, 0.1 * (4.0 + 6.0), 1e-12);
    close(bound.quadratic, 0.5 * 0.01 * 2.0 * 9.0, 1e-12);
    // L = 1 + 2.
    close(bound.keskar().unwrap(), 100.0 * bound.rise / 4.0, 1e-12);
    let found = config.run(&Risk::new(&quadratic, &data), &model).unwrap();
    assert!(found.rise <= bound.rise);
}

#[test]
fn a_ball_has_a_bound_from_above_as_well() {
    let (model, data) = (Point::new(&[1.0, -2.0]), matrix([[2.0, 0.0], [0.0, 1.0]]));
    let risk = Risk::new(&quadratic, &data);
    let hessian = risk.hessian(&model).unwrap();
    let config = WorstCaseSharpnessConfig::new(0.1);
    for (scale, slope, top) in [
        // g = (2, −2).
        (Scale::Absolute, 8.0_f64.sqrt(), 2.0),
        // c = (1, 2), C H C = diag(2, 4).
        (Scale::ElementRelative, 20.0_f64.sqrt(), 4.0),
    ] {
        let config = config.clone().with_region(Region::Ball(scale));
        let bound = WorstCaseBound::of(&config, &hessian, &model).unwrap();
        close(bound.linear, 0.1 * slope, 1e-12);
        close(bound.quadratic, 0.5 * 0.01 * top, 1e-12);
        let found = config.run(&risk, &model).unwrap();
        assert!(found.rise <= bound.rise && found.at_bounds.is_none());
        assert!(found.rise > 0.9 * bound.rise);
    }
}

#[test]
fn keskars_measure_is_not_invariant_under_scaling_of_the_loss() {
    let data = matrix([[2.0, 1.0], [1.0, 2.0]]);
    let model = Point::new(&[1.0, 1.0]);
    let large = |m: &Point, h: Tensor<2>| quadratic(m, h) * 1024.0;
    let one = WorstCaseSharpnessConfig::keskar(0.01)
        .run(&Risk::new(&quadratic, &data), &model)
        .unwrap();
    let scaled = WorstCaseSharpnessConfig::keskar(0.01)
        .run(&Risk::new(&large, &data), &model)
        .unwrap();
    close(scaled.rise, 1024.0 * one.rise, 1e-12);
    let expected = 100.0 * 1024.0 * one.rise / (1.0 + 1024.0 * one.base_loss);
    close(scaled.keskar().unwrap(), expected, 1e-12);
    assert!(scaled.keskar().unwrap() > 1.2 * one.keskar().unwrap());
}
