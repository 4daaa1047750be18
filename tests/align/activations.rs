//! Alignment by activations: planted elements come back, sums are those of the formulas, and what has no activations is
//! named.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Mutex;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::align::{
    ActivationMatchingConfig, ActivationMeasure, ActivationSimilarity, AlignError,
    CoordinateDescentConfig, MixedSimilarity, Similarity, WeightMatchingConfig, WeightSimilarity,
};
use burnscape::loss::{Batch, LossError, Work};
use burnscape::symmetry::{Symmetries, SymmetriesConfig};
use burnscape_testkit::programs::Draws;

use super::weights::with;
use crate::element::device;
use crate::symmetry::zoo::{self, Mlp, Specimen, difference, numbers, parameters, same, scattered};

const SEED: u64 = 71;
const BOTH: [ActivationMeasure; 2] = [
    ActivationMeasure::Covariance,
    ActivationMeasure::Correlation,
];

/// Two batches of normal numbers, of different sizes.
fn normal<const R: usize>(sizes: [usize; 2], mut shape: [usize; R]) -> Vec<Tensor<R>> {
    let batches = sizes.into_iter().zip(SEED + 1..);
    let batches = batches.map(|(size, seed)| {
        shape[0] = size;
        numbers(shape, seed, &device())
    });
    batches.collect()
}

/// Two batches of words.
fn words(below: usize) -> Vec<Tensor<2, Int>> {
    let batches = [16, 8].into_iter().zip(SEED + 1..);
    let batches = batches.map(|(size, seed)| {
        let mut draws = Draws::new(seed);
        let words: Vec<i64> = (0..size * 4).map(|_| draws.below(below) as i64).collect();
        Tensor::from_data(TensorData::new(words, [size, 4]), &device())
    });
    batches.collect()
}

/// A random element of the whole group is undone.
fn recovers<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>, data: &[B]) {
    let name = net.name;
    let symmetries = net.symmetries();
    let own = parameters(&net.model);
    let planted = symmetries.random(100).apply(&net.model).expect(name);
    for measure in BOTH {
        let found = ActivationMatchingConfig::new()
            .with_measure(measure)
            .with_weights_for_the_rest(true)
            .with_starts(20)
            .run(&symmetries, &net.outputs, data, &net.model, &planted)
            .expect(name);
        let record = &found.record;
        assert!(
            same(&parameters(&found.model), &own),
            "{name}, {measure:?}: {:?} of {} starts",
            record.starts[record.best].objectives,
            record.starts.len()
        );
        let mut runs = record.starts.iter().chain(&record.rest);
        assert!(runs.all(|run| run.objectives.is_sorted()), "{name}");
    }
    assert!(same(&parameters(&net.model), &own), "{name}: an input");
}

/// For networks with dead units, which have no order in their activations: the outputs on the same data are the same.
fn outputs_on_the_data_return<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
    data: &[B],
) {
    let symmetries = net.symmetries();
    let planted = symmetries.random(100).apply(&net.model).expect(net.name);
    for measure in BOTH {
        let found = ActivationMatchingConfig::new()
            .with_measure(measure)
            .with_starts(20)
            .run(&symmetries, &net.outputs, data, &net.model, &planted)
            .expect(net.name);
        for batch in data {
            let [own, other] = [&net.model, &found.model].map(|model| -> Vec<f64> {
                let outputs = (net.outputs)(&model.valid(), batch);
                outputs.into_data().iter().collect()
            });
            assert!(difference(&own, &other) < 1e-9, "{}, {measure:?}", net.name);
        }
    }
}

#[test]
fn planted_elements_of_linear_networks_are_recovered() {
    let device = device();
    recovers(&zoo::mlp(&device, SEED), &normal([30, 10], [0, 5]));
    recovers(&zoo::autoencoder(&device, SEED), &normal([30, 10], [0, 6]));
    recovers(
        &zoo::tied_autoencoder(&device, SEED),
        &normal([30, 10], [0, 6]),
    );
    recovers(&zoo::gated(&device, SEED), &normal([30, 10], [0, 3]));
    recovers(&zoo::tied_embedding(&device, SEED), &words(5));
    recovers(&zoo::experts(&device, SEED), &normal([30, 10], [0, 2]));
    recovers(&zoo::quantized(&device, SEED), &normal([30, 10], [0, 4]));
}

