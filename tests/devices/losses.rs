//! Losses and gradients over batches on two devices.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;

use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, Int, Tensor};
use burnscape::loss::{Batch, BatchMapper, LossError, Progress, Reduction, Risk, Work};
use burnscape_testkit::models::TwoLayers;

use super::fixture::{
    Labeled, NEAR, PLACES, SIZES, assert_near, batches, both, counts, entries, evaluated,
    evaluated_in, filled, greedy, losses, mean, net, network, second, split,
};
use crate::element::{DTYPE, device};

const UNEQUAL: [usize; 7] = [5, 2, 4, 1, 3, 6, 1];

#[track_caller]
fn assert_same(found: f64, expected: f64) {
    let difference = (found - expected).abs();
    assert!(
        difference <= NEAR * expected.abs(),
        "{found} for {expected}"
    );
}

#[test]
fn losses_and_gradients_are_those_of_one_device() {
    let (net, data) = (net(), batches(&UNEQUAL));
    let [first, second] = both();
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let one = split(&data, reduction);
        let (loss, gradient) = (one.loss(&net), one.loss_and_gradient(&net));
        let (loss, gradient) = (loss.unwrap(), gradient.unwrap());
        // The device of the model need not be the first.
        for list in [
            [first.clone(), second.clone()],
            [second.clone(), first.clone()],
        ] {
            let two = one.clone().with_devices(list);
            let found = two.loss(&net).unwrap();
            assert_same(found.value, loss.value);
            assert_eq!(
                (found.weight, found.num_examples, found.num_batches),
                (loss.weight, loss.num_examples, loss.num_batches)
            );
            assert!(found.completed);
            assert_eq!(two.loss(&net).unwrap(), found);

            let found = two.loss_and_gradient(&net).unwrap();
            assert_same(found.value, gradient.value);
            assert_eq!(
                (found.weight, found.num_examples, found.num_batches),
                (gradient.weight, gradient.num_examples, gradient.num_batches)
            );
            assert!(found.completed && found.num_without_gradient == 0);
            assert_eq!(found.gradient.values().device(), device());
            let numbers = found.gradient.to_host().unwrap();
            assert_near(&numbers, &gradient.gradient.to_host().unwrap());
            let again = two.loss_and_gradient(&net).unwrap();
            assert_eq!(again.value, found.value);
            assert_eq!(again.gradient.to_host().unwrap(), numbers);
        }
    }
}

#[test]
fn the_model_of_the_user_stays_where_it_is() {
    let (net, data) = (net(), batches(&SIZES));
    let before = net.first.weight.val().into_data();
    let risk = Risk::new(&mean, &data).with_devices(both());
    risk.loss(&net).unwrap();
    risk.loss_and_gradient(&net).unwrap();
    let weight = net.first.weight.val();
    assert_eq!(weight.device(), device());
    assert_eq!(weight.into_data(), before);
    assert_eq!(data[0].x.device(), device());
}

#[test]
fn a_model_on_autodiff_has_the_same_loss() {
    let data = batches(&SIZES);
    let plain = net();
    let tracked = filled(&TwoLayers::new([3, 4, 3], &device().autodiff()), 9.1);
    let risk = Risk::new(&mean, &data).with_devices(both());
    let [one, other] = [&plain, &tracked].map(|net| risk.loss_and_gradient(net).unwrap());
    assert_eq!(one.value, other.value);
    assert_eq!(
        one.gradient.to_host().unwrap(),
        other.gradient.to_host().unwrap()
    );
    assert_eq!(
        risk.loss(&plain).unwrap().value,
        risk.loss(&tracked).unwrap().value
    );
}

#[test]
fn a_list_of_the_models_device_is_no_list() {
    let (net, data) = (net(), batches(&UNEQUAL));
    let plain = Risk::new(&mean, &data);
    let listed = plain.clone().with_devices([device()]);
    assert_eq!(listed.loss(&net), plain.loss(&net));
    let [one, other] = [&plain, &listed].map(|risk| risk.loss_and_gradient(&net).unwrap());
    assert_eq!(one.value, other.value);
    assert_eq!(
        one.gradient.to_host().unwrap(),
        other.gradient.to_host().unwrap()
    );
    assert!(plain.device_work().is_empty());
}

