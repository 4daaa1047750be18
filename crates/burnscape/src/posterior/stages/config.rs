use burn::config::Config;
use rand_distr::{Distribution, StandardNormal};

use super::curve::Fit;
use super::points::Points;
use super::search::Search;
use super::{Knot, Stage, Stages};
use crate::OutOfRange;
use crate::order_statistics::quantile;
use crate::posterior::PosteriorError;
use crate::range::{FRACTION, ensure};
use crate::space::stream;

/// The stages of a training run: where the slope of a curve over the logarithm of time changes.
///
/// The curve, of learning coefficients for instance, is fitted by a continuous line that is straight over `ln t`
/// between knots. Knots are points of the curve. For each number of them the weighted sum of squared residuals is the
/// least there is, by a search that is exact. The Bayesian information criterion chooses the number:
///
/// `BIC = Σ (residual / standard error)² + (2 + 2K) ln n`
///
/// for `K` knots and `n` points. If standard errors are not known, all are given as zero, and the sum is `n ln(RSS/n)`,
/// `RSS` at least that of rounding.
///
/// # Intervals
///
/// The fit, with noise of the standard errors (of the residuals if they are not known), is fitted again with the same
/// number of knots, [`num_refits`](Self::num_refits) times. Intervals are between percentiles of the refits. That of a
/// knot reaches at least to the points beside it. A stage whose slope has an interval with 0 inside is a plateau.
/// Intervals tell nothing about the number of knots.
///
/// Noise moves knots where the slope changes little, and BIC at times takes one more or one fewer: neither the number nor
/// the place of a knot is exact to a point.
///
/// # Units
///
/// Slopes: values over one unit of `ln t`, a factor of 2.718 in time.
///
/// # Cost
///
/// Nothing is evaluated. The search and every refit take `O(n² K)` operations, and more where many choices of knots are
/// about as good.
///
/// # Errors
///
/// [`PosteriorError::OutOfRange`] for settings out of range, times that are not positive or do not ascend, negative
/// standard errors, and zeros among positive ones; [`PosteriorError::Length`], [`PosteriorError::NotFinite`], and
/// [`PosteriorError::TooFewPoints`] unless a line has one more than [`min_points`](Self::min_points).
///
/// # Reproducibility
///
/// The seed decides the noise of the refits, and nothing else is random.
///
/// # Defaults
///
/// At most 5 knots, at least 3 points to a stage besides the knot before, confidence 0.95, 200 refits, seed 0: ours.
///
/// # References
///
/// Hoogland, Wang, Farrugia-Roberts, Carroll, Wei, Murfet 2024, *The Developmental Landscape of In-Context Learning*,
/// arXiv:2402.02364 (stages of learning coefficients over log time, there between the critical points of a smoothed
/// curve). Schwarz 1978, *Estimating the dimension of a model*, Ann. Statist. 6. Fearnhead, Maidstone, Letchford 2019,
/// *Detecting Changes in Slope With an L₀ Penalty*, J. Comput. Graph. Statist. 28, arXiv:1701.01672 (the search).
///
/// # Example
///
/// ```
/// use burnscape::posterior::StagesConfig;
///
/// // 1 until ln t = 2, then a rise to 3 until ln t = 3, then constant until 5, then a slower rise.
/// let times: Vec<f64> = (0..=60).map(|index| (f64::from(index) / 10.0).exp()).collect();
/// let height = |x: f64| 1.0 + 2.0 * (x - 2.0).clamp(0.0, 1.0) + (x - 5.0).max(0.0);
/// let values: Vec<f64> = times.iter().map(|time| height(time.ln())).collect();
///
/// let stages = StagesConfig::new().with_num_refits(40).run(&times, &values, &[0.01; 61])?;
/// let knots: Vec<f64> = stages.knots.iter().map(|knot| knot.time.ln()).collect();
/// for (found, exact) in knots.iter().zip([2.0, 3.0, 5.0]) {
///     assert!((found - exact).abs() < 1e-9);
/// }
/// assert_eq!((knots.len(), stages.stages.len()), (3, 4));
/// assert!((stages.stages[1].slope - 2.0).abs() < 1e-9 && !stages.stages[1].is_plateau);
/// println!("{stages}"); // Line by line: the stages and the knots between them.
/// # Ok::<(), burnscape::posterior::PosteriorError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct StagesConfig {
    /// The most knots that are tried. Fewer are if the points do not suffice.
    #[config(default = 5)]
    pub max_knots: usize,
    /// The fewest points of a stage, without the knot that it starts at: 2 or more.
    #[config(default = 3)]
    pub min_points: usize,
    /// The probability with which an interval covers what it is about.
    #[config(default = 0.95)]
    pub confidence: f64,
    /// How often the curve is fitted again: at least `2 / (1 − confidence)` times, so that some refits are outside an
    /// interval.
    #[config(default = 200)]
    pub num_refits: usize,
    /// The seed of the noise of refits.
    #[config(default = 0)]
    pub seed: u64,
}

