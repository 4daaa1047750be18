use burn::config::Config;
use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::error::check_range;
use super::nudged_elastic_band::{BandConfig, nudged_elastic_band};
use super::{Curve, PathError, PolygonalChain};
use crate::loss::{NormalizationPolicy, Risk};
use crate::optim::ClosureStep;

/// How the automated nudged elastic band inserts pivots.
///
/// # Defaults
///
/// Four cycles that start with three pivots; nine places looked at in each segment, and a threshold
/// of 20 %, after Draxler et al. 2018.
#[derive(Config, Debug)]
pub struct AutoNebConfig {
    /// Relaxations; pivots are inserted between them.
    #[config(default = 4)]
    pub cycles: usize,
    /// Inner pivots of the first cycle.
    #[config(default = 3)]
    pub pivots: usize,
    /// Never more inner pivots than this.
    #[config(default = 30)]
    pub max_pivots: usize,
    /// Places at which the loss is looked at inside each segment.
    #[config(default = 9)]
    pub places: usize,
    /// A pivot is inserted where the loss is above the line between the segment's ends by more than
    /// this fraction of the difference between the largest and the least loss on the band.
    #[config(default = 0.2)]
    pub threshold: f64,
    /// How each cycle relaxes; the offset is applied in the first one only.
    #[config(default = "BandConfig::new()")]
    pub band: BandConfig,
    /// What becomes of running statistics where the loss is looked at.
    #[config(default = "NormalizationPolicy::ReestimateAll")]
    pub policy: NormalizationPolicy,
}

/// What the automated nudged elastic band found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AutoNeb<M> {
    /// The pivots, as a path.
    pub chain: PolygonalChain<M>,
    /// The largest loss seen on the band after each finished cycle, on all data.
    pub max_losses: Vec<f64>,
    /// Inner pivots in each finished cycle.
    pub pivots: Vec<usize>,
    /// False if the observer stopped it.
    pub completed: bool,
}

/// Finds a path of low loss by relaxing a band of few pivots, inserting pivots where the loss between
/// them is highest above the line between their losses, and relaxing again. It ends early when no
/// segment needs a pivot.
///
/// # Cost
///
/// In each cycle, the steps of the band with a gradient for each pivot, then a forward pass over the
/// data for every place and pivot (and another where statistics are re-estimated).
///
/// # Errors
///
/// As [`nudged_elastic_band`], and [`PathError::OutOfRange`].
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
/// use burnscape::path::{AutoNebConfig, BandConfig, auto_neb};
///
/// let device = Device::default().autodiff();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data = [Tensor::<2>::ones([8, 2], &device)];
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let risk = Risk::new(&loss, &data);
/// let config = AutoNebConfig::new().with_band(BandConfig::new().with_steps(20));
/// let found = auto_neb(&risk, [&a, &b], &SgdConfig::new().init(), 0.1, &config)?;
/// assert_eq!(found.pivots[0], 3);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
pub fn auto_neb<M: Module, K>(
    risk: &Risk<'_, M, K>,
    [first, last]: [&M; 2],
    optimizer: &(impl ClosureStep + Clone),
    scheduler: impl Into<ModuleLrScheduler>,
    config: &AutoNebConfig,
) -> Result<AutoNeb<M>, PathError> {
    let least_one = |x: f64| x >= 1.0;
    check_range(
        "the number of cycles",
        config.cycles as f64,
        "at least 1",
        least_one,
    )?;
    check_range(
        "the number of places",
        config.places as f64,
        "at least 1",
        least_one,
    )?;
    check_range(
        "the threshold",
        config.threshold,
        "a positive number",
        |x| x > 0.0,
    )?;
    let pivots = config.pivots as f64;
    check_range(
        "the most pivots",
        config.max_pivots as f64,
        "no less than the first",
        |x| x >= pivots,
    )?;
    config.policy.check()?;
    let scheduler = scheduler.into();
    let mut found = AutoNeb {
        chain: PolygonalChain::between(first, last, config.pivots)?,
        max_losses: Vec::new(),
        pivots: Vec::new(),
        completed: false,
    };
    let mut band = config.band.clone();
    for cycle in 0..config.cycles {
        let pivots = found.chain.control_points().inner().len();
        let relaxed = nudged_elastic_band(
            risk,
            &found.chain,
            optimizer.clone(),
            scheduler.clone(),
            &band,
        )?;
        band.offset = 0.0;
        found.chain = relaxed.chain;
        if !relaxed.completed {
            return Ok(found);
        }
        let losses = match look(risk, &found.chain, config) {
            Err(PathError::Stopped) => return Ok(found),
            losses => losses?,
        };
        found
            .max_losses
            .push(losses.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        found.pivots.push(pivots);
        let room = config.max_pivots - found.chain.control_points().inner().len();
        let places = insertions(&losses, config, room);
        if places.is_empty() || cycle + 1 == config.cycles {
            break;
        }
        found.chain = with_pivots(&found.chain, &places)?;
    }
    found.completed = true;
    Ok(found)
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
            inner.push(from.linear(1.0 - along, *along, to)?);
        }
    }
    Ok(PolygonalChain::from_points(points.with_inner(inner)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pivots_go_where_the_gap_is_largest() {
        let config = AutoNebConfig::new().with_places(3);
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
