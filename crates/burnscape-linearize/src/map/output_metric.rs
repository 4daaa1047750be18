//! Quadratic forms on the outputs of a model, as programs `u = A(z) w`.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{DType, DeviceSettings, Shape, Tensor};

use super::likelihood::Likelihood;
use crate::LinearizeError;
use crate::program::{Port, Program, unique};
use crate::record::{C, Symbol, completed, record};

/// A quadratic form on the outputs of one batch, the matrix between `J` and `Jᵀ`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputMetric {
    /// `c · I`.
    Identity {
        /// `c`.
        scale: f64,
    },
    /// `c · E[r rᵀ]` with the scores `r = ∂/∂z −log p(y | z)` of targets `y ~ p(· | z)`: the Fisher
    /// information of the outputs, in closed form.
    Fisher {
        /// The distribution of the targets.
        likelihood: Likelihood,
        /// `c`.
        scale: f64,
    },
    /// The mean of `c · r rᵀ` over sampled targets, an unbiased estimate of [`Fisher`](Self::Fisher). The
    /// noise that determines the samples is an input of the map; [`OutputMetric::noise`] gives its shape.
    SampledFisher {
        /// The distribution of the targets.
        likelihood: Likelihood,
        /// `c`.
        scale: f64,
        /// The number of sampled targets.
        samples: usize,
    },
}

/// The noise that a sampled metric needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// The shape.
    pub shape: Vec<usize>,
    /// Whether the numbers are standard normal; otherwise they are uniform in `[0, 1)`.
    pub is_normal: bool,
}

impl OutputMetric {
    /// The noise that the metric needs for outputs of the given shape; `None` if it does not sample.
    pub fn noise(&self, outputs: &[usize]) -> Option<Noise> {
        let Self::SampledFisher {
            likelihood,
            samples,
            ..
        } = self
        else {
            return None;
        };
        let [rows, columns] = likelihood.matrix(outputs);
        let (columns, is_normal) = match likelihood {
            Likelihood::Categorical => (1, false),
            Likelihood::Bernoulli => (columns, false),
            Likelihood::Gaussian => (columns, true),
        };
        Some(Noise {
            shape: vec![*samples, rows, columns],
            is_normal,
        })
    }

    /// The program from outputs `z`, a vector `w` of the same shape and the noise, if any, to `u`.
    pub(crate) fn program(
        &self,
        outputs: &Port,
        settings: DeviceSettings,
    ) -> Result<Program, LinearizeError> {
        let (shape, dtype) = (outputs.tensor.shape.clone(), outputs.tensor.dtype);
        let (graph, (inputs, output)) = record(settings, |_, recorder, scope| {
            let mut inputs = Vec::new();
            let mut input = |name: &str, shape: Shape| {
                let symbol = recorder.input(shape, dtype);
                inputs.push(recorder.port(name, &symbol));
                symbol
            };
            let z = input("outputs", shape.clone());
            let w = input("vector", shape.clone());
            let noise = self.noise(shape.as_slice());
            let noise = noise.map(|noise| input("noise", Shape::from(noise.shape)));
            let u = self.product(z, w, noise, dtype);
            let u = C::float_reshape(u, shape.clone());
            let output = recorder.port("product", &u);
            Ok((completed(scope, unique(&inputs)), (inputs, output)))
        })?;
        Program::new(graph.graph.operations, inputs, vec![output], graph.values)
    }

