//! Kernels of three by three for Winograd's algorithm.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::correlate::PANEL;
use super::tiles::TILE;
use super::vectors::{Number, vectorized};
use super::{Conv, Kind};

/// `G w Gᵀ` of the kernels of a group: sixteen matrices in panels, which have a row for each channel that is made and a
/// column for each that is read.
pub(super) struct Kernels<N> {
    numbers: Vec<[N; PANEL]>,
}

impl<N: Number> Kernels<N> {
    pub(super) fn new(conv: &Conv, kind: Kind, pairs: &[[&[N]; 2]], group: usize) -> Self {
        let [ci, co] = conv.channels();
        let is_turned = kind == Kind::Input;
        let [from, to] = if is_turned { [co, ci] } else { [ci, co] };
        let weights = pairs.iter().map(|pair| {
            let weight = pair[if is_turned { 0 } else { 1 }];
            weight[group * co * ci * 9..][..co * ci * 9].as_chunks().0
        });
        let weights: Vec<&[[N; 9]]> = weights.collect();
        let depth = weights.len() * from;
        let num_panels = to.div_ceil(PANEL);
        let mut numbers = vec![[N::default(); PANEL]; TILE * num_panels * depth];
        let mut matrices: Vec<_> = numbers
            .chunks_exact_mut(num_panels * depth)
            .map(|matrix| matrix.chunks_exact_mut(depth))
            .collect();
        let panels = (0..num_panels).map(|_| {
            let panels = matrices.iter_mut().filter_map(Iterator::next);
            panels.collect::<Vec<_>>()
        });
        let panels: Vec<_> = panels.collect();
        panels
            .into_par_iter()
            .enumerate()
            .for_each(|(index, panels)| {
                vectorized(Panel {
                    weights: &weights,
                    is_turned,
                    channels: [from, to],
                    first: index * PANEL,
                    panels,
                });
            });
        Self { numbers }
    }

    /// The matrix of one number of a tile.
    pub(super) fn of(&self, number: usize) -> &[[N; PANEL]] {
        let len = self.numbers.len() / TILE;
        &self.numbers[number * len..][..len]
    }
}

/// One panel of all matrices.
struct Panel<'a, N> {
    weights: &'a [&'a [[N; 9]]],
    is_turned: bool,
    channels: [usize; 2],
    /// The first row.
    first: usize,
    panels: Vec<&'a mut [[N; PANEL]]>,
}

impl<N: Number> WithSimd for Panel<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let [from, to] = self.channels;
        let num_rows = PANEL.min(to - self.first);
        for (pair, weights) in self.weights.iter().enumerate() {
            for channel in 0..from {
                let mut taps = [[N::default(); PANEL]; 9];
                for place in 0..num_rows {
                    let row = self.first + place;
                    if self.is_turned {
                        let kernel = &weights[channel * to + row];
                        for (taps, tap) in taps.iter_mut().rev().zip(kernel) {
                            taps[place] = *tap;
                        }
                    } else {
                        let kernel = &weights[row * from + channel];
                        for (taps, tap) in taps.iter_mut().zip(kernel) {
                            taps[place] = *tap;
                        }
                    }
                }
                let column = pair * from + channel;
                for (panel, numbers) in self.panels.iter_mut().zip(transformed(&taps)) {
                    panel[column] = numbers;
                }
            }
        }
    }
}

/// `G w Gᵀ` of some kernels at once.
#[inline(always)]
fn transformed<N: Number>(taps: &[[N; PANEL]; 9]) -> [[N; PANEL]; TILE] {
    let mut columns = [[N::default(); PANEL]; 12];
    let mut all = [[N::default(); PANEL]; TILE];
    for p in 0..PANEL {
        for k in 0..3 {
            let four = four([taps[k][p], taps[3 + k][p], taps[6 + k][p]]);
            for (a, number) in four.into_iter().enumerate() {
                columns[3 * a + k][p] = number;
            }
        }
        for a in 0..4 {
            let row = four([
                columns[3 * a][p],
                columns[3 * a + 1][p],
                columns[3 * a + 2][p],
            ]);
            for (b, number) in row.into_iter().enumerate() {
                all[4 * a + b][p] = number;
            }
        }
    }
    all
}

/// `G` times three numbers.
#[inline(always)]
fn four<N: Number>([a, b, c]: [N; 3]) -> [N; 4] {
    let (outer, inner) = ((a + c) * N::HALF, b * N::HALF);
    [a, outer + inner, outer - inner, c]
}

/// `Gᵀ s G`: a kernel's gradient.
pub(super) fn weights<N: Number>(s: [N; TILE]) -> [N; 9] {
    let three = |[a, b, c, d]: [N; 4]| {
        let (sum, difference) = ((b + c) * N::HALF, (b - c) * N::HALF);
        [a + sum, difference, sum + d]
    };
    let columns: [[N; 3]; 4] =
        std::array::from_fn(|b| three([s[b], s[4 + b], s[8 + b], s[12 + b]]));
    let mut taps = [N::default(); 9];
    for (a, taps) in taps.as_chunks_mut().0.iter_mut().enumerate() {
        *taps = three(columns.map(|column| column[a]));
    }
    taps
}
