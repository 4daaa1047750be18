//! Random numbers of the loss while points of a path move.

use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burnscape::loss::Risk;
use burnscape::path::{BezierCurve, Curve, CurveFitterConfig, ElasticBandConfig, PolygonalChain};
use burnscape::space::ParamVector;
use burnscape_testkit::models::Dropped;
use burnscape_testkit::turn;

/// The inner points after some steps on a network with dropout.
type Run = fn(&Risk<'_, Dropped>, [&Dropped; 2]) -> Vec<f64>;

fn inner(curve: &impl Curve<Dropped>) -> Vec<f64> {
    let points = curve.control_points().inner().iter();
    let points = points.map(|point| ParamVector::from_leaves(point).unwrap());
    points.flat_map(|point| point.to_host().unwrap()).collect()
}

fn fit(risk: &Risk<'_, Dropped>, [a, b]: [&Dropped; 2]) -> Vec<f64> {
    let curve = BezierCurve::between(a, b, 2).unwrap();
    let config = CurveFitterConfig::new(0.1);
    let mut fitter = config.init(curve, SgdConfig::new().init()).unwrap();
    inner(&fitter.run(risk, 2).unwrap())
}

fn band(risk: &Risk<'_, Dropped>, [a, b]: [&Dropped; 2]) -> Vec<f64> {
    let chain = PolygonalChain::between(a, b, 2).unwrap();
    let config = ElasticBandConfig::new(0.1).with_steps(4);
    let found = config.run(risk, &chain, SgdConfig::new().init());
    inner(&found.unwrap().chain)
}

#[test]
fn a_draws_seed_determines_the_masks_of_a_fit_and_of_a_band() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    device.seed(11);
    let [a, b] = [(); 2].map(|()| Dropped::new([4, 16, 2], &device));
    let loss = |net: &Dropped, x: Tensor<2>| (net.forward(x) - 1.0).square().mean();
    let data = [(); 2].map(|()| Tensor::<2>::ones([8, 4], &device.clone().inner()));
    let risk = Risk::new(&loss, &data);
    for run in [fit as Run, band] {
        let after = |state: u64, risk: &Risk<'_, Dropped>| {
            device.seed(state);
            run(risk, [&a, &b])
        };
        let seeded = |seed: u64| risk.clone().with_draws_seed(seed);
        assert_eq!(after(1, &seeded(5)), after(2, &seeded(5)));
        assert_ne!(after(1, &seeded(5)), after(1, &seeded(6)));
        // Without a seed they come from the device, as in training.
        assert_eq!(after(1, &risk), after(1, &risk));
        assert_ne!(after(1, &risk), after(2, &risk));
    }
}
