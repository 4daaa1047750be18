//! Every result type without vectors or models goes through JSON and back.

use std::collections::BTreeSet;
use std::fmt::Debug;

use burn::optim::SgdConfig;
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Int, Tensor};
use burnscape::FormatError;
use burnscape::curvature::LayerCouplingConfig;
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureMonitorState, CurvatureReading, Due, Moment, Monitor,
    Monitors, Observation, Watch, WatchRecord,
};
use burnscape::krylov::Outcome;
use burnscape::landscape::{Direction, DirectionKind, Landscape, LandscapeConfig, LossScale};
use burnscape::optim::{
    ClosureStep, IntrinsicDimensionConfig, OptimError, PerturbedGdConfig, SaddleFreeNewtonConfig,
    SamConfig, TrustRegionNewtonConfig,
};
use burnscape::path::{
    CurveFitterConfig, CurveProfile, CurveProfileConfig, ElasticBand, ElasticBandConfig,
    InstabilityConfig, LayerwiseBarriersConfig, PolygonalChain,
};
use burnscape::posterior::{
    LearningCoefficient, LearningCoefficientConfig, PosteriorConfig, StagesConfig,
    TemperatureLadderConfig,
};
use burnscape::prelude::*;
use burnscape::sharpness::{
    AverageSharpnessConfig, BasinVolumeConfig, BitsPerWeightConfig, CoercivityConfig, FisherRao,
    GrowthExponentsConfig, McAllesterConfig, PacBayesSigma, PacBayesSigmaConfig,
    RelativeFlatnessConfig, SharpnessComparison, SharpnessReport, SharpnessReportConfig,
    WorstCaseBound, WorstCaseSharpness, WorstCaseSharpnessConfig,
};
use burnscape::space::Grid;
use burnscape::spectrum::{CriticalPointsConfig, Spectrum};
use burnscape::topology::MergeTreeConfig;
use burnscape::trajectory::{
    PlateausConfig, ProjectionConfig, QuasiConvexityConfig, RibbonConfig, Trajectory,
    TrajectoryPcaConfig,
};
use burnscape_testkit::models::TwoLayers;
use burnscape_testkit::objectives::Point;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::path::models::{nothing, point, ring};
use crate::sharpness::models::{net, regression, squared_error};

