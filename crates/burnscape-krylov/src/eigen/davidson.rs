use super::subspace::Subspace;
use super::{Eigenpairs, EigenpairsConfig};
use crate::lanczos::{Apart, Settled, breadth};
use crate::{Outcome, SelfAdjoint, Square, Step, VectorSpace};

/// Distinguishes eigenvalues, more coarsely than other methods: Davidson's method follows pairs from vectors that are close,
/// with few products, and the tolerance determines how few.
const APART: Apart = Apart::within(2e-5, 1e-2);

/// How far beyond the pairs found, relative to the norm of the operator (without eigenvalues far out at
/// the other end), the eigenvalue of another Ritz pair may be, by its residual: anything further is examined.
const SLACK: f64 = 0.05;

/// Residuals of an exhausted subspace are at most this multiple of the rounding.
const EXACT: f64 = 16.0;

/// How many residuals from its Ritz value an eigenvalue may be, where the subspace was exhausted and a random
/// vector looks for copies.
const LONE: f64 = 3.0;

/// The state of a subspace.
struct State<V> {
    /// The first residual that is too large, or the largest one.
    error: Option<f64>,
    goal: f64,
    /// Whether the wanted pairs have small residuals.
    is_good: bool,
    next: Next<V>,
}

/// How a subspace is to grow.
enum Next<V> {
    Done,
    /// By a residual.
    Along(V),
    /// By a random vector.
    Anew,
}

/// Vectors of the Krylov space that looks for directions missing from the starts.
const SCOUTS: usize = 2;

