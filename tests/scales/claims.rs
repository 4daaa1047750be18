//! Losses, gradients and weights in single precision whose squares are not numbers of it.

use burn::module::{Module, Param};
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::{SolveConfig, TraceConfig, TraceMethod};
use burnscape::loss::{Reduction, Risk};
use burnscape::optim::{Metric, SamConfig, SkipReason};
use burnscape::spectrum::Spectrum;
use burnscape_testkit::eigenvalues;

use crate::element::{DTYPE, device};

/// A row of weights: of rank two, so that the adaptive metric stretches it.
#[derive(Module, Debug)]
struct Row {
    w: Param<Tensor<2>>,
}

impl Row {
    fn new(weights: &[f64]) -> Self {
        let data = TensorData::new(weights.to_vec(), [1, weights.len()]);
        let w = Tensor::<2>::from_data(data, (&device(), DTYPE)).autodiff();
        Self {
            w: Param::from_tensor(w),
        }
    }

    fn numbers(&self) -> Vec<f64> {
        self.w.val().inner().into_data().iter().collect()
    }
}

fn sgd() -> ModuleOptimizer {
    SgdConfig::new().init()
}

/// `⟨slope, w⟩`.
fn linear(row: &Row, slope: &[f64]) -> Tensor<1> {
    let data = TensorData::new(slope.to_vec(), [1, slope.len()]);
    (row.w.val() * Tensor::<2>::from_data(data, (&device(), DTYPE))).sum()
}

