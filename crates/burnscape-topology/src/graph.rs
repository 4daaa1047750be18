use serde::{Deserialize, Serialize};

use crate::field::ensure_countable;
use crate::sweep::{Sets, sortable};
use crate::tree::{assemble_graph, started};
use crate::{Death, MergeTree, TopologyError, number};

/// Models and the paths between them that were measured.
///
/// A path's value is the largest loss on it, not its barrier above a straight line between the ends. A path that was
/// not measured is not there, so that deaths in the tree are upper bounds: another path can only lower them. This holds
/// as far as the values do. The largest loss at some places of a path is a lower bound of that on the path, and a
/// death can then be too low by what is missed between the places.
///
/// # Example
///
/// ```
/// use burnscape_topology::{Death, MergeTree, ModelGraph};
///
/// let mut graph = ModelGraph::new(vec![0.1, 0.2, 0.15])?;
/// graph.connect(0, 1, 0.5)?;
/// graph.connect(1, 2, 0.4)?;
/// let tree = MergeTree::of_graph(&graph);
/// assert_eq!(tree.branches()[2].minimum, 1);
/// assert_eq!(tree.branches()[2].death, Death::At(0.4));
/// # Ok::<(), burnscape_topology::TopologyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub struct ModelGraph {
    losses: Vec<f64>,
    paths: Vec<Path>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Path {
    first: usize,
    second: usize,
    /// At least the losses of both ends.
    #[serde(with = "number")]
    value: f64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(with = "number::list")]
    losses: Vec<f64>,
    paths: Vec<Path>,
}

impl From<ModelGraph> for Record {
    fn from(graph: ModelGraph) -> Self {
        Self {
            losses: graph.losses,
            paths: graph.paths,
        }
    }
}

impl TryFrom<Record> for ModelGraph {
    type Error = TopologyError;

    fn try_from(record: Record) -> Result<Self, TopologyError> {
        let mut graph = Self::new(record.losses)?;
        for path in record.paths {
            graph.connect(path.first, path.second, path.value)?;
        }
        Ok(graph)
    }
}

impl ModelGraph {
    /// Models with these losses, without paths.
    ///
    /// # Errors
    ///
    /// [`TopologyError::NoModels`], [`NanLoss`](TopologyError::NanLoss),
    /// [`TooManyCells`](TopologyError::TooManyCells).
    pub fn new(losses: Vec<f64>) -> Result<Self, TopologyError> {
        if losses.is_empty() {
            return Err(TopologyError::NoModels);
        }
        ensure_countable(losses.len())?;
        if let Some(model) = losses.iter().position(|loss| loss.is_nan()) {
            return Err(TopologyError::NanLoss { model });
        }
        Ok(Self {
            losses,
            paths: Vec::new(),
        })
    }

    /// Adds a path on which `value` is the largest loss, and returns its number. A value below the loss of an end is
    /// raised to it, because the ends are on the path.
    ///
    /// # Errors
    ///
    /// [`TopologyError::NoEdge`], [`NanPath`](TopologyError::NanPath),
    /// [`TooManyCells`](TopologyError::TooManyCells).
    pub fn connect(
        &mut self,
        first: usize,
        second: usize,
        value: f64,
    ) -> Result<usize, TopologyError> {
        let models = self.losses.len();
        if first >= models || second >= models || first == second {
            return Err(TopologyError::NoEdge {
                first,
                second,
                models,
            });
        }
        if value.is_nan() {
            return Err(TopologyError::NanPath { first, second });
        }
        ensure_countable(self.paths.len() + 1)?;
        let value = value.max(self.losses[first]).max(self.losses[second]);
        self.paths.push(Path {
            first,
            second,
            value,
        });
        Ok(self.paths.len() - 1)
    }

    /// The losses of the models.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// The number of paths.
    pub fn num_paths(&self) -> usize {
        self.paths.len()
    }
}

impl MergeTree {
    /// The merge tree of models: each is a branch, whether or not it has any persistence. Paths enter in the order of
    /// their values, then of their numbers. One branch never dies in each connected piece of the graph.
    ///
    /// # Cost
    ///
    /// `O(m log m)` for `m` paths and models.
    #[must_use]
    pub fn of_graph(graph: &ModelGraph) -> Self {
        let mut order: Vec<(u64, usize)> = graph
            .losses
            .iter()
            .map(|&loss| sortable(loss))
            .zip(0..)
            .collect();
        order.sort_unstable();
        let mut rank = vec![0_u32; order.len()];
        for (place, &(_, model)) in order.iter().enumerate() {
            rank[model] = place as u32;
        }
        let models = order
            .iter()
            .map(|&(_, model)| started(model, graph.losses[model]));
        let mut branches: Vec<_> = models.collect();
        let mut paths: Vec<(u64, usize)> = graph
            .paths
            .iter()
            .map(|path| sortable(path.value))
            .zip(0..)
            .collect();
        paths.sort_unstable();
        let mut sets = Sets::new(branches.len());
        for (_, number) in paths {
            let path = graph.paths[number];
            let (a, b) = (
                sets.eldest(rank[path.first]),
                sets.eldest(rank[path.second]),
            );
            if a == b {
                continue;
            }
            let (elder, younger) = (a.min(b), a.max(b));
            sets.join(younger, elder);
            let branch = &mut branches[younger as usize];
            branch.death = Death::At(path.value);
            branch.saddle = Some(number);
            branch.parent = Some(elder as usize);
        }
        assemble_graph(branches)
    }
}
