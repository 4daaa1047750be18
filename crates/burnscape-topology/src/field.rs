use crate::{PersistencePair, TopologyError};

/// The most cells: indices take 31 bits, the last one is a flag.
pub(crate) const MOST_CELLS: usize = (1 << 31) - 4;

/// Values on a grid, borrowed: one a cell, the last axis fastest.
///
/// Cell `(x_1, …, x_d)` has number `(x_1 n_2 + x_2) n_3 + …`.
///
/// # Example
///
/// ```
/// use burnscape_topology::ScalarField;
///
/// let field = ScalarField::new(&[4.0, 1.0, 6.0, 3.0, 7.0, 0.0], &[2, 3])?;
/// assert_eq!(field.coordinates(5), [1, 2]);
/// assert_eq!(field.values()[5], 0.0);
/// # Ok::<(), burnscape_topology::TopologyError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ScalarField<'a> {
    values: &'a [f64],
    shape: Vec<usize>,
}

impl<'a> ScalarField<'a> {
    /// A field of these values on a grid of this shape.
    ///
    /// # Errors
    ///
    /// [`TopologyError::NoAxes`], [`EmptyAxis`](TopologyError::EmptyAxis),
    /// [`Length`](TopologyError::Length), [`TooManyCells`](TopologyError::TooManyCells).
    pub fn new(values: &'a [f64], shape: &[usize]) -> Result<Self, TopologyError> {
        let cells = cells_of(shape)?;
        if cells != values.len() {
            return Err(TopologyError::Length {
                shape: shape.to_vec(),
                expected: cells,
                found: values.len(),
            });
        }
        Ok(Self {
            values,
            shape: shape.to_vec(),
        })
    }

    /// The values, the last axis fastest.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// The number of points along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The index of a cell along each axis. Cells beyond the last one go on along the first axis.
    pub fn coordinates(&self, cell: usize) -> Vec<usize> {
        coordinates(&self.shape, cell)
    }

    /// How well the grid resolves a pair: its persistence over the larger `ρ` of its two cells.
    ///
    /// `ρ(v) = ¼ Σ_a max_u |f(u − e_a) − 2 f(u) + f(u + e_a)|`, `u` in the block of `3^d` cells around `v`, with the nearest inner
    /// difference at borders. A multilinear interpolation is off by about half of `ρ`, and a persistence moves by at most
    /// twice such an error. It is evidence, not a proof: on a grid twice as fine an artifact keeps its ratio, and a
    /// true pair gets four times as large a one. [`Resolution`](crate::Resolution) has the words.
    ///
    /// Infinite for classes that never die, and for a field that is linear around both cells. Zero where a second
    /// difference is not finite.
    ///
    /// # Cost
    ///
    /// `2 d 3^d` differences.
    ///
    /// # Errors
    ///
    /// [`TopologyError::NoCell`] if the pair is of another field.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_topology::{ScalarField, MergeTreeConfig, Resolution};
    ///
    /// let field = ScalarField::new(&[0.0, 3.0, 1.0, 4.0, 2.0], &[5])?;
    /// let pairs = MergeTreeConfig::new().run(&field)?.diagram().pairs;
    /// let ratio = field.resolution_ratio(&pairs[1])?;
    /// assert_eq!(ratio, 2.0 / (0.25 * 5.0));
    /// assert_eq!(Resolution::of(ratio, Resolution::LIMITS), Resolution::Doubtful);
    /// # Ok::<(), burnscape_topology::TopologyError>(())
    /// ```
    pub fn resolution_ratio(&self, pair: &PersistencePair) -> Result<f64, TopologyError> {
        let (Some(birth), Some(death)) = (pair.birth_cell, pair.death_cell) else {
            return Ok(f64::INFINITY);
        };
        let roughness = self.roughness(birth)?.max(self.roughness(death)?);
        let persistence = pair.persistence();
        if roughness == 0.0 && persistence > 0.0 {
            return Ok(f64::INFINITY);
        }
        let ratio = persistence / roughness;
        Ok(if ratio.is_nan() { 0.0 } else { ratio })
    }

    /// `ρ` of a cell; infinite where a difference is not finite.
    fn roughness(&self, cell: usize) -> Result<f64, TopologyError> {
        let cells = self.values.len();
        if cell >= cells {
            return Err(TopologyError::NoCell { cell, cells });
        }
        let center = self.coordinates(cell);
        let ranges: Vec<(usize, usize)> = center
            .iter()
            .zip(&self.shape)
            .map(|(&x, &n)| (x.saturating_sub(1), (x + 1).min(n - 1)))
            .collect();
        let strides = strides(&self.shape);
        let mut largest = vec![0.0_f64; self.shape.len()];
        let mut at: Vec<usize> = ranges.iter().map(|range| range.0).collect();
        loop {
            for (axis, largest) in largest.iter_mut().enumerate() {
                let n = self.shape[axis];
                if n < 3 {
                    continue;
                }
                let inner = |a: usize| {
                    if a == axis {
                        at[a].clamp(1, n - 2)
                    } else {
                        at[a]
                    }
                };
                let u: usize = (0..at.len()).map(|a| inner(a) * strides[a]).sum();
                let (before, after) = (
                    self.values[u - strides[axis]],
                    self.values[u + strides[axis]],
                );
                let second = (before - 2.0 * self.values[u] + after).abs();
                *largest = largest.max(if second.is_nan() {
                    f64::INFINITY
                } else {
                    second
                });
            }
            // The next cell of the block, the last axis fastest.
            let Some(axis) = (0..at.len()).rev().find(|&a| at[a] < ranges[a].1) else {
                break;
            };
            at[axis] += 1;
            for a in axis + 1..at.len() {
                at[a] = ranges[a].0;
            }
        }
        Ok(0.25 * largest.iter().sum::<f64>())
    }
}

/// The number of cells of a shape.
pub(crate) fn cells_of(shape: &[usize]) -> Result<usize, TopologyError> {
    if shape.is_empty() {
        return Err(TopologyError::NoAxes);
    }
    if let Some(axis) = shape.iter().position(|&n| n == 0) {
        return Err(TopologyError::EmptyAxis { axis });
    }
    let cells = shape
        .iter()
        .fold(1_usize, |cells, &n| cells.saturating_mul(n));
    ensure_countable(cells)?;
    Ok(cells)
}

pub(crate) fn ensure_countable(cells: usize) -> Result<(), TopologyError> {
    if cells > MOST_CELLS {
        return Err(TopologyError::TooManyCells {
            cells,
            limit: MOST_CELLS,
        });
    }
    Ok(())
}

pub(crate) fn coordinates(shape: &[usize], cell: usize) -> Vec<usize> {
    let mut rest = cell;
    let mut found = vec![0; shape.len()];
    for (axis, &n) in shape.iter().enumerate().rev() {
        found[axis] = if axis == 0 { rest } else { rest % n };
        rest /= n;
    }
    found
}

/// How far apart neighbors along each axis are.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}
