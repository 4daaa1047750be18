use std::ops::ControlFlow;

use burn::module::Module;
use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use super::forces::Forces;
use super::free_points::FreePoints;
use super::{Curve, ElasticBandConfig, PathError, PolygonalChain};
use crate::loss::{Lift, LossError, Progress, Risk, Work, each};
use crate::optim::{ClosureStep, SkipReason};
use crate::writing::number;

/// A relaxed band, the result of an [`ElasticBandConfig`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ElasticBand<C = ()> {
    /// The pivots, as a path. It is not in the JSON; read a band back as `ElasticBand<()>`.
    #[serde(skip)]
    pub chain: C,
    /// Steps taken, in all cycles.
    pub num_steps: usize,
    /// The losses of the inner pivots before the last step, on its batch.
    #[serde(with = "number")]
    pub losses: Vec<f64>,
    /// Number of inner pivots in each finished cycle; empty for a single cycle.
    pub num_pivots: Vec<usize>,
    /// The largest loss found on the band after each of these cycles, on all data.
    #[serde(with = "number")]
    pub max_losses: Vec<f64>,
    /// Converged if no segment needs another pivot; at the limit if one does after the last cycle or with the most
    /// pivots allowed; stopped by the observer. `None` for a single cycle that took all its steps, because it does not
    /// look for segments that need a pivot.
    pub outcome: Option<Outcome>,
}

impl<M: Module> ElasticBand<PolygonalChain<M>> {
    pub(super) fn new(chain: PolygonalChain<M>) -> Self {
        Self {
            chain,
            num_steps: 0,
            losses: Vec::new(),
            num_pivots: Vec::new(),
            max_losses: Vec::new(),
            outcome: Some(Outcome::Stopped),
        }
    }

    /// Moves the inner pivots; false if the observer stopped it.
    pub(super) fn relax<K>(
        &mut self,
        config: &ElasticBandConfig,
        risk: &Risk<'_, M, K>,
        optimizer: impl ClosureStep,
    ) -> Result<bool, PathError> {
        let points = self.chain.control_points();
        if points.inner().is_empty() {
            return Err(PathError::NothingToFit);
        }
        let (first, inner) = (points.first(), points.inner());
        let mut free = FreePoints::new(first, inner, config.mode, optimizer, &config.rate)?;
        let forces = Forces {
            spring: config.spring,
            ends: [
                &points.vectors()[0],
                &points.vectors()[points.inner().len() + 1],
            ],
        };
        let lift = Lift::for_gradients(&free.space.template);
        let device = free.space.point.device().clone();
        let mut num_steps = 0;
        let mut is_stopped = false;
        while num_steps < config.steps && !is_stopped {
            let before = num_steps;
            each(&**risk.source(), |_, batch| {
                let _draws = risk.draws().of_step(&device, num_steps)?;
                let loss = |model: &M| batch.loss(model, lift, risk.reduction());
                // The losses at the weights, which the optimizer visits first.
                let mut losses: Option<Vec<f64>> = None;
                let report = free.step(|space, models| {
                    let (own, loss, gradients) = forces.evaluate(space, models, &loss)?;
                    losses.get_or_insert(own);
                    Ok((loss, gradients))
                })?;
                self.losses = losses.unwrap_or_default();
                if report.skipped == Some(SkipReason::NonFinite) {
                    let mut losses = self.losses.iter().copied().enumerate();
                    let (index, value) = losses
                        .find(|(_, loss)| !loss.is_finite())
                        .unwrap_or((0, f64::NAN));
                    return Err(PathError::NonFinite {
                        what: "the loss of a pivot or its gradient".to_string(),
                        t: (index + 1) as f64 / (inner.len() + 1) as f64,
                        batch: num_steps - before,
                        value,
                    });
                }
                num_steps += 1;
                let progress = Progress::new(Work::Step, num_steps).of(config.steps);
                is_stopped = risk.report(progress.value(report.loss)).is_break();
                Ok::<_, PathError>(if is_stopped || num_steps == config.steps {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
            if num_steps == before {
                return Err(LossError::EmptyData.into());
            }
        }
        let points = points.with_inner(free.vectors()?)?;
        self.chain = self.chain.with_control_points(points);
        self.num_steps += num_steps;
        Ok(!is_stopped)
    }
}
