//! Fields, graphs and diagrams whose results are known.
#![cfg(test)]

mod distances;
mod errors;
mod graphs;
mod grids;
mod lines;
mod results;
mod simplified;
mod wells;

use burnscape_topology::{
    Connectivity, Death, Diagram, Level, MergeTreeConfig, PersistencePair, ScalarField,
};

const BOTH: [Connectivity; 2] = [Connectivity::Full, Connectivity::Axis];

fn config(connectivity: Connectivity) -> MergeTreeConfig {
    MergeTreeConfig::new().with_connectivity(connectivity)
}

/// The essential births of a diagram.
fn essential(diagram: &Diagram) -> Vec<f64> {
    let found = diagram
        .pairs
        .iter()
        .filter(|pair| pair.death == Death::Never);
    found.map(|pair| pair.birth).collect()
}

/// The other pairs, sorted.
fn finite(pairs: &[PersistencePair]) -> Vec<(f64, f64)> {
    let found = pairs
        .iter()
        .filter_map(|pair| Some((pair.birth, pair.death.value()?)));
    let mut found: Vec<(f64, f64)> = found.collect();
    found.sort_by(|a, b| a.partial_cmp(b).unwrap());
    found
}

fn h0(values: &[f64], shape: &[usize], connectivity: Connectivity) -> Diagram {
    let field = ScalarField::new(values, shape).unwrap();
    config(connectivity).run(&field).unwrap().diagram()
}

fn h1(values: &[f64], shape: &[usize], connectivity: Connectivity) -> Vec<(f64, f64)> {
    let field = ScalarField::new(values, shape).unwrap();
    finite(&config(connectivity).run_top(&field).unwrap().pairs)
}

fn repeated(list: &[((f64, f64), usize)]) -> Vec<(f64, f64)> {
    list.iter()
        .flat_map(|&(pair, count)| vec![pair; count])
        .collect()
}

fn close(found: &[(f64, f64)], expected: &[(f64, f64)], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (a, b) in found.iter().zip(expected) {
        let far = (a.0 - b.0).abs().max((a.1 - b.1).abs());
        assert!(far <= tolerance, "{a:?} {b:?}");
    }
}

/// A table of `f` at equal steps, the last axis fastest.
fn table(
    f: impl Fn(f64, f64) -> f64,
    x: (f64, f64, usize),
    y: (f64, f64, usize),
) -> (Vec<f64>, [usize; 2]) {
    let at = |(low, high, n): (f64, f64, usize), i: usize| {
        low + (high - low) * i as f64 / (n - 1) as f64
    };
    let mut values = Vec::new();
    for i in 0..x.2 {
        for j in 0..y.2 {
            values.push(f(at(x, i), at(y, j)));
        }
    }
    (values, [x.2, y.2])
}

fn superlevel() -> MergeTreeConfig {
    MergeTreeConfig::new().with_level(Level::Super)
}
