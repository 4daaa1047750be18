//! Many models at once: planted permutations come back, cycles close, and the objective never falls.

use std::collections::HashMap;
use std::ops::ControlFlow;

use burn::module::Module;
use burnscape::align::{
    AlignError, MultiAlignment, MultiMatchingConfig, Similarity, WeightMatchingConfig,
    WeightSimilarity,
};
use burnscape::loss::{Batch, Progress, Work};
use burnscape::symmetry::{Element, Symmetries};

use super::weights::{mlp_symmetries, with};
use crate::element::device;
use crate::symmetry::zoo::{self, Mlp, Specimen, parameters, rewritten, same, scattered};

const SEED: u64 = 83;

fn proceed(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn run<M: Module>(
    config: &MultiMatchingConfig,
    symmetries: &Symmetries,
    models: &[M],
) -> Result<MultiAlignment<M>, AlignError> {
    let models: Vec<&M> = models.iter().collect();
    config.run(symmetries, &models, proceed)
}

/// `Σ_{p<q} ⟨θ_p, θ_q⟩` of models as they are.
fn products<M: Module>(symmetries: &Symmetries, models: &[M]) -> f64 {
    let mut sum = 0.0;
    for (index, model) in models.iter().enumerate() {
        for other in &models[..index] {
            let similarity = WeightSimilarity::new(symmetries, other, model);
            let similarity = similarity.expect("a similarity");
            let own = similarity.objective(&symmetries.identity());
            sum += own.expect("an objective");
        }
    }
    sum
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-11 * a.abs().max(b.abs())
}

/// Several networks of the same kind, with nothing in common.
fn strangers<M: Module>(model: &M, count: u64) -> Vec<M> {
    (0..count)
        .map(|index| scattered(model, SEED + 10 * index))
        .collect()
}

/// The composition of the maps from each model to the next one, and back to the first.
fn around<M>(found: &MultiAlignment<M>, cycle: &[usize]) -> Element {
    let next = cycle.iter().skip(1).chain(cycle.first());
    let maps = cycle
        .iter()
        .zip(next)
        .map(|(&from, &to)| found.between(from, to).expect("an element"));
    let composed = maps.reduce(|before, own| own.compose(&before).expect("an element"));
    composed.expect("a cycle")
}

/// What every result satisfies.
fn check<M: Module>(symmetries: &Symmetries, models: &[M], found: &MultiAlignment<M>) {
    let identity = symmetries.identity();
    assert_eq!(found.elements[0], identity);
    for ((model, element), moved) in models.iter().zip(&found.elements).zip(&found.models) {
        let by_element = element.apply(model).expect("a model");
        assert!(same(&parameters(&by_element), &parameters(moved)));
    }
    let product = products(symmetries, &found.models);
    assert!(
        is_close(found.objective, product),
        "{} {product}",
        found.objective
    );
    let objectives: Vec<f64> = found
        .starts
        .iter()
        .map(|(_, objective)| *objective)
        .collect();
    let highest = objectives.iter().copied().fold(f64::MIN, f64::max);
    assert!(is_close(found.objective, highest));
    let first = objectives
        .iter()
        .position(|objective| *objective == highest);
    assert_eq!(first, Some(found.best));
    let all = 0..models.len();
    for a in all.clone() {
        for b in all.clone() {
            for c in all.clone() {
                assert_eq!(around(found, &[a, b, c]), identity);
                for d in all.clone() {
                    assert_eq!(around(found, &[a, b, c, d]), identity);
                }
            }
        }
    }
}

/// From the barycenter alone: at the first step, units have the features that they have in the first model.
fn recovers<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let name = net.name;
    let symmetries = net.symmetries();
    let mut groups = symmetries.groups().iter();
    assert!(groups.all(|group| group.parents().is_empty()), "{name}");
    let planted: Vec<Element> = (0..3).map(|seed| symmetries.random(SEED + seed)).collect();
    let models: Vec<M> = planted
        .iter()
        .map(|element| element.apply(&net.model).expect(name))
        .collect();
    let before: Vec<_> = models.iter().map(parameters).collect();
    let config = MultiMatchingConfig::new().with_references(Some(0));
    let found = run(&config, &symmetries, &models).expect(name);
    for (index, moved) in found.models.iter().enumerate() {
        assert!(same(&parameters(moved), &before[0]), "{name} {index}");
        let expected = planted[index].compose(&planted[0].inverse()).expect(name);
        assert_eq!(found.between(0, index).expect(name), expected, "{name}");
    }
    assert_eq!((found.starts.len(), found.best), (1, 0), "{name}");
    assert_eq!(found.starts[0].0, "barycenter");
    check(&symmetries, &models, &found);
    let untouched = models.iter().map(parameters).zip(&before);
    for (own, before) in untouched {
        assert!(same(&own, before), "{name}: an input");
    }
}

