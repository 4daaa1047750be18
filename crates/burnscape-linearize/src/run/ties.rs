//! Checks at run time that a comparison for equality does not invalidate a derivative.

use burn::backend::DispatchTensor;
use burn::tensor::{DType, Tensor, TensorData};

use super::engine::flat;
use crate::LinearizeError;
use crate::program::{Port, Tie};

/// Fails if values are equal at a point but not near it. Values that stay equal nearby (masked, or
/// saturated in a ReLU) select the same branch there, so they do no harm.
///
/// `counts` are the numbers of equal elements at `inputs`, and `counts_at` computes them at other inputs.
pub(super) fn check(
    ties: &[Tie],
    counts: Vec<DispatchTensor>,
    ports: &[Port],
    inputs: &[DispatchTensor],
    counts_at: impl FnOnce(&[DispatchTensor]) -> Result<Vec<DispatchTensor>, LinearizeError>,
) -> Result<(), LinearizeError> {
    let here = numbers(counts)?;
    if here.iter().all(|count| *count == 0.0) {
        return Ok(());
    }
    let nearby = numbers(counts_at(&displaced(ties, ports, inputs)?)?)?;
    for (tie, (here, nearby)) in ties.iter().zip(here.into_iter().zip(nearby)) {
        // A NaN is not a count.
        if here.is_nan() || nearby < here {
            return Err(LinearizeError::Tie {
                operation: tie.operation.clone(),
                shapes: tie.shapes.clone(),
                count: (here - nearby) as usize,
            });
        }
    }
    Ok(())
}

/// Reads one number from each tensor, with one host synchronization each.
fn numbers(tensors: Vec<DispatchTensor>) -> Result<Vec<f64>, LinearizeError> {
    let read = |tensor: DispatchTensor| {
        let data = flat(tensor).try_into_data();
        let data = data.map_err(|error| LinearizeError::Execution {
            message: format!("{error:?}"),
        })?;
        Ok(data.iter::<f64>().sum())
    };
    tensors.into_iter().map(read).collect()
}

/// The distance to a nearby point as a fraction of an input's size: well above rounding, and otherwise as small as
/// possible, so that few elements cross a kink on the way (ReLU outputs may become active again).
fn nearby_fraction(dtype: DType) -> f64 {
    let epsilon = match dtype {
        DType::F64 => f64::EPSILON,
        DType::F16 => 2.0_f64.powi(-10),
        DType::BF16 => 2.0_f64.powi(-7),
        _ => f64::from(f32::EPSILON),
    };
    epsilon.sqrt().min(1e-4).max(16.0 * epsilon)
}

/// The inputs, with differentiated ones displaced by a small fraction of their size, a different one for
/// each element.
fn displaced(
    ties: &[Tie],
    ports: &[Port],
    inputs: &[DispatchTensor],
) -> Result<Vec<DispatchTensor>, LinearizeError> {
    let moves = |port: &Port| ties.iter().any(|tie| tie.moving.contains(&port.tensor.id));
    let displaced = ports.iter().zip(inputs).map(|(port, input)| {
        if !moves(port) {
            return Ok(input.clone());
        }
        let x = flat(input.clone());
        let len = x.shape().num_elements();
        let size = numbers(vec![x.clone().abs().mean().into_dispatch()])?[0];
        let size = if size > 0.0 { size } else { 1.0 };
        let shares = (0..len).map(|i| {
            let share = 0.5 + (0.618_033_988_749_895 * i as f64).fract();
            if i % 3 == 1 { -share } else { share }
        });
        let unit = nearby_fraction(x.dtype()) * size;
        let shift: Vec<f64> = shares.map(|share| unit * share).collect();
        let options = (&x.device(), x.dtype());
        let shift = Tensor::<1>::from_data(TensorData::new(shift, [len]), options);
        Ok((x + shift).into_dispatch())
    });
    displaced.collect()
}
