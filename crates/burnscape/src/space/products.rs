//! Inner products whose terms may leave the range of the element type.
//!
//! The plain sum is computed first. If it may be inaccurate, both vectors are scaled by powers of two, which is
//! exact, and multiplied again: this reads the vectors twice more and costs two host synchronizations.

use std::ops::Range;

use burn::tensor::{DType, Tensor};

use super::SpaceError;
use super::cast::as_accumulator;
use super::dot::{dot, partial_sums};
use super::epsilon::epsilon;
use super::host::{to_host, transfer};
use super::range::{Limits, scaled_wide};
use super::wide::{Wide, exponent_of};

/// The same range of two flat tensors, to be multiplied and summed. Slices are made on use: a device that copies
/// slices holds one copy at a time.
#[derive(Clone)]
pub(super) struct Part<'a> {
    x: &'a Tensor<1>,
    y: &'a Tensor<1>,
    range: Range<usize>,
}

impl<'a> Part<'a> {
    pub(super) fn new(x: &'a Tensor<1>, y: &'a Tensor<1>, range: Range<usize>) -> Self {
        Self { x, y, range }
    }

    /// The whole of two tensors of equal length.
    pub(super) fn whole(x: &'a Tensor<1>, y: &'a Tensor<1>) -> Self {
        Self::new(x, y, 0..x.dims()[0])
    }

    fn cut(&self, values: &Tensor<1>) -> Tensor<1> {
        if self.range.len() == values.dims()[0] {
            values.clone()
        } else {
            values.clone().slice(self.range.clone())
        }
    }

    fn dot(&self) -> Tensor<1> {
        dot(&self.cut(self.x), &self.cut(self.y))
    }

    /// See [`floor`].
    fn floor(&self) -> f64 {
        floor(self.range.len(), self.x.dtype())
    }
}

