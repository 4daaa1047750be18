use burn::tensor::DType;

/// How far a computed number may be from the exact one: `sqrt(eps) · scale`, with `eps` the distance
/// from one to the next number of `dtype`.
///
/// Half of the digits are left to rounding. `scale` is the size of what is compared; a test that
/// needs a looser number says why.
///
/// Not a float type: NaN, which nothing is within.
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
