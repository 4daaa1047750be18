//! Norms of directions against their formulas.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::prelude::*;
use burnscape::sharpness::{AverageSharpnessConfig, SharpnessError};
use burnscape::space::{DirectionNorm, Scale, SpaceError, UnfilteredRule};
use burnscape_testkit::objectives::Point;

const RULES: [UnfilteredRule; 4] = [
    UnfilteredRule::Zero,
    UnfilteredRule::AsOneFilter,
    UnfilteredRule::Keep,
    UnfilteredRule::OwnWeights,
];

/// Every norm with a rule.
const NORMS: [fn(UnfilteredRule) -> DirectionNorm; 5] = [
    DirectionNorm::Filter,
    DirectionNorm::Layer,
    DirectionNorm::Weight,
    DirectionNorm::UnitFilter,
    DirectionNorm::UnitLayer,
];

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(values, shape);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (one, other) in found.iter().zip(expected) {
        assert!((one - other).abs() <= tolerance, "{found:?} {expected:?}");
    }
}

/// Filters and a bias, as the numbers of a layer: filters are the columns of its weight.
fn flat(filters: [[f64; 2]; 3], bias: [f64; 3]) -> Vec<f64> {
    let by_input = [0, 1].map(|input| filters.map(|filter| filter[input]));
    [by_input[0], by_input[1], bias].concat()
}

/// A layer with filters (3, 4), (0, 0), (1, 2) and bias (1, 2, 2), and a direction.
fn example() -> (ParamVector, ParamVector) {
    let weights = flat([[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]], [1.0, 2.0, 2.0]);
    let z = flat([[1.0, 1.0], [2.0, 2.0], [2.0, 1.0]], [1.0, 0.0, 1.0]);
    let model = Linear {
        weight: Param::from_tensor(tensor(weights[..6].to_vec(), [2, 3])),
        bias: Some(Param::from_tensor(tensor(weights[6..].to_vec(), [3]))),
    };
    let space = ParamSpace::of(&model).unwrap();
    let [weights, z] = [weights, z].map(|values| ParamVector::from_host(&space, &values).unwrap());
    (weights, z)
}

#[test]
fn every_norm_gives_the_direction_of_its_formula() {
    let (weights, z) = example();
    let normalized = |norm: DirectionNorm| norm.normalize(z.clone(), &weights).unwrap();
    let numbers = |norm| normalized(norm).to_host().unwrap();
    let zero = [0.0; 3];
    let rule = UnfilteredRule::Zero;

    let filter = normalized(DirectionNorm::Filter(rule));
    let expected = flat([[3.53553391, 3.53553391], [0.0, 0.0], [2.0, 1.0]], zero);
    assert_near(&filter.to_host().unwrap(), &expected, 5e-9);
    let norms = filter.filter_norms().unwrap();
    assert_near(&norms[0], &[5.0, 0.0, 5.0_f64.sqrt()], 1e-14);
    assert!((filter.norm().unwrap() - 5.47722558).abs() < 5e-9);

    let layer = normalized(DirectionNorm::Layer(rule));
    let (one, two) = (2.0_f64.sqrt(), 2.0 * 2.0_f64.sqrt());
    let expected = flat([[one, one], [two, two], [two, one]], zero);
    assert_near(&layer.to_host().unwrap(), &expected, 1e-14);
    assert!((layer.norm().unwrap() - 5.47722558).abs() < 5e-9);

    let expected = flat([[3.0, 4.0], [0.0, 0.0], [2.0, 2.0]], zero);
    assert_near(&numbers(DirectionNorm::Weight(rule)), &expected, 0.0);

    let (half, fifth) = (0.5_f64.sqrt(), 0.2_f64.sqrt());
    let expected = flat([[half, half], [half, half], [2.0 * fifth, fifth]], zero);
    assert_near(&numbers(DirectionNorm::UnitFilter(rule)), &expected, 1e-15);

    let over = |square: f64, bias| {
        let unit = |x: f64| x / square.sqrt();
        let filters = [[1.0, 1.0], [2.0, 2.0], [2.0, 1.0]];
        flat(filters.map(|filter| filter.map(unit)), bias)
    };
    let found = numbers(DirectionNorm::UnitLayer(rule));
    assert_near(&found, &over(15.0, zero), 1e-15);
    let bias = [1.0, 0.0, 1.0].map(|x| x / 17.0_f64.sqrt());
    let found = numbers(DirectionNorm::Sphere);
    assert_near(&found, &over(17.0, bias), 1e-15);
}

