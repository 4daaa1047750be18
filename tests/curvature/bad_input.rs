//! What cannot be done is refused by name, with the way out.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{DType, Device, Int, Tensor};
use burnscape::curvature::{CurvatureError, FisherSampling};
use burnscape::krylov::LinearOperator;
use burnscape::linearize::LinearizeError;
use burnscape::loss::{Likelihood, LossError, Objective, Reduction, Risk};
use burnscape::space::SpaceError;

use super::fixture::{Dropped, Labeled, batches, cross_entropy, device, losses, net};

fn refusal<O: Objective<Dropped, Labeled> + Sync>(loss: &O) -> CurvatureError {
    let data = batches(&[7]);
    Risk::new(loss, &data)
        .hessian(&net())
        .map(|_| ())
        .unwrap_err()
}

fn plain(net: &Dropped, batch: Labeled) -> Tensor<1> {
    losses(net.forward(batch.x), batch.y).mean()
}

#[test]
fn closures_that_cannot_be_traced_say_why() {
    // Reading a value.
    let error = refusal(&|net: &Dropped, batch: Labeled| {
        let loss = plain(net, batch);
        let value: f64 = loss.clone().into_scalar();
        loss * value
    });
    let text = "reads a value by `into_scalar` (";
    assert!(error.to_string().contains(text), "{error}");

    // Control flow by a value.
    let error = refusal(&|net: &Dropped, batch: Labeled| {
        let loss = plain(net, batch);
        match loss.clone().greater_elem(0.5).all().into_scalar::<bool>() {
            true => loss,
            false => loss * 2.0,
        }
    });
    let text = "`mask_where` instead of `if`";
    assert!(error.to_string().contains(text), "{error}");

    // A tensor of another device.
    let outside = Tensor::<1>::ones([1], &device());
    let error = refusal(&move |net: &Dropped, batch: Labeled| plain(net, batch) * outside.clone());
    let text = "neither to the model nor to the batch";
    assert!(error.to_string().contains(text), "{error}");

    // A criterion that was built outside.
    let weighted = CrossEntropyLossConfig::new().with_weights(Some(vec![1.0, 2.0, 3.0]));
    let criterion = weighted.init(&device());
    let error = refusal(&move |net: &Dropped, batch: Labeled| {
        criterion.forward(net.forward(batch.x), batch.y)
    });
    let text = "the class weights of a criterion";
    assert!(error.to_string().contains(text), "{error}");

    // A derivative by the input within the loss.
    let error = refusal(&|net: &Dropped, batch: Labeled| {
        let x = batch.x.autodiff().require_grad();
        let value = net.forward(x.clone()).sum();
        let slope = x.grad(&value.backward()).unwrap();
        slope.square().mean().autodiff() + net.forward(x).mean()
    });
    let expected = CurvatureError::Linearize(LinearizeError::NestedBackward);
    assert_eq!(error, expected);
    let text = "make a `Field` in the closure";
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn losses_without_a_number_or_a_gradient_are_refused() {
    let error = refusal(&|net: &Dropped, batch: Labeled| losses(net.forward(batch.x), batch.y));
    let expected = LinearizeError::NotScalar { shape: vec![7] };
    assert_eq!(error, CurvatureError::Linearize(expected));
    let error = refusal(&|_: &Dropped, batch: Labeled| batch.x.mean());
    assert_eq!(error, CurvatureError::Linearize(LinearizeError::Untracked));
}

#[test]
fn what_is_detached_from_the_backward_pass_alone_is_refused() {
    // Burn's gradient is then that of another function than the one that runs.
    let error = refusal(&|net: &Dropped, batch: Labeled| {
        let z = net.forward(batch.x);
        let column = |index: usize| z.clone().narrow(1, index, 1);
        (column(0).detach() * column(1)).mean()
    });
    assert!(matches!(error, CurvatureError::Detached { .. }), "{error}");
    // Also where the products happen to be symmetric.
    let error = refusal(&|net: &Dropped, batch: Labeled| {
        let z = net.forward(batch.x);
        (z.clone().detach() * z).mean()
    });
    assert!(matches!(error, CurvatureError::Detached { .. }), "{error}");
    assert!(error.to_string().contains("detached"), "{error}");
    let data = batches(&[7]);
    let risk = Risk::split(
        |net: &Dropped, batch: &Labeled| {
            let z = net.forward(batch.x.clone());
            z.clone().detach() * z
        },
        |z: Tensor<2>, _: Labeled| z.square().mean(),
        &data,
    );
    let net = net();
    let refused = [
        risk.gauss_newton(&net).map(|_| ()),
        risk.fisher(&net, Likelihood::Gaussian).map(|_| ()),
        risk.jacobian(&net).map(|_| ()),
        risk.ntk(&net).map(|_| ()),
    ];
    for refused in refused {
        assert!(
            matches!(refused, Err(CurvatureError::Detached { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn jacobians_that_are_not_finite_are_found() {
    let data = batches(&[3, 4]);
    // Zero outputs with an infinite slope.
    let risk = Risk::split(
        |net: &Dropped, batch: &Labeled| {
            let z = net.forward(batch.x.clone());
            match batch.x.dims()[0] {
                4 => (z * 0.0).sqrt(),
                _ => z,
            }
        },
        |z: Tensor<2>, _: Labeled| z.square().mean(),
        &data,
    );
    let error = risk.jacobian(&net()).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, CurvatureError::NonFiniteProduct { batch: 1, .. }),
        "{error}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_found() {
    let data = batches(&[3, 4]);
    let net = net();
    let infinite = |net: &Dropped, batch: Labeled| plain(net, batch) / 0.0;
    let error = Risk::new(&infinite, &data)
        .hessian(&net)
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            CurvatureError::Loss(LossError::NonFinite { batch: 0, .. })
        ),
        "{error}"
    );
    // x ↦ |x|^(3/2) at zero: value and slope are finite, the second derivative is not. Only the
    // second batch holds it.
    let second = |f: fn(Tensor<2>) -> Tensor<2>| {
        move |net: &Dropped, batch: Labeled| {
            let rows = batch.x.dims()[0];
            let z = net.forward(batch.x);
            let z = if rows == 4 { z.clone() - z } else { z };
            f(z).mean()
        }
    };
    let root = second(|z| z.abs().powf_scalar(1.5));
    let error = Risk::new(&root, &data)
        .hessian(&net)
        .map(|_| ())
        .unwrap_err();
    let CurvatureError::NonFiniteProduct { batch, operation } = &error else {
        panic!("{error}");
    };
    assert_eq!(*batch, 1);
    assert!(operation.contains("::"), "{operation}");
    // As (x²)^(3/4) it has no slope there, as Burn computes it: 0 times infinity.
    let root = second(|z| z.powi_scalar(2).powf_scalar(0.75));
    let error = Risk::new(&root, &data)
        .hessian(&net)
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(error, CurvatureError::NonFiniteGradient { batch: 1, .. }),
        "{error}"
    );
}

#[test]
fn data_that_are_empty_or_change_are_refused() {
    let net = net();
    let none: [Labeled; 0] = [];
    let error = Risk::new(&plain, &none)
        .hessian(&net)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error, CurvatureError::Loss(LossError::EmptyData));

    let mut empty = batches(&[7]);
    empty[0].x = Tensor::zeros([0, 3], &device());
    empty[0].y = Tensor::<1, Int>::zeros([0], &device());
    let error = Risk::new(&plain, &empty)
        .hessian(&net)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        error,
        CurvatureError::Loss(LossError::EmptyBatch { batch: 0 })
    );

    // Another order every time.
    let turn = AtomicUsize::new(0);
    let shuffled = || {
        let mut data = batches(&[2, 2, 3]);
        if turn.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            data.swap(0, 1);
        }
        data
    };
    let error = Risk::new(&plain, &shuffled)
        .hessian(&net)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        error,
        CurvatureError::Loss(LossError::DataChanged { batch: 0 })
    );
    assert!(error.to_string().contains("Batches::collect"));

    // An iterator that is used up.
    let once = Mutex::new(batches(&[4, 3]));
    let exhausted = || std::mem::take(&mut *once.lock().unwrap());
    let error = Risk::new(&plain, &exhausted)
        .hessian(&net)
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            CurvatureError::Loss(LossError::NotDeterministic { .. })
        ),
        "{error}"
    );
}

