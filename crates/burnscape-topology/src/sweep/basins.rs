//! Basins: which minimum each cell flows to, and where basins touch.

use super::grid::Grid;
use super::key::Key;
use super::order::Marks;

/// Marks a label; without it a number is a cell to follow.
pub(crate) const FLAG: u32 = 1 << 31;
/// The label of the outside: the eldest.
pub(crate) const OUTSIDE: u32 = 0;
/// The label of a cell that is not there.
pub(crate) const WALL: u32 = u32::MAX;

/// The minima, the eldest first.
pub(crate) fn minima<K: Key>(targets: &[u32], keys: &[K]) -> Vec<u32> {
    let cells = targets.iter().enumerate();
    let own = cells.filter(|&(cell, &target)| cell as u32 == target);
    let mut found: Vec<(u64, u32)> = own
        .map(|(cell, _)| (keys[cell].integer(), cell as u32))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, cell)| cell).collect()
}

/// Turns targets into labels: the place of the cell's minimum among the minima, after the outside if there is one.
pub(crate) fn label(targets: &mut [u32], minima: &[u32], has_outside: bool) {
    for (place, &cell) in minima.iter().enumerate() {
        targets[cell as usize] = FLAG | (place as u32 + u32::from(has_outside));
    }
    for cell in 0..targets.len() {
        let mut target = targets[cell];
        if target & FLAG != 0 {
            continue;
        }
        while target & FLAG == 0 {
            target = targets[target as usize];
        }
        let mut next = cell;
        while targets[next] & FLAG == 0 {
            next = std::mem::replace(&mut targets[next], target) as usize;
        }
    }
    for target in targets {
        if *target != WALL {
            *target &= !FLAG;
        }
    }
}

/// The cells with an earlier neighbor in another basin.
pub(crate) fn passes<K: Key>(grid: &Grid, keys: &[K], labels: &[u32]) -> Marks {
    let mut marks = Marks::new(labels.len());
    let mut mark = |u: usize, v: usize| {
        if labels[u] == WALL || labels[v] == WALL {
            return;
        }
        // u < v: of equal ones the second enters later.
        marks.insert(if keys[v] < keys[u] { u } else { v });
    };
    let length = grid.length();
    let is_full = grid.connectivity() == crate::Connectivity::Full;
    let mut walk = grid.walk(0);
    for _ in 0..grid.lines() {
        let start = walk.start();
        differing(labels, start, start + 1, length - 1, &mut mark);
        for &offset in walk.offsets().iter().filter(|&&offset| offset > 0) {
            let other = start + offset as usize;
            differing(labels, start, other, length, &mut mark);
            if is_full {
                differing(labels, start, other + 1, length - 1, &mut mark);
                differing(labels, start + 1, other, length - 1, &mut mark);
            }
        }
        walk.step();
    }
    marks
}

/// Calls with the pairs of cells from `a` and `b` on that have different labels.
fn differing(
    labels: &[u32],
    a: usize,
    b: usize,
    count: usize,
    mark: &mut impl FnMut(usize, usize),
) {
    const CHUNK: usize = 16;
    if count == 0 {
        return;
    }
    let (first, second) = (&labels[a..a + count], &labels[b..b + count]);
    let chunks = first.chunks(CHUNK).zip(second.chunks(CHUNK));
    for (place, (first, second)) in chunks.enumerate() {
        let difference = first
            .iter()
            .zip(second)
            .fold(0, |all, (x, y)| all | (x ^ y));
        if difference == 0 {
            continue;
        }
        for (j, (x, y)) in first.iter().zip(second).enumerate() {
            if x != y {
                mark(a + place * CHUNK + j, b + place * CHUNK + j);
            }
        }
    }
}
