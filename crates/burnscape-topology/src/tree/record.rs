//! A tree as it is written, and what must hold when it is read.

use serde::{Deserialize, Serialize};

use super::{Branch, MergeTree, NONE};
use crate::{Connectivity, Level, TopologyError, TreeMethod};

#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    level: Level,
    connectivity: Option<Connectivity>,
    shape: Vec<usize>,
    method: TreeMethod,
    branches: Vec<Branch>,
    labels: Vec<u32>,
}

impl From<MergeTree> for Record {
    fn from(tree: MergeTree) -> Self {
        Self {
            level: tree.level,
            connectivity: tree.connectivity,
            shape: tree.shape,
            method: tree.method,
            branches: tree.branches,
            labels: tree.labels,
        }
    }
}

impl TryFrom<Record> for MergeTree {
    type Error = TopologyError;

    fn try_from(record: Record) -> Result<Self, TopologyError> {
        let invalid = |field| Err(TopologyError::InvalidRecord { field });
        let cells = crate::field::cells_of(&record.shape)?;
        if record.labels.len() != cells {
            return invalid("labels");
        }
        let branches = record.branches.len();
        let is_label = |&label: &u32| label == NONE || (label as usize) < branches;
        if !record.labels.iter().all(is_label) {
            return invalid("labels");
        }
        for (number, branch) in record.branches.iter().enumerate() {
            // A graph's saddles are paths.
            let is_cell = |saddle: usize| record.connectivity.is_none() || saddle < cells;
            if branch.minimum >= cells || !branch.saddle.is_none_or(is_cell) {
                return invalid("branches");
            }
            if branch.parent.is_some_and(|parent| parent >= number) {
                return invalid("parent");
            }
            let ends = [branch.death.value().is_some(), branch.saddle.is_some()];
            if ends != [branch.parent.is_some(); 2] {
                return invalid("death");
            }
        }
        Ok(Self {
            level: record.level,
            connectivity: record.connectivity,
            shape: record.shape,
            method: record.method,
            branches: record.branches,
            labels: record.labels,
        })
    }
}
