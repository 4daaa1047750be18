//! The input of a run, and its result as text.

use std::error::Error;

use crate::counted::Counted;
use burnscape_krylov::{
    Dense, Eigenpairs, Probe, Solution, Symmetric, TrustRegionSolution, VectorSpace,
};

use crate::spectra::size;

pub(crate) type Operator<'a> = Counted<&'a Symmetric<Dense>>;

/// An operator that counts its products, its eigenvalues and a seed.
pub(crate) struct Case<'a> {
    pub(crate) a: Operator<'a>,
    pub(crate) values: &'a [f64],
    pub(crate) seed: u64,
}

impl Case<'_> {
    /// A right-hand side.
    pub(crate) fn b(&self) -> Vec<f64> {
        // Not a vector that a method draws.
        let v = Probe::Gaussian.draw(&self.values.len(), self.seed, 1 << 41);
        v.unwrap()
    }

    /// The norm of the operator; one if it is zero.
    pub(crate) fn norm(&self) -> f64 {
        match size(self.values) {
            0.0 => 1.0,
            size => size,
        }
    }
}

/// Pairs of a value and its residual, one after the other; where a method has none, values alone.
pub(crate) struct Said {
    numbers: Vec<f64>,
    has_converged: bool,
}

pub(crate) type Outcome = Result<Said, Box<dyn Error>>;

impl Said {
    pub(crate) fn of(numbers: impl Into<Vec<f64>>) -> Self {
        Self {
            numbers: numbers.into(),
            has_converged: true,
        }
    }

    pub(crate) fn pairs(found: &Eigenpairs<Vec<f64>>) -> Self {
        let pairs = found.values.iter().zip(&found.residuals);
        let numbers = pairs.flat_map(|(value, residual)| [*value, *residual]);
        Self::of(numbers.collect::<Vec<f64>>())
    }

    fn converged(self, has_converged: bool) -> Self {
        Self {
            has_converged,
            ..self
        }
    }

    /// A line of the file. The shortest digits that give the same bits again.
    pub(crate) fn line(&self, num_matvecs: usize) -> String {
        let numbers = self.numbers.iter().map(|x| format!("{x:e} "));
        let mark = if self.has_converged { "" } else { "?" };
        format!("{}| {num_matvecs}{mark}", numbers.collect::<String>())
    }
}

impl From<Eigenpairs<Vec<f64>>> for Said {
    fn from(found: Eigenpairs<Vec<f64>>) -> Self {
        Self::pairs(&found).converged(found.outcome.is_converged())
    }
}

impl From<TrustRegionSolution<Vec<f64>>> for Said {
    fn from(found: TrustRegionSolution<Vec<f64>>) -> Self {
        let certified = f64::from(u8::from(found.certified));
        let numbers = [found.value, found.residual, found.multiplier, certified];
        Self::of(numbers).converged(found.outcome.is_converged())
    }
}

impl Said {
    /// The dot product of a solution with the right-hand side, and its residual.
    pub(crate) fn solution(found: &Solution<Vec<f64>>, b: &Vec<f64>) -> Outcome {
        let said = Self::of([found.x.dot(b)?, found.residual]);
        Ok(said.converged(found.outcome.is_converged()))
    }
}

/// A method with its settings, under the name that it has in the file.
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) of: Box<dyn Fn(&Case<'_>) -> Outcome>,
}

impl Run {
    pub(crate) fn new(
        name: impl Into<String>,
        of: impl Fn(&Case<'_>) -> Outcome + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            of: Box::new(of),
        }
    }
}
