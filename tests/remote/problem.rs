//! A small network, six batches of unequal sizes, and what is measured of them on one device or on several.
//!
//! It has rectified linear units and squared errors, which a server computes with the same kernels as this process:
//! programs on Flex here have functions of our own for the hyperbolic tangent, the exponential and convolutions.

use std::collections::BTreeSet;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{EigenpairsConfig, LinearOperator, Which};
use burnscape::landscape::{Direction, LandscapeConfig};
use burnscape::loss::{DeviceError, Likelihood, LossError, Risk, Split};
use burnscape::space::{DirectionNorm, Grid, ParamSpace, ParamVector};
use burnscape_testkit::models::TwoLayers;

/// Inputs, and the outputs that they should have.
pub(crate) type Labeled = (Tensor<2>, Tensor<2>);

/// Examples of each batch.
const ROWS: [usize; 6] = [7, 12, 3, 9, 5, 16];

/// The largest residual of an eigenpair, relative to the largest eigenvalue.
const EIGEN_TOLERANCE: f64 = 1e-4;

/// The devices of a risk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spread<'d> {
    /// That of the model.
    One,
    /// These.
    Over(&'d [Device]),
    /// These, with sums in the order of the batches.
    InOrder(&'d [Device]),
}

/// Eigenpairs that are computed.
pub(crate) const PAIRS: usize = 5;

/// The name of eigenvectors, one after another.
pub(crate) const EIGENVECTORS: &str = "eigenvectors";

/// Numbers by name.
pub(crate) type Found = Vec<(&'static str, Vec<f64>)>;

/// A network 8-16-3 on a device, and batches on Flex.
pub(crate) struct Problem {
    pub(crate) net: TwoLayers,
    pub(crate) data: Vec<Labeled>,
}

impl Problem {
    pub(crate) fn on(device: &Device) -> Self {
        Self::wide(16, device)
    }

    /// With so many hidden units.
    pub(crate) fn wide(hidden: usize, device: &Device) -> Self {
        let here = Device::flex();
        let net = TwoLayers::new([8, hidden, 3], &here);
        let space = ParamSpace::of(&net).unwrap();
        let weights: Vec<f64> = (0..space.len()).map(|i| 0.5 * wave(i, 0.3)).collect();
        let weights = ParamVector::from_host(&space, &weights).unwrap();
        Self {
            net: weights.apply_to(&net).unwrap().fork(device),
            data: ROWS.iter().enumerate().map(batch).collect(),
        }
    }

    pub(crate) fn risk(&self) -> Risk<'_, TwoLayers, Split> {
        Risk::split(outputs, criterion, &self.data)
    }

    pub(crate) fn spread(&self, spread: Spread<'_>) -> Risk<'_, TwoLayers, Split> {
        let risk = self.risk();
        match spread {
            Spread::One => risk,
            Spread::Over(devices) => risk.with_devices(devices.to_vec()),
            Spread::InOrder(devices) => risk.with_devices(devices.to_vec()).with_exact_order(true),
        }
    }

    /// Loss and gradient, a product of each matrix, and the largest eigenvalues with their vectors.
    pub(crate) fn curvature(&self, spread: Spread<'_>) -> Found {
        let (net, risk) = (&self.net, self.spread(spread));
        let found = risk.loss_and_gradient(net).unwrap();
        let hessian = risk.hessian(net).unwrap();
        let gauss_newton = risk.gauss_newton(net).unwrap();
        let fisher = risk.fisher(net, Likelihood::Gaussian).unwrap();
        let v = ParamVector::rademacher(hessian.space(), 7).unwrap();
        let config = EigenpairsConfig::new(PAIRS, Which::Largest).with_tolerance(EIGEN_TOLERANCE);
        let top = config.run(&hessian).unwrap();
        assert!(top.outcome.is_converged(), "{:?}", top.outcome);
        let vectors = top.vectors.iter().flat_map(|v| v.to_host().unwrap());
        let work = risk.device_work();
        // A list of one device counts nothing.
        for of_device in work.iter().filter(|_| work.len() > 1) {
            assert!(of_device.batches > 0, "{work:?}");
        }
        // Devices of one server have names of their own.
        let names: BTreeSet<&str> = work.iter().map(|work| work.device.as_str()).collect();
        assert_eq!(names.len(), work.len(), "{work:?}");
        vec![
            ("loss", vec![risk.loss(net).unwrap().value, found.value]),
            ("gradient", found.gradient.to_host().unwrap()),
            ("Hessian", numbers(hessian.matvec(&v))),
            ("Gauss-Newton", numbers(gauss_newton.matvec(&v))),
            ("Fisher", numbers(fisher.matvec(&v))),
            (EIGENVECTORS, vectors.collect()),
            ("eigenvalues", top.values),
        ]
    }

    /// The losses of a 9×9 grid.
    pub(crate) fn landscape(&self, spread: Spread<'_>) -> Found {
        let (net, risk) = (&self.net, self.spread(spread));
        let space = risk.space(net).unwrap();
        let direction = |seed| Direction::random(&space, net, DirectionNorm::Sphere, seed).unwrap();
        let grid = Grid::symmetric(1.0, 9).unwrap();
        let found = LandscapeConfig::new([grid.clone(), grid])
            .run(&risk, net, &[direction(1), direction(2)])
            .unwrap();
        assert!(found.completed && found.losses.len() == 81);
        vec![("losses", found.losses)]
    }
}

/// The device that an error is about, by its index in the list.
pub(crate) fn device_of(error: &CurvatureError) -> Option<usize> {
    match device_error(error)? {
        DeviceError::Failed { index, .. }
        | DeviceError::TimedOut { index, .. }
        | DeviceError::Dead { index, .. } => Some(*index),
        _ => None,
    }
}

pub(crate) fn device_error(error: &CurvatureError) -> Option<&DeviceError> {
    match error {
        CurvatureError::Loss(error) => device_error_of_loss(error),
        _ => None,
    }
}

pub(crate) fn device_error_of_loss(error: &LossError) -> Option<&DeviceError> {
    match error {
        LossError::Device(error) => Some(error.as_ref()),
        _ => None,
    }
}

pub(crate) fn outputs(net: &TwoLayers, (x, _): &Labeled) -> Tensor<2> {
    net.forward(x.clone(), relu)
}

/// The mean squared error.
pub(crate) fn criterion(outputs: Tensor<2>, (_, y): Labeled) -> Tensor<1> {
    (outputs - y).square().mean()
}

/// The numbers of a product, which must succeed.
#[track_caller]
pub(crate) fn numbers(product: Result<ParamVector, CurvatureError>) -> Vec<f64> {
    product.unwrap().to_host().unwrap()
}

/// Numbers without a pattern, between −1 and 1.
fn wave(index: usize, phase: f64) -> f64 {
    (1.0 + 0.37 * (index as f64 + phase).powf(1.31)).sin()
}

/// A batch of so many examples.
pub(crate) fn batch((index, &rows): (usize, &usize)) -> Labeled {
    let here = Device::flex();
    let first = 100 * index;
    let numbers = (0..8 * rows).map(|i| wave(first + i, 0.7) as f32);
    let targets = (0..3 * rows).map(|i| wave(first + i, 2.9) as f32);
    let numbers = TensorData::new(numbers.collect::<Vec<f32>>(), [rows, 8]);
    let targets = TensorData::new(targets.collect::<Vec<f32>>(), [rows, 3]);
    (
        Tensor::from_data(numbers, &here),
        Tensor::from_data(targets, &here),
    )
}
