use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::super::layout::Layout;
use super::super::traced::Traced;
use super::super::verifier::Verifier;
use super::super::{Symmetries, SymmetryError};
use super::canonical;
use super::found::{Found, Scaling};
use crate::space::{ParamSpace, ParamVector, float_tensors, stream, to_host, with_values};

/// The factors by which a model's weights can be multiplied without an effect on its outputs.
///
/// A ReLU unit is the standard example: multiply its incoming weights and its bias by `λ > 0` and divide the outgoing
/// ones by `λ`. Each [`Scaling`] has one factor for each index of a group, and an exponent for each member.
///
/// Operations are linear equations between exponents: ReLU passes them, products add, sums equate, everything else sets
/// them to zero. The solutions over the rational numbers are the scales, and every result was verified at random
/// weights.
///
/// Running statistics do not scale. The input of a batch normalization does not, either: `x / √(v + ε)` is not
/// homogeneous because of `ε`.
///
/// # Curvature
///
/// The loss is constant along an orbit, so that `θ(t)` with `θ̇ = A θ` (`A` the diagonal matrix of exponents) has
/// `gᵀ A θ = 0`, and one derivative more gives `H A θ = −A g`. [`tangents`](Self::tangents) are the vectors `A θ`. At a
/// critical point they are eigenvectors of the Hessian with eigenvalue zero, whatever the data: symmetry zeros.
///
/// # References
///
/// Neyshabur, Salakhutdinov, Srebro, *Path-SGD* (2015), on rescaled units; Kunin et al., *Neural Mechanics* (2021), on
/// gradients and Hessians along symmetries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    found: Found,
}

impl Scales {
    pub(super) fn of(_: &Traced, found: Found) -> Result<Self, SymmetryError> {
        Ok(Self { found })
    }

    pub(super) fn verify(&mut self, verifier: &mut Verifier) -> Result<(), SymmetryError> {
        self.found.verify(verifier, |verifier, scalings, layout| {
            verifier.passes_with(|seed, _| {
                let factors = random(scalings, seed);
                let by_tensor = multipliers(layout, scalings, &factors, power);
                Ok(Box::new(move |tensor, values| {
                    let by = by_tensor[tensor].as_deref()?;
                    Some(values.iter().zip(by).map(|(x, by)| x * by).collect())
                }))
            })
        })
    }

    /// Independent scales. All others are products of them.
    pub fn scalings(&self) -> &[Scaling] {
        &self.found.scalings
    }

    /// What the equations say and verification does not confirm. There should be none.
    pub fn dropped(&self) -> &[Scaling] {
        &self.found.dropped
    }

    /// The number of factors: the dimension of the orbit at generic weights.
    pub fn dimension(&self) -> usize {
        let scalings = self.found.scalings.iter();
        scalings.map(Scaling::num_factors).sum()
    }

    /// Random factors `exp(z / 2)` with Gaussian `z`, one list for each of [`scalings`](Self::scalings).
    pub fn random(&self, seed: u64) -> Vec<Vec<f64>> {
        random(&self.found.scalings, seed)
    }

    /// A copy of `model` with its weights multiplied by the factors to the power of their exponents.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::Group`] unless there is one list of positive factors for each of [`scalings`](Self::scalings), of
    /// its [`num_factors`](Scaling::num_factors); [`SymmetryError::DifferentModel`]; [`SymmetryError::Space`].
    pub fn apply<M: Module>(&self, model: &M, factors: &[Vec<f64>]) -> Result<M, SymmetryError> {
        self.found.check(factors, 1, "factors")?;
        for (group, factors) in factors.iter().enumerate() {
            if let Some(wrong) = factors.iter().find(|factor| **factor <= 0.0) {
                let message = format!("{wrong} is not positive; pass positive factors");
                return Err(SymmetryError::Group { group, message });
            }
        }
        let found = &self.found;
        let by_tensor = multipliers(&found.layout, &found.scalings, factors, power);
        found.applied(model, &|tensor, values| {
            Ok(multiplied(values, by_tensor[tensor].as_deref()))
        })
    }

    /// The point of the model's orbit with the smallest sum of squared weights, at which every unit is balanced:
    /// `Σ exponent · |member|² = 0`. For a ReLU unit that is `|incoming| = |outgoing|`. It is unique, so that two models
    /// on one orbit have one canonical form.
    ///
    /// A factor for which the smallest sum is not attained stays 1: that of a unit whose incoming or outgoing
    /// weights are all zero.
    ///
    /// # Cost
    ///
    /// Sweeps over the weights on the host, in f64, until no factor changes by more than 10⁻¹².
    ///
    /// # Errors
    ///
    /// [`SymmetryError::DifferentModel`], [`SymmetryError::Space`].
    pub fn canonicalize<M: Module>(&self, model: &M) -> Result<M, SymmetryError> {
        let tensors = float_tensors(model)?;
        let found = &self.found;
        Symmetries::check_same(found.tensors(), &tensors)?;
        let values = tensors.iter().map(|tensor| to_host(tensor.values.clone()));
        let values: Vec<Vec<f64>> = values.collect::<Result<_, _>>()?;
        let factors = canonical::factors(&found.layout, &found.scalings, values);
        let by_tensor = multipliers(&found.layout, &found.scalings, &factors, power);
        found.applied(model, &|tensor, values| {
            Ok(multiplied(values, by_tensor[tensor].as_deref()))
        })
    }

