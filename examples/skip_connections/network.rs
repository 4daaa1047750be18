//! The networks: plain and residual.

use std::fmt;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{relu, softplus};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::krylov::Probe;
use serde::Serialize;

use super::spirals::Points;
use crate::Failure;

/// Units of each layer.
pub(crate) const WIDTH: usize = 16;
/// Lower losses count as this one, so that every loss has a logarithm.
pub(crate) const LEAST_LOSS: f64 = 1e-30;

/// Whether a network has skip connections.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// `h ← relu(W h + b)`
    Plain,
    /// `h ← h + relu(W h + b) / √depth`
    Residual,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::Residual => "residual",
        })
    }
}

#[derive(Module, Debug)]
pub(crate) struct Net {
    first: Linear,
    hidden: Vec<Linear>,
    last: Linear,
    is_residual: bool,
}

impl Net {
    /// Normal weights with variance `2/inputs` (He et al. 2015), `1/inputs` in the last layer; no biases. They are a
    /// function of the seed, the same for both kinds: the device draws nothing, because all threads share its random
    /// stream.
    pub(crate) fn new(
        kind: Kind,
        depth: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self, Failure> {
        let layer = |index: usize, [from, to]: [usize; 2], gain: f64| -> Result<Linear, Failure> {
            let normal: Vec<f64> = Probe::Gaussian.draw(&(from * to), seed, index as u64)?;
            let scale = (gain / from as f64).sqrt();
            let weights: Vec<f64> = normal.into_iter().map(|x| x * scale).collect();
            let weights = TensorData::new(weights, [from, to]);
            Ok(Linear {
                weight: Param::from_tensor(Tensor::from_data(weights, device)),
                bias: Some(Param::from_tensor(Tensor::zeros([to], device))),
            })
        };
        let hidden = (1..=depth).map(|index| layer(index, [WIDTH, WIDTH], 2.0));
        Ok(Self {
            first: layer(0, [2, WIDTH], 2.0)?,
            hidden: hidden.collect::<Result<Vec<Linear>, Failure>>()?,
            last: layer(depth + 1, [WIDTH, 1], 1.0)?,
            is_residual: kind == Kind::Residual,
        })
    }

    /// Positive for one spiral, negative for the other: `[n, 2]` to `[n, 1]`.
    fn score(&self, places: Tensor<2>) -> Tensor<2> {
        let scale = 1.0 / (self.hidden.len() as f64).sqrt();
        let mut x = relu(self.first.forward(places));
        for layer in &self.hidden {
            x = if self.is_residual {
                x.clone() + relu(layer.forward(x)) * scale
            } else {
                relu(layer.forward(x))
            };
        }
        self.last.forward(x)
    }
}

/// The logistic loss, mean over the points.
pub(crate) fn loss(net: &Net, (places, signs): Points) -> Tensor<1> {
    let against = net.score(places) * signs.neg();
    softplus(against, 1.0).mean().clamp_min(LEAST_LOSS)
}
