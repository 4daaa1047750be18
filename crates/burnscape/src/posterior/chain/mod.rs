//! Chains: the state of each, and the step of each sampler.

mod langevin;
mod mala;
mod minibatches;
mod nose_hoover;
mod rmsprop_langevin;
mod target;
#[cfg(test)]
mod tests;

use burnscape_krylov::VectorSpace;

use langevin::Langevin;
use mala::Mala;
pub(super) use minibatches::Minibatches;
use nose_hoover::NoseHoover;
use rmsprop_langevin::RmspropLangevin;
pub(super) use target::Target;
use target::Turn;

use super::error::converted;
use super::record::{ChainRecord, MotionRecord};
use super::{PosteriorConfig, PosteriorError, Potential, Sampler};
use crate::space::mix;

/// The stream of a chain's first iteration that gives its momentum; 0 and 1 are those of its moves.
const MOMENTUM: u64 = 2;

/// What chains of a run have in common besides their target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    pub(super) sampler: Sampler,
    /// The first step, or the step.
    pub(super) step: f64,
    /// The least step that is unstable where the loss is quadratic as at the start.
    pub(super) limit: f64,
    pub(super) seed: u64,
    pub(super) burn_in: usize,
    /// Iterations of a chain, burn-in included.
    pub(super) total: usize,
}

impl Course {
    pub(super) fn new(config: &PosteriorConfig, step: f64, limit: f64) -> Self {
        Self {
            sampler: config.sampler(),
            step,
            limit,
            seed: config.seed(),
            burn_in: config.burn_in(),
            total: config.burn_in().saturating_add(config.num_draws()),
        }
    }
}

/// A chain: its place, what its sampler remembers, and its draws.
pub(super) struct Chain<V> {
    pub(super) index: usize,
    seed: u64,
    /// Moves so far, those of burn-in included.
    pub(super) iterations: usize,
    motion: Motion<V>,
    /// `L(w) − L(w₀)` of every draw.
    pub(super) rises: Vec<f64>,
    /// The data that its iterations read, in passes.
    pub(super) passes: f64,
}

enum Motion<V> {
    Mala(Mala<V>),
    Langevin(Langevin<V>),
    RmspropLangevin(RmspropLangevin<V>),
    NoseHoover(NoseHoover<V>),
}

impl<V: VectorSpace<Error: Into<PosteriorError>>> Chain<V> {
    /// A chain at the start, where the loss has this gradient.
    pub(super) fn new<P: Potential<Vector = V>>(
        index: usize,
        potential: &P,
        target: &Target<V>,
        course: &Course,
        gradient: &V,
    ) -> Result<Self, PosteriorError> {
        let seed = mix(course.seed, index as u64);
        let position = target.start.clone();
        let step = course.step;
        let motion = match course.sampler {
            Sampler::Mala {
                acceptance,
                step: given,
            } => {
                let evaluated = (target.base_loss, gradient.clone());
                let pace = (step, acceptance);
                Motion::Mala(Mala::new(target, position, evaluated, given, pace)?)
            }
            Sampler::Langevin { .. } => Motion::Langevin(Langevin { position, step }),
            Sampler::RmspropLangevin { decay, damping, .. } => {
                Motion::RmspropLangevin(RmspropLangevin {
                    mean_square: converted(position.zeros_like())?,
                    position,
                    step,
                    decay,
                    damping,
                    count: 0,
                    scales: None,
                })
            }
            Sampler::NoseHoover { diffusion, .. } => {
                let momentum = potential.gaussian(mix(mix(seed, 0), MOMENTUM))?;
                Motion::NoseHoover(NoseHoover {
                    position,
                    momentum: momentum.scale(step.sqrt()),
                    thermostat: diffusion,
                    step,
                    diffusion,
                })
            }
        };
        Ok(Self {
            index,
            seed,
            iterations: 0,
            motion,
            rises: Vec::new(),
            passes: 0.0,
        })
    }

