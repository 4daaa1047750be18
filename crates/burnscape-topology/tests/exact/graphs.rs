//! E9: models and paths.

use burnscape_topology::{Death, MergeTree, ModelGraph};

fn graph() -> ModelGraph {
    let mut graph = ModelGraph::new(vec![0.1, 0.2, 0.15, 0.3, 0.12]).unwrap();
    for (a, b, value) in [
        (0, 1, 0.5),
        (1, 2, 0.4),
        (0, 2, 0.9),
        (2, 3, 0.35),
        (3, 4, 0.8),
        (0, 4, 1.1),
    ] {
        graph.connect(a, b, value).unwrap();
    }
    graph
}

fn deaths(tree: &MergeTree) -> Vec<(usize, f64, Option<f64>)> {
    let branches = tree.branches().iter();
    let mut found: Vec<_> = branches
        .map(|branch| (branch.minimum, branch.birth, branch.death.value()))
        .collect();
    found.sort_by_key(|entry| entry.0);
    found
}

#[test]
fn models_die_where_paths_meet() {
    let tree = MergeTree::of_graph(&graph());
    let expected = [
        (0, 0.1, None),
        (1, 0.2, Some(0.4)),
        (2, 0.15, Some(0.5)),
        (3, 0.3, Some(0.35)),
        (4, 0.12, Some(0.8)),
    ];
    assert_eq!(deaths(&tree), expected);
    // Paths 0-2 and 0-4 close cycles.
    let saddles: Vec<usize> = tree
        .branches()
        .iter()
        .filter_map(|branch| branch.saddle)
        .collect();
    assert!(!saddles.contains(&2) && !saddles.contains(&5));
    let branch = |model: usize| {
        tree.branches()
            .iter()
            .position(|branch| branch.minimum == model)
            .unwrap()
    };
    assert_eq!(tree.meeting(branch(1), branch(4)).unwrap(), Death::At(0.8));
    assert_eq!(tree.meeting(branch(1), branch(3)).unwrap(), Death::At(0.4));
    assert_eq!(
        tree.to_string(),
        "merge tree of sublevel sets, 5 models (deaths are upper bounds), 5 branches
model 0 at 0.1, never dies
├─ model 4 at 0.12, dies at 0.8, persistence 0.68
└─ model 2 at 0.15, dies at 0.5, persistence 0.35
   ├─ model 1 at 0.2, dies at 0.4, persistence 0.2
   └─ model 3 at 0.3, dies at 0.35, persistence 0.05
"
    );
}

#[test]
fn pieces_have_one_essential_class_each() {
    let mut graph = ModelGraph::new(vec![3.0, 1.0, 2.0, 5.0]).unwrap();
    graph.connect(0, 1, 4.0).unwrap();
    let tree = MergeTree::of_graph(&graph);
    assert_eq!(tree.diagram().num_essential(), 3);
    assert_eq!(tree.meeting(0, 1).unwrap(), Death::Never);
}

#[test]
fn paths_below_their_ends_are_raised_to_them() {
    let mut graph = ModelGraph::new(vec![1.0, 2.0]).unwrap();
    graph.connect(0, 1, -7.0).unwrap();
    let tree = MergeTree::of_graph(&graph);
    assert_eq!(tree.branches()[1].death, Death::At(2.0));
    // It has no persistence, but stays in the tree, because it is a model.
    assert_eq!((tree.branches().len(), tree.diagram().pairs.len()), (2, 1));
}
