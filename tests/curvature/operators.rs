//! Each operator against a dense reference made in another way.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::Tensor;
use burnscape::curvature::FisherSampling;
use burnscape::krylov::{Dense, HasAdjoint, LinearOperator, Square};
use burnscape::loss::{Likelihood, Reduction, Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};

use super::fixture::{
    Dropped, EXAMPLES, Labeled, assert_close, batches, cross_entropy, dense, device, losses, net,
};

/// Central differences of Burn's own gradient, column by column.
fn differences(net: &Dropped, risk: &Risk<'_, Dropped, Split>) -> Dense {
    let space = ParamSpace::of(net).unwrap();
    let step = 1e-5;
    let columns: Vec<Vec<f64>> = (0..space.len())
        .map(|index| {
            let mut unit = vec![0.0; space.len()];
            unit[index] = 1.0;
            let unit = ParamVector::from_host(&space, &unit).unwrap();
            let gradient = |scale: f64| {
                let moved = unit.perturb(net, scale).unwrap();
                let result = risk.loss_and_gradient(&moved).unwrap();
                result.gradient.to_host().unwrap()
            };
            let (up, down) = (gradient(step), gradient(-step));
            let slope = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * step));
            slope.collect()
        })
        .collect();
    Dense::from_rows(&columns).unwrap().transpose()
}

#[test]
fn the_hessian_is_the_derivative_of_the_gradient() {
    let net = net();
    let data = batches(&[4, 3]);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let risk = cross_entropy(reduction, &data);
        let hessian = risk.hessian(&net).unwrap();
        let reference = risk.loss_and_gradient(&net).unwrap();
        assert!((hessian.loss() - reference.value).abs() <= 1e-14 * reference.value.abs());
        let (a, b) = (hessian.gradient().unwrap(), reference.gradient);
        assert!(a.clone().axpy(-1.0, &b).unwrap().norm().unwrap() <= 1e-14 * b.norm().unwrap());
        assert_eq!(hessian.num_examples(), EXAMPLES);
        assert_close(&differences(&net, &risk), &dense(&hessian), 1e-8);
        assert!(hessian.symmetry_defect(3, 5).unwrap() < 1e-14);
        assert!(hessian.linearity_defect(3, 5).unwrap() < 1e-14);
    }
}

/// Softmax of each row of logits.
fn probabilities(z: &[f64]) -> Vec<f64> {
    let rows = z.chunks(3).flat_map(|row| {
        let total: f64 = row.iter().map(|z| z.exp()).sum();
        row.iter().map(move |z| z.exp() / total).collect::<Vec<_>>()
    });
    rows.collect()
}

/// `Jᵀ A J`.
fn sandwich(jacobian: &Dense, middle: &Dense) -> Dense {
    let right = middle.multiply(jacobian).unwrap();
    jacobian.transpose().multiply(&right).unwrap()
}

fn block_diagonal(entry: impl Fn(usize, usize) -> f64) -> Dense {
    let m = 3 * EXAMPLES;
    let entries = (0..m * m).map(|i| match (i / m, i % m) {
        (row, column) if row / 3 == column / 3 => entry(row, column),
        _ => 0.0,
    });
    Dense::from_row_major(m, m, entries.collect()).unwrap()
}

#[test]
fn gauss_newton_and_fisher_are_the_jacobian_around_the_curvature_of_softmax() {
    let net = net();
    let data = batches(&[4, 3]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let jacobian = dense(&risk.jacobian(&net).unwrap());
    let z: Vec<f64> = data
        .iter()
        .flat_map(|batch| {
            net.forward(batch.x.clone())
                .into_data()
                .iter::<f64>()
                .collect::<Vec<_>>()
        })
        .collect();
    let p = probabilities(&z);
    let middle = block_diagonal(|row, column| {
        let diagonal = if row == column { p[row] } else { 0.0 };
        (diagonal - p[row] * p[column]) / EXAMPLES as f64
    });
    let expected = sandwich(&jacobian, &middle);
    let newton = risk.gauss_newton(&net).unwrap();
    assert_close(&expected, &dense(&newton), 1e-13);
    let loss = risk.loss(&net).unwrap();
    assert!((newton.loss() - loss.value).abs() < 1e-14);
    let fisher = risk.fisher(&net, Likelihood::Categorical).unwrap();
    assert_close(&expected, &dense(&fisher), 1e-13);

    // Sums leave the number of examples out.
    let total = cross_entropy(Reduction::Sum, &data).fisher(&net, Likelihood::Categorical);
    let scaled = middle
        .as_slice()
        .iter()
        .map(|x| x * EXAMPLES as f64)
        .collect();
    let scaled = Dense::from_row_major(3 * EXAMPLES, 3 * EXAMPLES, scaled).unwrap();
    assert_close(
        &sandwich(&jacobian, &scaled),
        &dense(&total.unwrap()),
        1e-13,
    );

    let unit = block_diagonal(|row, column| match row == column {
        true => 1.0 / EXAMPLES as f64,
        false => 0.0,
    });
    let gaussian = risk.fisher(&net, Likelihood::Gaussian).unwrap();
    assert_close(&sandwich(&jacobian, &unit), &dense(&gaussian), 1e-13);
    let coin = |z: f64| 1.0 / (1.0 + (-z).exp());
    let coins = block_diagonal(|row, column| match row == column {
        true => coin(z[row]) * (1.0 - coin(z[row])) / EXAMPLES as f64,
        false => 0.0,
    });
    let bernoulli = risk.fisher(&net, Likelihood::Bernoulli).unwrap();
    assert_close(&sandwich(&jacobian, &coins), &dense(&bernoulli), 1e-13);
}

#[test]
fn gauss_newton_knows_class_weights_and_smoothing() {
    let net = net();
    let data = batches(&[7]);
    let criterion = |z: Tensor<2>, batch: Labeled| {
        let criterion = CrossEntropyLossConfig::new()
            .with_weights(Some(vec![1.0, 0.25, 3.0]))
            .with_smoothing(Some(0.1));
        criterion.init(&z.device()).forward(z, batch.y)
    };
    let risk = Risk::split(
        |net: &Dropped, batch: &Labeled| net.forward(batch.x.clone()),
        criterion,
        &data,
    );
    let jacobian = dense(&risk.jacobian(&net).unwrap());
    let newton = dense(&risk.gauss_newton(&net).unwrap());
    // The criterion's own Hessian, by differences of its gradient.
    let z = net.forward(data[0].x.clone());
    let gradient = |z: Tensor<2>| {
        let z = z.autodiff().require_grad();
        let loss = criterion(z.clone(), data[0].clone());
        let gradient = z.grad(&loss.backward()).unwrap();
        gradient.into_data().iter::<f64>().collect::<Vec<_>>()
    };
    let m = 3 * EXAMPLES;
    let step = 1e-5;
    let columns: Vec<Vec<f64>> = (0..m)
        .map(|index| {
            let mut unit = vec![0.0; m];
            unit[index] = step;
            let data = burn::tensor::TensorData::new(unit, [EXAMPLES, 3]);
            let unit = Tensor::<2>::from_data(data, &device());
            let (up, down) = (
                gradient(z.clone() + unit.clone()),
                gradient(z.clone() - unit),
            );
            let slope = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * step));
            slope.collect()
        })
        .collect();
    let middle = Dense::from_rows(&columns).unwrap();
    assert_close(&sandwich(&jacobian, &middle), &newton, 1e-8);
    // It is neither the plain nor the merely weighted matrix.
    let plain = cross_entropy(Reduction::Mean, &data);
    let plain = dense(&plain.gauss_newton(&net).unwrap());
    assert!(super::fixture::distance(plain.as_slice(), newton.as_slice()) > 0.05);
}

