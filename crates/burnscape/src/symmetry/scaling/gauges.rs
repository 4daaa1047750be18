use burn::module::Module;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::super::SymmetryError;
use super::super::verifier::Verifier;
use super::change_of_basis::{Bases, turned};
use super::found::{Found, Scaling};
use crate::space::stream;

/// The bases that can be changed without an effect on a model's outputs: for any invertible `G`, weights become `W G`
/// on one side and `W G⁻ᵀ` on the other.
///
/// They exist wherever values pass from one linear map to the next without a nonlinearity. In an attention head that are
/// `(W_q G, W_k G⁻ᵀ)` and `(W_v G, G⁻¹ W_o)`, biases alike, with one `G` for each head; grouped queries share that of
/// their keys. A rotary encoding leaves only values and outputs. Two linear layers in a row have one, too.
///
/// Every result was verified at random weights. Rotations of a residual stream are not found: they need the gains of
/// the normalizations to be moved into the weights that follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gauges {
    found: Found,
}

impl Gauges {
    pub(super) fn of(found: Found) -> Self {
        Self { found }
    }

    pub(super) fn verify(found: &mut Found, verifier: &mut Verifier) -> Result<(), SymmetryError> {
        found.verify(verifier, |verifier, scalings, layout| {
            verifier.passes_with(|seed| {
                let bases = Bases::of(scalings, &random(scalings, seed))?;
                Ok(Box::new(move |tensor, values| {
                    turned((layout, scalings), &bases, tensor, values)
                }))
            })
        })
    }

    /// The gauges. The size is that of `G`, and there is one `G` for each row.
    pub fn scalings(&self) -> &[Scaling] {
        &self.found.scalings
    }

    /// What the equations say and verification does not confirm. There should be none.
    pub fn dropped(&self) -> &[Scaling] {
        &self.found.dropped
    }

    /// Random matrices, one list for each of [`scalings`](Self::scalings): the identity plus Gaussian noise, in row-major
    /// order.
    pub fn random(&self, seed: u64) -> Vec<Vec<f64>> {
        random(&self.found.scalings, seed)
    }

    /// A copy of `model` in other bases. `matrices` has one list for each of [`scalings`](Self::scalings), with
    /// [`rows`](Scaling::rows) matrices of [`size`](Scaling::size)² entries in row-major order, one after the other.
    ///
    /// # Cost
    ///
    /// The values are multiplied on the host, in f64.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::Group`] for lists of another length, and for a matrix that is singular to rounding;
    /// [`SymmetryError::DifferentModel`]; [`SymmetryError::Space`].
    pub fn apply<M: Module>(&self, model: &M, matrices: &[Vec<f64>]) -> Result<M, SymmetryError> {
        let scalings = &self.found.scalings;
        let sizes = scalings.iter().map(|scaling| scaling.size);
        if matrices.len() == scalings.len() {
            for (index, (size, given)) in sizes.zip(matrices).enumerate() {
                let expected = scalings[index].num_factors() * size;
                if given.len() != expected {
                    return Err(SymmetryError::Group {
                        group: index,
                        message: format!("{} entries were given, expected {expected}", given.len()),
                    });
                }
            }
        } else {
            return Err(SymmetryError::Group {
                group: matrices.len().min(scalings.len()),
                message: format!(
                    "{} lists of matrices were given for {} gauges; pass one for each",
                    matrices.len(),
                    scalings.len()
                ),
            });
        }
        let bases = Bases::of(scalings, matrices)?;
        let layout = &self.found.layout;
        self.found.applied(model, &|tensor, values| {
            turned((layout, scalings), &bases, tensor, values)
        })
    }
}

fn random(scalings: &[Scaling], seed: u64) -> Vec<Vec<f64>> {
    let scalings = scalings.iter().enumerate();
    let matrices = scalings.map(|(index, scaling)| {
        let mut rng = stream(seed, index as u64);
        let size = scaling.size;
        let mut entry = |place: usize| {
            let noise: f64 = StandardNormal.sample(&mut rng);
            let is_diagonal = (place / size) % size == place % size;
            f64::from(u8::from(is_diagonal)) + 0.3 * noise / (size as f64).sqrt()
        };
        (0..scaling.num_factors() * size).map(&mut entry).collect()
    });
    matrices.collect()
}
