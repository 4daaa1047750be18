use burn::module::ParamGroup;
use burn::tensor::Tensor;
use burnscape_krylov::{LinearOperator, SelfAdjoint};

use super::CurvatureError;
use crate::OutOfRange;
use crate::space::{ParamSpace, ParamVector, SpaceError};

/// A diagonal matrix `diag(d)` over parameters: the Hessian of weight decay, or a Jacobi preconditioner.
///
/// # Example
///
/// ```
/// use burn::module::ParamGroup;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::Diagonal;
/// use burnscape::loss::Risk;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::{LinearOperator, Sum};
///
/// let device = Device::default();
/// let model = LinearConfig::new(1, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::ones([4, 1], &device)];
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// let weight = ParamGroup::from_path("weight");
/// let decay = Diagonal::weight_decay_of_group(hessian.space(), &weight, 0.5)?;
/// let v = ParamVector::from_host(hessian.space(), &[1.0, 1.0])?;
/// let total = Sum::new(hessian, decay)?;
/// assert_eq!(total.matvec(&v)?.to_host()?, [4.5, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Diagonal {
    diagonal: ParamVector,
}

impl Diagonal {
    /// `diag(d)`.
    pub fn new(diagonal: ParamVector) -> Self {
        Self { diagonal }
    }

    /// The Hessian `λ I` of the penalty `λ/2 |w|²` on all parameters of a space.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::OutOfRange`] for a `lambda` that is negative or not finite,
    /// [`CurvatureError::Space`].
    pub fn weight_decay(space: &ParamSpace, lambda: f64) -> Result<Self, CurvatureError> {
        Self::on(space, lambda, |_, _| true)
    }

    /// The Hessian of the penalty on the parameters that a group matches: `λ` for these, zero for all others.
    ///
    /// # Errors
    ///
    /// Those of [`weight_decay`](Self::weight_decay), and [`SpaceError::EmptyGroup`] if the group matches no parameter.
    pub fn weight_decay_of_group(
        space: &ParamSpace,
        group: &ParamGroup,
        lambda: f64,
    ) -> Result<Self, CurvatureError> {
        Self::on(space, lambda, |id, path| group.matches(id, Some(path)))
    }

    fn on(
        space: &ParamSpace,
        lambda: f64,
        is_decayed: impl Fn(&burn::module::ParamId, &str) -> bool,
    ) -> Result<Self, CurvatureError> {
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(OutOfRange::new("lambda", lambda, "a finite number ≥ 0").into());
        }
        let mut leaves = space.leaves().iter();
        if !leaves.any(|leaf| is_decayed(&leaf.id(), leaf.path())) {
            let first = space.leaves().first();
            return Err(SpaceError::EmptyGroup {
                available: space.leaves().len(),
                example: first.map(|leaf| leaf.path().to_owned()).unwrap_or_default(),
            }
            .into());
        }
        let place = (space.device(), space.dtype()?);
        let parts = space.leaves().iter().map(|leaf| {
            let id = leaf.id();
            let factor = if is_decayed(&id, leaf.path()) {
                lambda
            } else {
                0.0
            };
            Tensor::<1>::full([leaf.len()], factor, place)
        });
        let diagonal = ParamVector::from_values(space, Tensor::cat(parts.collect(), 0))?;
        Ok(Self { diagonal })
    }
}

impl LinearOperator for Diagonal {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.diagonal.space().clone()
    }

    fn range(&self) -> ParamSpace {
        self.diagonal.space().clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        Ok(v.clone().hadamard(&self.diagonal)?)
    }
}

impl SelfAdjoint for Diagonal {}
