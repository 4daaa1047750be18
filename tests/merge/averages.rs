//! Means of models, and the arcs between two.

use std::collections::HashMap;

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Tensor};
use burnscape::loss::{Batch, NormalizationPolicy, Risk};
use burnscape::merge::{
    Average, MergeError, Recipe, SlerpUnit, Take, average, interpolate, slerp, weighted,
};
use burnscape::optim::SwaConfig;
use burnscape::space::unshared_copy;
use burnscape_testkit::models::Normalized;

use crate::element::device;
use crate::symmetry::zoo::{
    self, Cnn, Mlp, Parameter, Specimen, cast, numbers, parameters, rewritten, same, scattered,
};

const SEED: u64 = 71;
const UNITS: [SlerpUnit; 3] = [SlerpUnit::Tensor, SlerpUnit::Filter, SlerpUnit::Model];

/// A copy with these values in the parameters of these paths.
pub(super) fn with<M: Module>(net: &M, values: &[(&str, &[f64])]) -> M {
    let values = values
        .iter()
        .map(|(path, values)| (path.to_string(), values.to_vec()));
    rewritten(net, &values.collect::<HashMap<String, Vec<f64>>>())
}

/// The largest difference of two numbers.
fn gap(a: &[Parameter], b: &[Parameter]) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b).flat_map(|(a, b)| {
        assert_eq!((&a.path, &a.shape), (&b.path, &b.shape));
        a.values.iter().zip(&b.values)
    });
    pairs.fold(0.0_f64, |largest, (a, b)| largest.max((a - b).abs()))
}

/// Σ w θ, number by number.
fn sum(models: &[(&[Parameter], f64)]) -> Vec<Parameter> {
    let mut sum = models[0].0.to_vec();
    for (place, parameter) in sum.iter_mut().enumerate() {
        for (index, value) in parameter.values.iter_mut().enumerate() {
            let terms = models
                .iter()
                .map(|(model, weight)| weight * model[place].values[index]);
            *value = terms.sum();
        }
    }
    sum
}

fn refusal<M>(result: Result<M, MergeError>) -> MergeError {
    result.err().expect("a refusal")
}

/// D1: a planted element that is undone, and merged in every way.
fn merges_to_itself<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let name = net.name;
    let own = parameters(&net.model);
    let planted = net.symmetries().random(3);
    let moved = planted.apply(&net.model).expect(name);
    let back = planted.inverse().apply(&moved).expect(name);
    let (a, b) = (&net.model, &back);
    let mut merged = vec![
        average(&[a, b]),
        average(&[a, b, a]),
        weighted(&[(a, 0.3), (b, 0.9), (b, 1e-3)]),
        interpolate(a, b, 0.7),
    ];
    merged.extend(UNITS.map(|per| slerp(a, b, 0.3, per)));
    for (index, merged) in merged.into_iter().enumerate() {
        let found = parameters(&merged.expect(name));
        assert!(same(&found, &own), "{name}: {index}");
    }
    assert!(same(&parameters(a), &own) && same(&parameters(b), &own));
}

#[test]
fn equal_models_merge_to_themselves_bit_by_bit() {
    let device = device();
    merges_to_itself(&zoo::mlp(&device, SEED));
    merges_to_itself(&zoo::tied_embedding(&device, SEED));
    merges_to_itself(&zoo::cnn(&device, SEED));
    merges_to_itself(&zoo::lstm(&device, SEED));
    merges_to_itself(&zoo::encoder(true, &device, SEED));

    let zeros = [-0.0, 0.0, -0.0, 1e-300, -1e-300, 0.1, -0.3];
    let net = zoo::mlp(&device, SEED);
    let model = with(&net.model, &[("first.bias", &zeros)]);
    merges_to_itself(&Specimen { model, ..net });
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let net = zoo::mlp(&device, SEED);
        let model = cast(&net.model, dtype);
        let own = parameters(&model);
        for merged in [
            average(&[&model, &model, &model]),
            interpolate(&model, &model, 0.1),
            slerp(&model, &model, 0.1, SlerpUnit::Filter),
        ] {
            let merged = merged.expect("a model");
            assert!(same(&parameters(&merged), &own), "{dtype:?}");
            assert_eq!(merged.first.weight.val().dtype(), dtype);
        }
    }
}

