//! Searches for an alignment: filters, observers, seeds, similarities of one's own, and what is refused.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burnscape::Json;
use burnscape::align::{
    AlignError, AlignmentRecord, CoordinateDescentConfig, Similarity, WeightMatchingConfig,
    reordered,
};
use burnscape::krylov::Outcome;
use burnscape::symmetry::{Element, Symmetries, SymmetriesConfig};

use super::weights::{Shallow, with};
use crate::element::device;
use crate::symmetry::zoo::{self, Mlp, numbers, scattered};

const SEED: u64 = 67;

#[test]
fn groups_are_selected_by_the_paths_of_members() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let planted = symmetries.random(9).apply(&net.model).expect("a model");
    let first = symmetries.groups().iter().position(|group| {
        group
            .members()
            .iter()
            .any(|member| member.path == "first.weight")
    });
    let first = first.expect("a group");
    let paths = |paths: &[&str]| -> Vec<String> { paths.iter().map(ToString::to_string).collect() };
    let named = format!("group {first}");
    for config in [
        WeightMatchingConfig::new().with_only(paths(&["first", "second"])),
        WeightMatchingConfig::new().with_only(paths(&[&named])),
        WeightMatchingConfig::new().with_except(paths(&["last.*"])),
        WeightMatchingConfig::new().with_except(paths(&[&format!("group {}", 1 - first)])),
    ] {
        let found = config
            .with_starts(3)
            .run(&symmetries, &net.model, &planted)
            .expect("an alignment");
        for (group, identity) in [(first, false), (1 - first, true)] {
            let table = found.element.permutation(group).expect("a group");
            assert_eq!(table.is_sorted(), identity, "{group}");
        }
        assert_eq!(found.record.groups, [first]);
    }
    // The units of the first layer are read by the second one.
    let part = WeightMatchingConfig::new().with_only(paths(&["first"]));
    let error = part
        .run(&symmetries, &net.model, &planted)
        .expect_err("a group that reaches further");
    let expected = AlignError::NoWholeGroup {
        only: paths(&["first"]),
        group: format!("{named} (first.weight axis 1)"),
        outside: "second.weight".to_string(),
    };
    assert_eq!(error, expected);
    let nowhere = WeightMatchingConfig::new().with_only(vec!["frist".to_string()]);
    let error = nowhere
        .run(&symmetries, &net.model, &planted)
        .expect_err("no group");
    assert!(matches!(error, AlignError::NoSuchMember { .. }));
    assert!(error.to_string().contains("`frist`"), "{error}");
    let nothing = WeightMatchingConfig::new().with_only(paths(&["group 2"]));
    let error = nothing.run(&symmetries, &net.model, &planted);
    assert!(matches!(error, Err(AlignError::NoSuchMember { .. })));
    // Nothing is active.
    let none = WeightMatchingConfig::new().with_except(vec!["*".to_string()]);
    let found = none
        .run(&symmetries, &net.model, &planted)
        .expect("the identity");
    assert_eq!(found.element, symmetries.identity());
}

/// The groups whose members all satisfy a condition.
fn groups_of(symmetries: &Symmetries, is_member: &dyn Fn(&str) -> bool) -> Vec<usize> {
    let groups = symmetries.groups().iter().enumerate();
    let whole = groups.filter(|(_, group)| {
        let mut members = group.members().iter();
        members.all(|member| is_member(&member.path))
    });
    whole.map(|(index, _)| index).collect()
}

#[test]
fn a_part_of_an_encoder_is_permuted_and_the_stream_stays() {
    let net = zoo::encoder(true, &device(), SEED);
    let symmetries = net.symmetries();
    let planted = symmetries.random(9).apply(&net.model).expect("a model");
    let layer = "encoder.layers.0";
    let inside = groups_of(&symmetries, &|path| path.starts_with(layer));
    // Heads, both kinds of their channels, and hidden units.
    assert_eq!(inside.len(), 4, "{symmetries}");
    let outside = groups_of(&symmetries, &|path| !path.starts_with(layer));
    // The other layer; the stream is in both.
    assert_eq!(outside.len(), 4, "{symmetries}");
    let config = WeightMatchingConfig::new();
    let layers = vec![layer.to_string()];
    for (config, expected) in [
        (config.clone().with_only(layers.clone()), inside),
        (config.with_except(layers), outside),
    ] {
        let found = config
            .with_starts(3)
            .run(&symmetries, &net.model, &planted)
            .expect("an alignment");
        assert_eq!(found.record.groups, expected);
        for group in 0..symmetries.groups().len() {
            if !expected.contains(&group) {
                let identity = symmetries.identity();
                let tables = [&found.element, &identity].map(|element| element.permutation(group));
                assert_eq!(tables[0], tables[1], "{group}");
            }
        }
        assert_ne!(found.element, symmetries.identity());
    }
}

