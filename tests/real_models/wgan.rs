//! Burn's `examples/wgan`: a generator with batch normalization against a critic whose weights are clipped.

use burn::module::{ModuleMapper, Param};
use burn::nn::{
    BatchNorm, BatchNormConfig, LeakyRelu, LeakyReluConfig, Linear, LinearConfig, Tanh,
};
use burn::optim::RmsPropConfig;
use burn::prelude::*;
use burnscape::optim::SamConfig;
use burnscape::space::{ParamSpace, ParamVector};

use super::checklist::{Checklist, Door, FOREIGN};
use super::fixture::{drawn, for_training, stream, wave};
use super::groups;

const LATENT: usize = 3;
const SIDE: usize = 4;

fn leaky() -> LeakyRelu {
    LeakyReluConfig::new().with_negative_slope(0.2).init()
}

#[derive(Module, Debug)]
struct LayerBlock {
    fc: Linear,
    bn: BatchNorm,
    leakyrelu: LeakyRelu,
}

impl LayerBlock {
    fn new(from: usize, to: usize, device: &Device) -> Self {
        Self {
            fc: LinearConfig::new(from, to).with_bias(true).init(device),
            bn: BatchNormConfig::new(to).with_epsilon(0.8).init(device),
            leakyrelu: leaky(),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.leakyrelu.forward(self.bn.forward(self.fc.forward(x)))
    }
}

#[derive(Module, Debug)]
struct Generator {
    layer1: LayerBlock,
    layer2: LayerBlock,
    fc: Linear,
    tanh: Tanh,
}

impl Generator {
    fn new(device: &Device) -> Self {
        Self {
            layer1: LayerBlock::new(LATENT, 5, device),
            layer2: LayerBlock::new(5, 6, device),
            fc: LinearConfig::new(6, SIDE * SIDE).init(device),
            tanh: Tanh::new(),
        }
    }

    fn images(&self, noise: Tensor<2>) -> Tensor<4> {
        let [batch, _] = noise.dims();
        let hidden = self.layer2.forward(self.layer1.forward(noise));
        let pixels = self.tanh.forward(self.fc.forward(hidden));
        pixels.reshape([batch, 1, SIDE, SIDE])
    }
}

#[derive(Module, Debug)]
struct Critic {
    fc1: Linear,
    leakyrelu1: LeakyRelu,
    fc2: Linear,
    leakyrelu2: LeakyRelu,
    fc3: Linear,
}

impl Critic {
    fn new(device: &Device) -> Self {
        Self {
            fc1: LinearConfig::new(SIDE * SIDE, 6).init(device),
            leakyrelu1: leaky(),
            fc2: LinearConfig::new(6, 4).init(device),
            leakyrelu2: leaky(),
            fc3: LinearConfig::new(4, 1).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.fc1.forward(images.flatten(1, 3));
        let x = self.fc2.forward(self.leakyrelu1.forward(x));
        self.fc3.forward(self.leakyrelu2.forward(x))
    }
}

/// Both, for the steps of the generator: the critic is frozen.
#[derive(Module, Debug)]
struct Pair {
    generator: Generator,
    critic: Critic,
}

impl Pair {
    fn new(device: &Device) -> Self {
        Self {
            generator: Generator::new(device),
            critic: Critic::new(device).no_grad(),
        }
    }
}

/// Keeps weights within bounds, as the original's mapper of that name.
struct Clip {
    bound: f64,
}

impl ModuleMapper for Clip {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let is_trained = tensor.is_require_grad();
        let clipped = tensor.inner().clamp(-self.bound, self.bound);
        let clipped = Tensor::from_inner(clipped);
        let clipped = match is_trained {
            true => clipped.require_grad(),
            false => clipped,
        };
        Param::from_mapped_value(id, clipped, mapper)
    }
}

/// Real images, and what the generator made of noise before the critic's step.
type Images = (Tensor<4>, Tensor<4>);

fn critic_loss(critic: &Critic, (real, fake): Images) -> Tensor<1> {
    -critic.forward(real).mean() + critic.forward(fake).mean()
}

fn images(count: usize, phase: f64) -> Images {
    let image = |phase| wave([count, 1, SIDE, SIDE], phase);
    (image(phase), image(phase + 500.0))
}

#[test]
fn the_critic_of_a_wgan_goes_through_every_door() {
    let data = [images(4, 0.9), images(3, 90.9)];
    Checklist::new(&Critic::new, &critic_loss, &data)
        .with_kinks()
        .run();
}

#[test]
fn a_generator_beside_a_frozen_critic_goes_through_every_door() {
    let loss =
        |pair: &Pair, noise: Tensor<2>| -pair.critic.forward(pair.generator.images(noise)).mean();
    let data = [wave([4, LATENT], 0.9), wave([3, LATENT], 90.9)];
    Checklist::new(&Pair::new, &loss, &data)
        .in_both_modes()
        .with_kinks()
        .run();
}

/// As the original has it: the other network is a variable beside the closure.
#[test]
fn a_critic_beside_the_closure_is_refused_by_name_and_trains() {
    let critic = {
        let _drawing = stream(4);
        drawn(Critic::new)
    };
    let loss =
        |generator: &Generator, noise: Tensor<2>| -critic.forward(generator.images(noise)).mean();
    let data = [wave([4, LATENT], 0.9)];
    let traced = [Door::Hessian, Door::Spectrum, Door::Monitor];
    Checklist::new(&Generator::new, &loss, &data)
        .with_kinks()
        .refused_by(&traced, FOREIGN)
        .run_doors(&[
            Door::Hessian,
            Door::Spectrum,
            Door::Monitor,
            Door::SamStep,
            Door::Resume,
        ]);
}

/// The critic's loop: SAM around the original's optimizer, then the clip.
#[test]
fn a_critic_clipped_between_steps_trains_with_sam() {
    let _drawing = stream(5);
    let generator = drawn(Generator::new);
    let mut critic = drawn(Critic::new);
    let mut sam = SamConfig::new()
        .with_rho(0.01)
        .init(RmsPropConfig::new().init())
        .unwrap();
    let bound = 0.1;
    let mut losses = Vec::new();
    for step in 0..30 {
        let noise = wave([4, LATENT], f64::from(step)).autodiff();
        let fake = generator.images(noise).detach();
        let real = for_training(&images(4, 0.9)).0;
        let closure = |critic: &Critic| critic_loss(critic, (real.clone(), fake.clone()));
        let report = sam.step(1e-2, &mut critic, closure).unwrap();
        losses.extend(report.loss);
        critic = critic.map(&mut Clip { bound });
        let space = ParamSpace::of(&critic).unwrap();
        let weights = ParamVector::from_module(&space, &critic).unwrap();
        let weights = weights.to_host().unwrap();
        assert!(weights.iter().all(|w| w.abs() <= bound));
    }
    assert!(losses[29] < losses[1] - 1e-3, "{losses:?}");
}

#[test]
fn the_groups_of_a_critic_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |critic: &Critic, (real, _): &Images| critic.forward(real.clone());
    let model = drawn(Critic::new);
    groups::check(&model, &outputs, images(4, 0.9), groups::CRITIC);
}

#[test]
fn the_groups_of_a_generator_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |generator: &Generator, noise: &Tensor<2>| generator.images(noise.clone());
    let noise = wave([4, LATENT], 0.9);
    groups::check(&drawn(Generator::new), &outputs, noise, groups::GENERATOR);
}
