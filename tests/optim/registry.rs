//! All variants of all parts of SAM, for `conformance` and `laws`.

use burnscape::optim::{Ascent, AscentDirection, DescentGradient, Metric, RhoSchedule, SamConfig};

use super::own_ascent::averaged;

/// Every variant, by name. A new preset or part belongs here.
pub(crate) fn variants() -> Vec<(&'static str, SamConfig)> {
    let weighted = |decoupled| DescentGradient::Weighted {
        gamma: 0.7,
        decoupled,
    };
    let scheduled = |schedule| SamConfig::new().with_schedule(schedule);
    let look = DescentGradient::Look {
        every: 3,
        alpha: 0.7,
    };
    let (end, steps) = (0.1, 20);
    vec![
        ("sam", SamConfig::new()),
        ("asam", SamConfig::asam().with_rho(0.05)),
        ("gsam", SamConfig::gsam()),
        (
            "wsam",
            SamConfig::new().with_descent_gradient(weighted(false)),
        ),
        (
            "wsam decoupled",
            SamConfig::new().with_descent_gradient(weighted(true)),
        ),
        ("looksam", SamConfig::new().with_descent_gradient(look)),
        ("friendly", SamConfig::friendly_sam()),
        ("fisher", SamConfig::fisher_sam()),
        (
            "fisher per example",
            SamConfig::new().with_metric(Metric::ExampleFisher { eta: 1.0 }),
        ),
        ("esam", SamConfig::esam().with_seed(3)),
        ("mask", SamConfig::new().with_mask(Some(0.5)).with_seed(1)),
        ("m-sharpness", SamConfig::new().with_group_size(Some(4))),
        ("sa-gd", SamConfig::sa_gd().with_seed(2)),
        (
            "sa-gd by trust region",
            SamConfig::sa_gd_trust_region().with_seed(2),
        ),
        ("late", SamConfig::new().with_active_steps(Some(2..40))),
        ("linear", scheduled(RhoSchedule::Linear { end, steps })),
        ("cosine", scheduled(RhoSchedule::Cosine { end, steps })),
        (
            "with the rate",
            scheduled(RhoSchedule::WithLearningRate {
                rho_min: 0.0,
                lr_min: 0.0,
                lr_max: 0.5,
            }),
        ),
        ("tied again", SamConfig::new().with_restore_tied(true)),
        ("an own ascent", SamConfig::new().with_ascent(averaged())),
    ]
}

/// A name for each variant of a part, and the list of the names. A new variant does not compile without a line.
macro_rules! part {
    ($function:ident, $names:ident, $part:ty { $($pattern:pat => $name:literal,)* }) => {
        fn $function(part: &$part) -> &'static str {
            match part {
                $($pattern => $name,)*
            }
        }

        const $names: &[&str] = &[$($name),*];
    };
}

part!(metric, METRICS, Metric {
    Metric::Euclidean => "Euclidean",
    Metric::Adaptive { .. } => "Adaptive",
    Metric::Fisher { .. } => "Fisher",
    Metric::ExampleFisher { .. } => "ExampleFisher",
});
part!(direction, DIRECTIONS, AscentDirection {
    AscentDirection::Gradient => "Gradient",
    AscentDirection::Friendly { .. } => "Friendly",
});
part!(ascent, ASCENTS, Ascent {
    Ascent::OneStep => "OneStep",
    Ascent::Projected { .. } => "Projected",
    Ascent::TrustRegion { .. } => "TrustRegion",
    Ascent::Custom(_) => "Custom",
});
part!(descent, DESCENTS, DescentGradient {
    DescentGradient::Perturbed => "Perturbed",
    DescentGradient::SurrogateGap { .. } => "SurrogateGap",
    DescentGradient::Weighted { decoupled: false, .. } => "Weighted",
    DescentGradient::Weighted { decoupled: true, .. } => "Weighted, decoupled",
    DescentGradient::Look { .. } => "Look",
});
part!(schedule, SCHEDULES, RhoSchedule {
    RhoSchedule::Constant => "Constant",
    RhoSchedule::Linear { .. } => "Linear",
    RhoSchedule::Cosine { .. } => "Cosine",
    RhoSchedule::WithLearningRate { .. } => "WithLearningRate",
});

/// Settings that are on or off.
fn optional(config: &SamConfig) -> Vec<&'static str> {
    let set = [
        (
            config.active_steps != SamConfig::new().active_steps,
            "active_steps",
        ),
        (config.mask.is_some(), "mask"),
        (config.group_size.is_some(), "group_size"),
        (config.selection.is_some(), "selection"),
        (config.restore_tied, "restore_tied"),
    ];
    let set = set.into_iter().filter(|(is_set, _)| *is_set);
    set.map(|(_, name)| name).collect()
}

#[test]
fn every_variant_of_every_part_is_in_the_registry() {
    let variants = variants();
    let configs = || variants.iter().map(|(_, config)| config);
    let covers = |part: &str, names: &[&str], found: &dyn Fn(&SamConfig) -> Vec<&'static str>| {
        let found: Vec<&str> = configs().flat_map(found).collect();
        for name in names {
            assert!(found.contains(name), "no variant has {part} {name}");
        }
    };
    covers("the metric", METRICS, &|c| vec![metric(&c.metric)]);
    covers("the direction", DIRECTIONS, &|c| {
        vec![direction(&c.ascent_direction)]
    });
    covers("the ascent", ASCENTS, &|c| vec![ascent(&c.ascent)]);
    covers("the descent", DESCENTS, &|c| {
        vec![descent(&c.descent_gradient)]
    });
    covers("the schedule", SCHEDULES, &|c| vec![schedule(&c.schedule)]);
    let names = [
        "active_steps",
        "mask",
        "group_size",
        "selection",
        "restore_tied",
    ];
    covers("the setting", &names, &optional);
}
