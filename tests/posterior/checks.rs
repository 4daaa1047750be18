//! What a number that is none looks like, and that it is found out.

use burnscape::posterior::{
    Finding, LearningCoefficient, LearningCoefficientConfig, PosteriorConfig, PosteriorError,
    Sampler, Thresholds,
};

use super::potentials::{ReducedRank, Well, at};

/// Without the check of the localizer.
fn coefficient(posterior: PosteriorConfig) -> LearningCoefficientConfig {
    LearningCoefficientConfig::new(posterior).with_localizer_check(false)
}

fn is_biased(finding: &Finding) -> bool {
    matches!(finding, Finding::BiasedStep { .. })
}

fn is_short(finding: &Finding) -> bool {
    matches!(finding, Finding::ChainsTooShort { .. })
}

fn has(found: &LearningCoefficient, is: fn(&Finding) -> bool) -> bool {
    found.findings.iter().any(is)
}

#[test]
fn a_bias_of_a_sixth_shows_in_half_of_the_step_and_not_in_r_hat() {
    let well = Well::new(vec![1.0; 50]);
    let exact = well.exact(100.0, 10.0);
    // ε a = 0.55: a factor of 1 / (1 − 0.1375), and of 1 / (1 − 0.06875) with half of it.
    let step = Some(0.55 / 110.0);
    for seed in 0..3 {
        let posterior = at(100.0)
            .with_localizer(10.0)
            .with_sampler(Sampler::Langevin { step })
            .with_burn_in(50)
            .with_num_draws(1500)
            .with_seed(seed);
        let found = coefficient(posterior).run_on(&well).unwrap();
        assert!(found.diagnostics.rank_rhat < 1.01, "{found}");
        assert!(found.estimate > 1.12 * exact, "{found}");
        assert!(has(&found, is_biased), "{found}");
        let (at_half, error) = found.half_step.unwrap();
        let expected = exact / (1.0 - 0.06875);
        assert!((at_half - expected).abs() < 4.0 * error, "{found}");
        // Half of the bias is of second order.
        let extrapolated = found.extrapolated.unwrap();
        assert!((extrapolated / exact - 1.0).abs() < 0.08, "{found}");
        let text = found.to_string();
        let warning = "\nwarning: the step biases the number";
        assert!(text.contains(warning), "{text}");
    }
}

#[test]
fn langevin_steps_on_reduced_rank_regression_are_flagged() {
    // Ten copies, whose coefficients add up to 13.56.
    let network = ReducedRank::new([2, 2, 2], 10);
    let step = Some(4e-3);
    for seed in 0..3 {
        let posterior = at(100.0)
            .with_sampler(Sampler::Langevin { step })
            .with_burn_in(500)
            .with_num_draws(4000)
            .with_seed(seed);
        let found = coefficient(posterior).run_on(&network).unwrap();
        assert!(found.estimate > 1.1 * 13.56324, "{found}");
        assert!(has(&found, is_biased), "{found}");
    }
}

#[test]
fn an_exact_sampler_has_no_step_to_check() {
    let well = Well::new(vec![1.0; 10]);
    let posterior = at(100.0).with_burn_in(100).with_num_draws(200);
    let found = coefficient(posterior).run_on(&well).unwrap();
    assert_eq!((found.half_step, found.extrapolated), (None, None));
    assert!(!has(&found, is_biased) && found.coefficient == Some(found.estimate));
}

#[test]
fn a_thousand_draws_from_a_cold_start_are_too_short() {
    // The exact number is 1.4418; chains that start at zero have not left it.
    let step = Some(1e-4);
    for seed in 0..3 {
        let posterior = at(1000.0)
            .with_sampler(Sampler::Langevin { step })
            .with_burn_in(0)
            .with_num_draws(1000)
            .with_seed(seed);
        let config = coefficient(posterior).with_step_check(false);
        let found = config.run_on(&ReducedRank::new([2, 2, 2], 1)).unwrap();
        assert!(has(&found, is_short), "{found}");
        assert!(found.diagnostics.ess < Thresholds::new().min_ess, "{found}");
        assert!(found.to_string().contains("less than 1000"), "{found}");
    }
}

#[test]
fn a_cold_start_shows_between_thirds_where_there_are_draws_enough() {
    let well = Well::new(vec![1.0; 20]);
    let posterior = at(100.0)
        .with_sampler(Sampler::Langevin {
            step: Some(0.4 / 101.0),
        })
        .with_num_chains(160)
        .with_num_draws(60);
    for seed in 0..3 {
        let posterior = posterior.clone().with_seed(seed);
        let run = |burn_in| {
            let posterior = posterior.clone().with_burn_in(burn_in);
            let config = coefficient(posterior).with_step_check(false);
            config.run_on(&well).unwrap()
        };
        let cold = run(0);
        assert!(cold.diagnostics.ess > 1000.0, "{cold}");
        assert!(cold.diagnostics.drift > 4.0, "{cold}");
        assert!(has(&cold, is_short), "{cold}");
        let warm = run(60);
        assert!(warm.diagnostics.drift.abs() < 4.0, "{warm}");
        assert!(warm.estimate > cold.estimate);
    }
}

