use super::{DiagonalEstimate, DiagonalMethod};
use crate::estimate::{Reading, Samples};
use crate::trace::{Sketch, next_size};
use crate::{
    KrylovFault, LinearOperator, Outcome, Probe, SelfAdjoint, Step, VectorBlock, VectorSpace,
};

/// The diagonal of a self-adjoint operator, with standard errors.
///
/// # Cost
///
/// At most `max_matvecs` products; fewer if the error is within the tolerance earlier. Hutchinson's
/// method keeps four vectors; [XDiag](DiagonalMethod::XDiag) one and a half times as many as products, and
/// takes as many vector operations as the square of that.
///
/// # Reproducibility
///
/// Vector `i` is the same for any number of products.
///
/// # Defaults
///
/// Hutchinson's method, 64 products, no tolerance; ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, DiagonalConfig, Symmetric};
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 0.5], [0.5, -3.0]])?, 1e-12, 0)?;
/// let found = DiagonalConfig::new().with_max_matvecs(400).run(&a)?;
/// assert!((found.diagonal[0] - 2.0).abs() < 0.1 && (found.diagonal[1] + 3.0).abs() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Bekas, Kokiopoulou, Saad, *An estimator for the diagonal of a matrix* (2007); Epperly, Tropp, Webber,
/// *XTrace*, SIAM J. Matrix Anal. Appl. 45 (2024), section 5.
#[derive(Debug, Clone, PartialEq)]
pub struct DiagonalConfig {
    method: DiagonalMethod,
    max_matvecs: usize,
    tolerance: Option<f64>,
    seed: u64,
}

/// With fewer samples the spread is unreliable, and no run has converged to a tolerance.
const FEWEST: usize = 8;

impl Default for DiagonalConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl DiagonalConfig {
    /// Hutchinson's method with 64 products.
    pub fn new() -> Self {
        Self {
            method: DiagonalMethod::Hutchinson,
            max_matvecs: 64,
            tolerance: None,
            seed: 0,
        }
    }

    /// Sets the method.
    #[must_use]
    pub fn with_method(mut self, method: DiagonalMethod) -> Self {
        self.method = method;
        self
    }

    /// Sets the limit of products.
    #[must_use]
    pub fn with_max_matvecs(mut self, num_matvecs: usize) -> Self {
        self.max_matvecs = num_matvecs;
        self
    }

