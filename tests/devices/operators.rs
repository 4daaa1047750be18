//! Curvature operators over batches on two devices.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::ParamGroup;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::curvature::{CurvatureError, FisherSampling, Hessian, MemoryPlan};
use burnscape::krylov::{HasAdjoint, LinearOperator};
use burnscape::loss::{Likelihood, Progress, Reduction, Risk, Split, Work};
use burnscape::space::{FlatVector, ParamVector};
use burnscape_testkit::models::TwoLayers;

use super::fixture::{
    Labeled, NEAR, PLACES, SIZES, assert_near, batches, both, counts, distance, entries,
    evaluated_in, losses, mean, net, network, split, vector, wave,
};
use crate::element::{DTYPE, device};

/// A risk on some devices; without any, as it is.
fn on<'a, K>(risk: Risk<'a, TwoLayers, K>, devices: &[Device]) -> Risk<'a, TwoLayers, K> {
    if devices.is_empty() {
        risk
    } else {
        risk.with_devices(devices.to_vec())
    }
}

/// The matrix of every operator, and the numbers that it knows.
fn measured(
    data: &[Labeled],
    reduction: Reduction,
    devices: &[Device],
) -> Vec<(&'static str, Vec<f64>)> {
    let net = net();
    let whole = on(split(data, reduction), devices);
    let each = Risk::per_example(losses, data).with_reduction(reduction);
    let each = on(each, devices);
    let sampling = FisherSampling {
        samples: 3,
        seed: 5,
    };
    let likelihood = Likelihood::Categorical;
    let hessian = whole.hessian(&net).unwrap();
    let newton = whole.gauss_newton(&net).unwrap();
    let fisher = whole.fisher(&net, likelihood).unwrap();
    let sampled = whole.sampled_fisher(&net, likelihood, sampling).unwrap();
    let empirical = each.empirical_fisher(&net).unwrap();
    let covariance = each.gradient_covariance(&net).unwrap();
    let jacobian = whole.jacobian(&net).unwrap();
    let kernel = whole.ntk(&net).unwrap();
    let examples = [
        hessian.num_examples(),
        newton.num_examples(),
        fisher.num_examples(),
        empirical.num_examples(),
        covariance.num_examples(),
        jacobian.num_examples(),
    ];
    let rows = jacobian.outputs();
    let numbers: Vec<f64> = (0..rows.len()).map(|i| wave(i, 2.3)).collect();
    let up = FlatVector::from_host(rows, &numbers).unwrap();
    let back = jacobian.matvec_adjoint(&up).unwrap();
    vec![
        ("loss", vec![hessian.loss(), newton.loss()]),
        ("examples", examples.map(|count| count as f64).to_vec()),
        ("gradient", hessian.gradient().unwrap().to_host().unwrap()),
        ("Hessian", entries(&hessian)),
        ("Gauss-Newton", entries(&newton)),
        ("Fisher", entries(&fisher)),
        ("sampled Fisher", entries(&sampled)),
        ("empirical Fisher", entries(&empirical)),
        ("covariance", entries(&covariance)),
        (
            "mean gradient",
            covariance.mean_gradient().unwrap().to_host().unwrap(),
        ),
        ("Jacobian", entries(&jacobian)),
        ("transposed Jacobian", back.to_host().unwrap()),
        ("kernel", entries(&kernel)),
        (
            "dense kernel",
            kernel.dense().unwrap().into_data().iter().collect(),
        ),
    ]
}

#[test]
fn operators_are_those_of_one_device() {
    // The rows of Jacobian and kernel would show another order of the batches.
    let data = batches(&[5, 2, 4, 1, 3]);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let one = measured(&data, reduction, &[]);
        let two = measured(&data, reduction, &both());
        for ((name, found), (_, expected)) in two.iter().zip(&one) {
            let distance = distance(found, expected);
            assert!(distance <= 10.0 * NEAR, "{name}: {distance:e}");
        }
        // Bit for bit between two runs.
        assert_eq!(measured(&data, reduction, &both()), two);
    }
}

