//! Gradients of single examples, and their covariance.

use std::ops::ControlFlow;
use std::slice::from_ref;

use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{
    Dense, EigenpairsConfig, LinearOperator, OverlapConfig, Square, TraceConfig, TraceMethod, Which,
};
use burnscape::loss::{Batch, BatchMapper, LossError, PerExample, Reduction, Risk, Work};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::eigenvalues;
use burnscape_testkit::objectives::Point;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::fixture::{
    Dropped, EXAMPLES, Labeled, assert_close, batches, dense, device, distance, losses, net,
};

fn example_losses(net: &Dropped, batch: Labeled) -> Tensor<1> {
    losses(net.forward(batch.x), batch.y)
}

fn each(data: &[Labeled]) -> Risk<'_, Dropped, PerExample> {
    Risk::per_example(example_losses, data)
}

/// The gradients of the examples, one batch at a time.
fn gradients(net: &Dropped) -> Vec<Vec<f64>> {
    let singles = batches(&[1; EXAMPLES]);
    let gradient = |single: &Labeled| {
        let risk = Risk::per_example(example_losses, from_ref(single));
        let found = risk.loss_and_gradient(net).unwrap();
        found.gradient.to_host().unwrap()
    };
    singles.iter().map(gradient).collect()
}

fn mean(rows: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let entry = |column: usize| -> f64 {
        let pairs = rows.iter().zip(weights);
        pairs.map(|(row, weight)| weight * row[column]).sum()
    };
    (0..rows[0].len()).map(entry).collect()
}

/// `Σ w (g − ḡ)(g − ḡ)ᵀ / (1 − Σ w²)`.
fn covariance(rows: &[Vec<f64>], weights: &[f64]) -> Dense {
    let mean = mean(rows, weights);
    let n = mean.len();
    let left = 1.0 - weights.iter().map(|weight| weight * weight).sum::<f64>();
    let entry = |place: usize| {
        let (i, j) = (place / n, place % n);
        let terms = rows.iter().zip(weights);
        let terms = terms.map(|(row, weight)| weight * (row[i] - mean[i]) * (row[j] - mean[j]));
        terms.sum::<f64>() / left
    };
    Dense::from_row_major(n, n, (0..n * n).map(entry).collect()).unwrap()
}

const EQUAL: [f64; EXAMPLES] = [1.0 / EXAMPLES as f64; EXAMPLES];

fn inner(a: &Dense, b: &Dense) -> f64 {
    let pairs = a.as_slice().iter().zip(b.as_slice());
    pairs.map(|(a, b)| a * b).sum()
}

fn cosine(a: &Dense, b: &Dense) -> f64 {
    inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()
}

fn error_of<T>(result: Result<T, CurvatureError>) -> CurvatureError {
    result.map(|_| ()).unwrap_err()
}

#[test]
fn gradients_of_examples_are_those_of_batches_of_one() {
    let (net, data) = (net(), batches(&[4, 3]));
    let expected = gradients(&net);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let risk = each(&data).with_reduction(reduction);
        let found = risk.example_gradients(&net).unwrap();
        let norms = risk.example_gradient_norms(&net).unwrap();
        assert_eq!((found.len(), norms.len()), (EXAMPLES, EXAMPLES));
        for ((found, norm), expected) in found.iter().zip(norms).zip(&expected) {
            assert!(distance(expected, &found.to_host().unwrap()) < 1e-14);
            assert_eq!(found.norm().unwrap(), norm);
        }
    }
}

