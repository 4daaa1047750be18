//! The algebra of parameter vectors at the ends of the range of single precision.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::{VectorBlock, VectorSpace};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector, SpaceError, UnfilteredRule};

use crate::element::{DTYPE, device};

#[derive(Module, Debug)]
struct Two {
    a: Param<Tensor<1>>,
    b: Param<Tensor<1>>,
}

fn space() -> ParamSpace {
    let tensor =
        |len: usize| Tensor::from_data(TensorData::new(vec![1.0; len], [len]), (&device(), DTYPE));
    let model = Two {
        a: Param::from_tensor(tensor(3)),
        b: Param::from_tensor(tensor(2)),
    };
    ParamSpace::of(&model).expect("a space")
}

fn vector(values: &[f64]) -> ParamVector {
    ParamVector::from_host(&space(), values).expect("a vector")
}

const X: [f64; 5] = [3.0, -4.0, 1.5, 0.25, -2.0];
const Y: [f64; 5] = [0.5, 1.0, -2.0, 1.25, 0.75];

/// Exponents at which a vector of numbers around one has normal numbers, and all but a few of their
/// products have not.
const FAR: [i32; 8] = [-120, -100, -75, -40, 0, 50, 90, 124];

fn times(values: [f64; 5], exponent: i32) -> ParamVector {
    vector(&values.map(|value| value * 2.0_f64.powi(exponent)))
}

#[test]
fn norms_and_products_have_the_same_digits_at_any_scale() {
    let one = times(X, 0);
    let (norm, dot) = (one.norm().unwrap(), one.dot(&times(Y, 0)).unwrap());
    let leaves = one.leaf_norms().unwrap();
    for e in FAR {
        let (x, unit) = (times(X, e), 2.0_f64.powi(e));
        assert_eq!(x.norm().unwrap(), norm * unit);
        assert_eq!(VectorSpace::norm(&x).unwrap(), norm * unit);
        assert_eq!(x.to_leaves().norm().unwrap(), norm * unit);
        let scaled: Vec<f64> = leaves.iter().map(|norm| norm * unit).collect();
        assert_eq!(x.leaf_norms().unwrap(), scaled);
        for f in FAR {
            let y = times(Y, f);
            let expected = dot * unit * 2.0_f64.powi(f);
            assert_eq!(x.dot(&y).unwrap(), expected, "2^{e}, 2^{f}");
            assert_eq!(x.to_leaves().dot(&y.to_leaves()).unwrap(), expected);
        }
    }
}

#[test]
fn a_part_of_the_vector_may_be_far_smaller_than_another() {
    let x = vector(&[1.0, 2.0, 2.0, 3e-30, 4e-30]);
    let norms = x.leaf_norms().unwrap();
    assert_eq!(norms[0], 3.0);
    assert!((norms[1] / 5e-30 - 1.0).abs() < 1e-6, "{norms:?}");
    assert_eq!(x.norm().unwrap(), 3.0);
}

#[test]
fn a_direction_is_that_of_any_multiple() {
    let expected = times(X, 0).normalize().unwrap().to_host().unwrap();
    for e in FAR {
        let found = times(X, e).normalize().unwrap().to_host().unwrap();
        assert_eq!(found, expected, "2^{e}");
        let rest = times(X, e).orthogonalize(&[times(Y, -e)]).unwrap();
        let rest = rest.to_host().unwrap().into_iter();
        let back: Vec<f64> = rest.map(|value| value / 2.0_f64.powi(e)).collect();
        let one = times(X, 0).orthogonalize(&[times(Y, 0)]).unwrap();
        assert_eq!(back, one.to_host().unwrap(), "2^{e}");
    }
    // Subnormal numbers have few digits, and a direction all the same.
    let tiny = times([2.0, 1.0, 0.0, -2.0, 0.0], -140).normalize().unwrap();
    let third = 1.0 / 3.0;
    for (x, y) in tiny
        .to_host()
        .unwrap()
        .iter()
        .zip([2.0 * third, third, 0.0, -2.0 * third, 0.0])
    {
        assert!((x - y).abs() < 1e-6);
    }
    let error = times([0.0; 5], 0).normalize().unwrap_err();
    assert_eq!(error, SpaceError::NoDirection { norm: 0.0 });
    let error = vector(&[f64::INFINITY, 1.0, 1.0, 1.0, 1.0]).normalize();
    assert!(matches!(error, Err(SpaceError::NoDirection { .. })));
}

