use std::f64::consts::{LN_2, TAU};

use burnscape_krylov::VectorSpace;

use super::{TemperatureLadder, TemperatureLadderConfig, TemperatureLaw, TemperatureRung};
use crate::posterior::{PosteriorConfig, PosteriorError, Potential};
use crate::space::mix;
use crate::writing::Csv;

const NUM_EXAMPLES: usize = 1000;

const EULER: f64 = 0.577_215_664_901_532_9;

/// `E[(w₁ w₂)²]` on the unit square at `nβ`: over `u = −ln(w₁ w₂)`, which has the density `u exp(−u)`, by the
/// trapezoidal rule.
fn crossing(nbeta: f64) -> f64 {
    let (mut sum, mut mean) = (0.0, 0.0);
    for step in 1..2000 {
        let u = 0.03 * f64::from(step);
        let loss = (-2.0 * u).exp();
        let weight = u * (-u - nbeta * loss).exp();
        sum += weight;
        mean += weight * loss;
    }
    mean / sum
}

/// `E[½ w²]` with a localizer of 1.
fn regular(nbeta: f64) -> f64 {
    0.5 / (nbeta + 1.0)
}

/// Rungs at these `nβ` with exact losses, and relative errors that are said.
fn rungs(
    loss: fn(f64) -> f64,
    nbetas: impl IntoIterator<Item = f64>,
    error: f64,
) -> Vec<TemperatureRung> {
    let n = NUM_EXAMPLES as f64;
    let rung = |nbeta: f64| TemperatureRung {
        inverse_temperature: nbeta / n,
        mean_loss: n * loss(nbeta),
        standard_error: error * n * loss(nbeta),
        ess: 1e3,
    };
    nbetas.into_iter().map(rung).collect()
}

fn fit(rungs: Vec<TemperatureRung>) -> TemperatureLadder {
    TemperatureLadder::fit(NUM_EXAMPLES, rungs).unwrap()
}

/// `100 · 2^k`, times a factor.
fn octaves(first: f64) -> [f64; 6] {
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0].map(|factor| first * factor)
}

/// A standard normal number.
fn normal(seed: u64, index: u64) -> f64 {
    let uniform = |index| ((mix(seed, index) >> 11) as f64 + 0.5) * 0.5_f64.powi(53);
    (-2.0 * uniform(2 * index).ln()).sqrt() * (TAU * uniform(2 * index + 1)).cos()
}

#[test]
fn two_temperatures_have_the_slope_between_them() {
    let slope = |loss: fn(f64) -> f64, nbeta: f64| {
        let ladder = fit(rungs(loss, [1.5 * nbeta, nbeta], 0.0));
        assert_eq!(
            (ladder.law, ladder.multiplicity),
            (TemperatureLaw::Regular, None)
        );
        let [(pair, error)] = ladder.pairwise()[..] else {
            panic!("{ladder}")
        };
        assert!((pair - ladder.learning_coefficient).abs() < 1e-12);
        assert_eq!((error, ladder.standard_error), (0.0, 0.0));
        pair
    };
    let exact = [
        (1e2, 0.330061),
        (1e3, 0.377423),
        (1e4, 0.404238),
        (1e6, 0.433449),
    ];
    for (nbeta, exact) in exact {
        assert!((slope(crossing, nbeta) - exact).abs() < 1e-6, "{nbeta}");
    }
    for (nbeta, exact) in [(1e2, 0.4917710), (1e3, 0.4991677)] {
        assert!((slope(regular, nbeta) - exact).abs() < 1e-7, "{nbeta}");
    }
}

#[test]
fn the_second_law_finds_a_multiplicity_of_two_exactly() {
    for first in [1e2, 1e6] {
        let ladder = fit(rungs(crossing, octaves(first), 0.0));
        assert_eq!(
            (ladder.law, ladder.multiplicity),
            (TemperatureLaw::Double, Some(2.0))
        );
        assert!((ladder.learning_coefficient - 0.5).abs() < 1e-9, "{ladder}");
        assert!((ladder.offset.unwrap() - EULER - 2.0 * LN_2).abs() < 1e-6);
        assert!(ladder.loss_at_minimum.abs() < 1e-12 && ladder.standard_error < 1e-9);
    }
}

#[test]
fn the_criterion_chooses_by_what_the_errors_allow() {
    let ladder = fit(rungs(crossing, octaves(1e2), 0.01));
    assert_eq!(ladder.law, TemperatureLaw::Double);
    assert!((ladder.standard_error - 0.011374).abs() < 1e-6);
    let exact = [
        (TemperatureLaw::Regular, 47.42828),
        (TemperatureLaw::Double, 18.0),
        (TemperatureLaw::Free, 48.0),
    ];
    for ((law, aicc), (exact_law, exact)) in ladder.aicc.iter().zip(exact) {
        assert!(*law == exact_law && (aicc - exact).abs() < 1e-4, "{ladder}");
    }
    // With these errors nothing forces a multiplicity.
    let ladder = fit(rungs(crossing, octaves(1e6), 0.01));
    assert_eq!(ladder.multiplicity, Some(1.0));
    let ladder = fit(rungs(regular, octaves(1e2), 0.01));
    assert_eq!(
        (ladder.law, ladder.multiplicity),
        (TemperatureLaw::Regular, Some(1.0))
    );
    assert!((ladder.learning_coefficient - 0.497272).abs() < 1e-6);
    assert!((ladder.standard_error - 0.002829).abs() < 1e-6 && ladder.offset.is_none());
}

