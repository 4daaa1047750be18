//! Repaired layers have the moments between those of two models.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use burnscape::loss::{Batch, LossError, Work};
use burnscape::merge::{
    MergeError, RepairConfig, RepairMethod, Repaired, average, interpolate, weighted,
};
use burnscape::space::unshared_copy;
use burnscape_testkit::models::Normalized;

use super::averages::with;
use crate::element::device;
use crate::symmetry::zoo::{
    self, Mlp, Parameter, Specimen, difference, numbers, parameters, same, scattered,
};

const SEED: u64 = 73;
const METHODS: [RepairMethod; 2] = [RepairMethod::Exact, RepairMethod::ClosedForm];

/// The mean and the deviation of each column.
fn moments(x: Tensor<2>) -> [Vec<f64>; 2] {
    let [rows, columns] = x.dims();
    let values: Vec<f64> = x.into_data().iter::<f64>().collect();
    let column = |at: usize| {
        let values = &values;
        (0..rows).map(move |row| values[row * columns + at])
    };
    let mean = |at: usize| column(at).sum::<f64>() / rows as f64;
    let deviation = |at: usize| {
        let squares = column(at).map(|value| (value - mean(at)).powi(2));
        (squares.sum::<f64>() / rows as f64).sqrt()
    };
    [
        (0..columns).map(mean).collect(),
        (0..columns).map(deviation).collect(),
    ]
}

/// `(1 − α) a + α b`.
fn between(a: &[f64], b: &[f64], alpha: f64) -> Vec<f64> {
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| (1.0 - alpha) * a + alpha * b).collect()
}

fn values(all: &[Parameter], path: &str) -> Vec<f64> {
    let mut found = all.iter().filter(|one| one.path == path);
    found.next().expect("a parameter").values.clone()
}

/// The two hidden layers before their activations.
fn hidden(net: &Mlp, x: &Tensor<2>) -> [Tensor<2>; 2] {
    let first = net.first.forward(x.clone());
    let second = net.second.forward(relu(first.clone()));
    [first, second]
}

/// Two units of each model.
#[derive(Module, Debug)]
struct Two {
    first: Linear,
    second: Linear,
}

impl Two {
    fn new(first: [f64; 4], has_bias: bool, device: &Device) -> Self {
        let layer = |to: usize| LinearConfig::new(2, to).with_bias(has_bias).init(device);
        let net = Self {
            first: layer(2),
            second: layer(3),
        };
        with(&scattered(&net, SEED), &[("first.weight", &first)])
    }

    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        self.second.forward(self.first.forward(x.clone()).tanh())
    }
}

/// D4: units of deviation 1 with correlation 0.4, on inputs without mean and with unit covariance.
#[test]
fn the_deviation_of_merged_units_collapses_and_is_restored() {
    let device = device();
    let x = Tensor::<2>::from_data(
        [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]],
        &device,
    );
    let s = 0.84_f64.sqrt();
    let [a, b] = [[1.0, 0.0, 0.0, 1.0], [0.4, -s, s, 0.4]].map(|w| Two::new(w, false, &device));
    let merged = average(&[&a, &b]).expect("a mean");
    let [_, collapsed] = moments(merged.first.forward(x.clone()));
    assert!(difference(&collapsed, &[0.836_660_026_534; 2]) < 1e-11);
    let outputs = |net: &Two, x: &Tensor<2>| net.outputs(x);
    for method in METHODS {
        let Repaired { model, report, .. } = RepairConfig::new()
            .with_method(method)
            .run(&outputs, std::slice::from_ref(&x), &a, &b, &merged, 0.5)
            .expect("a repair");
        let [_, restored] = moments(model.first.forward(x.clone()));
        assert!(difference(&restored, &[1.0; 2]) < 1e-14, "{restored:?}");
        let [layer] = &report.layers[..] else {
            panic!("{report:?}");
        };
        assert!((layer.deviation_ratio - 0.7_f64.sqrt()).abs() < 1e-14);
        assert_eq!(
            (layer.scale[0].as_str(), layer.num_channels),
            ("first.weight", 2)
        );
        assert_eq!(layer.shift, None);
        assert_eq!(report.without_shift().count(), 1);
        for factor in [layer.smallest_factor, layer.largest_factor] {
            assert!((factor - 1.0 / 0.7_f64.sqrt()).abs() < 1e-13, "{factor}");
        }
        assert_eq!(report.num_batches, 1);
        assert!(report.left.into_keys().eq(["second.weight"]));
        // Nothing else has changed.
        let [own, found] = [&merged, &model].map(parameters);
        assert_eq!(
            values(&own, "second.weight"),
            values(&found, "second.weight")
        );
    }
}

