//! Devices that fail, and what goes on without them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::tensor::{DType, Device};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{HasAdjoint, LanczosFactorization, LinearOperator};
use burnscape::loss::{DeviceError, LossError, Reduction, Risk};
use burnscape::space::FlatVector;
use burnscape_testkit::models::TwoLayers;

use super::fixture::{
    Labeled, SIZES, batches, both, entries, evaluated, mean, net, second, split, vector, wave,
};
use crate::element::device;

/// The failure of a device in an error of a pass.
fn of_loss(error: LossError) -> DeviceError {
    match error {
        LossError::Device(error) => *error,
        other => panic!("{other:?}"),
    }
}

/// The failure of a device in an error of an operator.
fn of_operator(error: CurvatureError) -> DeviceError {
    match error {
        CurvatureError::Loss(error) => of_loss(error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_loss_that_panics_on_one_device_names_device_and_batch() {
    let (net, data) = (net(), batches(&SIZES));
    for (broken, index, batch, name) in [(second(), 1, 1, "NdArray"), (device(), 0, 0, "Flex")] {
        let is_broken = AtomicBool::new(false);
        let loss = |net: &TwoLayers, batch: Labeled| {
            let is_here = batch.x.device() == broken;
            assert!(!(is_here && is_broken.load(Ordering::Relaxed)), "only here");
            mean(net, batch)
        };
        let risk = Risk::new(&loss, &data).with_devices(both());
        let expected = risk.loss(&net).unwrap();
        let slope = || {
            let found = risk.loss_and_gradient(&net)?;
            Ok::<_, LossError>(found.gradient.to_host()?)
        };
        let gradient = slope().unwrap();
        is_broken.store(true, Ordering::Relaxed);
        for error in [risk.loss(&net).unwrap_err(), slope().unwrap_err()] {
            let (text, at) = (error.to_string(), format!("batch {batch}"));
            for part in [name, at.as_str(), "only here", "without_device"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            let error = of_loss(error);
            let DeviceError::Failed {
                device,
                index: found,
                batch: at,
                message,
                ..
            } = &error
            else {
                panic!("{error:?}");
            };
            assert!(device.contains(name) && message.contains("only here"));
            assert_eq!((*found, *at), (index, Some(batch)));
        }
        // The risk works on when its loss does.
        is_broken.store(false, Ordering::Relaxed);
        assert_eq!(risk.loss(&net), Ok(expected));
        assert_eq!(slope(), Ok(gradient));
    }
}

#[test]
fn the_failure_at_the_first_batch_is_returned() {
    // Each device fails at its second batch, whichever is faster.
    let (net, data) = (net(), batches(&[4, 4, 3, 3, 4, 4]));
    let loss = |net: &TwoLayers, batch: Labeled| {
        assert!(batch.x.dims()[0] != 3, "three examples");
        mean(net, batch)
    };
    let risk = Risk::new(&loss, &data).with_devices(both());
    for _ in 0..5 {
        let error = of_loss(risk.loss(&net).unwrap_err());
        assert!(
            matches!(
                error,
                DeviceError::Failed {
                    index: 0,
                    batch: Some(2),
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn an_operator_whose_data_cannot_be_read_again_stays_usable() {
    let (net, stored) = (net(), batches(&SIZES));
    let is_broken = AtomicBool::new(false);
    let data = || {
        assert!(!is_broken.load(Ordering::Relaxed), "the disk is gone");
        stored.clone()
    };
    let risk = Risk::new(&mean, &data).with_devices(both());
    let risk = risk.with_residual_budget(0);
    let hessian = risk.hessian(&net).unwrap();
    let v = vector(hessian.space(), 3.0);
    let vectors = [3.0, 5.0].map(|phase| vector(hessian.space(), phase));
    let expected = hessian.matvec(&v).unwrap().to_host().unwrap();
    is_broken.store(true, Ordering::Relaxed);
    let errors = [
        hessian.matvec(&v).map(drop).unwrap_err(),
        hessian.matmat(&vectors).map(drop).unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.contains("the disk is gone"), "{text}");
        let error = of_operator(error);
        assert!(matches!(error, DeviceError::Failed { .. }), "{error:?}");
    }
    is_broken.store(false, Ordering::Relaxed);
    let again = hessian.matvec(&v).unwrap().to_host().unwrap();
    assert_eq!(again, expected);
}

#[test]
fn a_product_that_fails_names_device_and_batch() {
    let (net, stored) = (net(), batches(&SIZES));
    let is_broken = AtomicBool::new(false);
    let data = || {
        let mut read = stored.clone();
        if is_broken.load(Ordering::Relaxed) {
            // NdArray, whose batch it is, has no half precision, and panics.
            read[4].x = read[4].x.clone().cast(DType::F16);
        }
        read
    };
    let risk = Risk::new(&mean, &data).with_devices(both());
    let hessian = risk.with_residual_budget(0).hessian(&net).unwrap();
    let v = vector(hessian.space(), 3.0);
    let vectors = [3.0, 5.0].map(|phase| vector(hessian.space(), phase));
    let expected = hessian.matvec(&v).unwrap().to_host().unwrap();
    is_broken.store(true, Ordering::Relaxed);
    let errors = [
        hessian.matvec(&v).map(drop).unwrap_err(),
        hessian.matmat(&vectors).map(drop).unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        for part in ["device 1", "NdArray", "batch 4", "without_device(1)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let error = of_operator(error);
        assert!(
            matches!(
                error,
                DeviceError::Failed {
                    index: 1,
                    batch: Some(4),
                    ..
                }
            ),
            "{error:?}"
        );
    }
    is_broken.store(false, Ordering::Relaxed);
    let again = hessian.matvec(&v).unwrap().to_host().unwrap();
    assert_eq!(again, expected);
}

#[test]
fn data_that_change_are_refused_by_the_device_that_reads_them() {
    let (net, stored) = (net(), batches(&SIZES));
    let change = AtomicUsize::new(0);
    let data = || {
        let mut read = stored.clone();
        match change.load(Ordering::Relaxed) {
            // The second batch of the first device becomes smaller.
            1 => read[3] = batches(&[3]).remove(0),
            // The last one, of the second device, is gone.
            2 => drop(read.pop()),
            _ => {}
        }
        read
    };
    let risk = Risk::new(&mean, &data).with_devices(both());
    let hessian = risk.with_residual_budget(0).hessian(&net).unwrap();
    let v = vector(hessian.space(), 3.0);
    let product = || hessian.matvec(&v)?.to_host().map_err(CurvatureError::from);
    let expected = product().unwrap();
    change.store(1, Ordering::Relaxed);
    let error = CurvatureError::Loss(LossError::DataChanged { batch: 3 });
    assert_eq!(product(), Err(error));
    change.store(2, Ordering::Relaxed);
    let error = product().unwrap_err();
    assert!(
        matches!(
            error,
            CurvatureError::Loss(LossError::NotDeterministic {
                what: "number of batches",
                ..
            })
        ),
        "{error:?}"
    );
    change.store(0, Ordering::Relaxed);
    assert_eq!(product(), Ok(expected));
}

#[test]
fn without_a_device_a_risk_is_that_of_the_others() {
    let (net, data) = (net(), batches(&SIZES));
    let one = Risk::new(&mean, &data);
    let two = one.clone().with_devices(both());
    two.loss(&net).unwrap();
    let left = two.without_device(1).unwrap();
    assert_eq!(left.loss(&net), one.loss(&net));
    let [expected, found] =
        [&one, &left].map(|risk| risk.loss_and_gradient(&net).unwrap().gradient);
    assert_eq!(found.to_host().unwrap(), expected.to_host().unwrap());
    assert_eq!(left.device_work().len(), 1);
    // The risk of both is as it was.
    assert_eq!(two.device_work().len(), 2);
    assert!(evaluated(&two)[1] > 0);
    assert!(two.loss(&net).is_ok());
}

#[test]
fn without_a_device_an_operator_is_that_of_the_others() {
    let (net, data) = (net(), batches(&SIZES));
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let one = split(&data, reduction);
        let two = one.clone().with_devices(both());
        let (expected, found) = (one.hessian(&net).unwrap(), two.hessian(&net).unwrap());
        let found = found.without_device(1).unwrap();
        assert_eq!(found.loss(), expected.loss());
        assert_eq!(
            found.gradient().unwrap().to_host().unwrap(),
            expected.gradient().unwrap().to_host().unwrap()
        );
        assert_eq!(entries(&found), entries(&expected));
        assert_eq!(found.num_examples(), expected.num_examples());
        assert_eq!(found.num_kept_batches(), expected.num_kept_batches());

        let found = two.gauss_newton(&net).unwrap().without_device(1).unwrap();
        let expected = one.gauss_newton(&net).unwrap();
        assert_eq!(entries(&found), entries(&expected));

        let found = two.jacobian(&net).unwrap().without_device(1).unwrap();
        let expected = one.jacobian(&net).unwrap();
        assert_eq!(entries(&found), entries(&expected));
        let numbers: Vec<f64> = (0..found.outputs().len()).map(|i| wave(i, 2.3)).collect();
        let [found, expected] = [found, expected].map(|jacobian| {
            let up = FlatVector::from_host(jacobian.outputs(), &numbers).unwrap();
            jacobian.matvec_adjoint(&up).unwrap().to_host().unwrap()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn a_factorization_goes_on_without_a_device() {
    let (net, data) = (net(), batches(&SIZES));
    let one = Risk::new(&mean, &data);
    let two = one.clone().with_devices(both());
    let hessian = two.hessian(&net).unwrap();
    let mut record = LanczosFactorization::from_random(&hessian, 4, 0).unwrap();
    let mut other = record.clone();
    record
        .extend(&hessian.without_device(1).unwrap(), 5)
        .unwrap();
    other.extend(&one.hessian(&net).unwrap(), 5).unwrap();
    assert_eq!(record.num_matvecs(), 9);
    assert_eq!(record.checkpoint().unwrap(), other.checkpoint().unwrap());
}

#[test]
fn a_factorization_goes_on_after_a_failure() {
    let (net, stored) = (net(), batches(&SIZES));
    let is_broken = AtomicBool::new(false);
    let data = || {
        assert!(!is_broken.load(Ordering::Relaxed), "the disk is gone");
        stored.clone()
    };
    let risk = Risk::new(&mean, &data).with_devices(both());
    let hessian = risk.with_residual_budget(0).hessian(&net).unwrap();
    let whole = LanczosFactorization::from_random(&hessian, 8, 0).unwrap();
    let mut record = LanczosFactorization::from_random(&hessian, 5, 0).unwrap();
    let before = record.checkpoint().unwrap();
    is_broken.store(true, Ordering::Relaxed);
    let error = of_operator(record.extend(&hessian, 3).unwrap_err());
    assert!(matches!(error, DeviceError::Failed { .. }), "{error:?}");
    // No step was made, and no partial sum is in it.
    assert_eq!(record.checkpoint().unwrap(), before);
    is_broken.store(false, Ordering::Relaxed);
    record.extend(&hessian, 3).unwrap();
    assert_eq!(record.checkpoint().unwrap(), whole.checkpoint().unwrap());
}

#[test]
fn products_of_several_threads_do_not_mix() {
    let (net, data) = (net(), batches(&SIZES));
    let hessian = Risk::new(&mean, &data).with_devices(both());
    let hessian = hessian.hessian(&net).unwrap();
    let vectors = [1.0, 3.0, 5.0].map(|phase| vector(hessian.space(), phase));
    let product = |v| hessian.matvec(v).unwrap().to_host().unwrap();
    let expected = vectors.each_ref().map(product);
    std::thread::scope(|scope| {
        let threads = vectors.each_ref().map(|v| scope.spawn(move || product(v)));
        let found = threads.map(|thread| thread.join().unwrap());
        assert_eq!(found, expected);
    });
}

#[test]
fn a_list_of_three_without_one_is_the_list_of_two() {
    // Two devices are all that every machine has: the third is the first one again, and is taken out.
    let (net, data) = (net(), batches(&SIZES));
    let devices: [Device; 3] = [device(), second(), device()];
    let risk = Risk::new(&mean, &data).with_devices(devices);
    let error = of_loss(risk.loss(&net).unwrap_err());
    assert!(matches!(error, DeviceError::Twice { .. }), "{error:?}");
    let left = risk.without_device(2).unwrap();
    let two = Risk::new(&mean, &data).with_devices(both());
    assert_eq!(left.loss(&net), two.loss(&net));
}
