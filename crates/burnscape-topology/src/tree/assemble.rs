//! Branches from joins.

use super::{Branch, MergeTree, NONE};
use crate::sweep::Swept;
use crate::{Connectivity, Death, Level, TreeMethod};

/// The tree of a field.
pub(crate) fn assemble(
    swept: Swept,
    at: impl Fn(usize) -> f64,
    level: Level,
    connectivity: Connectivity,
    shape: Vec<usize>,
    keep_zero: bool,
) -> MergeTree {
    let mut branches: Vec<Branch> = swept
        .minima
        .iter()
        .flatten()
        .map(|&cell| started(cell, at(cell)))
        .collect();
    for join in &swept.joins {
        let branch = &mut branches[join.younger as usize];
        branch.saddle = Some(join.cell as usize);
        branch.death = Death::At(at(join.cell as usize));
        branch.parent = Some(join.elder as usize);
    }
    let mut tree = MergeTree {
        level,
        connectivity: Some(connectivity),
        shape,
        method: swept.method,
        branches,
        labels: swept.labels,
    };
    if keep_zero {
        tree.count();
    } else {
        tree.retain(|branch| branch.death != Death::At(branch.birth));
    }
    tree
}

/// The tree of a graph, from the branches of its models: the eldest first.
pub(crate) fn assemble_graph(branches: Vec<Branch>) -> MergeTree {
    let mut labels = vec![NONE; branches.len()];
    for (branch, number) in branches.iter().zip(0..) {
        labels[branch.minimum] = number;
    }
    let mut tree = MergeTree {
        level: Level::Sub,
        connectivity: None,
        shape: vec![branches.len()],
        method: TreeMethod::Sweep,
        branches,
        labels,
    };
    tree.count();
    tree
}

/// A branch that nothing is known of but its start.
pub(crate) fn started(minimum: usize, birth: f64) -> Branch {
    Branch {
        minimum,
        birth,
        death: Death::Never,
        saddle: None,
        parent: None,
        volume: 0,
    }
}

impl MergeTree {
    /// Keeps some branches. The cells of others go to the nearest branch above them that is kept. A branch whose
    /// parent is not kept must not be kept either, unless it has no parent.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Branch) -> bool) {
        // The new number of each branch, or that of the one it belongs to now. Parents come first.
        let mut numbers: Vec<u32> = Vec::with_capacity(self.branches.len());
        let mut kept: Vec<Branch> = Vec::new();
        for branch in &self.branches {
            let above = branch.parent.map(|parent| numbers[parent]);
            match above {
                Some(above) if !is_kept(branch) => numbers.push(above),
                _ => {
                    numbers.push(kept.len() as u32);
                    let parent = above.map(|above| above as usize);
                    kept.push(Branch { parent, ..*branch });
                }
            }
        }
        if kept.len() < self.branches.len() {
            for label in &mut self.labels {
                if *label != NONE {
                    *label = numbers[*label as usize];
                }
            }
        }
        self.branches = kept;
        self.count();
    }

    /// Counts the cells of each branch.
    pub(super) fn count(&mut self) {
        for branch in &mut self.branches {
            branch.volume = 0;
        }
        for &label in &self.labels {
            if label != NONE {
                self.branches[label as usize].volume += 1;
            }
        }
    }
}