#[test]
fn products_are_on_the_device_of_the_model() {
    let (net, data) = (net(), batches(&SIZES));
    let [first, second] = both();
    for list in [[first.clone(), second.clone()], [second, first]] {
        let risk = split(&data, Reduction::Mean).with_devices(list);
        let hessian = risk.hessian(&net).unwrap();
        assert_eq!(*hessian.space().device(), device());
        let product = hessian.matvec(&vector(hessian.space(), 3.0)).unwrap();
        assert_eq!(product.values().device(), device());
        assert_eq!(hessian.gradient().unwrap().values().device(), device());
        let jacobian = risk.jacobian(&net).unwrap();
        assert_eq!(*jacobian.outputs().device(), device());
        let product = jacobian.matvec(&vector(jacobian.space(), 3.0)).unwrap();
        assert_eq!(product.values().device(), device());
        assert_eq!(risk.ntk(&net).unwrap().dense().unwrap().device(), device());
    }
}

#[test]
fn a_product_evaluates_each_batch_on_its_device() {
    let (net, data) = (net(), batches(&SIZES));
    let risk = split(&data, Reduction::Mean).with_devices(both());
    let expected = counts(&PLACES, 2);
    let risk = risk.with_checks(false);
    let made = evaluated_in(&risk, || drop(risk.hessian(&net).unwrap()));
    assert_eq!(made, expected);
    let hessian = risk.hessian(&net).unwrap();
    let v = vector(hessian.space(), 3.0);
    let product = evaluated_in(&risk, || drop(hessian.matvec(&v).unwrap()));
    assert_eq!(product, expected);
    let jacobian = risk.jacobian(&net).unwrap();
    let product = evaluated_in(&risk, || drop(jacobian.matvec(&v).unwrap()));
    assert_eq!(product, expected);
    assert_eq!(hessian.device_work(), risk.device_work());
    assert_eq!(jacobian.device_work(), risk.device_work());
}

#[test]
fn batches_of_one_shape_take_turns() {
    let (net, data) = (net(), batches(&[3; 5]));
    let risk = split(&data, Reduction::Mean).with_devices(both());
    let hessian = risk.hessian(&net).unwrap();
    let v = vector(hessian.space(), 3.0);
    let product = evaluated_in(&risk, || drop(hessian.matvec(&v).unwrap()));
    assert_eq!(product, [3, 2]);
}

#[test]
fn blocks_have_the_products_of_their_vectors() {
    let (net, data) = (net(), batches(&[5, 2, 4, 1, 3]));
    let whole = split(&data, Reduction::Mean).with_devices(both());
    let hessian = whole.hessian(&net).unwrap();
    let few = whole.clone().with_block_size(2).hessian(&net).unwrap();
    let vectors: Vec<ParamVector> = (0..5)
        .map(|index| vector(hessian.space(), 1.7 * f64::from(index)))
        .collect();
    let host = |products: Vec<ParamVector>| -> Vec<Vec<f64>> {
        products.iter().map(|v| v.to_host().unwrap()).collect()
    };
    let block = host(hessian.matmat(&vectors).unwrap());
    let in_parts = host(few.matmat(&vectors).unwrap());
    for ((v, found), part) in vectors.iter().zip(&block).zip(&in_parts) {
        let single = hessian.matvec(v).unwrap().to_host().unwrap();
        assert_near(found, &single);
        assert_near(part, &single);
    }
    assert!(hessian.matmat(&[]).unwrap().is_empty());

    let jacobian = whole.jacobian(&net).unwrap();
    let rows = jacobian.matmat(&vectors).unwrap();
    for (v, found) in vectors.iter().zip(&rows) {
        let single = jacobian.matvec(v).unwrap().to_host().unwrap();
        assert_near(&found.to_host().unwrap(), &single);
    }
    let back = host(jacobian.matmat_adjoint(&rows).unwrap());
    for (u, found) in rows.iter().zip(&back) {
        let single = jacobian.matvec_adjoint(u).unwrap().to_host().unwrap();
        assert_near(found, &single);
    }
}

