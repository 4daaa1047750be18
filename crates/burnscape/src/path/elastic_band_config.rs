use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burnscape_krylov::Outcome;

use super::error::check_no_group;
use super::insertion::{Insertions, with_pivots};
use super::rate::Rate;
use super::{Curve, ElasticBand, PathError, PolygonalChain};
use crate::loss::{Mode, NormalizationPolicy, Risk};
use crate::optim::ClosureStep;
use crate::order_statistics::largest;
use crate::range::{OutOfRange, POSITIVE, ensure};

/// A relaxation of a chain by the nudged elastic band: each inner pivot follows the part of the gradient
/// that is orthogonal to the band, and springs along the band keep the pivots apart:
///
/// `F_i = −(g_i − ⟨g_i, τ⟩ τ) + k (|p_{i+1} − p_i| − |p_i − p_{i−1}|) τ`.
///
/// The tangent `τ` points to the neighbor with the higher loss, and mixes both at an extremum. All pivots
/// see the same batch in a step; the batches of the data repeat in their order.
///
/// With several [cycles](Self::with_cycles) this is the automated nudged elastic band: between relaxations it inserts
/// pivots where the loss is highest above the line between the losses of two pivots. It has converged when no
/// segment needs a pivot.
///
/// # Cost
///
/// A step takes one gradient for each inner pivot, and two host synchronizations. After each of several cycles, there is
/// a forward pass over the data for every place and pivot (and another if statistics are re-estimated). Memory: pivots,
/// their gradients, the vectors between them, and one model.
///
/// Pivots move on the device of the ends. The passes between cycles use all [devices](Risk::with_devices) of the risk.
///
/// # Reproducibility
///
/// Random numbers of the loss in a step are a function of the risk's
/// [draws seed](Risk::with_draws_seed) and the number of the step in its cycle; without a seed they come from the
/// device, as in training.
///
/// # Defaults
///
/// 1000 steps and one cycle. A spring constant of 1, which is ours: forces along the band only keep the pivots apart, and
/// do not determine its position. For several cycles: 30 pivots at most, nine places in each segment, and a threshold
/// of 20 %, after Draxler et al. 2018, who use four cycles that start with three pivots.
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
/// let risk = Risk::new(&loss, &data);
/// let chain = PolygonalChain::between(&a, &b, 3)?;
/// let config = ElasticBandConfig::new(0.1).with_steps(50);
/// let band = config.run(&risk, &chain, SgdConfig::new().init())?;
/// assert_eq!(band.losses.len(), 3);
/// let found = config.with_cycles(4).run(&risk, &chain, SgdConfig::new().init())?;
/// assert_eq!(found.num_pivots[0], 3);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ElasticBandConfig {
    pub(super) rate: Rate,
    pub(super) steps: usize,
    pub(super) spring: f64,
    pub(super) mode: Mode,
    cycles: usize,
    max_pivots: usize,
    insertions: Insertions,
    /// The last setting of insertions that was set; a single cycle has none.
    insertion_setting: Option<&'static str>,
}

impl ElasticBandConfig {
    /// A band with a learning rate: a number, or any Burn scheduler, which starts again in each cycle.
    pub fn new(learning_rate: impl Into<ModuleLrScheduler>) -> Self {
        Self {
            rate: Rate(learning_rate.into()),
            steps: 1000,
            spring: 1.0,
            mode: Mode::Train,
            cycles: 1,
            max_pivots: 30,
            insertions: Insertions {
                places: 9,
                threshold: 0.2,
                policy: NormalizationPolicy::ReestimateAll,
            },
            insertion_setting: None,
        }
    }

    /// Steps of a cycle; each moves all inner pivots.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Stiffness of the springs between pivots: the force along the band is this times the difference
    /// between the distances to both neighbors. In units of loss per squared parameter.
    #[must_use]
    pub fn with_spring(mut self, spring: f64) -> Self {
        self.spring = spring;
        self
    }

    /// The mode of the model in the loss while pivots move, whatever the mode of the risk. [`Mode::Train`] by
    /// default.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The most relaxations; pivots are inserted between them. By default 1: the band keeps its pivots, and the
    /// settings of insertions are refused.
    #[must_use]
    pub fn with_cycles(mut self, cycles: usize) -> Self {
        self.cycles = cycles;
        self
    }

    /// The most inner pivots, after insertions: at least those of the chain.
    #[must_use]
    pub fn with_max_pivots(mut self, max_pivots: usize) -> Self {
        self.max_pivots = max_pivots;
        self.insertion_setting = Some("max_pivots");
        self
    }

    /// Number of places inside each segment at which the loss is measured.
    #[must_use]
    pub fn with_places(mut self, places: usize) -> Self {
        self.insertions.places = places;
        self.insertion_setting = Some("places");
        self
    }

    /// A pivot is inserted where the loss exceeds the line between the segment's ends by more than
    /// this fraction of the difference between the largest and the smallest loss on the band.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.insertions.threshold = threshold;
        self.insertion_setting = Some("threshold");
        self
    }

    /// How running statistics are treated where the loss is measured between cycles.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.insertions.policy = policy;
        self.insertion_setting = Some("policy");
        self
    }

    /// Relaxes `chain`. `optimizer` is any Burn optimizer or a [`Sam`](crate::optim::Sam); every cycle starts with a
    /// copy of it.
    ///
    /// # Errors
    ///
    /// [`PathError::NothingToFit`] for a chain without a bend, [`PathError::Group`] for a risk with a group,
    /// [`PathError::NonFinite`] with the place of a loss that is not finite, [`PathError::OutOfRange`], and
    /// those of the loss and the optimizer.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        chain: &PolygonalChain<M>,
        optimizer: impl ClosureStep + Clone,
    ) -> Result<ElasticBand<PolygonalChain<M>>, PathError> {
        check_no_group("a band", risk)?;
        ensure("spring", self.spring, 0.0..)?;
        ensure("cycles", self.cycles as f64, 1.0..)?;
        if self.cycles == 1
            && let Some(setting) = self.insertion_setting
        {
            let expected =
                format!("2 or more, or leave out `{setting}`: a single cycle inserts no pivots");
            return Err(OutOfRange::new("cycles", 1.0, expected).into());
        }
        let num_pivots = chain.control_points().inner().len();
        if self.cycles > 1 {
            ensure("max_pivots", self.max_pivots as f64, num_pivots as f64..)?;
        }
        ensure("places", self.insertions.places as f64, 1.0..)?;
        ensure("threshold", self.insertions.threshold, POSITIVE)?;
        self.insertions.policy.check()?;
        let mut band = ElasticBand::new(chain.clone());
        for cycle in 1..=self.cycles {
            if !band.relax(self, risk, optimizer.clone())? {
                break;
            }
            if self.cycles == 1 {
                band.outcome = None;
                break;
            }
            let losses = match self.insertions.losses(risk, &band.chain) {
                Err(PathError::Stopped) => break,
                losses => losses?,
            };
            let num_pivots = band.chain.control_points().inner().len();
            band.num_pivots.push(num_pivots);
            band.max_losses
                .push(largest(f64::NEG_INFINITY, losses.iter().copied()));
            let mut places = self.insertions.of(&losses, usize::MAX);
            if places.is_empty() {
                band.outcome = Some(Outcome::Converged);
                break;
            }
            places = self.insertions.of(&losses, self.max_pivots - num_pivots);
            if places.is_empty() || cycle == self.cycles {
                band.outcome = Some(Outcome::LimitReached);
                break;
            }
            band.chain = with_pivots(&band.chain, &places)?;
        }
        Ok(band)
    }
}