impl EigenpairsConfig {
    /// Davidson's method, from vectors that are close to the outermost eigenvectors.
    ///
    /// Small residuals do not distinguish the outermost eigenpairs from others. Where an eigenvalue far out at the other
    /// end makes the goal large, they must be small relative to the distances at this end as well, and the values must
    /// have settled.
    pub(super) fn davidson<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        for start in starts {
            <A::Vector as VectorSpace>::check_same(&space, &start.space())?;
        }
        // The other half is for directions that are missing from the starts.
        let most = (self.max_matvecs() / 2).max(1);
        let first = &starts[..starts.len().min(most)];
        // Room to grow a little: vectors are large.
        let capacity = (first.len() + SCOUTS + 4).min(self.max_matvecs());
        let mut subspace = Subspace::new(space, capacity, self.seed)?;
        subspace.push(operator, first.to_vec())?;
        self.report_subspace(operator, &mut subspace, (None, None));
        for scout in 0..SCOUTS {
            let is_full = subspace.len() >= dimension.min(self.max_matvecs());
            // Without starts the residuals span the same.
            if is_full || subspace.is_stopped || (subspace.len() > 0 && starts.is_empty()) {
                break;
            }
            let image = subspace.newest_image()?.filter(|_| scout > 0);
            let v = match image {
                Some(image) => image,
                None => subspace.random()?,
            };
            subspace.push(operator, vec![v])?;
            self.report_subspace(operator, &mut subspace, (None, None));
        }
        self.grow_subspace(operator, &mut subspace, dimension)
    }

    /// Shows the subspace to an observer, once after every block.
    fn report_subspace<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        subspace: &mut Subspace<A::Vector>,
        (error, goal): (Option<f64>, Option<f64>),
    ) {
        if subspace.is_stopped || subspace.len() <= subspace.reported {
            return;
        }
        subspace.reported = subspace.len();
        let step = Step::new("eigenpairs", subspace.len())
            .with_limit(self.max_matvecs())
            .with_value(subspace.ritz(self.which).first().map(|pair| pair.0))
            .with_error(error)
            .with_goal(goal);
        subspace.is_stopped = operator.report(&step).is_break();
    }

    fn grow_subspace<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        subspace: &mut Subspace<A::Vector>,
        dimension: usize,
    ) -> Result<Eigenpairs<A::Vector>, A::Error> {
        let mut invariant = None;
        loop {
            let state = self.judge(subspace, &mut invariant)?;
            self.report_subspace(operator, subspace, (state.error, Some(state.goal)));
            let is_full = subspace.len() >= dimension.min(self.max_matvecs());
            let found = |is_converged: bool, subspace: &Subspace<A::Vector>| {
                let ritz = subspace.ritz(self.which);
                let wanted = ritz.iter().take(self.k.saturating_add(self.extra()));
                let pairs: Result<Vec<_>, _> = wanted.map(|pair| subspace.pair(pair)).collect();
                let outcome = Outcome::of(is_converged, subspace.is_stopped);
                Ok(Eigenpairs::new(pairs?, outcome, state.goal, subspace.len()))
            };
            let next = match state.next {
                Next::Done => return found(true, subspace),
                _ if subspace.is_stopped => return found(false, subspace),
                _ if is_full => {
                    let is_spanned = subspace.len() == dimension;
                    return found(state.is_good && is_spanned, subspace);
                }
                Next::Along(residual) => Some(residual),
                Next::Anew => None,
            };
            let mut grown = 0;
            if let Some(residual) = next {
                grown = subspace.push(operator, vec![residual])?;
            }
            // A residual of rounding alone does not make it grow.
            if grown == 0 && !subspace.is_stopped {
                let v = subspace.random()?;
                grown = subspace.push(operator, vec![v])?;
            }
            if grown == 0 {
                // A product that was stopped has left the subspace as it was, and that had not converged.
                return found(state.is_good && !subspace.is_stopped, subspace);
            }
        }
    }

    /// Judges the subspace, and how it is to grow. `invariant` are the wanted values that had no
    /// residuals the last time.
    fn judge<V: VectorSpace>(
        &self,
        subspace: &Subspace<V>,
        invariant: &mut Option<Vec<f64>>,
    ) -> Result<State<V>, V::Error> {
        let ritz = subspace.ritz(self.which);
        let size = ritz.iter().fold(0.0_f64, |size, (x, _)| size.max(x.abs()));
        let mut ascending: Vec<f64> = ritz.iter().map(|pair| pair.0).collect();
        ascending.sort_by(f64::total_cmp);
        let mut state = State {
            error: None,
            goal: 0.0,
            is_good: false,
            next: Next::Anew,
        };
        let (mut is_exact, mut near, mut noise) = (true, 0.0, 0.0);
        let mut worst: Option<(f64, V)> = None;
        let mut norms = Vec::with_capacity(self.k);
        for pair in ritz.iter().take(self.k) {
            let residual = subspace.residual(pair)?;
            let epsilon = residual.epsilon();
            state.goal = self.tolerance().max(32.0 * epsilon) * size;
            noise = 4.0 * epsilon * size;
            // A small residual where eigenvalues far out at the other end make the goal large.
            let what = (self.which, self.k);
            near = state
                .goal
                .min(APART.residual(what, &ascending, (self.tolerance(), noise)));
            let norm = residual.norm()?;
            is_exact &= norm <= (EXACT * noise).max(1e-4 * near);
            state.error = state.error.filter(|error| *error > norm).or(Some(norm));
            // Not a number is not good.
            if norm.is_nan() || norm > near {
                state.next = Next::Along(residual);
                return Ok(state);
            }
            norms.push((pair.0, norm));
            if worst.as_ref().is_none_or(|worst| norm > worst.0) {
                worst = Some((norm, residual));
            }
        }
        if ritz.len() < self.k {
            return Ok(state);
        }
        let wanted: Vec<f64> = norms.iter().map(|pair| pair.0).collect();
        state.is_good = true;
        // Where all residuals vanish they are no evidence: copies of a multiple eigenvalue may still be
        // missing.
        // A random vector has a part in each; if it changes nothing wanted, none is.
        if is_exact {
            let is_old = |old: &Vec<f64>| {
                let mut pairs = old.iter().zip(&wanted);
                pairs.all(|(old, new)| (old - new).abs() <= near)
            };
            // Of one pair there are no copies to miss.
            let is_confirmed = self.k == 1 || invariant.as_ref().is_some_and(is_old);
            if !is_confirmed || subspace.len() < 2 * self.k + 2 {
                *invariant = Some(wanted);
                return Ok(state);
            }
        } else {
            let settled = Settled {
                projected: subspace.projected(),
                first: 0,
                fixed: 0,
                width: 1,
                degree: subspace.len(),
                noise,
                goal: near,
                tolerance: self.tolerance(),
            };
            // Once a space was exhausted, small residuals are no more evidence than there.
            let is_unconfirmed = self.k > 1 && invariant.is_some();
            if is_unconfirmed || !settled.is_of(self.which, &norms, near) {
                state.is_good = false;
                if let Some((_, residual)) = worst {
                    state.next = Next::Along(residual);
                }
                return Ok(state);
            }
        }
        let slack = SLACK * size.min(breadth((self.which, self.k), &ascending, noise));
        // Some eigenvalue is within the residual of the Ritz value, those of a lone random vector within some
        // residuals.
        let reach = if is_exact { LONE } else { 1.0 };
        for pair in ritz.iter().skip(self.k) {
            let residual = subspace.residual(pair)?;
            if self.which.beyond(&wanted, pair.0) + reach * residual.norm()? > slack {
                state.next = Next::Along(residual);
                return Ok(state);
            }
        }
        state.next = Next::Done;
        Ok(state)
    }
}
