//! Networks whose weights are a function of a seed.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{gelu, relu};
use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::Probe;

use super::digits::Place;
use crate::Failure;

/// What makes outputs of images, `[n, inputs]` to `[n, outputs]`.
pub(crate) trait Network {
    fn forward(&self, images: Tensor<2>) -> Tensor<2>;
}

/// What stands between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    Tanh,
    Relu,
    Gelu,
    /// For linear networks.
    Identity,
}

impl Activation {
    pub(crate) fn apply(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Tanh => x.tanh(),
            Self::Relu => relu(x),
            Self::Gelu => gelu(x),
            Self::Identity => x,
        }
    }

    /// The variance of the weights, times the inputs of their layer.
    fn gain(self) -> f64 {
        if self == Self::Relu { 2.0 } else { 1.0 }
    }
}

/// Fully connected layers, with an activation after each but the last.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    layers: Vec<Linear>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// From the number of inputs to that of outputs: `&[64, 32, 32, 10]`. Weights are normal with a variance of one over
    /// the inputs of their layer, two with ReLU, the last layer included; biases are zero.
    pub(crate) fn new(
        sizes: &[usize],
        activation: Activation,
        seed: u64,
        place: Place<'_>,
    ) -> Result<Self, Failure> {
        let layer = |(index, pair): (usize, &[usize])| -> Result<Linear, Failure> {
            let [from, to] = [pair[0], pair[1]];
            let deviation = (activation.gain() / from as f64).sqrt();
            Ok(Linear {
                weight: normal([from, to], deviation, (seed, index as u64), place)?,
                bias: Some(Param::from_tensor(Tensor::zeros([to], place))),
            })
        };
        let layers = sizes.windows(2).enumerate().map(layer);
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            activation,
        })
    }
}

impl Network for Mlp {
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len().saturating_sub(1);
        let layers = self.layers.iter().enumerate();
        layers.fold(images, |x, (index, layer)| {
            let x = layer.forward(x);
            match index < last {
                true => self.activation.apply(x),
                false => x,
            }
        })
    }
}

/// A matrix of normal numbers with this standard deviation: number `index` of the seed. The device draws nothing, since
/// all threads share its random stream.
pub(crate) fn normal(
    [rows, columns]: [usize; 2],
    deviation: f64,
    (seed, index): (u64, u64),
    place: Place<'_>,
) -> Result<Param<Tensor<2>>, Failure> {
    let values: Vec<f64> = Probe::Gaussian.draw(&(rows * columns), seed, index)?;
    let values: Vec<f64> = values.into_iter().map(|value| value * deviation).collect();
    let values = TensorData::new(values, [rows, columns]);
    Ok(Param::from_tensor(Tensor::from_data(values, place)))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;

    #[test]
    fn weights_have_the_variance_of_their_layer_and_depend_on_the_seed() {
        let device = Device::default();
        let place = (&device, DType::F64);
        let [one, same, other] =
            [1, 1, 2].map(|seed| Mlp::new(&[64, 100, 10], Activation::Relu, seed, place).unwrap());
        let numbers = |net: &Mlp, layer: usize| {
            let weight = net.layers[layer].weight.val();
            weight.try_into_vec_as::<f64>().unwrap()
        };
        assert_eq!(numbers(&one, 0), numbers(&same, 0));
        assert_ne!(numbers(&one, 0), numbers(&other, 0));
        for (layer, inputs) in [(0, 64.0), (1, 100.0)] {
            let weights = numbers(&one, layer);
            let squares = weights.iter().map(|weight| weight * weight);
            let variance = squares.sum::<f64>() / weights.len() as f64;
            // Six standard errors.
            let error = (2.0 / weights.len() as f64).sqrt();
            assert!((variance * inputs / 2.0 - 1.0).abs() < 6.0 * error);
        }
    }

    #[test]
    fn the_last_layer_has_no_activation() {
        let device = Device::default();
        let place = (&device, DType::F32);
        let net = Mlp::new(&[4, 8, 3], Activation::Tanh, 0, place).unwrap();
        let outputs = net.forward(Tensor::<2>::ones([5, 4], &device) * 100.0);
        assert_eq!(outputs.dims(), [5, 3]);
        let largest = outputs.abs().max().try_into_scalar::<f64>().unwrap();
        assert!(largest > 1.0);
    }
}
