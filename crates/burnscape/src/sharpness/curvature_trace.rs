use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::{Estimate, KrylovError, LinearOperator, Probe, SelfAdjoint, Step};
use serde::Serialize;

use super::SharpnessError;
use super::argument::{check_positive, check_probability, check_products};
use crate::curvature::{CurvatureError, DiagonallyScaled};
use crate::space::{ParamVector, Scale, Wide};

/// The trace and the Frobenius norm of a curvature matrix, in all and by parameter, from one set of
/// products.
///
/// With Rademacher vectors `v` (each coordinate −1 or 1), `vᵀ B v` is an unbiased estimate of `tr B`,
/// its part `v_b · (B v)_b` of the trace of the parameter's diagonal block, and `|B v|²` of `|B|_F²`.
/// `B = C A C` with `C = diag(c)` given by the [`Scale`], so that the trace is
/// `Σ c_i² A_ii`: for [`Scale::ElementRelative`] the scale-adaptive trace
/// `Σ w_i² A_ii`.
///
/// The Frobenius norm is the root of an unbiased estimate, and so a little too small in the mean.
///
/// # Units
///
/// Loss per squared unit of the scale.
///
/// # Cost
///
/// At most `max_products` products and as many host synchronizations, twice; four vectors of
/// parameters.
///
/// # Reproducibility
///
/// Vector `i` is a function of `seed` and `i` only.
///
/// # Defaults
///
/// 64 products, no tolerance, confidence 0.95, absolute: ours, as those of
/// [`krylov::TraceConfig`](burnscape_krylov::TraceConfig), which also has Hutch++.
///
/// # References
///
/// Hutchinson 1990, *A stochastic estimator of the trace of the influence matrix*, Communications in
/// Statistics 19. Yao et al. 2020, *PyHessian*, arXiv:1912.07145 (the trace as a measure).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::CurvatureTraceConfig;
///
/// // A sum of squares has the Hessian 2 I, here of four coordinates. For a diagonal matrix every
/// // sample is exact.
/// let device = Device::default();
/// let model = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// let trace = CurvatureTraceConfig::new().with_max_products(4).measure(&model, &hessian)?;
/// assert!((trace.trace - 8.0).abs() < 1e-5);
/// assert!((trace.frobenius_norm - 4.0).abs() < 1e-5);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct CurvatureTraceConfig {
    /// Products, at most.
    #[config(default = 64)]
    pub max_products: usize,
    /// Ends the run, after 24 products at the earliest, once half the interval of the trace is at
    /// most this times the trace.
    #[config(default = "None")]
    pub tolerance: Option<f64>,
    /// The probability with which intervals cover what they estimate.
    #[config(default = 0.95)]
    pub confidence: f64,
    /// Unit of displacements.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Seed of the vectors.
    #[config(default = 0)]
    pub seed: u64,
}

/// What [`CurvatureTraceConfig::measure`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CurvatureTrace {
    /// The trace.
    pub trace: f64,
    /// Its standard error, from the spread of the products. None after a single one.
    pub standard_error: Option<f64>,
    /// Half the width of the interval that covers the trace with the confidence asked for, by
    /// Student's t with [room for skewness](burnscape_krylov::Estimate::half_width). The draw of the vectors is all that it has to cover, as each sample is unbiased.
    pub half_width: Option<f64>,
    /// The trace of each parameter's block, in visit order.
    pub parameters: Vec<ParameterTrace>,
    /// The Frobenius norm.
    pub frobenius_norm: f64,
    /// Its standard error, to first order: no interval by itself. The law of a sample is skew, and a handful of
    /// them covers less often than it would at a normal law.
    pub frobenius_error: Option<f64>,
    /// Whether the interval came within the tolerance, if one was set: never from fewer than 24 products.
    pub converged: bool,
    /// Products used.
    pub num_products: usize,
    /// The configuration, seed included.
    pub config: CurvatureTraceConfig,
    /// False if the observer stopped the run: the numbers are those of the products made.
    pub completed: bool,
}

/// The trace of the diagonal block of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ParameterTrace {
    /// Path of the parameter.
    pub path: String,
    /// The trace of its block.
    pub trace: f64,
    /// The standard error.
    pub standard_error: Option<f64>,
}

