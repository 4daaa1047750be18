use burn::module::Module;

use super::{ParamSpace, ParamVector, SpaceError, epsilon, unshared_copy};

/// A plane of parameter space with orthonormal axes. It maps models to coordinates, and coordinates to models.
///
/// The origin is a model. The axes come from two directions by Gram-Schmidt: `u = d₁/|d₁|`, and `v` is the part of
/// `d₂` orthogonal to `u`, normalized. The [axes](Self::axes) serve as directions for a slice of the loss.
///
/// # Cost
///
/// Memory for three parameter vectors and a copy of the model at the origin.
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
/// use burnscape::space::ParameterPlane;
///
/// let device = Device::default();
/// let [a, b, c] = [(); 3].map(|()| LinearConfig::new(3, 2).init(&device));
/// let plane = ParameterPlane::through(&a, &b, &c)?;
/// let place = plane.place(&b)?;
/// assert!(place.y.abs() < 1e-5 && place.distance < 1e-5);
/// let model = plane.point(0.5 * place.x, 0.2)?; // an ordinary `Linear`
/// assert!((plane.place(&model)?.y - 0.2).abs() < 1e-5);
/// assert!(ParameterPlane::through(&a, &a, &c).is_err());
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ParameterPlane<M> {
    origin: M,
    base: ParamVector,
    axes: [ParamVector; 2],
    corners: [[f64; 2]; 3],
}

/// The position of a model relative to a plane, in units of the parameter norm.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PlanePlace {
    /// First coordinate of the nearest point of the plane.
    pub x: f64,
    /// Second coordinate of that point.
    pub y: f64,
    /// Distance from the plane.
    pub distance: f64,
}

impl<M: Module> ParameterPlane<M> {
    /// The plane through three models. The first is the origin, the second is on the positive first axis, and the
    /// third has a positive second coordinate.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoPlane`] if the models are on a line, [`SpaceError::DifferentSpaces`],
    /// [`SpaceError::MixedDTypes`].
    pub fn through(a: &M, b: &M, c: &M) -> Result<Self, SpaceError> {
        let space = ParamSpace::of(a)?;
        let base = ParamVector::from_module(&space, a)?;
        let from_base = |model: &M| -> Result<ParamVector, SpaceError> {
            space.check_same(&ParamSpace::of(model)?)?;
            ParamVector::from_module(&space, model)?.axpy(-1.0, &base)
        };
        let directions = [from_base(b)?, from_base(c)?];
        Self::with_base(a, base, directions)
    }

    /// The plane through a model that is spanned by two directions.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoPlane`] if a direction is zero or the directions are parallel;
    /// [`SpaceError::DifferentSpaces`] if they belong to another space than the model.
    pub fn spanned(model: &M, directions: [&ParamVector; 2]) -> Result<Self, SpaceError> {
        let base = ParamVector::from_module(directions[0].space(), model)?;
        base.space().check_same(directions[1].space())?;
        Self::with_base(model, base, directions.map(Clone::clone))
    }

    fn with_base(
        model: &M,
        base: ParamVector,
        [first, second]: [ParamVector; 2],
    ) -> Result<Self, SpaceError> {
        let (length, reach) = (first.norm()?, second.norm()?);
        if length == 0.0 || reach == 0.0 {
            return Err(SpaceError::NoPlane {
                what: "a direction is zero, or two of the three models are the same",
            });
        }
        let u = first.normalize()?;
        let x = second.dot(&u)?;
        let across = second.orthogonalize(std::slice::from_ref(&u))?;
        let height = across.norm()?;
        // Below this bound the height of the second direction is rounding error.
        if height <= 16.0 * epsilon(base.space().dtype()?) * reach {
            return Err(SpaceError::NoPlane {
                what: "the directions are parallel",
            });
        }
        let v = across.normalize()?;
        Ok(Self {
            origin: unshared_copy(model),
            base,
            axes: [u, v],
            corners: [[0.0, 0.0], [length, 0.0], [x, height]],
        })
    }

    /// The coordinates of the three models: the origin and the end points of the two directions.
    pub fn corners(&self) -> [[f64; 2]; 3] {
        self.corners
    }

    /// The orthonormal axes, as directions for slices of the landscape.
    pub fn axes(&self) -> &[ParamVector; 2] {
        &self.axes
    }

    /// The model at a point of the plane, with the frozen parameters and running statistics of the origin.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NonFiniteCoordinate`].
    pub fn point(&self, x: f64, y: f64) -> Result<M, SpaceError> {
        for value in [x, y] {
            if !value.is_finite() {
                return Err(SpaceError::NonFiniteCoordinate { value });
            }
        }
        let [u, v] = &self.axes;
        let vector = self.base.clone().axpy(x, u)?.axpy(y, v)?;
        vector.apply_to(&self.origin)
    }

    /// The position of a model: its orthogonal projection onto the plane, and its distance.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn place(&self, model: &M) -> Result<PlanePlace, SpaceError> {
        let [u, v] = &self.axes;
        let from_base =
            ParamVector::from_module(self.base.space(), model)?.axpy(-1.0, &self.base)?;
        let (x, y) = (from_base.dot(u)?, from_base.dot(v)?);
        let off = from_base.axpy(-x, u)?.axpy(-y, v)?;
        Ok(PlanePlace {
            x,
            y,
            distance: off.norm()?,
        })
    }
}
