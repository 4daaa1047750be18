use std::fmt;

use serde::{Deserialize, Serialize};

use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::spectrum::CriticalPoint;
use crate::writing::number;

/// A point that [`CriticalPointsConfig`](super::CriticalPointsConfig) found, from one or several starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FoundPoint {
    /// Its kind, loss, gradient norm and index.
    pub point: CriticalPoint,
    /// `|Hg| / |g|`, the curvature that the gradient sees: at least the smallest size of an eigenvalue that is not
    /// zero, unless the gradient is in flat directions. None if the gradient is exactly zero.
    #[serde(with = "number")]
    pub curved_gradient: Option<f64>,
    /// The seeds of the starts that ended here, ascending.
    pub seeds: Vec<u64>,
    /// The steps of the start that came nearest.
    pub num_steps: usize,
    /// The weights there; `weights.apply_to(&model)` is the model.
    #[serde(skip)]
    pub weights: Option<ParamVector>,
}

impl FoundPoint {
    /// How many eigenvalues of the Hessian are negative; none if the search counted a lower bound only.
    pub fn index(&self) -> Option<usize> {
        self.point.negative.exact
    }

    /// How many eigenvalues of the Hessian are zero, within the size that counts as zero; none if not all were counted.
    ///
    /// Symmetries make eigenvalues zero at every critical point. They count neither for the index nor as a sign of a
    /// minimum: [`Spectrum::inertia_modulo`](crate::spectrum::Spectrum::inertia_modulo) leaves those of a symmetry out.
    pub fn num_zero(&self) -> Option<usize> {
        let others = self.point.negative.exact? + self.point.positive.exact?;
        self.point.dimension.checked_sub(others)
    }

    /// Whether another end is the same point.
    pub(super) fn is_same(
        &self,
        other: &Self,
        tolerance: f64,
        distance: Option<f64>,
    ) -> Result<bool, CurvatureError> {
        let is_near = (self.point.loss - other.point.loss).abs() <= tolerance;
        let counts = [self, other].map(|end| (end.index(), end.num_zero()));
        let are_counted = counts.iter().all(|(index, _)| index.is_some());
        if !is_near || are_counted && counts[0] != counts[1] {
            return Ok(false);
        }
        match (distance, &self.weights, &other.weights) {
            (Some(distance), Some(one), Some(other)) => {
                Ok(one.clone().axpy(-1.0, other)?.norm()? <= distance)
            }
            _ => Ok(true),
        }
    }

    /// Adds the starts of another end at the same point, and keeps the end with the smaller gradient.
    pub(super) fn absorb(&mut self, mut other: Self) {
        if other.point.gradient_norm < self.point.gradient_norm {
            std::mem::swap(self, &mut other);
        }
        self.seeds.append(&mut other.seeds);
        self.seeds.sort_unstable();
    }
}

impl fmt::Display for FoundPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.6e}: {}", self.point.loss, self.point)?;
        if let Some(zero) = self.num_zero() {
            write!(f, ", {zero} eigenvalues near zero")?;
        }
        write!(f, ", {}", starts(self.seeds.len()))
    }
}

/// A number of starts, in words.
pub(super) fn starts(count: usize) -> String {
    match count {
        1 => "1 start".to_string(),
        _ => format!("{count} starts"),
    }
}