#[test]
fn gradients_of_examples_are_reported_and_can_be_stopped() {
    let (net, data) = (net(), batches(&[4, 3]));
    let mut seen = Vec::new();
    let risk = each(&data).with_observer(|progress| {
        seen.push((progress.work, progress.done));
        match progress.done {
            6 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let error = risk.example_gradients(&net).map(|_| ()).unwrap_err();
    assert_eq!(error, LossError::Stopped { batches: 2 });
    drop(risk);
    let expected: Vec<_> = (1..=6).map(|done| (Work::Gradient, done)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn the_covariance_is_that_of_the_gradients_of_single_examples() {
    let (net, data) = (net(), batches(&[4, 3]));
    let rows = gradients(&net);
    let expected = covariance(&rows, &EQUAL);
    let whole = each(&data).loss_and_gradient(&net).unwrap().gradient;
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let risk = each(&data).with_reduction(reduction);
        let found = risk.gradient_covariance(&net).unwrap();
        assert_eq!(found.num_examples(), EXAMPLES);
        assert_close(&expected, &dense(&found), 1e-12);
        assert!(found.symmetry_defect(3, 5).unwrap() < 1e-14);
        assert!(found.linearity_defect(3, 5).unwrap() < 1e-14);
        // One vector at a time, as in a block.
        let v = ParamVector::gaussian(found.space(), 3).unwrap();
        let product = found.matvec(&v).unwrap().to_host().unwrap();
        let reference = expected.matvec(&v.to_host().unwrap()).unwrap();
        assert!(distance(&reference, &product) < 1e-12);
        let mean = found.mean_gradient().unwrap().to_host().unwrap();
        assert!(distance(&whole.to_host().unwrap(), &mean) < 1e-14);
    }
}

#[test]
fn any_split_gives_the_same_covariance() {
    let net = net();
    let of = |sizes: &[usize], budget: usize| {
        let data = batches(sizes);
        let risk = each(&data).with_residual_budget(budget);
        dense(&risk.gradient_covariance(&net).unwrap())
    };
    let whole = of(&[7], 1 << 30);
    for sizes in [&[4, 3][..], &[1, 5, 1], &[1; 7]] {
        assert_close(&whole, &of(sizes, 1 << 30), 1e-13);
        assert_close(&whole, &of(sizes, 0), 1e-13);
    }
}

#[test]
fn a_memory_budget_does_not_change_the_covariance() {
    let (net, data) = (net(), batches(&[7]));
    let whole = dense(&each(&data).gradient_covariance(&net).unwrap());
    let risk = each(&data).with_memory_budget(1);
    let least = match error_of(risk.gradient_covariance(&net)) {
        CurvatureError::MemoryBudget { least, .. } => least as usize,
        error => panic!("{error}"),
    };
    for budget in [least, 4 * least] {
        let risk = each(&data).with_memory_budget(budget);
        let found = risk.gradient_covariance(&net).unwrap();
        assert_close(&whole, &dense(&found), 1e-12);
    }
}

/// A batch with a weight of its own.
#[derive(Clone, Debug)]
struct Weighted(Labeled, f64);

impl Batch for Weighted {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self(self.0.map_tensors(mapper), self.1)
    }

    fn weight(&self) -> Result<f64, LossError> {
        Ok(self.1)
    }
}

#[test]
fn examples_share_the_weight_of_their_batch() {
    let net = net();
    let data: Vec<Weighted> = batches(&[4, 3])
        .into_iter()
        .zip([5.0, 1.0])
        .map(|(batch, weight)| Weighted(batch, weight))
        .collect();
    let losses = |net: &Dropped, batch: Weighted| example_losses(net, batch.0);
    let weights: Vec<f64> = (0..EXAMPLES)
        .map(|index| match index < 4 {
            true => 5.0 / 6.0 / 4.0,
            false => 1.0 / 6.0 / 3.0,
        })
        .collect();
    let rows = gradients(&net);
    let risk = Risk::per_example(losses, &data);
    let found = risk.gradient_covariance(&net).unwrap();
    assert_close(&covariance(&rows, &weights), &dense(&found), 1e-12);
    let gradient = found.mean_gradient().unwrap().to_host().unwrap();
    assert!(distance(&mean(&rows, &weights), &gradient) < 1e-13);
    // A sum has no weights.
    let sum = Risk::per_example(losses, &data).with_reduction(Reduction::Sum);
    let found = sum.gradient_covariance(&net).unwrap();
    assert_close(&covariance(&rows, &EQUAL), &dense(&found), 1e-12);
}

fn tensor(numbers: Vec<f64>, columns: usize) -> Tensor<2> {
    let rows = numbers.len() / columns;
    Tensor::from_data(TensorData::new(numbers, [rows, columns]), &device())
}

fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &device(), burn::tensor::DType::F64)
}

/// `x · w` for each row.
fn linear(point: &Point, x: Tensor<2>) -> Tensor<1> {
    let w = point.w.val().unsqueeze::<2>();
    (x * w).sum_dim(1).squeeze_dim::<1>(1)
}

#[test]
fn a_mean_gradient_that_is_a_million_times_the_noise_does_not_cancel() {
    const MEAN: f64 = 1e6;
    // With few binary digits, so that the gradients are exact.
    let noise = |index: usize| ((7.0 * (index as f64).sin() * 1024.0).round()) / 1024.0;
    let rows: Vec<Vec<f64>> = (0..12)
        .map(|row| (0..4).map(|column| noise(4 * row + column)).collect())
        .collect();
    let expected = covariance(&rows, &[1.0 / 12.0; 12]);
    let inputs = rows.iter().flatten().map(|x| MEAN + x).collect();
    let data = [tensor(inputs, 4)];
    let risk = Risk::per_example(linear, &data);
    let point = point(&[0.5, -1.0, 0.25, 2.0]);
    let covariance = risk.gradient_covariance(&point).unwrap();
    let error = distance(expected.as_slice(), dense(&covariance).as_slice());
    // The digits of one factor of a million are lost, not those of two.
    assert!(error < 1e-8, "{error:e}");

    let fisher = dense(&risk.empirical_fisher(&point).unwrap());
    let mean = covariance.mean_gradient().unwrap().to_host().unwrap();
    let subtracted = (0..16).map(|place| {
        let square = mean[place / 4] * mean[place % 4];
        (fisher.as_slice()[place] - square) * 12.0 / 11.0
    });
    let subtracted: Vec<f64> = subtracted.collect();
    let naive = distance(expected.as_slice(), &subtracted);
    println!("centered {error:e}, subtracted {naive:e}");
    assert!(naive > 1e-7, "{naive:e}");
}

#[test]
fn equal_examples_have_no_covariance() {
    let data = [tensor([0.3, -0.7, 1.1].repeat(5), 3)];
    let risk = Risk::per_example(linear, &data);
    let found = risk.gradient_covariance(&point(&[1.0, 2.0, 3.0])).unwrap();
    let largest = dense(&found)
        .as_slice()
        .iter()
        .fold(0.0_f64, |most, x| most.max(x.abs()));
    assert!(largest < 1e-15, "{largest:e}");
}

/// Linear regression on standard normal inputs with noise of standard deviation 0.7, where the weights are off by
/// `OFF`.
mod population {
    use super::*;

    pub(super) const OFF: [f64; 5] = [1.0, 0.5, 0.0, -0.5, 0.25];
    pub(super) const EXAMPLES: usize = 20_000;

    pub(super) type Pairs = (Tensor<2>, Tensor<1>);

    fn truth(index: usize) -> f64 {
        0.4 * index as f64 - 1.0
    }

    pub(super) fn model() -> Point {
        let weights: Vec<f64> = (0..5).map(|index| truth(index) + OFF[index]).collect();
        point(&weights)
    }

    /// The data in batches, and the gradients of the examples.
    pub(super) fn data(seed: u64) -> (Vec<Pairs>, Vec<Vec<f64>>) {
        let rng = StdRng::seed_from_u64(seed);
        let mut normal = Distribution::<f64>::sample_iter(StandardNormal, rng);
        let (mut pairs, mut gradients) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let (mut inputs, mut targets) = (Vec::<f64>::new(), Vec::<f64>::new());
            for _ in 0..EXAMPLES / 4 {
                let x: Vec<f64> = normal.by_ref().take(5).collect();
                let noise = 0.7 * normal.next().unwrap();
                let along = |w: &dyn Fn(usize) -> f64| -> f64 {
                    x.iter().enumerate().map(|(index, x)| x * w(index)).sum()
                };
                targets.push(along(&truth) + noise);
                let residual = along(&|index: usize| OFF[index]) - noise;
                gradients.push(x.iter().map(|x| x * residual).collect());
                inputs.extend(x);
            }
            let targets = TensorData::new(targets, [EXAMPLES / 4]);
            let targets = Tensor::from_data(targets, &device());
            pairs.push((tensor(inputs, 5), targets));
        }
        (pairs, gradients)
    }

    pub(super) fn losses(point: &Point, (x, y): Pairs) -> Tensor<1> {
        (linear(point, x) - y).square() * 0.5
    }

    /// `(|Δ|² + 0.49) I + Δ Δᵀ`.
    pub(super) fn covariance() -> Dense {
        let square: f64 = OFF.iter().map(|x| x * x).sum();
        let entry = |place: usize| {
            let (i, j) = (place / 5, place % 5);
            let diagonal = if i == j { square + 0.49 } else { 0.0 };
            diagonal + OFF[i] * OFF[j]
        };
        Dense::from_row_major(5, 5, (0..25).map(entry).collect()).unwrap()
    }
}

