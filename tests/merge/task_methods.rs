//! Task arithmetic: exact answers, statistics of random masks, references, laws.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::merge::{
    ByPath, Combine, MergeError, MergeMethod, MergeTensor, Recipe, Sparsify, TaskArithmetic,
};
use burnscape_testkit::golden::{self, GoldenHeader};
use burnscape_testkit::programs::Draws;
use serde::Deserialize;

use crate::element::device;
use crate::symmetry::zoo::parameters;

/// Vectors of f64 numbers.
fn vectors<const N: usize>(models: [&[f64]; N]) -> [TensorData; N] {
    models.map(|values| TensorData::new(values.to_vec(), [values.len()]))
}

fn values(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

/// Which numbers are not zero.
fn kept(values: &[f64]) -> Vec<bool> {
    values.iter().map(|value| *value != 0.0).collect()
}

fn zeros_like(data: &TensorData) -> TensorData {
    let zeros = vec![0.0_f32; data.num_elements()];
    TensorData::new(zeros, data.shape().to_vec()).convert_dtype(data.dtype())
}

/// The result for models around zero.
fn merged(method: &TaskArithmetic, models: &[TensorData], weights: &[f64]) -> Vec<f64> {
    let base = zeros_like(&models[0]);
    let tensor = MergeTensor::new("w", models).expect("models");
    let tensor = tensor.with_base(&base).with_weights(weights);
    method.check("w", weights).expect("settings");
    values(&method.merge(&tensor).expect("a tensor"))
}

#[test]
fn ties_are_those_of_the_closed_form() {
    // D5, also where the base is not zero and in other types.
    let models = vectors([&[1.0, -2.0, 0.1, 3.0], &[2.0, 1.0, 0.2, -1.0]]);
    let ties = TaskArithmetic::ties(0.75);
    assert_eq!(merged(&ties, &models, &[1.0, 1.0]), [1.5, -2.0, 0.0, 3.0]);
    assert_eq!(merged(&ties, &models, &[1.0, 3.0]), [1.75, 1.0, 0.0, 3.0]);
    let doubled = ties.clone().with_scale(2.0);
    assert_eq!(merged(&doubled, &models, &[1.0; 2]), [3.0, -4.0, 0.0, 6.0]);
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let models = models.clone().map(|data| data.convert_dtype(dtype));
        assert_eq!(merged(&ties, &models, &[1.0, 1.0]), [1.5, -2.0, 0.0, 3.0]);
        assert_eq!(merged(&ties, &models, &[1.0, 3.0]), [1.75, 1.0, 0.0, 3.0]);
        let base = TensorData::from([0.5_f32, 0.25, 4.0, -8.0]).convert_dtype(dtype);
        let moved = vectors([&[1.5, -1.75, 4.125, -5.0], &[2.5, 1.25, 4.25, -9.0]]);
        let moved = moved.map(|data| data.convert_dtype(dtype));
        let tensor = MergeTensor::new("w", &moved).expect("models");
        let found = ties.merge(&tensor.with_base(&base)).expect("a tensor");
        assert_eq!(found, TensorData::from([2.0_f32, -1.75, 4.0, -5.0]));
    }
}

