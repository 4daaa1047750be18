//! Langevin chains on quadratics against their exact law: the bias of the step, of batches, and of a start that is no
//! minimum.

use burnscape::posterior::{
    Finding, LearningCoefficientConfig, PosteriorConfig, PosteriorError, Potential, Sampler,
};

use super::potentials::{Well, assert_mean, at};

/// One direction: curvature, localizer, `nβ`, step, start, and the noise of batches.
struct Row {
    h: f64,
    localizer: f64,
    nbeta: f64,
    step: f64,
    start: f64,
    sigma: f64,
    kappa: f64,
    /// The estimate of one direction.
    value: f64,
}

const ROWS: [Row; 4] = [
    Row {
        h: 1.0,
        localizer: 1.0,
        nbeta: 100.0,
        step: 1e-3,
        start: 0.0,
        sigma: 0.0,
        kappa: 0.0,
        value: 0.5078733,
    },
    Row {
        h: 1.0,
        localizer: 50.0,
        nbeta: 100.0,
        step: 1e-2,
        start: 0.3,
        sigma: 0.0,
        kappa: 0.0,
        value: -3.4666667,
    },
    Row {
        h: 2.0,
        localizer: 10.0,
        nbeta: 50.0,
        step: 5e-3,
        start: 0.0,
        sigma: 0.5,
        kappa: 0.0,
        value: 0.9387352,
    },
    Row {
        h: 1.0,
        localizer: 10.0,
        nbeta: 40.0,
        step: 1e-2,
        start: 0.2,
        sigma: 0.3,
        kappa: 0.4,
        value: -0.1365808,
    },
];

impl Row {
    /// `nβ h + γ`.
    fn curvature(&self) -> f64 {
        self.nbeta * self.h + self.localizer
    }

    /// The mean of `w` over the posterior.
    fn mean(&self) -> f64 {
        self.localizer * self.start / self.curvature()
    }

    /// `nβ (E[L] − L(w₀))` of a chain whose iterations take the mean over so many batches:
    /// `½ nβ h (Var + m² − w₀²)`, `Var = [ε + (ε nβ/2)² (σ² + κ² m²)] / [ε a − (ε²/4) (a² + (nβ κ)²)]`.
    fn law(&self, per_step: usize) -> f64 {
        let share = (per_step as f64).recip();
        let (additive, multiplicative) = (self.sigma.powi(2) * share, self.kappa.powi(2) * share);
        let (a, m, step) = (self.curvature(), self.mean(), self.step);
        let noise = (0.5 * step * self.nbeta).powi(2) * (additive + multiplicative * m * m);
        let spread = 0.25 * step * step * (a * a + self.nbeta.powi(2) * multiplicative);
        let variance = (step + noise) / (step * a - spread);
        0.5 * self.nbeta * self.h * (variance + m * m - self.start.powi(2))
    }

    fn has_noise(&self) -> bool {
        self.sigma + self.kappa > 0.0
    }

    /// The batches of an iteration, if there are any.
    fn choices(&self) -> &'static [Option<usize>] {
        if self.has_noise() {
            &[Some(1), Some(4)]
        } else {
            &[None]
        }
    }

    /// Many directions of this kind.
    fn well(&self) -> Well {
        let well = Well::new(vec![self.h; Well::MOST]).with_start(self.start);
        if self.has_noise() {
            well.with_noise(self.sigma, self.kappa)
        } else {
            well
        }
    }

    fn config(&self, per_step: Option<usize>) -> PosteriorConfig {
        let step = Some(self.step);
        at(self.nbeta)
            .with_localizer(self.localizer)
            .with_sampler(Sampler::Langevin { step })
            .with_batches_per_step(per_step)
            .with_burn_in(100)
            .with_num_draws(700)
    }
}

#[test]
fn the_law_has_the_values_of_the_table() {
    for row in &ROWS {
        assert!((row.law(1) - row.value).abs() < 5e-8, "{}", row.law(1));
    }
}

#[test]
fn chains_follow_the_law_of_their_step_and_batches() {
    for row in &ROWS {
        for &per_step in row.choices() {
            let exact = Well::MOST as f64 * row.law(per_step.unwrap_or(1));
            for seed in 0..3 {
                let config = row.config(per_step).with_seed(seed);
                let posterior = config.run_on(&row.well()).unwrap();
                assert_eq!(posterior.acceptance, None);
                assert_mean(&posterior, exact);
            }
        }
    }
}

