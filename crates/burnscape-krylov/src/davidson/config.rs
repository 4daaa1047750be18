use super::subspace::Subspace;
use crate::error::raise;
use crate::lanczos::{Apart, Settled, breadth};
use crate::{Eigenpair, End, KrylovError, Outcome, SelfAdjoint, Square, Step, VectorSpace};

/// What tells eigenvalues apart. With a tolerance coarser than elsewhere: whoever follows a pair from vectors that
/// are close asks for few products and says with the tolerance how few.
const APART: Apart = Apart::within(2e-5, 1e-2);

/// The outermost eigenpairs, from vectors that are close to them: those of the operator a
/// little earlier, say.
///
/// The starts span the first subspace, together with a random vector and its product. Ritz pairs of the
/// subspace are taken, and it grows by the residual of the first pair that is not good enough, until `k`
/// of them are. Without starts this spans the Krylov space of a random vector, as Lanczos does. Where
/// eigenvalues crowd together, `k` starts for `k` of them are separated at once, and a Krylov space of
/// one vector, however well it is mixed, takes many products for that.
///
/// Small residuals do not tell the outermost eigenpairs from others. Where an eigenvalue far out at the other
/// end makes the goal large, they have to be small relative to the distances at this end as well, and the
/// values have to have settled. The random vector and its product
/// let directions show that none of the starts has a part in; the run goes on while the residual of
/// another Ritz pair leaves room for an eigenvalue that is beyond those found by 5 % of the operator's
/// norm (or of the breadth of the spectrum without what is far out at the other end); and where a whole invariant subspace is spanned, with further random vectors until none of them
/// brings another copy of a multiple eigenvalue. That is no proof. Without starts, copies of an eigenvalue and
/// clusters narrower than the goal are seen once, as by Lanczos:
/// [`EigenpairsConfig::with_verification`](crate::EigenpairsConfig::with_verification) looks for the others.
///
/// # Cost
///
/// Products, as the result tells: one for each start, two, and the growth. Starts are multiplied as a
/// block. Residuals need no product of their own. Memory: twice as many vectors as products, with room
/// that doubles when it is full.
///
/// # Defaults
///
/// Tolerance 1e-6 (or 32 ε of the vectors, if that is more), no extra pairs, at most 100 products,
/// ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{DavidsonConfig, Dense, End, Symmetric};
///
/// let diagonal = |shift: f64| Dense::diagonal(&(0..200).map(|i| f64::from(i) + shift).collect::<Vec<_>>());
/// let top = DavidsonConfig::new(1, End::Top).with_extra(1);
/// let first = top.run(&Symmetric::verified(diagonal(0.0), 1e-12, 0)?)?;
/// assert!((first.pairs[0].value - 199.0).abs() < 1e-6);
///
/// // The eigenvectors have not moved.
/// let starts: Vec<_> = first.pairs.into_iter().map(|pair| pair.vector).collect();
/// let second = top.run_from(&Symmetric::verified(diagonal(0.5), 1e-12, 0)?, &starts)?;
/// assert!((second.pairs[0].value - 199.5).abs() < 1e-6);
/// assert!(second.outcome.is_converged() && second.products <= 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Davidson, *The iterative calculation of a few of the lowest eigenvalues and corresponding
/// eigenvectors of large real-symmetric matrices*, J. Comput. Phys. 17 (1975), here without a
/// preconditioner.
#[derive(Debug, Clone, PartialEq)]
pub struct DavidsonConfig {
    k: usize,
    end: End,
    extra: usize,
    tolerance: f64,
    max_products: usize,
    seed: u64,
}

/// What [`DavidsonConfig::run`] found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Davidson<V> {
    /// The `k` pairs asked for, the outermost first, and then the extra ones, as far as the subspace
    /// has them. Residuals are of the products that were made: true to rounding.
    pub pairs: Vec<Eigenpair<V>>,
    /// How the run ended. It has converged if the residuals of the first `k` are within the goal, the values have settled, and no other Ritz
    /// pair may belong further out. From one random vector, copies of a multiple eigenvalue may be missed.
    pub outcome: Outcome,
    /// What residuals were to be at most: `tolerance · |A|`, with the largest Ritz value for `|A|`.
    pub goal: f64,
    /// Products used.
    pub products: usize,
}

/// How far beyond the pairs found, relative to the norm of the operator (without eigenvalues far out at
/// the other end), the eigenvalue of another Ritz pair may be for all its residual says: more is looked into.
const SLACK: f64 = 0.05;

/// Residuals of an exhausted subspace are this much of the rounding at most.
const EXACT: f64 = 16.0;

/// How many residuals from its Ritz value an eigenvalue may be, where the subspace was exhausted and a random
/// vector looks for copies.
const LONE: f64 = 3.0;

/// What a subspace has found.
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

/// Vectors of the Krylov space that looks for what the starts do not know.
const SCOUTS: usize = 2;

impl DavidsonConfig {
    /// The `k` outermost pairs of `end`.
    pub fn new(k: usize, end: End) -> Self {
        Self {
            k,
            end,
            extra: 0,
            tolerance: 1e-6,
            max_products: 100,
            seed: 0,
        }
    }

    /// Sets how many further Ritz pairs are given, good or not: starts for the next time.
    #[must_use]
    pub fn with_extra(mut self, pairs: usize) -> Self {
        self.extra = pairs;
        self
    }

    /// Sets the tolerance, relative to the norm of the operator.
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

    /// Sets the seed of random vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs from a random vector.
    ///
    /// # Errors
    ///
    /// As [`run_from`](Self::run_from).
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<Davidson<A::Vector>, KrylovError<A::Error>> {
        self.run_from(operator, &[])
    }

