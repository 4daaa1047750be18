use std::cell::Cell;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_krylov::{HasAdjoint, LinearOperator, Step};
use burnscape_linearize::{LinearMap, OutputTrace};

use super::CurvatureError;
use super::batch_points::{Setup, Traced, Weighting};
use super::batch_sum::BatchSum;
use super::matrix::{rows, stacked};
use super::output_vector::{OutputSpace, OutputVector};
use super::reverse::Reverse;
use super::site::{Site, positions};
use super::stale::FirstValue;
use crate::loss::{Risk, RiskBatch, Split};
use crate::space::{FlatSpace, ParamSpace, ParamVector};

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
    batches: BatchSum<'a>,
    /// The first row of each batch, and the number of rows.
    starts: Vec<usize>,
}

impl<'a> Jacobian<'a> {
    /// The Jacobian of what precedes the criterion: the outputs of a model, or the losses of its examples. `admit`
    /// refuses a trace of a batch of so many examples.
    ///
    /// The transpose is that of a Jacobian whose rows are weighted as `weighting` weights their batches.
    pub(super) fn of<M: Module>(
        site: &Site<'_, 'a, M>,
        (first, weighting): (FirstValue, Weighting),
        admit: impl Fn(&OutputTrace, usize) -> Result<(), CurvatureError>,
    ) -> Result<Self, CurvatureError> {
        let dtype = Cell::new(site.space.dtype()?);
        let trace = |batch: &dyn RiskBatch<M>, examples: usize| {
            let trace = batch.trace_outputs(site.model(), site.settings)?;
            admit(&trace, examples)?;
            let wrt = site.chosen(&trace.parameters)?;
            dtype.set(trace.output_dtype());
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
            weighting,
            first,
            ..site.setup(&trace)
        };
        let batches = BatchSum::new(site, &setup, None)?;
        let mut starts = vec![0];
        for rows in batches.num_rows() {
            starts.push(starts[starts.len() - 1] + rows);
        }
        let outputs = OutputSpace::new(starts[starts.len() - 1], dtype.get(), &site.space);
        let jacobian = Self {
            space: site.space.clone(),
            outputs,
            batches,
            starts,
        };
        if site.operators.checks {
            jacobian.check()?;
        }
        Ok(jacobian)
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
        self.batches.totals.num_examples
    }

    /// Checks that one product in each direction is finite.
    fn check(&self) -> Result<(), CurvatureError> {
        let v = ParamVector::rademacher(&self.space, 1)?;
        let moved = self.matvec(&v)?;
        self.batches.check_break()?;
        if !moved.norm()?.is_finite() {
            return Err(self.batches.find_non_finite(0, |_| v.values().clone())?);
        }
        let signs = moved.values().ones_like();
        let ones = OutputVector::from_values(&self.outputs, signs.clone())?;
        let back = self.matvec_adjoint(&ones)?;
        if back.norm()?.is_finite() {
            Ok(())
        } else {
            Err(self
                .batches
                .find_non_finite(BACK, |batch| signs.clone().slice([self.rows_of(batch)]))?)
        }
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
    pub(super) fn rows_and_weights(&self) -> impl Iterator<Item = (usize, f64)> {
        self.batches.num_rows().zip(self.batches.factors())
    }

    fn rows_of(&self, batch: usize) -> std::ops::Range<usize> {
        self.starts[batch]..self.starts[batch + 1]
    }

    /// `J v` for the rows `v` of a block.
    pub(super) fn block(&self, vectors: &Tensor<2>) -> Result<Tensor<2>, CurvatureError> {
        self.batches.concatenated_block(vectors)
    }

    /// `Jᵀ u` for the rows `u` of a block.
    pub(super) fn transposed_block(&self, block: &Tensor<2>) -> Result<Tensor<2>, CurvatureError> {
        let [k, _] = block.dims();
        self.batches.sum_block(BACK, k, |batch, vectors| {
            block.clone().slice([vectors, self.rows_of(batch)])
        })
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
        let part = |batch: usize| u.values().clone().slice([self.rows_of(batch)]);
        let values = self.batches.sum(BACK, part)?;
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
        let site = Site::new(self, model)?;
        Jacobian::of(&site, (FirstValue::Outputs, Weighting::None), |_, _| Ok(()))
    }
}

impl std::fmt::Debug for Jacobian<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jacobian")
            .field("num_outputs", &self.outputs.len())
            .field("num_parameters", &self.space.len())
            .finish_non_exhaustive()
    }
}
