//! What results say, print, and write.

use burnscape_topology::{
    Basins, BettiCurve, Death, Diagram, DiagramDistance, Level, MergeTree, MergeTreeConfig,
    ModelGraph, NanPolicy, ScalarField, TopologyError, TreeNode, bottleneck,
};
use serde::{Serialize, de::DeserializeOwned};

fn again<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(*value, serde_json::from_str::<T>(&text).unwrap(), "{text}");
}

#[test]
fn results_are_read_as_they_were_written() {
    let values = [
        0.0,
        f64::INFINITY,
        1.0,
        f64::NAN,
        f64::NEG_INFINITY,
        2.0,
        0.5,
        3.0,
    ];
    let field = ScalarField::new(&values, &[8]).unwrap();
    let config = MergeTreeConfig::new().with_nan(NanPolicy::Wall);
    again(&config);
    let tree = config.run(&field).unwrap();
    again::<MergeTree>(&tree);
    again::<Diagram>(&tree.diagram());
    again::<BettiCurve>(&tree.diagram().betti_curve());
    again::<Basins>(&tree.basins());
    again::<Vec<TreeNode>>(&tree.nodes(&field).unwrap());
    again::<DiagramDistance>(
        &bottleneck(
            &tree.diagram(),
            &tree.simplified(f64::INFINITY).unwrap().diagram(),
        )
        .unwrap(),
    );
    let mut graph = ModelGraph::new(vec![0.0, f64::INFINITY]).unwrap();
    graph.connect(0, 1, 1.0).unwrap();
    again(&graph);
}

#[test]
fn records_that_contradict_themselves_are_refused() {
    let tree = MergeTreeConfig::new()
        .run(&ScalarField::new(&[0.0, 2.0, 1.0], &[3]).unwrap())
        .unwrap();
    let text = serde_json::to_string(&tree).unwrap();
    for (part, other) in [
        ("\"labels\":[0,0,1]", "\"labels\":[0,0,2]"),
        ("\"labels\":[0,0,1]", "\"labels\":[0,0]"),
        ("\"parent\":0", "\"parent\":1"),
        ("\"parent\":0", "\"parent\":null"),
        ("\"minimum\":2", "\"minimum\":3"),
        ("\"shape\":[3]", "\"shape\":[]"),
    ] {
        assert!(text.contains(part), "{text}");
        assert!(
            serde_json::from_str::<MergeTree>(&text.replace(part, other)).is_err(),
            "{other}"
        );
    }
}

#[test]
fn betti_curves_step_at_births_and_deaths() {
    let points = [
        (0.0, Death::Never),
        (1.0, Death::At(3.0)),
        (2.0, Death::At(3.0)),
        (4.0, Death::At(4.0)),
    ];
    let curve = Diagram::new(Level::Sub, 0, points).unwrap().betti_curve();
    assert_eq!(curve.values, [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(curve.counts, [1, 2, 3, 1]);
    let counts = [-1.0, 0.0, 1.5, 2.0, 2.9, 3.0, 9.0].map(|value| curve.at(value));
    assert_eq!(counts, [0, 1, 2, 3, 3, 1, 1]);
    let points = [(4.0, Death::Never), (3.0, Death::At(1.0))];
    let curve = Diagram::new(Level::Super, 0, points).unwrap().betti_curve();
    assert_eq!(
        [5.0, 4.0, 3.0, 2.0, 1.0].map(|value| curve.at(value)),
        [0, 1, 2, 2, 1]
    );
}

#[test]
fn statistics_of_diagrams_are_known() {
    let points = [
        (0.0, Death::Never),
        (1.0, Death::At(3.0)),
        (2.0, Death::At(4.0)),
        (0.0, Death::At(4.0)),
    ];
    let diagram = Diagram::new(Level::Sub, 0, points).unwrap();
    assert_eq!(diagram.total_persistence(2.0), 24.0);
    assert_eq!(diagram.persistence_range(), Some((2.0, 4.0)));
    assert!(
        (diagram.persistence_entropy() - (0.5 * 4.0_f64.ln() + 0.5 * 2.0_f64.ln())).abs() < 1e-15
    );
    assert_eq!(diagram.above(3.0).pairs.len(), 2);
    let none = Diagram::new(Level::Sub, 0, []).unwrap();
    assert!(none.mean_persistence().is_nan());
    assert_eq!(
        (none.persistence_entropy(), none.persistence_range()),
        (0.0, None)
    );
    assert_eq!(
        diagram.to_string().lines().next(),
        Some("H0 of sublevel sets, 4 pairs")
    );
}

#[test]
fn volumes_weigh_the_mean_persistence() -> Result<(), TopologyError> {
    let field = ScalarField::new(&[0.0, 3.0, 1.0, 4.0, 2.0, 2.5], &[6])?;
    let tree = MergeTreeConfig::new().run(&field)?;
    let volumes: Vec<usize> = tree.branches().iter().map(|branch| branch.volume).collect();
    assert_eq!(volumes, [2, 2, 2]);
    assert_eq!(tree.weighted_mean_persistence(), 2.0);
    Ok(())
}

#[test]
fn branches_without_persistence_are_kept_on_request() -> Result<(), TopologyError> {
    // A plateau in the form of a U.
    let values = [1.0, 2.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0];
    let field = ScalarField::new(&values, &[3, 3])?;
    let axis = MergeTreeConfig::new().with_connectivity(burnscape_topology::Connectivity::Axis);
    let tree = axis.run(&field)?;
    assert_eq!(tree.branches().len(), 1);
    assert_eq!(tree.branches()[0].volume, 9);
    let kept = axis.with_zero_branches(true).run(&field)?;
    assert_eq!(kept.branches().len(), 2);
    assert_eq!(kept.branches()[1].death, Death::At(1.0));
    assert_eq!(kept.diagram().pairs.len(), 1);
    Ok(())
}
