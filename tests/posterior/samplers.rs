//! Samplers against closed forms: acceptance, bias, correlation of draws, and the thermostat.

use std::f64::consts::PI;

use burnscape::posterior::{PosteriorConfig, Sampler};

use super::potentials::{Well, assert_mean, at, estimate};

/// A single direction of curvature 1, without a localizer.
fn normal(sampler: Sampler) -> PosteriorConfig {
    at(1.0)
        .with_localizer(0.0)
        .with_sampler(sampler)
        .with_burn_in(50)
        .with_num_draws(2500)
}

fn mala(step: f64) -> Sampler {
    Sampler::Mala {
        acceptance: 0.9,
        step: Some(step),
    }
}

/// How often a proposal is accepted at a standard normal posterior: twice the probability that it is shorter than the
/// point, whose differences with it and sums with it are normal with a known correlation.
fn acceptance(step: f64) -> f64 {
    let square = 0.25 * step * step;
    let correlation = -square / ((step + square) * (4.0 - step + square)).sqrt();
    1.0 + 2.0 / PI * correlation.asin()
}

#[test]
fn proposals_are_accepted_as_often_as_the_closed_form_says_and_the_target_is_exact() {
    let table = [(0.1, 0.9975), (0.5, 0.9719), (1.0, 0.9209), (2.0, 0.7833)];
    let well = Well::new(vec![1.0]);
    for (step, simulated) in table {
        let exact = acceptance(step);
        // The table is a simulation of two million proposals.
        assert!((exact - simulated).abs() < 5e-4, "{exact}");
        for seed in 0..3 {
            let config = normal(mala(step)).with_seed(seed);
            let posterior = config.run_on(&well).unwrap();
            let rates = posterior.acceptance.as_ref().unwrap();
            let rate = rates.iter().sum::<f64>() / 4.0;
            // Successive proposals are almost independent: 1.2 is the largest ratio of variances at these steps.
            let error = (1.2 * exact * (1.0 - exact) / 10_000.0).sqrt();
            assert!((rate - exact).abs() < 4.0 * error, "{step}: {rate} {exact}");
            // Without the correction it would be ½ / (1 − ε/4).
            assert_mean(&posterior, 0.5);
        }
    }
}

#[test]
fn burn_in_tunes_the_step_to_the_acceptance_that_is_asked_for() {
    let well = Well::new(vec![1.0; Well::MOST]);
    let exact = well.exact(100.0, 1.0);
    // Four standard deviations over chains of this length.
    for (target, spread) in [(0.574, 0.16), (0.9, 0.055)] {
        for seed in 0..3 {
            let sampler = Sampler::Mala {
                acceptance: target,
                step: None,
            };
            let config = at(100.0).with_sampler(sampler).with_seed(seed);
            let config = config.with_burn_in(600).with_num_draws(700);
            let posterior = config.run_on(&well).unwrap();
            for rate in posterior.acceptance.as_ref().unwrap() {
                assert!((rate - target).abs() < spread, "{rate} for {target}");
            }
            assert!(posterior.steps.iter().all(|step| step * 101.0 < 4.0));
            assert_mean(&posterior, exact);
        }
    }
}

#[test]
fn chains_without_burn_in_take_the_step_of_the_curvature() {
    let well = Well::new(vec![1.0, 0.25]);
    let config = at(100.0).with_burn_in(0).with_num_draws(20);
    let posterior = config.run_on(&well).unwrap();
    let is_first = |step: &f64| (step * 101.0 - 1.0).abs() < 1e-12;
    assert!(posterior.steps.len() == 4 && posterior.steps.iter().all(is_first));
    assert_eq!(posterior.sharpness, Some(1.0));
}

#[test]
fn a_thermostat_that_moves_its_momentum_has_the_temperature_of_the_posterior() {
    let well = Well::new(vec![1.0; 20]);
    let sampler = Sampler::NoseHoover {
        step: Some(1e-3),
        diffusion: 0.01,
    };
    for seed in 0..3 {
        let config = at(100.0)
            .with_localizer(0.0)
            .with_sampler(sampler)
            .with_burn_in(500)
            .with_num_draws(6000)
            .with_seed(seed);
        let found = config.run_on(&well).unwrap().nbeta_rise();
        // A momentum that is only noise has the temperature 2A: 0.2051282.
        assert!((found / 10.0 - 1.0).abs() < 0.01, "{found}");
    }
}

#[test]
fn a_frozen_preconditioner_has_the_bias_of_its_steps_and_no_other() {
    const COPIES: usize = 10;
    let curvatures = [4.0, 1.0, 0.25];
    let well = Well::new(curvatures.repeat(COPIES));
    let (damping, step) = (0.1, 4.988e-4);
    let sampler = Sampler::RmspropLangevin {
        step: Some(step),
        decay: 0.99,
        damping,
    };
    // The squares of gradients have the means h²/a. One times nβ would make the steps a hundred times shorter.
    let of_one = |h: f64| {
        let a = 100.0 * h + 1.0;
        let scale = 1.0 / (damping + h / a.sqrt());
        50.0 * h / a / (1.0 - 0.25 * step * scale * a)
    };
    let exact = COPIES as f64 * curvatures.map(of_one).iter().sum::<f64>();
    assert!((exact - 16.19).abs() < 0.01, "{exact}");
    for seed in 0..3 {
        let config = at(100.0).with_sampler(sampler).with_burn_in(300);
        let config = config.with_num_draws(1500).with_seed(seed);
        let posterior = config.run_on(&well).unwrap();
        assert_mean(&posterior, exact);
        let (found, error) = estimate(&posterior);
        assert!(found > well.exact(100.0, 1.0) + 4.0 * error, "{found}");
    }
}

#[test]
fn default_steps_of_inexact_samplers_have_a_small_bias() {
    let well = Well::new(vec![1.0; Well::MOST]);
    let exact = well.exact(100.0, 1.0);
    for sampler in [
        Sampler::langevin(),
        Sampler::rmsprop_langevin(),
        Sampler::nose_hoover(),
    ] {
        let config = at(100.0).with_sampler(sampler).with_burn_in(500);
        let posterior = config.run_on(&well).unwrap();
        let (found, error) = estimate(&posterior);
        // At most 1 % too high, the thermostat half a percent too low.
        let range = 0.99 * exact - 4.0 * error..1.011 * exact + 4.0 * error;
        assert!(range.contains(&found), "{sampler}: {found} ± {error}");
        assert!(error < 0.08 * exact, "{sampler}: {error}");
    }
}

#[test]
fn losses_of_a_langevin_chain_are_correlated_as_its_step_says() {
    // φ = 1 − ε a/2 = 0.8, and (1 + φ²) / (1 − φ²) for squares.
    let sampler = Sampler::Langevin { step: Some(0.4) };
    for seed in 0..3 {
        let config = normal(sampler).with_num_chains(8).with_seed(seed);
        let found = config.run_on(&Well::new(vec![1.0])).unwrap();
        let time = 20_000.0 / found.diagnostics().unwrap().ess;
        // Four standard deviations over seeds.
        assert!((time - 4.5555556).abs() < 4.0 * 0.28, "{time}");
        assert_mean(&found, 0.5 / 0.9);
    }
}
