//! How often methods wait for the device, counted: that is the cost that a GPU feels.

use burn::nn::{Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burnscape_krylov::{
    EigenpairsConfig, LanczosFactorization, LinearOperator, Shifted, SolveConfig, Which,
};

use crate::loss::Risk;
use crate::optim::SamConfig;
use crate::space::{ParamVector, READS};

type Net = [Linear; 2];

fn net(device: &Device) -> Net {
    let layer = |d_in, d_out| LinearConfig::new(d_in, d_out).init(device);
    [layer(20, 300), layer(300, 3)]
}

fn loss(net: &Net, x: Tensor<2>) -> Tensor<1> {
    let x = net[0].forward(x).tanh();
    net[1].forward(x).powi_scalar(2).mean()
}

fn data(device: &Device) -> Vec<Tensor<2>> {
    let x = Tensor::<1, burn::tensor::Int>::arange(0..160, device).float();
    let x = (x * 1.7).sin().reshape([8, 20]);
    vec![x.clone(), x.cos()]
}

fn reads<T>(work: impl FnOnce() -> T) -> usize {
    let before = READS.get();
    drop(work());
    READS.get() - before
}

#[test]
fn a_hessian_product_reads_nothing_a_lanczos_step_once_and_a_step_of_conjugate_gradients_twice() {
    let device = Device::default().autodiff();
    let (net, data) = (net(&device), data(&device));
    for budget in [usize::MAX, 0] {
        let risk = Risk::new(&loss, &data).with_residual_budget(budget);
        let hessian = risk.hessian(&net).unwrap();
        let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
        assert_eq!(reads(|| hessian.matvec(&v).unwrap()), 0);
        let run = |steps| LanczosFactorization::from_random(&hessian, steps, 0).unwrap();
        assert_eq!(reads(|| run(5)), 6);
        assert_eq!(reads(|| run(15)), 16);
        // A restart reads nothing.
        let top = |most| {
            let config = EigenpairsConfig::new(3, Which::BothEnds)
                .with_max_basis(8)
                .with_tolerance(1e-30)
                .with_max_matvecs(most);
            config.run(&hessian).unwrap()
        };
        let (few, many) = (top(9), top(14));
        assert!(few.num_restarts == 0 && many.num_restarts > 0);
        let products = many.num_matvecs - few.num_matvecs;
        assert_eq!(reads(|| top(14)) - reads(|| top(9)), products);
        let damped = Shifted::new(&hessian, 1.0).unwrap();
        for config in [SolveConfig::conjugate_gradients(), SolveConfig::minres()] {
            let solve = |most| {
                let config = config.clone().with_tolerance(1e-30).with_max_matvecs(most);
                config.run(&damped, &v).unwrap()
            };
            assert_eq!(reads(|| solve(4)) - reads(|| solve(2)), 4, "{config:?}");
        }
    }
}

#[test]
fn a_step_of_sharpness_aware_minimization_reads_twice() {
    let device = Device::default().autodiff();
    let (mut net, data) = (net(&device), data(&device));
    let mut sam = SamConfig::new().init(SgdConfig::new().init()).unwrap();
    let mut step = || {
        let x = data[0].clone();
        let loss = |net: &Net| loss(net, x.clone());
        sam.step(0.1, &mut net, loss).unwrap()
    };
    step();
    assert_eq!(reads(step), 2);
}
