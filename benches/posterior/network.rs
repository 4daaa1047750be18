//! 784-128-10 with tanh, its data, and both as files for NumPy.

use std::path::Path;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::krylov::Probe;

pub(crate) const NUM_EXAMPLES: usize = 1024;
const PIXELS: usize = 784;
const HIDDEN: usize = 128;
const CLASSES: usize = 10;
/// Steps of gradient descent on all examples, after which the network knows them.
const STEPS: usize = 600;
const RATE: f64 = 0.2;

pub(crate) type Batch = (Tensor<2>, Tensor<1, Int>);

#[derive(Module, Debug)]
pub(crate) struct Network {
    hidden: Linear,
    last: Linear,
}

/// Cross entropy, the mean over the batch.
pub(crate) fn loss(model: &Network, (x, y): Batch) -> Tensor<1> {
    let logits = model.last.forward(model.hidden.forward(x).tanh());
    CrossEntropyLossConfig::new()
        .init(&logits.device())
        .forward(logits, y)
}

/// Noise with classes that have nothing to do with it.
pub(crate) struct Examples {
    pixels: Vec<f32>,
    labels: Vec<i64>,
}

impl Examples {
    pub(crate) fn new() -> Self {
        let normal: Vec<f64> = Probe::Gaussian
            .draw(&(NUM_EXAMPLES * PIXELS), 1, 0)
            .expect("numbers");
        let pixels = normal.into_iter().map(|pixel| (0.25 * pixel) as f32);
        let labels = (0..NUM_EXAMPLES).map(|row| (row % CLASSES) as i64);
        Self {
            pixels: pixels.collect(),
            labels: labels.collect(),
        }
    }

    pub(crate) fn tensors(&self, device: &Device) -> Batch {
        let pixels = TensorData::new(self.pixels.clone(), [NUM_EXAMPLES, PIXELS]);
        let labels = TensorData::new(self.labels.clone(), [NUM_EXAMPLES]);
        (
            Tensor::from_data(pixels, device),
            Tensor::from_data(labels, device),
        )
    }
}

pub(crate) fn trained(examples: &Examples, device: &Device) -> Network {
    device.seed(1);
    let mut model = Network {
        hidden: LinearConfig::new(PIXELS, HIDDEN).init(device),
        last: LinearConfig::new(HIDDEN, CLASSES).init(device),
    };
    let batch = examples.tensors(device);
    let momentum = MomentumConfig::new().with_dampening(0.0);
    let mut sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    for _ in 0..STEPS {
        let gradients = loss(&model, batch.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = sgd.step(RATE, model, gradients);
    }
    model
}

/// Weights as inputs by outputs, and the data.
pub(crate) fn export(model: &Network, examples: &Examples, directory: &Path) {
    std::fs::create_dir_all(directory).expect("a directory");
    let floats = |name: &str, shape: &[usize], values: Vec<f32>| {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        write(&directory.join(name), "<f4", shape, bytes);
    };
    for (name, layer) in [("hidden", &model.hidden), ("last", &model.last)] {
        let weight = layer.weight.val();
        let shape = weight.dims();
        let values: Vec<f32> = weight.into_data().iter().collect();
        floats(&format!("{name}.weight.npy"), &shape, values);
        let bias = layer.bias.as_ref().expect("a bias").val();
        let shape = bias.dims();
        let values: Vec<f32> = bias.into_data().iter().collect();
        floats(&format!("{name}.bias.npy"), &shape, values);
    }
    floats("x.npy", &[NUM_EXAMPLES, PIXELS], examples.pixels.clone());
    let labels = examples.labels.iter().flat_map(|label| label.to_le_bytes());
    write(
        &directory.join("y.npy"),
        "<i8",
        &[NUM_EXAMPLES],
        labels.collect(),
    );
}

/// A file in version 1 of NumPy's format.
fn write(path: &Path, dtype: &str, shape: &[usize], values: Vec<u8>) {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // The numbers start at a multiple of 64 bytes, of which 10 come before the header.
    let length = (header.len() + 11).next_multiple_of(64) - 10;
    let header = format!("{header:<width$}\n", width = length - 1);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values);
    std::fs::write(path, bytes).expect("a file");
}
