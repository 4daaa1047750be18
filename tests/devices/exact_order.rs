//! Sums over batches against sums by hand of parts that are each computed on the device of their batch, bit for bit.
//!
//! All weights are powers of two, as is their sum, so that only additions round.

use burn::module::Module;
use burn::tensor::Device;
use burnscape::krylov::{HasAdjoint, LinearOperator};
use burnscape::loss::{Batch, Reduction, Risk, Split};
use burnscape::space::FlatVector;
use burnscape_testkit::models::TwoLayers;

use super::fixture::{Labeled, PLACES, SIZES, batches, both, net, split, vector, wave};
use crate::element::rounded;

type SplitRisk<'a> = Risk<'a, TwoLayers, Split>;

/// What a measurement gives for each batch alone: model and batch are on the device of the batch.
fn each_alone(
    reduction: Reduction,
    measure: impl Fn(&SplitRisk<'_>, &TwoLayers) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let devices = both();
    let alone = |(batch, place): (Labeled, usize)| {
        let device: &Device = &devices[place];
        let there = net().fork(device);
        let batch = [Batch::to_device(batch, device)];
        measure(&split(&batch, reduction), &there)
    };
    batches(&SIZES).into_iter().zip(PLACES).map(alone).collect()
}

/// The weight of each batch in the sum.
fn factors(reduction: Reduction) -> [f64; 6] {
    let all = SIZES.iter().sum::<usize>() as f64;
    SIZES.map(|size| match reduction {
        Reduction::Mean => size as f64 / all,
        Reduction::Sum => 1.0,
    })
}

fn added(sum: Option<Vec<f64>>, part: Vec<f64>) -> Option<Vec<f64>> {
    Some(match sum {
        None => part,
        Some(sum) => sum.iter().zip(&part).map(|(a, b)| rounded(a + b)).collect(),
    })
}

/// The weighted sum of parts, in the order of the batches, or within each device first.
fn summed(parts: &[Vec<f64>], factors: [f64; 6], in_batch_order: bool) -> Vec<f64> {
    let scaled = |batch: usize| -> Vec<f64> {
        let part = parts[batch].iter();
        part.map(|x| factors[batch] * x).collect()
    };
    let total = |batches: Vec<usize>| {
        let parts = batches.into_iter().map(scaled);
        parts.fold(None, added)
    };
    let all = 0..PLACES.len();
    if in_batch_order {
        return total(all.collect()).unwrap();
    }
    let [first, second] = [0, 1].map(|device| {
        let own = all.clone().filter(|&batch| PLACES[batch] == device);
        total(own.collect()).unwrap()
    });
    added(Some(first), second).unwrap()
}

/// Compares a measurement over all batches with its sums by hand.
#[track_caller]
fn assert_sums(measure: impl Fn(&SplitRisk<'_>, &TwoLayers) -> Vec<f64>) {
    let (net, data) = (net(), batches(&SIZES));
    let mut differs = false;
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let parts = each_alone(reduction, &measure);
        let [by_device, by_batch] = [false, true].map(|exact| {
            let risk = split(&data, reduction).with_devices(both());
            let found = measure(&risk.with_exact_order(exact), &net);
            assert_eq!(found, summed(&parts, factors(reduction), exact), "{exact}");
            found
        });
        differs |= by_device != by_batch;
    }
    assert!(differs, "both orders round alike");
}

#[test]
fn of_gradients() {
    assert_sums(|risk, net| {
        let found = risk.loss_and_gradient(net).unwrap();
        found.gradient.to_host().unwrap()
    });
    assert_sums(|risk, net| {
        let hessian = risk.hessian(net).unwrap();
        hessian.gradient().unwrap().to_host().unwrap()
    });
}

#[test]
fn of_hessian_products() {
    assert_sums(|risk, net| {
        let hessian = risk.hessian(net).unwrap();
        let product = hessian.matvec(&vector(hessian.space(), 3.0));
        product.unwrap().to_host().unwrap()
    });
}

#[test]
fn of_products_with_recomputed_residuals() {
    assert_sums(|risk, net| {
        let risk = risk.clone().with_residual_budget(0);
        let hessian = risk.hessian(net).unwrap();
        let product = hessian.matvec(&vector(hessian.space(), 3.0));
        product.unwrap().to_host().unwrap()
    });
}

#[test]
fn of_blocks() {
    assert_sums(|risk, net| {
        let newton = risk.gauss_newton(net).unwrap();
        let vectors = [3.0, 5.0].map(|phase| vector(newton.space(), phase));
        let products = newton.matmat(&vectors).unwrap();
        let host = products.iter().map(|product| product.to_host().unwrap());
        host.flatten().collect()
    });
}

/// The rows of a Jacobian are not weighted, so that its transpose adds the products of the batches.
#[test]
fn of_transposed_jacobians() {
    let (net, data) = (net(), batches(&SIZES));
    let numbers: Vec<f64> = (0..16 * 3).map(|i| rounded(wave(i, 2.3))).collect();
    let mut first = 0;
    let starts = SIZES.map(|size| {
        first += 3 * size;
        first - 3 * size
    });
    let back = |risk: &SplitRisk<'_>, net: &TwoLayers, numbers: &[f64]| {
        let jacobian = risk.jacobian(net).unwrap();
        let up = FlatVector::from_host(jacobian.outputs(), numbers).unwrap();
        let product = jacobian.matvec_adjoint(&up).unwrap();
        product.to_host().unwrap()
    };
    let devices = both();
    let parts: Vec<Vec<f64>> = (0..SIZES.len())
        .map(|index| {
            let device = &devices[PLACES[index]];
            let batch = [Batch::to_device(data[index].clone(), device)];
            let own = &numbers[starts[index]..starts[index] + 3 * SIZES[index]];
            let risk = split(&batch, Reduction::Mean);
            back(&risk, &net.clone().fork(device), own)
        })
        .collect();
    for exact in [false, true] {
        let risk = split(&data, Reduction::Mean).with_devices(both());
        let found = back(&risk.with_exact_order(exact), &net, &numbers);
        let ones = factors(Reduction::Sum);
        assert_eq!(found, summed(&parts, ones, exact), "{exact}");
    }
}

