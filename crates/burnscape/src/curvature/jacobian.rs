use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use burn::module::Module;
use burn::tensor::{DType, Tensor};
use burnscape_krylov::{HasAdjoint, LinearOperator, Step};
use burnscape_linearize::{LinearMap, OutputTrace};

use super::CurvatureError;
use super::batch_points::{Setup, Traced};
use super::batch_sum::{BatchSum, locked};
use super::matrix::{no_devices, rows, stacked};
use super::output_vector::{OutputSpace, OutputVector};
use super::reverse::Reverse;
use super::site::{Site, positions};
use super::spread::{Spread, Tangents, non_finite, part, starts_of};
use super::stale::FirstValue;
use super::weights::Weighting;
use crate::loss::{DeviceWork, Risk, RiskBatch, Split};
use crate::space::{FlatSpace, ParamSpace, ParamVector, unshared_copy};

/// Index of the map from the outputs back to the parameters.
const BACK: usize = 1;

/// The Jacobian `J = ∂z/∂w` of a model's outputs over a data set, and its transpose.
///
/// The rows are the outputs of all batches in order, with the output tensor of each batch flattened row by row. The
/// columns are the parameters. Batches are neither averaged nor weighted.
///
/// # Cost
///
/// Construction: one trace, and two forward passes per batch. `J v` is one forward derivative over the data, `Jᵀ u`
/// one backward pass.
///
/// # Errors
///
/// Those of the [`Hessian`](super::Hessian).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::{HasAdjoint, LinearOperator};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let data = [Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device)];
/// let risk = Risk::split(
///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
///     |z: Tensor<2>, _: Tensor<2>| z.mean(),
///     &data,
/// );
/// let jacobian = risk.jacobian(&model)?;
/// let v = ParamVector::from_host(jacobian.space(), &[1.0, 0.0])?;
/// let moved = jacobian.matvec(&v)?;
/// assert_eq!(moved.to_host()?, [1.0, 3.0]);
/// assert_eq!(jacobian.matvec_adjoint(&moved)?.to_host()?, [10.0, 14.0]);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
pub struct Jacobian<'a> {
    pub(super) space: ParamSpace,
    pub(super) outputs: OutputSpace,
    /// Two maps: the Jacobian and its transpose.
    batches: Spread<'a>,
    /// The first row of each batch, and the number of rows.
    starts: Vec<usize>,
    /// Makes it without one of its devices, if it has several.
    origin: Option<Origin<'a>>,
}

type Origin<'a> = Arc<dyn Fn(usize) -> Result<Jacobian<'a>, CurvatureError> + Send + Sync + 'a>;

/// What precedes the criterion, and how it is differentiated.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) first: FirstValue,
    /// The transpose is that of a Jacobian whose rows are weighted like this.
    pub(super) weighting: Weighting,
    /// Refuses a trace of a batch of so many examples.
    pub(super) admit: fn(&OutputTrace, usize) -> Result<(), CurvatureError>,
}

impl<'a> Jacobian<'a> {
    /// The Jacobian of what precedes the criterion: the outputs of a model, or the losses of its examples.
    pub(super) fn of<M: Module, K>(
        risk: &Risk<'a, M, K>,
        model: &M,
        rows: Rows,
    ) -> Result<Self, CurvatureError> {
        let jacobian = Self::made(&risk.whole(), model, rows)?;
        if !jacobian.batches.has_devices() {
            return Ok(jacobian);
        }
        let risk = risk.whole();
        // A module need not be `Sync`.
        let model = Mutex::new(unshared_copy(model));
        let origin = move |index: usize| {
            let model = locked(&model).clone();
            let risk = risk.without_device(index)?.with_checks(false);
            Jacobian::of(&risk, &model, rows)
        };
        Ok(Self {
            origin: Some(Arc::new(origin)),
            ..jacobian
        })
    }

