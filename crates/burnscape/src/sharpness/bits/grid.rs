use burn::module::Module;

use crate::sharpness::SharpnessError;
use crate::space::{ParamSpace, ParamVector, Scale, Units};

/// Grids of the weights: with `b` bits, each tensor has `2^b` cells between `−a` and `a`, its largest absolute weight.
pub(super) struct RoundingGrid {
    weights: Vec<f64>,
    /// `a` of the tensor that each weight belongs to.
    ranges: Vec<f64>,
    /// The same on the device.
    range_vector: ParamVector,
    /// Draws of uniform numbers.
    units: Units,
}

impl RoundingGrid {
    pub(super) fn of<M: Module>(space: ParamSpace, model: &M) -> Result<Self, SharpnessError> {
        let weights = ParamVector::from_module(&space, model)?.to_host()?;
        let mut ranges = Vec::with_capacity(weights.len());
        for leaf in space.leaves() {
            let own = &weights[leaf.offset()..leaf.offset() + leaf.len()];
            let range = own.iter().fold(0.0_f64, |most, w| most.max(w.abs()));
            ranges.extend(std::iter::repeat_n(range, own.len()));
        }
        Ok(Self {
            range_vector: ParamVector::from_host(&space, &ranges)?,
            units: Scale::Absolute.at(space, model)?,
            weights,
            ranges,
        })
    }

    /// An error that is uniform in the cells of one bit. With `b` bits it is `2^(1−b)` of that.
    pub(super) fn error(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        let uniform = self.units.cube(seed)?.scale(0.5);
        Ok(uniform.hadamard(&self.range_vector)?)
    }

    /// The way from the weights to the centers of their cells.
    pub(super) fn rounding(&self, bits: u32) -> Result<ParamVector, SharpnessError> {
        let cells = f64::from(bits).exp2();
        let shift = |(weight, range): (&f64, &f64)| rounded(*weight, *range, cells) - weight;
        let shifts: Vec<f64> = self.weights.iter().zip(&self.ranges).map(shift).collect();
        Ok(ParamVector::from_host(self.units.space(), &shifts)?)
    }
}

/// The center of the cell of a weight, of so many between `−range` and `range`.
fn rounded(weight: f64, range: f64, cells: f64) -> f64 {
    if range == 0.0 {
        return weight;
    }
    let cell = 2.0 * range / cells;
    let half = 0.5 * cells;
    (((weight / cell).floor() + 0.5).clamp(0.5 - half, half - 0.5)) * cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_rounded_to_the_center_of_its_cell() {
        // Four cells between −2 and 2.
        for (weight, center) in [
            (-2.0, -1.5),
            (-1.2, -1.5),
            (-0.2, -0.5),
            (0.0, 0.5),
            (0.9, 0.5),
            (1.0, 1.5),
            (2.0, 1.5),
        ] {
            assert_eq!(rounded(weight, 2.0, 4.0), center, "{weight}");
        }
        assert_eq!([0.3, -0.3].map(|w| rounded(w, 0.3, 2.0)), [0.15, -0.15]);
        assert_eq!(rounded(0.0, 0.0, 4.0), 0.0);
    }
}
