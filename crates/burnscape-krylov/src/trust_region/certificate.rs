use super::model::Run;
use crate::{LanczosFactorization, Probe, SelfAdjoint, Step, VectorSpace};

/// The evidence of a run from a random vector for eigenvalues beyond a multiplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PointKind {
    /// The largest eigenvalue is settled and not beyond it.
    None,
    /// There is one.
    Beyond,
    /// The limit of products came first, or the observer.
    Open { is_stopped: bool },
}

/// Steps before a run may conclude that there is nothing: an eigenvector that a random vector hardly
/// contains takes a few to show.
const MIN_STEPS: usize = 8;

impl Run {
    /// Whether the operator has an eigenvalue beyond `multiplier + slack`.
    ///
    /// A Ritz value beyond it is proof of one. That there is none is concluded once the top Ritz value is
    /// settled: its residual is within the tolerance, or a tenth of its distance to the multiplier.
    pub(super) fn look_beyond<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        multiplier: f64,
        before: usize,
    ) -> Result<(PointKind, f64, usize), A::Error> {
        let space = operator.domain();
        let dimension = A::Vector::dimension(&space);
        let start = Probe::Gaussian.draw::<A::Vector>(&space, self.seed, 0);
        let limit = self.max_matvecs.min(dimension);
        let mut record = LanczosFactorization::new(space, start?, self.seed, limit.min(16))?;
        loop {
            let length = record.len();
            match record.grow(operator) {
                Err(error) if operator.is_stop(&error) && before > 0 => {
                    return Ok((PointKind::Open { is_stopped: true }, 0.0, 0));
                }
                grown => grown?,
            }
            let is_last = record.len() >= limit || record.len() == length;
            let step = Step::new("certificate", before + record.num_matvecs());
            let is_stopped =
                record.is_stopped() || operator.report(&step.with_limit(before + limit)).is_break();
            let is_due = record.len() <= 12 || record.len() % 4 == 0 || is_last || is_stopped;
            if !is_due {
                continue;
            }
            let pairs = record.ritz_pairs();
            let size = pairs.iter().fold(0.0_f64, |size, (d, _)| size.max(d.abs()));
            let (top, vector) = match pairs.last() {
                Some((top, vector)) => (*top, vector.last().copied().unwrap_or(0.0)),
                None => (0.0, 0.0),
            };
            let residual = (record.beta() * vector).abs();
            let slack = self.tolerance * size;
            let is_settled = record.len() == dimension
                || record.len() >= MIN_STEPS && residual <= slack.max(0.1 * (multiplier - top));
            let is_beyond = top > multiplier + slack;
            let verdict = if is_beyond && is_stopped {
                PointKind::Open { is_stopped }
            } else if is_beyond {
                PointKind::Beyond
            } else if is_settled {
                PointKind::None
            } else if is_stopped || is_last {
                PointKind::Open { is_stopped }
            } else {
                continue;
            };
            return Ok((verdict, size, record.num_matvecs()));
        }
    }
}
