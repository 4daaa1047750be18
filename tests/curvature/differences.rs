//! Differences of gradients, and weight decay.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::ParamGroup;
use burnscape::curvature::Diagonal;
use burnscape::krylov::{LinearOperator, Square, Sum};
use burnscape::loss::{Reduction, Risk};
use burnscape::space::{ParamSpace, ParamVector};

use super::fixture::{
    Dropped, Labeled, assert_close, batches, cross_entropy, dense, distance, losses, net,
};

#[test]
fn differences_converge_to_the_exact_hessian_as_the_square_of_the_step() {
    let net = net();
    let data = batches(&[5, 2]);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let risk = cross_entropy(reduction, &data);
        let exact = dense(&risk.hessian(&net).unwrap());
        let error = |step: f64| {
            let differences = risk.finite_difference(&net).unwrap().with_step(step);
            distance(exact.as_slice(), dense(&differences).as_slice())
        };
        let (coarse, fine) = (error(2e-2), error(1e-2));
        assert!((3.6..4.4).contains(&(coarse / fine)), "{coarse} {fine}");
        // The default step.
        let differences = risk.finite_difference(&net).unwrap();
        assert_close(&exact, &dense(&differences), 1e-8);
        assert!(differences.symmetry_defect(3, 1).unwrap() < 1e-8);
        let zero = ParamVector::zeros(differences.space()).unwrap();
        assert_eq!(differences.matvec(&zero).unwrap().norm().unwrap(), 0.0);
    }
}

#[test]
fn differences_need_no_trace() {
    let net = net();
    let data = batches(&[5, 2]);
    let calls = AtomicUsize::new(0);
    // A loss that looks at its value.
    let loss = |net: &Dropped, batch: Labeled| {
        calls.fetch_add(1, Ordering::Relaxed);
        let loss = losses(net.forward(batch.x), batch.y).mean();
        let value: f64 = loss.clone().into_scalar();
        if value > 0.0 { loss } else { loss * 0.0 }
    };
    let risk = Risk::new(&loss, &data);
    assert!(risk.hessian(&net).is_err());
    calls.store(0, Ordering::Relaxed);
    let differences = risk.finite_difference(&net).unwrap();
    let made = calls.load(Ordering::Relaxed);
    assert_eq!(made, 5, "two gradients of two batches, and a probe");
    let v = ParamVector::gaussian(differences.space(), 1).unwrap();
    differences.matvec(&v).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 9);
}

#[test]
fn weight_decay_is_a_summand() {
    let net = net();
    let data = batches(&[5, 2]);
    let lambda = 0.125;
    let penalized = |net: &Dropped, batch: Labeled| {
        let square = net.first.weight.val().square().sum() + net.second.weight.val().square().sum();
        losses(net.forward(batch.x), batch.y).mean() + square * (lambda / 2.0)
    };
    let expected = dense(&Risk::new(&penalized, &data).hessian(&net).unwrap());
    let hessian = cross_entropy(Reduction::Mean, &data).hessian(&net).unwrap();
    let group = ParamGroup::from_predicate("weight");
    let decay = Diagonal::weight_decay_of_group(hessian.space(), &group, lambda).unwrap();
    assert_close(&expected, &dense(&Sum::new(hessian, decay).unwrap()), 1e-14);
    let space = ParamSpace::of(&net).unwrap();
    let all = dense(&Diagonal::weight_decay(&space, 2.0).unwrap());
    let n = space.len();
    assert!((0..n * n).all(|i| all.as_slice()[i] == if i / n == i % n { 2.0 } else { 0.0 }));
}
