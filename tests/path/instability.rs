//! A run whose result is open for ten steps and settled after them.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};

use burnscape::loss::Work;
use burnscape::path::{CurveProfileConfig, InstabilityConfig, PathError};
use burnscape::prelude::*;
use burnscape_testkit::objectives::Point;

use super::models::{nothing, point, ring};

/// In the first ten steps the data order pushes the point to the left or to the right; in the last step it moves to the
/// ring, on its side.
fn train(
    model: Point,
    pushes: i32,
    steps: Range<usize>,
    order: u64,
) -> Result<(Point, i32), String> {
    let mut side = model.coordinates()[0];
    let mut pushes = pushes;
    let is_last = steps.end == 20;
    for _ in steps.start..steps.end.min(10) {
        side += if order == 2 { 1.0 } else { -1.0 };
        pushes += 1;
    }
    if is_last {
        side = side.signum();
    }
    Ok((point(&[side, 0.0]), pushes))
}

#[test]
fn the_barrier_falls_to_zero_where_the_run_is_decided() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let config = InstabilityConfig::new(vec![0, 4, 8, 12, 20], 20)
        .with_profile(CurveProfileConfig::new().with_num_points(21));
    let start = point(&[0.5, 0.0]);
    let calls = RefCell::new(Vec::new());
    let logged = |model, pushes, steps: Range<usize>, order| {
        calls.borrow_mut().push((steps.start, steps.end, order));
        train(model, pushes, steps, order)
    };
    let found = config.run(&risk, &start, 0, logged).unwrap();
    assert!(found.completed);
    let barriers: Vec<f64> = found
        .profiles
        .iter()
        .map(|profile| profile.barriers().unwrap().above_mean)
        .collect();
    // From step 4 the trunk is at −3.5 and six pushes bring it to 2.5; from step 8 two do not.
    assert_eq!(barriers, [1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(found.distances, [2.0, 2.0, 0.0, 0.0, 0.0]);
    assert_eq!(found.steps, [0, 4, 8, 12, 20]);
    // The trunk is trained once; branches start from it.
    let calls = calls.into_inner();
    assert_eq!(
        calls[..5],
        [(0, 20, 1), (0, 20, 2), (0, 4, 0), (4, 20, 1), (4, 20, 2)]
    );
    assert_eq!(calls.len(), 14);
    let mut csv = Vec::new();
    found.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.starts_with("step,distance,above_line,above_worse_end,above_mean\n0,2,1,1,1\n"));
}

#[test]
fn two_branches_with_one_order_are_a_control_without_a_barrier() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let config = InstabilityConfig::new(vec![0, 4], 20).with_orders([7, 2, 2]);
    let mut orders = Vec::new();
    let logged = |model, pushes, steps, order| {
        orders.push(order);
        train(model, pushes, steps, order)
    };
    let found = config.run(&risk, &point(&[0.5, 0.0]), 0, logged).unwrap();
    assert_eq!(found.distances, [0.0, 0.0]);
    assert_eq!(orders, [2, 2, 7, 2, 2]);
}

#[test]
fn failures_and_steps_out_of_order_are_reported() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let start = point(&[0.5, 0.0]);
    for steps in [vec![4, 4], vec![5, 3], vec![30]] {
        let config = InstabilityConfig::new(steps, 20);
        let error = config.run(&risk, &start, 0, train).unwrap_err();
        assert!(matches!(error, PathError::OutOfRange { .. }));
    }
    let config = InstabilityConfig::new(vec![3, 7], 20)
        .with_profile(CurveProfileConfig::new().with_num_points(3));
    let fails = |model, pushes, steps: Range<usize>, order| match steps.start {
        7 => Err("the disk is full".to_string()),
        _ => train(model, pushes, steps, order),
    };
    let error = config.run(&risk, &start, 0, fails).unwrap_err();
    assert!(matches!(error, PathError::Training { step: 7, .. }));
    assert!(error.to_string().contains("the disk is full"));
    let risk = risk.clone().with_observer(|progress| match progress.work {
        Work::Branch => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let stopped = config.run(&risk, &start, 0, train).unwrap();
    assert_eq!((stopped.profiles.len(), stopped.completed), (1, false));
}