#[test]
fn the_covariance_of_many_examples_is_that_of_their_population() {
    let exact = population::covariance();
    let model = population::model();
    for seed in [0, 1, 2] {
        let (data, gradients) = population::data(seed);
        let risk = Risk::per_example(population::losses, &data);
        let found = risk.gradient_covariance(&model).unwrap();
        let n = population::EXAMPLES as f64;
        let matrix = dense(&found);
        let trace: f64 = (0..5).map(|i| matrix.as_slice()[6 * i]).sum();
        // The standard error, from the spread of the squared distances.
        let weights = vec![1.0 / n; population::EXAMPLES];
        let mean = mean(&gradients, &weights);
        let squares: Vec<f64> = gradients
            .iter()
            .map(|g| {
                g.iter()
                    .zip(&mean)
                    .map(|(g, mean)| (g - mean).powi(2))
                    .sum()
            })
            .collect();
        let spread = squares.iter().map(|x| (x - trace).powi(2)).sum::<f64>() / n;
        let error = (spread / n).sqrt();
        println!("seed {seed}: trace {trace:.3} ± {error:.3}");
        assert!((trace - 11.825).abs() < 4.0 * error, "{trace} {error}");
        assert!(error < 0.3);
        assert_close(&exact, &matrix, 0.08);
        // All of it is the matrix of these gradients.
        assert_close(&covariance(&gradients, &weights), &matrix, 1e-11);

        // By the methods for operators.
        let config = TraceConfig::new().with_method(TraceMethod::XTrace);
        let by_products = config.with_max_matvecs(10).run(&found).unwrap();
        assert!((by_products.value - trace).abs() < 1e-8 * trace);
        let top = EigenpairsConfig::new(1, Which::Largest)
            .run(&found)
            .unwrap();
        let largest = eigenvalues(matrix.as_slice())[4];
        assert!((top.values[0] - largest).abs() < 1e-6 * largest);
        // 1.5625 + 2.0525 along Δ.
        assert!((largest - 3.615).abs() < 0.4, "{largest}");

        // B_simple: |ḡ|² has the noise of the mean in it.
        let square = found.mean_gradient().unwrap().norm().unwrap().powi(2) - trace / n;
        let error = 2.0 * (1.5625 * 3.615 / n).sqrt();
        assert!((square - 1.5625).abs() < 4.0 * error, "{square} {error}");

        // The Hessian is the identity, but for its own sampling.
        let hessian = dense(&risk.hessian(&model).unwrap());
        let aligned = cosine(&matrix, &hessian);
        assert!((aligned - 0.966_81).abs() < 0.015, "{aligned}");
    }
}