#[test]
fn breadcrumbs_drop_both_ends() {
    let model = vectors([&[5.0, -4.0, 3.0, 3.0, -2.0, 1.0, 0.5, 0.0, 7.0, -6.0]]);
    let left =
        |density: f64, top: f64| merged(&TaskArithmetic::breadcrumbs(density, top), &model, &[1.0]);
    let expected = [5.0, -4.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(left(0.4, 0.2), expected);
    // Equal elements stay together.
    assert_eq!(left(0.3, 0.2), expected);
    assert_eq!(left(0.1, 0.4)[..4], [0.0, 0.0, 3.0, 3.0]);
    // Fewer are left than may stay.
    let expected = [0.0, 0.0, 0.0, 0.0, -2.0, 1.0, 0.5, 0.0, 0.0, 0.0];
    assert_eq!(left(0.9, 0.6), expected);
    assert_eq!(left(1.0, 0.0), values(&model[0]));
}

/// The moments of draws, each with its standard error.
struct Moments {
    mean: f64,
    variance: f64,
    errors: [f64; 2],
}

/// A number that is `value / keep` with probability `keep`, else zero.
fn moments(value: f64, keep: f64, count: f64) -> Moments {
    let variance = value * value * (1.0 - keep) / keep;
    let square = variance * variance;
    let fourth = (1.0 - keep) * value.powi(4) + keep * (value * (1.0 - keep) / keep).powi(4);
    Moments {
        mean: value,
        variance,
        errors: [variance, fourth - square * (count - 3.0) / (count - 1.0)]
            .map(|of_one| (of_one / count).sqrt()),
    }
}

/// Compares 10⁵ draws of rows `(1, −2, 3)`, a thousand for each seed and name, with their means, variances and the
/// probabilities of what is kept.
fn assert_unbiased(method: &TaskArithmetic, keep: [f64; 3], variance: [f64; 3]) {
    const ROWS: usize = 1000;
    let rows = [1.0_f64, -2.0, 3.0].repeat(ROWS);
    let models = [TensorData::new(rows, [ROWS, 3])];
    let base = zeros_like(&models[0]);
    let mut columns: [Vec<f64>; 3] = Default::default();
    for index in 0..100 {
        let name = format!("layers.{}.weight", index % 10);
        let tensor = MergeTensor::new(&name, &models).expect("a model");
        let tensor = tensor.with_base(&base).with_filter_axis(Some(0));
        let method = method.clone().with_seed(index / 10);
        let found = values(&method.merge(&tensor).expect("a tensor"));
        for row in found.chunks(3) {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(*value);
            }
        }
    }
    for (index, column) in columns.iter().enumerate() {
        let count = column.len() as f64;
        assert_eq!(count, 1e5);
        let expected = moments([1.0, -2.0, 3.0][index], keep[index], count);
        assert!((expected.variance - variance[index]).abs() < 1e-12);
        let mean = column.iter().sum::<f64>() / count;
        let squares = column.iter().map(|value| (value - mean).powi(2));
        let variance = squares.sum::<f64>() / (count - 1.0);
        let kept = kept(column).into_iter().filter(|is_kept| *is_kept);
        let kept = kept.count() as f64 / count;
        let error = (keep[index] * (1.0 - keep[index]) / count).sqrt();
        assert!((kept - keep[index]).abs() < 4.0 * error, "{index}: {kept}");
        let gaps = [mean - expected.mean, variance - expected.variance];
        for (gap, error) in gaps.into_iter().zip(expected.errors) {
            assert!(gap.abs() < 4.0 * error, "{index}: {gap} {error}");
        }
    }
}

#[test]
fn dare_keeps_the_mean() {
    // D9.
    assert_unbiased(&TaskArithmetic::dare(0.25), [0.25; 3], [3.0, 12.0, 27.0]);
}

#[test]
fn della_keeps_the_mean() {
    // D10.
    let variance = [1.0 * 0.65 / 0.35, 4.0, 9.0 * 0.35 / 0.65];
    let della = TaskArithmetic::della(0.5, 0.15);
    assert_unbiased(&della, [0.35, 0.5, 0.65], variance);
    assert_unbiased(
        &TaskArithmetic::della(0.25, 0.0),
        [0.25; 3],
        [3.0, 12.0, 27.0],
    );
}

#[test]
fn rows_of_della_run_along_the_axis_of_the_outputs() {
    // The largest of a row always stays, and the smallest almost never.
    let della = TaskArithmetic::della(0.5, 0.5 - 1e-9);
    let model = [TensorData::new(vec![1.0_f64, 8.0, 2.0, 4.0], [2, 2])];
    let base = zeros_like(&model[0]);
    for (axis, large) in [
        (Some(0), [false, true, false, true]),
        (Some(1), [false, true, true, false]),
    ] {
        let tensor = MergeTensor::new("w", &model).expect("a model");
        let tensor = tensor.with_base(&base).with_filter_axis(axis);
        let found = values(&della.merge(&tensor).expect("a tensor"));
        assert_eq!(kept(&found), large, "{axis:?}");
    }
    // A weight without outputs is one row: thirds between the ends.
    let mut counts = [0_usize; 4];
    for seed in 0..400 {
        let tensor = MergeTensor::new("w", &model).expect("a model");
        let method = della.clone().with_seed(seed);
        let found = values(&method.merge(&tensor.with_base(&base)).expect("a tensor"));
        for (count, is_kept) in counts.iter_mut().zip(kept(&found)) {
            *count += usize::from(is_kept);
        }
    }
    let [smallest, largest, third, two_thirds] = counts;
    assert_eq!((smallest, largest), (0, 400));
    // 4 standard deviations of 9.4.
    assert!(third.abs_diff(133) < 38 && two_thirds.abs_diff(267) < 38);
    assert!(della.needs_filters(&[2, 2]) && !della.needs_filters(&[4]));
    assert!(!TaskArithmetic::della(0.5, 0.0).needs_filters(&[2, 2]));
    assert!(!TaskArithmetic::dare(0.5).needs_filters(&[2, 2]));
}

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Net {
    first: Layer,
    second: Layer,
    gain: Param<Tensor<1>>,
}

