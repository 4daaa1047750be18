use crate::space::Wide;

/// The inner products `⟨c_i − c_0, c_j − c_0⟩` of control points. The unit of length is a power of two for which
/// they are within the range of `f64`.
#[derive(Debug, Clone)]
pub(super) struct Gram {
    pub(super) entries: Vec<Vec<f64>>,
    /// Exponent of the unit: zero unless squared lengths leave the range.
    pub(super) unit: i32,
}

impl Gram {
    /// The matrix of `count` points; missing products are zero.
    pub(super) fn new(count: usize, products: &[((usize, usize), Wide)]) -> Self {
        let exponents = products
            .iter()
            .filter(|(_, product)| product.abs().is_positive());
        let largest = exponents.map(|(_, product)| product.exponent()).max();
        let unit = match largest.unwrap_or(0) {
            exponent if exponent.abs() < 900 => 0,
            exponent => exponent.div_euclid(2),
        };
        let mut entries = vec![vec![0.0; count]; count];
        for &((i, j), product) in products {
            let value = product.shifted(-2 * unit).value();
            entries[i][j] = value;
            entries[j][i] = value;
        }
        Self { entries, unit }
    }

    /// Whether all points are equal.
    pub(super) fn is_zero(&self) -> bool {
        self.entries.iter().flatten().all(|dot| *dot == 0.0)
    }

    /// `|Σ x_i (c_i − c_0)|`.
    pub(super) fn norm(&self, x: &[f64]) -> f64 {
        let mut square = 0.0;
        for (row, a) in self.entries.iter().zip(x) {
            for (dot, b) in row.iter().zip(x) {
                square += a * b * dot;
            }
        }
        Wide::new(square.max(0.0).sqrt(), self.unit).value()
    }

    /// The matrix without the first point.
    pub(super) fn without_first(self) -> Self {
        let rows = self.entries.into_iter().skip(1);
        Self {
            entries: rows.map(|row| row[1..].to_vec()).collect(),
            unit: self.unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_within_the_range_where_their_squares_are_not() {
        for size in [1e-200, 1.0, 1e200] {
            let size_squared = Wide::from(size) * Wide::from(size);
            let products = [((1, 1), Wide::from(9.0) * size_squared)];
            let gram = Gram::new(2, &products);
            let length = gram.norm(&[-0.5, 0.5]);
            assert!((length / size - 1.5).abs() < 1e-15, "{length}");
            assert!(!gram.is_zero());
        }
        assert!(Gram::new(3, &[]).is_zero());
    }
}
