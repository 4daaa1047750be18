//! Random fields and graphs through every function: nothing panics, and what always holds, holds.
//!
//! A tenth of them runs with the other tests; all with
//!
//! ```sh
//! cargo test -p burnscape-topology --release --test fuzz -- --ignored
//! ```
#![cfg(test)]

use burnscape_topology::{
    Connectivity, Death, Diagram, Ground, Level, MergeTree, MergeTreeConfig, ModelGraph, NanPolicy,
    Order, Resolution, ScalarField, TreeMethod, bottleneck, wasserstein,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const ODD: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    1.0,
    -1.0,
    5e-324,
    -5e-324,
    1e-310,
    f64::MAX,
    f64::MIN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f64::EPSILON,
];

fn value(rng: &mut StdRng, kind: u32) -> f64 {
    match kind {
        0 => rng.random(),
        1 => f64::from(rng.random_range(0..4_u32)),
        2 => ODD[rng.random_range(0..ODD.len())],
        3 => f64::from_bits(rng.random()),
        _ if rng.random_range(0..8_u32) == 0 => ODD[rng.random_range(0..ODD.len())],
        _ => rng.random(),
    }
}

fn shape(rng: &mut StdRng) -> Vec<usize> {
    let axes = rng.random_range(1..5_usize);
    let most = [40, 40, 10, 5][axes - 1];
    (0..axes).map(|_| rng.random_range(1..=most)).collect()
}

fn check_diagram(diagram: &Diagram) {
    for pair in &diagram.pairs {
        assert!(pair.persistence() > 0.0, "{pair:?}");
        if let Death::At(death) = pair.death {
            assert!(if diagram.level == Level::Sub {
                death > pair.birth
            } else {
                death < pair.birth
            });
        }
    }
    let curve = diagram.betti_curve();
    let last = curve.counts.last().copied().unwrap_or(0);
    assert_eq!(last, diagram.num_essential());
    let _ = (
        diagram.mean_persistence(),
        diagram.total_persistence(2.0),
        diagram.persistence_range(),
    );
    assert!(diagram.persistence_entropy() >= 0.0);
    assert!(!diagram.to_string().is_empty());
    let bytes = rmp_serde::to_vec_named(diagram).unwrap();
    assert_eq!(rmp_serde::from_slice::<Diagram>(&bytes).unwrap(), *diagram);
    assert_eq!(bottleneck(diagram, diagram).unwrap().distance, 0.0);
    let thinned = diagram.above(0.5);
    let bottle = bottleneck(diagram, &thinned).unwrap().distance;
    assert!(bottle <= 0.25, "{bottle}");
    for order in [Order::One, Order::Two] {
        for ground in [Ground::Infinity, Ground::Euclidean] {
            if diagram.pairs.len() <= 60 {
                assert!(
                    wasserstein(diagram, &thinned, order, ground)
                        .unwrap()
                        .distance
                        >= 0.0
                );
            }
        }
    }
}

fn check_tree(tree: &MergeTree) {
    for (number, branch) in tree.branches().iter().enumerate() {
        assert_eq!(branch.parent.is_some(), branch.death != Death::Never);
        assert!(branch.parent.is_none_or(|parent| parent < number));
    }
    assert_eq!(tree.to_string().lines().count(), tree.branches().len() + 1);
    let bytes = rmp_serde::to_vec_named(tree).unwrap();
    assert_eq!(rmp_serde::from_slice::<MergeTree>(&bytes).unwrap(), *tree);
    let _ = tree.weighted_mean_persistence();
    check_diagram(&tree.diagram());
    if !tree.branches().is_empty() {
        assert!(tree.meeting(0, tree.branches().len() - 1).is_ok());
    }
}

