//! A linear network whose critical points are all known.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Rows and columns of the target.
pub(crate) const ENDS: usize = 3;
pub(crate) const HIDDEN: usize = 4;
/// The singular values of the target.
pub(crate) const VALUES: [f64; ENDS] = [3.0, 2.0, 1.0];

/// The map `U V`.
#[derive(Module, Debug)]
pub(crate) struct LinearNet {
    u: Param<Tensor<2>>,
    v: Param<Tensor<2>>,
}

impl LinearNet {
    fn of(u: Vec<f64>, v: Vec<f64>, device: &Device) -> Self {
        let parameter = |values: Vec<f64>, shape: [usize; 2]| {
            let values = TensorData::new(values, shape);
            Param::from_tensor(Tensor::from_data(values, (device, DType::F64)))
        };
        Self {
            u: parameter(u, [ENDS, HIDDEN]),
            v: parameter(v, [HIDDEN, ENDS]),
        }
    }

    /// Uniform weights, of three sizes.
    pub(crate) fn random(seed: u64, device: &Device) -> Self {
        let size = [0.4, 0.8, 1.6][(seed % 3) as usize] * 3.0_f64.sqrt();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut matrix = || -> Vec<f64> {
            let unit = || rng.random::<f64>();
            let units = std::iter::repeat_with(unit).take(ENDS * HIDDEN);
            units.map(|unit| size * (2.0 * unit - 1.0)).collect()
        };
        let u = matrix();
        Self::of(u, matrix(), device)
    }

    /// A minimum: roots of the singular values, times `scale` in `U` and divided by it in `V`.
    pub(crate) fn minimum(scale: f64, device: &Device) -> Self {
        let (mut u, mut v) = (vec![0.0; ENDS * HIDDEN], vec![0.0; HIDDEN * ENDS]);
        for (index, value) in VALUES.into_iter().enumerate() {
            u[index * HIDDEN + index] = value.sqrt() * scale;
            v[index * ENDS + index] = value.sqrt() / scale;
        }
        Self::of(u, v, device)
    }
}

/// `diag(3, 2, 1)`, the data.
pub(crate) fn target(device: &Device) -> Tensor<2> {
    let mut values = vec![0.0; ENDS * ENDS];
    for (index, value) in VALUES.into_iter().enumerate() {
        values[index * ENDS + index] = value;
    }
    Tensor::from_data(TensorData::new(values, [ENDS, ENDS]), (device, DType::F64))
}

/// `½ |U V − T|²`.
pub(crate) fn loss(net: &LinearNet, target: Tensor<2>) -> Tensor<1> {
    (net.u.val().matmul(net.v.val()) - target).square().sum() * 0.5
}
