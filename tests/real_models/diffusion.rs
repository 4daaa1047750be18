//! A step of a denoising diffusion model (Ho, Jain, Abbeel 2020, arXiv:2006.11239): the loss draws a time and
//! noise for every example.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{MseLoss, Reduction::Mean};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::silu;
use burnscape::loss::Batch;

use super::checklist::{Checklist, DRAWS, Door};
use super::fixture::{choices, drawn, stream, wave};
use super::groups;

const STEPS: usize = 10;
const CHANNELS: usize = 4;
const TIME: usize = 4;

#[derive(Module, Debug)]
struct Denoiser {
    time: Linear,
    first: Conv2d,
    norm: GroupNorm,
    last: Conv2d,
    /// The share of the image that is left at each time: a plain tensor.
    signal: Tensor<1>,
}

impl Denoiser {
    fn new(device: &Device) -> Self {
        let conv = |channels| {
            Conv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        let mut left = 1.0;
        let signal: Vec<f64> = (0..STEPS)
            .map(|t| {
                left *= 1.0 - (0.01 + 0.3 * t as f64 / STEPS as f64);
                left
            })
            .collect();
        Self {
            time: LinearConfig::new(TIME, CHANNELS).init(device),
            first: conv([1, CHANNELS]),
            norm: GroupNormConfig::new(2, CHANNELS).init(device),
            last: conv([CHANNELS, 1]),
            signal: Tensor::from_data(signal.as_slice(), device),
        }
    }

    /// Sines and cosines of the time, `[batch, TIME]`.
    fn embedded(&self, times: Tensor<1, Int>) -> Tensor<2> {
        let device = times.device();
        let rates = Tensor::<1>::from_data([1.0, 0.1], &device);
        let angles = times.float().unsqueeze_dim::<2>(1) * rates.unsqueeze_dim::<2>(0);
        Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1)
    }

    fn forward(&self, images: Tensor<4>, times: Tensor<1, Int>) -> Tensor<4> {
        let [batch, ..] = images.dims();
        let time = silu(self.time.forward(self.embedded(times)));
        let time = time.reshape([batch, CHANNELS, 1, 1]);
        let hidden = self.first.forward(images) + time;
        self.last.forward(silu(self.norm.forward(hidden)))
    }

    /// The noise that it sees in noisy images.
    fn seen(&self, images: Tensor<4>, times: Tensor<1, Int>, noise: Tensor<4>) -> Tensor<4> {
        let [batch, ..] = images.dims();
        let signal = self.signal.clone().gather(0, times.clone());
        let signal = signal.reshape([batch, 1, 1, 1]);
        let rest = signal.clone().neg().add_scalar(1.0);
        let noisy = images * signal.sqrt() + noise * rest.sqrt();
        self.forward(noisy, times)
    }

    fn loss(&self, images: Tensor<4>, times: Tensor<1, Int>, noise: Tensor<4>) -> Tensor<1> {
        MseLoss::new().forward(self.seen(images, times, noise.clone()), noise, Mean)
    }
}

fn images(count: usize, phase: f64) -> Tensor<4> {
    wave([count, 1, 5, 5], phase)
}

/// As it is trained.
fn sampling(model: &Denoiser, images: Tensor<4>) -> Tensor<1> {
    let [batch, ..] = images.dims();
    let device = images.device();
    let times =
        Tensor::<1, Int>::random([batch], Distribution::Uniform(0.0, STEPS as f64), &device);
    let noise = images.random_like(Distribution::Normal(0.0, 1.0));
    model.loss(images, times, noise)
}

#[test]
fn a_diffusion_step_is_refused_where_it_is_measured_and_trains() {
    let data = [images(3, 0.8), images(2, 80.8)];
    Checklist::new(&Denoiser::new, &sampling, &data)
        .with_draws_in_training(3)
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
fn a_diffusion_step_with_a_seed_has_the_products_of_its_times_and_noise() {
    let data = [images(3, 0.8), images(2, 80.8)];
    Checklist::new(&Denoiser::new, &sampling, &data)
        .in_both_modes()
        .with_frozen_draws(3)
        .run_doors(&Door::ALL);
}

#[derive(Batch, Clone, Debug)]
struct Prepared {
    images: Tensor<4>,
    times: Tensor<1, Int>,
    noise: Tensor<4>,
}

fn prepared(count: usize, phase: f64) -> Prepared {
    Prepared {
        images: images(count, phase),
        times: choices([count], STEPS, phase),
        noise: wave([count, 1, 5, 5], phase + 1000.0) * 1.4,
    }
}

/// Times and noise drawn once, and kept with the images.
#[test]
fn a_diffusion_step_on_prepared_batches_goes_through_every_door() {
    let loss =
        |model: &Denoiser, batch: Prepared| model.loss(batch.images, batch.times, batch.noise);
    let data = [prepared(3, 0.8), prepared(2, 80.8)];
    Checklist::new(&Denoiser::new, &loss, &data)
        .in_both_modes()
        .run();
}

#[test]
fn the_groups_of_a_diffusion_model_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &Denoiser, batch: &Prepared| {
        let batch = batch.clone();
        model.seen(batch.images, batch.times, batch.noise)
    };
    let model = drawn(Denoiser::new);
    groups::check(&model, &outputs, prepared(3, 0.8), groups::DIFFUSION);
}
