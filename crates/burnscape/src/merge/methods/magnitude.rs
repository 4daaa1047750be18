//! Powers of two, by which vectors and weights are scaled so that products of them stay in the range of f64.

/// Squares of elements from this on may be too large.
const LARGE: f64 = power_of_two(480);
/// Squares of elements below this may be too small.
const SMALL: f64 = power_of_two(-480);

/// How large the largest element of a vector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::merge) enum Magnitude {
    /// Below `2⁻⁴⁸⁰`, or zero.
    #[default]
    Small,
    Normal,
    /// At least `2⁴⁸⁰`.
    Large,
}

impl Magnitude {
    pub(in crate::merge) fn of(vector: &[f64]) -> Self {
        let (mut is_large, mut is_normal) = (false, false);
        // Without a way out of the loop, which would cost more than it saves.
        for element in vector {
            let size = element.abs();
            is_large |= size >= LARGE;
            is_normal |= size >= SMALL;
        }
        match (is_large, is_normal) {
            (true, _) => Self::Large,
            (false, true) => Self::Normal,
            (false, false) => Self::Small,
        }
    }

    /// The factor after which the square of the largest element is in the range of f64. It is a power of two, and 1 in
    /// the normal case.
    pub(in crate::merge) fn scale(self) -> f64 {
        match self {
            Self::Small => const { power_of_two(600) },
            Self::Normal => 1.0,
            Self::Large => const { power_of_two(-600) },
        }
    }

    /// Takes in further elements. Returns the factor of what was scaled for the elements before.
    pub(in crate::merge) fn grow(&mut self, to: Self) -> f64 {
        if to <= *self {
            return 1.0;
        }
        // Zero from small to large: what was small does not count.
        let factor = to.scale() / self.scale();
        *self = to;
        factor
    }
}

/// Weights of which the sum is positive and finite, times a power of two after which it is at most 1, and at least ½ if
/// it was a normal number: no weighted sum is larger than the largest of its numbers. Returns the sum, too.
pub(super) fn with_moderate_sum(weights: &[f64]) -> (Vec<f64>, f64) {
    let sum: f64 = weights.iter().sum();
    let bits = sum.abs().to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    let (is_power, is_subnormal) = ((bits << 12) == 0, exponent < -1022);
    let up = match (is_subnormal, is_power) {
        (true, _) => 1022,
        (false, true) => -exponent,
        (false, false) => -exponent - 1,
    };
    // `2⁻¹⁰²⁴` is not a normal number.
    let factors = [up / 2, up - up / 2].map(power_of_two);
    let scaled = |value: f64| value * factors[0] * factors[1];
    (
        weights.iter().map(|weight| scaled(*weight)).collect(),
        scaled(sum),
    )
}

/// `2^exponent`, for exponents of normal numbers.
const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_of_scaled_elements_are_in_range() {
        for (value, expected) in [
            (0.0, Magnitude::Small),
            (5e-324, Magnitude::Small),
            (-1e-200, Magnitude::Small),
            (1e-100, Magnitude::Normal),
            (-1.0, Magnitude::Normal),
            (1e100, Magnitude::Normal),
            (-1e200, Magnitude::Large),
            (f64::MAX, Magnitude::Large),
        ] {
            let found = Magnitude::of(&[0.0, value]);
            assert_eq!(found, expected, "{value}");
            let square = (value * found.scale()).powi(2);
            assert!(
                (square == 0.0 && value == 0.0) || square.is_normal(),
                "{value}"
            );
        }
        assert_eq!(Magnitude::Normal.scale(), 1.0);
        assert_eq!(Magnitude::Small.scale(), 2.0_f64.powi(600));
        assert_eq!(Magnitude::Large.scale(), 2.0_f64.powi(-600));
    }

    #[test]
    fn what_was_summed_before_grows_with_the_scale() {
        let mut magnitude = Magnitude::default();
        assert_eq!(magnitude.grow(Magnitude::Small), 1.0);
        assert_eq!(magnitude.grow(Magnitude::Normal), 2.0_f64.powi(-600));
        assert_eq!(magnitude.grow(Magnitude::Small), 1.0);
        assert_eq!(magnitude.grow(Magnitude::Large), 2.0_f64.powi(-600));
        assert_eq!(magnitude, Magnitude::Large);
        assert_eq!(Magnitude::Small.grow(Magnitude::Large), 0.0);
    }

    #[test]
    fn weights_keep_their_ratios_and_have_a_moderate_sum() {
        for weights in [
            vec![1.0],
            vec![1.0; 3],
            vec![0.1, 0.0, 0.25],
            vec![1e308, 1e300],
            vec![f64::MAX],
            vec![2.0_f64.powi(1023)],
            vec![1e-300, 3e-308],
            vec![5e-324, 5e-324],
        ] {
            let (scaled, sum) = with_moderate_sum(&weights);
            let total: f64 = weights.iter().sum();
            assert!(sum > 0.0 && sum <= 1.0, "{sum}");
            assert!(sum >= 0.5 || !total.is_normal(), "{sum}");
            for (scaled, weight) in scaled.iter().zip(&weights) {
                assert_eq!(scaled / sum, weight / total);
            }
        }
    }
}
