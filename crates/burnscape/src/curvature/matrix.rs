use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_linearize::LinearizeError;

use super::CurvatureError;
use super::batch_sum::BatchSum;
use super::kept::{Kept, KeptShard};
use super::origin::{Origin, Recipe};
use super::site::Site;
use super::spread::{Spread, Tangents};
use crate::loss::{DeviceError, LossError, Risk};
use crate::space::{FlatSpace, FlatVector, ParamSpace, ParamVector};

/// A symmetric matrix over parameters as a sum over batches, the shared implementation of the operators.
pub(super) struct Matrix<'a> {
    pub(super) space: ParamSpace,
    pub(super) batches: Spread<'a>,
    /// `None` for a matrix that cannot be made again.
    pub(super) origin: Option<Origin<'a>>,
}

impl<'a> Matrix<'a> {
    /// The matrix of a site. It does not move.
    pub(super) fn alone<M: Module>(site: &Site<'_, 'a, M>, batches: BatchSum<'a>) -> Self {
        Self {
            space: site.space.clone(),
            batches: Spread::alone(batches),
            origin: None,
        }
    }

    /// The matrix of a risk at a model. It can move to other models. `make` makes its batches on each device.
    pub(super) fn of<M: Module + 'static, K>(
        risk: &Risk<'a, M, K>,
        model: &M,
        make: impl Fn(&Site<'_, 'a, M>, Option<KeptShard>) -> Result<BatchSum<'a>, CurvatureError>
        + Send
        + Sync
        + 'a,
    ) -> Result<Self, CurvatureError> {
        Recipe::new(risk.whole(), make).matrix(model)
    }

    /// The matrix of a risk at a model, with what another matrix has kept if it fits. It does not move.
    pub(super) fn with_kept<M: Module, K>(
        risk: &Risk<'a, M, K>,
        model: &M,
        kept: Option<Kept>,
        make: impl Fn(&Site<'_, 'a, M>, Option<KeptShard>) -> Result<BatchSum<'a>, CurvatureError>
        + Sync,
    ) -> Result<Self, CurvatureError> {
        let (space, batches) = Spread::of(risk, model, kept, |site, kept| {
            if let Some(kept) = kept.filter(|kept| kept.check(site).is_ok()) {
                match make(site, Some(kept)) {
                    Err(CurvatureError::StaleTrace { .. }) => {}
                    made => return made,
                }
            }
            make(site, None)
        })?;
        Ok(Self {
            space,
            batches,
            origin: None,
        })
    }

    /// The matrix at another model.
    pub(super) fn at<M: Module + 'static>(self, model: &M) -> Result<Self, CurvatureError> {
        let Some(origin) = self.origin else {
            let message = "a matrix of a single batch cannot move".into();
            return Err(LinearizeError::Internal { message }.into());
        };
        let matrix = origin.at(model, self.batches.into_kept())?;
        self.space.check_same(&matrix.space)?;
        Ok(matrix)
    }

    /// The matrix without one of its devices.
    pub(super) fn without_device(&self, index: usize) -> Result<Self, CurvatureError> {
        match &self.origin {
            Some(origin) => origin.without_device(index),
            None => Err(no_devices(index)),
        }
    }

    pub(super) fn product(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        self.space.check_same(v.space())?;
        let sum = self.batches.sum(0, &Tangents::Same(v.values()))?;
        Ok(ParamVector::from_values(&self.space, sum)?)
    }

    pub(super) fn products(
        &self,
        vectors: &[ParamVector],
    ) -> Result<Vec<ParamVector>, CurvatureError> {
        if let [v] = vectors {
            return Ok(vec![self.product(v)?]);
        }
        let Some(block) = stacked(&self.space, vectors)? else {
            return Ok(Vec::new());
        };
        let [k, _] = block.dims();
        let products = self.batches.sum_block(0, k, &Tangents::Same(&block))?;
        rows(&self.space, &products)
    }
}

/// The error of an operator that has no devices.
pub(super) fn no_devices(index: usize) -> CurvatureError {
    let error = DeviceError::NoSuchDevice { index, devices: 0 };
    LossError::from(error).into()
}

/// Vectors of a space as the rows of a block; `None` if there are no vectors.
pub(super) fn stacked<S: FlatSpace>(
    space: &S,
    vectors: &[FlatVector<S>],
) -> Result<Option<Tensor<2>>, CurvatureError> {
    for v in vectors {
        space.check_same(v.space())?;
    }
    let rows: Vec<_> = vectors.iter().map(|v| v.values().clone()).collect();
    Ok((!rows.is_empty()).then(|| Tensor::stack::<2>(rows, 0)))
}

/// The rows of a block as vectors of a space.
pub(super) fn rows<S: FlatSpace>(
    space: &S,
    block: &Tensor<2>,
) -> Result<Vec<FlatVector<S>>, CurvatureError> {
    let [k, n] = block.dims();
    let row = |index: usize| {
        let values = block.clone().slice([index..index + 1, 0..n]).reshape([n]);
        Ok(FlatVector::from_values(space, values)?)
    };
    (0..k).map(row).collect()
}

