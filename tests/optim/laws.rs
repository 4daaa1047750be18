//! Every setting of SAM changes a result, changes a cost, or is refused.

use burn::module::{Module, Param, ParamGroup};
use burn::optim::AdamConfig;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::loss::{ExampleLosses, Reduction};
use burnscape::optim::{
    Ascent, AscentDirection, DescentGradient, Metric, OptimError, RhoGroup, RhoSchedule, SamConfig,
};
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{device, no_data, point};
use super::own_ascent::{Averaged, averaged};

/// The effect of a change of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Effect {
    /// The weights after some steps differ.
    Result,
    /// The weights are the same, but the number of gradients or products differs.
    Cost,
    /// One of the values is refused for this model.
    Refused,
}

/// A setting with two of its values, and a run whose outcome depends on them.
struct Law {
    setting: &'static str,
    effect: Effect,
    values: [SamConfig; 2],
    run: fn(&SamConfig) -> Result<Trace, OptimError>,
}

#[derive(Debug, PartialEq)]
struct Trace {
    weights: Vec<f64>,
    cost: Vec<(usize, usize)>,
}

/// Lists the settings of structs and variants. A new field or variant does not compile until it is listed.
macro_rules! settings {
    ($($type:ty { $($path:path { $($field:tt),* }),* })*) => {
        fn settings() -> Vec<&'static str> {
            $(const _: fn(&$type) = |value| match value { $($path { $($field: _),* } => {})* };)*
            vec![$($($(concat!(stringify!($path), ".", stringify!($field)),)*)*)*]
        }
    };
}

settings! {
    SamConfig {
        SamConfig {
            rho, schedule, metric, ascent_direction, ascent, descent_gradient, active_steps, groups,
            mask, group_size, selection, draws_seed, restore_tied, seed
        }
    }
    RhoSchedule {
        RhoSchedule::Constant {},
        RhoSchedule::Linear { end, steps },
        RhoSchedule::Cosine { end, steps },
        RhoSchedule::WithLearningRate { rho_min, lr_min, lr_max }
    }
    Metric { Metric::Euclidean {}, Metric::Adaptive { eta }, Metric::Fisher { eta }, Metric::ExampleFisher { eta } }
    AscentDirection { AscentDirection::Gradient {}, AscentDirection::Friendly { sigma, momentum } }
    Ascent {
        Ascent::OneStep {},
        Ascent::Projected { steps, restarts, step_size },
        Ascent::TrustRegion { max_basis, tolerance },
        Ascent::Custom { 0 }
    }
    DescentGradient {
        DescentGradient::Perturbed {},
        DescentGradient::SurrogateGap { alpha },
        DescentGradient::Weighted { gamma, decoupled },
        DescentGradient::Look { every, alpha }
    }
    RhoGroup { RhoGroup { group, factor } }
}

/// Two matrices, so that groups, masks and weights have an effect.
#[derive(Module, Debug)]
struct Net {
    first: Param<Tensor<2>>,
    second: Param<Tensor<2>>,
}

impl Net {
    fn new() -> Self {
        let options = (&device(), DType::F64);
        Self {
            first: Param::from_tensor(Tensor::from_data([[0.5, -1.0], [1.5, 0.3]], options)),
            second: Param::from_tensor(Tensor::from_data([[0.9], [-0.7]], options)),
        }
    }

