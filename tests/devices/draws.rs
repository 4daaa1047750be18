//! Losses that draw random numbers on two devices.

use std::sync::Mutex;

use burn::tensor::{Device, Tensor, TensorData};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{LossError, Mode, Risk};
use burnscape_testkit::models::Dropped;
use burnscape_testkit::turn;

use super::fixture::{both, filled, second, vector, wave};
use crate::element::{DTYPE, device};

fn data() -> Vec<Tensor<2>> {
    let batch = |(index, rows): (usize, usize)| {
        let numbers: Vec<f64> = (0..rows * 3)
            .map(|i| wave(i, 1.1 + 7.0 * index as f64))
            .collect();
        let data = TensorData::new(numbers, [rows, 3]);
        Tensor::<2>::from_data(data, (&device(), DTYPE))
    };
    [6, 3, 4, 5].into_iter().enumerate().map(batch).collect()
}

fn squares(net: &Dropped, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

fn net() -> Dropped {
    filled(&Dropped::new([3, 8, 2], &device()), 9.1)
}

/// Loss, gradient and product of a seeded loss.
fn measured(seed: u64, devices: [Device; 2]) -> (f64, Vec<f64>, Vec<f64>) {
    let (net, data) = (net(), data());
    let risk = Risk::new(&squares, &data)
        .with_mode(Mode::Train)
        .with_draws_seed(seed)
        .with_devices(devices);
    let found = risk.loss_and_gradient(&net).unwrap();
    let hessian = risk.hessian(&net).unwrap();
    let product = hessian.matvec(&vector(hessian.space(), 3.0)).unwrap();
    assert_eq!(risk.loss(&net).unwrap().value, found.value);
    (
        found.value,
        found.gradient.to_host().unwrap(),
        product.to_host().unwrap(),
    )
}

#[test]
fn two_runs_of_one_seed_have_the_same_bits() {
    let _turn = turn();
    let first = measured(5, both());
    // What others draw in between changes nothing.
    for device in both() {
        device.seed(11);
    }
    assert_eq!(measured(5, both()), first);
    let other = measured(6, both());
    assert!(other.0 != first.0 && other.1 != first.1 && other.2 != first.2);
    // The order of the list decides which device draws for which batch.
    let [one, two] = both();
    assert_eq!(
        measured(5, [two.clone(), one.clone()]),
        measured(5, [two, one])
    );
}

#[test]
fn devices_that_draw_work_one_after_another() {
    let _turn = turn();
    let (net, data) = (net(), data());
    let seen: Mutex<Vec<bool>> = Mutex::default();
    let loss = |net: &Dropped, x: Tensor<2>| {
        seen.lock().unwrap().push(x.device() == second());
        // A device that draws at the same time would be seen in between.
        std::thread::sleep(std::time::Duration::from_millis(2));
        squares(net, x)
    };
    let risk = Risk::new(&loss, &data)
        .with_mode(Mode::Train)
        .with_draws_seed(5)
        .with_devices(both());
    for _ in 0..3 {
        seen.lock().unwrap().clear();
        risk.loss(&net).unwrap();
        let mut places = seen.lock().unwrap().clone();
        assert_eq!(places.len(), 4);
        places.dedup();
        assert_eq!(places, [false, true]);
    }
}

#[test]
fn a_loss_without_a_seed_is_refused() {
    let _turn = turn();
    let (net, data) = (net(), data());
    let risk = Risk::new(&squares, &data).with_devices(both());
    risk.loss(&net).unwrap();
    let trained = risk.with_mode(Mode::Train);
    assert_eq!(trained.loss(&net).map(drop), Err(LossError::Draws));
    let error = trained.loss_and_gradient(&net).map(drop);
    assert_eq!(error, Err(LossError::Draws));
    let error = trained.hessian(&net).map(drop).unwrap_err();
    assert_eq!(error.to_string(), LossError::Draws.to_string());
}
