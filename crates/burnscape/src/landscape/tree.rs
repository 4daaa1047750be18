use std::collections::BTreeMap;
use std::fmt;

use burnscape_topology::{Death, MergeTree, MergeTreeConfig, Resolution, ScalarField};
use serde::{Deserialize, Serialize};

use super::{Landscape, LandscapeError};
use crate::writing::number;

/// What the height of a landscape is.
///
/// A diagram of the loss itself is that of its highest corners, which own the range. In decades, a well at the bottom
/// counts as much as one on the rim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LossScale {
    /// The loss.
    Linear,
    /// The decimal logarithm of the loss: births, deaths and persistences are in decades. The loss must be positive.
    Log10,
}

impl fmt::Display for LossScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linear => "the loss",
            Self::Log10 => "log10 of the loss",
        })
    }
}

/// The merge tree of a landscape, and how well its grid resolves each branch.
///
/// It prints one line a branch, the eldest first; the tree itself prints as a tree.
///
/// # Units
///
/// Births, deaths and persistences are those of the scale: losses, or decades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandscapeTree {
    /// The tree. Its cells are the points of the landscape.
    pub tree: MergeTree,
    /// What its values are.
    pub scale: LossScale,
    /// The [resolution ratio](ScalarField::resolution_ratio) of each branch; infinite for those that never die, 0 for
    /// those without persistence.
    #[serde(with = "number")]
    pub ratios: Vec<f64>,
    /// The coordinates along each axis.
    pub axes: Vec<Vec<f64>>,
}

impl Landscape {
    /// The merge tree of the loss, or of its logarithm: which wells the landscape has, how deep they are, and over
    /// which passes they meet.
    ///
    /// The number of wells depends on the grid, on the directions, and on the scale. Report it with the shape of the
    /// grid and [with the ratios](LandscapeTree::count_resolved). Persistences below
    /// [`rounding`](Landscape::rounding) say nothing.
    ///
    /// # Cost
    ///
    /// No loss is evaluated. `O(n log n)` for `n` points, and `2 d 3^d` differences for each branch on `d` axes.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::Incomplete`] for a landscape that was stopped, [`LandscapeError::NoLogarithm`] for a loss that
    /// is not positive with [`LossScale::Log10`], [`LandscapeError::Topology`] for a loss that is NaN, which
    /// [`NanPolicy`](burnscape_topology::NanPolicy) can allow, and for more axes than the connectivity allows.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Initializer, Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::landscape::{Direction, DirectionKind, LandscapeConfig, LossScale};
    /// use burnscape::loss::Risk;
    /// use burnscape::space::{Grid, ParamVector};
    /// use burnscape::topology::{MergeTreeConfig, Resolution};
    ///
    /// // One weight, and a loss with wells at −1 and 1, the first one deeper.
    /// let device = Device::default();
    /// let config = LinearConfig::new(1, 1).with_bias(false).with_initializer(Initializer::Zeros);
    /// let model = config.init(&device);
    /// let loss = |model: &Linear, x: Tensor<2>| {
    ///     let w = model.forward(x);
    ///     ((w.clone().square() - 1.0).square() + w * 0.3).mean()
    /// };
    /// let data = [Tensor::<2>::ones([1, 1], &device)];
    /// let risk = Risk::new(&loss, &data);
    /// let axis = ParamVector::from_host(&risk.space(&model)?, &[1.0])?;
    /// let axis = Direction::new(DirectionKind::Other("the weight".into()), axis);
    /// let landscape = LandscapeConfig::new([Grid::symmetric(2.0, 41)?]).run(&risk, &model, &[axis])?;
    /// let wells = landscape.merge_tree(LossScale::Linear, &MergeTreeConfig::new())?;
    /// assert_eq!((wells.count(0.7), wells.count(0.8)), (1, 0));
    /// assert_eq!(wells.resolution(1), Some(Resolution::Resolved));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge_tree(
        &self,
        scale: LossScale,
        config: &MergeTreeConfig,
    ) -> Result<LandscapeTree, LandscapeError> {
        let points = self.losses.len();
        let evaluated = self.evaluated.iter().filter(|done| **done).count();
        if evaluated < points {
            return Err(LandscapeError::Incomplete { evaluated, points });
        }
        let heights = self.heights(scale)?;
        let shape: Vec<usize> = self.axes.iter().map(Vec::len).collect();
        let field = ScalarField::new(&heights, &shape).map_err(LandscapeError::Topology)?;
        let tree = config.run(&field).map_err(LandscapeError::Topology)?;
        let ratios = ratios(&tree, &field)?;
        Ok(LandscapeTree {
            tree,
            scale,
            ratios,
            axes: self.axes.clone(),
        })
    }

    /// The losses on a scale.
    fn heights(&self, scale: LossScale) -> Result<Vec<f64>, LandscapeError> {
        let losses = self.losses.iter().enumerate();
        let height = |(point, &loss): (usize, &f64)| match scale {
            LossScale::Linear => Ok(loss),
            LossScale::Log10 if loss <= 0.0 => Err(LandscapeError::NoLogarithm {
                at: coordinates(&self.axes, point),
                loss,
            }),
            LossScale::Log10 => Ok(loss.log10()),
        };
        losses.map(height).collect()
    }
}