#[test]
fn a_sampled_fisher_matrix_is_near_the_exact_one_and_repeats_with_its_seed() {
    let net = net();
    let data = batches(&[4, 3]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let sampled = |samples: usize, seed: u64| {
        let sampling = FisherSampling { samples, seed };
        let matrix = risk.sampled_fisher(&net, Likelihood::Categorical, sampling);
        dense(&matrix.unwrap())
    };
    let exact = dense(&risk.fisher(&net, Likelihood::Categorical).unwrap());
    let error = |m: &Dense| super::fixture::distance(exact.as_slice(), m.as_slice());
    let (few, many) = (sampled(20, 1), sampled(8000, 1));
    println!(
        "sampled Fisher: {:.3} with 20, {:.4} with 8000",
        error(&few),
        error(&many)
    );
    assert!(error(&few) > 0.05 && error(&many) < 0.03);
    assert_eq!(few, sampled(20, 1));
    assert_ne!(few, sampled(20, 2));
}

#[test]
fn the_empirical_fisher_matrix_is_the_second_moment_of_the_gradients_of_single_examples() {
    let net = net();
    let data = batches(&[4, 3]);
    let losses = |net: &Dropped, batch: Labeled| losses(net.forward(batch.x), batch.y);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let singles = batches(&[1; EXAMPLES]);
        let gradients: Vec<Vec<f64>> = singles
            .iter()
            .map(|single| {
                let data = std::slice::from_ref(single);
                let risk = Risk::per_example(losses, data).with_reduction(reduction);
                let result = risk.loss_and_gradient(&net);
                result.unwrap().gradient.to_host().unwrap()
            })
            .collect();
        let rows = Dense::from_rows(&gradients).unwrap();
        let expected = rows.transpose().multiply(&rows).unwrap();
        let scale = match reduction {
            Reduction::Mean => 1.0 / EXAMPLES as f64,
            Reduction::Sum => 1.0,
        };
        let n = expected.num_rows();
        let entries = expected.as_slice().iter().map(|x| x * scale).collect();
        let expected = Dense::from_row_major(n, n, entries).unwrap();
        let risk = Risk::per_example(losses, &data).with_reduction(reduction);
        let fisher = risk.empirical_fisher(&net).unwrap();
        assert_close(&expected, &dense(&fisher), 1e-13);
    }
}

#[test]
fn the_jacobian_and_its_transpose_are_adjoint_and_make_the_kernel() {
    let net = net();
    let data = batches(&[4, 3]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let jacobian = risk.jacobian(&net).unwrap();
    assert!(jacobian.adjoint_defect(4, 1).unwrap() < 1e-14);
    assert_eq!(jacobian.range().len(), 3 * EXAMPLES);
    let rows = dense(&jacobian);
    let back = dense(&burnscape::krylov::Transposed::new(&jacobian));
    assert_close(&rows.transpose(), &back, 1e-13);
    let kernel = risk.ntk(&net).unwrap();
    let expected = rows.multiply(&rows.transpose()).unwrap();
    assert_close(&expected, &dense(&kernel), 1e-13);
    let direct: Vec<f64> = kernel.dense().unwrap().into_data().iter().collect();
    assert!(super::fixture::distance(expected.as_slice(), &direct) < 1e-13);
    assert!(kernel.symmetry_defect(3, 1).unwrap() < 1e-14);
}