#[test]
fn the_rule_decides_about_biases_in_every_norm_but_the_sphere() {
    let (weights, z) = example();
    let space = weights.space().clone();
    let part = |vector: &ParamVector, leaf: usize| -> Vec<f64> {
        let data = vector.leaf(&space.leaves()[leaf]).into_data();
        data.iter::<f64>().collect()
    };
    for (index, norm) in NORMS.into_iter().enumerate() {
        let is_unit = index > 2;
        let whole = norm(UnfilteredRule::Zero);
        let whole = whole.normalize(z.clone(), &weights).unwrap();
        for rule in RULES {
            let found = norm(rule).normalize(z.clone(), &weights).unwrap();
            let expected = match rule {
                UnfilteredRule::Zero => [0.0; 3],
                UnfilteredRule::AsOneFilter if is_unit => [0.5_f64.sqrt(), 0.0, 0.5_f64.sqrt()],
                UnfilteredRule::AsOneFilter => [2.12132034, 0.0, 2.12132034],
                UnfilteredRule::Keep => [1.0, 0.0, 1.0],
                UnfilteredRule::OwnWeights => [1.0, 2.0, 2.0],
            };
            assert_near(&part(&found, 1), &expected, 5e-9);
            assert_eq!(part(&found, 0), part(&whole, 0));
        }
    }
}

#[test]
fn a_direction_of_zeros_or_of_no_numbers_is_refused() {
    let (weights, z) = example();
    let space = weights.space();
    let zeros = ParamVector::zeros(space).unwrap();
    let mut broken = z.to_host().unwrap();
    broken[2] = f64::NAN;
    let broken = ParamVector::from_host(space, &broken).unwrap();
    let rule = UnfilteredRule::AsOneFilter;
    let norms = NORMS.map(|norm| norm(rule));
    for norm in norms.into_iter().chain([DirectionNorm::Sphere]) {
        let refused = norm.normalize(zeros.clone(), &weights).map(drop);
        assert_eq!(
            refused,
            Err(SpaceError::NoDirection { norm: 0.0 }),
            "{norm}"
        );
        let refused = norm.normalize(broken.clone(), &weights).map(drop);
        let is_refused = matches!(refused, Err(SpaceError::NoDirection { norm }) if norm.is_nan());
        assert!(is_refused, "{norm}: {refused:?}");
    }
    // Weights of zero have no size to be relative to.
    for norm in [DirectionNorm::Filter(rule), DirectionNorm::Weight(rule)] {
        let refused = norm.normalize(z.clone(), &zeros).map(drop);
        assert_eq!(refused, Err(SpaceError::NoDirection { norm: 0.0 }));
    }
    let other = Point::new(&[1.0], &Device::default(), DType::F64);
    let other = ParamVector::zeros(&ParamSpace::of(&other).unwrap()).unwrap();
    let error = DirectionNorm::Sphere.normalize(z, &other).unwrap_err();
    assert!(matches!(error, SpaceError::DifferentSpaces { .. }));
}

#[test]
fn own_weights_are_no_scale() {
    let model = Point::new(&[1.0, -2.0], &Device::default(), DType::F64);
    let data = [tensor(vec![4.0, 0.5], [2])];
    let loss = |model: &Point, h: Tensor<1>| (model.w.val().square() * h).sum();
    let risk = Risk::new(&loss, &data);
    let scale = Scale::FilterRelative(UnfilteredRule::OwnWeights);
    let config = AverageSharpnessConfig::new(0.1).with_scale(scale);
    let error = config.run(&risk, &model).unwrap_err();
    assert_eq!(error, SharpnessError::Space(SpaceError::OwnWeightsScale));
    assert!(error.to_string().contains("AsOneFilter"), "{error}");
    assert_eq!(scale.to_string(), "filter-relative (own weights)");
}

#[test]
fn norms_and_rules_go_through_json() {
    for rule in RULES {
        for norm in NORMS.map(|norm| norm(rule)) {
            let text = norm.to_json().unwrap();
            assert_eq!(DirectionNorm::from_json(&text).unwrap(), norm, "{text}");
            assert!(norm.to_string().ends_with(&format!(" ({rule})")), "{norm}");
        }
    }
    assert_eq!(DirectionNorm::Sphere.to_string(), "sphere");
    let text = DirectionNorm::Sphere.to_json().unwrap();
    let read = DirectionNorm::from_json(&text).unwrap();
    assert_eq!(read, DirectionNorm::Sphere);
}
