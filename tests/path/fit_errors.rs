//! Fits that are refused, and their messages.

use burn::module::ParamGroup;
use burn::optim::SgdConfig;
use burn::tensor::{Bytes, DType, Tensor};
use burn_pack::Writer;
use burnscape::loss::{LossError, Risk};
use burnscape::optim::OptimRecord;
use burnscape::path::{
    BezierCurve, CurveFitterConfig, CurveProfileConfig, ElasticBandConfig, PathError,
    PolygonalChain, TimeSampling,
};
use burnscape_testkit::objectives::Point;

use super::models::{at, nothing, point, ring};

fn curve() -> BezierCurve<Point> {
    BezierCurve::between(&point(&[-1.0, 0.0]), &point(&[1.0, 0.0]), 2).unwrap()
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let config = || CurveFitterConfig::new(0.1);
    for (config, name) in [
        (config().with_times_per_step(0), "times_per_step"),
        (config().with_weight_decay(-1.0), "weight_decay"),
        (config().with_weight_decay(f64::NAN), "weight_decay"),
        (
            config().with_max_gradient_norm(Some(0.0)),
            "max_gradient_norm",
        ),
        (
            config().with_sampling(TimeSampling::Stratified(0)),
            "Stratified",
        ),
        (
            config().with_sampling(TimeSampling::Quadrature(0)),
            "Quadrature",
        ),
    ] {
        let error = config.init(curve(), SgdConfig::new().init()).unwrap_err();
        assert!(matches!(error, PathError::OutOfRange { .. }));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_line_has_nothing_to_fit() {
    let line = PolygonalChain::line(&point(&[0.0]), &point(&[1.0])).unwrap();
    let error = CurveFitterConfig::new(0.1)
        .init(line.clone(), SgdConfig::new().init())
        .unwrap_err();
    assert_eq!(error, PathError::NothingToFit);
}

#[test]
fn empty_data_are_refused() {
    let mut fitter = CurveFitterConfig::new(0.1)
        .init(curve(), SgdConfig::new().init())
        .unwrap();
    let none: [Tensor<1>; 0] = [];
    let error = fitter.run(&Risk::new(&ring, &none), 1).unwrap_err();
    assert_eq!(error, PathError::Loss(LossError::EmptyData));
}

#[test]
fn a_loss_that_is_not_a_number_is_reported_with_its_place_and_the_fit_can_continue() {
    // NaN inside the ring, in the middle of the line.
    let walled = |point: &Point, _: Tensor<1>| {
        let square = point.w.val().square().sum();
        (square - 0.5).sqrt()
    };
    let curve = curve();
    let mut fitter = CurveFitterConfig::new(0.1)
        .with_seed(1)
        .init(curve.clone(), SgdConfig::new().init())
        .unwrap();
    let mut failures = 0;
    for _ in 0..40 {
        let [batch] = nothing();
        match fitter.step(batch, &walled) {
            Ok(step) => assert!(step.loss.unwrap().is_finite()),
            Err(PathError::NonFinite { t, value, .. }) => {
                failures += 1;
                assert!(value.is_nan());
                // |2t − 1| < √½ on the line, and the middle has hardly moved.
                assert!((t - 0.5).abs() < 0.4, "{t}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(failures > 10);
    assert!(
        at(&fitter.curve().unwrap(), 0.5)
            .iter()
            .all(|x| x.is_finite())
    );
}

#[test]
fn a_record_of_another_fit_is_refused() {
    let config = CurveFitterConfig::new(0.1).with_seed(1);
    let sgd = || SgdConfig::new().init();
    let record = config.init(curve(), sgd()).unwrap().to_record().unwrap();
    let other = config.clone().with_seed(2).init(curve(), sgd()).unwrap();
    let error = other.resume(record.clone()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the record has seed 1, this fit has seed 2"),
        "{error}"
    );
    let (a, b) = (point(&[-1.0, 0.0]), point(&[1.0, 0.0]));
    let chain = PolygonalChain::between(&a, &b, 2).unwrap();
    let other = config.init(chain.clone(), sgd()).unwrap();
    assert!(matches!(
        other.resume(record).unwrap_err(),
        PathError::Optim(_)
    ));
}

#[test]
fn a_checkpoint_of_the_first_version_is_refused_with_a_remedy() {
    let parts = ["points", "optimizer", "scheduler"].map(|name| {
        let bytes = Bytes::from_bytes_vec(vec![1, 2, 3]);
        burn_pack::Tensor::new(name.to_string(), DType::U8, vec![3], None, bytes)
    });
    let bytes = Writer::new(parts.to_vec()).into_bytes().unwrap();
    let error = OptimRecord::from_bytes(bytes).unwrap_err().to_string();
    assert!(error.contains("format is version 1"), "{error}");
    assert!(
        error.contains("resume with the version that wrote it"),
        "{error}"
    );
}

#[test]
fn a_loss_that_panics_is_an_error_of_fits_and_profiles() {
    let broken = |_: &Point, _: Tensor<1>| -> Tensor<1> { panic!("a broken loss") };
    let curve = curve();
    let mut fitter = CurveFitterConfig::new(0.1)
        .init(curve.clone(), SgdConfig::new().init())
        .unwrap();
    let [batch] = nothing();
    let fit = fitter.step(batch, &broken).unwrap_err();
    assert!(fit.to_string().contains("a broken loss"), "{fit}");
    let data = nothing();
    let risk = Risk::new(&broken, &data);
    let profile = CurveProfileConfig::new().run(&risk, &curve).unwrap_err();
    assert!(profile.to_string().contains("a broken loss"), "{profile}");
}

#[test]
fn a_group_is_refused_where_every_parameter_moves() {
    let data = nothing();
    let group = ParamGroup::from_regex("w").unwrap();
    let risk = Risk::new(&ring, &data).with_group(group);
    let mut fitter = CurveFitterConfig::new(0.1)
        .init(curve(), SgdConfig::new().init())
        .unwrap();
    let error = fitter.run(&risk, 1).unwrap_err();
    assert_eq!(error, PathError::Group { fit: "a curve fit" });
    assert!(error.to_string().contains("without `with_group`"));
    let chain = PolygonalChain::between(&point(&[-1.0, 0.0]), &point(&[1.0, 0.0]), 1).unwrap();
    let config = ElasticBandConfig::new(0.1).with_steps(1);
    let error = config.run(&risk, &chain, SgdConfig::new().init());
    assert_eq!(error.unwrap_err(), PathError::Group { fit: "a band" });
}
