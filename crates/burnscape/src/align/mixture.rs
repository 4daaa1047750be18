use super::{ActivationSimilarity, AlignError, Similarity, WeightSimilarity};
use crate::range::ensure;
use crate::symmetry::{Element, Symmetries, SymmetryError};

/// Models compared by weights and by activations at once.
///
/// The matrix of a group is `α S_w / |S_w| + (1 − α) S_a / |S_a|`, up to a factor, with `S_w` its matrix by weights, `S_a`
/// that by activations, and Frobenius norms at the identity.
///
/// The objective is `α W(g) + (1 − α) Σ_F κ_F A_F(g)`, where `W` is the objective by weights, and `A_F` the part of the
/// objective by activations of a family of groups: one group, or several that are beside each other in an activation, as
/// heads and their channels are. `κ_F = |S_w| / |S_a|`, the norms over the groups of the family without parents, balances both
/// in each family; activations do not depend on other families, so that this is an objective.
///
/// Groups without activations, as the channels of queries and keys, are permuted by weights, whatever `α` is: the parameters
/// on which they act count with 1 instead of `α` in `W`, for other groups as well.
///
/// # Cost
///
/// Those of both similarities.
///
/// # References
///
/// Xu, Yuan, Wang, Wang, Song, Song 2024, *Training-Free Pretrained Model Merging* (MuDSC), arXiv:2403.01753. There norms are those of
/// the current matrices, so that the objective changes from step to step.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burnscape::align::{
///     ActivationMeasure, ActivationSimilarity, CoordinateDescentConfig, MixedSimilarity, WeightSimilarity,
/// };
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Two {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let model = || Two {
///     first: LinearConfig::new(2, 6).init(&device),
///     second: LinearConfig::new(6, 1).init(&device),
/// };
/// let (a, b) = (model(), model());
/// let outputs = |m: &Two, x: &Tensor<2>| m.second.forward(m.first.forward(x.clone()).tanh());
/// let data = [Tensor::<2>::random([32, 2], Distribution::Default, &device)];
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, data[0].clone())?;
///
/// let weights = WeightSimilarity::new(&symmetries, &a, &b)?;
/// let measure = ActivationMeasure::Correlation;
/// let activations = ActivationSimilarity::new(&symmetries, &outputs, &data, &a, &b, measure)?;
/// let mixed = MixedSimilarity::new(weights, activations, 0.5)?;
/// let found = CoordinateDescentConfig::new().run(&mixed, &b)?;
/// assert!(found.record.completed);
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Debug)]
pub struct MixedSimilarity {
    /// Both with their shares.
    weights: WeightSimilarity,
    activations: ActivationSimilarity,
}

impl MixedSimilarity {
    /// Mixes two similarities of the same models. `weight_share` is α, the share of the weights.
    ///
    /// # Cost
    ///
    /// A matrix of both for each group.
    ///
    /// # Errors
    ///
    /// [`AlignError::OutOfRange`] for a share outside 0 to 1, [`AlignError::Symmetry`] for other symmetries,
    /// [`AlignError::Space`].
    pub fn new(
        mut weights: WeightSimilarity,
        mut activations: ActivationSimilarity,
        weight_share: f64,
    ) -> Result<Self, AlignError> {
        ensure("weight_share", weight_share, 0.0..=1.0)?;
        if weights.symmetries() != activations.symmetries() {
            return Err(SymmetryError::DifferentSymmetries.into());
        }
        let symmetries = weights.symmetries().clone();
        let identity = symmetries.identity();
        for family in activations.families() {
            let mut squares = [0.0; 2];
            for &group in &family {
                if !symmetries.groups()[group].parents().is_empty() {
                    continue;
                }
                let matrices = [
                    weights.matrix(group, &identity)?,
                    activations.matrix(group, &identity)?,
                ];
                for (square, matrix) in squares.iter_mut().zip(matrices) {
                    *square += matrix.iter().map(|entry| entry * entry).sum::<f64>();
                }
            }
            let [of_weights, of_activations] = squares.map(f64::sqrt);
            // Units that are all constant, or weights that are all zero, say nothing.
            let balance = match of_activations > 0.0 {
                true if of_weights > 0.0 => of_weights / of_activations,
                true => 1.0 / of_activations,
                false => 0.0,
            };
            activations.scale(&family, (1.0 - weight_share) * balance);
        }
        weights.weigh(activations.without_activations(), weight_share);
        Ok(Self {
            weights,
            activations,
        })
    }
}

impl Similarity for MixedSimilarity {
    fn symmetries(&self) -> &Symmetries {
        self.weights.symmetries()
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        let weights = self.weights.matrix(group, element)?;
        Ok(added(weights, &self.activations.matrix(group, element)?))
    }

    fn mean_matrix(&self, group: usize, element: &Element) -> Result<Option<Vec<f64>>, AlignError> {
        let Some(weights) = self.weights.mean_matrix(group, element)? else {
            return Ok(None);
        };
        let activations = self.activations.matrix(group, element)?;
        Ok(Some(added(weights, &activations)))
    }

    fn objective(&self, element: &Element) -> Result<f64, AlignError> {
        Ok(self.weights.objective(element)? + self.activations.objective(element)?)
    }

    fn upper_bound(&self) -> Option<f64> {
        Some(self.weights.upper_bound()? + self.activations.upper_bound()?)
    }
}

fn added(mut sum: Vec<f64>, terms: &[f64]) -> Vec<f64> {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += term;
    }
    sum
}
