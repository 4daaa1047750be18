//! Trust regions of a loss that draws random numbers.

use burn::tensor::{Device, Tensor};
use burnscape::loss::LossError;
use burnscape::optim::{OptimError, TrustRegionNewtonConfig};
use burnscape_testkit::models::Dropped;
use burnscape_testkit::turn;

#[test]
fn a_ratio_compares_losses_with_the_same_masks_or_none() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::ones([16, 4], &device);
    let loss = |m: &Dropped, x: Tensor<2>| (m.forward(x) - 1.0).square().mean();
    let config = TrustRegionNewtonConfig::new().with_radius(0.001);
    let mut model = Dropped::new([4, 16, 2], &device);
    let mut newton = config.clone().init().expect("a valid configuration");
    let error = newton.step_on(&mut model, x.clone(), &loss).unwrap_err();
    assert_eq!(error, OptimError::Loss(LossError::Draws));
    // A step as short as this is predicted, if both losses have the masks of the model.
    for seed in 0..3 {
        let newton = config.clone().with_draws_seed(Some(seed));
        let mut newton = newton.init().expect("a valid configuration");
        for _ in 0..3 {
            let report = newton.step_on(&mut model, x.clone(), &loss);
            let report = report.expect("a step");
            let ratio = report.ratio.expect("a ratio");
            assert!((ratio - 1.0).abs() < 0.05, "{report:?}");
            assert_eq!(report.num_losses, 1);
        }
    }
}
