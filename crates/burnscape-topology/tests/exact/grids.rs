//! E3, E5, E6, E8: small tables.

use burnscape_topology::{Connectivity, Death, Level, MergeTreeConfig, NanPolicy, ScalarField};

use crate::{BOTH, config, essential, finite, h0, h1};

fn sums(axes: &[&[f64]]) -> (Vec<f64>, Vec<usize>) {
    let mut values = vec![0.0];
    for axis in axes {
        values = values
            .iter()
            .flat_map(|value| axis.iter().map(move |step| value + step))
            .collect();
    }
    (values, axes.iter().map(|axis| axis.len()).collect())
}

#[test]
fn separable_sums_follow_kunneth() {
    let (a, b, c) = ([0.0, 1.0, 0.3], [0.0, 2.0, 0.5], [0.0, 4.0, 1.0]);
    for connectivity in BOTH {
        let (values, shape) = sums(&[&a, &b]);
        let diagram = h0(&values, &shape, connectivity);
        assert_eq!(finite(&diagram.pairs), [(0.3, 1.0), (0.5, 2.0), (0.8, 1.5)]);
        assert_eq!(essential(&diagram), [0.0]);
        assert!((diagram.mean_persistence() - 0.9666666666666667).abs() < 1e-15);
        assert!((diagram.total_persistence(1.0) - 2.9).abs() < 1e-15);
        assert_eq!(h1(&values, &shape, connectivity), [(2.3, 3.0)]);
        let (values, shape) = sums(&[&a, &b, &c]);
        let expected = [
            (0.3, 1.0),
            (0.5, 2.0),
            (0.8, 1.5),
            (1.0, 4.0),
            (1.3, 2.0),
            (1.5, 3.0),
            (1.8, 2.5),
        ];
        assert_eq!(finite(&h0(&values, &shape, connectivity).pairs), expected);
    }
}

#[test]
fn sums_of_wells_have_two_to_the_n_minima() {
    let axis: &[f64] = &[9.0, 0.0, 1.0, 0.0, 9.0];
    for connectivity in BOTH {
        for n in 2..=4 {
            let (values, shape) = sums(&vec![axis; n]);
            let diagram = h0(&values, &shape, connectivity);
            assert_eq!(finite(&diagram.pairs), vec![(0.0, 1.0); (1 << n) - 1]);
            if n == 2 {
                assert_eq!(h1(&values, &shape, connectivity), [(1.0, 2.0)]);
            }
        }
    }
}

fn checkerboard(shape: &[usize]) -> Vec<f64> {
    let cells: usize = shape.iter().product();
    let values = vec![0.0; cells];
    let field = ScalarField::new(&values, shape).unwrap();
    let odd = |cell| field.coordinates(cell).iter().sum::<usize>() % 2;
    (0..cells).map(|cell| odd(cell) as f64).collect()
}

#[test]
fn checkerboards_have_wells_by_axes_and_loops_by_corners() {
    for (shape, wells, loops) in [([4, 4], 7, 2), ([5, 5], 12, 4), ([5, 4], 9, 3)] {
        let values = checkerboard(&shape);
        let field = ScalarField::new(&values, &shape).unwrap();
        for threads in [1, 2, 3] {
            let axis = config(Connectivity::Axis).with_threads(threads);
            let tree = axis.run(&field).unwrap();
            assert_eq!(finite(&tree.diagram().pairs), vec![(0.0, 1.0); wells]);
            assert_eq!(tree.branches()[0].minimum, 0);
            assert_eq!(finite(&axis.run_top(&field).unwrap().pairs), []);
            let full = config(Connectivity::Full).with_threads(threads);
            let tree = full.run(&field).unwrap();
            assert_eq!(finite(&tree.diagram().pairs), []);
            assert_eq!(tree.branches()[0].minimum, 0);
            assert_eq!(
                finite(&full.run_top(&field).unwrap().pairs),
                vec![(0.0, 1.0); loops]
            );
        }
    }
    let values = checkerboard(&[3, 3, 3]);
    assert_eq!(
        finite(&h0(&values, &[3, 3, 3], Connectivity::Axis).pairs),
        vec![(0.0, 1.0); 13]
    );
    assert_eq!(
        finite(&h0(&values, &[3, 3, 3], Connectivity::Full).pairs),
        []
    );
    assert_eq!(h1(&values, &[3, 3, 3], Connectivity::Full).len(), 1);
}

#[test]
fn a_constant_field_has_one_class() {
    for connectivity in BOTH {
        let tree = config(connectivity)
            .run(&ScalarField::new(&[7.0; 24], &[2, 3, 4]).unwrap())
            .unwrap();
        assert_eq!(tree.branches().len(), 1);
        assert_eq!(
            (tree.branches()[0].minimum, tree.branches()[0].death),
            (0, Death::Never)
        );
        assert_eq!(tree.branches()[0].volume, 24);
    }
}