#[test]
fn without_a_bias_the_mean_is_multiplied_by_the_factor() {
    let net = Two::new([1.0; 4], false, &device());
    let [a, b] = [1, 2].map(|seed| scattered(&net, seed));
    let merged = interpolate(&a, &b, 0.25).expect("a model");
    let x = numbers([20, 2], SEED, &device()) + 1.0;
    let outputs = |net: &Two, x: &Tensor<2>| net.outputs(x);
    let repaired =
        RepairConfig::new().run(&outputs, std::slice::from_ref(&x), &a, &b, &merged, 0.25);
    let repaired = repaired.expect("a repair").model;
    let of = |net: &Two| moments(net.first.forward(x.clone()));
    let [mean, deviation] = of(&repaired);
    let [[mean_a, a], [mean_b, b], [mean_merged, merged]] = [of(&a), of(&b), of(&merged)];
    assert!(difference(&deviation, &between(&a, &b, 0.25)) < 1e-13);
    // The mean is scaled with the deviation.
    let ratios = deviation.iter().zip(&merged).zip(&mean_merged);
    let scaled: Vec<f64> = ratios.map(|((new, old), mean)| mean * new / old).collect();
    assert!(difference(&mean, &scaled) < 1e-13);
    assert!(difference(&mean, &between(&mean_a, &mean_b, 0.25)) > 1e-3);
}

