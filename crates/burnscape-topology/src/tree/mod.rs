//! Merge trees, as branches.

mod assemble;
mod basins;
mod branch;
mod display;
mod node;
mod place;
mod record;
mod simplify;

pub use basins::Basins;
pub use branch::Branch;
pub use node::TreeNode;

pub(crate) use assemble::{assemble, assemble_graph, started};
pub(crate) use display::short;

use serde::{Deserialize, Serialize};

use crate::diagram::ordered;
use crate::{
    Connectivity, Death, Diagram, Level, PersistencePair, ScalarField, TopologyError, TreeMethod,
};

/// The label of a cell that is not there.
pub(crate) const NONE: u32 = u32::MAX;

/// A merge tree in its branch decomposition: each branch starts at a minimum (a maximum for superlevel sets) and ends
/// in an elder branch, where their components meet. The branch of the deepest minimum of each connected component
/// never ends.
///
/// It prints as a tree.
///
/// # Example
///
/// ```
/// use burnscape_topology::{ScalarField, MergeTreeConfig};
///
/// let field = ScalarField::new(&[0.0, 3.0, 1.0, 4.0, 2.0], &[5])?;
/// let tree = MergeTreeConfig::new().run(&field)?;
/// assert_eq!(
///     tree.to_string(),
///     "merge tree of sublevel sets, 5 cells, full connectivity, 3 branches
/// 0 at [0], never dies, volume 2
/// ├─ 1 at [2], dies at 3, persistence 2, volume 2
/// └─ 2 at [4], dies at 4, persistence 2, volume 1
/// ",
/// );
/// # Ok::<(), burnscape_topology::TopologyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "record::Record", into = "record::Record")]
pub struct MergeTree {
    level: Level,
    /// `None` for a graph.
    connectivity: Option<Connectivity>,
    shape: Vec<usize>,
    method: TreeMethod,
    branches: Vec<Branch>,
    /// The branch that each cell flows to, or `NONE`.
    labels: Vec<u32>,
}

impl MergeTree {
    /// The branches, the eldest first: by birth, then by index. A parent comes before its children.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// Which sets it is of.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Which cells were neighbors; `None` for a graph.
    pub fn connectivity(&self) -> Option<Connectivity> {
        self.connectivity
    }

    /// The shape of the field, or the number of models of a graph.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How it was computed: by `Basins` or by `Sweep`.
    pub fn method(&self) -> TreeMethod {
        self.method
    }

    /// The pairs of births and deaths in dimension 0, those of no persistence left out.
    pub fn diagram(&self) -> Diagram {
        let lasting = self
            .branches
            .iter()
            .filter(|branch| branch.death != Death::At(branch.birth));
        let mut pairs: Vec<PersistencePair> = lasting
            .map(|branch| PersistencePair {
                birth: branch.birth,
                death: branch.death,
                birth_cell: Some(branch.minimum),
                death_cell: branch.saddle,
            })
            .collect();
        ordered(&mut pairs, self.level);
        Diagram {
            level: self.level,
            dimension: 0,
            pairs,
        }
    }

    /// The level at which the components of two branches meet: of all ways between their minima, the lowest highest
    /// point (for superlevel sets the other way round). [`Death::Never`] in different connected components.
    ///
    /// In the tree of a graph, branch and model are found by [`Branch::minimum`]. It is an upper bound there, as far as
    /// the values of the paths hold: a path that nobody measured may be lower.
    ///
    /// # Cost
    ///
    /// The number of branches above the two.
    ///
    /// # Errors
    ///
    /// [`TopologyError::NoCell`] for a number of a branch that is not there.
    pub fn meeting(&self, first: usize, second: usize) -> Result<Death, TopologyError> {
        let cells = self.branches.len();
        if let Some(&cell) = [first, second].iter().find(|&&branch| branch >= cells) {
            return Err(TopologyError::NoCell { cell, cells });
        }
        let (mut a, mut b) = (first, second);
        let mut level = self.branches[a.max(b)].birth;
        while a != b {
            // The one that ends first goes on in its parent.
            let is_first = match (self.branches[a].death, self.branches[b].death) {
                (Death::Never, Death::Never) => return Ok(Death::Never),
                (Death::At(_), Death::Never) => true,
                (Death::Never, Death::At(_)) => false,
                (Death::At(x), Death::At(y)) => self.is_before(x, y),
            };
            let next = if is_first { &mut a } else { &mut b };
            let branch = &self.branches[*next];
            if let Death::At(death) = branch.death {
                level = death;
            }
            *next = branch.parent.unwrap_or(*next);
        }
        Ok(Death::At(level))
    }

    /// The mean persistence of all finite pairs, each weighted with the volume of its basin: `Σ V p / Σ V`. NaN
    /// without any.
    ///
    /// Not finite if a pair dies at infinity.
    pub fn weighted_mean_persistence(&self) -> f64 {
        let (mut sum, mut volume) = (0.0, 0.0);
        for branch in &self.branches {
            if branch.death != Death::Never && branch.persistence() > 0.0 {
                sum += branch.volume as f64 * branch.persistence();
                volume += branch.volume as f64;
            }
        }
        sum / volume
    }

    /// Whether a level is reached before another one.
    fn is_before(&self, a: f64, b: f64) -> bool {
        match self.level {
            Level::Sub => a < b,
            Level::Super => a > b,
        }
    }

    /// What the tree sorts cells by, after checking that the field is its own.
    fn keys<'f>(
        &self,
        field: &ScalarField<'f>,
    ) -> Result<impl Fn(usize) -> f64 + use<'f>, TopologyError> {
        if self.connectivity.is_none() {
            return Err(TopologyError::NotAGrid);
        }
        if field.shape() != self.shape {
            return Err(TopologyError::OtherField {
                expected: self.shape.clone(),
                found: field.shape().to_vec(),
            });
        }
        let (values, is_sub) = (field.values(), self.level == Level::Sub);
        Ok(move |cell: usize| {
            let value = if is_sub { values[cell] } else { -values[cell] };
            if value.is_nan() { f64::INFINITY } else { value }
        })
    }
}
