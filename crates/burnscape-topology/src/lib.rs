//! Merge trees and persistence of landscapes, on grids of any dimension and on graphs.
//!
//! A merge tree says which wells a function has, how deep they are, and over which passes they meet. This crate knows
//! no tensors: a [`ScalarField`] is a slice of numbers with a shape, a [`ModelGraph`] models with losses and the paths
//! between them.
//!
//! # A minute's tour
//!
//! Two wells of a loss on a 41 × 21 grid, and whether the grid resolves them:
//!
//! ```
//! use burnscape_topology::{ScalarField, MergeTreeConfig, Resolution, bottleneck};
//!
//! let mut values = Vec::new();
//! for i in 0..41 {
//!     for j in 0..21 {
//!         let (x, y) = (f64::from(i) * 0.1 - 2.0, f64::from(j) * 0.1 - 1.0);
//!         values.push((x * x - 1.0).powi(2) + y * y + 0.3 * x);
//!     }
//! }
//! let field = ScalarField::new(&values, &[41, 21])?;
//! let tree = MergeTreeConfig::new().run(&field)?;
//! assert_eq!(
//!     tree.to_string(),
//!     "merge tree of sublevel sets, 41 × 21 cells, full connectivity, 2 branches
//! -0.3 at [10, 10], never dies, volume 441
//! └─ 0.3 at [30, 10], dies at 1.0101, persistence 0.7101, volume 420
//! "
//! );
//! let wells = tree.diagram();
//! let ratio = field.resolution_ratio(&wells.pairs[1])?;
//! assert_eq!(Resolution::of(ratio, Resolution::LIMITS), Resolution::Resolved);
//!
//! // Without the shallow well, and how far that is from the truth.
//! let simple = tree.simplified(1.0)?;
//! assert_eq!(simple.basins().volumes, [861]);
//! assert!(bottleneck(&wells, &simple.diagram())?.distance < 0.5);
//! # Ok::<(), burnscape_topology::TopologyError>(())
//! ```
//!
//! # Modules
//!
//! | module | purpose | items |
//! |---|---|---|
//! | field | values on a grid, and what it resolves | [`ScalarField`], [`Resolution`] |
//! | graph | models and the paths between them | [`ModelGraph`] |
//! | config | how trees are computed | [`MergeTreeConfig`], [`Level`], [`Connectivity`], [`NanPolicy`], [`TreeMethod`] |
//! | tree | merge trees, their nodes and basins | [`MergeTree`], [`Branch`], [`TreeNode`], [`Basins`] |
//! | diagram | births and deaths | [`Diagram`], [`PersistencePair`], [`Death`], [`BettiCurve`] |
//! | distance | how far diagrams are apart | [`bottleneck`], [`wasserstein`], [`Order`], [`Ground`], [`DiagramDistance`], [`Match`] |
//!
//! # What a count is worth
//!
//! The number of wells depends on the grid, on the connectivity, and on the scale of the values. Report it with the
//! shape of the grid and with the [resolution ratio](ScalarField::resolution_ratio) of each pair. Take the logarithm of a
//! loss first: a diagram of the loss itself is that of its highest corners. A persistence below the rounding errors of
//! the loss says nothing.
//!
//! # The order of cells
//!
//! Everything is a function of one total order of the cells: by value, then by index, `−0` equal to `0`. So ties,
//! threads and methods do not show in a result, and two runs give the same bits.
#![doc = include_str!("../connectivity.md")]
#![forbid(unsafe_code)]
#![doc(test(attr(deny(warnings))))]

mod config;
mod diagram;
mod distance;
mod error;
mod field;
mod graph;
mod number;
mod resolution;
mod setting;
mod sweep;
mod tree;

pub use config::MergeTreeConfig;
pub use diagram::{BettiCurve, Death, Diagram, PersistencePair};
pub use distance::{DiagramDistance, Ground, Match, Order, bottleneck, wasserstein};
pub use error::TopologyError;
pub use field::ScalarField;
pub use graph::ModelGraph;
pub use resolution::Resolution;
pub use setting::{Connectivity, Level, NanPolicy, TreeMethod};
pub use tree::{Basins, Branch, MergeTree, TreeNode};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
