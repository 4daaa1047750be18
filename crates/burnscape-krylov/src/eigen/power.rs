use crate::error::raise;
use crate::lanczos::{at_rest, check};
use crate::vector::{divided, push_orthogonal};
use crate::{
    Eigenpair, Eigenpairs, KrylovError, Outcome, Probe, SelfAdjoint, Square, Step, VectorBlock,
    VectorSpace,
};

/// The eigenpairs of largest absolute value, one after the other, by the power iteration
/// `v ← A v / |A v|` with what was found taken out. For comparison, and where memory for three vectors
/// and the pairs is all there is.
///
/// The error falls by `|λ₂ / λ₁|` an iteration, where Lanczos makes of the same products the best
/// polynomial; a pair whose absolute value is near the next one's, and `±λ` in particular, converges
/// slowly or never. [`EigenpairsConfig`](crate::EigenpairsConfig) takes several times fewer products.
///
/// # Cost
///
/// A product an iteration; residuals cost nothing more. The vectors of the pairs and three more.
///
/// # Defaults
///
/// Tolerance 1e-3, at most 1,000 products; ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, PowerConfig, Symmetric};
///
/// let a = Symmetric::verified(Dense::diagonal(&[1.0, -8.0, 4.0]), 1e-12, 0)?;
/// let found = PowerConfig::new(2).with_tolerance(1e-6).run(&a)?;
/// assert!(found.outcome.is_converged() && (found.pairs[0].value + 8.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Golub and Van Loan, *Matrix Computations*, section 8.2.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerConfig {
    k: usize,
    tolerance: f64,
    max_products: usize,
    seed: u64,
}

/// What a residual may be relative to the eigenvalue itself.
const BELIEVED: f64 = 2e-3;

impl PowerConfig {
    /// The `k` pairs of largest absolute value.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            tolerance: 1e-3,
            max_products: 1000,
            seed: 0,
        }
    }

    /// Sets the tolerance, relative to the largest absolute value. Residuals are also at most 0.2 % of their
    /// own eigenvalue.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the limit of products.
    #[must_use]
    pub fn with_max_products(mut self, products: usize) -> Self {
        self.max_products = products;
        self
    }

    /// Sets the seed of the starts.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs from random vectors.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] for more pairs than dimensions, [`KrylovError::InvalidTolerance`],
    /// [`KrylovError::NonFinite`], [`KrylovError::Operator`].
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        self.run_from(operator, &[])
    }

    /// As [`run`](Self::run), the pairs in turn from the vectors given, then from random ones. A run that an
    /// observer ends has the last pair as far as it came.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovError::NonFiniteArgument`] for a start that is not finite.
    pub fn run_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        check(self.k, dimension, self.tolerance)?;
        let block = <A::Vector as VectorSpace>::Block::with_capacity(&space, self.k);
        let mut found = block.map_err(raise)?;
        let mut pairs: Vec<Eigenpair<A::Vector>> = Vec::with_capacity(self.k);
        let (mut products, mut size, mut goal, mut is_stopped) = (0, 0.0_f64, 0.0, false);
        let mut is_found = true;
        while pairs.len() < self.k && products < self.max_products && !is_stopped {
            let mut v = start(&found, starts.get(pairs.len()), (self.seed, pairs.len()))?;
            let epsilon = v.epsilon();
            let tolerance = self.tolerance.max(32.0 * epsilon);
            let (mut before, mut steps) = (f64::INFINITY, 0);
            // What the last product said.
            let mut last: Option<Eigenpair<A::Vector>> = None;
            loop {
                let product = match operator.matvec(&v) {
                    Err(error) if operator.is_stop(&error) && products > 0 => {
                        (is_stopped, is_found) = (true, false);
                        pairs.extend(last);
                        break;
                    }
                    product => product?,
                };
                let value = v.dot(&product).map_err(raise)?;
                if !value.is_finite() {
                    return Err(KrylovError::NonFinite { product: products });
                }
                products += 1;
                let rest = product.clone().axpy(-value, &v).map_err(raise)?;
                let residual = rest.norm().map_err(raise)?;
                // What the pairs that were found have along here is their error, not this one's.
                let own = found.reject(rest).map_err(raise)?.norm().map_err(raise)?;
                size = size.max(value.abs());
                goal = tolerance * size;
                let step = Step::new("eigenpairs", products)
                    .with_limit(self.max_products)
                    .with_value(value)
                    .with_error(own)
                    .with_goal(goal);
                is_stopped = operator.report(&step).is_break();
                let next = found.reject(product).map_err(raise)?;
                let length = next.norm().map_err(raise)?;
                // A goal relative to a first eigenvalue far above this one would say nothing.
                let near = goal.min(BELIEVED * value.abs()).max(64.0 * epsilon * size);
                steps += 1;
                let moved = (value.abs() - before).abs();
                before = value.abs();
                let has_settled = moved <= at_rest(1.0, steps, (own, near));
                let is_at_rest = own <= near / 2.0 && has_settled
                    || length <= 64.0 * epsilon * size
                    || found.len() + 1 == dimension;
                if is_at_rest || is_stopped || products >= self.max_products {
                    is_found &= is_at_rest;
                    push_orthogonal(&mut found, v.clone()).map_err(raise)?;
                    pairs.push(Eigenpair {
                        value,
                        vector: v,
                        residual,
                    });
                    break;
                }
                let vector = std::mem::replace(&mut v, divided(next, length));
                last = Some(Eigenpair {
                    value,
                    vector,
                    residual,
                });
            }
        }
        pairs.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
        Ok(Eigenpairs {
            outcome: Outcome::of(
                is_found && pairs.len() == self.k && pairs.iter().all(|pair| pair.residual <= goal),
                is_stopped,
            ),
            pairs,
            goal,
            products,
            restarts: 0,
        })
    }
}

/// A vector of norm one, orthogonal to what was found.
fn start<B: VectorBlock, E: From<<B::Vector as VectorSpace>::Error>>(
    found: &B,
    given: Option<&B::Vector>,
    (seed, index): (u64, usize),
) -> Result<B::Vector, KrylovError<E>> {
    let space = found.space();
    let mut block = found.clone();
    if let Some(v) = given {
        <B::Vector as VectorSpace>::check_same(&space, &v.space()).map_err(raise)?;
        let value = v.norm().map_err(raise)?;
        if !value.is_finite() {
            return Err(KrylovError::NonFiniteArgument {
                name: "starts",
                value,
            });
        }
        push_orthogonal(&mut block, v.clone()).map_err(raise)?;
    }
    let mut draw = index as u64;
    loop {
        if let Some(v) = block.get(found.len()) {
            return Ok(v);
        }
        let v = Probe::Gaussian.draw(&space, seed, draw).map_err(raise)?;
        push_orthogonal(&mut block, v).map_err(raise)?;
        draw += 1 << 32;
    }
}
