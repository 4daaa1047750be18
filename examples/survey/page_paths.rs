//! The panels of paths between networks, and of the tree that they make.

use burnscape::path::CurveProfile;
use burnscape::plot::{Content, Figure, Panel, TreeBranch};
use burnscape::report::path_figure;

use super::graph::Graph;
use super::paths_run::{Connected, Network, Paths};
use super::words::{capitalized, rounded_down, rounded_up, spelled};

/// The paths between the first two CNNs, and the tree of MLPs, as far as they were measured.
pub(crate) fn panels(paths: &Paths) -> Vec<Panel> {
    let mut pairs = paths.pairs.iter();
    let pair = pairs.find(|pair| pair.network == Network::Cnn).map(between);
    let tree = paths.graph.as_ref().map(tree);
    pair.into_iter().chain(tree).collect()
}

fn between(pair: &Connected) -> Panel {
    let connection = &pair.connection;
    let [first, second] = connection.seeds;
    let drawn: [(&str, &CurveProfile); 3] = [
        ("straight line", &connection.line),
        ("fitted Bézier curve", &connection.bezier),
        ("fitted chain with one bend", &connection.chain),
    ];
    let heights = drawn.map(|(name, profile)| format!("{name}: at most {:.3}", profile.train.max));
    Panel {
        title: format!("Paths between two CNNs, seeds {first} and {second}"),
        caption: format!(
            "The training loss on three paths from the CNN of seed {first} to that of seed {second}; both were trained \
             with SGD. The bracket is the barrier of the straight line: how far the loss rises above the straight line \
             between the losses of its ends. A line of the same length in a random direction rises to {:.2} and is not \
             drawn.",
            connection.random.train.max
        ),
        cannot_tell: format!(
            "Whether a lower path exists: every barrier is an upper bound of the lowest one. And how the loss is \
             between the {} places that were measured on each path.",
            connection.line.times.len()
        ),
        content: Content::Figure(
            Figure::Curve(path_figure(&drawn)),
            format!(
                "The training loss between two networks. {}.",
                capitalized(&heights.join("; "))
            ),
        ),
    }
}

fn tree(graph: &Graph) -> Panel {
    let branches = graph.tree.branches().iter().map(|branch| TreeBranch {
        birth: branch.birth,
        death: branch.death.value(),
        parent: branch.parent,
        volume: branch.volume,
        label: graph.networks[branch.minimum].clone(),
        ..TreeBranch::default()
    });
    let branches: Vec<TreeBranch> = branches.collect();
    let heights: Vec<String> = branches.iter().map(height).collect();
    Panel {
        title: "Which MLPs lie in one well".to_string(),
        caption: format!(
            "Each branch is an MLP of the comparison, as low as its training loss. Two branches meet at the highest \
             training loss on the best fitted curve between them.{}",
            answer(graph, &branches)
        ),
        cannot_tell:
            "Whether a lower path exists: all heights where branches meet are upper bounds."
                .to_string(),
        content: Content::Figure(
            Figure::MergeTree(branches),
            format!(
                "A merge tree of {} MLPs. {}",
                graph.networks.len(),
                heights.join(" ")
            ),
        ),
    }
}

/// A branch in words.
fn height(branch: &TreeBranch) -> String {
    let (name, birth) = (&branch.label, branch.birth);
    match branch.death {
        Some(death) => {
            format!("{name} has a training loss of {birth:.4} and joins a lower one at {death:.4}.")
        }
        None => format!("{name} has a training loss of {birth:.4}, the lowest."),
    }
}

/// At which loss all are joined, and how high the straight lines are; nothing if they are not.
fn answer(graph: &Graph, branches: &[TreeBranch]) -> String {
    let deaths = branches.iter().filter_map(|branch| branch.death);
    let deaths: Vec<f64> = deaths.filter(|death| death.is_finite()).collect();
    if deaths.len() + 1 != branches.len() || deaths.is_empty() {
        return String::new();
    }
    let highest = deaths.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let lines = graph.edges.iter().map(|edge| edge.largest_on_line);
    let lowest = lines.fold(f64::INFINITY, f64::min);
    let all = match branches.len() {
        2 => "Both".to_string(),
        count => format!("All {}", spelled(count)),
    };
    let (highest, lowest) = (rounded_up(highest), rounded_down(lowest));
    format!(" {all} join below {highest}, against {lowest} or more on straight lines.")
}

#[cfg(test)]
mod tests {
    use burnscape::topology::{MergeTree, ModelGraph};

    use super::super::graph::Edge;
    use super::*;

    #[test]
    fn the_tree_says_where_all_networks_are_joined() {
        let mut found = ModelGraph::new(vec![0.25, 0.125]).unwrap();
        found.connect(0, 1, 0.499).unwrap();
        let graph = Graph {
            networks: vec!["sgd seed 0".to_string(), "sgd seed 1".to_string()],
            losses: found.losses().to_vec(),
            edges: vec![Edge {
                first: 0,
                second: 1,
                largest_on_line: 2.04,
                largest_on_curve: 0.499,
                length: 3.0,
            }],
            tree: MergeTree::of_graph(&found),
            fit_epochs: 4,
            seconds: 0.0,
        };
        let panel = tree(&graph);
        let expected = " Both join below 0.50, against 2.0 or more on straight lines.";
        assert!(panel.caption.ends_with(expected), "{}", panel.caption);
        let Content::Figure(_, text) = panel.content else {
            panic!("a figure");
        };
        assert_eq!(
            text,
            "A merge tree of 2 MLPs. sgd seed 1 has a training loss of 0.1250, the lowest. sgd seed 0 has a training \
             loss of 0.2500 and joins a lower one at 0.4990."
        );
    }
}
