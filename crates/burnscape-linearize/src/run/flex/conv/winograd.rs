//! Convolutions with kernels of three by three in tiles, by Winograd's algorithm: sixteen products for each four
//! outputs instead of 36.
//!
//! With `w` the kernel, `d` four by four inputs and `y` the two by two outputs that they determine,
//!
//! ```text
//! y = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ d B)] A
//!
//!      ⎡1  0 -1  0⎤       ⎡ 1  0  0⎤
//! Bᵀ = ⎢0  1  1  0⎥   G = ⎢ ½  ½  ½⎥   Aᵀ = ⎡1 1  1  0⎤
//!      ⎢0 -1  1  0⎥       ⎢ ½ -½  ½⎥        ⎣0 1 -1 -1⎦
//!      ⎣0  1  0 -1⎦       ⎣ 0  0  1⎦
//! ```
//!
//! so that sums over channels are sixteen matrix products. For outputs `g`, the gradient with respect to `w` is
//! `Gᵀ [(A g Aᵀ) ⊙ (Bᵀ d B)] G`, that with respect to `d` is a convolution with the turned kernel.

use rayon::prelude::*;

use super::correlate::{PANEL, Sums};
use super::forward::add_bias;
use super::inner::{BLOCK, Products};
use super::kernels::{Kernels, weights};
use super::tiles::{TILE, Tiles};
use super::vectors::{Number, lanes, vectorized};
use super::{Conv, Kind};

/// The tiles of a task: what they become should stay in the cache.
const TASK: usize = 64;
/// The tiles of a sum over positions: enough that adding up the numbers of a vector takes little.
const SUM: usize = 512;

/// How the work is divided.
struct Blocks {
    tiles: Tiles,
    /// The rows of tiles at once; all of them if there are several images at once.
    rows: usize,
    /// The length of a line.
    pitch: usize,
}

impl Conv {
    /// Whether the kernel is three by three and moves by one.
    pub(super) fn has_tiles(&self) -> bool {
        let is_plane = self.input[0] == 1 && self.output[0] == 1 && self.padding[0] == 0;
        is_plane && self.kernel == [1, 3, 3] && [self.stride, self.dilation] == [[1; 3]; 2]
    }

    fn blocks(&self, kind: Kind, size: usize, lanes: usize) -> Blocks {
        let plane = |[_, rows, columns]: [usize; 3]| [rows, columns];
        let (input, output) = (plane(self.input), plane(self.output));
        let padding = [1, 2].map(|axis| self.padding[axis] as isize);
        let mut tiles = Tiles {
            input,
            output,
            padding,
            images: 1,
            lanes,
        };
        if kind == Kind::Input {
            (tiles.input, tiles.output) = (output, input);
            tiles.padding = padding.map(|zeros| 2 - zeros);
        }
        let [rows, columns] = tiles.count();
        tiles.images = (size / (rows * columns)).clamp(1, self.batch);
        let rows = if tiles.images > 1 {
            rows
        } else {
            (size / columns).clamp(1, rows)
        };
        let pitch = rows * tiles.width();
        Blocks { tiles, rows, pitch }
    }

    /// What [`tiled`](Self::tiled) and [`tiled_weight`](Self::tiled_weight) do: products, transformed numbers of
    /// tiles, and transformed numbers of kernels.
    pub(super) fn tiled_parts(&self, kind: Kind) -> [f64; 3] {
        let size = if kind == Kind::Weight { SUM } else { TASK };
        // For all processors the same.
        let Blocks { tiles, rows, pitch } = self.blocks(kind, size, 8);
        let [ci, co] = self.channels();
        let [all_rows, _] = tiles.count();
        let blocks = self.batch.div_ceil(tiles.images) * all_rows.div_ceil(rows) * self.groups;
        let numbers = (TILE * blocks * pitch) as f64;
        let kernels = (TILE * self.groups * ci * co) as f64;
        [
            numbers * (ci * co.next_multiple_of(PANEL)) as f64,
            numbers * (ci + co) as f64,
            kernels,
        ]
    }

