//! Matrix-free linear algebra over vectors that may live on a device.
//!
//! An operator is anything that can be multiplied with a vector, a vector anything with a dot
//! product. It does not matter where the numbers are: a `Vec<f64>` on the host and the flat
//! parameters of a network on a GPU go through the same code, and only scalars come back.
//!
//! # A minute's tour
//!
//! Write the product, claim symmetry, and have the claim checked:
//!
//! ```
//! use burnscape_krylov::{HostError, LinearOperator, SelfAdjoint, Shifted};
//! use burnscape_krylov::{symmetry_defect, to_dense};
//!
//! /// The second difference of a function on a line that is zero at both ends.
//! struct SecondDifference(usize);
//!
//! impl LinearOperator for SecondDifference {
//!     type Domain = Vec<f64>;
//!     type Range = Vec<f64>;
//!     type Error = HostError;
//!
//!     fn domain(&self) -> usize {
//!         self.0
//!     }
//!
//!     fn range(&self) -> usize {
//!         self.0
//!     }
//!
//!     fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, HostError> {
//!         let at = |i: usize| v.get(i).copied().unwrap_or(0.0);
//!         let left = |i: usize| i.checked_sub(1).map_or(0.0, at);
//!         Ok((0..self.0).map(|i| 2.0 * at(i) - left(i) - at(i + 1)).collect())
//!     }
//! }
//!
//! impl SelfAdjoint for SecondDifference {}
//!
//! let operator = Shifted::new(SecondDifference(50), 1.0)?;
//! assert!(symmetry_defect(&operator, 2, 7)? < 1e-14);
//! assert_eq!(to_dense(&operator)?.as_slice()[..3], [3.0, -1.0, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rooms
//!
//! | room | purpose | items |
//! |---|---|---|
//! | vector | vectors, one by one and as a block | [`VectorSpace`], [`Elementwise`], [`VectorBlock`], [`VectorList`], [`Probe`] |
//! | basis | orthonormal vectors | [`Orthonormal`] |
//! | observe | how a run is watched, stopped, and how it ended | [`Step`], [`Outcome`] |
//! | operator | operators, and claims about them | [`LinearOperator`], [`Square`], [`SelfAdjoint`], [`HasAdjoint`] |
//! | dense | matrices on the host, the reference of every test | [`Dense`], [`to_dense`] |
//! | combinator | operators made of operators | [`Scaled`], [`Shifted`], [`Sum`], [`Product`], [`Transposed`], [`Deflated`], [`Restricted`], [`Inverse`], [`Symmetric`], [`Counted`], [`Observed`] |
//! | trust_region | the largest or smallest value of a quadratic in a ball | [`TrustRegionConfig`], [`TrustRegionSolution`] |
//! | check | checks of claims by a few products | [`symmetry_defect`], [`adjoint_defect`], [`linearity_defect`] |
//! | lanczos | the Krylov space of one vector: `f(A) b`, quadrature, counts | [`LanczosConfig`], [`LanczosFactorization`], [`LanczosCheckpoint`], [`Quadrature`], [`EigenvalueCount`] |
//! | eigen | the outermost eigenpairs | [`EigenpairsConfig`], [`EigenMethod`], [`Which`], [`ResidualKind`], [`Eigenpairs`] |
//! | density | the distribution of eigenvalues | [`DensityConfig`], [`SpectralDensity`], [`Bracket`], [`CurveConfig`] |
//! | trace | traces, traces of blocks, Frobenius norms, with intervals | [`TraceConfig`], [`TraceMethod`], [`TraceEstimate`] |
//! | diagonal | diagonals, with standard errors | [`DiagonalConfig`], [`DiagonalEstimate`] |
//! | solve | linear systems | [`CgConfig`], [`MinresConfig`], [`Solution`] |
//!
//! # Scalars and failures
//!
//! Every scalar is an `f64` on the host, whatever the vectors hold, so that recurrences keep their
//! accuracy over `f32` products. Every operation that may fail returns a `Result`: a device can be lost in a
//! reduction. A method returns the errors of its operator, which hold a [`KrylovFault`].
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
mod lanczos;
mod observe;
mod operator;
mod solve;
mod trace;
mod trust_region;
mod vector;

pub use basis::Orthonormal;
pub use check::{
    adjoint_defect, adjoint_defect_between, linearity_defect, linearity_defect_between,
    symmetry_defect, symmetry_defect_between,
};
pub use combinator::{
    Counted, Deflated, Inverse, Observed, Product, Restricted, Scaled, Shifted, Solver, Sum,
    Symmetric, Transposed,
};
pub use dense::{Dense, MAX_DENSE_ENTRIES, to_dense};
pub use density::{Axis, Bracket, CurveConfig, DensityConfig, DensityCurve, SpectralDensity};
pub use diagonal::{DiagonalConfig, DiagonalEstimate, DiagonalMethod};
pub use eigen::{EigenMethod, Eigenpairs, EigenpairsConfig, ResidualKind, Which};
pub use error::{HostError, KrylovFault};
pub use estimate::Estimate;
pub use lanczos::{
    EigenvalueCount, LanczosCheckpoint, LanczosConfig, LanczosFactorization, Quadrature,
};
pub use observe::{Outcome, Step};
pub use operator::{HasAdjoint, LinearOperator, SelfAdjoint, Square};
pub use solve::{CgConfig, MinresConfig, Solution};
pub use trace::{TraceConfig, TraceEstimate, TraceMethod};
pub use trust_region::{SolutionKind, TrustRegionConfig, TrustRegionSolution};
pub use vector::{Elementwise, Probe, VectorBlock, VectorList, VectorSpace};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