#[test]
fn infinite_values_join_at_infinity_and_walls_never() {
    let inf = f64::INFINITY;
    for connectivity in BOTH {
        let values = [0.0, 5.0, 1.0, 0.0, inf, 1.0, 0.0, 5.0, 1.0];
        let diagram = h0(&values, &[3, 3], connectivity);
        assert_eq!(finite(&diagram.pairs), [(1.0, 5.0)]);
        let values = [0.0, inf, 1.0, 0.0, inf, 1.0, 0.0, inf, 1.0];
        let diagram = h0(&values, &[3, 3], connectivity);
        assert_eq!(finite(&diagram.pairs), [(1.0, inf)]);
        assert!(diagram.pairs[1].death.is_unbounded());
        assert_eq!(essential(&diagram), [0.0]);
        let values = values.map(|value| if value == inf { f64::NAN } else { value });
        let field = ScalarField::new(&values, &[3, 3]).unwrap();
        let top = config(connectivity)
            .with_nan(NanPolicy::Top)
            .run(&field)
            .unwrap();
        assert_eq!(finite(&top.diagram().pairs), [(1.0, inf)]);
        assert_eq!(essential(&top.diagram()), [0.0]);
        let wall = config(connectivity)
            .with_nan(NanPolicy::Wall)
            .run(&field)
            .unwrap();
        assert_eq!(finite(&wall.diagram().pairs), []);
        assert_eq!(essential(&wall.diagram()), [0.0, 1.0]);
        assert_eq!(wall.basins().labels[1], None);
        let refused = config(connectivity).run(&field).unwrap_err();
        assert!(
            refused.to_string().contains("cell 1 at [0, 1]"),
            "{refused}"
        );
    }
}

#[test]
fn a_loop_around_a_wall_never_dies() {
    let nan = f64::NAN;
    let values = [1.0, 1.0, 1.0, 1.0, nan, 1.0, 1.0, 2.0, 1.0];
    let field = ScalarField::new(&values, &[3, 3]).unwrap();
    for (policy, death) in [
        (NanPolicy::Wall, Death::Never),
        (NanPolicy::Top, Death::At(f64::INFINITY)),
    ] {
        for (connectivity, birth) in [(Connectivity::Full, 2.0), (Connectivity::Axis, 2.0)] {
            let loops = config(connectivity)
                .with_nan(policy)
                .run_top(&field)
                .unwrap();
            assert_eq!(loops.pairs.len(), 1);
            assert_eq!((loops.pairs[0].birth, loops.pairs[0].death), (birth, death));
        }
    }
    // Two walls that touch are one hole, also beside an infinite value.
    let values = [
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        f64::INFINITY,
        nan,
        1.0,
        1.0,
        nan,
        nan,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
    ];
    let field = ScalarField::new(&values, &[4, 4]).unwrap();
    let loops = MergeTreeConfig::new()
        .with_nan(NanPolicy::Wall)
        .run_top(&field)
        .unwrap();
    assert_eq!(loops.pairs.len(), 1);
    assert_eq!(loops.pairs[0].death, Death::Never);
    assert_eq!(loops.pairs[0].birth, 1.0);
}

#[test]
fn both_zeros_are_equal() {
    let field = ScalarField::new(&[0.0, -0.0, 0.0], &[3]).unwrap();
    for level in [Level::Sub, Level::Super] {
        let tree = MergeTreeConfig::new()
            .with_level(level)
            .run(&field)
            .unwrap();
        assert_eq!(tree.branches().len(), 1);
        assert_eq!(tree.branches()[0].minimum, 0);
    }
}

const M: [f64; 16] = [
    4.0, 1.0, 6.0, 2.0, 3.0, 7.0, 0.0, 5.0, 1.0, 8.0, 3.0, 9.0, 6.0, 2.0, 7.0, 4.0,
];

#[test]
fn connectivity_decides_and_symmetries_do_not() {
    let at = |i: usize, j: usize| M[4 * i + j];
    let table = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..16).map(|cell| f(cell / 4, cell % 4)).collect()
    };
    let images = [
        M.to_vec(),
        table(&|i, j| at(j, i)),
        table(&|i, j| at(3 - i, j)),
        table(&|i, j| at(i, 3 - j)),
        table(&|i, j| at(3 - j, i)),
    ];
    for values in images {
        let axis = h0(&values, &[4, 4], Connectivity::Axis);
        assert_eq!(
            finite(&axis.pairs),
            [(1.0, 4.0), (1.0, 6.0), (2.0, 5.0), (2.0, 6.0), (4.0, 7.0)]
        );
        assert_eq!(h1(&values, &[4, 4], Connectivity::Axis), [(7.0, 8.0)]);
        let full = h0(&values, &[4, 4], Connectivity::Full);
        assert_eq!(finite(&full.pairs), [(1.0, 3.0)]);
        assert_eq!(h1(&values, &[4, 4], Connectivity::Full), [(3.0, 8.0)]);
    }
    assert_eq!(
        h0(&M, &[4, 4], Connectivity::Full).pairs[0].birth_cell,
        Some(6)
    );
}

#[test]
fn axes_of_length_one_change_no_component_and_close_no_loop() {
    for connectivity in BOTH {
        let flat = h0(&M, &[4, 4], connectivity);
        for shape in [vec![1, 4, 4], vec![4, 1, 4], vec![4, 4, 1]] {
            assert_eq!(h0(&M, &shape, connectivity).pairs, flat.pairs);
            assert_eq!(h1(&M, &shape, connectivity), []);
        }
    }
}
