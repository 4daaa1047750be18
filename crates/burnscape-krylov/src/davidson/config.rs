use super::subspace::Subspace;
use crate::error::raise;
use crate::{Eigenpair, End, KrylovError, SelfAdjoint, VectorSpace};

/// The outermost eigenpairs of one end, from vectors that are close to them: those of the operator a
/// little earlier, say.
///
/// The starts span the first subspace, together with a random vector and its product. Ritz pairs of the
/// subspace are taken, and it grows by the residual of the first pair that is not good enough, until `k`
/// of them are. Without starts this spans the Krylov space of a random vector, as Lanczos does. Where
/// eigenvalues crowd together, `k` starts for `k` of them are separated at once, and a Krylov space of
/// one vector, however well it is mixed, takes many products for that.
///
/// The random vector is there because residuals cannot tell an eigenpair from the outermost one: two
/// products let a direction show that none of the starts has a part in.
///
/// # Cost
///
/// Products, as the result tells: one for each start, two, and the growth. Starts are multiplied as a
/// block. Residuals need no product of their own. Twice as many vectors as products in memory.
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
/// let first = top.run(&Symmetric::verified(diagonal(0.0), 1e-12, 0)?, &[])?;
/// assert!((first.pairs[0].value - 199.0).abs() < 1e-6);
///
/// // The eigenvectors have not moved.
/// let starts: Vec<_> = first.pairs.into_iter().map(|pair| pair.vector).collect();
/// let second = top.run(&Symmetric::verified(diagonal(0.5), 1e-12, 0)?, &starts)?;
/// assert!((second.pairs[0].value - 199.5).abs() < 1e-6);
/// assert!(second.converged && second.products <= 5);
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
    /// Whether the residuals of the first `k` are within the goal.
    pub converged: bool,
    /// What residuals were to be at most: `tolerance · |A|`, with the largest Ritz value for `|A|`.
    pub goal: f64,
    /// Products used.
    pub products: usize,
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

    /// Runs from `starts`, in the order of their importance. They need not be orthonormal; those that
    /// depend on others are left out.
    ///
    /// # Errors
    ///
    /// [`KrylovError::TooMany`] for more pairs than dimensions, [`KrylovError::NoProbes`] for a limit of
    /// fewer than `k` products, [`KrylovError::InvalidTolerance`], [`KrylovError::NonFinite`],
    /// [`KrylovError::Operator`], for starts of another space in particular.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        starts: &[A::Vector],
    ) -> Result<Davidson<A::Vector>, KrylovError<A::Error>> {
        operator.check_square()?;
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        self.check(dimension)?;
        for start in starts {
            <A::Vector as VectorSpace>::check_same(&space, &start.space()).map_err(raise)?;
        }
        let mut subspace = Subspace::new(space, self.seed).map_err(raise)?;
        // A dependent start takes nobody's place: `push` multiplies what is left.
        let first = &starts[..starts.len().min(self.max_products)];
        subspace.push(operator, first.to_vec())?;
        for scout in 0..SCOUTS {
            let is_full = subspace.len() >= dimension.min(self.max_products);
            // Without starts the residuals span the same.
            if is_full || (subspace.len() > 0 && starts.is_empty()) {
                break;
            }
            let image = subspace.newest_image().filter(|_| scout > 0);
            let v = match image {
                Some(image) => image,
                None => subspace.random().map_err(raise)?,
            };
            subspace.push(operator, vec![v])?;
        }
        self.grow(operator, &mut subspace, dimension)
    }

    fn grow<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        subspace: &mut Subspace<A::Vector>,
        dimension: usize,
    ) -> Result<Davidson<A::Vector>, KrylovError<A::Error>> {
        // Whether nothing that was tried made the subspace grow: residuals of rounding alone do not.
        let mut is_stuck = false;
        loop {
            let ritz = subspace.ritz(self.end);
            let size = ritz.iter().fold(0.0_f64, |size, (x, _)| size.max(x.abs()));
            let mut goal = None;
            let mut open = None;
            for pair in ritz.iter().take(self.k) {
                let residual = subspace.residual(pair).map_err(raise)?;
                let goal =
                    *goal.get_or_insert(self.tolerance.max(32.0 * residual.epsilon()) * size);
                let norm = residual.norm().map_err(raise)?;
                // Not a number is not good.
                if !(norm <= goal) {
                    open = Some(residual);
                    break;
                }
            }
            let is_converged = open.is_none() && ritz.len() >= self.k;
            let is_full = subspace.len() >= dimension.min(self.max_products);
            if is_converged || is_full || is_stuck {
                let wanted = ritz.iter().take(self.k + self.extra);
                let pairs: Result<Vec<_>, _> = wanted.map(|pair| subspace.pair(pair)).collect();
                return Ok(Davidson {
                    pairs: pairs.map_err(raise)?,
                    converged: is_converged,
                    goal: goal.unwrap_or(0.0),
                    products: subspace.len(),
                });
            }
            if let Some(residual) = open {
                is_stuck = subspace.push(operator, vec![residual])? == 0;
            }
            // Nothing is open where the subspace has fewer than `k` dimensions.
            if is_stuck || ritz.len() < self.k {
                let v = subspace.random().map_err(raise)?;
                is_stuck = subspace.push(operator, vec![v])? == 0;
            }
        }
    }

    fn check<E>(&self, dimension: usize) -> Result<(), KrylovError<E>> {
        if self.k > dimension || self.k == 0 {
            return Err(KrylovError::TooMany {
                asked: self.k,
                available: dimension,
            });
        }
        if self.max_products < self.k {
            return Err(KrylovError::NoProbes);
        }
        match self.tolerance > 0.0 && self.tolerance.is_finite() {
            true => Ok(()),
            false => Err(KrylovError::InvalidTolerance {
                tolerance: self.tolerance,
            }),
        }
    }
}
