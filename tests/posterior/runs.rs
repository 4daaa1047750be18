//! The same bits from a run that is stopped and resumed, from any number of threads, and from the same seed.

use burnscape::Json;
use burnscape::posterior::{
    LearningCoefficientConfig, Posterior, PosteriorConfig, PosteriorError, PosteriorRecord, Sampler,
};

use super::potentials::{Crossing, Stopping, Well, at, bits};

const BURN_IN: usize = 30;
const DRAWS: usize = 40;

/// Every sampler over all data, and over batches where it takes them.
fn configs() -> Vec<PosteriorConfig> {
    let config = at(100.0)
        .with_num_chains(3)
        .with_burn_in(BURN_IN)
        .with_num_draws(DRAWS);
    let given = Sampler::Mala {
        acceptance: 0.9,
        step: Some(5e-3),
    };
    let mut configs: Vec<_> = [Sampler::mala(), given]
        .map(|sampler| config.clone().with_sampler(sampler))
        .to_vec();
    for sampler in [
        Sampler::langevin(),
        Sampler::rmsprop_langevin(),
        Sampler::nose_hoover(),
    ] {
        for batches in [None, Some(1), Some(3)] {
            let config = config.clone().with_sampler(sampler);
            configs.push(config.with_batches_per_step(batches));
        }
    }
    configs
}

fn well() -> Well {
    Well::new(vec![1.0, 0.3, 2.0])
        .with_start(0.01)
        .with_noise(0.2, 0.1)
}

#[track_caller]
fn assert_same(found: &Posterior, expected: &Posterior) {
    assert_eq!(bits(found), bits(expected));
    assert_eq!(found.steps, expected.steps);
    assert_eq!(found.acceptance, expected.acceptance);
    assert_eq!(found.num_not_finite, expected.num_not_finite);
    assert_eq!(found.cost, expected.cost);
    assert_eq!(found.completed, expected.completed);
}

#[test]
fn a_run_that_is_stopped_anywhere_resumes_to_the_bit() {
    let total = BURN_IN + DRAWS;
    for config in configs() {
        let whole = config.run_on(&well()).unwrap();
        assert!(whole.completed);
        // In burn-in, at its end, among the draws, and after the last iteration.
        for last in [1, BURN_IN / 2, BURN_IN, BURN_IN + 5, total - 1, total] {
            let stopped = config.run_on(&Stopping::new(well(), last)).unwrap();
            assert_eq!(stopped.completed, last == total, "{last}");
            let draws = last.saturating_sub(BURN_IN);
            assert!(stopped.rises.iter().all(|chain| chain.len() == draws));
            for (chain, own) in stopped.rises.iter().zip(&whole.rises) {
                assert_eq!(chain[..], own[..draws]);
            }
            let record = stopped.record().clone();
            let resumed = config.resume_on(&well(), record.clone()).unwrap();
            assert_same(&resumed, &whole);
            assert_eq!(resumed.record(), whole.record());
            // A record keeps its bits in text, too.
            let text = record.to_json().unwrap();
            let read = PosteriorRecord::from_json(&text).unwrap();
            assert_eq!(read, record);
            assert_same(&config.resume_on(&well(), read).unwrap(), &whole);
        }
    }
}

#[test]
fn a_run_may_be_stopped_again_and_again_and_draws_may_be_added() {
    for config in configs() {
        let whole = config.run_on(&well()).unwrap();
        let mut record = None;
        let mut runs = 0;
        let found = loop {
            let stopping = Stopping::new(well(), 11);
            let found = match record {
                None => config.run_on(&stopping).unwrap(),
                Some(record) => config.resume_on(&stopping, record).unwrap(),
            };
            runs += 1;
            if found.completed {
                break found;
            }
            record = Some(found.record().clone());
        };
        assert_eq!(runs, (BURN_IN + DRAWS).div_ceil(11));
        assert_same(&found, &whole);
        let more = config.clone().with_num_draws(2 * DRAWS);
        let longer = more.resume_on(&well(), found.record().clone()).unwrap();
        assert_same(&longer, &more.run_on(&well()).unwrap());
        // A run that is complete has nothing left to do.
        let again = config.resume_on(&well(), found.record().clone()).unwrap();
        assert_same(&again, &whole);
    }
}

#[test]
fn threads_change_no_bit() {
    for config in configs() {
        let one = config.run_on(&well()).unwrap();
        for threads in [2, 3, 8] {
            let several = config.clone().with_num_threads(threads);
            assert_same(&several.run_on(&well()).unwrap(), &one);
            // Chains that are stopped at different places.
            let stopping = Stopping::new(well(), 25);
            let stopped = several.run_on(&stopping).unwrap();
            assert_eq!(stopping.num_reports(), 25);
            let record = stopped.record().clone();
            let resumed = config.resume_on(&well(), record).unwrap();
            assert_same(&resumed, &one);
        }
    }
}

