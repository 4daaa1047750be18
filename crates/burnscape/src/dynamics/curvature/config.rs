use burn::config::Config;

use super::CurvatureMonitor;
use crate::dynamics::{DynamicsError, EdgeRule};
use crate::range::{FRACTION, ensure};

/// Settings of a [`CurvatureMonitor`].
///
/// # Defaults
///
/// Tolerance 5e-3, and at most 60 products in a measurement without starting vectors and 12 with them, which are
/// ours. Some eigenvalue is within the residual of the one found, and the error is of the order of the squared
/// residual over the gap to the next eigenvalue; where searches converged, it was 7e-4 of the eigenvalue at most.
/// The edge of plain gradient descent, no trace, seed 0.
///
/// # Example
///
/// ```
/// use burn::optim::SgdConfig;
/// use burn::optim::momentum::MomentumConfig;
/// use burnscape::dynamics::{CurvatureMonitorConfig, EdgeRule};
///
/// let sgd = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
/// let config = CurvatureMonitorConfig::new()
///     .with_optimizer(EdgeRule::of(&sgd)?)
///     .with_num_probes(8);
/// let monitor = config.init()?;
/// # let _ = monitor;
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Config, Debug)]
pub struct CurvatureMonitorConfig {
    /// The optimizer that takes the steps, to report its edge; none by default. Of an optimizer that preconditions the
    /// gradient, such as Adam, the monitor measures the preconditioned sharpness in addition.
    #[config(default = "EdgeRule::none()")]
    pub optimizer: EdgeRule,
    /// The residual at which the top eigenpair is accepted, relative to the largest absolute Ritz
    /// value; at least 32 ε of the parameters' type. In half precision that is 0.03 (f16) and 0.25
    /// (bf16), and a reading may be off by several percent, as its residual shows.
    #[config(default = 5e-3)]
    pub tolerance: f64,
    /// The most products of the search for the top eigenpair in one measurement, without those of the
    /// checks: at least 5. A search that ends here is reported as not converged.
    #[config(default = 60)]
    pub max_matvecs: usize,
    /// The same for a measurement that starts from the vectors of the one before: at least 5. The next measurement
    /// continues the search. With as many as `max_matvecs`, all readings converge, for twice the products in the phase
    /// where the weights move fastest.
    #[config(default = 12)]
    pub max_warm_matvecs: usize,
    /// Rademacher probes of the trace, one product each; 0 for no trace. The probes are the same in every
    /// measurement, so that changes of the trace are visible despite their noise.
    #[config(default = 0)]
    pub num_probes: usize,
    /// Seed of the random starting vectors and of the probes.
    #[config(default = 0)]
    pub seed: u64,
}

impl CurvatureMonitorConfig {
    /// A monitor that has not measured yet.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`].
    pub fn init(&self) -> Result<CurvatureMonitor, DynamicsError> {
        ensure("tolerance", self.tolerance, FRACTION)?;
        ensure("max_matvecs", self.max_matvecs as f64, 5.0..)?;
        ensure("max_warm_matvecs", self.max_warm_matvecs as f64, 5.0..)?;
        Ok(CurvatureMonitor::new(self.clone()))
    }
}
