use burn::config::Config;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::OptimConfigError;
use super::error::check_range;
use crate::space::{LeafVector, mix};

/// How the displacement is found.
#[derive(Config, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ascent {
    /// One step of length `rho` along the source (SAM).
    OneStep,
    /// Projected gradient ascent on `max L(w + v)` over `|v| ≤ rho`: `v ← Π(v + step_size · rho ·
    /// ĝ(w + v))`, from SAM's `e` and from random points of the sphere; the best point found is
    /// used. By Danskin's theorem the gradient there is that of the robust loss, so this descends
    /// `F_rho(w) = max_{|v| ≤ rho} L(w + v)` itself (SA-GD, arXiv:2511.03548).
    ///
    /// Costs `restarts · steps` gradients besides the first. The larger the step, the nearer each
    /// iterate is to the ball's best point for the last gradient; one and more converge to
    /// maximizers on the sphere, smaller ones also to maximizers inside. Starts are compared by
    /// their losses, so that several need a closure that returns one.
    Projected {
        /// Gradients for each start.
        steps: usize,
        /// Starts: the first from SAM's displacement, the others random.
        restarts: usize,
        /// Length of a step in units of `rho`.
        step_size: f64,
        /// Seed of the random starts.
        seed: u64,
    },
    /// The exact maximizer of the loss's quadratic model, `max gᵀv + ½ vᵀHv` over `|v| ≤ rho` with the
    /// Hessian `H` of the batch's loss: by Lanczos, global, the hard case (a gradient that does not see
    /// the direction of largest curvature, where SAM does not either) included; see
    /// [`TrustRegionConfig`](crate::krylov::TrustRegionConfig). The gradient that is handed on is that
    /// of the loss itself at `w + v`, so that for a quadratic loss this descends `F_rho(w) = max_{|v| ≤
    /// rho} L(w + v)` exactly; elsewhere the model's error, of third order in `rho`, remains. In the hard
    /// case the loss is evaluated at both maximizers and the higher one used.
    ///
    /// Needs [`step_on`](super::Sam::step_on), for the loss is traced; the Hessian is that of the mode
    /// that the model is in. Costs a trace, a gradient and some Hessian-vector products a step (and for
    /// each group of m-sharpness), which the report tells, besides the two gradients (three in
    /// the hard case); and a vector for each product.
    TrustRegion {
        /// Vectors that a Krylov space may have. If they are not enough, the report says that the
        /// maximization has not converged, and the best point of that space is used.
        max_basis: usize,
        /// What the residual `|(μI − H) v − g|` is to be at most, relative to `|g| + |H| |v|`.
        tolerance: f64,
        /// Seed of the random vector from which directions that the gradient does not see are found.
        seed: u64,
    },
}

impl Ascent {
    /// The name of an ascent to the best point of a ball, which has to be a Euclidean one.
    pub(super) fn search(&self) -> Option<&'static str> {
        match self {
            Self::OneStep => None,
            Self::Projected { .. } => Some("projected ascent"),
            Self::TrustRegion { .. } => Some("trust-region ascent"),
        }
    }

    pub(super) fn validate(&self) -> Result<(), OptimConfigError> {
        match self {
            Self::OneStep => Ok(()),
            Self::Projected {
                steps,
                restarts,
                step_size,
                ..
            } => {
                check_range("steps", *steps as f64, "at least 1", |steps| steps >= 1.0)?;
                check_range("restarts", *restarts as f64, "at least 1", |n| n >= 1.0)?;
                check_range("step_size", *step_size, "a finite number > 0", |size| {
                    size > 0.0
                })
            }
            Self::TrustRegion {
                max_basis,
                tolerance,
                ..
            } => {
                let vectors = *max_basis as f64;
                check_range("max_basis", vectors, "at least 1", |n| n >= 1.0)?;
                check_range("tolerance", *tolerance, "a finite number > 0", |t| t > 0.0)
            }
        }
    }
}

/// Leaves out parameters of the displacement at random: each tensor stays with probability `keep`
/// and is then scaled by `1/keep` (the stochastic weight perturbation of ESAM; Du et al. 2022,
/// arXiv:2110.03141).
#[derive(Config, Debug, PartialEq)]
pub struct Mask {
    /// Probability that a parameter is displaced. The paper's default is 0.6.
    pub keep: f64,
    /// Seed; the mask of step `t` depends on it and on `t` alone.
    pub seed: u64,
}

impl Mask {
    /// Drops the parameters that the step's draw leaves out.
    pub(super) fn apply(&self, vector: LeafVector, step: usize) -> LeafVector {
        let mut rng = StdRng::seed_from_u64(mix(self.seed, step as u64));
        vector.map_all(|_, value| {
            // Drawn for absent leaves too: a mask must not depend on which heads are in use.
            let stays = rng.random_bool(self.keep);
            value.filter(|_| stays)
        })
    }

    pub(super) fn validate(&self) -> Result<(), OptimConfigError> {
        check_range("keep", self.keep, "a number in (0, 1]", |keep| {
            keep > 0.0 && keep <= 1.0
        })
    }
}
