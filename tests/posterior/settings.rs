//! Every setting changes the result, and nothing but what it is for. A new one does not compile without its name here.

use burnscape::posterior::{
    LearningCoefficient, LearningCoefficientConfig, Posterior, PosteriorConfig, Sampler,
    StagesConfig, Thresholds,
};

use super::potentials::{Well, at, bits};

fn well() -> Well {
    Well::new(vec![1.0, 0.3])
        .with_start(0.02)
        .with_noise(0.2, 0.1)
}

fn base() -> PosteriorConfig {
    at(100.0).with_burn_in(20).with_num_draws(30)
}

fn run(config: &PosteriorConfig) -> Posterior {
    config.run_on(&well()).unwrap()
}

#[test]
fn every_setting_of_a_posterior_changes_the_draws_or_their_number() {
    let langevin = base().with_sampler(Sampler::langevin());
    let changes: [(&str, PosteriorConfig, PosteriorConfig); 8] = [
        (
            "inverse_temperature",
            base(),
            base().with_inverse_temperature(0.2),
        ),
        ("localizer", base(), base().with_localizer(0.5)),
        ("sampler", base(), langevin.clone()),
        ("burn_in", base(), base().with_burn_in(25)),
        (
            "batches_per_step",
            langevin.clone(),
            langevin.clone().with_batches_per_step(Some(2)),
        ),
        ("sharpness", base(), base().with_sharpness(Some(2.0))),
        ("seed", base(), base().with_seed(7)),
        // Without a temperature of its own, n sets it.
        (
            "num_examples",
            PosteriorConfig::new(300).with_num_draws(30),
            PosteriorConfig::new(400).with_num_draws(30),
        ),
    ];
    for (name, one, other) in changes {
        assert_ne!(bits(&run(&one)), bits(&run(&other)), "{name}");
    }
    let all = run(&base());
    let more = run(&base().with_num_chains(5));
    assert_eq!((all.rises.len(), more.rises.len()), (4, 5));
    assert_eq!(bits(&all)[..], bits(&more)[..4]);
    let longer = run(&base().with_num_draws(40));
    assert_eq!(longer.rises[0].len(), 40);
    assert_eq!(longer.rises[0][..30], all.rises[0][..]);
    let threads = run(&base().with_num_threads(2));
    assert_eq!(bits(&threads), bits(&all));
}

#[test]
fn every_setting_of_a_sampler_changes_the_draws() {
    let draws = |sampler: Sampler| bits(&run(&base().with_sampler(sampler)));
    let mala = |acceptance, step| draws(Sampler::Mala { acceptance, step });
    assert_ne!(mala(0.9, None), mala(0.7, None));
    assert_ne!(mala(0.9, Some(1e-3)), mala(0.9, Some(2e-3)));
    // With a step there is nothing to tune.
    assert_eq!(mala(0.9, Some(1e-3)), mala(0.7, Some(1e-3)));
    let langevin = |step| draws(Sampler::Langevin { step });
    assert_ne!(langevin(None), langevin(Some(1e-3)));
    let rmsprop = |step, decay, damping| {
        draws(Sampler::RmspropLangevin {
            step,
            decay,
            damping,
        })
    };
    let usual = rmsprop(None, 0.99, 0.1);
    assert_eq!(usual, draws(Sampler::rmsprop_langevin()));
    assert_ne!(usual, rmsprop(Some(1e-4), 0.99, 0.1));
    assert_ne!(usual, rmsprop(None, 0.9, 0.1));
    assert_ne!(usual, rmsprop(None, 0.99, 0.2));
    let thermostat = |step, diffusion| draws(Sampler::NoseHoover { step, diffusion });
    let usual = thermostat(None, 0.01);
    assert_eq!(usual, draws(Sampler::nose_hoover()));
    assert_ne!(usual, thermostat(Some(1e-3), 0.01));
    assert_ne!(usual, thermostat(None, 0.02));
}

#[test]
fn every_setting_of_a_coefficient_changes_its_checks() {
    let minimum = Well::new(vec![1.0, 0.3]);
    let config =
        LearningCoefficientConfig::new(base().with_sampler(Sampler::langevin()).with_burn_in(30));
    let LearningCoefficientConfig {
        posterior: _,
        thresholds,
        localizer_check,
        step_check,
    } = config.clone();
    assert_eq!(thresholds, Thresholds::default());
    assert!(localizer_check && step_check);
    let run = |config: &LearningCoefficientConfig| config.run_on(&minimum).unwrap();
    let all = run(&config);
    assert!(all.half_localizer.is_some() && all.half_step.is_some());
    let without = run(&config.clone().with_localizer_check(false));
    assert_eq!(
        (without.half_localizer, without.half_step),
        (None, all.half_step)
    );
    let without = run(&config.clone().with_step_check(false));
    assert_eq!(
        (without.half_step, without.half_localizer),
        (None, all.half_localizer)
    );
    assert_eq!(without.estimate, all.estimate);
    assert!(without.cost.num_gradients < all.cost.num_gradients);
    // Without a localizer there is none to halve.
    let mut free = config;
    free.posterior = free.posterior.with_localizer(0.0);
    assert_eq!(run(&free).half_localizer, None);
}

