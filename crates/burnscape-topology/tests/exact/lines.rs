//! E1, E10 in part: one dimension.

use burnscape_topology::{Death, Level, MergeTreeConfig, ScalarField, TreeMethod};

use crate::{finite, superlevel};

const TIES: [f64; 11] = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0];

/// Birth, death, and the cells of both.
fn pairs(values: &[f64], level: Level) -> Vec<(f64, Option<f64>, usize, Option<usize>)> {
    let field = ScalarField::new(values, &[values.len()]).unwrap();
    let mut all = Vec::new();
    for method in [TreeMethod::Auto, TreeMethod::Basins, TreeMethod::Sweep] {
        let config = MergeTreeConfig::new().with_level(level).with_method(method);
        let tree = config.run(&field).unwrap();
        let branches = tree.branches().iter();
        all.push(
            branches
                .map(|branch| {
                    (
                        branch.birth,
                        branch.death.value(),
                        branch.minimum,
                        branch.saddle,
                    )
                })
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[1], all[2]);
    all.remove(0)
}

#[test]
fn five_points_have_two_wells_and_two_peaks() {
    let values = [0.0, 3.0, 1.0, 4.0, 2.0];
    let wells = pairs(&values, Level::Sub);
    assert_eq!(
        wells,
        [
            (0.0, None, 0, None),
            (1.0, Some(3.0), 2, Some(1)),
            (2.0, Some(4.0), 4, Some(3))
        ]
    );
    let peaks = pairs(&values, Level::Super);
    assert_eq!(peaks, [(4.0, None, 3, None), (3.0, Some(1.0), 1, Some(2))]);
}

#[test]
fn ties_go_to_the_lower_index() {
    assert_eq!(
        pairs(&TIES, Level::Sub),
        [
            (1.0, None, 1, None),
            (1.0, Some(4.0), 3, Some(2)),
            (2.0, Some(9.0), 6, Some(5)),
            (3.0, Some(6.0), 9, Some(7)),
        ]
    );
    let field = ScalarField::new(&TIES, &[11]).unwrap();
    let peaks = superlevel().run(&field).unwrap();
    assert_eq!(
        finite(&peaks.diagram().pairs),
        [(3.0, 1.0), (4.0, 1.0), (5.0, 3.0), (6.0, 2.0)]
    );
    assert_eq!(
        (peaks.branches()[0].minimum, peaks.branches()[0].birth),
        (5, 9.0)
    );
}

#[test]
fn equal_wells_die_at_equal_passes() {
    assert_eq!(
        pairs(&[0.0, 1.0, 0.0, 1.0, 0.0], Level::Sub),
        [
            (0.0, None, 0, None),
            (0.0, Some(1.0), 2, Some(1)),
            (0.0, Some(1.0), 4, Some(3))
        ]
    );
    assert_eq!(
        pairs(&[5.0, 4.0, 3.0, 2.0, 1.0], Level::Sub),
        [(1.0, None, 4, None)]
    );
}

#[test]
fn a_line_has_no_top_persistence() {
    let field = ScalarField::new(&TIES, &[11]).unwrap();
    assert!(MergeTreeConfig::new().run_top(&field).is_err());
}

#[test]
fn branches_and_nodes_say_where_components_meet() {
    let field = ScalarField::new(&TIES, &[11]).unwrap();
    let tree = MergeTreeConfig::new().run(&field).unwrap();
    assert_eq!(tree.meeting(1, 3).unwrap(), Death::At(9.0));
    assert_eq!(tree.meeting(2, 3).unwrap(), Death::At(6.0));
    assert_eq!(tree.meeting(1, 1).unwrap(), Death::At(1.0));
    let nodes = tree.nodes(&field).unwrap();
    let cells: Vec<_> = nodes
        .iter()
        .map(|node| (node.cell, node.parent, node.cells))
        .collect();
    // Cells 3, 1 | 4 | 1 | 5 | 9 | 2 | 6 | 5, 3, 5.
    assert_eq!(
        cells,
        [
            (1, Some(4), 2),
            (3, Some(4), 1),
            (6, Some(5), 1),
            (9, Some(5), 3),
            (2, Some(6), 2),
            (7, Some(6), 1),
            (5, None, 1),
        ]
    );
    assert_eq!(tree.flooded_volumes(&field).unwrap(), [11, 1, 5, 3]);
}
