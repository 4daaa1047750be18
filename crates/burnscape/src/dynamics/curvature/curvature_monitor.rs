use burn::module::Module;
use burn::optim::OptimizerRecord;
use burnscape_krylov::{
    EigenMethod, Eigenpairs, EigenpairsConfig, Estimate, KrylovFault, LinearOperator, Probe,
    SelfAdjoint, Which,
};

use super::kept_programs::KeptPrograms;
use super::{CurvatureMonitorConfig, CurvatureMonitorState, CurvatureReading};
use crate::curvature::{CurvatureError, Hessian};
use crate::dynamics::edges::refuse_preconditioner;
use crate::dynamics::{DynamicsError, Moment, Monitor};
use crate::loss::{Draws, Risk};
use crate::range::ensure;
use crate::space::{ParamSpace, ParamVector, mix};

/// The most Ritz vectors that the next measurement starts from: the first two, and those whose value is within this
/// fraction of the first. Eigenvalues cluster at the edge of stability; one starting vector for each separates them
/// at once.
const TRACKED: usize = 5;
const CLUSTER: f64 = 0.15;

/// Follows the sharpness of the loss along a training run, and its distance from instability.
///
/// Each measurement finds `λ_max` of the Hessian over the data of the risk by
/// [Davidson's method](crate::krylov::EigenMethod::Davidson), starting from the Ritz vectors of the measurement
/// before: if the weights moved little, so did the eigenvectors. A random vector and its product are added, so that
/// the search also finds a direction that has become the largest. It ends when the residual is small
/// enough, or after `max_warm_matvecs` products (`max_matvecs` without starting vectors); the next measurement
/// continues from there.
///
/// Full-batch gradient descent drives `λ_max` up to `2/lr`, where it stays: the *edge of stability*. Other optimizers have
/// [other edges](crate::dynamics::EdgeRule); [`edge_ratio`](CurvatureReading::edge_ratio) is 1 at the edge of the
/// [optimizer](CurvatureMonitorConfig::optimizer) that the monitor watches. For one that preconditions the gradient (Adam,
/// RMSProp, AdaGrad) the edge is one of the *preconditioned* sharpness, the largest eigenvalue of `P^{-½} H P^{-½}`. The
/// monitor searches for it in the same way, with `P` from the optimizer's record: pass the optimizer with
/// [`Moment::with_optimizer`]. On minibatches the sharpness of the whole data mostly stays below the edge, so a
/// single minibatch answers a different question than the whole data set.
///
/// # Cost
///
/// A measurement makes a [`Hessian`]: one gradient over the data and one forward pass of the first batch, as
/// [`Hessian::at`] does. It traces the loss only where the programs of the measurement before do not fit: at first, for
/// batches of other shapes, another risk or another structure of the model, and where the loss of the program differs
/// from that of the closure. Batches that are more than tensors are traced every time. The search takes up to
/// `max_warm_matvecs` products, 12 by default, and each probe of the trace one more. On a network of 3,500
/// parameters, measured at every step, the search took 4 to 12 products, 6.8 on average; at the edge of stability,
/// every 51 steps, 5 to 11. From a random vector it took 12.2 on average and up to 33.
///
/// Twelve products are not enough if the weights move far between measurements, as in the first tens of steps: the
/// reading then reports that it has not converged. Over six seeds such readings were off by at most 7e-4 on
/// minibatches at every step, by 8e-3 on full batches with ten times the rate, and by up to 9e-2 if only
/// every fifth step was measured. Without that limit the searches took up to 24 products there.
///
/// The first measurement also [checks](Risk::with_checks) the operator, for two more products and a
/// gradient, unless the checks of the risk are off. Each product has a handful of host synchronizations. Memory: the Hessian's
/// residuals, and twice as many vectors as products (up to twice that while the basis grows); five vectors and the
/// programs between measurements. A preconditioned optimizer takes a second search, and a download of its state.
///
/// [`cost`](crate::dynamics::Reading::cost) counts gradients and products, without the forward pass of the first batch.
///
/// # Limitations
///
/// A residual shows that *some* eigenvalue is near, not that it is the largest. In the worst case tried, about one
/// measurement in ten missed an eigenvalue that became the largest since the measurement before; the next one found
/// it. After [`forget`](Self::forget), the next measurement searches without starting vectors.
///
/// # Errors
///
/// Those of [`Hessian`], in particular for data or a loss that are not finite; [`DynamicsError::OutOfRange`] for a rate that
/// is negative or not finite; [`DynamicsError::MissingOptimizer`] and [`DynamicsError::OtherOptimizer`] where the edge
/// needs a state that the moment does not have. A failed measurement does not change the monitor.
///
/// # Reproducibility
///
/// The seed and the number of earlier measurements determine every random vector. If the risk freezes the random
/// numbers of its loss ([`Risk::with_draws_seed`]), every measurement has different ones, a function of that seed and
/// of the number of earlier measurements; a measurement takes one draw of two numbers from the training's generator.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{CurvatureMonitorConfig, Due, EdgeRule, Moment, Watch};
/// use burnscape::loss::Risk;
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let data = [Tensor::<2>::ones([8, 2], &device)];
///
/// let config = SgdConfig::new();
/// let monitor = CurvatureMonitorConfig::new().with_optimizer(EdgeRule::of(&config)?).init()?;
/// let mut watch = Watch::new(Due::Every(5), monitor, Risk::new(&loss, &data))?;
/// let mut sgd = config.init();
/// for step in 0..10 {
///     if let Some(seen) = watch.observe(&Moment::new(step, 0.1, &model))? {
///         // L = (w₁ + w₂ + b)², whose Hessian is 2 times a matrix of ones.
///         assert!((seen.reading.sharpness - 6.0).abs() < 1e-4);
///         // The edge is 2/0.1.
///         assert!(seen.reading.edge_ratio.is_some_and(|ratio| (ratio - 0.3).abs() < 1e-5));
///     }
///     let gradients = GradientsParams::from_grads(loss(&model, data[0].clone()).backward(), &model);
///     model = sgd.step(0.1, model, gradients);
/// }
/// assert_eq!(watch.readings().len(), 2);
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
///
/// # References
///
/// Cohen, Kaur, Li, Kolter, Talwalkar 2021, *Gradient Descent on Neural Networks Typically Occurs at the
/// Edge of Stability*, arXiv:2103.00065; Cohen et al. 2022, *Adaptive Gradient Methods at the Edge of Stability*,
/// arXiv:2207.14484.
#[derive(Debug, Clone)]
pub struct CurvatureMonitor {
    config: CurvatureMonitorConfig,
    num_measurements: usize,
    known: Known,
    preconditioned: Known,
    programs: KeptPrograms,
}

