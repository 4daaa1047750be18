use std::mem::take;

use burnscape_krylov::{KrylovFault, LinearOperator};

use crate::curvature::{CurvatureError, Hessian};
use crate::dynamics::DynamicsError;
use crate::space::ParamVector;

/// How many vectors are multiplied at a time. Only they are kept.
const BLOCK: usize = 16;

/// `Σ vᵀ H v` over vectors that come one by one.
pub(super) struct QuadraticForms<'h, 'a> {
    hessian: &'h Hessian<'a>,
    waiting: Vec<ParamVector>,
    sum: f64,
    num_matvecs: usize,
}

/// Quadratic forms of a Hessian in gradients.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forms {
    /// `Σ (g − ḡ)ᵀ H (g − ḡ)`.
    pub(super) deviations: f64,
    /// `ḡᵀ H ḡ`.
    pub(super) mean: f64,
    pub(super) num_matvecs: usize,
}

impl<'h, 'a> QuadraticForms<'h, 'a> {
    pub(super) fn new(hessian: &'h Hessian<'a>) -> Self {
        Self {
            hessian,
            waiting: Vec::with_capacity(BLOCK),
            sum: 0.0,
            num_matvecs: 0,
        }
    }

    pub(super) fn add(&mut self, deviation: ParamVector) -> Result<(), DynamicsError> {
        self.waiting.push(deviation);
        if self.waiting.len() == BLOCK {
            self.multiply()?;
        }
        Ok(())
    }

    /// The sum so far, and the form in the mean gradient.
    pub(super) fn finish(mut self, mean: &ParamVector) -> Result<Forms, DynamicsError> {
        if !self.waiting.is_empty() {
            self.multiply()?;
        }
        let forms = Forms {
            deviations: self.sum,
            mean: mean.dot(&self.hessian.matvec(mean)?)?,
            num_matvecs: self.num_matvecs + 1,
        };
        if forms.deviations.is_finite() && forms.mean.is_finite() {
            Ok(forms)
        } else {
            let product = self.num_matvecs;
            Err(CurvatureError::from(KrylovFault::NonFinite { product }).into())
        }
    }

    fn multiply(&mut self) -> Result<(), DynamicsError> {
        let vectors = take(&mut self.waiting);
        let products = self.hessian.matmat(&vectors)?;
        for (vector, product) in vectors.iter().zip(&products) {
            self.sum += vector.dot(product)?;
        }
        self.num_matvecs += vectors.len();
        Ok(())
    }
}
