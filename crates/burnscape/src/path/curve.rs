use burn::module::Module;

use super::quadrature::integrate;
use super::{ControlPoints, PathError, PolygonalChain};
use crate::range::ensure;
use crate::space::{LeafVector, unshared_copy};

/// A path through parameter space that is linear in its control points:
/// `θ(t) = Σ_k weights_k(t) · point_k`, `t` from 0 to 1.
///
/// Everything else in this module works on any such curve. To add one, implement the four required methods.
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
    /// [`PathError::OutOfRange`].
    fn weights(&self, t: f64) -> Result<Vec<f64>, PathError>;

    /// The derivatives of the weights with respect to `t`; at a joint, those of the piece after it.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`].
    fn slopes(&self, t: f64) -> Result<Vec<f64>, PathError>;

    /// The same kind of curve with other control points, equal in number.
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
    /// One pass over every control point with a weight that is not zero; no host synchronization.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`].
    fn vector(&self, t: f64) -> Result<LeafVector, PathError> {
        self.control_points().combine(&self.weights(t)?)
    }

    /// The model at `t`, an unshared copy. At 0 and 1 it equals the end model to the last bit, including running
    /// statistics. In between, frozen parameters and running statistics are those of the
    /// nearer end (of the first in the middle); a
    /// [`NormalizationPolicy`](crate::loss::NormalizationPolicy) corrects the statistics.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`].
    fn point(&self, t: f64) -> Result<M, PathError> {
        ensure("t", t, 0.0..=1.0)?;
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
    /// [`PathError::OutOfRange`].
    fn tangent(&self, t: f64) -> Result<LeafVector, PathError> {
        self.control_points().combine(&self.slopes(t)?)
    }

    /// The Euclidean length `∫ |dθ/dt| dt`, by Gauss-Legendre quadrature (5 nodes in each of 64
    /// panels or more) over the inner products of the control points; exact to rounding for straight
    /// pieces.
    ///
    /// # Cost
    ///
    /// Inner products of all pairs of control points, and one host synchronization. Memory: a vector for each control
    /// point but the first.
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

    /// The curve with its inner control points moved off the straight line between the ends, each by a random vector of
    /// length `fraction · |last − first|` that is orthogonal to the line.
    ///
    /// If the loss is symmetric about the line, its gradient across the line is zero there, and a fit that starts on
    /// the line does not leave it.
    ///
    /// # Reproducibility
    ///
    /// A function of the seed and the index of the point.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] if the fraction is not finite and non-negative;
    /// [`PathError::Degenerate`] if the ends are equal, or no direction is orthogonal to the line (a model
    /// of one parameter); [`PathError::Space`] for parameters of several element types.
    fn offset(&self, fraction: f64, seed: u64) -> Result<Self, PathError>
    where
        Self: Sized,
    {
        let points = self.control_points().offset(fraction, seed)?;
        Ok(self.with_control_points(points))
    }

    /// The straight line between the ends.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    fn chord(&self) -> Result<PolygonalChain<M>, PathError> {
        PolygonalChain::line(self.control_points().first(), self.control_points().last())
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