/// The result as it is read back writes the same text. `serde_json` may read a number off by one unit in the last
/// place, so that numbers are compared to that.
pub(super) fn goes_through<T: Json + DeserializeOwned + Debug>(
    seen: &mut BTreeSet<&'static str>,
    result: &T,
) {
    let text = result.to_json().unwrap();
    let read = T::from_json(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let again = read.to_json().unwrap();
    let [text, again] = [text, again].map(|text| Value::from_json(&text).unwrap());
    assert!(are_near(&text, &again), "{text} {again}");
    let mut written = Vec::new();
    result.write_json(&mut written).unwrap();
    T::read_json(&written[..]).unwrap();
    let name = std::any::type_name::<T>().split('<').next().unwrap();
    seen.insert(name.rsplit("::").next().unwrap());
}

fn are_near(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let [one, other] = [one, other].map(|number| number.as_f64().unwrap());
            (one - other).abs() <= f64::EPSILON * one.abs()
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = || one.iter().zip(other);
            one.len() == other.len() && pairs().all(|(one, other)| are_near(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_near = |(name, one)| other.get(name).is_some_and(|other| are_near(one, other));
            one.len() == other.len() && one.iter().all(is_near)
        }
        (one, other) => one == other,
    }
}

pub(super) fn ends() -> [Point; 2] {
    [point(&[-1.0, 0.1]), point(&[1.0, 0.3])]
}

#[test]
fn results_of_paths_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let ([a, b], data) = (ends(), nothing());
    let risk = Risk::new(&ring, &data);
    let sgd = || SgdConfig::new().init();
    let line = PolygonalChain::line(&a, &b).unwrap();
    let config = CurveProfileConfig::new()
        .with_num_points(4)
        .with_test(&risk)
        .with_metric("ring", &risk)
        .with_controls(1);
    let profile = config.run(&risk, &line).unwrap();
    goes_through(&mut seen, &profile);
    goes_through(&mut seen, &profile.train);
    goes_through(&mut seen, &profile.barriers().unwrap());
    let layers =
        LayerwiseBarriersConfig::new().with_profile(CurveProfileConfig::new().with_num_points(3));
    let layers = layers.run(&risk, [&a, &b]).unwrap();
    goes_through(&mut seen, &layers);
    goes_through(&mut seen, &layers.layers[0]);
    let train = |model: Point, state: (), _, _| Ok::<_, String>((model, state));
    let branches = InstabilityConfig::new(vec![0, 1], 2);
    let branches = branches.run(&risk, &a, (), train).unwrap();
    goes_through(&mut seen, &branches);
    let mut fitter = CurveFitterConfig::new(0.1)
        .init(PolygonalChain::between(&a, &b, 1).unwrap(), sgd())
        .unwrap();
    fitter.run(&risk, 2).unwrap();
    goes_through(&mut seen, fitter.report());
    let found: Vec<&str> = seen.into_iter().collect();
    let expected = [
        "Barriers",
        "CurveProfile",
        "FitReport",
        "Instability",
        "LayerBarrier",
        "LayerwiseBarriers",
        "PathValues",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_calibrated_profile_goes_through_json_and_back() {
    type Batch = (Tensor<2>, Tensor<1, Int>);
    let device = Device::default();
    let x = Tensor::zeros([2, 2], (&device, DType::F64));
    let data: [Batch; 1] = [(x, Tensor::from_ints([0, 1], &device))];
    let logits = |model: &Point, (x, _): &Batch| x.clone() + model.w.val().unsqueeze::<2>();
    let risk = Risk::classes(logits, |(_, labels): &Batch| labels.clone(), &data);
    let [a, b] = ends();
    let profile = CurveProfileConfig::new()
        .with_num_points(3)
        .with_calibration(&risk)
        .run(&risk, &PolygonalChain::line(&a, &b).unwrap())
        .unwrap();
    goes_through(&mut BTreeSet::new(), &profile);
}

#[test]
fn bands_are_read_back_without_their_models() {
    let ([a, b], data) = (ends(), nothing());
    let risk = Risk::new(&ring, &data);
    let sgd = || SgdConfig::new().init();
    let config = ElasticBandConfig::new(0.1).with_steps(2);
    let chain = PolygonalChain::between(&a, &b, 2).unwrap();
    let band = config.run(&risk, &chain, sgd()).unwrap();
    let read: ElasticBand = Json::from_json(&band.to_json().unwrap()).unwrap();
    assert_eq!((read.num_steps, read.losses.len()), (2, 2));
    goes_through(&mut BTreeSet::new(), &read);
    let mut found = config.with_cycles(2).run(&risk, &chain, sgd()).unwrap();
    found.max_losses[0] = f64::INFINITY;
    let read: ElasticBand = Json::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!((read.num_pivots[0], read.outcome), (2, found.outcome));
    assert_eq!(read.max_losses, found.max_losses);
}

/// Random directions at a point.
fn directions<const N: usize>(model: &Point, seeds: [u64; N]) -> [Direction; N] {
    let space = ParamSpace::of(model).unwrap();
    seeds.map(|seed| {
        let vector = ParamVector::sphere(&space, seed).unwrap();
        Direction::new(DirectionKind::Other("drawn".to_string()), vector)
    })
}

#[test]
fn landscapes_and_readings_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let ([model, _], data) = (ends(), nothing());
    let risk = Risk::new(&ring, &data);
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let plane = LandscapeConfig::new([grid.clone(), grid])
        .with_metric("again", &risk)
        .run(&risk, &model, &directions(&model, [1, 2]))
        .unwrap();
    goes_through(&mut seen, &plane);
    goes_through(&mut seen, &plane.metrics[0]);
    goes_through(&mut seen, &plane.directions[0]);
    goes_through(&mut seen, &plane.directions[0].kind);
    let config = MergeTreeConfig::new();
    let tree = plane.merge_tree(LossScale::Linear, &config).unwrap();
    goes_through(&mut seen, &tree);
    let monitor = CurvatureMonitorConfig::new().init().unwrap();
    let mut watch = Watch::new(Due::At(vec![0]), monitor, risk).unwrap();
    let moment = Moment::new(0, 0.1, &model);
    let observation = watch.observe(&moment).unwrap().unwrap();
    goes_through(&mut seen, &observation.reading);
    goes_through(&mut seen, &observation);
    let record = watch.to_record().unwrap();
    goes_through(&mut seen, &record.state);
    goes_through(&mut seen, &record);
    goes_through(&mut seen, &watch.readings().cost());
    let monitors = Monitors::new().with(watch).unwrap();
    goes_through(&mut seen, &monitors.to_record().unwrap());
    goes_through(
        &mut seen,
        &Due::Geometric {
            first: 2,
            ratio: 1.5,
        },
    );
    assert_eq!(seen.len(), 12);
}

#[test]
fn the_work_of_devices_goes_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let ([model, _], data) = (ends(), nothing());
    let risk = Risk::new(&ring, &data).with_devices([Device::default()]);
    risk.loss(&model).unwrap();
    for work in risk.device_work() {
        goes_through(&mut seen, &work);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["DeviceWork"]);
}

