//! Where the numbers of a convolution lie, so that it consists of products of a weight with a stretch of numbers.
//!
//! The source of a convolution is copied to *lines*, one or more for each channel: its images, one after the other,
//! with zeros between the rows. Then the output at all positions is a sum of products of one weight with one
//! stretch of a line: each tap of the kernel reads the same line from another start. A row and the next share
//! the zeros between them.
//!
//! Along an axis with a stride, each tap has a line of its own, with only the numbers that it reads. That is also
//! worthwhile where rows are short, because the sums at positions between rows are computed in vain.

use super::correlate::PANEL;
use super::vectors::MAX_LANES;

/// One axis of a correlation: `out[j] = Σ_t w[t] · source[j · step + shifts[t]]`, with zeros around the source.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) size: usize,
    pub(super) out: usize,
    pub(super) step: usize,
    pub(super) shifts: Vec<isize>,
}

/// An axis in lines.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) axis: Axis,
    /// Whether each tap has a line of its own.
    pub(super) is_copied: bool,
    /// The number of positions from one row (for the last axis, number) to the same of the next index.
    pub(super) stride: usize,
}

impl Axis {
    fn zeros_before(&self) -> usize {
        let least = self.shifts.iter().min().map_or(0, |shift| -shift);
        least.max(0) as usize
    }

    fn zeros_behind(&self) -> usize {
        let most = self.shifts.iter().max().map_or(0, |&shift| shift);
        let last = self.out as isize - 1 + most;
        (last + 1 - self.size as isize).max(0) as usize
    }

    /// The positions of a row with the zeros behind it.
    fn pitch(&self, is_copied: bool) -> usize {
        if is_copied {
            self.out
        } else {
            let zeros = self.zeros_before().max(self.zeros_behind());
            (self.size + zeros).max(self.out)
        }
    }
}

/// The lines of a correlation.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) axes: [Placed; 3],
    /// The number of images in a line.
    pub(super) images: usize,
    /// The number of positions from one image to the next.
    pub(super) image: usize,
    /// The number of positions from the first output to the last.
    pub(super) span: usize,
    /// The number of lines of a channel.
    pub(super) num_lines: usize,
    /// The length of a line.
    pub(super) line: usize,
    /// The zeros before the first image.
    front: usize,
    /// What is in each line of a channel.
    lines: Vec<Line>,
    /// The positions of the rows of outputs of one image.
    pub(super) rows: Vec<usize>,
}

/// The numbers of one image in one line.
#[derive(Debug, Clone)]
struct Line {
    /// Where each row starts in the source and in the line.
    rows: Vec<[usize; 2]>,
    width: usize,
}

/// The times of the parts of a correlation, in the time of one product of a weight with one number, on a core with
/// vectors of eight numbers.
mod times {
    /// Placing a number in a line.
    pub(super) const PLACE: f64 = 20.0;
    /// Reading a weight from the cache of a core, or from behind it.
    pub(super) const WEIGHT: [f64; 2] = [0.25, 4.0];
    /// The number of weights in the cache of a core.
    pub(super) const CACHED: usize = 1 << 16;
}

/// The numbers that the lines of a task may have.
const MAX_LINES: usize = 1 << 19;

impl Plan {
    /// The fastest lines for a batch of images with this many channels, where each channel meets `num_rows` weights
    /// a tap.
    pub(super) fn new(axes: &[Axis; 3], batch: usize, channels: usize, num_rows: usize) -> Self {
        let mut best = Self::fastest(axes, 1, num_rows);
        let num_taps: usize = axes.iter().map(|axis| axis.shifts.len()).product();
        let num_weights = num_taps * channels * num_rows;
        let read = times::WEIGHT[usize::from(num_weights > times::CACHED)] * num_weights as f64;
        let cost =
            |plan: &Self| (channels as f64 * plan.cost(num_rows) + read) / plan.images as f64;
        let mut images = 1;
        while images < batch && images < 64 {
            images = (2 * images).min(batch);
            let plan = Self::fastest(axes, images, num_rows);
            if channels * plan.num_lines * plan.line > MAX_LINES {
                break;
            }
            // More images in a line are fewer tasks.
            if cost(&plan) < 0.95 * cost(&best) {
                best = plan;
            }
        }
        best
    }