#[test]
fn an_operator_that_moves_is_a_new_one() {
    let (here, there) = (net(), network(4.2));
    let data = batches(&[5, 2, 4, 1, 3]);
    let risk = split(&data, Reduction::Mean).with_devices(both());
    let numbers = |hessian: &Hessian<'_>| {
        let v = vector(hessian.space(), 3.0);
        (
            hessian.loss(),
            hessian.gradient().unwrap().to_host().unwrap(),
            hessian.matvec(&v).unwrap().to_host().unwrap(),
        )
    };
    let new = numbers(&risk.hessian(&there).unwrap());
    let moved = risk.hessian(&here).unwrap().at(&there).unwrap();
    assert_eq!(numbers(&moved), new);
    // And back.
    let back = moved.at(&here).unwrap();
    assert_eq!(numbers(&back), numbers(&risk.hessian(&here).unwrap()));
    let fisher = risk.fisher(&here, Likelihood::Gaussian).unwrap();
    let moved = entries(&fisher.at(&there).unwrap());
    let new = risk.fisher(&there, Likelihood::Gaussian).unwrap();
    assert_eq!(moved, entries(&new));
}

#[test]
fn a_group_has_its_block() {
    let (net, data) = (net(), batches(&[5, 2, 4, 1, 3]));
    let group = ParamGroup::from_predicate("second");
    let one = split(&data, Reduction::Mean).with_group(group);
    let two = one.clone().with_devices(both());
    let [expected, found] = [one, two].map(|risk| entries(&risk.hessian(&net).unwrap()));
    assert_near(&found, &expected);
}

#[test]
fn recomputed_residuals_give_the_same_bits() {
    let (net, data) = (net(), batches(&[5, 2, 4, 1, 3]));
    let risk = split(&data, Reduction::Mean).with_devices(both());
    let kept = risk.hessian(&net).unwrap();
    assert_eq!(kept.num_kept_batches(), 5);
    let recomputed = risk.with_residual_budget(0).hessian(&net).unwrap();
    assert_eq!(recomputed.num_kept_batches(), 0);
    let plan = recomputed.memory_plan();
    assert_eq!((plan.kept_batches, plan.recomputed_batches), (0, 5));
    let v = vector(kept.space(), 3.0);
    let [kept, recomputed] =
        [kept, recomputed].map(|hessian| hessian.matvec(&v).unwrap().to_host().unwrap());
    assert_eq!(kept, recomputed);
}

/// Batches of equal size, large enough for their tensors to outweigh programs.
fn large(rows: usize, count: usize) -> Vec<Labeled> {
    let batch = |first: usize| {
        let numbers: Vec<f64> = (0..rows * 3)
            .map(|i| (0.7 * (first + i) as f64).sin())
            .collect();
        let labels: Vec<i64> = (0..rows as i64).map(|i| i * i % 3).collect();
        Labeled {
            x: Tensor::from_data(TensorData::new(numbers, [rows, 3]), (&device(), DTYPE)),
            y: Tensor::<1, Int>::from_data(TensorData::new(labels, [rows]), &device()),
        }
    };
    (0..count).map(|index| batch(31 * index)).collect()
}

type SplitRisk<'a> = Risk<'a, TwoLayers, Split>;

/// The least budget, as the error tells it.
fn least(risk: &SplitRisk<'_>) -> u64 {
    match risk.clone().with_memory_budget(1).hessian(&net()) {
        Err(CurvatureError::MemoryBudget { least, .. }) => least,
        other => panic!("{other:?}"),
    }
}

#[test]
fn memory_budgets_hold_on_both_devices() {
    let (net, data) = (net(), large(8_000, 4));
    let one = split(&data, Reduction::Mean).with_checks(false);
    let two = one.clone().with_devices(both());
    let product = |hessian: &Hessian<'_>| {
        let v = vector(hessian.space(), 3.0);
        hessian.matvec(&v).unwrap().to_host().unwrap()
    };
    let reference = product(&one.hessian(&net).unwrap());
    let all = two.hessian(&net).unwrap();
    // Sums of thousands of numbers in single precision.
    let assert_close = |found: &[f64]| {
        let distance = distance(found, &reference);
        assert!(distance <= 100.0 * NEAR, "{distance:e}");
    };
    let stored = product(&all);
    assert_close(&stored);
    let plan = all.memory_plan();
    assert_eq!((plan.kept_batches, plan.recomputed_batches), (4, 0));
    let least = least(&two) as usize;
    let mut budget = 2 * plan.peak_bytes as usize;
    let mut plans: Vec<MemoryPlan> = Vec::new();
    while budget > least * 3 / 2 {
        let hessian = two.clone().with_memory_budget(budget).hessian(&net);
        let hessian = hessian.unwrap();
        let plan = hessian.memory_plan();
        assert!(plan.peak_bytes <= budget as u64, "{plan}");
        let found = product(&hessian);
        assert_close(&found);
        if plan.examples_per_batch.is_none() {
            assert_eq!(plan.kept_batches + plan.recomputed_batches, 4, "{plan}");
            assert_eq!(found, stored, "{plan}");
        }
        plans.push(plan);
        budget = budget * 2 / 3;
    }
    let has = |is_it: fn(&MemoryPlan) -> bool| plans.iter().any(is_it);
    assert_eq!(plans[0].kept_batches, 4);
    assert!(has(|plan| plan.kept_batches < 4));
    assert!(has(|plan| plan.examples_per_batch.is_some()));
}