#[test]
fn results_of_trajectories_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let models = [[-1.0, 0.1], [0.5, 0.4], [1.0, 0.3]].map(|w| point(&w));
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let trajectory = Trajectory::of(models.into_iter().enumerate()).unwrap();
    let pca = TrajectoryPcaConfig::new(2).run(&trajectory).unwrap();
    goes_through(&mut seen, &pca);
    goes_through(&mut seen, &pca.centering);
    goes_through(&mut seen, &pca.sign_flip(5, 0).unwrap());
    let plane = pca.plane(&trajectory).unwrap();
    let found = ProjectionConfig::new();
    let found = found.run(&risk, &trajectory, &plane).unwrap();
    goes_through(&mut seen, &found);
    goes_through(&mut seen, &found.points[0]);
    let grid = Grid::linspace(0.0, 1.0, 2).unwrap();
    let ribbon = RibbonConfig::new(grid).run(&risk, &trajectory).unwrap();
    goes_through(&mut seen, &ribbon);
    let found = QuasiConvexityConfig::new();
    let found = found.run(&risk, &trajectory).unwrap();
    goes_through(&mut seen, &found);
    goes_through(&mut seen, &found.points[0]);
    let plateaus = PlateausConfig::new(1, 0.1).run(&[1.0, 1.0, 1.0]).unwrap();
    goes_through(&mut seen, &plateaus[0]);
    assert_eq!(seen.len(), 9);
}

