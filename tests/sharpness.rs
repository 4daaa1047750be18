//! Sharpness measures against exact answers.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test itself does"
)]

use std::ops::ControlFlow;

use burn::module::{Module, Param, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::{Evaluator, LossError, Mode};
use burnscape::sharpness::{
    AverageRiseConfig, DirectionalDistributionConfig, PerturbationScale, SharpnessError,
    WorstCaseRise, WorstCaseRiseConfig,
};
use burnscape::space::{ParamSpace, ParamVector, UnfilteredRule};
use proptest::prelude::{ProptestConfig, proptest};

/// A point of the plane, or of any space, as a model.
#[derive(Module, Debug)]
struct Point {
    w: Param<Tensor<1>>,
}

impl Point {
    fn new(values: &[f64]) -> Self {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Self {
            w: Param::from_tensor(Tensor::from_data(data, (&Device::default(), DType::F64))),
        }
    }
}

fn matrix<const N: usize>(rows: [[f64; N]; N]) -> [Tensor<2>; 1] {
    let data = TensorData::from(rows);
    [Tensor::from_data(data, (&Device::default(), DType::F64))]
}

/// `½ wᵀHw`.
fn quadratic(model: &Point, h: Tensor<2>) -> Tensor<1> {
    let n = h.dims()[0];
    let w = model.w.val().reshape([1, n]);
    (w.clone().matmul(h) * w).sum() * 0.5
}

const H: [[f64; 3]; 3] = [[4.0, 1.0, 0.5], [1.0, 1.0, -0.3], [0.5, -0.3, 2.0]];
const TRACE: f64 = 7.0;

/// A ReLU network without biases.
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    second: Linear,
}

impl Net {
    fn new() -> Self {
        let device = Device::default();
        let net = Self {
            first: LinearConfig::new(4, 8).with_bias(false).init(&device),
            second: LinearConfig::new(8, 3).with_bias(false).init(&device),
        };
        // Weights that do not depend on the device's random stream.
        let space = ParamSpace::of(&net).unwrap();
        let weights = ParamVector::gaussian(&space, 3).unwrap().scale(0.5);
        weights.apply_to(&net).unwrap()
    }

    /// The same function at `(a W₁, W₂ / a)`.
    fn rescaled(&self, a: f64) -> Self {
        let space = ParamSpace::of(self).unwrap();
        let weights = ParamVector::from_module(&space, self).unwrap();
        let mut values = weights.to_host().unwrap();
        let border = space.leaves()[1].offset();
        for (index, value) in values.iter_mut().enumerate() {
            *value *= if index < border { a } else { 1.0 / a };
        }
        let values = ParamVector::from_host(&space, &values).unwrap();
        values.apply_to(self).unwrap()
    }
}

fn squared_error(model: &Net, (x, y): (Tensor<2>, Tensor<2>)) -> Tensor<1> {
    let output = model.second.forward(relu(model.first.forward(x)));
    (output - y).powi_scalar(2).mean()
}

fn regression() -> [(Tensor<2>, Tensor<2>); 2] {
    let device = Device::default();
    let numbers = |count: usize, shift: f64| -> Vec<f32> {
        (0..count)
            .map(|i| (1.7 * i as f64 + shift).sin() as f32)
            .collect()
    };
    [(6, 0.0), (3, 0.4)].map(|(n, shift)| {
        let x = TensorData::new(numbers(n * 4, shift), [n, 4]);
        let y = TensorData::new(numbers(n * 3, shift + 1.0), [n, 3]);
        (Tensor::from_data(x, &device), Tensor::from_data(y, &device))
    })
}

#[test]
fn the_average_rise_of_a_quadratic_is_half_the_trace_times_the_variance() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    for seed in 0..8 {
        for antithetic in [false, true] {
            let rise = AverageRiseConfig::new(0.1)
                .with_num_samples(150)
                .with_antithetic(antithetic)
                .with_seed(seed)
                .measure(&model, &Evaluator::new(&quadratic), &data)
                .unwrap();
            let error = rise.standard_error.unwrap();
            let exact = 0.1 * 0.1 * TRACE / 2.0;
            assert!((rise.rise - exact).abs() < 4.0 * error, "{seed}: {rise:?}");
            assert_eq!(rise.num_evaluations, if antithetic { 301 } else { 151 });
        }
    }
}

