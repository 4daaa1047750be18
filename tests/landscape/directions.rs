//! Directions against their definitions.

use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::krylov::{Eigenpairs, EigenpairsConfig, Which};
use burnscape::landscape::{Direction, DirectionKind, DirectionRecord, LandscapeError};
use burnscape::prelude::*;
use burnscape::space::{DirectionNorm, SpaceError, UnfilteredRule};
use burnscape_testkit::models::TwoLayers;
use burnscape_testkit::objectives::Point;

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(values, shape);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn waves(len: usize, phase: f64) -> Vec<f64> {
    (0..len).map(|i| (1.3 * i as f64 + phase).sin()).collect()
}

/// A layer with a bias.
fn layer([from, to]: [usize; 2], weight: Vec<f64>, bias: Vec<f64>) -> Linear {
    Linear {
        weight: Param::from_tensor(tensor(weight, [from, to])),
        bias: Some(Param::from_tensor(tensor(bias, [to]))),
    }
}

fn network() -> TwoLayers {
    TwoLayers {
        first: layer([3, 5], waves(15, 0.2), waves(5, 0.4)),
        second: layer([5, 2], waves(10, 0.7), waves(2, 0.1)),
    }
}

fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default(), DType::F64)
}

fn vector(model: &Point, values: &[f64]) -> ParamVector {
    ParamVector::from_host(&ParamSpace::of(model).unwrap(), values).unwrap()
}

/// `½ Σ hᵢ wᵢ²`.
fn quadratic(model: &Point, h: Tensor<1>) -> Tensor<1> {
    (model.w.val().square() * h).sum() * 0.5
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (one, other) in found.iter().zip(expected) {
        assert!((one - other).abs() <= tolerance, "{found:?} {expected:?}");
    }
}

#[test]
fn lengths_are_known_beforehand() {
    let model = network();
    let space = ParamSpace::of(&model).unwrap();
    let weights = ParamVector::from_module(&space, &model).unwrap();
    let squares: Vec<f64> = weights
        .leaf_norms()
        .unwrap()
        .iter()
        .map(|norm| norm * norm)
        .collect();
    // Weight, bias, weight, bias.
    let (matrices, all) = (squares[0] + squares[2], squares.iter().sum::<f64>());
    let (zero, whole) = (UnfilteredRule::Zero, UnfilteredRule::AsOneFilter);
    for (norm, square) in [
        (DirectionNorm::Filter(zero), matrices),
        (DirectionNorm::Filter(whole), all),
        (DirectionNorm::Layer(zero), matrices),
        (DirectionNorm::Layer(whole), all),
        (DirectionNorm::UnitFilter(zero), 5.0 + 2.0),
        (DirectionNorm::UnitFilter(whole), 5.0 + 1.0 + 2.0 + 1.0),
        (DirectionNorm::UnitLayer(zero), 2.0),
        (DirectionNorm::UnitLayer(whole), 4.0),
        (DirectionNorm::Sphere, 1.0),
    ] {
        for seed in 0..3 {
            let direction = Direction::random(&space, &model, norm, seed).unwrap();
            let length = direction.vector().norm().unwrap();
            assert!((length * length / square - 1.0).abs() < 1e-13, "{norm}");
            assert_eq!(direction.kind(), &DirectionKind::Random { norm, seed });
        }
    }
}

#[test]
fn one_seed_gives_one_direction_and_another_seed_another() {
    let model = network();
    let space = ParamSpace::of(&model).unwrap();
    let numbers = |norm, seed| {
        let direction = Direction::random(&space, &model, norm, seed).unwrap();
        direction.vector().to_host().unwrap()
    };
    let norm = DirectionNorm::Filter(UnfilteredRule::AsOneFilter);
    assert_eq!(numbers(norm, 3), numbers(norm, 3));
    assert_ne!(numbers(norm, 3), numbers(norm, 4));
    let sphere = ParamVector::sphere(&space, 3).unwrap();
    assert_eq!(numbers(DirectionNorm::Sphere, 3), sphere.to_host().unwrap());
}

#[test]
fn a_model_without_filters_needs_another_rule_than_zero() {
    let model = point(&[1.0, -2.0]);
    let space = ParamSpace::of(&model).unwrap();
    let random = |rule| Direction::random(&space, &model, DirectionNorm::Filter(rule), 1);
    let error = random(UnfilteredRule::Zero).map(drop).unwrap_err();
    assert_eq!(error, SpaceError::NoDirection { norm: 0.0 });
    assert!(error.to_string().contains("AsOneFilter"), "{error}");
    for rule in [
        UnfilteredRule::AsOneFilter,
        UnfilteredRule::Keep,
        UnfilteredRule::OwnWeights,
    ] {
        assert!(random(rule).is_ok(), "{rule}");
    }
}