#[cfg(feature = "files")]
#[test]
fn results_of_trajectories_in_files_go_through_json_and_back() {
    use burnscape::trajectory::{Thinning, TrajectoryLog};
    let directory = std::env::temp_dir().join(format!("burnscape-json-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&directory));
    let mut seen = BTreeSet::new();
    let (models, data) = (ends(), nothing());
    let log = TrajectoryLog::create(&directory).unwrap();
    let log = log.with_thinning(Thinning::Moved(0.1));
    let mut watch = Watch::new(Due::Every(1), log, Risk::new(&ring, &data)).unwrap();
    for (step, model) in models.iter().enumerate() {
        watch.observe(&Moment::new(step, 0.1, model)).unwrap();
    }
    goes_through(&mut seen, &watch.readings().last().unwrap().reading);
    goes_through(&mut seen, &watch.to_record().unwrap().state);
    let trajectory = Trajectory::open(&directory, &models[0]).unwrap();
    goes_through(&mut seen, &trajectory.checkpoints()[0]);
    std::fs::remove_dir_all(&directory).unwrap();
    let found: Vec<&str> = seen.into_iter().collect();
    let expected = ["Checkpoint", "TrajectoryLogState", "TrajectoryReading"];
    assert_eq!(found, expected);
}

#[test]
fn results_of_sharpness_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let average = AverageSharpnessConfig::new(0.1).with_num_samples(3);
    goes_through(&mut seen, &average.run(&risk, &model).unwrap());
    let worst = WorstCaseSharpnessConfig::new(0.1).with_num_steps(2);
    let found = worst.run(&risk, &model).unwrap();
    assert!(found.displacement.is_some());
    goes_through(&mut seen, &found);
    let read = WorstCaseSharpness::from_json(&found.to_json().unwrap()).unwrap();
    assert!(read.displacement.is_none() && read.config == worst);
    let sigma = PacBayesSigmaConfig::new(0.1).with_num_samples(1);
    goes_through(&mut seen, &sigma.run(&risk, &model).unwrap());
    let bound = McAllesterConfig::new(0.1).with_num_samples(2);
    let bound = bound.run(&risk, &model, &model).unwrap();
    goes_through(&mut seen, &bound);
    let hessian = risk.hessian(&model).unwrap();
    goes_through(
        &mut seen,
        &WorstCaseBound::of(&worst, &hessian, &model).unwrap(),
    );
    let flatness = RelativeFlatnessConfig::new().run(&hessian, &model).unwrap();
    goes_through(&mut seen, &flatness);
    goes_through(&mut seen, &flatness.layers[0]);
    let outputs = |m: &TwoLayers, (x, _): &(Tensor<2>, Tensor<2>)| m.forward(x.clone(), relu);
    let criterion = |z: Tensor<2>, (_, y): (Tensor<2>, Tensor<2>)| (z - y).square().mean();
    let split = Risk::split(outputs, criterion, &data);
    let matrix = split.gauss_newton(&model).unwrap();
    goes_through(&mut seen, &FisherRao::of(&matrix, &model).unwrap());
    let report = SharpnessReportConfig::new()
        .with_num_samples(1)
        .with_num_steps(1)
        .with_trace_matvecs(2);
    let report = report.run(&risk, &model).unwrap();
    goes_through(&mut seen, &report);
    goes_through(&mut seen, &report.rows[0]);
    let comparison = report.compare(&report);
    goes_through(&mut seen, &comparison);
    goes_through(&mut seen, &comparison.changes[0]);
    let volume = BasinVolumeConfig::new(0.1).with_num_rays(2);
    goes_through(&mut seen, &volume.run(&risk, &model).unwrap());
    let bits = BitsPerWeightConfig::new(0.1)
        .with_num_samples(1)
        .with_max_bits(4);
    goes_through(&mut seen, &bits.run(&risk, &model).unwrap());
    // The ring is lowest where its point is.
    let (bottom, nothing) = (point(&[1.0, 0.0]), nothing());
    let radii = Grid::from_coordinates(vec![0.1, 0.2, 0.4]).unwrap();
    let growth = GrowthExponentsConfig::new(radii).with_num_samples(2);
    let growth = growth.run(&Risk::new(&ring, &nothing), &bottom).unwrap();
    goes_through(&mut seen, &growth);
    goes_through(&mut seen, &growth.exponents[0]);
    goes_through(&mut seen, &growth.plateaus(10.0).unwrap()[0]);
    let radii = Grid::from_coordinates(vec![1.0, 2.0]).unwrap();
    let rays = CoercivityConfig::new(radii, 0.1).with_num_rays(1);
    let rays = rays.run(&Risk::new(&ring, &nothing), &bottom).unwrap();
    goes_through(&mut seen, &rays);
    let found: Vec<&str> = seen.into_iter().collect();
    let expected = [
        "AverageSharpness",
        "BasinVolume",
        "BitsPerWeight",
        "Coercivity",
        "FisherRao",
        "GrowthExponent",
        "GrowthExponents",
        "GrowthPlateau",
        "LayerValue",
        "McAllesterBound",
        "PacBayesSigma",
        "RelativeFlatness",
        "SharpnessChange",
        "SharpnessComparison",
        "SharpnessReport",
        "SharpnessRow",
        "WorstCaseBound",
        "WorstCaseSharpness",
    ];
    assert_eq!(found, expected);
}

#[test]
fn results_of_posteriors_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    // A point of the ring, where the loss is lowest.
    let (model, data) = (point(&[1.0, 0.0]), nothing());
    let risk = Risk::new(&ring, &data);
    let config = PosteriorConfig::new(100)
        .with_num_chains(2)
        .with_burn_in(20)
        .with_num_draws(20);
    let posterior = config.run(&risk, &model).unwrap();
    goes_through(&mut seen, &posterior);
    goes_through(&mut seen, &posterior.config);
    goes_through(&mut seen, &burnscape::posterior::Sampler::mala());
    goes_through(&mut seen, posterior.record());
    goes_through(&mut seen, &posterior.diagnostics().unwrap());
    let found = LearningCoefficientConfig::new(config.clone());
    let mut found = found.run(&risk, &model).unwrap();
    goes_through(&mut seen, &found);
    goes_through(&mut seen, &found.config);
    goes_through(&mut seen, &found.config.thresholds);
    // Chains of twenty draws are too short.
    goes_through(&mut seen, &found.findings[0]);
    found.standard_error = f64::INFINITY;
    found.diagnostics.drift = f64::NEG_INFINITY;
    found.wbic = Some(f64::NAN);
    let read = LearningCoefficient::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read.standard_error, f64::INFINITY);
    assert_eq!(read.diagnostics.drift, f64::NEG_INFINITY);
    assert!(read.wbic.unwrap().is_nan() && read.posterior.is_none());
    let ladder = TemperatureLadderConfig::new(config, vec![0.2, 0.4]);
    let ladder = ladder.run(&risk, &model).unwrap();
    goes_through(&mut seen, &ladder);
    goes_through(&mut seen, &ladder.rungs[0]);
    goes_through(&mut seen, &ladder.law);
    let times: Vec<f64> = (0..12_i32).map(|x| f64::from(x).exp()).collect();
    let values: Vec<f64> = (0..12_i32).map(|x| f64::from(x.max(5))).collect();
    let stages = StagesConfig::new().with_num_refits(40);
    let stages = stages.run(&times, &values, &[0.01; 12]).unwrap();
    goes_through(&mut seen, &stages);
    goes_through(&mut seen, &stages.knots[0]);
    goes_through(&mut seen, &stages.stages[0]);
    goes_through(&mut seen, &stages.config);
    let found: Vec<&str> = seen.into_iter().collect();
    let expected = [
        "ChainDiagnostics",
        "Finding",
        "Knot",
        "LearningCoefficient",
        "LearningCoefficientConfig",
        "Posterior",
        "PosteriorConfig",
        "PosteriorRecord",
        "Sampler",
        "Stage",
        "Stages",
        "StagesConfig",
        "TemperatureLadder",
        "TemperatureLaw",
        "TemperatureRung",
        "Thresholds",
    ];
    assert_eq!(found, expected);
}