/// The rows of a Jacobian are in the order of the batches, without a sum.
#[test]
fn rows_of_jacobians_are_those_of_their_batches() {
    let (net, data) = (net(), batches(&SIZES));
    let rows = |risk: &SplitRisk<'_>, net: &TwoLayers| {
        let jacobian = risk.jacobian(net).unwrap();
        let product = jacobian.matvec(&vector(jacobian.space(), 3.0));
        product.unwrap().to_host().unwrap()
    };
    let expected = each_alone(Reduction::Mean, rows).concat();
    for exact in [false, true] {
        let risk = split(&data, Reduction::Mean).with_devices(both());
        assert_eq!(rows(&risk.with_exact_order(exact), &net), expected);
    }
}

#[test]
fn losses_of_operators_are_added_in_the_order_of_the_batches() {
    let (net, data) = (net(), batches(&SIZES));
    let loss = |risk: &SplitRisk<'_>, net: &TwoLayers| vec![risk.hessian(net).unwrap().loss()];
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let parts = each_alone(reduction, loss);
        let pairs = parts.iter().zip(factors(reduction));
        let expected: f64 = pairs.map(|(part, factor)| factor * part[0]).sum();
        for exact in [false, true] {
            let risk = split(&data, reduction).with_devices(both());
            let found = loss(&risk.with_exact_order(exact), &net);
            assert_eq!(found, [expected]);
        }
    }
}

#[test]
fn the_order_of_three_calls_does_not_matter() {
    let (net, data) = (net(), batches(&SIZES));
    let limit = std::time::Duration::from_secs(600);
    let base = || split(&data, Reduction::Mean);
    let risks = [
        base()
            .with_devices(both())
            .with_exact_order(true)
            .with_wait_limit(limit),
        base()
            .with_exact_order(true)
            .with_wait_limit(limit)
            .with_devices(both()),
        base()
            .with_wait_limit(limit)
            .with_devices(both())
            .with_exact_order(true),
    ];
    let found = risks.map(|risk| {
        let found = risk.loss_and_gradient(&net).unwrap();
        found.gradient.to_host().unwrap()
    });
    let in_list_order = base().with_devices(both());
    let in_list_order = in_list_order.loss_and_gradient(&net).unwrap().gradient;
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
    assert_ne!(found[0], in_list_order.to_host().unwrap());
}
