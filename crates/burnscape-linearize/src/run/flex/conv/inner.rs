//! `out[m, r] = Σ_q gradient[m, q] · line[starts[r] + q]`: inner products of stretches.

use pulp::{Simd, WithSimd};

use super::vectors::{MAX_LANES, Number};

/// The rows of the gradient that are read at once.
pub(super) const ROWS: usize = 4;
/// The rows of the gradient that stay in the cache while the lines pass.
pub(super) const BLOCK: usize = 8 * ROWS;

/// The inner products of the rows of a gradient with stretches.
pub(super) struct Products<'a, N> {
    /// Rows of `pitch` numbers.
    pub(super) gradient: &'a [N],
    pub(super) pitch: usize,
    pub(super) lines: &'a [N],
    pub(super) starts: &'a [usize],
    /// Sums of earlier images, lane by lane; they are read unless this is the first image. Empty if all images
    /// are in one line.
    pub(super) sums: &'a mut [N],
    pub(super) is_first: bool,
    /// One row for each of the gradient's, for the last image.
    pub(super) out: Option<&'a mut [N]>,
    /// Whether the products are added to what is in `out`.
    pub(super) is_added: bool,
}

/// The length of the sums.
pub(super) fn sums_len(num_rows: usize, depth: usize) -> usize {
    num_rows.next_multiple_of(ROWS) * depth.next_multiple_of(6) * MAX_LANES
}

impl<N: Number> WithSimd for Products<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.tiles::<S, 6>(simd);
        } else {
            self.tiles::<S, 3>(simd);
        }
    }
}

impl<N: Number> Products<'_, N> {
    #[inline(always)]
    fn tiles<S: Simd, const R: usize>(mut self, simd: S) {
        let depth = self.starts.len();
        let zero = N::splat(simd, N::default());
        let num_rows = self.gradient.len() / self.pitch.max(1);
        let mut at = 0;
        for block in (0..num_rows).step_by(BLOCK) {
            for (index, starts) in self.starts.chunks(R).enumerate() {
                let lines: [&[N]; R] = std::array::from_fn(|j| {
                    let start = starts[j.min(starts.len() - 1)];
                    &self.lines[start..][..self.pitch]
                });
                for row in (block..num_rows.min(block + BLOCK)).step_by(ROWS) {
                    let gradient: [&[N]; ROWS] = std::array::from_fn(|i| {
                        let row = (row + i).min(num_rows - 1);
                        &self.gradient[row * self.pitch..][..self.pitch]
                    });
                    let mut sums = [[zero; R]; ROWS];
                    let len = ROWS * R * N::lanes::<S>();
                    if !self.is_first {
                        let kept = N::vectors::<S>(&self.sums[at..][..len]);
                        for (sums, kept) in sums.iter_mut().zip(kept.chunks_exact(R)) {
                            sums.copy_from_slice(kept);
                        }
                    }
                    tile::<S, N, R>(simd, gradient, lines, &mut sums);
                    match &mut self.out {
                        Some(out) => {
                            for (i, sums) in sums.iter().enumerate().take(num_rows - row) {
                                let out = &mut out[(row + i) * depth + index * R..][..starts.len()];
                                for (out, sum) in out.iter_mut().zip(sums) {
                                    let sum = N::sum(simd, *sum);
                                    *out = if self.is_added { *out + sum } else { sum };
                                }
                            }
                        }
                        None => {
                            let kept = N::vectors_mut::<S>(&mut self.sums[at..][..len]);
                            for (sums, kept) in sums.iter().zip(kept.chunks_exact_mut(R)) {
                                kept.copy_from_slice(sums);
                            }
                        }
                    }
                    at += len;
                }
            }
        }
    }
}

#[inline(always)]
fn tile<S: Simd, N: Number, const R: usize>(
    simd: S,
    gradient: [&[N]; ROWS],
    lines: [&[N]; R],
    sums: &mut [[N::Vector<S>; R]; ROWS],
) {
    let gradient = gradient.map(N::vectors::<S>);
    let lines = lines.map(N::vectors::<S>);
    let len = gradient[0].len();
    let gradient = gradient.map(|vectors| &vectors[..len]);
    let lines = lines.map(|vectors| &vectors[..len]);
    let mut own = *sums;
    for q in 0..len {
        let stretch: [_; R] = std::array::from_fn(|j| lines[j][q]);
        for i in 0..ROWS {
            let gradient = gradient[i][q];
            for j in 0..R {
                own[i][j] = N::mul_add(simd, gradient, stretch[j], own[i][j]);
            }
        }
    }
    *sums = own;
}