#[test]
fn the_account_lists_devices_and_batches() {
    let net = net();
    // The last two leave most batches to one device.
    for sizes in [
        &SIZES[..],
        &UNEQUAL[..],
        &[8, 1, 1, 1, 2, 1][..],
        &[1, 9, 1, 1, 1][..],
    ] {
        let data = batches(sizes);
        let risk = Risk::new(&mean, &data).with_devices(both());
        assert_eq!(evaluated(&risk), [0, 0]);
        // The first pass of a risk makes its checks.
        risk.loss(&net).unwrap();
        let expected = counts(&greedy(sizes, 2), 2);
        assert_eq!(expected.iter().sum::<usize>(), sizes.len());
        let of_loss = evaluated_in(&risk, || {
            risk.loss(&net).unwrap();
        });
        assert_eq!(of_loss, expected, "{sizes:?}");
        let of_gradient = evaluated_in(&risk, || {
            risk.loss_and_gradient(&net).unwrap();
        });
        assert_eq!(of_gradient, expected, "{sizes:?}");
        // A copy has the same account.
        let of_copy = evaluated_in(&risk, || {
            risk.clone().loss(&net).unwrap();
        });
        assert_eq!(of_copy, expected, "{sizes:?}");

        let work = risk.device_work();
        assert!(work[0].device.contains("Flex"), "{work:?}");
        assert!(work[1].device.contains("NdArray"), "{work:?}");
        assert!(
            work.iter()
                .all(|work| work.seconds > 0.0 && work.seconds.is_finite()),
            "{work:?}"
        );
    }
    assert_eq!(greedy(&SIZES, 2), PLACES);
}

#[test]
fn a_batch_is_evaluated_on_its_device_alone() {
    // Every size occurs once.
    let sizes = [5, 2, 4, 1, 3, 6];
    let (net, data) = (net(), batches(&sizes));
    let seen: Mutex<BTreeSet<(usize, usize)>> = Mutex::default();
    let loss = |net: &TwoLayers, batch: Labeled| {
        let place = usize::from(batch.x.device() == second());
        assert_eq!(net.first.weight.val().device(), batch.x.device());
        assert_eq!(batch.y.device(), batch.x.device());
        seen.lock().unwrap().insert((batch.x.dims()[0], place));
        mean(net, batch)
    };
    let risk = Risk::new(&loss, &data).with_devices(both());
    risk.loss(&net).unwrap();
    risk.loss_and_gradient(&net).unwrap();
    let expected: BTreeSet<(usize, usize)> = sizes.into_iter().zip(greedy(&sizes, 2)).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// The sum of the losses of batches in their order, each computed on its device.
#[test]
fn losses_are_added_in_the_order_of_the_batches() {
    let (net, data, devices) = (net(), batches(&SIZES), both());
    let mut sum = 0.0;
    for ((batch, place), size) in data.iter().zip(PLACES).zip(SIZES) {
        let there = net.clone().fork(&devices[place]);
        let batch = [Batch::to_device(batch.clone(), &devices[place])];
        sum += size as f64 * Risk::new(&mean, &batch).loss(&there).unwrap().value;
    }
    let expected = sum / SIZES.iter().sum::<usize>() as f64;
    for exact in [false, true] {
        let risk = Risk::new(&mean, &data).with_devices(devices.clone());
        let risk = risk.with_exact_order(exact);
        assert_eq!(risk.loss(&net).unwrap().value, expected);
    }
}

/// A batch that counts by a weight of its own.
#[derive(Clone, Debug)]
struct Weighted {
    batch: Labeled,
    weight: f64,
}

impl Batch for Weighted {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self {
            batch: self.batch.map_tensors(mapper),
            ..self
        }
    }

    fn weight(&self) -> Result<f64, LossError> {
        Ok(self.weight)
    }
}

fn weighted(net: &TwoLayers, batch: Weighted) -> Tensor<1> {
    mean(net, batch.batch)
}

