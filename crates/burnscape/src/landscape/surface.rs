use std::{fmt, io};

use serde::{Deserialize, Serialize};

use super::digits::short;
use super::order::{coordinates, depths, levels, place};
use super::{DirectionRecord, LandscapeError};
use crate::loss::{Mode, NormalizationPolicy};
use crate::writing::{Csv, FormatError, csv, number};

/// The loss over a grid, the result of a [`LandscapeConfig`](super::LandscapeConfig).
///
/// It prints as a few lines: the grid, the lowest loss, and the directions with their lengths and cosines.
///
/// # Shapes
///
/// Values are in one list of `n_1 · … · n_d` points, the last axis fastest, as in a
/// [`ScalarField`](burnscape_topology::ScalarField); see [`index`](Self::index).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Landscape {
    /// The coordinates along each axis.
    pub axes: Vec<Vec<f64>>,
    /// `L(w + Σ_a x_a d_a)`: NaN or infinite where the loss is, and NaN where it is not evaluated.
    #[serde(with = "number")]
    pub losses: Vec<f64>,
    /// The metrics, in the order in which they were added.
    pub metrics: Vec<LandscapeMetric>,
    /// Whether each point is evaluated.
    pub evaluated: Vec<bool>,
    /// The loss at the model, with the statistics of the [policy](Self::policy).
    pub base_loss: f64,
    /// The direction of each axis.
    pub directions: Vec<DirectionRecord>,
    /// The inner products `⟨d_a, d_b⟩` of the directions.
    pub gram: Vec<Vec<f64>>,
    /// How running statistics were set.
    pub policy: NormalizationPolicy,
    /// The mode of the model.
    pub mode: Mode,
    /// Examples of a pass of the loss.
    pub num_examples: usize,
    /// Batches of a pass of the loss.
    pub num_batches: usize,
    /// A hash of the data of the loss, as hexadecimal digits, if the run had a cache file, which reads the data for it.
    pub data: Option<String>,
    /// `ε · |base_loss|` with the machine epsilon `ε` of the parameters: smaller differences between losses as large as
    /// that of the model are rounding. It is `ε · |L|` for another loss `L`, and `ε / ln 10` decades for its logarithm.
    pub rounding: f64,
    /// Passes over a data set for the values that this run evaluated, those at the model and of metrics included, and
    /// those at the point of a cache file that it compares. Passes that re-estimate statistics are extra.
    pub num_losses: usize,
    /// Points whose values come from the cache file.
    pub num_cached: usize,
    /// False if an observer stopped the run; see [`coarser`](Self::coarser).
    pub completed: bool,
}

/// A metric over the grid of a [`Landscape`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandscapeMetric {
    /// Its name.
    pub name: String,
    /// Its value at each point, as [`losses`](Landscape::losses).
    #[serde(with = "number")]
    pub values: Vec<f64>,
    /// Its value at the model.
    #[serde(with = "number")]
    pub base: f64,
}

