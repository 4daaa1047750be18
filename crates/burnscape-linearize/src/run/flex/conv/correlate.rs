//! `out[m] = Σ_r weights[m, r] · line[starts[r]..]`: sums of stretches.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::plan::Plan;
use super::vectors::{MAX_LANES, Number, vectorized};

/// The rows of weights that are stored together.
pub(super) const PANEL: usize = 4;
/// The sums of a weight row that are made at once, so that the weights and stretches stay in the cache.
const DEPTH: usize = 256;
/// The outputs that are made of the lines at once.
const CHUNK: usize = 128;
/// The panels from which on the stretches are copied to be adjacent.
const COPIED: usize = 6;

/// Weights in panels of four rows, number by number.
pub(super) struct Panels<N> {
    pub(super) numbers: Vec<[N; PANEL]>,
    pub(super) num_rows: usize,
    pub(super) depth: usize,
}

impl<N: Number> Panels<N> {
    /// `weights` are those of a row, in the order of the sum.
    pub(super) fn new<I: Iterator<Item = N>>(
        num_rows: usize,
        depth: usize,
        weights: impl Fn(usize) -> I + Sync,
    ) -> Self {
        let num_panels = num_rows.div_ceil(PANEL);
        let mut numbers = vec![[N::default(); PANEL]; num_panels * depth];
        let fill = |(index, panel): (usize, &mut [[N; PANEL]])| {
            let rows = index * PANEL..num_rows.min((index + 1) * PANEL);
            for (place, row) in rows.enumerate() {
                for (numbers, weight) in panel.iter_mut().zip(weights(row)) {
                    numbers[place] = weight;
                }
            }
        };
        if numbers.len() > 1 << 13 {
            numbers.par_chunks_mut(depth).enumerate().for_each(fill);
        } else {
            numbers.chunks_mut(depth).enumerate().for_each(fill);
        }
        Self {
            numbers,
            num_rows,
            depth,
        }
    }
}

/// The sums of stretches for a block of rows.
pub(super) struct Sums<'a, N> {
    pub(super) weights: &'a [[N; PANEL]],
    pub(super) starts: &'a [usize],
    pub(super) lines: &'a [N],
    /// The rows, with `pitch` numbers each.
    pub(super) out: &'a mut [N],
    pub(super) pitch: usize,
}

impl<N: Number> WithSimd for Sums<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.blocked::<S, 2>(simd);
        } else {
            self.blocked::<S, 1>(simd);
        }
    }
}

