use burn::tensor::{DType, Tensor};

use super::wide::{Wide, times_power_of_two};

/// The range of numbers that an element type represents with full accuracy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The smallest positive normal number, a power of two.
    pub(super) smallest: f64,
    pub(super) largest: f64,
}

impl Limits {
    pub(super) fn of(dtype: DType) -> Self {
        match dtype {
            DType::F64 => Self {
                smallest: f64::MIN_POSITIVE,
                largest: f64::MAX,
            },
            DType::F16 => Self {
                smallest: 2.0_f64.powi(-14),
                largest: 65504.0,
            },
            DType::BF16 => Self {
                smallest: 2.0_f64.powi(-126),
                largest: (2.0 - 2.0_f64.powi(-7)) * 2.0_f64.powi(127),
            },
            _ => Self {
                smallest: f64::from(f32::MIN_POSITIVE),
                largest: f64::from(f32::MAX),
            },
        }
    }

    /// The largest `e` such that `2^e` times any number below two, and `2^-e`, are within the range.
    fn exponent(dtype: DType) -> i32 {
        match dtype {
            DType::F64 => 1022,
            DType::F16 => 14,
            _ => 126,
        }
    }
}

/// `values · factor` for a factor that may be outside the range of the elements while the product is inside, as
/// when a vector of norm `1e-40` is divided by its norm. One pass over memory if the factor is in range.
pub(crate) fn scaled<const D: usize>(values: Tensor<D>, factor: f64) -> Tensor<D> {
    let dtype = values.dtype();
    let range = Limits::of(dtype);
    let size = factor.abs();
    // Zero, NaN and infinity are applied directly.
    let is_plain = (range.smallest..=range.largest).contains(&size) || size == 0.0;
    if is_plain || !size.is_finite() {
        values * factor
    } else {
        scaled_wide(values, Wide::from(factor))
    }
}

/// Same as [`scaled`], for a factor that may be outside the range of `f64`.
pub(crate) fn scaled_wide<const D: usize>(values: Tensor<D>, factor: Wide) -> Tensor<D> {
    let steps = scale_steps(&[factor], values.dtype());
    let steps = steps.iter().flatten();
    steps.fold(values, |values, &step| values * step)
}

/// Splits each factor into a sequence of factors within the range of an element type. All sequences are as long as
/// the longest one; shorter ones are padded with ones. All factors except the last are powers of two, so only the
/// last multiplication rounds, unless the result is below the range.
pub(super) fn scale_steps(factors: &[Wide], dtype: DType) -> Vec<Vec<f64>> {
    let limit = Limits::exponent(dtype);
    let mut rest: Vec<i32> = factors.iter().map(|factor| factor.exponent()).collect();
    let mut steps = Vec::new();
    while rest.iter().any(|rest| rest.abs() > limit) {
        let step = |rest: &mut i32| {
            let step = if rest.abs() > limit {
                (*rest).clamp(-limit, limit)
            } else {
                0
            };
            *rest -= step;
            times_power_of_two(1.0, step)
        };
        steps.push(rest.iter_mut().map(step).collect());
    }
    let last = factors.iter().zip(rest);
    let last = last.map(|(factor, rest)| factor.shifted(rest - factor.exponent()).value());
    steps.push(last.collect());
    steps
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn product(values: &[f64], dtype: DType, factor: f64) -> Vec<f64> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        let values = Tensor::<1>::from_data(data, (&Device::default(), dtype));
        scaled(values, factor).into_data().iter::<f64>().collect()
    }

    #[test]
    fn a_factor_out_of_range_is_applied_in_steps() {
        let (tiny, huge) = (2.0_f64.powi(-130), 2.0_f64.powi(126));
        let found = product(&[tiny, -3.0 * tiny, 0.0], DType::F32, 2.0_f64.powi(131));
        assert_eq!(found, [2.0, -6.0, 0.0]);
        assert_eq!(
            product(&[huge], DType::F32, 2.0_f64.powi(-140)),
            [2.0_f64.powi(-14)]
        );
        assert_eq!(
            product(&[0.0, tiny], DType::F32, 1e300),
            [0.0, f64::INFINITY]
        );
        assert_eq!(product(&[1e300], DType::F64, 0.0), [0.0]);
        // 3e-6 is subnormal in half precision, with six bits.
        let found = product(&[1024.0], DType::F16, 3e-6)[0];
        assert!((found / 3.072e-3 - 1.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn a_factor_beyond_f64_is_applied_too() {
        let device = Device::default();
        let values = Tensor::<1>::from_data([5e-324_f64], (&device, DType::F64));
        let found = scaled_wide(values, Wide::new(1.5, 1075));
        assert_eq!(found.into_data().iter::<f64>().next(), Some(3.0));
    }

    #[test]
    fn a_factor_within_the_range_is_one_product() {
        let value = 0.1_f32;
        for factor in [0.3, -7.0, 1e30, 1e-37] {
            let expected = f64::from(value * factor as f32);
            assert_eq!(product(&[f64::from(value)], DType::F32, factor), [expected]);
        }
    }
}
