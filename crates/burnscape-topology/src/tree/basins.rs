use serde::{Deserialize, Serialize};

use super::{MergeTree, NONE};
use crate::{ScalarField, TopologyError};

/// Which minimum each cell flows to by steepest descent. They are shares of the *grid*, not of the space of parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Basins {
    /// The minimum of each basin, the eldest first; maxima for superlevel sets.
    pub minima: Vec<usize>,
    /// The number of cells of each basin.
    pub volumes: Vec<usize>,
    /// The number of the basin of each cell; `None` for walls.
    pub labels: Vec<Option<u32>>,
}

impl MergeTree {
    /// The basins of the tree's minima. Cells of minima that were simplified away, or have no persistence, belong to the
    /// branch that these died in.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_topology::{ScalarField, MergeTreeConfig};
    ///
    /// let field = ScalarField::new(&[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0], &[11])?;
    /// let tree = MergeTreeConfig::new().run(&field)?;
    /// assert_eq!(tree.basins().volumes, [3, 2, 3, 3]);
    /// assert_eq!(tree.simplified(3.5)?.basins().volumes, [5, 6]);
    /// # Ok::<(), burnscape_topology::TopologyError>(())
    /// ```
    pub fn basins(&self) -> Basins {
        Basins {
            minima: self.branches.iter().map(|branch| branch.minimum).collect(),
            volumes: self.branches.iter().map(|branch| branch.volume).collect(),
            labels: self
                .labels
                .iter()
                .map(|&label| (label != NONE).then_some(label))
                .collect(),
        }
    }

    /// The flooded volume of each branch: the cells of its component just before it ends, of the whole connected
    /// component for one that never ends.
    ///
    /// This is what the tree sees. A basin also has the slopes above its saddle, but not the branches that
    /// ended in it.
    ///
    /// # Errors
    ///
    /// [`TopologyError::OtherField`] and [`NotAGrid`](TopologyError::NotAGrid) if it is not the field that the tree is
    /// of.
    pub fn flooded_volumes(&self, field: &ScalarField<'_>) -> Result<Vec<usize>, TopologyError> {
        let key = self.keys(field)?;
        let mut volumes = vec![0; self.branches.len()];
        for branch in self.entered(&|cell| (key(cell), cell)) {
            if branch != NONE {
                volumes[branch as usize] += 1;
            }
        }
        for (number, branch) in self.branches.iter().enumerate().rev() {
            if let Some(parent) = branch.parent {
                volumes[parent] += volumes[number];
            }
        }
        Ok(volumes)
    }
}

impl Basins {
    /// The measure of each basin on a grid with these coordinates along its axes: a cell is as long as half the way to
    /// its two neighbors.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Coordinates`] unless each axis has increasing coordinates, and
    /// [`TopologyError::Length`] unless they make up the grid.
    pub fn measures(&self, coordinates: &[&[f64]]) -> Result<Vec<f64>, TopologyError> {
        let shape: Vec<usize> = coordinates.iter().map(|axis| axis.len()).collect();
        let cells = crate::field::cells_of(&shape)?;
        if cells != self.labels.len() {
            return Err(TopologyError::Length {
                shape,
                expected: cells,
                found: self.labels.len(),
            });
        }
        let mut gaps = Vec::with_capacity(shape.len());
        for (axis, points) in coordinates.iter().enumerate() {
            let is_next = |pair: &[f64]| pair[0] < pair[1] && (pair[1] - pair[0]).is_finite();
            if let Some(place) = points.windows(2).position(|pair| !is_next(pair)) {
                return Err(TopologyError::Coordinates {
                    axis,
                    expected: points.len(),
                    found: place + 1,
                });
            }
            let last = points.len() - 1;
            let length = |i: usize| {
                let whole = points[(i + 1).min(last)] - points[i.saturating_sub(1)];
                if last == 0 { 1.0 } else { whole / 2.0 }
            };
            gaps.push((0..points.len()).map(length).collect::<Vec<f64>>());
        }
        let mut measures = vec![0.0; self.minima.len()];
        for (cell, label) in self.labels.iter().enumerate() {
            let at = crate::field::coordinates(&shape, cell);
            let measure: f64 = at.iter().zip(&gaps).map(|(&x, gaps)| gaps[x]).product();
            if let Some(sum) = label.and_then(|label| measures.get_mut(label as usize)) {
                *sum += measure;
            }
        }
        Ok(measures)
    }
}
