use burn::module::Module;

use super::{ControlPoints, Curve, PathError};
use crate::range::ensure;
use crate::space::{ParamSpace, ParamVector};

/// A chain of straight segments through its control points, each over an equal interval of `t`.
///
/// Without a bend it is the straight line `(1 − t) a + t b`, the baseline of every claim about connectivity.
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
/// let line = PolygonalChain::line(&a, &b)?;
/// let middle = line.point(0.5)?.weight.val();
/// let mean = (a.weight.val() + b.weight.val()) / 2.0;
/// assert!((middle - mean).abs().max().into_scalar::<f32>() < 1e-6);
/// let chain = PolygonalChain::between(&a, &b, 1)?;
/// assert_eq!(chain.weights(0.75)?, [0.0, 0.5, 0.5]);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PolygonalChain<M> {
    points: ControlPoints<M>,
}

impl<M: Module> PolygonalChain<M> {
    /// The straight line from `first` to `last`.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] if the models differ in a parameter, which the message names.
    pub fn line(first: &M, last: &M) -> Result<Self, PathError> {
        Ok(Self {
            points: ControlPoints::on_the_line(first, last, 2)?,
        })
    }

    /// A line of the given length from `first` in a random direction, uniform on the sphere: the
    /// control for a barrier.
    ///
    /// # Reproducibility
    ///
    /// A function of the seed.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] for a negative length, [`PathError::Space`] for parameters of several
    /// element types.
    pub fn random_line(first: &M, length: f64, seed: u64) -> Result<Self, PathError> {
        ensure("length", length, 0.0..)?;
        let direction = ParamVector::sphere(&ParamSpace::of(first)?, seed)?;
        Self::line(first, &direction.perturb(first, length)?)
    }

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
    /// [`PathError::OutOfRange`] for fewer than two, [`PathError::Space`] if the models differ in a
    /// parameter.
    pub fn from_models(models: &[&M]) -> Result<Self, PathError> {
        Ok(Self {
            points: ControlPoints::from_models(models)?,
        })
    }

    fn segments(&self) -> usize {
        self.points.vectors().len() - 1
    }

    /// The segment that contains `t`, and the fraction of it before `t`.
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
        ensure("t", t, 0.0..=1.0)?;
        let (index, along) = self.place(t);
        let mut weights = vec![0.0; self.segments() + 1];
        weights[index] = 1.0 - along;
        weights[index + 1] = along;
        Ok(weights)
    }

    fn slopes(&self, t: f64) -> Result<Vec<f64>, PathError> {
        ensure("t", t, 0.0..=1.0)?;
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
