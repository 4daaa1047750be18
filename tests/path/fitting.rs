//! The exact step of a fit.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::optim::{AdamConfig, SgdConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::Risk;
use burnscape::optim::{ClosureStep, OptimRecord, SamConfig};
use burnscape::path::{
    BezierCurve, Curve, CurveFitter, CurveFitterConfig, FastGeometricEnsemble, PolygonalChain,
    TimeSampling,
};
use burnscape::space::LeafVector;
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use super::models::{network, nothing, parameters, point};
use super::own_optimizer::FallingMomentum;

/// `½ Σ i wᵢ²`: the gradient at `w` is `i wᵢ`.
fn bowl(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let w = point.w.val();
    let n = w.dims()[0];
    let data: Vec<f64> = (1..=n).map(|i| i as f64).collect();
    let scale = Tensor::<1>::from_data(TensorData::new(data, [n]), (&w.device(), DType::F64));
    (w.square() * scale).sum() * 0.5
}

fn values(vector: &LeafVector) -> Vec<f64> {
    let leaf = vector.leaves()[0].clone().unwrap();
    leaf.into_data().iter::<f64>().collect()
}

fn cubic() -> BezierCurve<Point> {
    let models = [[1.0, 0.0], [3.0, -1.0], [0.5, 2.0], [-1.0, 1.0]].map(|p| point(&p));
    BezierCurve::from_models(&models.iter().collect::<Vec<_>>()).unwrap()
}

const RATE: f64 = 0.25;

/// Checks the free points after one step of plain gradient descent.
fn check_step(config: &CurveFitterConfig, gradient: impl Fn(&[f64]) -> Vec<f64>) {
    let curve = cubic();
    let mut fitter = config.init(curve.clone(), SgdConfig::new().init()).unwrap();
    let [batch] = nothing();
    let times = fitter.next_times();
    let loss = fitter.step(batch, &bowl).unwrap().loss.unwrap();
    let moved = fitter.curve().unwrap();
    let count = times.len() as f64;
    let losses = times.iter().map(|&t| {
        let w = curve.point(t).unwrap().coordinates();
        0.5 * w[0] * w[0] + w[1] * w[1]
    });
    assert!((loss - losses.sum::<f64>() / count).abs() < 1e-12);
    for (k, (before, after)) in curve
        .control_points()
        .inner()
        .iter()
        .zip(moved.control_points().inner())
        .enumerate()
    {
        let mut expected = values(before);
        for &t in &times {
            let weight = curve.weights(t).unwrap()[k + 1];
            let g = gradient(&curve.point(t).unwrap().coordinates());
            for (x, g) in expected.iter_mut().zip(g) {
                *x -= RATE * weight * g / count;
            }
        }
        for (x, y) in expected.iter().zip(values(after)) {
            assert!((x - y).abs() < 1e-12, "{x} {y}");
        }
    }
    let ends = |c: &BezierCurve<Point>| [0.0, 1.0].map(|t| c.point(t).unwrap().coordinates());
    assert_eq!(ends(&curve), ends(&moved));
}

#[test]
fn each_control_point_gets_its_share_of_the_gradient() {
    let gradient = |w: &[f64]| vec![w[0], 2.0 * w[1]];
    let config = CurveFitterConfig::new(RATE).with_seed(5);
    check_step(&config, gradient);
    check_step(&config.clone().with_times_per_step(3), gradient);
    let stratified = TimeSampling::Stratified(4);
    check_step(&config.with_sampling(stratified), gradient);
}

#[test]
fn weight_decay_acts_on_the_point_of_the_curve() {
    let config = CurveFitterConfig::new(RATE)
        .with_seed(5)
        .with_weight_decay(0.3);
    check_step(&config, |w| vec![1.3 * w[0], 2.3 * w[1]]);
}

#[test]
fn clipping_scales_the_gradient_at_the_point_down_to_the_norm() {
    let config = CurveFitterConfig::new(RATE).with_max_gradient_norm(Some(0.1));
    check_step(&config, |w| {
        let g = [w[0], 2.0 * w[1]];
        let norm = (g[0] * g[0] + g[1] * g[1]).sqrt();
        assert!(norm > 0.1);
        g.map(|g| g * 0.1 / norm).to_vec()
    });
    // A gradient below the norm does not change.
    let config = CurveFitterConfig::new(RATE).with_max_gradient_norm(Some(1e6));
    check_step(&config, |w| vec![w[0], 2.0 * w[1]]);
}

fn data() -> Vec<(Tensor<2>, Tensor<2>)> {
    let device = Device::default();
    let numbers = |count: usize, shift: f64| -> Vec<f32> {
        (0..count)
            .map(|i| (1.7 * i as f64 + shift).sin() as f32)
            .collect()
    };
    (0..5)
        .map(|batch| {
            let shift = f64::from(batch);
            (
                Tensor::from_data(TensorData::new(numbers(24, shift), [6, 4]), &device),
                Tensor::from_data(TensorData::new(numbers(12, shift + 0.5), [6, 2]), &device),
            )
        })
        .collect()
}

