//! Cells in the order in which they enter.

use super::key::Key;

/// A set of cells.
pub(crate) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    pub(crate) fn new(cells: usize) -> Self {
        Self {
            words: vec![0; cells.div_ceil(64)],
        }
    }

    pub(crate) fn insert(&mut self, cell: usize) {
        self.words[cell / 64] |= 1 << (cell % 64);
    }

    fn count(&self) -> usize {
        let counts = self.words.iter().map(|word| word.count_ones() as usize);
        counts.sum()
    }

    /// Calls with each cell, in the order of their indices.
    fn for_each(&self, mut each: impl FnMut(usize)) {
        for (place, &word) in self.words.iter().enumerate() {
            let mut word = word;
            while word != 0 {
                each(place * 64 + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
    }
}

/// The most cells that are sorted at a time, unless many are equal: a quarter, or so many.
const FEW: usize = 1 << 16;
/// Samples for each limit between two batches.
const SAMPLES: usize = 256;

/// Calls with the marked cells in the order of their keys, then of their indices. Batches of them are sorted one after the
/// other, which takes 4 bytes for each cell of the grid instead of 16.
pub(crate) fn in_order<K: Key>(keys: &[K], marks: &Marks, mut each: impl FnMut(usize)) {
    let limits = limits(keys, marks);
    let mut counts = vec![0; limits.len() + 1];
    let batch_of = |key: u64| limits.partition_point(|&limit| limit <= key);
    marks.for_each(|cell| counts[batch_of(keys[cell].integer())] += 1);
    let most = counts.iter().copied().max().unwrap_or(0);
    let mut batch: Vec<(u64, u32)> = Vec::with_capacity(most);
    for number in 0..counts.len() {
        batch.clear();
        marks.for_each(|cell| {
            let key = keys[cell].integer();
            if batch_of(key) == number {
                batch.push((key, cell as u32));
            }
        });
        batch.sort_unstable();
        for &(_, cell) in &batch {
            each(cell as usize);
        }
    }
}

/// Keys between batches of about the same size.
fn limits<K: Key>(keys: &[K], marks: &Marks) -> Vec<u64> {
    let count = marks.count();
    let batches = count / (keys.len() / 4).max(FEW) + 1;
    if batches == 1 {
        return Vec::new();
    }
    let stride = (count / (batches * SAMPLES)).max(1);
    let (mut samples, mut number) = (Vec::new(), 0);
    marks.for_each(|cell| {
        if number % stride == 0 {
            samples.push(keys[cell].integer());
        }
        number += 1;
    });
    samples.sort_unstable();
    let places = (1..batches).map(|batch| samples[batch * samples.len() / batches]);
    let mut limits: Vec<u64> = places.collect();
    limits.dedup();
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_each_other_in_order() {
        for range in [3_u64, 1 << 40] {
            let mut state = 7_u64;
            let keys: Vec<u64> = (0..300_000)
                .map(|_| {
                    state = state
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    (state >> 20) % range
                })
                .collect();
            let mut marks = Marks::new(keys.len());
            let chosen = (0..keys.len()).filter(|cell| cell % 7 != 3);
            chosen.clone().for_each(|cell| marks.insert(cell));
            assert!(!limits(&keys, &marks).is_empty());
            let mut expected: Vec<usize> = chosen.collect();
            expected.sort_by_key(|&cell| (keys[cell], cell));
            let mut found = Vec::new();
            in_order(&keys, &marks, |cell| found.push(cell));
            assert_eq!(found, expected);
        }
    }
}