    /// The numbers in the buffers of a kernel in tiles for a sum over pairs, with this many lanes in a vector.
    pub(super) fn tiled_buffers(&self, kind: Kind, lanes: usize, num_pairs: usize) -> usize {
        let [ci, co] = self.channels();
        if kind == Kind::Weight {
            let Blocks { pitch, .. } = self.blocks(kind, SUM, lanes);
            return TILE * ((ci + co) * pitch + ci * co);
        }
        let [from, to] = if kind == Kind::Input {
            [co, ci]
        } else {
            [ci, co]
        };
        let Blocks { tiles, pitch, .. } = self.blocks(kind, TASK, lanes);
        let num_tasks = self.batch.div_ceil(tiles.images);
        let depth = num_pairs * from;
        let kernels = TILE * self.groups * depth * to.next_multiple_of(PANEL);
        kernels + num_tasks.min(rayon::current_num_threads()) * TILE * (depth + to) * pitch
    }

    /// The sum of the convolutions, or of the gradients with respect to the input, of pairs as in [`Kind`].
    pub(super) fn tiled<N: Number>(
        &self,
        kind: Kind,
        pairs: &[[&[N]; 2]],
        bias: Option<&[N]>,
    ) -> Vec<N> {
        let [ci, co] = self.channels();
        let is_turned = kind == Kind::Input;
        let [from, to] = if is_turned { [co, ci] } else { [ci, co] };
        let all_to = self.groups * to;
        let Blocks { tiles, rows, pitch } = self.blocks(kind, TASK, lanes::<N>());
        let depth = pairs.len() * from;
        let kernels = (0..self.groups).map(|group| Kernels::new(self, kind, pairs, group));
        let kernels: Vec<_> = kernels.collect();
        let starts = starts(depth, pitch);
        let plane = tiles.output.iter().product::<usize>();
        let mut out = vec![N::default(); self.batch * all_to * plane];
        let tasks = out.par_chunks_mut(tiles.images * all_to * plane);
        let is_split = self.is_split(tasks.len());
        let work = |[inputs, sums]: &mut [Vec<N>; 2], (index, out): (usize, &mut [N])| {
            let images = index * tiles.images..self.batch.min((index + 1) * tiles.images);
            inputs.resize(TILE * depth * pitch, N::default());
            sums.resize(TILE * to * pitch, N::default());
            for (group, kernels) in kernels.iter().enumerate() {
                for start in (0..tiles.count()[0]).step_by(rows) {
                    let rows = start..(start + rows).min(tiles.count()[0]);
                    let place = |sheets: &mut Vec<N>, (index, mut lines): (usize, _)| {
                        let [a, b] = pairs[index / from];
                        let channel = group * from + index % from;
                        let planes = images.clone().map(|image| match is_turned {
                            true => self.output_plane(b, image, channel),
                            false => self.input_plane(a, image, channel),
                        });
                        tiles.inputs(planes, rows.clone(), &mut lines, sheets);
                    };
                    each(by_channel(inputs, pitch), is_split, place);
                    let products = |_: &mut Vec<N>, (x, out): (usize, &mut [N])| {
                        vectorized(Sums {
                            weights: kernels.of(x),
                            starts: &starts[x],
                            lines: inputs,
                            out,
                            pitch,
                        });
                    };
                    each(
                        sums.chunks_exact_mut(to * pitch).collect(),
                        is_split,
                        products,
                    );
                    let gather = |sheet: &mut Vec<N>, (channel, planes): (usize, Vec<&mut [N]>)| {
                        let sums: [&[N]; TILE] =
                            std::array::from_fn(|x| &sums[(x * to + channel) * pitch..][..pitch]);
                        tiles.outputs(&sums, rows.clone(), planes.into_iter(), sheet);
                    };
                    let group = group * to..(group + 1) * to;
                    each(planes(out, all_to, plane, group), is_split, gather);
                }
            }
            if let Some(bias) = bias {
                add_bias(out, bias, plane);
            }
        };
        tasks.enumerate().for_each_init(Default::default, work);
        out
    }

