use super::{Stages, StagesConfig};
use crate::dynamics::Observation;
use crate::posterior::{LearningCoefficient, PosteriorError};

impl StagesConfig {
    /// The stages of learning coefficients along a training run, over the logarithm of the step. Refused readings and
    /// that of step 0 are left out and counted.
    ///
    /// Estimates with other settings have other biases, so that a change of settings would look like a stage.
    ///
    /// # Errors
    ///
    /// [`PosteriorError::OtherSettings`] for readings that differ in the number of examples, temperature, localizer or
    /// sampler, or in steps or batches of a sampler that is not exact; and those that [`StagesConfig`] states, among
    /// them [`PosteriorError::TooFewPoints`] if too few readings are left.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape::dynamics::{Observation, Readings};
    /// use burnscape::posterior::{LearningCoefficient, PosteriorError, Stages, StagesConfig};
    ///
    /// // The readings of a watch on a `LearningCoefficientConfig`.
    /// fn stages(readings: &Readings<LearningCoefficient>) -> Result<Stages, PosteriorError> {
    ///     StagesConfig::new().with_max_knots(6).run_readings(&readings.to_vec())
    /// }
    /// let none: &[Observation<LearningCoefficient>] = &[];
    /// let error = StagesConfig::new().run_readings(none).unwrap_err();
    /// assert_eq!(error, PosteriorError::TooFewPoints { found: 0, needed: 4 });
    /// # let _ = stages;
    /// ```
    pub fn run_readings(
        &self,
        readings: &[Observation<LearningCoefficient>],
    ) -> Result<Stages, PosteriorError> {
        for pair in readings.windows(2) {
            if let Some(message) = difference(&pair[0], &pair[1]) {
                return Err(PosteriorError::OtherSettings { message });
            }
        }
        let (mut times, mut values, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let (mut num_refused, mut num_at_step_zero) = (0, 0);
        for observation in readings {
            let reading = &observation.reading;
            match reading.coefficient {
                None => num_refused += 1,
                Some(_) if observation.step == 0 => num_at_step_zero += 1,
                Some(coefficient) => {
                    times.push(observation.step as f64);
                    values.push(coefficient);
                    errors.push(reading.standard_error);
                }
            }
        }
        let stages = self.run(&times, &values, &errors)?;
        Ok(Stages {
            num_refused,
            num_at_step_zero,
            ..stages
        })
    }
}

/// The first setting that decides the bias of an estimate and differs, in words.
fn difference(
    one: &Observation<LearningCoefficient>,
    other: &Observation<LearningCoefficient>,
) -> Option<String> {
    let (own, others) = (settings(&one.reading), settings(&other.reading));
    let differing = own
        .into_iter()
        .zip(others)
        .find(|(own, other)| own != other);
    let ((name, own), (_, other_value)) = differing?;
    let message = format!(
        "the {name} is {own} at step {} and {other_value} at step {}",
        one.step, other.step
    );
    let is_exact = one.reading.config.posterior.sampler().is_exact();
    Some(match is_exact || name != STEP {
        true => message,
        false => message + " (by default it follows from the sharpness; give the sampler a step)",
    })
}

const STEP: &str = "step";

fn settings(reading: &LearningCoefficient) -> [(&'static str, String); 6] {
    let posterior = &reading.config.posterior;
    let sampler = posterior.sampler();
    // An exact sampler has no bias, whatever its steps.
    let if_inexact = |value: String| match sampler.is_exact() {
        true => String::new(),
        false => value,
    };
    let step = reading.steps.first().copied();
    [
        ("number of examples", posterior.num_examples().to_string()),
        (
            "inverse temperature",
            posterior.inverse_temperature().to_string(),
        ),
        ("localizer", posterior.localizer().to_string()),
        ("sampler", sampler.to_string()),
        (
            STEP,
            if_inexact(step.map_or_else(String::new, |step| step.to_string())),
        ),
        (
            "sampler",
            if_inexact(format!(
                "{sampler:?} with {:?}",
                posterior.batches_per_step()
            )),
        ),
    ]
}
