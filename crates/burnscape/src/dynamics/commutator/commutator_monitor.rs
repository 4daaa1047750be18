use burn::module::Module;
use burnscape_krylov::{EigenpairsConfig, Outcome, Which};

use super::brackets::{Brackets, Unit};
use super::invariant::Invariant;
use super::pairs::Pairs;
use super::{CommutatorConfig, CommutatorDefect};
use crate::curvature::{BatchHessians, CurvatureError};
use crate::dynamics::curvature::KeptPrograms;
use crate::dynamics::{DynamicsError, Moment, Monitor};
use crate::loss::{Draws, Reduction, Risk};
use crate::order_statistics::median;

/// The tolerance of the search for the largest eigenvalue, whose error is far smaller.
const TOLERANCE: f64 = 1e-3;

/// Follows the [commutator](CommutatorConfig) of gradient steps along a training run.
///
/// All measurements are of the same batches. Unless the [checks](Risk::with_checks) of the risk are off, data that are not
/// those of the first measurement, as from a loader that shuffles, are refused
/// ([`LossError::DataChanged`](crate::loss::LossError::DataChanged)). The state is a number per batch.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{CommutatorConfig, Due, Moment, Watch};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(3, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| (m.forward(x) - 1.0).square().mean();
/// let data = [Tensor::<2>::eye(3, &device) * 2.0, Tensor::<2>::ones([3, 3], &device)];
///
/// // Six examples one by one, in pairs.
/// let config = CommutatorConfig::new().with_batch_size(Some(1)).with_num_pairs(3);
/// let mut watch = Watch::new(Due::Every(100), config.init()?, Risk::new(&loss, &data))?;
/// let seen = watch.observe(&Moment::new(0, 0.1, &model))?;
/// assert!(seen.is_some_and(|seen| seen.reading.brackets.len() == 3));
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CommutatorMonitor {
    config: CommutatorConfig,
    /// Hashes of the batches of the first measurement.
    digests: Option<Vec<u64>>,
    programs: KeptPrograms,
}

/// Work in gradients and products of single parts.
#[derive(Default)]
struct Work {
    losses: usize,
    gradients: usize,
    matvecs: usize,
}

impl CommutatorMonitor {
    pub(super) fn new(config: CommutatorConfig) -> Self {
        Self {
            config,
            digests: None,
            programs: KeptPrograms::default(),
        }
    }

    pub(super) fn measure_at<M: Module + 'static, K>(
        &mut self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<CommutatorDefect, DynamicsError> {
        let CommutatorConfig {
            batch_size,
            invariant,
            sharpness,
            ..
        } = self.config;
        let pairs = self.config.pairing().draw(risk, invariant || sharpness)?;
        let chosen = risk.chosen(batch_size, pairs.parts.clone());
        let (mut work, mut digests, mut checks) = (Work::default(), None, false);
        if risk.has_checks() {
            let data = chosen.read_data()?;
            checks = self.digests.is_none();
            if let Some(known) = &self.digests {
                pairs.check_same(known, &data.digests)?;
            } else if invariant {
                work.losses = check_examples(risk, model, pairs.size, data.uneven())?;
            }
            digests = Some(data.digests);
        }
        let chosen = chosen.with_checks(checks);
        let hessians = BatchHessians::with_kept(&chosen, model, self.programs.take())
            .map_err(|error| pairs.located(error))?;
        let passes = 1 + usize::from(checks);
        work.gradients = passes * pairs.parts.len();
        work.matvecs = (2 * passes - 1) * pairs.parts.len();
        let defect = self
            .defect(&hessians, &pairs, risk.reduction(), work)
            .map_err(|error| pairs.located(error))?;
        let shares_traces = risk.source().shares_traces();
        self.programs.put(hessians.into_kept(), shares_traces);
        self.digests = digests.or(self.digests.take());
        Ok(defect)
    }

