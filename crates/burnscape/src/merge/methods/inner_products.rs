//! Inner products of the vectors of several models.

use std::ops::Range;

use super::magnitude::Magnitude;

/// The inner products of some vectors with each other and themselves. Each vector is scaled by its magnitude, so that
/// squares neither overflow nor vanish.
#[derive(Debug, Clone)]
pub(super) struct InnerProducts {
    count: usize,
    /// The number of elements of a vector.
    len: usize,
    magnitudes: Vec<Magnitude>,
    /// A square matrix, of which the lower triangle is used.
    sums: Vec<f64>,
}

impl InnerProducts {
    pub(super) fn new(count: usize) -> Self {
        Self {
            count,
            len: 0,
            magnitudes: vec![Magnitude::default(); count],
            sums: vec![0.0; count * count],
        }
    }

    /// The number of vectors.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The number of elements of a vector.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds those of further elements of each vector.
    pub(super) fn add(&mut self, vectors: &[&[f64]], range: Range<usize>) {
        self.len += range.len();
        for (index, vector) in vectors.iter().enumerate() {
            self.grow(index, Magnitude::of(&vector[range.clone()]));
        }
        let rows = self.sums.chunks_exact_mut(self.count.max(1));
        for (row, (sums, own)) in rows.zip(vectors).enumerate() {
            let (own, own_scale) = (&own[range.clone()], self.magnitudes[row].scale());
            let others = vectors[..=row].iter().zip(&self.magnitudes);
            for (sum, (other, magnitude)) in sums.iter_mut().zip(others) {
                let other_scale = magnitude.scale();
                for (own, other) in own.iter().zip(&other[range.clone()]) {
                    *sum += (own * own_scale) * (other * other_scale);
                }
            }
        }
    }

    /// Scales what is known of a vector for further elements.
    fn grow(&mut self, vector: usize, magnitude: Magnitude) {
        let factor = self.magnitudes[vector].grow(magnitude);
        if factor == 1.0 {
            return;
        }
        for other in 0..self.count {
            let place = vector.max(other) * self.count + vector.min(other);
            // Of its square, both factors.
            let power = if other == vector { 2 } else { 1 };
            for _ in 0..power {
                self.sums[place] *= factor;
            }
        }
    }

    /// The norm of a vector times its scale.
    fn scaled_norm(&self, vector: usize) -> f64 {
        self.sums[vector * self.count + vector].sqrt()
    }

    /// The norms of all vectors, times one number: 1, or a power of two if a norm may be too large without it.
    pub(super) fn norms(&self) -> Vec<f64> {
        let has_large = self.magnitudes.contains(&Magnitude::Large);
        let unit = if has_large { 2.0_f64.powi(-64) } else { 1.0 };
        let norms = self.magnitudes.iter().enumerate();
        let norms = norms.map(|(vector, of)| self.scaled_norm(vector) * unit / of.scale());
        norms.collect()
    }

    /// The cosine of the angle between two vectors; zero if one of them is zero.
    pub(super) fn cosine(&self, one: usize, other: usize) -> f64 {
        let product = self.sums[one.max(other) * self.count + one.min(other)];
        let cosine = product / (self.scaled_norm(one) * self.scaled_norm(other));
        if cosine.is_finite() {
            cosine.clamp(-1.0, 1.0)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_add_up_over_ranges() {
        let vectors: [&[f64]; 3] = [&[3.0, 0.0, 4.0], &[0.0, 2.0, 2.0], &[0.0; 3]];
        let mut products = InnerProducts::new(3);
        products.add(&vectors, 0..1);
        products.add(&vectors, 1..3);
        assert_eq!(products.norms(), [5.0, 8.0_f64.sqrt(), 0.0]);
        let expected = 8.0 / (5.0 * 8.0_f64.sqrt());
        assert_eq!(products.cosine(0, 1), expected);
        assert_eq!(products.cosine(1, 0), expected);
        assert_eq!((products.cosine(0, 0), products.cosine(0, 2)), (1.0, 0.0));
        assert_eq!((products.count(), products.len()), (3, 3));
    }

    /// Of magnitudes that change from range to range, too.
    #[test]
    fn squares_stay_in_range() {
        let (tiny, huge) = (2.0_f64.powi(-700), 2.0_f64.powi(1000));
        let plain: [&[f64]; 2] = [&[3.0, 4.0], &[-1.0, 2.0]];
        let mut expected = InnerProducts::new(2);
        expected.add(&plain, 0..2);
        for sizes in [[tiny, tiny], [huge, huge], [tiny, 1.0], [1.0, huge]] {
            let scaled = [0, 1].map(|index: usize| {
                let values = plain[index].iter().map(|value| value * sizes[index]);
                values.collect::<Vec<f64>>()
            });
            let scaled: Vec<&[f64]> = scaled.iter().map(Vec::as_slice).collect();
            let mut products = InnerProducts::new(2);
            products.add(&scaled, 0..1);
            products.add(&scaled, 1..2);
            assert_eq!(products.cosine(0, 1), expected.cosine(0, 1));
            let unit = 2.0_f64.powi(if sizes[1] == huge { -64 } else { 0 });
            let norms = expected.norms();
            let norms = [0, 1].map(|index: usize| norms[index] * sizes[index] * unit);
            assert_eq!(products.norms(), norms);
        }
        let mixed: [&[f64]; 2] = [&[tiny, 3.0, 4.0 * huge], &[tiny, 1.0, 2.0]];
        let mut products = InnerProducts::new(2);
        for place in 0..3 {
            products.add(&mixed, place..place + 1);
        }
        let unit = 2.0_f64.powi(-64);
        let norms = products.norms();
        assert_eq!(norms, [4.0 * huge * unit, 5.0_f64.sqrt() * unit]);
        assert_eq!(products.cosine(0, 1), 2.0 / 5.0_f64.sqrt());
    }
}
