use super::curve::{Curve, Fit};
use crate::OutOfRange;
use crate::posterior::PosteriorError;
use crate::range::{POSITIVE, ensure};

/// What rounding may make of a height, in units of the largest.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// The smallest weight, in units of the largest: one of zero would leave heights undefined.
const LEAST_WEIGHT: f64 = 1e-24;

/// A curve as it was measured: checked, over the logarithm of time, and in units.
pub(super) struct Points {
    /// Heights are in units, and weights relative to the largest.
    pub(super) curve: Curve,
    /// The largest height in magnitude.
    pub(super) unit: f64,
    errors: Option<Errors>,
}

/// Standard errors in units.
struct Errors {
    all: Vec<f64>,
    least: f64,
}

impl Points {
    /// Standard errors of zero are unknown ones.
    pub(super) fn new(
        times: &[f64],
        values: &[f64],
        standard_errors: &[f64],
        min_points: usize,
    ) -> Result<Self, PosteriorError> {
        let x = logarithms(times)?;
        for (what, list) in [("value", values), ("standard error", standard_errors)] {
            let (expected, found) = (times.len(), list.len());
            if expected != found {
                return Err(PosteriorError::Length { expected, found });
            }
            all_finite(what, list)?;
        }
        let (found, needed) = (times.len(), min_points.saturating_add(1));
        if found < needed {
            return Err(PosteriorError::TooFewPoints { found, needed });
        }
        let largest = values
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        let unit = if largest > 0.0 { largest } else { 1.0 };
        let errors = errors(standard_errors, unit)?;
        let weights = match &errors {
            None => vec![1.0; x.len()],
            Some(errors) => {
                let weight = |error: &f64| (errors.least / error).powi(2).max(LEAST_WEIGHT);
                errors.all.iter().map(weight).collect()
            }
        };
        let y = values.iter().map(|value| value / unit).collect();
        let curve = Curve { x, y, weights };
        Ok(Self {
            curve,
            unit,
            errors,
        })
    }

    /// The Bayesian information criterion: two numbers for the line, and two for each knot, its place and its slope.
    pub(super) fn bic(&self, fit: &Fit) -> f64 {
        let (n, parameters) = (self.curve.x.len() as f64, num_parameters(fit) as f64);
        let misfit = match &self.errors {
            Some(errors) => fit.cost / errors.least / errors.least,
            None => {
                let square = (fit.cost / n).max(ROUNDING * ROUNDING);
                n * (square.ln() + 2.0 * self.unit.ln())
            }
        };
        misfit + parameters * n.ln()
    }

    /// The standard deviation of the residuals of a fit: in standard errors, or if these are not known in units of the
    /// values.
    pub(super) fn deviation(&self, fit: &Fit) -> f64 {
        let deviation = self.deviation_in_units(fit);
        match &self.errors {
            Some(errors) => deviation / errors.least,
            None => deviation * self.unit,
        }
    }

    /// The standard error of each point, in units: that of the residuals if it is not known, and at least that of
    /// rounding.
    pub(super) fn noise(&self, fit: &Fit) -> Vec<f64> {
        match &self.errors {
            Some(errors) => errors.all.iter().map(|error| error.max(ROUNDING)).collect(),
            None => vec![self.deviation_in_units(fit).max(ROUNDING); self.curve.x.len()],
        }
    }

    fn deviation_in_units(&self, fit: &Fit) -> f64 {
        // Parts of two or more points leave at least one residual.
        let free = self
            .curve
            .x
            .len()
            .saturating_sub(num_parameters(fit))
            .max(1);
        (fit.cost / free as f64).sqrt()
    }
}

fn num_parameters(fit: &Fit) -> usize {
    2 + 2 * fit.knots.len()
}

fn errors(standard_errors: &[f64], unit: f64) -> Result<Option<Errors>, OutOfRange> {
    for error in standard_errors {
        ensure("standard_errors", *error, 0.0..)?;
    }
    let least = standard_errors
        .iter()
        .copied()
        .fold(f64::INFINITY, f64::min);
    if least > 0.0 {
        let all = standard_errors.iter().map(|error| error / unit).collect();
        let least = least / unit;
        return Ok(Some(Errors { all, least }));
    }
    if standard_errors.iter().any(|error| *error > 0.0) {
        let expected = "positive numbers, or zero for all points if none is known";
        return Err(OutOfRange::new("standard_errors", 0.0, expected));
    }
    Ok(None)
}

fn logarithms(times: &[f64]) -> Result<Vec<f64>, PosteriorError> {
    all_finite("time", times)?;
    for time in times {
        ensure("times", *time, POSITIVE)?;
    }
    let x: Vec<f64> = times.iter().map(|time| time.ln()).collect();
    for (logs, times) in x.windows(2).zip(times.windows(2)) {
        if logs[1] <= logs[0] {
            let expected = format!(
                "more than {}, the time before, also after rounding the logarithms: they ascend",
                times[0]
            );
            return Err(OutOfRange::new("times", times[1], expected).into());
        }
    }
    Ok(x)
}

fn all_finite(what: &'static str, list: &[f64]) -> Result<(), PosteriorError> {
    match list.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(PosteriorError::NotFinite {
            what,
            index,
            value: list[index],
        }),
    }
}
