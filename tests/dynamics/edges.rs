//! Edges of stability: formulas, Burn's optimizers on both sides of them, and the cycles of two points on them.

mod cycles;
mod formulas;
mod refusals;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, Optimizer,
    RmsPropConfig, SgdConfig,
};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureReading, Due, DynamicsError, EdgeRule, Moment, Watch,
    WatchedOptimizer,
};
use burnscape::loss::Risk;
use burnscape_testkit::objectives::Point;

const LR: f64 = 0.1;

fn tensor(values: &[f64]) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn number(tensor: &Tensor<1>) -> f64 {
    let data = tensor.clone().into_data();
    data.iter::<f64>().next().unwrap()
}

fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default().autodiff(), DType::F64)
}

/// `½ Σ dᵢ wᵢ²`, with the diagonal as the batch.
fn diagonal(point: &Point, d: Tensor<1>) -> Tensor<1> {
    (point.w.val().square() * d).sum() * 0.5
}

/// What a monitor reads of `½ Σ dᵢ wᵢ²`, with the state of the optimizer.
fn read(
    rule: &EdgeRule,
    optimizer: &ModuleOptimizer,
    point: &Point,
    curvatures: &[f64],
    lr: f64,
) -> Result<CurvatureReading, DynamicsError> {
    let data = [tensor(curvatures)];
    let config = CurvatureMonitorConfig::new().with_optimizer(rule.clone());
    let mut watch = Watch::new(Due::Every(1), config.init()?, Risk::new(&diagonal, &data))?;
    let seen = watch.observe(&Moment::new(0, lr, point).with_optimizer(optimizer))?;
    Ok(seen.unwrap().reading)
}

/// Steps of an optimizer from a weight and a state, with the gradients of a loss: all weights, and the last state.
fn run<O: Optimizer>(
    optimizer: &O,
    lr: f64,
    gradient: impl Fn(Tensor<1>) -> Tensor<1>,
    start: f64,
    mut state: Option<O::State<1>>,
    steps: usize,
) -> (Vec<f64>, Option<O::State<1>>) {
    let mut w = tensor(&[start]);
    let mut weights = Vec::with_capacity(steps);
    for _ in 0..steps {
        (w, state) = optimizer.step(lr, w.clone(), gradient(w), state);
        weights.push(number(&w));
    }
    (weights, state)
}

/// How much an optimizer enlarges a weight on `½ λ w²` in a thousand steps, after two hundred others.
///
/// The weight is so small that it stays small above the edge too: a denominator `√v + ε` with a large `ε` is frozen.
fn growth(optimizer: &impl Optimizer, curvature: f64) -> f64 {
    let (weights, _) = run(optimizer, LR, |w| w * curvature, 1e-100, None, 1200);
    let size = |weights: &[f64]| weights.iter().fold(0.0_f64, |size, w| size.max(w.abs()));
    size(&weights[1190..]) / size(&weights[200..210])
}

/// The optimizer converges below the edge and diverges above it. `epsilon` is the denominator of its gradient, one
/// without a denominator, and `decay` what it adds to the curvature in the metric of that denominator.
#[track_caller]
fn assert_edge(
    config: &(impl WatchedOptimizer + std::fmt::Display),
    optimizer: &impl Optimizer,
    (epsilon, decay): (f64, f64),
) {
    let rule = EdgeRule::of(config).unwrap();
    let edge = rule.edge(LR, f64::NAN).unwrap() * epsilon - decay;
    let (below, above) = (
        growth(optimizer, 0.99 * edge),
        growth(optimizer, 1.01 * edge),
    );
    assert!(below < 1e-3, "{below} below {edge}: {config}");
    assert!(above > 1e3, "{above} above {edge}: {config}");
}

#[test]
fn burns_momentum_diverges_above_its_edge_and_not_below() {
    let new = || MomentumConfig::new();
    let momenta = [
        None,
        Some(new()),
        Some(new().with_dampening(0.0)),
        Some(new().with_momentum(0.5).with_dampening(0.3)),
        Some(new().with_momentum(0.0).with_dampening(0.0)),
        Some(new().with_nesterov(true)),
        Some(new().with_nesterov(true).with_dampening(0.0)),
        Some(
            new()
                .with_momentum(0.3)
                .with_dampening(0.6)
                .with_nesterov(true),
        ),
    ];
    for momentum in momenta {
        for penalty in [None, Some(WeightDecayConfig::new(3.0))] {
            let config = SgdConfig::new()
                .with_momentum(momentum.clone())
                .with_weight_decay(penalty);
            assert_edge(&config, &config.build(), (1.0, 0.0));
        }
    }
}

/// An epsilon beside which the root of the second moment is nothing: the denominator does not move.
const EPSILON: f32 = 1000.0;

