use serde::{Deserialize, Serialize};

use super::place::{Ladder, Place, enters_before};
use super::{MergeTree, NONE};
use crate::{ScalarField, TopologyError, number};

/// A node of a merge tree: a minimum, a cell that joins components, or the last cell of a connected component.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TreeNode {
    /// The cell.
    pub cell: usize,
    /// Its value.
    #[serde(with = "number")]
    pub value: f64,
    /// The node at the upper end of the arc from here; `None` for the last cell.
    pub parent: Option<usize>,
    /// The cells on that arc: those that enter the component from this node on and before the next one.
    pub cells: usize,
}

impl MergeTree {
    /// The nodes of the tree: first the minima, the eldest first, then the others as they enter.
    ///
    /// # Cost
    ///
    /// `O(n log b)` for `n` cells and `b` branches.
    ///
    /// # Errors
    ///
    /// [`TopologyError::OtherField`] and [`NotAGrid`](TopologyError::NotAGrid) if it is not the field that the tree is
    /// of.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_topology::{ScalarField, MergeTreeConfig};
    ///
    /// let field = ScalarField::new(&[0.0, 3.0, 1.0, 4.0, 2.0], &[5])?;
    /// let nodes = MergeTreeConfig::new().run(&field)?.nodes(&field)?;
    /// let cells: Vec<usize> = nodes.iter().map(|node| node.cell).collect();
    /// assert_eq!(cells, [0, 2, 4, 1, 3]);
    /// assert_eq!(nodes[3].parent, Some(4));
    /// # Ok::<(), burnscape_topology::TopologyError>(())
    /// ```
    pub fn nodes(&self, field: &ScalarField<'_>) -> Result<Vec<TreeNode>, TopologyError> {
        let key = self.keys(field)?;
        let place = |cell: usize| (key(cell), cell);
        let entered = self.entered(&place);
        // The last cell of each connected component, at its eldest branch.
        let mut lasts: Vec<Option<usize>> = vec![None; self.branches.len()];
        for (cell, &branch) in entered.iter().enumerate() {
            if branch == NONE || self.branches[branch as usize].parent.is_some() {
                continue;
            }
            let last = &mut lasts[branch as usize];
            if last.is_none_or(|last| enters_before(place(last), place(cell))) {
                *last = Some(cell);
            }
        }
        let mut upper: Vec<usize> = self
            .branches
            .iter()
            .filter_map(|branch| branch.saddle)
            .collect();
        let minima: Vec<usize> = self.branches.iter().map(|branch| branch.minimum).collect();
        // A component of one cell has its minimum alone.
        let single =
            |(branch, last): (usize, &Option<usize>)| last.filter(|&last| last != minima[branch]);
        upper.extend(lasts.iter().enumerate().filter_map(single));
        let order = |a: &usize, b: &usize| {
            let values = key(*a).total_cmp(&key(*b));
            if key(*a) == key(*b) { a.cmp(b) } else { values }
        };
        upper.sort_unstable_by(order);
        upper.dedup();
        let node_of = |cell: usize| {
            let found = upper.binary_search_by(|other| order(other, &cell));
            found.map_or(0, |place| place + minima.len())
        };
        // The nodes of each branch from its start to its end.
        let mut stations: Vec<Vec<usize>> = (0..minima.len()).map(|branch| vec![branch]).collect();
        for branch in &self.branches {
            if let (Some(parent), Some(saddle)) = (branch.parent, branch.saddle) {
                stations[parent].push(node_of(saddle));
            }
        }
        for (stations, last) in stations.iter_mut().zip(&lasts) {
            stations.extend(
                last.filter(|&last| minima[stations[0]] != last)
                    .map(node_of),
            );
            stations.sort_unstable();
            stations.dedup();
        }
        let cells = minima.iter().chain(&upper);
        let mut nodes: Vec<TreeNode> = cells
            .map(|&cell| TreeNode {
                cell,
                value: self.shown(field, cell),
                parent: None,
                cells: 0,
            })
            .collect();
        for (branch, stations) in self.branches.iter().zip(&stations) {
            for pair in stations.windows(2) {
                nodes[pair[0]].parent = Some(pair[1]);
            }
            if let (Some(&last), Some(saddle)) = (stations.last(), branch.saddle) {
                nodes[last].parent = Some(node_of(saddle));
            }
        }
        for (cell, &branch) in entered.iter().enumerate() {
            if branch == NONE {
                continue;
            }
            let stations = &stations[branch as usize];
            let passed = stations
                .partition_point(|&node| !enters_before(place(cell), place(nodes[node].cell)));
            nodes[stations[passed.saturating_sub(1)]].cells += 1;
        }
        Ok(nodes)
    }

    /// The value that the tree sees.
    fn shown(&self, field: &ScalarField<'_>, cell: usize) -> f64 {
        let value = field.values()[cell];
        match self.level {
            _ if !value.is_nan() => value,
            crate::Level::Sub => f64::INFINITY,
            crate::Level::Super => f64::NEG_INFINITY,
        }
    }

    /// The branch of the component that each cell enters.
    pub(super) fn entered(&self, place: &impl Fn(usize) -> Place) -> Vec<u32> {
        let ladder = Ladder::new(self);
        let ends: Vec<Option<Place>> = self
            .branches
            .iter()
            .map(|branch| branch.saddle.map(place))
            .collect();
        let labels = self.labels.iter().enumerate();
        labels
            .map(|(cell, &label)| {
                if label == NONE {
                    return NONE;
                }
                let is_alive =
                    |branch: usize| ends[branch].is_none_or(|end| enters_before(place(cell), end));
                ladder.first_alive(label as usize, is_alive) as u32
            })
            .collect()
    }
}
