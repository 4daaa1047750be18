//! What is measured along a training: the commutator of gradient steps, the rise of the loss over the posterior, and the
//! plane in which the weights move most.

use burn::tensor::{DType, Device};
use burnscape::dynamics::{
    Alarm, AlarmConfig, AlarmPoint, CommutatorConfig, CommutatorMonitor, Due, Moment, Watch,
};
use burnscape::krylov::LineFit;
use burnscape::loss::{Recorded, Risk, Whole};
use burnscape::posterior::{
    LearningCoefficientConfig, PosteriorConfig, PosteriorError, Sampler, Thresholds,
};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::trajectory::{Centering, Trajectory, TrajectoryPcaConfig};

use super::network::{Quadratic, cross_entropy};
use super::task::{Examples, PARTS};
use super::training::{RATE, Setting};
use crate::Failure;

/// A look at a training, with the commutator defect where it was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) step: usize,
    pub(super) train: f64,
    pub(super) test: f64,
    pub(super) length: f64,
    pub(super) defect: f64,
}

/// The first step at which something holds.
pub(super) fn first(points: &[Point], holds: impl Fn(&Point) -> bool) -> Option<usize> {
    let found = points.iter().find(|point| holds(point));
    found.map(|point| point.step)
}

/// The training accuracy of a network that has memorized.
pub(super) const MEMORIZED: f64 = 0.99;
/// An alarm is so many times the least defect since memorization.
const ALARM: f64 = 2.0;

/// The exact commutator of gradients of examples in sixths, in double precision: the weights are those of the training.
pub(super) struct Commutators {
    /// Whose weights are replaced.
    template: Quadratic,
    space: ParamSpace,
    watch: Watch<'static, Quadratic, Whole, CommutatorMonitor>,
}

impl Commutators {
    pub(super) fn new(setting: &Setting<'_>) -> Result<Self, Failure> {
        let Setting { task, width, .. } = *setting;
        let template = Quadratic::new(task, width, 0, (&Device::default(), DType::F64))?;
        let monitor = CommutatorConfig::new()
            .with_batch_size(Some(task.num_train / PARTS))
            .with_num_pairs(PARTS / 2)
            .init()?;
        let risk = Risk::owned(cross_entropy, vec![shown(setting)]);
        Ok(Self {
            space: ParamSpace::of(&template)?,
            template,
            watch: Watch::new(Due::Every(1), monitor, risk)?,
        })
    }

    /// `D = |H_B g_A − H_A g_B| / (|g_A| |g_B|)`, the median of three pairs. Not a number without gradients.
    pub(super) fn at(&mut self, step: usize, net: &Quadratic) -> Result<f64, Failure> {
        let weights = ParamVector::from_module(&ParamSpace::of(net)?, net)?.to_host()?;
        let weights = ParamVector::from_host(&self.space, &weights)?;
        let net = weights.apply_to(&self.template)?;
        let seen = self.watch.observe(&Moment::new(step, RATE, &net))?;
        let bracket = seen.and_then(|seen| seen.reading.bracket);
        Ok(bracket.unwrap_or(f64::NAN))
    }
}

/// The examples that a training sees, on the device without derivatives.
fn shown(setting: &Setting<'_>) -> Examples {
    let (shown, _) = setting.task.split(setting.seed);
    setting.task.examples(&shown, &Device::default())
}

/// Whether a rise of the defect comes before a network generalizes, and also in a control that never does. None without
/// memorization in both.
pub(super) fn alarm(generalized: f64, run: &[Point], control: &[Point]) -> Option<Alarm> {
    let end = first(run, |point| point.test >= generalized).unwrap_or(usize::MAX);
    let points = |points: &[Point], end: usize| -> Vec<AlarmPoint> {
        let measured = points.iter().filter(|point| point.defect.is_finite());
        let until = measured.filter(|point| point.step <= end);
        until
            .map(|point| AlarmPoint {
                step: point.step,
                value: point.defect,
                train_accuracy: point.train,
                test_accuracy: point.test,
            })
            .collect()
    };
    let config = AlarmConfig::new(ALARM)
        .with_memorized(MEMORIZED)
        .with_generalized(generalized);
    let (run, control) = (points(run, end), points(control, usize::MAX));
    config.run(&run, &control).ok()
}

/// The slope of the logarithm of leads in that of times, with its standard error. None for fewer than three, or if all
/// times are the same.
pub(super) fn slope(leads: &[(f64, f64)]) -> Option<(f64, f64)> {
    let points = leads.iter().map(|(t, lead)| (t.ln(), lead.ln()));
    let line = LineFit::of(&points.collect::<Vec<_>>()).ok()?;
    Some((line.slope, line.standard_error?))
}

