use std::cell::{Cell, RefCell};

use burn::module::Module;

use super::CentralFlowConfig;
use super::field::{Downhill, is_not_finite, nothing};
use super::search::{SharpnessSearch, Top};
use crate::curvature::{CurvatureError, HessianDerivative, Kept};
use crate::dynamics::DynamicsError;
use crate::loss::Risk;
use crate::space::ParamVector;

/// How fast the sharpness returns to the edge, in the inverse of a step of gradient descent.
const PULL: f64 = 1.0;

/// What is known of some weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) loss: f64,
    pub(super) sharpness: f64,
    /// The second eigenvalue.
    pub(super) second: Option<f64>,
    /// The `σ²` that holds the sharpness; negative where it falls by itself.
    pub(super) sigma_squared: f64,
}

/// The field of a central flow.
pub(super) struct CentralField<'r, 'a, M, K> {
    config: &'r CentralFlowConfig,
    downhill: Downhill<'r, 'a, M, K>,
    /// Whether the flow is at the edge.
    is_held: Cell<bool>,
    /// What the last evaluation at the edge has seen: at the end of a step that was accepted.
    seen: Cell<Option<Seen>>,
    work: RefCell<Work<'a, M>>,
}

/// What evaluations share.
struct Work<'a, M> {
    search: SharpnessSearch<'a, M>,
    /// What the last third derivative has traced.
    kept: Option<Kept>,
    num_third_derivatives: usize,
}

/// The work that a flow took.
pub(super) struct Spent {
    pub(super) num_gradients: usize,
    pub(super) num_matvecs: usize,
    pub(super) num_third_derivatives: usize,
}

impl<'r, 'a, M: Module, K> CentralField<'r, 'a, M, K> {
    pub(super) fn new(
        config: &'r CentralFlowConfig,
        risk: &'r Risk<'a, M, K>,
        model: &'r M,
    ) -> Self {
        let search = SharpnessSearch::new(risk, config.tolerance, config.max_matvecs, config.seed);
        Self {
            config,
            downhill: Downhill::new(risk, model),
            is_held: Cell::new(false),
            seen: Cell::new(None),
            work: RefCell::new(Work {
                search,
                kept: None,
                num_third_derivatives: 0,
            }),
        }
    }

    pub(super) fn risk(&self) -> &'r Risk<'a, M, K> {
        self.downhill.risk
    }

    pub(super) fn is_held(&self) -> bool {
        self.is_held.get()
    }

    /// Whether the sharpness is held from now on.
    pub(super) fn hold(&self, is_held: bool) {
        self.is_held.set(is_held);
    }

    /// What the last evaluation at the edge has seen.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.seen.get()
    }

    /// Evaluations of the field so far.
    pub(super) fn num_evaluations(&self) -> usize {
        self.downhill.num_gradients.get()
    }

    /// All work so far.
    pub(super) fn spent(&self) -> Spent {
        let work = self.work.borrow();
        // An evaluation at the edge takes the gradient from its Hessian.
        let alone = self.num_evaluations() - work.num_third_derivatives;
        Spent {
            num_gradients: alone + work.search.num_gradients,
            num_matvecs: work.search.num_matvecs,
            num_third_derivatives: work.num_third_derivatives,
        }
    }

    /// `dw/dt`.
    pub(super) fn at(&self, weights: &ParamVector) -> Result<ParamVector, DynamicsError> {
        if !self.is_held() {
            return self.downhill.at(weights, self.config.lr);
        }
        match self.held(weights) {
            Err(error) if is_not_finite(&error) => Ok(nothing(weights)),
            found => found,
        }
    }

    /// The sharpness at some weights.
    pub(super) fn top(&self, weights: &ParamVector) -> Result<Top, DynamicsError> {
        let model = weights.apply_to(self.downhill.model)?;
        self.work.borrow_mut().top(&model)
    }

    /// `dw/dt` at the edge.
    pub(super) fn held(&self, weights: &ParamVector) -> Result<ParamVector, DynamicsError> {
        let evaluations = &self.downhill.num_gradients;
        evaluations.set(evaluations.get() + 1);
        let mut work = self.work.borrow_mut();
        work.num_third_derivatives += 1;
        let model = weights.apply_to(self.downhill.model)?;
        let top = work.top(&model)?;
        let slope = work.slope(&model, &top.vector)?;
        // dS/dt = η (drive − ½ σ² |∇S|²) is to be −(S − 2/η) times the pull.
        let (drive, square) = (-top.gradient.dot(&slope)?, slope.dot(&slope)?);
        let lr = self.config.lr;
        let pull = PULL / lr * (top.value - self.config.edge());
        let sigma_squared = if square > 0.0 {
            2.0 * (drive + pull) / square
        } else {
            0.0
        };
        self.seen.set(Some(Seen {
            loss: top.loss,
            sharpness: top.value,
            second: top.second,
            sigma_squared,
        }));
        let half = 0.5 * sigma_squared.max(0.0);
        Ok(top.gradient.axpy(half, &slope)?.scale(-lr))
    }
}

impl<M: Module> Work<'_, M> {
    fn top(&mut self, model: &M) -> Result<Top, DynamicsError> {
        let top = self.search.at(model)?;
        if top.is_converged {
            return Ok(top);
        }
        Err(DynamicsError::NotConverged {
            residual: top.residual,
            num_matvecs: self.search.max_matvecs(),
        })
    }

    /// The gradient of the sharpness, whose eigenvector is `u`.
    fn slope(&mut self, model: &M, u: &ParamVector) -> Result<ParamVector, DynamicsError> {
        let risk = self.search.risk();
        let derivative = HessianDerivative::with_kept(&risk, model, u, self.kept.take())?;
        let slope = derivative.product(u)?;
        if risk.take_break() {
            return Err(CurvatureError::Stopped.into());
        }
        self.kept = Some(derivative.into_kept());
        Ok(slope)
    }
}
