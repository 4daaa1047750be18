use burn::module::Module;

use super::{ParamSpace, ParamVector, SpaceError, parallel_bound, unshared_copy};

/// A plane of parameter space with two axes. It maps models to coordinates, and coordinates to models.
///
/// The [origin](Self::origin) `o` is a model, and `(x, y)` is the point `(o + x d₁) + y d₂`. Through
/// [three models](Self::through), the axes are orthonormal: `u = d₁/|d₁|`, and `v` is the part of `d₂` orthogonal to
/// `u`, normalized (Gram-Schmidt). A plane that [two directions span](Self::spanned) has these as axes, orthogonal or
/// not, and [`orthonormalized`](Self::orthonormalized) replaces them by `u` and `v`. A landscape around the origin
/// along the [axes](Self::axes) is the loss over the plane.
///
/// A model `θ` is [placed](Self::place) by least squares: the coordinates minimize `|θ − o − x d₁ − y d₂|`. They are
/// the inner products with the axes only if the axes are orthonormal; in general, they solve the triangular system
/// `R (x, y) = (⟨θ − o, u⟩, ⟨θ − o, v⟩)` with `(d₁, d₂) = (u, v) R`.
///
/// # Cost
///
/// Memory for five parameter vectors (three if the axes are orthonormal) and a copy of the model at the origin.
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
    /// The orthonormal basis `u`, `v`.
    frame: [ParamVector; 2],
    factor: Triangle,
    corners: [[f64; 2]; 3],
}

/// The position of a model relative to a plane.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PlanePlace {
    /// First coordinate of the nearest point of the plane, in units of the first axis.
    pub x: f64,
    /// Second coordinate of that point, in units of the second axis.
    pub y: f64,
    /// Distance from the plane, in units of the parameter norm.
    pub distance: f64,
    /// The distance from the plane as a share of the distance from the origin `|θ − o|`: 0 in the plane, 1 if the
    /// nearest point is the origin. 0 at the origin.
    pub off_plane_share: f64,
}

/// The triangular factor `R` of two directions: `d₁ = length · u`, `d₂ = along · u + height · v`.
#[derive(Debug, Clone, Copy)]
struct Triangle {
    length: f64,
    along: f64,
    height: f64,
}

impl Triangle {
    const UNIT: Self = Self {
        length: 1.0,
        along: 0.0,
        height: 1.0,
    };

    /// The coordinates along `u` and `v` of `x d₁ + y d₂`.
    fn apply(self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.length * x + self.along * y, self.height * y]
    }

    /// The inverse of [`apply`](Self::apply).
    fn solve(self, [along_u, along_v]: [f64; 2]) -> [f64; 2] {
        let y = along_v / self.height;
        [(along_u - self.along * y) / self.length, y]
    }
}

