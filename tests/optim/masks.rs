//! One dropout mask for the Hessian and the passes of a step.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{DType, Tensor};
use burnscape_testkit::turn;

use super::fixture::{assert_near, build, device, exact};

#[derive(Module, Debug)]
struct Masked {
    w: Param<Tensor<1>>,
    dropout: Dropout,
}

#[test]
fn hessian_and_passes_have_one_dropout_mask_if_they_are_seeded() {
    let _turn = turn();
    let options = (&device(), DType::F64);
    let loss = |m: &Masked, x: Tensor<1>| (m.dropout.forward(m.w.val()) * x).square().sum();
    let x = || Tensor::<1>::from_data([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], options);
    let run = |seed: Option<u64>, index: u64| {
        let mut model = Masked {
            w: Param::from_tensor(Tensor::ones([8], options)),
            dropout: DropoutConfig::new(0.5).init(),
        }
        .train();
        let config = exact(index).with_rho(0.5).with_draws_seed(seed);
        let report = build(config).step_on(0.0, &mut model, x(), &loss);
        let report = report.expect("a step");
        let rise = report.perturbed_loss.unwrap() - report.loss.unwrap();
        (rise, report.inner.unwrap().rise, report.loss.unwrap())
    };
    let mut losses = Vec::new();
    for seed in 0..4 {
        // The loss is quadratic in the weights, given its mask.
        let (rise, model, loss) = run(Some(seed), seed);
        assert_near(rise, model, 1e-9 * rise.abs());
        losses.push(loss);
    }
    losses.dedup();
    assert!(losses.len() > 1, "the masks were drawn");
    // Without a seed each has a different mask.
    let differs = |index| {
        let (rise, model, _) = run(None, index);
        (rise - model).abs() > 1e-3 * model
    };
    assert!((0..4).any(differs));
}
