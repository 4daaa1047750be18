use burn::module::Module;

use super::error::check_time;
use super::{ControlPoints, Curve, PathError};
use crate::range::ensure;

/// A chain of straight segments through its control points, each passed in the same share of `t`.
///
/// # References
///
/// Garipov et al. 2018, arXiv:1802.10026
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::path::{Curve, PolygonalChain};
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(3, 2).init(&device));
/// let chain = PolygonalChain::between(&a, &b, 1)?;
/// assert_eq!(chain.weights(0.75)?, [0.0, 0.5, 0.5]);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PolygonalChain<M> {
    points: ControlPoints<M>,
}

impl<M: Module> PolygonalChain<M> {
    /// A chain with this many bends, which lie on the line, at equal distances.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] without a bend, [`PathError::Space`] if the models differ in a
    /// parameter, which the message names.
    pub fn between(first: &M, last: &M, bends: usize) -> Result<Self, PathError> {
        ensure("bends", bends as f64, 1.0..)?;
        Ok(Self {
            points: ControlPoints::on_the_line(first, last, bends + 2)?,
        })
    }

    /// The chain through these models.
    ///
    /// # Errors
    ///
    /// [`PathError::TooFewControlPoints`] below two, [`PathError::Space`] if the models differ in a
    /// parameter.
    pub fn from_models(models: &[&M]) -> Result<Self, PathError> {
        if models.len() < 2 {
            return Err(PathError::TooFewControlPoints {
                found: models.len(),
                needed: 2,
            });
        }
        Ok(Self {
            points: ControlPoints::from_models(models)?,
        })
    }

    /// The chain through these points.
    pub(super) fn from_points(points: ControlPoints<M>) -> Self {
        Self { points }
    }

    fn segments(&self) -> usize {
        self.points.vectors().len() - 1
    }

    /// The segment that holds `t`, and how far along it `t` is.
    fn place(&self, t: f64) -> (usize, f64) {
        let scaled = t * self.segments() as f64;
        let index = (scaled.floor() as usize).min(self.segments() - 1);
        (index, scaled - index as f64)
    }
}

impl<M: Module> Curve<M> for PolygonalChain<M> {
    fn control_points(&self) -> &ControlPoints<M> {
        &self.points
    }

    fn weights(&self, t: f64) -> Result<Vec<f64>, PathError> {
        check_time(t)?;
        let (index, along) = self.place(t);
        let mut weights = vec![0.0; self.segments() + 1];
        weights[index] = 1.0 - along;
        weights[index + 1] = along;
        Ok(weights)
    }

    fn slopes(&self, t: f64) -> Result<Vec<f64>, PathError> {
        check_time(t)?;
        let (index, _) = self.place(t);
        let mut slopes = vec![0.0; self.segments() + 1];
        slopes[index] = -(self.segments() as f64);
        slopes[index + 1] = self.segments() as f64;
        Ok(slopes)
    }

    fn num_pieces(&self) -> usize {
        self.segments()
    }

    fn with_control_points(&self, points: ControlPoints<M>) -> Self {
        Self { points }
    }
}