/// A start that is off its minimum, in short chains.
fn judged(thresholds: Thresholds) -> LearningCoefficient {
    let posterior = base().with_localizer(50.0).with_num_draws(100);
    let config = LearningCoefficientConfig::new(posterior).with_thresholds(thresholds);
    let well = Well::new(vec![1.0, 0.3]).with_start(0.3);
    config.run_on(&well).unwrap()
}

#[test]
fn every_threshold_decides_a_finding_and_is_printed_with_it() {
    let usual = Thresholds::new();
    let Thresholds {
        descent_steps,
        descent_share,
        share_below,
        localizer_share,
        standard_errors,
        min_ess,
        max_rhat,
    } = usual.clone();
    assert_eq!(
        (descent_steps, descent_share, share_below),
        (100, 0.1, 0.01)
    );
    assert_eq!((localizer_share, standard_errors), (0.1, 2.0));
    assert_eq!((min_ess, max_rhat), (1000.0, 1.01));
    let refused = judged(usual.clone());
    let text = refused.to_string();
    for part in ["100 steps of descent", "more than 10 %", "1 % are allowed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Any descent and any share is allowed.
    let lax = usual
        .clone()
        .with_descent_share(1e9)
        .with_share_below(1.0)
        .with_min_ess(0.0)
        .with_max_rhat(1e9)
        .with_localizer_share(1e9)
        .with_standard_errors(1e9);
    let found = judged(lax.clone());
    assert!(found.findings.is_empty(), "{found}");
    assert_eq!(found.coefficient, Some(refused.estimate));
    let is_above = usize::from(found.diagnostics.rank_rhat > 1.0);
    for (strict, count) in [
        (lax.clone().with_descent_share(0.1), 1),
        (lax.clone().with_share_below(0.01), 1),
        (lax.clone().with_min_ess(1e9), 1),
        (lax.clone().with_max_rhat(1.0), is_above),
        // Between thirds of the draws.
        (lax.clone().with_standard_errors(1e-9), 1),
        // And for half of the localizer.
        (
            lax.clone()
                .with_standard_errors(1e-9)
                .with_localizer_share(0.0),
            2,
        ),
    ] {
        let findings = judged(strict.clone()).findings;
        assert_eq!(findings.len(), count, "{strict:?}: {findings:?}");
    }
    let short = judged(lax.with_descent_steps(1));
    assert!(short.descent_drop <= found.descent_drop);
    assert_eq!(found.cost.num_gradients, short.cost.num_gradients + 99);
}

#[test]
fn every_setting_of_stages_changes_them() {
    let times: Vec<f64> = (1..=40).map(f64::from).collect();
    let values: Vec<f64> = times
        .iter()
        .map(|t| (t.ln() - 2.0).max(0.0) + 0.1 * (7.0 * t).sin())
        .collect();
    let errors = vec![0.07; 40];
    let usual = StagesConfig::new();
    let StagesConfig {
        max_knots,
        min_points,
        confidence,
        num_refits,
        seed,
    } = usual.clone();
    assert_eq!((max_knots, min_points, num_refits, seed), (5, 3, 200, 0));
    assert_eq!(confidence, 0.95);
    let run = |config: StagesConfig| config.run(&times, &values, &errors).unwrap();
    let stages = run(usual.clone());
    assert_eq!(stages.bic.len(), 6);
    assert!(!stages.knots.is_empty());
    assert!(run(usual.clone().with_max_knots(0)).knots.is_empty());
    let coarse = run(usual.clone().with_min_points(15));
    assert_eq!(coarse.bic.len(), 2);
    let interval = |config: StagesConfig| run(config).stages[0].slope_interval;
    let width = |(low, high): (f64, f64)| high - low;
    let narrow = interval(usual.clone().with_confidence(0.5));
    assert!(width(narrow) < 0.6 * width(stages.stages[0].slope_interval));
    let other = [
        interval(usual.clone().with_num_refits(150)),
        interval(usual.with_seed(1)),
    ];
    for other in other {
        assert_ne!(other, stages.stages[0].slope_interval);
    }
}
