use burn::config::Config;
use burn::module::ParamGroup;

use crate::space::ParamLeaf;

/// A group of parameters with a different radius.
#[derive(Config, Debug)]
pub struct RhoGroup {
    /// The parameters.
    pub group: ParamGroup,
    /// Their radius as a factor of the scheduled `rho`. Zero excludes them: they are not displaced
    /// and do not count in the norm that the displacement is divided by.
    pub factor: f64,
}

/// The factor of each leaf; the last group that matches counts.
pub(super) fn factor(groups: &[RhoGroup], leaf: &ParamLeaf) -> f64 {
    // A parameter that occurs twice is one, and a group that names either path names it.
    let paths = || std::iter::once(leaf.path()).chain(leaf.duplicates().iter().map(String::as_str));
    let matching =
        |entry: &&RhoGroup| paths().any(|path| entry.group.matches(&leaf.id(), Some(path)));
    groups
        .iter()
        .rev()
        .find(matching)
        .map_or(1.0, |entry| entry.factor)
}
