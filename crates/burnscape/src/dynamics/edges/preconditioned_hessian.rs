use std::ops::ControlFlow;

use burnscape_krylov::{LinearOperator, SelfAdjoint, Step};

use crate::curvature::{CurvatureError, Hessian};
use crate::space::{ParamSpace, ParamVector};

/// `P^(−½) (H + δ) P^(−½)`: the Hessian as an optimizer sees it that divides the gradient by `P` and adds `δ w` to it.
pub(crate) struct PreconditionedHessian<'h, 'a> {
    hessian: &'h Hessian<'a>,
    /// `P^(−½)`.
    root: ParamVector,
    /// `δ`.
    decay: f64,
}

impl<'h, 'a> PreconditionedHessian<'h, 'a> {
    pub(super) fn new(hessian: &'h Hessian<'a>, root: ParamVector, decay: f64) -> Self {
        Self {
            hessian,
            root,
            decay,
        }
    }

    /// `P^(−½) (product + δ stretched)`, where `product` is that of the Hessian and `stretched`.
    fn finish(
        &self,
        product: ParamVector,
        stretched: &ParamVector,
    ) -> Result<ParamVector, CurvatureError> {
        let product = if self.decay == 0.0 {
            product
        } else {
            product.axpy(self.decay, stretched)?
        };
        Ok(product.hadamard(&self.root)?)
    }
}

impl LinearOperator for PreconditionedHessian<'_, '_> {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.hessian.domain()
    }

    fn range(&self) -> ParamSpace {
        self.hessian.range()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let stretched = v.clone().hadamard(&self.root)?;
        self.finish(self.hessian.matvec(&stretched)?, &stretched)
    }

    fn matmat(&self, vectors: &[ParamVector]) -> Result<Vec<ParamVector>, CurvatureError> {
        let stretched = vectors.iter().map(|v| v.clone().hadamard(&self.root));
        let stretched: Vec<ParamVector> = stretched.collect::<Result<_, _>>()?;
        let products = self.hessian.matmat(&stretched)?;
        let pairs = products.into_iter().zip(&stretched);
        pairs.map(|(product, v)| self.finish(product, v)).collect()
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.hessian.report(step)
    }

    fn is_stop(&self, error: &CurvatureError) -> bool {
        self.hessian.is_stop(error)
    }
}

impl SelfAdjoint for PreconditionedHessian<'_, '_> {}
