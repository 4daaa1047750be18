//! From settings and a potential to a posterior.

use burnscape_krylov::VectorSpace;

use super::chain::{Chain, Course, Minibatches, Target};
use super::draws::assembled;
use super::error::converted;
use super::record::{Base, Content};
use super::workers::sample;
use super::{Posterior, PosteriorConfig, PosteriorError, PosteriorRecord, Potential, Sampler};
use crate::OutOfRange;
use crate::range::ensure;

/// Half precision is above, single precision below.
const COARSEST: f64 = 1e-4;

pub(super) fn fresh<P: Potential>(
    config: &PosteriorConfig,
    potential: &P,
) -> Result<Posterior, PosteriorError> {
    config.check()?;
    let start = Start::of(config, potential)?;
    let base = start.measured(config, potential)?;
    let (target, course) = start.target(config, &base)?;
    let chains = (0..config.num_chains())
        .map(|index| Chain::new(index, potential, &target, &course, &start.gradient));
    let chains: Result<Vec<_>, PosteriorError> = chains.collect();
    finished(config, potential, &start, base, (&target, &course), chains?)
}

pub(super) fn resumed<P: Potential>(
    config: &PosteriorConfig,
    potential: &P,
    record: PosteriorRecord,
) -> Result<Posterior, PosteriorError> {
    config.check()?;
    let start = Start::of(config, potential)?;
    let dimension = P::Vector::dimension(&start.position.space());
    let Content { base, chains, .. } = record.checked(config, dimension)?;
    base.check(start.loss, start.position.epsilon())?;
    if config.batches_per_step().is_some() {
        base.check_batches(&potential.batch_weights()?)?;
    }
    let (target, course) = start.target(config, &base)?;
    let chains = chains
        .into_iter()
        .enumerate()
        .map(|(index, record)| Chain::restored(index, record, potential, &target, &course));
    let chains: Result<Vec<_>, PosteriorError> = chains.collect();
    finished(config, potential, &start, base, (&target, &course), chains?)
}

/// Runs the chains to their ends.
fn finished<P: Potential>(
    config: &PosteriorConfig,
    potential: &P,
    start: &Start<P::Vector>,
    base: Base,
    (target, course): (&Target<P::Vector>, &Course),
    chains: Vec<Chain<P::Vector>>,
) -> Result<Posterior, PosteriorError> {
    let threads = config.num_threads();
    let (chains, completed) = sample(potential, target, course, chains, threads)?;
    assembled(config, base, &chains, start.position.epsilon(), completed)
}

/// The loss where chains start.
struct Start<V> {
    position: V,
    loss: f64,
    /// `∇L`.
    gradient: V,
    gradient_norm: f64,
}

impl<V: VectorSpace<Error: Into<PosteriorError>>> Start<V> {
    fn of<P: Potential<Vector = V>>(
        config: &PosteriorConfig,
        potential: &P,
    ) -> Result<Self, PosteriorError> {
        let position = potential.start()?;
        let epsilon = position.epsilon();
        if epsilon > COARSEST {
            return Err(PosteriorError::HalfPrecision { epsilon });
        }
        if V::dimension(&position.space()) == 0 {
            let expected = "1 or more: there are no parameters to sample";
            return Err(OutOfRange::new("dimension", 0.0, expected).into());
        }
        if config.localizer() == 0.0 {
            let count = potential.num_unused()?;
            if count > 0 {
                return Err(PosteriorError::UnusedParameters { count });
            }
        }
        let (loss, gradient) = potential.loss_and_gradient(&position, None)?;
        let gradient_norm = converted(gradient.norm())?;
        if !(loss.is_finite() && gradient_norm.is_finite()) {
            return Err(PosteriorError::BadStart {
                loss,
                gradient_norm,
            });
        }
        Ok(Self {
            position,
            loss,
            gradient,
            gradient_norm,
        })
    }