#[test]
fn adam_with_a_frozen_denominator_diverges_above_its_edge_and_not_below() {
    let new = || AdamConfig::new().with_epsilon(EPSILON);
    for config in [
        new(),
        new().with_beta_1(0.5),
        new().with_beta_1(0.0),
        new().with_amsgrad(true),
    ] {
        assert_edge(&config, &config.build(), (1000.0, 0.0));
        // A fifth of the edge of the last but one case.
        let penalty = 4000.0;
        let decayed = config.with_weight_decay(Some(WeightDecayConfig::new(penalty)));
        assert_edge(&decayed, &decayed.build(), (1000.0, f64::from(penalty)));
    }
    let new = || AdamWConfig::new().with_epsilon(EPSILON);
    for config in [
        new(),
        // The decay is a quarter of 2/lr.
        new().with_weight_decay(5.0),
        new().with_weight_decay(5.0).with_beta_1(0.5),
        // Gradient descent with decoupled decay.
        new().with_weight_decay(5.0).with_beta_1(0.0),
        // Without decay, caution has nothing to do.
        new()
            .with_weight_decay(0.0)
            .with_cautious_weight_decay(true),
    ] {
        assert_edge(&config, &config.build(), (1000.0, 0.0));
    }
}

#[test]
fn rms_prop_and_ada_grad_with_frozen_denominators_diverge_above_their_edges_and_not_below() {
    let new = || RmsPropConfig::new().with_epsilon(EPSILON);
    for config in [
        new(),
        new().with_momentum(0.5),
        new().with_momentum(0.0),
        new().with_centered(true),
    ] {
        assert_edge(&config, &config.build(), (1000.0, 0.0));
        let penalty = 4000.0;
        let decayed = config.with_weight_decay(Some(WeightDecayConfig::new(penalty)));
        assert_edge(&decayed, &decayed.build(), (1000.0, f64::from(penalty)));
    }
    let config = AdaGradConfig::new().with_epsilon(EPSILON);
    assert_edge(&config, &config.build(), (1000.0, 0.0));
}

/// The edge is one of the whole matrix: of a denominator that differs between coordinates, and a Hessian that is not
/// diagonal.
#[test]
fn the_rate_at_which_ada_grad_diverges_is_where_the_monitor_reads_one() {
    // The Hessian is 2 x xᵀ + ½.
    let loss = |point: &Point, x: Tensor<1>| {
        let w = point.w.val();
        (w.clone() * x).sum().square() + w.square().sum() * 0.25
    };
    let data = [tensor(&[1.0, 2.0, -1.0])];
    let config = AdaGradConfig::new().with_epsilon(0.0);
    // The first gradient is so large that those of the loss do not change the denominator.
    let kicked = || {
        let mut optimizer = config.init();
        let point = point(&[1e-3, -2e-3, 1e-3]);
        let slope = (point.w.val() * tensor(&[1e3, 4e3, 2e3])).sum();
        let point = stepped(&mut optimizer, 0.0, point, slope);
        (optimizer, point)
    };
    let sizes = |lr: f64| {
        let (mut optimizer, mut point) = kicked();
        let mut sizes = Vec::new();
        for _ in 0..400 {
            let value = loss(&point, data[0].clone());
            point = stepped(&mut optimizer, lr, point, value);
            let weights = point.coordinates();
            sizes.push(weights.iter().fold(0.0_f64, |size, w| size.max(w.abs())));
        }
        sizes
    };

    let (optimizer, at) = kicked();
    let rule = EdgeRule::of(&config).unwrap();
    let monitor = CurvatureMonitorConfig::new().with_optimizer(rule).init();
    let risk = Risk::new(&loss, &data);
    let mut watch = Watch::new(Due::Every(1), monitor.unwrap(), risk).unwrap();
    let moment = Moment::new(0, 1.0, &at).with_optimizer(&optimizer);
    let ratio = watch.observe(&moment).unwrap().unwrap().reading.edge_ratio;
    let lr = ratio.unwrap().recip();
    // By NumPy: 2 over the largest eigenvalue of P⁻¹H.
    assert!((lr - 376.946_976_3).abs() < 1e-4, "{lr}");
    let below = sizes(0.98 * lr);
    assert!(below[399] < 1e-8, "{}", below[399]);
    assert!(sizes(1.02 * lr).into_iter().any(|size| size > 1.0));
}

/// A step along the gradient of a loss at the point.
fn stepped(optimizer: &mut ModuleOptimizer, lr: f64, point: Point, loss: Tensor<1>) -> Point {
    let gradients = GradientsParams::from_grads(loss.backward(), &point);
    optimizer.step(lr, point, gradients)
}
