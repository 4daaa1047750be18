use burnscape_plot::TreeBranch;
use burnscape_topology::{MergeTree, Resolution};

use crate::landscape::LandscapeTree;

/// The branches of a landscape's merge tree, as figures draw them.
///
/// They are in the order of the tree, the eldest first, and have the letters `A`, `B`, … as labels. Births and deaths
/// are in the units of the tree's [scale](LandscapeTree::scale), places in the coordinates of the landscape. A branch
/// counts as resolved if its word is [`Resolution::Resolved`]; doubtful ones are drawn hollow, and not counted.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::{Direction, DirectionKind, LandscapeConfig, LossScale};
/// use burnscape::loss::Risk;
/// use burnscape::report::tree_branches;
/// use burnscape::space::{Grid, ParamVector};
/// use burnscape::topology::MergeTreeConfig;
///
/// // One weight, and wells at −1 and 1 with a pass of height 1 between them.
/// let config = LinearConfig::new(1, 1).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&Device::default());
/// let loss = |model: &Linear, x: Tensor<2>| (model.forward(x).square() - 1.0).square().mean();
/// let data = [Tensor::<2>::ones([1, 1], &Device::default())];
/// let risk = Risk::new(&loss, &data);
/// let axis = ParamVector::from_host(&risk.space(&model)?, &[1.0])?;
/// let axis = Direction::new(DirectionKind::Other("the weight".into()), axis);
/// let landscape = LandscapeConfig::new([Grid::symmetric(2.0, 41)?]).run(&risk, &model, &[axis])?;
/// let tree = landscape.merge_tree(LossScale::Linear, &MergeTreeConfig::new())?;
/// let branches = tree_branches(&tree);
/// assert_eq!((branches.len(), branches[1].label.as_str()), (2, "B"));
/// assert_eq!((branches[1].death, branches[1].is_resolved), (Some(1.0), Some(true)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn tree_branches(tree: &LandscapeTree) -> Vec<TreeBranch> {
    let branches = tree.tree.branches().iter().enumerate();
    let branches = branches.map(|(index, branch)| TreeBranch {
        birth: branch.birth,
        death: branch.death.value(),
        parent: branch.parent,
        volume: branch.volume,
        is_resolved: tree
            .resolution(index)
            .map(|word| word == Resolution::Resolved),
        at: coordinates(&tree.axes, branch.minimum),
        label: letters(index),
    });
    branches.collect()
}

/// The branches of the tree of models, with their names.
pub(super) fn model_branches(names: &[&str], tree: &MergeTree) -> Vec<TreeBranch> {
    let name = |model: usize| match names.get(model) {
        Some(name) => (*name).to_owned(),
        None => format!("model {}", model.saturating_add(1)),
    };
    let branches = tree.branches().iter().map(|branch| TreeBranch {
        birth: branch.birth,
        death: branch.death.value(),
        parent: branch.parent,
        volume: branch.volume,
        is_resolved: None,
        at: Vec::new(),
        label: name(branch.minimum),
    });
    branches.collect()
}

/// The coordinates of a cell, the last axis fastest.
fn coordinates(axes: &[Vec<f64>], cell: usize) -> Vec<f64> {
    let mut rest = cell;
    let mut at: Vec<f64> = axes
        .iter()
        .rev()
        .map(|axis| {
            let length = axis.len().max(1);
            let coordinate = axis.get(rest % length).copied();
            rest /= length;
            coordinate.unwrap_or(f64::NAN)
        })
        .collect();
    at.reverse();
    at
}

/// `A` to `Z`, then `AA`, `AB`, …
fn letters(index: usize) -> String {
    let mut reversed = vec![letter(index % 26)];
    let mut rest = index / 26;
    while rest > 0 {
        reversed.push(letter((rest - 1) % 26));
        rest = (rest - 1) / 26;
    }
    reversed.iter().rev().collect()
}

fn letter(number: usize) -> char {
    char::from(b'A' + (number % 26) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_have_letters_of_their_own() {
        let shown = [0, 1, 25, 26, 27, 51, 52, 701, 702].map(letters);
        assert_eq!(shown, ["A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]);
    }

    #[test]
    fn the_last_axis_is_the_fastest() {
        let axes = [vec![0.0, 1.0], vec![-1.0, 0.5, 2.0]];
        assert_eq!(coordinates(&axes, 4), [1.0, 0.5]);
        assert!(coordinates(&[vec![]], 3)[0].is_nan());
    }
}