#[test]
fn seeds_and_chains_differ_and_the_same_seed_does_not() {
    for config in configs() {
        let one = config.run_on(&well()).unwrap();
        assert_same(&config.run_on(&well()).unwrap(), &one);
        let other = config.clone().with_seed(1).run_on(&well()).unwrap();
        assert_ne!(bits(&one), bits(&other));
        let chains = bits(&one);
        assert!(chains[0] != chains[1] && chains[1] != chains[2]);
        // A chain does not depend on those beside it, nor on the draws to come.
        let alone = config.with_num_chains(1).with_num_draws(DRAWS / 2);
        let alone = bits(&alone.run_on(&well()).unwrap());
        assert_eq!(alone[0][..], chains[0][..DRAWS / 2]);
    }
}

#[test]
fn errors_of_threads_are_those_of_one() {
    // Langevin chains that walk through the wall of the box.
    let config = at(100.0)
        .with_localizer(0.0)
        .with_sampler(Sampler::Langevin { step: Some(0.01) })
        .with_num_chains(5)
        .with_burn_in(0)
        .with_num_draws(5000);
    let run = |threads| {
        let config = config.clone().with_num_threads(threads);
        config.run_on(&Crossing(vec![1, 1])).unwrap_err()
    };
    let one = run(1);
    assert!(matches!(one, PosteriorError::Diverged { .. }));
    assert_eq!((run(2), run(5)), (one.clone(), one));
}

#[test]
fn records_of_other_runs_are_refused() {
    let config = at(100.0)
        .with_num_chains(2)
        .with_burn_in(20)
        .with_num_draws(10);
    let well = Well::new(vec![1.0, 0.5]);
    let posterior = config.run_on(&well).unwrap();
    let record = || posterior.record().clone();
    let refused = |config: &PosteriorConfig, well: &Well, record| {
        let error = config.resume_on(well, record).unwrap_err();
        assert!(matches!(error, PosteriorError::Record { .. }), "{error}");
        error.to_string()
    };
    let settings = [
        (config.clone().with_inverse_temperature(0.3), "temperature"),
        (config.clone().with_localizer(0.5), "`localizer`"),
        (config.clone().with_seed(4), "`seed`"),
        (config.clone().with_burn_in(19), "`burn_in`"),
        (config.clone().with_num_chains(3), "`num_chains`"),
        (
            config.clone().with_sampler(Sampler::langevin()),
            "`sampler`",
        ),
        (config.clone().with_num_draws(9), "ask for 10 or more"),
    ];
    for (other, part) in settings {
        let text = refused(&other, &well, record());
        assert!(text.contains(part), "{text}");
    }
    let text = refused(&config, &Well::new(vec![1.0; 3]), record());
    assert!(text.contains("2 parameters and the model 3"), "{text}");
    let text = refused(&config, &well.clone().with_floor(2.0), record());
    assert!(text.contains("its loss at the start is 0"), "{text}");
    let batches = config.clone().with_sampler(Sampler::langevin());
    let batches = batches.with_batches_per_step(Some(1));
    let noisy = well.clone().with_noise(0.2, 0.1);
    let of_batches = batches.run_on(&noisy).unwrap().record().clone();
    let text = refused(&batches, &well, of_batches);
    assert!(text.contains("other batches"), "{text}");
    let text = refused(&config, &well, PosteriorRecord::default());
    assert!(text.contains("it is empty"), "{text}");
    // A posterior is stored without its record.
    let read = Posterior::from_json(&posterior.to_json().unwrap()).unwrap();
    assert_eq!(read.record(), &PosteriorRecord::default());
}

#[test]
fn a_coefficient_continues_from_the_record_of_its_posterior() {
    let posterior = at(100.0).with_burn_in(30).with_num_draws(60);
    let posterior = posterior.with_sampler(Sampler::langevin());
    let config = LearningCoefficientConfig::new(posterior);
    let well = Well::new(vec![1.0; 4]);
    let whole = config.run_on(&well).unwrap();
    assert!(whole.completed && whole.half_step.is_some() && whole.half_localizer.is_some());
    let stopped = config.run_on(&Stopping::new(well.clone(), 50)).unwrap();
    assert!(!stopped.completed && stopped.coefficient.is_none());
    let record = stopped.posterior.unwrap().record().clone();
    let resumed = config.resume_on(&well, record).unwrap();
    assert_eq!(resumed.estimate, whole.estimate);
    assert_eq!(resumed.half_step, whole.half_step);
    assert_eq!(resumed.half_localizer, whole.half_localizer);
    assert_eq!(resumed.to_string(), whole.to_string());
}

#[test]
fn a_run_that_is_stopped_early_has_no_diagnostics_and_no_coefficient() {
    let config = at(100.0).with_burn_in(30).with_num_draws(60);
    let well = Well::new(vec![1.0; 4]);
    for (last, found) in [(10, 0), (37, 7)] {
        let stopped = config.run_on(&Stopping::new(well.clone(), last)).unwrap();
        let error = PosteriorError::TooFewDraws { found, needed: 8 };
        assert_eq!(stopped.diagnostics(), Err(error));
        assert_eq!(stopped.share_below().is_none(), found == 0);
        let coefficient = LearningCoefficientConfig::new(config.clone());
        let error = coefficient.run_on(&Stopping::new(well.clone(), last));
        assert_eq!(error.unwrap_err(), PosteriorError::Stopped);
    }
    let enough = config.run_on(&Stopping::new(well, 38)).unwrap();
    assert_eq!(enough.diagnostics().unwrap().num_draws, 8);
}
