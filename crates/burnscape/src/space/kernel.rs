//! Products with a basis: of matrices where these are exact, of numbers elsewhere.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor};

use super::cast::as_accumulator;
use super::dot::{BLOCK, dot, is_flex};

/// How products with the rows of a basis are computed. A pure function of the device.
///
/// Matrix products on accelerators may round their operands to ten bits (TF32), and no setting of Burn prevents it.
/// Coefficients of Gram-Schmidt then have errors of a thousandth, and the basis is no longer orthonormal (ADR 0022).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Matrix products: on Flex, which multiplies in the precision of the elements and reads a basis once.
    Matrices,
    /// Elementwise products and sums, on all other devices.
    Sums,
    /// Matrix products of operands that were rounded to ten bits: what tests compare with.
    #[cfg(test)]
    TenBits,
}

/// Flex multiplies a matrix with a vector on one thread, but several matrices on several threads. So the rows are
/// split into this many matrices.
pub(super) const PARTS: usize = 4;
/// The number of rows from which splitting pays off.
const FEWEST: usize = 16;
/// Elementwise products of rows take as much memory as the rows, unless the device fuses them with the sum. So they
/// are computed for this many numbers at a time: 128 MiB in single precision, or one row if that is more.
const AT_ONCE: usize = 1 << 25;

impl Kernel {
    pub(super) fn of(device: &Device) -> Self {
        #[cfg(test)]
        if let Some(kernel) = FORCED.get() {
            return kernel;
        }
        if is_flex(device) {
            Self::Matrices
        } else {
            Self::Sums
        }
    }

    /// The length of a row that stores `dimension` numbers: padded with zeros so that it can be cut.
    pub(super) fn width(self, dimension: usize) -> usize {
        match self {
            Self::Sums if dimension > BLOCK => dimension.next_multiple_of(BLOCK),
            _ => dimension.next_multiple_of(PARTS),
        }
    }

    /// The number of rows to allocate for `rows` vectors.
    pub(super) fn height(self, rows: usize) -> usize {
        if rows < FEWEST {
            rows.max(1)
        } else {
            rows.next_multiple_of(PARTS)
        }
    }

    /// A vector as these products want it: as long as a row, or as it is.
    pub(super) fn padded(self, v: Tensor<1>, width: usize) -> Tensor<1> {
        let [len] = v.dims();
        if self != Self::Sums || len == width {
            return v;
        }
        let zeros = Tensor::zeros([width - len], (&v.device(), v.dtype()));
        Tensor::cat(vec![v, zeros], 0)
    }

    /// The dot products of some rows of `[height, width]` with a vector, `[rows.len()]`, for [`mixture`](Self::mixture).
    pub(super) fn projections(
        self,
        rows: &Tensor<2>,
        range: Range<usize>,
        v: &Tensor<1>,
    ) -> Tensor<1> {
        match self {
            Self::Matrices => projections_by_matrices(rows, range, v),
            Self::Sums => projections_by_sums(rows, range, v),
            #[cfg(test)]
            Self::TenBits => projections_by_matrices(&ten_bits(rows), range, &ten_bits(v)),
        }
    }

    /// The sum of some rows, each times its coefficient: a vector of the given length.
    pub(super) fn mixture(
        self,
        rows: &Tensor<2>,
        range: Range<usize>,
        coefficients: &Tensor<1>,
        len: usize,
    ) -> Tensor<1> {
        let sum = match self {
            Self::Matrices => mixture_by_matrices(rows, range, coefficients),
            Self::Sums => mixture_by_sums(rows, range, coefficients),
            #[cfg(test)]
            Self::TenBits => mixture_by_matrices(&ten_bits(rows), range, &ten_bits(coefficients)),
        };
        if sum.dims() == [len] {
            sum
        } else {
            sum.slice(0..len)
        }
    }

    /// The dot products of all rows of `a` with those of `b`, `[a rows, b rows]`.
    pub(super) fn gram(self, a: &Tensor<2>, b: &Tensor<2>) -> Tensor<2> {
        match self {
            Self::Matrices => as_accumulator(a.clone().matmul(b.clone().transpose())),
            Self::Sums => {
                let [height, width] = a.dims();
                let [count, _] = b.dims();
                let column = |index: usize| {
                    let row = b.clone().slice([index..index + 1, 0..width]);
                    let products = projections_by_sums(a, 0..height, &row.reshape([width]));
                    products.unsqueeze_dim::<2>(1)
                };
                Tensor::cat((0..count).map(column).collect(), 1)
            }
            #[cfg(test)]
            Self::TenBits => Self::Matrices.gram(&ten_bits(a), &ten_bits(b)),
        }
    }

    /// `C Q`: one row for each row of `C`.
    pub(super) fn transform(self, coefficients: &Tensor<2>, rows: &Tensor<2>) -> Tensor<2> {
        match self {
            Self::Matrices => coefficients.clone().matmul(rows.clone()),
            Self::Sums => {
                let [count, height] = coefficients.dims();
                let row = |index: usize| {
                    let row = coefficients.clone().slice([index..index + 1, 0..height]);
                    mixture_by_sums(rows, 0..height, &row.reshape([height])).unsqueeze_dim::<2>(0)
                };
                Tensor::cat((0..count).map(row).collect(), 0)
            }
            #[cfg(test)]
            Self::TenBits => Self::Matrices.transform(&ten_bits(coefficients), &ten_bits(rows)),
        }
    }
}

