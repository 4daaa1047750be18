use serde::{Deserialize, Serialize};

use super::LanczosFactorization;
use super::projected::Projected;
use crate::{KrylovFault, VectorBlock, VectorSpace};

/// A [`LanczosFactorization`] as numbers on the host, to be kept between processes with serde.
///
/// Numbers are stored as the integers that their bits make, so that every format brings back the same
/// ones: a run that is resumed is the uninterrupted one, bit for bit.
///
/// # Cost
///
/// The basis on the host in `f64`.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LanczosFactorization, Symmetric};
///
/// let a = Symmetric::verified(Dense::diagonal(&[1.0, 2.0, 4.0, 8.0]), 1e-12, 0)?;
/// let half = LanczosFactorization::from_random(&a, 2, 0)?;
/// let text = serde_json::to_string(&half.checkpoint()?)?;
///
/// let mut resumed = LanczosFactorization::<Vec<f64>>::from_checkpoint(&4, &serde_json::from_str(&text)?)?;
/// resumed.extend(&a, 1)?;
/// assert_eq!(resumed.ritz_values(), LanczosFactorization::from_random(&a, 3, 0)?.ritz_values());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanczosCheckpoint {
    basis: Vec<Vec<u64>>,
    projected: Vec<Vec<u64>>,
    next: Option<Vec<u64>>,
    beta: u64,
    #[serde(alias = "products")]
    num_matvecs: usize,
    length: u64,
    seed: u64,
    drawn: u64,
    first: Option<usize>,
    piece: usize,
    restarted: bool,
}

impl<V: VectorSpace> LanczosFactorization<V> {
    /// The factorization as numbers on the host.
    ///
    /// # Errors
    ///
    /// The vectors' own.
    pub fn checkpoint(&self) -> Result<LanczosCheckpoint, V::Error> {
        let rows = self.basis.vectors();
        let basis: Result<_, V::Error> = rows.map(|v| Ok(bits(&v?.to_host()?))).collect();
        let next = self.next.as_ref().map(V::to_host).transpose()?;
        Ok(LanczosCheckpoint {
            basis: basis?,
            projected: self.projected.rows().iter().map(|row| bits(row)).collect(),
            next: next.map(|values| bits(&values)),
            beta: self.beta.to_bits(),
            num_matvecs: self.num_matvecs,
            length: self.length.to_bits(),
            seed: self.seed,
            drawn: self.drawn,
            first: self.first,
            piece: self.piece,
            restarted: self.restarted,
        })
    }

    /// The stored factorization, in `space`.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::InvalidCheckpoint`] within the vectors' error, for a checkpoint that contradicts itself; the vectors'
    /// own for those that are not of this space.
    pub fn from_checkpoint(space: &V::Space, state: &LanczosCheckpoint) -> Result<Self, V::Error> {
        let dimension = V::dimension(space);
        let len = state.basis.len();
        let mut rows = state.projected.iter().enumerate();
        let is_triangle = state.projected.len() == len && rows.all(|(i, row)| row.len() == i + 1);
        let projected: Vec<Vec<f64>> = state.projected.iter().map(|row| numbers(row)).collect();
        let is_finite = projected.iter().flatten().all(|entry| entry.is_finite());
        for (field, is_right) in [
            ("projected", is_triangle && is_finite),
            ("beta", f64::from_bits(state.beta).is_finite()),
            ("basis", len <= dimension),
            ("next", state.next.is_some() || len > 0),
            (
                "first",
                state.first.is_none_or(|first| first <= state.num_matvecs),
            ),
            ("piece", state.piece <= len),
        ] {
            if !is_right {
                return Err(KrylovFault::InvalidCheckpoint { field }.into());
            }
        }
        let mut basis = V::Block::with_capacity(space, len)?;
        let mut epsilon = None;
        for row in &state.basis {
            let v = V::from_host(space, &numbers(row))?;
            epsilon.get_or_insert(v.epsilon());
            basis.push(v)?;
        }
        let next = state
            .next
            .as_ref()
            .map(|v| V::from_host(space, &numbers(v)));
        let next = next.transpose()?;
        let epsilon = epsilon.or(next.as_ref().map(V::epsilon));
        Ok(Self {
            space: space.clone(),
            basis,
            projected: Projected::from_rows(projected),
            next,
            beta: f64::from_bits(state.beta),
            num_matvecs: state.num_matvecs,
            length: f64::from_bits(state.length),
            // There is a vector, or the checkpoint was refused.
            epsilon: epsilon.unwrap_or(0.0),
            seed: state.seed,
            drawn: state.drawn,
            first: state.first,
            dropped: 0.0,
            piece: state.piece,
            restarted: state.restarted,
            fixed: 0,
            is_stopped: false,
            earlier: 0,
        })
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn numbers(bits: &[u64]) -> Vec<f64> {
    bits.iter().map(|&bits| f64::from_bits(bits)).collect()
}