/// Where a step along the slope looks from, relative to the weights, and its report's norm.
fn displacement(config: &SamConfig, weights: &[f64], slope: &[f64]) -> (Vec<f64>, f64) {
    let mut row = Row::new(weights);
    let mut sam = config.init(sgd()).expect("an optimizer");
    let mut seen = Vec::new();
    let closure = |row: &Row| {
        seen.push(row.numbers());
        linear(row, slope)
    };
    let report = sam.step(0.0, &mut row, closure).expect("a step");
    assert_eq!(report.skipped, None);
    let moved = seen[1].iter().zip(&seen[0]).map(|(x, y)| x - y);
    (moved.collect(), report.gradient_norm)
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    let size = expected.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    for (x, y) in found.iter().zip(expected) {
        let off = (x - y).abs() / size;
        assert!(off <= tolerance, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn spectra_traces_and_solutions_are_right_at_any_scale_of_the_loss() {
    // 1 1ᵀ + diag(1 … 8) / 8, and H w = g with w = ½.
    let entry = |at: usize| {
        1.0 + if at / 8 == at % 8 {
            (at / 8 + 1) as f64 / 8.0
        } else {
            0.0
        }
    };
    let largest = eigenvalues(&(0..64).map(entry).collect::<Vec<_>>())[7];
    let w: Param<Tensor<1>> = Param::from_tensor(Tensor::full([8], 0.5, (&device(), DTYPE)));
    for scale in [1.0_f64, 1e-15, 1e-22, 1e-25, 1e19] {
        let loss = move |w: &Param<Tensor<1>>, ()| {
            let w = w.val();
            let diagonal = Tensor::<1>::from_floats(
                [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0],
                &w.device(),
            );
            ((w.clone().square() * diagonal).sum() + w.sum().square()) * (0.5 * scale)
        };
        let hessian = Risk::new(&loss, &[()]).hessian(&w).expect("a Hessian");
        let top = Spectrum::of(&hessian).top_eigenpairs(1).expect("a pair");
        assert!(top.outcome.is_converged());
        assert_close(&[top.values[0] / scale], &[largest], 1e-6);
        let trace = TraceConfig::new()
            .with_method(TraceMethod::XTrace)
            .with_max_matvecs(40)
            .run(&hessian)
            .expect("a trace");
        assert!(trace.outcome.is_converged());
        assert_close(&[trace.value / scale], &[12.5], 1e-5);
        let gradient = hessian.gradient().expect("a gradient");
        let solution = SolveConfig::conjugate_gradients()
            .run(&hessian, &gradient)
            .expect("a solution");
        let solution = solution.x.to_host().expect("numbers");
        assert_close(&solution, &[0.5; 8], 1e-5);
    }
}

#[test]
fn a_step_looks_a_radius_away_whatever_the_size_of_the_gradient() {
    // From subnormal numbers to the end of the range.
    for size in [
        1e-42, 1e-38, 1e-30, 1e-20, 1e-12, 1.0, 1e15, 1e20, 1e30, 1e38,
    ] {
        let (moved, norm) = displacement(
            &SamConfig::new().with_rho(0.5),
            &[0.0, 0.0],
            &[3.0 * size, -1.5 * size],
        );
        let digits = if size < 1e-37 { 1e-2 } else { 1e-6 };
        let root = 1.25_f64.sqrt();
        assert_close(&moved, &[0.5 / root, -0.25 / root], digits);
        assert_close(&[norm], &[3.0 * size * root], digits);
    }
}

#[test]
fn a_zero_gradient_has_no_displacement_in_any_metric() {
    for config in [
        SamConfig::new(),
        SamConfig::asam(),
        SamConfig::new().with_metric(Metric::Adaptive { eta: 0.0 }),
        SamConfig::fisher_sam(),
        SamConfig::friendly_sam(),
        SamConfig::sa_gd().with_seed(0),
    ] {
        let mut row = Row::new(&[1.0, -2.0]);
        let mut sam = config.init(sgd()).expect("an optimizer");
        for _ in 0..2 {
            let step = sam.step(0.1, &mut row, |row: &Row| linear(row, &[0.0, 0.0]));
            let report = step.expect("a step");
            assert_eq!((report.gradient_norm, report.skipped), (0.0, None));
            assert_eq!(row.numbers(), [1.0, -2.0]);
        }
    }
}

#[test]
fn what_is_not_finite_is_skipped() {
    for slope in [[f64::INFINITY, 1.0], [f64::NAN, 1.0]] {
        let mut row = Row::new(&[1.0, -2.0]);
        let mut sam = SamConfig::new().init(sgd()).expect("an optimizer");
        let report = sam.step(0.1, &mut row, |row: &Row| linear(row, &slope));
        let report = report.expect("a step");
        assert_eq!(report.skipped, Some(SkipReason::NonFinite));
        assert_eq!(row.numbers(), [1.0, -2.0]);
    }
}

#[test]
fn the_adaptive_metric_takes_weights_whose_squares_are_no_numbers() {
    // e = rho T²g / |T g| with T = |w|.
    for size in [1e-30, 1e25] {
        for slope in [1.0, 1e-20, 1e12] {
            let (w, g) = ([size, -2.0 * size], [2.0 * slope, 3.0 * slope]);
            let metric = Metric::Adaptive { eta: 0.0 };
            let config = SamConfig::asam().with_metric(metric);
            let (moved, _) = displacement(&config, &w, &g);
            let length = (2.0_f64.powi(2) + 6.0_f64.powi(2)).sqrt();
            let expected = [0.5 * size * 2.0 / length, 0.5 * size * 12.0 / length];
            assert_close(&moved, &expected, 1e-6);
        }
    }
}

#[test]
fn the_fisher_metric_takes_gradients_whose_squares_are_no_numbers() {
    // e = rho F⁻¹g / √(gᵀF⁻¹g) with F = 1 + eta g².
    for slope in [
        [1e25, 3.0, 0.1],
        [1e-25, 3.0, 0.1],
        [1e25, 2e25, -3e25],
        [1e38, 1.0, 0.0],
    ] {
        for eta in [1.0, 1e6, 1e-6] {
            let metric = Metric::Fisher { eta };
            let config = SamConfig::fisher_sam().with_metric(metric).with_rho(0.5);
            let (moved, _) = displacement(&config, &[0.0; 3], &slope);
            let inverse = |g: f64| g / (1.0 + eta * g * g);
            let square: f64 = slope.iter().map(|&g| g * inverse(g)).sum();
            let expected = slope.map(|g| 0.5 * inverse(g) / square.sqrt());
            assert_close(&moved, &expected, 2e-6);
        }
    }
}

#[test]
fn the_fisher_metric_of_examples_takes_gradients_whose_squares_are_no_numbers() {
    for rows in [
        [[1e25, 3.0], [2e25, 1.0]],
        [[3.0, 1.0], [0.5, -2.0]],
        [[1e22, 1.0], [0.0, -1e21]],
    ] {
        let metric = Metric::ExampleFisher { eta: 1.0 };
        let config = SamConfig::new().with_metric(metric).with_rho(0.5);
        let mut sam = config.init(sgd()).expect("an optimizer");
        let data = TensorData::new(rows.concat(), [2, 2]);
        let batch = Tensor::<2>::from_data(data, (&device(), DTYPE));
        let seen = std::cell::RefCell::new(Vec::new());
        let loss = |row: &Row, batch: Tensor<2>| {
            seen.borrow_mut().push(row.numbers());
            (batch * row.w.val()).sum_dim(1).mean()
        };
        assert_eq!(Reduction::default(), Reduction::Mean);
        let report = sam.step_on(0.0, &mut Row::new(&[0.0, 0.0]), batch, &loss);
        assert_eq!(report.expect("a step").skipped, None);
        let mean = |f: &dyn Fn(f64) -> f64, i: usize| 0.5 * (f(rows[0][i]) + f(rows[1][i]));
        let inverse = |i: usize| mean(&|g| g, i) / (1.0 + mean(&|g| g * g, i));
        let square: f64 = (0..2).map(|i| mean(&|g| g, i) * inverse(i)).sum();
        let expected = [0, 1].map(|i| 0.5 * inverse(i) / square.sqrt());
        let seen = seen.into_inner();
        assert_close(&seen[seen.len() - 1], &expected, 2e-6);
    }
}