const TENSORS: [(&str, &[usize]); 5] = [
    ("first.weight", &[5, 4]),
    ("first.bias", &[5]),
    ("second.weight", &[3, 5]),
    ("second.bias", &[3]),
    ("gain", &[40]),
];

/// The tensors of a base, or of a model near it, as in `golden/scripts/merge_tasks.py`.
fn drawn(draws: &mut Draws, base: Option<&[TensorData]>, dtype: DType) -> Vec<TensorData> {
    let is_half = matches!(dtype, DType::F16 | DType::BF16);
    let tensors = TENSORS.iter().enumerate().map(|(index, (name, shape))| {
        let center = match base {
            Some(base) => values(&base[index]),
            None => vec![0.0; shape.iter().product()],
        };
        let spread = if base.is_some() { 0.25 } else { 1.0 };
        let numbers = center.iter().map(|center| {
            let value = center + spread * (2.0 * draws.uniform() - 1.0);
            match (name.starts_with("first"), is_half) {
                (true, _) => (8.0 * value).floor() / 8.0,
                (false, true) => (64.0 * value).floor() / 64.0,
                (false, false) => value,
            }
        });
        let numbers: Vec<f64> = numbers.collect();
        TensorData::new(numbers, shape.to_vec()).convert_dtype(dtype)
    });
    tensors.collect()
}

fn net(tensors: &[TensorData]) -> Net {
    fn parameter<const D: usize>(data: &TensorData) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(data.clone(), (&device(), data.dtype())))
    }
    let layer = |first: usize| Layer {
        weight: parameter(&tensors[first]),
        bias: parameter(&tensors[first + 1]),
    };
    Net {
        first: layer(0),
        second: layer(2),
        gain: parameter(&tensors[4]),
    }
}

/// The result of a recipe, tensor by tensor.
fn run(recipe: &Recipe, base: &[TensorData], models: &[Vec<TensorData>]) -> Vec<Vec<f64>> {
    let nets: Vec<Net> = models.iter().map(|model| net(model)).collect();
    let found = recipe.run(Some(&net(base)), &nets.iter().collect::<Vec<_>>());
    let found = parameters(&found.expect("a model").model).into_iter();
    found.map(|parameter| parameter.values).collect()
}

