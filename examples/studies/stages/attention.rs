//! Transformers of attention alone.

use burn::module::{Module, Param};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::sequences::{Examples, Sizes};
use crate::Failure;
use crate::studies::digits::Place;
use crate::studies::network::normal;

/// What scores by distance are multiplied by, so that they change as fast as those of products.
const OFFSET_SCALE: f64 = 10.0;
/// The score of what a position does not see.
const HIDDEN_SCORE: f64 = -1e4;

/// Tokens `[n, length]`, and logarithms of probabilities of what follows, `[n, length, tokens]`.
pub(super) type Outputs = (Tensor<2, Int>, Tensor<3>);

/// Heads that add to the stream what they attend to.
#[derive(Module, Debug)]
struct Layer {
    query: Param<Tensor<2>>,
    key: Param<Tensor<2>>,
    value: Param<Tensor<2>>,
    output: Param<Tensor<2>>,
    /// Scores by distance, `[heads, length]`: the only thing that tells positions apart.
    offsets: Param<Tensor<2>>,
    #[module(skip)]
    heads: usize,
}

impl Layer {
    fn new(sizes: &Sizes, (seed, index): (u64, u64), place: Place<'_>) -> Result<Self, Failure> {
        let Sizes {
            length,
            width,
            heads,
            ..
        } = *sizes;
        let deviation = (width as f64).sqrt().recip();
        let matrix = |number: u64| normal([width, width], deviation, (seed, index + number), place);
        Ok(Self {
            query: matrix(0)?,
            key: matrix(1)?,
            value: matrix(2)?,
            output: matrix(3)?,
            offsets: Param::from_tensor(Tensor::zeros([heads, length], place)),
            heads,
        })
    }

    /// The stream `[n · length, width]` behind the layer, and how each position (rows) attends to every one, `[n, heads,
    /// length, length]`.
    fn forward(&self, x: Tensor<2>, past: &Past) -> (Tensor<2>, Tensor<4>) {
        let ([rows, width], length, heads) = (x.dims(), past.length, self.heads);
        let (count, size) = (rows / length, width / heads);
        let by_head = |weight: &Param<Tensor<2>>| {
            let projected = x.clone().matmul(weight.val());
            let projected = projected.reshape([count, length, heads, size]);
            projected.swap_dims(1, 2)
        };
        let query = by_head(&self.query);
        let key = by_head(&self.key);
        let value = by_head(&self.value);
        let scores = query.matmul(key.swap_dims(2, 3)) / (size as f64).sqrt();
        let pattern = softmax(scores + past.scores(self.offsets.val()), 3);
        let mixed = pattern.clone().matmul(value).swap_dims(1, 2);
        let mixed = mixed.reshape([rows, width]);
        (x + mixed.matmul(self.output.val()), pattern)
    }
}

/// What each position sees: itself, and those before it.
struct Past {
    length: usize,
    /// Distances, row by row.
    distances: Tensor<1, Int>,
    hidden: Tensor<4>,
}

impl Past {
    fn new(length: usize, device: &Device, dtype: DType) -> Self {
        let pairs = || {
            let positions = 0..length;
            positions.flat_map(move |to| (0..length).map(move |from| (to, from)))
        };
        let distances = pairs().map(|(to, from)| to.saturating_sub(from) as i64);
        let hidden = pairs().map(|(to, from)| if from > to { HIDDEN_SCORE } else { 0.0 });
        let distances = TensorData::new(distances.collect::<Vec<_>>(), [length * length]);
        let hidden = TensorData::new(hidden.collect::<Vec<_>>(), [1, 1, length, length]);
        Self {
            length,
            distances: Tensor::from_data(distances, device),
            hidden: Tensor::from_data(hidden, (device, dtype)),
        }
    }

    /// Of every pair of positions, from those by distance: `[1, heads, length, length]`.
    fn scores(&self, offsets: Tensor<2>) -> Tensor<4> {
        let [heads, length] = offsets.dims();
        let scores = offsets.select(1, self.distances.clone());
        scores.reshape([1, heads, length, length]) * OFFSET_SCALE + self.hidden.clone()
    }
}

/// A row for each token, layers of attention, and a score of each token as the next one. There is no normalization.
#[derive(Module, Debug)]
pub(super) struct Transformer {
    embedding: Param<Tensor<2>>,
    layers: Vec<Layer>,
    unembedding: Param<Tensor<2>>,
}

impl Transformer {
    pub(super) fn new(
        sizes: &Sizes,
        num_layers: usize,
        seed: u64,
        place: Place<'_>,
    ) -> Result<Self, Failure> {
        let Sizes { tokens, width, .. } = *sizes;
        let layers = 0..num_layers as u64;
        let layers = layers.map(|layer| Layer::new(sizes, (seed, 2 + 4 * layer), place));
        let small = 0.1 / (width as f64).sqrt();
        Ok(Self {
            embedding: normal([tokens, width], 1.0, (seed, 0), place)?,
            layers: layers.collect::<Result<_, _>>()?,
            unembedding: normal([width, tokens], small, (seed, 1), place)?,
        })
    }

