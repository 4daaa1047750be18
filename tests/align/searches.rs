//! Searches for an alignment: filters, observers, seeds, similarities of one's own, and what is refused.

use std::ops::ControlFlow;

use burnscape::align::{
    AlignError, CoordinateDescentConfig, Similarity, WeightMatchingConfig, reordered,
};
use burnscape::krylov::Outcome;
use burnscape::symmetry::{Element, Symmetries};

use super::weights::{Shallow, with};
use crate::element::device;
use crate::symmetry::zoo::{self, Mlp, scattered};

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
    let only = WeightMatchingConfig::new().with_only(vec!["first".to_string()]);
    let except = WeightMatchingConfig::new().with_except(vec!["last.*".to_string()]);
    for config in [only, except] {
        let found = config
            .with_starts(3)
            .run(&symmetries, &net.model, &planted)
            .expect("an alignment");
        for (group, identity) in [(first, false), (1 - first, true)] {
            let table = found.element.permutation(group).expect("a group");
            assert_eq!(table.is_sorted(), identity, "{group}");
        }
    }
    let nowhere = WeightMatchingConfig::new().with_only(vec!["frist".to_string()]);
    let error = nowhere
        .run(&symmetries, &net.model, &planted)
        .expect_err("no group");
    assert!(matches!(error, AlignError::NoSuchMember { .. }));
    assert!(error.to_string().contains("`frist`"), "{error}");
    // Nothing is active.
    let none = WeightMatchingConfig::new().with_except(vec!["*".to_string()]);
    let found = none
        .run(&symmetries, &net.model, &planted)
        .expect("the identity");
    assert_eq!(found.element, symmetries.identity());
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