/// The result of a method for one tensor.
fn alone(
    method: &TaskArithmetic,
    weights: &[ByPath<f64>],
    index: usize,
    base: &[TensorData],
    models: &[Vec<TensorData>],
) -> Vec<f64> {
    let (name, _) = TENSORS[index];
    let weights: Vec<f64> = weights.iter().map(|weight| *weight.at(name)).collect();
    let models: Vec<TensorData> = models.iter().map(|model| model[index].clone()).collect();
    let tensor = MergeTensor::new(name, &models).expect("models");
    let tensor = tensor.with_base(&base[index]).with_weights(&weights);
    values(&method.merge(&tensor).expect("a tensor"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    header: GoldenHeader,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    dtype: String,
    method: TaskArithmetic,
    weights: Vec<ByPath<f64>>,
    merged: BTreeMap<String, Vec<f64>>,
}

#[test]
fn methods_are_those_of_the_reference() {
    let golden: Golden = golden::load("merge", "tasks").expect("a golden file");
    let dtypes = [
        ("f32", DType::F32, 1e-6),
        ("f64", DType::F64, 1e-12),
        ("f16", DType::F16, 1e-6),
        ("bf16", DType::BF16, 1e-6),
    ];
    for (name, dtype, tolerance) in dtypes {
        let mut draws = Draws::new(golden.header.seed);
        let base = drawn(&mut draws, None, dtype);
        let models = [(); 3].map(|()| drawn(&mut draws, Some(&base), dtype));
        let cases = golden.cases.iter().filter(|case| case.dtype == name);
        let mut count = 0;
        for (index, case) in cases.enumerate() {
            count += 1;
            let is_half = matches!(dtype, DType::F16 | DType::BF16);
            let recipe = Recipe::new(case.method.clone()).with_weights(case.weights.clone());
            let whole = (!is_half).then(|| run(&recipe, &base, &models));
            let probe = MergeTensor::new("gain", &models[0][4..]).expect("a model");
            let probe = case.method.merge(&probe.with_base(&base[4]));
            for (place, (path, _)) in TENSORS.iter().enumerate() {
                let expected = &case.merged[*path];
                if let Some(whole) = &whole {
                    let gap = golden::max_difference(&whole[place], expected);
                    assert!(gap <= tolerance, "{name} {index} {path}: {gap}");
                }
                // A threshold over the model takes a recipe.
                if probe.is_ok() {
                    let found = alone(&case.method, &case.weights, place, &base, &models);
                    let gap = golden::max_difference(&found, expected);
                    assert!(gap <= tolerance, "{name} {index} {path} alone: {gap}");
                    // Whatever else the model has.
                    assert!(whole.as_ref().is_none_or(|whole| whole[place] == found));
                }
            }
        }
        assert!(count > 10, "{name}");
    }
}

/// The tensors of a base and of models.
fn inputs(count: usize, dtype: DType) -> (Vec<TensorData>, Vec<Vec<TensorData>>) {
    let mut draws = Draws::new(17);
    let base = drawn(&mut draws, None, dtype);
    let models = (0..count).map(|_| drawn(&mut draws, Some(&base), dtype));
    let models = models.collect();
    (base, models)
}

fn with_everything() -> Vec<TaskArithmetic> {
    let whole = Sparsify::ModelMagnitude { density: 1.0 };
    let means = [
        TaskArithmetic::ties(1.0),
        TaskArithmetic::ties(1.0).with_sparsify(whole),
        TaskArithmetic::new().with_combine(Combine::ElectSign),
        TaskArithmetic::dare(1.0),
        TaskArithmetic::dare(1.0).with_combine(Combine::ElectSign),
        TaskArithmetic::della(1.0, 0.0),
        TaskArithmetic::breadcrumbs(1.0, 0.0),
    ];
    means.to_vec()
}

#[test]
fn equal_models_are_returned_where_nothing_is_dropped() {
    for (dtype, tolerance) in [(DType::F32, 3e-7), (DType::F64, 1e-15)] {
        for count in [1, 2, 5] {
            let (base, models) = inputs(1, dtype);
            let models = vec![models[0].clone(); count];
            let mut methods = with_everything();
            for combine in [Combine::Mean, Combine::Sum] {
                let scale = match combine {
                    Combine::Sum => 1.0 / count as f64,
                    _ => 1.0,
                };
                let dare = TaskArithmetic::dare(1.0).with_combine(combine);
                methods.push(dare.with_scale(scale));
                let plain = TaskArithmetic::new().with_combine(combine);
                methods.push(plain.with_scale(scale));
            }
            for method in methods {
                let found = run(&Recipe::new(method.clone()), &base, &models);
                for (found, model) in found.iter().zip(&models[0]) {
                    let gap = golden::max_difference(found, &values(model));
                    assert!(gap <= tolerance, "{method:?} {count} {dtype:?}: {gap}");
                }
            }
        }
    }
}

#[test]
fn without_a_change_the_base_is_returned() {
    let (base, _) = inputs(1, DType::F32);
    let models = vec![base.clone(); 2];
    for method in [
        TaskArithmetic::ties(0.3),
        TaskArithmetic::ties(0.3).with_sparsify(Sparsify::ModelMagnitude { density: 0.3 }),
        TaskArithmetic::dare(0.3),
        TaskArithmetic::breadcrumbs(0.3, 0.2),
    ] {
        let found = run(&Recipe::new(method), &base, &models);
        let expected: Vec<Vec<f64>> = base.iter().map(values).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn masks_depend_on_seed_model_and_name_only() {
    let (base, models) = inputs(2, DType::F32);
    let method = TaskArithmetic::dare(0.5).with_seed(4);
    let weights = vec![ByPath::new(1.0); 2];
    let whole = run(&Recipe::new(method.clone()), &base, &models);
    for index in [4, 0, 2] {
        let found = alone(&method, &weights, index, &base, &models);
        assert_eq!(found, whole[index]);
        let other = method.clone().with_seed(5);
        let found = alone(&other, &weights, index, &base, &models);
        assert_ne!(found, whole[index]);
    }
    // Both models have their own masks, and names too.
    let ones = [TensorData::from([1.0_f32; 64])];
    let twice = [ones[0].clone(), ones[0].clone()];
    let of = |name: &str, models: &[TensorData], weights: &[f64], keep: f64| {
        let base = zeros_like(&models[0]);
        let tensor = MergeTensor::new(name, models).expect("models");
        let tensor = tensor.with_base(&base).with_weights(weights);
        let found = TaskArithmetic::dare(keep).merge(&tensor);
        kept(&values(&found.expect("a tensor")))
    };
    let first = of("w", &ones, &[1.0], 0.5);
    assert_eq!(of("w", &twice, &[1.0, 0.0], 0.5), first);
    assert_ne!(of("w", &twice, &[0.0, 1.0], 0.5), first);
    assert_ne!(of("v", &ones, &[1.0], 0.5), first);
    // What a smaller probability keeps is kept by a larger one.
    let more = of("w", &ones, &[1.0], 0.7);
    assert!(first.iter().zip(&more).all(|(few, many)| many >= few));
    assert_ne!(first, more);
}

#[derive(Module, Debug)]
struct Vector {
    w: Param<Tensor<1>>,
}

/// Whatever a sample of the elements shows.
#[test]
fn thresholds_over_a_model_are_exact() {
    const LEN: usize = 150_000;
    let vector = |values: Vec<f32>| Vector {
        w: Param::from_tensor(Tensor::from_data(
            TensorData::new(values, [LEN]),
            (&device(), DType::F32),
        )),
    };
    let mut draws = Draws::new(8);
    let even: Vec<f32> = (0..LEN).map(|_| draws.normal() as f32).collect();
    // Small where a sample looks: at the beginning of each of its 63 steps.
    let step = (LEN - 1024) / 63;
    let scaled = even.iter().enumerate();
    let scaled = scaled.map(|(index, value)| {
        let scale = if index % step < 1024 { 1e-4 } else { 1.0 };
        scale * *value
    });
    let uneven: Vec<f32> = scaled.collect();
    let rare = even.iter().enumerate();
    let rare = rare.map(|(index, value)| if index % 10 > 0 { 0.0 } else { *value });
    let rare: Vec<f32> = rare.collect();
    let base = vector(vec![0.0; LEN]);
    for density in [1e-5, 0.2, 0.9] {
        let whole = Sparsify::ModelMagnitude { density };
        let recipe = Recipe::new(TaskArithmetic::new().with_sparsify(whole));
        for values in [&even, &uneven, &rare] {
            let mut sorted: Vec<f32> = values.iter().map(|value| value.abs()).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let threshold = sorted[(density * LEN as f64 - 1e-6).ceil() as usize - 1];
            let expected = values.iter().map(|value| match value.abs() >= threshold {
                true => *value,
                false => 0.0,
            });
            let expected: Vec<f32> = expected.collect();
            let found = recipe.run(Some(&base), &[&vector(values.clone())]);
            let found = found.expect("a model").model.w.val().into_data();
            let found: Vec<f32> = found.iter::<f32>().collect();
            assert!(found == expected, "{density}");
        }
    }
}

fn refusal(method: &TaskArithmetic, weights: &[f64]) -> String {
    method
        .check("w", weights)
        .expect_err("a refusal")
        .to_string()
}

#[test]
fn settings_outside_their_ranges_are_refused() {
    type Task = TaskArithmetic;
    let one = [1.0; 2];
    let whole = Sparsify::ModelMagnitude { density: -0.5 };
    let share = "more than 0, at most 1";
    let epsilon = "0 or more, less than `keep`, which is ";
    for (method, name, value, expected) in [
        (Task::ties(0.0), "density", 0.0, share),
        (Task::ties(1.5), "density", 1.5, share),
        (Task::new().with_sparsify(whole), "density", -0.5, share),
        (Task::dare(0.0), "keep", 0.0, share),
        (
            Task::dare(f64::NAN),
            "keep",
            f64::NAN,
            "a finite number, more than 0",
        ),
        (Task::della(2.0, 0.1), "keep", 2.0, share),
        (Task::della(0.25, 0.25), "epsilon", 0.25, epsilon),
        (Task::della(0.75, 0.375), "epsilon", 0.375, epsilon),
        (Task::della(0.5, -0.125), "epsilon", -0.125, epsilon),
        (Task::della(0.5, f64::NAN), "epsilon", f64::NAN, epsilon),
        (Task::breadcrumbs(0.0, 0.5), "density", 0.0, share),
        (
            Task::breadcrumbs(0.5, 1.0),
            "top",
            1.0,
            "at least 0, less than 1",
        ),
    ] {
        let text = refusal(&method, &one);
        let expected = format!("`{name}` is {value}; use {expected}");
        assert!(text.starts_with(&expected), "{text}");
    }
    let text = refusal(&Task::new().with_scale(f64::INFINITY), &one);
    assert_eq!(text, "`scale` is inf; use a finite number");
    assert_eq!(Task::della(0.9, 0.1).check("w", &one), Ok(()));
    // Only the tensors of a rule.
    let ties = Task::ties(ByPath::new(0.5).with("head", 0.0));
    assert!(ties.check("head.weight", &one).is_err() && ties.check("body", &one).is_ok());
}

#[test]
fn weights_that_have_no_combination_are_refused() {
    let negative = [1.0, -0.5];
    assert_eq!(TaskArithmetic::new().check("w", &negative), Ok(()));
    assert_eq!(TaskArithmetic::new().check("w", &[0.0, 0.0]), Ok(()));
    let text = refusal(&TaskArithmetic::new(), &[f64::NAN, 1.0]);
    assert_eq!(text, "`weights` is NaN; use a finite number");
    for method in [TaskArithmetic::ties(0.5), TaskArithmetic::dare(0.5)] {
        let text = refusal(&method, &negative);
        assert_eq!(text, "`weights` is -0.5; use 0 or more");
        let text = refusal(&method, &[0.0, 0.0]);
        assert_eq!(
            text,
            "`weights` is 0; use weights whose sum is positive and finite"
        );
        assert!(refusal(&method, &[f64::MAX, f64::MAX]).contains("inf"));
    }
}

#[test]
fn a_base_and_a_look_at_the_model_are_needed() {
    let (base, models) = inputs(2, DType::F32);
    let elect = |method: TaskArithmetic| method.with_combine(Combine::ElectSign);
    let [plain, dare] = [TaskArithmetic::new(), TaskArithmetic::dare(0.5)];
    let della = TaskArithmetic::della(0.5, 0.1);
    let breadcrumbs = TaskArithmetic::breadcrumbs(0.5, 0.1);
    let whole = Sparsify::ModelMagnitude { density: 0.5 };
    let whole = TaskArithmetic::ties(0.5).with_sparsify(whole);
    let methods = [
        (plain.clone(), "task-arithmetic"),
        (elect(plain), "ties"),
        (TaskArithmetic::ties(0.5), "ties"),
        (whole.clone(), "ties"),
        (whole.clone().with_combine(Combine::Sum), "magnitude"),
        (dare.clone(), "dare"),
        (elect(dare), "dare-ties"),
        (della.clone(), "della"),
        (elect(della), "della-ties"),
        (breadcrumbs.clone(), "breadcrumbs"),
        (elect(breadcrumbs), "breadcrumbs-ties"),
    ];
    let nets: Vec<Net> = models.iter().map(|model| net(model)).collect();
    for (method, name) in methods {
        assert_eq!(method.name(), name);
        assert!(method.needs_base());
        let no_base = MergeError::NoBase {
            method: name.to_string(),
        };
        let tensor = MergeTensor::new("gain", &models[0][4..]).expect("a model");
        assert_eq!(method.merge(&tensor).expect_err("a refusal"), no_base);
        let found = Recipe::new(method).run(None, &[&nets[0], &nets[1]]);
        assert_eq!(found.err(), Some(no_base));
    }
    let tensor = MergeTensor::new("gain", &models[0][4..]).expect("a model");
    let error = whole
        .merge(&tensor.with_base(&base[4]))
        .expect_err("a refusal");
    let text = error.to_string();
    assert!(text.contains("`ties`") && text.contains("`gain`"), "{text}");
    assert!(text.contains("`Recipe`"), "{text}");
}