#[test]
fn planted_elements_of_linear_networks_come_back() {
    let device = device();
    recovers(&zoo::mlp(&device, SEED));
    recovers(&zoo::autoencoder(&device, SEED));
    recovers(&zoo::tied_autoencoder(&device, SEED));
    recovers(&zoo::gated(&device, SEED));
}

#[test]
fn planted_elements_of_convolutional_networks_come_back() {
    let device = device();
    recovers(&zoo::cnn(&device, SEED));
    recovers(&zoo::dense_net(&device, SEED));
    recovers(&zoo::u_net(&device, SEED));
    recovers(&zoo::residual(true, &device, SEED));
}

#[test]
fn planted_elements_of_recurrent_networks_come_back() {
    let device = device();
    recovers(&zoo::lstm(&device, SEED));
    recovers(&zoo::stacked_lstms(&device, SEED));
    recovers(&zoo::bi_lstm(&device, SEED));
    recovers(&zoo::gru(&device, SEED));
}

#[test]
fn two_models_are_aligned_at_least_as_well_as_by_weight_matching() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    for seed in 0..10 {
        let models = [2 * seed, 2 * seed + 1].map(|seed| scattered(&net.model, SEED + seed));
        let pair = WeightMatchingConfig::new()
            .with_seed(seed)
            .run(&symmetries, &models[0], &models[1])
            .expect("an alignment");
        let config = MultiMatchingConfig::new().with_seed(seed);
        let found = run(&config, &symmetries, &models).expect("an alignment");
        assert!(found.objective >= pair.objective * (1.0 - 1e-12), "{seed}");
        let names: Vec<&str> = found.starts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["barycenter", "reference 0", "reference 1"]);
        // That of the first reference begins with the pair.
        assert!(
            found.starts[1].1 >= pair.objective * (1.0 - 1e-12),
            "{seed}"
        );
        check(&symmetries, &models, &found);
    }
}

#[test]
fn alignment_to_the_others_never_lowers_the_objective() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let mut rises = 0;
    for seed in 0..10 {
        let models: Vec<Mlp> = (0..4)
            .map(|index| scattered(&net.model, SEED + 4 * seed + index))
            .collect();
        let to_first = |model: &Mlp| {
            let config = WeightMatchingConfig::new().with_seed(seed);
            let found = config.run(&symmetries, &models[0], model);
            found.expect("an alignment").model
        };
        let mut pairwise = vec![models[0].clone()];
        pairwise.extend(models[1..].iter().map(to_first));
        let before = products(&symmetries, &pairwise);
        let config = MultiMatchingConfig::new()
            .with_seed(seed)
            .with_barycenter(false)
            .with_references(Some(1));
        let found = run(&config, &symmetries, &models).expect("an alignment");
        assert_eq!(found.starts.len(), 1);
        assert!(found.objective >= before - 1e-12 * before.abs(), "{seed}");
        rises += u32::from(found.objective > before + 1e-9 * before.abs());
        // More sweeps bring no less.
        let short = run(&config.clone().with_max_sweeps(1), &symmetries, &models);
        assert!(short.expect("an alignment").completed);
    }
    // Pairs know nothing of each other.
    assert!(rises > 5, "{rises}");
}

