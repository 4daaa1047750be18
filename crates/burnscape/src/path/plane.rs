use burn::module::Module;

use super::PathError;
use crate::space::{ParamSpace, ParamVector, unshared_copy};

/// The plane through three models, with an orthonormal frame: the first model is the origin, the
/// second lies on the positive first axis, the third above it.
///
/// `u = (b − a)/|b − a|`, `v` the part of `c − a` that is orthogonal to `u`, normalized.
///
/// # Cost
///
/// Three vectors of parameters.
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
/// use burnscape::path::Plane;
///
/// let device = Device::default();
/// let [a, b, c] = [(); 3].map(|()| LinearConfig::new(3, 2).init(&device));
/// let plane = Plane::through(&a, &b, &c)?;
/// let place = plane.place(&b)?;
/// assert!(place.y.abs() < 1e-5 && place.distance < 1e-5);
/// let model = plane.point(0.5 * place.x, 0.2)?; // an ordinary `Linear`
/// assert!((plane.place(&model)?.y - 0.2).abs() < 1e-5);
/// assert!(Plane::through(&a, &a, &c).is_err());
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plane<M> {
    origin: M,
    space: ParamSpace,
    base: ParamVector,
    axes: [ParamVector; 2],
    corners: [[f64; 2]; 3],
}

/// Where a model is, seen from a plane. In parameter norm.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PlanePlace {
    /// First coordinate of the nearest point of the plane.
    pub x: f64,
    /// Its second coordinate.
    pub y: f64,
    /// The distance from the plane.
    pub distance: f64,
}

impl<M: Module> Plane<M> {
    /// The plane through three models.
    ///
    /// # Errors
    ///
    /// [`PathError::Degenerate`] if the models lie on a line; [`PathError::Space`] if they differ in a
    /// parameter, or have several element types.
    pub fn through(a: &M, b: &M, c: &M) -> Result<Self, PathError> {
        let space = ParamSpace::of(a)?;
        let base = ParamVector::from_module(&space, a)?;
        let from_base = |model: &M| -> Result<ParamVector, PathError> {
            space.check_same(&ParamSpace::of(model)?)?;
            Ok(ParamVector::from_module(&space, model)?.axpy(-1.0, &base)?)
        };
        let (first, second) = (from_base(b)?, from_base(c)?);
        let (length, reach) = (first.norm()?, second.norm()?);
        if length == 0.0 || reach == 0.0 {
            return Err(PathError::Degenerate {
                what: "two of the three models are the same",
            });
        }
        let u = first.normalize()?;
        let x = second.dot(&u)?;
        let across = second.orthogonalize(std::slice::from_ref(&u))?;
        let height = across.norm()?;
        // Below this the third model's height is rounding.
        if height <= 16.0 * crate::space::epsilon(space.dtype()?) * reach {
            return Err(PathError::Degenerate {
                what: "the three models lie on a line",
            });
        }
        let v = across.normalize()?;
        Ok(Self {
            origin: unshared_copy(a),
            space,
            base,
            axes: [u, v],
            corners: [[0.0, 0.0], [length, 0.0], [x, height]],
        })
    }

    /// The coordinates of the three models.
    pub fn corners(&self) -> [[f64; 2]; 3] {
        self.corners
    }

    /// The orthonormal axes, for slices of the landscape along them.
    pub fn axes(&self) -> &[ParamVector; 2] {
        &self.axes
    }

    /// The model at a place of the plane; frozen parameters and running statistics are those of the
    /// first model.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] for coordinates that are not finite.
    pub fn point(&self, x: f64, y: f64) -> Result<M, PathError> {
        for value in [x, y] {
            super::error::check_range("a coordinate", value, "a finite number", |_| true)?;
        }
        let [u, v] = &self.axes;
        let vector = self.base.clone().axpy(x, u)?.axpy(y, v)?;
        Ok(vector.apply_to(&self.origin)?)
    }

    /// Where a model is: its orthogonal projection onto the plane, and how far off it is.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] if the model differs in a parameter.
    pub fn place(&self, model: &M) -> Result<PlanePlace, PathError> {
        let [u, v] = &self.axes;
        let from_base = ParamVector::from_module(&self.space, model)?.axpy(-1.0, &self.base)?;
        let (x, y) = (from_base.dot(u)?, from_base.dot(v)?);
        let off = from_base.axpy(-x, u)?.axpy(-y, v)?;
        Ok(PlanePlace {
            x,
            y,
            distance: off.norm()?,
        })
    }
}
