use burn::module::Module;
use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use super::{Curve, ElasticBandConfig, PathError, PolygonalChain};
use crate::loss::{NormalizationPolicy, Risk};
use crate::optim::ClosureStep;
use crate::range::{POSITIVE, ensure};
use crate::writing::number;

/// A search for a path of low loss by the automated nudged elastic band: it relaxes a band of few pivots, inserts pivots
/// where the loss between them is highest above the line between their losses, and relaxes again. It has converged
/// where no segment needs a pivot.
///
/// # Cost
///
/// In each cycle, the steps of the band with a gradient for each pivot, then a forward pass over the
/// data for every place and pivot (and another where statistics are re-estimated).
///
/// # Defaults
///
/// Four cycles that start with three pivots, 30 pivots at most; nine places looked at in each segment, and a threshold
/// of 20 %, after Draxler et al. 2018.
///
/// # References
///
/// Draxler et al. 2018, arXiv:1803.00885.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{AutoNebConfig, ElasticBandConfig};
///
/// let device = Device::default().autodiff();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data = [Tensor::<2>::ones([8, 2], &device)];
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let risk = Risk::new(&loss, &data);
/// let config = AutoNebConfig::new(ElasticBandConfig::new(0.1).with_steps(20));
/// let found = config.run(&risk, [&a, &b], &SgdConfig::new().init())?;
/// assert_eq!(found.num_pivots[0], 3);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AutoNebConfig {
    band: ElasticBandConfig,
    cycles: usize,
    pivots: usize,
    max_pivots: usize,
    places: usize,
    threshold: f64,
    policy: NormalizationPolicy,
}

/// The band that the automated nudged elastic band found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AutoNeb<C = ()> {
    /// The pivots, as a path. It is not in the JSON; read a result back as `AutoNeb<()>`.
    #[serde(skip)]
    pub chain: C,
    /// The largest loss seen on the band after each finished cycle, on all data.
    #[serde(with = "number")]
    pub max_losses: Vec<f64>,
    /// Inner pivots in each finished cycle.
    pub num_pivots: Vec<usize>,
    /// Converged where no segment needs another pivot; at the limit where one does, after the last cycle or with the
    /// most pivots allowed.
    pub outcome: Outcome,
}

impl AutoNebConfig {
    /// A search whose cycles relax as `band` says; its offset is applied in the first one only.
    pub fn new(band: ElasticBandConfig) -> Self {
        Self {
            band,
            cycles: 4,
            pivots: 3,
            max_pivots: 30,
            places: 9,
            threshold: 0.2,
            policy: NormalizationPolicy::ReestimateAll,
        }
    }

    /// Relaxations, at most; pivots are inserted between them.
    #[must_use]
    pub fn with_cycles(mut self, cycles: usize) -> Self {
        self.cycles = cycles;
        self
    }

    /// Inner pivots of the first cycle.
    #[must_use]
    pub fn with_pivots(mut self, pivots: usize) -> Self {
        self.pivots = pivots;
        self
    }

    /// The most inner pivots.
    #[must_use]
    pub fn with_max_pivots(mut self, max_pivots: usize) -> Self {
        self.max_pivots = max_pivots;
        self
    }

    /// Places at which the loss is looked at inside each segment.
    #[must_use]
    pub fn with_places(mut self, places: usize) -> Self {
        self.places = places;
        self
    }