impl StagesConfig {
    /// The stages of a curve: its values at ascending positive times, with the standard errors of the values, or zeros
    /// if these are not known.
    ///
    /// # Errors
    ///
    /// As [`StagesConfig`] states.
    pub fn run(
        &self,
        times: &[f64],
        values: &[f64],
        standard_errors: &[f64],
    ) -> Result<Stages, PosteriorError> {
        self.check()?;
        let points = Points::new(times, values, standard_errors, self.min_points)?;
        let (fit, bic) = self.best(&points);
        let refits = self.refits(&points, &fit, times);
        let last = times.len() - 1;
        let knots = fit
            .knots
            .iter()
            .zip(&refits.knots)
            .map(|(&knot, times_of_refits)| {
                let (low, high) = self.percentiles(times_of_refits);
                Knot {
                    time: times[knot],
                    // Knots are points: no place between two of them is told apart.
                    interval: (low.min(times[knot - 1]), high.max(times[knot + 1])),
                }
            });
        let ends: Vec<usize> = std::iter::once(0)
            .chain(fit.knots.iter().copied())
            .chain([last])
            .collect();
        let slopes = points.curve.slopes(&fit).into_iter().zip(&refits.slopes);
        let stages = ends
            .windows(2)
            .zip(slopes)
            .map(|(pair, (slope, slopes_of_refits))| {
                let (low, high) = self.percentiles(slopes_of_refits);
                Stage {
                    start: times[pair[0]],
                    end: times[pair[1]],
                    slope: points.unit * slope,
                    slope_interval: (points.unit * low, points.unit * high),
                    is_plateau: low <= 0.0 && high >= 0.0,
                }
            });
        Ok(Stages {
            knots: knots.collect(),
            stages: stages.collect(),
            bic,
            times: times.to_vec(),
            fitted: fit
                .heights_at_points
                .iter()
                .map(|height| points.unit * height)
                .collect(),
            residual_deviation: points.deviation(&fit),
            has_standard_errors: standard_errors.first().is_some_and(|error| *error > 0.0),
            num_refused: 0,
            num_at_step_zero: 0,
            config: self.clone(),
        })
    }

    /// The fit that BIC prefers, and BIC by the number of knots.
    pub(super) fn best(&self, points: &Points) -> (Fit, Vec<f64>) {
        let parts = points.curve.last() / self.min_points;
        let most = self.max_knots.min(parts.saturating_sub(1));
        let fits = Search::new(&points.curve, most, self.min_points).fits(most);
        let bic: Vec<f64> = fits.iter().map(|fit| points.bic(fit)).collect();
        let mut best = (f64::INFINITY, None);
        for (fit, bic) in fits.into_iter().zip(&bic) {
            // Of equal ones, that with the fewest knots.
            if best.1.is_none() || *bic < best.0 {
                best = (*bic, Some(fit));
            }
        }
        let straight = || points.curve.fit(&[]);
        (best.1.unwrap_or_else(straight), bic)
    }

    fn refits(&self, points: &Points, fit: &Fit, times: &[f64]) -> Refits {
        let noise = points.noise(fit);
        let mut refits = Refits {
            knots: vec![Vec::new(); fit.knots.len()],
            slopes: vec![Vec::new(); fit.knots.len() + 1],
        };
        for draw in 0..self.num_refits {
            let mut rng = stream(self.seed, draw as u64);
            let exact = fit.heights_at_points.iter().zip(&noise);
            let noisy = exact.map(|(height, noise)| {
                let z: f64 = StandardNormal.sample(&mut rng);
                height + noise * z
            });
            let curve = points.curve.with_heights(noisy.collect());
            let search = Search::new(&curve, fit.knots.len(), self.min_points);
            let refit = search.best(&fit.knots);
            for (all, knot) in refits.knots.iter_mut().zip(&refit.knots) {
                all.push(times[*knot]);
            }
            for (all, slope) in refits.slopes.iter_mut().zip(curve.slopes(&refit)) {
                all.push(slope);
            }
        }
        let all = refits.knots.iter_mut().chain(&mut refits.slopes);
        all.for_each(|values| values.sort_by(f64::total_cmp));
        refits
    }

    /// The ends of the interval of ascending values.
    fn percentiles(&self, ascending: &[f64]) -> (f64, f64) {
        let outside = 0.5 * (1.0 - self.confidence);
        let end = |share| quantile(ascending, share);
        (end(outside), end(1.0 - outside))
    }

    fn check(&self) -> Result<(), OutOfRange> {
        ensure("min_points", self.min_points as f64, 2.0..)?;
        ensure("confidence", self.confidence, FRACTION)?;
        // But for rounding: 40 for 0.95.
        let needed = (2.0 / (1.0 - self.confidence) - 1e-6).ceil();
        ensure("num_refits", self.num_refits as f64, needed..)
    }
}

/// What the refits found, each list ascending.
struct Refits {
    /// The times of each knot.
    knots: Vec<Vec<f64>>,
    /// The slopes of each stage, in units.
    slopes: Vec<Vec<f64>>,
}
