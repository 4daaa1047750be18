//! Both passes of a step draw the same dropout masks, if a seed says so.
//!
//! A binary of its own with one test: the device has one generator for all threads, and another test
//! that draws between a seed and its pass would change the mask.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burnscape::optim::SamConfig;

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
fn with_a_dropout_seed_both_passes_draw_the_same_mask() {
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::ones([16, 4], &device);
    // At a radius of zero both passes differ by their masks alone.
    let losses = |seed: Option<u64>| {
        let mut model = Net::new(&device);
        let config = SamConfig::new().with_rho(0.0).with_dropout_seed(seed);
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
