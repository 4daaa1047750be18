//! Training loops, with an observer before every step.

use std::f64::consts::PI;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::Tensor;
use burnscape::loss::{Batch, Objective, Recorded};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::Failure;

/// `v ← β v + g`, `w ← w − η v`. Burn's default dampening is 0.1.
pub(crate) fn heavy_ball(momentum: f64) -> SgdConfig {
    let momentum = MomentumConfig::new()
        .with_momentum(momentum)
        .with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum))
}

/// `v ← β v + g`, `w ← w − η (g + β v)`.
pub(crate) fn nesterov(momentum: f64) -> SgdConfig {
    let momentum = MomentumConfig::new()
        .with_momentum(momentum)
        .with_dampening(0.0)
        .with_nesterov(true);
    SgdConfig::new().with_momentum(Some(momentum))
}

/// Adam with a first average of 0.9.
pub(crate) fn adam(beta_2: f32, epsilon: f32) -> AdamConfig {
    AdamConfig::new().with_beta_2(beta_2).with_epsilon(epsilon)
}

/// AdamW with a first average of 0.9.
pub(crate) fn adam_w(beta_2: f32, decay: f32) -> AdamWConfig {
    AdamWConfig::new()
        .with_beta_2(beta_2)
        .with_weight_decay(decay)
        .with_epsilon(1e-8)
}

/// How long and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Course {
    pub(crate) steps: usize,
    /// Of the first step.
    pub(crate) rate: f64,
    /// Whether the rate falls to zero along half a cosine.
    falls: bool,
}

impl Course {
    pub(crate) fn constant(steps: usize, rate: f64) -> Self {
        Self {
            steps,
            rate,
            falls: false,
        }
    }

    /// At a rate that falls to zero along half a cosine.
    pub(crate) fn cosine(steps: usize, rate: f64) -> Self {
        Self {
            falls: true,
            ..Self::constant(steps, rate)
        }
    }

    pub(crate) fn rate_at(&self, step: usize) -> f64 {
        match self.falls {
            true => 0.5 * self.rate * (1.0 + (PI * step as f64 / self.steps as f64).cos()),
            false => self.rate,
        }
    }
}

/// What an observer sees: the state before a step, and that after the last one.
pub(crate) struct Seen<'s, M> {
    pub(crate) step: usize,
    /// Of this step.
    pub(crate) rate: f64,
    pub(crate) model: &'s M,
    pub(crate) optimizer: &'s ModuleOptimizer,
}

/// What an observer says: a break ends the training.
pub(crate) type Watched = Result<ControlFlow<()>, Failure>;

/// Looks at nothing.
pub(crate) fn unwatched<M>(_: &Seen<'_, M>) -> Watched {
    Ok(ControlFlow::Continue(()))
}

