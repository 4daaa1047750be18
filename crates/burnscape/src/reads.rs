//! How often methods wait for the device, counted: that is the cost that a GPU feels.

use burn::nn::{Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burnscape_krylov::{
    EigenMethod, Eigenpairs, EigenpairsConfig, LanczosFactorization, LinearOperator, SelfAdjoint,
    Shifted, SolveConfig, Which,
};

use crate::loss::Risk;
use crate::optim::SamConfig;
use crate::space::{ParamSpace, ParamVector, READS, SpaceError};

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

/// A diagonal matrix. Its products read nothing.
struct Diagonal(ParamVector);

impl Diagonal {
    /// Eigenvalues from zero to one at equal distances: no pair converges in a few products.
    fn even(device: &Device) -> Self {
        let space = ParamSpace::of(&net(device)).unwrap();
        let len = space.len();
        let values: Vec<f64> = (0..len).map(|i| i as f64 / (len - 1) as f64).collect();
        Self(ParamVector::from_host(&space, &values).unwrap())
    }
}

impl LinearOperator for Diagonal {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = SpaceError;

    fn domain(&self) -> ParamSpace {
        self.0.space().clone()
    }

    fn range(&self) -> ParamSpace {
        self.domain()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, SpaceError> {
        self.0.clone().hadamard(v)
    }
}

impl SelfAdjoint for Diagonal {}

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

#[test]
fn a_product_of_davidsons_method_reads_four_times_and_one_of_block_lanczos_three_times() {
    let matrix = Diagonal::even(&Device::default().autodiff());
    let v = matrix.0.clone();
    assert_eq!(reads(|| matrix.matvec(&v).unwrap()), 0);
    for (method, each) in [(EigenMethod::Davidson, 4), (EigenMethod::Block, 3)] {
        let run = |most| {
            let mut config = EigenpairsConfig::new(2, Which::Largest)
                .with_method(method)
                .with_max_matvecs(most);
            if method == EigenMethod::Block {
                config = config.with_block(2).with_max_basis(10);
            }
            let found: Eigenpairs<ParamVector> = config.run(&matrix).unwrap();
            assert!(!found.outcome.is_converged());
            found
        };
        let (few, many) = (run(10), run(20));
        // A restart reads nothing.
        let is_restarted = many.num_restarts > few.num_restarts;
        assert_eq!(is_restarted, method == EigenMethod::Block);
        let products = many.num_matvecs - few.num_matvecs;
        assert_eq!(products, 10);
        let more = reads(|| run(20)) - reads(|| run(10));
        assert_eq!(more, each * products, "{method:?}");
    }
}

#[test]
fn an_iteration_of_lobpcg_reads_once_and_three_times_for_each_pair() {
    let matrix = Diagonal::even(&Device::default().autodiff());
    // Two pairs and a guard.
    let config = EigenpairsConfig::new(2, Which::Largest)
        .with_method(EigenMethod::Lobpcg)
        .with_guards(1);
    let run = |most| config.clone().with_max_matvecs(most).run(&matrix).unwrap();
    let iterations = run(20).num_restarts - run(11).num_restarts;
    assert_eq!(iterations, 3);
    let more = reads(|| run(20)) - reads(|| run(11));
    assert_eq!(more, iterations * (1 + 3 * 3));
}
