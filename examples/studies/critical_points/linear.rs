//! The critical points of a linear network, which are known.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::Risk;
use burnscape::spectrum::Spectrum;

use crate::Failure;
use crate::studies::criteria::critical_points::{
    HIDDEN, INDEX, LOSS, SADDLES, Saddle, VALUES, ZEROS,
};
use crate::studies::frame::Measured;

/// Eigenvalues up to this size count as zero.
const ZERO: f64 = 1e-9;
const ENDS: usize = VALUES.len();

/// `U V` for `U` of 3×4 and `V` of 4×3.
#[derive(Module, Debug)]
struct Linear {
    u: Param<Tensor<2>>,
    v: Param<Tensor<2>>,
}

impl Linear {
    /// Each value that is kept goes through a hidden unit of its own.
    fn at(saddle: &Saddle) -> Self {
        let (mut u, mut v) = (vec![0.0; ENDS * HIDDEN], vec![0.0; HIDDEN * ENDS]);
        let values = VALUES.into_iter().zip(saddle.kept).enumerate();
        let kept = values.filter(|(_, (_, is_kept))| *is_kept);
        for (unit, (end, (value, _))) in kept.enumerate() {
            u[end * HIDDEN + unit] = value.sqrt();
            v[unit * ENDS + end] = value.sqrt();
        }
        Self {
            u: Param::from_tensor(matrix(u, [ENDS, HIDDEN])),
            v: Param::from_tensor(matrix(v, [HIDDEN, ENDS])),
        }
    }
}

/// In double precision.
fn matrix(entries: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
    let device = Device::default().autodiff();
    Tensor::from_data(TensorData::new(entries, shape), (&device, DType::F64))
}

fn loss(net: &Linear, target: Tensor<2>) -> Tensor<1> {
    let product = net.u.val().matmul(net.v.val());
    (product - target).square().sum() * 0.5
}

pub(super) fn run(found: &mut Measured) -> Result<(), Failure> {
    let mut target = vec![0.0; ENDS * ENDS];
    for (diagonal, value) in target.iter_mut().step_by(ENDS + 1).zip(VALUES) {
        *diagonal = value;
    }
    let (objective, data) = (loss, [matrix(target, [ENDS, ENDS])]);
    let risk = Risk::new(&objective, &data);
    let mut points = Vec::new();
    for saddle in &SADDLES {
        let hessian = risk.hessian(&Linear::at(saddle))?;
        let inertia = Spectrum::of(&hessian).with_zero(ZERO).inertia()?;
        let [index, zeros] = [inertia.negative, inertia.near_zero]
            .map(|count| count.exact.map_or(f64::NAN, |count| count as f64));
        found.push(saddle.row, LOSS, hessian.loss());
        found.push(saddle.row, INDEX, index);
        found.push(saddle.row, ZEROS, zeros);
        points.push((index, hessian.loss()));
    }
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    found.line(
        "critical points of a linear network",
        INDEX,
        LOSS,
        "all points",
        points,
    );
    Ok(())
}
