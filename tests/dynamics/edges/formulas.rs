//! The table of edges, against the matrices of the steps.

use burn::optim::momentum::MomentumConfig;
use burnscape::dynamics::{DynamicsError, EdgeRule};
use burnscape::optim::Sam;
use burnscape_testkit::golden::{GoldenHeader, load};
use serde::Deserialize;

#[track_caller]
fn assert_near(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    let error = (found - expected).abs();
    assert!(error < 1e-12 * expected, "{found} {expected}");
}

/// The spectral radius of a linear step of a weight and a momentum.
fn radius(step: impl Fn(f64, f64) -> (f64, f64)) -> f64 {
    let ((a, c), (b, d)) = (step(1.0, 0.0), step(0.0, 1.0));
    let (half, determinant) = ((a + d) / 2.0, a * d - b * c);
    let square = half * half - determinant;
    if square < 0.0 {
        determinant.sqrt()
    } else {
        half.abs() + square.sqrt()
    }
}

type Step = dyn Fn(f64, f64, f64, f64, f64) -> (f64, f64);

/// A row of the table, with the step of a weight and a momentum at a rate and a decoupled decay, on `½ λ w²`.
struct Row {
    name: &'static str,
    rule: EdgeRule,
    step: Box<Step>,
}

fn row(
    name: &'static str,
    rule: Result<EdgeRule, DynamicsError>,
    step: impl Fn(f64, f64, f64, f64, f64) -> (f64, f64) + 'static,
) -> Row {
    Row {
        name,
        rule: rule.unwrap(),
        step: Box::new(step),
    }
}

/// Every row of the table, its step written out.
fn rows(beta: f64, dampening: f64) -> [Row; 5] {
    let heavy_ball = MomentumConfig::new()
        .with_momentum(beta)
        .with_dampening(dampening);
    let nesterov = heavy_ball.clone().with_nesterov(true);
    [
        row(
            "gradient descent",
            Ok(EdgeRule::gradient_descent()),
            |w, _, lr, decay, lambda| ((1.0 - lr * decay) * w - lr * lambda * w, 0.0),
        ),
        row(
            "heavy ball",
            EdgeRule::momentum(&heavy_ball),
            move |w, v, lr, decay, lambda| {
                let v = beta * v + (1.0 - dampening) * lambda * w;
                ((1.0 - lr * decay) * w - lr * v, v)
            },
        ),
        row(
            "Nesterov",
            EdgeRule::momentum(&nesterov),
            move |w, v, lr, decay, lambda| {
                let v = beta * v + (1.0 - dampening) * lambda * w;
                let ahead = beta * v + lambda * w;
                ((1.0 - lr * decay) * w - lr * ahead, v)
            },
        ),
        row(
            "moving average",
            EdgeRule::ema(beta),
            move |w, m, lr, decay, lambda| {
                let m = beta * m + (1.0 - beta) * lambda * w;
                ((1.0 - lr * decay) * w - lr * m, m)
            },
        ),
        row(
            "NAdam",
            EdgeRule::nadam(beta),
            move |w, m, lr, decay, lambda| {
                let m = beta * m + (1.0 - beta) * lambda * w;
                let ahead = beta * m + (1.0 - beta) * lambda * w;
                ((1.0 - lr * decay) * w - lr * ahead, m)
            },
        ),
    ]
}

#[test]
fn every_row_is_where_the_matrix_of_its_step_leaves_the_unit_circle() {
    let lr = 0.01;
    for beta in [0.0, 0.3, 0.5, 0.9, 0.99] {
        for dampening in [-0.5, 0.0, 0.1, 0.6, 0.9] {
            for (decoupled, coupled) in [(0.0, 0.0), (5.0, 0.0), (150.0, 0.0), (5.0, 7.0)] {
                for Row { name, rule, step } in rows(beta, dampening) {
                    let rule = rule.with_decoupled_decay(decoupled).unwrap();
                    let rule = rule.with_coupled_decay(coupled).unwrap();
                    let edge = rule.edge(lr, 1.0).unwrap();
                    let radius = |fraction: f64| {
                        let lambda = fraction * edge + coupled;
                        radius(|w, v| step(w, v, lr, decoupled, lambda))
                    };
                    let case = format!("{name} {beta} {dampening} {decoupled} {coupled}");
                    for fraction in [0.01, 0.3, 0.7, 0.9, 0.99, 0.999_999] {
                        assert!(radius(fraction) < 1.0, "{fraction} of {case}");
                    }
                    assert!((radius(1.0) - 1.0).abs() < 1e-12, "{case}");
                    assert!(radius(1.000_001) > 1.0, "{case}");
                }
            }
        }
    }
}

