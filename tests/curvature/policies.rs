//! Residual budgets, blocks, groups, data that are read again.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::ParamGroup;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Progress, Reduction, Work};
use burnscape::space::{ParamSpace, ParamVector};

use super::fixture::{assert_close, batches, cross_entropy, dense, net};

#[test]
fn a_budget_changes_nothing_but_the_work() {
    let net = net();
    let data = batches(&[2, 2, 3]);
    let reads = AtomicUsize::new(0);
    let counted = || {
        reads.fetch_add(1, Ordering::Relaxed);
        data.clone()
    };
    let num_reads = || reads.load(Ordering::Relaxed);
    let risk = cross_entropy(Reduction::Mean, &counted);
    let with_budget = |bytes: usize| {
        risk.clone()
            .with_residual_budget(bytes)
            .hessian(&net)
            .unwrap()
    };
    let kept = with_budget(1 << 20);
    // Once to linearize, once to see whether the data are the same.
    assert_eq!(num_reads(), 2);
    let reference = dense(&kept);
    assert_eq!(num_reads(), 2);
    assert_eq!(kept.num_kept_batches(), 3);
    // Nothing, and everything between nothing and all.
    for wanted in 0..3 {
        let fits = |bytes: &usize| with_budget(*bytes).num_kept_batches() == wanted;
        let bytes = (0..20_000).step_by(250).find(fits).unwrap();
        let hessian = with_budget(bytes);
        assert_close(&reference, &dense(&hessian), 1e-14);
        let before = num_reads();
        let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
        let (a, b) = (kept.matvec(&v).unwrap(), hessian.matvec(&v).unwrap());
        assert!(a.axpy(-1.0, &b).unwrap().norm().unwrap() < 1e-14);
        assert_eq!(num_reads(), before + 1, "with {bytes} bytes");
    }
}

#[test]
fn blocks_share_passes_over_the_data() {
    let net = net();
    let data = batches(&[2, 2, 3]);
    let passes = AtomicUsize::new(0);
    let observe = |progress: &Progress| {
        let is_end = progress.work == Work::Product && Some(progress.done) == progress.total;
        passes.fetch_add(usize::from(is_end), Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let risk = cross_entropy(Reduction::Mean, &data).with_observer(observe);
    let hessian = risk.clone().with_block_size(4).hessian(&net).unwrap();
    assert_eq!(
        passes.swap(0, Ordering::Relaxed),
        2,
        "two products are checks"
    );
    let vectors: Vec<ParamVector> = (0..10)
        .map(|seed| ParamVector::gaussian(hessian.space(), seed).unwrap())
        .collect();
    let products = hessian.matmat(&vectors).unwrap();
    assert_eq!(passes.swap(0, Ordering::Relaxed), 3, "4 + 4 + 2 vectors");
    for (v, product) in vectors.iter().zip(products) {
        let single = hessian.matvec(v).unwrap();
        let norm = single.norm().unwrap();
        let difference = product.axpy(-1.0, &single).unwrap().norm().unwrap();
        assert!(difference <= 1e-14 * norm);
    }
    assert!(hessian.matmat(&[]).unwrap().is_empty());
}

#[test]
fn a_group_is_a_diagonal_block() {
    let net = net();
    let data = batches(&[4, 3]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let whole = dense(&risk.hessian(&net).unwrap());
    let risk = risk.with_group(ParamGroup::from_predicate("second"));
    let block = risk.hessian(&net).unwrap();
    let space = ParamSpace::of(&net).unwrap();
    let start = space.leaves()[2].offset();
    assert_eq!(block.space().len(), space.len() - start);
    let n = space.len();
    let mut expected = Vec::new();
    for row in start..n {
        expected.extend_from_slice(&whole.row(row).unwrap()[start..]);
    }
    assert!(super::fixture::distance(&expected, dense(&block).as_slice()) < 1e-14);
    let stranger = ParamVector::zeros(&space).unwrap();
    let refused = block.matvec(&stranger);
    assert!(
        matches!(refused, Err(CurvatureError::Space(_))),
        "{refused:?}"
    );
}

#[test]
fn an_observer_sees_every_batch_and_can_stop() {
    let net = net();
    let data = batches(&[2, 2, 3]);
    let stop_at = |limit: usize| {
        let mut seen = 0;
        let observe = move |_: &Progress| {
            seen += 1;
            match seen == limit {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let risk = cross_entropy(Reduction::Mean, &data).with_observer(observe);
        risk.hessian(&net)
    };
    let stopped = stop_at(2).map(|_| ());
    assert_eq!(stopped, Err(CurvatureError::Stopped));
    // Three batches to linearize, and three for each of two checks.
    let hessian = stop_at(11).unwrap();
    let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
    let stopped = hessian.matvec(&v).map(|_| ());
    assert_eq!(stopped, Err(CurvatureError::Stopped));
    // The next call is a new one.
    assert!(hessian.matvec(&v).is_ok());
}
