//! Modules that are plain, partly frozen, tied, or in half precision.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape::loss::{Risk, SumLoss};
use burnscape::optim::{OptimError, SamConfig};
use burnscape::path::{
    BezierCurve, Curve, CurveFitterConfig, CurveProfileConfig, PathError, PolygonalChain,
};

use super::models::parameters;

fn sgd() -> ModuleOptimizer {
    SgdConfig::new().init()
}

fn squares(model: &Linear, x: Tensor<2>) -> Tensor<1> {
    (model.forward(x) - 1.0).powi_scalar(2).mean()
}

#[test]
fn models_on_a_plain_device_are_fitted_and_stay_plain() {
    let device = Device::default();
    let [a, b] = [(); 2].map(|()| LinearConfig::new(3, 2).init(&device));
    let curve = BezierCurve::between(&a, &b, 3).unwrap();
    let data = [Tensor::<2>::ones([4, 3], &device)];
    let mut fitter = CurveFitterConfig::new(0.1)
        .init(curve.clone(), sgd())
        .unwrap();
    let fitted = fitter.run(&Risk::new(&squares, &data), 20).unwrap();
    let [before, after] = [&curve, &fitted].map(|c| parameters(&c.point(0.5).unwrap()));
    assert_ne!(before, after);
    assert!(!fitted.point(0.5).unwrap().weight.val().is_autodiff());
    assert_eq!(parameters(&fitted.point(0.0).unwrap()), parameters(&a));
}

#[test]
fn frozen_parameters_belong_to_the_nearer_end() {
    let device = Device::default().autodiff();
    let frozen = || {
        let mut layer = LinearConfig::new(3, 2).init(&device);
        layer.bias = layer.bias.map(|bias| bias.set_require_grad(false));
        layer
    };
    let (a, b) = (frozen(), frozen());
    let curve = BezierCurve::between(&a, &b, 2).unwrap();
    let data = [Tensor::<2>::ones([4, 3], &device)];
    let mut fitter = CurveFitterConfig::new(0.1).init(curve, sgd()).unwrap();
    let fitted = fitter.run(&Risk::new(&squares, &data), 5).unwrap();
    let bias = |model: &Linear| model.bias.as_ref().unwrap().val().into_data();
    assert_eq!(bias(&fitted.point(0.3).unwrap()), bias(&a));
    assert_eq!(bias(&fitted.point(0.7).unwrap()), bias(&b));
}

/// A matrix that is used twice.
#[derive(Module, Debug)]
struct Tie {
    inner: Param<Tensor<2>>,
    outer: Param<Tensor<2>>,
}

impl Tie {
    fn new(seed: f64) -> Self {
        let device = Device::default().autodiff();
        let value = Tensor::<2>::from_data([[seed, 0.3], [-0.2, 0.5]], (&device, DType::F64));
        let inner = Param::from_tensor(value);
        Self {
            outer: inner.clone(),
            inner,
        }
    }
}

fn product(tie: &Tie, _: Tensor<1>) -> Tensor<1> {
    let product = tie.inner.val().matmul(tie.outer.val().transpose());
    (product - 1.0).square().sum()
}

#[test]
fn tied_parameters_are_refused_by_name_or_tied_again() {
    let (a, b) = (Tie::new(1.0), Tie::new(-1.0));
    let curve = BezierCurve::between(&a, &b, 2).unwrap();
    let data = super::models::nothing();
    let mut fitter = CurveFitterConfig::new(0.01)
        .init(curve.clone(), sgd())
        .unwrap();
    let error = fitter.run(&Risk::new(&product, &data), 1).unwrap_err();
    assert!(matches!(
        &error,
        PathError::Optim(OptimError::TiedParameter { .. })
    ));
    assert!(error.to_string().contains("inner") && error.to_string().contains("outer"));
    let retied = SamConfig::new().with_rho(0.0).with_restore_tied(true);
    let sam = retied.init(sgd()).unwrap();
    let mut fitter = CurveFitterConfig::new(0.01)
        .init(curve.clone(), sam)
        .unwrap();
    fitter.run(&Risk::new(&product, &data), 20).unwrap();
    let fitted = fitter.curve().unwrap().point(0.5).unwrap();
    assert_eq!(
        fitted.inner.val().into_data(),
        fitted.outer.val().into_data()
    );
    assert_ne!(
        fitted.inner.val().into_data(),
        curve.point(0.5).unwrap().inner.val().into_data()
    );
}

#[test]
fn half_precision_is_summed_in_single() {
    let device = Device::default();
    let half = |value: f64| {
        let mut layer = LinearConfig::new(1, 1).with_bias(false).init(&device);
        layer.weight = Param::from_tensor(Tensor::from_data([[value]], (&device, DType::F16)));
        layer
    };
    // 1/3 of the way in eight steps of a curve of degree 8: the sum of nine products.
    let (a, b) = (half(1000.0), half(1003.0));
    let curve = BezierCurve::between(&a, &b, 8).unwrap();
    let line = PolygonalChain::line(&a, &b).unwrap();
    for t in [0.25, 1.0 / 3.0, 0.5] {
        let [x, y] = [&curve.point(t).unwrap(), &line.point(t).unwrap()]
            .map(|model| model.weight.val().into_data().iter::<f32>().next().unwrap());
        // Numbers of this size have a spacing of a half in half precision.
        assert!((x - y).abs() <= 0.5, "{x} {y}");
        assert_eq!(curve.point(t).unwrap().weight.val().dtype(), DType::F16);
    }
}

#[test]
fn a_sum_over_examples_is_profiled_as_a_sum() {
    let device = Device::default();
    let [a, b] = [(); 2].map(|()| LinearConfig::new(3, 2).init(&device));
    let sum = SumLoss(|model: &Linear, x: Tensor<2>| model.forward(x).abs().sum());
    let line = PolygonalChain::line(&a, &b).unwrap();
    let profile = |batches: Vec<Tensor<2>>| {
        let risk = Risk::new(&sum, &batches);
        let config = CurveProfileConfig::new().with_num_points(3);
        config.run(&risk, &line).unwrap()
    };
    let rows = Tensor::<2>::ones([6, 3], &device);
    let whole = profile(vec![rows.clone()]).train.values;
    let parts = profile(vec![rows.clone().slice(0..2), rows.slice(2..6)])
        .train
        .values;
    for (x, y) in whole.iter().zip(&parts) {
        assert!((x - y).abs() < 1e-4 * x.abs());
    }
}
