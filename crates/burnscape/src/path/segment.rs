use burn::module::Module;

use super::error::check_time;
use super::{ControlPoints, Curve, PathError};
use crate::range::ensure;
use crate::space::{ParamSpace, ParamVector};

/// The straight line `(1 − t) a + t b`: the baseline of every claim about connectivity.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::path::{Curve, Segment};
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(3, 2).init(&device));
/// let line = Segment::new(&a, &b)?;
/// let middle = line.point(0.5)?.weight.val();
/// let mean = (a.weight.val() + b.weight.val()) / 2.0;
/// assert!((middle - mean).abs().max().into_scalar::<f32>() < 1e-6);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Segment<M> {
    points: ControlPoints<M>,
}

impl<M: Module> Segment<M> {
    /// The line from `first` to `last`.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] if the models differ in a parameter, which the message names.
    pub fn new(first: &M, last: &M) -> Result<Self, PathError> {
        Ok(Self {
            points: ControlPoints::on_the_line(first, last, 2)?,
        })
    }

    /// A line of the given length from `first` in a random direction, uniform on the sphere: the
    /// control beside which a barrier is read.
    ///
    /// # Reproducibility
    ///
    /// A function of the seed.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] for a negative length, [`PathError::Space`] for parameters of several
    /// element types.
    pub fn random(first: &M, length: f64, seed: u64) -> Result<Self, PathError> {
        ensure("length", length, 0.0..)?;
        let direction = ParamVector::sphere(&ParamSpace::of(first)?, seed)?;
        Self::new(first, &direction.perturb(first, length)?)
    }

    /// The line between the ends of a curve.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    pub fn between_ends_of(curve: &(impl Curve<M> + ?Sized)) -> Result<Self, PathError> {
        Ok(Self {
            points: curve.control_points().with_inner(Vec::new())?,
        })
    }
}

impl<M: Module> Curve<M> for Segment<M> {
    fn control_points(&self) -> &ControlPoints<M> {
        &self.points
    }

    fn weights(&self, t: f64) -> Result<Vec<f64>, PathError> {
        check_time(t)?;
        Ok(vec![1.0 - t, t])
    }

    fn slopes(&self, t: f64) -> Result<Vec<f64>, PathError> {
        check_time(t)?;
        Ok(vec![-1.0, 1.0])
    }

    fn with_control_points(&self, points: ControlPoints<M>) -> Self {
        Self { points }
    }
}
