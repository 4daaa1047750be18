//! Newton's method in a ball that grows and shrinks with the quality of the quadratic model.

mod config;
mod optimizer;
mod report;

pub use config::TrustRegionNewtonConfig;
pub use optimizer::TrustRegionNewton;
pub use report::TrustRegionReport;
