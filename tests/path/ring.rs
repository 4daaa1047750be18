//! Fits on the ring loss `(x² + y² − 1)²`, whose optima are known in closed form.

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::{AdamConfig, SgdConfig};
use burnscape::loss::Risk;
use burnscape::optim::{ClosureStep, SamConfig};
use burnscape::path::{
    BezierCurve, Curve, CurveFitter, CurveFitterConfig, GaripovLrScheduler, PolygonalChain,
    TimeSampling,
};
use burnscape_testkit::objectives::Point;

use super::models::{at, nothing, point, ring};

fn ends() -> (Point, Point) {
    (point(&[-1.0, 0.0]), point(&[1.0, 0.0]))
}

fn loss_at(curve: &impl Curve<Point>, t: f64) -> f64 {
    let w = at(curve, t);
    (w[0] * w[0] + w[1] * w[1] - 1.0).powi(2)
}

/// Mean and maximum over a fine grid: a reference that is independent of the quadrature of the fit.
fn mean_and_max(curve: &impl Curve<Point>) -> (f64, f64) {
    let count = 3000;
    let losses: Vec<f64> = (0..=count)
        .map(|i| loss_at(curve, f64::from(i) / f64::from(count)))
        .collect();
    // Simpson's rule; the chain's joint lies on the grid.
    let weight = |i: usize| match i {
        0 => 1.0,
        i if i == count as usize => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let sum: f64 = losses.iter().enumerate().map(|(i, l)| weight(i) * l).sum();
    let max = losses.iter().copied().fold(0.0, f64::max);
    (sum / (3.0 * f64::from(count)), max)
}

fn exact(rate: impl Into<ModuleLrScheduler>, nodes: usize, pieces: usize) -> CurveFitterConfig {
    CurveFitterConfig::new(rate)
        .with_sampling(TimeSampling::Quadrature(nodes))
        .with_times_per_step(nodes * pieces)
        .with_seed(3)
}

/// Passes on the ring, with one step each.
fn run<C: Curve<Point>>(fitter: &mut CurveFitter<Point, C, impl ClosureStep>, epochs: usize) -> C {
    fitter.run(&Risk::new(&ring, &nothing()), epochs).unwrap()
}

#[test]
fn the_quadratic_bezier_finds_its_optimum() {
    let (a, b) = ends();
    let line = BezierCurve::between(&a, &b, 2).unwrap();
    assert_eq!(loss_at(&line, 0.5), 1.0);
    let curve = line.offset(0.025, 3).unwrap();
    // The loss is of degree 8 in t: five nodes are exact.
    let mut fitter = exact(1.0, 5, 1)
        .init(curve.clone(), SgdConfig::new().init())
        .unwrap();
    let fitted = run(&mut fitter, 1500);
    let middle = at(&fitted, 0.5);
    // The curve's height is half of the control point's.
    let h = 2.0 * middle[1].abs();
    assert!((h - 4.5_f64.sqrt()).abs() < 1e-7, "{h}");
    assert!(middle[0].abs() < 1e-9);
    let (mean, max) = mean_and_max(&fitted);
    assert!((mean - 2.0 / 105.0).abs() < 1e-7, "{mean}");
    assert!((max - 4.0 / 81.0).abs() < 1e-6, "{max}");
    // At t(1 − t) = 1/9.
    let t = (1.0 - (5.0_f64 / 9.0).sqrt()) / 2.0;
    assert!((loss_at(&fitted, t) - 4.0 / 81.0).abs() < 1e-7);
}

#[test]
fn a_chain_with_one_bend_finds_its_optimum() {
    // With the bend at (0, h) and a = 1 + h² the loss is (a s² − 2s)² along each half, of mean
    // a²/5 − a + 4/3: least at a = 5/2, where it is 1/12; the largest loss is that of the bend, ¼.
    let (a, b) = ends();
    let chain = PolygonalChain::between(&a, &b, 1).unwrap();
    let chain = chain.offset(0.025, 3).unwrap();
    let mut fitter = exact(0.2, 3, 2)
        .init(chain.clone(), SgdConfig::new().init())
        .unwrap();
    let fitted = run(&mut fitter, 1500);
    let bend = at(&fitted, 0.5);
    assert!(bend[0].abs() < 1e-9);
    assert!((bend[1].abs() - 1.5_f64.sqrt()).abs() < 1e-8, "{bend:?}");
    let (mean, max) = mean_and_max(&fitted);
    assert!((mean - 1.0 / 12.0).abs() < 1e-9, "{mean}");
    assert!((max - 0.25).abs() < 1e-7, "{max}");
    // Quadrature agrees that it is an optimum: every other bend nearby is worse.
    for [x, y] in [[0.01, 0.0], [-0.01, 0.0], [0.0, 0.01], [0.0, -0.01]] {
        let other = point(&[bend[0] + x, bend[1] + y]);
        let other = PolygonalChain::from_models(&[&a, &other, &b]).unwrap();
        assert!(mean_and_max(&other).0 > mean + 1e-6);
    }
}

#[test]
fn a_fit_that_starts_on_the_line_stays_on_it() {
    let (a, b) = ends();
    let curve = BezierCurve::between(&a, &b, 2).unwrap();
    let mut fitter = exact(1.0, 5, 1)
        .init(curve, SgdConfig::new().init())
        .unwrap();
    assert_eq!(at(&run(&mut fitter, 100), 0.5)[1], 0.0);
}

#[test]
fn one_place_in_each_step_comes_near_the_optimum_with_every_sampling() {
    let (a, b) = ends();
    let curve = BezierCurve::between(&a, &b, 2).unwrap();
    let curve = curve.offset(0.025, 3).unwrap();
    for sampling in [
        TimeSampling::Uniform,
        TimeSampling::Stratified(10),
        TimeSampling::Quadrature(5),
    ] {
        let schedule = GaripovLrScheduler::new(0.5, 4000).unwrap();
        let mut fitter = exact(schedule, 5, 1)
            .with_sampling(sampling)
            .with_times_per_step(1)
            .init(curve.clone(), SgdConfig::new().init())
            .unwrap();
        let (mean, _) = mean_and_max(&run(&mut fitter, 4000));
        assert!(mean < 1.05 * 2.0 / 105.0, "{sampling:?} {mean}");
    }
}

#[test]
fn adam_and_sam_fit_as_well() {
    let (a, b) = ends();
    let curve = BezierCurve::between(&a, &b, 2).unwrap();
    let curve = curve.offset(0.025, 3).unwrap();
    let mut adam = exact(0.05, 5, 1)
        .init(curve.clone(), AdamConfig::new().init())
        .unwrap();
    let (mean, _) = mean_and_max(&run(&mut adam, 600));
    assert!((mean - 2.0 / 105.0).abs() < 1e-4, "{mean}");
    let sam = SamConfig::new().with_rho(0.01);
    let sam = sam.init(SgdConfig::new().init()).unwrap();
    let mut sam = exact(0.5, 5, 1).init(curve, sam).unwrap();
    let (mean, _) = mean_and_max(&run(&mut sam, 600));
    let report = sam.report();
    assert_eq!((report.num_steps, report.num_gradients), (600, 1200));
    assert!((mean - 2.0 / 105.0).abs() < 1e-4, "{mean}");
}
