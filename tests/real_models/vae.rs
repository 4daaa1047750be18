//! A variational autoencoder (Kingma, Welling 2014, arXiv:1312.6114) that samples its latent code inside the
//! loss.

use burn::nn::loss::BinaryCrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::gelu;

use super::checklist::{Checklist, DRAWS, Door};
use super::fixture::{choices, drawn, stream, wave};
use super::groups;

const PIXELS: usize = 9;
const LATENT: usize = 2;

#[derive(Module, Debug)]
struct Vae {
    encoder: Linear,
    mean: Linear,
    log_variance: Linear,
    decoder: Linear,
    output: Linear,
}

struct Posterior {
    mean: Tensor<2>,
    log_variance: Tensor<2>,
}

impl Posterior {
    /// A sample of it, made of standard normal noise.
    fn code(&self, noise: Tensor<2>) -> Tensor<2> {
        let deviation = (self.log_variance.clone() * 0.5).exp();
        self.mean.clone() + deviation * noise
    }
}

impl Vae {
    fn new(device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            encoder: layer(PIXELS, 6),
            mean: layer(6, LATENT),
            log_variance: layer(6, LATENT),
            decoder: layer(LATENT, 6),
            output: layer(6, PIXELS),
        }
    }

    fn encode(&self, images: Tensor<2>) -> Posterior {
        let hidden = gelu(self.encoder.forward(images));
        Posterior {
            mean: self.mean.forward(hidden.clone()),
            log_variance: self.log_variance.forward(hidden),
        }
    }

    fn decode(&self, code: Tensor<2>) -> Tensor<2> {
        self.output.forward(gelu(self.decoder.forward(code)))
    }

    /// Reconstruction and divergence, an example's mean.
    fn loss(&self, images: Tensor<2, Int>, posterior: Posterior, noise: Tensor<2>) -> Tensor<1> {
        let logits = self.decode(posterior.code(noise));
        let Posterior { mean, log_variance } = posterior;
        let reconstruction = BinaryCrossEntropyLossConfig::new()
            .with_logits(true)
            .init(&logits.device())
            .forward(logits, images);
        let divergence = log_variance.clone() + 1.0 - mean.square() - log_variance.exp();
        let divergence = divergence.sum_dim(1).mean() * -0.5;
        reconstruction * PIXELS as f64 + divergence
    }
}

fn images(count: usize, phase: f64) -> Tensor<2, Int> {
    choices([count, PIXELS], 2, phase)
}

/// As its author wrote it: the loss draws.
fn sampling(vae: &Vae, images: Tensor<2, Int>) -> Tensor<1> {
    let posterior = vae.encode(images.clone().float());
    let noise = posterior.mean.random_like(Distribution::Normal(0.0, 1.0));
    vae.loss(images, posterior, noise)
}

#[test]
fn a_vae_that_samples_is_refused_where_it_is_measured_and_trains() {
    let data = [images(4, 0.3), images(3, 70.3)];
    Checklist::new(&Vae::new, &sampling, &data)
        .with_draws_in_training(2)
        .refused_by(&Door::MEASURING, DRAWS)
        .run_doors(&[
            Door::Hessian,
            Door::Spectrum,
            Door::Report,
            Door::Monitor,
            Door::Slice,
            Door::SamStep,
        ]);
}

#[test]
fn a_vae_with_a_seed_has_the_products_of_the_codes_that_were_drawn() {
    let data = [images(4, 0.3), images(3, 70.3)];
    Checklist::new(&Vae::new, &sampling, &data)
        .in_both_modes()
        .with_frozen_draws(2)
        .run_doors(&Door::ALL);
}

/// Images, and the noise of their codes.
type Prepared = (Tensor<2, Int>, Tensor<2>);

fn prepared() -> [Prepared; 2] {
    [
        (images(4, 0.3), wave([4, LATENT], 5.5)),
        (images(3, 70.3), wave([3, LATENT], 55.5)),
    ]
}

/// The way out that always works: the noise is part of the batch.
#[test]
fn a_vae_with_its_noise_in_the_batch_goes_through_every_door() {
    let loss = |vae: &Vae, (images, noise): Prepared| {
        let posterior = vae.encode(images.clone().float());
        vae.loss(images, posterior, noise)
    };
    Checklist::new(&Vae::new, &loss, &prepared())
        .in_both_modes()
        .run();
}

#[test]
fn the_groups_of_a_vae_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |vae: &Vae, (images, noise): &Prepared| {
        let posterior = vae.encode(images.clone().float());
        vae.decode(posterior.code(noise.clone()))
    };
    let [batch, _] = prepared();
    groups::check(&drawn(Vae::new), &outputs, batch, groups::VAE);
}
