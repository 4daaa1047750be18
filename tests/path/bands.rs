//! Nudged elastic bands on the ring.

use std::f64::consts::PI;
use std::ops::ControlFlow;

use burn::optim::SgdConfig;
use burn::tensor::Tensor;
use burnscape::krylov::Outcome;
use burnscape::loss::{LossError, NormalizationPolicy, Risk};
use burnscape::optim::SamConfig;
use burnscape::path::{Curve, ElasticBandConfig, PathError, PolygonalChain};
use burnscape_testkit::objectives::Point;

use super::models::{at, nothing, point, ring};

fn ends() -> (Point, Point) {
    (point(&[-1.0, 0.0]), point(&[1.0, 0.0]))
}

fn loss(w: &[f64]) -> f64 {
    (w[0] * w[0] + w[1] * w[1] - 1.0).powi(2)
}

fn max(chain: &PolygonalChain<Point>) -> f64 {
    let losses = (0..=2000).map(|i| loss(&at(chain, f64::from(i) / 2000.0)));
    losses.fold(0.0, f64::max)
}

#[test]
fn pivots_converge_to_the_ring_at_equal_distances() {
    let (a, b) = ends();
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    for bends in [1, 4, 7] {
        let chain = PolygonalChain::between(&a, &b, bends).unwrap();
        let chain = chain.offset(0.025, 2).unwrap();
        let config = ElasticBandConfig::new(0.05).with_steps(3000);
        let sgd = SgdConfig::new().init();
        let band = config.run(&risk, &chain, sgd).unwrap();
        assert_eq!((band.num_steps, band.outcome), (3000, None));
        assert!(
            band.losses.iter().all(|loss| *loss < 1e-6),
            "{:?}",
            band.losses
        );
        // The regular chain is the best chain of N segments through the ring.
        let segments = (bends + 1) as f64;
        let bound = ((PI / (2.0 * segments)).cos().powi(2) - 1.0).powi(2);
        let max = max(&band.chain);
        assert!(max >= bound - 1e-9, "{max} {bound}");
        assert!(max < 1.02 * bound, "{bends}: {max} {bound}");
        // The ends do not move.
        assert_eq!(at(&band.chain, 0.0), [-1.0, 0.0]);
        assert_eq!(at(&band.chain, 1.0), [1.0, 0.0]);
    }
}

#[test]
fn pivots_on_the_line_of_symmetry_stay_there() {
    let (a, b) = ends();
    let chain = PolygonalChain::between(&a, &b, 3).unwrap();
    let config = ElasticBandConfig::new(0.05).with_steps(50);
    let sgd = SgdConfig::new().init();
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let band = config.run(&risk, &chain, sgd).unwrap();
    assert!(max(&band.chain) > 0.99);
}

#[test]
fn a_sharpness_aware_step_relaxes_a_band_too() {
    let (a, b) = ends();
    let chain = PolygonalChain::between(&a, &b, 4).unwrap();
    let chain = chain.offset(0.025, 0).unwrap();
    let sam = SamConfig::new().with_rho(1e-4);
    let sam = sam.init(SgdConfig::new().init()).unwrap();
    let config = ElasticBandConfig::new(0.05).with_steps(1500);
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let band = config.run(&risk, &chain, sam).unwrap();
    assert!(
        band.losses.iter().all(|loss| *loss < 1e-5),
        "{:?}",
        band.losses
    );
}

#[test]
fn pivots_are_inserted_until_the_band_is_smooth() {
    let (a, b) = ends();
    let chain = PolygonalChain::between(&a, &b, 1).unwrap();
    let chain = chain.offset(0.025, 0).unwrap();
    let config = ElasticBandConfig::new(0.05).with_steps(1200).with_cycles(4);
    let sgd = || SgdConfig::new().init();
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let found = config.run(&risk, &chain, sgd()).unwrap();
    assert_eq!(
        (found.num_steps, found.outcome),
        (4800, Some(Outcome::LimitReached))
    );
    // The middle of each segment has its highest loss, so every segment is halved.
    assert_eq!(found.num_pivots, [1, 3, 7, 15]);
    for (pivots, max) in found.num_pivots.iter().zip(&found.max_losses) {
        let segments = (pivots + 1) as f64;
        let bound = ((PI / (2.0 * segments)).cos().powi(2) - 1.0).powi(2);
        assert!(
            *max > 0.9 * bound && *max < 1.1 * bound,
            "{pivots} {max} {bound}"
        );
    }
    let limited = config.with_max_pivots(2);
    let found = limited.run(&risk, &chain, sgd()).unwrap();
    assert_eq!(
        (found.num_pivots, found.outcome),
        (vec![1, 2], Some(Outcome::LimitReached))
    );
    // One pivot is enough if the band may be far above the line between its pivots.
    let patient = limited.with_threshold(2.0);
    let found = patient.run(&risk, &chain, sgd()).unwrap();
    assert_eq!(
        (found.num_pivots, found.outcome),
        (vec![1], Some(Outcome::Converged))
    );
}

#[test]
fn a_band_can_be_stopped_and_refuses_what_it_cannot_relax() {
    let (a, b) = ends();
    let chain = PolygonalChain::between(&a, &b, 2).unwrap();
    let chain = chain.offset(0.1, 0).unwrap();
    let sgd = || SgdConfig::new().init();
    let config = ElasticBandConfig::new(0.05);
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let stopped = risk.clone().with_observer(|progress| match progress.done {
        5 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let band = config.run(&stopped, &chain, sgd()).unwrap();
    assert_eq!((band.num_steps, band.outcome), (5, Some(Outcome::Stopped)));
    let none: [Tensor<1>; 0] = [];
    let empty = Risk::new(&ring, &none);
    let error = config.run(&empty, &chain, sgd()).unwrap_err();
    assert_eq!(error, PathError::Loss(LossError::EmptyData));
    let stiff = config.clone().with_spring(-1.0);
    assert!(stiff.run(&risk, &chain, sgd()).is_err());
    let walled = |point: &Point, _: Tensor<1>| (point.w.val().square().sum() - 0.5).sqrt();
    let walled = Risk::new(&walled, &data);
    let error = config.run(&walled, &chain, sgd()).unwrap_err();
    assert!(matches!(error, PathError::NonFinite { t, .. } if (t - 1.0 / 3.0).abs() < 1e-12));
    let line = PolygonalChain::from_models(&[&a, &b]).unwrap();
    assert!(config.run(&risk, &line, sgd()).is_err());
    let crowded = config.clone().with_cycles(2).with_max_pivots(1);
    let error = crowded.run(&risk, &chain, sgd()).unwrap_err();
    assert_eq!(error.to_string(), "`max_pivots` is 1; use 2 or more");
    for (config, setting) in [
        (config.clone().with_max_pivots(9), "max_pivots"),
        (config.clone().with_places(4), "places"),
        (config.clone().with_threshold(0.1), "threshold"),
        (config.with_policy(NormalizationPolicy::Leave), "policy"),
    ] {
        let error = config.run(&risk, &chain, sgd()).unwrap_err().to_string();
        assert!(error.starts_with("`cycles` is 1; use 2 or more"), "{error}");
        assert!(error.contains(setting), "{error}");
    }
}
