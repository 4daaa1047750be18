//! Whether a trace still computes what the closure computes.

use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::{DType, Tensor};
use burnscape_linearize::{Checkpointing, Point};

use super::CurvatureError;
use super::batch_points::{Program, Setup};
use super::site::Site;
use crate::loss::draws::BatchDraws;
use crate::loss::{RiskBatch, Signature};
use crate::space::{as_accumulator, epsilon, to_host};

/// What the first value of the maps of an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstValue {
    Loss,
    /// The losses of the examples.
    ExampleLosses,
    /// The outputs of the model.
    Outputs,
}

/// A batch of a pass, and its point.
pub(super) struct Evaluated<'b, M> {
    pub(super) index: usize,
    pub(super) batch: &'b dyn RiskBatch<M>,
    pub(super) examples: usize,
    pub(super) signature: &'b Signature,
    pub(super) point: &'b Point,
    pub(super) noise: Option<&'b DispatchTensor>,
}

/// Returns an error if the closure's value differs from that of the trace at the same weights, by more than rounding.
///
/// The draws of the closure are those of the trace unless the trace has dropped some that nothing reads. So a
/// difference is confirmed by a new trace.
///
/// # Cost
///
/// One forward pass and one host synchronization.
pub(super) fn check_trace<M: Module>(
    site: &Site<'_, '_, M>,
    setup: &Setup<'_, M>,
    draws: &BatchDraws,
    at: &Evaluated<'_, M>,
) -> Result<(), CurvatureError> {
    let Some(traced) = at.point.values().first() else {
        return Ok(());
    };
    let begin = || draws.begin(at.index);
    let found = site.evaluated(at.batch, setup.first, begin)?;
    if distance(traced, &found)? <= rounding(traced.dtype()) {
        return Ok(());
    }
    let fresh = (setup.trace)(at.batch, at.examples)?;
    let (signature, values) = (at.signature.clone(), at.batch.tensors().values);
    let mut fresh = Program::new(fresh, signature, values.len(), 0, site)?;
    let inputs = fresh.model.iter().cloned().chain(values);
    let inputs: Vec<_> = inputs.chain(at.noise.cloned()).collect();
    draws.begin(at.index);
    let point = fresh.maps[0].point(&inputs, Checkpointing::Store)?;
    let Some(now) = point.values().first() else {
        return Ok(());
    };
    if distance(traced, now)? <= rounding(traced.dtype()) {
        return Ok(());
    }
    let number = |tensor: &Tensor<1>| {
        let mean = to_host(as_accumulator(tensor.clone()).mean())?;
        Ok::<_, CurvatureError>(mean.first().copied().unwrap_or(f64::NAN))
    };
    Err(CurvatureError::StaleTrace {
        traced: number(traced)?,
        found: number(&found)?,
    })
}

/// The largest difference relative to the largest element; infinity for other lengths.
fn distance(a: &Tensor<1>, b: &Tensor<1>) -> Result<f64, CurvatureError> {
    if a.dims() != b.dims() {
        return Ok(f64::INFINITY);
    }
    let (a, b) = (as_accumulator(a.clone()), as_accumulator(b.clone()));
    let largest = |x: Tensor<1>| x.abs().max();
    let both = Tensor::cat(vec![largest(a.clone() - b), largest(a)], 0);
    let [difference, size] = to_host(both)?[..] else {
        return Ok(f64::INFINITY);
    };
    // Two zeros are equal, and NaN is unequal to everything.
    Ok(match difference {
        0.0 => 0.0,
        _ if difference.is_finite() => difference / size,
        _ => f64::INFINITY,
    })
}

/// How far two evaluations of one function differ at most, relative to their size.
fn rounding(dtype: DType) -> f64 {
    (256.0 * epsilon(dtype)).min(0.05)
}
