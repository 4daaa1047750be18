//! Noise against curvature.

use burn::nn::Linear;
use burn::tensor::Tensor;
use burnscape::dynamics::{GradientNoise, GradientNoiseConfig, NoiseEstimator};
use burnscape::krylov::{Dense, LinearOperator};
use burnscape::loss::{Risk, SumLoss};

use super::regression::{Batch, Examples, loss, model, sum_loss};

/// A loss whose Hessian depends on the weights.
fn bent(model: &Linear, (x, y): Batch) -> Tensor<1> {
    ((model.forward(x) * 0.3).tanh() - y * 0.2).square().mean()
}

fn measured(data: &[Batch], estimator: NoiseEstimator) -> GradientNoise {
    let data = data.to_vec();
    let config = GradientNoiseConfig::new(estimator).with_curvature(true);
    config.run(&Risk::new(&bent, &data), &model()).unwrap()
}

/// `tr(HΣ)` and `ḡᵀHḡ − tr(HΣ)/n` with a dense Hessian, and with the gradients of batches.
fn dense(data: &[Batch], groups: &[Batch], size: usize) -> (f64, f64) {
    let (data, model) = (data.to_vec(), model());
    let hessian = Risk::new(&bent, &data).hessian(&model).unwrap();
    let matrix = Dense::of(&hessian).unwrap();
    let form = |v: &[f64]| -> f64 {
        let product = matrix.matvec(&v.to_vec()).unwrap();
        product.iter().zip(v).map(|(x, y)| x * y).sum()
    };
    let gradients: Vec<Vec<f64>> = groups
        .iter()
        .map(|group| {
            let own = [group.clone()];
            let found = Risk::new(&bent, &own).loss_and_gradient(&model).unwrap();
            found.gradient.to_host().unwrap()
        })
        .collect();
    let count = gradients.len() as f64;
    let mean: Vec<f64> = (0..gradients[0].len())
        .map(|i| gradients.iter().map(|g| g[i]).sum::<f64>() / count)
        .collect();
    let deviations = gradients.iter().map(|g| {
        let away: Vec<f64> = g.iter().zip(&mean).map(|(g, m)| g - m).collect();
        form(&away)
    });
    let trace = size as f64 * deviations.sum::<f64>() / (count - 1.0);
    (trace, form(&mean) - trace / (count * size as f64))
}

#[track_caller]
fn near(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found / expected - 1.0).abs() < 1e-10, "{found} {expected}");
}

#[test]
fn every_estimator_agrees_with_a_dense_hessian() {
    let examples = Examples::new(8, 36);
    let data = examples.split(&[12; 3]);
    for (estimator, sizes, size) in [
        // Not a multiple of the block of vectors.
        (NoiseEstimator::PerExample, vec![1; 36], 1),
        (
            NoiseEstimator::MicroBatches { size: Some(4) },
            vec![4; 9],
            4,
        ),
        (NoiseEstimator::MicroBatches { size: None }, vec![12; 3], 12),
        (NoiseEstimator::TwoSizes { small: 3 }, vec![12; 3], 12),
    ] {
        let noise = measured(&data, estimator);
        let (trace, along) = dense(&data, &examples.split(&sizes), size);
        near(noise.curvature_trace, trace);
        near(noise.gradient_curvature, along);
        let scale = (along > 0.0 && trace >= 0.0).then(|| trace / along);
        match (noise.curvature_scale, scale) {
            (Some(found), Some(expected)) => near(Some(found), expected),
            (found, expected) => assert_eq!(found, expected),
        }
        assert_eq!(noise.cost.num_matvecs, noise.num_samples + 1 + 2);
    }
}

#[test]
fn a_sum_gives_the_noise_of_the_mean() {
    let data = Examples::new(9, 24).batches(4);
    for estimator in [
        NoiseEstimator::PerExample,
        NoiseEstimator::MicroBatches { size: None },
        NoiseEstimator::MicroBatches { size: Some(2) },
        NoiseEstimator::TwoSizes { small: 1 },
    ] {
        let config = GradientNoiseConfig::new(estimator).with_curvature(true);
        let mean = config.run(&Risk::new(&loss, &data), &model()).unwrap();
        let objective = SumLoss(sum_loss);
        let sum = config.run(&Risk::new(&objective, &data), &model()).unwrap();
        let numbers = |noise: &GradientNoise| {
            [
                noise.loss,
                noise.gradient_norm,
                noise.trace,
                noise.gradient_norm_squared,
                noise.curvature_trace.unwrap(),
                noise.gradient_curvature.unwrap(),
            ]
        };
        for (mean, sum) in numbers(&mean).into_iter().zip(numbers(&sum)) {
            assert!(
                (mean - sum).abs() < 1e-10 * mean.abs().max(1.0),
                "{mean} {sum}"
            );
        }
    }
}
