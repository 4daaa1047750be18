//! Lines between two networks on which one layer moves, or several neighbors.

use std::iter::zip;

use burnscape::loss::Risk;
use burnscape::path::{
    CurveProfile, CurveProfileConfig, LayerBarrier, LayerwiseBarriers, LayerwiseBarriersConfig,
};

use super::{group, sizes};
use crate::Failure;
use crate::studies::criteria::layer_wise::{
    ALL, MIDDLE_FIRST, MIDDLE_LAST, MIDDLE_SINGLE, TOGETHER, WORST, together,
};
use crate::studies::frame::Plan;
use crate::studies::network::Mlp;

/// Points of a line, ends and middle included.
const POINTS: usize = 11;

/// What is known of the lines on which some layers move: averaged, barrier, replaced, random.
pub(super) type Numbers = [f64; 4];

/// The lines between two networks.
pub(super) struct Lines {
    /// One layer moves.
    pub(super) layers: Vec<Numbers>,
    /// Neighbors move, from each layer on.
    pub(super) together: Vec<Numbers>,
    /// All layers move: averaged and barrier.
    pub(super) all: [f64; 2],
    /// Names and points of some lines.
    pub(super) shown: Vec<(String, Vec<(f64, f64)>)>,
}

impl Lines {
    pub(super) fn between(
        plan: &Plan,
        risk: &Risk<'_, Mlp>,
        ends: [&Mlp; 2],
        seed: u64,
    ) -> Result<Self, Failure> {
        let profile = CurveProfileConfig::new().with_num_points(plan.pick(POINTS, 3));
        let config = LayerwiseBarriersConfig::new()
            .with_profile(profile)
            .with_seed(seed);
        let count = sizes(plan).len() - 1;
        let neighbors = (0..=count - TOGETHER)
            .map(|first| (together(first), group(first..first + TOGETHER)))
            .collect();
        let single = config.run(risk, ends)?;
        let several = config.clone().with_groups(neighbors).run(risk, ends)?;
        let mut shown = vec![(ALL.to_string(), points(&single.whole))];
        let places = [0, several.layers.len() / 2, several.layers.len() - 1];
        for line in places.map(|place| &several.layers[place]) {
            shown.push((line.name.clone(), points(&line.others_at_first)));
        }
        let all = [
            loss_at(&single.whole, 0.5) - mean_of_ends(&single.whole),
            above_line(&single.whole),
        ];
        let numbers = |found: &LayerwiseBarriers| -> Vec<Numbers> {
            let lines = found.layers.iter();
            lines.map(|line| numbers_of(line, &found.whole)).collect()
        };
        Ok(Self {
            layers: numbers(&single),
            together: numbers(&several),
            all,
            shown,
        })
    }

    /// Rows of differences and ratios of what averages raise the loss by.
    pub(super) fn contrasts(&self) -> [(&'static str, f64); 4] {
        let [layers, together] = [&self.layers, &self.together]
            .map(|lines| lines.iter().map(|line| line[0]).collect::<Vec<f64>>());
        let place = together.len() / 2;
        let (middle, last) = (together[place], together[together.len() - 1]);
        let single: f64 = layers[place..place + TOGETHER].iter().sum();
        let worst = layers.iter().copied().fold(f64::NAN, f64::max);
        [
            (WORST, worst / self.all[0]),
            (MIDDLE_FIRST, middle - together[0]),
            (MIDDLE_LAST, middle - last),
            (MIDDLE_SINGLE, middle - single),
        ]
    }
}

/// Of lines from and to each network, the means over both.
fn numbers_of(line: &LayerBarrier, whole: &CurveProfile) -> Numbers {
    let (first, last) = (&line.others_at_first, &line.others_at_last);
    let mean = |one: f64, other: f64| 0.5 * (one + other);
    let models = mean_of_ends(whole);
    [
        mean(loss_at(first, 0.5), loss_at(last, 0.5)) - models,
        mean(above_line(first), above_line(last)),
        mean(loss_at(first, 1.0), loss_at(last, 0.0)) - models,
        loss_at(&line.random, 0.5) - loss_at(whole, 0.0),
    ]
}

/// The training loss at a place from 0 to 1, which is one of those measured.
fn loss_at(profile: &CurveProfile, place: f64) -> f64 {
    let losses = &profile.train.values;
    let last = losses.len().saturating_sub(1) as f64;
    let index = (place * last).round() as usize;
    losses.get(index).copied().unwrap_or(f64::NAN)
}

fn mean_of_ends(profile: &CurveProfile) -> f64 {
    0.5 * (loss_at(profile, 0.0) + loss_at(profile, 1.0))
}

fn above_line(profile: &CurveProfile) -> f64 {
    let barriers = profile.barriers();
    barriers.map_or(f64::NAN, |barriers| barriers.above_line)
}

fn points(profile: &CurveProfile) -> Vec<(f64, f64)> {
    let losses = profile.train.values.iter().copied();
    zip(profile.times.iter().copied(), losses).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrasts_are_those_of_the_middle() {
        let line = |averaged: f64| [averaged, 0.0, 0.0, 0.0];
        let lines = Lines {
            layers: [0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1].map(line).to_vec(),
            together: [0.6, 0.8, 1.0, 0.7, 0.4].map(line).to_vec(),
            all: [3.0, 3.0],
            shown: Vec::new(),
        };
        let expected = [0.1, 0.4, 0.6, 0.5];
        for ((row, found), expected) in zip(lines.contrasts(), expected) {
            assert!((found - expected).abs() < 1e-12, "{row}");
        }
    }
}
