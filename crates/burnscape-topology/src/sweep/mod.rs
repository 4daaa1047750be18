//! The joins of a grid, as its cells enter one by one.

mod basins;
mod grid;
mod joins;
mod key;
mod order;
mod sets;
mod steepest;

pub(crate) use grid::Grid;
pub(crate) use joins::{Swept, sweep};
pub(crate) use key::{Key, sortable};
pub(crate) use sets::Sets;
