use burn::backend::DispatchTensor;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape_linearize::{LinearMap, Linearized, Point, Residuals};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::CurvatureError;
use crate::space::{ParamSpace, epsilon, to_host};

/// Two maps that have to be adjoint: a derivative forwards, which goes through everything, and Burn's
/// backward pass, which stops at what is detached.
#[derive(Debug, Clone)]
pub(super) enum Reverse {
    /// From the parameters to the loss; Burn's gradient is the second value of the first map.
    Gradient(Box<LinearMap>),
    /// From the parameters to the outputs, and back.
    Outputs(Box<[LinearMap; 2]>),
    /// The first two maps themselves.
    Own,
}

/// Refuses a function whose backward pass is not that of its forward pass: something that depends on
/// the parameters is detached.
pub(super) fn check_reverse(
    space: &ParamSpace,
    maps: &mut [Linearized],
    reverse: Option<&Reverse>,
    points: &[Point],
    inputs: &[DispatchTensor],
) -> Result<(), CurvatureError> {
    let device = space.device();
    let probe = |len: usize, dtype: DType, seed: u64| -> Tensor<1> {
        let mut rng = StdRng::seed_from_u64(seed);
        let signs = (0..len).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 });
        let data = TensorData::new(signs.collect::<Vec<f64>>(), [len]);
        Tensor::from_data(data, (device, dtype))
    };
    let host = |tensor: &Tensor<1>| to_host(tensor.clone());
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let dtype = space.dtype()?;
    let v = probe(space.len(), dtype, 3);
    let forwards = |linearized: &mut Linearized, point: &Point| {
        Ok::<_, CurvatureError>(linearized.apply(point, std::slice::from_ref(&v))?.remove(0))
    };
    // Inputs that only the map itself has, its noise, come last.
    let shared = |map: &LinearMap| {
        let mut at = Linearized::new(map, device)?;
        let own = &inputs[..at.map().num_inputs().min(inputs.len())];
        let point = at.point_sharing(own, Residuals::Kept, (&maps[0], &points[0]))?;
        Ok::<_, CurvatureError>((at, point))
    };
    let (moved, u, back) = match reverse {
        None => return Ok(()),
        Some(Reverse::Gradient(map)) => {
            let (mut at, point) = shared(map)?;
            let moved = forwards(&mut at, &point)?;
            let back = points[0].values().get(1).cloned();
            let u = moved.ones_like();
            (moved, u, back.unwrap_or_else(|| v.zeros_like()))
        }
        Some(Reverse::Outputs(both)) => {
            let (mut at, point) = shared(&both[0])?;
            let moved = forwards(&mut at, &point)?;
            let u = probe(moved.dims()[0], moved.dtype(), 4);
            let (mut at, point) = shared(&both[1])?;
            let back = at.apply(&point, std::slice::from_ref(&u))?.remove(0);
            (moved, u, back)
        }
        Some(Reverse::Own) => {
            let moved = forwards(&mut maps[0], &points[0])?;
            let u = probe(moved.dims()[0], moved.dtype(), 4);
            let back = maps[1]
                .apply(&points[1], std::slice::from_ref(&u))?
                .remove(0);
            (moved, u, back)
        }
    };
    let (moved, u, back, v) = (host(&moved)?, host(&u)?, host(&back)?, host(&v)?);
    let norm = |x: &[f64]| dot(x, x).sqrt();
    let (left, right) = (dot(&u, &moved), dot(&back, &v));
    let size = norm(&u) * norm(&moved) + norm(&back) * norm(&v);
    let defect = (left - right).abs() / size.max(f64::MIN_POSITIVE);
    // What is not finite is told with the batch and the operation, later.
    match defect > tolerance(dtype) {
        true => Err(CurvatureError::Detached { defect }),
        false => Ok(()),
    }
}

/// How far numbers may be apart that are to be the same: rounding adds up like a random walk over the
/// operations of a deep net, and some of Burn's backward passes compute in f32 whatever the type is.
pub(super) fn tolerance(dtype: DType) -> f64 {
    epsilon(dtype).sqrt().max(1e-6)
}