/// The vectors that the next search starts from.
#[derive(Debug, Clone)]
enum Known {
    /// From a record; the next measurement provides their space.
    Read(Vec<Vec<f64>>),
    Found(Vec<ParamVector>),
}

/// The work that making a Hessian took.
#[derive(Clone, Copy)]
struct Spent {
    num_gradients: usize,
    num_matvecs: usize,
}

impl CurvatureMonitor {
    pub(super) fn new(config: CurvatureMonitorConfig) -> Self {
        Self {
            config,
            num_measurements: 0,
            known: Known::none(),
            preconditioned: Known::none(),
            programs: KeptPrograms::default(),
        }
    }

    /// As [`measure`](Monitor::measure), with your own Hessian: of a block of the parameters, with
    /// another residual budget, or observed. The work of its construction is not counted.
    ///
    /// # Errors
    ///
    /// As [`CurvatureMonitor`] states, and [`DynamicsError::Space`] if its parameters are not those of
    /// the measurements before.
    pub fn measure_hessian<M>(
        &mut self,
        hessian: &Hessian<'_>,
        moment: &Moment<'_, M>,
    ) -> Result<CurvatureReading, DynamicsError> {
        let record = self.optimizer_record(moment)?;
        let spent = Spent {
            num_gradients: 0,
            num_matvecs: 0,
        };
        self.read(hessian, record, moment, spent)
    }

