//! Every number in the configuration of an optimizer: outside its range, the error has its name and the range; inside,
//! it is used.

use burn::module::ParamGroup;
use burn::tensor::{Device, Tensor};
use burnscape::OutOfRange;
use burnscape::optim::{
    Ascent, AscentDirection, DescentGradient, Metric, OptimError, PerturbedGdConfig, RhoGroup,
    RhoSchedule, SaddleFreeNewtonConfig, SamConfig, SwaConfig,
};
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{self, sgd};

fn point() -> Point {
    fixture::point(&[1.0, -2.0])
}

type Outcome = Result<(), OptimError>;

/// A setting with its name, whether zero and one are in its range, and the outcome of a value.
struct Setting {
    name: &'static str,
    zero: bool,
    one: bool,
    set: Box<dyn Fn(f64) -> Outcome>,
}

/// Builds the optimizer, and takes two steps, whose weights must be numbers.
fn used(config: SamConfig) -> Outcome {
    let mut sam = config.init(sgd())?;
    let mut model = point();
    let batch = Tensor::<1>::ones([2], &Device::flex());
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &[1.0, 3.0]);
    for _ in 0..2 {
        let report = sam.step_on(0.1, &mut model, batch.clone(), &loss);
        assert_eq!(report.expect("a step").skipped, None);
    }
    assert!(model.coordinates().iter().all(|w| w.is_finite()));
    Ok(())
}

fn of_sam(
    name: &'static str,
    zero: bool,
    one: bool,
    set: impl Fn(SamConfig, f64) -> SamConfig + 'static,
) -> Setting {
    Setting {
        name,
        zero,
        one,
        set: Box::new(move |value| used(set(SamConfig::new(), value))),
    }
}

fn settings() -> Vec<Setting> {
    let with_rates = |lr_min: f64, lr_max: f64| RhoSchedule::WithLearningRate {
        rho_min: 0.01,
        lr_min,
        lr_max,
    };
    let fisher = |eta| Metric::Fisher { eta };
    let projected = |step_size| Ascent::Projected {
        steps: 2,
        restarts: 1,
        step_size,
    };
    let region = |tolerance| Ascent::TrustRegion {
        max_basis: 2,
        tolerance,
    };
    let weighted = |gamma| DescentGradient::Weighted {
        gamma,
        decoupled: false,
    };
    vec![
        of_sam("rho", true, true, |sam, x| sam.with_rho(x)),
        of_sam("rho", true, true, move |sam, x| {
            sam.with_rho(x).with_ascent(region(1e-4))
        }),
        of_sam("rho", true, true, move |sam, x| {
            sam.with_rho(x).with_ascent(projected(1.0))
        }),
        of_sam("eta", true, true, |sam, eta| {
            sam.with_metric(Metric::Adaptive { eta })
        }),
        of_sam("eta", true, true, move |sam, x| sam.with_metric(fisher(x))),
        of_sam("sigma", true, true, |sam, sigma| {
            sam.with_ascent_direction(AscentDirection::Friendly {
                sigma,
                momentum: 0.9,
            })
        }),
        of_sam("momentum", true, false, |sam, momentum| {
            sam.with_ascent_direction(AscentDirection::Friendly {
                sigma: 1.0,
                momentum,
            })
        }),
        of_sam("alpha", true, true, |sam, alpha| {
            sam.with_descent_gradient(DescentGradient::SurrogateGap { alpha })
        }),
        of_sam("alpha", true, true, |sam, alpha| {
            sam.with_descent_gradient(DescentGradient::Look { every: 2, alpha })
        }),
        of_sam("gamma", true, false, move |sam, x| {
            sam.with_descent_gradient(weighted(x))
        }),
        of_sam("mask", false, true, |sam, keep| sam.with_mask(Some(keep))),
        of_sam("factor", true, true, |sam, factor| {
            sam.with_groups(vec![RhoGroup::new(ParamGroup::all(), factor)])
        }),
        of_sam("end", true, true, |sam, end| {
            sam.with_schedule(RhoSchedule::Linear { end, steps: 1 })
        }),
        of_sam("end", true, true, |sam, end| {
            sam.with_schedule(RhoSchedule::Cosine { end, steps: 1 })
        }),
        of_sam("rho_min", true, true, |sam, rho_min| {
            sam.with_schedule(RhoSchedule::WithLearningRate {
                rho_min,
                lr_min: 0.0,
                lr_max: 1.0,
            })
        }),
        of_sam("lr_min", true, true, move |sam, x| {
            sam.with_schedule(with_rates(x, 2.0))
        }),
        of_sam("lr_max", false, true, move |sam, x| {
            sam.with_schedule(with_rates(0.0, x))
        }),
        of_sam("step_size", false, true, move |sam, x| {
            sam.with_ascent(projected(x))
        }),
        of_sam("tolerance", false, true, move |sam, x| {
            sam.with_ascent(region(x))
        }),
        Setting {
            name: "selection",
            zero: false,
            one: true,
            set: Box::new(|x| SamConfig::new().with_selection(Some(x)).validate()),
        },
        other("radius", false, |x| gd(PerturbedGdConfig::new(x, 1.0, 1.0))),
        other("gradient_threshold", false, |x| {
            gd(PerturbedGdConfig::new(1.0, x, 1.0))
        }),
        other("decrease", false, |x| {
            gd(PerturbedGdConfig::new(1.0, 1.0, x))
        }),
        other("curvature_threshold", true, |x| {
            gd(PerturbedGdConfig::new(1.0, 1.0, 1.0).with_curvature_threshold(Some(x)))
        }),
        other("damping", false, |x| {
            newton(SaddleFreeNewtonConfig::new().with_damping(x))
        }),
        other("escape", true, |x| {
            newton(SaddleFreeNewtonConfig::new().with_escape(x))
        }),
        other("max_step", false, |x| {
            newton(SaddleFreeNewtonConfig::new().with_max_step(Some(x)))
        }),
    ]
}