/// Two linear layers that may share their weight.
#[derive(Module, Debug)]
struct Pair {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Pair {
    fn new(is_tied: bool) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(&device());
        let first = linear(3, 3);
        let mut second = linear(3, 3);
        if is_tied {
            second.weight = first.weight.clone();
        }
        Self {
            first,
            second,
            last: linear(3, 2),
        }
    }

    fn symmetries(&self) -> Symmetries {
        let outputs = |net: &Self, x: &Tensor<2>| {
            let hidden = net.first.forward(x.clone()).tanh();
            net.last.forward(net.second.forward(hidden).tanh())
        };
        let x = numbers([4, 3], SEED, &device());
        SymmetriesConfig::new()
            .run(&outputs, self, x)
            .expect("symmetries")
    }
}

#[test]
fn models_that_tie_different_parameters_are_refused_by_name() {
    let [tied, untied] = [true, false].map(Pair::new);
    for (own, other) in [(&tied, &untied), (&untied, &tied)] {
        let symmetries = own.symmetries();
        let found = WeightMatchingConfig::new().run(&symmetries, own, other);
        let error = found.expect_err("an error");
        assert!(
            matches!(error, AlignError::DifferentModel { model: "b", .. }),
            "{error}"
        );
        let text = error.to_string();
        assert!(text.contains("tied to `second.weight`"), "{text}");
    }
}

/// An autoencoder whose code is read back through a second module with the same weight.
#[derive(Module, Debug)]
struct Twice {
    embed: Linear,
    hidden: Linear,
    again: Linear,
}

impl Twice {
    fn new() -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(&device());
        let embed = linear(3, 5);
        let mut again = linear(3, 5);
        again.weight = embed.weight.clone();
        Self {
            embed,
            hidden: linear(5, 4),
            again,
        }
    }

    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let first = self.hidden.forward(self.embed.forward(x.clone()).tanh());
        let second = self.hidden.forward(self.again.forward(x.clone()).tanh());
        first + second
    }
}

#[test]
fn every_path_of_a_tied_tensor_counts() {
    let net = scattered(&Twice::new(), SEED);
    let outputs = |net: &Twice, x: &Tensor<2>| net.outputs(x);
    let x = numbers([4, 3], SEED, &device());
    let symmetries = SymmetriesConfig::new().run(&outputs, &net, x);
    let symmetries = symmetries.expect("symmetries");
    assert_eq!(symmetries.groups().len(), 1, "{symmetries}");
    let groups = |only: &[&str], except: &[&str]| {
        let owned = |paths: &[&str]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        let config = WeightMatchingConfig::new()
            .with_only(owned(only))
            .with_except(owned(except));
        let found = config.run(&symmetries, &net, &net);
        found.map(|found| found.record.groups)
    };
    assert_eq!(groups(&["embed", "again", "hidden"], &[]), Ok(vec![0]));
    assert_eq!(groups(&[], &["again.weight"]), Ok(Vec::new()));
    let error = groups(&["embed", "hidden", "again.bias"], &[]).expect_err("an error");
    assert!(error.to_string().contains("in `again.weight`"), "{error}");
}

#[test]
fn a_model_without_groups_is_told_why_a_path_selects_none() {
    let net: Linear = LinearConfig::new(2, 3).init(&device());
    let outputs = |net: &Linear, x: &Tensor<2>| net.forward(x.clone());
    let x = numbers([3, 2], SEED, &device());
    let symmetries = SymmetriesConfig::new().run(&outputs, &net, x);
    let symmetries = symmetries.expect("symmetries");
    assert!(symmetries.groups().is_empty(), "{symmetries}");
    let config = WeightMatchingConfig::new().with_only(vec!["weight".to_string()]);
    let error = config.run(&symmetries, &net, &net).expect_err("an error");
    assert!(error.to_string().contains("no groups at all"), "{error}");
}

