//! Whether data and values are usable.

use std::ops::ControlFlow;

use burnscape_linearize::Point;

use super::CurvatureError;
use super::reverse::nothing;
use super::site::number_of_batches;
use crate::loss::{Fingerprint, LossError, Source, each};
use crate::space::{as_accumulator, to_host};

/// The sum of a point's first value, which is refused if it is not finite.
pub(super) fn finite_sum(point: &Point, batch: usize) -> Result<f64, CurvatureError> {
    let Some(first) = point.values().first() else {
        return Ok(0.0);
    };
    let sum = to_host(as_accumulator(first.clone()).sum())?;
    let value = sum.first().copied().unwrap_or(0.0);
    match value.is_finite() {
        true => Ok(value),
        false => Err(LossError::NonFinite { batch, value }.into()),
    }
}

/// Refuses a point whose first value, the outputs, is not finite.
pub(super) fn check_outputs(point: &Point, batch: usize) -> Result<(), CurvatureError> {
    let Some(outputs) = point.values().first() else {
        return Ok(());
    };
    match to_host(nothing(outputs))?.iter().all(|zero| *zero == 0.0) {
        true => Ok(()),
        false => Err(CurvatureError::NonFiniteOutputs { batch }),
    }
}

/// Refuses a point whose gradient, where the map tells it, is not finite.
pub(super) fn check_gradient(point: &Point, batch: usize) -> Result<(), CurvatureError> {
    let Some(gradient) = point.values().get(1) else {
        return Ok(());
    };
    if to_host(nothing(gradient))?.iter().all(|zero| *zero == 0.0) {
        return Ok(());
    }
    let values = to_host(gradient.clone())?;
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    Err(CurvatureError::NonFiniteGradient { batch, norm })
}

/// Reads the data once more and refuses those that have changed.
pub(super) fn check_repeatable<'f, M>(
    known: impl IntoIterator<Item = Option<&'f Fingerprint>>,
    source: &dyn Source<M>,
) -> Result<(), CurvatureError> {
    let known: Vec<_> = known.into_iter().collect();
    let mut num_read = 0;
    each(source, |index, batch| {
        num_read += 1;
        if let Some(Some(known)) = known.get(index)
            && **known != batch.fingerprint()?
        {
            return Err(LossError::DataChanged { batch: index }.into());
        }
        Ok::<_, CurvatureError>(ControlFlow::Continue(()))
    })?;
    match num_read == known.len() {
        true => Ok(()),
        false => Err(number_of_batches(known.len(), num_read)),
    }
}