#[test]
fn planted_elements_of_convolutional_networks_are_recovered() {
    let device = device();
    let images = |[channels, size]: [usize; 2]| normal([16, 12], [0, channels, size, size]);
    // Of weights for which no two units are dead: dead ones have no order in their activations.
    recovers(&zoo::cnn(&device, SEED + 1), &images([3, 8]));
    recovers(&zoo::depthwise(&device, SEED), &images([3, 8]));
    recovers(&zoo::grouped(&device, SEED), &images([2, 6]));
    recovers(&zoo::group_norm(&device, SEED), &images([2, 5]));
    outputs_on_the_data_return(&zoo::channel_shuffle(&device, SEED), &images([3, 4]));
    recovers(&zoo::sub_pixel(&device, SEED), &images([3, 4]));
    recovers(&zoo::dense_net(&device, SEED), &images([3, 6]));
    recovers(&zoo::u_net(&device, SEED), &images([1, 8]));
    for activates_first in [true, false] {
        recovers(
            &zoo::residual(activates_first, &device, SEED),
            &images([3, 8]),
        );
    }
}

#[test]
fn planted_elements_of_recurrent_networks_are_recovered() {
    let device = device();
    let sequences = normal([12, 8], [0, 4, 3]);
    recovers(&zoo::lstm(&device, SEED), &sequences);
    recovers(&zoo::stacked_lstms(&device, SEED), &sequences);
    recovers(&zoo::bi_lstm(&device, SEED), &sequences);
    recovers(&zoo::gru(&device, SEED), &sequences);
}

#[test]
fn planted_elements_of_transformers_are_recovered() {
    let device = device();
    for norm_first in [true, false] {
        recovers(&zoo::encoder(norm_first, &device, SEED), &words(5));
    }
    recovers(&zoo::fused_slices(&device, SEED), &words(6));
    recovers(&zoo::fused_stacked(&device, SEED), &words(6));
    recovers(&zoo::fused_inside_heads(&device, SEED), &words(6));
    recovers(&zoo::grouped_queries(&device, SEED), &words(6));
    recovers(&zoo::rotary(&device, SEED), &words(6));
    recovers(&zoo::learned_positions(&device, SEED), &words(6));
    recovers(&zoo::constant_positions(&device, SEED), &words(6));
}

/// The index of the first group with a member of this path.
fn group_of(symmetries: &Symmetries, path: &str) -> usize {
    let mut groups = symmetries.groups().iter();
    let found = groups.position(|group| {
        let mut members = group.members().iter();
        members.any(|member| member.path == path)
    });
    found.expect("a group")
}

/// The matrix of the formulas: rows are units of `a`, `[samples, units]`.
fn formula(measure: ActivationMeasure, a: &Tensor<2>, b: &Tensor<2>) -> Vec<f64> {
    let centered = |x: &Tensor<2>| x.clone() - x.clone().mean_dim(0);
    let [samples, _] = a.dims();
    let (a, b) = (centered(a), centered(b));
    let product = a.clone().transpose().matmul(b.clone()) / samples as f64;
    let deviation = |x: Tensor<2>| x.square().mean_dim(0).sqrt();
    let matrix = match measure {
        ActivationMeasure::Covariance => product,
        ActivationMeasure::Correlation => product / deviation(a).transpose().matmul(deviation(b)),
    };
    matrix.into_data().iter::<f64>().collect()
}

#[test]
fn matrices_are_those_of_the_formulas_however_the_data_is_split() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let (a, b) = (&net.model, &scattered(&net.model, SEED + 1));
    let x: Tensor<2> = numbers([48, 5], SEED + 2, &device());
    let hidden = |model: &Mlp| relu(model.first.forward(x.clone()));
    let last = |model: &Mlp| model.second.forward(hidden(model)).tanh();
    let expected = |measure| {
        [
            ("first.bias", formula(measure, &hidden(a), &hidden(b))),
            ("second.bias", formula(measure, &last(a), &last(b))),
        ]
    };
    let part = |range: std::ops::Range<usize>| x.clone().slice(range);
    // Nine shapes, more than there are programs kept, and two of them again.
    let sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2];
    let starts = sizes.iter().scan(0, |next, size| {
        *next += size;
        Some(*next - size)
    });
    let splits = [
        vec![x.clone()],
        vec![part(0..16), part(16..48)],
        (0..48).map(|row| part(row..row + 1)).collect(),
        starts
            .zip(sizes)
            .map(|(start, size)| part(start..start + size))
            .collect(),
    ];
    for measure in BOTH {
        for data in &splits {
            let found = ActivationSimilarity::new(&symmetries, &net.outputs, data, a, b, measure);
            let found = found.expect("a similarity");
            assert!(found.without_activations().is_empty());
            let mut traces = 0.0;
            for (path, expected) in expected(measure) {
                let group = group_of(&symmetries, path);
                let matrix = found.matrix(group, &symmetries.identity()).expect(path);
                assert!(difference(&expected, &matrix) < 1e-12, "{path}");
                let width = expected.len().isqrt();
                traces += expected.iter().step_by(width + 1).sum::<f64>();
            }
            let objective = found.objective(&symmetries.identity()).expect("a sum");
            assert!((objective - traces).abs() < 1e-12);
            // The derivative is what a step brings.
            let step = symmetries.random(5);
            let moved = found.objective(&step).expect("a sum");
            let mut expected = 0.0;
            for group in 0..symmetries.groups().len() {
                let matrix = found.matrix(group, &symmetries.identity()).expect("one");
                let table = step.permutation(group).expect("a group");
                let width = table.len();
                let rows = table.iter().enumerate();
                expected += rows.map(|(i, j)| matrix[i * width + j]).sum::<f64>();
            }
            assert!((moved - expected).abs() < 1e-12);
            assert!(moved <= found.upper_bound().expect("a bound"));
        }
    }
}

