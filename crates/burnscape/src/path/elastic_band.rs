use std::ops::ControlFlow;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use serde::{Deserialize, Serialize};

use super::error::check_no_group;
use super::evaluated::Evaluated;
use super::forces::Forces;
use super::rate::Rate;
use super::{Curve, PathError, PolygonalChain};
use crate::loss::{Lift, LossError, Mode, Progress, Risk, Work, each};
use crate::optim::{ClosureStep, SkipReason};
use crate::range::ensure;
use crate::space::{LeafVector, ParamSpace, copy_for_gradients, renamed_copy};
use crate::writing::number;

/// A relaxation of a chain by the nudged elastic band: each inner pivot goes down the part of the gradient
/// that is across the band, and springs along it keep the pivots apart:
///
/// `F_i = −(g_i − ⟨g_i, τ⟩ τ) + k (|p_{i+1} − p_i| − |p_i − p_{i−1}|) τ`.
///
/// The tangent `τ` points to the neighbor of higher loss, and mixes both at an extremum. All pivots
/// see the same batch in a step; batches follow each other as the data give them, again and again.
///
/// # Cost
///
/// A step takes one gradient for each inner pivot, and two host synchronizations. Memory: pivots,
/// their gradients, the vectors between them, and one model.
///
/// # Reproducibility
///
/// The offset is drawn by its seed. Random numbers of the loss in a step are a function of the risk's
/// [draws seed](Risk::with_draws_seed) and of the number of the step; without a seed they come from the
/// device's stream, as in training.
///
/// # Defaults
///
/// 1000 steps, and a spring constant of 1, which is ours: forces along the band only keep the pivots apart, and do
/// not decide where the band comes to lie. No offset, seed 0.
///
/// # References
///
/// Henkelman, Jónsson 2000, *Improved tangent estimate in the nudged elastic band method for finding
/// minimum energy paths and saddle points*, J. Chem. Phys. 113, 9978; Draxler, Veschgini, Salmhofer,
/// Hamprecht 2018, *Essentially No Barriers in Neural Network Energy Landscape*, arXiv:1803.00885.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{ElasticBandConfig, PolygonalChain};
///
/// let device = Device::default().autodiff();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data = [Tensor::<2>::ones([8, 2], &device)];
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let chain = PolygonalChain::between(&a, &b, 3)?;
/// let config = ElasticBandConfig::new(0.1).with_steps(50);
/// let band = config.run(&Risk::new(&loss, &data), &chain, SgdConfig::new().init())?;
/// assert_eq!(band.losses.len(), 3);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ElasticBandConfig {
    rate: Rate,
    steps: usize,
    spring: f64,
    offset: f64,
    seed: u64,
    mode: Mode,
}

/// A relaxed band.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ElasticBand<C = ()> {
    /// The pivots, as a path. It is not in the JSON; read a band back as `ElasticBand<()>`.
    #[serde(skip)]
    pub chain: C,
    /// Steps taken.
    pub num_steps: usize,
    /// The losses of the inner pivots before the last step, on its batch.
    #[serde(with = "number")]
    pub losses: Vec<f64>,
    /// False if the observer stopped the band.
    pub completed: bool,
}

impl ElasticBandConfig {
    /// A band with a learning rate: a number, or any Burn scheduler.
    pub fn new(learning_rate: impl Into<ModuleLrScheduler>) -> Self {
        Self {
            rate: Rate(learning_rate.into()),
            steps: 1000,
            spring: 1.0,
            offset: 0.0,
            seed: 0,
            mode: Mode::Train,
        }
    }

    /// Steps; each moves all inner pivots.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Stiffness of the springs between pivots: the force along the band is this times the difference
    /// of the distances to both neighbors. In units of loss per squared parameter.
    #[must_use]
    pub fn with_spring(mut self, spring: f64) -> Self {
        self.spring = spring;
        self
    }

    /// Moves the inner pivots off the line before the first step, by this fraction of the distance
    /// of the ends; see [`ControlPoints::offset`](super::ControlPoints::offset).
    #[must_use]
    pub fn with_offset(mut self, offset: f64) -> Self {
        self.offset = offset;
        self
    }