fn squares(net: &Normalized, (x, y): (Tensor<2>, Tensor<2>)) -> Tensor<1> {
    (net.forward(x) - y).powi_scalar(2).mean()
}

fn free_points<O>(
    fitter: &CurveFitter<Normalized, PolygonalChain<Normalized>, O>,
) -> Vec<Vec<f64>>
where
{
    let curve = fitter.curve().unwrap();
    let points = [0.25, 0.5, 0.75];
    points
        .map(|t| parameters(&curve.point(t).unwrap()))
        .to_vec()
}

fn resumes<O: ClosureStep>(optimizer: impl Fn() -> O) {
    let (a, b) = (network(1), network(2));
    let chain = |a, b| {
        let chain = PolygonalChain::between(a, b, 3).unwrap();
        chain.offset(0.01, u64::MAX - 4).unwrap()
    };
    let schedule = FastGeometricEnsemble::new(0.05, 0.01, 4).unwrap();
    let config = CurveFitterConfig::new(schedule)
        .with_seed(u64::MAX - 4)
        .with_sampling(TimeSampling::Stratified(4))
        .with_weight_decay(1e-3);
    let start = || config.init(chain(&a, &b), optimizer()).unwrap();
    let data = data();
    let risk = Risk::new(&squares, &data);
    let mut whole = start();
    whole.run(&risk, 3).unwrap();
    assert!(whole.report().completed);
    // Stopped in the middle of the second pass.
    let mut part = start();
    let stopped = risk.clone().with_observer(|progress| match progress.done {
        7 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    part.run(&stopped, 3).unwrap();
    assert!(!part.report().completed);
    assert_eq!(part.report().num_steps, 7);
    assert_eq!((part.num_steps(), part.num_epochs()), (7, 1));
    let bytes = part.to_record().unwrap().into_bytes().unwrap();
    // Models that were loaded again have other identifiers than those of the first fit.
    let again = |model: &Normalized, seed| {
        let space = burnscape::space::ParamSpace::of(model).unwrap();
        let fresh = network(seed);
        LeafVector::from_module(&space, model)
            .unwrap()
            .apply_to(&fresh)
            .unwrap()
    };
    let chain = chain(&again(&a, 8), &again(&b, 9));
    let fresh = config.init(chain, optimizer()).unwrap();
    let record = OptimRecord::from_bytes(bytes).unwrap();
    let mut resumed = fresh.resume(record).unwrap();
    resumed.run(&risk, 3).unwrap();
    assert!(resumed.report().completed);
    assert_eq!(resumed.num_steps(), whole.num_steps());
    assert_eq!(free_points(&resumed), free_points(&whole));
    assert_ne!(free_points(&part), free_points(&whole));
}

#[test]
fn a_fit_resumes_to_the_last_bit() {
    resumes(FallingMomentum::default);
    resumes(|| AdamConfig::new().init());
    resumes(|| {
        SamConfig::friendly_sam()
            .init(AdamConfig::new().init())
            .unwrap()
    });
}

#[test]
fn sam_without_a_radius_is_its_base() {
    let (a, b) = (network(1), network(2));
    let chain = PolygonalChain::between(&a, &b, 3).unwrap();
    let config = CurveFitterConfig::new(0.01).with_seed(4);
    let mut plain = config
        .init(chain.clone(), AdamConfig::new().init())
        .unwrap();
    let sam = SamConfig::new().with_rho(0.0);
    let sam = sam.init(AdamConfig::new().init()).unwrap();
    let mut sam = config.init(chain, sam).unwrap();
    let data = data();
    let risk = Risk::new(&squares, &data);
    plain.run(&risk, 2).unwrap();
    sam.run(&risk, 2).unwrap();
    assert_eq!(free_points(&plain), free_points(&sam));
}

#[test]
fn a_fit_does_not_touch_the_models_it_connects() {
    let (a, b) = (network(1), network(2));
    let before = [&a, &b].map(|net| (parameters(net), net.norm.running_mean.value_sync()));
    let curve = BezierCurve::between(&a, &b, 2).unwrap();
    let mut fitter = CurveFitterConfig::new(0.1)
        .init(curve, SgdConfig::new().init())
        .unwrap();
    let fitted = fitter.run(&Risk::new(&squares, &data()), 3).unwrap();
    for (net, (weights, mean)) in [&a, &b].into_iter().zip(before) {
        assert_eq!(parameters(net), weights);
        assert_eq!(
            net.norm.running_mean.value_sync().into_data(),
            mean.into_data()
        );
    }
    let fitted = fitted.point(1.0).unwrap();
    assert_eq!(parameters(&fitted), parameters(&b));
    assert_eq!(fitted.num_params(), b.num_params());
}