#[test]
fn a_constant_unit_correlates_with_nothing_and_takes_what_is_left() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let all = parameters(&net.model);
    let weight = all.iter().find(|one| one.path == "second.weight");
    let mut weight = weight.expect("a parameter").values.clone();
    // `[in, out]`: the incoming weights of unit 2 of 6. Its bias is not zero.
    weight.iter_mut().skip(2).step_by(6).for_each(|x| *x = 0.0);
    let a = with(&net.model, &[("second.weight", &weight)]);
    let b = symmetries.random(3).apply(&a).expect("a model");
    let data = normal([30, 10], [0, 5]);
    let measure = ActivationMeasure::Correlation;
    let found = ActivationSimilarity::new(&symmetries, &net.outputs, &data, &a, &b, measure);
    let found = found.expect("a similarity");
    let group = group_of(&symmetries, "second.bias");
    let matrix = found
        .matrix(group, &symmetries.identity())
        .expect("a matrix");
    assert_eq!(matrix[2 * 6..3 * 6], [0.0; 6]);
    assert_eq!(found.upper_bound(), Some(7.0 + 5.0));
    let aligned = CoordinateDescentConfig::new()
        .run(&found, &b)
        .expect("an alignment");
    assert!(same(&parameters(&aligned.model), &parameters(&a)));
    assert!((aligned.objective - 12.0).abs() < 1e-12);
}

#[test]
fn groups_without_activations_are_named_or_left_to_weights() {
    let net = zoo::encoder(true, &device(), SEED);
    let symmetries = net.symmetries();
    let planted = symmetries.random(9).apply(&net.model).expect("a model");
    let data = words(5);
    let (a, b) = (&net.model, &planted);
    let run = |config: ActivationMatchingConfig| {
        let config = config.with_starts(5);
        config.run(&symmetries, &net.outputs, &data, a, b)
    };
    let error = run(ActivationMatchingConfig::new()).expect_err("an error");
    let AlignError::NoActivations { groups } = &error else {
        panic!("{error}");
    };
    // The channels of queries and keys, of two layers.
    assert_eq!(groups.len(), 2, "{groups:?}");
    let text = error.to_string();
    let names = ["mha.query.weight", "with_weights_for_the_rest"];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");

    let rest = run(ActivationMatchingConfig::new().with_weights_for_the_rest(true));
    let rest = rest.expect("an alignment");
    assert!(same(&parameters(&rest.model), &parameters(a)));
    let weights = WeightSimilarity::new(&symmetries, a, b).expect("a similarity");
    let last = rest.record.rest.as_ref().expect("a run").objectives.last();
    let objective = weights.objective(&rest.element).expect("an objective");
    assert_eq!(last, Some(&objective));

    // They are named by their indices to be left in place.
    let names = groups.iter().map(|group| {
        let name = group.split(" (").next();
        name.expect("a name").to_string()
    });
    let found = run(ActivationMatchingConfig::new().with_except(names.collect()));
    let found = found.expect("an alignment");
    assert!(found.record.rest.is_none());
    assert_eq!(found.record.groups.len(), symmetries.groups().len() - 2);

    // Groups that are not permuted need none.
    let only = vec!["encoder.layers.*.pwff".to_string()];
    let found = run(ActivationMatchingConfig::new().with_only(only)).expect("an alignment");
    assert!(found.record.rest.is_none());
    let inactive = group_of(&symmetries, "encoder.layers.0.mha.query.bias");
    let table = found.element.permutation(inactive).expect("a group");
    assert!(table.is_sorted());
}

