use std::collections::BTreeMap;
use std::fmt;

use burnscape_topology::{Death, MergeTree, MergeTreeConfig, Resolution, ScalarField};
use serde::{Deserialize, Serialize};

use super::digits::short;
use super::order::coordinates;
use super::{Landscape, LandscapeError};
use crate::writing::number;

/// How much the gaps between the points of an even axis may differ, relative to the widest.
const EVEN: f64 = 1e-9;

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
    /// those without persistence. All of them are NaN if an axis is not evenly spaced, up to 1e-9 of its widest gap:
    /// the ratio compares second differences, which take equal gaps for granted.
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
    /// grid and [with the ratios](LandscapeTree::count_resolved), which grids of evenly spaced points have.
    ///
    /// Persistences that are rounding say nothing: those below `ε` times the loss at which a branch dies, with the
    /// machine epsilon `ε` of the parameters, or below `ε / ln 10` decades with [`LossScale::Log10`], at any loss.
    /// [`rounding`](Landscape::rounding) is `ε` times the loss at the model.
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
        let ratios = match uneven(&self.axes) {
            Some(_) => vec![f64::NAN; tree.branches().len()],
            None => ratios(&tree, &field)?,
        };
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

/// The first axis that is not evenly spaced.
fn uneven(axes: &[Vec<f64>]) -> Option<usize> {
    axes.iter().position(|axis| {
        let gaps = || axis.windows(2).map(|pair| pair[1] - pair[0]);
        let widest = gaps().fold(0.0, f64::max);
        gaps().any(|gap| widest - gap > EVEN * widest)
    })
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
    /// has, and for a branch without a ratio. A branch that never dies is resolved.
    pub fn resolution(&self, branch: usize) -> Option<Resolution> {
        let ratio = self.ratios.get(branch).filter(|ratio| !ratio.is_nan())?;
        Some(Resolution::of(*ratio, Resolution::LIMITS))
    }

    /// The number of branches that die and have more than this persistence.
    pub fn count(&self, min_persistence: f64) -> usize {
        self.lasting(min_persistence).count()
    }

    /// The number of branches that die, have more than this persistence, and a resolution ratio above `min_ratio`; 0 if
    /// there are no ratios.
    pub fn count_resolved(&self, min_persistence: f64, min_ratio: f64) -> usize {
        let resolved = self
            .lasting(min_persistence)
            .filter(|ratio| *ratio > min_ratio);
        resolved.count()
    }

    /// The number of branches, and how many the grid resolves, or why that is not known.
    fn fmt_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let branches = self.tree.branches();
        let (mut essential, mut resolved, mut doubtful, mut unresolved) = (0, 0, 0, 0);
        for (number, branch) in branches.iter().enumerate() {
            let count = match (branch.death, self.resolution(number)) {
                (Death::Never, _) => &mut essential,
                (Death::At(_), Some(Resolution::Resolved)) => &mut resolved,
                (Death::At(_), Some(Resolution::Doubtful)) => &mut doubtful,
                (Death::At(_), Some(Resolution::Unresolved)) => &mut unresolved,
                (Death::At(_), None) => continue,
            };
            *count += 1;
        }
        let count = branches.len();
        let noun = if count == 1 { "branch" } else { "branches" };
        write!(f, "{count} {noun}: {essential} essential")?;
        match uneven(&self.axes) {
            Some(axis) => writeln!(
                f,
                "; no resolution ratios, because axis {axis} is not evenly spaced"
            ),
            None => writeln!(
                f,
                ", {resolved} resolved, {doubtful} doubtful, {unresolved} unresolved"
            ),
        }
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
        self.fmt_counts(f)?;
        let branches = self.tree.branches().iter().zip(&self.ratios);
        for (number, (branch, ratio)) in branches.enumerate() {
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
            write!(f, "dies at {}, ", short(death))?;
            write!(f, "persistence {persistence}{unit}")?;
            match self.resolution(number) {
                Some(word) => writeln!(f, ", ratio {ratio:.2}, {word}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_even_up_to_a_billionth_of_its_widest_gap() {
        let tenths: Vec<f64> = (-20..=20).map(|tenth| f64::from(tenth) / 10.0).collect();
        let moved = |by: f64| vec![0.0, 1.0, 2.0 + by, 3.0];
        let even = [tenths.clone(), vec![0.0, 1.0], moved(1e-10)];
        assert_eq!(uneven(&even), None);
        assert_eq!(uneven(&[tenths.clone(), moved(1e-8)]), Some(1));
        assert_eq!(uneven(&[vec![0.0, 2.0, 3.0], tenths]), Some(0));
        assert_eq!(uneven(&[vec![0.5], Vec::new()]), None);
    }
}