#[test]
fn cycles_close_where_groups_are_within_others() {
    let net = zoo::encoder(true, &device(), SEED);
    let symmetries = net.symmetries();
    let models = strangers(&net.model, 4);
    let config = MultiMatchingConfig::new().with_references(Some(1));
    let found = run(&config, &symmetries, &models).expect("an alignment");
    assert_eq!(found.groups.len(), symmetries.groups().len());
    assert!(found.completed && found.num_assignments > 0);
    check(&symmetries, &models, &found);
    assert_ne!(found.elements[1], symmetries.identity());
}

#[test]
fn a_seed_gives_the_same_bits_and_starts_do_not_depend_on_others() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let models = strangers(&net.model, 3);
    let config = MultiMatchingConfig::new().with_seed(5);
    let runs = [0, 1].map(|_| run(&config, &symmetries, &models).expect("an alignment"));
    let bits = |found: &MultiAlignment<Mlp>| -> Vec<u64> {
        let starts = found.starts.iter();
        starts.map(|(_, objective)| objective.to_bits()).collect()
    };
    assert_eq!(bits(&runs[0]), bits(&runs[1]));
    assert_eq!(runs[0].elements, runs[1].elements);
    let few = config.clone().with_references(Some(1));
    let few = run(&few, &symmetries, &models).expect("an alignment");
    assert_eq!(bits(&few), bits(&runs[0])[..2]);
    let other = config.with_barycenter(false);
    let other = run(&other, &symmetries, &models).expect("an alignment");
    assert_eq!(bits(&other), bits(&runs[0])[1..]);
}

#[test]
fn groups_that_are_left_out_stay() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let models = strangers(&net.model, 3);
    let config = MultiMatchingConfig::new().with_except(vec!["last.*".to_string()]);
    let found = run(&config, &symmetries, &models).expect("an alignment");
    assert_eq!(found.groups.len(), 1);
    let other = 1 - found.groups[0];
    let mut elements = found.elements.iter();
    assert!(elements.all(|element| element.permutation(other).expect("a group").is_sorted()));
    check(&symmetries, &models, &found);
}

#[test]
fn an_observer_stops_the_search_with_the_best_so_far() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let models = strangers(&net.model, 3);
    let borrowed: Vec<&Mlp> = models.iter().collect();
    for limit in [1, 3, 40] {
        let mut seen = Vec::new();
        let config = MultiMatchingConfig::new();
        let found = config.run(&symmetries, &borrowed, |progress| {
            assert_eq!(progress.work, Work::Step);
            seen.push(progress.done);
            if seen.len() == limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let found = found.expect("an alignment");
        assert_eq!(seen, (1..=limit).collect::<Vec<usize>>());
        assert!(!found.completed && !found.starts.is_empty(), "{limit}");
        check(&symmetries, &models, &found);
    }
}

#[test]
fn what_cannot_be_aligned_is_refused_by_name() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let config = MultiMatchingConfig::new();
    let refusal = |models: &[Mlp]| match run(&config, &symmetries, models) {
        Ok(_) => panic!("a refusal"),
        Err(error) => error,
    };
    let own = net.model.clone();
    let error = refusal(std::slice::from_ref(&own));
    assert_eq!(error, AlignError::FewModels { found: 1 });
    assert!(error.to_string().contains("align two or more"), "{error}");

    let other = Mlp::new([5, 8, 6, 4], &device());
    let text = refusal(&[own.clone(), other]).to_string();
    assert!(
        text.contains("model `models[1]`") && text.contains("first.weight"),
        "{text}"
    );

    let mut bias = vec![0.5; 6];
    bias[4] = f64::NAN;
    let broken = with(&own, &[("second.bias", &bias)]);
    let text = refusal(&[own.clone(), own.clone(), broken]).to_string();
    let names = ["second.bias", "model `models[2]`", "NaN", "index 4"];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");

    let models = [own.clone(), own];
    for config in [
        config.clone().with_max_sweeps(0),
        config
            .clone()
            .with_barycenter(false)
            .with_references(Some(0)),
    ] {
        let error = run(&config, &symmetries, &models).err();
        assert!(
            matches!(error, Some(AlignError::OutOfRange(_))),
            "{error:?}"
        );
    }
    let found = run(&config, &symmetries, &models).expect("an alignment");
    let error = found.between(0, 7).expect_err("no such model");
    let text = error.to_string();
    assert!(
        text.contains("`to` is 7") && text.contains("below 2"),
        "{text}"
    );
}

