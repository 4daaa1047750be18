use std::ops::ControlFlow;

use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint, Step};

use super::CurvatureError;
use crate::space::{ParamSpace, ParamVector, Scale, Units};

/// An operator in the units of a [`Scale`]: `C A C` with `C = diag(c)`.
///
/// With `u = e / c`, a displacement has the same quadratic form in both units: `eᵀ A e = uᵀ (C A C) u`. If `A` is
/// the Hessian, then to second order the loss rises by at most `ρ²/2 λ_max(C A C)` in a ball of radius ρ around a
/// minimum, and on average by `σ²/2 tr(C A C)` under noise of size σ at any point. With
/// [`Scale::ElementRelative`], `c = |w|`, these are the adaptive forms of λ_max and trace, which do not change when
/// ReLU layers are rescaled.
///
/// # Cost
///
/// One product with `A` and two elementwise products of vectors.
///
/// # References
///
/// Kwon et al. 2021, *ASAM*, arXiv:2102.11600 (the metric); Andriushchenko et al. 2023,
/// arXiv:2302.07011 (adaptive measures and their limits for small radii).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::krylov::LinearOperator;
/// use burnscape::space::{ParamVector, Scale};
///
/// let device = Device::default();
/// let model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::ones([1, 1], &device)];
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// let w = ParamVector::from_module(hessian.space(), &model)?.to_host()?[0];
///
/// // L = w², so that the Hessian is 2, and 2 w² in units of |w|.
/// let adaptive = hessian.scaled(&model, Scale::ElementRelative)?;
/// let v = ParamVector::from_host(hessian.space(), &[1.0])?;
/// assert!((adaptive.matvec(&v)?.to_host()?[0] - 2.0 * w * w).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DiagonallyScaled<A> {
    operator: A,
    units: Units,
}

impl<A> DiagonallyScaled<A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>,
{
    /// The operator in the units of `scale` at `model`.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Space`] if the scale is zero everywhere, or operator and model have different parameters.
    pub fn new<M: Module>(operator: A, model: &M, scale: Scale) -> Result<Self, CurvatureError> {
        let units = scale.at(operator.domain(), model)?;
        Ok(Self { operator, units })
    }

    /// The operator in the given units.
    pub(crate) fn around(units: Units, operator: A) -> Self {
        Self { operator, units }
    }

    /// The unscaled operator.
    pub fn operator(&self) -> &A {
        &self.operator
    }
}

impl<A> LinearOperator for DiagonallyScaled<A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>,
{
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.operator.domain()
    }

    fn range(&self) -> ParamSpace {
        self.operator.range()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let product = self.operator.matvec(&self.units.stretch(v.clone())?)?;
        Ok(self.units.stretch(product)?)
    }

    fn matmat(&self, vectors: &[ParamVector]) -> Result<Vec<ParamVector>, CurvatureError> {
        let stretch = |v: ParamVector| Ok(self.units.stretch(v)?);
        let stretched: Vec<ParamVector> = vectors
            .iter()
            .cloned()
            .map(stretch)
            .collect::<Result<_, CurvatureError>>()?;
        let products = self.operator.matmat(&stretched)?;
        products.into_iter().map(stretch).collect()
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &CurvatureError) -> bool {
        self.operator.is_stop(error)
    }
}

impl<A> SelfAdjoint for DiagonallyScaled<A> where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>
{
}
