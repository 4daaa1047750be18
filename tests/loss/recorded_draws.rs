//! Recorded losses that draw random numbers.

use burn::module::{Module, Param};
use burn::tensor::{Distribution, Tensor, TensorData};
use burnscape::loss::Recorded;
use burnscape_testkit::double::device;
use burnscape_testkit::models::Dropped;
use burnscape_testkit::turn;

fn numbers<const D: usize>(shape: [usize; D], phase: f64) -> Tensor<D> {
    let number = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    let numbers: Vec<f64> = (0..shape.iter().product()).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, shape), &device())
}

fn value(loss: &Tensor<1>) -> f64 {
    loss.clone().into_scalar()
}

#[derive(Module, Debug)]
struct Scale {
    w: Param<Tensor<1>>,
}

#[test]
fn random_numbers_are_drawn_in_every_run() {
    let held = turn();
    let device = device();
    let scale = Scale {
        w: Param::from_tensor(Tensor::ones([1], &device.clone().autodiff())),
    };
    let noisy = |model: &Scale, x: Tensor<2>| {
        let noise = x.random_like(Distribution::Normal(0.0, 1.0));
        ((x + noise) * model.w.val().unsqueeze()).square().mean()
    };
    let recorded = Recorded::new(noisy);
    let x = numbers([40, 3], 2.0);
    let mut seen = Vec::new();
    for _ in 0..2 {
        device.seed(5);
        seen.push(value(&noisy(&scale, x.clone().autodiff())));
        let _ = recorded.loss_on(&scale, x.clone());
        device.seed(5);
        seen.push(value(&recorded.loss_on(&scale, x.clone()).expect("a loss")));
        seen.push(value(&recorded.loss_on(&scale, x.clone()).expect("a loss")));
    }
    assert!((seen[0] - seen[1]).abs() < 1e-12 && seen[1] == seen[4]);
    assert!((seen[1] - seen[2]).abs() > 1e-3);

    let net = Dropped::new([3, 8, 2], &device.autodiff());
    let loss = |net: &Dropped, (x, y): (Tensor<2>, Tensor<2>)| (net.forward(x) - y).square().mean();
    let recorded = Recorded::new(loss);
    let data = || {
        let (x, y) = (numbers([6, 3], 0.3), numbers([6, 2], 7.1));
        (x.autodiff(), y.autodiff())
    };
    let losses = [(); 3].map(|()| value(&recorded.loss_on(&net, data()).expect("a loss")));
    assert!(losses[0] != losses[1] && losses[1] != losses[2]);
    drop(held);
}
