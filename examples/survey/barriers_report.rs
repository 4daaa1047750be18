//! The barriers between networks, which one wants to know of paths first.

use burnscape::path::CurveProfile;

use super::alignment::{AlignedLine, By};
use super::arguments::Arguments;
use super::graph::{Edge, Graph};
use super::paths_run::{Connected, Paths};
use super::table::{Column, aligned};

/// The section; empty without paths.
pub(crate) fn section(arguments: &Arguments, paths: &Paths) -> String {
    if paths.pairs.is_empty() {
        return String::new();
    }
    format!(
        "Barriers between two networks trained from different seeds: the largest rise of the training loss above the\n\
         straight line between the losses of the ends\n\
         {}\n  \
         aligned          units of the second network permuted onto those of the first, by what lowers the barrier most\n  \
         curve and chain  with one bend each, fitted in {} passes over the data\n{}\n",
        aligned(&columns(&paths.pairs)),
        arguments.path_epochs,
        paths.graph.as_ref().map_or(String::new(), graph),
    )
}

/// One row for each pair of networks.
pub(crate) fn columns(pairs: &[Connected]) -> Vec<Column> {
    let column = |title: &str, barrier: &dyn Fn(&Connected) -> Option<String>| {
        let cells = pairs.iter().map(barrier);
        let cells = cells.map(|cell| cell.unwrap_or_else(|| "-".to_string()));
        Column::of_cells(title, cells.collect())
    };
    vec![
        Column::of_cells("", pairs.iter().map(name).collect()).left_aligned(),
        column("line", &|pair| along(&pair.connection.line)),
        column("aligned", &|pair| of_aligned(pair, false)),
        column("and repaired", &|pair| of_aligned(pair, true)),
        column("Bézier curve", &|pair| along(&pair.connection.bezier)),
        column("chain", &|pair| along(&pair.connection.chain)),
    ]
}

fn name(pair: &Connected) -> String {
    let [first, second] = pair.connection.seeds;
    format!("{}, seeds {first} and {second}", pair.network.title())
}

fn along(profile: &CurveProfile) -> Option<String> {
    let barriers = profile.barriers()?;
    Some(format!("{:.4}", barriers.above_line))
}

/// With what the alignment compared.
fn of_aligned(pair: &Connected, is_repaired: bool) -> Option<String> {
    let line = lowest(&pair.alignment, is_repaired)?;
    let (barrier, basis) = (line.line.train.barriers.above_line, line.by.basis());
    Some(format!("{barrier:.4} by {basis}"))
}

/// The line to an aligned network with the lowest barrier, with or without repair.
pub(crate) fn lowest(lines: &[AlignedLine], is_repaired: bool) -> Option<&AlignedLine> {
    let barrier = |line: &AlignedLine| line.line.train.barriers.above_line;
    let lines = lines.iter();
    lines
        .filter(|line| line.by != By::Nothing && line.repaired == is_repaired)
        .min_by(|one, other| barrier(one).total_cmp(&barrier(other)))
}

/// The highest passes between the networks of a graph.
fn graph(graph: &Graph) -> String {
    let highest = |of: fn(&Edge) -> f64| {
        let losses = graph.edges.iter().map(of);
        losses.fold(f64::NEG_INFINITY, f64::max)
    };
    format!(
        "\n  {} MLPs of the comparison, all {} pairs joined: the largest loss is {:.2} on a straight line, {:.4} on a \
         fitted curve\n",
        graph.networks.len(),
        graph.edges.len(),
        highest(|edge| edge.largest_on_line),
        highest(|edge| edge.largest_on_curve),
    )
}

#[cfg(test)]
mod tests {
    use burnscape::path::Barriers;

    use super::super::alignment::{Line, Losses};
    use super::*;

    #[test]
    fn the_lowest_barrier_is_that_of_an_aligned_network() {
        let losses = |middle: f64| {
            let values = vec![0.0, middle, 0.0];
            let barriers = Barriers::of(&[0.0, 0.5, 1.0], &values).unwrap();
            Losses { values, barriers }
        };
        let line = |by: By, repaired: bool, barrier: f64| AlignedLine {
            by,
            repaired,
            line: Line {
                length: 1.0,
                times: vec![0.0, 0.5, 1.0],
                train: losses(barrier),
                test: losses(0.0),
            },
        };
        let lines = [
            line(By::Nothing, false, 0.125),
            line(By::Weights, false, 0.25),
            line(By::Weights, true, 0.5),
        ];
        let barrier = |is_repaired: bool| {
            let found = lowest(&lines, is_repaired);
            found.map(|line| line.line.train.barriers.above_line)
        };
        assert_eq!([false, true].map(barrier), [Some(0.25), Some(0.5)]);
        assert!(lowest(&lines[..1], false).is_none());
    }
}
