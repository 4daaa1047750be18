use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::StagesConfig;
use crate::posterior::digits::short;
use crate::writing::{Csv, FormatError, csv, number};

/// The stages that a [`StagesConfig`] found, and the knots between them. They print line by line, and are a table: see
/// [`Csv`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stages {
    /// Where the slope changes, in the order of time.
    pub knots: Vec<Knot>,
    /// The stages, one more than knots.
    pub stages: Vec<Stage>,
    /// The Bayesian information criterion with 0, 1, 2, … knots. The least was chosen.
    #[serde(with = "number")]
    pub bic: Vec<f64>,
    /// The times of the points.
    pub times: Vec<f64>,
    /// The height of the line at each of them.
    pub fitted: Vec<f64>,
    /// The standard deviation of the residuals: in standard errors if these are known, and then about 1 if they are
    /// right and the line is; in units of the values otherwise.
    #[serde(with = "number")]
    pub residual_deviation: f64,
    /// Whether standard errors are known.
    pub has_standard_errors: bool,
    /// Readings that were left out because they were refused.
    pub num_refused: usize,
    /// Other readings that were left out because their step is 0, which has no logarithm.
    pub num_at_step_zero: usize,
    /// The configuration, seed included.
    pub config: StagesConfig,
}

/// A time at which the slope changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Knot {
    /// The time, that of a point.
    pub time: f64,
    /// The interval around it, from refits and at least from the point before to the point after.
    pub interval: (f64, f64),
}

/// A part of a curve with one slope.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stage {
    /// The time at which it starts: a knot, or the first point.
    pub start: f64,
    /// The time at which it ends: a knot, or the last point.
    pub end: f64,
    /// The change of the value over one unit of `ln t`.
    pub slope: f64,
    /// The interval around the slope, from refits.
    pub slope_interval: (f64, f64),
    /// Whether the interval contains 0.
    pub is_plateau: bool,
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = short(100.0 * self.config.confidence);
        let most = self.bic.len().saturating_sub(1);
        let knots = plural(self.knots.len(), "knot");
        write!(f, "{knots} by BIC, {most} at most")?;
        if most > 0 && most == self.knots.len() && most == self.config.max_knots {
            write!(f, " (allow more with `with_max_knots`)")?;
        }
        let deviation = short(self.residual_deviation);
        if self.has_standard_errors {
            write!(f, "; residuals of {deviation} standard errors")?;
        } else {
            write!(f, "; residuals of {deviation}, standard errors not known")?;
        }
        for (index, stage) in self.stages.iter().enumerate() {
            let [start, end, slope] = [stage.start, stage.end, stage.slope].map(short);
            let (low, high) = stage.slope_interval;
            let [low, high] = [low, high].map(short);
            write!(
                f,
                "\nt {start} to {end}: slope {slope} ({percent} % interval {low} to {high}) per unit of ln t"
            )?;
            if stage.is_plateau {
                write!(f, ", a plateau")?;
            }
            if let Some(knot) = self.knots.get(index) {
                let (low, high) = knot.interval;
                let [time, low, high] = [knot.time, low, high].map(short);
                write!(f, "\nknot at t = {time} ({low} to {high})")?;
            }
        }
        if self.num_refused > 0 {
            let count = plural(self.num_refused, "refused reading");
            write!(f, "\nleft out: {count}")?;
        }
        if self.num_at_step_zero > 0 {
            let count = plural(self.num_at_step_zero, "reading");
            write!(f, "\nleft out: {count} at step 0, which has no logarithm")?;
        }
        Ok(())
    }
}

fn plural(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

impl Csv for Stages {
    /// The columns `start,end,slope,slope_low,slope_high,is_plateau`, one line for each stage.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = [
            "start",
            "end",
            "slope",
            "slope_low",
            "slope_high",
            "is_plateau",
        ];
        let rows = self.stages.iter().map(|stage| {
            let (low, high) = stage.slope_interval;
            let numbers = [stage.start, stage.end, stage.slope, low, high];
            let cells = numbers.iter().map(f64::to_string).collect::<Vec<_>>();
            cells.into_iter().chain([stage.is_plateau.to_string()])
        });
        Ok(csv(header, rows, writer)?)
    }
}
