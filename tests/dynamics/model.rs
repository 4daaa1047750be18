//! Small networks and their data.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::krylov::{Probe, VectorSpace};

pub(crate) type Batch = (Tensor<2>, Tensor<2>);

/// Two hidden layers with tanh.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    pub(crate) layers: [Linear; 3],
}

impl Mlp {
    /// Initial weights are a function of the seed, whatever else draws from the device.
    pub(crate) fn new(widths: [usize; 4], seed: u64, device: &Device) -> Self {
        let layer = |index: usize| {
            let (from, to) = (widths[index], widths[index + 1]);
            let values = noise(from * to, seed + index as u64);
            let scale = 1.0 / (from as f64).sqrt();
            let values: Vec<f64> = values.into_iter().map(|x| x * scale).collect();
            let mut layer = LinearConfig::new(from, to).init(device);
            let dtype = layer.weight.val().dtype();
            let data = TensorData::new(values, [from, to]);
            layer.weight = Param::from_tensor(Tensor::from_data(data, (device, dtype)));
            layer.bias = Some(Param::from_tensor(Tensor::zeros([to], (device, dtype))));
            layer
        };
        Self {
            layers: [layer(0), layer(1), layer(2)],
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, second, last] = &self.layers;
        last.forward(second.forward(first.forward(x).tanh()).tanh())
    }
}

/// Half the squared distance, mean over the examples.
pub(crate) fn squared(model: &Mlp, (x, y): Batch) -> Tensor<1> {
    let [count, _] = x.dims();
    (model.forward(x) - y).square().sum() / (2.0 * count as f64)
}

/// Cross-entropy to the probabilities `y`, mean over the examples.
pub(crate) fn cross_entropy(model: &Mlp, (x, y): Batch) -> Tensor<1> {
    let [count, _] = x.dims();
    -(log_softmax(model.forward(x), 1) * y).sum() / count as f64
}

/// Standard normal numbers.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<f64> {
    Probe::Gaussian
        .draw::<Vec<f64>>(&count, seed, 0)
        .unwrap()
        .to_host()
        .unwrap()
}

/// Noisy points around a center for each class, with one-hot targets: similar to images of digits for a
/// small network.
pub(crate) fn clusters(count: usize, features: usize, classes: usize, device: &Device) -> Batch {
    let centers = noise(classes * features, 11);
    let spread = noise(count * features, 12);
    let x = (0..count * features).map(|index| {
        let (row, column) = (index / features, index % features);
        centers[(row % classes) * features + column] * 0.6 + spread[index] * 0.6
    });
    let y = (0..count * classes)
        .map(|index| f64::from(u8::from((index / classes) % classes == index % classes)));
    (
        Tensor::from_data(TensorData::new(x.collect(), [count, features]), device),
        Tensor::from_data(TensorData::new(y.collect(), [count, classes]), device),
    )
}

/// A step of a Burn optimizer.
pub(crate) fn step(
    optimizer: &mut ModuleOptimizer,
    lr: f64,
    model: Mlp,
    loss: impl Fn(&Mlp, Batch) -> Tensor<1>,
    batch: &Batch,
) -> Mlp {
    let gradients = loss(&model, batch.clone()).backward();
    let gradients = GradientsParams::from_grads(gradients, &model);
    optimizer.step(lr, model, gradients)
}