    /// The chain that a record was taken of.
    pub(super) fn restored<P: Potential<Vector = V>>(
        index: usize,
        record: ChainRecord,
        potential: &P,
        target: &Target<V>,
        course: &Course,
    ) -> Result<Self, PosteriorError> {
        let space = target.start.space();
        let vector = |values: &[f64]| converted(V::from_host(&space, values));
        let position = vector(&record.position)?;
        let step = course.step;
        let motion = match (course.sampler, record.motion) {
            (
                Sampler::Mala {
                    acceptance,
                    step: given,
                },
                MotionRecord::Mala {
                    tuning,
                    num_accepted,
                    num_not_finite,
                },
            ) => {
                // Loss and gradient follow from the position, to the bit.
                let evaluated = potential.loss_and_gradient(&position, None)?;
                let chain = Mala::new(target, position, evaluated, given, (step, acceptance))?;
                Motion::Mala(chain.with_memory(tuning, num_accepted, num_not_finite))
            }
            (Sampler::Langevin { .. }, MotionRecord::Langevin) => {
                Motion::Langevin(Langevin { position, step })
            }
            (
                Sampler::RmspropLangevin { decay, damping, .. },
                MotionRecord::RmspropLangevin { mean_square },
            ) => Motion::RmspropLangevin(RmspropLangevin {
                position,
                step,
                decay,
                damping,
                mean_square: vector(&mean_square)?,
                count: record.iterations.min(course.burn_in.div_ceil(2)),
                scales: None,
            }),
            (
                Sampler::NoseHoover { diffusion, .. },
                MotionRecord::NoseHoover {
                    momentum,
                    thermostat,
                },
            ) => Motion::NoseHoover(NoseHoover {
                position,
                momentum: vector(&momentum)?,
                thermostat,
                step,
                diffusion,
            }),
            (sampler, _) => {
                return Err(PosteriorError::Record {
                    message: format!("chain {index} is not one of {sampler}; start anew"),
                });
            }
        };
        Ok(Self {
            index,
            seed: mix(course.seed, index as u64),
            iterations: record.iterations,
            motion,
            rises: record.rises,
            passes: record.passes,
        })
    }

    /// Moves once, and returns the rise of the loss.
    pub(super) fn advance<P: Potential<Vector = V>>(
        &mut self,
        potential: &P,
        target: &Target<V>,
        course: &Course,
    ) -> Result<f64, PosteriorError> {
        let turn = Turn {
            seed: mix(self.seed, self.iterations as u64),
            is_burn_in: self.iterations < course.burn_in,
            is_tuning: self.iterations < course.burn_in.div_ceil(2),
        };
        let drawn = match &mut self.motion {
            Motion::Mala(chain) => Some(chain.advance(potential, target, &turn)?),
            Motion::Langevin(chain) => chain.advance(potential, target, &turn)?,
            Motion::RmspropLangevin(chain) => chain.advance(potential, target, &turn)?,
            Motion::NoseHoover(chain) => chain.advance(potential, target, &turn)?,
        };
        let Some(drawn) = drawn else {
            return Err(PosteriorError::Diverged {
                chain: self.index,
                draw: self.iterations,
                step: self.step(),
                limit: course.limit,
            });
        };
        self.iterations += 1;
        self.passes += drawn.passes;
        if !turn.is_burn_in {
            self.rises.push(drawn.rise);
        }
        Ok(drawn.rise)
    }

    /// What [`restored`](Self::restored) continues from.
    pub(super) fn record(&self) -> Result<ChainRecord, PosteriorError> {
        let (position, motion) = match &self.motion {
            Motion::Mala(chain) => (chain.position(), chain.record()),
            Motion::Langevin(chain) => (&chain.position, MotionRecord::Langevin),
            Motion::RmspropLangevin(chain) => {
                let mean_square = converted(chain.mean_square.to_host())?;
                let motion = MotionRecord::RmspropLangevin { mean_square };
                (&chain.position, motion)
            }
            Motion::NoseHoover(chain) => {
                let motion = MotionRecord::NoseHoover {
                    momentum: converted(chain.momentum.to_host())?,
                    thermostat: chain.thermostat,
                };
                (&chain.position, motion)
            }
        };
        Ok(ChainRecord {
            iterations: self.iterations,
            position: converted(position.to_host())?,
            motion,
            rises: self.rises.clone(),
            passes: self.passes,
        })
    }

    /// The step of its draws.
    pub(super) fn step(&self) -> f64 {
        match &self.motion {
            Motion::Mala(chain) => chain.step(),
            Motion::Langevin(chain) => chain.step,
            Motion::RmspropLangevin(chain) => chain.step,
            Motion::NoseHoover(chain) => chain.step,
        }
    }

    /// Proposals that were accepted, and proposals that were not finite, after burn-in; none if the sampler makes none.
    pub(super) fn proposals(&self) -> Option<(usize, usize)> {
        match &self.motion {
            Motion::Mala(chain) => Some((chain.num_accepted, chain.num_not_finite)),
            _ => None,
        }
    }
}
