/// A symmetric matrix with entries in single precision and products in double precision. It stores one triangle, which
/// makes tests with many products faster.
///
/// Compare results with references for the rounded matrix, [`entries`](Self::entries).
#[derive(Debug, Clone)]
pub struct Symmetric {
    size: usize,
    /// Row `i` from the diagonal on.
    rows: Vec<Vec<f32>>,
}

/// The number of sums computed in parallel.
const LANES: usize = 8;

impl Symmetric {
    /// The mean of a square matrix in row-major order and its transpose.
    ///
    /// # Panics
    ///
    /// If the matrix is not square.
    pub fn rounded(entries: &[f64]) -> Self {
        let size = entries.len().isqrt();
        assert_eq!(size * size, entries.len(), "a square matrix");
        let entry =
            |i: usize, j: usize| (0.5 * (entries[i * size + j] + entries[j * size + i])) as f32;
        let row = |i: usize| (i..size).map(|j| entry(i, j)).collect();
        Self {
            size,
            rows: (0..size).map(row).collect(),
        }
    }

    /// Number of rows.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The entry in a row and a column.
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        let (first, second) = (i.min(j), i.max(j));
        f64::from(self.rows[first][second - first])
    }

    /// All entries in row-major order.
    pub fn entries(&self) -> Vec<f64> {
        let n = self.size;
        (0..n * n).map(|at| self.entry(at / n, at % n)).collect()
    }

    /// The product with a vector.
    pub fn product(&self, v: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; self.size];
        for (i, row) in self.rows.iter().enumerate() {
            let (own, rest) = (v[i], &v[i..]);
            let mut sums = [0.0; LANES];
            let (chunks, tail) = row.split_at(row.len() - row.len() % LANES);
            let (place, place_tail) = product[i..].split_at_mut(chunks.len());
            let (other, other_tail) = rest.split_at(chunks.len());
            let blocks = chunks.chunks_exact(LANES).zip(other.chunks_exact(LANES));
            for ((block, v), to) in blocks.zip(place.chunks_exact_mut(LANES)) {
                for lane in 0..LANES {
                    let entry = f64::from(block[lane]);
                    sums[lane] += entry * v[lane];
                    to[lane] += entry * own;
                }
            }
            let mut sum = sums.iter().sum::<f64>();
            for ((entry, v), to) in tail.iter().zip(other_tail).zip(place_tail) {
                sum += f64::from(*entry) * v;
                *to += f64::from(*entry) * own;
            }
            // The diagonal was added twice.
            product[i] += sum - f64::from(row[0]) * own;
        }
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_entries() {
        for size in [1, 2, 7, 8, 9, 33] {
            let entries: Vec<f64> = (0..size * size).map(|i| (i as f64).sin()).collect();
            let matrix = Symmetric::rounded(&entries);
            let v: Vec<f64> = (0..size).map(|i| (0.3 * i as f64).cos()).collect();
            let product = matrix.product(&v);
            let all = matrix.entries();
            for (row, found) in all.chunks(size).zip(product) {
                let expected: f64 = row.iter().zip(&v).map(|(a, b)| a * b).sum();
                assert!((expected - found).abs() < 1e-13 * size as f64);
            }
        }
    }
}
