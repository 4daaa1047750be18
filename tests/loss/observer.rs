//! Who watches a risk.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{LossError, Mode, Risk, Work};
use burnscape::space::ParamVector;
use burnscape_testkit::models::Dropped;

fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).square().mean()
}

fn batches() -> Vec<Tensor<2>> {
    let device = Device::default();
    [1, 3, 2]
        .map(|count| Tensor::ones([count, 2], &device))
        .into()
}

fn model() -> Linear {
    LinearConfig::new(2, 1).init(&Device::default())
}

#[test]
fn an_observer_may_evaluate_the_risk_that_it_watches() {
    let own: Arc<OnceLock<Risk<'static, Linear>>> = Arc::default();
    let seen = Arc::new(AtomicUsize::new(0));
    let model = model();
    let risk = Risk::owned(loss, batches()).with_observer({
        let (own, seen, model) = (own.clone(), seen.clone(), model.clone());
        move |progress| {
            seen.fetch_add(1, Ordering::Relaxed);
            if let Some(risk) = own.get() {
                let found = risk.loss_and_gradient(&model).unwrap();
                assert!(found.completed && progress.work == Work::Loss);
            }
            ControlFlow::Continue(())
        }
    });
    own.set(risk.clone()).unwrap();
    assert!(risk.loss(&model).unwrap().completed);
    // Its own passes are not observed.
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[test]
fn a_break_leaves_what_was_found_so_far() {
    let data = batches();
    let risk = Risk::new(&loss, &data).with_observer(|progress| match progress.done {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let found = risk.loss_and_gradient(&model()).unwrap();
    assert!(!found.completed);
    assert_eq!((found.num_batches, found.num_examples), (2, 4));
}

#[test]
fn an_operator_shows_its_products_to_the_observer_of_its_risk() {
    let products = Arc::new(AtomicUsize::new(0));
    let counted = products.clone();
    let risk = Risk::owned(loss, batches()).with_observer(move |progress| {
        if progress.work == Work::Product {
            assert_eq!(progress.total, Some(3));
            counted.fetch_add(1, Ordering::Relaxed);
        }
        ControlFlow::Continue(())
    });
    let hessian = risk.hessian(&model()).unwrap();
    let before = products.load(Ordering::Relaxed);
    let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
    hessian.matvec(&v).unwrap();
    assert_eq!(products.load(Ordering::Relaxed) - before, 3);
}

#[test]
fn an_operator_of_an_owned_risk_outlives_it_and_moves_to_a_thread() {
    let model = model();
    let hessian = {
        let risk = Risk::owned(loss, batches());
        risk.hessian(&model).unwrap()
    };
    let there = std::thread::spawn(move || {
        let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
        hessian.matvec(&v).unwrap().norm().unwrap()
    });
    assert!(there.join().unwrap() > 0.0);
}

#[test]
fn a_probe_of_draws_is_of_one_mode() {
    let device = Device::default();
    let net = Dropped::new([2, 4, 1], &device);
    let loss = |net: &Dropped, x: Tensor<2>| net.forward(x).square().mean();
    let data = [Tensor::<2>::ones([8, 2], &device)];
    let risk = Risk::new(&loss, &data);
    risk.loss(&net).unwrap();
    let in_training = risk.clone().with_mode(Mode::Train);
    assert_eq!(in_training.loss(&net), Err(LossError::Draws));
}

#[test]
fn a_risk_of_a_callers_may_be_watched_by_a_local() {
    fn passes<M: Module>(risk: &Risk<'_, M>, model: &M) -> usize {
        let mut count = 0;
        let watched = risk.clone().with_observer(|_| {
            count += 1;
            ControlFlow::Continue(())
        });
        watched.loss(model).unwrap();
        drop(watched);
        count
    }
    let data = batches();
    assert_eq!(passes(&Risk::new(&loss, &data), &model()), 3);
}

#[test]
fn an_observer_that_panicked_is_called_again() {
    let seen = AtomicUsize::new(0);
    let data = batches();
    let risk = Risk::new(&loss, &data).with_observer(|_| {
        assert!(seen.fetch_add(1, Ordering::Relaxed) > 0, "the first call");
        ControlFlow::Continue(())
    });
    let model = model();
    let run = || risk.loss(&model);
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert!(risk.loss(&model).unwrap().completed);
    assert_eq!(seen.load(Ordering::Relaxed), 1 + 3);
}
