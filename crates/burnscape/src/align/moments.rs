//! Sums over samples, of which covariances and correlations are made.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::ActivationMeasure;
use super::weights::host_values;
use crate::space::SpaceError;

/// A unit whose deviation is below this, in machine epsilons of its root mean square, is constant but for rounding.
const CONSTANT: f64 = 2.0;

/// Sums over samples of the same channels in two models.
///
/// Channels may be read at several places of a program. Each place has means of its own, and what is left after these are
/// subtracted is pooled: `n² + O(n)` numbers for `n` channels, however many places and samples there are.
///
/// Samples are taken relative to the first one of the place, so that sums do not cancel where means are large, and that
/// a unit that is constant has a variance of exactly zero.
#[derive(Debug)]
pub(super) struct Moments {
    width: usize,
    /// `Σ d_a d_bᵀ`, with `d` the difference to the first sample.
    products: Vec<f64>,
    places: Vec<Place>,
}

/// The sums of one place, for both models.
#[derive(Debug, Default)]
struct Place {
    num_samples: usize,
    sides: [Side; 2],
}

/// Sums of one model.
#[derive(Debug, Default, Clone)]
struct Side {
    /// The first sample.
    first: Vec<f64>,
    /// `Σ d` and `Σ d²`.
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Side {
    /// Adds samples, and makes them differences.
    fn add(&mut self, samples: &mut [f64], width: usize) {
        if self.first.is_empty() {
            self.first = samples[..width].to_vec();
            self.sums = vec![0.0; width];
            self.squares = vec![0.0; width];
        }
        for sample in samples.chunks_exact_mut(width) {
            let sums = self.sums.iter_mut().zip(&mut self.squares);
            for ((value, first), (sum, square)) in sample.iter_mut().zip(&self.first).zip(sums) {
                *value -= first;
                *sum += *value;
                *square += *value * *value;
            }
        }
    }
}

/// A similarity of channels.
#[derive(Debug)]
pub(super) struct Compared {
    /// Row-major; rows are channels of the first model.
    pub(super) matrix: Vec<f64>,
    /// A number above which no sum of entries in different rows and columns is.
    pub(super) bound: f64,
}

impl Moments {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            products: vec![0.0; width * width],
            places: Vec::new(),
        }
    }

    /// A new place.
    pub(super) fn place(&mut self) -> usize {
        self.places.push(Place::default());
        self.places.len() - 1
    }

    /// Whether there are two samples of one place, without which nothing differs.
    pub(super) fn has_pairs(&self) -> bool {
        self.places.iter().any(|place| place.num_samples > 1)
    }

    /// Adds samples of both models, `[samples, channels]`.
    ///
    /// # Cost
    ///
    /// A product of matrices on the host: `2 n²` operations for each sample.
    pub(super) fn add(
        &mut self,
        place: usize,
        samples: [Vec<f64>; 2],
        host: &Device,
    ) -> Result<(), SpaceError> {
        let width = self.width;
        let count = samples[0].len() / width.max(1);
        if count == 0 {
            return Ok(());
        }
        let place = &mut self.places[place];
        place.num_samples += count;
        let [mut a, mut b] = samples;
        place.sides[0].add(&mut a, width);
        place.sides[1].add(&mut b, width);
        let matrix = |values: Vec<f64>| {
            let data = TensorData::new(values, [count, width]);
            Tensor::<2>::from_data(data, (host, DType::F64))
        };
        let product = matrix(a).transpose().matmul(matrix(b));
        let product = host_values(product.reshape([width * width]))?;
        for (sum, product) in self.products.iter_mut().zip(product) {
            *sum += product;
        }
        Ok(())
    }

    /// The similarity of channels whose values have this machine epsilon.
    pub(super) fn compared(&self, measure: ActivationMeasure, epsilon: f64) -> Compared {
        let mut matrix = self.products.clone();
        for place in self.places.iter().filter(|place| place.num_samples > 0) {
            let [a, b] = &place.sides;
            let count = place.num_samples as f64;
            for (row, a) in matrix.chunks_exact_mut(self.width).zip(&a.sums) {
                for (entry, b) in row.iter_mut().zip(&b.sums) {
                    *entry -= a / count * b;
                }
            }
        }
        let counts = self.places.iter().map(|place| place.num_samples);
        let count = counts.sum::<usize>().max(1) as f64;
        let deviations = [0, 1].map(|side| self.deviations(side, epsilon));
        let [a, b] = &deviations;
        match measure {
            ActivationMeasure::Covariance => {
                let total = |deviations: &[f64]| -> f64 {
                    deviations
                        .iter()
                        .map(|deviation| deviation * deviation)
                        .sum()
                };
                matrix.iter_mut().for_each(|entry| *entry /= count);
                Compared {
                    matrix,
                    bound: (total(a) / count).sqrt() * (total(b) / count).sqrt(),
                }
            }
            ActivationMeasure::Correlation => {
                for (row, a) in matrix.chunks_exact_mut(self.width).zip(a) {
                    for (entry, b) in row.iter_mut().zip(b) {
                        *entry = if *a > 0.0 && *b > 0.0 {
                            (*entry / a / b).clamp(-1.0, 1.0)
                        } else {
                            0.0
                        };
                    }
                }
                let varying = |deviations: &[f64]| deviations.iter().filter(|d| **d > 0.0).count();
                Compared {
                    matrix,
                    bound: varying(a).min(varying(b)) as f64,
                }
            }
        }
    }

    /// The root of the sum of squared differences to the means, for each channel of one model; zero if it is constant.
    fn deviations(&self, side: usize, epsilon: f64) -> Vec<f64> {
        let places = self.places.iter().filter(|place| place.num_samples > 0);
        let mut around = vec![0.0; self.width];
        let mut raw = vec![0.0; self.width];
        for place in places {
            let Side {
                first,
                sums,
                squares,
            } = &place.sides[side];
            let count = place.num_samples as f64;
            let all = around.iter_mut().zip(&mut raw);
            for (((around, raw), first), (sum, square)) in
                all.zip(first).zip(sums.iter().zip(squares))
            {
                *around += (square - sum / count * sum).max(0.0);
                *raw += square + 2.0 * first * sum + count * first * first;
            }
        }
        let deviations = around.into_iter().zip(raw).map(|(around, raw)| {
            let rounding = CONSTANT * epsilon * raw.max(0.0).sqrt();
            let deviation = f64::sqrt(around);
            if deviation > rounding { deviation } else { 0.0 }
        });
        deviations.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symmetry::host_device;

    /// Moments of samples that are added in parts of this many.
    fn moments(a: &[[f64; 3]], b: &[[f64; 3]], part: usize) -> Moments {
        let host = host_device().unwrap();
        let mut moments = Moments::new(3);
        let place = moments.place();
        for (a, b) in a.chunks(part).zip(b.chunks(part)) {
            let samples = [a.concat(), b.concat()];
            moments.add(place, samples, &host).unwrap();
        }
        moments
    }

    const A: [[f64; 3]; 4] = [
        [1.0, 5.0, 0.1],
        [2.0, 3.0, 0.1],
        [3.0, 4.0, 0.1],
        [4.0, 0.0, 0.1],
    ];
    /// The second unit of `A`, its first one times -2, and noise.
    const B: [[f64; 3]; 4] = [
        [5.0, -2.0, 1.0],
        [3.0, -4.0, -1.0],
        [4.0, -6.0, -1.0],
        [0.0, -8.0, 1.0],
    ];

    #[test]
    fn covariances_and_correlations_are_those_of_the_formulas() {
        let found = moments(&A, &B, 4);
        let covariance = found.compared(ActivationMeasure::Covariance, f64::EPSILON);
        // Units of A around their means: (-1.5, -.5, .5, 1.5), (2, 0, 1, -3), 0; of B: (2, 0, 1, -3), (3, 1, -1, -3),
        // (1, -1, -1, 1).
        let expected = [-7.0, -10.0, 0.0, 14.0, 14.0, -2.0, 0.0, 0.0, 0.0];
        for (found, expected) in covariance.matrix.iter().zip(expected) {
            assert!((found - expected / 4.0).abs() < 1e-14, "{found}");
        }
        // Variances: (5, 14, 0) and (14, 20, 4), divided by four.
        let bound = (19.0_f64 * 38.0).sqrt() / 4.0;
        assert!((covariance.bound - bound).abs() < 1e-14);

        let correlation = found.compared(ActivationMeasure::Correlation, f64::EPSILON);
        assert!((correlation.matrix[1] + 1.0).abs() < 1e-14);
        assert!((correlation.matrix[3] - 1.0).abs() < 1e-14);
        let mixed = -7.0 / (5.0_f64 * 14.0).sqrt();
        assert!((correlation.matrix[0] - mixed).abs() < 1e-14);
        // The third unit of A is constant, though its mean is not a sum of powers of two.
        assert_eq!(correlation.matrix[6..], [0.0; 3]);
        assert_eq!(correlation.bound, 2.0);
    }

    #[test]
    fn parts_and_large_means_do_not_matter() {
        let whole = moments(&A, &B, 4);
        let far = |values: [[f64; 3]; 4]| values.map(|sample| sample.map(|x| x + 1e9));
        for other in [moments(&A, &B, 1), moments(&far(A), &far(B), 3)] {
            for measure in [
                ActivationMeasure::Covariance,
                ActivationMeasure::Correlation,
            ] {
                let [whole, other] = [&whole, &other].map(|moments| moments.compared(measure, 0.0));
                for (whole, other) in whole.matrix.iter().zip(&other.matrix) {
                    assert!((whole - other).abs() < 1e-6, "{whole} {other}");
                }
            }
        }
    }

    #[test]
    fn each_place_has_means_of_its_own() {
        let host = host_device().unwrap();
        let mut two = moments(&A, &B, 4);
        let place = two.place();
        let shifted = A.map(|sample| sample.map(|x| x + 100.0));
        two.add(place, [shifted.concat(), B.concat()], &host)
            .unwrap();
        let one = moments(&A, &B, 4).compared(ActivationMeasure::Covariance, 0.0);
        let two = two.compared(ActivationMeasure::Covariance, 0.0);
        for (one, two) in one.matrix.iter().zip(&two.matrix) {
            assert!((one - two).abs() < 1e-12, "{one} {two}");
        }
    }
}