    /// Stops once the error is at most `tolerance` times the norm of the diagonal, after eight samples
    /// at least.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Sets the seed of the random vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs. An observer of the operator sees the error after every sample (every few of XDiag's); a run that it ends returns
    /// the estimate from the samples so far.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NoProbes`] for too few products (1 for Hutchinson, 4 for XDiag),
    /// [`KrylovFault::OutOfBounds`] for the tolerance, [`KrylovFault::NonFinite`], [`KrylovFault::ProductCount`],
    /// and those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<DiagonalEstimate<A::Vector>, A::Error> {
        operator.check_square()?;
        if let Some(tolerance) = self.tolerance {
            KrylovFault::ensure_positive("tolerance", tolerance)?;
        }
        let dimension = <A::Vector as VectorSpace>::dimension(&operator.domain());
        match self.method {
            // There is no subspace to find.
            _ if dimension == 0 => self.hutchinson(operator),
            DiagonalMethod::Hutchinson => self.hutchinson(operator),
            DiagonalMethod::XDiag => self.xdiag(operator),
        }
    }

    fn hutchinson<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<DiagonalEstimate<A::Vector>, A::Error> {
        let spread = Spread::<A::Vector>::new(&operator.domain())?;
        let source = Samples::new(operator, Probe::Rademacher, self.seed);
        let (estimate, is_stopped) = source.run(
            (self.max_matvecs, 1),
            spread,
            |spread, v, product, _| Ok(spread.add(product.hadamard(&v)?)?),
            |spread, num_matvecs| {
                let estimate = self.estimate(spread, num_matvecs)?;
                Ok(Reading {
                    step: self.step(&estimate),
                    is_done: self.is_done(&estimate),
                    estimate,
                })
            },
        )?;
        Ok(if is_stopped {
            estimate.stopped()
        } else {
            estimate
        })
    }

    fn xdiag<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<DiagonalEstimate<A::Vector>, A::Error> {
        let dimension = <A::Vector as VectorSpace>::dimension(&operator.domain());
        let most = (self.max_matvecs / 2).min(dimension);
        let limit = ("max_matvecs", self.max_matvecs);
        KrylovFault::ensure_enough(limit, "XDiag", 2 * 2.min(dimension))?;
        // A run that may stop early does not take all of the room at once.
        let room = if self.tolerance.is_some() { 0 } else { most };
        let mut sketch = Sketch::new(operator, (Probe::Rademacher, self.seed), room)?;
        loop {
            let is_cut_short = sketch.extend(next_size(sketch.len(), most))?;
            if is_cut_short && sketch.images.is_empty() {
                let found = self.plain(&sketch)?;
                return Ok(found.stopped());
            }
            sketch.cut();
            let estimate = self.read(&sketch, dimension)?;
            let is_stopped = is_cut_short || self.shown(operator, &estimate);
            let is_last = sketch.rest.is_some() || sketch.len() >= most;
            if self.is_done(&estimate) && !is_cut_short || is_last {
                return Ok(estimate);
            }
            if is_stopped {
                return Ok(estimate.stopped());
            }
        }
    }

    /// Shows an estimate to an observer: whether the run is to end.
    fn shown<A: LinearOperator + ?Sized, V>(
        &self,
        operator: &A,
        estimate: &DiagonalEstimate<V>,
    ) -> bool {
        operator.report(&self.step(estimate)).is_break()
    }

    fn step<V>(&self, estimate: &DiagonalEstimate<V>) -> Step {
        let step = Step::new("diagonal", estimate.num_matvecs).with_limit(self.max_matvecs);
        step.with_error(estimate.error)
    }

    /// Whether the estimate is within the tolerance that was set.
    fn is_done<V>(&self, estimate: &DiagonalEstimate<V>) -> bool {
        self.tolerance.is_some() && estimate.outcome.is_converged()
    }

    /// The estimate from the random vectors alone: Hutchinson's.
    fn plain<A: SelfAdjoint + ?Sized>(
        &self,
        sketch: &Sketch<'_, A>,
    ) -> Result<DiagonalEstimate<A::Vector>, A::Error> {
        let mut spread = Spread::<A::Vector>::new(&sketch.basis.space())?;
        for (index, column) in sketch.columns.iter().enumerate() {
            if let Some(v) = sketch.vectors.get(index)? {
                let along = [column.as_slice(), &vec![0.0; sketch.len() - column.len()]].concat();
                spread.add(sketch.basis.linear_combination(&along)?.hadamard(&v)?)?;
            }
        }
        Ok(self.estimate(&spread, sketch.samples.num_matvecs)?)
    }

    fn read<A: SelfAdjoint + ?Sized>(
        &self,
        sketch: &Sketch<'_, A>,
        dimension: usize,
    ) -> Result<DiagonalEstimate<A::Vector>, A::Error> {
        // The diagonal within the basis: Σ q ∘ A q.
        let mut inside = A::Vector::zeros(&sketch.basis.space())?;
        for index in 0..sketch.len() {
            if let (Some(q), Some(image)) = (sketch.basis.get(index)?, sketch.images.get(index)?) {
                inside = inside.axpy(1.0, &q.hadamard(&image)?)?;
            }
        }
        let is_whole = sketch.len() == dimension;
        if is_whole || sketch.rest.is_some() {
            // What is outside the basis has the norm that was left, to rounding.
            let error = if is_whole {
                0.0
            } else {
                sketch.rest.unwrap_or(0.0)
            };
            let variance = inside.zeros_like()?;
            let about = (true, sketch.samples.num_matvecs);
            return Ok(self.report(inside, variance, error, about)?);
        }
        let mut spread = Spread::<A::Vector>::new(&sketch.basis.space())?;
        for (index, s) in sketch.own_directions().iter().enumerate() {
            let Some(v) = sketch.vectors.get(index)? else {
                continue;
            };
            // Without its own direction the basis leaves (s · R e) of the product along it.
            let along: f64 = s
                .iter()
                .zip(&sketch.columns[index])
                .map(|(s, r)| s * r)
                .sum();
            let direction = sketch.basis.linear_combination(s)?;
            let taken = sketch.images.linear_combination(s)?.hadamard(&direction)?;
            let sample = direction.hadamard(&v)?.scale(along);
            spread.add(sample.axpy(-1.0, &taken)?.axpy(1.0, &inside)?)?;
        }
        Ok(self.estimate(&spread, sketch.samples.num_matvecs)?)
    }

    fn estimate<V: VectorSpace>(
        &self,
        spread: &Spread<V>,
        num_matvecs: usize,
    ) -> Result<DiagonalEstimate<V>, V::Error> {
        let count = spread.count as f64;
        let (variance, error) = match spread.count {
            0 | 1 => (spread.mean.zeros_like()?, f64::INFINITY),
            _ => {
                let variance = spread
                    .squares
                    .clone()
                    .scale((count * (count - 1.0)).recip());
                (variance, spread.total / (count * (count - 1.0)).sqrt())
            }
        };
        let is_enough = spread.count >= FEWEST;
        self.report(
            spread.mean.clone(),
            variance,
            error,
            (is_enough, num_matvecs),
        )
    }

    fn report<V: VectorSpace>(
        &self,
        diagonal: V,
        variance: V,
        error: f64,
        (is_enough, num_matvecs): (bool, usize),
    ) -> Result<DiagonalEstimate<V>, V::Error> {
        let is_converged = match self.tolerance {
            // Two samples are equal by chance often enough.
            Some(tolerance) => is_enough && error <= tolerance * diagonal.norm()?,
            None => error <= f64::MAX,
        };
        Ok(DiagonalEstimate {
            diagonal,
            variance,
            error,
            num_matvecs,
            outcome: Outcome::of(is_converged, false),
        })
    }
}

/// Mean and spread of vectors, one after the other (Welford 1962).
struct Spread<V> {
    count: usize,
    mean: V,
    /// Sums of squared differences from the mean, and the root of their sum over the coordinates.
    squares: V,
    total: f64,
}

impl<V: VectorSpace> Spread<V> {
    fn new(space: &V::Space) -> Result<Self, V::Error> {
        Ok(Self {
            count: 0,
            mean: V::zeros(space)?,
            squares: V::zeros(space)?,
            total: 0.0,
        })
    }

    fn add(&mut self, sample: V) -> Result<(), V::Error> {
        self.count += 1;
        let before = sample.axpy(-1.0, &self.mean)?;
        // Proportional to the difference before, so that no square is negative.
        let weight = 1.0 - (self.count as f64).recip();
        self.mean = self
            .mean
            .clone()
            .axpy((self.count as f64).recip(), &before)?;
        // Without the squares, which may leave their range.
        self.total = self.total.hypot(weight.sqrt() * before.norm()?);
        let square = before.clone().hadamard(&before)?;
        self.squares = self.squares.clone().axpy(weight, &square)?;
        Ok(())
    }
}
