//! A break ends the work under way, at whatever piece it comes: also at the last piece of a part, which is
//! complete then.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::optim::SgdConfig;
use burnscape::curvature::Hessian;
use burnscape::krylov;
use burnscape::krylov::{
    DensityConfig, EigenMethod, EigenpairsConfig, LanczosFactorization, TraceConfig, Which,
};
use burnscape::landscape::{Direction, DirectionKind, LandscapeConfig};
use burnscape::loss::{NormalizationPolicy, Progress, Risk, Work};
use burnscape::path::{
    BezierCurve, CurveFitterConfig, CurveProfileConfig, ElasticBandConfig, InstabilityConfig,
    LayerwiseBarriersConfig, PolygonalChain,
};
use burnscape::sharpness::{
    AverageSharpnessConfig, McAllesterConfig, PacBayesSigmaConfig, RelativeFlatnessConfig,
    SharpnessReportConfig, WorstCaseSharpnessConfig, rescale_relu_pair,
};
use burnscape::space::{Grid, ParamSpace, ParamVector, ParameterPlane};
use burnscape::spectrum::Spectrum;
use burnscape::trajectory::{ProjectionConfig, QuasiConvexityConfig, RibbonConfig, Trajectory};
use burnscape_testkit::models::TwoLayers;

use crate::sharpness::models::{net, regression, rescaled, squared_error};

type Net = TwoLayers;

/// Whether the work says that it is complete, or its error.
type Outcome = Result<bool, String>;

fn outcome<T, E: Display>(found: Result<T, E>, completed: impl Fn(T) -> bool) -> Outcome {
    found.map(completed).map_err(|error| error.to_string())
}