/// The resolution ratio of each branch. Branches without persistence have no pair, and a ratio of zero.
fn ratios(tree: &MergeTree, field: &ScalarField<'_>) -> Result<Vec<f64>, LandscapeError> {
    let minima = tree.branches().iter().map(|branch| branch.minimum);
    let numbers: BTreeMap<usize, usize> = minima.zip(0..).collect();
    let mut ratios = vec![0.0; tree.branches().len()];
    for pair in &tree.diagram().pairs {
        let number = pair.birth_cell.and_then(|cell| numbers.get(&cell));
        if let Some(&number) = number {
            let ratio = field.resolution_ratio(pair);
            ratios[number] = ratio.map_err(LandscapeError::Topology)?;
        }
    }
    Ok(ratios)
}

impl LandscapeTree {
    /// Whether the grid resolves a branch, in a word, by [`Resolution::LIMITS`]; `None` for a number that no branch
    /// has. A branch that never dies is resolved.
    pub fn resolution(&self, branch: usize) -> Option<Resolution> {
        let ratio = self.ratios.get(branch)?;
        Some(Resolution::of(*ratio, Resolution::LIMITS))
    }

    /// The number of branches that die and have more than this persistence.
    pub fn count(&self, min_persistence: f64) -> usize {
        self.lasting(min_persistence).count()
    }

    /// The number of branches that die, have more than this persistence, and a resolution ratio above `min_ratio`.
    pub fn count_resolved(&self, min_persistence: f64, min_ratio: f64) -> usize {
        let resolved = self
            .lasting(min_persistence)
            .filter(|ratio| *ratio > min_ratio);
        resolved.count()
    }

    /// The ratios of the branches that die and have more than this persistence.
    fn lasting(&self, min_persistence: f64) -> impl Iterator<Item = f64> {
        let branches = self.tree.branches().iter().zip(&self.ratios);
        let lasting = branches.filter(move |(branch, _)| {
            branch.death != Death::Never && branch.persistence() > min_persistence
        });
        lasting.map(|(_, ratio)| *ratio)
    }
}

impl fmt::Display for LandscapeTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<String> = self.tree.shape().iter().map(usize::to_string).collect();
        write!(f, "merge tree of {} on ", self.scale)?;
        write!(f, "{} points, ", lengths.join(" × "))?;
        write!(f, "{} sets", self.tree.level())?;
        match self.tree.connectivity() {
            Some(connectivity) => writeln!(f, ", {connectivity}")?,
            None => writeln!(f)?,
        }
        let branches = self.tree.branches();
        let mut counts = [0; 4];
        for (branch, ratio) in branches.iter().zip(&self.ratios) {
            let kind = match (branch.death, Resolution::of(*ratio, Resolution::LIMITS)) {
                (Death::Never, _) => 0,
                (Death::At(_), Resolution::Resolved) => 1,
                (Death::At(_), Resolution::Doubtful) => 2,
                (Death::At(_), Resolution::Unresolved) => 3,
            };
            counts[kind] += 1;
        }
        let [essential, resolved, doubtful, unresolved] = counts;
        let count = branches.len();
        let noun = if count == 1 { "branch" } else { "branches" };
        write!(
            f,
            "{count} {noun}: {essential} essential, {resolved} resolved, "
        )?;
        writeln!(f, "{doubtful} doubtful, {unresolved} unresolved")?;
        for (branch, ratio) in branches.iter().zip(&self.ratios) {
            let at = coordinates(&self.axes, branch.minimum);
            let at: Vec<String> = at.into_iter().map(short).collect();
            write!(f, "{} at ({}), ", short(branch.birth), at.join(", "))?;
            let Death::At(death) = branch.death else {
                writeln!(f, "never dies")?;
                continue;
            };
            let unit = match self.scale {
                LossScale::Linear => "",
                LossScale::Log10 => " decades",
            };
            let persistence = short(branch.persistence());
            let word = Resolution::of(*ratio, Resolution::LIMITS);
            write!(
                f,
                "dies at {}, persistence {persistence}{unit}, ",
                short(death)
            )?;
            writeln!(f, "ratio {ratio:.2}, {word}")?;
        }
        Ok(())
    }
}

/// The coordinates of a point by its index, the last axis fastest; NaN off the grid.
fn coordinates(axes: &[Vec<f64>], point: usize) -> Vec<f64> {
    let mut rest = point;
    let reversed = axes.iter().rev().map(|axis| {
        let length = axis.len().max(1);
        let coordinate = axis.get(rest % length).copied();
        rest /= length;
        coordinate.unwrap_or(f64::NAN)
    });
    let mut at: Vec<f64> = reversed.collect();
    at.reverse();
    at
}

/// A number with six digits.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if size == 0.0 || (1e-4..1e15).contains(&size) || !size.is_finite() {
        // Without the sign of zero.
        format!("{}", rounded + 0.0)
    } else {
        format!("{rounded:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits() {
        let shown = [-0.0, 0.1 + 0.2, -1.029_809_7, 12_345_678.0, 1.234e-7, 5e20].map(short);
        assert_eq!(
            shown,
            ["0", "0.3", "-1.02981", "12345700", "1.234e-7", "5e20"]
        );
        let shown = [f64::NEG_INFINITY, f64::NAN].map(short);
        assert_eq!(shown, ["-inf", "NaN"]);
    }

    #[test]
    fn the_last_axis_is_the_fastest() {
        let axes = [vec![0.0, 1.0], vec![-1.0, 0.5, 2.0]];
        assert_eq!(coordinates(&axes, 4), [1.0, 0.5]);
        assert!(coordinates(&[vec![]], 0)[0].is_nan());
    }
}