    /// The faster choice for every axis.
    pub(super) fn fastest(axes: &[Axis; 3], images: usize, num_rows: usize) -> Self {
        let choices =
            (0..8_u8).map(|choice| [choice & 1, choice & 2, choice & 4].map(|bit| bit != 0));
        let possible = choices.filter(|copied| {
            (0..3).all(|a| match axes[a].step {
                1 => !copied[a] || axes[a].shifts.len() > 1 || axes[a].size != axes[a].out,
                _ => copied[a],
            })
        });
        let plans = possible.map(|copied| Self::with(axes, copied, images));
        let cost = |plan: &Self| plan.cost(num_rows);
        plans
            .min_by(|a, b| cost(a).total_cmp(&cost(b)))
            .unwrap_or_else(|| Self::with(axes, [true; 3], images))
    }

    /// The products of one line with `num_rows` weights a tap.
    pub(super) fn sums(&self, num_rows: usize) -> f64 {
        let taps = self.axes.iter().map(|placed| placed.axis.shifts.len());
        let num_taps: usize = taps.product();
        // Tiles of three vectors; smaller ones take nearly as long.
        let vectors = self.span.div_ceil(8);
        let span = 8 * (vectors / 3 * 3) + [0, 20, 22][vectors % 3];
        (num_taps * num_rows.next_multiple_of(PANEL) * span) as f64
    }

    /// The time of one channel.
    fn cost(&self, num_rows: usize) -> f64 {
        self.sums(num_rows) + times::PLACE * (self.num_lines * self.line) as f64
    }

    pub(super) fn with(axes: &[Axis; 3], copied: [bool; 3], images: usize) -> Self {
        let mut stride = 1;
        let mut placed = [2, 1, 0].map(|index| {
            let (axis, is_copied) = (axes[index].clone(), copied[index]);
            let own = stride;
            stride *= axis.pitch(is_copied);
            Placed {
                axis,
                is_copied,
                stride: own,
            }
        });
        placed.reverse();
        let image = stride;
        let shifted = || placed.iter().filter(|axis| !axis.is_copied);
        let front: usize = shifted().map(|p| p.axis.zeros_before() * p.stride).sum();
        let most = |p: &Placed| {
            p.axis
                .shifts
                .iter()
                .max()
                .map_or(0, |&shift| shift.max(0) as usize)
        };
        let behind: usize = shifted().map(|p| most(p) * p.stride).sum();
        let last: usize = placed.iter().map(|p| (p.axis.out - 1) * p.stride).sum();
        let span = (images - 1) * image + last + 1;
        let copies = placed.iter().filter(|axis| axis.is_copied);
        let num_lines = copies.map(|p| p.axis.shifts.len()).product();
        let read = front + behind + span.next_multiple_of(MAX_LANES);
        let [a, b, c] = &placed;
        let mut lines = Vec::new();
        for i in a.lines_of() {
            for j in b.lines_of() {
                for k in c.lines_of() {
                    let inner = c.numbers(k);
                    let first = inner.first().copied().unwrap_or_default();
                    let rows = a.numbers(i).into_iter().flat_map(|[i, to]| {
                        let rows = b.numbers(j).into_iter();
                        rows.map(move |[j, to_row]| {
                            let from = (i * b.axis.size + j) * c.axis.size + first[0];
                            [from, front + to * a.stride + to_row * b.stride + first[1]]
                        })
                    });
                    let (rows, width) = (rows.collect(), inner.len());
                    lines.push(Line { rows, width });
                }
            }
        }
        let rows =
            (0..a.axis.out).flat_map(|i| (0..b.axis.out).map(move |j| i * a.stride + j * b.stride));
        Self {
            images,
            image,
            span,
            num_lines,
            line: read.max(front + images * image),
            front,
            lines,
            rows: rows.collect(),
            axes: placed,
        }
    }

    /// The starts of the stretches that the taps read, by tap, from the start of the channel's first line.
    pub(super) fn taps(&self) -> Vec<usize> {
        let [a, b, c] = &self.axes;
        let mut starts = Vec::new();
        for &i in &a.starts(self.front) {
            for &j in &b.starts(0) {
                for &k in &c.starts(0) {
                    let (lines, start) =
                        ((i.0 * b.lines() + j.0) * c.lines() + k.0, i.1 + j.1 + k.1);
                    starts.push(lines * self.line + start as usize);
                }
            }
        }
        starts
    }

