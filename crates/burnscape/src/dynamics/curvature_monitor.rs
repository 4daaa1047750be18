use burn::module::Module;
use burnscape_krylov::{
    EigenMethod, EigenpairsConfig, Estimate, KrylovFault, LinearOperator, Probe, Which,
};

use super::kept_programs::KeptPrograms;
use super::{
    CurvatureMonitorConfig, CurvatureMonitorRecord, CurvatureReading, DynamicsError, momentum_edge,
};
use crate::curvature::{CurvatureError, Hessian};
use crate::loss::{Draws, Risk};
use crate::optim::Sam;
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
/// Full-batch gradient descent drives `λ_max` up to `2/lr`, where it stays: the *edge of
/// stability*. [`edge_ratio`](CurvatureReading::edge_ratio) is 1 at that edge. On minibatches the
/// sharpness of the whole data mostly stays below it, so a single minibatch answers a different
/// question than the whole data set.
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
/// programs between measurements.
///
/// # Limitations
///
/// A residual shows that *some* eigenvalue is near, not that it is the largest. In the worst case tried, about one
/// measurement in ten missed an eigenvalue that became the largest since the measurement before; the next one found
/// it. After [`forget`](Self::forget), the next measurement searches without starting vectors.
///
/// # Errors
///
/// Those of [`Hessian`], in particular for data or a loss that are not finite. A failed measurement does not change
/// the monitor.
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
/// use burnscape::dynamics::CurvatureMonitorConfig;
/// use burnscape::loss::Risk;
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let data = [Tensor::<2>::ones([8, 2], &device)];
///
/// let risk = Risk::new(&loss, &data);
/// let mut sgd = SgdConfig::new().init();
/// let mut monitor = CurvatureMonitorConfig::new(5).init()?;
/// for step in 0..10 {
///     if let Some(reading) = monitor.observe(&risk, &model, step, 0.1)? {
///         // L = (w₁ + w₂ + b)², whose Hessian is 2 times a matrix of ones.
///         assert!((reading.sharpness - 6.0).abs() < 1e-4);
///         assert!((reading.edge_ratio - 0.3).abs() < 1e-5);
///     }
///     let gradients = GradientsParams::from_grads(loss(&model, data[0].clone()).backward(), &model);
///     model = sgd.step(0.1, model, gradients);
/// }
/// assert_eq!(monitor.history().len(), 2);
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
///
/// # References
///
/// Cohen, Kaur, Li, Kolter, Talwalkar 2021, *Gradient Descent on Neural Networks Typically Occurs at the
/// Edge of Stability*, arXiv:2103.00065.
#[derive(Debug, Clone)]
pub struct CurvatureMonitor {
    config: CurvatureMonitorConfig,
    history: Vec<CurvatureReading>,
    known: Known,
    programs: KeptPrograms,
}

/// The vectors that the next measurement starts from.
#[derive(Debug, Clone)]
enum Known {
    /// From a record; the next measurement provides their space.
    Read(Vec<Vec<f64>>),
    Found(Vec<ParamVector>),
}

impl CurvatureMonitor {
    pub(super) fn new(config: CurvatureMonitorConfig) -> Self {
        Self {
            config,
            history: Vec::new(),
            known: Known::Found(Vec::new()),
            programs: KeptPrograms::default(),
        }
    }

    /// Restores a record of a monitor with the same settings. The next reading equals that monitor's, bit for bit, if
    /// the record has kept its bits. A record of another model is refused by the next measurement.
    #[must_use]
    pub fn resume(mut self, record: CurvatureMonitorRecord) -> Self {
        self.history = record.history;
        self.known = Known::Read(record.vectors);
        self
    }

    /// The readings so far, oldest first.
    pub fn history(&self) -> &[CurvatureReading] {
        &self.history
    }

