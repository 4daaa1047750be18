//! The batches of an operator on one device or several.

mod passes;
mod tangents;
mod team;
#[cfg(test)]
#[cfg(all(feature = "flex", feature = "ndarray"))]
mod tests;

use std::ops::{ControlFlow, Range};

use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_krylov::Step;

use super::CurvatureError;
use super::batch_points::Totals;
use super::batch_sum::{BatchSum, joined};
use super::kept::{Kept, KeptShard};
use super::memory_plan::MemoryPlan;
use super::site::Site;
use crate::loss::{DeviceWork, Observer, Risk};
use crate::space::ParamSpace;
pub(super) use tangents::{Tangents, part, starts_of};
use team::Team;

/// The linear maps of all batches of an operator: one sum where there is one device, and otherwise one for each
/// device that has batches.
///
/// Vectors and results are on the device of the model. A batch is named by its place in the order of the whole data.
pub(super) enum Spread<'a> {
    Alone(Box<BatchSum<'a>>),
    Team(Box<Team<'a>>),
}

impl<'a> Spread<'a> {
    /// The batches of a risk at a model, with its parameters. `make` makes those of each device, from what was kept of
    /// them.
    pub(super) fn of<M, K, F>(
        risk: &Risk<'a, M, K>,
        model: &M,
        kept: Option<Kept>,
        make: F,
    ) -> Result<(ParamSpace, Self), CurvatureError>
    where
        M: Module,
        F: Fn(&Site<'_, 'a, M>, Option<KeptShard>) -> Result<BatchSum<'a>, CurvatureError> + Sync,
    {
        risk.in_time(model, || {
            let Some(devices) = risk.spread(model)? else {
                let site = Site::new(risk, model)?;
                let sum = make(&site, kept.and_then(Kept::into_alone))?;
                return Ok((site.space.clone(), Self::Alone(Box::new(sum))));
            };
            risk.operators()?;
            let space = risk.space(model)?;
            space.dtype()?;
            let team = Team::new(&risk.whole(), model, &space, devices, kept, make)?;
            Ok((space, Self::Team(Box::new(team))))
        })
    }

    /// The batches of one device.
    pub(super) fn alone(sum: BatchSum<'a>) -> Self {
        Self::Alone(Box::new(sum))
    }

    pub(super) fn has_devices(&self) -> bool {
        matches!(self, Self::Team(_))
    }

    /// What each device has done; empty where there is one.
    pub(super) fn device_work(&self) -> Vec<DeviceWork> {
        match self {
            Self::Alone(_) => Vec::new(),
            Self::Team(team) => team.device_work(),
        }
    }

    pub(super) fn totals(&self) -> &Totals {
        match self {
            Self::Alone(sum) => &sum.totals,
            Self::Team(team) => team.totals(),
        }
    }

    /// What was chosen, and what it takes.
    pub(super) fn memory_plan(&self) -> MemoryPlan {
        match self {
            Self::Alone(sum) => sum.memory_plan().plan,
            Self::Team(team) => team.memory_plan(),
        }
    }

    /// What can be used at other weights. Residuals are released.
    pub(super) fn into_kept(self) -> Kept {
        match self {
            Self::Alone(sum) => Kept::alone(sum.into_kept()),
            Self::Team(team) => team.into_kept(),
        }
    }

    /// The number of batches with stored residuals.
    pub(super) fn num_kept(&self) -> usize {
        match self {
            Self::Alone(sum) => sum.num_kept(),
            Self::Team(team) => team.num_kept(),
        }
    }

    /// The program that the first map runs for each tangent, for the shapes of the first batch.
    pub(super) fn linear_program(&self) -> burnscape_linearize::Program {
        match self {
            Self::Alone(sum) => sum.linear_program(),
            Self::Team(team) => team.linear_program(),
        }
    }

    /// The output length of the first map of each batch, and its weight in a [`sum`](Self::sum).
    pub(super) fn rows_and_factors(&self) -> Vec<(usize, f64)> {
        match self {
            Self::Alone(sum) => {
                let batches = sum.batches.iter();
                batches
                    .map(|batch| (batch.num_rows, batch.factor))
                    .collect()
            }
            Self::Team(team) => team.rows_and_factors(),
        }
    }

    /// The gradient of the loss of each batch, if gradients were kept.
    pub(super) fn gradients(&self) -> Result<Vec<Option<Tensor<1>>>, CurvatureError> {
        match self {
            Self::Alone(sum) => {
                let batches = sum.batches.iter();
                Ok(batches.map(|batch| batch.gradient.clone()).collect())
            }
            Self::Team(team) => team.gradients(),
        }
    }

    /// `Σ_b factor_b A_b v_b` for one of the maps.
    pub(super) fn sum(
        &self,
        map: usize,
        tangents: &Tangents<'_, 1>,
    ) -> Result<Tensor<1>, CurvatureError> {
        match self {
            Self::Alone(sum) => {
                sum.in_time(|sum| sum.sum(&sum.watch(), map, |batch| tangents.of(batch)))
            }
            Self::Team(team) => team.sum(map, tangents),
        }
    }

    /// [`sum`](Self::sum) for the `k` rows of blocks, with one pass for as many rows as fit.
    pub(super) fn sum_block(
        &self,
        map: usize,
        k: usize,
        tangents: &Tangents<'_, 2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        self.in_blocks(k, |rows| match self {
            Self::Alone(sum) => {
                let block = |batch| tangents.of(batch, rows.clone());
                sum.in_time(|sum| sum.sum_block(&sum.watch(), map, block))
            }
            Self::Team(team) => team.sum_block(map, tangents, rows),
        })
    }

    /// The products of all batches, each with its own vector.
    pub(super) fn products(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<Vec<Tensor<1>>, CurvatureError> {
        match self {
            Self::Alone(sum) => {
                let mut products = Vec::with_capacity(sum.batches.len());
                let keep = |_, product| {
                    products.push(product);
                    Ok(())
                };
                sum.in_time(|sum| sum.each_product(&sum.watch(), map, tangent, keep))?;
                Ok(products)
            }
            Self::Team(team) => team.products(map, tangent),
        }
    }

    /// The concatenated outputs of the first map over all batches.
    pub(super) fn concatenated(&self, tangent: &Tensor<1>) -> Result<Tensor<1>, CurvatureError> {
        match self {
            Self::Alone(sum) => sum.in_time(|sum| sum.concatenated(&sum.watch(), tangent)),
            Self::Team(team) => team.concatenated(tangent),
        }
    }

    /// [`concatenated`](Self::concatenated) for the rows of a block.
    pub(super) fn concatenated_block(
        &self,
        block: &Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let [k, _] = block.dims();
        let tangents = Tangents::Same(block);
        self.in_blocks(k, |rows| match self {
            Self::Alone(sum) => {
                let block = || tangents.rows(rows.clone());
                sum.in_time(|sum| sum.concatenated_block(&sum.watch(), block))
            }
            Self::Team(team) => team.concatenated_block(&tangents.rows(rows)),
        })
    }

    /// Runs a pass for as many of `k` rows at a time as fit, and stacks the results.
    fn in_blocks(
        &self,
        k: usize,
        pass: impl Fn(Range<usize>) -> Result<Tensor<2>, CurvatureError>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let block_size = match self {
            Self::Alone(sum) => sum.block_size,
            Self::Team(team) => team.block_size(),
        };
        let mut blocks = Vec::new();
        for start in (0..k).step_by(block_size) {
            if start > 0 {
                self.check_break()?;
            }
            blocks.push(pass(start..k.min(start + block_size))?);
        }
        Ok(joined(blocks, 0))
    }

    /// An error that names the first batch whose product is not finite, and the operation if known.
    pub(super) fn find_non_finite(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<CurvatureError, CurvatureError> {
        let found = match self {
            Self::Alone(sum) => sum.in_time(|sum| sum.find_non_finite(&sum.watch(), map, tangent)),
            Self::Team(team) => team.find_non_finite(map, tangent),
        };
        found.map(non_finite)
    }

    fn observer(&self) -> &Observer<'a> {
        match self {
            Self::Alone(sum) => sum.observer(),
            Self::Team(team) => team.observer(),
        }
    }

    /// Returns an error if the observer broke at the last batch of the previous product.
    pub(super) fn check_break(&self) -> Result<(), CurvatureError> {
        if self.observer().take_break() {
            Err(CurvatureError::Stopped)
        } else {
            Ok(())
        }
    }

    /// Reports a step of a method to the observer.
    pub(super) fn report(&self, step: &Step) -> ControlFlow<()> {
        self.observer().report_step(step)
    }
}

/// The error for products that are not finite, with the batch and the operation if they were found.
pub(super) fn non_finite(found: Option<(usize, String)>) -> CurvatureError {
    let (batch, operation) = found.unwrap_or_else(|| (0, "in the sum over batches".into()));
    CurvatureError::NonFiniteProduct { batch, operation }
}

/// Workers share it.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Spread<'static>>();
    is_send_and_sync::<BatchSum<'static>>();
};
