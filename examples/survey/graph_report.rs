//! The printed report of the graph of networks.

use burnscape::topology::Death;

use super::graph::Graph;
use super::table::{Column, aligned};

/// The section; empty without a graph.
pub(crate) fn section(graph: Option<&Graph>) -> String {
    let Some(graph) = graph else {
        return String::new();
    };
    format!(
        "The graph of {} MLPs of the comparison: Bézier curves fitted in {} passes between all {} pairs, in {:.1} s\n  \
         Largest training loss on the straight line, and on the curve that was fitted\n{}\n  \
         Merge tree: at which loss each network joins a better one, and the pair whose curve joins them. Another path\n  \
         can only lower it.\n{}\n",
        graph.networks.len(),
        graph.fit_epochs,
        graph.edges.len(),
        graph.seconds,
        aligned(&edges(graph)),
        aligned(&tree(graph)),
    )
}

/// One row for each pair: the largest losses on the line and on the curve, and the length of the curve.
pub(crate) fn edges(graph: &Graph) -> Vec<Column> {
    let cells = |cell: &dyn Fn(usize) -> String| -> Vec<String> {
        (0..graph.edges.len()).map(cell).collect()
    };
    vec![
        Column::of_cells("fitted pair", cells(&|edge| pair(graph, edge))).left_aligned(),
        Column::of_cells(
            "line",
            cells(&|edge| format!("{:.4}", graph.edges[edge].largest_on_line)),
        ),
        Column::of_cells(
            "curve",
            cells(&|edge| format!("{:.4}", graph.edges[edge].largest_on_curve)),
        ),
        Column::of_cells(
            "length",
            cells(&|edge| format!("{:.1}", graph.edges[edge].length)),
        ),
    ]
}

fn tree(graph: &Graph) -> Vec<Column> {
    let branches = graph.tree.branches();
    let name = |branch: usize| graph.networks[branches[branch].minimum].clone();
    let joins = |branch: usize| {
        let own = &branches[branch];
        match (own.death, own.parent, own.saddle) {
            (Death::At(loss), Some(parent), Some(edge)) => {
                let (better, pair) = (name(parent), pair(graph, edge));
                format!("joins {better} at {loss:.4} by {pair}")
            }
            _ => "joins none that is better".to_string(),
        }
    };
    let losses = branches.iter().map(|branch| format!("{:.4}", branch.birth));
    vec![
        Column::of_cells("", (0..branches.len()).map(name).collect()).left_aligned(),
        Column::of_cells("", losses.collect()),
        Column::of_cells("", (0..branches.len()).map(joins).collect()).left_aligned(),
    ]
}

/// The names of the networks that a path joins.
fn pair(graph: &Graph, edge: usize) -> String {
    let edge = &graph.edges[edge];
    format!(
        "{} – {}",
        graph.networks[edge.first], graph.networks[edge.second]
    )
}

#[cfg(test)]
mod tests {
    use burnscape::topology::{MergeTree, ModelGraph};

    use super::super::graph::Edge;
    use super::*;

    #[test]
    fn every_pair_and_every_network_has_a_row() {
        let mut found = ModelGraph::new(vec![0.25, 0.125]).unwrap();
        found.connect(0, 1, 0.5).unwrap();
        let graph = Graph {
            networks: vec!["sgd seed 0".to_string(), "sgd seed 1".to_string()],
            losses: found.losses().to_vec(),
            edges: vec![Edge {
                first: 0,
                second: 1,
                largest_on_line: 2.0,
                largest_on_curve: 0.5,
                length: 3.0,
            }],
            tree: MergeTree::of_graph(&found),
            fit_epochs: 4,
            seconds: 0.0,
        };
        let text = section(Some(&graph));
        let has = |line: &str| text.lines().any(|found| found.trim() == line);
        assert!(
            has("sgd seed 0 – sgd seed 1  2.0000  0.5000     3.0"),
            "{text}"
        );
        assert!(
            has("sgd seed 1  0.1250  joins none that is better"),
            "{text}"
        );
        let joined = "sgd seed 0  0.2500  joins sgd seed 1 at 0.5000 by sgd seed 0 – sgd seed 1";
        assert!(has(joined), "{text}");
        assert_eq!(section(None), "");
    }
}
