//! How an operator is made again: at another model, or on fewer devices.

use std::any::{Any, type_name};
use std::sync::{Arc, Mutex};

use burn::module::Module;

use super::CurvatureError;
use super::batch_sum::{BatchSum, locked};
use super::kept::{Kept, KeptShard, mismatch};
use super::matrix::{Matrix, no_devices};
use super::site::Site;
use super::spread::Spread;
use crate::loss::Risk;
use crate::space::{ParamSpace, unshared_copy};

/// Makes a matrix again. The type of the model is erased.
pub(super) trait Again<'a> {
    /// At another model, from what it kept.
    fn at(&self, model: &dyn Any, kept: Kept) -> Result<Matrix<'a>, CurvatureError>;

    /// Without one of its devices.
    fn without_device(&self, index: usize) -> Result<Matrix<'a>, CurvatureError>;
}

pub(super) type Origin<'a> = Arc<dyn Again<'a> + Send + Sync + 'a>;

/// Makes the batches of a matrix at a site, from what was kept of them.
type Make<'a, M> = dyn Fn(&Site<'_, 'a, M>, Option<KeptShard>) -> Result<BatchSum<'a>, CurvatureError>
    + Send
    + Sync
    + 'a;

/// A matrix over the data of a risk.
pub(super) struct Recipe<'a, M> {
    risk: Risk<'a, M>,
    make: Arc<Make<'a, M>>,
    /// The model of a matrix on several devices. A module need not be `Sync`.
    model: Option<Mutex<M>>,
}

impl<'a, M: Module + 'static> Recipe<'a, M> {
    pub(super) fn new(
        risk: Risk<'a, M>,
        make: impl Fn(&Site<'_, 'a, M>, Option<KeptShard>) -> Result<BatchSum<'a>, CurvatureError>
        + Send
        + Sync
        + 'a,
    ) -> Self {
        Self {
            risk,
            make: Arc::new(make),
            model: None,
        }
    }

    /// The matrix at a model.
    pub(super) fn matrix(self, model: &M) -> Result<Matrix<'a>, CurvatureError> {
        let made = Spread::of(&self.risk, model, None, |site, kept| {
            (self.make)(site, kept)
        })?;
        Ok(self.finish(model, made))
    }

    /// A matrix that can be made again.
    fn finish(self, model: &M, (space, batches): (ParamSpace, Spread<'a>)) -> Matrix<'a> {
        // Running statistics are those of this moment.
        let has_devices = batches.has_devices();
        let model = has_devices.then(|| Mutex::new(unshared_copy(model)));
        let origin: Origin<'a> = Arc::new(Self { model, ..self });
        Matrix {
            space,
            batches,
            origin: Some(origin),
        }
    }

    /// The same recipe for another risk.
    fn with_risk(&self, risk: Risk<'a, M>) -> Self {
        Self {
            risk,
            make: Arc::clone(&self.make),
            model: None,
        }
    }
}

impl<'a, M: Module + 'static> Again<'a> for Recipe<'a, M> {
    fn at(&self, model: &dyn Any, kept: Kept) -> Result<Matrix<'a>, CurvatureError> {
        let Some(model) = model.downcast_ref::<M>() else {
            return Err(mismatch(
                "the type of the model",
                type_name::<M>(),
                "another",
            ));
        };
        let made = Spread::of(&self.risk, model, Some(kept), |site, kept| {
            if let Some(kept) = &kept {
                kept.check(site)?;
            }
            (self.make)(site, kept)
        })?;
        Ok(self.with_risk(self.risk.whole()).finish(model, made))
    }

    fn without_device(&self, index: usize) -> Result<Matrix<'a>, CurvatureError> {
        let Some(model) = &self.model else {
            return Err(no_devices(index));
        };
        let model = locked(model).clone();
        let risk = self.risk.without_device(index)?;
        // What is the same has been checked. Later matrices compare their data with these.
        let made = Spread::of(&risk.whole().unchecked(), &model, None, |site, kept| {
            (self.make)(site, kept)
        })?;
        Ok(self.with_risk(risk).finish(&model, made))
    }
}