    /// Whether [`observe`](Self::observe) measures at `step`.
    pub fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.config.every)
    }

    /// Measures at multiples of `every`, as [`measure`](Self::measure) does; does nothing at other steps.
    ///
    /// # Errors
    ///
    /// As [`CurvatureMonitor`] states.
    pub fn observe<M: Module, K>(
        &mut self,
        risk: &Risk<'_, M, K>,
        model: &M,
        step: usize,
        lr: f64,
    ) -> Result<Option<CurvatureReading>, DynamicsError> {
        if self.is_due(step) {
            self.measure(risk, model, step, lr).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Measures `risk` at `model`, and appends to the history. `lr` is the rate of the next step.
    ///
    /// # Errors
    ///
    /// As [`CurvatureMonitor`] states, and [`DynamicsError::OutOfRange`] for a rate that is negative or
    /// not finite.
    pub fn measure<M: Module, K>(
        &mut self,
        risk: &Risk<'_, M, K>,
        model: &M,
        step: usize,
        lr: f64,
    ) -> Result<CurvatureReading, DynamicsError> {
        ensure("lr", lr, 0.0..)?;
        let checks = risk.has_checks() && self.history.is_empty();
        let mut risk = risk.whole().with_checks(checks);
        if let Draws::Seeded(seed) = risk.draws() {
            risk = risk.with_draws_seed(mix(seed, self.history.len() as u64));
        }
        let kept = self.programs.take();
        let hessian = Hessian::with_kept(&risk, model, kept)?;
        let checked = if checks { 2 } else { 0 };
        let reading = self.record(step, lr, &hessian, checked)?;
        self.programs
            .put(hessian.into_kept(), risk.source().shares_traces());
        Ok(reading)
    }

    /// As [`measure`](Self::measure), with your own Hessian: of a block of the parameters, with
    /// another residual budget, or observed. The products of its construction are not counted.
    ///
    /// # Errors
    ///
    /// As [`measure`](Self::measure), and [`DynamicsError::Space`] if its parameters are not those of
    /// the measurements before.
    pub fn measure_hessian(
        &mut self,
        hessian: &Hessian<'_>,
        step: usize,
        lr: f64,
    ) -> Result<CurvatureReading, DynamicsError> {
        ensure("lr", lr, 0.0..)?;
        self.record(step, lr, hessian, 0)
    }

    fn record(
        &mut self,
        step: usize,
        lr: f64,
        hessian: &Hessian<'_>,
        checked: usize,
    ) -> Result<CurvatureReading, DynamicsError> {
        let CurvatureMonitorConfig {
            tolerance,
            max_matvecs,
            max_warm_matvecs,
            seed,
            ..
        } = self.config;
        let finite = |what: &'static str, value: f64| {
            if value.is_finite() {
                Ok(value)
            } else {
                Err(DynamicsError::NonFinite { what, step, value })
            }
        };
        let gradient_norm = hessian.gradient()?.norm()?;
        let gradient_norm = finite("the norm of the gradient", gradient_norm)?;
        let known = self.known(hessian.space())?;
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
            .with_seed(mix(seed, self.history.len() as u64));
        let found = search.run_from(hessian, &known)?;
        let (Some(&sharpness), Some(&residual)) = (found.values.first(), found.residuals.first())
        else {
            return Err(CurvatureError::from(KrylovFault::NonFinite { product: 0 }).into());
        };
        let trace = self.trace(hessian)?;
        if let Some(trace) = &trace {
            finite("the trace of the Hessian", trace.value)?;
        }
        let momentum = self.config.momentum.as_ref();
        let reading = CurvatureReading {
            step,
            lr,
            loss: hessian.loss(),
            gradient_norm,
            sharpness,
            residual,
            outcome: found.outcome,
            edge_ratio: sharpness * lr / 2.0,
            gd_edge: (lr > 0.0).then(|| 2.0 / lr),
            momentum_edge: momentum.and_then(|momentum| momentum_edge(momentum, lr)),
            sam_edge: self
                .config
                .rho
                .and_then(|rho| Sam::edge(gradient_norm, rho, lr)),
            trace: trace.map(|trace| trace.value),
            trace_standard_error: trace.and_then(|trace| trace.standard_error),
            num_matvecs: checked + found.num_matvecs + self.config.num_probes,
        };
        let nearest = sharpness - CLUSTER * sharpness.abs();
        let pairs = found.values.iter().zip(found.vectors).enumerate();
        let tracked = pairs.filter(|(index, (value, _))| *index < 2 || **value >= nearest);
        self.known = Known::Found(tracked.map(|(_, (_, vector))| vector).collect());
        self.history.push(reading.clone());
        Ok(reading)
    }

    fn known(&self, space: &ParamSpace) -> Result<Vec<ParamVector>, DynamicsError> {
        match &self.known {
            Known::Found(vectors) => {
                if let Some(first) = vectors.first() {
                    first.space().check_same(space)?;
                }
                Ok(vectors.clone())
            }
            Known::Read(vectors) => {
                let vectors = vectors.iter();
                let vectors = vectors.map(|values| ParamVector::from_host(space, values));
                Ok(vectors.collect::<Result<_, _>>()?)
            }
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

    /// Drops the eigenvectors and the programs, but not the history: the next measurement starts from a random vector,
    /// and may be of another model.
    pub fn forget(&mut self) {
        self.known = Known::Found(Vec::new());
        self.programs = KeptPrograms::default();
    }

    /// The state of the monitor, for [`resume`](Self::resume).
    ///
    /// # Cost
    ///
    /// Transfers the vectors that the next measurement starts from to the host, five at most.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Space`] if the device cannot be read.
    pub fn to_record(&self) -> Result<CurvatureMonitorRecord, DynamicsError> {
        let vectors = match &self.known {
            Known::Read(vectors) => vectors.clone(),
            Known::Found(vectors) => {
                let vectors = vectors.iter().map(ParamVector::to_host);
                vectors.collect::<Result<_, _>>()?
            }
        };
        Ok(CurvatureMonitorRecord {
            history: self.history.clone(),
            vectors,
        })
    }
}
