use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape_testkit::objectives::Point;

use super::*;
use crate::loss::PerExample;

fn point() -> Point {
    Point::new(&[0.5, -1.0, 0.25], &Device::default(), DType::F64)
}

/// Eleven examples in batches of seven and four.
fn data() -> [Tensor<2>; 2] {
    let batch = |first: usize, count: usize| {
        let numbers = (3 * first..3 * (first + count)).map(|i| (1.0 + i as f64).powf(1.31).sin());
        let data = TensorData::new(numbers.collect::<Vec<f64>>(), [count, 3]);
        Tensor::from_data(data, (&Device::default(), DType::F64))
    };
    [batch(0, 7), batch(7, 4)]
}

/// `(x · w − 1)²` of each example.
fn losses(point: &Point, x: Tensor<2>) -> Tensor<1> {
    let w = point.w.val().unsqueeze::<2>();
    ((x * w).sum_dim(1) - 1.0).square().squeeze_dim::<1>(1)
}

fn parts(risk: &Risk<'_, Point, PerExample>, size: Option<usize>) -> Vec<PartGradient> {
    let mut parts = Vec::new();
    let completed = risk.each_part_gradient(&point(), size, &mut |part| {
        parts.push(part);
        Ok(ControlFlow::Continue(()))
    });
    assert!(completed.unwrap());
    parts
}

#[test]
fn parts_are_in_order_and_their_mean_is_that_of_the_data() {
    let data = data();
    let risk = Risk::per_example(losses, &data);
    let whole = risk.loss_and_gradient(&point()).unwrap();
    for (size, expected) in [
        (None, vec![(0, 7, 7), (1, 4, 4)]),
        (Some(100), vec![(0, 7, 7), (1, 4, 4)]),
        (
            Some(3),
            vec![(0, 3, 7), (0, 3, 7), (0, 1, 7), (1, 3, 4), (1, 1, 4)],
        ),
        (Some(2), {
            let first = vec![(0, 2, 7), (0, 2, 7), (0, 2, 7), (0, 1, 7)];
            [first, vec![(1, 2, 4); 2]].concat()
        }),
    ] {
        let parts = parts(&risk, size);
        let found: Vec<_> = parts
            .iter()
            .map(|part| (part.batch, part.num_examples, part.batch_examples))
            .collect();
        assert_eq!(found, expected);
        let mut difference = whole.gradient.clone();
        let mut loss = 0.0;
        for part in &parts {
            let share = part.num_examples as f64 / 11.0;
            difference = difference.axpy(-share, &part.gradient).unwrap();
            loss += share * part.loss;
        }
        assert!(difference.norm().unwrap() < 1e-14 * whole.gradient.norm().unwrap());
        assert!((loss - whole.value).abs() < 1e-14 * whole.value);
    }
}

#[test]
fn parts_of_a_sum_are_means_as_well() {
    let data = data();
    let risk = Risk::per_example(losses, &data);
    let sum = risk.clone().with_reduction(Reduction::Sum);
    for size in [None, Some(3), Some(1)] {
        for (mean, sum) in parts(&risk, size).into_iter().zip(parts(&sum, size)) {
            assert!((mean.loss - sum.loss).abs() <= 1e-14 * mean.loss);
            let difference = mean.gradient.clone().axpy(-1.0, &sum.gradient).unwrap();
            let size = mean.gradient.norm().unwrap();
            assert!(difference.norm().unwrap() <= 1e-14 * size);
        }
    }
}

#[test]
fn a_visitor_and_an_observer_end_the_pass() {
    let data = data();
    let run = |risk: &Risk<'_, Point, PerExample>, last: usize| {
        let mut count = 0;
        let completed = risk.each_part_gradient(&point(), Some(3), &mut |_| {
            count += 1;
            Ok(match count == last {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        });
        (completed.unwrap(), count)
    };
    let risk = Risk::per_example(losses, &data);
    assert_eq!(run(&risk, 4), (false, 4));
    assert_eq!(run(&risk, 9), (true, 5));
    let observed = risk.with_observer(|progress| {
        assert_eq!((progress.work, progress.total), (Work::Gradient, None));
        match progress.done {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!(run(&observed, 9), (false, 2));
}

#[test]
fn a_loss_that_is_no_mean_of_its_examples_is_told() {
    let data = data();
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let risk = Risk::per_example(losses, &data).with_reduction(reduction);
        for size in [1, 3, 100] {
            assert_eq!(risk.check_parts(&point(), size).unwrap(), None);
        }
    }
    let root = |point: &Point, x: Tensor<2>| losses(point, x).mean().sqrt();
    let risk = Risk::new(&root, &data);
    let defect = risk.check_parts(&point(), 2).unwrap().unwrap();
    assert!(defect > 1e-3 && defect < 1.0, "{defect}");
    // Every batch is a single part.
    assert_eq!(risk.check_parts(&point(), 7).unwrap(), None);
    // A sum that is declared as a mean.
    let sum = |point: &Point, x: Tensor<2>| losses(point, x).sum();
    let defect = Risk::new(&sum, &data).check_parts(&point(), 3).unwrap();
    assert!(defect.unwrap() > 0.1);
}

#[test]
fn losses_that_are_rounding_errors_are_compared_where_they_are_not() {
    // The residuals vanish at the point, up to the order of their sums.
    let data = data().map(|x| {
        let w = point().w.val().unsqueeze_dim::<2>(1);
        (x.clone(), x.matmul(w))
    });
    let loss = |point: &Point, (x, y): (Tensor<2>, Tensor<2>)| {
        let w = point.w.val().unsqueeze::<2>();
        ((x * w).sum_dim(1) - y).abs().mean()
    };
    let risk = Risk::new(&loss, &data);
    assert!(risk.loss(&point()).unwrap().value < 1e-15);
    assert_eq!(risk.check_parts(&point(), 2).unwrap(), None);
    let largest = |point: &Point, (x, y): (Tensor<2>, Tensor<2>)| {
        let w = point.w.val().unsqueeze::<2>();
        ((x * w).sum_dim(1) - y).abs().max()
    };
    let moved = Point::new(&[0.6, -1.0, 0.25], &Device::default(), DType::F64);
    assert!(Risk::new(&largest, &data).check_parts(&moved, 2).unwrap() > Some(0.01));
}

#[test]
fn bad_data_are_named() {
    let [first, second] = data();
    let data = [first, second * f64::NAN];
    let risk = Risk::per_example(losses, &data);
    let mut count = 0;
    let error = risk.each_part_gradient(&point(), Some(3), &mut |_| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    });
    let is_second = |error: &LossError| matches!(error, LossError::NonFinite { batch: 1, .. });
    assert!(is_second(&error.unwrap_err()) && count == 3);
    assert!(is_second(&risk.check_parts(&point(), 3).unwrap_err()));
    let none: [Tensor<2>; 0] = [];
    let risk = Risk::per_example(losses, &none);
    assert_eq!(risk.check_parts(&point(), 3), Err(LossError::EmptyData));
}