#[test]
fn models_without_something_to_differentiate_are_refused() {
    let data = batches(&[7]);
    let frozen = net().no_grad();
    let error = Risk::new(&plain, &data)
        .hessian(&frozen)
        .map(|_| ())
        .unwrap_err();
    let CurvatureError::Space(SpaceError::NoTrainableParameters { .. }) = error else {
        panic!("{error}");
    };
    // Two element types have no flat vector.
    let mut mixed = net();
    mixed.second.weight = mixed.second.weight.map(|w| w.cast(DType::F32));
    let error = Risk::new(&plain, &data)
        .hessian(&mixed)
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(error, CurvatureError::Space(SpaceError::MixedDTypes { .. })),
        "{error}"
    );
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let net = net();
    let data = batches(&[7]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let sampling = FisherSampling {
        samples: 0,
        seed: 1,
    };
    let error = risk.sampled_fisher(&net, Likelihood::Gaussian, sampling);
    assert_eq!(error.map(|_| ()).unwrap_err(), CurvatureError::NoSamples);

    let mean = Risk::per_example(plain, &data);
    let error = mean.empirical_fisher(&net).map(|_| ()).unwrap_err();
    let expected = LossError::WrongExampleLosses {
        expected: 7,
        found: 1,
    };
    assert_eq!(error, CurvatureError::Loss(expected));

    let fewer = &batches(&[4, 3])[..1];
    let jacobian = risk.jacobian(&net).unwrap();
    let other = cross_entropy(Reduction::Mean, fewer)
        .jacobian(&net)
        .unwrap();
    let v = burnscape::space::ParamVector::gaussian(jacobian.space(), 1).unwrap();
    let short = other.matvec(&v).unwrap();
    let error = burnscape::krylov::HasAdjoint::matvec_adjoint(&jacobian, &short);
    let error = error.map(|_| ()).unwrap_err();
    assert!(
        matches!(
            error,
            CurvatureError::Space(SpaceError::DifferentSpaces { .. })
        ),
        "{error}"
    );
}

#[test]
fn a_batch_on_another_device_is_refused() {
    #[allow(deprecated, reason = "deprecated by Burn, served while Burn has it")]
    let other: Device = Device::ndarray();
    let data: Vec<Labeled> = batches(&[7])
        .into_iter()
        .map(|batch| burnscape::loss::Batch::to_device(batch, &other))
        .collect();
    let error = Risk::new(&plain, &data)
        .hessian(&net())
        .map(|_| ())
        .unwrap_err();
    let CurvatureError::Linearize(LinearizeError::Mismatch { what, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(what, "batch.0");
}
