//! E2, E4, E7, E18: smooth functions.

use burnscape_topology::{Connectivity, Death, MergeTreeConfig, Resolution, ScalarField};

use crate::{BOTH, close, config, essential, finite, h0, h1, repeated, table};

fn double_well(x: f64, y: f64) -> f64 {
    (x * x - 1.0).powi(2) + y * y
}

fn camel(x: f64, y: f64) -> f64 {
    (4.0 - 2.1 * x * x + x.powi(4) / 3.0) * x * x + x * y + (-4.0 + 4.0 * y * y) * y * y
}

#[test]
fn a_double_well_has_one_pair_and_no_loop() {
    let (x, y) = ((-2.0, 2.0, 41), (-1.0, 1.0, 21));
    let (values, shape) = table(double_well, x, y);
    let (tilted, _) = table(|x, y| double_well(x, y) + 0.3 * x, x, y);
    for connectivity in BOTH {
        close(
            &finite(&h0(&values, &shape, connectivity).pairs),
            &[(0.0, 1.0)],
            1e-15,
        );
        assert_eq!(h1(&values, &shape, connectivity), []);
        let diagram = h0(&tilted, &shape, connectivity);
        close(&finite(&diagram.pairs), &[(0.3, 1.0101)], 1e-12);
        assert!((essential(&diagram)[0] + 0.3).abs() < 1e-12);
    }
    let line: Vec<f64> = (0..41).map(|i| tilted[21 * i + 10]).collect();
    let tree = MergeTreeConfig::new()
        .run(&ScalarField::new(&line, &[41]).unwrap())
        .unwrap();
    assert_eq!(tree.basins().volumes, [21, 20]);
}

#[test]
fn rastrigin_has_its_wells_and_loops() {
    // At multiples of one half, the cosine is 1 or −1.
    let bump = |x: f64| x * x - if x.fract() == 0.0 { 10.0 } else { -10.0 };
    let (values, shape) = table(
        |x, y| bump(x) + bump(y) + 20.0,
        (-2.5, 2.5, 11),
        (-2.5, 2.5, 11),
    );
    for connectivity in BOTH {
        let diagram = h0(&values, &shape, connectivity);
        assert_eq!(diagram.pairs[0].birth_cell, Some(60));
        assert_eq!(essential(&diagram), [0.0]);
        let wells = [
            ((1.0, 20.25), 4),
            ((2.0, 21.25), 4),
            ((4.0, 22.25), 4),
            ((5.0, 23.25), 8),
            ((8.0, 26.25), 4),
        ];
        assert_eq!(finite(&diagram.pairs), repeated(&wells));
        let loops = [((21.25, 40.5), 4), ((24.25, 42.5), 8), ((26.25, 44.5), 4)];
        assert_eq!(h1(&values, &shape, connectivity), repeated(&loops));
    }
}

#[test]
fn the_camel_has_six_wells_of_which_four_are_resolved() {
    let (values, shape) = table(camel, (-2.0, 2.0, 41), (-1.0, 1.0, 21));
    let field = ScalarField::new(&values, &shape).unwrap();
    for connectivity in BOTH {
        let diagram = h0(&values, &shape, connectivity);
        assert_eq!(diagram.pairs[0].birth_cell, Some(416));
        assert!((essential(&diagram)[0] + 1.0298097).abs() < 5e-8);
        let expected = [
            (-1.02981, 0.0),
            (-0.215154, 0.55431),
            (-0.215154, 0.55431),
            (2.108245, 2.229526),
            (2.108245, 2.229526),
        ];
        close(&finite(&diagram.pairs), &expected, 1e-5);
        close(
            &h1(&values, &shape, connectivity),
            &[(2.236245, 2.487168); 2],
            1e-6,
        );
        let mut ratios: Vec<f64> = diagram.pairs[1..]
            .iter()
            .map(|pair| field.resolution_ratio(pair).unwrap())
            .collect();
        ratios.sort_by(|a, b| b.total_cmp(a));
        for (ratio, expected) in ratios.iter().zip([13.39, 4.92, 4.92, 1.40, 1.40]) {
            assert!((ratio - expected).abs() < 0.005, "{ratios:?}");
        }
        let words: Vec<Resolution> = ratios
            .iter()
            .map(|&ratio| Resolution::of(ratio, Resolution::LIMITS))
            .collect();
        assert_eq!(words[2..4], [Resolution::Resolved, Resolution::Doubtful]);
        assert_eq!(field.resolution_ratio(&diagram.pairs[0]), Ok(f64::INFINITY));
    }
    let (values, shape) = table(camel, (-2.0, 2.0, 161), (-1.0, 1.0, 81));
    let field = ScalarField::new(&values, &shape).unwrap();
    let pairs = MergeTreeConfig::new().run(&field).unwrap().diagram().pairs;
    assert_eq!(pairs.len(), 6);
    assert!(
        pairs
            .iter()
            .all(|pair| field.resolution_ratio(pair).unwrap() >= 39.0)
    );
}

/// The finite pairs and their ratios.
fn ratios(values: &[f64], shape: &[usize], connectivity: Connectivity) -> Vec<(f64, f64)> {
    let field = ScalarField::new(values, shape).unwrap();
    let pairs = config(connectivity).run(&field).unwrap().diagram().pairs;
    let dying = pairs.iter().filter(|pair| pair.death != Death::Never);
    dying
        .map(|pair| (pair.persistence(), field.resolution_ratio(pair).unwrap()))
        .collect()
}

#[test]
fn oblique_valleys_show_wells_that_the_ratio_unmasks() {
    let valley = |degrees: f64| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        table(
            move |x, y| 1000.0 * (x * sin - y * cos).powi(2) + (x * cos + y * sin).powi(2),
            (-1.0, 1.0, 51),
            (-1.0, 1.0, 51),
        )
    };
    let (values, shape) = valley(30.0);
    let full = ratios(&values, &shape, Connectivity::Full);
    assert_eq!(full.len(), 18);
    assert!(full.iter().all(|pair| pair.1 <= 1.0));
    assert_eq!(ratios(&values, &shape, Connectivity::Axis).len(), 28);
    let (values, shape) = valley(45.0);
    assert_eq!(ratios(&values, &shape, Connectivity::Full).len(), 0);
    let axis = ratios(&values, &shape, Connectivity::Axis);
    assert_eq!(axis.len(), 50);
    let largest = axis.iter().fold(0.0_f64, |most, pair| most.max(pair.0));
    assert!((largest - 0.7976).abs() < 5e-5, "{largest}");
    let rosenbrock = |x: f64, y: f64| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
    let (values, shape) = table(rosenbrock, (-2.0, 2.0, 41), (-1.0, 3.0, 41));
    for (connectivity, count, most) in [
        (Connectivity::Full, 18, 0.285),
        (Connectivity::Axis, 28, 0.591),
    ] {
        let found = ratios(&values, &shape, connectivity);
        assert_eq!(found.len(), count);
        let largest = found.iter().fold(0.0_f64, |most, pair| most.max(pair.1));
        assert!((largest - most).abs() < 5e-4, "{largest}");
    }
}