/// Tokens are mixed for each channel by the same weights: hidden units stand beside channels, which are another group.
#[derive(Module, Debug)]
struct Mixer {
    stem: Linear,
    widen: Linear,
    narrow: Linear,
    head: Linear,
}

impl Mixer {
    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        let x = self.stem.forward(x.clone()).tanh();
        let hidden = relu(self.widen.forward(x.clone().swap_dims(1, 2)));
        let mixed = self.narrow.forward(hidden).swap_dims(1, 2);
        self.head.forward(x + mixed)
    }
}

#[test]
fn activations_are_averaged_over_axes_of_other_groups() {
    let linear = |from, to| LinearConfig::new(from, to).init(&device());
    let model = Mixer {
        stem: linear(3, 5),
        widen: linear(4, 6),
        narrow: linear(6, 4),
        head: linear(5, 2),
    };
    let a = scattered(&model, SEED);
    let data = normal([20, 10], [0, 4, 3]);
    let outputs = |net: &Mixer, x: &Tensor<3>| net.outputs(x);
    let symmetries = SymmetriesConfig::new().run(&outputs, &a, data[0].clone());
    let symmetries = symmetries.expect("symmetries");
    let groups = symmetries.groups().iter();
    let sizes: Vec<(usize, usize)> = groups.map(|g| (g.size(), g.parents().len())).collect();
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    assert!(
        sizes.contains(&(5, 0)) && sizes.contains(&(6, 0)),
        "{sizes:?}"
    );
    let b = symmetries.random(4).apply(&a).expect("a model");
    let found = ActivationMatchingConfig::new().run(&symmetries, &outputs, &data, &a, &b);
    let found = found.expect("an alignment");
    assert!(same(&parameters(&found.model), &parameters(&a)));
    assert!((found.objective - 11.0).abs() < 1e-9, "{}", found.objective);
}

#[test]
fn a_mixture_balances_both_similarities_in_each_group() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let (a, b) = (&net.model, &scattered(&net.model, SEED + 1));
    let data = normal([30, 10], [0, 5]);
    let weights = || WeightSimilarity::new(&symmetries, a, b).expect("a similarity");
    let activations = || {
        let measure = ActivationMeasure::Correlation;
        let found = ActivationSimilarity::new(&symmetries, &net.outputs, &data, a, b, measure);
        found.expect("a similarity")
    };
    let mixed = |share| MixedSimilarity::new(weights(), activations(), share);
    let refused = mixed(1.5).expect_err("an error");
    assert!(refused.to_string().contains("`weight_share` is 1.5"));
    let identity = symmetries.identity();
    let share = 0.3;
    let half = mixed(share).expect("a mixture");
    for group in 0..symmetries.groups().len() {
        let [w, s, m] = [
            weights().matrix(group, &identity).expect("a matrix"),
            activations().matrix(group, &identity).expect("a matrix"),
            half.matrix(group, &identity).expect("a matrix"),
        ];
        let norm = |matrix: &[f64]| matrix.iter().map(|x| x * x).sum::<f64>().sqrt();
        let (of_w, of_s) = (norm(&w), norm(&s));
        let pairs = w.iter().zip(&s);
        let expected: Vec<f64> = pairs
            .map(|(w, s)| of_w * (share * w / of_w + (1.0 - share) * s / of_s))
            .collect();
        assert!(difference(&expected, &m) < 1e-12);
    }
    // The ends are the one and the other.
    let config = CoordinateDescentConfig::new();
    let aligned = |share| {
        let similarity = mixed(share).expect("a mixture");
        config.run(&similarity, b).expect("an alignment").element
    };
    let by_weights = WeightMatchingConfig::new().run(&symmetries, a, b);
    assert_eq!(aligned(1.0), by_weights.expect("an alignment").element);
    let by_activations =
        ActivationMatchingConfig::new().run(&symmetries, &net.outputs, &data, a, b);
    assert_eq!(aligned(0.0), by_activations.expect("an alignment").element);
}

