//! Every setting changes a result, or is refused.

use burnscape::dynamics::TangentKernelConfig;

use super::models::{inputs, net, of_net, targets};
use crate::sharpness::settings::{Effect, Law, check, measured};

#[test]
fn of_a_tangent_kernel() {
    let data = [inputs()];
    let risk = of_net(&data);
    let new = TangentKernelConfig::new;
    let probes = || new().with_num_probes(Some(3));
    let run = |config: TangentKernelConfig| measured(config.run(&risk, &net(2.3), &net(2.9)));
    let law =
        |name, effect, pair: [TangentKernelConfig; 2]| -> Law { (name, effect, pair.map(&run)) };
    let laws = [
        law("num_probes", Effect::Result, [new(), probes()]),
        law(
            "max_outputs",
            Effect::Refused,
            [new(), new().with_max_outputs(14)],
        ),
        law("seed", Effect::Result, [probes(), probes().with_seed(1)]),
        law(
            "targets",
            Effect::Result,
            [new(), new().with_targets(targets())],
        ),
    ];
    check(&laws, &["num_probes", "max_outputs", "seed", "targets"]);
}
