//! Laws over random fields, graphs and diagrams.
#![cfg(test)]

use burnscape_topology::{
    Connectivity, Death, Diagram, Ground, Level, MergeTree, MergeTreeConfig, ModelGraph, NanPolicy,
    Order, ScalarField, TreeMethod, bottleneck, wasserstein,
};
use proptest::prelude::*;

/// A shape and its values, with many ties or almost none.
fn table(axes: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<usize>, Vec<f64>)> {
    (prop::collection::vec(1_usize..7, axes), any::<bool>()).prop_flat_map(|(shape, has_ties)| {
        let cells: usize = shape.iter().product();
        let value = if has_ties {
            (0_i32..5).prop_map(f64::from).boxed()
        } else {
            (-1e3..1e3).boxed()
        };
        (Just(shape), prop::collection::vec(value, cells))
    })
}

fn connectivity() -> impl Strategy<Value = Connectivity> {
    prop_oneof![Just(Connectivity::Full), Just(Connectivity::Axis)]
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Sub), Just(Level::Super)]
}

fn points() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let coarse = (0_i32..9, 0_i32..5)
        .prop_map(|(birth, lasts)| (f64::from(birth), f64::from(birth + lasts)));
    let fine = (-9.0..9.0, 0.0..5.0).prop_map(|(birth, lasts): (f64, f64)| (birth, birth + lasts));
    prop_oneof![
        prop::collection::vec(coarse, 0..9),
        prop::collection::vec(fine, 0..9)
    ]
}

fn diagram(points: &[(f64, f64)]) -> Diagram {
    Diagram::new(
        Level::Sub,
        0,
        points
            .iter()
            .map(|&(birth, death)| (birth, Death::At(death))),
    )
    .unwrap()
}

