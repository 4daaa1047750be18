//! The k-th largest magnitude of many numbers, exactly, without a copy of them: they are counted in bins, and those
//! of one bin again in smaller ones, until a bin holds one value only.

use std::ops::Range;

use super::elements::TaskVectors;

/// The bits of an f64 without its sign.
const MAGNITUDE: u64 = u64::MAX >> 1;
/// Most bins for one tensor: two passes for f32, four for f64.
const BINS: usize = 1 << 16;

/// The search for the magnitude of a rank. It sees all numbers in each pass, in any order.
///
/// A magnitude is known by its bits as f32 or f64, which are in the order of the magnitudes: its key.
#[derive(Debug)]
pub(super) struct Selection {
    /// From 1 for the largest.
    rank: u64,
    is_double: bool,
    most_bins: usize,
    /// The keys among which it is.
    candidates: Range<u64>,
    /// The first key of the first bin in this pass.
    start: u64,
    /// A bin has `2^shift` keys.
    shift: u32,
    counts: Vec<u32>,
    /// Bins whose count has passed `2³²`, once for each time.
    carries: Vec<usize>,
    /// The keys above all bins.
    above: u64,
}

impl Selection {
    /// `rank` is from 1 to the number of numbers. Without `is_double` all are f32.
    pub(super) fn new(rank: usize, is_double: bool, most_bins: usize) -> Self {
        let mut selection = Self {
            rank: rank as u64,
            is_double,
            most_bins,
            candidates: 0..(1 << if is_double { 63 } else { 31 }),
            start: 0,
            shift: 0,
            counts: Vec::new(),
            carries: Vec::new(),
            above: 0,
        };
        selection.open();
        selection
    }

    /// The same, for which the first pass counts single keys around this one. If it is near, that pass is the last.
    pub(super) fn near(mut self, key: u64) -> Self {
        self.start = key.saturating_sub(self.most_bins as u64 / 2);
        self.shift = 0;
        self.counts.clear();
        self.counts.resize(self.most_bins, 0);
        self
    }

    /// The key of a magnitude in single precision. What is larger than all of its numbers has the key of the largest.
    pub(super) fn single_key(number: f64) -> u64 {
        u64::from((number as f32).abs().min(f32::MAX).to_bits())
    }

    /// The magnitude, if the passes were enough.
    pub(super) fn found(&self) -> Option<f64> {
        let key = self.candidates.start;
        if self.candidates.end - key > 1 {
            return None;
        }
        if self.is_double {
            return Some(f64::from_bits(key));
        }
        u32::try_from(key)
            .ok()
            .map(|bits| f64::from(f32::from_bits(bits)))
    }

    /// Counts some of the numbers.
    pub(super) fn count(&mut self, numbers: &[f64]) {
        if self.is_double {
            self.count_keys(numbers.iter().map(|number| number.to_bits() & MAGNITUDE));
        } else {
            self.count_keys(numbers.iter().map(|number| Self::single_key(*number)));
        }
    }

    fn count_keys(&mut self, keys: impl Iterator<Item = u64>) {
        let (start, shift, num_bins) = (self.start, self.shift, self.counts.len() as u64);
        let mut above = 0;
        for key in keys {
            // Of a smaller key the difference wraps, and is at least `2⁶³`.
            let offset = key.wrapping_sub(start);
            let bin = offset >> shift;
            if bin < num_bins {
                let count = &mut self.counts[bin as usize];
                *count = count.wrapping_add(1);
                if *count == 0 {
                    self.carries.push(bin as usize);
                }
            } else {
                above += u64::from(offset <= MAGNITUDE);
            }
        }
        self.above += above;
    }

    /// Ends a pass, in which all numbers were counted.
    pub(super) fn refine(&mut self) {
        let mut at_least = self.above;
        if at_least >= self.rank {
            let end = self.first_of(self.counts.len());
            self.narrow(end..self.candidates.end);
            return;
        }
        for bin in (0..self.counts.len()).rev() {
            let carries = self.carries.iter().filter(|carried| **carried == bin);
            at_least += ((carries.count() as u64) << 32) + u64::from(self.counts[bin]);
            if at_least >= self.rank {
                self.narrow(self.first_of(bin)..self.first_of(bin + 1));
                return;
            }
        }
        self.narrow(self.candidates.start..self.start);
    }

    /// The first key of a bin.
    fn first_of(&self, bin: usize) -> u64 {
        self.start + ((bin as u64) << self.shift)
    }

    /// Continues with these of the candidates, of which there is always one: the search also ends if the numbers of one
    /// pass are not those of another.
    fn narrow(&mut self, keys: Range<u64>) {
        let start = keys
            .start
            .clamp(self.candidates.start, self.candidates.end - 1);
        let end = keys.end.clamp(start + 1, self.candidates.end);
        self.candidates = start..end;
        self.open();
    }

    /// Begins a pass with bins for all candidates.
    fn open(&mut self) {
        let last = self.candidates.end - self.candidates.start - 1;
        self.start = self.candidates.start;
        self.shift = 0;
        while last >> self.shift >= self.most_bins as u64 {
            self.shift += 1;
        }
        self.counts.clear();
        if last > 0 {
            self.counts.resize((last >> self.shift) as usize + 1, 0);
        } else {
            // The end: others may still count.
            self.counts = Vec::new();
        }
        self.carries.clear();
        self.above = 0;
    }
}

