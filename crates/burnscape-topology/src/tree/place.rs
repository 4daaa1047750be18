//! Where in a tree a cell enters.

use super::MergeTree;

/// Ways up a tree in steps that grow.
pub(super) struct Ladder {
    parents: Vec<usize>,
    jumps: Vec<usize>,
}

impl Ladder {
    pub(super) fn new(tree: &MergeTree) -> Self {
        let count = tree.branches.len();
        let (mut parents, mut jumps) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut depths: Vec<usize> = Vec::with_capacity(count);
        for (number, branch) in tree.branches.iter().enumerate() {
            let parent = branch.parent.unwrap_or(number);
            parents.push(parent);
            if parent == number {
                jumps.push(number);
                depths.push(0);
                continue;
            }
            // Two jumps of one length from here on become one, of a step more than both.
            let far: usize = jumps[parent];
            let is_even = depths[parent] - depths[far] == depths[far] - depths[jumps[far]];
            jumps.push(if is_even { jumps[far] } else { parent });
            depths.push(depths[parent] + 1);
        }
        Self { parents, jumps }
    }

    /// The first branch from here up that has not ended.
    pub(super) fn first_alive(&self, mut branch: usize, is_alive: impl Fn(usize) -> bool) -> usize {
        while !is_alive(branch) {
            let far = self.jumps[branch];
            let is_safe = !is_alive(far) && far != branch;
            let next = if is_safe { far } else { self.parents[branch] };
            if next == branch {
                break;
            }
            branch = next;
        }
        branch
    }
}

/// A cell in the order in which cells enter.
pub(super) type Place = (f64, usize);

/// Whether a cell enters before another one.
pub(super) fn enters_before(a: Place, b: Place) -> bool {
    a.0 < b.0 || (a.0 == b.0 && a.1 < b.1)
}
