use std::ops::ControlFlow;

use burn::config::Config;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Tensor;

use super::error::{check_no_group, check_range};
use super::{Curve, PathError, PolygonalChain};
use crate::loss::scalar::{called, gradients};
use crate::loss::{Lift, LossError, Mode, Progress, Risk, Work, each};
use crate::optim::{ClosureStep, Evaluation, IntoEvaluation, SkipReason};
use crate::space::{LeafVector, ParamSpace, Wide, copy_for_gradients, renamed_copy};

/// How a band of pivots is relaxed.
///
/// # Defaults
///
/// A spring constant of 1, which is ours: forces along the band only keep the pivots apart, and do
/// not decide where the band comes to lie.
#[derive(Config, Debug)]
pub struct BandConfig {
    /// Steps; each moves all inner pivots.
    #[config(default = 1000)]
    pub steps: usize,
    /// Stiffness of the springs between pivots: the force along the band is this times the difference
    /// of the distances to both neighbors. In units of loss per squared parameter.
    #[config(default = 1.0)]
    pub spring: f64,
    /// Moves the inner pivots off the line before the first step, by this fraction of the distance
    /// of the ends; see [`ControlPoints::offset`](super::ControlPoints::offset).
    #[config(default = 0.0)]
    pub offset: f64,
    /// Seed of the offset.
    #[config(default = 0)]
    pub seed: u64,
    /// What the model does in the loss while pivots move, whatever the mode of the risk.
    #[config(default = "Mode::Train")]
    pub mode: Mode,
}

/// A relaxed band.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Band<M> {
    /// The pivots, as a path.
    pub chain: PolygonalChain<M>,
    /// Steps taken.
    pub steps: usize,
    /// The losses of the inner pivots before the last step, on its batch.
    pub losses: Vec<f64>,
    /// False if the observer stopped the band.
    pub completed: bool,
}

