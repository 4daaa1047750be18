//! Every setting of a monitor changes its readings.

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Device;
use burnscape::dynamics::CurvatureMonitorConfig;
use burnscape::prelude::*;

use super::model::{Mlp, clusters, cross_entropy, step};
use crate::path::settings::each_matters;

#[test]
fn of_a_monitor() {
    let device = Device::default().autodiff();
    let data = [clusters(60, 16, 4, &device)];
    let risk = Risk::new(&cross_entropy, &data);
    let new = CurvatureMonitorConfig::new;
    let settings = vec![
        ("every", new(2)),
        ("tolerance", new(1).with_tolerance(1e-5)),
        ("max_matvecs", new(1).with_max_matvecs(5)),
        ("max_warm_matvecs", new(1).with_max_warm_matvecs(5)),
        ("num_probes", new(1).with_num_probes(2)),
        (
            "momentum",
            new(1).with_momentum(Some(MomentumConfig::new())),
        ),
        ("rho", new(1).with_rho(Some(0.05))),
        ("seed", new(1).with_seed(1)),
    ];
    each_matters(&new(1), settings, |config| {
        let mut model = Mlp::new([16, 10, 10, 4], 2, &device);
        let mut sgd = SgdConfig::new().init();
        let mut monitor = config.init().unwrap();
        for index in 0..5 {
            monitor.observe(&risk, &model, index, 0.5).unwrap();
            model = step(&mut sgd, 0.5, model, cross_entropy, &data[0]);
        }
        monitor.history().to_json().unwrap()
    });
}