fn projections_by_matrices(rows: &Tensor<2>, range: Range<usize>, v: &Tensor<1>) -> Tensor<1> {
    let ([height, width], [n]) = (rows.dims(), v.dims());
    let count = range.len();
    if count == 1 {
        let row = rows.clone().slice([range, 0..n]).reshape([n]);
        return dot(&row, v);
    }
    let all = count.next_multiple_of(PARTS);
    let products = if count < FEWEST || range.start > 0 || all > height {
        let some = rows.clone().slice([range, 0..n]);
        some.matmul(v.clone().unsqueeze_dim::<2>(1))
    } else {
        let parts = rows.clone().slice([0..all, 0..width]);
        let parts = parts.reshape([PARTS, all / PARTS, width]);
        let parts = parts.slice([0..PARTS, 0..all / PARTS, 0..n]);
        let products = parts.matmul(v.clone().reshape([1, n, 1]));
        // Drops the products of unused rows.
        products.reshape([all, 1]).slice([0..count, 0..1])
    };
    as_accumulator(products.reshape([count]))
}

fn mixture_by_matrices(
    rows: &Tensor<2>,
    range: Range<usize>,
    coefficients: &Tensor<1>,
) -> Tensor<1> {
    let [height, width] = rows.dims();
    let count = range.len();
    let coefficients = as_elements(coefficients, rows.dtype());
    if count == 1 {
        return rows.clone().slice([range, 0..width]).reshape([width]) * coefficients;
    }
    if count < FEWEST {
        let some = rows.clone().slice([range, 0..width]);
        let sum = coefficients.unsqueeze_dim::<2>(0).matmul(some);
        return sum.reshape([width]);
    }
    let parts = rows.clone().reshape([height, PARTS, width / PARTS]);
    let parts = parts.slice([range, 0..PARTS, 0..width / PARTS]);
    let coefficients = coefficients.reshape([1, 1, count]);
    let sums = coefficients.matmul(parts.swap_dims(0, 1));
    sums.reshape([width])
}

/// Sums of blocks first, so that no sum has many terms.
fn projections_by_sums(rows: &Tensor<2>, range: Range<usize>, v: &Tensor<1>) -> Tensor<1> {
    let [width] = v.dims();
    let v = as_accumulator(v.clone()).unsqueeze_dim::<2>(0);
    let some = |range: Range<usize>| {
        let count = range.len();
        let rows = as_accumulator(rows.clone().slice([range, 0..width]));
        let products = rows * v.clone();
        let sums = if width > BLOCK {
            let blocks = products.reshape([count, width / BLOCK, BLOCK]).sum_dim(2);
            blocks.reshape([count, width / BLOCK]).sum_dim(1)
        } else {
            products.sum_dim(1)
        };
        sums.reshape([count])
    };
    joined(pieces(range, width).map(some).collect())
}

fn mixture_by_sums(rows: &Tensor<2>, range: Range<usize>, coefficients: &Tensor<1>) -> Tensor<1> {
    let [_, width] = rows.dims();
    let first = range.start;
    let coefficients = as_accumulator(coefficients.clone());
    let some = |range: Range<usize>| {
        let (count, own) = (range.len(), range.start - first..range.end - first);
        let own = coefficients.clone().slice(own).reshape([count, 1]);
        let rows = as_accumulator(rows.clone().slice([range, 0..width]));
        (rows * own).sum_dim(0).reshape([width])
    };
    let mut sums = pieces(range, width).map(some);
    let first = sums.next();
    let first = first.unwrap_or_else(|| Tensor::zeros([width], (&rows.device(), DType::F32)));
    as_elements(&sums.fold(first, |sum, more| sum + more), rows.dtype())
}

/// Ranges of rows whose products are computed at the same time.
fn pieces(range: Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (AT_ONCE / width.max(1)).max(1);
    let end = range.end;
    range
        .step_by(step)
        .map(move |start| start..end.min(start + step))
}

pub(super) fn joined(mut parts: Vec<Tensor<1>>) -> Tensor<1> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, 0),
    }
}

fn as_elements(values: &Tensor<1>, dtype: DType) -> Tensor<1> {
    super::cast::as_dtype(values.clone(), dtype)
}

/// The nearest numbers with ten bits beside the leading one, as a tensor core reads them.
#[cfg(test)]
fn ten_bits<const D: usize>(values: &Tensor<D>) -> Tensor<D> {
    let large = values.clone() * 8193.0;
    large.clone() - (large - values.clone())
}

#[cfg(test)]
std::thread_local! {
    /// The kernel of all devices for tests on this thread.
    pub(super) static FORCED: std::cell::Cell<Option<Kernel>> = const { std::cell::Cell::new(None) };
}