/// Runs the work to its end, then with a break at every piece, and asks that nothing follows a break.
fn check(name: &str, work: impl Fn(&Risk<'_, Net>) -> Outcome) {
    let data = regression();
    let risk = Risk::new(&squared_error, &data);
    let seen: Mutex<Vec<Progress>> = Mutex::default();
    let watched = risk.clone().with_observer(|progress| {
        seen.lock().unwrap().push(progress.clone());
        ControlFlow::Continue(())
    });
    assert_eq!(work(&watched), Ok(true), "{name}");
    drop(watched);
    let events = seen.into_inner().unwrap();
    // All of a short work; of a long one every few, and the last.
    let stride = events.len().div_ceil(40);
    let last = events.len().saturating_sub(4).max(1);
    for at in (1..=events.len()).filter(|at| at % stride == 0 || *at >= last) {
        let seen: Mutex<Vec<Progress>> = Mutex::default();
        let watched = risk.clone().with_observer(|progress| {
            let mut seen = seen.lock().unwrap();
            seen.push(progress.clone());
            match seen.len() == at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let found = work(&watched);
        drop(watched);
        let seen = seen.into_inner().unwrap();
        let after = &seen[at.min(seen.len())..];
        let piece = &events[at - 1];
        assert!(
            after.is_empty(),
            "{name}: {piece} ({at}), then {}",
            after[0]
        );
        match found {
            // Nothing but the report of the whole is left, or measured residuals in place of estimated ones.
            Ok(true) => assert!(
                at + 6 > events.len(),
                "{name}: complete after {piece}, {at} of {}",
                events.len()
            ),
            Ok(false) => (),
            Err(error) => assert!(error.contains("stopped"), "{name}: {piece}: {error}"),
        }
    }
}

fn is_complete(outcome: krylov::Outcome) -> bool {
    outcome != krylov::Outcome::Stopped
}

#[test]
fn nothing_follows_a_break_in_a_measure_of_sharpness() {
    let model = net();
    check("average", |risk| {
        let config = AverageSharpnessConfig::new(0.01).with_num_samples(3);
        outcome(config.run(risk, &model), |found| found.completed)
    });
    check("worst case", |risk| {
        let config = WorstCaseSharpnessConfig::new(0.01).with_num_steps(3);
        outcome(config.run(risk, &model), |found| is_complete(found.outcome))
    });
    check("Keskar", |risk| {
        let found = WorstCaseSharpnessConfig::keskar(0.01).run(risk, &model);
        outcome(found, |found| is_complete(found.outcome))
    });
    check("PAC-Bayes", |risk| {
        let found = PacBayesSigmaConfig::new(0.1).run(risk, &model);
        outcome(found, |found| is_complete(found.outcome))
    });
    check("McAllester", |risk| {
        let found = McAllesterConfig::new(0.1).run(risk, &model, &model);
        outcome(found, |found| found.completed)
    });
    check("rescaling", |risk| {
        let found = rescale_relu_pair(risk, &model, ["first", "second"], 8.0);
        outcome(found, |_| true)
    });
    check("report", |risk| {
        let config = SharpnessReportConfig::new();
        outcome(config.run(risk, &model), |found| found.completed)
    });
}

#[test]
fn nothing_follows_a_break_on_a_path() {
    let (a, b) = (net(), rescaled(&net(), 2.0));
    let sgd = || SgdConfig::new().init();
    check("profile with controls", |risk| {
        let line = PolygonalChain::line(&a, &b).unwrap();
        let config = CurveProfileConfig::new().with_num_points(3);
        let found = config.with_controls(4).run(risk, &line);
        outcome(found, |found| found.completed)
    });
    check("layers", |risk| {
        let profile = CurveProfileConfig::new().with_num_points(3);
        let config = LayerwiseBarriersConfig::new().with_profile(profile);
        outcome(config.run(risk, [&a, &b]), |found| found.completed)
    });
    check("instability", |risk| {
        let profile = CurveProfileConfig::new()
            .with_num_points(3)
            .with_controls(4);
        let config = InstabilityConfig::new(vec![0, 2], 4).with_profile(profile);
        let train = |model: Net, state: (), _, _| Ok::<_, String>((model, state));
        outcome(config.run(risk, &a, (), train), |found| found.completed)
    });
    check("fit", |risk| {
        let curve = BezierCurve::between(&a, &b, 2).unwrap();
        let mut fitter = CurveFitterConfig::new(1e-3).init(curve, sgd()).unwrap();
        let found = fitter.run(risk, 2);
        outcome(found, |_| fitter.report().completed)
    });
    check("band", |risk| {
        let chain = PolygonalChain::between(&a, &b, 2).unwrap();
        let config = ElasticBandConfig::new(1e-3).with_steps(3);
        let found = config.run(risk, &chain, sgd());
        outcome(found, |found| {
            found.outcome != Some(krylov::Outcome::Stopped)
        })
    });
    check("automated band", |risk| {
        let chain = PolygonalChain::between(&a, &b, 1).unwrap();
        let config = ElasticBandConfig::new(1e-3)
            .with_steps(2)
            .with_cycles(2)
            .with_places(2)
            .with_policy(NormalizationPolicy::Leave);
        let found = config.run(risk, &chain, sgd());
        outcome(found, |found| {
            found.outcome != Some(krylov::Outcome::Stopped)
        })
    });
}

#[test]
fn nothing_follows_a_break_in_a_landscape() {
    let model = net();
    let space = ParamSpace::of(&model).unwrap();
    let directions = [1, 2].map(|seed| {
        let vector = ParamVector::gaussian(&space, seed).unwrap();
        Direction::new(DirectionKind::Other("drawn".to_string()), vector)
    });
    let grid = Grid::symmetric(1.0, 3).unwrap();
    check("line", |risk| {
        let config = LandscapeConfig::new([grid.clone()]);
        let found = config.run(risk, &model, &directions[..1]);
        outcome(found, |found| found.completed)
    });
    check("plane", |risk| {
        let config = LandscapeConfig::new([grid.clone(), grid.clone()]);
        let found = config.run(risk, &model, &directions);
        outcome(found, |found| found.completed)
    });
    check("plane with a metric", |risk| {
        let config = LandscapeConfig::new([grid.clone(), grid.clone()]);
        let found = config
            .with_metric("again", risk)
            .run(risk, &model, &directions);
        outcome(found, |found| found.completed)
    });
    check("lowest curvature", |risk| {
        let config = EigenpairsConfig::new(1, Which::Smallest);
        let ask = |hessian: &Hessian<'_>| config.run(hessian);
        of_hessian(risk, &model, ask, |found| found.outcome.is_converged())
    });
}

/// A question to the Hessian that is asked of a risk.
fn of_hessian<T, E: Display>(
    risk: &Risk<'_, Net>,
    model: &Net,
    ask: impl Fn(&Hessian<'_>) -> Result<T, E>,
    completed: impl Fn(T) -> bool,
) -> Outcome {
    match risk.hessian(model) {
        Err(error) => Err(error.to_string()),
        Ok(hessian) => outcome(ask(&hessian), completed),
    }
}

#[test]
fn nothing_follows_a_break_in_a_method_on_an_operator() {
    let model = net();
    check("eigenpairs", |risk| {
        let config = EigenpairsConfig::new(2, Which::Largest).with_tolerance(1e-2);
        let ask = |hessian: &Hessian<'_>| config.run(hessian);
        of_hessian(risk, &model, ask, |found| found.outcome.is_converged())
    });
    check("eigenpairs by blocks", |risk| {
        let config = EigenpairsConfig::new(2, Which::Largest)
            .with_method(EigenMethod::Block)
            .with_tolerance(1e-2);
        let ask = |hessian: &Hessian<'_>| config.run(hessian);
        of_hessian(risk, &model, ask, |found| found.outcome.is_converged())
    });
    check("trace", |risk| {
        let config = TraceConfig::new().with_max_matvecs(5);
        let ask = |hessian: &Hessian<'_>| config.run(hessian);
        of_hessian(risk, &model, ask, |found| found.num_matvecs == 5)
    });
    check("density", |risk| {
        let config = DensityConfig::new().with_num_probes(2).with_steps(4);
        let ask = |hessian: &Hessian<'_>| config.run(hessian);
        of_hessian(risk, &model, ask, |found| found.probes().len() == 2)
    });
    check("critical point", |risk| {
        let ask = |hessian: &Hessian<'_>| Spectrum::of(hessian).with_steps(4).critical_point(1e-3);
        of_hessian(risk, &model, ask, |found| found.num_matvecs == 6)
    });
    check("relative flatness", |risk| {
        let config = RelativeFlatnessConfig::new().with_max_matvecs(4);
        let ask = |hessian: &Hessian<'_>| config.run(hessian, &model);
        of_hessian(risk, &model, ask, |found| found.completed)
    });
    check("Frobenius norm", |risk| {
        let config = TraceConfig::new().with_max_matvecs(4);
        let square = |_: &ParamVector, product: &ParamVector| Ok(vec![product.dot(product)?]);
        let ask = |hessian: &Hessian<'_>| config.run_integrands(hessian, square);
        of_hessian(risk, &model, ask, |found| found[0].num_matvecs == 4)
    });
    check("differences", |risk| match risk.finite_difference(&model) {
        Err(error) => Err(error.to_string()),
        Ok(matrix) => {
            let config = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-2);
            outcome(config.run(&matrix), |found| found.outcome.is_converged())
        }
    });
}

#[test]
fn a_break_inside_a_product_leaves_the_steps_before_it() {
    let (model, data) = (net(), regression());
    let products = AtomicUsize::new(0);
    let is_made = AtomicBool::new(false);
    let risk = Risk::new(&squared_error, &data).with_observer(|progress| {
        if progress.work != Work::Product || !is_made.load(Ordering::Relaxed) {
            return ControlFlow::Continue(());
        }
        // The first of two batches of product 7.
        match products.fetch_add(1, Ordering::Relaxed) {
            12 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let hessian = risk.hessian(&model).unwrap();
    is_made.store(true, Ordering::Relaxed);
    let mut record = LanczosFactorization::from_random(&hessian, 9, 0).unwrap();
    assert_eq!((record.len(), record.num_matvecs()), (6, 6));
    // It goes on from there, as if nothing had happened.
    record.extend(&hessian, 3).unwrap();
    let whole = Risk::new(&squared_error, &data).hessian(&model).unwrap();
    let whole = LanczosFactorization::from_random(&whole, 9, 0).unwrap();
    assert_eq!(record.ritz_values(), whole.ritz_values());
}

#[test]
fn nothing_follows_a_break_along_a_trajectory() {
    let models = [1.0, 2.0, 3.0].map(|factor| rescaled(&net(), factor));
    let trajectory = Trajectory::of(models.into_iter().enumerate()).unwrap();
    let last = trajectory.model(2).unwrap();
    let space = ParamSpace::of(&last).unwrap();
    let [x, y] = [1, 2].map(|seed| ParamVector::gaussian(&space, seed).unwrap());
    let plane = ParameterPlane::spanned(&last, [&x, &y]).unwrap();
    check("projection", |risk| {
        let found = ProjectionConfig::new().run(risk, &trajectory, &plane);
        outcome(found, |found| found.completed)
    });
    let grid = Grid::linspace(0.0, 1.0, 2).unwrap();
    check("ribbon", |risk| {
        let found = RibbonConfig::new(grid.clone()).run(risk, &trajectory);
        outcome(found, |found| found.completed)
    });
    check("quasi-convexity", |risk| {
        let found = QuasiConvexityConfig::new().run(risk, &trajectory);
        outcome(found, |found| found.completed)
    });
}
