//! Posteriors that cannot be sampled, and what the errors say.

use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{DType, Tensor};
use burnscape::krylov::KrylovFault;
use burnscape::loss::Reduction;
use burnscape::posterior::{
    LearningCoefficientConfig, PosteriorConfig, PosteriorError, Potential, Sampler, Thresholds,
};
use burnscape::prelude::*;
use burnscape::space::SpaceError;
use burnscape_testkit::double::device;
use burnscape_testkit::objectives::Point;

use super::potentials::{Well, at};

/// The message, which names the setting and its value.
#[track_caller]
fn refused(config: &PosteriorConfig, parts: &[&str]) {
    let error = config.run_on(&Well::new(vec![1.0])).unwrap_err();
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let base = || at(100.0).with_burn_in(10).with_num_draws(10);
    refused(&PosteriorConfig::new(1), &["`num_examples` is 1"]);
    refused(&PosteriorConfig::new(0), &["`num_examples` is 0"]);
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let config = base().with_inverse_temperature(value);
        refused(&config, &["`inverse_temperature` is"]);
    }
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        refused(&base().with_localizer(value), &["`localizer` is"]);
    }
    refused(&base().with_num_chains(0), &["`num_chains` is 0"]);
    refused(&base().with_num_threads(0), &["`num_threads` is 0"]);
    refused(
        &base().with_sharpness(Some(f64::NAN)),
        &["`sharpness` is NaN"],
    );
    let mala = |acceptance, step| base().with_sampler(Sampler::Mala { acceptance, step });
    for acceptance in [0.0, 1.0, f64::NAN] {
        refused(&mala(acceptance, None), &["`acceptance` is"]);
    }
    for step in [0.0, -1.0, f64::INFINITY] {
        refused(&mala(0.9, Some(step)), &["`step` is"]);
    }
    let rmsprop = |decay, damping| {
        base().with_sampler(Sampler::RmspropLangevin {
            step: None,
            decay,
            damping,
        })
    };
    refused(&rmsprop(1.0, 0.1), &["`decay` is 1"]);
    refused(&rmsprop(0.9, 0.0), &["`damping` is 0"]);
    refused(&rmsprop(0.9, 0.1).with_burn_in(0), &["`burn_in` is 0"]);
    let thermostat = Sampler::NoseHoover {
        step: None,
        diffusion: 0.0,
    };
    refused(&base().with_sampler(thermostat), &["`diffusion` is 0"]);
    refused(
        &base().with_num_draws(7),
        &["a chain has 7 draws, and 8 are the least"],
    );
}

#[test]
fn batches_are_for_samplers_that_take_them_and_no_more_than_there_are() {
    let base = at(100.0).with_burn_in(10).with_num_draws(10);
    let batches = base.with_batches_per_step(Some(2));
    refused(&batches, &["MALA", "leave `with_batches_per_step` out"]);
    let config = batches.with_sampler(Sampler::langevin());
    let text = ["`batches_per_step` is 2", "1 to 1, the batches of the data"];
    refused(&config, &text);
    let none = config.with_batches_per_step(Some(0));
    refused(&none, &["`batches_per_step` is 0"]);
}

#[test]
fn steps_beyond_stability_are_refused_with_their_limit() {
    let well = Well::new(vec![1.0, 0.25]);
    // a = 100 · 1 + 25.
    let base = at(100.0).with_localizer(25.0).with_num_draws(10);
    for (step, is_unstable) in [(0.008, false), (0.032, true), (1.0, true)] {
        let step = Some(step);
        for sampler in [
            Sampler::Langevin { step },
            Sampler::NoseHoover {
                step,
                diffusion: 0.01,
            },
        ] {
            let config = base.clone().with_sampler(sampler).with_burn_in(10);
            let found = config.run_on(&well);
            assert_eq!(found.is_err(), is_unstable, "{sampler} {step:?}");
            let Err(error) = found else { continue };
            let PosteriorError::UnstableStep {
                limit, curvature, ..
            } = &error
            else {
                panic!("{error}");
            };
            assert!((limit - 0.032).abs() < 1e-12 && (curvature - 125.0).abs() < 1e-9);
            assert!(error.to_string().contains("below 3.200e-2"), "{error}");
        }
    }
}

/// `¼ w⁴`: flat at the start, and ever steeper.
#[derive(Clone)]
struct Quartic;

impl Potential for Quartic {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![0.0])
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        let loss = at.iter().map(|w| 0.25 * w.powi(4)).sum();
        Ok((loss, at.iter().map(|w| w.powi(3)).collect()))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(0.0)
    }
}

#[test]
fn a_chain_that_diverges_says_where_and_which_steps_are_stable() {
    let base = at(100.0).with_burn_in(10).with_num_draws(200);
    let step = Some(1.0);
    for sampler in [
        Sampler::Langevin { step },
        Sampler::NoseHoover {
            step,
            diffusion: 0.01,
        },
    ] {
        let config = base.clone().with_sampler(sampler);
        let error = config.run_on(&Quartic).unwrap_err();
        let PosteriorError::Diverged {
            draw, step, limit, ..
        } = error
        else {
            panic!("{error}");
        };
        // By the curvature of the start, which is that of the localizer.
        assert!(draw > 0 && draw < 210 && step == 1.0 && limit == 4.0);
        let text = error.to_string();
        assert!(text.contains("steps below 4.000e0"), "{text}");
    }
    // The exact sampler tunes its step.
    let found = base.with_burn_in(300).run_on(&Quartic).unwrap();
    assert!(found.nbeta_rise().is_finite());
}

