use serde::{Deserialize, Serialize};

use crate::diagram::ordered;
use crate::sweep::{Grid, Key, Swept, sortable, sweep};
use crate::tree::assemble;
use crate::{
    Connectivity, Death, Diagram, Level, MergeTree, NanPolicy, PersistencePair, ScalarField,
    TopologyError, TreeMethod,
};

/// How merge trees and diagrams of fields are computed.
///
/// Cells enter in the order of their values, and of their indices where values are equal; `−0` equals `0`. Every
/// result is a function of this order alone.
///
/// # Cost
///
/// `O(n)` for smooth fields, beside a sort of the cells where basins touch; `O(n log n)` for noise. Beside the field 4
/// bytes a cell, 16 for each sorted cell, and 8 a cell for superlevel sets, top persistence, and fields with NaN.
///
/// # Defaults
///
/// Sublevel sets with full connectivity, superlevel sets with axis connectivity, NaN refused, one thread.
///
/// # References
///
/// Edelsbrunner and Harer 2010, *Computational Topology*, VII.1 (the elder rule). Carr, Snoeyink and Axen 2003,
/// *Computing contour trees in all dimensions*.
///
/// # Example
///
/// ```
/// use burnscape_topology::{Death, ScalarField, MergeTreeConfig};
///
/// let field = ScalarField::new(&[0.0, 3.0, 1.0, 4.0, 2.0], &[5])?;
/// let tree = MergeTreeConfig::new().run(&field)?;
/// assert_eq!(tree.branches().len(), 3);
/// assert_eq!(tree.branches()[1].death, Death::At(3.0));
/// # Ok::<(), burnscape_topology::TopologyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct MergeTreeConfig {
    level: Level,
    connectivity: Option<Connectivity>,
    nan: NanPolicy,
    keep_zero: bool,
    method: TreeMethod,
    threads: usize,
}

impl Default for MergeTreeConfig {
    fn default() -> Self {
        Self {
            level: Level::Sub,
            connectivity: None,
            nan: NanPolicy::Refuse,
            keep_zero: false,
            method: TreeMethod::Auto,
            threads: 1,
        }
    }
}

impl MergeTreeConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sublevel sets, or superlevel sets.
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Which cells are neighbors in the sets of this level.
    pub fn with_connectivity(mut self, connectivity: Connectivity) -> Self {
        self.connectivity = Some(connectivity);
        self
    }

    /// What a NaN means.
    pub fn with_nan(mut self, policy: NanPolicy) -> Self {
        self.nan = policy;
        self
    }

    /// Whether branches that die at the value of their birth stay in the tree. They are never in its diagram.
    pub fn with_zero_branches(mut self, kept: bool) -> Self {
        self.keep_zero = kept;
        self
    }

    /// How the tree is computed; the result is the same.
    pub fn with_method(mut self, method: TreeMethod) -> Self {
        self.method = method;
        self
    }

    /// How many threads look for the earliest neighbor of each cell; the result is the same. 0 counts as 1, and 256 are the most.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The merge tree, with one essential branch for each connected component.
    ///
    /// # Errors
    ///
    /// [`TopologyError::NanCell`], [`TooManyAxes`](TopologyError::TooManyAxes).
    pub fn run(&self, field: &ScalarField<'_>) -> Result<MergeTree, TopologyError> {
        let connectivity = self.connectivity();
        let grid = Grid::new(field.shape(), connectivity)?;
        let view = View::new(self.level, self.nan, field)?;
        let swept = match view.keys(field, false) {
            Keys::Plain => self.sweep(&grid, field.values(), |_| false, false),
            Keys::Numbers(keys) => self.sweep(&grid, &keys, |_| false, false),
            Keys::Walls(keys) => self.sweep(&grid, &keys, |cell| keys[cell] == u64::MAX, false),
        };
        let values = field.values();
        let at = |cell: usize| view.value(values[cell]);
        let shape = field.shape().to_vec();
        Ok(assemble(
            swept,
            at,
            self.level,
            connectivity,
            shape,
            self.keep_zero,
        ))
    }

    /// The diagram of the highest dimension that a grid in `d` dimensions has, `d − 1`: loops for `d = 2`, cavities
    /// for `d = 3`.
    ///
    /// By duality: a hole is born when the sets close around it and dies when they fill it. Backwards, it is a
    /// component of the complement, with the dual connectivity, on the grid and one outside cell that touches the border.
    /// Behind a wall a hole is never filled: [`Death::Never`].
    ///
    /// # Errors
    ///
    /// [`TopologyError::TooFewAxes`] for one axis, and those of `run`.
    ///
    /// # References
    ///
    /// Garin, Heiss, Maggs, Bleile and Robins 2020, *Duality in persistent homology of images*, arXiv:2005.04597.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_topology::{Death, ScalarField, MergeTreeConfig};
    ///
    /// // A ring of height 1 around a peak of height 3.
    /// let field = ScalarField::new(&[1.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0], &[3, 3])?;
    /// let loops = MergeTreeConfig::new().run_top(&field)?;
    /// assert_eq!((loops.pairs[0].birth, loops.pairs[0].death), (1.0, Death::At(3.0)));
    /// # Ok::<(), burnscape_topology::TopologyError>(())
    /// ```
    pub fn run_top(&self, field: &ScalarField<'_>) -> Result<Diagram, TopologyError> {
        let axes = field.shape().len();
        if axes < 2 {
            return Err(TopologyError::TooFewAxes { axes });
        }
        let grid = Grid::new(field.shape(), self.connectivity().dual())?;
        let view = View::new(self.level, self.nan, field)?;
        let swept = match view.keys(field, true) {
            Keys::Walls(keys) => self.sweep(&grid, &keys, |_| false, true),
            Keys::Numbers(keys) => self.sweep(&grid, &keys, |_| false, true),
            Keys::Plain => self.sweep(&grid, field.values(), |_| false, true),
        };
        Ok(top(&swept, field.values(), &view, axes))
    }

    fn connectivity(&self) -> Connectivity {
        self.connectivity.unwrap_or(match self.level {
            Level::Sub => Connectivity::Full,
            Level::Super => Connectivity::Axis,
        })
    }

    fn sweep<K: Key>(
        &self,
        grid: &Grid,
        keys: &[K],
        is_wall: impl Fn(usize) -> bool,
        has_outside: bool,
    ) -> Swept {
        sweep(grid, keys, is_wall, has_outside, self.method, self.threads)
    }
}

