//! The numbers of GUDHI, cripser and SciPy: `golden/topology/README.md`.
#![cfg(test)]

use std::path::Path;

use burnscape_topology::{
    Connectivity, Death, Diagram, Ground, Level, MergeTreeConfig, Order, PersistencePair,
    ScalarField, TreeMethod, bottleneck, wasserstein,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Golden<T> {
    cases: Vec<T>,
}

fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/topology");
    let text = std::fs::read_to_string(directory.join(name)).unwrap();
    let golden: Golden<T> = serde_json::from_str(&text).unwrap();
    assert_eq!(golden.cases.len(), 200);
    golden.cases
}

type Pairs = Vec<(u64, Option<u64>)>;

#[derive(Deserialize)]
struct FieldCase {
    shape: Vec<usize>,
    seed: u64,
    range: u64,
    axis: Found,
    full: Found,
}

#[derive(Deserialize)]
struct Found {
    h0: Pairs,
    top: Option<Pairs>,
}

/// The `formula` of the file.
fn values(case: &FieldCase) -> Vec<f64> {
    let mut state = case.seed;
    let cells: usize = case.shape.iter().product();
    let next = |_| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((state >> 33) % case.range) as f64
    };
    (0..cells).map(next).collect()
}

fn integers(pairs: &[PersistencePair]) -> Pairs {
    let pairs = pairs.iter().map(|pair| {
        (
            pair.birth as u64,
            pair.death.value().map(|death| death as u64),
        )
    });
    let mut found: Pairs = pairs.collect();
    found.sort_by_key(|pair| (pair.0, pair.1.is_none(), pair.1));
    found
}

#[test]
fn fields_have_the_pairs_of_gudhi_and_cripser() {
    for case in cases::<FieldCase>("fields.json") {
        let values = values(&case);
        let field = ScalarField::new(&values, &case.shape).unwrap();
        for (connectivity, found) in [
            (Connectivity::Axis, &case.axis),
            (Connectivity::Full, &case.full),
        ] {
            for method in [TreeMethod::Basins, TreeMethod::Sweep] {
                let config = MergeTreeConfig::new()
                    .with_connectivity(connectivity)
                    .with_method(method);
                let tree = config.run(&field).unwrap();
                assert_eq!(
                    integers(&tree.diagram().pairs),
                    found.h0,
                    "{:?} {}",
                    case.shape,
                    case.seed
                );
                if let Some(top) = &found.top {
                    let diagram = config.run_top(&field).unwrap();
                    assert_eq!(
                        integers(&diagram.pairs),
                        *top,
                        "{:?} {}",
                        case.shape,
                        case.seed
                    );
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct DistanceCase {
    first: Vec<(f64, f64)>,
    second: Vec<(f64, f64)>,
    bottleneck: f64,
    w1_infinity: f64,
    w1_euclidean: f64,
    w2_infinity: f64,
    w2_euclidean: f64,
}

#[test]
fn diagrams_have_the_distances_of_gudhi_and_scipy() {
    for case in cases::<DistanceCase>("distances.json") {
        let diagram = |points: &[(f64, f64)]| {
            Diagram::new(
                Level::Sub,
                0,
                points
                    .iter()
                    .map(|&(birth, death)| (birth, Death::At(death))),
            )
            .unwrap()
        };
        let (first, second) = (diagram(&case.first), diagram(&case.second));
        assert_eq!(
            bottleneck(&first, &second).unwrap().distance,
            case.bottleneck
        );
        for (order, ground, expected) in [
            (Order::One, Ground::Infinity, case.w1_infinity),
            (Order::One, Ground::Euclidean, case.w1_euclidean),
            (Order::Two, Ground::Infinity, case.w2_infinity),
            (Order::Two, Ground::Euclidean, case.w2_euclidean),
        ] {
            let found = wasserstein(&first, &second, order, ground).unwrap();
            assert!(
                (found.distance - expected).abs() <= 1e-13 * expected,
                "{} {expected}",
                found.distance
            );
        }
    }
}