    fn made<M: Module>(risk: &Risk<'a, M>, model: &M, rows: Rows) -> Result<Self, CurvatureError> {
        let dtype = Mutex::new(None);
        let (space, batches) = Spread::of(risk, model, None, |site, _| {
            Self::batches(site, rows, &dtype)
        })?;
        let rows = batches.rows_and_factors();
        let starts = starts_of(rows.into_iter().map(|(rows, _)| rows));
        let dtype = match *locked(&dtype) {
            Some(dtype) => dtype,
            None => space.dtype()?,
        };
        let num_rows = starts.last().copied().unwrap_or(0);
        Ok(Self {
            outputs: OutputSpace::new(num_rows, dtype, &space),
            space,
            batches,
            starts,
            origin: None,
        })
    }

    /// The batches of a device. Tells the element type of the outputs.
    fn batches<M: Module>(
        site: &Site<'_, 'a, M>,
        rows: Rows,
        dtype: &Mutex<Option<DType>>,
    ) -> Result<BatchSum<'a>, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, examples: usize| {
            let trace = batch.trace_outputs(site.model(), site.settings)?;
            (rows.admit)(&trace, examples)?;
            let wrt = site.chosen(&trace.parameters)?;
            *locked(dtype) = Some(trace.output_dtype());
            let maps = [
                LinearMap::jacobian(&trace, &wrt, site.settings)?,
                LinearMap::jacobian_transposed(&trace, &wrt, site.settings)?,
            ];
            let checks = site.operators.checks;
            Ok(Traced {
                reverse: checks.then(|| Reverse::Outputs(Box::new(maps.clone()))),
                positions: positions(&wrt, &trace.parameters),
                maps: maps.into(),
                bindings: trace.bindings,
                noise: None,
            })
        };
        let setup = Setup {
            weighting: rows.weighting,
            first: rows.first,
            ..site.setup(&trace)
        };
        let batches = BatchSum::new(site, &setup, None)?;
        if site.operators.checks {
            check(&site.space, &batches)?;
        }
        Ok(batches)
    }

    /// The space of the parameters (columns).
    pub fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// The space of the outputs (rows).
    pub fn outputs(&self) -> &OutputSpace {
        &self.outputs
    }

    /// Number of examples in the data.
    pub fn num_examples(&self) -> usize {
        self.batches.totals().num_examples
    }

    /// The Jacobian without one of its [devices](Risk::with_devices), given by its place in the list: its batches are
    /// assigned anew to the others. This Jacobian stays usable.
    ///
    /// # Cost
    ///
    /// That of a new Jacobian: the outputs are traced again, without the [checks](Risk::with_checks). A Jacobian on
    /// several devices holds a copy of its model for it.
    ///
    /// # Errors
    ///
    /// As [`Hessian::without_device`](super::Hessian::without_device).
    pub fn without_device(&self, index: usize) -> Result<Self, CurvatureError> {
        match &self.origin {
            Some(origin) => origin(index),
            None => Err(no_devices(index)),
        }
    }

    /// What each [device](Risk::with_devices) of the Jacobian has done, in the order of the list; empty without devices.
    pub fn device_work(&self) -> Vec<DeviceWork> {
        self.batches.device_work()
    }

    /// `J Jᵀ v`.
    pub(super) fn gram_product(&self, v: &OutputVector) -> Result<OutputVector, CurvatureError> {
        let back = self.matvec_adjoint(v)?;
        self.check_break()?;
        self.matvec(&back)
    }

    /// Returns an error if the observer broke at the last batch of the previous product.
    pub(super) fn check_break(&self) -> Result<(), CurvatureError> {
        self.batches.check_break()
    }

    /// The number of rows of each batch, and its weight in a transposed product.
    pub(super) fn rows_and_weights(&self) -> Vec<(usize, f64)> {
        self.batches.rows_and_factors()
    }

    /// `J v` for the rows `v` of a block.
    pub(super) fn block(&self, vectors: &Tensor<2>) -> Result<Tensor<2>, CurvatureError> {
        self.batches.concatenated_block(vectors)
    }

    /// `Jᵀ u` for the rows `u` of a block.
    pub(super) fn transposed_block(&self, block: &Tensor<2>) -> Result<Tensor<2>, CurvatureError> {
        let [k, _] = block.dims();
        let tangents = Tangents::Parts(block, &self.starts);
        self.batches.sum_block(BACK, k, &tangents)
    }
}