#[test]
fn antithetic_pairs_remove_the_gradients_part_of_the_error() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let error = |antithetic| {
        AverageRiseConfig::new(0.01)
            .with_antithetic(antithetic)
            .measure(&model, &Evaluator::new(&quadratic), &data)
            .unwrap()
            .standard_error
            .unwrap()
    };
    assert!(error(true) < 0.05 * error(false));
}

#[test]
fn the_standard_error_shrinks_with_the_root_of_the_number_of_samples() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let error = |num_samples| {
        AverageRiseConfig::new(0.1)
            .with_num_samples(num_samples)
            .measure(&model, &Evaluator::new(&quadratic), &data)
            .unwrap()
            .standard_error
            .unwrap()
    };
    let ratio = error(100) / error(1600);
    assert!((3.0..5.3).contains(&ratio), "{ratio}");
}

#[test]
fn the_standard_error_is_the_scatter_of_repeated_measurements() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let runs: Vec<_> = (0..100)
        .map(|seed| {
            AverageRiseConfig::new(0.1)
                .with_num_samples(30)
                .with_seed(seed)
                .measure(&model, &Evaluator::new(&quadratic), &data)
                .unwrap()
        })
        .collect();
    let exact = 0.1 * 0.1 * TRACE / 2.0;
    let scatter = runs.iter().map(|r| (r.rise - exact).powi(2)).sum::<f64>() / 100.0;
    let claimed = runs.iter().map(|r| r.standard_error.unwrap().powi(2));
    let ratio = scatter / (claimed.sum::<f64>() / 100.0);
    // A chi-squared variable of 100 degrees of freedom over 100.
    assert!((0.6..1.5).contains(&ratio), "{ratio}");
}

#[test]
fn relative_noise_has_the_stated_variance() {
    // Two filters (columns) of norms 5 and 2, three elements each: c² is 25/3 and 4/3.
    let device = Device::default();
    let layer = LinearConfig::new(3, 2).with_bias(false).init(&device);
    let space = ParamSpace::of(&layer).unwrap();
    let weights = ParamVector::from_host(&space, &[3.0, 2.0, 4.0, 0.0, 0.0, 0.0]).unwrap();
    let layer = weights.apply_to(&layer).unwrap();
    let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum() * 0.5;
    let measure = |scale| {
        AverageRiseConfig::new(0.2)
            .with_scale(scale)
            .with_num_samples(400)
            .with_antithetic(true)
            .measure(&layer, &Evaluator::new(&loss), &[Tensor::eye(3, &device)])
            .unwrap()
    };
    // ½ σ² Σ c² is the same for both scales: filters and elements divide one |w|².
    for scale in [
        PerturbationScale::FilterRelative(UnfilteredRule::Zero),
        PerturbationScale::ElementRelative,
    ] {
        let rise = measure(scale);
        let exact = 0.5 * 0.04 * 29.0;
        assert!((rise.rise - exact).abs() < 4.0 * rise.standard_error.unwrap());
        assert!((rise.displacement_norm - 0.2 * 29.0_f64.sqrt()).abs() < 1e-5);
    }
}

#[test]
fn the_filter_relative_rise_is_invariant_under_positive_rescaling() {
    let (model, data) = (Net::new(), regression());
    let evaluator = Evaluator::new(&squared_error);
    let rise = |model: &Net, scale| {
        AverageRiseConfig::new(0.3)
            .with_scale(scale)
            .with_num_samples(20)
            .measure(model, &evaluator, &data)
            .unwrap()
            .rise
    };
    for a in [3.0, 8.0] {
        let other = model.rescaled(a);
        for scale in [
            PerturbationScale::FilterRelative(UnfilteredRule::Zero),
            PerturbationScale::ElementRelative,
        ] {
            let (one, two) = (rise(&model, scale), rise(&other, scale));
            assert!(
                (one - two).abs() < 1e-5 * one,
                "{scale:?}, {a}: {one} {two}"
            );
        }
        let (one, two) = (
            rise(&model, PerturbationScale::Absolute),
            rise(&other, PerturbationScale::Absolute),
        );
        assert!(two > 2.0 * one, "{one} {two}");
    }
}

