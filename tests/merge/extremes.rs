//! Merges at the ends: tensors without elements and with one, the largest and the smallest numbers, bases of zero.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::merge::{
    Average, Combine, IsotropicMerge, KarcherMean, MergeError, MergeMethod, MergeTensor,
    ModelStock, Recipe, RegMean, Slerp, SlerpUnit, Take, TaskArithmetic, TaskSingularVectors,
    TensorMap, TensorStore, slerp,
};

use crate::element::device;

/// Methods of two models, the spherical ones by filter.
fn methods() -> Vec<Box<dyn MergeMethod>> {
    vec![
        Box::new(Average),
        Box::new(Take::Model(1)),
        Box::new(Take::Base),
        Box::new(Slerp::new()),
        Box::new(Slerp::new().with_unit(SlerpUnit::Filter)),
        Box::new(KarcherMean::new()),
        Box::new(KarcherMean::new().with_unit(SlerpUnit::Filter)),
        Box::new(ModelStock),
        Box::new(TaskArithmetic::new()),
        Box::new(TaskArithmetic::ties(0.5)),
        Box::new(TaskArithmetic::dare(0.5)),
        Box::new(TaskArithmetic::della(0.5, 0.25)),
        Box::new(TaskArithmetic::breadcrumbs(0.5, 0.25)),
        Box::new(TaskSingularVectors::new()),
        Box::new(IsotropicMerge::new()),
    ]
}

