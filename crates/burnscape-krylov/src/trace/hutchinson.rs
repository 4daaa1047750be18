use super::{TraceConfig, TraceEstimate, TraceMethod};
use crate::estimate::{Reading, Samples};
use crate::vector::exponent;
use crate::{
    Estimate, KrylovFault, LinearOperator, Outcome, SelfAdjoint, Square, Step, VectorSpace,
};

impl TraceConfig {
    /// The mean of `vᵀ A v`, after the samples there are.
    pub(super) fn hutchinson<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        samples: Vec<f64>,
        spent: usize,
    ) -> Result<TraceEstimate, A::Error> {
        let from = self.samples(operator).after(samples.len(), spent);
        let found = from.run(
            samples,
            |samples, v, product, _| {
                samples.push(v.dot(&product)?);
                Ok(())
            },
            |samples, num_matvecs| Ok(self.reading(samples, num_matvecs)),
        )?;
        Ok(ended(found)?)
    }

    fn samples<'a, A: LinearOperator + ?Sized>(&self, operator: &'a A) -> Samples<'a, A> {
        Samples::new(operator, self.seed, self.max_matvecs).with_block(self.block)
    }

    fn reading(&self, samples: &[f64], num_matvecs: usize) -> Reading<TraceEstimate> {
        let estimate = self.estimate(samples, 0.0, (num_matvecs, TraceMethod::Hutchinson));
        Reading {
            step: self.step(&estimate),
            is_done: self.is_done(&estimate),
            estimate,
        }
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
    /// use burnscape_krylov::{Dense, KrylovFault, Symmetric, TraceConfig, VectorSpace};
    ///
    /// let a = Dense::from_rows(&[[2.0, 0.3, 0.0], [0.3, 3.0, 0.1], [0.0, 0.1, -1.0]])?;
    /// let a = Symmetric::verified(a, 1e-12, 0)?;
    /// let parts = |v: &Vec<f64>, product: &Vec<f64>| -> Result<Vec<f64>, KrylovFault> {
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
        let found = self.samples(operator).run(
            Vec::<Vec<f64>>::new(),
            |samples, v, product, before| {
                let parts = blocks(&v, &product)?;
                if before == 0 {
                    samples.resize(parts.len(), Vec::new());
                }
                if parts.len() != samples.len() {
                    let (expected, found) = (samples.len(), parts.len());
                    return Err(KrylovFault::BlockCount { expected, found }.into());
                }
                if !parts.iter().all(|part| part.is_finite()) {
                    return Err(KrylovFault::NonFinite { product: before }.into());
                }
                let pairs = samples.iter_mut().zip(parts);
                pairs.for_each(|(all, part)| all.push(part));
                Ok(())
            },
            |samples, num_matvecs| Ok(self.reading_of_blocks(samples, num_matvecs)),
        )?;
        let (blocks, is_stopped) = found.ok_or(KrylovFault::NoProbes)?;
        let ended = |block: TraceEstimate| if is_stopped { block.stopped() } else { block };
        Ok(blocks.into_iter().map(ended).collect())
    }

    fn reading_of_blocks(
        &self,
        samples: &[Vec<f64>],
        num_matvecs: usize,
    ) -> Reading<Vec<TraceEstimate>> {
        let about = (num_matvecs, TraceMethod::Hutchinson);
        let blocks = samples.iter().map(|all| self.estimate(all, 0.0, about));
        let mut blocks: Vec<TraceEstimate> = blocks.collect();
        let total: f64 = blocks.iter().map(|block| block.value).sum();
        let goal = self.tolerance.map(|t| t * total.abs());
        for block in &mut blocks {
            let allowed = goal.unwrap_or(f64::INFINITY);
            let is_narrow = block.half_width.is_some_and(|half| half <= allowed);
            block.outcome = Outcome::of(is_narrow, false);
            *block = self.believed(*block, num_matvecs >= Estimate::FEWEST);
        }
        let widest = blocks.iter().filter_map(|block| block.half_width);
        Reading {
            step: Step::new("traces of blocks", num_matvecs)
                .with_value(total)
                .with_error(widest.reduce(f64::max))
                .with_goal(goal),
            is_done: blocks.iter().all(|block| self.is_done(block)),
            estimate: blocks,
        }
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
        let found = self.samples(operator).run(
            Vec::new(),
            |samples, _, product, _| {
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
                Ok(())
            },
            |samples, num_matvecs| Ok(self.reading(samples, num_matvecs)),
        )?;
        Ok(ended(found)?)
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

fn ended(found: Option<(TraceEstimate, bool)>) -> Result<TraceEstimate, KrylovFault> {
    let (estimate, is_stopped) = found.ok_or(KrylovFault::NoProbes)?;
    Ok(if is_stopped {
        estimate.stopped()
    } else {
        estimate
    })
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