fn check_field(rng: &mut StdRng, case: u32) {
    let shape = shape(rng);
    let cells: usize = shape.iter().product();
    let values: Vec<f64> = (0..cells).map(|_| value(rng, case % 5)).collect();
    let field = ScalarField::new(&values, &shape).unwrap();
    let has_nan = values.iter().any(|value| value.is_nan());
    let policies = [NanPolicy::Refuse, NanPolicy::Wall, NanPolicy::Top];
    let config = MergeTreeConfig::new()
        .with_level(if rng.random() {
            Level::Sub
        } else {
            Level::Super
        })
        .with_connectivity(if rng.random() {
            Connectivity::Full
        } else {
            Connectivity::Axis
        })
        .with_nan(policies[rng.random_range(0..3_usize)])
        .with_zero_branches(rng.random())
        .with_threads(
            [0, 1, 2, 3, usize::MAX]
                [rng.random_range(0..if case.is_multiple_of(97) { 5_usize } else { 4 })],
        );
    let Ok(tree) = config.run(&field) else {
        assert!(has_nan);
        return;
    };
    check_tree(&tree);
    let other = config
        .with_method(TreeMethod::Sweep)
        .with_threads(1)
        .run(&field)
        .unwrap();
    let basins = config.with_method(TreeMethod::Basins).run(&field).unwrap();
    assert_eq!(other.branches(), basins.branches());
    assert_eq!(other.branches(), tree.branches());
    assert_eq!(other.basins(), tree.basins());
    if shape.len() > 1 {
        let top = config.run_top(&field).unwrap();
        check_diagram(&top);
        assert_eq!(
            top,
            config
                .with_method(TreeMethod::Sweep)
                .run_top(&field)
                .unwrap()
        );
        assert_eq!(
            top,
            config
                .with_method(TreeMethod::Basins)
                .run_top(&field)
                .unwrap()
        );
    } else {
        assert!(config.run_top(&field).is_err());
    }
    let present = tree.basins().labels.iter().flatten().count();
    assert_eq!(tree.basins().volumes.iter().sum::<usize>(), present);
    let nodes = tree.nodes(&field).unwrap();
    assert_eq!(nodes.iter().map(|node| node.cells).sum::<usize>(), present);
    let volumes = tree.flooded_volumes(&field).unwrap();
    let roots = tree
        .branches()
        .iter()
        .zip(&volumes)
        .filter(|(branch, _)| branch.parent.is_none());
    assert_eq!(roots.map(|(_, volume)| volume).sum::<usize>(), present);
    let threshold = [0.0, 1e-320, 0.3, 1.0, f64::INFINITY][rng.random_range(0..5_usize)];
    let simplified = tree.simplified(threshold).unwrap();
    check_tree(&simplified);
    let flooded = tree.flooded(&field, threshold).unwrap();
    let again = config
        .run(&ScalarField::new(&flooded, &shape).unwrap())
        .unwrap()
        .diagram();
    let points = |diagram: &Diagram| {
        let pairs = diagram.pairs.iter();
        let mut found: Vec<_> = pairs
            .map(|pair| {
                (
                    pair.birth + 0.0,
                    pair.death.value().map(|death| death + 0.0),
                )
            })
            .collect();
        found.sort_by(|a, b| a.partial_cmp(b).unwrap());
        found
    };
    assert_eq!(points(&again), points(&simplified.diagram()));
    for pair in &tree.diagram().pairs {
        let ratio = field.resolution_ratio(pair).unwrap();
        assert!(ratio >= 0.0);
        let _ = Resolution::of(ratio, Resolution::LIMITS).to_string();
    }
    let axes: Vec<Vec<f64>> = shape
        .iter()
        .map(|&n| (0..n).map(|i| i as f64).collect())
        .collect();
    let axes: Vec<&[f64]> = axes.iter().map(Vec::as_slice).collect();
    assert_eq!(
        tree.basins().measures(&axes).unwrap().len(),
        tree.branches().len()
    );
}

fn check_graph(rng: &mut StdRng, case: u32) {
    let models = rng.random_range(1..=40_usize);
    let losses: Vec<f64> = (0..models).map(|_| value(rng, case % 5)).collect();
    let has_nan = losses.iter().any(|loss| loss.is_nan());
    let Ok(mut graph) = ModelGraph::new(losses) else {
        assert!(has_nan);
        return;
    };
    for _ in 0..rng.random_range(0..80_usize) {
        let _ = graph.connect(
            rng.random_range(0..=models),
            rng.random_range(0..=models),
            value(rng, case % 5),
        );
    }
    let tree = MergeTree::of_graph(&graph);
    assert_eq!(tree.branches().len(), models);
    check_tree(&tree);
    check_tree(&tree.simplified(0.5).unwrap());
    let bytes = rmp_serde::to_vec_named(&graph).unwrap();
    assert_eq!(rmp_serde::from_slice::<ModelGraph>(&bytes).unwrap(), graph);
}

fn fuzz(cases: u32) {
    for case in 0..cases {
        let mut rng = StdRng::seed_from_u64(u64::from(case));
        check_field(&mut rng, case);
        check_graph(&mut rng, case);
    }
}

#[test]
fn a_thousand_fields_and_graphs_keep_their_invariants() {
    fuzz(1_000);
}

#[test]
#[ignore = "ten times the same in ten times the time"]
fn ten_thousand_fields_and_graphs_keep_their_invariants() {
    fuzz(10_000);
}