/// What a field looks like to the sets of a level.
struct View {
    level: Level,
    has_walls: bool,
    has_nan: bool,
}

/// Numbers in the order of which cells enter.
enum Keys {
    /// Those of the field.
    Plain,
    Numbers(Vec<f64>),
    /// With a number for walls: the largest, or 0 in the other direction.
    Walls(Vec<u64>),
}

impl View {
    fn new(level: Level, nan: NanPolicy, field: &ScalarField<'_>) -> Result<Self, TopologyError> {
        let first = field.values().iter().position(|value| value.is_nan());
        if let (Some(cell), NanPolicy::Refuse) = (first, nan) {
            return Err(TopologyError::NanCell {
                cell,
                coordinates: field.coordinates(cell),
            });
        }
        Ok(Self {
            level,
            has_nan: first.is_some(),
            has_walls: first.is_some() && nan == NanPolicy::Wall,
        })
    }

    /// The value that a cell enters at.
    fn value(&self, value: f64) -> f64 {
        match self.level {
            _ if !value.is_nan() => value,
            Level::Sub => f64::INFINITY,
            Level::Super => f64::NEG_INFINITY,
        }
    }

    /// Backwards, cells enter in the exact reverse of the order: keys are reversed in sign and in place.
    fn keys(&self, field: &ScalarField<'_>, backwards: bool) -> Keys {
        let values = field.values();
        if self.has_walls {
            let key = |&value: &f64| match self.level {
                _ if value.is_nan() => u64::MAX,
                Level::Sub => sortable(value),
                Level::Super => sortable(-value),
            };
            return Keys::Walls(if backwards {
                values.iter().rev().map(|value| !key(value)).collect()
            } else {
                values.iter().map(key).collect()
            });
        }
        let key = |&value: &f64| match self.level {
            Level::Sub => self.value(value),
            Level::Super => -self.value(value),
        };
        if backwards {
            Keys::Numbers(values.iter().rev().map(|value| -key(value)).collect())
        } else if self.level == Level::Super || self.has_nan {
            Keys::Numbers(values.iter().map(key).collect())
        } else {
            Keys::Plain
        }
    }
}

/// The pairs of a backwards sweep.
fn top(swept: &Swept, values: &[f64], view: &View, axes: usize) -> Diagram {
    let last = values.len() - 1;
    let mut pairs = Vec::new();
    for join in &swept.joins {
        // Cells are numbered from the end. The outside never ends, because it is the eldest.
        let Some(peak) = swept.minima[join.younger as usize] else {
            continue;
        };
        let (birth_cell, death_cell) = (last - join.cell as usize, last - peak);
        let birth = view.value(values[birth_cell]);
        let is_wall = |cell: usize| view.has_walls && values[cell].is_nan();
        if is_wall(birth_cell) {
            // Two walls that touch.
            continue;
        }
        let death = if is_wall(death_cell) {
            Death::Never
        } else {
            Death::At(view.value(values[death_cell]))
        };
        if death != Death::At(birth) {
            pairs.push(PersistencePair {
                birth,
                death,
                birth_cell: Some(birth_cell),
                death_cell: Some(death_cell).filter(|_| death != Death::Never),
            });
        }
    }
    ordered(&mut pairs, view.level);
    Diagram {
        level: view.level,
        dimension: axes - 1,
        pairs,
    }
}
