//! Methods that weigh elements, inputs and directions: Fisher averages, RegMean, TSV-M and Iso-C.

use std::sync::Arc;

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::loss::Risk;
use burnscape::merge::{
    ByPath, FisherAverage, IsotropicMerge, MergeError, MergeMethod, MergeTensor, Recipe, RegMean,
    TaskSingularVectors, TensorMap, TensorStore,
};
use burnscape_testkit::golden::{GoldenArray, GoldenHeader, load};
use serde::Deserialize;

use super::averages::with;
use super::statistics::{batches, gram, losses};
use crate::element::device;
use crate::symmetry::zoo::{self, Mlp, numbers, parameters, rotation, same, scattered};

const SEED: u64 = 73;

pub(super) fn values(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

#[track_caller]
pub(super) fn assert_near(found: &TensorData, expected: &[f64], tolerance: f64) {
    let found = values(found);
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(1.0_f64, |max, x| max.max(x.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let gap = (found - expected).abs();
        assert!(gap <= tolerance * size, "{index}: {found} {expected}");
    }
}

/// The rows and columns of a matrix exchanged.
pub(super) fn transposed(data: &TensorData) -> TensorData {
    let (rows, columns) = (data.shape()[0], data.shape()[1]);
    let values = values(data);
    let entries = (0..columns).flat_map(|j| (0..rows).map(move |i| (i, j)));
    let entries: Vec<f64> = entries.map(|(i, j)| values[i * columns + j]).collect();
    TensorData::new(entries, [columns, rows])
}

/// Normal numbers.
fn normal(shape: [usize; 2], seed: u64) -> TensorData {
    numbers(shape, seed, &device()).into_data()
}

/// `a + factor · b`.
fn plus(a: &TensorData, factor: f64, b: &TensorData) -> TensorData {
    let sums = values(a).into_iter().zip(values(b));
    let sums: Vec<f64> = sums.map(|(a, b)| a + factor * b).collect();
    TensorData::new(sums, a.shape().clone())
}

fn store(tensors: &[(&str, TensorData)]) -> Arc<dyn TensorStore> {
    let tensors = tensors.iter().cloned();
    let tensors = tensors.map(|(name, data)| (name.to_string(), data));
    Arc::new(tensors.collect::<TensorMap>())
}

/// A store with a tensor `w` for each model.
fn stores<const N: usize>(tensors: [TensorData; N]) -> Vec<Arc<dyn TensorStore>> {
    tensors.map(|data| store(&[("w", data)])).to_vec()
}

pub(super) fn refusal<T>(result: Result<T, MergeError>) -> MergeError {
    result.err().expect("a refusal")
}

#[track_caller]
pub(super) fn assert_says(error: &MergeError, words: &[&str]) {
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

/// D12, and elements without an importance.
#[test]
fn importances_weigh_elements() {
    let models = [
        TensorData::from([1.0_f64, 1.0, 5.0, 1.0]),
        TensorData::from([3.0_f64, 2.0, 7.0, 5.0]),
    ];
    let importances = [
        TensorData::from([1.0_f32, 0.0, 0.0, 2.0]),
        TensorData::from([3.0_f32, 4.0, 0.0, 1.0]),
    ];
    let method = FisherAverage::new(stores(importances));
    let tensor = MergeTensor::new("w", &models).expect("a tensor");
    let found = method.merge(&tensor).expect("a mean");
    assert_near(&found, &[2.5, 2.0, 6.0, 7.0 / 3.0], 1e-15);
    let weights = [3.0, 1.0];
    let found = method.merge(&tensor.clone().with_weights(&weights));
    assert_near(&found.expect("a mean"), &[2.0, 2.0, 5.5, 11.0 / 7.0], 1e-15);
    // A tensor that no store has.
    let other = MergeTensor::new("other", &models).expect("a tensor");
    let found = method.merge(&other.with_weights(&weights)).expect("a mean");
    assert_near(&found, &[1.5, 1.25, 5.5, 2.0], 1e-15);
    assert_eq!(method.note("w", &[4]), None);
    let note = method.note("other", &[4]).expect("a note");
    assert!(note.contains("averaged"), "{note}");
}

/// D11, in both layouts.
#[test]
fn regmean_solves_the_normal_equations() {
    let grams = [
        TensorData::from([[2.0_f64, 1.0], [1.0, 1.0]]),
        TensorData::from([[1.0_f64, 0.0], [0.0, 3.0]]),
    ];
    let models = [
        TensorData::from([[1.0_f64, 0.0], [0.0, 1.0]]),
        TensorData::from([[0.0_f64, 1.0], [1.0, 0.0]]),
    ];
    let method = RegMean::new(stores(grams)).with_off_diagonal(1.0);
    let tensor = MergeTensor::new("w", &models).expect("a tensor");
    let merged = |axis| method.merge(&tensor.clone().with_filter_axis(Some(axis)));
    let eleventh = |numbers: [f64; 4]| numbers.map(|x| x / 11.0);
    let found = merged(1).expect("a matrix");
    assert_near(&found, &eleventh([4.0, 7.0, 10.0, 1.0]), 1e-14);
    // The models are symmetric.
    let found = merged(0).expect("a matrix");
    assert_near(&found, &eleventh([4.0, 10.0, 7.0, 1.0]), 1e-14);
    assert!(method.needs_filters(&[2, 2]) && !method.needs_filters(&[2]));
}

/// Inputs, targets, and the weight of their errors.
type Pair<'p> = (&'p Tensor<2>, &'p Tensor<2>, f64);

/// The weight `[in, out]` of the least squares of a regression.
fn least_squares(pairs: &[Pair<'_>]) -> Vec<f64> {
    let matrix = |x: Tensor<2>| {
        let [rows, columns] = x.dims();
        nalgebra::DMatrix::from_row_slice(rows, columns, &values(&x.into_data()))
    };
    let sum =
        |of: &dyn Fn(&Pair<'_>) -> Tensor<2>| pairs.iter().map(of).map(matrix).reduce(|a, b| a + b);
    let products = |x: &Tensor<2>, y: &Tensor<2>| x.clone().transpose().matmul(y.clone());
    let gram = sum(&|(x, _, weight)| products(x, x) * *weight).expect("data");
    let right = sum(&|(x, y, weight)| products(x, y) * *weight).expect("data");
    let weight = gram.lu().solve(&right).expect("a regular matrix");
    weight.transpose().as_slice().to_vec()
}

/// A linear map of five inputs and three outputs.
fn map(weight: &[f64]) -> Linear {
    let net = LinearConfig::new(5, 3).with_bias(false).init(&device());
    with(&net, &[("weight", weight)])
}

#[test]
fn regmean_of_two_regressions_is_the_regression_on_all_data() {
    let device = device();
    let inputs = [(40, 1), (25, 2)].map(|(count, seed)| numbers([count, 5], seed, &device));
    let targets = [(40, 3), (25, 4)].map(|(count, seed)| numbers([count, 3], seed, &device));
    let fit = |weights: [f64; 2]| {
        let pairs = inputs.iter().zip(&targets).zip(weights);
        let pairs = pairs.map(|((x, y), weight)| (x, y, weight));
        let pairs: Vec<_> = pairs.filter(|(.., weight)| *weight > 0.0).collect();
        least_squares(&pairs)
    };
    let [a, b] = [[1.0, 0.0], [0.0, 1.0]].map(|weights| map(&fit(weights)));
    let outputs = |net: &Linear, x: &Tensor<2>| net.forward(x.clone());
    let grams = |net: &Linear, x: &Tensor<2>| -> Arc<dyn TensorStore> {
        // In two batches of different lengths.
        let [count, _] = x.dims();
        let batches = [0..8, 8..count].map(|rows| x.clone().slice([rows]));
        Arc::new(RegMean::input_grams(&outputs, &batches, net).expect("Gram matrices"))
    };
    let stores = vec![grams(&a, &inputs[0]), grams(&b, &inputs[1])];
    let recipe = Recipe::new(RegMean::new(stores).with_off_diagonal(1.0));
    let merged = recipe.run(None, &[&a, &b]).expect("a model");
    assert_eq!(merged.report.tensors[0].note, None);
    let weight = merged.model.weight.val().into_data();
    assert_near(&weight, &fit([1.0, 1.0]), 1e-12);
    let weighted = recipe.with_weights([ByPath::new(1.0), ByPath::new(4.0)]);
    let merged = weighted.run(None, &[&a, &b]).expect("a model").model;
    assert_near(&merged.weight.val().into_data(), &fit([1.0, 4.0]), 1e-12);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    header: GoldenHeader,
    singular: Vec<SingularCase>,
    regression: Vec<RegressionCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SingularCase {
    base: GoldenArray,
    models: Vec<GoldenArray>,
    weights: Vec<f64>,
    tsv_m: Vec<Scaled>,
    iso_c: Vec<Scaled>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scaled {
    #[serde(default)]
    share: Option<f64>,
    scale: f64,
    merged: GoldenArray,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegressionCase {
    grams: Vec<GoldenArray>,
    models: Vec<GoldenArray>,
    weights: Vec<f64>,
    regmean: Vec<Regression>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Regression {
    off_diagonal: f64,
    ridge: f64,
    merged: GoldenArray,
}

fn data(array: &GoldenArray) -> TensorData {
    TensorData::new(array.values.clone(), array.shape.clone())
}

fn golden() -> Golden {
    let golden: Golden = load("merge", "matrices").expect("a file");
    assert_eq!(golden.header.dtype, "float64");
    golden
}

#[test]
fn singular_methods_are_those_of_a_dense_decomposition() {
    let cases = golden().singular;
    assert_eq!(cases.len(), 5);
    for case in cases {
        let base = data(&case.base);
        let models: Vec<TensorData> = case.models.iter().map(data).collect();
        let turned: Vec<TensorData> = models.iter().map(transposed).collect();
        let turned_base = transposed(&base);
        let check = |method: &dyn MergeMethod, expected: &GoldenArray| {
            let tensor = MergeTensor::new("w", &models).expect("a tensor");
            let tensor = tensor.with_base(&base).with_weights(&case.weights);
            let found = method.merge(&tensor).expect("a matrix");
            assert_near(&found, &expected.values, 1e-11);
            // Both commute with the transpose.
            let tensor = MergeTensor::new("w", &turned).expect("a tensor");
            let tensor = tensor.with_base(&turned_base).with_weights(&case.weights);
            let found = method.merge(&tensor).expect("a matrix");
            assert_near(&transposed(&found), &expected.values, 1e-11);
        };
        for exact in &case.tsv_m {
            let method = TaskSingularVectors::new().with_scale(exact.scale);
            check(&method.with_rank_share(exact.share), &exact.merged);
        }
        for exact in &case.iso_c {
            check(
                &IsotropicMerge::new().with_scale(exact.scale),
                &exact.merged,
            );
        }
    }
}

#[test]
fn regmean_is_that_of_a_dense_solve() {
    for case in golden().regression {
        let models: Vec<TensorData> = case.models.iter().map(data).collect();
        let turned: Vec<TensorData> = models.iter().map(transposed).collect();
        let grams = case.grams.iter().map(|gram| store(&[("w", data(gram))]));
        let grams: Vec<Arc<dyn TensorStore>> = grams.collect();
        for exact in &case.regmean {
            let method = RegMean::new(grams.clone())
                .with_off_diagonal(exact.off_diagonal)
                .with_ridge(exact.ridge);
            let merged = |models: &[TensorData], axis| {
                let tensor = MergeTensor::new("w", models).expect("a tensor");
                let tensor = tensor.with_weights(&case.weights);
                method.merge(&tensor.with_filter_axis(Some(axis)))
            };
            let found = merged(&models, 1).expect("a matrix");
            assert_near(&found, &exact.merged.values, 1e-11);
            let found = merged(&turned, 0).expect("a matrix");
            assert_near(&transposed(&found), &exact.merged.values, 1e-11);
        }
    }
}

/// What a method makes of differences from a base.
fn displaced(method: &dyn MergeMethod, base: &TensorData, by: &[&TensorData]) -> TensorData {
    let models: Vec<TensorData> = by.iter().map(|by| plus(base, 1.0, by)).collect();
    let tensor = MergeTensor::new("w", &models).expect("a tensor");
    method.merge(&tensor.with_base(base)).expect("a matrix")
}

/// D13, and only matrices with equal singular values stay what they are.
#[test]
fn isotropic_merges_make_singular_values_equal() {
    let zero = TensorData::from([[0.0_f64, 0.0], [0.0, 0.0]]);
    let diagonal = TensorData::from([[3.0_f64, 0.0], [0.0, 1.0]]);
    let method = IsotropicMerge::new();
    let found = displaced(&method, &zero, &[&diagonal]);
    assert_near(&found, &[2.0, 0.0, 0.0, 2.0], 1e-14);
    // The mean is over all singular values, also those of zero.
    let low = TensorData::from([[3.0_f64, 0.0], [0.0, 0.0]]);
    let found = displaced(&method, &zero, &[&low]);
    assert_near(&found, &[1.5, 0.0, 0.0, 0.0], 1e-14);

    let base = normal([6, 6], SEED);
    assert_eq!(
        displaced(&method, &base, &[&plus(&base, -1.0, &base)]),
        base
    );
    let turn = TensorData::new(rotation(6, [0.3, 1.9], false), [6, 6]);
    let turn = plus(&turn, 1.5, &turn);
    let expected = plus(&base, 1.0, &turn);
    let found = displaced(&method, &base, &[&turn]);
    assert_near(&found, &values(&expected), 1e-13);
    let thirds = IsotropicMerge::new().with_scale(1.0 / 3.0);
    let found = displaced(&thirds, &base, &[&turn, &turn, &turn]);
    assert_near(&found, &values(&expected), 1e-13);
    // One singular value is another.
    let mut other = values(&turn);
    other[..6].iter_mut().for_each(|x| *x *= 1.2);
    let other = TensorData::new(other, [6, 6]);
    let found = values(&displaced(&method, &base, &[&other]));
    let moved = values(&plus(&base, 1.0, &other));
    let gaps = found.iter().zip(&moved).map(|(a, b)| (a - b).abs());
    assert!(gaps.fold(0.0_f64, f64::max) > 0.05);
}

#[test]
fn equal_models_of_full_rank_are_merged_to_themselves() {
    let (base, by) = (normal([7, 5], SEED), normal([7, 5], SEED + 1));
    let expected = values(&plus(&base, 1.0, &by));
    let low = [1.0_f64, -2.0, 0.5].map(|x| [x; 5]);
    let low = TensorData::new(low.concat(), [3, 5]);
    let low_base = normal([3, 5], SEED + 2);
    let method = TaskSingularVectors::new().with_rank_share(Some(1.0));
    for count in [1, 2, 3] {
        let found = displaced(&method, &base, &vec![&by; count]);
        assert_near(&found, &expected, 1e-13);
        let found = displaced(&method, &low_base, &vec![&low; count]);
        assert_near(&found, &values(&plus(&low_base, 1.0, &low)), 1e-13);
    }
    // Two models keep two of five singular values each.
    let found = displaced(&TaskSingularVectors::new(), &base, &[&by, &by]);
    let gaps = values(&found);
    let gaps = gaps.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    assert!(gaps.fold(0.0_f64, f64::max) > 0.1);
    // A model of weight zero adds no direction.
    let models = [plus(&base, 1.0, &by), normal([7, 5], SEED + 3)];
    let tensor = MergeTensor::new("w", &models).expect("a tensor");
    let tensor = tensor.with_base(&base).with_weights(&[1.0, 0.0]);
    assert_near(&method.merge(&tensor).expect("a matrix"), &expected, 1e-13);
    // The base alone.
    let models = [base.clone(), base.clone()];
    let tensor = MergeTensor::new("w", &models).expect("a tensor");
    let found = method.merge(&tensor.with_base(&base)).expect("a matrix");
    assert_eq!(found, base);
}

#[test]
fn what_is_no_matrix_gets_the_mean_of_the_differences() {
    let base = TensorData::from([1.0_f64, 2.0]);
    let models = [
        TensorData::from([2.0_f64, 2.0]),
        TensorData::from([1.0_f64, 5.0]),
    ];
    let tensor = MergeTensor::new("b", &models).expect("a tensor");
    let tensor = tensor.with_base(&base).with_weights(&[1.0, -2.0]);
    let methods: [&dyn MergeMethod; 2] = [
        &TaskSingularVectors::new().with_scale(2.0),
        &IsotropicMerge::new().with_scale(2.0),
    ];
    for method in methods {
        let found = method.merge(&tensor).expect("a vector");
        assert_near(&found, &[2.0, -4.0], 1e-15);
        let note = method.note("b", &[2]).expect("a note");
        assert!(note.contains("not a matrix"), "{note}");
        assert_eq!(method.note("w", &[2, 3]), None);
        assert!(method.needs_base() && !method.needs_filters(&[2, 3]));
        let without = MergeTensor::new("b", &models).expect("a tensor");
        let expected = MergeError::NoBase {
            method: method.name(),
        };
        assert_eq!(refusal(method.merge(&without)), expected);
        let matrices = [TensorData::from([[1.0_f64, f64::NAN]])];
        let without = MergeTensor::new("w", &matrices).expect("a tensor");
        assert_eq!(refusal(method.merge(&without)), expected);
        let base = TensorData::from([[0.0_f64, 0.0]]);
        let error = refusal(method.merge(&without.with_base(&base)));
        assert_says(&error, &["`w`", &method.name(), "not finite"]);
    }
}

/// Fisher averages and RegMean bit by bit, with what is collected on different data.
#[test]
fn equal_networks_are_merged_to_themselves() {
    let net = zoo::mlp(&device(), SEED).model;
    let own = parameters(&net);
    let all = batches();
    let importances = all.each_ref().map(|batch| -> Arc<dyn TensorStore> {
        let batch = [batch.clone().narrow(0, 0, 4)];
        let found = FisherAverage::squared_gradients(&Risk::per_example(losses, &batch), &net);
        Arc::new(found.expect("importances"))
    });
    let recipe = Recipe::new(FisherAverage::new(importances.to_vec()));
    let merged = recipe.run(None, &[&net, &net, &net]).expect("a model");
    assert!(same(&parameters(&merged.model), &own));
    assert!(
        merged
            .report
            .tensors
            .iter()
            .all(|tensor| tensor.note.is_none())
    );

    let grams = all.each_ref().map(|batch| -> Arc<dyn TensorStore> {
        let found = RegMean::input_grams(&Mlp::outputs, std::slice::from_ref(batch), &net);
        Arc::new(found.expect("Gram matrices"))
    });
    for factor in [1.0, 0.9] {
        let method = RegMean::new(grams.to_vec()).with_off_diagonal(factor);
        let merged = Recipe::new(method).run(None, &[&net, &net, &net]);
        let merged = merged.expect("a model");
        assert!(same(&parameters(&merged.model), &own), "{factor}");
        for tensor in merged.report.tensors {
            assert_eq!(tensor.note.is_some(), tensor.shape.len() == 1);
        }
    }
    let other = scattered(&net, SEED + 5);
    let method = TaskSingularVectors::new().with_rank_share(Some(1.0));
    let merged = Recipe::new(method).run(Some(&other), &[&net, &net]);
    let merged = parameters(&merged.expect("a model").model);
    for (merged, own) in merged.iter().zip(&own) {
        let found = TensorData::new(merged.values.clone(), merged.shape.clone());
        assert_near(&found, &own.values, 1e-12);
    }
}

/// `Xᵀ X` of three examples with four inputs.
fn of_three_examples(seed: u64) -> TensorData {
    gram(numbers([3, 4], seed, &device())).into_data()
}

#[test]
fn singular_sums_are_refused_with_their_rank() {
    let models = [normal([4, 2], 1), normal([4, 2], 2)];
    let tensor = MergeTensor::new("w", &models).expect("a tensor");
    let tensor = tensor.with_filter_axis(Some(1));
    let once = of_three_examples(5);
    let method = RegMean::new(stores([once.clone(), once.clone()])).with_off_diagonal(1.0);
    let error = refusal(method.merge(&tensor));
    let expected = MergeError::Singular {
        tensor: "w".to_string(),
        rank: 3,
        size: 4,
    };
    assert_eq!(error, expected);
    assert_says(
        &error,
        &["`with_off_diagonal`", "`with_ridge`", "more examples"],
    );
    assert!(method.clone().with_off_diagonal(0.9).merge(&tensor).is_ok());
    assert!(method.clone().with_ridge(1e-3).merge(&tensor).is_ok());
    let both = stores([once.clone(), of_three_examples(6)]);
    let both = RegMean::new(both).with_off_diagonal(1.0);
    assert!(both.merge(&tensor).is_ok());

    // An input that is always zero.
    let mut dead = values(&once);
    for place in 0..4 {
        dead[4 * place + 1] = 0.0;
        dead[4 + place] = 0.0;
    }
    let dead = TensorData::new(dead, [4, 4]);
    let method = RegMean::new(stores([dead.clone(), dead]));
    assert_eq!(refusal(method.merge(&tensor)), expected);
    // It gets the mean of the models.
    let found = method.with_ridge(1e-3).merge(&tensor).expect("a matrix");
    let mean = values(&plus(&models[0], 1.0, &models[1]));
    for (found, mean) in values(&found)[2..4].iter().zip(&mean[2..4]) {
        assert!((found - 0.5 * mean).abs() < 1e-14);
    }
}

#[test]
fn stores_that_do_not_fit_the_models_are_refused() {
    let models = [normal([2, 3], 1), normal([2, 3], 2)];
    let tensor = MergeTensor::new("w", &models).expect("a tensor");
    let tensor = tensor.with_filter_axis(Some(1));
    let good = TensorData::from([[1.0_f64, 0.5], [0.5, 2.0]]);
    let importances = TensorData::from([[1.0_f64, 0.0, 2.0], [3.0, 4.0, 5.0]]);
    let fisher = |second: TensorData| {
        FisherAverage::new(stores([importances.clone(), second])).merge(&tensor)
    };
    let regmean = |second: TensorData| RegMean::new(stores([good.clone(), second])).merge(&tensor);
    assert!(fisher(importances.clone()).is_ok() && regmean(good.clone()).is_ok());
    let turned = transposed(&importances);
    for (error, word) in [
        (fisher(turned), "[3, 2]"),
        (fisher(plus(&importances, -2.0, &importances)), "-1"),
        (fisher(plus(&importances, f64::NAN, &importances)), "NaN"),
        (regmean(importances.clone()), "[2, 3]"),
        (
            regmean(TensorData::from([[1.0_f64, 0.5], [0.4, 2.0]])),
            "not symmetric",
        ),
        (
            regmean(TensorData::from([[1.0_f64, 0.0], [0.0, -2.0]])),
            "diagonal",
        ),
        (
            regmean(TensorData::from([[1.0_f64, f64::INFINITY], [0.0, 2.0]])),
            "inf",
        ),
    ] {
        let error = refusal(error);
        assert!(matches!(error, MergeError::Statistics { .. }), "{error}");
        assert_says(&error, &["`w`", "model 1", word]);
    }
    let half = vec![store(&[("w", importances.clone())]), store(&[])];
    let error = refusal(FisherAverage::new(half.clone()).merge(&tensor));
    assert_says(&error, &["`w`", "model 1", "missing"]);
    let error = refusal(RegMean::new(half).merge(&tensor));
    assert_says(&error, &["`w`", "model 1", "missing"]);

    let regmean = RegMean::new(stores([good.clone(), good.clone()]));
    let error = refusal(regmean.merge(&tensor.clone().with_filter_axis(None)));
    assert!(matches!(error, MergeError::Method { .. }), "{error}");
    let vectors = [1, 2].map(|seed| {
        let values = values(&normal([1, 3], seed));
        TensorData::new(values, [3])
    });
    let vector = MergeTensor::new("w", &vectors).expect("a tensor");
    assert_says(&refusal(regmean.merge(&vector)), &["`w`", "[3]"]);
    let fisher = FisherAverage::new(stores([importances.clone(), importances]));
    for method in [&regmean as &dyn MergeMethod, &fisher] {
        let error = refusal(method.check("w", &[1.0; 3]));
        assert!(matches!(error, MergeError::NumModels { found: 3, .. }));
        assert_says(&error, &[&method.name(), "3 models", "use 2"]);
        assert!(method.check("w", &[1.0, 0.0]).is_ok());
        for weights in [[1.0, -1.0], [0.0, 0.0], [f64::NAN, 1.0]] {
            let error = refusal(method.check("w", &weights));
            assert!(matches!(error, MergeError::OutOfRange(_)), "{error}");
        }
    }
}

#[test]
fn settings_outside_their_range_are_refused() {
    let stores = || stores([normal([2, 2], 1)]);
    let shares = |share| TaskSingularVectors::new().with_rank_share(Some(share));
    let refused: [(&dyn MergeMethod, &str); 9] = [
        (
            &RegMean::new(stores()).with_off_diagonal(1.1),
            "`off_diagonal`",
        ),
        (
            &RegMean::new(stores()).with_off_diagonal(-0.1),
            "`off_diagonal`",
        ),
        (&RegMean::new(stores()).with_ridge(-1.0), "`ridge`"),
        (&RegMean::new(stores()).with_ridge(f64::NAN), "`ridge`"),
        (&shares(0.0), "`rank_share`"),
        (&shares(1.5), "`rank_share`"),
        (&shares(f64::NAN), "`rank_share`"),
        (
            &TaskSingularVectors::new().with_scale(f64::INFINITY),
            "`scale`",
        ),
        (&IsotropicMerge::new().with_scale(f64::NAN), "`scale`"),
    ];
    for (method, setting) in refused {
        let error = refusal(method.check("w", &[1.0]));
        assert!(matches!(error, MergeError::OutOfRange(_)), "{error}");
        assert_says(&error, &[setting]);
    }
    for method in [&shares(0.5) as &dyn MergeMethod, &IsotropicMerge::new()] {
        assert!(method.check("w", &[-1.0]).is_ok());
        assert!(method.check("w", &[f64::NAN]).is_err());
    }
}