    /// What a run needs to know about the start.
    fn measured<P: Potential<Vector = V>>(
        &self,
        config: &PosteriorConfig,
        potential: &P,
    ) -> Result<Base, PosteriorError> {
        let batch_weights = match config.batches_per_step() {
            Some(_) => potential.batch_weights()?,
            None => Vec::new(),
        };
        let mut batch_losses = Vec::with_capacity(batch_weights.len());
        for batch in 0..batch_weights.len() {
            let (loss, _) = potential.loss_and_gradient(&self.position, Some(batch))?;
            if !loss.is_finite() {
                let gradient_norm = self.gradient_norm;
                return Err(PosteriorError::BadStart {
                    loss,
                    gradient_norm,
                });
            }
            batch_losses.push(loss);
        }
        Ok(Base {
            loss: self.loss,
            gradient_norm: self.gradient_norm,
            sharpness: sharpness(config, potential)?,
            batch_weights,
            batch_losses,
        })
    }

    fn target(
        &self,
        config: &PosteriorConfig,
        base: &Base,
    ) -> Result<(Target<V>, Course), PosteriorError> {
        let minibatches = config.batches_per_step().map(|per_step| {
            Minibatches::new(per_step, &base.batch_weights, base.batch_losses.clone())
        });
        let target = Target {
            start: self.position.clone(),
            nbeta: config.nbeta(),
            localizer: config.localizer(),
            base_loss: base.loss,
            minibatches: minibatches.transpose()?,
        };
        let (step, limit) = steps(config, base.sharpness)?;
        Ok((target, Course::new(config, step, limit)))
    }
}

/// The largest eigenvalue of the Hessian of `L` at the start, if a step or its limit depends on it, or if it is known.
fn sharpness<P: Potential>(
    config: &PosteriorConfig,
    potential: &P,
) -> Result<Option<f64>, PosteriorError> {
    let known = config.sharpness();
    let is_given = matches!(config.sampler(), Sampler::Mala { step: Some(_), .. });
    if known.is_some() || is_given {
        return Ok(known);
    }
    let found = potential.sharpness()?;
    ensure("sharpness", found, ..)?;
    Ok(Some(found))
}

/// The first step, and the least step that is unstable where the loss is quadratic as at the start.
fn steps(config: &PosteriorConfig, sharpness: Option<f64>) -> Result<(f64, f64), PosteriorError> {
    let sampler = config.sampler();
    let curvature = config.nbeta() * sharpness.unwrap_or(0.0).max(0.0) + config.localizer();
    let (usual, unstable) = sampler.scales();
    let limit = unstable / curvature;
    let step = match sampler.step() {
        Some(step) => step,
        None if curvature > 0.0 => usual / curvature,
        None => return Err(PosteriorError::NoScale),
    };
    let is_limited = matches!(
        sampler,
        Sampler::Langevin { .. } | Sampler::NoseHoover { .. }
    );
    if is_limited && step >= limit {
        return Err(PosteriorError::UnstableStep {
            step,
            limit,
            curvature,
        });
    }
    Ok((step, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_from_the_sharpest_direction() {
        let config = PosteriorConfig::new(1000).with_inverse_temperature(0.1);
        let found = |sampler| steps(&config.clone().with_sampler(sampler), Some(0.99));
        assert_eq!(found(Sampler::mala()), Ok((0.01, 0.04)));
        assert_eq!(found(Sampler::langevin()), Ok((4e-4, 0.04)));
        assert_eq!(found(Sampler::nose_hoover()), Ok((1e-3, 0.04)));
        let unstable = Sampler::Langevin { step: Some(0.04) };
        let error = PosteriorError::UnstableStep {
            step: 0.04,
            limit: 0.04,
            curvature: 100.0,
        };
        assert_eq!(found(unstable), Err(error));
        assert!(found(Sampler::Langevin { step: Some(0.039) }).is_ok());
        // A negative eigenvalue counts as none.
        let flat = |config: PosteriorConfig| steps(&config, Some(-3.0));
        assert_eq!(flat(config.clone()), Ok((1.0, 4.0)));
        let flat = flat(config.with_localizer(0.0));
        assert_eq!(flat, Err(PosteriorError::NoScale));
    }
}
