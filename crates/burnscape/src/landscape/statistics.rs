use burn::module::Module;
use burn::tensor::Device;

use super::{Direction, LandscapeError};
use crate::loss::{LossError, NormalizationPolicy, Risk};
use crate::space::{RunningStatistics, SpaceError};

/// How the running statistics of the model at a point are set.
#[derive(Clone)]
pub(super) enum Statistics {
    /// They are those of the model, or there are none.
    Leave,
    /// From a pass over at most this many batches.
    Reestimate(Option<usize>),
    /// They follow the directions that say how.
    Interpolate {
        here: RunningStatistics,
        changes: Vec<Option<RunningStatistics>>,
    },
}

impl Statistics {
    pub(super) fn of<M: Module>(
        policy: NormalizationPolicy,
        model: &M,
        directions: &[Direction],
    ) -> Result<Self, LandscapeError> {
        policy.check()?;
        let here = RunningStatistics::of(model);
        if here.is_empty() {
            return Ok(Self::Leave);
        }
        Ok(match policy {
            NormalizationPolicy::Leave => Self::Leave,
            NormalizationPolicy::ReestimateAll => Self::Reestimate(None),
            NormalizationPolicy::Reestimate(batches) => Self::Reestimate(Some(batches)),
            NormalizationPolicy::Interpolate => Self::interpolated(here, directions)?,
        })
    }

    fn interpolated(
        here: RunningStatistics,
        directions: &[Direction],
    ) -> Result<Self, LandscapeError> {
        let change = |direction: &Direction| {
            let change = direction.statistics();
            change.filter(|change| !change.is_empty()).cloned()
        };
        let changes: Vec<_> = directions.iter().map(change).collect();
        if changes.iter().all(Option::is_none) {
            return Err(LandscapeError::NoStatistics);
        }
        // Statistics of another model are refused before anything is evaluated.
        for change in changes.iter().flatten() {
            drop(here.clone().axpby(1.0, 0.0, change)?);
        }
        Ok(Self::Interpolate { here, changes })
    }

    /// The same on another device.
    pub(super) fn on(self, device: &Device) -> Result<Self, SpaceError> {
        match self {
            Self::Leave | Self::Reestimate(_) => Ok(self),
            Self::Interpolate { here, changes } => {
                let moved = |change: Option<RunningStatistics>| {
                    change.map(|change| change.on(device)).transpose()
                };
                let changes = changes.into_iter().map(moved);
                Ok(Self::Interpolate {
                    here: here.on(device)?,
                    changes: changes.collect::<Result<Vec<_>, SpaceError>>()?,
                })
            }
        }
    }

    /// The model of a center with its statistics, if they are not its own.
    pub(super) fn at_center<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<Option<M>, LandscapeError> {
        match self {
            Self::Leave | Self::Interpolate { .. } => Ok(None),
            Self::Reestimate(batches) => Ok(Some(risk.reestimate(model, *batches)?)),
        }
    }

    /// The moved model, which nothing shares, with its statistics; none if they are not finite.
    pub(super) fn at<M: Module>(
        &self,
        risk: &Risk<'_, M>,
        moved: M,
        coordinates: impl Iterator<Item = f64>,
    ) -> Result<Option<M>, LandscapeError> {
        match self {
            Self::Leave => Ok(Some(moved)),
            Self::Reestimate(batches) => match risk.reestimate(&moved, *batches) {
                // Far from a minimum they may overflow, as the loss may.
                Err(LossError::Statistics { .. }) => Ok(None),
                found => Ok(Some(found?)),
            },
            Self::Interpolate { here, changes } => {
                let mut sum: Option<RunningStatistics> = None;
                for (x, change) in coordinates.zip(changes) {
                    if let Some(change) = change
                        && x != 0.0
                    {
                        let start = sum.unwrap_or_else(|| here.clone());
                        sum = Some(start.axpby(1.0, x, change)?);
                    }
                }
                Ok(Some(match sum {
                    Some(sum) => sum.write_to(moved),
                    None => moved,
                }))
            }
        }
    }
}