    /// The tangents of the model's orbit: for each factor the derivative of the parameters by its logarithm, `A θ`. They
    /// are not orthogonal where scales share parameters, and zero for units without weights.
    ///
    /// Scales that move a parameter that is not trained have no tangent in the space of the trained ones, and are left
    /// out.
    ///
    /// # Cost
    ///
    /// A vector of all parameters for each factor.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::DifferentModel`], [`SymmetryError::Space`].
    pub fn tangents<M: Module>(&self, model: &M) -> Result<Vec<ParamVector>, SymmetryError> {
        let tensors = float_tensors(model)?;
        let found = &self.found;
        Symmetries::check_same(found.tensors(), &tensors)?;
        let space = ParamSpace::of(model)?;
        let leaves = space.leaves();
        let offsets = tensors.iter().map(|tensor| {
            let mut leaves = leaves.iter();
            let leaf = leaves.find(|leaf| tensor.paths.iter().any(|path| path == leaf.path()));
            leaf.map(|leaf| leaf.offset())
        });
        let offsets: Vec<Option<usize>> = offsets.collect();
        let values = tensors.iter().map(|tensor| to_host(tensor.values.clone()));
        let values: Vec<Vec<f64>> = values.collect::<Result<_, _>>()?;
        let mut tangents = Vec::new();
        for scaling in &found.scalings {
            let places = scaling.places();
            if places.iter().any(|place| offsets[place.tensor].is_none()) {
                continue;
            }
            let mut own = vec![vec![0.0; space.len()]; scaling.num_factors()];
            for place in places {
                let offset = offsets[place.tensor].unwrap_or(0);
                place.each(&found.tensors()[place.tensor], |element, factor| {
                    let part = place.exponent as f64 * values[place.tensor][element];
                    own[factor][offset + element] += part;
                });
            }
            for tangent in own {
                tangents.push(ParamVector::from_host(&space, &tangent)?);
            }
        }
        Ok(tangents)
    }
}

fn power(factor: f64, exponent: i64) -> f64 {
    factor.powi(i32::try_from(exponent).unwrap_or(0))
}

fn random(scalings: &[Scaling], seed: u64) -> Vec<Vec<f64>> {
    let scalings = scalings.iter().enumerate();
    let factors = scalings.map(|(index, scaling)| {
        let mut rng = stream(seed, index as u64);
        let mut factor = || {
            let noise: f64 = StandardNormal.sample(&mut rng);
            (0.5 * noise).exp()
        };
        (0..scaling.num_factors()).map(|_| factor()).collect()
    });
    factors.collect()
}

/// For each tensor on which a symmetry acts, the number by which each element is multiplied.
pub(super) fn multipliers(
    layout: &Layout,
    scalings: &[Scaling],
    factors: &[Vec<f64>],
    power: impl Fn(f64, i64) -> f64,
) -> Vec<Option<Vec<f64>>> {
    let mut multipliers: Vec<Option<Vec<f64>>> = vec![None; layout.tensors.len()];
    for (scaling, factors) in scalings.iter().zip(factors) {
        for place in scaling.places() {
            let tensor = &layout.tensors[place.tensor];
            let len = tensor.shape.iter().product();
            let own = multipliers[place.tensor].get_or_insert_with(|| vec![1.0; len]);
            place.each(tensor, |element, factor| {
                own[element] *= power(factors[factor], place.exponent);
            });
        }
    }
    multipliers
}

/// A flat tensor times numbers, in its own element type.
pub(super) fn multiplied(values: Tensor<1>, by: Option<&[f64]>) -> Tensor<1> {
    let Some(by) = by else {
        return values;
    };
    let data = TensorData::new(by.to_vec(), [by.len()]);
    let by = Tensor::<1>::from_data(data, (&values.device(), values.dtype()));
    values * by
}

/// How the values of a tensor change.
pub(super) type Change<'c> = dyn Fn(usize, Tensor<1>) -> Result<Tensor<1>, SymmetryError> + 'c;

impl Found {
    /// A copy of a model with the values changed on which a symmetry acts.
    pub(super) fn applied<M: Module>(
        &self,
        model: &M,
        change: &Change<'_>,
    ) -> Result<M, SymmetryError> {
        let tensors = float_tensors(model)?;
        Symmetries::check_same(self.tensors(), &tensors)?;
        let mut changed = Vec::new();
        for (index, tensor) in tensors.iter().enumerate() {
            if self.acting(index).next().is_some() {
                changed.push((tensor, change(index, tensor.values.clone())?));
            }
        }
        Ok(with_values(model, changed))
    }
}
