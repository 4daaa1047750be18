//! How many wells a view shows, and which of them the grid resolves.

use burnscape_plot::TreeBranch;

use super::view::View;

/// The wells of a view.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wells<'a> {
    /// Those that the grid resolves with their resolution ratios, the deepest first.
    pub(super) resolved: Vec<(&'a TreeBranch, f64)>,
    /// The number of the others.
    pub(super) unresolved: usize,
    /// How many of the resolved ones are lowest at the border of the grid.
    pub(super) at_border: usize,
}

impl<'a> Wells<'a> {
    /// None if the view has no merge tree.
    pub(super) fn of(view: &'a View) -> Option<Self> {
        let figure = &view.figure;
        let branches = figure.branches.iter().zip(&view.ratios);
        let branches = branches.filter(|(branch, _)| branch.birth.is_finite());
        let (mut resolved, mut unresolved) = (Vec::new(), 0);
        for (branch, ratio) in branches {
            if branch.is_resolved == Some(true) {
                resolved.push((branch, *ratio));
            } else {
                unresolved += 1;
            }
        }
        let is_end = |axis: &[f64], x: &f64| axis.first() == Some(x) || axis.last() == Some(x);
        let is_at_border = |branch: &TreeBranch| match &branch.at[..] {
            [x, y] => is_end(&figure.x, x) || is_end(&figure.y, y),
            _ => false,
        };
        let at_border = resolved
            .iter()
            .filter(|(branch, _)| is_at_border(branch))
            .count();
        (!resolved.is_empty()).then_some(Self {
            resolved,
            unresolved,
            at_border,
        })
    }
}
