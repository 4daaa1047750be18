//! Every setting of every config of a path changes a result.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::ParamGroup;
use burn::optim::SgdConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::loss::NormalizationPolicy;
use burnscape::path::{
    BezierCurve, Curve, CurveFitterConfig, CurveProfileConfig, ElasticBandConfig,
    InstabilityConfig, LayerwiseBarriersConfig, PolygonalChain, Simplex, SimplexFitterConfig,
    TimeSampling,
};
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape_testkit::models::Normalized;

use super::models::{network, nothing, parameters, point, ring};

type Data = [Tensor<2>; 2];

fn data() -> Data {
    [0.0, 1.0].map(|shift| {
        let numbers = (0..24).map(|i| (1.7 * f64::from(i) + shift).sin() as f32 + 0.5);
        let data = TensorData::new(numbers.collect::<Vec<_>>(), [6, 4]);
        Tensor::from_data(data, &Device::default())
    })
}

fn squares(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

fn absolutes(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).abs().mean()
}

/// Runs with each of the settings, and without, write different texts.
#[track_caller]
pub(crate) fn each_matters<C>(
    base: &C,
    settings: Vec<(&'static str, C)>,
    run: impl Fn(&C) -> String,
) {
    let mut known = BTreeMap::from([(run(base), "none")]);
    assert!(known.contains_key(&run(base)), "a run is not reproducible");
    for (name, config) in settings {
        if let Some(other) = known.insert(run(&config), name) {
            panic!("{name} gives what {other} gives");
        }
    }
}

fn ends() -> [Normalized; 2] {
    [network(1), network(2)]
}

#[test]
fn of_a_fit() {
    let ([a, b], data) = (ends(), data());
    let risk = Risk::new(&squares, &data);
    let base = CurveFitterConfig::new(0.1);
    let with = |set: fn(CurveFitterConfig) -> CurveFitterConfig| set(base.clone());
    let settings = vec![
        ("learning_rate", CurveFitterConfig::new(0.2)),
        (
            "sampling",
            with(|c| c.with_sampling(TimeSampling::Quadrature(2))),
        ),
        ("times_per_step", with(|c| c.with_times_per_step(2))),
        ("weight_decay", with(|c| c.with_weight_decay(0.1))),
        (
            "max_gradient_norm",
            with(|c| c.with_max_gradient_norm(Some(1e-3))),
        ),
        ("seed", with(|c| c.with_seed(1))),
        ("mode", with(|c| c.with_mode(Mode::Eval))),
    ];
    each_matters(&base, settings, |config| {
        let curve = BezierCurve::between(&a, &b, 2).unwrap();
        let curve = curve.offset(0.01, 0).unwrap();
        let mut fitter = config.init(curve, SgdConfig::new().init()).unwrap();
        let curve = fitter.run(&risk, 2).unwrap();
        let middle = parameters(&curve.point(0.5).unwrap());
        format!("{:?} {middle:?}", fitter.report())
    });
}

#[test]
fn of_a_fitted_simplex() {
    let ([a, b], c, [batch, _]) = (ends(), network(3), data());
    let simplex = Simplex::new(&[&a, &b, &c]).unwrap();
    let base = SimplexFitterConfig::new(0.1);
    let with = |set: fn(SimplexFitterConfig) -> SimplexFitterConfig| set(base.clone());
    let settings = vec![
        ("learning_rate", SimplexFitterConfig::new(0.2)),
        ("volume_weight", with(|c| c.with_volume_weight(0.1))),
        ("seed", with(|c| c.with_seed(1))),
        ("mode", with(|c| c.with_mode(Mode::Eval))),
    ];
    each_matters(&base, settings, |config| {
        let fitter = config.init(simplex.clone(), SgdConfig::new().init());
        let mut fitter = fitter.unwrap();
        fitter.step(batch.clone(), &squares).unwrap();
        let fitted = fitter.simplex().unwrap();
        format!("{:?}", parameters(&fitted.point(&[0.0, 0.0, 1.0]).unwrap()))
    });
}

#[test]
fn of_a_band() {
    let ([a, b], data) = (ends(), data());
    let risk = Risk::new(&squares, &data);
    let sgd = || SgdConfig::new().init();
    let base = ElasticBandConfig::new(0.1).with_steps(3);
    let with = |set: fn(ElasticBandConfig) -> ElasticBandConfig| set(base.clone());
    let settings = vec![
        ("learning_rate", ElasticBandConfig::new(0.2).with_steps(3)),
        ("steps", with(|c| c.with_steps(4))),
        ("spring", with(|c| c.with_spring(3.0))),
        ("mode", with(|c| c.with_mode(Mode::Eval))),
        ("cycles", with(|c| c.with_cycles(2))),
    ];
    let chain = PolygonalChain::between(&a, &b, 2).unwrap();
    let chain = chain.offset(0.01, 0).unwrap();
    each_matters(&base, settings, |config| {
        let band = config.run(&risk, &chain, sgd()).unwrap();
        let pivot = parameters(&band.chain.point(0.3).unwrap());
        format!("{} {pivot:?}", band.to_json().unwrap())
    });
    // Points, which the next test uses, have no running statistics.
    let base = base.with_cycles(2).with_places(2);
    let leave = base.clone().with_policy(NormalizationPolicy::Leave);
    each_matters(&base, vec![("policy", leave)], |config| {
        let found = config.run(&risk, &chain, sgd()).unwrap();
        found.to_json().unwrap()
    });
}

#[test]
fn of_insertions() {
    // A line through the middle of a ring of minima: a band with one pivot has a barrier on both sides.
    let ([a, b], data) = ([point(&[-1.0, 0.0]), point(&[1.0, 0.0])], nothing());
    let risk = Risk::new(&ring, &data);
    let chain = PolygonalChain::between(&a, &b, 1).unwrap();
    let chain = chain.offset(0.025, 0).unwrap();
    let base = ElasticBandConfig::new(0.05)
        .with_steps(300)
        .with_cycles(2)
        .with_places(2);
    let with = |set: fn(ElasticBandConfig) -> ElasticBandConfig| set(base.clone());
    let settings = vec![
        ("cycles", with(|c| c.with_cycles(3))),
        ("max_pivots", with(|c| c.with_max_pivots(2))),
        ("places", with(|c| c.with_places(3))),
        ("threshold", with(|c| c.with_threshold(10.0))),
    ];
    each_matters(&base, settings, |config| {
        let found = config.run(&risk, &chain, SgdConfig::new().init()).unwrap();
        let pivot = found.chain.point(0.3).unwrap().coordinates();
        format!("{} {pivot:?}", found.to_json().unwrap())
    });
}

#[test]
fn of_profiles() {
    let ([a, b], data) = (ends(), data());
    let risk = Risk::new(&squares, &data);
    let other = Risk::new(&absolutes, &data);
    let line = PolygonalChain::line(&a, &b).unwrap();
    let grid = Grid::from_coordinates(vec![0.0, 0.3, 1.0]).unwrap();
    let leave = NormalizationPolicy::Leave;
    let labels = |x: &Tensor<2>| -> Tensor<1, Int> { x.clone().argmax(1).flatten::<1>(0, 1) % 2 };
    let logits = |net: &Normalized, x: &Tensor<2>| net.forward(x.clone());
    let classes = Risk::classes(logits, labels, &data);
    let base = CurveProfileConfig::new().with_num_points(3);
    let settings = vec![
        ("calibration", base.clone().with_calibration(&classes)),
        ("test", base.clone().with_test(&other)),
        ("metric", base.clone().with_metric("other", &other)),
        ("policy", base.clone().with_policy(leave)),
        ("num_points", base.clone().with_num_points(4)),
        ("grid", base.clone().with_grid(grid)),
        ("controls", base.clone().with_controls(0)),
        ("seed of controls", base.clone().with_controls(1)),
    ];
    each_matters(&base, settings, |config| {
        config.run(&risk, &line).unwrap().to_json().unwrap()
    });
    let group = ("norm".to_string(), ParamGroup::from_predicate("norm"));
    let profile = |num_points| CurveProfileConfig::new().with_num_points(num_points);
    let base = LayerwiseBarriersConfig::new().with_profile(profile(3));
    let settings = vec![
        ("groups", base.clone().with_groups(vec![group])),
        ("profile", base.clone().with_profile(profile(4))),
        ("seed", base.clone().with_seed(1)),
    ];
    each_matters(&base, settings, |config| {
        config.run(&risk, [&a, &b]).unwrap().to_json().unwrap()
    });
}

#[test]
fn of_an_instability_analysis() {
    let ([start, _], data) = (ends(), data());
    let risk = Risk::new(&squares, &data);
    let profile = || CurveProfileConfig::new().with_num_points(3);
    let with =
        |steps: Vec<usize>, total| InstabilityConfig::new(steps, total).with_profile(profile());
    let base = with(vec![2], 4);
    let settings = vec![
        ("branch_steps", with(vec![1], 4)),
        ("total_steps", with(vec![2], 5)),
        ("orders", base.clone().with_orders([5, 1, 2])),
        (
            "profile",
            base.clone().with_profile(profile().with_num_points(4)),
        ),
    ];
    let train = |mut model: Normalized, state: (), steps: Range<usize>, order: u64| {
        for step in steps {
            let space = ParamSpace::of(&model).unwrap();
            let direction = ParamVector::sphere(&space, 100 * order + step as u64).unwrap();
            model = direction.perturb(&model, 0.3).unwrap();
        }
        Ok::<_, String>((model, state))
    };
    each_matters(&base, settings, |config| {
        let found = config.run(&risk, &start, (), train).unwrap();
        found.to_json().unwrap()
    });
}
