//! Branches that can be drawn: checked, the small ones left out, in an order without crossings.

use crate::draw::frame::counted;
use crate::{PlotError, TreeBranch};

/// A branch with the index that it has in the figure.
#[derive(Debug, Clone)]
pub(super) struct Drawn<'a> {
    pub(super) branch: &'a TreeBranch,
    /// The index of the branch into which it merges, among the drawn ones.
    pub(super) parent: Option<usize>,
}

/// Whether the grid resolves a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolution {
    Yes,
    No,
    Unknown,
}

impl Resolution {
    /// What the legend says.
    pub(super) fn name(self, count: usize) -> String {
        match self {
            Self::Yes => format!("resolved by the grid ({count})"),
            Self::No => format!("not resolved ({count}), not counted"),
            Self::Unknown => format!("not examined ({count})"),
        }
    }
}

/// The drawn branches, and how many are not.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) branches: Vec<Drawn<'a>>,
    not_finite: usize,
    too_small: usize,
}

impl<'a> Tree<'a> {
    /// At most `most` branches: those that last longest.
    pub(super) fn of(
        branches: &'a [TreeBranch],
        kind: &'static str,
        most: usize,
    ) -> Result<Self, PlotError> {
        if branches.is_empty() {
            return Err(PlotError::Empty { figure: kind });
        }
        check_parents(branches)?;
        let is_finite = |branch: &TreeBranch| {
            branch.birth.is_finite() && branch.death.is_none_or(f64::is_finite)
        };
        let mut kept: Vec<usize> = (0..branches.len())
            .filter(|&i| is_finite(&branches[i]))
            .collect();
        let not_finite = branches.len() - kept.len();
        if kept.is_empty() {
            return Err(PlotError::NothingFinite { figure: kind });
        }
        kept.sort_by(|&a, &b| persistence(&branches[b]).total_cmp(&persistence(&branches[a])));
        let too_small = kept.len().saturating_sub(most);
        kept.truncate(most);
        kept.sort_unstable();
        let place = |index: usize| kept.binary_search(&index).ok();
        // A branch of one that is left out goes to the next one that is drawn.
        let ancestor = |index: usize| {
            let mut parent = branches[index].parent;
            while let Some(at) = parent.filter(|&at| place(at).is_none()) {
                parent = branches[at].parent;
            }
            parent.and_then(place)
        };
        let drawn = kept.iter().map(|&index| Drawn {
            branch: &branches[index],
            parent: ancestor(index),
        });
        Ok(Self {
            branches: drawn.collect(),
            not_finite,
            too_small,
        })
    }

    /// What is not drawn, in sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![];
        if self.too_small > 0 {
            let counted = counted(self.too_small, "shorter branch", "shorter branches");
            notes.push(format!("{counted} not drawn."));
        }
        if self.not_finite > 0 {
            let counted = counted(self.not_finite, "branch", "branches");
            notes.push(format!("{counted} not finite and not drawn."));
        }
        notes
    }

    /// How the grid resolves a branch. Nothing is doubtful if nobody looked at any.
    pub(super) fn resolution(&self, branch: &TreeBranch) -> Resolution {
        let is_looked_at = |drawn: &Drawn<'_>| drawn.branch.is_resolved.is_some();
        match branch.is_resolved {
            Some(false) => Resolution::No,
            None if self.branches.iter().any(is_looked_at) => Resolution::Unknown,
            _ => Resolution::Yes,
        }
    }

    /// Those that there are, with the number of branches; empty if there is nothing to tell.
    pub(super) fn resolutions(&self) -> Vec<(Resolution, usize)> {
        if self
            .branches
            .iter()
            .all(|drawn| drawn.branch.is_resolved.is_none())
        {
            return vec![];
        }
        let count = |resolution: Resolution| {
            let all = self.branches.iter();
            all.filter(|drawn| self.resolution(drawn.branch) == resolution)
                .count()
        };
        let all = [Resolution::Yes, Resolution::No, Resolution::Unknown];
        let counted = all.map(|resolution| (resolution, count(resolution)));
        counted
            .into_iter()
            .filter(|counted| counted.1 > 0)
            .collect()
    }

    /// Whether deaths are below births, as those of superlevel sets.
    pub(super) fn is_downward(&self) -> bool {
        let signs = self.branches.iter().filter_map(|drawn| {
            let death = drawn.branch.death?;
            Some(if death < drawn.branch.birth { 1 } else { -1 })
        });
        signs.sum::<i32>() > 0
    }

    /// The branches from left to right: those that merge first stand next to the one that they merge into, on both sides in
    /// turn, so that no line crosses another.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut children: Vec<Vec<usize>> = vec![vec![]; self.branches.len()];
        let mut roots = vec![];
        for (index, drawn) in self.branches.iter().enumerate() {
            match drawn.parent {
                Some(parent) => children[parent].push(index),
                None => roots.push(index),
            }
        }
        let sign = if self.is_downward() { -1.0 } else { 1.0 };
        let death =
            |index: &usize| sign * self.branches[*index].branch.death.unwrap_or(f64::INFINITY);
        for siblings in &mut children {
            siblings.sort_by(|a, b| death(a).total_cmp(&death(b)));
        }
        let mut order = vec![];
        for root in roots {
            place(root, &children, &mut order);
        }
        order
    }
}