#[test]
fn the_relative_worst_case_is_invariant_under_positive_rescaling() {
    let (model, data) = (Net::new(), regression());
    let evaluator = Evaluator::new(&squared_error);
    for scale in [
        PerturbationScale::FilterRelative(UnfilteredRule::Zero),
        PerturbationScale::ElementRelative,
    ] {
        let config = WorstCaseRiseConfig::new(0.5).with_scale(scale);
        let one = config.measure(&model, &evaluator, &data).unwrap();
        let two = config
            .measure(&model.rescaled(3.0), &evaluator, &data)
            .unwrap();
        assert!((one.rise - two.rise).abs() < 1e-3 * one.rise);
    }
}

#[test]
fn the_worst_case_of_the_two_dimensional_valley_is_the_exact_maximizer() {
    let model = Point::new(&[1.0, 1.0]);
    let data = matrix([[4.0, 0.0], [0.0, 1.0]]);
    let point = WorstCaseRiseConfig::new(0.5)
        .with_num_steps(60)
        .with_tolerance(0.0)
        .maximize(&model, &Evaluator::new(&quadratic), &data, |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!((point.rise.rise - (5.0451834 - 2.5)).abs() < 1e-6);
    let e = point.displacement.to_host().unwrap();
    assert!(
        (e[0] - 0.49186465).abs() < 1e-6 && (e[1] - 0.08982855).abs() < 1e-6,
        "{e:?}"
    );
    assert!((point.rise.displacement_norm - 0.5).abs() < 1e-9);
    assert!(point.rise.on_boundary);
    assert!((point.rise.alignment.unwrap() - 1.0).abs() < 1e-9);
    // The default ends near enough in fewer steps.
    let quick = WorstCaseRiseConfig::new(0.5)
        .measure(&model, &Evaluator::new(&quadratic), &data)
        .unwrap();
    assert!((quick.rise - (5.0451834 - 2.5)).abs() < 1e-6, "{quick:?}");
    assert!(quick.converged && quick.completed);
    assert!(quick.standard_error.unwrap() < 1e-6);
}

#[test]
fn the_first_step_from_the_center_is_that_of_sam() {
    let model = Point::new(&[1.0, 1.0]);
    let data = matrix([[4.0, 0.0], [0.0, 1.0]]);
    let point = WorstCaseRiseConfig::new(0.5)
        .with_num_steps(1)
        .with_num_starts(1)
        .maximize(&model, &Evaluator::new(&quadratic), &data, |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    let e = point.displacement.to_host().unwrap();
    assert!((e[0] - 0.48507125).abs() < 1e-7 && (e[1] - 0.12126781).abs() < 1e-7);
    assert!((point.rise.base_loss + point.rise.rise - 5.0394940).abs() < 1e-6);
    assert_eq!(point.rise.num_gradients, 2);
    assert_eq!(point.rise.standard_error, None);
}

#[test]
fn an_inner_maximum_is_found_and_the_boundary_is_not_active() {
    // -½|w|² from (0.1, 0): the top is at the origin, inside the ball.
    let model = Point::new(&[0.1, 0.0]);
    let data = matrix([[-1.0, 0.0], [0.0, -1.0]]);
    let rise = WorstCaseRiseConfig::new(1.0)
        .with_num_steps(60)
        .measure(&model, &Evaluator::new(&quadratic), &data)
        .unwrap();
    assert!((rise.rise - 0.005).abs() < 1e-6, "{rise:?}");
    assert!(!rise.on_boundary);
}

#[test]
fn a_stationary_center_gives_no_nan_and_random_starts_leave_it() {
    let model = Point::new(&[0.0, 0.0]);
    let data = matrix([[4.0, 0.0], [0.0, 1.0]]);
    let measure = |num_starts| {
        WorstCaseRiseConfig::new(0.5)
            .with_num_starts(num_starts)
            .with_num_steps(40)
            .measure(&model, &Evaluator::new(&quadratic), &data)
            .unwrap()
    };
    let stuck = measure(1);
    assert_eq!((stuck.rise, stuck.displacement_norm), (0.0, 0.0));
    assert_eq!((stuck.alignment, stuck.converged), (None, true));
    let free = measure(3);
    // ½ λ_max ρ².
    assert!((free.rise - 0.5).abs() < 1e-6, "{free:?}");
    assert!(free.rises[0] == 0.0 && free.standard_error.unwrap() > 0.0);
}

#[test]
fn the_best_of_several_maxima_is_kept_and_the_error_tells_that_there_are_several() {
    // On a line through a valley both ends of the ball are maxima: ½ 0.6² and ½ 0.4².
    let (model, data) = (Point::new(&[0.1]), matrix([[1.0]]));
    let measure = |seed| {
        WorstCaseRiseConfig::new(0.5)
            .with_seed(seed)
            .measure(&model, &Evaluator::new(&quadratic), &data)
            .unwrap()
    };
    let runs: Vec<_> = (0..8).map(measure).collect();
    for run in &runs {
        assert!((run.rise - 0.175).abs() < 1e-9, "{run:?}");
    }
    let lower = |rise: f64| (rise - 0.075).abs() < 1e-9;
    let last_is_lower = |run: &&WorstCaseRise| lower(run.rises[2]);
    let mixed = runs.iter().find(last_is_lower).unwrap();
    assert!(mixed.standard_error.unwrap() > 0.01);
}

#[test]
fn a_size_of_zero_gives_a_rise_of_exactly_zero() {
    let (model, data) = (Net::new(), regression());
    let evaluator = Evaluator::new(&squared_error);
    let average = AverageRiseConfig::new(0.0).with_num_samples(3);
    let average = average.measure(&model, &evaluator, &data).unwrap();
    assert_eq!(average.rises, [0.0; 3]);
    let worst = WorstCaseRiseConfig::new(0.0);
    assert_eq!(worst.measure(&model, &evaluator, &data).unwrap().rise, 0.0);
}

#[test]
fn along_random_directions_a_sphere_has_no_spread_and_a_valley_has_its_eigenvalues() {
    let model = Point::new(&[0.0, 0.0]);
    let evaluator = Evaluator::new(&quadratic);
    let config = DirectionalDistributionConfig::new(2.0).with_num_samples(300);
    let sphere = config
        .measure(&model, &evaluator, &matrix([[1.0, 0.0], [0.0, 1.0]]))
        .unwrap();
    assert!((sphere.mean - 2.0).abs() < 1e-12);
    assert!(sphere.standard_deviation.unwrap() < 1e-12);
    let valley = config
        .measure(&model, &evaluator, &matrix([[4.0, 0.0], [0.0, 1.0]]))
        .unwrap();
    // ½ ε² times the eigenvalues bounds the losses, times their mean is the expectation.
    assert!(valley.quantile(0.0).unwrap() >= 2.0 && valley.quantile(1.0).unwrap() <= 8.0);
    assert!((valley.mean - 5.0).abs() < 4.0 * valley.standard_error.unwrap());
    // The loss is 5 + 3 cos 2φ: its median is the mean.
    assert!((valley.quantile(0.5).unwrap() - 5.0).abs() < 1.0);
    assert!(valley.sorted_losses.is_sorted());
    assert_eq!(valley.num_evaluations, 301);
    assert!(matches!(
        valley.quantile(1.5),
        Err(SharpnessError::BadArgument { name: "q", .. })
    ));
}

#[test]
fn relative_directions_are_as_long_as_the_weights() {
    // The loss is ½|w' - w|², so it reads off the squared length of the displacement.
    let device = Device::default();
    let layer = LinearConfig::new(3, 2).with_bias(false).init(&device);
    let space = ParamSpace::of(&layer).unwrap();
    let weights = [3.0, 2.0, 4.0, 0.0, 0.0, 0.0];
    let vector = ParamVector::from_host(&space, &weights).unwrap();
    let layer = vector.apply_to(&layer).unwrap();
    let origin = Tensor::<2>::from_floats([[3.0, 2.0], [4.0, 0.0], [0.0, 0.0]], &device);
    let loss = |model: &Linear, (x, y): (Tensor<2>, Tensor<2>)| {
        (model.forward(x) - y).powi_scalar(2).sum() * 0.5
    };
    let distribution = DirectionalDistributionConfig::new(0.1)
        .with_scale(PerturbationScale::FilterRelative(UnfilteredRule::Zero))
        .with_num_samples(5)
        .measure(
            &layer,
            &Evaluator::new(&loss),
            &[(Tensor::eye(3, &device), origin)],
        )
        .unwrap();
    for loss in distribution.losses {
        assert!((loss - 0.5 * 0.01 * 29.0).abs() < 1e-5, "{loss}");
    }
}

#[test]
fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
    let (model, data) = (Net::new(), regression());
    let evaluator = Evaluator::new(&squared_error);
    let average = |seed| {
        AverageRiseConfig::new(0.1)
            .with_num_samples(5)
            .with_seed(seed)
            .measure(&model, &evaluator, &data)
            .unwrap()
    };
    assert_eq!(average(1), average(1));
    assert_ne!(average(1).rise, average(2).rise);
    let worst = |seed| {
        WorstCaseRiseConfig::new(0.1)
            .with_num_steps(3)
            .with_seed(seed)
            .measure(&model, &evaluator, &data)
            .unwrap()
    };
    assert_eq!(worst(1), worst(1));
    assert_ne!(worst(1).rises, worst(2).rises);
    let directions = |seed| {
        DirectionalDistributionConfig::new(0.1)
            .with_num_samples(5)
            .with_seed(seed)
            .measure(&model, &evaluator, &data)
            .unwrap()
    };
    assert_eq!(directions(1), directions(1));
    assert_ne!(directions(1).losses, directions(2).losses);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn more_samples_change_none_of_the_first(
        seed in proptest::num::u64::ANY,
        few in 1_usize..6,
        extra in 1_usize..6,
        antithetic in proptest::bool::ANY,
    ) {
        let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
        let evaluator = Evaluator::new(&quadratic);
        let rises = |num_samples| {
            AverageRiseConfig::new(0.1)
                .with_num_samples(num_samples)
                .with_antithetic(antithetic)
                .with_seed(seed)
                .measure(&model, &evaluator, &data)
                .unwrap()
                .rises
        };
        assert_eq!(rises(few), rises(few + extra)[..few]);
        let losses = |num_samples| {
            DirectionalDistributionConfig::new(0.1)
                .with_num_samples(num_samples)
                .with_seed(seed)
                .measure(&model, &evaluator, &data)
                .unwrap()
                .losses
        };
        assert_eq!(losses(few), losses(few + extra)[..few]);
    }

    #[test]
    fn the_worst_case_is_above_every_sampled_rise_of_the_same_ball(seed in proptest::num::u64::ANY) {
        let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
        let evaluator = Evaluator::new(&quadratic);
        let worst = WorstCaseRiseConfig::new(0.4).with_seed(seed);
        let worst = worst.measure(&model, &evaluator, &data).unwrap();
        let others = DirectionalDistributionConfig::new(0.4).with_seed(seed).with_num_samples(30);
        let others = others.measure(&model, &evaluator, &data).unwrap();
        assert!(worst.rise >= others.quantile(1.0).unwrap() - others.base_loss);
        assert!(worst.scaled_norm <= 0.4 * (1.0 + 1e-12));
    }
}

#[test]
fn models_meet_the_same_noise() {
    // On a linear loss the rise is g · e: common random numbers make it proportional to g.
    let loss = |model: &Point, g: Tensor<1>| (model.w.val() * g).sum();
    let batch = |g: [f64; 2]| {
        let data = TensorData::from(g);
        [Tensor::<1>::from_data(
            data,
            (&Device::default(), DType::F64),
        )]
    };
    let rises = |start: &[f64], g| {
        AverageRiseConfig::new(1.0)
            .with_num_samples(4)
            .measure(&Point::new(start), &Evaluator::new(&loss), &batch(g))
            .unwrap()
            .rises
    };
    let (one, two) = (
        rises(&[0.0, 0.0], [1.0, 2.0]),
        rises(&[5.0, -3.0], [2.0, 4.0]),
    );
    for (one, two) in one.iter().zip(&two) {
        assert!((2.0 * one - two).abs() < 1e-12);
    }
}

#[test]
fn only_the_group_of_the_evaluator_is_perturbed() {
    let (model, data) = (Net::new(), regression());
    let group = ParamGroup::from_regex("second").unwrap();
    let evaluator = Evaluator::new(&squared_error).with_group(group);
    let point = WorstCaseRiseConfig::new(0.1)
        .maximize(&model, &evaluator, &data, |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(point.displacement.space().len(), 8 * 3);
    assert!(point.rise.rise > 0.0);
}

#[derive(Module, Debug)]
struct Normalized {
    first: Linear,
    norm: BatchNorm,
    second: Linear,
}

fn normalized_error(model: &Normalized, x: Tensor<2>) -> Tensor<1> {
    let hidden = relu(model.norm.forward(model.first.forward(x)));
    model.second.forward(hidden).powi_scalar(2).mean()
}

#[test]
fn the_model_and_its_running_statistics_are_not_changed() {
    let device = Device::default().autodiff();
    let model = Normalized {
        first: LinearConfig::new(2, 3).init(&device),
        norm: BatchNormConfig::new(3).init(&device),
        second: LinearConfig::new(3, 1).init(&device),
    };
    let space = ParamSpace::of(&model).unwrap();
    let state = || {
        let weights = ParamVector::from_module(&space, &model)
            .unwrap()
            .to_host()
            .unwrap();
        let mean = model.norm.running_mean.value_sync().into_data();
        let var = model.norm.running_var.value_sync().into_data();
        (weights, mean, var)
    };
    let before = state();
    let plain = Device::default();
    let data = [Tensor::<2>::from_floats(
        [[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]],
        &plain,
    )];
    for mode in [Mode::Eval, Mode::Train] {
        let evaluator = Evaluator::new(&normalized_error).with_mode(mode);
        let average = AverageRiseConfig::new(0.1).with_num_samples(3);
        average.measure(&model, &evaluator, &data).unwrap();
        let directions = DirectionalDistributionConfig::new(0.1).with_num_samples(3);
        directions.measure(&model, &evaluator, &data).unwrap();
        let worst = WorstCaseRiseConfig::new(0.1).with_num_steps(3);
        worst.measure(&model, &evaluator, &data).unwrap();
        assert_eq!(state(), before, "{mode:?}");
    }
}

#[test]
fn a_stopped_measurement_returns_what_it_reached() {
    let (model, data) = (Net::new(), regression());
    let evaluator = Evaluator::new(&squared_error);
    let rise = AverageRiseConfig::new(0.1)
        .measure_observed(&model, &evaluator, &data, |step| {
            assert_eq!(step.total, 100);
            match step.samples {
                3 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
        .unwrap();
    assert_eq!((rise.rises.len(), rise.completed), (3, false));
    assert_eq!(rise.num_evaluations, 4);
    let first = DirectionalDistributionConfig::new(0.1)
        .measure_observed(&model, &evaluator, &data, |_| ControlFlow::Break(()))
        .unwrap();
    assert_eq!((first.losses.len(), first.completed), (1, false));
    assert_eq!(first.standard_error, None);
    let mut seen = 0;
    let worst = WorstCaseRiseConfig::new(0.1)
        .maximize(&model, &evaluator, &data, |_| {
            seen += 1;
            if seen == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap()
        .rise;
    assert_eq!((worst.num_gradients, worst.completed), (2, false));
    assert!(worst.rise > 0.0);
}

#[test]
fn a_loss_that_is_not_finite_is_refused_with_the_number_of_the_sample() {
    let loss = |model: &Point, x: Tensor<1>| (model.w.val().log() * x).sum();
    let one = TensorData::from([1.0_f64]);
    let data = [Tensor::<1>::from_data(
        one,
        (&Device::default(), DType::F64),
    )];
    let evaluator = Evaluator::new(&loss);
    let model = Point::new(&[1e-3]);
    let error = AverageRiseConfig::new(1.0).measure(&model, &evaluator, &data);
    let Err(SharpnessError::NonFiniteSample { sample, .. }) = error else {
        panic!("{error:?}");
    };
    // The samples before it are fine.
    if sample > 0 {
        let config = AverageRiseConfig::new(1.0).with_num_samples(sample);
        assert!(config.measure(&model, &evaluator, &data).is_ok());
    }
    let error = WorstCaseRiseConfig::new(10.0)
        .with_num_starts(20)
        .measure(&model, &evaluator, &data);
    assert!(
        matches!(error, Err(SharpnessError::NonFiniteStep { step: 0, .. })),
        "{error:?}"
    );
    let error = AverageRiseConfig::new(1.0).measure(&Point::new(&[-1.0]), &evaluator, &data);
    assert!(matches!(
        error,
        Err(SharpnessError::Loss(LossError::NonFinite { .. }))
    ));
}

#[test]
fn a_gradient_that_is_not_finite_is_refused() {
    let loss = |model: &Point, x: Tensor<1>| (model.w.val().sqrt() * x).sum();
    let one = TensorData::from([1.0_f64]);
    let data = [Tensor::<1>::from_data(
        one,
        (&Device::default(), DType::F64),
    )];
    let error =
        WorstCaseRiseConfig::new(0.1).measure(&Point::new(&[0.0]), &Evaluator::new(&loss), &data);
    assert!(
        matches!(
            error,
            Err(SharpnessError::NonFiniteGradient {
                start: 0,
                step: 0,
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn values_without_meaning_are_refused_by_name() {
    let (model, data) = (Net::new(), regression());
    let evaluator = Evaluator::new(&squared_error);
    let refused = |result: Result<(), SharpnessError>, wanted: &str| match result {
        Err(SharpnessError::BadArgument { name, .. }) => assert_eq!(name, wanted),
        other => panic!("{wanted}: {other:?}"),
    };
    let average = |config: AverageRiseConfig| config.measure(&model, &evaluator, &data).map(|_| ());
    let directions = |config: DirectionalDistributionConfig| {
        config.measure(&model, &evaluator, &data).map(|_| ())
    };
    let worst = |config: WorstCaseRiseConfig| config.measure(&model, &evaluator, &data).map(|_| ());
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        refused(average(AverageRiseConfig::new(bad)), "sigma");
        refused(
            directions(DirectionalDistributionConfig::new(bad)),
            "epsilon",
        );
        refused(worst(WorstCaseRiseConfig::new(bad)), "rho");
        refused(
            worst(WorstCaseRiseConfig::new(0.1).with_tolerance(bad)),
            "tolerance",
        );
        refused(
            worst(WorstCaseRiseConfig::new(0.1).with_step_size(bad)),
            "step_size",
        );
    }
    refused(
        average(AverageRiseConfig::new(0.1).with_num_samples(0)),
        "num_samples",
    );
    let none = DirectionalDistributionConfig::new(0.1).with_num_samples(0);
    refused(directions(none), "num_samples");
    refused(
        worst(WorstCaseRiseConfig::new(0.1).with_num_steps(0)),
        "num_steps",
    );
    refused(
        worst(WorstCaseRiseConfig::new(0.1).with_num_starts(0)),
        "num_starts",
    );
    refused(
        worst(WorstCaseRiseConfig::new(0.1).with_step_size(0.0)),
        "step_size",
    );
}

#[test]
fn a_scale_that_perturbs_nothing_is_refused() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let evaluator = Evaluator::new(&quadratic);
    let scale = PerturbationScale::FilterRelative(UnfilteredRule::Zero);
    let error = AverageRiseConfig::new(0.1)
        .with_scale(scale)
        .measure(&model, &evaluator, &data);
    assert_eq!(error, Err(SharpnessError::NothingToPerturb));
    let scale = PerturbationScale::FilterRelative(UnfilteredRule::AsOneFilter);
    let rise = AverageRiseConfig::new(0.1)
        .with_scale(scale)
        .measure(&model, &evaluator, &data);
    assert!(rise.is_ok());
}

#[test]
fn results_and_configs_are_written_and_read_as_json() {
    let (model, data) = (Net::new(), regression());
    let scale = PerturbationScale::FilterRelative(UnfilteredRule::AsOneFilter);
    let config = AverageRiseConfig::new(0.1)
        .with_num_samples(2)
        .with_scale(scale);
    let rise = config
        .measure(&model, &Evaluator::new(&squared_error), &data)
        .unwrap();
    let json = serde_json::to_value(&rise).unwrap();
    assert_eq!(json["rise"].as_f64().unwrap(), rise.rise);
    assert_eq!(json["config"]["seed"], 0);
    let read: AverageRiseConfig = serde_json::from_value(json["config"].clone()).unwrap();
    assert_eq!(read, config);
}