#[test]
fn edges_with_decay_are_those_of_closed_forms() {
    let (lr, decay) = (0.01, 5.0);
    let heavy_ball = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let nesterov = heavy_ball.clone().with_nesterov(true);
    let edge = |rule: EdgeRule| rule.with_decoupled_decay(decay).unwrap().edge(lr, 1.0);
    assert_near(edge(EdgeRule::momentum(&heavy_ball).unwrap()), 370.5);
    assert_near(edge(EdgeRule::ema(0.9).unwrap()), 3705.0);
    // 132.321429
    assert_near(edge(EdgeRule::momentum(&nesterov).unwrap()), 370.5 / 2.8);
    // 1357.142857
    assert_near(EdgeRule::nadam(0.9).unwrap().edge(lr, 1.0), 9500.0 / 7.0);
    assert_near(EdgeRule::ema(0.9).unwrap().edge(lr, 1.0), 38.0 / lr);
    let sam = EdgeRule::sam(0.05).unwrap();
    assert_eq!(sam.edge(0.1, 0.05), Sam::edge(0.05, 0.05, 0.1));
    assert_near(sam.edge(0.1, 0.05), 4.0);
    assert_eq!(EdgeRule::sam(0.0).unwrap().edge(lr, 0.0), Some(2.0 / lr));
}

#[test]
fn without_momentum_and_decay_the_edge_is_two_over_the_rate() {
    let none = MomentumConfig::new().with_momentum(0.0).with_dampening(0.0);
    for rule in [
        EdgeRule::gradient_descent(),
        EdgeRule::momentum(&none).unwrap(),
        EdgeRule::momentum(&none.with_nesterov(true)).unwrap(),
        EdgeRule::ema(0.0).unwrap(),
        EdgeRule::nadam(0.0).unwrap(),
    ] {
        assert_eq!(rule.edge(0.1, 1.0), Some(2.0 / 0.1));
        assert!(!rule.is_preconditioned());
    }
}

#[test]
fn edges_that_do_not_exist_are_none() {
    let heavy_ball = EdgeRule::momentum(&MomentumConfig::new()).unwrap();
    for lr in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(heavy_ball.edge(lr, 1.0), None);
        assert_eq!(EdgeRule::sam(0.1).unwrap().edge(lr, 1.0), None);
    }
    // SAM has none without a gradient.
    assert_eq!(EdgeRule::sam(0.1).unwrap().edge(0.1, 0.0), None);
    // The decay alone is unstable.
    for rule in [
        EdgeRule::gradient_descent().with_decoupled_decay(20.0),
        EdgeRule::gradient_descent().with_coupled_decay(20.0),
    ] {
        let rule = rule.unwrap();
        assert_eq!(rule.edge(0.1, 1.0), None);
        assert!(rule.edge(0.09, 1.0).is_some());
    }
}

#[derive(Deserialize)]
struct Golden {
    header: GoldenHeader,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    step: String,
    lr: f64,
    edge: f64,
    #[serde(default)]
    momentum: f64,
    #[serde(default)]
    dampening: f64,
    #[serde(default)]
    decoupled: f64,
    #[serde(default)]
    coupled: f64,
    #[serde(default)]
    rho: f64,
    #[serde(default)]
    gradient_norm: f64,
}

#[test]
fn edges_are_those_of_spectral_radii_in_numpy() {
    let golden: Golden = load("dynamics", "edges").unwrap();
    assert_eq!(golden.header.dtype, "float64");
    assert_eq!(golden.cases.len(), 48);
    for case in golden.cases {
        let momentum = MomentumConfig::new()
            .with_momentum(case.momentum)
            .with_dampening(case.dampening);
        let rule = match case.step.as_str() {
            "gradient_descent" => Ok(EdgeRule::gradient_descent()),
            "heavy_ball" => EdgeRule::momentum(&momentum),
            "nesterov" => EdgeRule::momentum(&momentum.with_nesterov(true)),
            "ema" => EdgeRule::ema(case.momentum),
            "nadam" => EdgeRule::nadam(case.momentum),
            "sam" => EdgeRule::sam(case.rho),
            other => panic!("{other}"),
        };
        let rule = rule.unwrap().with_decoupled_decay(case.decoupled).unwrap();
        let rule = rule.with_coupled_decay(case.coupled).unwrap();
        assert_near(rule.edge(case.lr, case.gradient_norm), case.edge);
    }
}
