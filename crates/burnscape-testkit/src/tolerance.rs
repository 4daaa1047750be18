use burn::tensor::DType;

/// The tolerance `sqrt(eps) · scale` for computed numbers, with the machine epsilon of `dtype`.
///
/// It allows rounding to affect half of the digits. `scale` is the size of the compared numbers. A test with a looser
/// tolerance must give the reason.
///
/// For other than float types it is NaN, so every comparison fails.
pub fn tolerance(dtype: DType, scale: f64) -> f64 {
    let eps = match dtype {
        DType::F64 => f64::EPSILON,
        DType::F32 => f64::from(f32::EPSILON),
        DType::F16 => (-10.0_f64).exp2(),
        DType::BF16 => (-7.0_f64).exp2(),
        _ => f64::NAN,
    };
    eps.sqrt() * scale.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_is_the_root_of_the_spacing_after_one() {
        assert_eq!(tolerance(DType::F64, 1.0), (-26.0_f64).exp2());
        assert_eq!(tolerance(DType::F32, 1.0), (-11.5_f64).exp2());
        assert_eq!(tolerance(DType::F16, 1.0), (-5.0_f64).exp2());
        assert_eq!(tolerance(DType::BF16, 1.0), (-3.5_f64).exp2());
    }

    #[test]
    fn the_tolerance_follows_the_scale_and_not_its_sign() {
        let one = tolerance(DType::F32, 1.0);
        assert_eq!(tolerance(DType::F32, -8.0), 8.0 * one);
        assert_eq!(tolerance(DType::F32, 0.0), 0.0);
    }

    #[test]
    fn a_type_without_fractions_has_no_tolerance() {
        let tolerance = tolerance(DType::I64, 1.0);
        assert!(tolerance.is_nan());
    }
}