#[test]
fn an_observer_stops_the_search_with_the_best_so_far() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let other = scattered(&net.model, SEED + 1);
    let mut seen = Vec::new();
    let config = WeightMatchingConfig::new().with_starts(5);
    let search = config
        .init(&symmetries, &net.model, &other)
        .expect("a search");
    let found = search.with_observer(|progress| {
        seen.push((progress.done, progress.value));
        match progress.done {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let found = found.run().expect("an alignment");
    assert!(!found.record.completed);
    assert_eq!(found.record.starts.len(), 1);
    assert_eq!(found.record.starts[0].outcome, Outcome::Stopped);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2], (3, Some(found.objective)));
    assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1));
}

#[test]
fn a_seed_gives_the_same_search_and_starts_do_not_depend_on_their_number() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let other = scattered(&net.model, SEED + 1);
    let run = |starts: usize| {
        let config = WeightMatchingConfig::new().with_seed(3).with_starts(starts);
        config
            .run(&symmetries, &net.model, &other)
            .expect("an alignment")
    };
    let (few, many) = (run(2), run(4));
    assert_eq!(few.record.starts, many.record.starts[..2]);
    assert_eq!(run(4).record, many.record);
    assert!(many.objective >= few.objective);
    // Elements and records are stored.
    let text = many.element.to_json().expect("text");
    assert_eq!(Element::from_json(&text).expect("an element"), many.element);
    let text = many.record.to_json().expect("text");
    let read = AlignmentRecord::from_json(&text).expect("a record");
    assert_eq!(read.groups, many.record.groups);
}

/// A matrix between units as they are, for the one group of a network.
struct Given {
    symmetries: Symmetries,
    matrix: Vec<f64>,
}

impl Similarity for Given {
    fn symmetries(&self) -> &Symmetries {
        &self.symmetries
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        reordered(&self.matrix, group, element)
    }
}

#[test]
fn a_similarity_of_ones_own_is_maximized_and_checked() {
    let net = Shallow::new([2, 3, 1]);
    let given = |matrix: &[f64]| Given {
        symmetries: net.symmetries(),
        matrix: matrix.to_vec(),
    };
    let config = CoordinateDescentConfig::new().with_starts(4);
    let cycle = given(&[0.0, 5.0, 1.0, 1.0, 0.0, 5.0, 5.0, 1.0, 0.0]);
    let found = config.run(&cycle, &net).expect("an alignment");
    assert_eq!(
        (found.objective, found.element.permutation(0)),
        (15.0, Some(&[1, 2, 0][..]))
    );
    let refusal = |matrix: &[f64]| {
        let error = config.run(&given(matrix), &net).expect_err("a refusal");
        error.to_string()
    };
    assert!(refusal(&[1.0; 4]).contains("4 entries, expected 3 × 3"));
    let mut broken = [1.0; 9];
    broken[1] = f64::NAN;
    let text = refusal(&broken);
    assert!(text.contains("group 0") && text.contains("NaN"), "{text}");
    broken[4] = f64::INFINITY;
    assert!(refusal(&broken).contains("the objective is"));
}

#[test]
fn what_cannot_be_aligned_is_refused_by_name() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let refusal = |a: &Mlp, b: &Mlp| {
        let found = WeightMatchingConfig::new().run(&symmetries, a, b);
        found.expect_err("a refusal").to_string()
    };
    let other = Mlp::new([5, 8, 6, 4], &device());
    let text = refusal(&net.model, &other);
    assert!(
        text.contains("model `b`") && text.contains("first.weight"),
        "{text}"
    );
    assert!(refusal(&other, &net.model).contains("model `a`"));

    let mut bias = vec![0.5; 6];
    bias[4] = f64::INFINITY;
    let broken = with(&net.model, &[("second.bias", &bias)]);
    let text = refusal(&net.model, &broken);
    let names = ["second.bias", "model `b`", "inf", "index 4"];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");

    for config in [
        WeightMatchingConfig::new().with_starts(0),
        WeightMatchingConfig::new().with_max_sweeps(0),
    ] {
        let error = config.run(&symmetries, &net.model, &net.model).err();
        assert!(matches!(error, Some(AlignError::OutOfRange(_))));
    }
    let search = WeightMatchingConfig::new().init(&symmetries, &net.model, &net.model);
    let foreign = zoo::autoencoder(&device(), SEED).symmetries().identity();
    let found = search.expect("a search").with_start(foreign).run();
    assert!(matches!(found.err(), Some(AlignError::Symmetry(_))));
}