/// The model after these steps on `loss(model, step)`, which is on autodiff.
pub(crate) fn train<M: Module>(
    mut model: M,
    optimizer: &mut ModuleOptimizer,
    course: Course,
    mut loss: impl FnMut(&M, usize) -> Result<Tensor<1>, Failure>,
    mut watch: impl FnMut(&Seen<'_, M>) -> Watched,
) -> Result<M, Failure> {
    for step in 0..=course.steps {
        let rate = course.rate_at(step);
        let seen = Seen {
            step,
            rate,
            model: &model,
            optimizer,
        };
        if watch(&seen)?.is_break() || step == course.steps {
            break;
        }
        let gradients = loss(&model, step)?.backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = optimizer.step(rate, model, gradients);
    }
    Ok(model)
}

/// The same on all data at once.
pub(crate) fn full_batch<M: Module, B: Batch, O: Objective<M, B>>(
    model: M,
    optimizer: &mut ModuleOptimizer,
    loss: &Recorded<O>,
    data: &B,
    course: Course,
    watch: impl FnMut(&Seen<'_, M>) -> Watched,
) -> Result<M, Failure> {
    let on_all = |model: &M, _| -> Result<_, Failure> { Ok(loss.loss_on(model, data.clone())?) };
    train(model, optimizer, course, on_all, watch)
}

/// The same on the examples that are drawn for each step.
pub(crate) fn minibatch<M: Module, B: Batch, O: Objective<M, B>>(
    model: M,
    optimizer: &mut ModuleOptimizer,
    loss: &Recorded<O>,
    data: &B,
    draws: &mut Draws,
    course: Course,
    watch: impl FnMut(&Seen<'_, M>) -> Watched,
) -> Result<M, Failure> {
    let on_batch = |model: &M, _| -> Result<_, Failure> {
        let batch = data.select(&draws.draw())?;
        Ok(loss.loss_on(model, batch)?)
    };
    train(model, optimizer, course, on_batch, watch)
}

/// The examples of batches, without end.
pub(crate) struct Draws {
    kind: Kind,
    examples: Vec<usize>,
    size: usize,
    next: usize,
    rng: StdRng,
}

enum Kind {
    Epochs,
    Replaced,
    Distinct,
}

impl Draws {
    /// In passes over all examples, each in an order of its own. What is left over at the end of a pass is left out.
    pub(crate) fn epochs(count: usize, size: usize, seed: u64) -> Self {
        Self::of(Kind::Epochs, count, size, seed)
    }

    /// Each example on its own, so that some are twice in a batch.
    pub(crate) fn replaced(count: usize, size: usize, seed: u64) -> Self {
        Self::of(Kind::Replaced, count, size, seed)
    }

    /// Each batch on its own, of different examples.
    pub(crate) fn distinct(count: usize, size: usize, seed: u64) -> Self {
        Self::of(Kind::Distinct, count, size, seed)
    }

    fn of(kind: Kind, count: usize, size: usize, seed: u64) -> Self {
        Self {
            kind,
            examples: (0..count).collect(),
            size: size.min(count),
            next: count,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// The next batch.
    pub(crate) fn draw(&mut self) -> Vec<usize> {
        let (count, size) = (self.examples.len(), self.size);
        match self.kind {
            Kind::Epochs => {
                if self.next + size > count {
                    self.examples.shuffle(&mut self.rng);
                    self.next = 0;
                }
                let from = self.next;
                self.next += size;
                self.examples[from..self.next].to_vec()
            }
            Kind::Replaced => (0..size).map(|_| self.rng.random_range(0..count)).collect(),
            Kind::Distinct => {
                let (drawn, _) = self.examples.partial_shuffle(&mut self.rng, size);
                drawn.to_vec()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;
    use crate::studies::digits::Digits;
    use crate::studies::losses::{cross_entropy, half_mse, number};
    use crate::studies::network::{Activation, Mlp};

    #[test]
    fn a_cosine_falls_to_zero() {
        let course = Course::cosine(100, 0.2);
        assert_eq!(course.rate_at(0), 0.2);
        assert!((course.rate_at(50) - 0.1).abs() < 1e-12);
        assert!(course.rate_at(100).abs() < 1e-12);
        assert_eq!(Course::constant(100, 0.2).rate_at(99), 0.2);
    }

    #[test]
    fn passes_contain_every_example_once() {
        let mut draws = Draws::epochs(10, 4, 0);
        for _ in 0..3 {
            let mut pass = [draws.draw(), draws.draw()].concat();
            pass.sort_unstable();
            pass.dedup();
            assert_eq!(pass.len(), 8);
        }
        let mut distinct = Draws::distinct(10, 10, 0).draw();
        distinct.sort_unstable();
        assert_eq!(distinct, (0..10).collect::<Vec<_>>());
        let replaced = Draws::replaced(3, 3, 0);
        assert_eq!(replaced.size, 3);
        assert_eq!(Draws::epochs(3, 9, 0).draw().len(), 3);
    }

    #[test]
    fn an_observer_sees_every_step_and_the_end() {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let data = Digits::of_recipes().unwrap().targeted(0..20, place);
        let loss = Recorded::new(half_mse::<Mlp>);
        let mut seen = Vec::new();
        for stop in [9, 3] {
            let net = Mlp::new(&[64, 4, 10], Activation::Tanh, 0, place).unwrap();
            let mut sgd = SgdConfig::new().init();
            let course = Course::constant(5, 0.1);
            full_batch(net, &mut sgd, &loss, &data, course, |it| {
                seen.push(number(loss.loss_on(it.model, data.clone())?)?);
                Ok(match it.step == stop {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            })
            .unwrap();
        }
        // Six of the first training, and the first four of the same.
        assert_eq!(seen.len(), 10);
        assert_eq!(seen[..4], seen[6..]);
        assert!(seen[5] < seen[0]);
    }

    #[test]
    fn batches_train_with_every_optimizer() {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let data = Digits::of_recipes().unwrap().labeled(0..64, place);
        let loss = Recorded::new(cross_entropy::<Mlp>);
        for (mut optimizer, rate) in [
            (heavy_ball(0.9).init(), 0.05),
            (nesterov(0.9).init(), 0.05),
            (adam(0.999, 1e-8).init(), 0.01),
            (adam_w(0.98, 0.1).init(), 0.01),
        ] {
            let net = Mlp::new(&[64, 8, 10], Activation::Relu, 0, place).unwrap();
            let (mut draws, course) = (Draws::epochs(64, 16, 0), Course::cosine(40, rate));
            let at = |net: &Mlp| number(loss.loss_on(net, data.clone()).unwrap()).unwrap();
            let before = at(&net);
            let net = minibatch(
                net,
                &mut optimizer,
                &loss,
                &data,
                &mut draws,
                course,
                unwatched,
            );
            assert!(at(&net.unwrap()) < 0.7 * before);
        }
    }
}
