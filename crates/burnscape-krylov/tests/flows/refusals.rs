//! What a flow refuses, and why.

use std::cell::Cell;
use std::ops::ControlFlow;

use burnscape_krylov::{FlowConfig, FlowStep, KrylovFault};

use super::{METHODS, run};

fn decay(_: f64, y: &[f64]) -> Vec<f64> {
    y.iter().map(|y| -y).collect()
}

#[test]
fn settings_out_of_range_are_refused_by_their_names() {
    let config = || FlowConfig::new(1.0);
    for (config, message) in [
        (FlowConfig::new(-1.0), "`end_time` is -1; "),
        (FlowConfig::new(f64::NAN), "`end_time` is NaN; "),
        (FlowConfig::new(f64::INFINITY), "`end_time` is inf; "),
        (config().with_tolerances(0.0, 1.0), "`relative` is 0; "),
        (config().with_tolerances(-1.0, 1.0), "`relative` is -1; "),
        (config().with_tolerances(1.0, -1.0), "`absolute` is -1; "),
        (
            config().with_tolerances(1.0, f64::INFINITY),
            "`absolute` is inf; ",
        ),
        (config().with_max_step(0.0), "`max_step` is 0; "),
        (config().with_max_step(f64::NAN), "`max_step` is NaN; "),
        (config().with_first_step(-0.5), "`first_step` is -0.5; "),
        (
            config().with_first_step(f64::INFINITY),
            "`first_step` is inf; ",
        ),
    ] {
        let never = |_: f64, _: &[f64]| -> Vec<f64> { panic!("evaluated") };
        let refused = run(&config, &[1.0], never).unwrap_err().to_string();
        assert!(refused.starts_with(message), "{refused}");
        assert!(refused.contains("; give "), "{refused}");
    }
    let backwards = run(&FlowConfig::new(-1.0), &[1.0], decay).unwrap_err();
    let message = backwards.to_string();
    assert!(
        message.ends_with("reverse the sign of the field"),
        "{message}"
    );
}

#[test]
fn a_bound_that_is_not_positive_is_refused() {
    for bound in [0.0, -1.0, f64::NAN] {
        let refused = FlowConfig::new(1.0).run(
            vec![1.0_f64],
            |_, y| Ok::<_, KrylovFault>(decay(0.0, y)),
            |step| {
                step.limit_next(bound);
                Ok(ControlFlow::Continue(()))
            },
        );
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("`limit_next` is "), "{refused}");
    }
}

#[test]
fn a_solution_that_becomes_infinite_ends_where_it_does() {
    for method in METHODS {
        // 1 / (1 − t).
        let config = FlowConfig::new(2.0).with_method(method);
        let refused = run(&config, &[1.0], |_, y| vec![y[0] * y[0]]).unwrap_err();
        let KrylovFault::StepTooShort { time, step } = refused else {
            panic!("{refused}")
        };
        assert!((time - 1.0).abs() < 1e-3, "{time}");
        assert!(step > 0.0 && step < 1e-14, "{step:e}");
        assert!(refused.to_string().contains("raise the tolerances"));
    }
}

#[test]
fn a_field_that_is_not_finite_is_refused_where_it_begins() {
    for method in METHODS {
        let config = FlowConfig::new(2.0).with_method(method);
        let from_half = |t: f64, y: &[f64]| vec![if t <= 0.5 { -y[0] } else { f64::NAN }];
        let refused = run(&config, &[1.0], from_half).unwrap_err();
        let KrylovFault::NonFiniteField { time } = refused else {
            panic!("{refused}")
        };
        assert!((time - 0.5).abs() < 1e-12, "{time}");
        let never = run(&config, &[1.0], |_, _| vec![f64::INFINITY]);
        assert_eq!(
            never.unwrap_err(),
            KrylovFault::NonFiniteField { time: 0.0 }
        );
        let start = run(&config, &[f64::NAN], decay).unwrap_err();
        assert!(matches!(
            start,
            KrylovFault::NonFiniteArgument { name: "start", .. }
        ));
    }
}

#[test]
fn a_step_beyond_the_domain_of_the_field_is_made_again() {
    // The square root of a negative number is NaN. The flow (1 − t/2)² has none, a stage of its first attempt has.
    for method in METHODS {
        let config = FlowConfig::new(1.9)
            .with_method(method)
            .with_first_step(1.9)
            .with_tolerances(1e-8, 1e-10);
        let count = Cell::new(0);
        let root = |_: f64, y: &[f64]| {
            count.set(count.get() + usize::from(y[0] < 0.0));
            vec![-y[0].sqrt()]
        };
        let flow = run(&config, &[1.0], root).unwrap();
        assert!(count.get() > 0 && flow.num_rejected > 0);
        assert!((flow.value[0] - 0.0025).abs() < 1e-6, "{}", flow.value[0]);
    }
}

#[derive(Debug, PartialEq)]
enum Failure {
    Fault(KrylovFault),
    Own,
}

impl From<KrylovFault> for Failure {
    fn from(fault: KrylovFault) -> Self {
        Self::Fault(fault)
    }
}

#[test]
fn errors_of_the_caller_and_of_the_vectors_end_the_run() {
    let watch = |_: &mut FlowStep<Vec<f64>>| Ok(ControlFlow::Continue(()));
    for last in [0, 1, 2, 9] {
        let mut count = 0;
        let field = |_: f64, y: &Vec<f64>| {
            count += 1;
            match count > last {
                true => Err(Failure::Own),
                false => Ok(decay(0.0, y)),
            }
        };
        let refused = FlowConfig::new(5.0).run(vec![1.0], field, watch);
        assert_eq!(refused.unwrap_err(), Failure::Own);
        assert_eq!(count, last + 1);
    }
    let fine = |_: f64, y: &Vec<f64>| Ok(decay(0.0, y));
    let refused = FlowConfig::new(5.0).run(vec![1.0], fine, |_| Err(Failure::Own));
    assert_eq!(refused.unwrap_err(), Failure::Own);
    let longer = |_: f64, _: &Vec<f64>| Ok::<_, Failure>(vec![1.0; 3]);
    let refused = FlowConfig::new(5.0).run(vec![1.0; 2], longer, watch);
    let mismatch = KrylovFault::DimensionMismatch {
        expected: 2,
        found: 3,
    };
    assert_eq!(refused.unwrap_err(), Failure::Fault(mismatch));
}