#[test]
fn factors_may_be_out_of_the_range_of_the_elements() {
    let x = times(X, -130);
    let factor = 2.0_f64.powi(135);
    let expected = X.map(|value| value * 32.0);
    assert_eq!(x.clone().scale(factor).to_host().unwrap(), expected);
    let sum = times(Y, 0).axpy(factor, &x).unwrap().to_host().unwrap();
    let expected: Vec<f64> = expected.iter().zip(Y).map(|(x, y)| x + y).collect();
    assert_eq!(sum, expected);
    let (x, y) = (x.to_leaves(), times(Y, 0).to_leaves());
    let sum = ParamVector::from_leaves(&y.axpby(1.0, factor, &x).unwrap());
    assert_eq!(sum.unwrap().to_host().unwrap(), expected);
}

#[test]
fn blocks_have_the_same_digits_at_any_scale() {
    let blocks = |e: i32| {
        let rows = vec![times(X, e), times(Y, e)];
        <ParamVector as VectorSpace>::Block::from_vectors(&space(), rows).unwrap()
    };
    let one = blocks(0);
    let (dots, gram) = (one.dots(&times(Y, 0)).unwrap(), one.gram(&one).unwrap());
    let sum = one
        .linear_combination(&[0.5, -3.0])
        .unwrap()
        .to_host()
        .unwrap();
    for e in FAR {
        let (block, unit) = (blocks(e), 2.0_f64.powi(e));
        for f in FAR {
            let other = 2.0_f64.powi(f);
            let scaled: Vec<f64> = dots.iter().map(|dot| dot * unit * other).collect();
            assert_eq!(block.dots(&times(Y, f)).unwrap(), scaled, "2^{e}, 2^{f}");
            let scaled: Vec<f64> = gram
                .as_slice()
                .iter()
                .map(|dot| dot * unit * other)
                .collect();
            assert_eq!(block.gram(&blocks(f)).unwrap().as_slice(), scaled);
        }
        let back = block
            .linear_combination(&[0.5 / unit, -3.0 / unit])
            .unwrap();
        assert_eq!(back.to_host().unwrap(), sum, "2^{e}");
    }
}

#[test]
fn filters_have_the_same_digits_at_any_scale() {
    let layer = burn::nn::LinearConfig::new(3, 2).init(&device());
    let space = ParamSpace::of(&layer).expect("a space");
    let vector = |values: &[f64; 8], first: i32, second: i32| {
        // The filters of a linear layer are columns.
        let units = [first, second].map(|e| 2.0_f64.powi(e));
        let values = values
            .iter()
            .enumerate()
            .map(|(i, value)| value * units[i % 2]);
        ParamVector::from_host(&space, &values.collect::<Vec<_>>()).expect("a vector")
    };
    let direction = [1.0, 0.5, -2.0, 1.5, 0.75, 2.0, 1.0, -1.0];
    let weights = [0.5, 3.0, 1.0, -2.0, 2.0, 0.25, 0.5, 0.125];
    let norms = vector(&direction, 0, 0).filter_norms().unwrap();
    let rule = UnfilteredRule::AsOneFilter;
    let normalized = |e: i32, f: i32| {
        let direction = vector(&direction, e, e);
        let found = direction.filter_normalize(&vector(&weights, f, f), rule);
        found.unwrap().to_host().unwrap()
    };
    let one = normalized(0, 0);
    for e in FAR {
        for f in FAR {
            // Side by side: one filter of each size.
            let found = vector(&direction, e, f).filter_norms().unwrap();
            let units = [e, f].map(|e| 2.0_f64.powi(e));
            assert_eq!(found[0], [norms[0][0] * units[0], norms[0][1] * units[1]]);
            let back = normalized(e, f).into_iter().map(|value| value / units[1]);
            assert_eq!(back.collect::<Vec<_>>(), one, "2^{e}, 2^{f}");
        }
    }
}

#[test]
fn a_gradient_times_many_examples_may_be_out_of_range() {
    let model = burn::nn::LinearConfig::new(1, 1)
        .with_bias(false)
        .init(&device().autodiff());
    let space = ParamSpace::of(&model).expect("a space");
    let small = ParamVector::from_host(&space, &[1e-3]).expect("a vector");
    let model = small.apply_to(&model).expect("a model");
    let loss = |model: &burn::nn::Linear, x: Tensor<2>| (model.forward(x) * 3e37).mean();
    let batch = |rows: usize, value: f64| {
        let data = TensorData::new(vec![value; rows], [rows, 1]);
        Tensor::<2>::from_data(data, (&device(), DTYPE))
    };
    let data = [batch(16, 1.0), batch(4, 2.0)];
    let found = Risk::new(&loss, &data).loss_and_gradient(&model).unwrap();
    let gradient = found.gradient.to_host().unwrap()[0];
    assert!((gradient / 3.6e37 - 1.0).abs() < 1e-6, "{gradient}");
}
