//! Matrix-free linear algebra over vectors that may live on a device.
//!
//! An operator is anything that can be multiplied with a vector; a vector is anything with a dot product. The numbers may be
//! anywhere: the same code runs on a `Vec<f64>` on the host and on the flat parameters of a network on a GPU, and only
//! scalars come back to the host.
//!
//! # A minute's tour
//!
//! Implement the product, claim symmetry, and check the claim:
//!
//! ```
//! use burnscape_krylov::{Dense, KrylovFault, LinearOperator, SelfAdjoint, Shifted, Square};
//!
//! /// The second difference of a function on a line that is zero at both ends.
//! struct SecondDifference(usize);
//!
//! impl LinearOperator for SecondDifference {
//!     type Domain = Vec<f64>;
//!     type Range = Vec<f64>;
//!     type Error = KrylovFault;
//!
//!     fn domain(&self) -> usize {
//!         self.0
//!     }
//!
//!     fn range(&self) -> usize {
//!         self.0
//!     }
//!
//!     fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
//!         let at = |i: usize| v.get(i).copied().unwrap_or(0.0);
//!         let left = |i: usize| i.checked_sub(1).map_or(0.0, at);
//!         Ok((0..self.0).map(|i| 2.0 * at(i) - left(i) - at(i + 1)).collect())
//!     }
//! }
//!
//! impl SelfAdjoint for SecondDifference {}
//!
//! let operator = Shifted::new(SecondDifference(50), 1.0)?;
//! assert!(operator.symmetry_defect(2, 7)? < 1e-14);
//! assert_eq!(Dense::of(&operator)?.as_slice()[..3], [3.0, -1.0, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! | module | purpose | items |
//! |---|---|---|
//! | vector | vectors, one by one and as a block | [`VectorSpace`], [`VectorBlock`], [`VectorList`], [`Probe`] |
//! | basis | orthonormal vectors | [`Orthonormal`] |
//! | observe | how a run is observed, stopped, and how it ended | [`Step`], [`Outcome`] |
//! | operator | operators, claims about them, and checks of the claims | [`LinearOperator`], [`Square`], [`SelfAdjoint`], [`HasAdjoint`] |
//! | dense | matrices on the host, the reference of every test | [`Dense`] |
//! | combinator | operators made of operators | [`Scaled`], [`Shifted`], [`Sum`], [`Product`], [`Transposed`], [`Deflated`], [`Restricted`], [`Inverse`], [`Symmetric`], [`Preconditioned`], [`Observed`] |
//! | lanczos | the Krylov space of one vector: `f(A) b`, quadrature, counts | [`LanczosFactorization`], [`LanczosCheckpoint`], [`Quadrature`], [`EigenvalueCount`] |
//! | eigen | the outermost eigenpairs | [`EigenpairsConfig`], [`EigenMethod`], [`Which`], [`Eigenpairs`] |
//! | density | the distribution of eigenvalues | [`DensityConfig`], [`SpectralDensity`], [`Bracket`], [`DensityCurve`], [`Axis`] |
//! | estimate | means of samples and of paired differences, rank correlations, straight lines, the overlap of two operators | [`Estimate`], [`RankCorrelation`], [`LineFit`], [`OverlapConfig`], [`Overlap`] |
//! | trace | traces, traces of blocks, Frobenius norms, with intervals | [`TraceConfig`], [`TraceMethod`], [`TraceEstimate`] |
//! | diagonal | diagonals, with standard errors | [`DiagonalConfig`], [`DiagonalMethod`], [`DiagonalEstimate`] |
//! | solve | linear systems | [`SolveConfig`], [`Solution`] |
//! | trust_region | the largest or smallest value of a quadratic in a ball | [`TrustRegionConfig`], [`TrustRegionSolution`] |
//! | flow | differential equations in time, with dense output and events | [`FlowConfig`], [`RungeKutta`], [`FlowStep`], [`Flow`] |
//!
//! # Scalars and failures
//!
//! Every scalar is an `f64` on the host for every type of vector, so that recurrences keep their accuracy over `f32`
//! products. Every operation that may fail returns a `Result`: a device can be lost in a reduction. A method returns the
//! error type of its operator, which can hold a [`KrylovFault`].
#![doc(test(attr(deny(warnings))))]

mod basis;
mod check;
mod combinator;
mod dense;
mod density;
mod diagonal;
mod eigen;
mod error;
mod estimate;
mod flow;
mod lanczos;
mod number;
mod observe;
mod operator;
mod solve;
mod trace;
mod trust_region;
mod vector;

pub use basis::Orthonormal;
pub use combinator::{
    Deflated, Inverse, Observed, Preconditioned, Product, Restricted, Scaled, Shifted, Sum,
    Symmetric, Transposed,
};
pub use dense::Dense;
pub use density::{Axis, Bracket, DensityConfig, DensityCurve, SpectralDensity};
pub use diagonal::{DiagonalConfig, DiagonalEstimate, DiagonalMethod};
pub use eigen::{EigenMethod, Eigenpairs, EigenpairsConfig, Which};
pub use error::KrylovFault;
pub use estimate::{Estimate, LineFit, Overlap, OverlapConfig, RankCorrelation};
pub use flow::{Flow, FlowConfig, FlowStep, RungeKutta};
pub use lanczos::{EigenvalueCount, LanczosCheckpoint, LanczosFactorization, Quadrature};
pub use observe::{Outcome, Step};
pub use operator::{HasAdjoint, LinearOperator, SelfAdjoint, Square};
pub use solve::{Solution, SolveConfig};
pub use trace::{TraceConfig, TraceEstimate, TraceMethod};
pub use trust_region::{SolutionKind, TrustRegionConfig, TrustRegionSolution};
pub use vector::{Probe, VectorBlock, VectorList, VectorSpace};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