#[test]
fn a_number_that_the_localizer_makes_is_found_by_half_of_it() {
    // Far below γ the estimate is proportional to 1/γ: ½/11 for each direction, and ½/6.
    let well = Well::new(vec![1.0; Well::MOST]);
    for seed in 0..3 {
        let posterior = at(1.0).with_localizer(10.0).with_seed(seed);
        let posterior = posterior.with_burn_in(300).with_num_draws(700);
        let found = LearningCoefficientConfig::new(posterior);
        let found = found.run_on(&well).unwrap();
        let (at_half, error) = found.half_localizer.unwrap();
        let exact = well.exact(1.0, 5.0);
        assert!((at_half - exact).abs() < 4.0 * error, "{found}");
        let is_localizer = |it: &Finding| matches!(it, Finding::LocalizerDominated { .. });
        assert!(has(&found, is_localizer), "{found}");
        // A warning: the number stays.
        assert!(!found.is_refused() && found.coefficient.is_some());
    }
}

#[test]
fn a_base_loss_of_zero_is_a_value_and_any_other_constant_cancels() {
    let config = at(100.0).with_burn_in(100).with_num_draws(300);
    let run = |floor: f64| {
        let well = Well::new(vec![1.0; 10]).with_floor(floor);
        config.run_on(&well).unwrap()
    };
    let zero = run(0.0);
    assert_eq!((zero.base_loss, zero.base_gradient_norm), (0.0, 0.0));
    assert_eq!(zero.nbeta_rise(), zero.config.nbeta() * zero.mean_loss());
    assert_eq!(zero.share_below(), Some(0.0));
    for floor in [5.0, -0.5, 1e6] {
        let other = run(floor);
        assert_eq!(other.base_loss, floor);
        let difference = (other.nbeta_rise() / zero.nbeta_rise() - 1.0).abs();
        assert!(difference < 1e-7, "{floor}: {difference}");
        // Rounding of the loss is no loss below.
        assert_eq!(other.share_below(), Some(0.0));
    }
    let minimum = coefficient(config).run_on(&Well::new(vec![1.0; 10]).with_floor(1e6));
    assert!(!minimum.unwrap().is_refused());
}

#[test]
fn proposals_too_long_to_accept_leave_chains_stuck() {
    let sampler = Sampler::Mala {
        acceptance: 0.9,
        step: Some(1e4),
    };
    let config = at(100.0).with_sampler(sampler).with_num_draws(50);
    let error = config
        .with_burn_in(0)
        .run_on(&Well::new(vec![1.0; 10]))
        .unwrap_err();
    let (chain, draws, step) = (0, 50, 1e4);
    assert_eq!(error, PosteriorError::Stuck { chain, draws, step });
    assert!(error.to_string().contains("smaller step"), "{error}");
}

#[test]
fn one_chain_is_a_number_with_a_warning() {
    let posterior = at(100.0).with_num_chains(1).with_num_draws(500);
    let posterior = posterior.with_burn_in(100);
    let found = coefficient(posterior).run_on(&Well::new(vec![1.0; 10]));
    let found = found.unwrap();
    assert!(found.findings.contains(&Finding::SingleChain), "{found}");
    assert_eq!(found.diagnostics.plain_rhat, None);
    assert!(found.coefficient.is_some());
}

#[test]
fn the_criterion_is_n_times_the_mean_loss_at_its_temperature_only() {
    let well = Well::new(vec![1.0; 10]).with_floor(0.25);
    let usual = PosteriorConfig::new(1000)
        .with_burn_in(100)
        .with_num_draws(300);
    let found = usual.run_on(&well).unwrap();
    let wbic = found.wbic().unwrap();
    assert!((wbic / (1000.0 * found.mean_loss()) - 1.0).abs() < 1e-14);
    // n L₀ + λ ln n.
    let exact = 250.0 + well.exact(found.config.nbeta(), 1.0) * 1000.0_f64.ln();
    let error = found.diagnostics().unwrap().standard_error;
    assert!((wbic - exact).abs() < 4000.0 * error, "{wbic} {exact}");
    let other = usual.with_inverse_temperature(0.2).run_on(&well).unwrap();
    assert_eq!(other.wbic(), None);
}