impl<M: Module> ParameterPlane<M> {
    /// The plane through three models, with orthonormal axes. The first model is the origin, the second is on the
    /// positive first axis, and the third has a positive second coordinate.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoPlane`] if the first model is the same as another, [`SpaceError::ParallelDirections`] if the
    /// models are on a line otherwise; [`SpaceError::NoDirection`] for parameters that are not finite,
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::MixedDTypes`].
    pub fn through(a: &M, b: &M, c: &M) -> Result<Self, SpaceError> {
        let space = ParamSpace::of(a)?;
        let base = ParamVector::from_module(&space, a)?;
        let from_base = |model: &M| -> Result<ParamVector, SpaceError> {
            space.check_same(&ParamSpace::of(model)?)?;
            ParamVector::from_module(&space, model)?.axpy(-1.0, &base)
        };
        let directions = [from_base(b)?, from_base(c)?];
        Ok(Self::with_base(a, base, directions)?.orthonormalized())
    }

    /// The plane through a model that is spanned by two directions, which are its axes as they are: coordinates are
    /// coefficients of the given directions.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoPlane`] if a direction is zero, [`SpaceError::ParallelDirections`], with the cosine, if they are
    /// parallel; [`SpaceError::NoDirection`] if one is not finite, [`SpaceError::DifferentSpaces`] if they belong to
    /// another space than the model.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::tensor::Device;
    /// use burnscape::space::{ParamSpace, ParamVector, ParameterPlane};
    ///
    /// let model = LinearConfig::new(3, 1).with_bias(false).init(&Device::default());
    /// let space = ParamSpace::of(&model)?;
    /// let x = ParamVector::from_host(&space, &[1.0, 0.0, 0.0])?;
    /// let y = ParamVector::from_host(&space, &[1.0, 1.0, 0.0])?;
    /// let plane = ParameterPlane::spanned(&model, [&x, &y])?;
    /// let other = ParamVector::from_host(&space, &[3.0, 4.0, 12.0])?.perturb(&model, 1.0)?;
    /// let place = plane.place(&other)?;
    /// assert!((place.x + 1.0).abs() < 1e-5 && (place.y - 4.0).abs() < 1e-5);
    /// assert!((place.off_plane_share - 12.0 / 13.0).abs() < 1e-5);
    /// # Ok::<(), burnscape::space::SpaceError>(())
    /// ```
    pub fn spanned(model: &M, directions: [&ParamVector; 2]) -> Result<Self, SpaceError> {
        let base = ParamVector::from_module(directions[0].space(), model)?;
        base.space().check_same(directions[1].space())?;
        Self::with_base(model, base, directions.map(Clone::clone))
    }

    fn with_base(model: &M, base: ParamVector, axes: [ParamVector; 2]) -> Result<Self, SpaceError> {
        let [first, second] = &axes;
        let (length, reach) = (first.norm()?, second.norm()?);
        if length == 0.0 || reach == 0.0 {
            return Err(SpaceError::NoPlane {
                what: "a direction is zero, or two of the three models are the same",
            });
        }
        let u = first.clone().normalize()?;
        let along = second.dot(&u)?;
        let across = second.clone().orthogonalize(std::slice::from_ref(&u))?;
        let height = across.norm()?;
        // Below this bound the height of the second direction is rounding error.
        if height <= parallel_bound(reach, base.space().dtype()?) {
            let cosine = (along / reach).clamp(-1.0, 1.0);
            return Err(SpaceError::ParallelDirections { cosine });
        }
        let v = across.normalize()?;
        Ok(Self {
            origin: unshared_copy(model),
            base,
            axes,
            frame: [u, v],
            factor: Triangle {
                length,
                along,
                height,
            },
            corners: [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        })
    }

    /// The same plane with the orthonormal axes `u` and `v`. Distances between coordinates are then distances between
    /// models.
    #[must_use]
    pub fn orthonormalized(self) -> Self {
        Self {
            axes: self.frame.clone(),
            corners: self.corners.map(|corner| self.factor.apply(corner)),
            factor: Triangle::UNIT,
            ..self
        }
    }

    /// The coordinates of the three models, or of the origin and the ends of the two directions.
    pub fn corners(&self) -> [[f64; 2]; 3] {
        self.corners
    }

    /// The model at `(0, 0)`: the center of landscapes along the [axes](Self::axes).
    pub fn origin(&self) -> &M {
        &self.origin
    }

    /// The axes, as directions of a landscape.
    pub fn axes(&self) -> &[ParamVector; 2] {
        &self.axes
    }

    /// The model at a point of the plane, with the frozen parameters and running statistics of the origin.
    ///
    /// Its parameters are `(o + x d₁) + y d₂`, as in a landscape around the origin along the axes, to the last bit. So
    /// `(0, 0)` is the origin, and `(x, 0)` and `(0, y)` are the points of the lines along one axis. Half-precision
    /// numbers are added in f32.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NonFiniteCoordinate`].
    pub fn point(&self, x: f64, y: f64) -> Result<M, SpaceError> {
        let mut weights = self.base.to_leaves().widen();
        for (value, axis) in [x, y].into_iter().zip(&self.axes) {
            if !value.is_finite() {
                return Err(SpaceError::NonFiniteCoordinate { value });
            }
            if value != 0.0 {
                weights = weights.axpby(1.0, value, &axis.to_leaves().widen())?;
            }
        }
        weights.apply_to(&self.origin)
    }

    /// The position of a model: its orthogonal projection onto the plane, by least squares, and its distance.
    ///
    /// # Cost
    ///
    /// Memory for one parameter vector; four host synchronizations.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn place(&self, model: &M) -> Result<PlanePlace, SpaceError> {
        let [u, v] = &self.frame;
        let from_base =
            ParamVector::from_module(self.base.space(), model)?.axpy(-1.0, &self.base)?;
        let reach = from_base.norm()?;
        let [along_u, along_v] = [from_base.dot(u)?, from_base.dot(v)?];
        let off = from_base.axpy(-along_u, u)?.axpy(-along_v, v)?;
        let distance = off.norm()?;
        let [x, y] = self.factor.solve([along_u, along_v]);
        Ok(PlanePlace {
            x,
            y,
            distance,
            off_plane_share: if reach == 0.0 { 0.0 } else { distance / reach },
        })
    }
}
