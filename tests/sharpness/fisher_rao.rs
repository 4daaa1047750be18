//! The Fisher-Rao norm in closed form (Liang et al. 2019, theorem 3.1).

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burnscape::loss::{Likelihood, Risk};
use burnscape::sharpness::FisherRao;

use super::networks::{Deep, Pair, close, deep_split, regression};

/// Outputs and targets, row by row.
fn rows(model: &Deep) -> Vec<(Vec<f64>, Vec<f64>)> {
    let to_rows = |x: Tensor<2>| -> Vec<Vec<f64>> {
        let values = x.into_data().try_to_vec::<f64>().unwrap();
        values.chunks(3).map(<[f64]>::to_vec).collect()
    };
    let batches = regression().into_iter();
    batches
        .flat_map(|(x, y)| to_rows(model.outputs(x)).into_iter().zip(to_rows(y)))
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// Three weight layers, each with an equal part.
#[track_caller]
fn check(found: &FisherRao, expectation: f64) {
    close(found.squared, 9.0 * expectation, 1e-10);
    close(found.norm, 3.0 * expectation.sqrt(), 1e-10);
    assert_eq!((found.parameters.len(), found.num_matvecs), (3, 1));
    for part in &found.parameters {
        close(part.value, 3.0 * expectation, 1e-10);
    }
}

#[test]
fn with_the_empirical_matrix_it_is_the_depth_times_the_slope_along_the_outputs() {
    let (model, data) = (Deep::new(), regression());
    let losses = |m: &Deep, (x, y): Pair<2>| {
        let rows: Tensor<2> = (m.outputs(x) - y).square().sum_dim(1) * 0.5;
        rows.squeeze_dim::<1>(1)
    };
    let risk = Risk::per_example(losses, &data);
    let fisher = risk.empirical_fisher(&model).unwrap();
    let slope = |(f, y): (Vec<f64>, Vec<f64>)| -> f64 {
        f.iter()
            .zip(&y)
            .map(|(f, y)| (f - y) * f)
            .sum::<f64>()
            .powi(2)
    };
    let exact = mean(rows(&model).into_iter().map(slope));
    check(&FisherRao::of(&fisher, &model).unwrap(), exact);
}

#[test]
fn with_the_exact_gaussian_matrix_it_is_the_depth_times_the_outputs() {
    let (model, data) = (Deep::new(), regression());
    let fisher = deep_split(&data).fisher(&model, Likelihood::Gaussian);
    let fisher = fisher.unwrap();
    let exact = mean(
        rows(&model)
            .iter()
            .map(|(f, _)| f.iter().map(|f| f * f).sum()),
    );
    check(&FisherRao::of(&fisher, &model).unwrap(), exact);
}

#[test]
fn with_the_exact_categorical_matrix_it_is_the_depth_times_the_spread_of_the_logits() {
    let (model, data) = (Deep::new(), regression());
    let risk = Risk::split(
        |m: &Deep, (x, _): &Pair<2>| m.outputs(x.clone()),
        |z: Tensor<2>, (_, y): Pair<2>| {
            let p = softmax(z, 1).log() * softmax(y, 1);
            -p.sum_dim(1).mean()
        },
        &data,
    );
    let fisher = risk.fisher(&model, Likelihood::Categorical).unwrap();
    // ⟨p − e_y, f⟩ is the distance of f_y from the mean of f under p.
    let exact = mean(rows(&model).iter().map(|(f, _)| {
        let total: f64 = f.iter().map(|f| f.exp()).sum();
        let p = |f: &f64| f.exp() / total;
        let center: f64 = f.iter().map(|f| p(f) * f).sum();
        f.iter().map(|f| p(f) * (f - center).powi(2)).sum()
    }));
    check(&FisherRao::of(&fisher, &model).unwrap(), exact);
}
