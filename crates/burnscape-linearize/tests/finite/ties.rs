//! Ties: the side of a kink that is taken, and selections by equality, which have none.

use burn::module::Param;
use burn::tensor::activation::relu;
use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient};

use super::Right::{Differences, Product};
use super::{Loss, Point, at, direction, hold, on, plain, product};

/// At a tie, what is differentiated is what Burn's gradient takes for the function there.
#[test]
fn at_ties_the_derivative_is_that_of_the_side_that_burns_gradient_takes() {
    hold(vec![
        // The first of the largest, and the last running record.
        ("max", vec![1.0, 1.0], Product(&[2.0, 0.0]), |x| {
            x.max().square()
        }),
        ("max_dim", vec![1.0, 1.0], Product(&[2.0, 0.0]), |x| {
            x.max_dim(0).square()
        }),
        (
            "cummax",
            vec![1.0, 1.0, 2.0],
            Product(&[2.0, 3.0, 4.0]),
            |x| x.cummax(0).square().sum(),
        ),
        (
            "cummin",
            vec![1.0, 1.0, 0.5],
            Product(&[2.0, 3.0, 4.0]),
            |x| x.cummin(0).square().sum(),
        ),
        // In their order, and the one that is there.
        ("sort", vec![1.0, 1.0], Product(&[2.0, 12.0]), |x| {
            let weights = on(&x.device(), &[1.0, 2.0]);
            (x.sort(0) * weights).square().sum()
        }),
        (
            "topk",
            vec![1.0, 1.0, 1.0],
            Product(&[2.0, 12.0, 0.0]),
            |x| {
                let weights = on(&x.device(), &[1.0, 2.0]);
                (x.topk(2, 0) * weights).square().sum()
            },
        ),
        (
            "median",
            vec![1.0, 1.0, 2.0],
            Product(&[0.0, 3.0, 0.0]),
            |x| x.median(0).square(),
        ),
        // On the bounds themselves it passes.
        ("clamp", vec![0.0, 1.0], Product(&[2.0, 3.0]), |x| {
            x.clamp(0.0, 1.0).square().sum()
        }),
        // The slope of |x| at zero is zero, and so is that of the sign.
        ("abs", vec![0.0, 1.0], Product(&[0.0, 3.0]), |x| {
            x.abs().square().sum()
        }),
        ("sign", vec![0.0, 1.0], Product(&[0.0, 3.0]), |x| {
            (x.clone().sign() * x).square().sum()
        }),
        // An extremum among the elements that it was taken of is where it is.
        (
            "which is the largest",
            vec![0.0, 2.0, 1.0],
            Differences,
            |x| {
                let is_largest = x.clone().equal(x.clone().max_dim(0).expand([3]));
                (x.clone() * is_largest.float()).square().sum()
            },
        ),
    ]);
}

