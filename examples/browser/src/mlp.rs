use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

const HIDDEN: usize = 24;

/// A network of two hidden layers with tanh.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Mlp {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(2, HIDDEN).init(device),
            second: LinearConfig::new(HIDDEN, HIDDEN).init(device),
            last: LinearConfig::new(HIDDEN, 2).init(device),
        }
    }

    /// Logits `[n, 2]` of points `[n, 2]`.
    pub(crate) fn forward(&self, points: Tensor<2>) -> Tensor<2> {
        let hidden = self.first.forward(points).tanh();
        self.last.forward(self.second.forward(hidden).tanh())
    }
}
