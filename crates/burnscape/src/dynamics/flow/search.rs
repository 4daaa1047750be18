use burn::module::Module;
use burnscape_krylov::{EigenMethod, EigenpairsConfig, KrylovFault, Outcome, Which};

use crate::curvature::{CurvatureError, Hessian, Kept};
use crate::dynamics::DynamicsError;
use crate::loss::Risk;
use crate::space::{ParamVector, mix};

/// Ritz vectors that the next search starts from.
const TRACKED: usize = 3;

/// Searches for the largest eigenvalue of the Hessian along a flow, each from the vectors of the one before.
pub(super) struct SharpnessSearch<'a, M> {
    risk: Risk<'a, M>,
    tolerance: f64,
    max_matvecs: usize,
    seed: u64,
    /// What the last Hessian has traced.
    kept: Option<Kept>,
    starts: Vec<ParamVector>,
    num_searches: u64,
    pub(super) num_gradients: usize,
    pub(super) num_matvecs: usize,
}

/// What a search found.
pub(super) struct Top {
    pub(super) loss: f64,
    pub(super) gradient: ParamVector,
    /// The largest eigenvalue.
    pub(super) value: f64,
    /// Its eigenvector, of norm one.
    pub(super) vector: ParamVector,
    /// The second Ritz value, which is at most the second eigenvalue.
    pub(super) second: Option<f64>,
    pub(super) residual: f64,
    /// Whether the residual is within the goal.
    pub(super) is_converged: bool,
}

impl<'a, M: Module> SharpnessSearch<'a, M> {
    pub(super) fn new<K>(
        risk: &Risk<'a, M, K>,
        tolerance: f64,
        max_matvecs: usize,
        seed: u64,
    ) -> Self {
        Self {
            risk: risk.whole(),
            tolerance,
            max_matvecs,
            seed,
            kept: None,
            starts: Vec::new(),
            num_searches: 0,
            num_gradients: 0,
            num_matvecs: 0,
        }
    }

    /// The most products of a search.
    pub(super) fn max_matvecs(&self) -> usize {
        self.max_matvecs
    }

    /// The risk, with the checks that are due: those of the first operator.
    pub(super) fn risk(&self) -> Risk<'a, M> {
        let checks = self.risk.has_checks() && self.num_searches == 0;
        self.risk.whole().with_checks(checks)
    }

    /// Loss, gradient and largest eigenvalue at a model.
    pub(super) fn at(&mut self, model: &M) -> Result<Top, DynamicsError> {
        let risk = self.risk();
        let hessian = Hessian::with_kept(&risk, model, self.kept.take())?;
        if risk.has_checks() {
            self.num_gradients += 1;
            self.num_matvecs += 2;
        }
        let search = EigenpairsConfig::new(1, Which::Largest)
            .with_method(EigenMethod::Davidson)
            .with_extra(TRACKED - 1)
            .with_tolerance(self.tolerance)
            .with_max_matvecs(self.max_matvecs)
            .with_seed(mix(self.seed, self.num_searches));
        let found = search.run_from(&hessian, &self.starts)?;
        self.num_gradients += 1;
        self.num_matvecs += found.num_matvecs;
        if found.outcome == Outcome::Stopped || self.risk.take_break() {
            return Err(CurvatureError::Stopped.into());
        }
        let (Some(&value), Some(&residual), Some(vector)) = (
            found.values.first(),
            found.residuals.first(),
            found.vectors.first(),
        ) else {
            return Err(CurvatureError::from(KrylovFault::NonFinite { product: 0 }).into());
        };
        let top = Top {
            loss: hessian.loss(),
            gradient: hessian.gradient()?,
            value,
            vector: vector.clone(),
            second: found.values.get(1).copied(),
            residual,
            is_converged: residual <= found.goal,
        };
        self.starts = found.vectors;
        self.num_searches += 1;
        self.kept = Some(hessian.into_kept());
        Ok(top)
    }
}