#[test]
fn results_of_spectra_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let (model, data) = (net(), regression());
    let hessian = Risk::new(&squared_error, &data).hessian(&model).unwrap();
    let spectrum = Spectrum::of(&hessian).with_num_probes(2).with_steps(4);
    goes_through(&mut seen, &spectrum.top_eigenpairs(1).unwrap());
    goes_through(&mut seen, &spectrum.trace().unwrap());
    goes_through(&mut seen, &spectrum.density().unwrap());
    let traces = spectrum.trace_by_layer().unwrap();
    goes_through(&mut seen, &traces);
    goes_through(&mut seen, &traces.total);
    let inertia = spectrum.inertia().unwrap();
    goes_through(&mut seen, &inertia);
    goes_through(&mut seen, &inertia.negative);
    goes_through(&mut seen, &spectrum.effective_dimension(0.1).unwrap());
    goes_through(&mut seen, &spectrum.condition_number().unwrap());
    goes_through(&mut seen, &spectrum.critical_point(1e-3).unwrap());
    let coupling = LayerCouplingConfig::new().with_num_probes(2);
    goes_through(&mut seen, &coupling.run(&hessian).unwrap());
    let nothing = nothing();
    let start = |seed: u64| point(&[0.3 + seed as f64, 0.2]);
    let search = CriticalPointsConfig::new(2, 1e-8);
    let found = search.run(&Risk::new(&ring, &nothing), start).unwrap();
    goes_through(&mut seen, &found);
    goes_through(&mut seen, &found.points[0]);
    let found: Vec<&str> = seen.into_iter().collect();
    let expected = [
        "ConditionNumber",
        "CriticalPoint",
        "CriticalPoints",
        "EffectiveDimension",
        "Eigenpairs",
        "EigenvalueCount",
        "FoundPoint",
        "Inertia",
        "LayerCoupling",
        "LayerTraces",
        "LayerValue",
        "SpectralDensity",
        "TraceEstimate",
    ];
    assert_eq!(found, expected);
}

