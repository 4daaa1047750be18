//! Recorded losses are what Burn computes.

use burn::module::Module;
use burn::nn::loss::MseLoss;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Batch, LossError, Mode, Objective, Recorded, Reduction, Risk, SumLoss};
use burnscape::optim::SamConfig;
use burnscape::space::{LeafVector, ParamSpace, ParamVector};
use burnscape_testkit::double::device;
use burnscape_testkit::models::{Normalized, TwoLayers};

type Data = (Tensor<2>, Tensor<2>);

fn numbers<const D: usize>(shape: [usize; D], phase: f64) -> Tensor<D> {
    let number = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    let numbers: Vec<f64> = (0..shape.iter().product()).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, shape), &device())
}

fn batch(examples: usize) -> Data {
    (numbers([examples, 3], 0.3), numbers([examples, 2], 7.1))
}

fn smooth_net() -> TwoLayers {
    let net = TwoLayers::new([3, 5, 2], &device().autodiff());
    let space = ParamSpace::of(&net).expect("parameters");
    let values: Vec<f64> = (0..space.len()).map(|i| (0.9 * i as f64).sin()).collect();
    let values = ParamVector::from_host(&space, &values).expect("a vector");
    values.apply_to(&net).expect("a model")
}

fn squares(net: &TwoLayers, (x, y): Data) -> Tensor<1> {
    (net.forward(x, Tensor::tanh) - y).square().mean()
}

fn value(loss: &Tensor<1>) -> f64 {
    loss.clone().into_scalar()
}

/// A gradient by Burn's backward pass of a loss.
fn gradient<M: Module>(loss: &Tensor<1>, model: &M) -> Vec<f64> {
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let space = ParamSpace::of(model).expect("parameters");
    let leaves = LeafVector::from_gradients(&space, &gradients).expect("a gradient");
    let flat = ParamVector::from_leaves(&leaves).expect("a vector");
    flat.to_host().expect("numbers")
}

fn assert_equal(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(0.0_f64, |all, x| all.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-13 * size,
            "{found} {expected}"
        );
    }
}

#[test]
fn loss_and_gradient_are_those_of_burn_at_every_weight_and_batch() {
    let recorded = Recorded::new(squares);
    let mut net = smooth_net();
    for step in 0..3 {
        for examples in [4, 7] {
            let data = batch(examples);
            let found = recorded.loss_on(&net, data.clone()).expect("a loss");
            let expected = squares(&net, data);
            assert!(
                (value(&found) - value(&expected)).abs() < 1e-14,
                "step {step}"
            );
            // The factor reaches the gradient through the loss.
            assert_equal(
                &gradient(&(found * 3.0), &net),
                &gradient(&(expected * 3.0), &net),
            );
        }
        let space = ParamSpace::of(&net).expect("parameters");
        let step = ParamVector::gaussian(&space, step).expect("a vector");
        net = step.perturb(&net, 0.3).expect("a model");
    }
}

#[test]
fn it_is_an_objective_of_every_consumer() {
    let data = [batch(4), batch(3)];
    let recorded = Recorded::new(squares);
    let (plain, other) = (Risk::new(&squares, &data), Risk::new(&recorded, &data));
    let net = smooth_net();
    assert_eq!(
        plain.loss(&net).expect("a loss").value,
        other.loss(&net).expect("a loss").value
    );
    let gradients = [&plain, &other].map(|risk| {
        let found = risk.loss_and_gradient(&net).expect("a gradient");
        found.gradient.to_host().expect("numbers")
    });
    assert_equal(&gradients[1], &gradients[0]);
    let v = ParamVector::gaussian(&ParamSpace::of(&net).expect("a space"), 3).expect("a vector");
    let products = [&plain, &other].map(|risk| {
        let hessian = risk.hessian(&net).expect("a Hessian");
        hessian
            .matvec(&v)
            .and_then(|product| Ok(product.to_host()?))
            .expect("a product")
    });
    assert_eq!(products[0], products[1]);

    let steps = |objective: &dyn Fn(&TwoLayers, Data) -> Tensor<1>| {
        let mut net = smooth_net();
        let mut sam = SamConfig::new().init(SgdConfig::new().init()).expect("SAM");
        for _ in 0..3 {
            sam.step(0.1, &mut net, |net: &TwoLayers| {
                objective(net, data[0].clone())
            })
            .expect("a step");
        }
        let space = ParamSpace::of(&net).expect("parameters");
        let weights = ParamVector::from_module(&space, &net).expect("weights");
        weights.to_host().expect("numbers")
    };
    assert_equal(
        &steps(&|net, data| recorded.loss(net, data)),
        &steps(&squares),
    );
}

#[test]
fn frozen_parameters_and_unused_ones_have_no_gradient() {
    let net = smooth_net();
    let frozen = TwoLayers {
        first: net.first.clone().no_grad(),
        second: net.second.clone(),
    };
    let recorded = Recorded::new(squares);
    let count =
        |net: &TwoLayers, loss: Tensor<1>| GradientsParams::from_grads(loss.backward(), net).len();
    for (net, expected) in [(&net, 4), (&frozen, 2)] {
        let loss = recorded.loss_on(net, batch(4)).expect("a loss");
        assert_eq!(count(net, loss), expected);
    }
    let first_only = |net: &TwoLayers, (x, _): Data| net.first.forward(x).square().mean();
    let loss = Recorded::new(first_only)
        .loss_on(&net, batch(4))
        .expect("a loss");
    assert_eq!(count(&net, loss), 2);
}

