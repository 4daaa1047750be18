//! What two linear layers conserve.

use burn::module::{Module, Param};
use burn::optim::SgdConfig;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::{DynamicsError, GradientFlowConfig, imbalance};
use burnscape::loss::Risk;

#[derive(Module, Debug)]
struct Layers {
    first: Param<Tensor<2>>,
    second: Param<Tensor<2>>,
}

type Rows = (Tensor<2>, Tensor<2>);

fn matrix<const N: usize>(values: [[f64; N]; 4]) -> Tensor<2> {
    let data = TensorData::new(values.concat(), [4, N]);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn weight(values: &[f64], shape: [usize; 2]) -> Param<Tensor<2>> {
    let data = TensorData::new(values.to_vec(), shape);
    let place = (&Device::default().autodiff(), DType::F64);
    Param::from_tensor(Tensor::from_data(data, place))
}

fn layers() -> Layers {
    Layers {
        first: weight(&[0.6, -0.3, 0.8, 0.2, 0.9, -0.5], [2, 3]),
        second: weight(&[0.5, -0.7, 0.4], [3, 1]),
    }
}

fn loss(layers: &Layers, (x, y): Rows) -> Tensor<1> {
    let outputs = x.matmul(layers.first.val()).matmul(layers.second.val());
    (outputs - y).square().mean()
}

fn of(layers: &Layers) -> Vec<f64> {
    let found = imbalance(layers.first.val(), layers.second.val()).unwrap();
    found.into_data().iter::<f64>().collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f64>().sqrt()
}

#[test]
fn the_gradient_flow_conserves_the_imbalance_of_layers_and_gradient_descent_does_not() {
    let x = matrix([[1.0, 0.5], [-0.5, 1.0], [0.3, -1.2], [-1.0, -0.4]]);
    let y = matrix([[1.0], [-0.5], [0.2], [0.7]]);
    let data = [(x, y)];
    let risk = Risk::new(&loss, &data);
    let start = layers();
    let before = of(&start);
    let config = GradientFlowConfig::new(4.0)
        .with_relative_tolerance(Some(1e-10))
        .with_absolute_tolerance(Some(1e-12));
    let flow = config.run(&risk, &start).unwrap();
    assert!(flow.losses.last() < Some(&(0.6 * flow.losses[0])));
    assert!(distance(&of(&flow.model), &before) < 1e-9);
    // As many steps of descent.
    let (mut sgd, mut model) = (SgdConfig::new().init(), start);
    for _ in 0..80 {
        let found = risk.loss_and_gradient(&model).unwrap();
        model = sgd.step(0.05, model, found.gradient.into_gradients());
    }
    assert!(distance(&of(&model), &before) > 1e-3);
}

#[test]
fn balanced_layers_have_none() {
    let place = (&Device::default(), DType::F64);
    let first = Tensor::<2>::from_data([[1.0, 2.0], [3.0, -1.0]], place);
    let second = first.clone().transpose();
    let found = imbalance(first, second).unwrap().into_data();
    assert!(found.iter::<f64>().all(|entry| entry == 0.0));
}

#[test]
fn layers_that_do_not_follow_each_other_are_refused() {
    let place = (&Device::default(), DType::F64);
    let [first, second] = [[2, 3], [2, 1]].map(|shape| Tensor::<2>::zeros(shape, place));
    let error = imbalance(first, second).unwrap_err();
    let expected = DynamicsError::NotConsecutive {
        hidden: 3,
        inputs: 2,
    };
    assert_eq!(error, expected);
    let text = error.to_string();
    assert!(
        text.contains("3 outputs") && text.contains("takes 2"),
        "{text}"
    );
}
