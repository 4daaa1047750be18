//! A weight as a matrix with one neuron per row.

use burn::tensor::{Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::space::{
    FlatSpace, ParamLeaf, ParamSpace, ParamVector, SpaceError, limited_by, norm, scaled,
};

/// Two displacements whose `⟨left, H right⟩` is a term, or an unbiased estimate, of the measure.
pub(super) struct Pair {
    pub(super) left: ParamVector,
    pub(super) right: ParamVector,
}

/// A weight `W`, `[d, m]`: `d` neurons with `m` inputs each.
pub(super) struct Layer {
    space: ParamSpace,
    leaf: ParamLeaf,
    /// Sizes of the axes before the one that counts neurons, of it, and of those after.
    axes: [usize; 3],
    weight: Tensor<2>,
    norm: f64,
}

impl Layer {
    pub(super) fn new(
        leaf: &ParamLeaf,
        axis: usize,
        weights: &ParamVector,
    ) -> Result<Self, SpaceError> {
        let shape = leaf.shape();
        let axes = [
            shape[..axis].iter().product(),
            shape[axis],
            shape[axis + 1..].iter().product(),
        ];
        let norm = limited_by(weights.space().waits(), || norm(&weights.leaf(leaf)))?;
        let values = weights.leaf(leaf).reshape(axes).swap_dims(0, 1);
        let weight = values.reshape([axes[1], axes[0] * axes[2]]);
        Ok(Self {
            space: weights.space().clone(),
            leaf: leaf.clone(),
            axes,
            weight,
            norm,
        })
    }

    pub(super) fn leaf(&self) -> &ParamLeaf {
        &self.leaf
    }

    fn num_neurons(&self) -> usize {
        self.axes[1]
    }

    fn num_inputs(&self) -> usize {
        self.axes[0] * self.axes[2]
    }

    /// Whether `W Wᵀ` has fewer terms than its factor `W`.
    fn by_neuron(&self) -> bool {
        self.num_neurons() < self.num_inputs()
    }

    /// The number of products for the exact value.
    pub(super) fn num_terms(&self) -> usize {
        self.num_inputs() * self.num_inputs().min(self.num_neurons())
    }

    /// Term `index` of the exact value.
    pub(super) fn term(&self, index: usize) -> Result<Pair, SpaceError> {
        let [rows, columns] = self.probe_shape();
        let mut values = vec![0.0; rows * columns];
        if let Some(value) = values.get_mut(index) {
            *value = 1.0;
        }
        self.pair(values)
    }

    /// A sample whose mean is the exact value.
    pub(super) fn sample(&self, seed: u64) -> Result<Pair, SpaceError> {
        let [rows, columns] = self.probe_shape();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut sign = || if rng.random::<bool>() { 1.0 } else { -1.0 };
        self.pair((0..rows * columns).map(|_| sign()).collect())
    }

    fn probe_shape(&self) -> [usize; 2] {
        if self.by_neuron() {
            [self.num_neurons(), self.num_inputs()]
        } else {
            [self.num_inputs(); 2]
        }
    }

    /// `⟨V, H V⟩` with `V = W Z`, or `⟨W Wᵀ Z, H Z⟩`.
    ///
    /// In the second form both sides are scaled to the size of the weight. Where several layers share a product, the
    /// contribution of one layer to another's sample is then as invariant as the sample.
    fn pair(&self, probe: Vec<f64>) -> Result<Pair, SpaceError> {
        let shape = self.probe_shape();
        let place = (self.space.device(), self.weight.dtype());
        let probe = Tensor::<2>::from_data(TensorData::new(probe, shape), place);
        let w = &self.weight;
        if !self.by_neuron() {
            let left = self.embed(w.clone().matmul(probe))?;
            return Ok(Pair {
                right: left.clone(),
                left,
            });
        }
        let norm = if self.norm > 0.0 { self.norm } else { 1.0 };
        // Divided before it is multiplied: the square of a weight may leave the range.
        let product = w.clone().transpose().matmul(probe.clone());
        let product = scaled(w.clone(), norm.recip()).matmul(product);
        Ok(Pair {
            left: self.embed(product)?,
            right: self.embed(scaled(probe, norm))?,
        })
    }

    /// The displacement of this weight alone.
    fn embed(&self, matrix: Tensor<2>) -> Result<ParamVector, SpaceError> {
        let [before, neurons, after] = self.axes;
        let values = matrix.reshape([neurons, before, after]).swap_dims(0, 1);
        let values = values.reshape([self.leaf.len()]);
        let zero = ParamVector::zeros(&self.space)?;
        let range = self.leaf.offset()..self.leaf.offset() + self.leaf.len();
        let all = zero.values().clone().slice_assign([range], values);
        ParamVector::from_values(&self.space, all)
    }
}