#[test]
fn directions_with_the_models_own_biases_are_far_from_orthogonal() {
    let mut model = network();
    model.first.bias = Some(Param::from_tensor(tensor(vec![2.0; 5], [5])));
    let space = ParamSpace::of(&model).unwrap();
    let weights = ParamVector::from_module(&space, &model).unwrap();
    let squares = weights.leaf_norms().unwrap();
    let squares: Vec<f64> = squares.iter().map(|norm| norm * norm).collect();
    let pair = |rule| {
        [1, 2].map(|seed| {
            let norm = DirectionNorm::Filter(rule);
            let direction = Direction::random(&space, &model, norm, seed).unwrap();
            direction.vector().clone()
        })
    };
    let [a, b] = pair(UnfilteredRule::OwnWeights);
    let [c, d] = pair(UnfilteredRule::Zero);
    let size = a.norm().unwrap() * b.norm().unwrap();
    let cosine = a.dot(&b).unwrap() / size;
    let all: f64 = squares.iter().sum();
    let shared = squares[1] + squares[3];
    let expected = (c.dot(&d).unwrap() + shared) / all;
    println!(
        "cosine {cosine:.3} of two directions that share {:.3} of |w|²",
        shared / all
    );
    assert!((cosine - expected).abs() < 1e-14, "{cosine} {expected}");
    assert!(cosine > 0.2, "{cosine}");
}

/// A ReLU network without biases: the first layer times a factor, the second divided by it.
fn relu_pair(factor: f64) -> TwoLayers {
    let scaled = |len, phase, factor: f64| -> Vec<f64> {
        waves(len, phase).iter().map(|x| x * factor).collect()
    };
    let layer = |[from, to]: [usize; 2], weight| Linear {
        weight: Param::from_tensor(tensor(weight, [from, to])),
        bias: None,
    };
    TwoLayers {
        first: layer([3, 5], scaled(15, 0.2, factor)),
        second: layer([5, 2], scaled(10, 0.7, 1.0 / factor)),
    }
}

#[test]
fn filter_normalization_undoes_rescaling() {
    let loss = |net: &TwoLayers, x: Tensor<2>| net.forward(x, relu).square().mean();
    let data = [tensor(waves(24, 0.3), [8, 3])];
    let risk = Risk::new(&loss, &data);
    let curve = |factor: f64, norm, seed| -> Vec<f64> {
        let model = relu_pair(factor);
        let space = ParamSpace::of(&model).unwrap();
        let direction = Direction::random(&space, &model, norm, seed).unwrap();
        let at = |x: f64| {
            let moved = direction.vector().perturb(&model, x).unwrap();
            risk.loss(&moved).unwrap().value
        };
        [-1.0, -0.4, 0.0, 0.3, 1.0].map(at).to_vec()
    };
    let largest = |norm, seed| {
        let (plain, rescaled) = (curve(1.0, norm, seed), curve(8.0, norm, seed));
        let pairs = plain.iter().zip(&rescaled);
        let differences = pairs.map(|(one, other)| (other / one - 1.0).abs());
        differences.fold(0.0, f64::max)
    };
    let rule = UnfilteredRule::Zero;
    for seed in 0..3 {
        for norm in [
            DirectionNorm::Filter(rule),
            DirectionNorm::Layer(rule),
            DirectionNorm::Weight(rule),
        ] {
            let found = largest(norm, seed);
            assert!(found < 1e-9, "{norm}: {found}");
        }
        for norm in [
            DirectionNorm::Sphere,
            DirectionNorm::UnitFilter(rule),
            DirectionNorm::UnitLayer(rule),
        ] {
            let found = largest(norm, seed);
            assert!(found > 0.1, "{norm}: {found}");
        }
    }
}

#[test]
fn eigenvectors_stay_as_they_are_and_point_in_a_fixed_direction() {
    let (model, data) = (point(&[1.0, -2.0, 0.5]), [tensor(vec![1.0, 9.0, 4.0], [3])]);
    let risk = Risk::new(&quadratic, &data);
    let hessian = risk.hessian(&model).unwrap();
    let mut pairs = EigenpairsConfig::new(2, Which::Largest)
        .run(&hessian)
        .unwrap();
    for sign in [1.0, -1.0] {
        pairs.vectors = pairs
            .vectors
            .iter()
            .map(|v| v.clone().scale(sign))
            .collect();
        let directions = Direction::eigenvectors(&pairs).unwrap();
        for (index, axis) in [1, 2].into_iter().enumerate() {
            let found = directions[index].vector().to_host().unwrap();
            let given = pairs.vectors[index].to_host().unwrap();
            let mirrored: Vec<f64> = given.iter().map(|x| -x).collect();
            assert!(found == given || found == mirrored, "{found:?} {given:?}");
            assert!(found[axis] > 0.99, "{found:?}");
            let eigenvalue = pairs.values[index];
            let kind = DirectionKind::Eigenvector { eigenvalue };
            assert_eq!(directions[index].kind(), &kind);
        }
    }
    // Neither normalized nor rounded; the first of equals is positive.
    for (given, expected) in [
        ([-2.0, 2.0, 1.0], [2.0, -2.0, -1.0]),
        ([2.0, -2.0, 1.0], [2.0, -2.0, 1.0]),
        ([0.5, 0.25, -3.0], [-0.5, -0.25, 3.0]),
    ] {
        pairs.vectors[0] = vector(&model, &given);
        let directions = Direction::eigenvectors(&pairs).unwrap();
        assert_eq!(directions[0].vector().to_host().unwrap(), expected);
    }
}

