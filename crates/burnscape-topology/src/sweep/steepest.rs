//! The earliest cell of each closed neighborhood.

use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use super::basins::{FLAG, OUTSIDE};
use super::grid::{Grid, Walk};
use super::key::Key;
use crate::Connectivity;

const MOST_THREADS: usize = 256;

/// For each cell the earliest of itself and its neighbors: by its key, then by its index. With an outside, which is
/// earlier than everything, cells at the border point there.
///
/// Each thread takes lines of its own, so that the number of threads does not show in the result.
pub(crate) fn steepest<K: Key>(
    grid: &Grid,
    keys: &[K],
    has_outside: bool,
    threads: usize,
) -> Vec<u32> {
    let mut targets = vec![0; grid.cells()];
    let threads = threads.min(grid.lines()).clamp(1, MOST_THREADS);
    let lines = grid.lines().div_ceil(threads);
    if threads == 1 {
        fill(grid, keys, has_outside, 0, &mut targets);
        return targets;
    }
    let parts = Mutex::new(targets.chunks_mut(lines * grid.length()).enumerate());
    let work = || {
        loop {
            let next = parts.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((part, targets)) = next else { return };
            fill(grid, keys, has_outside, part * lines, targets);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system has no more threads, this one does their work.
            let _ = Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    targets
}

fn fill<K: Key>(grid: &Grid, keys: &[K], has_outside: bool, line: usize, targets: &mut [u32]) {
    let length = grid.length();
    let mut walk = grid.walk(line);
    let mut columns = Columns {
        best: Vec::with_capacity(length),
        origin: vec![0; length],
    };
    for targets in targets.chunks_exact_mut(length) {
        if has_outside && walk.is_border() {
            targets.fill(FLAG | OUTSIDE);
        } else {
            match grid.connectivity() {
                Connectivity::Full => columns.full(keys, &mut walk, targets),
                Connectivity::Axis => columns.axis(keys, &mut walk, targets),
            }
            if has_outside {
                targets[0] = FLAG | OUTSIDE;
                targets[length - 1] = FLAG | OUTSIDE;
            }
        }
        walk.step();
    }
}

/// The best of several lines in each column.
struct Columns<K> {
    best: Vec<K>,
    /// The first cell of the line that it is in.
    origin: Vec<u32>,
}

impl<K: Key> Columns<K> {
    /// First the best of each column, then the best of three columns: `3^(d−1) + 2` comparisons instead of `3^d − 1`.
    fn full(&mut self, keys: &[K], walk: &mut Walk<'_>, targets: &mut [u32]) {
        let length = targets.len();
        let start = walk.start();
        self.best.clear();
        for &offset in walk.offsets() {
            let first = start.wrapping_add_signed(offset);
            let line = &keys[first..first + length];
            if self.best.is_empty() {
                self.best.extend_from_slice(line);
                self.origin.fill(first as u32);
                continue;
            }
            // Lines ascend: the first of equal ones has the lowest index.
            self.take_below(line, first);
        }
        let (best, origin) = (&self.best[..length], &self.origin[..length]);
        for (j, target) in targets.iter_mut().enumerate() {
            let (mut key, mut cell) = (best[j], origin[j] + j as u32);
            if j > 0 {
                let (other, index) = (best[j - 1], origin[j - 1] + j as u32 - 1);
                if other < key || (other == key && index < cell) {
                    (key, cell) = (other, index);
                }
            }
            if j + 1 < length {
                let (other, index) = (best[j + 1], origin[j + 1] + j as u32 + 1);
                if other < key || (other == key && index < cell) {
                    cell = index;
                }
            }
            *target = cell;
        }
    }

    fn axis(&mut self, keys: &[K], walk: &mut Walk<'_>, targets: &mut [u32]) {
        let length = targets.len();
        let start = walk.start();
        let own = &keys[start..start + length];
        self.best.clear();
        self.best.extend_from_slice(own);
        self.origin.fill(start as u32);
        let offsets = walk.offsets();
        let middle = offsets.partition_point(|&offset| offset < 0);
        for j in 1..length {
            if own[j - 1] <= self.best[j] {
                self.best[j] = own[j - 1];
                self.origin[j] = (start as u32).wrapping_sub(1);
            }
        }
        // Of equal ones the lowest index: from the nearest line before this one to the farthest.
        for &offset in offsets[..middle].iter().rev() {
            let first = start.wrapping_add_signed(offset);
            let line = &keys[first..first + length];
            let columns = self.best.iter_mut().zip(&mut self.origin).zip(line);
            for ((best, origin), &key) in columns {
                let is_earlier = key <= *best;
                *best = if is_earlier { key } else { *best };
                *origin = if is_earlier { first as u32 } else { *origin };
            }
        }
        for j in 0..length.saturating_sub(1) {
            let is_earlier = own[j + 1] < self.best[j];
            self.best[j] = if is_earlier { own[j + 1] } else { self.best[j] };
            self.origin[j] = if is_earlier {
                start as u32 + 1
            } else {
                self.origin[j]
            };
        }
        for &offset in &offsets[(middle + 1).min(offsets.len())..] {
            let first = start.wrapping_add_signed(offset);
            self.take_below(&keys[first..first + length], first);
        }
        for (j, (target, origin)) in targets.iter_mut().zip(&self.origin).enumerate() {
            *target = origin.wrapping_add(j as u32);
        }
    }

    fn take_below(&mut self, line: &[K], first: usize) {
        let columns = self.best.iter_mut().zip(&mut self.origin).zip(line);
        for ((best, origin), &key) in columns {
            let is_earlier = key < *best;
            *best = if is_earlier { key } else { *best };
            *origin = if is_earlier { first as u32 } else { *origin };
        }
    }
}