#[test]
fn means_are_weighted_and_ends_are_exact() {
    let net = zoo::cnn(&device(), SEED);
    let (b, c) = (scattered(&net.model, 1), scattered(&net.model, 2));
    let models = [&net.model, &b, &c];
    let [of_a, of_b, of_c] = models.map(parameters);
    let found = average(&models).expect("a mean");
    let third = 1.0 / 3.0;
    let expected = sum(&[(&of_a, third), (&of_b, third), (&of_c, third)]);
    assert!(gap(&parameters(&found), &expected) < 4e-15);

    let found = weighted(&[(models[0], 1.0), (models[1], 0.0), (models[2], 3.0)]);
    let expected = sum(&[(&of_a, 0.25), (&of_c, 0.75)]);
    assert!(gap(&parameters(&found.expect("a mean")), &expected) < 4e-15);
    let single = weighted(&[(models[0], 0.0), (models[1], 2.0)]).expect("a mean");
    assert!(same(&parameters(&single), &of_b));

    let found = interpolate(models[0], models[1], 0.3).expect("a model");
    let expected = sum(&[(&of_a, 0.7), (&of_b, 0.3)]);
    assert!(gap(&parameters(&found), &expected) < 4e-15);
    for (t, end) in [(0.0, &of_a), (1.0, &of_b)] {
        let mut found = vec![interpolate(models[0], models[1], t)];
        found.extend(UNITS.map(|per| slerp(models[0], models[1], t, per)));
        for found in found {
            assert!(same(&parameters(&found.expect("an end")), end), "{t}");
        }
    }
}

#[test]
fn an_average_along_a_run_is_the_average() {
    let net = zoo::mlp(&device(), SEED);
    let models = [1, 2, 3, 4].map(|seed| scattered(&net.model, seed));
    let mut swa = SwaConfig::new().init().expect("a mean");
    for (step, model) in models.iter().enumerate() {
        swa.update(step, model).expect("an update");
    }
    let [a, b, c, d] = &models;
    let expected = average(&[a, b, c, d]).expect("a mean");
    let found = swa.average(a).expect("a mean");
    assert!(same(&parameters(&found), &parameters(&expected)));
}

/// The one weight has the columns of `weight`, a row for each input.
fn linear(weight: [[f64; 2]; 2], bias: [f64; 2]) -> Linear {
    let net: Linear = LinearConfig::new(2, 2).init(&device());
    with(&net, &[("weight", &weight.concat()), ("bias", &bias)])
}

fn assert_linear(found: Result<Linear, MergeError>, weight: [[f64; 2]; 2], bias: [f64; 2]) {
    let found = parameters(&found.expect("a model"));
    let expected = parameters(&linear(weight, bias));
    assert!(gap(&found, &expected) < 1e-15, "{found:?} {expected:?}");
}