#[test]
fn covariances_are_compared_with_the_hessian_and_with_each_other() {
    let (net, data) = (net(), batches(&[4, 3]));
    let risk = each(&data);
    let space = ParamSpace::of(&net).unwrap();
    let step = ParamVector::gaussian(&space, 4).unwrap();
    let moved = step.perturb(&net, 0.5).unwrap();
    let early = risk.gradient_covariance(&net).unwrap();
    let late = risk.gradient_covariance(&moved).unwrap();
    let hessian = risk.hessian(&net).unwrap();
    let config = OverlapConfig::new().with_num_probes(400);
    let check = |found: burnscape::krylov::Overlap, exact: f64| {
        let error = found.cosine.standard_error.unwrap();
        println!("{:.4} ± {error:.4}, exactly {exact:.4}", found.cosine.value);
        assert!(error < 0.1 && (found.cosine.value - exact).abs() < 4.0 * error);
    };
    let (a, b, h) = (dense(&early), dense(&late), dense(&hessian));
    check(config.run(&early, &hessian).unwrap(), cosine(&a, &h));
    check(config.run(&early, &late).unwrap(), cosine(&a, &b));
    assert!(cosine(&a, &b) < 0.99);
    assert_eq!(config.run(&early, &early).unwrap().cosine.value, 1.0);
}