#[test]
fn thresholds_out_of_range_are_refused_before_any_work() {
    let posterior = at(100.0);
    for thresholds in [
        Thresholds::new().with_descent_steps(0),
        Thresholds::new().with_share_below(-0.1),
        Thresholds::new().with_max_rhat(0.5),
    ] {
        let config = LearningCoefficientConfig::new(posterior.clone());
        let config = config.with_thresholds(thresholds);
        let error = config.run_on(&Well::new(vec![1.0])).unwrap_err();
        assert!(matches!(error, PosteriorError::OutOfRange(_)), "{error}");
    }
}

#[test]
fn errors_of_a_potential_are_those_of_the_run() {
    #[derive(Clone)]
    struct Broken;
    impl Potential for Broken {
        type Vector = Vec<f64>;

        fn start(&self) -> Result<Vec<f64>, PosteriorError> {
            Ok(vec![0.0; 3])
        }

        fn loss_and_gradient(
            &self,
            at: &Vec<f64>,
            _: Option<usize>,
        ) -> Result<(f64, Vec<f64>), PosteriorError> {
            // A gradient of another dimension, once the chain has moved.
            let is_start = at.iter().all(|w| *w == 0.0);
            Ok((0.0, vec![0.0; if is_start { 3 } else { 2 }]))
        }

        fn sharpness(&self) -> Result<f64, PosteriorError> {
            Ok(1.0)
        }
    }
    for sampler in [Sampler::mala(), Sampler::langevin()] {
        let error = at(100.0).with_sampler(sampler).run_on(&Broken);
        let error = error.unwrap_err();
        assert!(
            matches!(
                error,
                PosteriorError::Krylov(KrylovFault::DimensionMismatch { .. })
            ),
            "{error:?}"
        );
    }
}

/// Parameters that the loss reads, and others.
#[derive(Module, Debug)]
struct Partly {
    read: Param<Tensor<1>>,
    ignored: Param<Tensor<1>>,
}

impl Partly {
    fn new() -> Self {
        let zeros = || Param::from_tensor(Tensor::zeros([3], &device()));
        Self {
            read: zeros(),
            ignored: zeros(),
        }
    }
}

fn half_square(model: &Partly, _: Tensor<1>) -> Tensor<1> {
    model.read.val().square().sum() * 0.5
}

fn nothing() -> [Tensor<1>; 1] {
    [Tensor::zeros([1], &device())]
}

#[test]
fn parameters_that_the_loss_ignores_need_a_localizer() {
    let (model, data) = (Partly::new(), nothing());
    let risk = Risk::new(&half_square, &data);
    let config = at(100.0).with_burn_in(20).with_num_draws(20);
    let config = config.with_sharpness(Some(1.0));
    let free = config.clone().with_localizer(0.0);
    let error = free.run(&risk, &model).unwrap_err();
    assert_eq!(error, PosteriorError::UnusedParameters { count: 1 });
    assert!(error.to_string().contains("with_group"), "{error}");
    let group = risk.clone().with_group(ParamGroup::from_path("read"));
    assert!(free.run(&group, &model).is_ok());
    assert!(config.run(&risk, &model).is_ok());
}

#[test]
fn parameters_that_are_frozen_do_not_move() {
    let (model, data) = (Partly::new(), nothing());
    let config = at(100.0).with_burn_in(20).with_num_draws(20);
    let risk = Risk::new(&half_square, &data);
    let error = config.run(&risk, &model.no_grad()).unwrap_err();
    assert!(
        matches!(
            error,
            PosteriorError::Space(SpaceError::NoTrainableParameters { frozen: 2 })
        ),
        "{error:?}"
    );
}

#[test]
fn half_precision_is_refused() {
    let loss = |model: &Point, _: Tensor<1>| model.w.val().square().sum();
    let data = nothing();
    let risk = Risk::new(&loss, &data);
    for (dtype, digits) in [(DType::F16, 10), (DType::BF16, 7)] {
        let model = Point::new(&[0.0, 0.0], &device(), dtype);
        let error = at(100.0).run(&risk, &model).unwrap_err();
        let epsilon = 0.5_f64.powi(digits);
        assert_eq!(error, PosteriorError::HalfPrecision { epsilon });
        assert!(error.to_string().contains("f32 or f64"), "{error}");
    }
}

#[test]
fn a_sum_over_examples_is_refused() {
    let data = [Tensor::<1>::zeros([2], &device())];
    let risk = Risk::split(
        |model: &Point, _: &Tensor<1>| model.w.val(),
        |w: Tensor<1>, _: Tensor<1>| w.square().sum(),
        &data,
    );
    let model = Point::new(&[0.0, 0.0], &device(), DType::F64);
    let config = at(100.0).with_burn_in(20).with_num_draws(20);
    assert!(config.run(&risk, &model).is_ok());
    let sum = risk.with_reduction(Reduction::Sum);
    let error = config.run(&sum, &model).unwrap_err();
    assert_eq!(error, PosteriorError::SumReduction);
    assert!(error.to_string().contains("`Reduction::Mean`"), "{error}");
}