impl<N: Number> Sums<'_, N> {
    #[inline(always)]
    fn blocked<S: Simd, const P: usize>(mut self, simd: S) {
        let depth = self.starts.len();
        let width = N::lanes::<S>();
        let num_panels = self.weights.len() / depth.max(1);
        let (starts, lines) = (self.starts, self.lines);
        let is_copied = num_panels >= COPIED;
        let mut copied = Vec::new();
        let mut copied_starts = Vec::new();
        for from in (0..depth).step_by(DEPTH) {
            let until = (from + DEPTH).min(depth);
            let mut at = 0;
            while at < self.pitch {
                let vectors = ((self.pitch - at) / width).clamp(1, 3);
                let mut stretches = (&starts[from..until], &lines[at..]);
                if is_copied {
                    let width = vectors * width;
                    copied.resize(DEPTH.min(depth) * 3 * N::lanes::<S>(), N::default());
                    copied_starts.clear();
                    copied_starts.extend((0..until - from).map(|r| r * width));
                    for (to, start) in copied.chunks_exact_mut(width).zip(stretches.0) {
                        let from = N::vectors::<S>(&stretches.1[*start..][..width]);
                        // A few vectors: a copy of any length would be a call.
                        for (to, from) in N::vectors_mut::<S>(to).iter_mut().zip(from) {
                            *to = *from;
                        }
                    }
                    stretches = (&copied_starts[..], &copied[..]);
                }
                let mut panel = 0;
                while panel < num_panels {
                    let range = [panel, from, at];
                    let together = if P == 2 && panel + 1 < num_panels {
                        2
                    } else {
                        1
                    };
                    match (together, vectors) {
                        (2, 3) => self.tile::<S, 2, 3>(simd, stretches, range),
                        (2, 2) => self.tile::<S, 2, 2>(simd, stretches, range),
                        (2, _) => self.tile::<S, 2, 1>(simd, stretches, range),
                        (_, 3) => self.tile::<S, 1, 3>(simd, stretches, range),
                        (_, 2) => self.tile::<S, 1, 2>(simd, stretches, range),
                        _ => self.tile::<S, 1, 1>(simd, stretches, range),
                    }
                    panel += together;
                }
                at += vectors * width;
            }
        }
    }

    /// `P` panels times `V` vectors.
    #[inline(always)]
    fn tile<S: Simd, const P: usize, const V: usize>(
        &mut self,
        simd: S,
        (starts, lines): (&[usize], &[N]),
        [panel, from, at]: [usize; 3],
    ) {
        let depth = self.starts.len();
        let zero = N::splat(simd, N::default());
        let width = V * N::lanes::<S>();
        let mut sums = [[[zero; V]; PANEL]; P];
        // Only the last numbers of a row are fewer than vectors have.
        let kept = width.min(self.pitch - at);
        let row = |p: usize, i: usize| ((panel + p) * PANEL + i) * self.pitch + at;
        if from > 0 {
            for (p, sums) in sums.iter_mut().enumerate() {
                for (i, sums) in sums.iter_mut().enumerate() {
                    match self.out.get(row(p, i)..row(p, i) + kept) {
                        Some(out) if kept == width => {
                            sums.copy_from_slice(&N::vectors::<S>(out)[..V]);
                        }
                        Some(out) => {
                            let mut padded = [N::default(); 3 * MAX_LANES];
                            padded[..kept].copy_from_slice(out);
                            sums.copy_from_slice(&N::vectors::<S>(&padded)[..V]);
                        }
                        None => {}
                    }
                }
            }
        }
        let count = starts.len();
        let weights: [&[[N; PANEL]]; P] =
            std::array::from_fn(|p| &self.weights[(panel + p) * depth + from..][..count]);
        for r in 0..count {
            let stretch = N::vectors::<S>(&lines[starts[r]..][..width]);
            let stretch: [_; V] = std::array::from_fn(|v| stretch[v]);
            for p in 0..P {
                let weights = weights[p][r];
                for i in 0..PANEL {
                    let weight = N::splat(simd, weights[i]);
                    for v in 0..V {
                        sums[p][i][v] = N::mul_add(simd, weight, stretch[v], sums[p][i][v]);
                    }
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            for (i, sums) in sums.iter().enumerate() {
                match self.out.get_mut(row(p, i)..row(p, i) + kept) {
                    Some(out) if kept == width => {
                        N::vectors_mut::<S>(out)[..V].copy_from_slice(sums);
                    }
                    Some(out) => {
                        let mut padded = [N::default(); 3 * MAX_LANES];
                        N::vectors_mut::<S>(&mut padded)[..V].copy_from_slice(sums);
                        out.copy_from_slice(&padded[..kept]);
                    }
                    // The weights of a panel without a row are zero.
                    None => {}
                }
            }
        }
    }
}

/// The channels that a correlation reads.
pub(super) struct Source<'a, N> {
    pub(super) channels: usize,
    /// The numbers of one channel of one image.
    pub(super) plane: &'a (dyn Fn(usize, usize) -> &'a [N] + Sync),
}

impl<N: Number> Source<'_, N> {
    /// Places the images in lines, one channel after the other.
    ///
    /// `is_fresh` tells that the lines may hold something else than earlier images of the same plan.
    pub(super) fn place(
        &self,
        plan: &Plan,
        images: std::ops::Range<usize>,
        lines: &mut Vec<N>,
        is_fresh: bool,
        is_split: bool,
    ) {
        let channel_len = plan.num_lines * plan.line;
        let len = self.channels * channel_len;
        if is_fresh {
            lines.clear();
            fit(lines, len);
        }
        lines.resize(len, N::default());
        let place = |(channel, lines): (usize, &mut [N])| {
            let planes = images.clone().map(|image| (self.plane)(channel, image));
            plan.place(planes, lines);
        };
        if is_split {
            lines
                .par_chunks_mut(channel_len)
                .enumerate()
                .for_each(place);
        } else {
            lines.chunks_mut(channel_len).enumerate().for_each(place);
        }
    }
}