    fn defect(
        &self,
        hessians: &BatchHessians<'_>,
        pairs: &Pairs,
        reduction: Reduction,
        mut work: Work,
    ) -> Result<CommutatorDefect, CurvatureError> {
        let gradients = Unit::gradients(hessians)?;
        let found = Brackets::of(hessians, &gradients, pairs)?;
        let num_parts = pairs.num_parts;
        let of_examples = || Invariant::of(hessians, &gradients, pairs, reduction);
        let of_examples = self.config.invariant.then(of_examples).transpose()?;
        if of_examples.is_some() {
            work.matvecs += num_parts + num_parts * num_parts;
        }
        let measured = (pairs.size * pairs.parts.len()) as f64;
        // The scale of the mean loss over that of the risk.
        let scale = match reduction {
            Reduction::Mean => 1.0,
            Reduction::Sum => 1.0 / measured,
        };
        let top = self.config.sharpness.then(|| self.sharpness(hessians));
        let top = top.transpose()?;
        work.matvecs += top.map_or(0, |(_, products)| products) * num_parts;
        let sharpness = top.and_then(|(value, _)| Some(scale * value?));
        let bracket = median(&found.brackets);
        Ok(CommutatorDefect {
            bracket,
            relative: median(&found.relatives),
            over_sharpness: bracket
                .zip(sharpness.filter(|sharpness| *sharpness > 0.0))
                .map(|(bracket, sharpness)| bracket / sharpness),
            sharpness,
            invariant: of_examples.as_ref().and_then(|found| found.ratio),
            variance: of_examples.map(|found| found.variance),
            brackets: found.brackets,
            relatives: found.relatives,
            batch_size: pairs.size,
            num_pairs: pairs.pairs.len(),
            loss: scale * hessians.whole().loss(),
            num_losses: work.losses,
            num_gradients: pairs.passes(work.gradients),
            num_matvecs: pairs.passes(work.matvecs),
        })
    }

    /// The largest eigenvalue of the Hessian over all batches, if the search converged, and the products that it took.
    fn sharpness(
        &self,
        hessians: &BatchHessians<'_>,
    ) -> Result<(Option<f64>, usize), CurvatureError> {
        let found = EigenpairsConfig::new(1, Which::Largest)
            .with_tolerance(TOLERANCE)
            .with_seed(self.config.seed)
            .run(hessians.whole())?;
        match found.values.first() {
            Some(&value) if found.outcome != Outcome::Stopped => {
                let value = found.outcome.is_converged().then_some(value);
                Ok((value, found.num_matvecs))
            }
            _ => Err(CurvatureError::Stopped),
        }
    }
}

/// Refuses a loss that is no mean over examples, and returns the forward passes over the data that this took.
fn check_examples<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    size: usize,
    uneven: Option<f64>,
) -> Result<usize, DynamicsError> {
    if let Some(defect) = uneven {
        return Err(DynamicsError::NotExampleMean { defect });
    }
    // Whole batches are compared with their halves.
    let size = match risk.batch_sizes()?.first() {
        Some(&examples) if examples <= size => examples / 2,
        _ => size,
    };
    match risk.check_parts(model, size.max(1))? {
        Some(defect) => Err(DynamicsError::NotExampleMean { defect }),
        // Losses with draws are not compared.
        None if risk.draws() != Draws::Refused => Ok(0),
        None => Ok(2),
    }
}

impl<M: Module + 'static, K> Monitor<M, K> for CommutatorMonitor {
    type Reading = CommutatorDefect;
    type State = Option<Vec<u64>>;

    fn name(&self) -> &'static str {
        "commutator"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<CommutatorDefect, DynamicsError> {
        risk.in_time(moment.model, || self.measure_at(risk, moment.model))
    }

    fn to_state(&self) -> Result<Option<Vec<u64>>, DynamicsError> {
        Ok(self.digests.clone())
    }

    fn load_state(&mut self, state: Option<Vec<u64>>) -> Result<(), DynamicsError> {
        self.digests = state;
        Ok(())
    }
}
