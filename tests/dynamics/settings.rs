//! Every setting of a monitor changes its readings.

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Device;
use burnscape::dynamics::{CurvatureMonitorConfig, Due, EdgeRule, Moment, Watch};
use burnscape::prelude::*;

use super::model::{Mlp, clusters, cross_entropy, step};
use crate::path::settings::each_matters;

/// Five steps, measured by the config at what is due.
fn run((due, config): &(Due, CurvatureMonitorConfig)) -> String {
    let device = Device::default().autodiff();
    let data = [clusters(60, 16, 4, &device)];
    let risk = Risk::new(&cross_entropy, &data);
    let mut model = Mlp::new([16, 10, 10, 4], 2, &device);
    let mut sgd = SgdConfig::new().init();
    let mut watch = Watch::new(due.clone(), config.init().unwrap(), risk).unwrap();
    for index in 0..5 {
        watch.observe(&Moment::new(index, 0.5, &model)).unwrap();
        model = step(&mut sgd, 0.5, model, cross_entropy, &data[0]);
    }
    watch.readings().to_vec().to_json().unwrap()
}

#[test]
fn of_a_monitor() {
    let new = CurvatureMonitorConfig::new;
    let momentum = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
    let settings = vec![
        ("tolerance", new().with_tolerance(1e-5)),
        ("max_matvecs", new().with_max_matvecs(5)),
        ("max_warm_matvecs", new().with_max_warm_matvecs(5)),
        ("num_probes", new().with_num_probes(2)),
        (
            "optimizer",
            new().with_optimizer(EdgeRule::of(&momentum).unwrap()),
        ),
        ("seed", new().with_seed(1)),
    ];
    let every = |config| (Due::Every(1), config);
    let mut settings: Vec<_> = settings
        .into_iter()
        .map(|(name, config)| (name, every(config)))
        .collect();
    settings.push(("due", (Due::At(vec![1, 2]), new())));
    each_matters(&every(new()), settings, run);
}
