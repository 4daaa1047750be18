use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burnscape_krylov::{HasAdjoint, LinearOperator, Step};

use super::Spread;
use crate::curvature::site::number_of_batches;
use crate::curvature::watch::Watch;
use crate::curvature::{CurvatureError, Hessian};
use crate::loss::{DeviceError, LossError, Progress, Risk, Work};
use crate::space::{ParamSpace, ParamVector};

/// Examples of batches whose products are exact in f32 on every device.
const SIZES: [usize; 5] = [1, 2, 4, 2, 1];

#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn devices() -> [Device; 2] {
    [Device::flex(), Device::ndarray()]
}

fn model() -> Linear {
    let model = LinearConfig::new(3, 1).with_bias(false);
    let model = model.init(&Device::flex());
    let space = ParamSpace::of(&model).unwrap();
    let weights = ParamVector::from_host(&space, &[1.0, -2.0, 1.0]).unwrap();
    weights.apply_to(&model).unwrap()
}

fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).square().mean()
}

/// Small integers.
fn data() -> Vec<Tensor<2>> {
    let batch = |(batch, size): (usize, &usize)| {
        let number = |i: usize| ((7 * i + 3 * batch) % 5) as f32 - 2.0;
        let numbers: Vec<f32> = (0..3 * size).map(number).collect();
        Tensor::<1>::from_floats(numbers.as_slice(), &Device::flex()).reshape([*size, 3])
    };
    SIZES.iter().enumerate().map(batch).collect()
}

fn risk(data: &[Tensor<2>]) -> Risk<'_, Linear> {
    Risk::new(&loss, data)
}

fn vector(hessian: &Hessian<'_>, numbers: [f64; 3]) -> ParamVector {
    ParamVector::from_host(hessian.space(), &numbers).unwrap()
}

/// The products with three vectors, one by one and as a block.
fn products(hessian: &Hessian<'_>) -> Vec<Vec<f64>> {
    let vectors = [[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0], [3.0, 1.0, 1.0]];
    let vectors = vectors.map(|numbers| vector(hessian, numbers));
    let single = vectors.iter().map(|v| hessian.matvec(v).unwrap());
    let block = hessian.matmat(&vectors).unwrap();
    let all = single
        .chain(block)
        .map(|product| product.to_host().unwrap());
    all.collect()
}

#[track_caller]
fn assert_near(found: &[Vec<f64>], expected: &[Vec<f64>]) {
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
    }
}