    fn losses(&self, x: Tensor<2>) -> Tensor<1> {
        let output = x.clone().matmul(self.first.val()).tanh();
        let error = output.matmul(self.second.val()) - x.sum_dim(1);
        error.square().squeeze_dim(1)
    }
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Five steps on a small network.
fn network(config: &SamConfig) -> Result<Trace, OptimError> {
    let x = [[1.0, 0.2], [-0.4, 0.8], [0.3, -1.1], [0.9, 0.5]];
    let x = Tensor::<2>::from_data(TensorData::from(x), (&device(), DType::F64));
    let losses = |net: &Net, x: Tensor<2>| net.losses(x);
    let objective = ExampleLosses::new(losses, Reduction::Mean);
    let mut sam = config.init(AdamConfig::new().init())?;
    let mut net = Net::new();
    let mut cost = Vec::new();
    for step in 0..5 {
        let lr = 0.05 + 0.01 * f64::from(step);
        let report = sam.step_on(lr, &mut net, x.clone(), &objective)?;
        cost.push((
            report.num_gradients,
            report.inner.map_or(0, |inner| inner.num_matvecs),
        ));
    }
    let mut weights = host(net.first.val());
    weights.extend(host(net.second.val()));
    Ok(Trace { weights, cost })
}

/// One step from a ridge: the gradient is orthogonal to the two directions of largest curvature.
fn ridge(config: &SamConfig) -> Result<Trace, OptimError> {
    let mut model = point(&[0.1, 0.0, 0.0]);
    let mut sam = config.init(burn::optim::SgdConfig::new().init())?;
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &[1.0, 4.0, 4.0]);
    let report = sam.step_on(0.1, &mut model, no_data(), &loss)?;
    Ok(Trace {
        weights: model.coordinates(),
        cost: vec![(
            report.num_gradients,
            report.inner.map_or(0, |inner| inner.num_matvecs),
        )],
    })
}

/// A step of a model in which one parameter occurs twice.
fn tied(config: &SamConfig) -> Result<Trace, OptimError> {
    #[derive(Module, Debug)]
    struct Twice {
        first: Param<Tensor<1>>,
        second: Param<Tensor<1>>,
    }
    let first = Param::from_data([1.0, -2.0], &device());
    let mut model = Twice {
        second: first.clone(),
        first,
    };
    let loss = |m: &Twice| (m.first.val() * m.second.val()).square().sum();
    let mut sam = config.init(AdamConfig::new().init())?;
    let report = sam.step(0.1, &mut model, loss)?;
    Ok(Trace {
        weights: host(model.first.val()),
        cost: vec![(report.num_gradients, 0)],
    })
}

/// A step with gradients from the caller.
fn two_halves(config: &SamConfig) -> Result<Trace, OptimError> {
    let model = point(&[1.0, -2.0]);
    let sam = config.init(AdamConfig::new().init())?;
    let loss = quadratic(&model, &[1.0, 3.0]);
    let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &model);
    let ascended = sam.ascend(0.1, model, &gradients)?;
    Ok(Trace {
        weights: ascended.module().coordinates(),
        cost: Vec::new(),
    })
}

fn law(
    setting: &'static str,
    effect: Effect,
    values: [SamConfig; 2],
    run: fn(&SamConfig) -> Result<Trace, OptimError>,
) -> Law {
    Law {
        setting,
        effect,
        values,
        run,
    }
}

/// A setting that changes the weights of [`network`], by two values.
fn result<T>(
    setting: &'static str,
    set: impl Fn(SamConfig, T) -> SamConfig,
    values: [T; 2],
) -> Law {
    let values = values.map(|value| set(SamConfig::new().with_rho(0.2), value));
    law(setting, Effect::Result, values, network)
}