/// Vertices, edges and squares of a table that are there at `t`: an edge is there with both of its ends.
fn euler(values: &[f64], shape: &[usize], t: f64) -> i64 {
    let (n, m) = (shape[0], shape[1]);
    let is_there = |i: usize, j: usize| i < n && j < m && values[i * m + j] <= t;
    let mut sum = 0;
    for i in 0..n {
        for j in 0..m {
            let [here, down, right, both] =
                [(i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1)].map(|(i, j)| is_there(i, j));
            sum += i64::from(here) - i64::from(here && down) - i64::from(here && right);
            sum += i64::from(here && down && right && both);
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn all_methods_and_threads_give_one_tree(
        (shape, values) in table(1..5), connectivity in connectivity(), level in level(), kept: bool,
    ) {
        let field = ScalarField::new(&values, &shape).unwrap();
        let config = MergeTreeConfig::new().with_connectivity(connectivity).with_level(level).with_zero_branches(kept);
        let sweep = config.with_method(TreeMethod::Sweep);
        let basins = config.with_method(TreeMethod::Basins).with_threads(2);
        let (a, b) = (sweep.run(&field).unwrap(), basins.run(&field).unwrap());
        prop_assert_eq!(a.branches(), b.branches());
        prop_assert_eq!(a.basins(), b.basins());
        prop_assert_eq!(&a, &sweep.with_threads(3).run(&field).unwrap());
        if shape.len() > 1 {
            prop_assert_eq!(sweep.run_top(&field).unwrap(), basins.run_top(&field).unwrap());
        }
    }

    #[test]
    fn betti_numbers_alternate_to_the_euler_characteristic((shape, values) in table(2..3)) {
        let field = ScalarField::new(&values, &shape).unwrap();
        let config = MergeTreeConfig::new().with_connectivity(Connectivity::Axis);
        let wells = config.run(&field).unwrap().diagram().betti_curve();
        let loops = config.run_top(&field).unwrap().betti_curve();
        for &t in &values {
            prop_assert_eq!(wells.at(t) as i64 - loops.at(t) as i64, euler(&values, &shape, t));
        }
    }

    #[test]
    fn diagrams_are_stable(
        (shape, values) in table(2..4), noise in prop::collection::vec(-1.0..1.0, 216), connectivity in connectivity(),
        level in level(),
    ) {
        let moved: Vec<f64> = values.iter().zip(&noise).map(|(value, noise): (&f64, &f64)| value + noise).collect();
        let most = values.iter().zip(&moved).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
        let config = MergeTreeConfig::new().with_connectivity(connectivity).with_level(level);
        let run = |values: &[f64]| {
            let field = ScalarField::new(values, &shape).unwrap();
            (config.run(&field).unwrap().diagram(), config.run_top(&field).unwrap())
        };
        let (a, b) = (run(&values), run(&moved));
        // Differences of coordinates round.
        prop_assert!(bottleneck(&a.0, &b.0).unwrap().distance <= most + 1e-12);
        prop_assert!(bottleneck(&a.1, &b.1).unwrap().distance <= most + 1e-12);
    }

    #[test]
    fn monotone_maps_map_the_diagram((shape, values) in table(1..4), connectivity in connectivity()) {
        let map = |value: f64| value.mul_add(2.0, 1.0).powi(3);
        let mapped: Vec<f64> = values.iter().map(|&value| map(value)).collect();
        let config = MergeTreeConfig::new().with_connectivity(connectivity);
        let run = |values: &[f64]| config.run(&ScalarField::new(values, &shape).unwrap()).unwrap().diagram().pairs;
        let expected: Vec<_> = run(&values).into_iter().map(|pair| {
            (map(pair.birth), pair.death.value().map(map), pair.birth_cell, pair.death_cell)
        }).collect();
        let found: Vec<_> = run(&mapped).into_iter().map(|pair| {
            (pair.birth, pair.death.value(), pair.birth_cell, pair.death_cell)
        }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn superlevel_sets_are_sublevel_sets_of_the_negative(
        (shape, values) in table(2..4), connectivity in connectivity(),
    ) {
        let negative: Vec<f64> = values.iter().map(|value| -value).collect();
        let sub = MergeTreeConfig::new().with_connectivity(connectivity);
        let sup = sub.with_level(Level::Super);
        let (field, mirrored) = (ScalarField::new(&values, &shape).unwrap(), ScalarField::new(&negative, &shape).unwrap());
        let points = |diagram: Diagram, sign: f64| -> Vec<_> {
            let pairs = diagram.pairs.into_iter();
            pairs.map(|pair| (pair.birth * sign, pair.death.value().map(|d| d * sign), pair.birth_cell, pair.death_cell)).collect()
        };
        let trees = [sub.run(&field).unwrap().diagram(), sup.run(&mirrored).unwrap().diagram()];
        let [a, b] = trees;
        prop_assert_eq!(points(a, 1.0), points(b, -1.0));
        let tops = [sub.run_top(&field).unwrap(), sup.run_top(&mirrored).unwrap()];
        let [a, b] = tops;
        prop_assert_eq!(points(a, 1.0), points(b, -1.0));
    }

    #[test]
    fn simplified_trees_are_those_of_flooded_fields(
        (shape, values) in table(1..4), connectivity in connectivity(), level in level(), threshold in 0.0..500.0,
        is_small: bool,
    ) {
        let threshold = if is_small { threshold / 100.0 } else { threshold };
        let field = ScalarField::new(&values, &shape).unwrap();
        let config = MergeTreeConfig::new().with_connectivity(connectivity).with_level(level);
        let tree = config.run(&field).unwrap();
        let simplified = tree.simplified(threshold).unwrap();
        let flooded = tree.flooded(&field, threshold).unwrap();
        let again = config.run(&ScalarField::new(&flooded, &shape).unwrap()).unwrap();
        let points = |tree: &MergeTree| -> Vec<_> {
            let mut found: Vec<_> = tree.diagram().pairs.iter().map(|pair| (pair.birth, pair.death.value())).collect();
            found.sort_by(|a, b| a.partial_cmp(b).unwrap());
            found
        };
        prop_assert_eq!(points(&simplified), points(&again));
        let moved = bottleneck(&tree.diagram(), &simplified.diagram()).unwrap().distance;
        prop_assert!(moved <= threshold / 2.0);
        let volume: usize = simplified.basins().volumes.iter().sum();
        prop_assert_eq!(volume, values.len());
    }

    #[test]
    fn nodes_and_flooded_volumes_count_every_cell(
        (shape, values) in table(1..4), connectivity in connectivity(), level in level(),
    ) {
        let field = ScalarField::new(&values, &shape).unwrap();
        let config = MergeTreeConfig::new().with_connectivity(connectivity).with_level(level);
        let tree = config.run(&field).unwrap();
        let nodes = tree.nodes(&field).unwrap();
        prop_assert_eq!(nodes.iter().map(|node| node.cells).sum::<usize>(), values.len());
        prop_assert!(nodes.iter().all(|node| node.cells > 0));
        // Everything below a node has entered before it.
        let mut below: Vec<usize> = nodes.iter().map(|node| node.cells).collect();
        let leaves = tree.branches().len();
        for number in 0..nodes.len() {
            if let Some(parent) = nodes[number].parent {
                prop_assert!(parent >= leaves && (number < leaves || number < parent));
                below[parent] += below[number];
            }
        }
        let volumes = tree.flooded_volumes(&field).unwrap();
        prop_assert_eq!(volumes[0], values.len());
        // A branch holds what its component has just before its saddle.
        for (branch, volume) in tree.branches().iter().zip(&volumes) {
            if branch.saddle.is_some() {
                let mut last = tree.branches().iter().position(|other| other == branch).unwrap();
                while let Some(parent) = nodes[last].parent.filter(|&parent| Some(nodes[parent].cell) != branch.saddle) {
                    last = parent;
                }
                prop_assert_eq!(below[last], *volume);
            }
        }
    }

    #[test]
    fn without_ties_every_minimum_but_one_dies((shape, seed) in (prop::collection::vec(2_usize..7, 1..4), any::<u64>()), connectivity in connectivity()) {
        let cells: usize = shape.iter().product();
        let mut order: Vec<usize> = (0..cells).collect();
        order.sort_by_key(|&cell| (cell as u64 + 1).wrapping_mul(seed | 1).rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut values = vec![0.0; cells];
        for (rank, &cell) in order.iter().enumerate() {
            values[cell] = rank as f64;
        }
        let field = ScalarField::new(&values, &shape).unwrap();
        let is_minimum = |cell: usize| {
            let at = field.coordinates(cell);
            (0..cells).all(|other| {
                let gaps: Vec<usize> = field.coordinates(other).iter().zip(&at).map(|(a, b)| a.abs_diff(*b)).collect();
                let is_neighbor = match connectivity {
                    Connectivity::Full => gaps.iter().all(|&gap| gap <= 1),
                    Connectivity::Axis => gaps.iter().sum::<usize>() <= 1,
                };
                !is_neighbor || values[other] >= values[cell]
            })
        };
        let minima = (0..cells).filter(|&cell| is_minimum(cell)).count();
        let diagram = MergeTreeConfig::new().with_connectivity(connectivity).run(&field).unwrap().diagram();
        prop_assert_eq!(diagram.pairs.len(), minima);
        prop_assert_eq!(diagram.num_essential(), 1);
    }

    #[test]
    fn walls_cut_and_tops_do_not((shape, mut values) in table(1..4), holes in prop::collection::vec(any::<bool>(), 216)) {
        for (value, &is_hole) in values.iter_mut().zip(&holes) {
            if is_hole {
                *value = f64::NAN;
            }
        }
        let field = ScalarField::new(&values, &shape).unwrap();
        for method in [TreeMethod::Basins, TreeMethod::Sweep] {
            let config = MergeTreeConfig::new().with_method(method);
            let top = config.with_nan(NanPolicy::Top).run(&field).unwrap();
            prop_assert_eq!(top.diagram().num_essential(), 1);
            let wall = config.with_nan(NanPolicy::Wall).run(&field).unwrap();
            let unlabeled = wall.basins().labels.iter().filter(|label| label.is_none()).count();
            prop_assert_eq!(unlabeled, values.iter().filter(|value| value.is_nan()).count());
            // What joins at infinity only joins through holes.
            let unbounded = top.diagram().pairs.iter().filter(|pair| pair.death.is_unbounded()).count();
            prop_assert_eq!(wall.diagram().num_essential().max(1), unbounded + 1);
        }
    }

    #[test]
    fn distances_are_metrics(a in points(), b in points(), c in points()) {
        let (a, b, c) = (diagram(&a), diagram(&b), diagram(&c));
        let w = |a: &Diagram, b: &Diagram, order, ground| wasserstein(a, b, order, ground).unwrap().distance;
        for order in [Order::One, Order::Two] {
            for ground in [Ground::Infinity, Ground::Euclidean] {
                let w = |a: &Diagram, b: &Diagram| w(a, b, order, ground);
                prop_assert!((w(&a, &b) - w(&b, &a)).abs() <= 1e-12);
                prop_assert!(w(&a, &c) <= w(&a, &b) + w(&b, &c) + 1e-12);
                prop_assert_eq!(w(&a, &a), 0.0);
            }
        }
        let d = |a: &Diagram, b: &Diagram| bottleneck(a, b).unwrap().distance;
        prop_assert_eq!(d(&a, &b), d(&b, &a));
        prop_assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c) + 1e-12);
        prop_assert_eq!(d(&a, &a), 0.0);
        for order in [Order::One, Order::Two] {
            prop_assert!(d(&a, &b) <= w(&a, &b, order, Ground::Infinity) + 1e-12);
        }
    }

    #[test]
    fn matchings_use_each_point_once_and_have_the_distance(a in points(), b in points()) {
        let (first, second) = (diagram(&a), diagram(&b));
        let bottle = bottleneck(&first, &second).unwrap();
        let costs = bottle.matching.iter().map(|pair| pair.cost);
        prop_assert_eq!(costs.fold(0.0, f64::max), bottle.distance);
        let sums = wasserstein(&first, &second, Order::One, Ground::Infinity).unwrap();
        let sum: f64 = sums.matching.iter().map(|pair| pair.cost).sum();
        prop_assert!((sum - sums.distance).abs() <= 1e-12);
        for found in [bottle, sums] {
            for (points, side) in [(&a, 0), (&b, 1)] {
                let mut used: Vec<usize> = found.matching.iter()
                    .filter_map(|pair| if side == 0 { pair.first } else { pair.second }).collect();
                used.sort_unstable();
                let lasting: Vec<usize> = (0..points.len()).filter(|&i| points[i].0 != points[i].1).collect();
                prop_assert_eq!(used, lasting);
            }
        }
    }

    #[test]
    fn a_shift_along_the_diagonal_costs_itself_or_all_persistence(a in points(), t in 0.0..9.0_f64) {
        let moved: Vec<(f64, f64)> = a.iter().map(|&(birth, death)| (birth + t, death + t)).collect();
        let found = bottleneck(&diagram(&a), &diagram(&moved)).unwrap().distance;
        let most = a.iter().fold(0.0_f64, |most, &(birth, death)| most.max((death - birth) / 2.0));
        prop_assert!(found <= t.min(most) + 1e-12);
    }

    #[test]
    fn one_more_path_only_lowers_deaths(
        losses in prop::collection::vec(0.0..1.0, 2..9), paths in prop::collection::vec((0_usize..9, 0_usize..9, 0.0..3.0), 1..20),
    ) {
        let n = losses.len();
        let mut graph = ModelGraph::new(losses.clone()).unwrap();
        let mut deaths: Vec<f64> = vec![f64::INFINITY; n];
        for (a, b, value) in paths {
            if a % n == b % n {
                continue;
            }
            graph.connect(a % n, b % n, value).unwrap();
            let tree = MergeTree::of_graph(&graph);
            for branch in tree.branches() {
                let death = branch.death.value().unwrap_or(f64::INFINITY);
                prop_assert!(death <= deaths[branch.minimum]);
                deaths[branch.minimum] = death;
            }
        }
        // The level at which two models meet is the minimax over all paths.
        let tree = MergeTree::of_graph(&graph);
        let text = serde_json::to_value(&graph).unwrap();
        let mut least = vec![vec![f64::INFINITY; n]; n];
        for path in text["paths"].as_array().unwrap() {
            let end = |name: &str| path[name].as_u64().unwrap() as usize;
            let (a, b, value) = (end("first"), end("second"), path["value"].as_f64().unwrap());
            least[a][b] = least[a][b].min(value);
            least[b][a] = least[b][a].min(value);
        }
        for k in 0..n {
            for i in 0..n {
                for j in 0..n {
                    least[i][j] = least[i][j].min(least[i][k].max(least[k][j]));
                }
            }
        }
        for (i, a) in tree.branches().iter().enumerate() {
            for (j, b) in tree.branches().iter().enumerate() {
                if i != j {
                    let found = tree.meeting(i, j).unwrap().value().unwrap_or(f64::INFINITY);
                    prop_assert_eq!(found, least[a.minimum][b.minimum]);
                }
            }
        }
    }
}

#[test]
fn noise_has_one_minimum_in_each_neighborhood() {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    let mut rng = StdRng::seed_from_u64(7);
    for (shape, connectivity, expected) in [
        (vec![400], Connectivity::Axis, 1.0 / 3.0),
        (vec![22, 22], Connectivity::Axis, 1.0 / 5.0),
        (vec![22, 22], Connectivity::Full, 1.0 / 9.0),
    ] {
        let cells: usize = shape.iter().product();
        let mut shares = Vec::new();
        for _ in 0..200 {
            let values: Vec<f64> = (0..cells).map(|_| rng.random()).collect();
            let field = ScalarField::new(&values, &shape).unwrap();
            let tree = MergeTreeConfig::new()
                .with_connectivity(connectivity)
                .run(&field)
                .unwrap();
            let is_inner = |cell: usize| {
                field
                    .coordinates(cell)
                    .iter()
                    .zip(&shape)
                    .all(|(&x, &n)| x > 0 && x + 1 < n)
            };
            let minima = tree
                .branches()
                .iter()
                .filter(|branch| is_inner(branch.minimum))
                .count();
            let inner: usize = shape.iter().map(|n| n - 2).product();
            shares.push(minima as f64 / inner as f64);
        }
        let mean = shares.iter().sum::<f64>() / 200.0;
        let variance = shares
            .iter()
            .map(|share| (share - mean).powi(2))
            .sum::<f64>()
            / 199.0;
        let sigma = (variance / 200.0).sqrt();
        assert!(
            (mean - expected).abs() <= 3.0 * sigma,
            "{mean} {expected} {sigma}"
        );
    }
}
