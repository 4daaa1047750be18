use burnscape_krylov::{KrylovError, Probe, SelfAdjoint};

use super::spectrum_of::tell;
use super::{Spectrum, SpectrumError, Task};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;

/// The diagonal of an operator: the curvature along each coordinate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Diagonal {
    /// The estimate of each entry.
    pub values: ParamVector,
    /// The variance of each estimate, from the spread of the samples; none from a single product. Its
    /// root is the standard error.
    pub variances: Option<ParamVector>,
    /// Products used.
    pub products: usize,
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The diagonal, as the mean of `v ⊙ A v` over `probes` Rademacher vectors (Bekas, Kokiopoulou,
    /// Saad 2007). The variance of an entry is the sum of the squares of its row off the diagonal, over
    /// the number of probes: exact where the operator is diagonal.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Krylov`] for no probes, or a product that is not finite.
    pub fn diagonal(&mut self) -> Result<Diagonal, SpectrumError> {
        let space = self.space()?;
        let planned = self.settings.probes;
        let mut mean = ParamVector::zeros(&space)?;
        // The sum of squared distances from the running mean (Welford), which does not cancel.
        let mut squares = ParamVector::zeros(&space)?;
        let mut products = 0;
        for index in 0..planned {
            let v: ParamVector =
                Probe::Rademacher.draw(&space, self.settings.seed, index as u64)?;
            let sample = v.clone().times(&self.operator.matvec(&v)?)?;
            if !sample.norm()?.is_finite() {
                return Err(KrylovError::NonFinite { product: index }.into());
            }
            products += 1;
            let before = sample.clone().axpy(-1.0, &mean)?;
            mean = mean.axpy((products as f64).recip(), &before)?;
            squares = squares.axpy(1.0, &before.times(&sample.axpy(-1.0, &mean)?)?)?;
            if tell(&mut self.observer, Task::Diagonal, products, planned).is_break() {
                break;
            }
        }
        let variances = match products {
            0 => return Err(KrylovError::NoProbes.into()),
            1 => None,
            _ => Some(squares.scale(((products * (products - 1)) as f64).recip())),
        };
        Ok(Diagonal {
            values: mean,
            variances,
            products,
        })
    }
}
