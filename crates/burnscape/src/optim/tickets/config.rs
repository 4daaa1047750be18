use std::collections::HashSet;

use burn::config::Config;

use super::pruning::num_pruned;
use crate::OutOfRange;
use crate::range::{FRACTION, ensure};

/// A search for lottery tickets, by iterative magnitude pruning with rewinding, with its controls.
///
/// Can a network be trained with few of its weights, if one knows which? Each level trains the weights that are left
/// from step `k` ([`rewind`](Self::rewind)) to the end, prunes the [`fraction`](Self::fraction) of them that is then
/// smallest in size, over all layers together, and rewinds the others to what they were at step `k`. Level 0 trains all
/// weights, level `l` about `(1 − fraction)^l` of them. Biases and normalization parameters are never pruned.
///
/// The score of a network is the value of a [`Risk`](crate::loss::Risk), for instance its accuracy on test data: the
/// search reports it, and does not use it. A ticket means something by comparison, so each level after the first also
/// trains controls, which have as many weights in every layer, see the batches in the same order, and differ from the
/// ticket in one thing:
///
/// | | weights that are kept | start | steps |
/// |---|---|---|---|
/// | ticket | those that stayed | the seed's model at step `k` | `k` to the end |
/// | [`reinitialized`](Self::reinitialized) | the same | another initialization at step `k` | `k` to the end |
/// | [`random_mask`](Self::random_mask) | random, as many a layer | the seed's model at step `k` | `k` to the end |
/// | [`from_initialization`](Self::from_initialization), if `k > 0` | the same | the seed's model at step 0 | all |
///
/// A search is one draw of initialization and data order. Several [`seeds`](Self::seeds) have a standard error, and
/// [`TicketScores::minus`](super::TicketScores::minus) compares a ticket with a control seed by seed.
///
/// To prune the weights of some layers only, give the risk a [group](crate::loss::Risk::with_group).
///
/// # Cost
///
/// For each seed one run to step `k` (two with `reinitialized`), and `1 + levels · (1 + controls)` runs from there,
/// each with a pass over the data of the risk and one read of the weights. Memory: three models for each seed.
///
/// # Defaults
///
/// Ten levels, ours; 20 % a level, the first two controls and rewinding to step 0: Frankle and Carbin; large networks
/// need `k > 0` (Frankle et al.). One seed: use at least three.
///
/// # References
///
/// Frankle, Carbin 2019, *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, arXiv:1803.03635;
/// Frankle, Dziugaite, Roy, Carbin 2020, *Linear Mode Connectivity and the Lottery Ticket Hypothesis*,
/// arXiv:1912.05671.
///
/// # Example
///
/// Of eight inputs, two matter:
///
/// ```
/// use std::ops::Range;
///
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::{ClosureStep, MaskedOptimizer, OptimError, TicketSearchConfig, WeightMask};
/// use burnscape::path::InstabilityConfig;
/// use burnscape::prelude::*;
///
/// let device = Device::default().autodiff();
/// let target = [[1.0], [-1.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0]];
/// let data = [(Tensor::<2>::eye(8, &device), Tensor::<2>::from_data(target, &device))];
/// let loss = |m: &Linear, (x, y): (Tensor<2>, Tensor<2>)| (m.forward(x) - y).square().mean();
///
/// let initial = |seed: u64| {
///     device.seed(seed);
///     LinearConfig::new(8, 1).with_bias(false).init(&device)
/// };
/// let train = |mut model: Linear, mask: &WeightMask, steps: Range<usize>, _order: u64| {
///     let mut sgd = MaskedOptimizer::new(SgdConfig::new().init(), mask.clone());
///     for _ in steps {
///         sgd.closure_step(1.0, &mut model, |m: &Linear| loss(m, data[0].clone()))?;
///     }
///     Ok::<_, OptimError>(model)
/// };
/// let risk = Risk::new(&loss, &data);
/// let config = TicketSearchConfig::new(30).with_levels(2).with_fraction(0.5);
/// let found = config.run(&risk, initial, train)?;
/// println!("{found}"); // a table: 100 %, 50 % and 25 % of the weights
///
/// let last = &found.levels[2];
/// assert_eq!((last.num_kept, last.kept_share), (2, 0.25));
/// assert!(last.ticket.mean < 1e-4);
///
/// // Is it stable? Two data orders from the same ticket, and the barrier between both results.
/// let ticket = last.masks[0].apply_to(&found.rewound[0])?;
/// let again = |model, (), steps, order| {
///     train(model, &last.masks[0], steps, order).map(|model| (model, ()))
/// };
/// let branches = InstabilityConfig::new(vec![0], 30).run(&risk, &ticket, (), again)?;
/// assert_eq!(branches.profiles.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Both data orders start at step `k`: with rewinding, [`InstabilityConfig`](crate::path::InstabilityConfig) counts the
/// steps after it.
#[derive(Config, Debug, PartialEq)]
pub struct TicketSearchConfig {
    /// Steps of a whole training run.
    pub num_steps: usize,
    /// How often weights are pruned.
    #[config(default = 10)]
    pub levels: usize,
    /// The share of the weights that are left which one level prunes: the nearest number of weights, half upwards.
    #[config(default = 0.2)]
    pub fraction: f64,
    /// The step `k` to which weights are rewound. The steps before it train all weights.
    #[config(default = 0)]
    pub rewind: usize,
    /// Trains the weights of each ticket from another initialization.
    #[config(default = true)]
    pub reinitialized: bool,
    /// Trains as many weights in every layer, at random places.
    #[config(default = true)]
    pub random_mask: bool,
    /// Trains the weights of each ticket from step 0, if they are rewound to a later one.
    #[config(default = true)]
    pub from_initialization: bool,
    /// The searches: a seed of the initialization and of the order of the data for each.
    #[config(default = "vec![0]")]
    pub seeds: Vec<u64>,
}

