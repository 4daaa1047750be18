use burn::module::Module;
use burnscape_krylov::LinearOperator;

use super::{CurvatureError, Hessian};
use crate::loss::{Batch, Draws, Mode, Objective};
use crate::space::ParamVector;

/// An exact Hessian-vector product `∂²L/∂w² · v` of a loss on one batch, in
/// [`Mode::Eval`](crate::loss::Mode::Eval).
///
/// For several products, or for a data set, make a [`Hessian`](super::Hessian), which traces the loss once.
///
/// # Cost
///
/// One trace, one gradient and one product. The only check is that the loss is finite.
///
/// # Errors
///
/// Those of [`Hessian`](super::Hessian).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let batch = Tensor::<2>::from_data([[1.0, 2.0]], &device);
///
/// let v = ParamVector::from_host(&ParamSpace::of(&model)?, &[1.0, 0.0])?;
/// let product = burnscape::hvp(&model, &loss, &batch, &v)?;
/// assert_eq!(product.to_host()?, [2.0, 4.0]);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
pub fn hvp<M: Module, B: Batch>(
    model: &M,
    objective: &impl Objective<M, B>,
    batch: &B,
    v: &ParamVector,
) -> Result<ParamVector, CurvatureError> {
    Hessian::of_batch(model, objective, batch, Mode::Eval, Draws::Refused)?.matvec(v)
}