#[track_caller]
fn device_error(error: Option<CurvatureError>) -> DeviceError {
    match error {
        Some(CurvatureError::Loss(LossError::Device(error))) => *error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn batches_have_the_order_the_weights_and_the_loss_of_one_device() {
    let (model, data) = (model(), data());
    let alone = risk(&data).hessian(&model).unwrap();
    let spread = risk(&data).with_devices(devices());
    let spread = spread.hessian(&model).unwrap();
    let (alone, spread) = (&alone.0.batches, &spread.0.batches);
    assert!(spread.has_devices());
    assert_eq!(spread.rows_and_factors(), alone.rows_and_factors());
    assert_eq!(
        spread.totals().loss.to_bits(),
        alone.totals().loss.to_bits()
    );
    assert_eq!(spread.totals().num_examples, 10);
    let batches: usize = spread.device_work().iter().map(|work| work.batches).sum();
    assert!(batches >= SIZES.len());
}

#[test]
fn products_are_those_of_one_device_and_have_its_bits_in_exact_order() {
    let (model, data) = (model(), data());
    for budget in [usize::MAX, 0] {
        let risk = risk(&data).with_residual_budget(budget).with_block_size(2);
        let alone = risk.hessian(&model).unwrap();
        let (expected, gradient) = (products(&alone), alone.gradient().unwrap());
        let gradient = gradient.to_host().unwrap();
        let spread = risk.clone().with_devices(devices());
        for is_exact in [false, true] {
            let hessian = spread.clone().with_exact_order(is_exact);
            let hessian = hessian.hessian(&model).unwrap();
            let found = products(&hessian);
            let own = hessian.gradient().unwrap().to_host().unwrap();
            if is_exact {
                assert_eq!((found, own), (expected.clone(), gradient.clone()));
            } else {
                assert_near(&found, &expected);
                assert_near(&[own], std::slice::from_ref(&gradient));
                // The same devices give the same bits.
                assert_eq!(products(&spread.hessian(&model).unwrap()), found);
            }
        }
    }
}

#[test]
fn rows_of_a_jacobian_are_in_the_order_of_the_data() {
    let (model, data) = (model(), data());
    let risk = Risk::split(
        |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
        |z: Tensor<2>, _: Tensor<2>| z.mean(),
        &data,
    );
    let alone = risk.jacobian(&model).unwrap();
    let spread = risk.with_devices(devices()).jacobian(&model).unwrap();
    let v = ParamVector::from_host(alone.space(), &[1.0, 10.0, 100.0]).unwrap();
    let rows = [&alone, &spread].map(|jacobian| jacobian.matvec(&v).unwrap());
    assert_eq!(rows[1].to_host().unwrap(), rows[0].to_host().unwrap());
    let block = spread.matmat(&[v.clone(), v.scale(2.0)]).unwrap();
    assert_eq!(block[0].to_host().unwrap(), rows[0].to_host().unwrap());
    let back = |u| {
        let products = [&alone, &spread].map(|jacobian| jacobian.matvec_adjoint(u).unwrap());
        products.map(|product| product.to_host().unwrap())
    };
    let [expected, found] = back(&rows[0]);
    assert_eq!(found, expected);
    let left = spread.without_device(1).unwrap().matvec_adjoint(&rows[0]);
    assert_eq!(left.unwrap().to_host().unwrap(), expected);
}

#[test]
fn an_operator_moves_and_goes_on_without_a_device() {
    let (model, data) = (model(), data());
    let alone = risk(&data).hessian(&model).unwrap();
    let risk = risk(&data).with_devices(devices());
    let spread = risk.hessian(&model).unwrap();
    // The loss is quadratic: products are the same everywhere, gradients are not.
    let moved = vector(&spread, [1.0, 2.0, 3.0])
        .perturb(&model, 1.0)
        .unwrap();
    let fresh = risk.hessian(&moved).unwrap();
    let gradient = |hessian: &Hessian<'_>| hessian.gradient().unwrap().to_host().unwrap();
    let found = risk.hessian(&model).unwrap().at(&moved).unwrap();
    assert_eq!(gradient(&found), gradient(&fresh));
    assert_ne!(gradient(&found), gradient(&spread));
    assert_eq!(products(&found), products(&fresh));

    let left = spread.without_device(1).unwrap();
    assert!(!left.0.batches.has_devices() && left.device_work().is_empty());
    assert_eq!(products(&left), products(&alone));
    let error = device_error(spread.without_device(0).err());
    assert!(matches!(error, DeviceError::NotListed { .. }), "{error:?}");
    let error = device_error(spread.without_device(2).err());
    assert!(matches!(error, DeviceError::NoSuchDevice { index: 2, .. }));
    let error = device_error(alone.without_device(0).err());
    assert!(matches!(error, DeviceError::NoSuchDevice { index: 0, .. }));
}

#[test]
fn what_is_kept_serves_other_data_and_other_devices() {
    let (model, data) = (model(), data());
    let spread = risk(&data).with_devices(devices());
    let expected = products(&spread.hessian(&model).unwrap());
    let hessian = Hessian::with_kept(&spread, &model, None).unwrap();
    let kept = Some(hessian.into_kept());
    let again = Hessian::with_kept(&spread, &model, kept).unwrap();
    assert_eq!(products(&again), expected);
    let other = risk(&data[..3]);
    let spread_other = other.clone().with_devices(devices());
    let kept = again.into_kept().for_other_data(true);
    let few = Hessian::with_kept(&spread_other, &model, kept).unwrap();
    let alone = Hessian::with_kept(&other, &model, Some(few.into_kept())).unwrap();
    let found = Hessian::with_kept(&spread_other, &model, None).unwrap();
    assert_near(&products(&found), &products(&alone));
}

#[test]
fn devices_without_batches_are_idle() {
    let (model, data) = (model(), data());
    let alone = risk(&data[..1]).hessian(&model).unwrap();
    let spread = risk(&data[..1]).with_devices(devices());
    let spread = spread.hessian(&model).unwrap();
    assert_eq!(products(&spread), products(&alone));
    let work = spread.device_work();
    assert_eq!(work.len(), 2);
    assert!(work.iter().any(|work| work.batches == 0));
    let empty = risk(&[]).with_devices(devices()).hessian(&model);
    let error = empty.err();
    assert_eq!(error, Some(LossError::EmptyData.into()));
}

#[test]
fn data_that_grow_are_refused_where_a_device_was_idle() {
    let (model, stored) = (model(), data());
    let count = AtomicUsize::new(1);
    let data = || stored[..count.load(Ordering::Relaxed)].to_vec();
    let risk: Risk<'_, Linear> = Risk::new(&loss, &data).with_devices(devices());
    let hessian = risk.hessian(&model).unwrap();
    count.store(2, Ordering::Relaxed);
    let error = hessian.at(&model).err();
    assert_eq!(error, Some(number_of_batches(0, 1)));
}

#[test]
fn data_that_change_are_refused_after_a_device_was_left_out() {
    let (model, stored) = (model(), data());
    let is_other = AtomicBool::new(false);
    let data = || match is_other.load(Ordering::Relaxed) {
        true => stored.iter().map(|x| x.clone() + 1.0).collect(),
        false => stored.clone(),
    };
    let risk: Risk<'_, Linear> = Risk::new(&loss, &data).with_devices(devices());
    let left = || risk.hessian(&model).unwrap().without_device(1).unwrap();
    assert!(left().at(&model).is_ok());
    let left = left();
    is_other.store(true, Ordering::Relaxed);
    let error = CurvatureError::Loss(LossError::DataChanged { batch: 0 });
    assert_eq!(left.at(&model).err(), Some(error));
}

#[test]
fn reports_count_the_batches_of_all_devices_and_a_break_ends_all() {
    let (model, data) = (model(), data());
    let seen = Mutex::new(Vec::new());
    let last = Mutex::new(usize::MAX);
    let taken = || std::mem::take(&mut *seen.lock().unwrap());
    let risk = risk(&data).with_observer(|progress: &Progress| {
        let Progress {
            work, done, total, ..
        } = *progress;
        seen.lock().unwrap().push((work, done, total));
        match work {
            Work::Product if done == *last.lock().unwrap() => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let risk = risk.with_devices(devices());
    let hessian = risk.hessian(&model).unwrap();
    let counted = |work: Work| {
        let pieces = (1..=SIZES.len()).map(|done| (work, done, Some(SIZES.len())));
        pieces.collect::<Vec<_>>()
    };
    assert_eq!(taken(), counted(Work::Linearization));
    let v = vector(&hessian, [1.0, 0.0, 0.0]);
    let expected = hessian.matvec(&v).unwrap().to_host().unwrap();
    assert_eq!(taken(), counted(Work::Product));

    *last.lock().unwrap() = 2;
    assert_eq!(hessian.matvec(&v).err(), Some(CurvatureError::Stopped));
    // A break at the last batch leaves the product complete and ends the surrounding work.
    *last.lock().unwrap() = SIZES.len();
    let found = hessian.matvec(&v).unwrap().to_host().unwrap();
    assert_eq!(found, expected);
    let step = Step::new("test", 1);
    assert!(LinearOperator::report(&hessian, &step).is_break());
    *last.lock().unwrap() = usize::MAX;
    assert_eq!(hessian.matvec(&v).unwrap().to_host().unwrap(), expected);
}

/// Knows which batch is under way, and refuses one.
struct Refusing {
    refused: usize,
    batch: Cell<usize>,
}

impl Watch for Refusing {
    fn begin(&self, batch: usize) -> Result<(), CurvatureError> {
        if batch == self.refused {
            return Err(CurvatureError::Stopped);
        }
        self.at(batch);
        Ok(())
    }

    fn at(&self, batch: usize) {
        self.batch.set(batch);
    }

    fn done(&self, _: usize) -> Result<(), CurvatureError> {
        Ok(())
    }
}

#[test]
fn of_products_that_run_together_the_first_failure_is_told_after_those_before_it() {
    // Batches of one shape have one program.
    let model = model();
    let batch = Tensor::<2>::from_floats([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]], &Device::flex());
    let data = vec![batch; 6];
    let hessian = risk(&data).hessian(&model).unwrap();
    let Spread::Alone(sum) = &hessian.0.batches else {
        panic!("there is one device");
    };
    let run = |refused: usize, failing: usize| {
        let batch = Cell::new(usize::MAX);
        let watch = Refusing { refused, batch };
        let tangent = |position: usize| {
            let numbers: &[f32] = match position == failing {
                true => &[1.0],
                false => &[1.0, 0.0, 2.0],
            };
            Tensor::<1>::from_floats(numbers, &Device::flex())
        };
        let mut seen = Vec::new();
        let found = sum.each_product(&watch, 0, tangent, |position, _| {
            assert_eq!(watch.batch.get(), position);
            seen.push(position);
            Ok(())
        });
        let is_stopped = found.unwrap_err() == CurvatureError::Stopped;
        (seen, watch.batch.get(), is_stopped)
    };
    let none = usize::MAX;
    assert_eq!(run(none, 3), (vec![0, 1, 2], 3, false));
    assert_eq!(run(4, 1), (vec![0], 1, false));
    for (refused, failing) in [(3, none), (3, 5)] {
        let (seen, _, is_stopped) = run(refused, failing);
        assert_eq!((seen, is_stopped), (vec![0, 1, 2], true));
    }
}