    /// What the preconditioner is made of. It also refuses a moment that cannot be measured, before there is work.
    fn optimizer_record<M>(
        &self,
        moment: &Moment<'_, M>,
    ) -> Result<Option<OptimizerRecord>, DynamicsError> {
        ensure("lr", moment.lr, 0.0..)?;
        let rule = &self.config.optimizer;
        if !rule.is_preconditioned() {
            // Once: to read the state costs a download.
            if rule.is_known()
                && self.num_measurements == 0
                && let Some(record) = moment.optimizer_record()?
            {
                refuse_preconditioner(record)?;
            }
            return Ok(None);
        }
        let record = moment.optimizer_record()?;
        record.ok_or(DynamicsError::MissingOptimizer).map(Some)
    }

    fn read<M>(
        &mut self,
        hessian: &Hessian<'_>,
        record: Option<OptimizerRecord>,
        moment: &Moment<'_, M>,
        spent: Spent,
    ) -> Result<CurvatureReading, DynamicsError> {
        let finite = |what: &'static str, value: f64| {
            if value.is_finite() {
                Ok(value)
            } else {
                let step = moment.step;
                Err(DynamicsError::NonFinite { what, step, value })
            }
        };
        let gradient_norm = hessian.gradient()?.norm()?;
        let gradient_norm = finite("the norm of the gradient", gradient_norm)?;
        let (space, rule) = (hessian.space(), &self.config.optimizer);
        let preconditioner = record
            .map(|record| rule.preconditioner(record, space))
            .transpose()?
            .flatten();

        let top = self.search(hessian, &self.known.vectors(space)?)?;
        let preconditioned = preconditioner
            .as_ref()
            .map(|preconditioner| {
                let scaled = preconditioner.scaled(hessian)?;
                self.search(&scaled, &self.preconditioned.vectors(space)?)
            })
            .transpose()?;
        let trace = self.trace(hessian)?;
        if let Some(trace) = &trace {
            finite("the trace of the Hessian", trace.value)?;
        }

        let edge = match &preconditioner {
            Some(preconditioner) => preconditioner.edge(moment.lr),
            None if rule.is_preconditioned() => None,
            None => rule.edge(moment.lr, gradient_norm),
        };
        let compared = preconditioned.as_ref().unwrap_or(&top);
        let reading = CurvatureReading {
            loss: hessian.loss(),
            gradient_norm,
            sharpness: top.value,
            residual: top.residual,
            outcome: if top.found.outcome.is_converged() {
                compared.found.outcome
            } else {
                top.found.outcome
            },
            edge,
            edge_ratio: edge.map(|edge| compared.value / edge),
            preconditioned_sharpness: preconditioned.as_ref().map(|top| top.value),
            preconditioned_residual: preconditioned.as_ref().map(|top| top.residual),
            trace: trace.map(|trace| trace.value),
            trace_standard_error: trace.and_then(|trace| trace.standard_error),
            num_matvecs: spent.num_matvecs
                + top.found.num_matvecs
                + preconditioned
                    .as_ref()
                    .map_or(0, |top| top.found.num_matvecs)
                + self.config.num_probes,
            num_gradients: spent.num_gradients,
        };
        self.known = Known::Found(top.tracked());
        if let Some(top) = preconditioned {
            self.preconditioned = Known::Found(top.tracked());
        }
        self.num_measurements += 1;
        Ok(reading)
    }

    /// The top eigenpair, from the vectors of the measurement before if there are any.
    fn search<A>(&self, operator: &A, known: &[ParamVector]) -> Result<Top, DynamicsError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>,
    {
        let CurvatureMonitorConfig {
            tolerance,
            max_matvecs,
            max_warm_matvecs,
            seed,
            ..
        } = self.config;
        let most = if known.is_empty() {
            max_matvecs
        } else {
            max_matvecs.min(max_warm_matvecs)
        };
        let search = EigenpairsConfig::new(1, Which::Largest)
            .with_method(EigenMethod::Davidson)
            .with_extra(TRACKED - 1)
            .with_tolerance(tolerance)
            .with_max_matvecs(most)
            .with_seed(mix(seed, self.num_measurements as u64));
        let found = search.run_from(operator, known)?;
        match (found.values.first(), found.residuals.first()) {
            (Some(&value), Some(&residual)) => Ok(Top {
                value,
                residual,
                found,
            }),
            _ => Err(CurvatureError::from(KrylovFault::NonFinite { product: 0 }).into()),
        }
    }

    /// Hutchinson's estimate.
    fn trace(&self, hessian: &Hessian<'_>) -> Result<Option<Estimate>, DynamicsError> {
        let probes = (0..self.config.num_probes as u64).map(|index| {
            Probe::Rademacher.draw::<ParamVector>(hessian.space(), self.config.seed, index)
        });
        let probes = probes.collect::<Result<Vec<_>, _>>()?;
        if probes.is_empty() {
            return Ok(None);
        }
        let products = hessian.matmat(&probes)?;
        let samples = probes.iter().zip(&products);
        let samples = samples.map(|(probe, product)| probe.dot(product));
        Ok(Some(Estimate::of(&samples.collect::<Result<Vec<_>, _>>()?)))
    }

    /// Drops the eigenvectors and the programs: the next measurement starts from a random vector, and may be of another
    /// model.
    pub fn forget(&mut self) {
        self.known = Known::none();
        self.preconditioned = Known::none();
        self.programs = KeptPrograms::default();
    }
}

