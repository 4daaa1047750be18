//! Losses on the host whose posteriors are known.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burnscape::loss::Progress;
use burnscape::posterior::{Posterior, PosteriorConfig, PosteriorError, Potential};

/// The posterior at this `nβ`, of 1,000 examples.
pub(crate) fn at(nbeta: f64) -> PosteriorConfig {
    PosteriorConfig::new(1000)
        .with_inverse_temperature(nbeta / 1000.0)
        .with_num_chains(4)
}

/// The estimate is within four standard errors of `exact`.
#[track_caller]
pub(crate) fn assert_mean(posterior: &Posterior, exact: f64) {
    let (found, error) = estimate(posterior);
    assert!(
        (found - exact).abs() < 4.0 * error,
        "{found} ± {error}, exactly {exact}"
    );
}

/// `nβ` times the mean rise, and its standard error.
pub(crate) fn estimate(posterior: &Posterior) -> (f64, f64) {
    let error = posterior.diagnostics().unwrap().standard_error;
    (posterior.nbeta_rise(), posterior.config.nbeta() * error)
}

/// The bits of all draws.
pub(crate) fn bits(posterior: &Posterior) -> Vec<Vec<u64>> {
    let chains = posterior.rises.iter();
    chains
        .map(|chain| chain.iter().map(|rise| rise.to_bits()).collect())
        .collect()
}

/// `½ Σ hᵢ wᵢ²` and a constant, from a start whose coordinates are equal.
///
/// Of its 64 batches, each has the curvatures `hᵢ ± κ` and the slopes `± σ`. The signs of every direction are uncorrelated
/// over the batches, with each other and with those of other directions: gradients of batches have exactly the variances
/// `σ²` and `κ² wᵢ²` and no covariances.
#[derive(Clone)]
pub(crate) struct Well {
    curvatures: Vec<f64>,
    start: f64,
    floor: f64,
    /// `σ` and `κ`.
    noise: Option<(f64, f64)>,
}

impl Well {
    /// The most directions that 64 batches have signs for.
    pub(crate) const MOST: usize = 31;
    const NUM_BATCHES: usize = 64;

    pub(crate) fn new(curvatures: Vec<f64>) -> Self {
        Self {
            curvatures,
            start: 0.0,
            floor: 0.0,
            noise: None,
        }
    }

    pub(crate) fn with_start(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    pub(crate) fn with_floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    pub(crate) fn with_noise(mut self, sigma: f64, kappa: f64) -> Self {
        assert!(self.curvatures.len() <= Self::MOST);
        self.noise = Some((sigma, kappa));
        self
    }

    /// `½ Σ nβ hᵢ / (nβ hᵢ + γ)`: the estimate from the minimum, without the bias of a step.
    pub(crate) fn exact(&self, nbeta: f64, localizer: f64) -> f64 {
        let terms = self.curvatures.iter();
        terms
            .map(|h| 0.5 * nbeta * h / (nbeta * h + localizer))
            .sum()
    }
}

/// A Walsh function.
fn sign(batch: usize, column: usize) -> f64 {
    1.0 - 2.0 * f64::from((batch & column).count_ones() % 2)
}

impl Potential for Well {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![self.start; self.curvatures.len()])
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        batch: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        let mut loss = self.floor;
        let mut gradient = Vec::with_capacity(at.len());
        for (index, (w, h)) in at.iter().zip(&self.curvatures).enumerate() {
            let (curvature, slope) = match (batch, self.noise) {
                (Some(batch), Some((sigma, kappa))) => (
                    h + kappa * sign(batch, 2 * index + 1),
                    sigma * sign(batch, 2 * index + 2),
                ),
                _ => (*h, 0.0),
            };
            loss += (0.5 * curvature * w + slope) * w;
            gradient.push(curvature * w + slope);
        }
        Ok((loss, gradient))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(self.curvatures.iter().copied().fold(0.0, f64::max))
    }

    fn batch_weights(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(match self.noise {
            Some(_) => vec![1.0; Self::NUM_BATCHES],
            None => vec![1.0],
        })
    }
}

/// `Π wᵢ^(2kᵢ)` in the box `[−1, 1]` around zero, and infinite outside.
#[derive(Clone)]
pub(crate) struct Crossing(pub(crate) Vec<i32>);

impl Potential for Crossing {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![0.0; self.0.len()])
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        if at.iter().any(|w| w.abs() > 1.0) {
            return Ok((f64::INFINITY, vec![0.0; at.len()]));
        }
        let factors: Vec<f64> = at.iter().zip(&self.0).map(|(w, k)| w.powi(2 * k)).collect();
        let mut gradient = Vec::with_capacity(at.len());
        for (index, (w, k)) in at.iter().zip(&self.0).enumerate() {
            let mut slope = f64::from(2 * k) * w.powi(2 * k - 1);
            for (other, factor) in factors.iter().enumerate() {
                if other != index {
                    slope *= factor;
                }
            }
            gradient.push(slope);
        }
        Ok((factors.iter().product(), gradient))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(if self.0 == [1] { 2.0 } else { 0.0 })
    }
}

/// Copies of `½ |B A|²`, summed: linear networks at the zero map, where their Hessians vanish.
#[derive(Clone)]
pub(crate) struct ReducedRank {
    inputs: usize,
    hidden: usize,
    outputs: usize,
    copies: usize,
}

