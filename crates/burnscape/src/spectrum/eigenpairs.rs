use std::io;

use burnscape_krylov::{EigenpairsConfig, End, SelfAdjoint};
use serde::Serialize;

use super::{Spectrum, SpectrumError};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::writing;

/// The outermost eigenvalues of one end, with their vectors and how well they belong together.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Eigenpairs {
    /// The eigenvalues, the outermost first.
    pub values: Vec<f64>,
    /// `|A v − λ v|` of each, by a product of its own: some eigenvalue of `A` is within this of `λ`.
    pub residuals: Vec<f64>,
    /// The eigenvectors, of norm one. Not written.
    #[serde(skip)]
    pub vectors: Vec<ParamVector>,
    /// Whether every residual is within the tolerance.
    pub converged: bool,
    /// What residuals were to be at most: the tolerance times the largest absolute Ritz value.
    pub goal: f64,
    /// Products used.
    pub products: usize,
}

impl Eigenpairs {
    /// Writes the numbers as JSON, without the vectors.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_json(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        Ok(writing::json(self, writer)?)
    }

    /// Writes `value,residual`, a line for each.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        let rows = self.values.iter().zip(&self.residuals);
        let rows = rows.map(|(value, residual)| [value.to_string(), residual.to_string()]);
        Ok(writing::csv(["value", "residual"], rows, writer)?)
    }
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The `k` largest eigenvalues with their vectors, by Lanczos with thick restarts. Largest with their
    /// sign: −9 comes after 1.
    ///
    /// # Cost
    ///
    /// As many products as it takes, `k` of them for residuals, and no more than the limit (but for `k` more
    /// if that is below them). The [vectors of the basis](Self::with_max_basis), and two fifths as many again
    /// during a restart.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Krylov`] for no pairs or more than parameters, a tolerance that is not positive, too
    /// few vectors or bytes, a product that is not finite; [`SpectrumError::Stopped`].
    pub fn top_eigenpairs(&self, k: usize) -> Result<Eigenpairs, SpectrumError> {
        self.eigenpairs(k, End::Top)
    }

    /// The `k` smallest eigenvalues (the most negative first) with their vectors.
    ///
    /// # Errors
    ///
    /// As [`top_eigenpairs`](Self::top_eigenpairs).
    pub fn bottom_eigenpairs(&self, k: usize) -> Result<Eigenpairs, SpectrumError> {
        self.eigenpairs(k, End::Bottom)
    }

    fn eigenpairs(&self, k: usize, end: End) -> Result<Eigenpairs, SpectrumError> {
        let settings = &self.settings;
        let mut config = EigenpairsConfig::new(k, end)
            .with_tolerance(settings.tolerance)
            .with_max_products(settings.max_products)
            .with_seed(settings.seed);
        if let Some(vectors) = settings.max_basis {
            config = config.with_max_basis(vectors);
        }
        if let Some(bytes) = settings.max_bytes {
            config = config.with_max_bytes(bytes);
        }
        let found = config.run(self.operator)?;
        let mut pairs = Eigenpairs {
            values: Vec::new(),
            residuals: Vec::new(),
            vectors: Vec::new(),
            converged: found.outcome.is_converged(),
            goal: found.goal,
            products: found.products,
        };
        for pair in found.pairs {
            pairs.values.push(pair.value);
            pairs.residuals.push(pair.residual);
            pairs.vectors.push(pair.vector);
        }
        Ok(pairs)
    }

    /// One pair of each end: the largest and the smallest eigenvalue.
    pub(super) fn extremes(&self) -> Result<(Eigenpairs, Eigenpairs), SpectrumError> {
        Ok((self.top_eigenpairs(1)?, self.bottom_eigenpairs(1)?))
    }
}
