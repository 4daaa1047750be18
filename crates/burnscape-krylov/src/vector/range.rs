//! Powers of two that keep sums of squares, and factors, within the range of a type.

use super::VectorSpace;

/// The range of sums of squares and of factors in which vector operations are accurate.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// A sum of squares between these did not overflow, and lost nothing to underflow, not even a billion terms of size
    /// `ε²` relative to the sum.
    squares: (f64, f64),
    /// Factors between `2^-factor` and `2^factor` are normal numbers of the type.
    factor: i32,
}

/// Sums of vectors narrower than `f64` may be in `f32`.
fn limits(epsilon: f64) -> Limits {
    let narrow = (2.0_f64.powi(-70), 2.0_f64.powi(126));
    match epsilon {
        e if e < 1e-12 => Limits {
            squares: (2.0_f64.powi(-930), 2.0_f64.powi(1022)),
            factor: 1000,
        },
        // bfloat16, the coarsest, has the range of single precision.
        e if !(2e-4..2e-3).contains(&e) => Limits {
            squares: narrow,
            factor: 120,
        },
        _ => Limits {
            squares: narrow,
            factor: 13,
        },
    }
}

/// The Euclidean norm, from the sum of squares. If the sum is outside the safe range, it is computed again at a size where
/// squares are exact.
pub(crate) fn norm<V: VectorSpace>(v: &V, square: f64) -> Result<f64, V::Error> {
    let (low, high) = limits(v.epsilon()).squares;
    // A sum of squares is NaN only where a coordinate is.
    if (low..=high).contains(&square) || square.is_nan() {
        return Ok(square.sqrt());
    }
    let largest = v.max_abs()?;
    if largest == 0.0 || !largest.is_finite() {
        return Ok(largest);
    }
    let exponent = exponent(largest);
    let near_one = raised(v.clone(), -exponent);
    Ok(times_power(near_one.dot(&near_one)?.sqrt(), exponent))
}

/// The integer `e` with `2^e ≤ |x| < 2^(e + 1)`; zero for zero and what is not finite.
pub(crate) fn exponent(x: f64) -> i32 {
    if x == 0.0 || !x.is_finite() {
        return 0;
    }
    let field = |x: f64| ((x.to_bits() >> 52) & 0x7ff) as i32;
    match field(x) {
        // Subnormal: made normal first, exactly.
        0 => field(x * 2.0_f64.powi(54)) - 1023 - 54,
        biased => biased - 1023,
    }
}

/// `x · 2^exponent`, in steps that are powers of two themselves.
pub(crate) fn times_power(mut x: f64, mut exponent: i32) -> f64 {
    while exponent != 0 && x != 0.0 && x.is_finite() {
        let step = exponent.clamp(-1000, 1000);
        x *= 2.0_f64.powi(step);
        exponent -= step;
    }
    x
}

/// `2^exponent · v`: exact where no coordinate leaves the range of its type.
pub(crate) fn raised<V: VectorSpace>(mut v: V, mut exponent: i32) -> V {
    let most = limits(v.epsilon()).factor;
    while exponent != 0 {
        let step = exponent.clamp(-most, most);
        v = v.scale(2.0_f64.powi(step));
        exponent -= step;
    }
    v
}

/// `v / length` for a positive length, which may be too small to have a reciprocal in the type.
pub(crate) fn divided<V: VectorSpace>(v: V, length: f64) -> V {
    let power = exponent(length);
    if power.abs() < limits(v.epsilon()).factor {
        return v.scale(length.recip());
    }
    raised(v, -power).scale(times_power(length, -power).recip())
}

/// Whether squares and products with numbers of this size stay well within the range of the type.
pub(crate) fn is_ordinary(size: f64, epsilon: f64) -> bool {
    let most = if epsilon < 1e-12 { 32 } else { 16 };
    size != 0.0 && size.is_finite() && exponent(size).abs() <= most
}

/// The power of two to take out of vectors of this norm: none if it is ordinary.
pub(crate) fn excess(norm: f64, epsilon: f64) -> i32 {
    if is_ordinary(norm, epsilon) {
        0
    } else {
        exponent(norm)
    }
}

/// `√(Σ x²)` of numbers on the host, whatever their size.
pub(crate) fn length(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let square: f64 = values.clone().map(|x| x * x).sum();
    let (low, high) = limits(f64::EPSILON).squares;
    if (low..=high).contains(&square) || square.is_nan() {
        return square.sqrt();
    }
    let largest = values.clone().fold(0.0_f64, |most, x| most.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let power = exponent(largest);
    let near_one = values.map(|x| times_power(x, -power));
    times_power(near_one.map(|x| x * x).sum::<f64>().sqrt(), power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KrylovFault;

    #[test]
    fn exponents_are_those_of_the_floating_point_format() {
        for (x, expected) in [
            (1.0, 0),
            (-1.5, 0),
            (2.0, 1),
            (0.75, -1),
            (f64::MAX, 1023),
            (f64::MIN_POSITIVE, -1022),
            (f64::from_bits(1), -1074),
            (0.0, 0),
        ] {
            assert_eq!(exponent(x), expected, "{x:e}");
        }
        assert_eq!(times_power(f64::from_bits(1), 1074), 1.0);
        assert_eq!(times_power(1.0, -1074), f64::from_bits(1));
        assert_eq!(times_power(1.0, 2000), f64::INFINITY);
    }

    #[test]
    fn norms_scale_with_powers_of_two_from_the_first_number_to_the_last() -> Result<(), KrylovFault>
    {
        let v = [3.0, -4.0, 12.0];
        for power in -1070..=1019 {
            let scaled: Vec<f64> = v.iter().map(|x| times_power(*x, power)).collect();
            assert_eq!(scaled.norm()?, times_power(13.0, power), "{power}");
            assert_eq!(length(scaled.iter().copied()), times_power(13.0, power));
            let unit = divided(scaled, times_power(13.0, power));
            assert!((unit.norm()? - 1.0).abs() < 1e-15, "{power}");
        }
        let v = vec![3.0_f32, -4.0, 12.0];
        for power in -147..=123 {
            let scaled = raised(v.clone(), power);
            assert_eq!(scaled.norm()?, times_power(13.0, power), "{power}");
            let unit = divided(scaled, times_power(13.0, power));
            assert!((unit.norm()? - 1.0).abs() < 1e-6, "{power}");
        }
        Ok(())
    }

    #[test]
    fn norms_of_what_is_not_finite_say_so() -> Result<(), KrylovFault> {
        assert_eq!(vec![0.0, f64::NEG_INFINITY].norm()?, f64::INFINITY);
        assert!(vec![f64::INFINITY, f64::NAN].norm()?.is_nan());
        assert_eq!(Vec::<f64>::new().norm()?, 0.0);
        assert_eq!(vec![f64::MAX, f64::MAX].norm()?, f64::INFINITY);
        Ok(())
    }
}
