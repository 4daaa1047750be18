use burn::module::Module;

use super::{Curve, PathError, PolygonalChain};
use crate::loss::{NormalizationPolicy, Risk};

/// Finds the segments of a band that need a pivot.
#[derive(Debug, Clone)]
pub(super) struct Insertions {
    /// Places inside each segment at which the loss is measured.
    pub(super) places: usize,
    /// The smallest gap that needs a pivot, as a fraction of the range of losses.
    pub(super) threshold: f64,
    pub(super) policy: NormalizationPolicy,
}

impl Insertions {
    /// The losses of all pivots and of the places between them, in order.
    pub(super) fn losses<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        chain: &PolygonalChain<M>,
    ) -> Result<Vec<f64>, PathError> {
        let total = chain.num_pieces() * (self.places + 1);
        let loss = |index: usize| {
            let t = index as f64 / total as f64;
            let model = self.policy.point(risk, chain, t)?;
            let loss = risk.whole_loss(&model);
            Ok(loss.map_err(PathError::at(t, "the loss"))?.value)
        };
        (0..=total).map(loss).collect()
    }

    /// The places of new pivots, as segment and fraction of it, ascending; those with the largest gaps if there
    /// is no room for all.
    pub(super) fn of(&self, losses: &[f64], room: usize) -> Vec<(usize, f64)> {
        let stride = self.places + 1;
        let extreme = |f: fn(f64, f64) -> f64| losses.iter().copied().reduce(f).unwrap_or(0.0);
        let span = extreme(f64::max) - extreme(f64::min);
        // The gaps of a flat path are rounding errors of the losses.
        let rounding = 8.0 * f64::from(f32::EPSILON) * extreme(|x, y| x.abs().max(y.abs())).abs();
        let segments = (losses.len() - 1) / stride;
        let mut found: Vec<(f64, usize, f64)> = Vec::new();
        for segment in 0..segments {
            let own = &losses[segment * stride..=(segment + 1) * stride];
            let gaps = (1..stride).map(|place| {
                let along = place as f64 / stride as f64;
                let line = own[0] + along * (own[stride] - own[0]);
                (own[place] - line, segment, along)
            });
            let largest = gaps.max_by(|x, y| x.0.total_cmp(&y.0));
            found.extend(largest.filter(|(gap, ..)| *gap > rounding.max(self.threshold * span)));
        }
        found.sort_by(|x, y| y.0.total_cmp(&x.0));
        found.truncate(room);
        let mut places: Vec<(usize, f64)> = found.into_iter().map(|(_, s, t)| (s, t)).collect();
        places.sort_by_key(|(segment, _)| *segment);
        places
    }
}

/// The chain with pivots at these places.
pub(super) fn with_pivots<M: Module>(
    chain: &PolygonalChain<M>,
    places: &[(usize, f64)],
) -> Result<PolygonalChain<M>, PathError> {
    let points = chain.control_points();
    let segments = chain.num_pieces();
    let mut inner = Vec::new();
    for segment in 0..segments {
        if segment > 0 {
            inner.push(points.vectors()[segment].clone());
        }
        for (_, along) in places.iter().filter(|(own, _)| *own == segment) {
            let [from, to] = [&points.vectors()[segment], &points.vectors()[segment + 1]];
            inner.push(from.axpby(1.0 - along, *along, to)?);
        }
    }
    Ok(chain.with_control_points(points.with_inner(inner)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pivots_go_where_the_gap_is_largest() {
        let config = Insertions {
            places: 3,
            threshold: 0.2,
            policy: NormalizationPolicy::Leave,
        };
        // Three segments with gaps of 0, 3 at their first quarter, and 4 at their last.
        let losses = [
            0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 1.0, 0.0, 0.0, 1.0, 2.0, 7.0, 4.0,
        ];
        assert_eq!(config.of(&losses, 9), [(1, 0.25), (2, 0.75)]);
        assert_eq!(config.of(&losses, 1), [(2, 0.75)]);
        assert_eq!(config.of(&losses, 0), []);
        // A path that is flat to rounding needs none.
        let flat = losses.map(|loss| 1.0 + 1e-8 * loss);
        assert_eq!(config.of(&flat, 9), []);
        // Only gaps above a fraction of the range of losses count.
        let high = Insertions {
            threshold: 0.5,
            ..config
        };
        assert_eq!(high.of(&losses, 9), [(2, 0.75)]);
    }
}
