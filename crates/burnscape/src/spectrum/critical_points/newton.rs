use burnscape_krylov::{Dense, KrylovFault, LanczosFactorization, SelfAdjoint, Symmetric};

use crate::curvature::{CurvatureError, Hessian};

/// How a step is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newton {
    /// The most vectors of a Krylov space.
    pub(super) max_basis: usize,
    /// The smallest size of an eigenvalue, as a share of the largest.
    pub(super) floor: f64,
    pub(super) seed: u64,
}

impl Newton {
    /// `Σ_i ⟨u_i, g⟩ / λ̃_i u_i` in the Krylov space of the gradient, and the products that it took. None for a matrix
    /// that is zero there.
    pub(super) fn step<A: SelfAdjoint + ?Sized>(
        self,
        hessian: &A,
        gradient: A::Vector,
    ) -> Result<(Option<A::Vector>, usize), A::Error> {
        let Self {
            max_basis, seed, ..
        } = self;
        let record = LanczosFactorization::from_vector(hessian, gradient, max_basis, seed)?;
        if record.is_stopped() {
            return Err(KrylovFault::Stopped.into());
        }
        let least = self.floor * largest(&record.ritz_values());
        if least == 0.0 {
            return Ok((None, record.num_matvecs()));
        }
        let inverse = |curvature: f64| 1.0 / curvature.abs().max(least).copysign(curvature);
        Ok((record.apply(inverse)?, record.num_matvecs()))
    }
}

/// The largest size of some Ritz values.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |size, value| size.max(value.abs()))
}

/// The matrix on the host, symmetric to the last bit: a product for each parameter, in blocks.
pub(super) fn on_host(hessian: &Hessian<'_>) -> Result<Symmetric<Dense>, CurvatureError> {
    let matrix = Dense::of(hessian)?;
    let dimension = matrix.num_rows();
    let mirror = matrix.transpose();
    let entries = matrix.as_slice().iter().zip(mirror.as_slice());
    let entries = entries.map(|(one, other)| 0.5 * (one + other)).collect();
    let symmetric = Dense::from_row_major(dimension, dimension, entries)?;
    Ok(Symmetric::verified(symmetric, 1e-10, 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newton(floor: f64) -> Newton {
        Newton {
            max_basis: 4,
            floor,
            seed: 0,
        }
    }

    fn step(floor: f64, diagonal: &[f64], gradient: &[f64]) -> Option<Vec<f64>> {
        let matrix = Symmetric::verified(Dense::diagonal(diagonal), 1e-12, 0).unwrap();
        let found = newton(floor).step(&matrix, gradient.to_vec()).unwrap();
        assert!(found.1 <= 4);
        found.0
    }

    #[test]
    fn eigenvalues_keep_their_sign_and_have_a_least_size() {
        let (diagonal, gradient) = ([10.0, -2.0, 0.01, -0.02], [1.0; 4]);
        let found = step(1e-2, &diagonal, &gradient).unwrap();
        for (found, expected) in found.iter().zip([0.1, -0.5, 10.0, -10.0]) {
            assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        }
        let found = step(1e-6, &diagonal, &gradient).unwrap();
        for (found, expected) in found.iter().zip([0.1, -0.5, 100.0, -50.0]) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn without_curvature_there_is_no_step() {
        assert_eq!(step(1e-2, &[0.0; 4], &[1.0, 2.0, 0.0, 0.0]), None);
    }
}
