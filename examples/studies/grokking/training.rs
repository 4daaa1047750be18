//! Trainings on all examples, and what interferes with them.

use std::slice::from_ref;

use burn::tensor::{DType, Device};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Batch, Recorded, Risk};
use burnscape::optim::{ClosureStep, ProjectedOptimizer};
use burnscape::space::{ParamSpace, ParamVector};

use super::network::{Quadratic, accuracy, cross_entropy};
use super::task::{Examples, Task};
use crate::Failure;
use crate::studies::training::adam_w;

pub(super) const RATE: f64 = 1e-3;
/// Steps between two looks at a training.
pub(super) const EVERY: usize = 50;

/// What is done to a training from some step on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Interference {
    None,
    /// Once, a move along the commutator of two halves of the examples, as long as this share of the weights.
    Kick(f64),
    /// At every look, a random move as long as this share of the weights.
    Noise(f64),
    /// This share of what gradients have outside of the plane is removed.
    Projection(f64),
}

/// A training. Moves are orthogonal to the plane, which an undisturbed training has given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'s> {
    pub(super) task: &'s Task,
    pub(super) width: usize,
    pub(super) seed: u64,
    pub(super) decay: f32,
    /// At most.
    pub(super) steps: usize,
    pub(super) interference: Interference,
    pub(super) plane: &'s [Vec<f64>],
}

/// What is seen of a training before a step.
pub(super) struct Look<'l> {
    pub(super) step: usize,
    pub(super) net: &'l Quadratic,
    pub(super) train: f64,
    pub(super) test: f64,
    /// The length of all weights.
    pub(super) length: f64,
}

/// Trains until `watch` says that it is over, or to the last step.
pub(super) fn train(
    setting: &Setting<'_>,
    mut watch: impl FnMut(&Look<'_>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let Setting { task, seed, .. } = *setting;
    let device = Device::default().autodiff();
    let mut net = Quadratic::new(task, setting.width, seed, (&device, DType::F32))?;
    let space = ParamSpace::of(&net)?;
    let plane = setting.plane.iter();
    let plane = plane.map(|axis| ParamVector::from_host(&space, axis));
    let plane = plane.collect::<Result<Vec<_>, _>>()?;
    let (shown, others) = task.split(seed);
    let [examples, tests] = [shown, others].map(|inputs| task.examples(&inputs, &device));
    let loss = Recorded::new(cross_entropy);
    let mut adam = adam_w(0.98, setting.decay).init();
    // The same from the step on at which it is interfered with.
    let mut projected = None;
    for step in 0..=setting.steps {
        if step.is_multiple_of(EVERY) {
            let look = Look {
                step,
                net: &net,
                train: accuracy(&net, &examples)?,
                test: accuracy(&net, &tests)?,
                length: ParamVector::from_module(&space, &net)?.norm()?,
            };
            let length = look.length;
            if watch(&look)? {
                break;
            }
            if let Some((way, share)) = setting.way(step, &net, &examples, &space)? {
                let way = way.orthogonalize(&plane)?.normalize()?;
                net = way.perturb(&net, share * length)?;
            }
        }
        if step == setting.steps {
            break;
        }
        if let Interference::Projection(share) = setting.interference
            && step == task.from
        {
            let factor = 1.0 - share;
            let own = ProjectedOptimizer::scaled_outside(adam.clone(), &plane, factor)?;
            projected = Some(own);
        }
        let value = |net: &Quadratic| loss.loss_on(net, examples.clone());
        match &mut projected {
            Some(projected) => projected.closure_step(RATE, &mut net, value)?,
            None => adam.closure_step(RATE, &mut net, value)?,
        };
    }
    Ok(())
}

impl Setting<'_> {
    /// Along what the weights are moved at this step, and by which share of their length.
    fn way(
        &self,
        step: usize,
        net: &Quadratic,
        examples: &Examples,
        space: &ParamSpace,
    ) -> Result<Option<(ParamVector, f64)>, Failure> {
        let from = self.task.from;
        Ok(match self.interference {
            Interference::Kick(share) if step == from => Some((commutator(net, examples)?, share)),
            Interference::Noise(share) if step >= from => {
                let seed = (self.seed << 32) | step as u64;
                Some((ParamVector::gaussian(space, seed)?, share))
            }
            _ => None,
        })
    }
}

/// `H_B g_A − H_A g_B` of two halves of the examples.
fn commutator(net: &Quadratic, examples: &Examples) -> Result<ParamVector, Failure> {
    let count = examples.num_examples()?.unwrap_or(0);
    let half = |from: usize, to: usize| examples.select(&(from..to).collect::<Vec<_>>());
    let (a, b) = (half(0, count / 2)?, half(count / 2, count)?);
    let loss = cross_entropy;
    let [a, b] = [&a, &b].map(|half| Risk::new(&loss, from_ref(half)));
    let [of_a, of_b] = [&a, &b].map(|risk| risk.loss_and_gradient(net));
    let one = b.hessian(net)?.matvec(&of_a?.gradient)?;
    let other = a.hessian(net)?.matvec(&of_b?.gradient)?;
    Ok(one.axpy(-1.0, &other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weights at the last look.
    fn last(interference: Interference, decay: f32, plane: &[Vec<f64>]) -> Vec<f64> {
        let task = Task::addition(5, 50);
        let setting = Setting {
            task: &task,
            width: 4,
            seed: 0,
            decay,
            steps: 2 * EVERY,
            interference,
            plane,
        };
        let mut weights = Vec::new();
        train(&setting, |look| {
            let space = ParamSpace::of(look.net)?;
            weights = ParamVector::from_module(&space, look.net)?.to_host()?;
            Ok(false)
        })
        .unwrap();
        weights
    }

    /// A coordinate of the last layer, on which all losses depend.
    const LAST: usize = 2 * 5 * 4;

    fn axis() -> Vec<Vec<f64>> {
        let mut axis = vec![0.0; LAST + 4 * 5];
        axis[LAST] = 1.0;
        vec![axis]
    }

    #[test]
    fn moves_change_a_training_and_nothing_else_does() {
        let plain = last(Interference::None, 1.0, &[]);
        assert_eq!(last(Interference::None, 1.0, &axis()), plain);
        assert_eq!(last(Interference::Projection(0.0), 1.0, &axis()), plain);
        for interference in [Interference::Kick(0.1), Interference::Noise(0.01)] {
            assert_ne!(last(interference, 1.0, &axis()), plain);
        }
    }

    #[test]
    fn a_whole_projection_trains_the_plane_only() {
        let task = Task::addition(5, 0);
        let setting = Setting {
            task: &task,
            width: 4,
            seed: 0,
            decay: 0.0,
            steps: EVERY,
            interference: Interference::Projection(1.0),
            plane: &axis(),
        };
        let mut seen: Vec<Vec<f64>> = Vec::new();
        train(&setting, |look| {
            let space = ParamSpace::of(look.net)?;
            seen.push(ParamVector::from_module(&space, look.net)?.to_host()?);
            Ok(false)
        })
        .unwrap();
        for (place, (before, after)) in seen[0].iter().zip(&seen[1]).enumerate() {
            assert_eq!(before != after, place == LAST);
        }
    }
}