impl TicketSearchConfig {
    /// Refuses settings outside their ranges.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        ensure("num_steps", self.num_steps as f64, 1.0..)?;
        ensure("levels", self.levels as f64, 1.0..)?;
        ensure("fraction", self.fraction, FRACTION)?;
        ensure("rewind", self.rewind as f64, 0.0..self.num_steps as f64)?;
        if self.seeds.is_empty() {
            return Err(OutOfRange::new("seeds", 0.0, "at least one seed"));
        }
        let mut known = HashSet::new();
        match self.seeds.iter().find(|&&seed| !known.insert(seed)) {
            Some(&seed) => Err(OutOfRange::new("seeds", seed as f64, "each seed once")),
            None => Ok(()),
        }
    }

    /// Number of controls at each level after the first.
    pub(super) fn num_controls(&self) -> usize {
        let from_initialization = self.from_initialization && self.rewind > 0;
        [self.reinitialized, self.random_mask, from_initialization]
            .map(usize::from)
            .iter()
            .sum()
    }

    /// The number of kept weights at every level, which falls to one at least.
    pub(super) fn schedule(&self, num_weights: usize) -> Result<Vec<usize>, OutOfRange> {
        let mut schedule = vec![num_weights];
        let mut kept = num_weights;
        for level in 0..self.levels {
            let pruned = num_pruned(kept, self.fraction);
            if pruned == 0 || pruned >= kept {
                let which = if pruned == 0 { "none" } else { "all" };
                let expected = format!(
                    "at most {level}, or another `fraction`: of the {kept} weights at level {level}, a share of {} \
                     is {which}",
                    self.fraction
                );
                return Err(OutOfRange::new("levels", self.levels as f64, expected));
            }
            kept -= pruned;
            schedule.push(kept);
        }
        Ok(schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_prunes_the_nearest_number_of_weights() {
        let config = TicketSearchConfig::new(1).with_levels(6);
        // 10 · 0.2 = 2, 8 · 0.2 = 1.6, 6 · 0.2 = 1.2, 5 · 0.2 = 1, 4 · 0.2 = 0.8, 3 · 0.2 = 0.6.
        assert_eq!(config.schedule(10).unwrap(), [10, 8, 6, 5, 4, 3, 2]);
        let halves = TicketSearchConfig::new(1).with_levels(3).with_fraction(0.5);
        assert_eq!(halves.schedule(10).unwrap(), [10, 5, 2, 1]);
        // 0.29 · 100 is a little less than 29 in floating point.
        let config = config.with_levels(1).with_fraction(0.29);
        assert_eq!(config.schedule(100).unwrap(), [100, 71]);
    }

    #[test]
    fn a_level_that_would_prune_nothing_or_everything_is_named() {
        let config = TicketSearchConfig::new(1).with_levels(7);
        let error = config.schedule(10).unwrap_err().to_string();
        let expected = "`levels` is 7; use at most 6, or another `fraction`: of the 2 weights at level 6, a share of \
                        0.2 is none";
        assert_eq!(error, expected);
        let config = TicketSearchConfig::new(1).with_levels(4).with_fraction(0.5);
        let error = config.schedule(10).unwrap_err().to_string();
        assert!(
            error.contains("at level 3") && error.ends_with("is all"),
            "{error}"
        );
    }

    #[test]
    fn settings_outside_their_ranges_are_named() {
        let valid = || TicketSearchConfig::new(4).with_rewind(3);
        assert_eq!(valid().check(), Ok(()));
        for (config, name) in [
            (valid().with_levels(0), "levels"),
            (valid().with_fraction(0.0), "fraction"),
            (valid().with_fraction(1.0), "fraction"),
            (valid().with_fraction(f64::NAN), "fraction"),
            (valid().with_rewind(4), "rewind"),
            (TicketSearchConfig::new(0), "num_steps"),
            (valid().with_seeds(vec![]), "seeds"),
            (valid().with_seeds(vec![1, 2, 1]), "seeds"),
        ] {
            assert_eq!(config.check().unwrap_err().name, name);
        }
    }
}
