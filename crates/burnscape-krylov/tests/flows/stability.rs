//! The longest steps that decay, stiff fields, and bounds of steps.

use std::ops::ControlFlow;

use burnscape_krylov::{FlowConfig, FlowStep, KrylovFault, RungeKutta};

use super::{METHODS, distance, fixed, run, steps};

/// `|y|` after 200 steps of one length on `dy/dt = −λ y` from one, `h λ` given.
fn growth(method: RungeKutta, product: f64) -> f64 {
    let (h, count) = (0.125, 200);
    let config = fixed(method, h * f64::from(count), h);
    let flow = run(&config, &[1.0], |_, y| vec![-product / h * y[0]]).unwrap();
    assert_eq!(flow.num_accepted, count as usize);
    flow.value[0].abs()
}

#[test]
fn stability_limits_are_where_steps_of_one_length_stop_to_decay() {
    for (method, four_digits) in METHODS.into_iter().zip([2.5127, 3.3066]) {
        let (mut low, mut high) = (1.0, 5.0);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            match growth(method, middle) <= 1.0 {
                true => low = middle,
                false => high = middle,
            }
        }
        let limit = method.stability_limit();
        assert!((low - limit).abs() < 1e-12, "{low} {limit}");
        assert!((limit - four_digits).abs() < 5e-5);
        // There is no gap below it.
        for share in 1..100 {
            assert!(growth(method, f64::from(share) / 100.0 * limit) < 1.0);
        }
    }
}

const RATES: [f64; 3] = [1000.0, 1.0, 0.1];

fn stiff(_: f64, y: &[f64]) -> Vec<f64> {
    let terms = y.iter().zip(RATES);
    terms.map(|(y, rate)| -rate * y).collect()
}

#[test]
fn stiff_fields_take_steps_at_the_stability_limit_and_reject_few() {
    for method in METHODS {
        let config = FlowConfig::new(10.0).with_method(method);
        let flow = run(&config, &[1.0; 3], stiff).unwrap();
        let fewest = 10.0 * RATES[0] / method.stability_limit();
        let count = flow.num_accepted as f64;
        assert!(count > fewest && count < 1.02 * fewest, "{count} {fewest}");
        assert!(flow.num_rejected <= 5, "{}", flow.num_rejected);
        let exact = RATES.map(|rate| (-10.0 * rate).exp());
        assert!(distance(&flow.value, &exact) < 1e-5);
    }
}

#[test]
fn no_step_is_longer_than_the_bound() {
    for method in METHODS {
        let bound = 0.9 * method.stability_limit() / RATES[0];
        let config = FlowConfig::new(1.0)
            .with_method(method)
            .with_max_step(bound);
        let (flow, steps) = steps(&config, &[1.0; 3], stiff).unwrap();
        let lengths = steps.iter().map(|step| step.end() - step.start());
        let longest = lengths.fold(0.0_f64, f64::max);
        assert!(longest <= bound * (1.0 + 1e-12) && longest > 0.99 * bound);
        // Nothing oscillates, so that what has decayed is gone.
        assert!(flow.value[0].abs() < 1e-12, "{}", flow.value[0]);
    }
}

#[test]
fn a_bound_set_at_a_step_holds_until_the_next_one_is_set() {
    let mut lengths = Vec::new();
    let field = |_: f64, y: &Vec<f64>| Ok::<_, KrylovFault>(vec![-1e-3 * y[0]]);
    let watch = |step: &mut FlowStep<Vec<f64>>| {
        lengths.push((step.start(), step.end() - step.start()));
        if step.end() == 1.0 {
            step.limit_next(0.0625);
        } else if step.end() == 2.0 {
            step.limit_next(f64::INFINITY);
        }
        Ok(ControlFlow::Continue(()))
    };
    let config = FlowConfig::new(100.0)
        .with_max_step(0.25)
        .with_first_step(0.25);
    config.run(vec![1.0], field, watch).unwrap();
    for (start, length) in &lengths {
        match *start {
            start if start < 1.0 => assert_eq!(*length, 0.25),
            start if start < 2.0 => assert_eq!(*length, 0.0625),
            _ => assert!(*length > 0.25),
        }
    }
    assert_eq!(lengths.iter().filter(|(start, _)| *start < 2.0).count(), 20);
}
