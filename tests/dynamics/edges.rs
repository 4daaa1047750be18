//! Edges, tested by running Burn's optimizers on both sides.

use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device};
use burnscape::dynamics::momentum_edge;
use burnscape_testkit::objectives::{Point, quadratic};

const LR: f64 = 0.1;

/// The largest |w| in the last steps of gradient descent on `½ λ w²`.
fn size(momentum: Option<&MomentumConfig>, lambda: f64) -> f64 {
    let device = Device::default().autodiff();
    let mut point = Point::new(&[1.0], &device, DType::F64);
    let mut sgd = SgdConfig::new().with_momentum(momentum.cloned()).init();
    let mut size = 0.0_f64;
    for step in 0..1500 {
        let gradients = quadratic(&point, &[lambda]).backward();
        let gradients = GradientsParams::from_grads(gradients, &point);
        point = sgd.step(LR, point, gradients);
        let w = point.coordinates()[0].abs();
        if w > 1e6 {
            return w;
        }
        if step >= 1490 {
            size = size.max(w);
        }
    }
    size
}

#[test]
fn burns_momentum_diverges_above_the_edge_and_not_below() {
    let new = || MomentumConfig::new();
    let cases = [
        new(),
        new().with_dampening(0.0),
        new().with_momentum(0.5).with_dampening(0.3),
        new().with_momentum(0.0).with_dampening(0.0),
        new().with_nesterov(true),
        new().with_nesterov(true).with_dampening(0.0),
        new()
            .with_momentum(0.3)
            .with_dampening(0.6)
            .with_nesterov(true),
    ];
    for momentum in &cases {
        let edge = momentum_edge(momentum, LR).unwrap();
        let (below, above) = (
            size(Some(momentum), 0.99 * edge),
            size(Some(momentum), 1.01 * edge),
        );
        assert!(below < 1e-3, "{below} below {edge} of {momentum}");
        assert!(above > 1e3, "{above} above {edge} of {momentum}");
    }
}

#[test]
fn without_momentum_the_edge_is_two_over_the_rate() {
    assert!(size(None, 0.99 * 2.0 / LR) < 1e-3);
    assert!(size(None, 1.01 * 2.0 / LR) > 1e3);
    let none = MomentumConfig::new().with_momentum(0.0).with_dampening(0.0);
    assert_eq!(momentum_edge(&none, LR), Some(2.0 / LR));
    assert_eq!(momentum_edge(&none.with_nesterov(true), LR), Some(2.0 / LR));
}

#[test]
fn edges_that_do_not_exist_are_none() {
    let new = MomentumConfig::new;
    for lr in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(momentum_edge(&new(), lr), None);
    }
    assert_eq!(momentum_edge(&new().with_momentum(1.0), LR), None);
    assert_eq!(momentum_edge(&new().with_momentum(f64::NAN), LR), None);
    assert_eq!(momentum_edge(&new().with_dampening(1.0), LR), None);
}