#[test]
fn a_free_multiplicity_is_found_if_rungs_suffice() {
    // λ = 2 and m = 3.
    let loss = |nbeta: f64| 0.25 + (2.0 - 2.0 / (nbeta.ln() + 1.5)) / nbeta;
    let more = octaves(1e2).into_iter().chain(octaves(1e4));
    let ladder = fit(rungs(loss, more, 1e-5));
    assert_eq!(ladder.law, TemperatureLaw::Free, "{ladder}");
    assert!((ladder.learning_coefficient - 2.0).abs() < 1e-5, "{ladder}");
    assert!(
        (ladder.multiplicity.unwrap() - 3.0).abs() < 1e-4,
        "{ladder}"
    );
    assert!((ladder.offset.unwrap() - 1.5).abs() < 1e-3, "{ladder}");
    assert!((ladder.loss_at_minimum - 0.25).abs() < 1e-9, "{ladder}");
}

#[test]
fn standard_errors_are_those_of_repeated_fits() {
    let mut squares = 0.0;
    for seed in 0..200 {
        let rung = |(index, inverse_temperature): (u64, f64)| TemperatureRung {
            inverse_temperature,
            mean_loss: 30.0 + 1.5 / inverse_temperature + 0.1 * normal(seed, index),
            standard_error: 0.1,
            ess: 1e3,
        };
        let ladder = fit((0..).zip([0.25, 0.5, 1.0]).map(rung).collect());
        assert!(ladder.multiplicity.is_none() && ladder.aicc.is_empty());
        squares += ((ladder.learning_coefficient - 1.5) / ladder.standard_error).powi(2);
    }
    assert!((squares / 200.0 - 1.022).abs() < 1e-3, "{squares}");
}

#[test]
fn the_order_of_rungs_does_not_matter() {
    let ascending = rungs(crossing, octaves(1e2), 0.01);
    let mut other = ascending.clone();
    other.rotate_left(2);
    assert_eq!(fit(other), fit(ascending));
}

#[test]
fn what_is_wrong_is_said() {
    let fit = |rungs: Vec<TemperatureRung>| {
        let ladder = TemperatureLadder::fit(NUM_EXAMPLES, rungs);
        ladder.unwrap_err()
    };
    let (found, needed) = (1, 2);
    let few = PosteriorError::TooFewTemperatures { found, needed };
    assert_eq!(fit(rungs(regular, [1e2], 0.0)), few);
    let twice = fit(rungs(regular, [1e2, 1e3, 1e2], 0.0)).to_string();
    assert!(twice.contains("once"), "{twice}");
    let mut mixed = rungs(regular, [1e2, 1e3], 0.1);
    mixed[0].standard_error = 0.0;
    let mixed = fit(mixed).to_string();
    assert!(mixed.contains("zero for all"), "{mixed}");
    let negative = fit(rungs(regular, [1e2, -1e3], 0.0)).to_string();
    assert!(negative.contains("inverse_temperature"), "{negative}");
    let infinite = fit(rungs(|_| f64::INFINITY, [1e2, 1e3], 0.0)).to_string();
    assert!(infinite.contains("mean loss 0"), "{infinite}");
    let config = |list: &[f64]| {
        TemperatureLadderConfig::new(PosteriorConfig::new(NUM_EXAMPLES), list.to_vec())
    };
    assert_eq!(config(&[1.0]).run_on(&Bowl).unwrap_err(), few);
    assert!(config(&[1.0, 0.5, 1.0]).run_on(&Bowl).is_err());
    assert!(config(&[1.0, 0.0]).run_on(&Bowl).is_err());
}

/// `L = 3 + ½ |w|²` in two dimensions.
#[derive(Clone)]
struct Bowl;

impl Potential for Bowl {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![0.0; 2])
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        Ok((3.0 + 0.5 * at.dot(at)?, at.clone()))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(1.0)
    }
}

#[test]
fn the_rungs_of_a_run_are_those_of_its_posteriors() {
    let posterior = PosteriorConfig::new(NUM_EXAMPLES)
        .with_num_chains(2)
        .with_burn_in(200)
        .with_num_draws(500)
        .with_seed(4);
    let config = TemperatureLadderConfig::new(posterior.clone(), vec![1.0, 0.25]);
    let ladder = config.run_on(&Bowl).unwrap();
    // Slope of n / (nβ + 1) over 1/β.
    let exact = (1000.0 / 251.0 - 1000.0 / 1001.0) / 3.0;
    assert!((ladder.learning_coefficient - exact).abs() < 4.0 * ladder.standard_error);
    assert!((ladder.loss_at_minimum - 3.0).abs() < 4e-3);
    assert!(ladder.completed && ladder.config == Some(config.clone()));
    // The second in the list is the first by temperature.
    let single = posterior
        .with_inverse_temperature(0.25)
        .with_sharpness(Some(1.0))
        .with_seed(mix(4, 1));
    let single = single.run_on(&Bowl).unwrap();
    assert_eq!(ladder.rungs[0].mean_loss, 1000.0 * single.mean_loss());
    assert_eq!(config.run_on(&Bowl).unwrap(), ladder);
}

#[test]
fn a_ladder_prints_and_is_a_table() {
    let ladder = fit(rungs(crossing, octaves(1e2), 0.01));
    let text = ladder.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 8, "{text}");
    let start = "learning coefficient 0.500 ± 0.011 (standard error) from 6 temperatures";
    assert!(lines[0].starts_with(start), "{text}");
    let law = "multiplicity 2 by AICc: multiplicity 1 47.43, multiplicity 2 18, ";
    assert!(lines[1].contains(law), "{text}");
    let mut table = Vec::new();
    ladder.write_csv(&mut table).unwrap();
    assert_eq!(String::from_utf8(table).unwrap().lines().count(), 7);
}
