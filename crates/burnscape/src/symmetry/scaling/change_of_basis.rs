//! Weights in other bases.

use burnscape_krylov::Dense;

use super::super::SymmetryError;
use super::super::layout::Layout;
use super::found::Scaling;
use super::places::Place;

/// For each gauge and row the matrix and its inverse transposed, as lists of entries in row-major order.
pub(super) struct Bases(Vec<Vec<[Vec<f64>; 2]>>);

impl Bases {
    pub(super) fn of(scalings: &[Scaling], matrices: &[Vec<f64>]) -> Result<Self, SymmetryError> {
        let mut bases = Vec::with_capacity(scalings.len());
        for (group, (scaling, given)) in scalings.iter().zip(matrices).enumerate() {
            let size = scaling.size;
            let mut own = Vec::with_capacity(scaling.rows);
            for entries in given.chunks(size * size) {
                let matrix = Dense::from_row_major(size, size, entries.to_vec());
                let inverse = matrix.ok().and_then(|matrix| matrix.inverse());
                let inverse = inverse.ok_or_else(|| SymmetryError::Group {
                    group,
                    message: "a matrix is singular to rounding; pass invertible ones".to_string(),
                })?;
                own.push([entries.to_vec(), inverse.transpose().as_slice().to_vec()]);
            }
            bases.push(own);
        }
        Ok(Self(bases))
    }

    /// The entry that takes index `from` to index `to`.
    fn entry(&self, gauge: usize, row: usize, exponent: i64, [from, to]: [usize; 2]) -> f64 {
        let [matrix, inverse] = &self.0[gauge][row];
        let matrix = if exponent > 0 { matrix } else { inverse };
        matrix[from * self.size(gauge, row) + to]
    }

    fn size(&self, gauge: usize, row: usize) -> usize {
        self.0[gauge][row][0].len().isqrt()
    }
}

/// Turns the flat values of a tensor along every place of a gauge.
pub(super) fn turn_all(
    (layout, scalings): (&Layout, &[Scaling]),
    bases: &Bases,
    tensor: usize,
    values: &mut [f64],
) {
    for (gauge, scaling) in scalings.iter().enumerate() {
        let places = scaling
            .places()
            .iter()
            .filter(|place| place.tensor == tensor);
        for place in places {
            turn(layout, scaling.size, (gauge, place), bases, values);
        }
    }
}

/// Adds `bᵀ a` along a place to the matrix of each row: an entry belongs to an index of `b` and one of `a`.
pub(super) fn add_products(
    layout: &Layout,
    size: usize,
    place: &Place,
    [a, b]: [&[f64]; 2],
    sums: &mut [f64],
) {
    let axes = &layout.tensors[place.tensor];
    let factor = &axes.axes[place.axis][place.blocks[place.axis]].factors[place.factor];
    let inner: usize = axes.shape[place.axis + 1..].iter().product();
    let step = factor.stride * inner;
    place.each(axes, |element, index| {
        let (row, to) = (index / size, index % size);
        let first = element - to * step;
        for from in 0..size {
            sums[(row * size + from) * size + to] += b[first + from * step] * a[element];
        }
    });
}

/// Turns the values of one place.
fn turn(
    layout: &Layout,
    size: usize,
    (gauge, place): (usize, &Place),
    bases: &Bases,
    values: &mut [f64],
) {
    let axes = &layout.tensors[place.tensor];
    let factor = &axes.axes[place.axis][place.blocks[place.axis]].factors[place.factor];
    let inner: usize = axes.shape[place.axis + 1..].iter().product();
    let step = factor.stride * inner;
    let old = values.to_vec();
    place.each(axes, |element, index| {
        let (row, to) = (index / size, index % size);
        let first = element - to * step;
        let sum = (0..size).map(|from| {
            let entry = bases.entry(gauge, row, place.exponent, [from, to]);
            old[first + from * step] * entry
        });
        values[element] = sum.sum();
    });
}