impl<M: Module, K> Monitor<M, K> for CurvatureMonitor {
    type Reading = CurvatureReading;
    type State = CurvatureMonitorState;

    fn name(&self) -> &'static str {
        "curvature"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<CurvatureReading, DynamicsError> {
        let record = self.optimizer_record(moment)?;
        let checks = risk.has_checks() && self.num_measurements == 0;
        let mut risk = risk.whole().with_checks(checks);
        if let Draws::Seeded(seed) = risk.draws() {
            risk = risk.with_draws_seed(mix(seed, self.num_measurements as u64));
        }
        let kept = self.programs.take();
        let hessian = Hessian::with_kept(&risk, moment.model, kept)?;
        let spent = Spent {
            num_gradients: 1 + usize::from(checks),
            num_matvecs: if checks { 2 } else { 0 },
        };
        let reading = self.read(&hessian, record, moment, spent)?;
        self.programs
            .put(hessian.into_kept(), risk.source().shares_traces());
        Ok(reading)
    }

    /// Transfers the vectors that the next measurement starts from to the host.
    fn to_state(&self) -> Result<CurvatureMonitorState, DynamicsError> {
        Ok(CurvatureMonitorState {
            vectors: self.known.to_host()?,
            preconditioned_vectors: self.preconditioned.to_host()?,
            num_measurements: self.num_measurements,
        })
    }

    /// A state of another model is refused by the next measurement.
    fn load_state(&mut self, state: CurvatureMonitorState) -> Result<(), DynamicsError> {
        self.known = Known::Read(state.vectors);
        self.preconditioned = Known::Read(state.preconditioned_vectors);
        self.num_measurements = state.num_measurements;
        Ok(())
    }
}

/// The top eigenpair and its neighbors.
struct Top {
    value: f64,
    residual: f64,
    found: Eigenpairs<ParamVector>,
}

impl Top {
    /// The vectors that the next search starts from.
    fn tracked(self) -> Vec<ParamVector> {
        let nearest = self.value - CLUSTER * self.value.abs();
        let pairs = self.found.values.iter().zip(self.found.vectors).enumerate();
        let tracked = pairs.filter(|(index, (value, _))| *index < 2 || **value >= nearest);
        tracked.map(|(_, (_, vector))| vector).collect()
    }
}

impl Known {
    fn none() -> Self {
        Self::Found(Vec::new())
    }

    fn vectors(&self, space: &ParamSpace) -> Result<Vec<ParamVector>, DynamicsError> {
        match self {
            Self::Found(vectors) => {
                if let Some(first) = vectors.first() {
                    first.space().check_same(space)?;
                }
                Ok(vectors.clone())
            }
            Self::Read(vectors) => {
                let vectors = vectors.iter();
                let vectors = vectors.map(|values| ParamVector::from_host(space, values));
                Ok(vectors.collect::<Result<_, _>>()?)
            }
        }
    }

    fn to_host(&self) -> Result<Vec<Vec<f64>>, DynamicsError> {
        match self {
            Self::Read(vectors) => Ok(vectors.clone()),
            Self::Found(vectors) => {
                let vectors = vectors.iter().map(ParamVector::to_host);
                Ok(vectors.collect::<Result<_, _>>()?)
            }
        }
    }
}
