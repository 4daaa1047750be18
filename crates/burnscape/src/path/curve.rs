use burn::module::Module;

use super::error::check_time;
use super::quadrature::integrate;
use super::{ControlPoints, PathError};
use crate::space::{LeafVector, unshared_copy};

/// A path through parameter space that is linear in its control points:
/// `θ(t) = Σ_k weights_k(t) · point_k`, `t` from 0 to 1.
///
/// Everything else in this room works on any such curve. To add one, give its weights, their slopes, and the same curve
/// through other points.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::path::{BezierCurve, Curve};
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(3, 2).init(&device));
/// let curve = BezierCurve::between(&a, &b, 2)?;
/// let model = curve.point(0.3)?; // an ordinary `Linear`
/// assert_eq!(model.weight.dims(), [3, 2]);
/// assert_eq!(curve.weights(0.5)?, [0.25, 0.5, 0.25]);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
pub trait Curve<M: Module> {
    /// The points that span the curve.
    fn control_points(&self) -> &ControlPoints<M>;

    /// The weight of each control point at `t`. They sum to one; at `t = 0` the first is exactly one
    /// and at `t = 1` the last.
    ///
    /// # Errors
    ///
    /// [`PathError::TimeOutOfRange`].
    fn weights(&self, t: f64) -> Result<Vec<f64>, PathError>;

    /// The derivatives of the weights by `t`. At a joint those of the piece after it.
    ///
    /// # Errors
    ///
    /// [`PathError::TimeOutOfRange`].
    fn slopes(&self, t: f64) -> Result<Vec<f64>, PathError>;

    /// The same kind of curve through other control points, as many.
    #[must_use]
    fn with_control_points(&self, points: ControlPoints<M>) -> Self
    where
        Self: Sized;

    /// Number of smooth pieces, of equal length in `t`.
    fn num_pieces(&self) -> usize {
        1
    }

    /// The parameters at `t`.
    ///
    /// # Cost
    ///
    /// One pass over every control point that has a weight; no host synchronization.
    ///
    /// # Errors
    ///
    /// [`PathError::TimeOutOfRange`].
    fn vector(&self, t: f64) -> Result<LeafVector, PathError> {
        self.control_points().combine(&self.weights(t)?)
    }

    /// The model at `t`, an unshared copy. At 0 and 1 it is the end model to the last bit, running
    /// statistics included. In between, frozen parameters and running statistics are those of the
    /// nearer end (of the first in the middle); a
    /// [`NormalizationPolicy`](crate::loss::NormalizationPolicy) makes better ones.
    ///
    /// # Errors
    ///
    /// [`PathError::TimeOutOfRange`].
    fn point(&self, t: f64) -> Result<M, PathError> {
        check_time(t)?;
        let points = self.control_points();
        if t == 0.0 {
            return Ok(unshared_copy(points.first()));
        }
        if t == 1.0 {
            return Ok(unshared_copy(points.last()));
        }
        let nearer = if t <= 0.5 {
            points.first()
        } else {
            points.last()
        };
        Ok(self.vector(t)?.apply_to(nearer)?)
    }

    /// The derivative `dθ/dt`.
    ///
    /// # Errors
    ///
    /// [`PathError::TimeOutOfRange`].
    fn tangent(&self, t: f64) -> Result<LeafVector, PathError> {
        self.control_points().combine(&self.slopes(t)?)
    }

    /// The Euclidean length `∫ |dθ/dt| dt`, by Gauss-Legendre quadrature (5 nodes in each of 64
    /// panels or more) over the inner products of the control points; exact to rounding for straight
    /// pieces.
    ///
    /// # Cost
    ///
    /// Inner products of all pairs of control points, one host synchronization, memory for as many
    /// differences.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    fn length(&self) -> Result<f64, PathError> {
        let gram = self.control_points().gram()?;
        let speed = |t: f64| {
            let slopes = self.slopes(t).unwrap_or_default();
            gram.norm(&slopes)
        };
        Ok(integrate(self.num_pieces(), speed))
    }

    /// The curve from its end to its beginning.
    #[must_use]
    fn reversed(&self) -> Self
    where
        Self: Sized,
    {
        self.with_control_points(self.control_points().reversed())
    }
}
