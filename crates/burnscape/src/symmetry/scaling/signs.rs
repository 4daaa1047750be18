use burn::module::Module;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::super::SymmetryError;
use super::super::traced::Traced;
use super::super::verifier::Verifier;
use super::found::{Found, Scaling};
use super::scales::{multiplied, multipliers};
use crate::space::stream;

/// The signs of a model's weights that can be changed without an effect on its outputs, as for the units of a tanh layer:
/// `tanh(−x) = −tanh(x)`.
///
/// The exponents of the operations, modulo 2, are a system of linear equations, whose solutions are the signs. Every
/// result was verified at random weights. Running statistics do not change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signs {
    found: Found,
}

impl Signs {
    pub(super) fn of(_: &Traced, found: Found) -> Result<Self, SymmetryError> {
        Ok(Self { found })
    }

    pub(super) fn verify(&mut self, verifier: &mut Verifier) -> Result<(), SymmetryError> {
        self.found.verify(verifier, |verifier, scalings, layout| {
            verifier.passes_with(|seed, draw| {
                // Random signs may all be the same, so that the first two draws are not random.
                let signs = if draw > 1 {
                    random(scalings, seed)
                } else {
                    alternating(scalings, draw)
                };
                let by_tensor = multipliers(layout, scalings, &signs, |sign, _| sign);
                Ok(Box::new(move |tensor, values| {
                    let by = by_tensor[tensor].as_deref()?;
                    Some(values.iter().zip(by).map(|(x, by)| x * by).collect())
                }))
            })
        })
    }

    /// Independent signs. All others are products of them.
    pub fn scalings(&self) -> &[Scaling] {
        &self.found.scalings
    }

    /// What the equations say and verification does not confirm. There should be none.
    pub fn dropped(&self) -> &[Scaling] {
        &self.found.dropped
    }

    /// Random signs, one list for each of [`scalings`](Self::scalings).
    pub fn random(&self, seed: u64) -> Vec<Vec<f64>> {
        random(&self.found.scalings, seed)
    }

    /// A copy of `model` with the signs changed where those given are −1.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::Group`] unless there is one list of ±1 for each of [`scalings`](Self::scalings), of its
    /// [`num_factors`](Scaling::num_factors); [`SymmetryError::DifferentModel`]; [`SymmetryError::Space`].
    pub fn apply<M: Module>(&self, model: &M, signs: &[Vec<f64>]) -> Result<M, SymmetryError> {
        self.found.check(signs, 1, "signs")?;
        for (group, signs) in signs.iter().enumerate() {
            if let Some(wrong) = signs.iter().find(|sign| sign.abs() != 1.0) {
                let message = format!("{wrong} is not a sign; pass 1 or −1");
                return Err(SymmetryError::Group { group, message });
            }
        }
        let found = &self.found;
        let by_tensor = multipliers(&found.layout, &found.scalings, signs, |sign, _| sign);
        found.applied(model, &|tensor, values| {
            Ok(multiplied(values, by_tensor[tensor].as_deref()))
        })
    }
}

fn random(scalings: &[Scaling], seed: u64) -> Vec<Vec<f64>> {
    let scalings = scalings.iter().enumerate();
    let signs = scalings.map(|(index, scaling)| {
        let mut rng = stream(seed, index as u64);
        let sign = |_| if rng.random::<bool>() { 1.0 } else { -1.0 };
        (0..scaling.num_factors()).map(sign).collect()
    });
    signs.collect()
}

/// Signs that change from one index to the next.
fn alternating(scalings: &[Scaling], first: usize) -> Vec<Vec<f64>> {
    let scalings = scalings.iter();
    let signs = scalings.map(|scaling| {
        let indices = first..first + scaling.num_factors();
        let sign = |index: usize| if index.is_multiple_of(2) { -1.0 } else { 1.0 };
        indices.map(sign).collect()
    });
    signs.collect()
}
