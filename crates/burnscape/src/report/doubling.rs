//! How near the loss is twice as high as at the model.

use crate::landscape::Landscape;

/// Where the loss reaches twice its value at the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Doubling {
    /// At a point of the grid at this distance, a share of the weights' norm, and at none that is nearer.
    Within(f64),
    /// At no point of the grid.
    Nowhere,
}

impl Doubling {
    /// None if there is no such statement: the loss at the model is not positive, the weights have no norm, or a loss
    /// that is not a number may be anything.
    pub(super) fn of(landscape: &Landscape) -> Option<Self> {
        let base = landscape.base_loss;
        if !(base.is_finite() && base > 0.0) {
            return None;
        }
        let record = landscape.directions.first()?;
        let length = record.norm / record.relative_norm;
        let product = |a: usize, b: usize| landscape.gram.get(a)?.get(b).copied();
        let (xx, xy, yy) = (product(0, 0)?, product(0, 1)?, product(1, 1)?);
        let [xs, ys] = &landscape.axes[..] else {
            return None;
        };
        let places = xs.iter().flat_map(|x| ys.iter().map(move |y| (x, y)));
        let (mut nearest, mut is_reached, mut is_known) = (f64::INFINITY, false, true);
        for ((x, y), loss) in places.zip(&landscape.losses) {
            is_known &= !loss.is_nan();
            if *loss >= 2.0 * base {
                is_reached = true;
                let distance = (xx * x * x + 2.0 * xy * x * y + yy * y * y).sqrt() / length;
                if distance < nearest {
                    nearest = distance;
                }
            }
        }
        match is_reached {
            true if nearest.is_finite() && nearest > 0.0 => Some(Self::Within(nearest)),
            true => None,
            false if is_known && !landscape.losses.is_empty() => Some(Self::Nowhere),
            false => None,
        }
    }
}
