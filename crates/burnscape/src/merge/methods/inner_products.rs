//! Inner products of the vectors of several models.

use std::ops::Range;

/// The inner products of some vectors with each other and themselves.
#[derive(Debug, Clone)]
pub(super) struct InnerProducts {
    count: usize,
    /// A square matrix, of which the lower triangle is used.
    sums: Vec<f64>,
}

impl InnerProducts {
    pub(super) fn new(count: usize) -> Self {
        Self {
            count,
            sums: vec![0.0; count * count],
        }
    }

    /// The number of vectors.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Adds those of further elements of each vector.
    pub(super) fn add(&mut self, vectors: &[&[f64]], range: Range<usize>) {
        let rows = self.sums.chunks_exact_mut(self.count.max(1));
        for (row, (sums, own)) in rows.zip(vectors).enumerate() {
            let own = &own[range.clone()];
            for (sum, other) in sums.iter_mut().zip(&vectors[..=row]) {
                for (own, other) in own.iter().zip(&other[range.clone()]) {
                    *sum += own * other;
                }
            }
        }
    }

    /// The norm of a vector.
    pub(super) fn norm(&self, vector: usize) -> f64 {
        self.sums[vector * self.count + vector].sqrt()
    }

    /// The cosine of the angle between two vectors; zero if one of them is zero.
    pub(super) fn cosine(&self, one: usize, other: usize) -> f64 {
        let product = self.sums[one.max(other) * self.count + one.min(other)];
        let cosine = product / (self.norm(one) * self.norm(other));
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
        let norms: Vec<f64> = (0..3).map(|vector| products.norm(vector)).collect();
        assert_eq!(norms, [5.0, 8.0_f64.sqrt(), 0.0]);
        let expected = 8.0 / (5.0 * 8.0_f64.sqrt());
        assert_eq!(products.cosine(0, 1), expected);
        assert_eq!(products.cosine(1, 0), expected);
        assert_eq!((products.cosine(0, 0), products.cosine(0, 2)), (1.0, 0.0));
        assert_eq!(products.count(), 3);
    }
}