    /// A pivot is inserted where the loss is above the line between the segment's ends by more than
    /// this fraction of the difference between the largest and the least loss on the band.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// How running statistics are treated where the loss is looked at.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Finds a band between two models. Every cycle starts with a copy of `optimizer`.
    ///
    /// # Errors
    ///
    /// As [`ElasticBandConfig::run`], and [`PathError::OutOfRange`].
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        [first, last]: [&M; 2],
        optimizer: &(impl ClosureStep + Clone),
    ) -> Result<AutoNeb<PolygonalChain<M>>, PathError> {
        ensure("cycles", self.cycles as f64, 1.0..)?;
        ensure("places", self.places as f64, 1.0..)?;
        ensure("threshold", self.threshold, POSITIVE)?;
        ensure("max_pivots", self.max_pivots as f64, self.pivots as f64..)?;
        self.policy.check()?;
        let mut found = AutoNeb {
            chain: PolygonalChain::between(first, last, self.pivots)?,
            max_losses: Vec::new(),
            num_pivots: Vec::new(),
            outcome: Outcome::Stopped,
        };
        let mut band = self.band.clone();
        for cycle in 1..=self.cycles {
            let num_pivots = found.chain.control_points().inner().len();
            let relaxed = band.run(risk, &found.chain, optimizer.clone())?;
            band = band.with_offset(0.0);
            found.chain = relaxed.chain;
            if !relaxed.completed {
                return Ok(found);
            }
            let losses = match look(risk, &found.chain, self) {
                Err(PathError::Stopped) => return Ok(found),
                losses => losses?,
            };
            let max = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            found.max_losses.push(max);
            found.num_pivots.push(num_pivots);
            if insertions(&losses, self, usize::MAX).is_empty() {
                found.outcome = Outcome::Converged;
                break;
            }
            let places = insertions(&losses, self, self.max_pivots - num_pivots);
            if places.is_empty() || cycle == self.cycles {
                found.outcome = Outcome::LimitReached;
                break;
            }
            found.chain = with_pivots(&found.chain, &places)?;
        }
        Ok(found)
    }
}

/// The losses of all pivots and of the places between them, in order.
fn look<M: Module, K>(
    risk: &Risk<'_, M, K>,
    chain: &PolygonalChain<M>,
    config: &AutoNebConfig,
) -> Result<Vec<f64>, PathError> {
    let total = chain.num_pieces() * (config.places + 1);
    let loss = |index: usize| {
        let t = index as f64 / total as f64;
        let model = config.policy.point(risk, chain, t)?;
        let loss = risk.whole_loss(&model);
        Ok(loss.map_err(PathError::at(t, "the loss"))?.value)
    };
    (0..=total).map(loss).collect()
}

/// Where pivots are to go: segment and fraction of it, ascending; those with the largest gaps if there
/// is no room for all.
fn insertions(losses: &[f64], config: &AutoNebConfig, room: usize) -> Vec<(usize, f64)> {
    let stride = config.places + 1;
    let extreme = |f: fn(f64, f64) -> f64| losses.iter().copied().reduce(f).unwrap_or(0.0);
    let span = extreme(f64::max) - extreme(f64::min);
    // On a flat path gaps are rounding of the losses.
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
        found.extend(largest.filter(|(gap, ..)| *gap > rounding.max(config.threshold * span)));
    }
    found.sort_by(|x, y| y.0.total_cmp(&x.0));
    found.truncate(room);
    let mut places: Vec<(usize, f64)> = found.into_iter().map(|(_, s, t)| (s, t)).collect();
    places.sort_by_key(|(segment, _)| *segment);
    places
}

fn with_pivots<M: Module>(
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
    Ok(PolygonalChain::from_points(points.with_inner(inner)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pivots_go_where_the_gap_is_largest() {
        let config = AutoNebConfig::new(ElasticBandConfig::new(0.1)).with_places(3);
        // Three segments with gaps of 0, 3 at their first quarter, and 4 at their last.
        let losses = [
            0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 1.0, 0.0, 0.0, 1.0, 2.0, 7.0, 4.0,
        ];
        assert_eq!(insertions(&losses, &config, 9), [(1, 0.25), (2, 0.75)]);
        assert_eq!(insertions(&losses, &config, 1), [(2, 0.75)]);
        assert_eq!(insertions(&losses, &config, 0), []);
        // A path that is flat to rounding needs none.
        let flat = losses.map(|loss| 1.0 + 1e-8 * loss);
        assert_eq!(insertions(&flat, &config, 9), []);
        // Gaps count from a fraction of the whole range of losses on.
        let high = config.with_threshold(0.5);
        assert_eq!(insertions(&losses, &high, 9), [(2, 0.75)]);
    }
}
