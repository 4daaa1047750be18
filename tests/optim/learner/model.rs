//! A small model with running statistics, its batches and loaders of them.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};

pub(crate) const ITEMS: usize = 22;
pub(crate) const BATCH: usize = 4;
pub(crate) const NAN: usize = 9;

/// Two layers with batch norm between them, of fixed weights.
#[derive(Module, Debug)]
pub(crate) struct Net {
    pub(crate) hidden: Param<Tensor<2>>,
    norm: BatchNorm,
    dropout: Dropout,
    pub(crate) output: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Points {
    pub(crate) x: Tensor<2>,
    pub(crate) y: Tensor<2>,
}

/// Pseudorandom numbers that are the same on every machine.
fn wave(count: usize, phase: f64) -> Vec<f32> {
    let wave = |i: usize| ((i as f64 + 1.0) * 1.7 + phase).sin() as f32;
    (0..count).map(wave).collect()
}

pub(crate) fn parameter<const D: usize>(
    shape: [usize; D],
    phase: f64,
    device: &Device,
) -> Param<Tensor<D>> {
    let values = wave(shape.iter().product(), phase);
    Param::from_data(TensorData::new(values, shape), device)
}

impl Net {
    pub(crate) fn new(phase: f64) -> Self {
        Self::with_dropout(phase, 0.0)
    }

    pub(crate) fn with_dropout(phase: f64, dropout: f64) -> Self {
        let device = Device::default().autodiff();
        Self {
            hidden: parameter([3, 6], phase, &device),
            norm: BatchNormConfig::new(6).init(&device),
            dropout: DropoutConfig::new(dropout).init(),
            output: parameter([6, 2], phase + 0.5, &device),
            bias: parameter([2], phase + 0.9, &device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self.norm.forward(x.matmul(self.hidden.val())).tanh();
        let hidden = self.dropout.forward(hidden);
        hidden.matmul(self.output.val()) + self.bias.val().unsqueeze()
    }

    pub(crate) fn loss(&self, batch: Points) -> RegressionOutput {
        let output = self.forward(batch.x);
        let loss = (output.clone() - batch.y.clone())
            .powi_scalar(2)
            .mean()
            .reshape([1]);
        RegressionOutput::new(loss, output, batch.y)
    }

    pub(crate) fn weights(&self) -> Vec<f32> {
        let mut values = read(self.hidden.val());
        values.extend(read(self.norm.gamma.val()));
        values.extend(read(self.norm.beta.val()));
        values.extend(read(self.output.val()));
        values.extend(read(self.bias.val()));
        values
    }

    pub(crate) fn statistics(&self) -> Vec<f32> {
        statistics(&self.norm)
    }

    pub(crate) fn state(&self) -> Vec<u32> {
        let mut values = self.weights();
        values.extend(self.statistics());
        values.into_iter().map(f32::to_bits).collect()
    }
}

pub(crate) fn statistics(norm: &BatchNorm) -> Vec<f32> {
    // `valid` applies pending updates.
    let norm = norm.valid();
    let mut values = read(norm.running_mean.value());
    values.extend(read(norm.running_var.value()));
    values
}

pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

impl TrainStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let output = self.loss(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        self.loss(batch)
    }
}

#[derive(Clone, Copy)]
struct PointBatcher;

impl Batcher<usize, Points> for PointBatcher {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Points {
        let mut x = Vec::new();
        let mut y = Vec::new();
        for item in &items {
            x.extend(wave(3, *item as f64 * 0.37));
            y.extend(wave(2, *item as f64 * 0.11 + 2.0));
        }
        if items.contains(&(ITEMS + NAN)) {
            x[0] = f32::NAN;
        }
        Points {
            x: Tensor::from_data(TensorData::new(x, [items.len(), 3]), device),
            y: Tensor::from_data(TensorData::new(y, [items.len(), 2]), device),
        }
    }
}

pub(crate) fn loader(items: Vec<usize>) -> Arc<dyn DataLoader<Points>> {
    DataLoaderBuilder::new(PointBatcher)
        .batch_size(BATCH)
        .build(InMemDataset::new(items))
}

pub(crate) fn items() -> Vec<usize> {
    (0..ITEMS).collect()
}

pub(crate) fn batches(items: Vec<usize>) -> Vec<Points> {
    let loader = loader(items).to_device(&Device::default().autodiff());
    loader.iter().map(Result::unwrap).collect()
}