    fn product(&self, z: Symbol, w: Symbol, noise: Option<Symbol>, dtype: DType) -> Symbol {
        let (likelihood, scale) = match *self {
            Self::Identity { scale } => return scaled(w, scale),
            Self::Fisher { likelihood, scale } => (likelihood, scale),
            Self::SampledFisher {
                likelihood, scale, ..
            } => (likelihood, scale),
        };
        let shape = z.shape();
        let [rows, columns] = likelihood.matrix(shape.as_slice());
        let rectangle = |x: Symbol| {
            Tensor::<2>::from_primitive::<C>(C::float_reshape(x, Shape::from([rows, columns])))
        };
        let (z, w) = (rectangle(z), rectangle(w));
        let product = match noise {
            None => exact(likelihood, z, w),
            Some(noise) => {
                let noise = Tensor::<3>::from_primitive::<C>(noise);
                let samples = noise.dims()[0];
                let scores = scores(likelihood, z, noise).cast(dtype);
                let along = (scores.clone() * w.unsqueeze::<3>()).sum_dim(2);
                let sum = (scores * along).sum_dim(0);
                sum.reshape([rows, columns]) / samples as f64
            }
        };
        let product = product * scale;
        match product.try_into_primitive::<C>() {
            Ok(symbol) => symbol,
            // All operands are on the recording device.
            Err(_) => unreachable!("the product is on the recording device"),
        }
    }
}

fn scaled(x: Symbol, factor: f64) -> Symbol {
    C::float_mul_scalar(x, burn::tensor::Scalar::Float(factor))
}

fn exact(likelihood: Likelihood, z: Tensor<2>, w: Tensor<2>) -> Tensor<2> {
    match likelihood {
        // (diag p − p pᵀ) w does not change if a constant is subtracted from w. Subtracting the entry of the
        // likeliest class, where p may round to one, avoids cancellation: 1 − p is the sum of the others.
        Likelihood::Categorical => {
            let likeliest = z.clone().argmax(1);
            let w = w.clone() - w.gather(1, likeliest);
            let p = softmax(z, 1);
            let mean = (p.clone() * w.clone()).sum_dim(1);
            p * (w - mean)
        }
        Likelihood::Bernoulli => w * sigmoid(z.clone()) * sigmoid(-z),
        Likelihood::Gaussian => w,
    }
}

/// `∂/∂z −log p(y | z)` at sampled targets: `[samples, rows, columns]`.
fn scores(likelihood: Likelihood, z: Tensor<2>, noise: Tensor<3>) -> Tensor<3> {
    match likelihood {
        // The class whose interval of the cumulative distribution contains the uniform number. Half
        // precision can neither sum the probabilities nor count the classes.
        Likelihood::Categorical => {
            let own = z.dtype();
            let wide = match own {
                DType::F16 | DType::BF16 => DType::F32,
                other => other,
            };
            let likeliest = z.clone().argmax(1).unsqueeze::<3>();
            let p = softmax(z, 1).unsqueeze::<3>().cast(wide);
            let [samples, rows, _] = noise.dims();
            let columns = p.dims()[2];
            let shape = [samples, rows, columns];
            let above = p.clone().cumsum(2).expand(shape);
            let is_past = above.lower_equal(noise.cast(wide).expand(shape));
            // Rounding may leave the last sum below one; numbers above it belong to the last class.
            let index = is_past.float().cast(wide).sum_dim(2);
            let index = index.clamp_max(columns as f64 - 1.0);
            let classes = Tensor::<1, burn::tensor::Int>::arange(0..columns as i64, &p.device());
            let classes = classes.float().cast(wide).reshape([1, 1, columns]);
            let drawn = classes.clone().expand(shape).equal(index.expand(shape));
            // 1 − p; for the likeliest class, where p may round to one, the sum of the others.
            let row = p.dims();
            let likeliest = likeliest.float().cast(wide).expand(row);
            let is_likeliest = classes.expand(row).equal(likeliest);
            let others = p.clone().mask_fill(is_likeliest.clone(), 0.0).sum_dim(2);
            let rest = (-p.clone() + 1.0).mask_where(is_likeliest, others.expand(row));
            p.expand(shape)
                .mask_where(drawn, -rest.expand(shape))
                .cast(own)
        }
        // σ(z), minus one where the sample is one.
        Likelihood::Bernoulli => {
            let dims = noise.dims();
            let spread = |x: Tensor<2>| x.unsqueeze::<3>().expand(dims);
            let p = spread(sigmoid(z.clone()));
            let drawn = noise.lower(p.clone());
            p.mask_where(drawn, -spread(sigmoid(-z)))
        }
        Likelihood::Gaussian => noise,
    }
}