#[test]
fn eigenvalues_without_their_vectors_are_refused() {
    let (model, data) = (point(&[1.0, -2.0, 0.5]), [tensor(vec![1.0, 9.0, 4.0], [3])]);
    let risk = Risk::new(&quadratic, &data);
    let hessian = risk.hessian(&model).unwrap();
    let pairs = EigenpairsConfig::new(2, Which::Largest)
        .run(&hessian)
        .unwrap();
    let read: Eigenpairs<ParamVector> = Eigenpairs::from_json(&pairs.to_json().unwrap()).unwrap();
    let mut fewer = pairs;
    fewer.vectors.pop();
    let left = fewer.vectors.len();
    for (pairs, vectors) in [(read, 0), (fewer, left)] {
        let error = Direction::eigenvectors(&pairs).unwrap_err();
        let values = pairs.values.len();
        assert_eq!(error, LandscapeError::MissingVectors { values, vectors });
        assert!(error.to_string().contains("JSON"), "{error}");
    }
}

#[test]
fn directions_between_models_end_at_the_second_one() {
    let (a, b) = (point(&[1.0, -2.0, 0.5]), point(&[0.5, 1.0, -0.25]));
    let between = Direction::between(&a, &b).unwrap();
    assert_eq!(between.kind(), &DirectionKind::BetweenModels);
    assert_eq!(between.vector().to_host().unwrap(), [-0.5, 3.0, -0.75]);
    let end = between.vector().perturb(&a, 1.0).unwrap();
    assert_eq!(end.coordinates(), b.coordinates());
    let update = Direction::update(&a, &b).unwrap();
    assert_eq!(update.kind(), &DirectionKind::Update);
    assert_eq!(
        update.vector().to_host().unwrap(),
        between.vector().to_host().unwrap()
    );
    let error = Direction::between(&a, &point(&[1.0])).unwrap_err();
    assert!(matches!(error, SpaceError::DifferentSpaces { .. }));
    let linear = |bias| {
        LinearConfig::new(2, 1)
            .with_bias(bias)
            .init(&Device::default())
    };
    assert!(Direction::between(&linear(true), &linear(false)).is_err());
}

#[test]
fn the_gradient_is_the_direction_of_ascent_as_long_as_the_slope() {
    let (model, data) = (point(&[1.0, -2.0]), [tensor(vec![4.0, 0.5], [2])]);
    let risk = Risk::new(&quadratic, &data);
    let gradient = Direction::gradient(&risk, &model).unwrap();
    assert_eq!(gradient.kind(), &DirectionKind::Gradient);
    assert_eq!(gradient.vector().to_host().unwrap(), [4.0, -1.0]);
}

fn named(model: &Point, name: &str, values: &[f64]) -> Direction {
    Direction::new(
        DirectionKind::Other(name.to_string()),
        vector(model, values),
    )
}

#[test]
fn orthogonalized_directions_keep_their_lengths() {
    let model = point(&[0.0; 4]);
    let given = vec![
        named(&model, "x", &[2.0, 0.0, 0.0, 0.0]),
        named(&model, "y", &[3.0, 4.0, 0.0, 0.0]),
        named(&model, "z", &[1.0, -2.0, 0.5, 3.0]),
    ];
    let lengths: Vec<f64> = given.iter().map(|d| d.vector().norm().unwrap()).collect();
    let found = Direction::orthogonalized(given).unwrap();
    assert_eq!(found[0].vector().to_host().unwrap(), [2.0, 0.0, 0.0, 0.0]);
    assert_eq!(found[0].kind(), &DirectionKind::Other("x".to_string()));
    assert_near(
        &found[1].vector().to_host().unwrap(),
        &[0.0, 5.0, 0.0, 0.0],
        1e-14,
    );
    let kind = DirectionKind::Other("y".to_string());
    assert_eq!(
        found[1].kind(),
        &DirectionKind::Orthogonalized(Box::new(kind))
    );
    for (a, (first, length)) in found.iter().zip(lengths).enumerate() {
        assert!((first.vector().norm().unwrap() / length - 1.0).abs() < 1e-14);
        for second in &found[..a] {
            assert!(first.vector().dot(second.vector()).unwrap().abs() < 1e-14);
        }
    }
    assert!(Direction::orthogonalized(Vec::new()).unwrap().is_empty());
}

