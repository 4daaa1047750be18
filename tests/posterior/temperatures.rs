//! Learning coefficients from sampled temperatures.

use burnscape::posterior::{
    PosteriorConfig, PosteriorError, Sampler, TemperatureLadder, TemperatureLadderConfig,
    TemperatureLaw,
};

use super::potentials::{Crossing, Stopping, Well, at};

#[track_caller]
fn assert_slope(ladder: &TemperatureLadder, exact: f64) {
    let (found, error) = (ladder.learning_coefficient, ladder.standard_error);
    assert!(
        (found - exact).abs() < 4.0 * error,
        "{found} ± {error}, exactly {exact}"
    );
    // So that the number is told from its limit.
    assert!(error < 0.12 * exact, "{error}");
}

#[test]
fn two_temperatures_have_the_slope_between_them() {
    let sampler = Sampler::Mala {
        acceptance: 0.9,
        step: Some(0.02),
    };
    for seed in 0..3 {
        let posterior = PosteriorConfig::new(1000)
            .with_localizer(0.0)
            .with_sampler(sampler)
            .with_burn_in(300)
            .with_num_draws(4000)
            .with_seed(seed);
        let config = TemperatureLadderConfig::new(posterior, vec![0.1, 0.15]);
        let ladder = config.run_on(&Crossing(vec![1, 1])).unwrap();
        // The limit is ½.
        assert_slope(&ladder, 0.330061);
        assert_eq!(
            (ladder.law, ladder.multiplicity),
            (TemperatureLaw::Regular, None)
        );
        assert_eq!(ladder.rungs.len(), 2);
    }
}

#[test]
fn the_loss_of_the_minimum_is_not_needed() {
    // Far from its minimum, which the estimate from one temperature would take for one.
    let well = Well::new(vec![1.0; Well::MOST])
        .with_start(0.05)
        .with_floor(3.0);
    for seed in 0..3 {
        let posterior = at(1.0).with_burn_in(300).with_num_draws(1000);
        let posterior = posterior.with_seed(seed);
        let config = TemperatureLadderConfig::new(posterior, vec![0.1, 0.15]);
        let ladder = config.run_on(&well).unwrap();
        // 0.4917710 for each direction, and what the localizer pulls from the minimum: ½ n (γ w₀ / (nβ + γ))².
        let shift = |nbeta: f64| 500.0 * (0.05 / (nbeta + 1.0_f64)).powi(2);
        let between = 1.0 / 0.1 - 1.0 / 0.15;
        let exact = 0.4917710 + (shift(100.0) - shift(150.0)) / between;
        assert_slope(&ladder, Well::MOST as f64 * exact);
        // Of n losses of 3 and more, those that the slope does not explain.
        assert!((ladder.loss_at_minimum - 3.0).abs() < 0.02, "{ladder}");
    }
}

#[test]
fn a_ladder_that_is_stopped_has_the_temperatures_that_are_complete() {
    let well = Well::new(vec![1.0, 0.5]);
    let posterior = at(1.0).with_burn_in(50).with_num_draws(50);
    let config = TemperatureLadderConfig::new(posterior.clone(), vec![0.05, 0.1, 0.2]);
    let whole = config.run_on(&well).unwrap();
    assert!(whole.completed && whole.rungs.len() == 3);
    // A hundred reports a temperature.
    let stopped = config.run_on(&Stopping::new(well.clone(), 250)).unwrap();
    assert!(!stopped.completed);
    assert_eq!(stopped.rungs[..], whole.rungs[..2]);
    let early = config.run_on(&Stopping::new(well.clone(), 150));
    assert_eq!(early, Err(PosteriorError::Stopped));
    // The temperature of the posterior itself does not matter.
    let other = posterior.with_inverse_temperature(7.0);
    let other = TemperatureLadderConfig::new(other, vec![0.05, 0.1, 0.2]);
    assert_eq!(other.run_on(&well).unwrap().rungs, whole.rungs);
}