    /// Seed of the offset.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The mode of the model in the loss while pivots move, whatever the mode of the risk. [`Mode::Train`] by
    /// default.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Relaxes `chain`. `optimizer` is any Burn optimizer or a [`Sam`](crate::optim::Sam).
    ///
    /// # Errors
    ///
    /// [`PathError::NothingToFit`] for a chain without a bend, [`PathError::Degenerate`] for pivots that
    /// coincide, [`PathError::Group`] for a risk with a group, [`PathError::NonFinite`] with the place of a pivot's loss, [`PathError::OutOfRange`], and
    /// those of the loss and the optimizer.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        chain: &PolygonalChain<M>,
        mut optimizer: impl ClosureStep,
    ) -> Result<ElasticBand<PolygonalChain<M>>, PathError> {
        check_no_group("a band", risk)?;
        ensure("spring", self.spring, 0.0..)?;
        let points = chain.control_points().offset(self.offset, self.seed)?;
        if points.inner().is_empty() {
            return Err(PathError::NothingToFit);
        }
        let template = copy_for_gradients(points.first(), self.mode == Mode::Train);
        let space = ParamSpace::of(&template)?;
        let free =
            points.inner().iter().enumerate().map(|(index, vector)| {
                Ok(renamed_copy(&vector.apply_to(&template)?, index as u64))
            });
        let mut free = free.collect::<Result<Vec<M>, PathError>>()?;
        let forces = Forces {
            spring: self.spring,
            ends: [
                points.vectors()[0].clone(),
                points.vectors()[points.vectors().len() - 1].clone(),
            ],
            template: &template,
            space: &space,
            free_space: &ParamSpace::of(&free)?,
        };
        let mut scheduler = self.rate.0.clone();
        let mut band = ElasticBand {
            chain: chain.clone(),
            num_steps: 0,
            losses: Vec::new(),
            completed: self.steps == 0,
        };
        let lift = Lift::for_gradients(&template);
        while band.num_steps < self.steps {
            let before = band.num_steps;
            let completed = each(&**risk.source(), |_, batch| {
                let _draws = risk.draws().of_step(space.device(), band.num_steps)?;
                let loss = |model: &M| batch.loss(model, lift, risk.reduction());
                // The pivots' losses at the weights, which the optimizer visits first.
                let mut losses: Option<Vec<f64>> = None;
                let report =
                    optimizer.closure_step(scheduler.step(), &mut free, |free: &Vec<M>| {
                        let evaluated = forces.evaluate(free, &loss);
                        if let Ok((own, ..)) = &evaluated {
                            losses.get_or_insert_with(|| own.clone());
                        }
                        Evaluated(evaluated.map(|(_, loss, gradients)| (loss, gradients)))
                    })?;
                let losses = losses.unwrap_or_default();
                if report.skipped == Some(SkipReason::NonFinite) {
                    let (index, value) = losses
                        .iter()
                        .copied()
                        .enumerate()
                        .find(|(_, loss)| !loss.is_finite())
                        .unwrap_or((0, f64::NAN));
                    return Err(PathError::NonFinite {
                        what: "the loss of a pivot or its gradient".to_string(),
                        t: (index + 1) as f64 / (free.len() + 1) as f64,
                        batch: band.num_steps - before,
                        value,
                    });
                }
                band.num_steps += 1;
                band.losses.clone_from(&losses);
                let progress = Progress::new(Work::Step, band.num_steps).of(self.steps);
                let is_stopped = risk.report(progress.value(report.loss)).is_break();
                band.completed = band.num_steps == self.steps && !is_stopped;
                let is_last = is_stopped || band.num_steps == self.steps;
                Ok::<_, PathError>(if is_last {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
            if !completed {
                break;
            }
            if band.num_steps == before {
                return Err(LossError::EmptyData.into());
            }
        }
        let pivots = LeafVector::from_module(forces.free_space, &free)?.split_into(&space);
        band.chain = PolygonalChain::from_points(points.with_inner(pivots)?);
        Ok(band)
    }
}