/// D6 for every unit: at ½ the weights of both are `1 / √(2 (1 + cos ω))`.
#[test]
fn arcs_are_those_of_their_units() {
    let half = |cosine: f64| 1.0 / (2.0 * (1.0 + cosine)).sqrt();
    let root = 0.5_f64.sqrt();
    // Filters are columns: the first one turns by a right angle, the second one stays. Biases turn by a right angle.
    let a = linear([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0]);
    let b = linear([[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0]);
    let at_half = |per| slerp(&a, &b, 0.5, per);
    assert_linear(
        at_half(SlerpUnit::Filter),
        [[root, 0.0], [root, 1.0]],
        [root, root],
    );
    let whole = half(0.5);
    assert_linear(
        at_half(SlerpUnit::Tensor),
        [[whole, 0.0], [whole, 2.0 * whole]],
        [root, root],
    );
    let whole = half(1.0 / 3.0);
    assert_linear(
        at_half(SlerpUnit::Model),
        [[whole, 0.0], [whole, 2.0 * whole]],
        [whole, whole],
    );
    // At a third of a right angle.
    let third = slerp(&a, &b, 1.0 / 3.0, SlerpUnit::Filter);
    let (near, far) = (0.75_f64.sqrt(), 0.5);
    assert_linear(third, [[near, 0.0], [far, 1.0]], [near, far]);
    // Without a direction, on the line.
    let zero = linear([[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0]);
    for per in UNITS {
        let found = slerp(&a, &zero, 0.25, per);
        assert_linear(found, [[0.75, 0.0], [0.0, 0.75]], [0.75, 0.0]);
    }
}

#[test]
fn opposite_vectors_have_no_arc() {
    let weight = [[1.0, 0.5], [0.0, 2.0]];
    let a = linear(weight, [1.0, 0.0]);
    let b = linear(weight, [-1.0, 1e-3]);
    for per in [SlerpUnit::Tensor, SlerpUnit::Filter] {
        let error = refusal(slerp(&a, &b, 0.5, per));
        let text = error.to_string();
        assert!(matches!(error, MergeError::Antiparallel { .. }), "{text}");
        assert!(
            text.contains("`bias`") && text.contains("`interpolate`"),
            "{text}"
        );
    }
    assert!(slerp(&a, &b, 0.5, SlerpUnit::Model).is_ok());
    // Just far enough.
    let c = linear(weight, [-1.0, 1.5e-3]);
    assert!(slerp(&a, &c, 0.5, SlerpUnit::Tensor).is_ok());
    let turned = linear([[1.0, -0.5], [0.0, -2.0]], [1.0, 0.0]);
    let text = refusal(slerp(&a, &turned, 0.5, SlerpUnit::Filter)).to_string();
    assert!(text.contains("filter 1 of `weight`"), "{text}");
    let mirrored = linear([[-1.0, -0.5], [0.0, -2.0]], [-1.0, 0.0]);
    let text = refusal(slerp(&a, &mirrored, 0.5, SlerpUnit::Model)).to_string();
    assert!(text.contains("all parameters"), "{text}");
}

/// Two parameters of one shape, which may be the same one, and layers.
#[derive(Module, Debug)]
struct Pair {
    first: Param<Tensor<2>>,
    second: Param<Tensor<2>>,
    layers: Vec<Linear>,
}

impl Pair {
    fn new(is_tied: bool, num_layers: usize) -> Self {
        let device = device();
        let layer = || -> Linear { LinearConfig::new(2, 3).init(&device) };
        let first = layer().weight;
        let second = if is_tied {
            first.clone()
        } else {
            layer().weight
        };
        let layers = (0..num_layers).map(|_| layer()).collect();
        let pair = Self {
            first,
            second,
            layers,
        };
        scattered(&pair, SEED)
    }
}

#[test]
fn models_that_differ_are_refused_by_the_first_parameter() {
    let net = zoo::mlp(&device(), SEED);
    let other = Mlp::new([5, 8, 6, 4], &device());
    let text = refusal(average(&[&net.model, &other])).to_string();
    let names = ["model 1", "`first.weight` [5, 8]", "`first.weight` [5, 7]"];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    let other = cast(&net.model, DType::F32);
    for error in [
        refusal(interpolate(&net.model, &other, 0.5)),
        refusal(slerp(&net.model, &other, 0.5, SlerpUnit::Model)),
    ] {
        let text = error.to_string();
        let names = ["model `b`", "F32", "F64", "element types"];
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
    let [tied, untied] = [true, false].map(|is_tied| Pair::new(is_tied, 1));
    for pair in [[&tied, &untied], [&untied, &tied]] {
        let text = refusal(average(&pair)).to_string();
        assert!(text.contains("tied to `second`"), "{text}");
    }
    let longer = Pair::new(true, 2);
    let text = refusal(weighted(&[(&tied, 1.0), (&longer, 1.0)])).to_string();
    assert!(
        text.contains("no further tensor") && text.contains("`layers.1.weight`"),
        "{text}"
    );
}

#[test]
fn numbers_that_have_no_mean_are_refused() {
    let net = zoo::mlp(&device(), SEED);
    let mut bias = [0.5; 6];
    bias[4] = f64::NEG_INFINITY;
    let broken = with(&net.model, &[("second.bias", &bias)]);
    let (a, b) = (&net.model, &broken);
    for (error, model) in [
        (refusal(average(&[a, a, b])), "model 2"),
        (refusal(weighted(&[(a, 1.0), (b, 0.0)])), "model 1"),
        (refusal(interpolate(a, b, 0.0)), "model `b`"),
        (refusal(slerp(b, a, 0.5, SlerpUnit::Tensor)), "model `a`"),
    ] {
        let text = error.to_string();
        let names = [model, "`second.bias`", "-inf", "index 4"];
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
    assert_eq!(refusal(average::<Mlp>(&[])), MergeError::NoModels);
    for weights in [
        [1.0, -0.5],
        [0.0, 0.0],
        [f64::NAN, 1.0],
        [f64::MAX, f64::MAX],
    ] {
        let error = refusal(weighted(&[(a, weights[0]), (a, weights[1])]));
        assert!(matches!(error, MergeError::OutOfRange(_)), "{weights:?}");
    }
    for t in [-0.1, 1.1, f64::NAN] {
        assert!(interpolate(a, a, t).is_err());
        assert!(slerp(a, a, t, SlerpUnit::Tensor).is_err());
    }
}

#[test]
fn the_context_is_that_of_the_first_model() {
    let net = zoo::mlp(&device(), SEED);
    let other = scattered(&net.model, 1);
    let mut trained = unshared_copy(&net.model).train();
    trained.second = trained.second.no_grad();
    for (a, b) in [(&trained, &other), (&other, &trained)] {
        for merged in [
            average(&[a, b]),
            interpolate(a, b, 0.5),
            slerp(a, b, 0.5, SlerpUnit::Filter),
        ] {
            let merged = merged.expect("a model");
            for (own, merged) in [(&a.first, &merged.first), (&a.second, &merged.second)] {
                let (own, merged) = (own.weight.val(), merged.weight.val());
                assert_eq!(merged.is_require_grad(), own.is_require_grad());
                assert_eq!(merged.device(), own.device());
            }
        }
    }
    // A tie is kept.
    let pair = Pair::new(true, 1);
    let other = scattered(&pair, 1);
    let merged = average(&[&pair, &other]).expect("a model");
    assert_eq!(merged.first.id, merged.second.id);
    assert_eq!(merged.first.id, pair.first.id);
    let values = |weight: &Param<Tensor<2>>| weight.val().into_data();
    assert_eq!(values(&merged.first), values(&merged.second));
}

#[test]
fn running_statistics_follow_their_policy() {
    let net = zoo::cnn(&device(), SEED);
    let b = scattered(&net.model, 1);
    let models = [(&net.model, 0.25), (&b, 0.75)];
    let merged = weighted(&models).expect("a mean");
    let loss = |net: &Cnn, images: Tensor<4>| net.outputs(&images).square().mean();
    let data = [1, 2].map(|seed| numbers([4, 3, 8, 8], seed, &device()));
    let risk = Risk::new(&loss, &data);
    let normalized = |policy: NormalizationPolicy| {
        let found = policy.normalize(&risk, &merged, &models);
        parameters(&found.expect("a model"))
    };
    let reestimated =
        |most: Option<usize>| parameters(&risk.reestimate(&merged, most).expect("a model"));
    let interpolated = parameters(&merged);
    assert!(same(
        &normalized(NormalizationPolicy::Interpolate),
        &interpolated
    ));
    for (policy, most) in [
        (NormalizationPolicy::ReestimateAll, None),
        (NormalizationPolicy::Reestimate(1), Some(1)),
    ] {
        assert!(gap(&normalized(policy), &reestimated(most)) < 1e-12);
    }
    assert!(gap(&reestimated(None), &interpolated) > 1e-2);
    // The statistics of the heavier model, and nothing else of it.
    let heavier = parameters(&b);
    let left = normalized(NormalizationPolicy::Leave);
    for ((left, heavier), merged) in left.iter().zip(&heavier).zip(&interpolated) {
        let is_statistic = left.path.contains("running");
        let expected = if is_statistic { heavier } else { merged };
        assert_eq!(left.values, expected.values, "{}", left.path);
    }
    assert!(same(&parameters(&merged), &interpolated));

    let none = NormalizationPolicy::Reestimate(0).normalize(&risk, &merged, &models);
    assert!(matches!(refusal(none), MergeError::OutOfRange(_)));
    let empty: [Tensor<4>; 0] = [];
    let empty = Risk::new(&loss, &empty);
    let none = NormalizationPolicy::ReestimateAll.normalize(&empty, &merged, &models);
    assert!(matches!(refusal(none), MergeError::Loss(_)));
}

/// Its parameters and its running statistics; the rest is a mean.
#[test]
fn a_layer_that_is_taken_has_its_running_statistics() {
    let net = |seed| scattered(&Normalized::new([4, 5, 2], &device()), seed);
    let [a, b] = [1, 2].map(net);
    let recipe = Recipe::new(Average).with("norm", Take::Model(1));
    let merged = recipe.run(None, &[&a, &b]).expect("a model");
    let found = parameters(&merged.model);
    let (taken, mean) = (
        parameters(&b),
        parameters(&average(&[&a, &b]).expect("a mean")),
    );
    let mut count = 0;
    for ((found, taken), mean) in found.iter().zip(&taken).zip(&mean) {
        if found.path.starts_with("norm") {
            count += 1;
            assert_eq!(found.values, taken.values, "{}", found.path);
        } else {
            let mut pairs = found.values.iter().zip(&mean.values);
            assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-14));
        }
    }
    assert_eq!(count, 4);
    let tensors = merged.report.tensors.iter();
    let mut tensors = tensors.filter(|tensor| tensor.name.starts_with("norm"));
    assert!(tensors.all(|tensor| tensor.note.as_deref() == Some("as in model 1")));
    // From the base.
    let recipe = Recipe::new(Average).with("norm", Take::Base);
    let merged = recipe.run(Some(&a), &[&b]).expect("a model").model;
    let values = |net: &Normalized| net.running().map(Tensor::into_data);
    assert_eq!(values(&merged), values(&a));
}

#[test]
fn no_variance_is_estimated_from_one_value() {
    let net = scattered(&Normalized::new([4, 5, 2], &device()), SEED);
    let models = [(&net, 1.0)];
    let loss = |net: &Normalized, x: Tensor<2>| net.forward(x).square().mean();
    let data = [
        numbers([8, 4], SEED, &device()),
        numbers([1, 4], SEED + 1, &device()),
    ];
    let risk = Risk::new(&loss, &data);
    let error = refusal(NormalizationPolicy::ReestimateAll.normalize(&risk, &net, &models));
    let expected = MergeError::OneExample {
        batch: 1,
        path: "norm.running_var".to_string(),
    };
    assert_eq!(error, expected);
    let text = error.to_string();
    assert!(
        text.contains("`NormalizationPolicy::Interpolate`"),
        "{text}"
    );
    for policy in [
        NormalizationPolicy::Reestimate(1),
        NormalizationPolicy::Interpolate,
    ] {
        assert!(policy.normalize(&risk, &net, &models).is_ok());
    }
    // One image has many positions.
    let net = zoo::cnn(&device(), SEED).model;
    let loss = |net: &Cnn, images: Tensor<4>| net.outputs(&images).square().mean();
    let data = [numbers([1, 3, 8, 8], SEED, &device())];
    let risk = Risk::new(&loss, &data);
    let found = NormalizationPolicy::ReestimateAll.normalize(&risk, &net, &[(&net, 1.0)]);
    assert!(found.is_ok());
}
