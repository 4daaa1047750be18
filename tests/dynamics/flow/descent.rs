//! The gradient flow.

use burn::tensor::{DType, Device, Tensor};
use burnscape::dynamics::{GradientFlow, GradientFlowConfig};
use burnscape::krylov::RungeKutta;
use burnscape::loss::Risk;
use burnscape_testkit::objectives::Point;

use super::{assert_near, batch, coordinate, point, regression};

/// A flow with the tolerances of a closed form.
fn exact(end_time: f64, relative: f64) -> GradientFlowConfig {
    GradientFlowConfig::new(end_time)
        .with_relative_tolerance(Some(relative))
        .with_absolute_tolerance(Some(1e-2 * relative))
}

fn run(
    config: &GradientFlowConfig,
    loss: fn(&Point, Tensor<1>) -> Tensor<1>,
    start: &[f64],
) -> GradientFlow<Point> {
    let data = [batch(&[1.0, 2.0])];
    config.run(&Risk::new(&loss, &data), &point(start)).unwrap()
}

#[test]
fn a_regression_ends_at_the_solution_that_is_nearest_to_the_start() {
    for (start, end) in [([3.0, -1.0], [3.8, 0.6]), ([0.0, 0.0], [1.0, 2.0])] {
        let flow = run(&exact(10.0, 1e-9), regression, &start);
        for (found, expected) in flow.model.coordinates().iter().zip(end) {
            assert_near(*found, expected, 1e-8);
        }
        assert!(flow.completed);
    }
}

#[test]
fn a_quadratic_decays_exponentially_and_every_evaluation_is_counted() {
    use RungeKutta::{BogackiShampine, DormandPrince};
    for (method, relative, tolerance) in
        [(DormandPrince, 1e-10, 1e-9), (BogackiShampine, 1e-7, 1e-6)]
    {
        let config = exact(1.0, relative).with_method(method);
        let flow = run(&config, regression, &[3.0, -1.0]);
        let left = (-5.0_f64).exp();
        let expected = [3.8 - 0.8 * left, 0.6 - 1.6 * left];
        for (found, expected) in flow.model.coordinates().iter().zip(expected) {
            assert_near(*found, expected, tolerance);
        }
        // The residual is −4 exp(−5t).
        for (time, loss) in flow.times.iter().zip(&flow.losses) {
            assert_near(*loss, 8.0 * (-10.0 * time).exp(), 20.0 * tolerance);
        }
        assert!(flow.times.is_sorted_by(|a, b| a < b));
        assert_eq!((flow.times[0], flow.times.last()), (0.0, Some(&1.0)));
        assert_eq!(flow.times.len(), flow.num_accepted + 1);
        assert_eq!(flow.losses.len(), flow.times.len());
        // Two at the start, one for the checks of the first Hessian, and one for each Hessian.
        let attempts = flow.num_accepted + flow.num_rejected;
        let stages = method.evaluations_per_step() * attempts;
        assert_eq!(flow.num_gradients, 3 + stages + flow.sharpness.len());
        assert!(flow.num_matvecs > flow.sharpness.len());
    }
}

#[test]
fn squared_weights_follow_the_powers_of_their_inputs() {
    /// `½ (u₁² + 2 u₂² − 1)²`: along the flow `ln u₂ = 2 ln u₁`, from (1, 1).
    fn squares(point: &Point, row: Tensor<1>) -> Tensor<1> {
        ((point.w.val().square() * row).sum() - 1.0).square() * 0.5
    }
    let flow = run(&exact(6.0, 1e-12), squares, &[1.0, 1.0]);
    let w: Vec<f64> = flow.model.coordinates().iter().map(|u| u * u).collect();
    assert_near(w[0], 0.5, 1e-9);
    assert_near(w[1], 0.25, 1e-9);
    assert_near(w[1].ln() / w[0].ln(), 2.0, 1e-10);
}