    /// The gradient with respect to the weight: the sum over pairs of an input and a gradient.
    pub(super) fn tiled_weight<N: Number>(&self, pairs: &[[&[N]; 2]]) -> Vec<N> {
        let [ci, co] = self.channels();
        let Blocks { tiles, rows, pitch } = self.blocks(Kind::Weight, SUM, lanes::<N>());
        let is_split = self.products() > 1 << 20;
        let starts = starts(ci, pitch);
        let mut out = vec![N::default(); self.weight_len()];
        let [mut inputs, mut gradients] =
            [ci, co].map(|channels| vec![N::default(); TILE * channels * pitch]);
        let mut sums = vec![N::default(); TILE * co * ci];
        for (group, out) in out.chunks_exact_mut(co * ci * 9).enumerate() {
            let images = (0..self.batch).step_by(tiles.images);
            let starts_of_rows = (0..tiles.count()[0]).step_by(rows);
            let blocks = pairs.iter().flat_map(|pair| {
                let rows = starts_of_rows.clone();
                images
                    .clone()
                    .flat_map(move |image| rows.clone().map(move |row| (pair, image, row)))
            });
            for (index, ([x, gradient], image, row)) in blocks.enumerate() {
                let rows = row..(row + rows).min(tiles.count()[0]);
                let images = image..(image + tiles.images).min(self.batch);
                let used = rows.len() * tiles.width();
                // What is behind the last tiles takes part in the sums.
                let end = |lines: [&mut [N]; TILE]| {
                    for line in lines {
                        line[used..].fill(N::default());
                    }
                };
                each(
                    by_channel(&mut inputs, pitch),
                    is_split,
                    |sheets, (channel, mut lines)| {
                        let planes = images.clone();
                        let planes =
                            planes.map(|image| self.input_plane(x, image, group * ci + channel));
                        tiles.inputs(planes, rows.clone(), &mut lines, sheets);
                        end(lines);
                    },
                );
                each(
                    by_channel(&mut gradients, pitch),
                    is_split,
                    |sheet, (channel, mut lines)| {
                        let planes = images.clone();
                        let planes = planes
                            .map(|image| self.output_plane(gradient, image, group * co + channel));
                        tiles.gradients(planes, rows.clone(), &mut lines, sheet);
                        end(lines);
                    },
                );
                let blocks = sums
                    .chunks_exact_mut(co * ci)
                    .enumerate()
                    .flat_map(|(x, sums)| {
                        let blocks = sums.chunks_mut(BLOCK * ci).enumerate();
                        blocks.map(move |(block, sums)| (x, block * BLOCK, sums))
                    });
                each(
                    blocks.collect(),
                    is_split,
                    |_: &mut Vec<N>, (_, (x, row, out))| {
                        vectorized(Products {
                            gradient: &gradients[(x * co + row) * pitch..]
                                [..out.len() / ci * pitch],
                            pitch,
                            lines: &inputs,
                            starts: &starts[x],
                            sums: &mut [],
                            is_first: true,
                            out: Some(out),
                            is_added: index > 0,
                        });
                    },
                );
            }
            let rows = out.chunks_exact_mut(ci * 9).collect();
            each(
                rows,
                is_split,
                |_: &mut Vec<N>, (row, out): (usize, &mut [N])| {
                    let sums: [&[N]; TILE] =
                        std::array::from_fn(|x| &sums[(x * co + row) * ci..][..ci]);
                    for (channel, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
                        *out = weights(sums.map(|sums| sums[channel]));
                    }
                },
            );
        }
        out
    }
}

/// The starts of the lines of each channel, for each number of a tile.
fn starts(channels: usize, pitch: usize) -> [Vec<usize>; TILE] {
    std::array::from_fn(|x| (0..channels).map(|c| (x * channels + c) * pitch).collect())
}

/// Works on all parts, with memory that is empty at first.
fn each<N: Send, P: Send>(
    parts: Vec<P>,
    is_split: bool,
    work: impl Fn(&mut Vec<N>, (usize, P)) + Send + Sync,
) {
    if is_split {
        parts
            .into_par_iter()
            .enumerate()
            .for_each_init(Vec::new, work);
    } else {
        let mut memory = Vec::new();
        let parts = parts.into_iter().enumerate();
        parts.for_each(|part| work(&mut memory, part));
    }
}

/// The sixteen lines of each channel.
fn by_channel<N>(numbers: &mut [N], pitch: usize) -> Vec<[&mut [N]; TILE]> {
    let len = numbers.len() / TILE;
    let mut lines = numbers.chunks_exact_mut(len);
    let mut lines: [_; TILE] =
        std::array::from_fn(|_| lines.next().unwrap_or_default().chunks_exact_mut(pitch));
    let channel = |_| {
        lines
            .each_mut()
            .map(|lines| lines.next().unwrap_or_default())
    };
    (0..len / pitch).map(channel).collect()
}

/// The planes of some channels, by channel and image.
fn planes<N>(
    out: &mut [N],
    channels: usize,
    plane: usize,
    group: std::ops::Range<usize>,
) -> Vec<Vec<&mut [N]>> {
    let images = out.chunks_exact_mut(channels * plane);
    let mut images: Vec<_> = images
        .map(|image| image[group.start * plane..][..group.len() * plane].chunks_exact_mut(plane))
        .collect();
    group
        .map(|_| images.iter_mut().filter_map(Iterator::next).collect())
        .collect()
}