#[test]
fn batches_keep_their_own_weights() {
    let net = net();
    let weights = [0.3, 20.0, 1.5, 7.0, 0.01, 3.0, 2.5];
    let pairs = batches(&UNEQUAL).into_iter().zip(weights);
    let data: Vec<Weighted> = pairs
        .map(|(batch, weight)| Weighted { batch, weight })
        .collect();
    let one = Risk::new(&weighted, &data);
    let two = one.clone().with_devices(both());
    let [expected, found] = [&one, &two].map(|risk| risk.loss_and_gradient(&net).unwrap());
    assert_same(found.value, expected.value);
    assert_eq!(found.weight, weights.iter().sum::<f64>());
    assert_near(
        &found.gradient.to_host().unwrap(),
        &expected.gradient.to_host().unwrap(),
    );
    // By its examples it is another.
    let plain = batches(&UNEQUAL);
    let other = Risk::new(&mean, &plain).loss(&net).unwrap();
    assert!((other.value / expected.value - 1.0).abs() > 1e-3);

    let [expected, found] = [one, two].map(|risk| {
        let hessian = risk.hessian(&net).unwrap();
        (hessian.loss(), entries(&hessian))
    });
    assert_same(found.0, expected.0);
    assert_near(&found.1, &expected.1);
}

#[test]
fn a_data_set_of_unknown_length_is_the_same() {
    let (net, stored) = (net(), batches(&UNEQUAL));
    let streamed = || stored.clone();
    let [one, other] = [
        Risk::new(&mean, &stored).with_devices(both()),
        Risk::new(&mean, &streamed).with_devices(both()),
    ];
    assert_eq!(other.num_batches(), None);
    assert_eq!(one.loss(&net), other.loss(&net));
    let [one, other] = [one, other].map(|risk| {
        let found = risk.loss_and_gradient(&net).unwrap();
        found.gradient.to_host().unwrap()
    });
    assert_eq!(one, other);
}

#[test]
fn a_group_has_the_part_of_the_gradient() {
    let (net, data) = (net(), batches(&SIZES));
    let group = ParamGroup::from_predicate("second");
    let risk = Risk::new(&mean, &data).with_devices(both());
    let whole = risk.loss_and_gradient(&net).unwrap().gradient;
    let part = risk.with_group(group).loss_and_gradient(&net).unwrap();
    let (whole, part) = (whole.to_host().unwrap(), part.gradient.to_host().unwrap());
    assert!(part.len() < whole.len() && whole.ends_with(&part));
}