#[test]
fn a_product_conserves_the_difference_of_the_squares() {
    /// `(x y − 1)²`.
    fn product(point: &Point, _: Tensor<1>) -> Tensor<1> {
        let (x, y) = (coordinate(point, 0), coordinate(point, 1));
        (x * y - 1.0).square()
    }
    let flow = run(&exact(5.0, 1e-11), product, &[2.0, 0.25]);
    let [x, y] = flow.model.coordinates()[..] else {
        panic!("two coordinates");
    };
    assert_near(x * y, 1.0, 1e-9);
    assert_near(x * x - y * y, 4.0 - 0.0625, 1e-10);
}

/// `½ eʸ x² − y/10`: a valley that becomes ever narrower.
fn narrowing(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let (x, y) = (coordinate(point, 0), coordinate(point, 1));
    y.clone().exp() * x.square() * 0.5 - y * 0.1
}

#[test]
fn the_loss_falls_in_every_step_even_if_the_sharpness_is_out_of_date() {
    // Without error control, the steps are as long as stability seems to allow.
    let config = GradientFlowConfig::new(20.0)
        .with_relative_tolerance(Some(1e6))
        .with_absolute_tolerance(Some(0.0));
    let rarely = config.clone().with_sharpness_interval(1000);
    let stale = run(&rarely, narrowing, &[0.5, 0.0]);
    let fresh = run(&config.with_sharpness_interval(1), narrowing, &[0.5, 0.0]);
    for flow in [&stale, &fresh] {
        assert!(flow.completed && flow.num_rises == 0);
        // Up to rounding, where the last step is a rest.
        assert!(
            flow.losses.is_sorted_by(|a, b| *b < a + 1e-12),
            "{:?}",
            flow.losses
        );
    }
    assert!(stale.num_rejected > 5 && stale.sharpness.len() == 1);
    assert!(fresh.num_rejected < stale.num_rejected);
}

#[test]
fn the_sharpness_is_read_at_the_start_and_after_every_interval() {
    let config = GradientFlowConfig::new(1.0).with_sharpness_interval(4);
    let flow = run(&config, regression, &[3.0, -1.0]);
    let every_fourth: Vec<f64> = flow.times.iter().step_by(4).copied().collect();
    assert_eq!(flow.sharpness_times, every_fourth);
    assert!(flow.sharpness.len() > 2);
    for sharpness in &flow.sharpness {
        assert_near(*sharpness, 5.0, 1e-9);
    }
}

#[test]
fn no_step_is_longer_than_stable() {
    for method in [RungeKutta::DormandPrince, RungeKutta::BogackiShampine] {
        let config = GradientFlowConfig::new(30.0).with_method(method);
        let flow = run(&config, regression, &[3.0, -1.0]);
        let longest = flow.times.windows(2).map(|pair| pair[1] - pair[0]);
        let longest = longest.fold(0.0, f64::max);
        let stable = method.stability_limit() / 5.0;
        assert!(longest <= 0.9 * stable * (1.0 + 1e-9), "{longest}");
        assert!(longest > 0.8 * stable, "{longest}");
        assert_eq!((flow.num_rejected, flow.num_rises), (0, 0));
    }
}

#[test]
fn single_precision_has_coarser_tolerances() {
    let device = Device::default().autodiff();
    let data = [Tensor::<1>::from_floats([1.0, 2.0], &device)];
    let risk = Risk::new(&regression, &data);
    let start = Point::new(&[3.0, -1.0], &device, DType::F32);
    let config = GradientFlowConfig::new(2.0);
    let single = config.run(&risk, &start).unwrap();
    for (found, expected) in single.model.coordinates().iter().zip([3.8, 0.6]) {
        assert_near(*found, expected, 1e-3);
    }
    assert!(single.completed && single.num_rises == 0);
    let double = run(&config, regression, &[3.0, -1.0]);
    assert!(single.num_accepted < double.num_accepted);
}

#[test]
fn no_time_leaves_the_model_as_it_is() {
    let flow = run(&GradientFlowConfig::new(0.0), regression, &[3.0, -1.0]);
    assert_eq!(flow.model.coordinates(), [3.0, -1.0]);
    assert_eq!((flow.times, flow.losses), (vec![0.0], vec![8.0]));
    assert!(flow.completed && flow.num_accepted == 0);
}
