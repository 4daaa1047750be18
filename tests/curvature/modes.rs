//! Training mode: masks and batch statistics are part of the operator, the user's model is not
//! touched.

use burn::module::{Module, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{HasAdjoint, LinearOperator, Square};
use burnscape::loss::{LossError, Mode, Reduction, Risk};
use burnscape_testkit::turn;

use super::fixture::{assert_close, batches, cross_entropy, dense, device, distance, net};

#[test]
fn dropout_masks_are_drawn_once_and_kept_under_every_budget() {
    let _drawing = turn();
    let net = net();
    let data = batches(&[4, 3]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let evaluated = dense(&risk.hessian(&net).unwrap());
    let risk = risk.with_mode(Mode::Train);
    let trained = |seed: u64, bytes: usize| {
        let risk = risk.clone().with_draws_seed(seed);
        let hessian = risk
            .clone()
            .with_residual_budget(bytes)
            .hessian(&net)
            .unwrap();
        assert!(hessian.symmetry_defect(2, 1).unwrap() < 1e-14);
        assert!(hessian.linearity_defect(2, 1).unwrap() < 1e-14);
        dense(&hessian)
    };
    let one = trained(1, 1 << 20);
    assert_eq!(one, trained(1, 1 << 20));
    assert!(distance(one.as_slice(), trained(1, 0).as_slice()) < 1e-14);
    assert!(distance(one.as_slice(), trained(2, 1 << 20).as_slice()) > 1e-3);
    assert!(distance(one.as_slice(), evaluated.as_slice()) > 1e-3);
}

#[test]
fn a_jacobian_and_its_transpose_share_their_masks() {
    let _drawing = turn();
    let net = net();
    let data = batches(&[4, 3]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let evaluated = dense(&risk.jacobian(&net).unwrap());
    let risk = risk.with_mode(Mode::Train);
    let refused = risk.jacobian(&net).map(drop);
    assert_eq!(refused, Err(CurvatureError::Loss(LossError::Draws)));
    let risk = risk.with_draws_seed(1);
    for bytes in [0, 1 << 20] {
        let jacobian = risk
            .clone()
            .with_residual_budget(bytes)
            .jacobian(&net)
            .unwrap();
        assert!(jacobian.adjoint_defect(3, 1).unwrap() < 1e-14);
    }
    let trained = dense(&risk.jacobian(&net).unwrap());
    assert!(distance(evaluated.as_slice(), trained.as_slice()) > 1e-3);
}

#[derive(Module, Debug)]
struct Normed {
    first: Linear,
    norm: BatchNorm,
    last: Linear,
}

#[test]
fn curvature_never_writes_into_the_users_running_statistics() {
    let _drawing = turn();
    let device: Device = device();
    let net = Normed {
        first: LinearConfig::new(3, 4).init(&device.clone().autodiff()),
        norm: BatchNormConfig::new(4).init(&device.clone().autodiff()),
        last: LinearConfig::new(4, 1).init(&device.clone().autodiff()),
    };
    let statistics = |net: &Normed| {
        let read = |tensor: Tensor<1>| tensor.into_data().iter::<f64>().collect::<Vec<_>>();
        let norm = &net.norm;
        [
            read(norm.running_mean.value_sync()),
            read(norm.running_var.value_sync()),
        ]
    };
    let before = statistics(&net);
    let numbers: Vec<f64> = (0..18).map(|i| f64::from(i * i % 7)).collect();
    let data = [Tensor::<2>::from_data(
        TensorData::new(numbers, [6, 3]),
        &device,
    )];
    let loss = |net: &Normed, x: Tensor<2>| {
        let hidden = net.norm.forward(net.first.forward(x)).tanh();
        net.last.forward(hidden).powi_scalar(2).mean()
    };
    let matrix = |mode: Mode| {
        let risk = Risk::new(&loss, &data).with_mode(mode);
        dense(&risk.hessian(&net).unwrap())
    };
    let (evaluated, trained) = (matrix(Mode::Eval), matrix(Mode::Train));
    assert!(distance(evaluated.as_slice(), trained.as_slice()) > 1e-2);
    assert_eq!(statistics(&net), before);
}

#[test]
fn differences_know_groups_and_masks() {
    let _drawing = turn();
    let net = net();
    let data = batches(&[5, 2]);
    let whole = cross_entropy(Reduction::Mean, &data);
    let block = whole
        .clone()
        .with_group(ParamGroup::from_predicate("second"));
    let exact = dense(&block.hessian(&net).unwrap());
    let differences = block.finite_difference(&net).unwrap();
    assert_close(&exact, &dense(&differences), 1e-8);

    let trained = whole.with_mode(Mode::Train);
    let error = trained.finite_difference(&net).map(|_| ()).unwrap_err();
    assert_eq!(error, CurvatureError::Loss(LossError::Draws));
    // The seed gives differences and exact products the same masks.
    let seeded = trained.with_draws_seed(5);
    let differences = seeded.finite_difference(&net).unwrap();
    let exact = dense(&seeded.hessian(&net).unwrap());
    assert_close(&exact, &dense(&differences), 1e-8);
}
