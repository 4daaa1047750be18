//! Events are located on accepted steps, each one once.

use std::f64::consts::PI;
use std::ops::ControlFlow;

use burnscape_krylov::{FlowConfig, FlowStep, KrylovFault, Outcome};

use super::{METHODS, steps};

/// `(cos t, −sin t)` from `(1, 0)`.
fn rotation(_: f64, y: &[f64]) -> Vec<f64> {
    vec![y[1], -y[0]]
}

fn roots(
    steps: &[FlowStep<Vec<f64>>],
    function: fn(f64, &Vec<f64>) -> Result<f64, KrylovFault>,
) -> Vec<f64> {
    let roots = steps.iter().map(|step| step.root(function).unwrap());
    roots.flatten().collect()
}

#[test]
fn every_root_is_found_once_with_the_accuracy_of_the_solution() {
    for method in METHODS {
        let config = FlowConfig::new(10.0)
            .with_method(method)
            .with_tolerances(1e-8, 1e-10);
        let (_, steps) = steps(&config, &[1.0, 0.0], rotation).unwrap();
        let found = roots(&steps, |_, y| Ok(y[0]));
        assert_eq!(found.len(), 3, "{found:?}");
        for (index, time) in found.into_iter().enumerate() {
            let exact = PI * (index as f64 + 0.5);
            assert!((time - exact).abs() < 3e-9, "{time} {exact}");
        }
    }
}

#[test]
fn rejected_steps_are_never_seen() {
    for method in METHODS {
        // The first attempts step over several roots.
        let config = FlowConfig::new(10.0)
            .with_method(method)
            .with_first_step(5.0);
        let (flow, steps) = steps(&config, &[1.0, 0.0], rotation).unwrap();
        assert!(flow.num_rejected > 0);
        assert_eq!(steps.len(), flow.num_accepted);
        assert_eq!(roots(&steps, |_, y| Ok(y[0])).len(), 3);
        // Time goes on without gaps.
        assert_eq!((steps[0].start(), flow.time), (0.0, 10.0));
        assert!(steps.iter().all(|step| step.start() < step.end()));
        for pair in steps.windows(2) {
            assert_eq!(pair[0].end(), pair[1].start());
            assert!(pair[0].num_evaluations() < pair[1].num_evaluations());
        }
        let last = &steps[steps.len() - 1];
        assert_eq!(
            (last.end(), last.num_evaluations()),
            (10.0, flow.num_evaluations)
        );
    }
}

#[test]
fn a_root_between_two_steps_belongs_to_the_first_of_them() {
    let config = FlowConfig::new(2.0)
        .with_tolerances(0.01, 0.0)
        .with_max_step(0.25)
        .with_first_step(0.25);
    let (_, steps) = steps(&config, &[1.0, 0.0], rotation).unwrap();
    assert_eq!(roots(&steps, |t, _| Ok(t - 1.0)), [1.0]);
    assert_eq!(roots(&steps, |t, _| Ok(t)), Vec::<f64>::new());
    assert_eq!(roots(&steps, |t, _| Ok(2.0 - t)), [2.0]);
    // Zero at both ends of a step: the end counts.
    let both = roots(&steps, |t, _| Ok((t - 0.5) * (t - 0.75)));
    assert_eq!(both, [0.5, 0.75]);
    assert_eq!(roots(&steps, |_, _| Ok(-1.0)), Vec::<f64>::new());
    let between = roots(&steps, |t, _| Ok(0.6 - t));
    assert!(between.len() == 1 && (between[0] - 0.6).abs() < 1e-15);
}

#[test]
fn events_are_refused_where_they_have_no_value() {
    let (_, steps) = steps(&FlowConfig::new(1.0), &[1.0, 0.0], rotation).unwrap();
    let step = &steps[1];
    let refused = step.root(|_, _| Ok(f64::NAN)).unwrap_err();
    assert_eq!(refused.to_string(), "`function` is NaN; give a finite one");
    let own = KrylovFault::HutchinsonOnly;
    assert_eq!(step.root(|_, _| Err(own.clone())), Err(own));
    for time in [step.start() - 1e-9, step.end() + 1e-9, f64::NAN] {
        let refused = step.at(time).unwrap_err().to_string();
        assert!(refused.starts_with("`time` is "), "{refused}");
    }
}

#[test]
fn a_run_that_is_stopped_ends_with_its_step() {
    let field = |_: f64, y: &Vec<f64>| Ok::<_, KrylovFault>(vec![y[1], -y[0]]);
    for most in [1, 4] {
        let mut seen = Vec::new();
        let flow = FlowConfig::new(10.0).run(vec![1.0, 0.0], field, |step| {
            seen.push((step.end(), step.end_value().clone()));
            Ok(match seen.len() < most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        });
        let flow = flow.unwrap();
        assert_eq!(flow.outcome, Outcome::Stopped);
        assert_eq!((seen.len(), flow.num_accepted), (most, most));
        assert_eq!((flow.time, flow.value), seen[most - 1]);
    }
    // There is nothing left to stop.
    let last = FlowConfig::new(1.0).run(vec![1.0, 0.0], field, |step| {
        Ok(match step.end() < 1.0 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    });
    assert_eq!(last.unwrap().outcome, Outcome::Converged);
}
