//! Dense curvature matrices of small models of every kind agree with PyTorch's, in f64 on Flex.

mod case;
mod models;
mod spectra;

use burn::tensor::Tensor;
use burnscape::loss::Likelihood;

use case::Case;
use models::{BatchNormMlp, Cnn, Lstm, Mlp, Residual, Transformer};

#[test]
fn mlp() {
    let case = Case::load("mlp");
    case.check_classifier::<2, _>(Mlp::new());
    case.check_weighted(Mlp::new());
}

#[test]
fn cnn_with_batch_norm_relu_and_max_pooling() {
    let case = Case::load("cnn");
    let statistics = |name: &str| -> Tensor<1> { case.buffer(name) };
    let model = Cnn::new(
        statistics("norm.running_mean"),
        statistics("norm.running_var"),
    );
    case.check_classifier::<4, _>(model);
}

#[test]
fn residual_net() {
    Case::load("residual").check_regression::<2, _>(Residual::new());
}

#[test]
fn lstm() {
    Case::load("lstm").check_regression::<3, _>(Lstm::new());
}

#[test]
fn transformer_encoder() {
    Case::load("transformer").check_classifier::<3, _>(Transformer::new());
}

#[test]
fn batch_norm_in_training() {
    let case = Case::load("batch_norm_mlp");
    case.in_training()
        .check_classifier::<2, _>(BatchNormMlp::new());
}

#[test]
fn the_laws_of_targets_are_those_of_the_script() {
    assert_eq!(Likelihood::Categorical.num_targets(&[5, 3]), 5);
    assert_eq!(Likelihood::Gaussian.num_targets(&[5, 2]), 5);
}
