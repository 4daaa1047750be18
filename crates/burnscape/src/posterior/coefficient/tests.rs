use std::ops::ControlFlow;

use super::*;
use crate::loss::{Progress, Work};
use crate::posterior::{PosteriorConfig, PosteriorError, Potential, Sampler};

/// `L = ½ Σ hᵢ wᵢ²`, started off its minimum by `offset` along the first axis.
#[derive(Clone)]
struct Well {
    curvatures: Vec<f64>,
    offset: f64,
    /// Work at whose first report the observer breaks.
    stops_at: Option<Work>,
}

impl Well {
    fn new(curvatures: &[f64]) -> Self {
        Self {
            curvatures: curvatures.to_vec(),
            offset: 0.0,
            stops_at: None,
        }
    }

    /// `½ Σ nβ hᵢ / (nβ hᵢ + γ)`.
    fn exact(&self, nbeta: f64, localizer: f64) -> f64 {
        let terms = self.curvatures.iter();
        terms
            .map(|h| 0.5 * nbeta * h / (nbeta * h + localizer))
            .sum()
    }
}

impl Potential for Well {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        let mut start = vec![0.0; self.curvatures.len()];
        start[0] = self.offset;
        Ok(start)
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        let pairs = || at.iter().zip(&self.curvatures);
        let loss = pairs().map(|(w, h)| 0.5 * h * w * w).sum();
        Ok((loss, pairs().map(|(w, h)| h * w).collect()))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(self.curvatures.iter().copied().fold(0.0, f64::max))
    }

    fn report(&self, progress: Progress) -> ControlFlow<()> {
        if self.stops_at == Some(progress.work) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// `nβ = 100`.
fn posterior() -> PosteriorConfig {
    PosteriorConfig::new(1_000).with_inverse_temperature(0.1)
}

fn has(found: &LearningCoefficient, finding: fn(&Finding) -> bool) -> bool {
    found.findings.iter().any(finding)
}

#[test]
fn a_quadratic_well_has_half_an_effective_dimension() {
    let well = Well::new(&[4.0, 1.0, 0.25, 0.0]);
    let posterior = PosteriorConfig::new(1_000);
    let found = LearningCoefficientConfig::new(posterior.clone()).run_on(&well);
    let found = found.unwrap();
    let exact = |localizer| well.exact(posterior.nbeta(), localizer);
    assert!((exact(1.0) - 1.4822638).abs() < 1e-7);
    let coefficient = found.coefficient.unwrap();
    assert_eq!(coefficient, found.estimate);
    let error = (coefficient - exact(1.0)).abs();
    assert!(error < 4.0 * found.standard_error, "{found}");
    let (value, error) = found.half_localizer.unwrap();
    assert!((value - exact(0.5)).abs() < 4.0 * error, "{found}");
    assert_eq!(found.descent_drop, Some(0.0));
    assert_eq!((found.share_below, found.half_step), (Some(0.0), None));
    assert!(!has(&found, |it| matches!(
        it,
        Finding::LocalizerDominated { .. }
    )));
    // Two runs and a descent.
    assert_eq!(found.cost.num_gradients, 2 * (1 + 8 * 3_000) + 101);
    let width = found.half_width(0.95).unwrap() / posterior.nbeta();
    let expected = found.diagnostics.half_width(0.95).unwrap();
    assert!((width / expected - 1.0).abs() < 1e-12, "{width}");
    let text = found.to_string();
    assert!(text.starts_with("learning coefficient 1."), "{text}");
    assert!(
        text.contains("n = 1000, β = 0.1448, nβ = 144.8, γ = 1"),
        "{text}"
    );
}

#[test]
fn a_start_off_the_minimum_has_no_coefficient() {
    let mut well = Well::new(&[1.0]);
    well.offset = 0.3;
    let config = LearningCoefficientConfig::new(posterior().with_localizer(50.0));
    let found = config.run_on(&well).unwrap();
    assert!(found.is_refused() && found.coefficient.is_none());
    // The posterior is around 0.1, with variance 1/150.
    let exact = 50.0 * (1.0 / 150.0 + 0.01 - 0.09);
    assert!(
        (found.estimate - exact).abs() < 5.0 * found.standard_error,
        "{found}"
    );
    // Descent goes there.
    let drop = found.descent_drop.unwrap();
    assert!((drop - 50.0 * (0.09 - 0.01)).abs() < 1e-9, "{drop}");
    assert!(found.share_below.unwrap() > 0.9);
    assert!(found.lowest_rise < -0.04);
    let text = found.to_string();
    assert!(
        text.starts_with("no learning coefficient: the model is no minimum"),
        "{text}"
    );
    assert!(
        text.contains("\nrefused: the model is no minimum of the loss: 100 steps"),
        "{text}"
    );
}

#[test]
fn a_long_step_is_found_by_half_of_it() {
    let well = Well::new(&[1.0; 10]);
    // A factor of 1 / (1 − ε a / 4) on the variances: 2 and 4/3.
    let sampler = Sampler::langevin().with_step(2.0 / 101.0);
    let config = LearningCoefficientConfig::new(posterior().with_sampler(sampler));
    let found = config.run_on(&well).unwrap();
    let exact = well.exact(100.0, 1.0);
    let (at_half, error) = found.half_step.unwrap();
    assert!(
        (found.estimate - 2.0 * exact).abs() < 5.0 * found.standard_error,
        "{found}"
    );
    assert!((at_half - exact * 4.0 / 3.0).abs() < 5.0 * error, "{found}");
    assert_eq!(found.extrapolated, Some(2.0 * at_half - found.estimate));
    assert!(has(&found, |it| matches!(it, Finding::BiasedStep { .. })));
    assert!(!found.is_refused() && found.acceptance.is_none());
}

#[test]
fn checks_can_be_left_out() {
    let well = Well::new(&[1.0, 1.0]);
    let posterior = posterior()
        .with_sampler(Sampler::langevin())
        .with_num_chains(1);
    let config = LearningCoefficientConfig::new(posterior)
        .with_localizer_check(false)
        .with_step_check(false);
    let found = config.run_on(&well).unwrap();
    assert_eq!((found.half_localizer, found.half_step), (None, None));
    assert!(found.findings.contains(&Finding::SingleChain));
    let text = found.to_string();
    assert!(
        text.contains("γ was not halved; the step was not halved"),
        "{text}"
    );
    assert!(text.contains("; 1 chain of 2000 draws"), "{text}");
}

#[test]
fn a_run_that_is_stopped_has_no_coefficient() {
    let mut well = Well::new(&[1.0]);
    let config = LearningCoefficientConfig::new(posterior());
    well.stops_at = Some(Work::Step);
    let found = config.run_on(&well).unwrap();
    assert!(!found.completed && !found.is_refused());
    assert_eq!((found.coefficient, found.descent_drop), (None, None));
    assert_eq!(found.half_localizer, None);
    let text = found.to_string();
    assert!(
        text.starts_with("no learning coefficient: the observer stopped"),
        "{text}"
    );
    // In the burn-in.
    well.stops_at = Some(Work::Sample);
    let stopped = config.run_on(&well);
    assert!(matches!(stopped, Err(PosteriorError::Stopped)));
}

#[test]
fn a_finished_posterior_needs_its_checks_only() {
    let well = Well::new(&[1.0, 0.5]);
    let posterior = posterior().with_burn_in(100).with_num_draws(200);
    let config = LearningCoefficientConfig::new(posterior.clone());
    let whole = config.run_on(&well).unwrap();
    let draws = posterior.run_on(&well).unwrap();
    let resumed = config.resume_on(&well, draws.record().clone()).unwrap();
    assert_eq!(resumed.estimate, whole.estimate);
    assert_eq!(resumed.half_localizer, whole.half_localizer);
    assert_eq!(resumed.findings, whole.findings);
}

#[test]
fn thresholds_are_checked_before_any_work() {
    let thresholds = Thresholds::new().with_max_rhat(0.5);
    let config = LearningCoefficientConfig::new(posterior()).with_thresholds(thresholds);
    let refused = config.run_on(&Well::new(&[1.0]));
    assert!(matches!(refused, Err(PosteriorError::OutOfRange(_))));
}