/// The reports of some work on one risk, which breaks at the `stop`-th of a kind.
fn watched(
    work: Work,
    stop: usize,
    run: impl FnOnce(&Risk<'_, TwoLayers>),
) -> Vec<(usize, Option<usize>)> {
    let data = batches(&[2; 8]);
    let seen: Mutex<Vec<(usize, Option<usize>)>> = Mutex::default();
    let risk = Risk::new(&mean, &data)
        .with_devices(both())
        .with_checks(false)
        .with_observer(|progress: &Progress| {
            if progress.work != work {
                return ControlFlow::Continue(());
            }
            seen.lock().unwrap().push((progress.done, progress.total));
            if progress.done == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    run(&risk);
    drop(risk);
    seen.into_inner().unwrap()
}

#[test]
fn an_observer_counts_the_batches_of_all_devices() {
    let net = net();
    let expected: Vec<(usize, Option<usize>)> = (1..=8).map(|done| (done, Some(8))).collect();
    let found = watched(Work::Loss, usize::MAX, |risk| {
        assert!(risk.loss(&net).unwrap().completed);
    });
    assert_eq!(found, expected);
    let found = watched(Work::Gradient, usize::MAX, |risk| {
        assert!(risk.loss_and_gradient(&net).unwrap().completed);
    });
    assert_eq!(found, expected);
}

#[test]
fn a_break_stops_all_devices() {
    let net = net();
    for stop in [1, 2, 5] {
        // The other device may finish the batch that it is at.
        let is_early = |batches: usize| (stop..8).contains(&batches);
        let found = watched(Work::Loss, stop, |risk| {
            let found = risk.loss(&net).unwrap();
            assert!(!found.completed && is_early(found.num_batches), "{found:?}");
            assert_eq!(found.num_examples, 2 * found.num_batches);
            assert!(found.value.is_finite());
            // The next pass is whole unless the observer breaks again.
            assert!(!risk.loss(&net).unwrap().completed);
        });
        assert!(found.len() >= 2 * stop);
        watched(Work::Gradient, stop, |risk| {
            let found = risk.loss_and_gradient(&net).unwrap();
            assert!(!found.completed && is_early(found.num_batches), "{found:?}");
            assert!(found.gradient.norm().unwrap() > 0.0);
        });
    }
    // At the last batch the pass is complete, or ended where one device ends it, in the same way.
    let data = batches(&[2; 8]);
    let completed = |devices: Option<[Device; 2]>| {
        let risk = Risk::new(&mean, &data).with_observer(|progress: &Progress| {
            match (progress.work, progress.done) {
                (Work::Loss, 8) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        let risk = match devices {
            Some(devices) => risk.with_devices(devices),
            None => risk,
        };
        let found = risk.loss(&net).unwrap();
        (found.completed, found.num_batches)
    };
    assert_eq!(completed(Some(both())), completed(None));
}

#[test]
fn errors_name_the_batch_by_its_place_in_the_whole_data() {
    let net = net();
    // The second batch of the second device.
    let mut data = batches(&[2; 6]);
    data[3].x = data[3].x.clone() * f64::NAN;
    let risk = Risk::new(&mean, &data).with_devices(both());
    let errors = [
        risk.loss(&net).map(drop),
        risk.loss_and_gradient(&net).map(drop),
    ];
    for error in errors {
        assert!(
            matches!(error, Err(LossError::NonFinite { batch: 3, .. })),
            "{error:?}"
        );
    }
    // Of several, the first one, whichever device is faster.
    let mut more = data.clone();
    for index in [2, 5] {
        more[index].x = more[index].x.clone() * f64::NAN;
    }
    let risk = Risk::new(&mean, &more).with_devices(both());
    for _ in 0..5 {
        let error = risk.loss(&net).unwrap_err();
        assert!(
            matches!(error, LossError::NonFinite { batch: 2, .. }),
            "{error:?}"
        );
    }
    let mut data = batches(&[2; 6]);
    data[2] = Labeled {
        x: Tensor::zeros([0, 3], (&device(), DTYPE)),
        y: Tensor::<1, Int>::zeros([0], &device()),
    };
    let risk = Risk::new(&mean, &data).with_devices(both());
    let expected = Err(LossError::EmptyBatch { batch: 2 });
    assert_eq!(risk.loss(&net).map(drop), expected);
}

#[test]
fn data_and_losses_are_refused_as_on_one_device() {
    let net = net();
    let none: [Labeled; 0] = [];
    let risk = Risk::new(&mean, &none).with_devices(both());
    assert_eq!(risk.loss(&net).map(drop), Err(LossError::EmptyData));
    let error = risk.loss_and_gradient(&net).map(drop);
    assert_eq!(error, Err(LossError::EmptyData));
    let data = batches(&[2; 6]);
    let risk = Risk::new(&losses, &data).with_devices(both());
    let expected = LossError::NotScalar { shape: vec![2] };
    assert_eq!(risk.loss(&net).map(drop), Err(expected));
}

#[test]
fn one_risk_serves_models_on_several_threads() {
    let data = batches(&SIZES);
    let risk = Risk::new(&mean, &data).with_devices(both());
    let nets = [1.3, 4.2, 9.1].map(network);
    let expected = nets.each_ref().map(|net| risk.loss(net).unwrap().value);
    std::thread::scope(|scope| {
        let threads = nets.map(|net| {
            let risk = risk.clone();
            scope.spawn(move || risk.loss(&net).unwrap().value)
        });
        let found = threads.map(|thread| thread.join().unwrap());
        assert_eq!(found, expected);
    });
}