impl CurvatureTraceConfig {
    /// Measures `operator`, with the weights of `model` for the scale.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::BadArgument`], [`SharpnessError::Krylov`] for a product that is not finite,
    /// [`SharpnessError::Overflow`], [`SharpnessError::Curvature`], [`SharpnessError::Space`], also
    /// for a scale that is zero everywhere.
    pub fn measure<M, A>(&self, model: &M, operator: &A) -> Result<CurvatureTrace, SharpnessError>
    where
        M: Module,
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        check_products("max_products", self.max_products)?;
        check_probability("confidence", self.confidence)?;
        if let Some(tolerance) = self.tolerance {
            check_positive("tolerance", tolerance)?;
        }
        let operator = DiagonallyScaled::new(model, operator, self.scale)?;
        let space = operator.domain();
        let mut samples = Samples::new(space.leaves().len());
        let mut completed = true;
        for index in 0..self.max_products {
            let v = Probe::Rademacher.draw::<ParamVector>(&space, self.seed, index as u64)?;
            let product = match operator.matvec(&v) {
                Err(error) if operator.is_stop(&error) && index > 0 => {
                    completed = false;
                    break;
                }
                product => product?,
            };
            samples.push(&v.leaf_dots(&product)?, product.wide_dot(&product)?)?;
            let estimate = Estimate::of(&samples.traces);
            let is_done = self.is_within(&estimate);
            let half_width = estimate.half_width(self.confidence);
            let step = Step::new("trace", index + 1)
                .with_limit(self.max_products)
                .with_value(estimate.value)
                .with_error(half_width);
            let is_last = index + 1 == self.max_products || is_done;
            if operator.report(&step).is_break() {
                completed = is_last;
                break;
            }
            if is_done {
                break;
            }
        }
        let trace = Estimate::of(&samples.traces);
        let (squares, unit) = samples.scaled_squares();
        let squares = Estimate::of(&squares);
        let root = squares.value.sqrt();
        let norm = root * unit;
        let parameters = space.leaves().iter().zip(&samples.blocks);
        Ok(CurvatureTrace {
            trace: trace.value,
            standard_error: trace.standard_error,
            half_width: trace.half_width(self.confidence),
            parameters: parameters
                .map(|(leaf, values)| {
                    let block = Estimate::of(values);
                    ParameterTrace {
                        path: leaf.path().to_owned(),
                        trace: block.value,
                        standard_error: block.standard_error,
                    }
                })
                .collect(),
            frobenius_norm: norm,
            // d√x = dx / 2√x; where all is zero so is the error.
            frobenius_error: squares.standard_error.map(|error| match root > 0.0 {
                true => error / (2.0 * root) * unit,
                false => 0.0,
            }),
            converged: self.tolerance.is_none() || self.is_within(&trace),
            num_products: samples.traces.len(),
            config: self.clone(),
            completed,
        })
    }

    fn is_within(&self, estimate: &Estimate) -> bool {
        let half_width = estimate.half_width(self.confidence);
        match (self.tolerance, half_width) {
            (Some(tolerance), Some(half_width)) => {
                estimate.samples >= Estimate::FEWEST
                    && half_width <= tolerance * estimate.value.abs()
            }
            _ => false,
        }
    }
}

/// One number a product for everything that is estimated.
struct Samples {
    traces: Vec<f64>,
    /// `|Hv|²`, which leaves the range of `f64` where `|Hv|` does not.
    squares: Vec<Wide>,
    blocks: Vec<Vec<f64>>,
}

impl Samples {
    fn new(blocks: usize) -> Self {
        Self {
            traces: Vec::new(),
            squares: Vec::new(),
            blocks: vec![Vec::new(); blocks],
        }
    }

    fn push(&mut self, blocks: &[f64], square: Wide) -> Result<(), SharpnessError> {
        let trace: f64 = blocks.iter().sum();
        if !square.is_finite() {
            return Err(SharpnessError::Krylov(KrylovError::NonFinite {
                product: self.traces.len(),
            }));
        }
        if !trace.is_finite() {
            return Err(SharpnessError::Overflow { what: "the trace" });
        }
        self.traces.push(trace);
        self.squares.push(square);
        for (samples, value) in self.blocks.iter_mut().zip(blocks) {
            samples.push(*value);
        }
        Ok(())
    }

    /// The squares in a unit whose root is the second number.
    fn scaled_squares(&self) -> (Vec<f64>, f64) {
        let squares = self.squares.iter();
        let largest = squares.clone().filter(|square| square.is_positive());
        let largest = largest.map(|square| square.exponent()).max();
        // Their own squares are summed too.
        let half = match largest.unwrap_or(0) {
            exponent if exponent.abs() < 400 => 0,
            exponent => exponent.div_euclid(2),
        };
        let scaled = squares.map(|square| square.shifted(-2 * half).value());
        (scaled.collect(), Wide::new(1.0, half).value())
    }
}
