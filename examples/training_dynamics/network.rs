//! Small networks whose weights are a function of a seed.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burnscape::krylov::Probe;

use crate::Failure;

/// Images as rows, and the digits they show.
pub(crate) type Labeled = (Tensor<2>, Tensor<1, Int>);

/// A matrix of normal weights with this standard deviation: number `index` of the seed.
pub(crate) fn normal(
    [rows, columns]: [usize; 2],
    deviation: f64,
    (seed, index): (u64, u64),
    place: (&Device, DType),
) -> Result<Param<Tensor<2>>, Failure> {
    let values: Vec<f64> = Probe::Gaussian.draw(&(rows * columns), seed, index)?;
    let values: Vec<f64> = values.into_iter().map(|value| value * deviation).collect();
    let values = TensorData::new(values, [rows, columns]);
    Ok(Param::from_tensor(Tensor::from_data(values, place)))
}

/// One hidden layer with tanh.
#[derive(Module, Debug)]
pub(crate) struct TanhNet {
    hidden: Linear,
    last: Linear,
}

impl TanhNet {
    /// Normal weights with a variance of one over the inputs of their layer, and biases of zero.
    pub(crate) fn new(
        [inputs, hidden, outputs]: [usize; 3],
        seed: u64,
        place: (&Device, DType),
    ) -> Result<Self, Failure> {
        let layer = |index: u64, from: usize, to: usize| -> Result<Linear, Failure> {
            let deviation = (from as f64).sqrt().recip();
            Ok(Linear {
                weight: normal([from, to], deviation, (seed, index), place)?,
                bias: Some(Param::from_tensor(Tensor::zeros([to], place))),
            })
        };
        Ok(Self {
            hidden: layer(0, inputs, hidden)?,
            last: layer(1, hidden, outputs)?,
        })
    }

    pub(crate) fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        self.last.forward(self.hidden.forward(images).tanh())
    }

    /// The sum of the squares of all weights and biases.
    fn squares(&self) -> Tensor<1> {
        let [hidden, last] = [&self.hidden, &self.last].map(|layer| {
            let weights = layer.weight.val().square().sum();
            match &layer.bias {
                Some(bias) => weights + bias.val().square().sum(),
                None => weights,
            }
        });
        hidden + last
    }
}

/// The cross-entropy with half of `decay` times the squared length of the weights, an L2 term in the loss.
pub(crate) fn regularized(decay: f64) -> impl Fn(&TanhNet, Labeled) -> Tensor<1> + Send + Sync {
    move |net: &TanhNet, (images, labels): Labeled| {
        let cross_entropy = CrossEntropyLossConfig::new().init(&images.device());
        cross_entropy.forward(net.forward(images), labels) + net.squares() * (0.5 * decay)
    }
}
