//! Gradients with noise, by weights of the examples.

use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::Probe;
use burnscape::loss::Recorded;
use burnscape::space::{LeafVector, ParamSpace, ParamVector};

use crate::Failure;
use crate::studies::digits::Targeted;
use crate::studies::network::{Mlp, Network};
use crate::studies::training::Draws;

/// Examples of a batch.
const BATCH: usize = 4;
/// Seeds of directions start here.
const DIRECTIONS: u64 = 1 << 32;

/// What is added to the gradient of all data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noise {
    None,
    /// What a batch, drawn with replacement, differs by: the covariance is Σ over the size of the batch, for the
    /// covariance Σ of the gradients of the examples.
    Minibatch,
    /// A Gaussian vector of that covariance.
    Gaussian,
    /// A vector as long as such a Gaussian one, in a uniform direction: the covariance has the same trace.
    Isotropic,
}

/// Images, one-hot rows, and a weight for each image, `[n, 1]`.
type Weighted = (Tensor<2>, Tensor<2>, Tensor<2>);

/// Half the squared distance to the one-hot row, summed with weights.
fn weighted(net: &Mlp, (images, targets, weights): Weighted) -> Tensor<1> {
    let squares = (net.forward(images) - targets).square();
    (squares * weights).sum() * 0.5
}

/// Draws noise for the gradients of a run.
pub(super) struct Gradients<'d> {
    loss: Recorded<fn(&Mlp, Weighted) -> Tensor<1>>,
    data: &'d Targeted,
    count: usize,
    space: ParamSpace,
    batches: Draws,
    seed: u64,
}

impl<'d> Gradients<'d> {
    pub(super) fn new(data: &'d Targeted, space: ParamSpace, seed: u64) -> Self {
        let [count, _] = data.0.dims();
        Self {
            loss: Recorded::new(weighted as fn(&Mlp, Weighted) -> Tensor<1>),
            data,
            count,
            space,
            batches: Draws::replaced(count, BATCH, seed),
            seed,
        }
    }

    /// The gradient of a step.
    pub(super) fn of(
        &mut self,
        noise: Noise,
        net: &Mlp,
        step: usize,
    ) -> Result<LeafVector, Failure> {
        match noise {
            Noise::None => self.gradient(net, even(self.count)),
            Noise::Minibatch => {
                let weights = counted(&self.batches.draw(), self.count);
                self.gradient(net, weights)
            }
            Noise::Gaussian => self.gradient(net, self.normal(step)?),
            Noise::Isotropic => {
                let mean = self.gradient(net, even(self.count))?;
                let gaussian = self.gradient(net, self.normal(step)?)?;
                let length = gaussian.axpby(1.0, -1.0, &mean)?.norm()?;
                let seed = DIRECTIONS + self.seed;
                let direction: ParamVector =
                    Probe::Gaussian.draw(&self.space, seed, step as u64)?;
                let direction = direction.normalize()?.to_leaves();
                Ok(mean.axpby(1.0, length, &direction)?)
            }
        }
    }

    fn normal(&self, step: usize) -> Result<Vec<f64>, Failure> {
        let drawn: Vec<f64> = Probe::Gaussian.draw(&self.count, self.seed, step as u64)?;
        Ok(normal(&drawn))
    }

    fn gradient(&self, net: &Mlp, weights: Vec<f64>) -> Result<LeafVector, Failure> {
        let (images, targets) = self.data.clone();
        let weights = TensorData::new(weights, [self.count, 1]);
        let weights = Tensor::from_data(weights, (&images.device(), images.dtype()));
        let loss = self.loss.loss_on(net, (images, targets, weights))?;
        let gradients = GradientsParams::from_grads(loss.backward(), net);
        Ok(LeafVector::from_gradients(&self.space, &gradients)?)
    }
}

/// The weights of a mean.
fn even(count: usize) -> Vec<f64> {
    vec![1.0 / count as f64; count]
}

/// Those of a mean over a batch.
fn counted(batch: &[usize], count: usize) -> Vec<f64> {
    let mut weights = vec![0.0; count];
    for &example in batch {
        weights[example] += 1.0 / batch.len() as f64;
    }
    weights
}

/// Weights with mean and covariance of those of a mean over a batch, from independent normal numbers: both are `1/n` and
/// `(I − 1 1ᵀ/n) / (n b)` for `n` examples and batches of `b`.
fn normal(drawn: &[f64]) -> Vec<f64> {
    let count = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / count;
    let scale = 1.0 / (count * BATCH as f64).sqrt();
    let weights = drawn
        .iter()
        .map(|number| 1.0 / count + scale * (number - mean));
    weights.collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};
    use burnscape::dynamics::{GradientNoiseConfig, NoiseEstimator};
    use burnscape::loss::Risk;

    use super::*;
    use crate::studies::digits::{CLASSES, Digits, PIXELS};
    use crate::studies::losses::half_mse;
    use crate::studies::network::Activation;

    #[test]
    fn weights_of_batches_and_normal_ones_have_the_same_moments() {
        let (count, draws) = (5, 20_000_u64);
        let mut batches = Draws::replaced(count, BATCH, 3);
        let by_batch = (0..draws).map(|_| counted(&batches.draw(), count));
        let by_normal = (0..draws).map(|index| {
            let drawn: Vec<f64> = Probe::Gaussian.draw(&count, 3, index).unwrap();
            normal(&drawn)
        });
        let both: [Vec<Vec<f64>>; 2] = [by_batch.collect(), by_normal.collect()];
        for drawn in both {
            for weights in &drawn {
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
            let product = |i: usize, j: usize| {
                let products = drawn.iter().map(|it| (it[i] - 0.2) * (it[j] - 0.2));
                products.sum::<f64>() / draws as f64
            };
            // 1/20 times 4/5 and −1/5, with more than four standard errors.
            assert!((product(2, 2) - 0.04).abs() < 0.0025, "{}", product(2, 2));
            assert!((product(1, 3) + 0.01).abs() < 0.0025, "{}", product(1, 3));
        }
    }

    #[test]
    fn noise_has_the_trace_of_the_examples() {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let data = Digits::of_recipes().unwrap().targeted(0..30, place);
        let net = Mlp::new(&[PIXELS, 4, CLASSES], Activation::Tanh, 0, place).unwrap();
        let mut gradients = Gradients::new(&data, ParamSpace::of(&net).unwrap(), 1);
        let mean = gradients.of(Noise::None, &net, 0).unwrap();
        let objective = half_mse::<Mlp>;
        let risk = Risk::new(&objective, std::slice::from_ref(&data));
        let noise = GradientNoiseConfig::new(NoiseEstimator::PerExample);
        let noise = noise.run(&risk, &net).unwrap();
        // Over all 30, not 29, and in batches.
        let expected = noise.trace * (29.0 / 30.0) / BATCH as f64;
        for noise in [Noise::Minibatch, Noise::Gaussian, Noise::Isotropic] {
            let squares = (0..200).map(|step| {
                let drawn = gradients.of(noise, &net, step).unwrap();
                drawn
                    .axpby(1.0, -1.0, &mean)
                    .unwrap()
                    .norm()
                    .unwrap()
                    .powi(2)
            });
            let trace = squares.sum::<f64>() / 200.0;
            assert!(
                (trace / expected - 1.0).abs() < 0.35,
                "{noise:?}: {trace}, {expected}"
            );
        }
    }
}
