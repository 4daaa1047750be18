use super::{TraceConfig, TraceEstimate, TraceMethod};
use crate::estimate::{Reading, Samples};
use crate::{Estimate, KrylovFault, LinearOperator, Probe, SelfAdjoint, Step, VectorSpace};

impl TraceConfig {
    /// The mean of `vᵀ A v`, after the samples there are and `spent` products for something else.
    pub(super) fn hutchinson<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        samples: Vec<f64>,
        spent: usize,
    ) -> Result<TraceEstimate, A::Error> {
        let form = |v: &A::Vector, product: &A::Vector, _| Ok(vec![v.dot(product)?]);
        let found = self.means(operator, "trace", (vec![samples], spent), form)?;
        Ok(found[0])
    }

    /// The means of functions of `v` and `A v` over Rademacher vectors `v`, all from the same products. Always
    /// Hutchinson's method. The operator need not be self-adjoint, nor square.
    ///
    /// `integrands` returns one number for each function. Two examples:
    ///
    /// - The part of `vᵀ A v` that belongs to a diagonal block, `v_b · (A v)_b`, has the trace of the block as its mean.
    /// - `|A v|²` has the square of the Frobenius norm, `tr AᵀA`, as its mean.
    ///
    /// With a tolerance, the run stops once every half width is at most that times the absolute value of the sum of the
    /// means. An observer sees the sum.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, KrylovFault, TraceConfig, VectorSpace};
    ///
    /// let a = Dense::from_rows(&[[2.0, 0.3, 0.0], [0.3, 3.0, 0.1], [0.0, 0.1, -1.0]])?;
    /// let integrands = |v: &Vec<f64>, product: &Vec<f64>| -> Result<Vec<f64>, KrylovFault> {
    ///     let block = v[..2].iter().zip(&product[..2]).map(|(v, av)| v * av).sum();
    ///     Ok(vec![block, product.dot(product)?])
    /// };
    /// let means = TraceConfig::new().with_max_matvecs(200).run_integrands(&a, integrands)?;
    /// assert!((means[0].value - 5.0).abs() < 0.2 && (means[1].value - 14.2).abs() < 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); [`KrylovFault::HutchinsonOnly`] for another method; [`KrylovFault::IntegrandCount`] if
    /// `integrands` does not return the same number of values each time. Where the product is finite and an integrand is
    /// not: [`KrylovFault::OutOfRange`] if it is infinite, [`KrylovFault::NonFiniteArgument`] if it is NaN.
    pub fn run_integrands<A: LinearOperator + ?Sized>(
        &self,
        operator: &A,
        integrands: impl Fn(
            &A::Domain,
            &A::Range,
        ) -> Result<Vec<f64>, <A::Domain as VectorSpace>::Error>,
    ) -> Result<Vec<TraceEstimate>, A::Error> {
        self.check()?;
        let task = "means of integrands";
        if self.method != TraceMethod::Hutchinson {
            return Err(KrylovFault::HutchinsonOnly.into());
        }
        self.means(operator, task, (Vec::new(), 0), |v, image, product| {
            let values = integrands(v, image)?;
            let Some(value) = values.iter().find(|value| !value.is_finite()) else {
                return Ok(values);
            };
            let (name, exponent) = ("integrand", f64::MAX_EXP);
            let error = if !image.norm()?.is_finite() {
                KrylovFault::NonFinite { product }
            } else if value.is_nan() {
                KrylovFault::NonFiniteArgument {
                    name,
                    value: *value,
                }
            } else {
                KrylovFault::OutOfRange { name, exponent }
            };
            Err(error.into())
        })
    }

    /// `samples` are those there are of each integrand, after `spent` products for something else.
    fn means<A: LinearOperator + ?Sized>(
        &self,
        operator: &A,
        task: &'static str,
        (samples, spent): (Vec<Vec<f64>>, usize),
        integrands: impl Fn(&A::Domain, &A::Range, usize) -> Result<Vec<f64>, A::Error>,
    ) -> Result<Vec<TraceEstimate>, A::Error> {
        let count = samples.first().map_or(0, Vec::len);
        let source = Samples::new(operator, Probe::Rademacher, self.seed).after(count, spent);
        let (mut means, is_stopped) = source.run(
            (self.max_matvecs, self.block),
            samples,
            |samples, v, image, product| {
                let values = integrands(&v, &image, product)?;
                if product == 0 {
                    samples.resize(values.len(), Vec::new());
                }
                if values.len() != samples.len() {
                    let (expected, found) = (samples.len(), values.len());
                    return Err(KrylovFault::IntegrandCount { expected, found }.into());
                }
                for (all, value) in samples.iter_mut().zip(values) {
                    all.push(value);
                }
                Ok(())
            },
            |samples, num_matvecs| {
                let means: Vec<Estimate> = samples.iter().map(|all| Estimate::of(all)).collect();
                let total: f64 = means.iter().map(|mean| mean.value).sum();
                let goal = self.goal(total);
                let estimate: Vec<TraceEstimate> = means
                    .iter()
                    .map(|mean| {
                        let half_width = mean.half_width(self.confidence);
                        let is_enough = mean.samples >= Estimate::FEWEST;
                        let about = (num_matvecs, TraceMethod::Hutchinson);
                        self.judged((mean.value, half_width), goal, is_enough, about)
                    })
                    .collect();
                let half_widths = estimate.iter().filter_map(|mean| mean.half_width);
                Ok(Reading {
                    step: Step::new(task, num_matvecs)
                        .with_value(total)
                        .with_error(half_widths.reduce(f64::max))
                        .with_goal(goal),
                    is_done: estimate.iter().all(|mean| self.is_done(mean)),
                    estimate,
                })
            },
        )?;
        if is_stopped {
            means = means.into_iter().map(TraceEstimate::stopped).collect();
        }
        Ok(means)
    }
}