impl Landscape {
    /// The number of points along each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(Vec::len).collect()
    }

    /// The number of points of the grid, evaluated or not.
    pub fn num_points(&self) -> usize {
        self.losses.len()
    }

    /// The place of a point in the lists of values; none off the grid.
    pub fn index(&self, at: &[usize]) -> Option<usize> {
        if at.len() != self.axes.len() {
            return None;
        }
        let mut pairs = at.iter().zip(&self.axes);
        pairs.try_fold(0, |index, (&at, axis)| {
            (at < axis.len()).then(|| index * axis.len() + at)
        })
    }

    /// The loss at a point, given by its index along each axis; none off the grid, and where the loss is not evaluated.
    pub fn loss(&self, at: &[usize]) -> Option<f64> {
        let index = self.index(at)?;
        let is_evaluated = self.evaluated.get(index).copied().unwrap_or(false);
        self.losses.get(index).copied().filter(|_| is_evaluated)
    }

    /// The coordinates and the loss of the point with the lowest finite loss, the first of equals; none if no evaluated
    /// loss is finite.
    pub fn lowest(&self) -> Option<(Vec<f64>, f64)> {
        let losses = self.losses.iter().enumerate();
        // Points that are not evaluated are NaN.
        let finite = losses.filter(|(_, loss)| loss.is_finite());
        let (index, &loss) = finite.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some((self.coordinates(index), loss))
    }

    /// The cosine of the angle between two directions; NaN for an axis that does not exist.
    ///
    /// Random directions of `n` parameters have a cosine of about `1/√n`.
    pub fn cosine(&self, a: usize, b: usize) -> f64 {
        let product = self.gram.get(a).and_then(|row| row.get(b));
        match (product, self.directions.get(a), self.directions.get(b)) {
            (Some(product), Some(a), Some(b)) => product / a.norm / b.norm,
            _ => f64::NAN,
        }
    }

    /// The first metric with this name.
    pub fn metric(&self, name: &str) -> Option<&LandscapeMetric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The landscape itself if it is complete; otherwise the finest grid of which all points are evaluated, as a
    /// landscape of its own.
    ///
    /// Points are evaluated from a coarse grid to the fine one: first the corners, then what halves every axis, and so
    /// on. The values are those of a landscape on the remaining coordinates, bit for bit. The numbers of passes and of
    /// cached points stay those of the run.
    ///
    /// An even axis of `2^k + 1` points stays even. Of one with another number of points, gaps of two sizes may be left; a
    /// [merge tree](Self::merge_tree) has no resolution ratios then.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::Stopped`] if not even the corners are evaluated.
    pub fn coarser(&self) -> Result<Self, LandscapeError> {
        let shape = self.shape();
        let waiting = levels(&shape).into_iter().zip(&self.evaluated);
        let waiting = waiting.filter_map(|(level, &done)| (!done).then_some(level));
        let Some(first_open) = waiting.min() else {
            return Ok(self.clone());
        };
        if first_open == 0 {
            return Err(LandscapeError::Stopped);
        }
        let kept = |len: usize| -> Vec<usize> {
            let depths = depths(len);
            (0..len).filter(|&at| depths[at] < first_open).collect()
        };
        let kept: Vec<Vec<usize>> = shape.iter().map(|&len| kept(len)).collect();
        let points: Vec<usize> = (0..self.num_points())
            .filter(|&index| {
                let place = place(&shape, index);
                let mut pairs = place.iter().zip(&kept);
                pairs.all(|(at, kept)| kept.binary_search(at).is_ok())
            })
            .collect();
        let of_points = |values: &[f64]| -> Vec<f64> {
            let values = points.iter().map(|&index| values.get(index).copied());
            values.map(|value| value.unwrap_or(f64::NAN)).collect()
        };
        let axes = self.axes.iter().zip(&kept);
        let axes =
            axes.map(|(axis, kept)| -> Vec<f64> { kept.iter().map(|&at| axis[at]).collect() });
        let metrics = self.metrics.iter().map(|metric| LandscapeMetric {
            name: metric.name.clone(),
            values: of_points(&metric.values),
            base: metric.base,
        });
        Ok(Self {
            axes: axes.collect(),
            losses: of_points(&self.losses),
            metrics: metrics.collect(),
            evaluated: vec![true; points.len()],
            completed: true,
            ..self.clone()
        })
    }

    /// The values at the model: the loss, then the metrics.
    pub(super) fn center(&self) -> Vec<f64> {
        let metrics = self.metrics.iter().map(|metric| metric.base);
        std::iter::once(self.base_loss).chain(metrics).collect()
    }

    /// Whether a point of the grid is the model.
    pub(super) fn is_center(&self, index: usize) -> bool {
        self.coordinates(index).iter().all(|&x| x == 0.0)
    }

    /// The coordinates of a point of the grid.
    pub(super) fn coordinates(&self, index: usize) -> Vec<f64> {
        coordinates(&self.axes, index)
    }

    /// Enters the values of a point: the loss, then the metrics.
    pub(super) fn set(&mut self, index: usize, values: &[f64]) {
        let metrics = self.metrics.iter_mut().map(|metric| &mut metric.values);
        let columns = std::iter::once(&mut self.losses).chain(metrics);
        for (column, &value) in columns.zip(values) {
            column[index] = value;
        }
        self.evaluated[index] = true;
    }
}

/// The names of the columns of a table before its metrics: the coordinates and the loss.
pub(super) fn columns(axes: usize) -> Vec<String> {
    let mut names: Vec<String> = match axes {
        1 => vec!["x".to_string()],
        2 => vec!["x".to_string(), "y".to_string()],
        several => (1..=several).map(|axis| format!("x{axis}")).collect(),
    };
    names.push("loss".to_string());
    names
}

impl Csv for Landscape {
    /// One line for each evaluated point: its coordinates (`x` for one axis, `x,y` for two, otherwise `x1,x2,…`),
    /// `loss`, and the metrics by name.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let mut header = columns(self.axes.len());
        header.extend(self.metrics.iter().map(|metric| metric.name.clone()));
        let points = self.losses.iter().zip(&self.evaluated).enumerate();
        let points = points.filter(|(_, (_, done))| **done);
        let rows = points.map(|(index, (&loss, _))| {
            let mut row = self.coordinates(index);
            row.push(loss);
            let metrics = self.metrics.iter();
            let metrics = metrics.map(|metric| metric.values.get(index).copied());
            row.extend(metrics.map(|value| value.unwrap_or(f64::NAN)));
            row.into_iter().map(|value| value.to_string())
        });
        Ok(csv(header, rows, writer)?)
    }
}

impl fmt::Display for Landscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<String> = self.shape().iter().map(usize::to_string).collect();
        let count = self.evaluated.iter().filter(|&&done| done).count();
        let (lengths, points) = (lengths.join(" × "), self.num_points());
        writeln!(
            f,
            "landscape of {lengths} points, {count} of {points} evaluated"
        )?;
        write!(f, "loss {} at the model, ", short(self.base_loss))?;
        match self.lowest() {
            Some((at, loss)) => {
                let at: Vec<String> = at.into_iter().map(short).collect();
                writeln!(f, "lowest {} at ({})", short(loss), at.join(", "))?;
            }
            None => writeln!(f, "not finite at any point")?,
        }
        let evaluated = self.losses.iter().zip(&self.evaluated);
        let not_finite = evaluated.filter(|(loss, done)| **done && !loss.is_finite());
        match not_finite.count() {
            0 => {}
            count => writeln!(f, "{count} losses are not finite")?,
        }
        for (a, direction) in self.directions.iter().enumerate() {
            let DirectionRecord {
                kind,
                norm,
                relative_norm,
            } = direction;
            write!(f, "direction {a}: {kind}, length {norm:.3e}")?;
            write!(f, " ({relative_norm:.3e} of the weights)")?;
            for b in 0..a {
                write!(f, ", cosine {:.4} with direction {b}", self.cosine(a, b))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