#[test]
fn data_without_a_covariance_are_refused() {
    let net = net();
    let one = &batches(&[1, 6])[..1];
    let risk = Risk::per_example(example_losses, one);
    let error = error_of(risk.gradient_covariance(&net));
    assert_eq!(error, CurvatureError::OneExample);
    // Its gradient exists.
    assert_eq!(risk.example_gradients(&net).unwrap().len(), 1);

    let data = batches(&[7]);
    let mean = Risk::per_example(
        |net: &Dropped, batch: Labeled| example_losses(net, batch).mean(),
        &data,
    );
    let expected = LossError::WrongExampleLosses {
        expected: 7,
        found: 1,
    };
    let error = error_of(mean.gradient_covariance(&net));
    assert_eq!(error, CurvatureError::Loss(expected.clone()));
    let error = mean.example_gradients(&net).map(|_| ()).unwrap_err();
    assert_eq!(error, expected);
    assert_eq!(mean.example_gradient_norms(&net).unwrap_err(), expected);

    let none: Vec<Labeled> = Vec::new();
    let error = error_of(each(&none).gradient_covariance(&net));
    assert_eq!(error, CurvatureError::Loss(LossError::EmptyData));
    let error = each(&none).example_gradients(&net).map(|_| ()).unwrap_err();
    assert_eq!(error, LossError::EmptyData);
}

#[test]
fn numbers_that_are_not_finite_name_their_batch() {
    let (net, mut data) = (net(), batches(&[4, 3]));
    data[1].x = data[1].x.clone() * f64::NAN;
    let is_second = |error: &LossError| matches!(error, LossError::NonFinite { batch: 1, .. });
    let risk = each(&data);
    match error_of(risk.gradient_covariance(&net)) {
        CurvatureError::Loss(error) => assert!(is_second(&error), "{error}"),
        error => panic!("{error}"),
    }
    let error = risk.example_gradients(&net).map(|_| ()).unwrap_err();
    assert!(is_second(&error), "{error}");

    // A finite loss with an infinite derivative.
    let data = [tensor(vec![1.0, 0.0, 2.0], 1)];
    let root = |point: &Point, x: Tensor<2>| linear(point, x).sqrt();
    let risk = Risk::per_example(root, &data);
    let error = error_of(risk.gradient_covariance(&point(&[1.0])));
    assert!(
        matches!(error, CurvatureError::NonFiniteProduct { batch: 0, .. }),
        "{error}"
    );
    let error = risk.example_gradient_norms(&point(&[1.0])).unwrap_err();
    assert!(
        matches!(error, LossError::NonFiniteGradient { .. }),
        "{error}"
    );
}