/// The starts of all stretches: channel by channel, and tap by tap.
pub(super) fn starts(plan: &Plan, channels: usize) -> Vec<usize> {
    let taps = plan.taps();
    let channel = plan.num_lines * plan.line;
    let starts = (0..channels).flat_map(|c| taps.iter().map(move |tap| c * channel + tap));
    starts.collect()
}

/// The scratch memory of one thread.
#[derive(Default)]
pub(super) struct Scratch<N> {
    pub(super) lines: Vec<N>,
    pub(super) gradients: Vec<N>,
    pub(super) out: Vec<N>,
    /// Whether the lines have been written with zeros between their rows.
    pub(super) is_used: bool,
}

/// Makes room for `len` numbers and no more. What is in the way is dropped, not copied.
fn fit<N>(scratch: &mut Vec<N>, len: usize) {
    if scratch.capacity() < len {
        *scratch = Vec::new();
        scratch.reserve_exact(len);
    }
}

/// Where a correlation writes its rows.
pub(super) enum Target<'a, N> {
    /// Row by row to the result.
    Dense(&'a mut [N]),
    /// To scratch memory. The function takes some rows, the first one's index, and their pitch.
    Scattered(&'a mut dyn FnMut(usize, &[N], usize)),
}

/// The rows that a thread makes at once.
pub(super) fn rows_at_once(pitch: usize, is_split: bool) -> usize {
    if is_split {
        return 4 * PANEL;
    }
    ((1 << 15) / pitch)
        .next_multiple_of(PANEL)
        .clamp(PANEL, CHUNK)
}

/// The correlation of a group of images with weights.
pub(super) fn correlate<N: Number>(
    plan: &Plan,
    (source, images): (&Source<'_, N>, std::ops::Range<usize>),
    (weights, starts): (&Panels<N>, &[usize]),
    is_split: bool,
    scratch: &mut Scratch<N>,
    target: Target<'_, N>,
) {
    let Scratch {
        lines,
        out,
        is_used,
        ..
    } = scratch;
    source.place(plan, images, lines, !*is_used, is_split);
    *is_used = true;
    let pitch = match target {
        Target::Dense(_) => plan.span,
        Target::Scattered(_) => plan.span.next_multiple_of(MAX_LANES),
    };
    let (lines, depth) = (&lines[..], weights.depth);
    let rows_at_once = rows_at_once(pitch, is_split);
    let sums = |(chunk, out): (usize, &mut [N])| {
        let panels = (out.len() / pitch).div_ceil(PANEL);
        let weights = &weights.numbers[chunk * (rows_at_once / PANEL) * depth..];
        let weights = &weights[..panels * depth];
        vectorized(Sums {
            weights,
            starts,
            lines,
            out,
            pitch,
        });
    };
    match target {
        Target::Dense(out) if is_split => {
            out.par_chunks_mut(rows_at_once * pitch)
                .enumerate()
                .for_each(sums);
        }
        Target::Dense(out) => out
            .chunks_mut(rows_at_once * pitch)
            .enumerate()
            .for_each(sums),
        Target::Scattered(write) if is_split => {
            fit(out, weights.num_rows * pitch);
            out.resize(weights.num_rows * pitch, N::default());
            out.par_chunks_mut(rows_at_once * pitch)
                .enumerate()
                .for_each(sums);
            write(0, out, pitch);
        }
        Target::Scattered(write) => {
            for from in (0..weights.num_rows).step_by(rows_at_once) {
                let rows = rows_at_once.min(weights.num_rows - from);
                fit(out, rows * pitch);
                out.resize(rows * pitch, N::default());
                sums((from / rows_at_once, out));
                write(from, out, pitch);
            }
        }
    }
}