/// The inner products of lists of parts and the values of one-element tensors. One transfer if every sum is
/// accurate.
pub(super) fn sums(
    products: &[Vec<Part<'_>>],
    scalars: Vec<Tensor<1>>,
) -> Result<(Vec<Wide>, Vec<f64>), SpaceError> {
    let mut waiting: Vec<Tensor<1>> = products.iter().flatten().map(Part::dot).collect();
    waiting.extend(scalars);
    let values = transfer(waiting)?;
    let mut rest = values.as_slice();
    let mut dots = Vec::with_capacity(products.len());
    let mut lost = Vec::new();
    for (index, parts) in products.iter().enumerate() {
        let (own, others) = rest.split_at(parts.len());
        let sum: f64 = own.iter().sum();
        if !is_trusted(sum, parts) {
            lost.push((index, own));
        }
        dots.push(Wide::from(sum));
        rest = others;
    }
    if !lost.is_empty() {
        let parts = lost.iter().flat_map(|(index, _)| &products[*index]);
        let plain = lost.iter().flat_map(|(_, own)| *own);
        let parts: Vec<Part> = parts.cloned().collect();
        let plain: Vec<f64> = plain.copied().collect();
        let mut again = rescued(&parts, &plain)?.into_iter();
        for (index, own) in lost {
            dots[index] = again.by_ref().take(own.len()).sum();
        }
    }
    Ok((dots, rest.to_vec()))
}

/// `⟨x, y⟩` of two flat tensors, added across blocks in f64. One transfer if the sum is accurate, three otherwise.
pub(super) fn whole(x: &Tensor<1>, y: &Tensor<1>) -> Result<Wide, SpaceError> {
    let sum: f64 = to_host(partial_sums(x, y))?.into_iter().sum();
    if holds(sum, floor(x.dims()[0], x.dtype())) {
        return Ok(Wide::from(sum));
    }
    let largest = transfer(vec![x.clone().max_abs(), y.clone().max_abs()])?;
    let pair = (largest[0], largest[1]);
    if !is_number(pair) {
        return Ok(without_scaling(pair, sum));
    }
    let (x, y) = (unit(x.clone(), pair.0), unit(y.clone(), pair.1));
    let sum = to_host(partial_sums(&x, &y))?.into_iter().sum();
    Ok(Wide::new(sum, exponent_of(pair.0) + exponent_of(pair.1)))
}

/// The inner product of each part. One transfer if all are accurate.
pub(super) fn each(parts: &[Part<'_>]) -> Result<Vec<Wide>, SpaceError> {
    let products: Vec<Vec<Part>> = parts.iter().map(|part| vec![part.clone()]).collect();
    Ok(sums(&products, Vec::new())?.0)
}

/// The Euclidean norm of a flat tensor; usually one host synchronization.
pub(crate) fn norm(x: &Tensor<1>) -> Result<f64, SpaceError> {
    Ok(whole(x, x)?.sqrt().value())
}

/// The largest absolute value in a flat tensor; zero if it is empty.
pub(crate) fn max_abs(x: &Tensor<1>) -> Result<f64, SpaceError> {
    if x.dims() == [0] {
        return Ok(0.0);
    }
    let largest = transfer(vec![x.clone().max_abs()])?;
    Ok(largest.into_iter().sum())
}

/// Whether no overflow or underflow of terms can have changed a sum.
fn is_trusted(sum: f64, parts: &[Part<'_>]) -> bool {
    holds(sum, parts.iter().map(Part::floor).sum())
}

/// Whether a sum is finite, and large enough that underflow of its terms does not matter.
pub(super) fn holds(sum: f64, floor: f64) -> bool {
    // The floor of an empty sum is zero.
    sum.is_finite() && sum.abs() >= floor
}

/// The bound below which underflow may affect a sum of `count` products.
///
/// A product that underflows loses less than the smallest normal number, even if subnormal numbers are flushed to
/// zero; `count` products lose less than `count` times as much. At the floor this is `ε/8` times the sum, and the
/// sum of absolute values is at least as large: the loss is less than half the rounding error of the sum.
pub(super) fn floor(count: usize, dtype: DType) -> f64 {
    let dtype = match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        wide => wide,
    };
    count as f64 * Limits::of(dtype).smallest * 8.0 / epsilon(dtype)
}

/// The inner products of parts after their largest numbers were scaled to between one and two. `plain` holds the
/// products without scaling.
fn rescued(parts: &[Part<'_>], plain: &[f64]) -> Result<Vec<Wide>, SpaceError> {
    let largest = |part: &Part| [part.x, part.y].map(|values| part.cut(values).max_abs());
    let largest = parts.iter().flat_map(largest);
    let largest = transfer(largest.collect())?;
    let pairs = || largest.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let mut again = Vec::new();
    for (part, pair) in parts.iter().zip(pairs()) {
        if is_number(pair) {
            let (x, y) = (part.cut(part.x), part.cut(part.y));
            again.push(dot(&unit(x, pair.0), &unit(y, pair.1)));
        }
    }
    let mut again = transfer(again)?.into_iter();
    let sums = pairs().zip(plain).map(|(pair, &plain)| match pair {
        pair if is_number(pair) => {
            let exponent = exponent_of(pair.0) + exponent_of(pair.1);
            Wide::new(again.next().unwrap_or(plain), exponent)
        }
        pair => without_scaling(pair, plain),
    });
    Ok(sums.collect())
}

/// Whether the largest numbers of two vectors allow for scaling.
fn is_number((x, y): (f64, f64)) -> bool {
    x > 0.0 && y > 0.0 && x.is_finite() && y.is_finite()
}

/// The inner product of vectors with these largest numbers, which do not.
fn without_scaling((x, y): (f64, f64), plain: f64) -> Wide {
    // Zero times a NaN or an infinity is NaN, not zero.
    let is_zero = x == 0.0 && y.is_finite() || y == 0.0 && x.is_finite();
    if is_zero {
        Wide::ZERO
    } else {
        Wide::from(plain)
    }
}

/// Multiplies the vector by a power of two so that its largest number is between one and two.
fn unit(x: Tensor<1>, largest: f64) -> Tensor<1> {
    match exponent_of(largest) {
        0 => x,
        exponent => scaled_wide(as_accumulator(x), Wide::new(1.0, -exponent)),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn tensor(values: &[f64], dtype: DType) -> Tensor<1> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Tensor::from_data(data, (&Device::default(), dtype))
    }

    fn product(x: &[f64], y: &[f64], dtype: DType) -> Wide {
        let (x, y) = (tensor(x, dtype), tensor(y, dtype));
        let parts = vec![Part::whole(&x, &y)];
        let found = each(&parts).unwrap();
        let (sums, _) = sums(&[parts], Vec::new()).unwrap();
        assert_eq!(sums[0].value().to_bits(), found[0].value().to_bits());
        let whole = whole(&x, &y).unwrap();
        let distance = (whole.value() - sums[0].value()).abs();
        let is_near = distance <= 1e-6 * whole.value().abs();
        assert!(is_near || whole.value().to_bits() == sums[0].value().to_bits());
        whole
    }

    #[test]
    fn powers_of_two_come_out_of_an_inner_product_exactly() {
        let (x, y) = ([0.7, -1.3, 0.4, 2.9], [1.1, 0.6, -0.2, 0.5]);
        for (dtype, exponents) in [
            (
                DType::F32,
                vec![-120, -90, -64, -50, 0, 40, 63, 64, 100, 125],
            ),
            (
                DType::F64,
                vec![-1000, -600, -511, -480, 0, 511, 512, 900, 1020],
            ),
        ] {
            let one = product(&x, &y, dtype);
            for &a in &exponents {
                for &b in &exponents {
                    let times = |v: &[f64], e: i32| -> Vec<f64> {
                        v.iter().map(|v| v * 2.0_f64.powi(e)).collect()
                    };
                    let found = product(&times(&x, a), &times(&y, b), dtype);
                    let back = found.shifted(-a - b).value();
                    assert_eq!(back, one.value(), "{dtype:?}: {a}, {b}");
                }
            }
        }
    }

    #[test]
    fn a_sum_that_lost_most_of_its_terms_is_taken_again() {
        // One square is a normal number; a million others underflow, and their sum is larger.
        let mut values = vec![1e-22_f64; 1_000_000];
        values[0] = 2e-19;
        let exact = 4e-38 + 999_999.0 * 1e-44;
        let found = product(&values, &values, DType::F32).value();
        assert!((found / exact - 1.0).abs() < 1e-5, "{found}");
    }

    #[test]
    fn what_is_not_finite_stays_so_and_zero_stays_zero() {
        let inf = f64::INFINITY;
        assert_eq!(product(&[1.0, inf], &[1.0, 1.0], DType::F32).value(), inf);
        assert!(
            product(&[f64::NAN, 1.0], &[1.0, 1.0], DType::F32)
                .value()
                .is_nan()
        );
        assert!(
            product(&[0.0, 0.0], &[1.0, inf], DType::F32)
                .value()
                .is_nan()
        );
        assert_eq!(product(&[0.0, 0.0], &[1.0, 3.0], DType::F64).value(), 0.0);
        // Finite numbers whose products cancel at infinity.
        let found = product(&[1e30, 1e30], &[1e30, -1e30], DType::F32);
        assert_eq!(found.value(), 0.0);
    }

    #[test]
    fn half_precision_has_the_range_of_its_sums() {
        let found = product(&[6e4, 6e4], &[6e4, 6e4], DType::F16).value();
        assert!((found / 7.2e9 - 1.0).abs() < 1e-3, "{found}");
        let found = product(&[1e-30], &[1e-30], DType::BF16).value();
        assert!((found / 1e-60 - 1.0).abs() < 2e-2, "{found}");
    }
}
