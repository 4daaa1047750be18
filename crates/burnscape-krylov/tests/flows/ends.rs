//! What runs cost, how they end, and what they do not depend on.

use std::cell::Cell;
use std::ops::ControlFlow;

use burnscape_krylov::{Flow, FlowConfig, KrylovFault, Outcome, RungeKutta};

use super::{METHODS, fixed, run, steps};

fn decay(_: f64, y: &[f64]) -> Vec<f64> {
    y.iter().map(|y| -y).collect()
}

#[test]
fn the_last_evaluation_of_a_step_is_the_first_of_the_next() {
    for method in METHODS {
        let plain = FlowConfig::new(10.0).with_method(method);
        for (config, at_first) in [(plain.clone(), 2), (plain.with_first_step(5.0), 1)] {
            let count = Cell::new(0);
            let field = |_: f64, y: &[f64]| {
                count.set(count.get() + 1);
                vec![y[1], -y[0]]
            };
            let flow = run(&config, &[1.0, 0.0], field).unwrap();
            let attempts = flow.num_accepted + flow.num_rejected;
            let each = method.evaluations_per_step();
            assert_eq!(flow.num_evaluations, at_first + each * attempts);
            assert_eq!(flow.num_evaluations, count.get());
            assert_eq!(flow.num_rejected > 0, at_first == 1);
        }
    }
}

#[test]
fn the_limit_of_evaluations_holds() {
    for method in METHODS {
        let config = FlowConfig::new(3.0).with_method(method);
        let whole = run(&config, &[1.0], decay).unwrap();
        let each = method.evaluations_per_step();
        for most in 0..whole.num_evaluations + 3 {
            let config = config.clone().with_max_evaluations(most);
            let flow = run(&config, &[1.0], decay).unwrap();
            assert!(flow.num_evaluations <= most);
            if most >= whole.num_evaluations {
                assert_eq!((flow.time, flow.outcome), (3.0, Outcome::Converged));
                assert_eq!(flow.value, whole.value);
                continue;
            }
            assert_eq!(flow.outcome, Outcome::LimitReached);
            if most < 2 + each {
                assert_eq!((flow.time, flow.num_evaluations), (0.0, 0));
                assert_eq!(flow.value, [1.0]);
            } else {
                assert!(flow.num_evaluations + each > most);
                assert!(flow.time > 0.0 && flow.time < 3.0);
            }
        }
    }
}

#[test]
fn the_end_is_reached_exactly_without_a_short_last_step() {
    let config = FlowConfig::new(1.0)
        .with_tolerances(1e3, 0.0)
        .with_first_step(0.3)
        .with_max_step(0.3);
    let (flow, steps) = steps(&config, &[1.0], decay).unwrap();
    let ends: Vec<f64> = steps.iter().map(|step| step.end()).collect();
    assert_eq!(flow.time, 1.0);
    assert_eq!(ends.len(), 4);
    for (end, expected) in ends.into_iter().zip([0.3, 0.6, 0.8, 1.0]) {
        assert!((end - expected).abs() < 1e-15, "{end}");
    }
    // Steps whose lengths add up to the end with rounding errors: as many as there are.
    for count in 1..100_u32 {
        let config = fixed(RungeKutta::BogackiShampine, 1.0, 1.0 / f64::from(count));
        let flow = run(&config, &[1.0], decay).unwrap();
        assert_eq!((flow.num_accepted, flow.time), (count as usize, 1.0));
    }
}

#[test]
fn a_flow_that_ends_at_once_is_its_start() {
    let field = |_: f64, _: &[f64]| -> Vec<f64> { panic!("evaluated") };
    let flow = run(&FlowConfig::new(0.0), &[3.0], field).unwrap();
    assert_eq!((flow.time, flow.num_evaluations), (0.0, 0));
    assert_eq!(flow.value, [3.0]);
    assert_eq!(flow.outcome, Outcome::Converged);
}

#[test]
fn a_start_at_rest_or_at_zero_is_followed() {
    let rest = run(&FlowConfig::new(100.0), &[0.0, 0.0], decay).unwrap();
    assert_eq!((rest.value, rest.time), (vec![0.0, 0.0], 100.0));
    assert!(rest.num_accepted < 20 && rest.num_rejected == 0);
    // From zero with and without a slope there.
    let line = run(&FlowConfig::new(2.0), &[0.0], |_, _| vec![1.0]).unwrap();
    assert!((line.value[0] - 2.0).abs() < 1e-12);
    let parabola = run(&FlowConfig::new(2.0), &[0.0], |t, _| vec![t]).unwrap();
    assert!((parabola.value[0] - 2.0).abs() < 1e-12);
    let nothing = run(&FlowConfig::new(2.0), &[], decay).unwrap();
    assert!(nothing.value.is_empty() && nothing.time == 2.0);
}

#[test]
fn powers_of_two_scale_the_solution_and_nothing_else() {
    for method in METHODS {
        let config = FlowConfig::new(5.0)
            .with_method(method)
            .with_tolerances(1e-6, 0.0);
        let field = |_: f64, y: &[f64]| vec![y[1], -y[0] - y[1]];
        let plain = run(&config, &[1.0, 0.5], field).unwrap();
        for power in [-600, -3, 600] {
            let scale = 2.0_f64.powi(power);
            let scaled = run(&config, &[scale, 0.5 * scale], field).unwrap();
            let back: Vec<f64> = scaled.value.iter().map(|y| y / scale).collect();
            assert_eq!(back, plain.value);
            assert_eq!(scaled.num_evaluations, plain.num_evaluations);
        }
    }
}

#[test]
fn single_precision_is_followed_as_far_as_it_goes() {
    for method in METHODS {
        // More digits than there are: the tolerance is 1.2e-5.
        let config = FlowConfig::new(2.0)
            .with_method(method)
            .with_tolerances(1e-14, 0.0);
        let flow: Result<Flow<Vec<f32>>, KrylovFault> = config.run(
            vec![1.0_f32, 2.0],
            |_, y| Ok(vec![-y[0], -3.0 * y[1]]),
            |_| Ok(ControlFlow::Continue(())),
        );
        let flow = flow.unwrap();
        assert!((flow.value[0] - (-2.0_f32).exp()).abs() < 1e-5);
        assert!((flow.value[1] - 2.0 * (-6.0_f32).exp()).abs() < 1e-4);
        assert!(flow.num_evaluations < 700, "{}", flow.num_evaluations);
    }
}

#[test]
fn results_go_through_json_without_their_vectors() {
    let flow = run(&FlowConfig::new(1.0), &[1.0], decay).unwrap();
    let text = serde_json::to_string(&flow).unwrap();
    let read: Flow<()> = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    let read: Flow<Vec<f64>> = serde_json::from_str(&text).unwrap();
    assert!(read.value.is_empty());
    assert_eq!((read.time, read.outcome), (1.0, Outcome::Converged));
    assert_eq!(read.num_evaluations, flow.num_evaluations);
}