#[test]
fn an_observer_counts_the_batches_of_an_operator() {
    let (net, data) = (net(), batches(&[2; 6]));
    let seen: Mutex<Vec<(Work, usize, Option<usize>)>> = Mutex::default();
    let risk = split(&data, Reduction::Mean)
        .with_devices(both())
        .with_checks(false)
        .with_observer(|progress: &Progress| {
            let report = (progress.work, progress.done, progress.total);
            seen.lock().unwrap().push(report);
            ControlFlow::Continue(())
        });
    let hessian = risk.hessian(&net).unwrap();
    let v = vector(hessian.space(), 3.0);
    hessian.matvec(&v).unwrap();
    let jacobian = risk.jacobian(&net).unwrap();
    jacobian.matvec(&v).unwrap();
    let of = |work| (1..=6).map(move |done| (work, done, Some(6)));
    let expected: Vec<(Work, usize, Option<usize>)> = [
        Work::Linearization,
        Work::Product,
        Work::Linearization,
        Work::Product,
    ]
    .into_iter()
    .flat_map(of)
    .collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_break_ends_the_product_and_leaves_the_operator() {
    let (net, data) = (net(), batches(&[2; 6]));
    let stop = AtomicUsize::new(usize::MAX);
    let risk = split(&data, Reduction::Mean)
        .with_devices(both())
        .with_checks(false)
        .with_observer(
            |progress: &Progress| match progress.done == stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            },
        );
    let hessian = risk.hessian(&net).unwrap();
    let v = vector(hessian.space(), 3.0);
    let expected = hessian.matvec(&v).unwrap().to_host().unwrap();
    for at in [1, 2, 4] {
        stop.store(at, Ordering::Relaxed);
        let error = hessian.matvec(&v).map(drop).unwrap_err();
        assert_eq!(error, CurvatureError::Stopped);
        let error = risk.hessian(&net).map(drop).unwrap_err();
        assert_eq!(error, CurvatureError::Stopped);
        stop.store(usize::MAX, Ordering::Relaxed);
        let again = hessian.matvec(&v).unwrap().to_host().unwrap();
        assert_eq!(again, expected);
    }
}

#[test]
fn more_devices_than_batches_leave_the_last_ones_idle() {
    let (net, data) = (net(), batches(&[4]));
    let one = split(&data, Reduction::Mean);
    let two = one.clone().with_devices(both());
    // All is computed on the first device, and nothing is added to it.
    let [expected, found] = [&one, &two].map(|risk| {
        let hessian = risk.hessian(&net).unwrap();
        let jacobian = risk.jacobian(&net).unwrap();
        (
            risk.loss(&net).unwrap().value,
            hessian.loss(),
            entries(&hessian),
            entries(&jacobian),
        )
    });
    assert_eq!(found, expected);
    let work = two.device_work();
    assert!(work[0].batches > 0 && work[1].batches == 0, "{work:?}");
    assert!(work[1].device.contains("NdArray"), "{work:?}");
}

#[test]
fn an_owned_operator_moves_to_a_thread() {
    let net = net();
    let hessian: Hessian<'static> = Risk::owned(mean, batches(&SIZES))
        .with_devices(both())
        .hessian(&net)
        .unwrap();
    let v = vector(hessian.space(), 3.0);
    let here = hessian.matvec(&v).unwrap().to_host().unwrap();
    let there = std::thread::spawn(move || hessian.matvec(&v).unwrap().to_host().unwrap());
    assert_eq!(there.join().unwrap(), here);
}
