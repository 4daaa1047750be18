//! Operators with their checks on: products with exact zeros, and the gradient that Burn has wrong.

use burn::module::Param;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::Dense;
use burnscape::loss::Risk;
use burnscape::space::ParamVector;

use super::fixture::device;

type Row = Param<Tensor<2>>;

fn row(values: &[f64]) -> Row {
    let data = TensorData::new(values.to_vec(), [1, values.len()]);
    Param::from_tensor(Tensor::from_data(data, &device().autodiff()))
}

fn dense(values: &[f64], loss: fn(&Row, ()) -> Tensor<1>) -> Vec<Vec<f64>> {
    let hessian = Risk::new(&loss, &[()])
        .hessian(&row(values))
        .expect("a Hessian");
    let matrix = Dense::of(&hessian).expect("products");
    matrix.rows().map(<[f64]>::to_vec).collect()
}

#[test]
fn a_product_with_two_zeros_is_curved_along_both() {
    let found = dense(&[2.0, 3.0, 0.0, 0.0], |m, ()| m.val().prod());
    let none = [0.0; 4];
    let expected = [none, none, [0.0, 0.0, 0.0, 6.0], [0.0, 0.0, 6.0, 0.0]];
    assert_eq!(found, expected);
}

#[test]
fn a_product_with_one_zero_is_curved_with_every_other_factor() {
    let expected = [[0.0, 0.0, 3.0], [0.0, 0.0, 2.0], [3.0, 2.0, 0.0]];
    assert_eq!(dense(&[2.0, 3.0, 0.0], |m, ()| m.val().prod()), expected);
    let along = dense(&[2.0, 3.0, 0.0], |m, ()| m.val().prod_dim(1).sum());
    assert_eq!(along, expected);
}

/// `x + xy + xyz` at `(0, 3, 4)`.
#[test]
fn a_running_product_with_a_zero_is_the_polynomial() {
    let found = dense(&[0.0, 3.0, 4.0], |m, ()| m.val().cumprod(1).sum());
    let expected = [[0.0, 5.0, 3.0], [5.0, 0.0, 0.0], [3.0, 0.0, 0.0]];
    assert_eq!(found, expected);
}

/// `t + t (t + 2) + t (t + 2) (t − 1)` has the second derivative `2 + 6 t + 2`.
#[test]
fn a_running_product_of_one_number_is_the_polynomial() {
    let found = dense(&[1.0], |m, ()| {
        let t = m.val();
        let factors = vec![t.clone(), t.clone() + 2.0, t - 1.0];
        Tensor::cat(factors, 1).cumprod(1).sum()
    });
    assert_eq!(found, [[10.0]]);
}

#[test]
fn a_gradient_that_burn_has_wrong_is_refused_by_name_with_checks_and_without() {
    let loss = |m: &Conv1d, x: Tensor<3>| m.forward(x).sin().sum();
    let config = Conv1dConfig::new(2, 4, 1).with_groups(2).with_stride(3);
    let layer = config.init(&device().autodiff());
    for (length, is_right) in [(7_usize, true), (8, false), (9, false)] {
        let x: Vec<f64> = (0..2 * length).map(|i| (1.3 * i as f64).sin()).collect();
        let shape = [1, 2, length];
        let data = [Tensor::<3>::from_data(TensorData::new(x, shape), &device())];
        let risk = Risk::new(&loss, &data);
        for checks in [true, false] {
            match risk.clone().with_checks(checks).hessian(&layer) {
                Ok(_) => assert!(is_right, "{length}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(
                        !is_right && text.contains("wrong gradient"),
                        "{length}: {text}"
                    );
                    assert!(text.contains("`Conv1d` with 2 groups"), "{text}");
                }
            }
        }
        let direction = {
            let space = burnscape::space::ParamSpace::of(&layer).expect("a space");
            ParamVector::gaussian(&space, 1).expect("a direction")
        };
        let product = burnscape::hvp(&layer, &loss, &data[0], &direction);
        assert_eq!(product.is_ok(), is_right, "{length}");
    }
}
