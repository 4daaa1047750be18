use super::{Eigenpair, Eigenpairs, EigenpairsConfig};
use crate::basis::push_outside;
use crate::lanczos::at_rest;
use crate::vector::divided;
use crate::{KrylovFault, Outcome, Probe, SelfAdjoint, Square, Step, VectorBlock, VectorSpace};

/// The largest residual relative to the eigenvalue itself.
const BELIEVED: f64 = 2e-3;

impl EigenpairsConfig {
    /// The power iteration, with the pairs that were found projected out: in turn from the given vectors, then from
    /// random ones.
    pub(super) fn power<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let mut found = <A::Vector as VectorSpace>::Block::with_capacity(&space, self.k)?;
        let mut pairs: Vec<Eigenpair<A::Vector>> = Vec::with_capacity(self.k);
        let (mut products, mut size, mut goal, mut is_stopped) = (0, 0.0_f64, 0.0, false);
        let mut is_found = true;
        while pairs.len() < self.k && products < self.max_matvecs() && !is_stopped {
            let mut v = start(&found, starts.get(pairs.len()), (self.seed, pairs.len()))?;
            let epsilon = v.epsilon();
            let tolerance = self.tolerance().max(32.0 * epsilon);
            let (mut before, mut steps) = (f64::INFINITY, 0);
            // The pair of the last product.
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
                let value = v.dot(&product)?;
                if !value.is_finite() {
                    return Err(KrylovFault::NonFinite { product: products }.into());
                }
                products += 1;
                let rest = product.clone().axpy(-value, &v)?;
                let residual = rest.norm()?;
                // What the pairs that were found have along here is their error, not this one's.
                let own = found.project_out(rest)?.norm()?;
                size = size.max(value.abs());
                goal = tolerance * size;
                let step = Step::new("eigenpairs", products)
                    .with_limit(self.max_matvecs())
                    .with_value(value)
                    .with_error(own)
                    .with_goal(goal);
                is_stopped = operator.report(&step).is_break();
                let next = found.project_out(product)?;
                let length = next.norm()?;
                // A goal relative to a first eigenvalue far above this one would be no evidence.
                let near = goal.min(BELIEVED * value.abs()).max(64.0 * epsilon * size);
                steps += 1;
                let moved = (value.abs() - before).abs();
                before = value.abs();
                let has_settled = moved <= at_rest(1.0, steps, (own, near));
                let is_at_rest = own <= near / 2.0 && has_settled
                    || length <= 64.0 * epsilon * size
                    || found.len() + 1 == dimension;
                if is_at_rest || is_stopped || products >= self.max_matvecs() {
                    is_found &= is_at_rest;
                    push_outside(&mut found, v.clone())?;
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
        let outcome = Outcome::of(
            is_found && pairs.len() == self.k && pairs.iter().all(|pair| pair.residual <= goal),
            is_stopped,
        );
        Ok(Eigenpairs::new(pairs, outcome, goal, products))
    }
}

/// A vector of norm one, orthogonal to the vectors found.
fn start<B: VectorBlock>(
    found: &B,
    given: Option<&B::Vector>,
    (seed, index): (u64, usize),
) -> Result<B::Vector, <B::Vector as VectorSpace>::Error> {
    let space = found.space();
    let mut block = found.clone();
    if let Some(v) = given {
        <B::Vector as VectorSpace>::check_same(&space, &v.space())?;
        KrylovFault::ensure_finite("starts", v.norm()?)?;
        push_outside(&mut block, v.clone())?;
    }
    let mut draw = index as u64;
    loop {
        if let Some(v) = block.get(found.len())? {
            return Ok(v);
        }
        let v = Probe::Gaussian.draw::<B::Vector>(&space, seed, draw)?;
        push_outside(&mut block, v)?;
        draw += 1 << 32;
    }
}