/// The magnitudes of some ranks in the task vectors of a tensor, each for the model of this index. All are searched
/// for in the same passes.
pub(super) fn magnitudes(vectors: &TaskVectors<'_, '_>, ranks: &[(usize, usize)]) -> Vec<f64> {
    let tensor = vectors.tensor();
    // Few numbers do not need many bins.
    let bins = tensor.len().next_power_of_two().clamp(1 << 8, BINS);
    let selection = |rank| Selection::new(rank, tensor.is_double(), bins);
    let searches = ranks.iter().map(|(model, rank)| (*model, selection(*rank)));
    let mut searches: Vec<(usize, Selection)> = searches.collect();
    loop {
        let found = searches.iter().map(|(_, search)| search.found());
        if let Some(found) = found.collect::<Option<Vec<f64>>>() {
            return found;
        }
        vectors.each(|model, differences| {
            for (of, search) in &mut searches {
                if *of == model && search.found().is_none() {
                    search.count(differences);
                }
            }
        });
        for (_, search) in &mut searches {
            if search.found().is_none() {
                search.refine();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burnscape_testkit::programs::Draws;

    use super::*;

    /// The magnitude of a rank and the number of passes.
    fn selected(mut selection: Selection, numbers: &[f64]) -> (f64, usize) {
        for passes in 0..100 {
            if let Some(found) = selection.found() {
                return (found, passes);
            }
            for part in numbers.chunks(7) {
                selection.count(part);
            }
            selection.refine();
        }
        panic!("the search does not end: {selection:?}");
    }

    /// Compares every rank, or some, with those of sorted numbers.
    fn assert_sorted(numbers: &[f64], is_double: bool) {
        let mut sorted: Vec<f64> = numbers.iter().map(|number| number.abs()).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let guesses = [
            0,
            1,
            Selection::single_key(sorted[0]),
            1 << 30,
            (1 << 31) - 1,
        ];
        for rank in (1..=numbers.len()).step_by(1 + numbers.len() / 20) {
            for (bins, most) in [(4, 32), (256, 8), (1 << 12, 6)] {
                let (found, passes) = selected(Selection::new(rank, is_double, bins), numbers);
                assert_eq!(found.to_bits(), sorted[rank - 1].to_bits(), "{rank} {bins}");
                assert!(passes <= most, "{rank} {bins}: {passes}");
                // A guess may be anything.
                for guess in guesses {
                    let near = Selection::new(rank, is_double, bins).near(guess);
                    let (found, passes) = selected(near, numbers);
                    assert_eq!(
                        found.to_bits(),
                        sorted[rank - 1].to_bits(),
                        "{rank} {guess}"
                    );
                    assert!(passes <= most + 1, "{rank} {bins} {guess}: {passes}");
                }
            }
        }
    }

    fn single(numbers: &[f64]) -> Vec<f64> {
        let rounded = numbers.iter().map(|number| f64::from(*number as f32));
        rounded.collect()
    }

    #[test]
    fn every_rank_is_that_of_sorted_numbers() {
        let mut draws = Draws::new(5);
        let normal: Vec<f64> = (0..300).map(|_| draws.normal()).collect();
        let wide: Vec<f64> = normal.iter().map(|x| x * (20.0 * x).exp()).collect();
        // Many are equal, with both signs.
        let ties: Vec<f64> = normal.iter().map(|x| (2.0 * x).round() / 2.0).collect();
        let near: Vec<f64> = (0..99).map(|i| 1.0 + f64::from(i % 7) * 1.2e-7).collect();
        let extremes = [0.0, -0.0, 1e-45, -1e-40, 1.0, -3e38, f64::from(f32::MAX)];
        let cases: [&[f64]; 8] = [
            &normal,
            &wide,
            &ties,
            &near,
            &extremes,
            &[0.0; 30],
            &[-2.5; 30],
            &[0.1],
        ];
        for case in cases {
            assert_sorted(&single(case), false);
            assert_sorted(case, true);
        }
    }

    #[test]
    fn passes_are_few() {
        let mut draws = Draws::new(6);
        let numbers: Vec<f64> = (0..2000).map(|_| draws.normal()).collect();
        let numbers = single(&numbers);
        let mut sorted: Vec<f64> = numbers.iter().map(|x| x.abs()).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        for rank in [1, 1000, 2000] {
            let exact = sorted[rank - 1];
            for (is_double, passes) in [(false, 2), (true, 4)] {
                let selection = Selection::new(rank, is_double, BINS);
                assert_eq!(selected(selection, &numbers), (exact, passes), "{rank}");
            }
            // A good guess takes one.
            for factor in [0.96, 1.0, 1.04] {
                let key = Selection::single_key(factor * exact);
                let near = Selection::new(rank, false, 1 << 21).near(key);
                assert_eq!(selected(near, &numbers), (exact, 1), "{rank} {factor}");
            }
        }
    }

    #[test]
    fn counts_go_beyond_their_integers() {
        // 2³² ones and two more, and three twos.
        let mut selection = Selection::new(3, false, 1 << 16);
        let bin = (Selection::single_key(1.0) >> selection.shift) as usize;
        selection.counts[bin] = u32::MAX;
        selection.count(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        assert_eq!(selection.carries, [bin]);
        assert_eq!(selection.counts[bin], 2);
        selection.rank = 3 + (1 << 32) + 2;
        selection.refine();
        assert!(selection.candidates.contains(&Selection::single_key(1.0)));
    }

    #[test]
    fn the_search_ends_if_numbers_change() {
        let mut draws = Draws::new(7);
        for rank in [1, 20, 40] {
            for bins in [2, 16, 1 << 12] {
                let mut selection = Selection::new(rank, true, bins).near(1 << 40);
                let mut passes = 0;
                while selection.found().is_none() {
                    let numbers: Vec<f64> = (0..rank).map(|_| draws.normal()).collect();
                    selection.count(&numbers[passes % 3 % rank..]);
                    selection.refine();
                    passes += 1;
                    assert!(passes < 100);
                }
            }
        }
    }
}