fn values(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

fn merged(
    method: &dyn MergeMethod,
    models: &[TensorData],
    base: &TensorData,
) -> Result<TensorData, MergeError> {
    let tensor = MergeTensor::new("w", models)?.with_base(base);
    let axis = (tensor.shape().len() > 1).then_some(0);
    method.merge(&tensor.with_filter_axis(axis))
}

#[test]
fn a_tensor_without_elements_stays_one_whatever_its_other_axes() {
    let shapes: [&[usize]; 5] = [&[0], &[0, 3], &[3, 0], &[1 << 42, 0], &[0, 1 << 42]];
    for shape in shapes {
        let empty = TensorData::new(Vec::<f32>::new(), shape.to_vec());
        let models = [empty.clone(), empty.clone()];
        for method in methods() {
            let found = merged(&*method, &models, &empty).expect("an empty tensor");
            assert_eq!(found, empty, "{method:?}");
        }
    }
}

#[test]
fn a_tensor_of_one_element_is_a_number() {
    let shapes: [Vec<usize>; 3] = [vec![], vec![1], vec![1, 1]];
    for shape in shapes {
        let number = |value: f64| TensorData::new(vec![value], shape.clone());
        let (models, base) = ([number(2.0), number(-1.0)], number(0.0));
        for method in methods() {
            let found = merged(&*method, &models, &base).expect("a number");
            assert_eq!(found.shape(), base.shape(), "{method:?}");
            assert!(values(&found)[0].abs() <= 8.0, "{method:?}");
        }
        // No arc connects numbers of different signs, and their mean is on the line.
        for unit in [SlerpUnit::Tensor, SlerpUnit::Filter, SlerpUnit::Model] {
            let arcs: [Box<dyn MergeMethod>; 2] = [
                Box::new(Slerp::new().with_unit(unit)),
                Box::new(KarcherMean::new().with_unit(unit)),
            ];
            for method in arcs {
                let found = merged(&*method, &models, &base).expect("a number");
                assert_eq!(values(&found), [0.5], "{method:?}");
            }
        }
    }
}

/// A power of two commutes with all methods, bit by bit, also where squares are no numbers of f64.
#[test]
fn methods_commute_with_scales() {
    let wave = |phase: f64| -> Vec<f64> {
        let numbers = (0..12).map(|index| (phase + 1.7 * f64::from(index)).sin());
        numbers.collect()
    };
    let of = |size: f64, phase: f64| {
        let numbers = wave(phase).into_iter().map(|value| size * value);
        TensorData::new(numbers.collect::<Vec<f64>>(), [3, 4])
    };
    let at = |method: &dyn MergeMethod, size: f64| {
        let models = [of(size, 0.3), of(size, 0.5)];
        values(&merged(method, &models, &of(size, 0.1)).expect("a tensor"))
    };
    for exponent in [-660, 660] {
        let size = 2.0_f64.powi(exponent);
        for method in methods() {
            // Singular values are found by divisions by the largest number.
            let tolerance = match method.name().as_str() {
                "tsv-m" | "iso-c" => 1e-12,
                _ => 0.0,
            };
            let plain = at(&*method, 1.0);
            for (plain, found) in plain.iter().zip(at(&*method, size)) {
                let gap = (plain - found / size).abs();
                assert!(gap <= tolerance, "{exponent} {method:?}: {plain} {found}");
            }
        }
    }
}

#[test]
fn arcs_and_angles_have_no_squares() {
    for size in [1e-200, 1e200] {
        let models = [[3.0 * size, 0.0], [0.0, size]].map(TensorData::from);
        let base = TensorData::from([0.0_f64, 0.0]);
        let near = |method: &dyn MergeMethod, expected: [f64; 2]| {
            let found = values(&merged(method, &models, &base).expect("a tensor"));
            for (found, expected) in found.iter().zip(expected) {
                assert!((found / size - expected).abs() < 1e-14, "{found}");
            }
        };
        let root = 0.5_f64.sqrt();
        near(&Slerp::new(), [3.0 * root, root]);
        near(&KarcherMean::new(), [2.0 * root, 2.0 * root]);
        near(&ModelStock, [0.0, 0.0]);
        let equal = [models[0].clone(), models[0].clone()];
        let found = merged(&ModelStock, &equal, &base).expect("a tensor");
        assert_eq!(found, models[0]);
    }
}

#[test]
fn weights_of_any_size_have_a_mean() {
    let models = [[1.0, 3e307], [3.0, -3e307]].map(TensorData::from);
    let base = TensorData::from([0.0_f64, 0.0]);
    let mean: [Box<dyn MergeMethod>; 3] = [
        Box::new(Average),
        Box::new(TaskArithmetic::new().with_combine(Combine::Mean)),
        Box::new(KarcherMean::new()),
    ];
    for size in [1.0, 1e-300, 8e307] {
        for method in &mean[..2] {
            let tensor = MergeTensor::new("w", &models).expect("models");
            let weights = [size, size];
            let tensor = tensor.with_base(&base).with_weights(&weights);
            let found = method.merge(&tensor).expect("a mean");
            let found = values(&found);
            assert!((found[0] - 2.0).abs() < 1e-14, "{method:?}: {found:?}");
            assert_eq!(found[1], 0.0, "{method:?}");
        }
    }
    for method in mean {
        let models = [[2.0, 1.0], [4.0, 2.0]].map(TensorData::from);
        let tensor = MergeTensor::new("w", &models).expect("models");
        let weights = [1e308, 1e300];
        let tensor = tensor.with_base(&base).with_weights(&weights);
        let found = values(&method.merge(&tensor).expect("a mean"));
        let expected = 2.0 * (1.0 + 1e-8);
        assert!((found[0] - expected).abs() < 1e-13, "{method:?}: {found:?}");
    }
}

#[test]
fn zeros_have_no_angles() {
    let zero = TensorData::from([0.0_f32, 0.0]);
    let one = TensorData::from([2.0_f32, -4.0]);
    let run = |method: &dyn MergeMethod, models: [&TensorData; 2], base: &TensorData| {
        values(&merged(method, &models.map(Clone::clone), base).expect("a tensor"))
    };
    let arcs: [Box<dyn MergeMethod>; 2] = [Box::new(Slerp::new()), Box::new(KarcherMean::new())];
    for method in arcs {
        assert_eq!(run(&*method, [&zero, &zero], &zero), [0.0, 0.0]);
        // Half as long.
        assert_eq!(run(&*method, [&one, &zero], &zero), [1.0, -2.0]);
        assert_eq!(run(&*method, [&zero, &one], &zero), [1.0, -2.0]);
    }
    // A base of zero, and models that are the base.
    assert_eq!(run(&ModelStock, [&one, &one], &zero), [2.0, -4.0]);
    assert_eq!(run(&ModelStock, [&zero, &zero], &zero), [0.0, 0.0]);
    assert_eq!(run(&ModelStock, [&one, &one], &one), [2.0, -4.0]);
    assert_eq!(run(&ModelStock, [&one, &zero], &zero), [0.0, 0.0]);
}

/// Models on both sides of the base are the base.
#[test]
fn model_stock_of_opposite_models_is_the_base() {
    let base = TensorData::from([1.0_f64, 1.0]);
    for other in [[0.0, 2.0], [2.0, 0.0], [0.0, 0.0], [-2.0, 1.0]] {
        let models = [TensorData::from([2.0_f64, 2.0]), TensorData::from(other)];
        let tensor = MergeTensor::new("w", &models).expect("models");
        let tensor = tensor.with_base(&base);
        assert_eq!(ModelStock.ratio(&tensor), Ok(0.0), "{other:?}");
        assert_eq!(ModelStock.merge(&tensor).expect("a tensor"), base);
    }
}

#[derive(Module, Debug)]
struct Vector {
    w: Param<Tensor<1>>,
}

fn vector(values: &[f64], dtype: DType) -> Vector {
    let data = TensorData::new(values.to_vec(), [values.len()]).convert_dtype(dtype);
    Vector {
        w: Param::from_tensor(Tensor::from_data(data, (&device(), dtype))),
    }
}

#[test]
fn results_that_are_too_large_for_their_type_are_refused() {
    let sum = Recipe::new(TaskArithmetic::new());
    for (dtype, size, name) in [
        (DType::F16, 6e4, "f16"),
        (DType::BF16, 3e38, "bf16"),
        (DType::F32, 3e38, "f32"),
        (DType::F64, 1.5e308, "f64"),
    ] {
        let base = vector(&[0.0, 0.0], dtype);
        let model = vector(&[1.0, -size], dtype);
        let error = sum.run(Some(&base), &[&model, &model]).err();
        let expected = MergeError::Method {
            method: "task-arithmetic".to_string(),
            tensor: "w".to_string(),
            message: format!(
                "element 1 is -inf as {name}; choose a wider element type, or a smaller scale"
            ),
        };
        assert_eq!(error, Some(expected));
        assert!(sum.run(Some(&base), &[&model]).is_ok(), "{name}");
        let mean = Recipe::new(Average).run(None, &[&model, &model]);
        let mean = mean.expect("a mean").model.w.val().into_data();
        assert_eq!(mean, model.w.val().into_data());
    }
    // On the arc an element may be as large as the norm.
    let [a, b] = [[6e4, 6e4], [-6e4, 6e4]].map(|values| vector(&values, DType::F16));
    let error = slerp(&a, &b, 0.5, SlerpUnit::Tensor).expect_err("a refusal");
    let text = error.to_string();
    assert!(text.contains("element 1 is inf as f16"), "{text}");
}

#[test]
fn differences_of_large_numbers_are_finite() {
    // Of numbers of f32, which their difference is not.
    let large = f64::from(3e38_f32);
    let base = vector(&[-large, 0.0, 0.0, 0.0], DType::F32);
    let model = vector(&[large, 1.0, 2.0, 3.0], DType::F32);
    let elected = TaskArithmetic::new().with_combine(Combine::ElectSign);
    for (method, expected) in [
        (elected, [large, 1.0, 2.0, 3.0]),
        (TaskArithmetic::ties(0.25), [large, 0.0, 0.0, 0.0]),
        (
            TaskArithmetic::breadcrumbs(0.5, 0.25),
            [-large, 0.0, 2.0, 3.0],
        ),
    ] {
        let found = Recipe::new(method).run(Some(&base), &[&model, &model]);
        let found = found.expect("a model").model.w.val().into_data();
        assert_eq!(values(&found), expected);
    }
}

#[test]
fn what_half_precision_hides_is_told_apart_from_what_is_not_there() {
    let models = [[[1.0_f64], [2.0]], [[3.0], [4.0]]].map(TensorData::from);
    let tensor = MergeTensor::new("w", &models).expect("models");
    let tensor = tensor.with_filter_axis(Some(1));
    let run = |gram: [[f64; 2]; 2], dtype: DType| {
        let mut map = TensorMap::new();
        map.insert("w", TensorData::from(gram).convert_dtype(dtype));
        let store: Arc<dyn TensorStore> = Arc::new(map);
        let method = RegMean::new(vec![store.clone(), store]).with_off_diagonal(1.0);
        method.merge(&tensor)
    };
    let near = [[1.0, 0.953125], [0.953125, 1.0]];
    for dtype in [DType::F32, DType::F64, DType::F16] {
        let found = run(near, dtype).expect("a tensor");
        for (found, expected) in values(&found).into_iter().zip([2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{dtype:?}");
        }
    }
    let error = run(near, DType::BF16).expect_err("a refusal");
    assert!(matches!(error, MergeError::Statistics { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("in bf16; store them in f32 or f64"), "{text}");
    for dtype in [DType::BF16, DType::F64] {
        let error = run([[1.0, 0.0], [0.0, 0.0]], dtype).expect_err("a refusal");
        let tensor = "w".to_string();
        let (rank, size) = (1, 2);
        assert_eq!(error, MergeError::Singular { tensor, rank, size });
    }
}