    /// Tokens `[n, length]` to scores `[n · length, tokens]`, with the patterns of attention of each layer.
    pub(super) fn forward(&self, tokens: Tensor<2, Int>) -> (Tensor<2>, Vec<Tensor<4>>) {
        let [_, length] = tokens.dims();
        let rows = self.embedding.val();
        let past = Past::new(length, &rows.device(), rows.dtype());
        let mut x = rows.select(0, tokens.flatten::<1>(0, 1));
        let mut patterns = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let (next, pattern) = layer.forward(x, &past);
            patterns.push(pattern);
            x = next;
        }
        (x.matmul(self.unembedding.val()), patterns)
    }

    /// Logarithms of the probabilities of what follows, `[n · length, tokens]`.
    pub(super) fn logs(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        log_softmax(self.forward(tokens).0, 1)
    }
}

/// Mean over all predictions.
pub(super) fn cross_entropy(net: &Transformer, (tokens, next): Examples) -> Tensor<1> {
    let next = next.flatten::<1>(0, 1).unsqueeze_dim::<2>(1);
    -net.logs(tokens).gather(1, next).mean()
}

/// The mean divergence of what a network says from given outputs: zero, and at a minimum, if they are its own.
pub(super) fn divergence(net: &Transformer, (tokens, outputs): Outputs) -> Tensor<1> {
    let logs = net.logs(tokens);
    let [rows, classes] = logs.dims();
    let outputs = outputs.reshape([rows, classes]);
    (outputs.clone().exp() * (outputs - logs)).sum() / rows as f64
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use burnscape::krylov::{EigenpairsConfig, Which};
    use burnscape::loss::{Recorded, Risk};

    use super::*;
    use crate::studies::losses::number;
    use crate::studies::stages::sequences::{Chain, Use, examples};

    fn parts() -> (Transformer, Examples) {
        let (device, sizes) = (Device::default(), Sizes::QUICK);
        let net = Transformer::new(&sizes, 2, 1, (&device, DType::F64)).unwrap();
        let chain = Chain::new(sizes, 1).unwrap();
        let sequences = chain.sequences(3, &mut Use::Training.numbers(1));
        (net, examples(&sequences, &device))
    }

    #[test]
    fn outputs_depend_on_the_past_alone() {
        let (net, (tokens, _)) = parts();
        let length = Sizes::QUICK.length;
        let rows = |tokens: Tensor<2, Int>| {
            let logs = net.logs(tokens).try_into_vec_as::<f64>().unwrap();
            let rows = logs.chunks(Sizes::QUICK.tokens).map(<[f64]>::to_vec);
            rows.take(length).collect::<Vec<_>>()
        };
        let before = rows(tokens.clone());
        // Another token at position 5 of the first sequence.
        let mut numbers: Vec<i64> = tokens.clone().try_into_vec_as().unwrap();
        numbers[5] = (numbers[5] + 1) % Sizes::QUICK.tokens as i64;
        let changed = TensorData::new(numbers, tokens.dims());
        let after = rows(Tensor::from_data(changed, &Device::default()));
        assert_eq!(before[..5], after[..5]);
        for (one, other) in before[5..].iter().zip(&after[5..]) {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn patterns_are_shares_of_the_past() {
        let (net, (tokens, _)) = parts();
        let (_, patterns) = net.forward(tokens);
        let length = Sizes::QUICK.length;
        assert_eq!(patterns.len(), 2);
        for pattern in patterns {
            assert_eq!(pattern.dims(), [3, Sizes::QUICK.heads, length, length]);
            let numbers: Vec<f64> = pattern.try_into_vec_as().unwrap();
            for (index, row) in numbers.chunks(length).enumerate() {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let position = index % length;
                assert!(row[position + 1..].iter().all(|share| *share < 1e-12));
            }
        }
    }

    #[test]
    fn a_network_does_not_diverge_from_its_own_outputs() {
        let (net, (tokens, _)) = parts();
        let [count, length] = tokens.dims();
        let logs = net.logs(tokens.clone());
        let own = logs.reshape([count, length, Sizes::QUICK.tokens]);
        let loss = number(divergence(&net, (tokens.clone(), own.clone()))).unwrap();
        assert!(loss.abs() < 1e-12);
        let device = Device::default();
        let other = Transformer::new(&Sizes::QUICK, 2, 2, (&device, DType::F64)).unwrap();
        assert!(number(divergence(&other, (tokens, own))).unwrap() > 1e-4);
    }

    #[test]
    fn programs_compute_the_loss_and_its_curvature() {
        let (net, data) = parts();
        let loss = Recorded::new(cross_entropy);
        let risk = Risk::new(&loss, from_ref(&data));
        let expected = number(cross_entropy(&net, data.clone())).unwrap();
        assert!((risk.loss(&net).unwrap().value - expected).abs() < 1e-9);
        // About ln 6 with small scores.
        assert!((expected - 6.0_f64.ln()).abs() < 0.2, "{expected}");
        let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(0.05);
        let top = top.run(&risk.hessian(&net).unwrap()).unwrap();
        assert!(top.values[0] > 0.0);
    }
}