    /// Runs from `starts`, in the order of their importance. They need not be orthonormal; those that
    /// depend on others are left out, and so are those beyond half the limit of products and those with
    /// a number that is not finite.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] for more pairs than dimensions or products,
    /// [`KrylovError::InvalidTolerance`], [`KrylovError::NonFinite`],
    /// [`KrylovError::Operator`], for starts of another space in particular.
    pub fn run_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[<A as Square>::Vector],
    ) -> Result<Davidson<A::Vector>, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        self.check(dimension)?;
        for start in starts {
            <A::Vector as VectorSpace>::check_same(&space, &start.space()).map_err(raise)?;
        }
        // The other half is for what the starts do not know.
        let most = (self.max_products / 2).max(1);
        let first = &starts[..starts.len().min(most)];
        // Room to grow a little: vectors are large.
        let capacity = (first.len() + SCOUTS + 4).min(self.max_products);
        let mut subspace = Subspace::new(space, capacity, self.seed).map_err(raise)?;
        subspace.push(operator, first.to_vec())?;
        self.report(operator, &mut subspace, (None, None));
        for scout in 0..SCOUTS {
            let is_full = subspace.len() >= dimension.min(self.max_products);
            // Without starts the residuals span the same.
            if is_full || subspace.is_stopped || (subspace.len() > 0 && starts.is_empty()) {
                break;
            }
            let image = subspace.newest_image().filter(|_| scout > 0);
            let v = match image {
                Some(image) => image,
                None => subspace.random().map_err(raise)?,
            };
            subspace.push(operator, vec![v])?;
            self.report(operator, &mut subspace, (None, None));
        }
        self.grow(operator, &mut subspace, dimension)
    }

    /// Shows the subspace to an observer, once after every block.
    fn report<A: SelfAdjoint + ?Sized>(
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
            .with_limit(self.max_products)
            .with_value(subspace.ritz(self.end).first().map(|pair| pair.0))
            .with_error(error)
            .with_goal(goal);
        subspace.is_stopped = operator.report(&step).is_break();
    }

    fn grow<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        subspace: &mut Subspace<A::Vector>,
        dimension: usize,
    ) -> Result<Davidson<A::Vector>, KrylovError<A::Error>> {
        let mut invariant = None;
        loop {
            let state = self.judge(subspace, &mut invariant).map_err(raise)?;
            self.report(operator, subspace, (state.error, Some(state.goal)));
            let is_full = subspace.len() >= dimension.min(self.max_products);
            let found = |is_converged: bool, subspace: &Subspace<A::Vector>| {
                let ritz = subspace.ritz(self.end);
                let wanted = ritz.iter().take(self.k.saturating_add(self.extra));
                let pairs: Result<Vec<_>, _> = wanted.map(|pair| subspace.pair(pair)).collect();
                Ok(Davidson {
                    pairs: pairs.map_err(raise)?,
                    outcome: Outcome::of(is_converged, subspace.is_stopped),
                    goal: state.goal,
                    products: subspace.len(),
                })
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
                let v = subspace.random().map_err(raise)?;
                grown = subspace.push(operator, vec![v])?;
            }
            if grown == 0 {
                // A product that was stopped has left the subspace as it was, and that had not converged.
                return found(state.is_good && !subspace.is_stopped, subspace);
            }
        }
    }

    /// What the subspace is good for, and what it lacks. `invariant` are the wanted values that had no
    /// residuals the last time.
    fn judge<V: VectorSpace>(
        &self,
        subspace: &Subspace<V>,
        invariant: &mut Option<Vec<f64>>,
    ) -> Result<State<V>, V::Error> {
        let ritz = subspace.ritz(self.end);
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
            state.goal = self.tolerance.max(32.0 * epsilon) * size;
            noise = 4.0 * epsilon * size;
            // What is nothing, where eigenvalues far out at the other end make the goal large.
            let what = (self.end, self.k);
            near = state
                .goal
                .min(APART.residual(what, &ascending, (self.tolerance, noise)));
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
        // Where all residuals vanish they say nothing: copies of a multiple eigenvalue may still be
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
                tolerance: self.tolerance,
            };
            // Once a space was exhausted, small residuals say no more than there.
            let is_unconfirmed = self.k > 1 && invariant.is_some();
            if is_unconfirmed || !settled.is_of(self.end, &norms, near) {
                state.is_good = false;
                if let Some((_, residual)) = worst {
                    state.next = Next::Along(residual);
                }
                return Ok(state);
            }
        }
        let slack = SLACK * size.min(breadth((self.end, self.k), &ascending, noise));
        // Some eigenvalue is within the residual of the Ritz value, those of a lone random vector within some
        // residuals.
        let reach = if is_exact { LONE } else { 1.0 };
        for pair in ritz.iter().skip(self.k) {
            let residual = subspace.residual(pair)?;
            if self.end.beyond(&wanted, pair.0) + reach * residual.norm()? > slack {
                state.next = Next::Along(residual);
                return Ok(state);
            }
        }
        state.next = Next::Done;
        Ok(state)
    }

    fn check<E>(&self, dimension: usize) -> Result<(), KrylovError<E>> {
        let available = dimension.min(self.max_products);
        if self.k > available || self.k == 0 {
            return Err(KrylovError::TooMany {
                asked: self.k,
                available,
            });
        }
        match self.tolerance > 0.0 && self.tolerance.is_finite() {
            true => Ok(()),
            false => Err(KrylovError::InvalidTolerance {
                tolerance: self.tolerance,
            }),
        }
    }
}