#[test]
fn directions_a_millionth_apart_span_a_plane_in_double_precision() {
    let model = point(&[0.0, 0.0]);
    let (x, y) = (
        named(&model, "x", &[2.0, 0.0]),
        named(&model, "y", &[2.0, 2e-6]),
    );
    let pair = Direction::orthogonalized(vec![x, y]).unwrap();
    assert_near(&pair[1].vector().to_host().unwrap(), &[0.0, 2.0], 1e-8);
}

#[test]
fn directions_that_cannot_be_orthogonalized_are_refused() {
    let model = point(&[0.0; 3]);
    let refused = |vectors: &[[f64; 3]]| {
        let directions = vectors.iter().map(|values| named(&model, "given", values));
        Direction::orthogonalized(directions.collect()).unwrap_err()
    };
    for (factor, sign) in [(3.0, 1.0), (-0.1, -1.0)] {
        let other = [1.0, 2.0, -0.5].map(|x| factor * x);
        let error = refused(&[[1.0, 2.0, -0.5], other]);
        let text = error.to_string();
        let LandscapeError::Parallel { index, cosine } = error else {
            panic!("{text}");
        };
        assert_eq!(index, 1);
        assert!((cosine - sign).abs() < 1e-14, "{cosine}");
        assert!(text.contains(&format!("cosine {cosine}")), "{text}");
    }
    let error = refused(&[[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [3.0, -1.0, 0.0]]);
    assert!(
        matches!(error, LandscapeError::Parallel { index: 2, cosine } if cosine > 1.0 - 1e-14),
        "{error}"
    );
    let error = refused(&[[0.0; 3], [1.0, 2.0, 0.0]]);
    assert_eq!(
        error,
        LandscapeError::NoDirection {
            index: 0,
            norm: 0.0
        }
    );
    let error = refused(&[[1.0, 2.0, 0.0], [f64::INFINITY, 0.0, 0.0]]);
    assert!(
        matches!(error, LandscapeError::NoDirection { index: 1, .. }),
        "{error}"
    );
    let mixed = vec![
        named(&model, "x", &[1.0, 0.0, 0.0]),
        named(&point(&[0.0; 2]), "y", &[1.0, 0.0]),
    ];
    let error = Direction::orthogonalized(mixed).unwrap_err();
    assert!(matches!(
        error,
        LandscapeError::Space(SpaceError::DifferentSpaces { .. })
    ));
}

#[test]
fn every_kind_is_a_phrase_and_goes_through_json() {
    let norm = DirectionNorm::Filter(UnfilteredRule::OwnWeights);
    let infinite = DirectionKind::Eigenvector {
        eigenvalue: f64::INFINITY,
    };
    for (kind, phrase) in [
        (
            DirectionKind::Random { norm, seed: 7 },
            "random, filter (own weights), seed 7",
        ),
        (
            DirectionKind::Eigenvector { eigenvalue: 12.5 },
            "eigenvector of eigenvalue 1.250e1",
        ),
        (infinite, "eigenvector of eigenvalue inf"),
        (DirectionKind::BetweenModels, "difference of two models"),
        (DirectionKind::Gradient, "gradient"),
        (DirectionKind::Update, "step of an optimizer"),
        (DirectionKind::WorstCase, "worst case"),
        (
            DirectionKind::PrincipalComponent {
                index: 1,
                share: 0.25,
            },
            "principal component 2 (25.0 %)",
        ),
        (
            DirectionKind::Orthogonalized(Box::new(DirectionKind::Gradient)),
            "gradient, orthogonalized",
        ),
        (DirectionKind::Other("mine".to_string()), "mine"),
    ] {
        assert_eq!(kind.to_string(), phrase);
        let text = kind.to_json().unwrap();
        assert_eq!(DirectionKind::from_json(&text).unwrap(), kind, "{text}");
    }
    let text = DirectionKind::WorstCase.to_json().unwrap();
    assert_eq!(text, "\"worst_case\"");
}

#[test]
fn a_record_is_read_with_an_infinite_length() {
    let text = r#"{"kind":"gradient","norm":2.0,"relative_norm":"inf"}"#;
    let record = DirectionRecord::from_json(text).unwrap();
    assert_eq!(record.kind, DirectionKind::Gradient);
    assert_eq!((record.norm, record.relative_norm), (2.0, f64::INFINITY));
    assert_eq!(record.to_json().unwrap(), text);
}
