use burn::module::Module;
use burnscape_krylov::{EigenpairsConfig, End};

use super::OptimError;
use crate::curvature::CurvatureConfig;
use crate::loss::Risk;

/// The smallest eigenvalue of the Hessian of a loss over a data set, by Lanczos: what makes a point
/// with a small gradient a second-order point, or a saddle.
///
/// # Units
///
/// Loss per squared parameter.
///
/// # Cost
///
/// A trace, a gradient over the data, and a pass over the data for each product, of which there are at
/// most `max_products`; 40 vectors in memory. The [checks](CurvatureConfig::with_checks) of the Hessian
/// take two products and a gradient more.
///
/// # Reproducibility
///
/// The run starts from a Gaussian draw of the seed.
///
/// # Defaults
///
/// Tolerance 1e-6 relative to the norm of the Hessian, at most 1,000 products, checks on;
/// ours.
///
/// # Example
///
/// As the certificate of perturbed gradient descent:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::optim::{LambdaMinConfig, PerturbedGdConfig};
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// // w₁² + 2 w₂² over two examples, a mean.
/// let x = Tensor::<2>::from_data([[2.0_f32.sqrt(), 0.0], [0.0, 2.0]], &device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [x.clone()];
/// let risk = Risk::new(&loss, &data);
///
/// let mut descent = PerturbedGdConfig::new(0.01, 1e-3, 1e-3).init(SgdConfig::new().init())?;
/// let lambda_min = LambdaMinConfig::new();
/// while descent.certified().is_none() {
///     let certificate = |m: &Linear| Ok(lambda_min.run(&risk, m)?.value);
///     let closure = |m: &Linear| loss(m, x.clone());
///     descent.step_with_certificate(0.1, &mut model, closure, certificate)?;
/// }
/// let point = descent.certified().and_then(|point| point.lambda_min);
/// assert!((point.unwrap_or(f64::NAN) - 2.0).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LambdaMinConfig {
    tolerance: f64,
    max_products: usize,
    seed: u64,
    checks: bool,
}

/// What [`LambdaMinConfig::run`] found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LambdaMin {
    /// The smallest Ritz value: `uᵀHu` for a unit vector `u`, so that the smallest eigenvalue is not
    /// above it.
    pub value: f64,
    /// `|Hu − value · u|`, by a product of its own: some eigenvalue is within this of `value`. That it is
    /// the smallest one has probability one in exact arithmetic, once the run has converged.
    pub residual: f64,
    /// Whether the residual is within the tolerance.
    pub converged: bool,
    /// Hessian-vector products used.
    pub products: usize,
}

impl Default for LambdaMinConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl LambdaMinConfig {
    /// Tolerance 1e-6, at most 1,000 products, checks on.
    pub fn new() -> Self {
        Self {
            tolerance: 1e-6,
            max_products: 1000,
            seed: 0,
            checks: true,
        }
    }

    /// Sets what the residual is to be at most, relative to the norm of the Hessian.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the limit of products. What was reached is then returned, not converged.
    #[must_use]
    pub fn with_max_products(mut self, products: usize) -> Self {
        self.max_products = products;
        self
    }

    /// Sets the seed of the start.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets whether the Hessian is [checked](CurvatureConfig::with_checks) when it is made.
    #[must_use]
    pub fn with_checks(mut self, checks: bool) -> Self {
        self.checks = checks;
        self
    }

    /// The smallest eigenvalue of the Hessian of a risk at the model's parameters.
    ///
    /// # Errors
    ///
    /// [`OptimError::Curvature`] for a loss that cannot be traced or data that cannot be used,
    /// [`OptimError::Krylov`] for a tolerance that is not positive and for products that are not
    /// finite.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<LambdaMin, OptimError> {
        let config = CurvatureConfig::new().with_checks(self.checks);
        let hessian = config.hessian(risk, model)?;
        let found = EigenpairsConfig::new(1, End::Bottom)
            .with_tolerance(self.tolerance)
            .with_max_products(self.max_products)
            .with_seed(self.seed)
            .run(&hessian)?;
        let pair = found.pairs.first();
        Ok(LambdaMin {
            value: pair.map_or(f64::NAN, |pair| pair.value),
            residual: pair.map_or(f64::INFINITY, |pair| pair.residual),
            converged: found.outcome.is_converged(),
            products: found.products,
        })
    }
}
