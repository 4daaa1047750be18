use crate::operator::products;
use crate::{LinearOperator, Probe, Step, VectorSpace};

/// Vectors and their products.
type Multiplied<A> = (
    Vec<<A as LinearOperator>::Domain>,
    Vec<<A as LinearOperator>::Range>,
);

/// Random vectors and their products, block by block: the one loop of every estimate from samples `(v, A v)`.
///
/// The integrand decides what a sample contributes. Vector `i` is the same however many are drawn.
pub(crate) struct Samples<'a, A: LinearOperator + ?Sized> {
    operator: &'a A,
    seed: u64,
    block: usize,
    limit: usize,
    /// Samples made so far, and products made for something else.
    count: usize,
    spent: usize,
}

/// An estimate after a block of samples.
pub(crate) struct Reading<T> {
    pub(crate) estimate: T,
    pub(crate) step: Step,
    /// Whether the estimate is within the tolerance.
    pub(crate) is_done: bool,
}

impl<'a, A: LinearOperator + ?Sized> Samples<'a, A> {
    /// Rademacher vectors, at most `limit` products, one at a time.
    pub(crate) fn new(operator: &'a A, seed: u64, limit: usize) -> Self {
        Self {
            operator,
            seed,
            block: 1,
            limit,
            count: 0,
            spent: 0,
        }
    }

    /// Sets how many vectors are multiplied at once.
    pub(crate) fn with_block(mut self, block: usize) -> Self {
        self.block = block;
        self
    }

    /// Continues after `count` samples and `spent` products for something else.
    pub(crate) fn after(mut self, count: usize, spent: usize) -> Self {
        (self.count, self.spent) = (count, spent);
        self
    }

    /// Adds samples to `state` until an estimate is within its tolerance, at the limit, or ended by an observer: the
    /// last estimate, and whether an observer ended the run. None if there is room for no product.
    ///
    /// `add` is given the number of products before the sample's own, to name one that is not finite; `read` the number
    /// of products so far.
    pub(crate) fn run<S, T>(
        mut self,
        mut state: S,
        mut add: impl FnMut(&mut S, A::Domain, A::Range, usize) -> Result<(), A::Error>,
        read: impl Fn(&S, usize) -> Result<Reading<T>, A::Error>,
    ) -> Result<Option<(T, bool)>, A::Error> {
        let mut num_matvecs = self.count + self.spent;
        while num_matvecs < self.limit {
            let (vectors, found) = match self.multiplied() {
                Err(error) if self.operator.is_stop(&error) && self.count > 0 => {
                    return Ok(Some((read(&state, num_matvecs)?.estimate, true)));
                }
                pairs => pairs?,
            };
            for (v, product) in vectors.into_iter().zip(found) {
                add(&mut state, v, product, num_matvecs)?;
                num_matvecs += 1;
                self.count += 1;
            }
            let reading = read(&state, num_matvecs)?;
            let step = reading.step.with_limit(self.limit);
            let is_stopped = self.operator.report(&step).is_break();
            if reading.is_done || num_matvecs >= self.limit || is_stopped {
                let is_cut_short = is_stopped && !reading.is_done && num_matvecs < self.limit;
                return Ok(Some((reading.estimate, is_cut_short)));
            }
        }
        Ok(None)
    }

    /// The next block of vectors with their products.
    fn multiplied(&self) -> Result<Multiplied<A>, A::Error> {
        let space = self.operator.domain();
        let last = (self.count + self.block).min(self.limit - self.spent);
        let draw =
            |index: usize| Probe::Rademacher.draw::<A::Domain>(&space, self.seed, index as u64);
        let vectors: Result<Vec<A::Domain>, <A::Domain as VectorSpace>::Error> =
            (self.count..last).map(draw).collect();
        let vectors = vectors?;
        let found = products(self.operator, &vectors, self.count + self.spent)?;
        Ok((vectors, found))
    }
}