/// Appends a subtree, without recursion: trees may be chains.
fn place(root: usize, children: &[Vec<usize>], order: &mut Vec<usize>) {
    enum Step {
        Subtree(usize, bool),
        Leaf(usize),
    }
    let mut steps = vec![Step::Subtree(root, true)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Leaf(index) => order.push(index),
            Step::Subtree(index, starts_right) => {
                let side = |is_right: bool| {
                    let all = children[index].iter().enumerate();
                    all.filter(move |(k, _)| (k % 2 == 0) == (is_right == starts_right))
                        .map(|(_, &c)| c)
                };
                // The last pushed comes first: the last to merge on the left, …, the branch, …, the last on the right.
                let right: Vec<usize> = side(true).collect();
                steps.extend(
                    right
                        .into_iter()
                        .rev()
                        .map(|child| Step::Subtree(child, true)),
                );
                steps.push(Step::Leaf(index));
                steps.extend(side(false).map(|child| Step::Subtree(child, false)));
            }
        }
    }
}

/// How long a branch lasts.
pub(super) fn persistence(branch: &TreeBranch) -> f64 {
    match branch.death {
        // Halves do not overflow.
        Some(death) => (0.5 * death - 0.5 * branch.birth).abs(),
        None => f64::INFINITY,
    }
}

fn check_parents(branches: &[TreeBranch]) -> Result<(), PlotError> {
    let count = branches.len();
    for index in 0..count {
        let mut steps = 0;
        let mut at = index;
        while let Some(parent) = branches[at].parent {
            if parent >= count {
                let message = format!(
                    "branch {at} merges into branch {parent}, and there are {count}; give the index of one of them"
                );
                return Err(PlotError::Draw { message });
            }
            at = parent;
            steps += 1;
            if steps > count {
                let message = format!(
                    "branch {index} merges into itself over others; give a parent that was born before it"
                );
                return Err(PlotError::Draw { message });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(birth: f64, death: Option<f64>, parent: Option<usize>) -> TreeBranch {
        TreeBranch {
            birth,
            death,
            parent,
            ..TreeBranch::default()
        }
    }

    #[test]
    fn those_that_merge_first_are_nearest() {
        let branches = [
            branch(0.0, None, None),
            branch(1.0, Some(9.0), Some(0)),
            branch(2.0, Some(4.0), Some(0)),
            branch(3.0, Some(5.0), Some(0)),
            branch(2.5, Some(3.0), Some(2)),
        ];
        let tree = Tree::of(&branches, "merge tree", 10).unwrap();
        assert_eq!(tree.order(), [3, 0, 2, 4, 1]);
        // Without the two that last shortest, in pairs of equal length the later ones.
        let tree = Tree::of(&branches, "merge tree", 3).unwrap();
        assert_eq!(tree.branches.len(), 3);
        assert_eq!(tree.notes(), ["2 shorter branches are not drawn."]);
    }

    #[test]
    fn parents_that_are_not_there_are_refused() {
        let outside = [branch(0.0, Some(1.0), Some(3))];
        let circle = [
            branch(0.0, Some(1.0), Some(1)),
            branch(0.0, Some(1.0), Some(0)),
        ];
        for branches in [&outside[..], &circle[..]] {
            let error = Tree::of(branches, "merge tree", 10).unwrap_err();
            assert!(matches!(error, PlotError::Draw { .. }), "{error}");
        }
    }
}
