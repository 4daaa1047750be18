//! Flows that end early keep what they have.

use std::ops::ControlFlow;

use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{CentralFlowConfig, DynamicsError, GradientFlowConfig};
use burnscape::loss::{Progress, Risk, Work};

use super::{batch, point, regression, valley};

/// Breaks at one of the pieces of some work.
fn at(work: Work, done: usize) -> impl FnMut(&Progress) -> ControlFlow<()> + Send {
    let mut count = 0;
    move |progress| {
        count += usize::from(progress.work == work);
        if progress.work == work && count == done {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn a_flow_that_is_stopped_ends_at_its_last_step() {
    let data = [batch(&[1.0, 2.0])];
    let config = GradientFlowConfig::new(10.0);
    let risk = Risk::new(&regression, &data);
    let whole = config.run(&risk, &point(&[3.0, -1.0])).unwrap();
    // In a step, in a gradient, and in the second reading of the sharpness.
    for (work, done, steps) in [
        (Work::Step, 3, Some(3)),
        (Work::Gradient, 20, None),
        (Work::Linearization, 2, Some(10)),
    ] {
        let risk = Risk::new(&regression, &data).with_observer(at(work, done));
        let flow = config.run(&risk, &point(&[3.0, -1.0])).unwrap();
        assert!(!flow.completed);
        let count = flow.times.len();
        assert_eq!(flow.times, whole.times[..count]);
        assert_eq!(flow.losses, whole.losses[..count]);
        assert_eq!(flow.num_accepted + 1, count);
        assert!(flow.num_accepted > 0 && flow.num_accepted < whole.num_accepted);
        if let Some(steps) = steps {
            assert_eq!(flow.num_accepted, steps);
        }
        // The model is that of the last of the times.
        let unobserved = Risk::new(&regression, &data);
        let loss = unobserved.loss(&flow.model).unwrap().value;
        assert!((loss - flow.losses[count - 1]).abs() <= 1e-12 * loss);
    }
}

#[test]
fn a_flow_that_is_stopped_before_its_first_step_has_no_result() {
    let data = [batch(&[1.0, 2.0])];
    let risk = Risk::new(&regression, &data).with_observer(at(Work::Linearization, 1));
    let error = GradientFlowConfig::new(1.0).run(&risk, &point(&[3.0, -1.0]));
    let stopped = DynamicsError::Curvature(CurvatureError::Stopped);
    assert_eq!(error.unwrap_err(), stopped);
}

#[test]
fn the_limit_of_gradients_ends_a_flow() {
    let data = [batch(&[1.0, 2.0])];
    let risk = Risk::new(&regression, &data);
    let config = GradientFlowConfig::new(1.0)
        .with_relative_tolerance(Some(1e-12))
        .with_absolute_tolerance(Some(1e-14))
        .with_max_gradients(100);
    let flow = config.run(&risk, &point(&[3.0, -1.0])).unwrap();
    assert!(!flow.completed);
    let own = flow.num_gradients - flow.sharpness.len() - 1;
    assert!(own <= 100 && own > 94, "{own}");
    assert!(flow.times.last() < Some(&1.0));
}

#[test]
fn a_central_flow_that_is_stopped_ends_at_its_last_step() {
    let data = [batch(&[20.5])];
    let config = CentralFlowConfig::new(0.1, 30.0).with_relative_tolerance(Some(1e-3));
    let risk = Risk::new(&valley, &data);
    let whole = config.run(&risk, &point(&[0.5, 15.0])).unwrap();
    for (work, done) in [(Work::Step, 5), (Work::Step, 20), (Work::Product, 60)] {
        let risk = Risk::new(&valley, &data).with_observer(at(work, done));
        let flow = config.run(&risk, &point(&[0.5, 15.0])).unwrap();
        assert!(!flow.completed);
        let count = flow.times.len();
        assert!(count > 1 && count < whole.times.len(), "{count}");
        assert_eq!(flow.times, whole.times[..count]);
        assert_eq!(flow.sigma_squared, whole.sigma_squared[..count]);
        if work == Work::Step {
            assert_eq!(flow.num_accepted, done);
        }
    }
    let config = config.with_max_gradients(60);
    let flow = config.run(&risk, &point(&[0.5, 15.0])).unwrap();
    assert!(!flow.completed && flow.second_direction.is_none());
    assert!(flow.times.len() < whole.times.len());
}
