//! Where components join: by basins, or by a sweep over all cells. Both find the same joins.

use super::basins::{OUTSIDE, WALL, label, minima, passes};
use super::grid::Grid;
use super::key::Key;
use super::order::{Marks, in_order};
use super::sets::Sets;
use super::steepest::steepest;
use crate::TreeMethod;

/// A component ends in an elder one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Join {
    /// The cell that joins them.
    pub(crate) cell: u32,
    /// The label of the one that ends.
    pub(crate) younger: u32,
    /// The label of the eldest that the cell joins.
    pub(crate) elder: u32,
}

/// All that a sweep finds.
pub(crate) struct Swept {
    /// The cell of each label, the eldest first; `None` for the outside.
    pub(crate) minima: Vec<Option<usize>>,
    /// The label of each cell, or `WALL`: the minimum that it flows to.
    pub(crate) labels: Vec<u32>,
    /// In the order in which they happen.
    pub(crate) joins: Vec<Join>,
    pub(crate) method: TreeMethod,
}

/// Whether a field is closer to noise, in which one cell in `k + 1` is a minimum for `k` neighbors, than to a smooth
/// field.
fn is_noise(grid: &Grid, minima: usize) -> bool {
    minima > grid.cells() / (2 * (grid.num_neighbors() + 1))
}

/// Components as cells enter in the order of their keys and indices. With an outside, it is there from the beginning and
/// touches every cell at the border.
pub(crate) fn sweep<K: Key>(
    grid: &Grid,
    keys: &[K],
    is_wall: impl Fn(usize) -> bool,
    has_outside: bool,
    method: TreeMethod,
    threads: usize,
) -> Swept {
    let mut labels = steepest(grid, keys, has_outside, threads);
    for (cell, target) in labels.iter_mut().enumerate() {
        if is_wall(cell) {
            *target = WALL;
        }
    }
    let minima = minima(&labels, keys);
    label(&mut labels, &minima, has_outside);
    let method = match method {
        TreeMethod::Auto if is_noise(grid, minima.len()) => TreeMethod::Sweep,
        TreeMethod::Auto => TreeMethod::Basins,
        chosen => chosen,
    };
    let count = minima.len() + usize::from(has_outside);
    let joins = match method {
        TreeMethod::Sweep => all_cells(grid, keys, &labels, has_outside),
        _ => touching_basins(grid, keys, &labels, count),
    };
    let outside = has_outside.then_some(None);
    let cells = minima.into_iter().map(|cell| Some(cell as usize));
    Swept {
        minima: outside.into_iter().chain(cells).collect(),
        labels,
        joins,
        method,
    }
}

/// A cell is connected to its minimum by cells that enter before it. So only cells with an earlier neighbor in another
/// basin join anything, and the basins stand for their components.
fn touching_basins<K: Key>(grid: &Grid, keys: &[K], labels: &[u32], count: usize) -> Vec<Join> {
    let mut sets = Sets::new(count);
    let (mut roots, mut joins) = (Vec::new(), Vec::new());
    in_order(keys, &passes(grid, keys, labels), |v| {
        let (key, own) = (keys[v], labels[v]);
        roots.clear();
        roots.push(sets.eldest(own));
        grid.for_neighbors(v, |u| {
            let is_earlier = keys[u] < key || (keys[u] == key && u < v);
            if is_earlier && labels[u] != own && labels[u] != WALL {
                let root = sets.eldest(labels[u]);
                if !roots.contains(&root) {
                    roots.push(root);
                }
            }
        });
        join(&mut sets, &mut roots, v as u32, &mut joins);
    });
    joins
}

/// All roots but the eldest end at the cell.
fn join(sets: &mut Sets, roots: &mut [u32], cell: u32, joins: &mut Vec<Join>) {
    roots.sort_unstable();
    let Some((&elder, others)) = roots.split_first() else {
        return;
    };
    for &younger in others {
        sets.join(younger, elder);
        joins.push(Join {
            cell,
            younger,
            elder,
        });
    }
}

/// The textbook's sweep: every cell looks at the sets of its earlier neighbors.
fn all_cells<K: Key>(grid: &Grid, keys: &[K], labels: &[u32], has_outside: bool) -> Vec<Join> {
    const LATER: u32 = WALL;
    let mut present = Marks::new(keys.len());
    let cells = (0..keys.len()).filter(|&cell| labels[cell] != WALL);
    cells.for_each(|cell| present.insert(cell));
    let mut sets = Sets::new(usize::from(has_outside));
    let mut set_of = vec![LATER; keys.len()];
    let (mut roots, mut joins) = (Vec::new(), Vec::new());
    in_order(keys, &present, |v| {
        roots.clear();
        if has_outside && grid.is_border(v) {
            roots.push(sets.eldest(OUTSIDE));
        }
        grid.for_neighbors(v, |u| {
            if set_of[u] != LATER {
                let root = sets.eldest(set_of[u]);
                if !roots.contains(&root) {
                    roots.push(root);
                }
            }
        });
        join(&mut sets, &mut roots, v as u32, &mut joins);
        set_of[v] = match roots.first() {
            Some(&eldest) => eldest,
            None => sets.push(),
        };
    });
    joins
}