/// How many models an instance has, and their widths.
const NUM_MODELS: u64 = 4;
const WIDTHS: [usize; 4] = [5, 16, 16, 4];

/// Models that have a common one, in random orders and with noise of some size, or nothing in common.
#[derive(Clone, Copy)]
enum Kind {
    Planted(f64),
    Strangers,
}

impl Kind {
    fn title(self) -> String {
        match self {
            Self::Planted(noise) => format!("planted, noise {noise}"),
            Self::Strangers => "nothing in common".to_string(),
        }
    }

    fn models(self, net: &Mlp, symmetries: &Symmetries, seed: u64) -> Vec<Mlp> {
        let first = 1000 * seed;
        let common = parameters(&scattered(net, first));
        let models = (1..=NUM_MODELS).map(|index| {
            let own = scattered(net, first + index);
            let Self::Planted(noise) = self else {
                return own;
            };
            let pairs = common.iter().zip(parameters(&own));
            let values = pairs.map(|(common, own)| {
                let values = common.values.iter().zip(&own.values);
                let values = values.map(|(common, own)| common + noise * own);
                (common.path.clone(), values.collect())
            });
            let noisy = rewritten(net, &values.collect::<HashMap<String, Vec<f64>>>());
            let planted = symmetries.random(first + index);
            planted.apply(&noisy).expect("a model")
        });
        models.collect()
    }
}

/// How often starts are the best one, to rounding, and what they reach of it.
fn compare_starts(instances: u64) {
    let net = Mlp::new(WIDTHS, &device());
    let symmetries = mlp_symmetries(&net);
    println!(
        "{:<20} {:>9} {:>12} {:>12} {:>14} {:>12} {:>12}",
        "4 models",
        "instances",
        "barycenter",
        "reference 0",
        "any reference",
        "barycenter",
        "references"
    );
    println!(
        "{:<20} {:>9} {:>40} {:>25}",
        "", "", "is the best", "mean of best"
    );
    for kind in [
        Kind::Planted(0.0),
        Kind::Planted(0.3),
        Kind::Planted(1.0),
        Kind::Strangers,
    ] {
        let mut counts = [0_u32; 3];
        let mut shares = [0.0; 2];
        for seed in 0..instances {
            let models = kind.models(&net, &symmetries, seed);
            let config = MultiMatchingConfig::new().with_seed(seed);
            let found = run(&config, &symmetries, &models).expect("an alignment");
            let objectives: Vec<f64> = found.starts.iter().map(|(_, own)| *own).collect();
            let (barycenter, references) = (objectives[0], &objectives[1..]);
            let is_best = |own: f64| own >= found.objective * (1.0 - 1e-12);
            let of_references = references.iter().sum::<f64>() / references.len() as f64;
            for (count, is_best) in counts.iter_mut().zip([
                is_best(barycenter),
                is_best(references[0]),
                references.iter().any(|own| is_best(*own)),
            ]) {
                *count += u32::from(is_best);
            }
            for (sum, own) in shares.iter_mut().zip([barycenter, of_references]) {
                *sum += own / found.objective / instances as f64;
            }
            if matches!(kind, Kind::Planted(noise) if noise == 0.0) {
                let own = parameters(&models[0]);
                let mut moved = found.models.iter().map(parameters);
                assert!(moved.all(|moved| same(&moved, &own)), "{seed}");
                assert!(is_best(barycenter), "{seed}: the barycenter");
            }
        }
        println!(
            "{:<20} {:>9} {:>12} {:>12} {:>14} {:>12.4} {:>12.4}",
            kind.title(),
            instances,
            counts[0],
            counts[1],
            counts[2],
            shares[0],
            shares[1]
        );
    }
}

#[test]
fn planted_models_come_back_from_the_barycenter() {
    compare_starts(1);
}

#[test]
#[ignore = "cargo xtask sweep multi_matching"]
fn sweep_multi_matching() {
    compare_starts(10);
}
