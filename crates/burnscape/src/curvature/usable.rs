//! Checks that data is repeatable and values are finite.

use std::ops::ControlFlow;

use burnscape_linearize::Point;

use super::CurvatureError;
use super::reverse::nothing;
use super::site::number_of_batches;
use crate::loss::{Fingerprint, LossError, Source, each};
use crate::space::{as_accumulator, to_host};

/// The sum of the first value of a point; an error if it is not finite.
pub(super) fn finite_sum(point: &Point, batch: usize) -> Result<f64, CurvatureError> {
    let Some(first) = point.values().first() else {
        return Ok(0.0);
    };
    let sum = to_host(as_accumulator(first.clone()).sum())?;
    let value = sum.first().copied().unwrap_or(0.0);
    if value.is_finite() {
        Ok(value)
    } else {
        Err(LossError::NonFinite { batch, value }.into())
    }
}

/// Returns an error if the outputs, the first value of a point, are not finite.
pub(super) fn check_outputs(point: &Point, batch: usize) -> Result<(), CurvatureError> {
    let Some(outputs) = point.values().first() else {
        return Ok(());
    };
    if to_host(nothing(outputs))?.iter().all(|zero| *zero == 0.0) {
        Ok(())
    } else {
        Err(CurvatureError::NonFiniteOutputs { batch })
    }
}

/// Returns an error if the gradient, the second value of a point, is not finite.
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

/// Reads the data again and returns an error if it has changed.
pub(super) fn check_repeatable<'f, M>(
    known: impl IntoIterator<Item = Option<&'f Fingerprint>>,
    source: &dyn Source<M>,
) -> Result<(), CurvatureError> {
    let known: Vec<_> = known.into_iter().collect();
    let mut num_read = 0;
    each(source, |index, batch| {
        if let Some(Some(known)) = known.get(num_read)
            && **known != batch.fingerprint()?
        {
            return Err(LossError::DataChanged { batch: index }.into());
        }
        num_read += 1;
        Ok::<_, CurvatureError>(ControlFlow::Continue(()))
    })?;
    if num_read == known.len() {
        Ok(())
    } else {
        Err(number_of_batches(known.len(), num_read))
    }
}