impl LinearOperator for Jacobian<'_> {
    type Domain = ParamVector;
    type Range = OutputVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.space.clone()
    }

    fn range(&self) -> OutputSpace {
        self.outputs.clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<OutputVector, CurvatureError> {
        self.space.check_same(v.space())?;
        let values = self.batches.concatenated(v.values())?;
        Ok(OutputVector::from_values(&self.outputs, values)?)
    }

    fn matmat(&self, vectors: &[ParamVector]) -> Result<Vec<OutputVector>, CurvatureError> {
        match stacked(&self.space, vectors)? {
            Some(block) => rows(&self.outputs, &self.block(&block)?),
            None => Ok(Vec::new()),
        }
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.batches.report(step)
    }

    fn is_stop(&self, error: &CurvatureError) -> bool {
        error.is_stop()
    }
}

impl HasAdjoint for Jacobian<'_> {
    fn matvec_adjoint(&self, u: &OutputVector) -> Result<ParamVector, CurvatureError> {
        self.outputs.check_same(u.space())?;
        let tangents = Tangents::Parts(u.values(), &self.starts);
        let values = self.batches.sum(BACK, &tangents)?;
        Ok(ParamVector::from_values(&self.space, values)?)
    }

    fn matmat_adjoint(&self, vectors: &[OutputVector]) -> Result<Vec<ParamVector>, CurvatureError> {
        match stacked(&self.outputs, vectors)? {
            Some(block) => rows(&self.space, &self.transposed_block(&block)?),
            None => Ok(Vec::new()),
        }
    }
}

impl<'a, M: Module> Risk<'a, M, Split> {
    /// The [`Jacobian`] of a model's outputs over the data of a risk. It does not use the criterion of the risk.
    ///
    /// # Errors
    ///
    /// Those of [`Jacobian`].
    pub fn jacobian(&self, model: &M) -> Result<Jacobian<'a>, CurvatureError> {
        let rows = Rows {
            first: FirstValue::Outputs,
            weighting: Weighting::None,
            admit: |_, _| Ok(()),
        };
        Jacobian::of(self, model, rows)
    }
}

/// Checks that one product in each direction is finite.
fn check(space: &ParamSpace, batches: &BatchSum<'_>) -> Result<(), CurvatureError> {
    let v = ParamVector::rademacher(space, 1)?;
    let moved = batches.concatenated(&batches.watch(), v.values())?;
    let [num_rows] = moved.dims();
    let outputs = OutputSpace::new(num_rows, moved.dtype(), space);
    let moved = OutputVector::from_values(&outputs, moved)?;
    batches.check_break()?;
    if !moved.norm()?.is_finite() {
        let tangent = |_| v.values().clone();
        let found = batches.find_non_finite(&batches.watch(), 0, tangent)?;
        return Err(non_finite(found));
    }
    let signs = moved.values().ones_like();
    let starts = starts_of(batches.batches.iter().map(|batch| batch.num_rows));
    let tangent = |batch: usize| signs.clone().slice([part(&starts, batch)]);
    let back = batches.sum(&batches.watch(), BACK, tangent)?;
    if ParamVector::from_values(space, back)?.norm()?.is_finite() {
        return Ok(());
    }
    let found = batches.find_non_finite(&batches.watch(), BACK, tangent)?;
    Err(non_finite(found))
}

impl std::fmt::Debug for Jacobian<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jacobian")
            .field("num_outputs", &self.outputs.len())
            .field("num_parameters", &self.space.len())
            .finish_non_exhaustive()
    }
}
