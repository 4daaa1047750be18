//! Settings that make no sense are refused, and errors say what is wrong.

use burn::module::{Param, ParamGroup};
use burn::tensor::{Tensor, TensorData};
use burnscape::OutOfRange;
use burnscape::curvature::{CurvatureError, Diagonal};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Likelihood, Risk};
use burnscape::space::{ParamSpace, ParamVector, SpaceError};

use super::fixture::device;

type Point = Param<Tensor<1>>;

fn point(values: &[f64]) -> Point {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Param::from_tensor(Tensor::from_data(data, &device().autodiff()))
}

fn cubes(m: &Point, (): ()) -> Tensor<1> {
    m.val().powi_scalar(3).sum()
}

fn out_of_range<T>(result: Result<T, CurvatureError>) -> (&'static str, f64) {
    match result.map(|_| ()).unwrap_err() {
        CurvatureError::OutOfRange(OutOfRange { name, value, .. }) => (name, value),
        other => panic!("{other}"),
    }
}

#[test]
fn a_step_of_differences_that_moves_nothing_is_refused() {
    let model = point(&[0.5, 1.0]);
    let v = ParamVector::gaussian(&ParamSpace::of(&model).unwrap(), 1).unwrap();
    let product = |step: f64| {
        let differences = Risk::new(&cubes, &[()]).finite_difference(&model).unwrap();
        differences.with_step(step).matvec(&v)
    };
    for step in [0.0, -1e-3, f64::INFINITY, 1e-20] {
        assert_eq!(out_of_range(product(step)), ("step", step));
    }
    assert!(out_of_range(product(f64::NAN)).1.is_nan());
    let found = product(1e-5).unwrap().to_host().unwrap();
    let expected = [3.0, 6.0].iter().zip(v.to_host().unwrap());
    for (found, (h, v)) in found.iter().zip(expected) {
        assert!((found - h * v).abs() < 1e-8);
    }
    // Small, but not beside a weight of zero.
    let model = point(&[0.0, 0.0]);
    let differences = Risk::new(&cubes, &[()]).finite_difference(&model).unwrap();
    assert!(differences.with_step(1e-20).matvec(&v).is_ok());
}

#[test]
fn a_weight_decay_that_is_no_penalty_is_refused() {
    let space = ParamSpace::of(&point(&[0.5, 1.0])).unwrap();
    for lambda in [-1e-3, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = Diagonal::weight_decay(&space, lambda);
        assert_eq!(out_of_range(refused), ("lambda", lambda));
    }
    assert!(
        out_of_range(Diagonal::weight_decay(&space, f64::NAN))
            .1
            .is_nan()
    );
    assert!(Diagonal::weight_decay(&space, 0.0).is_ok());
    let none = ParamGroup::from_predicate("bias");
    let refused = Diagonal::weight_decay_of_group(&space, &none, 0.1).map(|_| ());
    assert!(
        matches!(
            refused,
            Err(CurvatureError::Space(SpaceError::EmptyGroup { .. }))
        ),
        "{refused:?}"
    );
}

#[test]
fn a_block_of_no_vectors_is_refused() {
    let model = point(&[0.5, 1.0]);
    let refused = Risk::new(&cubes, &[()])
        .clone()
        .with_block_size(0)
        .hessian(&model);
    assert_eq!(out_of_range(refused), ("block_size", 0.0));
}

#[test]
fn differences_are_within_every_memory_limit() {
    let (model, risk) = (point(&[0.5, 1.0]), Risk::new(&cubes, &[()]));
    let products = |risk: &Risk<'_, Point>| {
        let hessian = risk.finite_difference(&model).unwrap();
        let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
        let products = hessian.matmat(&[v.clone(), v]).unwrap();
        products
            .iter()
            .map(|v| v.to_host().unwrap())
            .collect::<Vec<_>>()
    };
    let limited = risk.clone().with_residual_budget(0).with_block_size(1);
    assert_eq!(products(&risk), products(&limited));
    let refused = risk.with_block_size(0).finite_difference(&model);
    assert_eq!(out_of_range(refused), ("block_size", 0.0));
}

#[test]
fn a_gradient_that_is_not_finite_is_called_so() {
    // A norm at zero: the loss is finite, the gradient is not.
    let norm = |m: &Point, (): ()| m.val().square().sum().sqrt();
    let error = Risk::new(&norm, &[()])
        .hessian(&point(&[0.0, 0.0]))
        .map(|_| ());
    let error = error.unwrap_err();
    assert!(
        matches!(error, CurvatureError::NonFiniteGradient { batch: 0, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("the gradient of batch 0 is not finite"),
        "{error}"
    );
    // A finite gradient with an infinite second derivative.
    let root = |m: &Point, (): ()| m.val().abs().powf_scalar(1.5).sum();
    let error = Risk::new(&root, &[()])
        .hessian(&point(&[0.0, 1.0]))
        .map(|_| ());
    assert!(
        matches!(
            error,
            Err(CurvatureError::NonFiniteProduct { batch: 0, .. })
        ),
        "{error:?}"
    );
}

#[test]
fn outputs_that_are_not_finite_are_no_loss() {
    let model = point(&[0.5, 0.0]);
    let risk = Risk::split(
        |m: &Point, (): &()| m.val().log(),
        |z: Tensor<1>, (): ()| z.sum(),
        &[()],
    );
    let expected = CurvatureError::NonFiniteOutputs { batch: 0 };
    let error = risk.jacobian(&model).map(|_| ());
    assert_eq!(error, Err(expected.clone()));
    let error = risk.fisher(&model, Likelihood::Gaussian).map(|_| ());
    assert_eq!(error, Err(expected));
}
