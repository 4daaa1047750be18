//! E10: simplification and basins.

use burnscape_topology::{Level, MergeTree, MergeTreeConfig, ScalarField, bottleneck};

const TIES: [f64; 11] = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0];

fn basins(tree: &MergeTree) -> Vec<(usize, usize)> {
    let basins = tree.basins();
    let mut found: Vec<_> = basins.minima.into_iter().zip(basins.volumes).collect();
    found.sort_unstable();
    found
}

#[test]
fn shallow_wells_go_to_their_parents() {
    let field = ScalarField::new(&TIES, &[11]).unwrap();
    let tree = MergeTreeConfig::new().run(&field).unwrap();
    assert_eq!(basins(&tree), [(1, 3), (3, 2), (6, 3), (9, 3)]);
    assert_eq!(basins(&tree.simplified(3.5).unwrap()), [(1, 5), (6, 6)]);
    assert_eq!(basins(&tree.simplified(8.0).unwrap()), [(1, 11)]);
    for threshold in [0.0, 1.0, 3.0, 3.5, 7.0, 8.0, f64::INFINITY] {
        let simplified = tree.simplified(threshold).unwrap();
        let moved = bottleneck(&tree.diagram(), &simplified.diagram()).unwrap();
        assert!(moved.distance <= threshold / 2.0);
        let flooded = tree.flooded(&field, threshold).unwrap();
        let again = MergeTreeConfig::new()
            .run(&ScalarField::new(&flooded, &[11]).unwrap())
            .unwrap();
        let points = |tree: &MergeTree| crate::finite(&tree.diagram().pairs);
        assert_eq!(points(&again), points(&simplified));
    }
}

#[test]
fn peaks_are_lowered() {
    let field = ScalarField::new(&TIES, &[11]).unwrap();
    let tree = MergeTreeConfig::new()
        .with_level(Level::Super)
        .run(&field)
        .unwrap();
    let flooded = tree.flooded(&field, 3.5).unwrap();
    assert_eq!(
        flooded,
        [1.0, 1.0, 1.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 3.0]
    );
}

#[test]
fn measures_weigh_cells_by_their_gaps() {
    let field = ScalarField::new(&TIES, &[11]).unwrap();
    let basins = MergeTreeConfig::new().run(&field).unwrap().basins();
    let mut x: Vec<f64> = (0..11).map(f64::from).collect();
    assert_eq!(basins.measures(&[&x]).unwrap(), [2.5, 2.0, 3.0, 2.5]);
    x[10] = 14.0;
    assert_eq!(basins.measures(&[&x]).unwrap(), [2.5, 2.0, 3.0, 6.5]);
}
