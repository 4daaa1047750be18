//! Planes in tiles of two by two outputs, and what Winograd's algorithm makes of them.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::plan::copy_row;
use super::vectors::{Number, vectorized};

/// The numbers of a transformed tile, four by four.
pub(super) const TILE: usize = 16;

/// Planes of some images side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    /// Rows and columns of an input and of an output.
    pub(super) input: [usize; 2],
    pub(super) output: [usize; 2],
    /// The zeros before the rows and columns of an input; what is negative is left out.
    pub(super) padding: [isize; 2],
    pub(super) images: usize,
    /// The numbers of a vector.
    pub(super) lanes: usize,
}

impl Tiles {
    /// The rows and columns of tiles of an image.
    pub(super) fn count(&self) -> [usize; 2] {
        self.output.map(|len| len.div_ceil(2))
    }

    /// The tiles in a row of all images, with those that fill the last vector.
    pub(super) fn width(&self) -> usize {
        (self.images * self.count()[1]).next_multiple_of(self.lanes)
    }

    /// `Bᵀ d B` of the inputs of some rows of tiles: each line has one number of every tile.
    ///
    /// `sheets` is memory that has been used for no other rows and images since it was empty.
    pub(super) fn inputs<'n, N: Number>(
        &self,
        planes: impl Iterator<Item = &'n [N]>,
        rows: Range<usize>,
        lines: &mut [&mut [N]; TILE],
        sheets: &mut Vec<N>,
    ) {
        let [height, width] = self.input;
        let [above, left] = self.padding;
        let columns = 2 * self.count()[1];
        let len = 2 * self.width();
        let num_rows = 2 * rows.len() + 2;
        sheets.resize(2 * num_rows * len, N::default());
        // Tiles of inputs overlap. Their columns 0 and 1 are in one sheet, 2 and 3 in the other.
        let (first, second) = sheets.split_at_mut(num_rows * len);
        for (image, plane) in planes.enumerate() {
            for (sheet, start) in [(&mut *first, -left), (&mut *second, 2 - left)] {
                let from = start.clamp(0, width as isize) as usize;
                let before = (-start).clamp(0, columns as isize) as usize;
                let count = (columns - before).min(width - from);
                for row in 0..num_rows {
                    let y = (2 * rows.start + row) as isize - above;
                    if (0..height as isize).contains(&y) {
                        let to = row * len + image * columns + before;
                        let from = y as usize * width + from;
                        copy_row(&mut sheet[to..][..count], &plane[from..]);
                    }
                }
            }
        }
        vectorized(Inputs {
            sheets: [first, second],
            len,
            lines,
        });
    }

    /// `A g Aᵀ` of the gradients of outputs, as [`inputs`](Self::inputs).
    pub(super) fn gradients<'n, N: Number>(
        &self,
        planes: impl Iterator<Item = &'n [N]>,
        rows: Range<usize>,
        lines: &mut [&mut [N]; TILE],
        sheet: &mut Vec<N>,
    ) {
        let len = 2 * self.width();
        sheet.resize(2 * rows.len() * len, N::default());
        for (image, plane) in planes.enumerate() {
            for [at, from] in self.outputs_in(image, &rows) {
                copy_row(&mut sheet[at..][..self.output[1]], &plane[from..]);
            }
        }
        vectorized(Gradients { sheet, len, lines });
    }

    /// The outputs `Aᵀ s A` of sums of products.
    pub(super) fn outputs<'n, N: Number>(
        &self,
        sums: &[&[N]; TILE],
        rows: Range<usize>,
        planes: impl Iterator<Item = &'n mut [N]>,
        sheet: &mut Vec<N>,
    ) {
        let len = 2 * self.width();
        sheet.resize(2 * rows.len() * len, N::default());
        vectorized(Outputs { sums, sheet, len });
        for (image, plane) in planes.enumerate() {
            for [at, to] in self.outputs_in(image, &rows) {
                copy_row(&mut plane[to..][..self.output[1]], &sheet[at..]);
            }
        }
    }

    /// For each row of outputs its places in a sheet and in its plane.
    fn outputs_in(&self, image: usize, rows: &Range<usize>) -> impl Iterator<Item = [usize; 2]> {
        let [height, width] = self.output;
        let (len, columns) = (2 * self.width(), 2 * self.count()[1]);
        let first = 2 * rows.start;
        let rows = first..(2 * rows.end).min(height);
        rows.map(move |row| [(row - first) * len + image * columns, row * width])
    }
}

struct Inputs<'a, 'l, N> {
    /// Rows of `len` numbers.
    sheets: [&'a [N]; 2],
    len: usize,
    lines: &'a mut [&'l mut [N]; TILE],
}