#[test]
fn a_mixture_permutes_groups_without_activations_by_weights() {
    let net = zoo::encoder(true, &device(), SEED);
    let symmetries = net.symmetries();
    let planted = symmetries.random(9).apply(&net.model).expect("a model");
    let (a, b) = (&net.model, &planted);
    let mixed = |share: f64| {
        let weights = WeightSimilarity::new(&symmetries, a, b).expect("a similarity");
        let measure = ActivationMeasure::Correlation;
        let activations =
            ActivationSimilarity::new(&symmetries, &net.outputs, &words(5), a, b, measure);
        MixedSimilarity::new(weights, activations.expect("a similarity"), share).expect("a mixture")
    };
    // With a share of 0 as well.
    for share in [0.5, 0.0] {
        let mixed = mixed(share);
        let found = CoordinateDescentConfig::new().with_starts(20);
        let found = found.run(&mixed, b).expect("an alignment");
        assert!(same(&parameters(&found.model), &parameters(a)), "{share}");
        // The derivative is what a step of one group brings.
        let [at, step, identity] = [
            symmetries.random(5),
            symmetries.random(6),
            symmetries.identity(),
        ];
        let groups = symmetries.groups().iter().enumerate();
        for (group, _) in groups.filter(|(_, group)| group.parents().is_empty()) {
            let tables = (0..symmetries.groups().len()).map(|other| {
                let source = if other == group { &step } else { &identity };
                source.permutation(other).expect("a group").to_vec()
            });
            let tables: Vec<Vec<usize>> = tables.collect();
            let matrix = mixed.matrix(group, &at).expect("a matrix");
            let width = tables[group].len();
            let rows = tables[group].iter().enumerate();
            let expected = rows.map(|(i, j)| matrix[i * width + j] - matrix[i * width + i]);
            let expected: f64 = expected.sum();
            let moved = symmetries.element(tables).expect("an element");
            let moved = moved.compose(&at).expect("an element");
            let ends = [&at, &moved].map(|one| mixed.objective(one).expect("an objective"));
            assert!((ends[1] - ends[0] - expected).abs() < 1e-9, "{group}");
        }
    }
}

#[test]
fn an_observer_sees_the_batches_and_stops_a_search_by_activations() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let b = scattered(&net.model, SEED + 1);
    let read = Cell::new(0);
    let batches = normal([30, 10], [0, 5]);
    let data = || {
        let batches = batches.iter().cloned();
        batches.inspect(|_| read.set(read.get() + 1))
    };
    let config = ActivationMatchingConfig::new().with_starts(5);
    let search = || config.init(&symmetries, &net.outputs, &data, &net.model, &b);
    let seen = Mutex::new(Vec::new());
    let watched = search().expect("a search").with_observer(|progress| {
        seen.lock().unwrap().push((progress.work, progress.done));
        match progress.work {
            Work::Step => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!(read.get(), 0);
    let found = watched.run().expect("an alignment");
    assert!(!found.record.completed && found.record.starts.len() == 1);
    assert_eq!(
        *seen.lock().unwrap(),
        [(Work::Product, 1), (Work::Product, 2), (Work::Step, 1)]
    );

    read.set(0);
    let stopped = search().expect("a search");
    let stopped = stopped.with_observer(|_| ControlFlow::Break(())).run();
    let expected = AlignError::Loss(LossError::Stopped { batches: 1 });
    assert_eq!((stopped.err(), read.get()), (Some(expected), 1));
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let refusal = |data: &[Tensor<2>], b: &Mlp| {
        let config = ActivationMatchingConfig::new();
        let found = config.run(&symmetries, &net.outputs, data, &net.model, b);
        found.expect_err("a refusal")
    };
    let own = |device: &Device| numbers([10, 5], SEED, device);
    assert_eq!(
        refusal(&[], &net.model),
        AlignError::Loss(LossError::EmptyData)
    );
    let empty = Tensor::<2>::zeros([0, 5], &device());
    assert_eq!(
        refusal(&[own(&device()), empty], &net.model),
        AlignError::Loss(LossError::EmptyBatch { batch: 1 })
    );
    let single = refusal(&[numbers([1, 5], SEED, &device())], &net.model);
    let text = single.to_string();
    let names = ["a single sample", "first.weight axis 1"];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");

    let infinite = own(&device()) * f64::INFINITY;
    let error = refusal(&[own(&device()), infinite], &net.model);
    let is_named = matches!(
        error,
        AlignError::NonFiniteActivation {
            model: "a",
            batch: 1,
            ..
        }
    );
    assert!(is_named, "{error}");
    assert!(error.to_string().contains("weight axis"), "{error}");

    let other = Mlp::new([5, 8, 6, 4], &device());
    let error = refusal(&[own(&device())], &other).to_string();
    assert!(
        error.contains("model `b`") && error.contains("first.weight"),
        "{error}"
    );
    let nowhere = ActivationMatchingConfig::new().with_only(vec!["frist".to_string()]);
    let data = [own(&device())];
    let found = nowhere.run(&symmetries, &net.outputs, &data, &net.model, &net.model);
    assert!(matches!(found.err(), Some(AlignError::NoSuchMember { .. })));
}
