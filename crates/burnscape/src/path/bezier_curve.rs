use burn::module::Module;

use super::bernstein::{bernstein, bernstein_slopes};
use super::{ControlPoints, Curve, PathError};
use crate::range::ensure;

/// A Bézier curve of any degree: `θ(t) = Σ_i C(n, i) tⁱ (1 − t)ⁿ⁻ⁱ · point_i`.
///
/// Garipov et al. fit degree 2 between two networks. The curve bends toward its inner control points, but does not pass
/// through them.
///
/// # References
///
/// Garipov, Izmailov, Podoprikhin, Vetrov, Wilson 2018, *Loss Surfaces, Mode Connectivity, and Fast
/// Ensembling of DNNs*, arXiv:1802.10026
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
/// // Inner points start on the line, at equal distances: the curve is the line.
/// let curve = BezierCurve::between(&a, &b, 4)?;
/// assert!((curve.length()? - curve.chord()?.length()?).abs() < 1e-5);
/// assert!(BezierCurve::between(&a, &b, 0).is_err());
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BezierCurve<M> {
    points: ControlPoints<M>,
}

impl<M: Module> BezierCurve<M> {
    /// The curve of this degree with inner control points on the line, at equal distances. It is the line, ready to be
    /// fitted.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] for degree 0, [`PathError::Space`] if the models differ in a
    /// parameter, which the message names.
    pub fn between(first: &M, last: &M, degree: usize) -> Result<Self, PathError> {
        ensure("degree", degree as f64, 1.0..)?;
        Ok(Self {
            points: ControlPoints::on_the_line(first, last, degree + 1)?,
        })
    }

    /// The curve from the first model to the last, with the others as inner control points.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] for fewer than two, [`PathError::Space`] if the models differ in a
    /// parameter.
    pub fn from_models(models: &[&M]) -> Result<Self, PathError> {
        Ok(Self {
            points: ControlPoints::from_models(models)?,
        })
    }

    /// The degree, one less than the number of control points.
    pub fn degree(&self) -> usize {
        self.points.vectors().len() - 1
    }
}

impl<M: Module> Curve<M> for BezierCurve<M> {
    fn control_points(&self) -> &ControlPoints<M> {
        &self.points
    }

    fn weights(&self, t: f64) -> Result<Vec<f64>, PathError> {
        ensure("t", t, 0.0..=1.0)?;
        Ok(bernstein(self.degree(), t))
    }

    fn slopes(&self, t: f64) -> Result<Vec<f64>, PathError> {
        ensure("t", t, 0.0..=1.0)?;
        Ok(bernstein_slopes(self.degree(), t))
    }

    fn with_control_points(&self, points: ControlPoints<M>) -> Self {
        Self { points }
    }
}