/// The methods and traits that all matrices over parameters share.
macro_rules! matrix_operator {
    ($name:ident) => {
        impl $name<'_> {
            /// The space of the parameters, on which the operator acts.
            pub fn space(&self) -> &ParamSpace {
                &self.0.space
            }

            /// Number of examples in the data.
            pub fn num_examples(&self) -> usize {
                self.0.batches.totals().num_examples
            }

            /// Number of batches with stored residuals; the others are read again for every product.
            pub fn num_kept_batches(&self) -> usize {
                self.0.batches.num_kept()
            }

            /// How the operator uses memory, and the peak that is predicted for it.
            ///
            /// # Cost
            ///
            /// Some milliseconds on the host; nothing runs on the device.
            pub fn memory_plan(&self) -> super::MemoryPlan {
                self.0.batches.memory_plan()
            }

            /// The operator at another model, in most cases the same model after training steps, without a new trace:
            /// equal to a new one of the same risk, bit for bit.
            ///
            /// The data are read again. Which residuals are stored, random draws, settings and devices are those of this
            /// operator.
            ///
            /// # Cost
            ///
            /// One gradient per batch, and one forward pass of the first batch. The residuals of this operator are
            /// released before the new ones are computed. The [checks](crate::loss::Risk::with_checks) of this operator
            /// are not made again, except that the data must be the same.
            ///
            /// # Errors
            ///
            /// Those of a product, and what would make the trace another one:
            /// [`CurvatureError::Space`](super::CurvatureError::Space) for other parameters,
            /// [`CurvatureError::Linearize`](super::CurvatureError::Linearize) for a model of another type, with other
            /// buffers, other frozen parameters or other flags, [`CurvatureError::Loss`](super::CurvatureError::Loss) for
            /// data that have changed, and [`CurvatureError::StaleTrace`](super::CurvatureError::StaleTrace) if the
            /// closure itself has another value on the first batch, as with another rate of dropout.
            pub fn at<M: burn::module::Module + 'static>(
                self,
                model: &M,
            ) -> Result<Self, CurvatureError> {
                self.0.at(model).map(Self)
            }

            /// The operator without one of its [devices](crate::loss::Risk::with_devices), given by its place in the
            /// list: its batches are assigned anew to the others. This operator stays usable.
            ///
            /// Products are those of a new operator of the same risk
            /// [without the device](crate::loss::Risk::without_device), bit for bit without a memory budget. If only
            /// the device of the model is left, it is an operator without devices.
            ///
            /// # Cost
            ///
            /// That of a new operator: the loss is traced again, without the
            /// [checks](crate::loss::Risk::with_checks), except that the data are downloaded, so that
            /// [`at`](Self::at) notices changes. An operator on several devices holds a copy of its model for it.
            ///
            /// # Errors
            ///
            /// [`LossError::Device`](crate::loss::LossError::Device) with
            /// [`DeviceError::NoSuchDevice`](crate::loss::DeviceError::NoSuchDevice) for a place that is not in the list,
            /// or an operator without devices, and with [`DeviceError::NotListed`](crate::loss::DeviceError::NotListed)
            /// for the device of the model, which holds the vectors; and those of a new operator.
            pub fn without_device(&self, index: usize) -> Result<Self, CurvatureError> {
                self.0.without_device(index).map(Self)
            }

            /// What each [device](crate::loss::Risk::with_devices) of the operator has done, in the order of the list;
            /// empty without devices.
            pub fn device_work(&self) -> Vec<crate::loss::DeviceWork> {
                self.0.batches.device_work()
            }

            /// The operator in the units of a scale at `model`: `C A C`.
            ///
            /// # Errors
            ///
            /// Those of [`DiagonallyScaled::new`](super::DiagonallyScaled::new).
            pub fn scaled<M: burn::module::Module>(
                &self,
                model: &M,
                scale: crate::space::Scale,
            ) -> Result<super::DiagonallyScaled<&Self>, CurvatureError> {
                super::DiagonallyScaled::new(self, model, scale)
            }

            /// The program that a product runs for a batch with the shapes of the first one. It can be
            /// printed, and counts its [`flops`](burnscape_linearize::Program::flops).
            pub fn linear_program(&self) -> burnscape_linearize::Program {
                self.0.batches.linear_program()
            }
        }

        impl LinearOperator for $name<'_> {
            type Domain = ParamVector;
            type Range = ParamVector;
            type Error = CurvatureError;

            fn domain(&self) -> ParamSpace {
                self.0.space.clone()
            }

            fn range(&self) -> ParamSpace {
                self.0.space.clone()
            }

            fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
                self.0.product(v)
            }

            fn matmat(&self, vectors: &[ParamVector]) -> Result<Vec<ParamVector>, CurvatureError> {
                self.0.products(vectors)
            }

            fn report(&self, step: &burnscape_krylov::Step) -> std::ops::ControlFlow<()> {
                self.0.batches.report(step)
            }

            fn is_stop(&self, error: &CurvatureError) -> bool {
                error.is_stop()
            }
        }

        impl SelfAdjoint for $name<'_> {}

        impl std::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("num_parameters", &self.0.space.len())
                    .field("num_examples", &self.0.batches.totals().num_examples)
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(super) use matrix_operator;