impl<N: Number> WithSimd for Inputs<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sheets, len, lines } = self;
        let (lanes, width) = (N::lanes::<S>(), len / 2);
        let num_rows = sheets[0].len() / len;
        for at in (0..width).step_by(lanes) {
            let mut above = input_rows(simd, sheets, 2 * at, len);
            for i in 0..num_rows / 2 - 1 {
                let below = input_rows(simd, sheets, (2 * i + 2) * len + 2 * at, len);
                for b in 0..4 {
                    let [h0, h1, h2, h3] = [above[0][b], above[1][b], below[0][b], below[1][b]];
                    let column = [
                        N::minus(simd, h0, h2),
                        N::plus(simd, h1, h2),
                        N::minus(simd, h2, h1),
                        N::minus(simd, h1, h3),
                    ];
                    for (a, numbers) in column.iter().enumerate() {
                        let line = &mut lines[4 * a + b][i * width + at..][..lanes];
                        N::vectors_mut::<S>(line)[0] = *numbers;
                    }
                }
                above = below;
            }
        }
    }
}

/// Two rows of tiles times `B`. Here and below without closures: a closure that is not inlined has no vector
/// instructions.
#[inline(always)]
fn input_rows<S: Simd, N: Number>(
    simd: S,
    sheets: [&[N]; 2],
    at: usize,
    len: usize,
) -> [[N::Vector<S>; 4]; 2] {
    [
        input_row(simd, sheets, at),
        input_row(simd, sheets, at + len),
    ]
}

/// A row of tiles times `B`.
#[inline(always)]
fn input_row<S: Simd, N: Number>(simd: S, sheets: [&[N]; 2], at: usize) -> [N::Vector<S>; 4] {
    let [a, b] = columns(simd, &sheets[0][at..]);
    let [c, d] = columns(simd, &sheets[1][at..]);
    [
        N::minus(simd, a, c),
        N::plus(simd, b, c),
        N::minus(simd, c, b),
        N::minus(simd, b, d),
    ]
}

/// The first and the second columns of tiles that are two numbers wide.
#[inline(always)]
fn columns<S: Simd, N: Number>(simd: S, row: &[N]) -> [N::Vector<S>; 2] {
    let vectors = N::vectors::<S>(&row[..2 * N::lanes::<S>()]);
    N::apart(simd, [vectors[0], vectors[1]])
}

struct Gradients<'a, 'l, N> {
    sheet: &'a [N],
    len: usize,
    lines: &'a mut [&'l mut [N]; TILE],
}

impl<N: Number> WithSimd for Gradients<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sheet, len, lines } = self;
        let (lanes, width) = (N::lanes::<S>(), len / 2);
        for (i, rows) in sheet.chunks_exact(2 * len).enumerate() {
            for at in (0..width).step_by(lanes) {
                let [a, b] = columns(simd, &rows[2 * at..]);
                let first = spread::<S, N>(simd, a, b);
                let [a, b] = columns(simd, &rows[len + 2 * at..]);
                let second = spread::<S, N>(simd, a, b);
                for (b, (first, second)) in first.iter().zip(&second).enumerate() {
                    let column = spread::<S, N>(simd, *first, *second);
                    for (a, numbers) in column.iter().enumerate() {
                        let line = &mut lines[4 * a + b][i * width + at..][..lanes];
                        N::vectors_mut::<S>(line)[0] = *numbers;
                    }
                }
            }
        }
    }
}

/// `A` times two gradients.
#[inline(always)]
fn spread<S: Simd, N: Number>(simd: S, a: N::Vector<S>, b: N::Vector<S>) -> [N::Vector<S>; 4] {
    let zero = N::splat(simd, N::default());
    [
        a,
        N::plus(simd, a, b),
        N::minus(simd, a, b),
        N::minus(simd, zero, b),
    ]
}

struct Outputs<'a, N> {
    sums: &'a [&'a [N]; TILE],
    sheet: &'a mut [N],
    len: usize,
}

impl<N: Number> WithSimd for Outputs<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sums, sheet, len } = self;
        let (lanes, width) = (N::lanes::<S>(), len / 2);
        for (i, rows) in sheet.chunks_exact_mut(2 * len).enumerate() {
            for at in (0..width).step_by(lanes) {
                let mut both = [[N::splat(simd, N::default()); 4]; 2];
                for b in 0..4 {
                    let mut column = [both[0][0]; 4];
                    for (a, numbers) in column.iter_mut().enumerate() {
                        let line = &sums[4 * a + b][i * width + at..][..lanes];
                        *numbers = N::vectors::<S>(line)[0];
                    }
                    [both[0][b], both[1][b]] = gathered::<S, N>(simd, column);
                }
                for (row, both) in both.iter().enumerate() {
                    let pair = N::together(simd, gathered::<S, N>(simd, *both));
                    let to = &mut rows[row * len + 2 * at..][..2 * lanes];
                    let to = N::vectors_mut::<S>(to);
                    (to[0], to[1]) = (pair[0], pair[1]);
                }
            }
        }
    }
}

/// `Aᵀ` times four sums.
#[inline(always)]
fn gathered<S: Simd, N: Number>(simd: S, [a, b, c, d]: [N::Vector<S>; 4]) -> [N::Vector<S>; 2] {
    [
        N::plus(simd, N::plus(simd, a, b), c),
        N::minus(simd, N::minus(simd, b, c), d),
    ]
}
