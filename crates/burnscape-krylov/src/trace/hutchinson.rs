use super::{Estimate, TraceConfig, TraceEstimate, TraceMethod};
use crate::eigen::products;
use crate::vector::exponent;
use crate::{KrylovFault, LinearOperator, Outcome, Probe, SelfAdjoint, Square, Step, VectorSpace};

/// Vectors with their products.
type Pairs<A> = Vec<(<A as LinearOperator>::Domain, <A as LinearOperator>::Range)>;

impl TraceConfig {
    pub(super) fn hutchinson<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        mut samples: Vec<f64>,
        spent: usize,
    ) -> Result<TraceEstimate, A::Error> {
        let mut estimate: Result<TraceEstimate, _> = Err(KrylovFault::NoProbes.into());
        while samples.len() + spent < self.max_matvecs {
            let pairs = match (self.multiplied(operator, samples.len(), spent), &estimate) {
                (Err(error), Ok(last)) if operator.is_stop(&error) => return Ok(last.stopped()),
                (pairs, _) => pairs?,
            };
            for (v, product) in pairs {
                samples.push(v.dot(&product)?);
            }
            let num_matvecs = samples.len() + spent;
            let now = self.estimate(&samples, 0.0, (num_matvecs, TraceMethod::Hutchinson));
            let is_stopped = self.shown(operator, &now);
            if self.is_done(&now) || num_matvecs >= self.max_matvecs {
                return Ok(now);
            }
            if is_stopped {
                return Ok(now.stopped());
            }
            estimate = Ok(now);
        }
        estimate
    }

    /// The traces of the diagonal blocks of an operator, all from the same products: with Rademacher `v`,
    /// the part `v_b · (A v)_b` of the dot product that belongs to a block is an unbiased estimate of the
    /// trace of that block. Always Hutchinson's method.
    ///
    /// `blocks` is given `v` and `A v` and returns one number a block: the dot product of the two within
    /// it. With a tolerance, the run stops once every half width is at most that times the sum of the
    /// traces in absolute value. An observer sees the sum of the traces.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, HostError, Symmetric, TraceConfig, VectorSpace};
    ///
    /// let a = Dense::from_rows(&[[2.0, 0.3, 0.0], [0.3, 3.0, 0.1], [0.0, 0.1, -1.0]])?;
    /// let a = Symmetric::verified(a, 1e-12, 0)?;
    /// let parts = |v: &Vec<f64>, product: &Vec<f64>| -> Result<Vec<f64>, HostError> {
    ///     let dot = |range: std::ops::Range<usize>| v[range.clone()].to_vec().dot(&product[range].to_vec());
    ///     Ok(vec![dot(0..2)?, dot(2..3)?])
    /// };
    /// let config = TraceConfig::new().with_max_matvecs(200);
    /// let traces = config.run_blocks(&a, parts)?;
    /// assert!((traces[0].value - 5.0).abs() < 0.2 && (traces[1].value + 1.0).abs() < 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovFault::BlockCount`] if `blocks` does not return equally many
    /// numbers each time.
    pub fn run_blocks<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        blocks: impl Fn(
            &<A as Square>::Vector,
            &<A as Square>::Vector,
        ) -> Result<Vec<f64>, <<A as Square>::Vector as VectorSpace>::Error>,
    ) -> Result<Vec<TraceEstimate>, A::Error> {
        operator.check_square()?;
        self.check()?;
        let mut samples: Vec<Vec<f64>> = Vec::new();
        let mut estimates: Result<Vec<TraceEstimate>, _> = Err(KrylovFault::NoProbes.into());
        let mut count = 0;
        let stopped = |all: &[TraceEstimate]| all.iter().map(|block| block.stopped()).collect();
        while count < self.max_matvecs {
            let pairs = match (self.multiplied(operator, count, 0), &estimates) {
                (Err(error), Ok(last)) if operator.is_stop(&error) => return Ok(stopped(last)),
                (pairs, _) => pairs?,
            };
            for (v, product) in pairs {
                let parts = blocks(&v, &product)?;
                if count == 0 {
                    samples = vec![Vec::new(); parts.len()];
                }
                if parts.len() != samples.len() {
                    return Err(KrylovFault::BlockCount {
                        expected: samples.len(),
                        found: parts.len(),
                    }
                    .into());
                }
                if !parts.iter().all(|part| part.is_finite()) {
                    return Err(KrylovFault::NonFinite { product: count }.into());
                }
                let pairs = samples.iter_mut().zip(parts);
                pairs.for_each(|(all, part)| all.push(part));
                count += 1;
            }
            let about = (count, TraceMethod::Hutchinson);
            let now = samples.iter().map(|all| self.estimate(all, 0.0, about));
            let mut now: Vec<TraceEstimate> = now.collect();
            let total: f64 = now.iter().map(|block| block.value).sum();
            let allowed = self.tolerance.map_or(f64::INFINITY, |t| t * total.abs());
            for block in &mut now {
                let is_narrow = block.half_width.is_some_and(|half| half <= allowed);
                block.outcome = Outcome::of(is_narrow, false);
                *block = self.believed(*block, count >= Estimate::FEWEST);
            }
            let widest = now.iter().filter_map(|block| block.half_width);
            let step = Step::new("traces of blocks", count)
                .with_limit(self.max_matvecs)
                .with_value(total)
                .with_error(widest.reduce(f64::max))
                .with_goal(self.tolerance.map(|t| t * total.abs()));
            let is_stopped = operator.report(&step).is_break();
            if now.iter().all(|block| self.is_done(block)) || count >= self.max_matvecs {
                return Ok(now);
            }
            if is_stopped {
                return Ok(stopped(&now));
            }
            estimates = Ok(now);
        }
        estimates
    }

    /// The square of the Frobenius norm, `|A|² = tr AᵀA`, as the mean of `|A v|²` over Rademacher vectors.
    /// The operator need not be self-adjoint, nor square.
    ///
    /// # Cost
    ///
    /// At most `max_matvecs` products; fewer if the interval comes within the tolerance before.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovFault::OutOfRange`] for a square that overflows; one that
    /// underflows is zero.
    pub fn run_squared_frobenius<A: LinearOperator + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<TraceEstimate, A::Error> {
        self.check()?;
        let mut samples = Vec::new();
        let mut estimate: Result<TraceEstimate, _> = Err(KrylovFault::NoProbes.into());
        while samples.len() < self.max_matvecs {
            let pairs = match (self.multiplied(operator, samples.len(), 0), &estimate) {
                (Err(error), Ok(last)) if operator.is_stop(&error) => return Ok(last.stopped()),
                (pairs, _) => pairs?,
            };
            for (_, product) in pairs {
                let length = product.norm()?;
                let square = length * length;
                if !square.is_finite() {
                    return Err(KrylovFault::OutOfRange {
                        name: "the square of the Frobenius norm",
                        exponent: 2 * exponent(length),
                    }
                    .into());
                }
                samples.push(square);
            }
            let about = (samples.len(), TraceMethod::Hutchinson);
            let now = self.estimate(&samples, 0.0, about);
            let is_stopped = self.shown(operator, &now);
            if self.is_done(&now) || samples.len() >= self.max_matvecs {
                return Ok(now);
            }
            if is_stopped {
                return Ok(now.stopped());
            }
            estimate = Ok(now);
        }
        estimate
    }

    /// The next block of Rademacher vectors, from number `first` on, with their products; `spent` products
    /// went elsewhere.
    fn multiplied<A: LinearOperator + ?Sized>(
        &self,
        operator: &A,
        first: usize,
        spent: usize,
    ) -> Result<Pairs<A>, A::Error> {
        let space = operator.domain();
        let last = (first + self.block).min(self.max_matvecs - spent);
        let draw =
            |index: usize| Probe::Rademacher.draw::<A::Domain>(&space, self.seed, index as u64);
        let vectors: Result<Vec<A::Domain>, _> = (first..last).map(draw).collect();
        let vectors = vectors?;
        let found = products(operator, &vectors, first + spent)?;
        Ok(vectors.into_iter().zip(found).collect())
    }

    pub(super) fn estimate(
        &self,
        samples: &[f64],
        exact: f64,
        (products, method): (usize, TraceMethod),
    ) -> TraceEstimate {
        let mean = Estimate::of(samples);
        let half_width = mean.half_width(self.confidence);
        let estimate = self.report(exact + mean.value, half_width, (products, method));
        self.believed(estimate, samples.len() >= Estimate::FEWEST)
    }

    /// The estimate, not converged to a tolerance while its samples are too few for their spread to be
    /// believed: two of them are equal by chance often enough.
    pub(super) fn believed(&self, estimate: TraceEstimate, is_enough: bool) -> TraceEstimate {
        let is_believed = self.tolerance.is_none() || is_enough;
        TraceEstimate {
            outcome: Outcome::of(estimate.outcome.is_converged() && is_believed, false),
            ..estimate
        }
    }

    pub(super) fn report(
        &self,
        value: f64,
        half_width: Option<f64>,
        (products, method): (usize, TraceMethod),
    ) -> TraceEstimate {
        let allowed = self.tolerance.map_or(f64::INFINITY, |t| t * value.abs());
        TraceEstimate {
            value,
            half_width,
            num_matvecs: products,
            outcome: Outcome::of(half_width.is_some_and(|half| half <= allowed), false),
            method,
        }
    }
}

/// `vᵀ A v`.
pub(super) fn quadratic<A: SelfAdjoint + ?Sized>(
    operator: &A,
    v: &A::Vector,
    product: usize,
) -> Result<f64, A::Error> {
    let value = v.dot(&operator.matvec(v)?)?;
    match value.is_finite() {
        true => Ok(value),
        false => Err(KrylovFault::NonFinite { product }.into()),
    }
}
