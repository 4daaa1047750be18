//! Questions that a factorization answers without new products.

use std::ops::RangeBounds;

use super::{EigenvalueCount, Jacobi, LanczosFactorization, Quadrature};
use crate::{SpectralDensity, VectorBlock, VectorSpace};

impl<V: VectorSpace> LanczosFactorization<V> {
    /// The Gauss quadrature of the first Krylov space: `vᵀ f(A) v / vᵀ v ≈ Σ τ f(θ)` for the
    /// start `v`, exact for polynomials of degree below twice the number of nodes, and exact for
    /// every function once the space is exhausted.
    ///
    /// None before a step, and after a restart, which forgets the start.
    pub fn quadrature(&self) -> Option<Quadrature> {
        Some(self.projected.quadrature(self.first_space()?))
    }

    /// `vᵀ f(A) v` for the start `v`, by [`quadrature`](Self::quadrature).
    pub fn quadratic_form(&self, f: impl Fn(f64) -> f64) -> Option<f64> {
        let mean = self.quadrature()?.integrate(f);
        Some(self.length * mean * self.length)
    }

    /// The distribution of eigenvalues seen from the start: a density of one probe, for
    /// traces, the log-determinant and fractions. It stands for the operator if the start was random
    /// (Rademacher or Gaussian); [`DensityConfig`](crate::DensityConfig) averages several, and gives
    /// their spread.
    ///
    /// None where [`quadrature`](Self::quadrature) is none.
    pub fn density(&self) -> Option<SpectralDensity> {
        let about = (V::dimension(&self.space), self.num_matvecs);
        let probes = vec![(self.quadrature()?, self.jacobi()?)];
        Some(SpectralDensity::new(probes, self.epsilon, about))
    }

    /// `f(A) v` for the start `v`: `|v| Qᵀ f(T) e₁`, in the first Krylov space.
    ///
    /// Its error is at most twice that of the best polynomial of degree below the number of steps, over
    /// the spectrum, times `|v|`: entire functions (`exp`) converge fast, the inverse as conjugate
    /// gradients do. It is exact once the space is exhausted. `f` is called at the Ritz values.
    ///
    /// # Cost
    ///
    /// No product; one with the transpose of the basis.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, LanczosFactorization, Symmetric};
    ///
    /// let a = Symmetric::verified(Dense::diagonal(&[0.0, 1.0, 2.0]), 1e-12, 0)?;
    /// let record = LanczosFactorization::from_vector(&a, vec![1.0, 1.0, 2.0], 3, 0)?;
    /// let flow = record.apply(|x| (-x).exp())?.unwrap_or_default();
    /// assert!((flow[1] - (-1.0_f64).exp()).abs() < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The vectors' own. None (not an error) where [`quadrature`](Self::quadrature) is none.
    ///
    /// # Reference
    ///
    /// Druskin and Knizhnerman (1989); Saad, SIAM J. Numer. Anal. 29 (1992).
    pub fn apply(&self, f: impl Fn(f64) -> f64) -> Result<Option<V>, V::Error> {
        let Some(size) = self.first_space() else {
            return Ok(None);
        };
        let mut coefficients = vec![0.0; self.len()];
        for (value, vector) in self.projected.eigen(0..size) {
            let factor = self.length * f(value) * vector[0];
            let pairs = coefficients.iter_mut().zip(&vector);
            pairs.for_each(|(sum, component)| *sum += factor * component);
        }
        self.basis.linear_combination(&coefficients).map(Some)
    }

    /// How many eigenvalues are in `range` (`0.1..` for those above 0.1), the certain part and
    /// the estimate apart: see [`EigenvalueCount`].
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, LanczosFactorization, Symmetric};
    ///
    /// let mut values = vec![0.0; 40];
    /// values[..3].copy_from_slice(&[5.0, 4.0, -3.0]);
    /// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
    /// let record = LanczosFactorization::from_random(&a, 8, 0)?;
    /// assert_eq!(record.count_in(1.0..).at_least, 2);
    /// assert_eq!(record.count_in(..-1.0).at_least, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_in(&self, range: impl RangeBounds<f64>) -> EigenvalueCount {
        let mut inside = self.residuals_from(0);
        inside.retain(|(value, _)| range.contains(value));
        let is_whole = self.is_invariant() && self.len() == V::dimension(&self.space);
        let exact = is_whole.then_some(inside.len());
        let estimated = || {
            let density = self.density()?;
            let mean = density.mean_of(|value| f64::from(u8::from(range.contains(&value))));
            Some(density.dimension() as f64 * mean.value)
        };
        EigenvalueCount {
            exact,
            interval: exact.map(|exact| (exact as f64, exact as f64)),
            standard_error: exact.map(|_| 0.0),
            at_least: certain(inside, self.rounding(), &range),
            estimate: exact.map(|exact| exact as f64).or_else(estimated),
        }
    }

    /// The tridiagonal matrix of the first Krylov space.
    pub(crate) fn jacobi(&self) -> Option<Jacobi> {
        let size = self.first_space()?;
        // The first space is still under way if no other has begun.
        let last = if self.first.is_none() { self.beta } else { 0.0 };
        Some(Jacobi::new(&self.projected, size, last))
    }

    /// How far rounding may have moved a Ritz value.
    fn rounding(&self) -> f64 {
        64.0 * self.epsilon * self.projected.bound()
    }

    /// Number of vectors in the first Krylov space, if it is still there.
    fn first_space(&self) -> Option<usize> {
        let size = self.first.unwrap_or(self.len()).min(self.len());
        (!self.restarted && size > 0).then_some(size)
    }
}

/// The most Ritz values for which eigenvalues within the range are certain. For any set of Ritz pairs
/// there are as many eigenvalues, one for each, no further away than the norm of the set's residual
/// matrix; in a Lanczos run that is the root of the sum of the squared residuals.
fn certain(mut pairs: Vec<(f64, f64)>, rounding: f64, range: &impl RangeBounds<f64>) -> usize {
    pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (mut most, mut joint) = (0, 0.0_f64);
    for count in 1..=pairs.len() {
        joint = joint.hypot(pairs[count - 1].1);
        let distance = joint + rounding;
        let is_inside =
            |value: f64| range.contains(&(value - distance)) && range.contains(&(value + distance));
        let inside = pairs[..count].iter().filter(|pair| is_inside(pair.0));
        most = most.max(inside.count());
    }
    most
}
