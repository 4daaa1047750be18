//! Bad input, and what its errors say.

use burnscape_topology::{
    Connectivity, Death, Diagram, Ground, Level, MergeTree, MergeTreeConfig, ModelGraph, Order,
    ScalarField, TopologyError, bottleneck, wasserstein,
};

fn says(error: &TopologyError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn shapes_are_checked() {
    says(
        &ScalarField::new(&[], &[3, 0]).unwrap_err(),
        &["axis 1", "length 0"],
    );
    says(&ScalarField::new(&[1.0], &[]).unwrap_err(), &["no axes"]);
    says(
        &ScalarField::new(&[1.0; 5], &[2, 3]).unwrap_err(),
        &["[2, 3]", "6 cells", "5 values"],
    );
    says(
        &ScalarField::new(&[], &[usize::MAX, 2]).unwrap_err(),
        &["coarser grid"],
    );
    let values = vec![0.0; 1 << 11];
    let field = ScalarField::new(&values, &[2; 11]).unwrap();
    says(
        &MergeTreeConfig::new().run(&field).unwrap_err(),
        &["3^11", "Connectivity::Axis"],
    );
    let axis = MergeTreeConfig::new().with_connectivity(Connectivity::Axis);
    assert_eq!(axis.run(&field).unwrap().branches().len(), 1);
}

#[test]
fn graphs_are_checked() {
    says(&ModelGraph::new(Vec::new()).unwrap_err(), &["no models"]);
    says(
        &ModelGraph::new(vec![0.0, f64::NAN]).unwrap_err(),
        &["model 1", "NaN"],
    );
    let mut graph = ModelGraph::new(vec![0.0, 1.0]).unwrap();
    says(&graph.connect(0, 2, 1.0).unwrap_err(), &["between 0 and 2"]);
    says(&graph.connect(1, 1, 1.0).unwrap_err(), &["two different"]);
    says(&graph.connect(0, 1, f64::NAN).unwrap_err(), &["NaN"]);
}

#[test]
fn trees_are_asked_about_their_own_field() {
    let values = [1.0, 2.0, 0.0, 3.0];
    let field = ScalarField::new(&values, &[4]).unwrap();
    let tree = MergeTreeConfig::new().run(&field).unwrap();
    let other = ScalarField::new(&values, &[2, 2]).unwrap();
    says(&tree.nodes(&other).unwrap_err(), &["[4]", "[2, 2]"]);
    says(&tree.simplified(-1.0).unwrap_err(), &["threshold", "-1"]);
    says(
        &tree.flooded(&field, f64::NAN).unwrap_err(),
        &["threshold", "NaN"],
    );
    says(&tree.meeting(0, 9).unwrap_err(), &["9"]);
    let graph = MergeTree::of_graph(&ModelGraph::new(vec![0.0; 4]).unwrap());
    says(&graph.flooded_volumes(&field).unwrap_err(), &["graph"]);
    let basins = tree.basins();
    says(
        &basins.measures(&[&[0.0, 1.0, 1.0, 2.0]]).unwrap_err(),
        &["axis 0", "increase"],
    );
    says(
        &basins.measures(&[&[0.0, 1.0, 2.0]]).unwrap_err(),
        &["4 values"],
    );
}

#[test]
fn diagrams_are_checked() {
    let points = |count: usize| (0..count).map(|i| (0.0, Death::At(1.0 + i as f64)));
    let large = Diagram::new(Level::Sub, 0, points(4_000)).unwrap();
    let error = bottleneck(&large, &large).unwrap_err();
    says(&error, &["4000", "10000000", "simplify first"]);
    assert!(wasserstein(&large, &large, Order::Two, Ground::Infinity).is_err());
    says(
        &Diagram::new(Level::Sub, 0, [(0.0, Death::At(f64::NAN))]).unwrap_err(),
        &["point 0"],
    );
    let other = Diagram::new(Level::Super, 0, points(1)).unwrap();
    says(&bottleneck(&large, &other).unwrap_err(), &["level"]);
    let loops = Diagram::new(Level::Sub, 1, points(1)).unwrap();
    says(&bottleneck(&large, &loops).unwrap_err(), &["dimension"]);
}
