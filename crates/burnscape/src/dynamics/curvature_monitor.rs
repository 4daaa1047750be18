use burn::module::Module;
use burnscape_krylov::{
    EigenMethod, EigenpairsConfig, Estimate, KrylovFault, LinearOperator, Probe, Which,
};

use super::{
    CurvatureHistory, CurvatureMonitorConfig, CurvatureMonitorRecord, CurvatureReading,
    DynamicsError, momentum_edge,
};
use crate::curvature::{CurvatureConfig, CurvatureError, Hessian};
use crate::loss::{Draws, Risk};
use crate::optim::Sam;
use crate::range::ensure;
use crate::space::mix;
use crate::space::{ParamSpace, ParamVector};

/// Ritz vectors that the next measurement starts from, at most: the first two, and the others as far
/// as they are in a crowd with the first, within this fraction of it. A crowd is what the edge of
/// stability gathers; one start for each of its eigenvalues separates them at once.
const TRACKED: usize = 5;
const CROWD: f64 = 0.15;

/// Follows the sharpness of the loss along a training run, and how near the run is to instability.
///
/// Each measurement finds `λ_max` of the Hessian over `data` by
/// [Davidson's method](crate::krylov::EigenMethod::Davidson), from the Ritz vectors of the measurement
/// before: weights that moved a little have eigenvectors that did. A random vector and its product join
/// them, so that a direction that overtakes is found. The search goes on until the residual is small
/// enough, or up to `max_warm_products` (`max_matvecs` without starts); the next measurement continues
/// there.
///
/// Gradient descent on a full batch drives `λ_max` up to `2/lr` and then hovers there, the *edge of
/// stability*; [`edge_ratio`](CurvatureReading::edge_ratio) is 1 at that edge. On minibatches the
/// sharpness of the whole data mostly stays below it, so that data of a single minibatch answer another
/// question than those of the whole set.
///
/// # Cost
///
/// A measurement makes a [`Hessian`]: one trace and one gradient over the data. Then come products, and
/// one for each probe of the trace. A measurement that has starts takes at most `max_warm_products`, 12
/// unless set otherwise. On a network of 3,500 parameters measured at every step, 4 to 12, 6.8 in the
/// mean; at the edge of stability, every 51 steps, 5 to 11. A start from a random vector took 12.2 in the
/// mean, and up to 33.
///
/// Twelve are not enough where weights move far between measurements, as in the first tens of steps: the
/// reading then says that it is not converged. Over six seeds such readings were off by 7e-4 at most on
/// minibatches at every step, by 8e-3 on full batches with ten times the rate, and by up to 9e-2 where only
/// every fifth step was measured. Without that limit the searches took up to 24 products there.
///
/// The first measurement also [checks](CurvatureConfig::with_checks) the operator, with two more and a
/// gradient, unless `checks` is off. Each product has a handful of host synchronizations. Memory: the Hessian's residuals, twice as many vectors
/// as products (with room for more, up to as many again), and five between measurements.
///
/// # What can go wrong
///
/// A residual says that *some* eigenvalue is near, not that it is the largest. One that comes from
/// nowhere to the top between two measurements is missed by about one measurement in ten in the worst
/// case tried, and found by the next. [`forget`](Self::forget) makes the next one start anew.
///
/// # Errors
///
/// Those of [`Hessian`], for data or a loss that are not finite in particular; a failed measurement
/// leaves the monitor as it was.
///
/// # Reproducibility
///
/// The seed, and the number of measurements before, decide every random vector. Where the risk freezes what its
/// loss draws ([`Risk::with_draws_seed`]), every measurement has draws of its own, a function of that seed and of
/// the number of measurements before; training is left as it was, but for one draw of two numbers.
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
    history: CurvatureHistory,
    known: Known,
}

/// The vectors that the next measurement starts from.
#[derive(Debug, Clone)]
enum Known {
    /// Those of a record: a space to put them in comes with the next measurement.
    Read(Vec<Vec<f64>>),
    Found(Vec<ParamVector>),
}

impl CurvatureMonitor {
    pub(super) fn new(config: CurvatureMonitorConfig) -> Self {
        Self {
            config,
            history: CurvatureHistory::default(),
            known: Known::Found(Vec::new()),
        }
    }

    /// Restores a record of a monitor with the same settings: the next reading is that monitor's, bit for bit, given
    /// the record's bits. Whether the record fits the model shows in that reading.
    #[must_use]
    pub fn resume(mut self, record: CurvatureMonitorRecord) -> Self {
        self.history = record.history;
        self.known = Known::Read(record.vectors);
        self
    }

    /// The settings.
    pub fn config(&self) -> &CurvatureMonitorConfig {
        &self.config
    }

    /// The readings so far.
    pub fn history(&self) -> &CurvatureHistory {
        &self.history
    }

    /// Whether [`observe`](Self::observe) measures at `step`.
    pub fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.config.every)
    }

    /// [`measure`](Self::measure) at the steps that `every` divides, nothing at others.
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
        let checks = self.config.checks && self.history.is_empty();
        let config = CurvatureConfig::new().with_checks(checks);
        let hessian = match risk.draws() {
            Draws::Seeded(seed) => {
                let seed = mix(seed, self.history.len() as u64);
                config.hessian(&risk.whole().with_draws_seed(seed), model)?
            }
            _ => config.hessian(risk, model)?,
        };
        let checked = if checks { 2 } else { 0 };
        self.record(step, lr, &hessian, checked)
    }

    /// As [`measure`](Self::measure), with a Hessian that you made: a block of the parameters,
    /// another residual budget, an observer. Products that its construction took are not counted.
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
            max_warm_products,
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
            max_matvecs.min(max_warm_products)
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
            products: checked + found.num_matvecs + self.config.trace_probes,
        };
        let nearest = sharpness - CROWD * sharpness.abs();
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
        let probes = (0..self.config.trace_probes as u64).map(|index| {
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

    /// Drops the eigenvectors: the next measurement starts from a random vector, and may be of
    /// another model. The history stays.
    pub fn forget(&mut self) {
        self.known = Known::Found(Vec::new());
    }

    /// The state of the monitor, for [`resume`](Self::resume).
    ///
    /// # Cost
    ///
    /// The vectors that the next measurement starts from come to the host, five at most.
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