impl ReducedRank {
    pub(crate) fn new([inputs, hidden, outputs]: [usize; 3], copies: usize) -> Self {
        Self {
            inputs,
            hidden,
            outputs,
            copies,
        }
    }

    /// The number of parameters of one copy.
    fn size(&self) -> usize {
        self.hidden * (self.inputs + self.outputs)
    }

    /// The loss of one copy, to whose parameters `A`, `B` its gradient is added.
    fn add(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        let (a, b) = at.split_at(self.hidden * self.inputs);
        let (slope_a, slope_b) = gradient.split_at_mut(self.hidden * self.inputs);
        let mut loss = 0.0;
        for output in 0..self.outputs {
            let row = output * self.hidden;
            for input in 0..self.inputs {
                let mut product = 0.0;
                for unit in 0..self.hidden {
                    product += b[row + unit] * a[unit * self.inputs + input];
                }
                loss += 0.5 * product * product;
                for unit in 0..self.hidden {
                    slope_a[unit * self.inputs + input] += b[row + unit] * product;
                    slope_b[row + unit] += a[unit * self.inputs + input] * product;
                }
            }
        }
        loss
    }
}

impl Potential for ReducedRank {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![0.0; self.copies * self.size()])
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        let mut gradient = vec![0.0; at.len()];
        let mut loss = 0.0;
        let size = self.size();
        for (at, gradient) in at.chunks(size).zip(gradient.chunks_mut(size)) {
            loss += self.add(at, gradient);
        }
        Ok((loss, gradient))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(0.0)
    }
}

/// Another potential, whose observer breaks at a report.
#[derive(Clone)]
pub(crate) struct Stopping<P> {
    inner: P,
    reports: Arc<AtomicUsize>,
    last: usize,
}

impl<P> Stopping<P> {
    /// Breaks at the report with the number `last`, from one, and at those after it.
    pub(crate) fn new(inner: P, last: usize) -> Self {
        Self {
            inner,
            reports: Arc::default(),
            last,
        }
    }

    pub(crate) fn num_reports(&self) -> usize {
        self.reports.load(Ordering::Relaxed)
    }
}

impl<P: Potential> Potential for Stopping<P> {
    type Vector = P::Vector;

    fn start(&self) -> Result<P::Vector, PosteriorError> {
        self.inner.start()
    }

    fn loss_and_gradient(
        &self,
        at: &P::Vector,
        batch: Option<usize>,
    ) -> Result<(f64, P::Vector), PosteriorError> {
        self.inner.loss_and_gradient(at, batch)
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        self.inner.sharpness()
    }

    fn batch_weights(&self) -> Result<Vec<f64>, PosteriorError> {
        self.inner.batch_weights()
    }

    fn report(&self, progress: Progress) -> ControlFlow<()> {
        assert!(progress.total.is_some_and(|total| progress.done <= total));
        let number = 1 + self.reports.fetch_add(1, Ordering::Relaxed);
        if number < self.last {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

#[test]
fn gradients_are_those_of_the_losses() {
    let at = |size: usize| -> Vec<f64> {
        (0..size)
            .map(|i| 0.4 * (1.0 + 1.7 * i as f64).sin())
            .collect()
    };
    check(
        &Well::new(vec![4.0, 0.25]).with_noise(0.5, 0.3),
        &at(2),
        Some(37),
    );
    check(&Crossing(vec![1, 2, 3]), &at(3), None);
    check(&ReducedRank::new([3, 2, 4], 2), &at(28), None);
}

fn check<P: Potential<Vector = Vec<f64>>>(potential: &P, at: &[f64], batch: Option<usize>) {
    let loss = |at: &Vec<f64>| potential.loss_and_gradient(at, batch).unwrap();
    let (_, gradient) = loss(&at.to_vec());
    for (index, slope) in gradient.into_iter().enumerate() {
        let ends = [1e-5, -1e-5].map(|shift| {
            let mut moved = at.to_vec();
            moved[index] += shift;
            loss(&moved).0
        });
        assert!((slope - (ends[0] - ends[1]) / 2e-5).abs() < 1e-9);
    }
}

#[test]
fn batches_of_a_well_have_the_moments_that_are_said() {
    let well = Well::new(vec![1.5; Well::MOST]).with_noise(0.5, 0.3);
    let at = vec![0.7; Well::MOST];
    let (mean, slopes) = well.loss_and_gradient(&at, None).unwrap();
    let batches: Vec<(f64, Vec<f64>)> = (0..Well::NUM_BATCHES)
        .map(|batch| well.loss_and_gradient(&at, Some(batch)).unwrap())
        .collect();
    let count = Well::NUM_BATCHES as f64;
    let sum: f64 = batches.iter().map(|(loss, _)| loss).sum();
    assert!((sum / count - mean).abs() < 1e-12);
    let covariance = |one: usize, other: usize| {
        let products = batches
            .iter()
            .map(|(_, g)| (g[one] - slopes[one]) * (g[other] - slopes[other]));
        products.sum::<f64>() / count
    };
    for one in 0..Well::MOST {
        for other in 0..=one {
            let exact = if one == other { 0.25 + 0.0441 } else { 0.0 };
            let found = covariance(one, other);
            assert!((found - exact).abs() < 1e-12, "{one} {other}: {found}");
        }
    }
}
