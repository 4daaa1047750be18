//! Trees and fields without shallow branches.

use super::{MergeTree, NONE};
use crate::{Death, Level, ScalarField, TopologyError};

impl MergeTree {
    /// The tree without the branches whose persistence is below `threshold`: their cells are their parents'. The
    /// bottleneck distance of the diagrams is at most `threshold / 2`.
    ///
    /// # Errors
    ///
    /// [`TopologyError::OutOfRange`] for a threshold that is negative or NaN.
    pub fn simplified(&self, threshold: f64) -> Result<Self, TopologyError> {
        ensure_threshold(threshold)?;
        let mut tree = self.clone();
        tree.retain(|branch| branch.persistence() >= threshold);
        Ok(tree)
    }

    /// A field whose diagram is that of the simplified tree: each basin that is simplified away is raised to its
    /// saddle (lowered, for superlevel sets). All else keeps its value.
    ///
    /// # Errors
    ///
    /// Those of `simplified`; [`TopologyError::OtherField`] and [`NotAGrid`](TopologyError::NotAGrid) if it is not the
    /// field that the tree is of.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_topology::{ScalarField, MergeTreeConfig};
    ///
    /// let field = ScalarField::new(&[0.0, 3.0, 1.0, 4.0, -2.0], &[5])?;
    /// let tree = MergeTreeConfig::new().run(&field)?;
    /// assert_eq!(tree.flooded(&field, 2.5)?, [0.0, 3.0, 3.0, 4.0, -2.0]);
    /// # Ok::<(), burnscape_topology::TopologyError>(())
    /// ```
    pub fn flooded(
        &self,
        field: &ScalarField<'_>,
        threshold: f64,
    ) -> Result<Vec<f64>, TopologyError> {
        ensure_threshold(threshold)?;
        let _is_own = self.keys(field)?;
        // How high water stands in each branch: a parent that is simplified away dies above its children.
        let mut water: Vec<Option<f64>> = Vec::with_capacity(self.branches.len());
        for branch in &self.branches {
            let above = branch.parent.and_then(|parent| water[parent]);
            let own = match branch.death {
                Death::At(death) if branch.persistence() < threshold => Some(death),
                _ => None,
            };
            water.push(above.or(own));
        }
        let mut values = field.values().to_vec();
        for (value, &label) in values.iter_mut().zip(&self.labels) {
            if label == NONE || value.is_nan() {
                continue;
            }
            if let Some(water) = water[label as usize] {
                *value = match self.level {
                    Level::Sub => value.max(water),
                    Level::Super => value.min(water),
                };
            }
        }
        Ok(values)
    }
}

fn ensure_threshold(threshold: f64) -> Result<(), TopologyError> {
    if threshold >= 0.0 {
        return Ok(());
    }
    Err(TopologyError::OutOfRange {
        name: "threshold",
        value: threshold,
        allowed: "a number from 0",
    })
}