/// The localizer `γ` of the recipe.
pub(super) const LOCALIZER: f64 = 300.0;

/// `nβ (E[L] − L(w₀))` over the posterior around a step of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rise {
    pub(super) step: usize,
    pub(super) value: f64,
    /// How many times more it is with half of the localizer, less one.
    pub(super) change: f64,
}

/// Unadjusted Langevin chains, as the recipe has them: three of 160 iterations, 100 of which count.
pub(super) struct Posteriors {
    risk: Risk<'static, Quadratic>,
    config: PosteriorConfig,
}

impl Posteriors {
    pub(super) fn new(setting: &Setting<'_>, (burn_in, draws): (usize, usize)) -> Self {
        let step = Some(0.2 / LOCALIZER);
        Self {
            risk: Risk::owned(Recorded::new(cross_entropy), vec![shown(setting)]),
            config: PosteriorConfig::new(setting.task.num_train)
                .with_localizer(LOCALIZER)
                .with_sampler(Sampler::Langevin { step })
                .with_num_chains(3)
                .with_burn_in(burn_in)
                .with_num_draws(draws)
                .with_seed(setting.seed),
        }
    }

    /// Not a number where the step is too long for the curvature.
    pub(super) fn at(&self, step: usize, net: &Quadratic) -> Result<Rise, Failure> {
        let config = LearningCoefficientConfig::new(self.config.clone())
            .with_step_check(false)
            .with_thresholds(Thresholds::new().with_descent_steps(20));
        let (value, change) = match config.run(&self.risk, net) {
            Err(PosteriorError::UnstableStep { .. } | PosteriorError::Diverged { .. }) => {
                (f64::NAN, f64::NAN)
            }
            found => {
                let found = found?;
                let half = found.half_localizer.map_or(f64::NAN, |(value, _)| value);
                (found.estimate, half / found.estimate - 1.0)
            }
        };
        Ok(Rise {
            step,
            value,
            change,
        })
    }
}

/// The two directions in which the weights of these steps differ most.
pub(super) fn plane(nets: &[(usize, Quadratic)]) -> Result<Vec<Vec<f64>>, Failure> {
    let trajectory = Trajectory::of(nets.iter().cloned())?;
    let found = TrajectoryPcaConfig::new(2)
        .with_centering(Centering::Mean)
        .run(&trajectory)?;
    let axes = found.directions().iter();
    let axes = axes.map(|direction| direction.vector().to_host());
    Ok(axes.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(defects: [f64; 4], tests: [f64; 4]) -> Vec<Point> {
        let steps = (0..4).zip(defects.into_iter().zip(tests));
        let points = steps.map(|(index, (defect, test))| Point {
            step: 50 * index,
            train: if index == 0 { 0.1 } else { 1.0 },
            test,
            length: 1.0,
            defect,
        });
        points.collect()
    }

    #[test]
    fn alarms_after_generalization_do_not_count() {
        let control = points([5.0, 1.0, 1.1, 1.2], [0.0; 4]);
        let early = points([5.0, 1.0, 2.5, 3.0], [0.0, 0.0, 0.1, 0.9]);
        let found = alarm(0.5, &early, &control).unwrap();
        assert_eq!((found.step, found.lead), (Some(100), Some(50)));
        let late = points([5.0, 1.0, 1.5, 3.0], [0.0, 0.0, 0.9, 0.9]);
        let found = alarm(0.5, &late, &control).unwrap();
        assert_eq!((found.step, found.generalized), (None, Some(100)));
        assert_eq!(alarm(0.5, &late, &points([1.0; 4], [0.9; 4])), None);
        // Readings without a gradient are left out.
        let gap = points([5.0, f64::NAN, 1.0, 2.0], [0.0, 0.0, 0.0, 0.9]);
        assert_eq!(alarm(0.5, &gap, &control).unwrap().step, Some(150));
    }

    #[test]
    fn slopes_are_those_of_powers() {
        let leads = [1000.0, 2000.0, 4000.0].map(|t: f64| (t, 0.3 * t.powf(1.2)));
        let (found, error) = slope(&leads).unwrap();
        assert!((found - 1.2).abs() < 1e-9 && error < 1e-6);
        assert_eq!(slope(&leads[..2]), None);
        assert_eq!(slope(&[(10.0, 1.0); 3]), None);
    }

    #[test]
    fn the_first_step_of_a_threshold_is_found() {
        let points = points([1.0; 4], [0.0, 0.2, 0.6, 0.4]);
        assert_eq!(first(&points, |point| point.test >= 0.5), Some(100));
        assert_eq!(first(&points, |point| point.test >= 0.7), None);
    }
}