#[test]
fn moments_are_exactly_restored_over_batches_of_several_sizes() {
    let device = device();
    let net = zoo::mlp(&device, SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let data = [(7, 1), (16, 2), (5, 3)].map(|(rows, seed)| numbers([rows, 5], seed, &device));
    let x = Tensor::cat(data.to_vec(), 0);
    for alpha in [0.3, 0.5, 0.0, 1.0] {
        // Not the model between them, but another one.
        let merged = weighted(&[(a, 0.4), (b, 0.6)]).expect("a mean");
        let run = |data: &[Tensor<2>]| {
            let found = RepairConfig::new().run(&net.outputs, data, a, b, &merged, alpha);
            found.expect("a repair")
        };
        let repaired = run(&data);
        let names: Vec<&str> = repaired
            .report
            .layers
            .iter()
            .map(|one| one.scale[0].as_str())
            .collect();
        assert_eq!(names, ["first.weight", "second.weight"]);
        assert_eq!(repaired.report.without_shift().count(), 0);
        assert_eq!(repaired.report.num_batches, 3);
        let [of_a, of_b, found] = [a, b, &repaired.model].map(|net| hidden(net, &x).map(moments));
        for layer in 0..2 {
            for moment in 0..2 {
                let target = between(&of_a[layer][moment], &of_b[layer][moment], alpha);
                let gap = difference(&found[layer][moment], &target);
                assert!(
                    gap < 1e-12,
                    "{alpha}, layer {layer}, moment {moment}: {gap:e}"
                );
            }
        }
        // The outputs are not repaired.
        let [own, last] = [&merged, &repaired.model].map(parameters);
        assert_eq!(values(&own, "last.weight"), values(&last, "last.weight"));
        // In one batch, it is the same.
        let whole = parameters(&run(std::slice::from_ref(&x)).model);
        for (one, other) in whole.iter().zip(&last) {
            assert!(
                difference(&one.values, &other.values) < 1e-10,
                "{}",
                one.path
            );
        }
    }
}

#[test]
fn the_closed_form_is_exact_for_the_first_layer() {
    let device = device();
    let net = zoo::mlp(&device, SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let data = [numbers([30, 5], 1, &device), numbers([9, 5], 2, &device)];
    let merged = interpolate(a, b, 0.4).expect("a model");
    let [exact, closed] = METHODS.map(|method| {
        let config = RepairConfig::new().with_method(method);
        let found = config.run(&net.outputs, &data, a, b, &merged, 0.4);
        found.expect("a repair")
    });
    let [of_exact, of_closed] = [&exact.model, &closed.model].map(parameters);
    for path in ["first.weight", "first.bias"] {
        let (exact, closed) = (values(&of_exact, path), values(&of_closed, path));
        assert!(difference(&exact, &closed) < 1e-12, "{path}");
    }
    let ratios = |found: &Repaired<Mlp>| -> Vec<f64> {
        let layers = found.report.layers.iter();
        layers.map(|layer| layer.deviation_ratio).collect()
    };
    let (exact, closed) = (ratios(&exact), ratios(&closed));
    assert!((exact[0] - closed[0]).abs() < 1e-12);
    assert!((exact[1] - closed[1]).abs() > 1e-6, "{exact:?} {closed:?}");
    assert!(exact.iter().all(|ratio| *ratio < 1.0), "{exact:?}");
}

#[test]
fn a_normalization_after_a_layer_is_repaired_in_its_place() {
    let net = Normalized::new([4, 5, 2], &device());
    let [a, b] = [1, 2].map(|seed| scattered(&net, seed));
    let merged = average(&[&a, &b]).expect("a mean");
    let x = numbers([40, 4], SEED, &device());
    let outputs = |net: &Normalized, x: &Tensor<2>| net.forward(x.clone());
    let repaired =
        RepairConfig::new().run(&outputs, std::slice::from_ref(&x), &a, &b, &merged, 0.5);
    let repaired = repaired.expect("a repair");
    let layer = &repaired.report.layers[0];
    assert_eq!(layer.scale, ["norm.gamma"]);
    assert_eq!(layer.shift.as_deref(), Some("norm.beta"));
    let of = |net: &Normalized| {
        let net = net.valid();
        moments(net.norm.forward(net.first.forward(x.clone())))
    };
    let [of_a, of_b, found] = [of(&a), of(&b), of(&repaired.model)];
    for moment in 0..2 {
        let target = between(&of_a[moment], &of_b[moment], 0.5);
        assert!(difference(&found[moment], &target) < 1e-12);
    }
    let [own, found] = [&merged, &repaired.model].map(parameters);
    for path in [
        "first.weight",
        "first.bias",
        "norm.running_mean",
        "norm.running_var",
    ] {
        assert_eq!(values(&own, path), values(&found, path), "{path}");
    }
}

/// A second repair finds nothing to do.
pub(super) fn is_restored<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let name = net.name;
    let (a, b) = (&net.model, &scattered(&net.model, SEED + 1));
    let merged = average(&[a, b]).expect(name);
    let data = [net.batch.clone()];
    let run = |merged: &M| RepairConfig::new().run(&net.outputs, &data, a, b, merged, 0.5);
    let once = run(&merged).expect(name);
    let twice = run(&once.model).expect(name).report;
    assert_eq!(twice.layers.len(), once.report.layers.len(), "{name}");
    assert_eq!(twice.left, once.report.left, "{name}");
    for (before, after) in once.report.layers.iter().zip(&twice.layers) {
        let [low, high] = [after.smallest_factor, after.largest_factor];
        for ratio in [after.deviation_ratio, low, high] {
            assert!((ratio - 1.0).abs() < 1e-8, "{name}: {ratio} {before:?}");
        }
    }
}

#[test]
fn layers_of_many_networks_are_restored() {
    let device = device();
    is_restored(&zoo::autoencoder(&device, SEED));
    is_restored(&zoo::gated(&device, SEED));
    is_restored(&zoo::cnn(&device, SEED));
    is_restored(&zoo::grouped(&device, SEED));
    is_restored(&zoo::group_norm(&device, SEED));
    is_restored(&zoo::depthwise(&device, SEED));
    is_restored(&zoo::u_net(&device, SEED));
    for flag in [true, false] {
        is_restored(&zoo::residual(flag, &device, SEED));
        is_restored(&zoo::encoder(flag, &device, SEED));
    }
}

/// A model merged with itself has the moments of itself.
fn is_untouched<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let (name, model) = (net.name, &net.model);
    let own = parameters(model);
    let data = [net.batch.clone(), net.batch.clone()];
    for method in METHODS {
        let repaired = RepairConfig::new()
            .with_method(method)
            .run(&net.outputs, &data, model, model, model, 0.3)
            .expect(name);
        let found = parameters(&repaired.model);
        assert!(same(&found, &own), "{name}, {method:?}");
    }
}

