//! Mean and deviation of channels, over any number of batches.

/// Mean and variance of the channels of a layer over values with weights, in f64.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    weight: f64,
    means: Vec<f64>,
    /// The weighted sums of squared distances from the means.
    squares: Vec<f64>,
}

impl Moments {
    /// Of no values.
    pub(super) fn none(channels: usize) -> Self {
        Self {
            weight: 0.0,
            means: vec![0.0; channels],
            squares: vec![0.0; channels],
        }
    }

    /// Of a tensor with the axes `[outer, channels, inner]`, each value with weight one.
    pub(super) fn of(values: &[f64], [outer, channels, inner]: [usize; 3]) -> Self {
        let mut found = Self::none(channels);
        let count = outer * inner;
        if count == 0 || channels == 0 {
            return found;
        }
        found.weight = count as f64;
        let runs = || {
            let blocks = values.chunks_exact(channels * inner);
            blocks.flat_map(|block| block.chunks_exact(inner).enumerate())
        };
        for (channel, run) in runs() {
            found.means[channel] += run.iter().sum::<f64>();
        }
        for mean in &mut found.means {
            *mean /= found.weight;
        }
        // The sums of differences from the rounded means, which are nearly zero, correct what is lost by rounding.
        let mut rest = vec![0.0; channels];
        for (channel, run) in runs() {
            let mean = found.means[channel];
            for value in run {
                let difference = value - mean;
                rest[channel] += difference;
                found.squares[channel] += difference * difference;
            }
        }
        for (channel, rest) in rest.into_iter().enumerate() {
            let shift = rest / found.weight;
            found.means[channel] += shift;
            let square = found.squares[channel] - rest * shift;
            // A maximum would hide a NaN.
            found.squares[channel] = if square < 0.0 { 0.0 } else { square };
        }
        found
    }

    /// The same moments of values with another total weight.
    pub(super) fn with_weight(mut self, weight: f64) -> Self {
        if self.weight > 0.0 {
            let factor = weight / self.weight;
            self.squares.iter_mut().for_each(|square| *square *= factor);
            self.weight = weight;
        }
        self
    }

    /// Adds the values of others.
    pub(super) fn add(&mut self, other: &Self) {
        if other.weight == 0.0 {
            return;
        }
        let weight = self.weight + other.weight;
        let share = other.weight / weight;
        let own = self.means.iter_mut().zip(&mut self.squares);
        let others = other.means.iter().zip(&other.squares);
        for ((mean, square), (other_mean, other_square)) in own.zip(others) {
            let distance = other_mean - *mean;
            *mean += share * distance;
            *square += other_square + self.weight * share * distance * distance;
        }
        self.weight = weight;
    }

    pub(super) fn mean(&self, channel: usize) -> f64 {
        self.means[channel]
    }

    /// The square root of the variance, which is the mean of squared distances from the mean.
    pub(super) fn deviation(&self, channel: usize) -> f64 {
        if self.weight > 0.0 {
            (self.squares[channel] / self.weight).sqrt()
        } else {
            0.0
        }
    }

    /// The first channel with moments that are not finite.
    pub(super) fn non_finite(&self) -> Option<usize> {
        let mut moments = self.means.iter().zip(&self.squares);
        moments.position(|(mean, square)| !(mean.is_finite() && square.is_finite()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_each_channel() {
        // [2, 2, 2]: channel 0 has 1, 2, 5, 6, channel 1 has 3, 4, 7, 8.
        let values: Vec<f64> = (1..9).map(f64::from).collect();
        let found = Moments::of(&values, [2, 2, 2]);
        assert_eq!([found.mean(0), found.mean(1)], [3.5, 5.5]);
        let variance = (2.5_f64.powi(2) + 1.5_f64.powi(2)) / 2.0;
        assert!((found.deviation(0) - variance.sqrt()).abs() < 1e-15);
        assert!((found.deviation(1) - variance.sqrt()).abs() < 1e-15);
        assert_eq!(found.non_finite(), None);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        // A mean that is large beside the deviation.
        let wave = |i: u32| 1e6 + (0.7 * f64::from(i)).sin();
        let values: Vec<f64> = (0..30).map(wave).collect();
        let whole = Moments::of(&values, [30, 1, 1]);
        let mut parts = Moments::none(1);
        for part in [&values[..7], &values[7..8], &values[8..]] {
            parts.add(&Moments::of(part, [part.len(), 1, 1]));
        }
        assert!((parts.mean(0) - whole.mean(0)).abs() < 1e-9);
        assert!((parts.deviation(0) - whole.deviation(0)).abs() < 1e-9);
        let mut heavy = Moments::none(1);
        heavy.add(&Moments::of(&[0.0, 0.0], [2, 1, 1]).with_weight(1.0));
        heavy.add(&Moments::of(&[4.0], [1, 1, 1]).with_weight(3.0));
        assert_eq!((heavy.mean(0), heavy.deviation(0)), (3.0, 3.0_f64.sqrt()));
    }

    #[test]
    fn equal_values_have_no_deviation_and_nothing_is_no_channel() {
        let found = Moments::of(&[0.1; 1000], [1000, 1, 1]);
        assert!(found.deviation(0) < 1e-16, "{}", found.deviation(0));
        assert_eq!(Moments::of(&[], [0, 3, 2]), Moments::none(3));
        assert_eq!(Moments::none(2).deviation(1), 0.0);
        let broken = Moments::of(&[1.0, f64::NAN, 2.0, 3.0], [2, 2, 1]);
        assert_eq!(broken.non_finite(), Some(1));
    }
}