    /// Places the images of one channel in its lines. Nothing is written between their rows.
    pub(super) fn place<'s, N: Copy + 's>(
        &self,
        images: impl Iterator<Item = &'s [N]>,
        lines: &mut [N],
    ) {
        let step = if self.axes[2].is_copied {
            self.axes[2].axis.step
        } else {
            1
        };
        for (image, source) in images.enumerate() {
            for (line, placed) in self.lines.iter().zip(lines.chunks_exact_mut(self.line)) {
                let placed = &mut placed[image * self.image..];
                for [from, to] in line.rows.iter().copied() {
                    let (from, to) = (&source[from..], &mut placed[to..to + line.width]);
                    if step == 1 {
                        copy_row(to, from);
                    } else {
                        let from = from.iter().step_by(step);
                        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        }
    }

    /// The numbers of outputs along the axes.
    pub(super) fn outputs(&self) -> [usize; 3] {
        self.axes.each_ref().map(|placed| placed.axis.out)
    }

    /// Copies the outputs of one image from their positions, to be adjacent.
    pub(super) fn gather<N: Copy>(&self, image: usize, sums: &[N], out: &mut [N]) {
        let sums = &sums[image * self.image..];
        for (out, at) in out.chunks_exact_mut(self.outputs()[2]).zip(&self.rows) {
            copy_row(out, &sums[*at..]);
        }
    }

    /// Copies adjacent numbers to the positions of the outputs of one image.
    pub(super) fn spread<N: Copy>(&self, image: usize, numbers: &[N], placed: &mut [N]) {
        let placed = &mut placed[image * self.image..];
        let width = self.outputs()[2];
        for (numbers, at) in numbers.chunks_exact(width).zip(&self.rows) {
            copy_row(&mut placed[*at..*at + width], numbers);
        }
    }

    /// Whether the outputs of an image are adjacent, and alone in their line.
    pub(super) fn is_dense(&self) -> bool {
        self.images == 1 && self.span == self.outputs().iter().product::<usize>()
    }
}

impl Placed {
    fn lines(&self) -> usize {
        if self.is_copied {
            self.axis.shifts.len()
        } else {
            1
        }
    }

    /// For each tap its line and its start.
    fn starts(&self, front: usize) -> Vec<(usize, isize)> {
        let taps = self.axis.shifts.iter().enumerate();
        let starts = taps.map(|(tap, shift)| {
            if self.is_copied {
                (tap, front as isize)
            } else {
                (0, front as isize + shift * self.stride as isize)
            }
        });
        starts.collect()
    }

    /// For each line the shift of its only tap, or `None` if it is read from all of them.
    fn lines_of(&self) -> Vec<Option<isize>> {
        if self.is_copied {
            self.axis.shifts.iter().map(|shift| Some(*shift)).collect()
        } else {
            vec![None]
        }
    }

    /// The indices of the source in a line, and their places there.
    fn numbers(&self, line: Option<isize>) -> Vec<[usize; 2]> {
        let Some(shift) = line else {
            return (0..self.axis.size).map(|i| [i, i]).collect();
        };
        let count = |numbers: isize| (numbers.max(0) as usize).div_ceil(self.axis.step);
        let until = count(self.axis.size as isize - shift).min(self.axis.out);
        let from = |j: usize| ((j * self.axis.step) as isize + shift) as usize;
        (count(-shift)..until).map(|j| [from(j), j]).collect()
    }
}

/// Copies as many numbers as `to` has. For the short rows of images this is faster than `copy_from_slice`.
#[inline(always)]
pub(super) fn copy_row<N: Copy>(to: &mut [N], from: &[N]) {
    let from = &from[..to.len()];
    if to.len() >= 32 {
        return to.copy_from_slice(from);
    }
    let (fours, rest) = to.as_chunks_mut::<4>();
    let (from_fours, from_rest) = from.as_chunks::<4>();
    for (to, from) in fours.iter_mut().zip(from_fours) {
        *to = *from;
    }
    match (rest, from_rest) {
        ([a], [x]) => *a = *x,
        ([a, b], [x, y]) => (*a, *b) = (*x, *y),
        ([a, b, c], [x, y, z]) => (*a, *b, *c) = (*x, *y, *z),
        _ => {}
    }
}