#[test]
fn a_model_merged_with_itself_does_not_change() {
    let device = device();
    is_untouched(&zoo::mlp(&device, SEED));
    is_untouched(&zoo::tied_autoencoder(&device, SEED));
    is_untouched(&zoo::gated(&device, SEED));
    is_untouched(&zoo::experts(&device, SEED));
    is_untouched(&zoo::cnn(&device, SEED));
    is_untouched(&zoo::group_norm(&device, SEED));
    is_untouched(&zoo::dense_net(&device, SEED));
    is_untouched(&zoo::residual(true, &device, SEED));
    is_untouched(&zoo::lstm(&device, SEED));
    is_untouched(&zoo::gru(&device, SEED));
    is_untouched(&zoo::encoder(true, &device, SEED));
    is_untouched(&zoo::fused_slices(&device, SEED));
    is_untouched(&zoo::rotary(&device, SEED));
}

#[test]
fn a_channel_without_a_deviation_keeps_its_scale() {
    let device = device();
    let net = zoo::mlp(&device, SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let merged = average(&[a, b]).expect("a mean");
    // Unit 2 reads nothing.
    let mut weight = values(&parameters(&merged), "first.weight");
    weight.iter_mut().skip(2).step_by(7).for_each(|w| *w = 0.0);
    let merged = with(&merged, &[("first.weight", &weight)]);
    let x = numbers([20, 5], SEED, &device);
    for method in METHODS {
        let config = RepairConfig::new().with_method(method);
        let found = config.run(&net.outputs, std::slice::from_ref(&x), a, b, &merged, 0.5);
        let found = found.expect("a repair");
        let repaired = parameters(&found.model);
        assert!(
            repaired
                .iter()
                .flat_map(|one| &one.values)
                .all(|w| w.is_finite())
        );
        if method == RepairMethod::Exact {
            assert_eq!(found.report.layers[0].dead, [2]);
            let means = [a, b, &found.model].map(|net| {
                let [first, _] = hidden(net, &x);
                let [means, _] = moments(first);
                means[2]
            });
            let target = 0.5 * (means[0] + means[1]);
            assert!((means[2] - target).abs() < 1e-13);
        }
    }
}

#[test]
fn a_channel_that_hardly_varies_is_restored_by_a_factor_that_the_report_shows() {
    let device = device();
    let net = zoo::mlp(&device, SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let merged = average(&[a, b]).expect("a mean");
    let x = numbers([20, 5], SEED, &device);
    let run = |merged: &Mlp| {
        let data = std::slice::from_ref(&x);
        let found = RepairConfig::new().run(&net.outputs, data, a, b, merged, 0.5);
        found.expect("a repair")
    };
    let usual = run(&merged).report;
    let usual = &usual.layers[0];
    let mut weight = values(&parameters(&merged), "first.weight");
    weight
        .iter_mut()
        .skip(2)
        .step_by(7)
        .for_each(|w| *w *= 1e-6);
    let found = run(&with(&merged, &[("first.weight", &weight)]));
    let layer = &found.report.layers[0];
    assert!(layer.dead.is_empty());
    assert!(layer.largest_factor > 1e5, "{}", layer.largest_factor);
    assert!(usual.largest_factor < 1e2, "{}", usual.largest_factor);
    assert!(layer.smallest_factor >= usual.smallest_factor * (1.0 - 1e-12));
    let [of_a, of_b, repaired] = [a, b, &found.model].map(|net| {
        let [first, _] = hidden(net, &x);
        moments(first)
    });
    for moment in 0..2 {
        let target = between(&of_a[moment], &of_b[moment], 0.5);
        // A millionth of the size of the values takes as many digits.
        assert!(difference(&repaired[moment], &target) < 1e-8);
    }
}

#[test]
fn a_repair_is_watched_and_stopped() {
    let device = device();
    let net = zoo::mlp(&device, SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let merged = average(&[a, b]).expect("a mean");
    let data = [numbers([20, 5], SEED, &device)];
    let own = parameters(&merged);
    let whole = RepairConfig::new().run(&net.outputs, &data, a, b, &merged, 0.5);
    let whole = parameters(&whole.expect("a repair").model);
    for method in METHODS {
        for last in 0..3 {
            let mut seen = Vec::new();
            let config = RepairConfig::new().with_method(method);
            let repair = config.init(&net.outputs, &data, a, b, &merged, 0.5);
            let repair = repair.expect("a repair").with_observer(|progress| {
                assert_eq!((progress.work, progress.total), (Work::Layer, Some(2)));
                seen.push(progress.done);
                match progress.done < last {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
            let found = repair.run().expect("a repair");
            assert!(seen.into_iter().eq(0..=last));
            assert_eq!(found.report.layers.len(), last);
            assert_eq!(found.report.completed, last == 2);
            let found = parameters(&found.model);
            if last == 0 {
                assert!(same(&found, &own));
            }
            // What was not reached is as it was.
            let is_reached = |path: &str| match last {
                0 => false,
                1 => path.starts_with("first."),
                _ => !path.starts_with("last."),
            };
            for ((found, own), whole) in found.iter().zip(&own).zip(&whole) {
                let is_new = found.values != own.values;
                assert_eq!(is_new, is_reached(&found.path), "{}", found.path);
                if is_new && method == RepairMethod::Exact {
                    assert_eq!(found.values, whole.values, "{}", found.path);
                }
            }
        }
    }
}

#[test]
fn the_context_of_the_merged_model_is_kept() {
    let net = zoo::mlp(&device(), SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let mut merged = unshared_copy(&average(&[a, b]).expect("a mean")).train();
    merged.second = merged.second.no_grad();
    let x = numbers([20, 5], SEED, &device());
    let repaired = RepairConfig::new().run(&net.outputs, &[x], a, b, &merged, 0.5);
    let repaired = repaired.expect("a repair");
    assert_eq!(repaired.report.layers.len(), 2);
    assert!(repaired.model.first.weight.val().is_require_grad());
    assert!(!repaired.model.second.weight.val().is_require_grad());
}

#[test]
fn batches_that_are_not_only_tensors_are_recorded_one_by_one() {
    let device = device();
    let net = zoo::mlp(&device, SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let merged = average(&[a, b]).expect("a mean");
    let data = [(9, 1), (9, 2), (4, 3)].map(|(rows, seed)| numbers([rows, 5], seed, &device));
    let listed = data.clone().map(|x| vec![x]);
    let outputs = |net: &Mlp, x: &Vec<Tensor<2>>| net.outputs(&x[0]);
    let config = RepairConfig::new();
    let expected = config.run(&net.outputs, &data, a, b, &merged, 0.5);
    let found = config.run(&outputs, &listed, a, b, &merged, 0.5);
    let [expected, found] = [expected, found].map(|found| found.expect("a repair"));
    assert_eq!(found.report.layers.len(), expected.report.layers.len());
    let [expected, found] = [&expected.model, &found.model].map(parameters);
    for (one, other) in expected.iter().zip(&found) {
        assert!(difference(&one.values, &other.values) < 1e-12);
    }
}

#[test]
fn what_cannot_be_repaired_is_refused_by_name() {
    let device = device();
    let net = zoo::mlp(&device, SEED);
    let (a, b) = (&net.model, &scattered(&net.model, 1));
    let data = [numbers([6, 5], SEED, &device)];
    let run = |data: &[Tensor<2>], [a, b, merged]: [&Mlp; 3], alpha: f64| {
        let found = RepairConfig::new().run(&net.outputs, data, a, b, merged, alpha);
        found.expect_err("a refusal")
    };
    for alpha in [-0.1, 1.5, f64::NAN] {
        let error = run(&data, [a, b, a], alpha);
        assert!(matches!(error, MergeError::OutOfRange(_)), "{error}");
    }
    let error = run(&[], [a, b, a], 0.5);
    assert_eq!(error, MergeError::from(LossError::EmptyData));
    let empty = [numbers([0, 5], SEED, &device)];
    let error = run(&empty, [a, b, a], 0.5);
    assert_eq!(error, MergeError::from(LossError::EmptyBatch { batch: 0 }));

    let other = Mlp::new([5, 8, 6, 4], &device);
    let text = run(&data, [a, b, &other], 0.5).to_string();
    assert!(
        text.contains("the merged model") && text.contains("`first.weight`"),
        "{text}"
    );
    let broken = with(a, &[("first.bias", &[f64::NAN; 7])]);
    let text = run(&data, [a, &broken, a], 0.5).to_string();
    let names = ["model `b`", "`first.bias`", "NaN", "index 0"];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    let infinite = [data[0].clone() * f64::INFINITY];
    let error = run(&infinite, [a, b, a], 0.5);
    let text = error.to_string();
    assert!(
        matches!(error, MergeError::NonFiniteOutput { .. }),
        "{text}"
    );
    assert!(
        text.contains("`first.weight`") && text.contains("model `a`"),
        "{text}"
    );
}

#[test]
fn batches_that_choose_the_layers_are_refused() {
    let device = device();
    let net = scattered(&Mlp::new([5, 7, 7, 4], &device), SEED);
    let outputs = |net: &Mlp, x: &Tensor<2>| {
        let mut hidden = relu(net.first.forward(x.clone()));
        if x.dims()[0] > 2 {
            hidden = net.second.forward(hidden).tanh();
        }
        net.last.forward(hidden)
    };
    let data = [3, 2].map(|rows| numbers([rows, 5], SEED, &device));
    let error = RepairConfig::new().run(&outputs, &data, &net, &net, &net, 0.5);
    let error = error.expect_err("a refusal");
    assert!(
        matches!(error, MergeError::DifferentLayers { batch: 1, .. }),
        "{error}"
    );
    // A closure that reads a value cannot be recorded.
    let reads = |net: &Mlp, x: &Tensor<2>| {
        let outputs = outputs(net, x);
        let largest: f64 = outputs.clone().abs().max().into_scalar();
        outputs / largest
    };
    let error = RepairConfig::new().run(&reads, &data, &net, &net, &net, 0.5);
    let text = error.expect_err("a refusal").to_string();
    assert!(text.contains("reads a value"), "{text}");
}
