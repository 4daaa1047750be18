use crate::operator::products;
use crate::{KrylovFault, LinearOperator, Probe, Step};

/// Random vectors `v` and their products `A v`: the one source of samples for estimates.
///
/// Vector `i` is the same for any number of samples. Traces and diagonals use this source, also where a method multiplies
/// other vectors: Hutch++ projects the vectors of its last third before the product, and takes them from
/// [`draw`](Self::draw). The probes of a density are no samples `(v, A v)`: each is the start of a Lanczos run.
pub(crate) struct Samples<'a, A: LinearOperator + ?Sized> {
    operator: &'a A,
    pub(crate) probe: Probe,
    seed: u64,
    /// Vectors drawn so far.
    count: usize,
    /// Products so far, those made for something else included.
    pub(crate) num_matvecs: usize,
}

/// Vectors with their products.
type Pairs<A> = Vec<(<A as LinearOperator>::Domain, <A as LinearOperator>::Range)>;

/// An estimate after a block of samples.
pub(crate) struct Reading<T> {
    pub(crate) estimate: T,
    pub(crate) step: Step,
    /// Whether the estimate is within the tolerance.
    pub(crate) is_done: bool,
}

impl<'a, A: LinearOperator + ?Sized> Samples<'a, A> {
    pub(crate) fn new(operator: &'a A, probe: Probe, seed: u64) -> Self {
        Self {
            operator,
            probe,
            seed,
            count: 0,
            num_matvecs: 0,
        }
    }

    /// Continues after `count` samples and `spent` products for something else.
    pub(crate) fn after(mut self, count: usize, spent: usize) -> Self {
        (self.count, self.num_matvecs) = (count, count + spent);
        self
    }

    /// The next vector, without a product.
    pub(crate) fn draw(&mut self) -> Result<A::Domain, A::Error> {
        let index = self.count as u64;
        self.count += 1;
        Ok(self.probe.draw(&self.operator.domain(), self.seed, index)?)
    }

    /// The next vectors with their products, in one block. None if an observer ended the block; that is an error if
    /// there are no samples yet.
    pub(crate) fn next(&mut self, size: usize) -> Result<Option<Pairs<A>>, A::Error> {
        let before = self.count;
        let vectors: Result<Vec<A::Domain>, A::Error> = (0..size).map(|_| self.draw()).collect();
        let vectors = vectors?;
        let found = match products(self.operator, &vectors, self.num_matvecs) {
            Err(error) if self.operator.is_stop(&error) && before > 0 => return Ok(None),
            found => found?,
        };
        self.num_matvecs += vectors.len();
        Ok(Some(vectors.into_iter().zip(found).collect()))
    }

    /// Adds samples to `state`, `block` at a time, until an estimate is within its tolerance, at the limit of products, or
    /// ended by an observer: the last estimate, and whether an observer ended the run.
    ///
    /// `add` is given the number of products before the sample's own, to name one that is not finite; `read` the number
    /// of products so far.
    pub(crate) fn run<S, T>(
        mut self,
        (limit, block): (usize, usize),
        mut state: S,
        mut add: impl FnMut(&mut S, A::Domain, A::Range, usize) -> Result<(), A::Error>,
        read: impl Fn(&S, usize) -> Result<Reading<T>, A::Error>,
    ) -> Result<(T, bool), A::Error> {
        KrylovFault::ensure_enough(("max_matvecs", limit), "Hutchinson's method", 1)?;
        loop {
            let before = self.num_matvecs;
            let Some(pairs) = self.next(block.min(limit - before))? else {
                return Ok((read(&state, before)?.estimate, true));
            };
            for (product, (v, image)) in (before..).zip(pairs) {
                add(&mut state, v, image, product)?;
            }
            let reading = read(&state, self.num_matvecs)?;
            let step = reading.step.with_limit(limit);
            let is_stopped = self.operator.report(&step).is_break();
            let is_last = reading.is_done || self.num_matvecs >= limit;
            if is_last || is_stopped {
                return Ok((reading.estimate, is_stopped && !is_last));
            }
        }
    }
}
