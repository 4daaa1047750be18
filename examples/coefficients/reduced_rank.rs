//! Reduced-rank regression: two linear layers without bias, and the identity as data.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

/// Computes `B A x`. With the identity as data, the loss is that of regression on inputs of unit covariance.
#[derive(Module, Debug)]
pub(crate) struct ReducedRank {
    hidden: Linear,
    last: Linear,
}

impl ReducedRank {
    /// All weights are zero: the minimum at which the network has no direction of its own.
    pub(crate) fn zero(inputs: usize, hidden: usize, outputs: usize, device: &Device) -> Self {
        let layer = |from: usize, to: usize| Linear {
            weight: Param::from_tensor(Tensor::zeros([from, to], device)),
            bias: None,
        };
        Self {
            hidden: layer(inputs, hidden),
            last: layer(hidden, outputs),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.last.forward(self.hidden.forward(x))
    }
}

/// `½ |B A|²`, half the squared distance to the zero map: the true map of this regression.
pub(crate) fn distance_to_zero(model: &ReducedRank, identity: Tensor<2>) -> Tensor<1> {
    model.forward(identity).square().sum() * 0.5
}