#[test]
fn a_selection_by_equality_is_refused_where_something_is_equal_and_only_there() {
    let loss: Loss = |x| {
        let is_zero = x.clone().equal_elem(0.0);
        x.mask_fill(is_zero, 1.0).square().sum()
    };
    let v = direction(3);
    assert_eq!(
        product(&[0.5, 2.0, -1.0], &v, loss),
        Ok(vec![2.0, 3.0, 4.0])
    );
    let error = product(&[0.0, 2.0, 0.0], &v, loss).expect_err("two zeros");
    let expected = LinearizeError::Tie {
        operation: "BaseFloat::EqualElem".into(),
        shapes: vec![vec![3]],
        count: 2,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "`BaseFloat::EqualElem` with shapes [[3]] compares values that depend on the parameters, and 2 of \
         them are equal at this point but not near it, so the selection has no derivative here; \
         build the mask from the batch, select with `lower` or `greater`, or move the parameters off the tie"
    );
    let others: [(&str, Loss); 4] = [
        ("BaseFloat::Equal", |x| {
            let is_same = x.clone().equal(x.clone().flip([0]) * 3.0);
            x.mask_fill(is_same, 1.0).square().sum()
        }),
        ("BaseFloat::Equal", |x| {
            let is_other = x.clone().not_equal(x.clone().flip([0]) * 3.0);
            (x * is_other.float()).square().sum()
        }),
        ("BaseFloat::EqualElem", |x| {
            let is_other = x.clone().not_equal_elem(0.0);
            (x * is_other.float()).square().sum()
        }),
        ("BaseFloat::EqualElem", |x| {
            let is_any = x.clone().any();
            (x * is_any.float()).square().sum()
        }),
    ];
    for (name, loss) in others {
        assert!(product(&[0.5, 2.0, -1.0], &v, loss).is_ok(), "{name}");
        match product(&[0.0, 2.0, 0.0], &v, loss) {
            Err(LinearizeError::Tie { operation, .. }) => assert_eq!(operation, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Padding, a mask and what a ReLU cuts off are zero at every point nearby.
#[test]
fn what_is_equal_nearby_as_well_is_selected_by_equality() {
    hold(vec![
        ("after a ReLU", vec![-1.0, 2.0, 1.0], Differences, |x| {
            let y = relu(x);
            let is_dead = y.clone().equal_elem(0.0);
            (y.mask_fill(is_dead, 3.0)).powi_scalar(3).sum()
        }),
        ("under a mask", vec![-1.0, 2.0, 1.0], Differences, |x| {
            let kept = on(&x.device(), &[0.0, 1.0, 1.0]);
            let y = x * kept;
            let is_padding = y.clone().equal_elem(0.0);
            (y.mask_fill(is_padding, 3.0)).powi_scalar(3).sum()
        }),
    ]);
    // A square at zero does not move in the first order, and does.
    let square: Loss = |x| {
        let y = x.square();
        let is_zero = y.clone().equal_elem(0.0);
        y.mask_fill(is_zero, 1.0).sum()
    };
    let refused = product(&[0.0, 2.0], &[1.0, 1.0], square);
    assert!(
        matches!(refused, Err(LinearizeError::Tie { count: 1, .. })),
        "{refused:?}"
    );
}

/// A ReLU that cuts off many numbers cuts off those next to the point that it cuts off there.
#[test]
fn a_selection_after_a_large_relu_is_not_refused() {
    let dead_are_three: Loss = |x| {
        let y = relu(x);
        let is_dead = y.clone().equal_elem(0.0);
        y.mask_fill(is_dead, 3.0).square().sum()
    };
    for phase in 0..20 {
        let x: Vec<f64> = (0..10_000)
            .map(|i| ((f64::from(i) + 0.5) * (1.0 + 0.37 * f64::from(phase))).sin())
            .collect();
        assert!(x.iter().all(|x| x.abs() > 1e-6));
        let found = product(&x, &vec![1.0; x.len()], dead_are_three).expect("a product");
        let expected = x.iter().map(|x| if *x > 0.0 { 2.0 } else { 0.0 });
        assert!(found.into_iter().eq(expected), "{phase}");
    }
}

/// A nearby point is distinct in the element type of the input.
#[test]
fn ties_are_found_in_every_float_type() {
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
        let one = TensorData::new(vec![1.0, 2.0], [2]);
        let model = Point {
            x: Param::from_tensor(Tensor::from_data(one, (&plain().autodiff(), dtype))),
        };
        let trace = GradientTrace::new(
            model,
            plain().settings(),
            |_| (),
            |point, ()| {
                let x = point.x.val();
                let is_one = x.clone().equal_elem(1.0);
                x.mask_fill(is_one, 3.0).square().sum()
            },
        );
        let trace = trace.expect("a trace");
        let gradient = LinearizedGradient::new(&trace, plain().settings(), &plain());
        let v = Tensor::<1>::from_data([1.0, 1.0], (&plain(), dtype));
        let refused = gradient.and_then(|mut gradient| gradient.hvp(&[v]));
        assert!(
            matches!(refused, Err(LinearizeError::Tie { count: 1, .. })),
            "{dtype:?}"
        );
    }
}

/// Half precision has no 1001.
#[test]
fn a_tie_among_much_padding_is_found_in_half_precision() {
    let mut settings = plain().settings();
    settings.float_dtype = FloatDType::BF16;
    let place = (&plain().autodiff(), DType::BF16);
    let kept: Vec<f64> = (0..1002).map(|i| if i < 2 { 1.0 } else { 0.0 }).collect();
    let x = TensorData::new(kept.iter().map(|k| 1.0 - k).collect::<Vec<f64>>(), [1002]);
    let model = Point {
        x: Param::from_tensor(Tensor::from_data(x, place)),
    };
    let trace = GradientTrace::new(
        model,
        settings,
        |_| (),
        |point, ()| {
            let x = point.x.val();
            let kept =
                Tensor::<1>::from_data(TensorData::new(kept, [1002]), (&x.device(), DType::BF16));
            let y = x * kept;
            let is_padding = y.clone().equal_elem(0.0);
            y.mask_fill(is_padding, 3.0).square().sum()
        },
    );
    let gradient = LinearizedGradient::new(&trace.expect("a trace"), settings, &plain());
    let v = Tensor::<1>::ones([1002], (&plain(), DType::BF16));
    let refused = gradient.and_then(|mut gradient| gradient.hvp(&[v]));
    assert!(
        matches!(refused, Err(LinearizeError::Tie { count: 2, .. })),
        "{refused:?}"
    );
}

/// A derivative by hand is refused there as well, and its derivative.
#[test]
fn derivatives_of_any_order_are_refused_at_ties() {
    let settings = plain().settings();
    let trace = GradientTrace::new(
        at(&[0.0, 2.0]),
        settings,
        |_| (),
        |point, ()| {
            let x = point.x.val();
            let is_zero = x.clone().equal_elem(0.0);
            x.mask_fill(is_zero, 1.0).powi_scalar(3).sum()
        },
    );
    let trace = trace.expect("a trace");
    let mut program = trace.program.clone();
    let mut inputs = trace.bindings.clone();
    assert!(
        program.run(&inputs, &plain()).is_ok(),
        "the gradient itself"
    );
    for order in 1..3 {
        program = program.jvp(&[0], settings).expect("a derivative").program;
        inputs.push(on(&plain(), &[1.0, 1.0]).into_dispatch());
        let refused = program.run(&inputs, &plain());
        assert!(
            matches!(refused, Err(LinearizeError::Tie { .. })),
            "order {order}"
        );
    }
}
