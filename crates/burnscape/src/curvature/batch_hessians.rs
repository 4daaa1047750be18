use burn::module::Module;

use super::CurvatureError;
use super::batch_points::Setup;
use super::batch_sum::BatchSum;
use super::hessian::{Hessian, traced};
use super::kept::{Kept, KeptShard};
use super::matrix::Matrix;
use super::site::Site;
use super::symmetric::symmetric;
use crate::loss::{Risk, RiskBatch};
use crate::space::ParamVector;

/// The Hessian of a loss over data, together with the gradient and the Hessian of each batch.
///
/// # Cost
///
/// That of a [`Hessian`], and one vector per batch.
pub(crate) struct BatchHessians<'a>(Hessian<'a>);

impl<'a> BatchHessians<'a> {
    /// Those of a risk at a model, with what others have kept if it fits.
    pub(crate) fn with_kept<M: Module, K>(
        risk: &Risk<'a, M, K>,
        model: &M,
        kept: Option<Kept>,
    ) -> Result<Self, CurvatureError> {
        let matrix = Matrix::with_kept(risk, model, kept, Self::batches)?;
        Ok(Self(Hessian(matrix)))
    }

    fn batches<M: Module>(
        site: &Site<'_, 'a, M>,
        kept: Option<KeptShard>,
    ) -> Result<BatchSum<'a>, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, _: usize| traced(site, batch);
        let setup = Setup {
            keeps_gradients: true,
            ..site.setup(&trace)
        };
        symmetric(site, &setup, kept)
    }

    /// What can be used at other weights. Residuals are released.
    pub(crate) fn into_kept(self) -> Kept {
        self.0.into_kept()
    }

    /// The Hessian over all batches.
    pub(crate) fn whole(&self) -> &Hessian<'a> {
        &self.0
    }

    /// The gradient of the loss of each batch: of the mean or the sum over its examples, as the reduction says.
    pub(crate) fn gradients(&self) -> Result<Vec<ParamVector>, CurvatureError> {
        let Matrix { space, batches, .. } = &self.0.0;
        let gradients = batches.gradients()?.into_iter();
        let gradients = gradients.map(|gradient| match gradient {
            Some(values) => Ok(ParamVector::from_values(space, values)?),
            None => Ok(ParamVector::zeros(space)?),
        });
        gradients.collect()
    }

    /// The product of the Hessian of each batch with its own vector, in one pass over the data.
    pub(crate) fn products<'v>(
        &self,
        vector: impl Fn(usize) -> &'v ParamVector,
    ) -> Result<Vec<ParamVector>, CurvatureError> {
        let Matrix { space, batches, .. } = &self.0.0;
        let tangent = |batch: usize| vector(batch).values().clone();
        let products = batches.products(0, tangent)?;
        batches.check_break()?;
        let products = products.into_iter();
        let products = products.map(|product| Ok(ParamVector::from_values(space, product)?));
        products.collect()
    }

    /// The error for products that are not finite.
    pub(crate) fn find_non_finite<'v>(
        &self,
        vector: impl Fn(usize) -> &'v ParamVector,
    ) -> Result<CurvatureError, CurvatureError> {
        let tangent = |batch: usize| vector(batch).values().clone();
        self.0.0.batches.find_non_finite(0, tangent)
    }
}
