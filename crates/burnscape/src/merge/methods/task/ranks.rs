/// The rows of a tensor: the elements that belong to one output unit each. Without units, one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    outer: usize,
    count: usize,
    inner: usize,
}

impl Rows {
    /// Those along the axis of the output units. A vector is one row.
    pub(super) fn of(shape: &[usize], units: Option<usize>) -> Self {
        match units.filter(|axis| shape.len() > 1 && *axis < shape.len()) {
            Some(axis) => Self {
                outer: product(&shape[..axis]),
                count: shape[axis],
                inner: product(&shape[axis + 1..]),
            },
            None => Self {
                outer: 1,
                count: 1,
                inner: product(shape),
            },
        }
    }

    /// The number of elements of a row.
    pub(super) fn len(self) -> usize {
        self.outer.saturating_mul(self.inner)
    }

    /// The indices of the elements of a row.
    fn indices(self, row: usize) -> impl Iterator<Item = usize> {
        (0..self.outer).flat_map(move |outer| {
            let start = (outer * self.count + row) * self.inner;
            start..start + self.inner
        })
    }

    /// The rank of the magnitude of each element in its row, from 0 for the smallest. Equal ones are ranked by index.
    pub(super) fn ranks(self, elements: &[f64]) -> Vec<u32> {
        let mut ranks = vec![0; elements.len()];
        if ranks.is_empty() {
            // Whatever the number of rows.
            return ranks;
        }
        let mut row_of_pairs: Vec<(u64, usize)> = Vec::with_capacity(self.len());
        for row in 0..self.count {
            row_of_pairs.clear();
            // The bits of positive numbers are in the order of the numbers.
            let pairs = self.indices(row);
            row_of_pairs.extend(pairs.map(|index| (elements[index].abs().to_bits(), index)));
            row_of_pairs.sort_unstable();
            for (rank, (_, index)) in row_of_pairs.iter().enumerate() {
                ranks[*index] = u32::try_from(rank).unwrap_or(u32::MAX);
            }
        }
        ranks
    }
}

/// The number of elements of a shape. One with a zero may have more than an integer can count beside it.
fn product(shape: &[usize]) -> usize {
    let sizes = shape.iter();
    sizes.fold(1, |product: usize, size| product.saturating_mul(*size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_within_rows_along_any_axis() {
        let elements = [3.0, -1.0, 2.0, 0.5, -4.0, 2.0];
        let ranks = |shape: &[usize], units| Rows::of(shape, units).ranks(&elements);
        assert_eq!(ranks(&[6], None), [4, 1, 2, 0, 5, 3]);
        assert_eq!(ranks(&[6], Some(0)), [4, 1, 2, 0, 5, 3]);
        assert_eq!(ranks(&[2, 3], None), [4, 1, 2, 0, 5, 3]);
        assert_eq!(ranks(&[2, 3], Some(0)), [2, 0, 1, 0, 2, 1]);
        // Columns: (3, 0.5), (−1, −4), (2, 2).
        assert_eq!(ranks(&[2, 3], Some(1)), [1, 0, 0, 0, 1, 1]);
        // Middle axis: (3, −1, 2), (0.5, −4, 2).
        assert_eq!(ranks(&[1, 2, 3], Some(1)), [2, 0, 1, 0, 2, 1]);
        assert_eq!(ranks(&[3, 1, 2], Some(1)), [4, 1, 2, 0, 5, 3]);
        assert_eq!(Rows::of(&[2, 3], Some(1)).len(), 2);
        assert_eq!(ranks(&[6, 1], Some(0)), [0; 6]);
    }

    #[test]
    fn an_empty_tensor_has_no_ranks() {
        for units in [None, Some(0), Some(1)] {
            assert!(Rows::of(&[0, 3], units).ranks(&[]).is_empty());
            let huge = Rows::of(&[1 << 42, 0, 1 << 42], units);
            assert!(huge.ranks(&[]).is_empty());
        }
    }
}
