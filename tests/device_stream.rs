//! What the library does to the device's own random stream.
//!
//! A binary of its own whose tests take turns: the device has one generator for all threads, and a test
//! that draws between a seed and its use would change the numbers.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use std::sync::{Mutex, PoisonError};

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Distribution, Tensor};
use burnscape::optim::SamConfig;
use burnscape::space::{ParamSpace, ParamVector};

static DRAWING: Mutex<()> = Mutex::new(());

#[derive(Module, Debug)]
struct Net {
    layer: Linear,
    dropout: Dropout,
    head: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            layer: LinearConfig::new(4, 16).init(device),
            dropout: DropoutConfig::new(0.5).init(),
            head: LinearConfig::new(16, 2).init(device),
        }
    }

    fn loss(&self, x: Tensor<2>) -> Tensor<1> {
        let hidden = self.dropout.forward(self.layer.forward(x).tanh());
        (self.head.forward(hidden) - 1.0).square().mean()
    }
}

#[test]
fn with_a_draws_seed_both_passes_draw_the_same_mask() {
    let _turn = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::ones([16, 4], &device);
    // At a radius of zero both passes differ by their masks alone.
    let losses = |seed: Option<u64>| {
        let mut model = Net::new(&device);
        let config = SamConfig::new().with_rho(0.0).with_draws_seed(seed);
        let mut sam = config
            .init(SgdConfig::new().init())
            .expect("a valid configuration");
        let mut step = || {
            sam.step(0.01, &mut model, |m: &Net| m.loss(x.clone()))
                .expect("a step")
        };
        [step(), step()].map(|report| (report.loss, report.perturbed_loss))
    };
    for (plain, perturbed) in losses(Some(3)) {
        assert_eq!(plain, perturbed);
    }
    assert!(
        losses(None)
            .iter()
            .any(|(plain, perturbed)| plain != perturbed)
    );
}

#[test]
fn directions_leave_the_stream_alone() {
    let _turn = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex();
    let layer = LinearConfig::new(3, 2).init(&device);
    let space = ParamSpace::of(&layer).expect("a space");
    let draw = || Tensor::<1>::random([4], Distribution::Default, &device).into_data();
    device.seed(9);
    let expected = draw();
    for direction in [
        ParamVector::gaussian,
        ParamVector::rademacher,
        ParamVector::sphere,
        ParamVector::ball,
    ] {
        device.seed(9);
        direction(&space, 1).expect("a direction");
        assert_eq!(draw(), expected);
    }
}
