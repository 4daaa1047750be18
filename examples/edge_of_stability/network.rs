use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::krylov::Probe;

use super::digits::Data;
use crate::Failure;

/// Two hidden layers with tanh.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    layers: [Linear; 3],
}

impl Mlp {
    /// Normal weights with the variance `1/inputs`, a function of the seed. The device draws nothing: its random stream
    /// is shared by all threads.
    pub(crate) fn new(width: usize, seed: u64, device: &Device) -> Result<Self, Failure> {
        let layer = |index: u64, from: usize, to: usize| -> Result<Linear, Failure> {
            let normal: Vec<f64> = Probe::Gaussian.draw(&(from * to), seed, index)?;
            let scale = 1.0 / (from as f64).sqrt();
            let weights: Vec<f64> = normal.into_iter().map(|x| x * scale).collect();
            let weights = TensorData::new(weights, [from, to]);
            Ok(Linear {
                weight: Param::from_tensor(Tensor::from_data(weights, device)),
                bias: Some(Param::from_tensor(Tensor::zeros([to], device))),
            })
        };
        Ok(Self {
            layers: [
                layer(0, 64, width)?,
                layer(1, width, width)?,
                layer(2, width, 10)?,
            ],
        })
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let [first, second, last] = &self.layers;
        last.forward(second.forward(first.forward(images).tanh()).tanh())
    }
}

/// Half the squared distance to the one-hot label, mean over the digits.
pub(crate) fn loss(model: &Mlp, (images, targets): Data) -> Tensor<1> {
    let [count, _] = images.dims();
    (model.forward(images) - targets).square().sum() / (2.0 * count as f64)
}