#[test]
fn four_curvatures_are_half_an_effective_dimension_inflated_by_the_step() {
    const COPIES: usize = 12;
    let (curvatures, step) = ([4.0, 1.0, 0.25, 0.0], 1e-3);
    let well = Well::new(curvatures.repeat(COPIES));
    let config = PosteriorConfig::new(1000)
        .with_num_chains(4)
        .with_sampler(Sampler::Langevin { step: Some(step) })
        .with_burn_in(400);
    let nbeta = config.nbeta();
    let of_one = |h: f64, step: f64| {
        let a = nbeta * h + 1.0;
        0.5 * nbeta * h / a / (1.0 - 0.25 * step * a)
    };
    let sum = |step: f64| curvatures.iter().map(|h| of_one(*h, step)).sum::<f64>();
    assert!((sum(step) - 1.5902694).abs() < 5e-8);
    assert!((sum(0.0) - 1.4822638).abs() < 5e-8);
    assert!((well.exact(nbeta, 1.0) - COPIES as f64 * sum(0.0)).abs() < 1e-9);
    for seed in 0..3 {
        let posterior = config.clone().with_seed(seed).run_on(&well).unwrap();
        assert_mean(&posterior, COPIES as f64 * sum(step));
    }
}

#[test]
fn a_start_off_the_minimum_is_refused_and_one_at_it_is_not() {
    for row in &ROWS {
        for &per_step in row.choices() {
            let config = LearningCoefficientConfig::new(row.config(per_step))
                .with_localizer_check(false)
                .with_step_check(false);
            let found = config.run_on(&row.well()).unwrap();
            let is_off = row.start != 0.0;
            assert_eq!(found.is_refused(), is_off, "{found}");
            assert_eq!(found.coefficient.is_none(), is_off);
            if !is_off {
                assert_eq!(found.descent_drop, Some(0.0));
                continue;
            }
            let Some(Finding::NoMinimum {
                descent_drop,
                is_descent,
                share_below,
                ..
            }) = found.findings.first()
            else {
                panic!("{found}");
            };
            // One step of descent goes to the minimum of U.
            let fall = row.start.powi(2) - row.mean().powi(2);
            let exact = 0.5 * Well::MOST as f64 * row.nbeta * row.h * fall;
            assert!((descent_drop / exact - 1.0).abs() < 1e-9, "{descent_drop}");
            assert!(*is_descent && found.estimate < 0.0);
            // Losses of batches are noise, from which nothing is concluded.
            assert_eq!(share_below.is_none(), row.has_noise());
            assert!(share_below.is_none_or(|share| share > 0.99));
            let slope = row.h * row.start * (Well::MOST as f64).sqrt();
            assert!((found.base_gradient_norm / slope - 1.0).abs() < 1e-12);
        }
    }
}

/// Losses `½ hᵦ |w|²` of two batches, of which the second weighs three times as much.
#[derive(Clone)]
struct Uneven;

const UNEVEN: [f64; 2] = [0.4, 1.2];

impl Potential for Uneven {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![0.0; 20])
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        batch: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        let h = batch.map_or(1.0, |batch| UNEVEN[batch]);
        let loss = at.iter().map(|w| 0.5 * h * w * w).sum();
        Ok((loss, at.iter().map(|w| h * w).collect()))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(1.0)
    }

    fn batch_weights(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![1.0, 3.0])
    }
}

#[test]
fn batches_are_drawn_by_their_weights() {
    // The mean curvature is 1; drawn alike, the batches would have 0.8, and an estimate of 0.89 times this.
    let row = Row {
        h: 1.0,
        localizer: 100.0,
        nbeta: 100.0,
        step: 2e-3,
        start: 0.0,
        sigma: 0.0,
        kappa: 0.12_f64.sqrt(),
        value: f64::NAN,
    };
    for seed in 0..3 {
        let config = row.config(Some(1)).with_seed(seed);
        let posterior = config.run_on(&Uneven).unwrap();
        assert_mean(&posterior, 20.0 * row.law(1));
        // Three quarters of the draws are whole batches of three quarters of the data.
        let passes = 2.0 + 4.0 * 800.0 * (0.75 * 0.75 + 0.25 * 0.25);
        let found = posterior.cost.num_gradients as f64;
        assert!((found / passes - 1.0).abs() < 0.03, "{found} {passes}");
    }
}