/// Relaxes a chain by the nudged elastic band: each inner pivot goes down the part of the gradient
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
/// # Errors
///
/// [`PathError::NothingToFit`] for a chain without a bend, [`PathError::Degenerate`] for pivots that
/// coincide, [`PathError::Group`] for a risk with a group, [`PathError::NonFinite`] with the place of a pivot's loss, [`PathError::OutOfRange`], and
/// those of the loss and the optimizer.
///
/// # Reproducibility
///
/// The offset is drawn by its seed. Random numbers of the loss in a step are a function of the risk's
/// [draws seed](Risk::with_draws_seed) and of the number of the step; without a seed they come from the
/// device's stream, as in training.
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
/// use burnscape::path::{BandConfig, PolygonalChain, nudged_elastic_band};
///
/// let device = Device::default().autodiff();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data = [Tensor::<2>::ones([8, 2], &device)];
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let chain = PolygonalChain::between(&a, &b, 3)?;
/// let config = BandConfig::new().with_steps(50);
/// let sgd = SgdConfig::new().init();
/// let band = nudged_elastic_band(&Risk::new(&loss, &data), &chain, sgd, 0.1, &config)?;
/// assert_eq!(band.losses.len(), 3);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
pub fn nudged_elastic_band<M: Module, K>(
    risk: &Risk<'_, M, K>,
    chain: &PolygonalChain<M>,
    mut optimizer: impl ClosureStep,
    scheduler: impl Into<ModuleLrScheduler>,
    config: &BandConfig,
) -> Result<Band<M>, PathError> {
    check_no_group("a band", risk)?;
    check_range("the spring constant", config.spring, "zero or more", |x| {
        x >= 0.0
    })?;
    let points = chain.control_points().offset(config.offset, config.seed)?;
    if points.inner().is_empty() {
        return Err(PathError::NothingToFit);
    }
    let template = copy_for_gradients(points.first(), config.mode == Mode::Train);
    let space = ParamSpace::of(&template)?;
    let free = points
        .inner()
        .iter()
        .enumerate()
        .map(|(index, vector)| Ok(renamed_copy(&vector.apply_to(&template)?, index as u64)));
    let mut free = free.collect::<Result<Vec<M>, PathError>>()?;
    let forces = Forces {
        spring: config.spring,
        ends: [
            points.vectors()[0].clone(),
            points.vectors()[points.vectors().len() - 1].clone(),
        ],
        template: &template,
        space: &space,
        free_space: &ParamSpace::of(&free)?,
    };
    let mut scheduler = scheduler.into();
    let mut band = Band {
        chain: chain.clone(),
        steps: 0,
        losses: Vec::new(),
        completed: config.steps == 0,
    };
    let lift = Lift::for_gradients(&template);
    while band.steps < config.steps {
        let before = band.steps;
        let completed = each(&**risk.source(), |_, batch| {
            let _draws = risk.draws().of_step(space.device(), band.steps)?;
            let loss = |model: &M| batch.loss(model, lift, risk.reduction());
            // The pivots' losses at the weights, which the optimizer visits first.
            let mut losses: Option<Vec<f64>> = None;
            let report = optimizer.closure_step(scheduler.step(), &mut free, |free: &Vec<M>| {
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
                    batch: band.steps - before,
                    value,
                });
            }
            band.steps += 1;
            band.losses.clone_from(&losses);
            let progress = Progress::new(Work::Step, band.steps).of(config.steps);
            let is_stopped = risk.report(progress.value(report.loss)).is_break();
            band.completed = band.steps == config.steps && !is_stopped;
            Ok::<_, PathError>(match is_stopped || band.steps == config.steps {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        if !completed {
            break;
        }
        if band.steps == before {
            return Err(LossError::EmptyData.into());
        }
    }
    let pivots = LeafVector::from_module(forces.free_space, &free)?.split_into(&space);
    band.chain = PolygonalChain::from_points(points.with_inner(pivots)?);
    Ok(band)
}

/// Losses and forces, or why there are none.
struct Evaluated(Result<(Tensor<1>, GradientsParams), LossError>);

impl IntoEvaluation for Evaluated {
    fn into_evaluation<M: Module>(self, model: &M) -> Result<Evaluation, LossError> {
        self.0?.into_evaluation(model)
    }
}

struct Forces<'a, M> {
    spring: f64,
    ends: [LeafVector; 2],
    template: &'a M,
    space: &'a ParamSpace,
    free_space: &'a ParamSpace,
}

impl<M: Module> Forces<'_, M> {
    /// The losses of the inner pivots, their mean, and the negative forces.
    fn evaluate(
        &self,
        free: &Vec<M>,
        loss: &dyn Fn(&M) -> Tensor<1>,
    ) -> Result<(Vec<f64>, Tensor<1>, GradientsParams), LossError> {
        let free = LeafVector::from_module(self.free_space, free)?.split_into(self.space);
        let loss_of = |pivot: &LeafVector| -> Result<(M, Tensor<1>), LossError> {
            let own = LeafVector::concatenated(self.space, [pivot.clone()])?;
            let model = own.apply_to_own(self.template);
            let loss = called(|| loss(&model))?;
            crate::loss::scalar::check_scalar(&loss)?;
            Ok((model, loss))
        };
        let mut losses = vec![loss_of(&self.ends[0])?.1.inner()];
        let mut slopes = Vec::with_capacity(free.len());
        for pivot in &free {
            let (model, loss) = loss_of(pivot)?;
            let gradient = gradients(&loss, &model)?;
            slopes.push(LeafVector::from_gradients(self.space, &gradient)?);
            losses.push(loss.inner());
        }
        losses.push(loss_of(&self.ends[1])?.1.inner());
        let [first, last] = &self.ends;
        let pivots: Vec<&LeafVector> = [first].into_iter().chain(&free).chain([last]).collect();
        let edges = pivots
            .windows(2)
            .map(|pair| pair[1].linear(1.0, -1.0, pair[0]));
        let edges = edges.collect::<Result<Vec<_>, _>>()?;
        // All inner products and losses in one transfer.
        let mut pairs: Vec<(&LeafVector, &LeafVector)> = Vec::new();
        pairs.extend(edges.iter().map(|edge| (edge, edge)));
        for (index, slope) in slopes.iter().enumerate() {
            let (before, after) = (&edges[index], &edges[index + 1]);
            pairs.extend([(before, after), (slope, before), (slope, after)]);
        }
        let (dots, values) = LeafVector::wide_dots(&pairs, &losses)?;
        let squares = &dots[..edges.len()];
        let mut parts = Vec::with_capacity(free.len());
        for (index, slope) in slopes.into_iter().enumerate() {
            let at = edges.len() + 3 * index;
            let around = Around {
                losses: [values[index], values[index + 1], values[index + 2]],
                squares: [squares[index], squares[index + 1]],
                across: dots[at],
                slopes: [dots[at + 1], dots[at + 2]],
            };
            let [before, after] = around.correction(self.spring);
            let part = slope.linear(1.0, before, &edges[index])?;
            parts.push(part.linear(1.0, after, &edges[index + 1])?);
        }
        let gradient = LeafVector::concatenated(self.free_space, parts)?;
        let inner = values[1..values.len() - 1].to_vec();
        let count = inner.len() as f64;
        let mean = losses.iter().skip(1).take(inner.len()).cloned();
        let mean = mean
            .reduce(|x, y| x + y)
            .unwrap_or_else(|| losses[0].clone())
            / count;
        Ok((inner, mean, gradient.into_gradients()))
    }
}

/// All that the force on a pivot needs to know of its surroundings.
struct Around {
    /// Of the pivot before, itself, and the pivot after.
    losses: [f64; 3],
    /// `|e|²` of the edges before and after.
    squares: [Wide; 2],
    /// `⟨e_before, e_after⟩`.
    across: Wide,
    /// `⟨g, e⟩` with both.
    slopes: [Wide; 2],
}

impl Around {
    /// The factors of both edges in `g − ⟨g, τ⟩ τ − k (|e_after| − |e_before|) τ`.
    fn correction(&self, spring: f64) -> [f64; 2] {
        let [x, y] = self.tangent().map(Wide::from);
        let [before, after] = self.squares;
        let mixed = x * y * self.across;
        let square = x * x * before + mixed + mixed + y * y * after;
        if !square.is_positive() {
            return [0.0, 0.0];
        }
        let norm = square.sqrt();
        let along = (x * self.slopes[0] + y * self.slopes[1]) / norm;
        let stretch = after.sqrt() + -before.sqrt();
        let factor = -((along + Wide::from(spring) * stretch) / norm);
        [(x * factor).value(), (y * factor).value()]
    }

    /// The tangent as a combination of both edges (Henkelman and Jónsson 2000, equations 8 to 11).
    fn tangent(&self) -> [f64; 2] {
        let [before, own, after] = self.losses;
        if after > own && own > before {
            return [0.0, 1.0];
        }
        if after < own && own < before {
            return [1.0, 0.0];
        }
        let (up, down) = ((after - own).abs(), (before - own).abs());
        let (large, small) = (up.max(down), up.min(down));
        if large == 0.0 {
            return [1.0, 1.0];
        }
        if after > before {
            [small, large]
        } else {
            [large, small]
        }
    }
}