#[test]
fn infinite_rises_and_changes_survive() {
    // −ln w is not finite at and below zero.
    let loss = |m: &Point, _: Tensor<1>| m.w.val().log().sum().neg();
    let data = nothing();
    let risk = Risk::new(&loss, &data);
    let sigma = PacBayesSigmaConfig::new(1e-3).with_start(100.0);
    let found = sigma.run(&risk, &point(&[1.0, 1.0])).unwrap();
    assert_eq!(found.rises[0], f64::INFINITY);
    let read = PacBayesSigma::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read.rises[0], f64::INFINITY);
    let report = SharpnessReportConfig::new()
        .with_num_samples(1)
        .with_num_steps(1);
    let mut report = report.run(&risk, &point(&[1.0, 1.0])).unwrap();
    let mut other = report.clone();
    let row = report
        .rows
        .iter()
        .position(|row| row.value.is_some())
        .unwrap();
    report.rows[row].value = Some(0.0);
    other.rows[row].value = Some(1.0);
    let comparison = report.compare(&other);
    assert_eq!(comparison.changes[0].relative_change, f64::INFINITY);
    let read = SharpnessComparison::from_json(&comparison.to_json().unwrap()).unwrap();
    assert_eq!(read.changes[0].relative_change, f64::INFINITY);
    other.rows[row].value = Some(f64::INFINITY);
    let read = SharpnessReport::from_json(&other.to_json().unwrap()).unwrap();
    assert_eq!(read.rows[row].value, Some(f64::INFINITY));
}

