//! The part of a displacement off the rows of a Jacobian, and which training has one.

use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape::curvature::{CurvatureError, OffRowSpace};
use burnscape::dynamics::GradientFlowConfig;
use burnscape::loss::{Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::objectives::Point;

use super::{assert_near, point};

/// Linear outputs, whose targets are all 5.
fn risk(data: &[Tensor<2>]) -> Risk<'_, Point, Split> {
    let outputs = |point: &Point, x: &Tensor<2>| {
        let w = point.w.val().unsqueeze_dim::<2>(1);
        x.clone().matmul(w)
    };
    let criterion = |z: Tensor<2>, _: Tensor<2>| (z - 5.0).square().mean() * 0.5;
    Risk::split(outputs, criterion, data)
}

fn rows<const N: usize, const D: usize>(rows: [[f64; D]; N]) -> Tensor<2> {
    Tensor::from_data(rows, (&Device::default(), DType::F64))
}

fn off(risk: &Risk<'_, Point, Split>, start: &Point, end: &Point) -> OffRowSpace {
    let space = ParamSpace::of(start).unwrap();
    let [start, moved] = [start, end].map(|at| ParamVector::from_module(&space, at).unwrap());
    let moved = moved.axpy(-1.0, &start).unwrap();
    let jacobian = risk.jacobian(end).unwrap();
    jacobian.off_row_space(&moved).unwrap()
}

/// After training of so many steps.
fn trained(
    risk: &Risk<'_, Point, Split>,
    start: &Point,
    mut optimizer: ModuleOptimizer,
    lr: f64,
) -> Point {
    let mut model = start.clone();
    for _ in 0..1000 {
        let gradient = risk.loss_and_gradient(&model).unwrap().gradient;
        model = optimizer.step(lr, model, gradient.into_gradients());
    }
    model
}

#[test]
fn descent_momentum_and_the_flow_stay_in_the_row_space_and_adam_does_not() {
    let data = [rows([[1.0, 2.0]])];
    let risk = risk(&data);
    let momentum = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
    let flow = GradientFlowConfig::new(8.0).with_relative_tolerance(Some(1e-9));
    for (start, end) in [([3.0, -1.0], [3.8, 0.6]), ([0.0, 0.0], [1.0, 2.0])] {
        let start = point(&start);
        let inside = [
            trained(&risk, &start, SgdConfig::new().init(), 0.05),
            trained(&risk, &start, momentum.init(), 0.01),
            flow.run(&risk, &start).unwrap().model,
        ];
        for model in &inside {
            let found = off(&risk, &start, model);
            assert!(found.norm < 1e-12 && found.outcome.is_converged());
            for (found, expected) in model.coordinates().iter().zip(end) {
                assert_near(*found, expected, 1e-6);
            }
        }
        let model = trained(&risk, &start, AdamConfig::new().init(), 0.03);
        let found = off(&risk, &start, &model);
        assert!(found.norm > 0.5 && found.residual < 1e-10);
        // It has solved the problem, too.
        let coordinates = model.coordinates();
        assert_near(coordinates[0] + 2.0 * coordinates[1], 5.0, 1e-4);
        let length = |w: &[f64]| w.iter().map(|w| w * w).sum::<f64>().sqrt();
        assert!(length(&coordinates) > 1.05 * length(&end));
    }
}

#[test]
fn it_is_the_projection_with_rows_that_depend_on_each_other_and_in_batches() {
    // Three rows of rank two: the first two coordinates with opposite signs, and the third.
    let data = [
        rows([[1.0, -1.0, 0.0, 0.0], [2.0, -2.0, 3.0, 0.0]]),
        rows([[0.0, 0.0, 1.0, 0.0]]),
    ];
    let risk = risk(&data);
    let model = point(&[0.0; 4]);
    let jacobian = risk.jacobian(&model).unwrap();
    let moved = ParamVector::from_host(jacobian.space(), &[3.0, 1.0, 7.0, -2.0]).unwrap();
    let found = jacobian.off_row_space(&moved).unwrap();
    let vector = found.vector.unwrap().to_host().unwrap();
    for (found, expected) in vector.iter().zip([2.0, 2.0, 0.0, -2.0]) {
        assert_near(*found, expected, 1e-9);
    }
    assert_near(found.norm, 12.0_f64.sqrt(), 1e-9);
    assert_near(found.displacement_norm, 63.0_f64.sqrt(), 1e-12);
    assert!(found.residual < 1e-9 && found.outcome.is_converged());
    assert!(found.num_matvecs <= 4);
    // Nothing moved, and only off the rows.
    let zero = ParamVector::zeros(jacobian.space()).unwrap();
    let zero = jacobian.off_row_space(&zero).unwrap();
    assert_eq!((zero.norm, zero.residual, zero.num_matvecs), (0.0, 0.0, 0));
    let outside = ParamVector::from_host(jacobian.space(), &[1.0, 1.0, 0.0, 5.0]).unwrap();
    let outside = jacobian.off_row_space(&outside).unwrap();
    assert_near(outside.norm, 27.0_f64.sqrt(), 1e-12);
    assert_eq!(outside.residual, 0.0);
}

#[test]
fn a_displacement_of_another_model_is_refused() {
    let data = [rows([[1.0, 2.0]])];
    let risk = risk(&data);
    let jacobian = risk.jacobian(&point(&[3.0, -1.0])).unwrap();
    let other = ParamSpace::of(&point(&[1.0; 3])).unwrap();
    let moved = ParamVector::zeros(&other).unwrap();
    let error = jacobian.off_row_space(&moved).unwrap_err();
    assert!(matches!(error, CurvatureError::Space(_)), "{error}");
}
