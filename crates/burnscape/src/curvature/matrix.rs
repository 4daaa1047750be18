use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_linearize::LinearizeError;

use super::CurvatureError;
use super::batch_points::Setup;
use super::batch_sum::BatchSum;
use super::displaced::{Displaced, of_products};
use super::kept::{Kept, Origin, origin};
use super::site::Site;
use crate::loss::{Agreement, Risk, Sides, compare_nearby};
use crate::space::{Distance, FlatSpace, FlatVector, ParamSpace, ParamVector, outer_gaussian};

/// A symmetric matrix over parameters as a sum over batches, the shared implementation of the operators.
pub(super) struct Matrix<'a> {
    pub(super) space: ParamSpace,
    pub(super) batches: BatchSum<'a>,
    /// `None` for a matrix that cannot move.
    pub(super) origin: Option<Origin<'a, Matrix<'a>>>,
}

impl<'a> Matrix<'a> {
    pub(super) fn new<M: Module>(
        site: &Site<'_, 'a, M>,
        setup: &Setup<'_, M>,
        kept: Option<Kept>,
    ) -> Result<Self, CurvatureError> {
        let must_check = site.operators.checks && kept.is_none();
        let matrix = Self {
            space: site.space.clone(),
            batches: BatchSum::new(site, setup, kept)?,
            origin: None,
        };
        if must_check {
            matrix.check()?;
        }
        Ok(matrix)
    }

    /// The matrix of a risk at a model. It can move to other models.
    pub(super) fn of<M: Module + 'static, K>(
        risk: &Risk<'a, M, K>,
        model: &M,
        make: impl Fn(&Site<'_, 'a, M>, Option<Kept>) -> Result<Self, CurvatureError> + Send + Sync + 'a,
    ) -> Result<Self, CurvatureError> {
        let matrix = make(&Site::new(risk, model)?, None)?;
        Ok(Self {
            origin: Some(origin(risk.whole(), make)),
            ..matrix
        })
    }

    /// The matrix of a site, with what another matrix has kept if it fits. It does not move.
    pub(super) fn with_kept<M: Module>(
        site: &Site<'_, 'a, M>,
        kept: Option<Kept>,
        make: impl Fn(&Site<'_, 'a, M>, Option<Kept>) -> Result<Self, CurvatureError>,
    ) -> Result<Self, CurvatureError> {
        if let Some(kept) = kept.filter(|kept| kept.check(site).is_ok()) {
            match make(site, Some(kept)) {
                Err(CurvatureError::StaleTrace { .. }) => {}
                matrix => return matrix,
            }
        }
        make(site, None)
    }

    /// The matrix at another model.
    pub(super) fn at<M: Module + 'static>(self, model: &M) -> Result<Self, CurvatureError> {
        let Some(origin) = self.origin else {
            let message = "a matrix of a single batch cannot move".into();
            return Err(LinearizeError::Internal { message }.into());
        };
        let matrix = origin(model, self.batches.into_kept())?;
        Ok(Self {
            origin: Some(origin),
            ..matrix
        })
    }

    pub(super) fn product(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        self.space.check_same(v.space())?;
        let sum = self.batches.sum(0, |_| v.values().clone())?;
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
        let [k, n] = block.dims();
        let part = |_, range| block.clone().slice([range, 0..n]);
        rows(&self.space, &self.batches.sum_block(0, k, part)?)
    }

    /// Checks that two products are finite and symmetric.
    ///
    /// If the terms of a product cancel, it consists of rounding errors. The size of the terms then shows at
    /// displaced weights. The vectors are drawn again for each use: a product needs the memory.
    fn check(&self) -> Result<(), CurvatureError> {
        let dtype = self.space.dtype()?;
        let drawn = |seed| {
            let values = outer_gaussian(self.space.len(), seed, self.space.device(), dtype);
            ParamVector::from_values(&self.space, values)
        };
        // The product with one vector: its inner product with the other, and the sizes.
        let side = |own: u64, other: u64, near: Option<(&Displaced, Distance)>| {
            let w = drawn(own)?;
            let product = match near {
                None => self.product(&w)?,
                Some((displaced, distance)) => {
                    let values = self
                        .batches
                        .sum_displaced(displaced, distance, w.values())?;
                    ParamVector::from_values(&self.space, values)?
                }
            };
            self.batches.check_break()?;
            let norms = [w.norm()?, product.norm()?];
            drop(w);
            Ok::<_, CurvatureError>((drawn(other)?.dot(&product)?, norms))
        };
        let sides = |near: Option<(&Displaced, Distance)>| {
            let (u, v) = (1, 2);
            let (au_v, [norm_u, norm_au]) = side(u, v, near)?;
            let (av_u, [norm_v, norm_av]) = side(v, u, near)?;
            for (seed, norm) in [(u, norm_au), (v, norm_av)] {
                if !norm.is_finite() {
                    let vector = drawn(seed)?;
                    return match near {
                        Some(_) => Ok(None),
                        None => Err(self
                            .batches
                            .find_non_finite(0, |_| vector.values().clone())?),
                    };
                }
            }
            Ok(Some(Sides {
                difference: (av_u - au_v).abs(),
                size: norm_u * norm_av + norm_au * norm_v,
            }))
        };
        let tolerance = of_products(dtype);
        let own = sides(None)?;
        if own.is_some_and(|own| own.difference <= tolerance * own.size) {
            return Ok(());
        }
        let displaced = self.batches.displaced(&self.space)?;
        let found = compare_nearby(tolerance, dtype, own, |distance| {
            sides(Some((&displaced, distance)))
        })?;
        match found {
            Agreement::Different { defect } => {
                Err(CurvatureError::NotSymmetric { defect, tolerance })
            }
            Agreement::Equal | Agreement::NotFinite => Ok(()),
        }
    }
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
                self.0.batches.totals.num_examples
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
            /// The data are read again. Which residuals are stored, random draws and settings are those of this
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
                    .field("num_examples", &self.0.batches.totals.num_examples)
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(super) use matrix_operator;
