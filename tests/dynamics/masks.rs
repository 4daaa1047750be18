//! Readings of a model that draws random numbers.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burnscape::dynamics::{CurvatureMonitorConfig, Moment, Monitor};
use burnscape::loss::{Mode, Risk};
use burnscape_testkit::turn;

#[derive(Module, Debug)]
struct Dropped {
    linear: Linear,
    dropout: Dropout,
}

#[test]
fn the_mode_of_the_risk_determines_the_measurement() {
    let _turn = turn();
    let device = Device::default();
    let model = Dropped {
        linear: LinearConfig::new(2, 1).with_bias(false).init(&device),
        dropout: DropoutConfig::new(0.5).init(),
    };
    let loss = |m: &Dropped, x: Tensor<2>| m.linear.forward(m.dropout.forward(x)).square().mean();
    let data = [Tensor::<2>::ones([64, 2], &device)];
    let measure = |mode: Mode| {
        let risk = Risk::new(&loss, &data).with_mode(mode).with_draws_seed(3);
        let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
        let moment = Moment::new(0, 0.1, &model);
        monitor.measure(&risk, &moment).unwrap().sharpness
    };
    // H is 2 times the mean of x xᵀ: with ones 2 and 2; dropped entries are 0, and kept ones 2, so that
    // it is near 4 on the diagonal and 2 beside it.
    assert!((measure(Mode::Eval) - 4.0).abs() < 1e-5);
    let dropped = measure(Mode::Train);
    assert!(dropped > 4.8 && dropped < 7.5, "{dropped}");
}