fn laws() -> Vec<Law> {
    let plain = SamConfig::new;
    let schedule = |c: SamConfig, s| c.with_schedule(s);
    let linear = |end, steps| RhoSchedule::Linear { end, steps };
    let cosine = |end, steps| RhoSchedule::Cosine { end, steps };
    let with_rate = |[rho_min, lr_min, lr_max]: [f64; 3]| RhoSchedule::WithLearningRate {
        rho_min,
        lr_min,
        lr_max,
    };
    let metric = |c: SamConfig, m| c.with_metric(m);
    let example_fisher = |eta| Metric::ExampleFisher { eta };
    let direction = |c: SamConfig, (sigma, momentum)| {
        c.with_ascent_direction(AscentDirection::Friendly { sigma, momentum })
    };
    let projected = |(steps, restarts, step_size)| Ascent::Projected {
        steps,
        restarts,
        step_size,
    };
    let region = |max_basis, tolerance| Ascent::TrustRegion {
        max_basis,
        tolerance,
    };
    let ascend = |c: SamConfig, a| c.with_ascent(a);
    let search = |c: SamConfig, settings| c.with_ascent(projected(settings));
    // So far out that random starts win.
    let far = |settings| plain().with_rho(3.0).with_ascent(projected(settings));
    let descent = |c: SamConfig, d| c.with_descent_gradient(d);
    let gap = |alpha| DescentGradient::SurrogateGap { alpha };
    let weighted = |gamma, decoupled| DescentGradient::Weighted { gamma, decoupled };
    let look = |every, alpha| DescentGradient::Look { every, alpha };
    let active = |c: SamConfig, steps| c.with_active_steps(Some(steps));
    let grouped = |c: SamConfig, (path, factor): (&str, f64)| {
        c.with_groups(vec![RhoGroup::new(ParamGroup::from_path(path), factor)])
    };
    let mask = |c: SamConfig, keep| c.with_mask(keep);
    let ridge_of = |a| plain().with_rho(0.5).with_ascent(a);
    vec![
        result("SamConfig.rho", |c, rho| c.with_rho(rho), [0.1, 0.2]),
        result(
            "SamConfig.schedule",
            schedule,
            [RhoSchedule::Constant, linear(0.0, 3)],
        ),
        result(
            "RhoSchedule::Linear.end",
            schedule,
            [0.0, 0.5].map(|end| linear(end, 3)),
        ),
        result(
            "RhoSchedule::Linear.steps",
            schedule,
            [3, 9].map(|steps| linear(0.0, steps)),
        ),
        result(
            "RhoSchedule::Cosine.end",
            schedule,
            [0.0, 0.5].map(|end| cosine(end, 3)),
        ),
        result(
            "RhoSchedule::Cosine.steps",
            schedule,
            [3, 9].map(|steps| cosine(0.0, steps)),
        ),
        result(
            "RhoSchedule::WithLearningRate.rho_min",
            schedule,
            [[0.0, 0.0, 1.0], [0.1, 0.0, 1.0]].map(with_rate),
        ),
        result(
            "RhoSchedule::WithLearningRate.lr_min",
            schedule,
            [[0.0, 0.0, 1.0], [0.0, 0.01, 1.0]].map(with_rate),
        ),
        result(
            "RhoSchedule::WithLearningRate.lr_max",
            schedule,
            [[0.0, 0.0, 1.0], [0.0, 0.0, 0.5]].map(with_rate),
        ),
        result(
            "SamConfig.metric",
            metric,
            [Metric::Euclidean, Metric::Adaptive { eta: 0.01 }],
        ),
        result(
            "Metric::Adaptive.eta",
            metric,
            [0.01, 0.1].map(|eta| Metric::Adaptive { eta }),
        ),
        result(
            "Metric::Fisher.eta",
            metric,
            [1.0, 2.0].map(|eta| Metric::Fisher { eta }),
        ),
        result(
            "Metric::ExampleFisher.eta",
            metric,
            [1.0, 2.0].map(example_fisher),
        ),
        result(
            "SamConfig.ascent_direction",
            |c, d| c.with_ascent_direction(d),
            [
                AscentDirection::Gradient,
                AscentDirection::Friendly {
                    sigma: 1.0,
                    momentum: 0.9,
                },
            ],
        ),
        result(
            "AscentDirection::Friendly.sigma",
            direction,
            [(1.0, 0.9), (0.5, 0.9)],
        ),
        result(
            "AscentDirection::Friendly.momentum",
            direction,
            [(1.0, 0.9), (1.0, 0.5)],
        ),
        result("SamConfig.ascent", ascend, [Ascent::OneStep, averaged()]),
        result(
            "Ascent::Custom.0",
            ascend,
            [0.5, 0.9].map(|decay| Ascent::custom(Averaged { decay })),
        ),
        result(
            "Ascent::Projected.steps",
            search,
            [(2, 1, 1.0), (3, 1, 1.0)],
        ),
        law(
            "Ascent::Projected.restarts",
            Effect::Result,
            [far((1, 1, 1.0)), far((1, 8, 1.0))],
            network,
        ),
        result(
            "Ascent::Projected.step_size",
            search,
            [(3, 1, 1.0), (3, 1, 0.1)],
        ),
        law(
            "SamConfig.seed",
            Effect::Result,
            [0, 1].map(|seed| far((1, 8, 1.0)).with_seed(seed)),
            network,
        ),
        result(
            "Ascent::TrustRegion.max_basis",
            ascend,
            [1, 6].map(|size| region(size, 1e-9)),
        ),
        result(
            "Ascent::TrustRegion.tolerance",
            ascend,
            [1e-1, 1e-9].map(|tolerance| region(6, tolerance)),
        ),
        law(
            "SamConfig.seed",
            Effect::Result,
            [0, 1].map(|seed| ridge_of(region(3, 1e-9)).with_seed(seed)),
            ridge,
        ),
        result(
            "SamConfig.descent_gradient",
            descent,
            [DescentGradient::Perturbed, gap(0.4)],
        ),
        result(
            "DescentGradient::SurrogateGap.alpha",
            descent,
            [gap(0.4), gap(0.2)],
        ),
        result(
            "DescentGradient::Weighted.gamma",
            descent,
            [weighted(0.9, false), weighted(0.8, false)],
        ),
        result(
            "DescentGradient::Weighted.decoupled",
            descent,
            [weighted(0.8, false), weighted(0.8, true)],
        ),
        result(
            "DescentGradient::Look.every",
            descent,
            [look(2, 0.7), look(3, 0.7)],
        ),
        result(
            "DescentGradient::Look.alpha",
            descent,
            [look(2, 0.7), look(2, 0.3)],
        ),
        result("SamConfig.active_steps", active, [0..9, 2..9]),
        result("SamConfig.active_steps", active, [1..9, 1..3]),
        law(
            "SamConfig.groups",
            Effect::Result,
            [plain(), grouped(plain(), ("first", 0.0))],
            network,
        ),
        result("RhoGroup.group", grouped, [("first", 0.5), ("second", 0.5)]),
        result("RhoGroup.factor", grouped, [("first", 0.0), ("first", 0.5)]),
        result("SamConfig.mask", mask, [None, Some(0.5)]),
        result("SamConfig.mask", mask, [Some(0.5), Some(0.9)]),
        result(
            "SamConfig.seed",
            |c, seed| mask(c, Some(0.5)).with_seed(seed),
            [0, 1],
        ),
        result(
            "SamConfig.group_size",
            |c, size| c.with_group_size(size),
            [None, Some(2)],
        ),
        result(
            "SamConfig.selection",
            |c, part| c.with_selection(part),
            [None, Some(0.5)],
        ),
        // `tests/stream.rs`, whose tests take turns, checks that it fixes the random draws.
        law(
            "SamConfig.draws_seed",
            Effect::Refused,
            [plain(), plain().with_draws_seed(Some(1))],
            two_halves,
        ),
        law(
            "SamConfig.restore_tied",
            Effect::Refused,
            [plain(), plain().with_restore_tied(true)],
            tied,
        ),
    ]
}

fn found(law: &Law) -> Option<Effect> {
    match law.values.each_ref().map(law.run) {
        [Ok(a), Ok(b)] if a.weights != b.weights => Some(Effect::Result),
        [Ok(a), Ok(b)] => (a.cost != b.cost).then_some(Effect::Cost),
        [Ok(_), Err(_)] | [Err(_), Ok(_)] => Some(Effect::Refused),
        [Err(error), Err(_)] => panic!("{}: {error}", law.setting),
    }
}

#[test]
fn every_setting_changes_a_result_or_a_cost_or_is_refused() {
    for law in laws() {
        assert_eq!(found(&law), Some(law.effect), "{}", law.setting);
    }
}

#[test]
fn every_setting_has_a_law() {
    let laws = laws();
    for setting in settings() {
        assert!(laws.iter().any(|law| law.setting == setting), "{setting}");
    }
    for law in laws {
        assert!(settings().contains(&law.setting), "{}", law.setting);
    }
}