#[test]
fn a_model_off_autodiff_has_the_value_only() {
    let recorded = Recorded::new(squares);
    let plain = smooth_net().valid();
    let found = recorded.loss_on(&plain, batch(4)).expect("a loss");
    assert!(!found.is_require_grad() && !found.is_tracked());
    assert!((value(&found) - value(&squares(&plain, batch(4)))).abs() < 1e-14);
}

#[test]
fn kinds_and_reductions_pass_through() {
    let recorded = Recorded::new(SumLoss(|net: &TwoLayers, (x, y): Data| {
        MseLoss::new().forward(
            net.forward(x, Tensor::tanh),
            y,
            burn::nn::loss::Reduction::Sum,
        )
    }));
    let reduction = Objective::<TwoLayers, Data>::reduction(&recorded);
    assert_eq!(reduction, Reduction::Sum);
}

#[test]
fn running_statistics_are_refused_in_training_and_read_in_evaluation() {
    let net = Normalized::new([3, 6, 2], &device().autodiff());
    let loss = |net: &Normalized, (x, y): Data| (net.forward(x) - y).square().mean();
    let data = [batch(5)];
    let recorded = Recorded::new(loss);
    let training = Risk::new(&recorded, &data).with_mode(Mode::Train);
    match training.loss_and_gradient(&net) {
        Err(LossError::RunningStatistics { paths }) => {
            assert_eq!(paths, ["norm.running_mean", "norm.running_var"]);
        }
        other => panic!("{other:?}"),
    }
    let found = Risk::new(&recorded, &data)
        .loss_and_gradient(&net)
        .expect("a gradient");
    let expected = Risk::new(&loss, &data)
        .loss_and_gradient(&net)
        .expect("a gradient");
    assert_equal(
        &found.gradient.to_host().expect("numbers"),
        &expected.gradient.to_host().expect("numbers"),
    );
}

/// A closure that is not a function of what is recorded.
#[test]
fn an_objective_that_changes_by_itself_is_refused() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let recorded = Recorded::new(|net: &TwoLayers, data: Data| {
        let calls = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        squares(net, data) * (1.0 + calls as f64)
    });
    match recorded.loss_on(&smooth_net(), batch(4)) {
        Err(LossError::RecordedDiffers { defect, .. }) => assert!(defect > 0.1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_recorded_is_an_error_of_its_kind_in_every_consumer() {
    let reads = |net: &TwoLayers, data: Data| {
        let loss = squares(net, data);
        let value: f64 = loss.clone().into_scalar();
        loss * value
    };
    let recorded = Recorded::new(reads);
    let is_read = |error: &LossError| error.to_string().contains("reads a value");
    assert!(is_read(
        &recorded
            .loss_on(&smooth_net(), batch(4))
            .expect_err("a read")
    ));
    let data = [batch(4)];
    let risk = Risk::new(&recorded, &data);
    assert!(is_read(
        &risk.loss_and_gradient(&smooth_net()).expect_err("a read")
    ));
    assert!(matches!(
        risk.hessian(&smooth_net()).err(),
        Some(CurvatureError::Linearize(_) | CurvatureError::Loss(_))
    ));
}

#[test]
fn more_shapes_than_programs_that_are_kept() {
    let recorded = Recorded::new(squares);
    let net = smooth_net();
    for examples in (1..12).chain(1..12) {
        let found = recorded.loss_on(&net, batch(examples)).expect("a loss");
        assert!((value(&found) - value(&squares(&net, batch(examples)))).abs() < 1e-14);
    }
}

/// Two models with other identifiers but the same shapes share a program.
#[test]
fn models_of_the_same_shapes_share_a_program() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let recorded = Recorded::new(|net: &TwoLayers, data: Data| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        squares(net, data)
    })
    .with_checks(false);
    for _ in 0..3 {
        let net = TwoLayers::new([3, 5, 2], &device().autodiff());
        let loss = recorded.loss_on(&net, batch(4)).expect("a loss");
        let expected = squares(&net, batch(4));
        assert_equal(&gradient(&loss, &net), &gradient(&expected, &net));
    }
    assert_eq!(count.into_inner(), 1);
}

#[derive(Batch, Clone)]
struct Weighted {
    x: Tensor<2>,
    #[batch(skip)]
    weight: f64,
}

/// A part of a batch that is no tensor is not frozen into a program.
#[test]
fn numbers_in_a_batch_are_those_of_the_call() {
    let recorded = Recorded::new(|net: &TwoLayers, batch: Weighted| {
        net.forward(batch.x, Tensor::tanh).square().mean() * batch.weight
    });
    let net = smooth_net();
    let at = |weight: f64| {
        let x = batch(4).0;
        let loss = recorded.loss_on(&net, Weighted { x, weight });
        value(&loss.expect("a loss"))
    };
    let (one, three) = (at(1.0), at(3.0));
    assert!((three - 3.0 * one).abs() < 1e-14, "{one} {three}");
}

/// At a minimum only rounding is left of the gradient, and of a loss of residuals too; their ratio says nothing.
#[test]
fn a_model_at_its_minimum_is_recorded() {
    for (factor, offset) in [(1.0, 0.0), (1.0, 2.0), (1e-20, 0.0)] {
        let net = smooth_net();
        let x = batch(4).0;
        let targets = net.valid().forward(x.clone(), Tensor::tanh);
        // Not the same sums as those of the targets.
        let loss = move |net: &TwoLayers, (x, y): Data| {
            let gap = net.forward(x, Tensor::tanh) * 3.0 - y * 3.0;
            gap.square().mean() * factor + offset
        };
        let found = Recorded::new(loss).loss_on(&net, (x, targets));
        assert!(
            value(&found.expect("a loss")).is_finite(),
            "{factor} {offset}"
        );
    }
}