#[test]
fn reports_of_optimizers_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let ([mut model, _], [batch]) = (ends(), nothing());
    let sgd = || SgdConfig::new().init();
    let mut sam = SamConfig::sa_gd_trust_region().init(sgd()).unwrap();
    let report = sam.step_on(0.1, &mut model, batch.clone(), &ring);
    goes_through(&mut seen, &report.unwrap());
    let mut newton = SaddleFreeNewtonConfig::new().init().unwrap();
    let report = newton.step_on(0.1, &mut model, batch.clone(), &ring);
    goes_through(&mut seen, &report.unwrap());
    let mut newton = TrustRegionNewtonConfig::new().init().unwrap();
    let report = newton.step_on(&mut model, batch.clone(), &ring);
    goes_through(&mut seen, &report.unwrap());
    // Every point is below the threshold, and no escape lowers the loss enough.
    let search = PerturbedGdConfig::new(1e-9, 1e9, 1e9).with_patience(1);
    let mut search = search.init(sgd()).unwrap();
    for _ in 0..2 {
        let closure = |model: &Point| ring(model, batch.clone());
        search.closure_step(0.0, &mut model, closure).unwrap();
    }
    goes_through(&mut seen, search.certified().unwrap());
    let dimension = IntrinsicDimensionConfig::new(vec![1], 1.0);
    let dimension = dimension.run(|_| Ok::<_, OptimError>(f64::NAN)).unwrap();
    goes_through(&mut seen, &dimension);
    assert_eq!(seen.len(), 5);
}

#[test]
fn numbers_that_are_not_finite_survive() {
    let ([a, b], data) = (ends(), nothing());
    let risk = Risk::new(&ring, &data);
    let line = PolygonalChain::line(&a, &b).unwrap();
    let mut profile = CurveProfileConfig::new().run(&risk, &line).unwrap();
    profile.train.max = f64::INFINITY;
    let read = CurveProfile::from_json(&profile.to_json().unwrap()).unwrap();
    assert_eq!(read.train.max, f64::INFINITY);
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let config = LandscapeConfig::new([grid]).with_metric("again", &risk);
    let found = config.run(&risk, &a, &directions(&a, [1]));
    let mut landscape = found.unwrap();
    landscape.losses = vec![f64::INFINITY, f64::NAN, f64::NEG_INFINITY];
    landscape.metrics[0].base = f64::NEG_INFINITY;
    landscape.directions[0].relative_norm = f64::INFINITY;
    let text = landscape.to_json().unwrap();
    assert!(text.contains(r#"["inf","nan","-inf"]"#), "{text}");
    let read = Landscape::from_json(&text).unwrap();
    assert!(read.losses[1].is_nan());
    assert_eq!(
        (read.losses[0], read.losses[2]),
        (f64::INFINITY, f64::NEG_INFINITY)
    );
    assert_eq!(read.metrics[0].base, f64::NEG_INFINITY);
    assert_eq!(read.directions[0].relative_norm, f64::INFINITY);
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let mut reading = monitor.measure(&risk, &Moment::new(0, 0.1, &a)).unwrap();
    reading.edge_ratio = Some(f64::INFINITY);
    let read = CurvatureReading::from_json(&reading.to_json().unwrap()).unwrap();
    assert_eq!(read.edge_ratio, Some(f64::INFINITY));
    let monitor = CurvatureMonitorConfig::new().init().unwrap();
    let mut watch = Watch::new(Due::Every(1), monitor, risk.clone()).unwrap();
    watch.observe(&Moment::new(0, 0.1, &a)).unwrap();
    let mut record = watch.to_record().unwrap();
    record.observations[0].reading.residual = f64::NAN;
    type Record = WatchRecord<CurvatureReading, CurvatureMonitorState>;
    let read = Record::from_json(&record.to_json().unwrap()).unwrap();
    let read: &Observation<CurvatureReading> = &read.observations[0];
    assert!(read.reading.residual.is_nan());
}

#[test]
fn results_of_krylov_and_of_a_user_have_json_too() {
    #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Mine {
        outcome: Outcome,
        value: f64,
    }
    let mine = Mine {
        outcome: Outcome::Converged,
        value: 1.5,
    };
    assert_eq!(Mine::from_json(&mine.to_json().unwrap()).unwrap(), mine);
    assert_eq!(Outcome::from_json("\"Stopped\"").unwrap(), Outcome::Stopped);
    let error = Mine::from_json("{}").unwrap_err();
    assert!(matches!(error, FormatError::Read { .. }));
    assert!(error.to_string().contains("missing field"), "{error}");
}