fn other(name: &'static str, zero: bool, set: impl Fn(f64) -> Outcome + 'static) -> Setting {
    Setting {
        name,
        zero,
        one: true,
        set: Box::new(set),
    }
}

fn gd(config: PerturbedGdConfig) -> Outcome {
    config.init(sgd())?;
    Ok(())
}

fn swa(config: SwaConfig) -> Outcome {
    config.init()?;
    Ok(())
}

fn newton(config: SaddleFreeNewtonConfig) -> Outcome {
    config.init()?;
    Ok(())
}

#[test]
fn a_number_out_of_its_range_is_refused_with_the_range() {
    for Setting {
        name,
        zero,
        one,
        set,
    } in settings()
    {
        let wrong = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1.0];
        for value in wrong {
            if value == 0.0 && zero || value == 1.0 && one {
                continue;
            }
            let Err(error) = set(value) else {
                panic!("{name} = {value} was accepted");
            };
            let text = error.to_string();
            let OptimError::OutOfRange(OutOfRange {
                name: found,
                value: given,
                expected,
                ..
            }) = error
            else {
                panic!("{name} = {value}: {text}");
            };
            assert_eq!((found, given.to_bits()), (name, value.to_bits()));
            // The text must be one that the value does not satisfy.
            let says = |part: &str| expected.contains(part);
            let is_true = match value {
                value if !value.is_finite() => says("finite"),
                0.0 => says("more than 0"),
                1.0 => says("less than 1"),
                _ => says("0 or more") || says("more than 0") || says("at least 0"),
            };
            assert!(is_true, "{text}");
        }
    }
}

#[test]
fn a_number_within_its_range_is_used() {
    for Setting {
        name,
        zero,
        one,
        set,
    } in settings()
    {
        for (value, is_in_range) in [(0.0, zero), (0.5, true), (1.0, one), (1e-300, true)] {
            if is_in_range {
                let outcome = set(value);
                assert!(outcome.is_ok(), "{name} = {value}: {outcome:?}");
            }
        }
    }
}

#[test]
fn counts_of_zero_are_refused_by_name() {
    let sam = |config: SamConfig| config.validate();
    let projected = |steps, restarts| {
        SamConfig::new().with_ascent(Ascent::Projected {
            steps,
            restarts,
            step_size: 1.0,
        })
    };
    let region = Ascent::TrustRegion {
        max_basis: 0,
        tolerance: 1e-3,
    };
    let look = DescentGradient::Look {
        every: 0,
        alpha: 0.7,
    };
    let linear = RhoSchedule::Linear { end: 1.0, steps: 0 };
    let cosine = RhoSchedule::Cosine { end: 1.0, steps: 0 };
    for (name, outcome) in [
        ("steps", sam(projected(0, 1))),
        ("restarts", sam(projected(1, 0))),
        ("max_basis", sam(SamConfig::new().with_ascent(region))),
        ("every", sam(SamConfig::new().with_descent_gradient(look))),
        ("steps", sam(SamConfig::new().with_schedule(linear))),
        ("steps", sam(SamConfig::new().with_schedule(cosine))),
        ("group_size", sam(SamConfig::new().with_group_size(Some(0)))),
        (
            "patience",
            gd(PerturbedGdConfig::new(1.0, 1.0, 1.0).with_patience(0)),
        ),
        ("steps", newton(SaddleFreeNewtonConfig::new().with_steps(0))),
        ("every", swa(SwaConfig::new().with_every(0))),
    ] {
        let Err(OptimError::OutOfRange(OutOfRange {
            name: found,
            expected,
            ..
        })) = outcome
        else {
            panic!("{name} = 0: {outcome:?}");
        };
        assert_eq!((found, expected.as_str()), (name, "1 or more"));
    }
}
