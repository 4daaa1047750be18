use super::certificate::PointKind;
use super::model::{Found, Run};
use super::{SolutionKind, TrustRegionSolution};
use crate::eigen::Eigenpair;
use crate::vector::exponent;
use crate::{
    Deflated, EigenpairsConfig, KrylovFault, Orthonormal, Outcome, Scaled, SelfAdjoint, Step,
    VectorSpace, Which,
};

/// The largest (or smallest) value of a quadratic in a ball: `max gᵀv + ½ vᵀHv` over `|v| ≤ ρ`, for a
/// self-adjoint `H` that is known by its products.
///
/// `v` is a global maximizer exactly if there is a `μ ≥ 0` with `(μI − H) v = g`, no eigenvalue of `H`
/// beyond `μ`, and `μ = 0` unless `|v| = ρ`. The problem is solved in the Krylov space of `g`, in
/// whose eigenbasis only `μ` is to be found (generalized Lanczos trust region).
///
/// # The hard case
///
/// If `g` has no component along the eigenvectors of the largest eigenvalue, its Krylov space does not contain them, and the
/// solution in that space may not be the maximizer. A second run, from a random vector, therefore searches for an
/// eigenvalue beyond `μ`. If there is one, its eigenvector is computed and added, and the rest of the problem is solved in
/// its complement. If that solution lies inside the ball, both signs along the eigenvector are solutions with the same
/// value: `v` and `mirror`.
///
/// # Cost
///
/// A product for each vector of the Krylov space, those of the certificate (about as many where the
/// eigenvalues are well apart), and one for the residual; in the hard case those of an eigenpair and of a
/// second Krylov space. As many vectors in memory as the Krylov space has: there are no restarts.
///
/// # Reproducibility
///
/// The certificate starts from a [`Probe::Gaussian`](crate::Probe::Gaussian) draw of the seed. The probability that it
/// misses an eigenvector is zero in exact arithmetic.
///
/// # Defaults
///
/// Tolerance 1e-8 (or 32 ε of the vectors, if that is more) relative to `|g| + |H| |v|`, Krylov
/// spaces of at most 100 vectors, the certificate on; ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, Symmetric, TrustRegionConfig, SolutionKind};
///
/// // The loss ½(4x² + y²) around (1, 1), in a ball of radius ½.
/// let h = Symmetric::verified(Dense::diagonal(&[4.0, 1.0]), 1e-12, 0)?;
/// let found = TrustRegionConfig::new(0.5).maximize(&h, &vec![4.0, 1.0])?;
/// assert!((found.v[0] - 0.49186465).abs() < 1e-8 && (found.v[1] - 0.08982855).abs() < 1e-8);
/// assert_eq!(found.kind, SolutionKind::Boundary);
/// assert!(found.outcome.is_converged() && found.certified);
///
/// // The hard case: the gradient has no component along the steepest direction.
/// let found = TrustRegionConfig::new(0.5).maximize(&h, &vec![0.0, 0.3])?;
/// let mirror = found.mirror.unwrap_or_default();
/// assert!((found.v[1] - 0.1).abs() < 1e-8 && (found.v[0].abs() - 0.24_f64.sqrt()).abs() < 1e-8);
/// assert_eq!(mirror[0], -found.v[0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Gould, Lucidi, Roma, Toint, *Solving the trust-region subproblem using the Lanczos method*, SIAM
/// J. Optim. 9 (1999). Moré and Sorensen, *Computing a trust region step*, SIAM J. Sci. Stat. Comput. 4
/// (1983), for the small problem.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustRegionConfig {
    radius: f64,
    tolerance: f64,
    max_basis: usize,
    is_certified: bool,
    seed: u64,
}

impl TrustRegionConfig {
    /// A ball of that radius.
    pub fn new(radius: f64) -> Self {
        Self {
            radius,
            tolerance: 1e-8,
            max_basis: 100,
            is_certified: true,
            seed: 0,
        }
    }

    /// Sets the largest residual allowed, relative to `|g| + |H| |v|`. A part of `g` along the
    /// extreme eigenvector that is no longer than this times `|g|` counts as none.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets how many vectors a Krylov space may have.
    #[must_use]
    pub fn with_max_basis(mut self, vectors: usize) -> Self {
        self.max_basis = vectors;
        self
    }

    /// Sets whether to search for an eigenvalue beyond the multiplier; on by default. Without the search the hard case is
    /// not detected, and for `g = 0` the solution is `v = 0`.
    #[must_use]
    pub fn with_certificate(mut self, is_certified: bool) -> Self {
        self.is_certified = is_certified;
        self
    }

    /// Sets the seed of the certificate.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// `max gᵀv + ½ vᵀHv` over `|v| ≤ radius`. A run that an observer ends returns the solution so far.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::OutOfBounds`] for the radius and the tolerance,
    /// [`KrylovFault::BasisTooSmall`], [`KrylovFault::NonFiniteArgument`] for `g`,
    /// [`KrylovFault::OutOfRange`] for a value that overflows, [`KrylovFault::NonFinite`], and those of the operator.
    pub fn maximize<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        g: &A::Vector,
    ) -> Result<TrustRegionSolution<A::Vector>, A::Error> {
        let run = self.begin(operator, g, 1.0)?;
        self.solve(&run, operator, g)
    }

    /// `min gᵀv + ½ vᵀHv` over `|v| ≤ radius`. As [`maximize`](Self::maximize).
    ///
    /// # Errors
    ///
    /// As [`maximize`](Self::maximize).
    pub fn minimize<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        g: &A::Vector,
    ) -> Result<TrustRegionSolution<A::Vector>, A::Error> {
        let run = self.begin(operator, g, -1.0)?;
        // The smallest value of a quadratic is the largest of its negative.
        let negative = Scaled::new(operator, -1.0)?;
        let mut found = self.solve(&run, &negative, &g.clone().scale(-1.0))?;
        found.value = -found.value;
        Ok(found)
    }

    /// The settings of the runs, after the checks.
    fn begin<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        g: &A::Vector,
        sign: f64,
    ) -> Result<Run, A::Error> {
        operator.check_square()?;
        A::Vector::check_same(&operator.domain(), &g.space())?;
        if !(self.radius >= 0.0 && self.radius.is_finite()) {
            return Err(KrylovFault::OutOfBounds {
                name: "radius",
                value: self.radius,
                allowed: "zero or a positive, finite number",
            }
            .into());
        }
        KrylovFault::ensure_positive("tolerance", self.tolerance)?;
        if self.max_basis == 0 {
            return Err(KrylovFault::BasisTooSmall {
                vectors: 0,
                needed: 1,
            }
            .into());
        }
        let gradient = g.norm()?;
        KrylovFault::ensure_finite("g", gradient)?;
        Ok(Run {
            radius: self.radius,
            gradient,
            tolerance: self.tolerance.max(32.0 * g.epsilon()),
            max_matvecs: self.max_basis,
            seed: self.seed,
            sign,
        })
    }

    fn solve<A: SelfAdjoint + ?Sized>(
        &self,
        run: &Run,
        operator: &A,
        g: &A::Vector,
    ) -> Result<TrustRegionSolution<A::Vector>, A::Error> {
        let zero = g.zeros_like()?;
        if self.radius == 0.0 {
            return Ok(TrustRegionSolution {
                v: zero,
                mirror: None,
                kind: SolutionKind::Boundary,
                multiplier: f64::INFINITY,
                value: 0.0,
                residual: 0.0,
                goal: 0.0,
                outcome: Outcome::Converged,
                certified: true,
                num_matvecs: 0,
            });
        }
        let mut found = if run.gradient > 0.0 {
            run.maximize(operator, g.clone(), None, 0)?
        } else {
            Found {
                v: zero,
                hard: None,
                multiplier: 0.0,
                is_inside: true,
                size: 0.0,
                num_matvecs: 0,
                is_stopped: false,
                value: 0.0,
                residual: 0.0,
            }
        };
        let mut certified = false;
        if self.is_certified && !found.is_stopped {
            let (verdict, size, products) =
                run.look_beyond(operator, found.multiplier, found.num_matvecs)?;
            found.num_matvecs += products;
            found.size = found.size.max(size);
            certified = verdict == PointKind::None;
            found.is_stopped = verdict == PointKind::Open { is_stopped: true };
            if !certified && !found.is_stopped {
                certified = self.add_eigenvector(run, operator, g, &mut found)?;
            }
        }
        finish(run, operator, g, found, certified)
    }

    /// Looks for the extreme eigenvector with restarts and, if it is beyond the multiplier, solves the
    /// problem with it. Whether the answer is certified then.
    fn add_eigenvector<A: SelfAdjoint + ?Sized>(
        &self,
        run: &Run,
        operator: &A,
        g: &A::Vector,
        found: &mut Found<A::Vector>,
    ) -> Result<bool, A::Error> {
        let before = found.num_matvecs;
        let config = EigenpairsConfig::new(1, Which::Largest)
            .with_tolerance(run.tolerance)
            // The residual of the solution is measured in the end: that of the vector needs no product.
            .with_estimated_residuals(true)
            .with_seed(self.seed);
        let top = config.search(operator, &[], &mut |step| {
            operator.report(&Step {
                task: "certificate: eigenvector",
                num_matvecs: before + step.num_matvecs,
                limit: step.limit.map(|limit| before + limit),
                value: step.value.map(|value| run.sign * value),
                ..step
            })
        });
        let top = match top {
            Err(error) if operator.is_stop(&error) => {
                found.is_stopped = true;
                return Ok(false);
            }
            top => top?,
        };
        found.num_matvecs += top.num_matvecs;
        found.is_stopped = top.outcome == Outcome::Stopped;
        let is_certain = top.outcome.is_converged();
        let found_one = (
            top.values.first(),
            top.residuals.first(),
            top.vectors.into_iter().next(),
        );
        let (Some(&value), Some(&residual), Some(vector)) = found_one else {
            return Ok(false);
        };
        let pair = Eigenpair {
            value,
            vector,
            residual,
        };
        found.size = found.size.max(pair.value.abs());
        if found.is_stopped || pair.value <= found.multiplier + run.tolerance * found.size {
            return Ok(is_certain);
        }
        let (products, size) = (found.num_matvecs, found.size);
        *found = match with_eigenvector(run, operator, g, &pair, products) {
            Err(error) if operator.is_stop(&error) => {
                found.is_stopped = true;
                return Ok(false);
            }
            better => better?,
        };
        found.num_matvecs += products;
        found.size = found.size.max(size);
        Ok(is_certain)
    }
}

/// The problem split into an eigenvector and its complement, which the operator maps to itself.
fn with_eigenvector<A: SelfAdjoint + ?Sized>(
    run: &Run,
    operator: &A,
    g: &A::Vector,
    pair: &Eigenpair<A::Vector>,
    before: usize,
) -> Result<Found<A::Vector>, A::Error> {
    let share = pair.vector.dot(g)?;
    let rest = g.clone().axpy(-share, &pair.vector)?;
    let length = rest.norm()?;
    if length <= rest.epsilon() * run.gradient {
        // Nothing of the gradient is elsewhere; zero included.
        let mut found = Found {
            v: g.zeros_like()?,
            hard: None,
            multiplier: pair.value,
            is_inside: false,
            size: pair.value.abs(),
            num_matvecs: 0,
            is_stopped: false,
            value: 0.5 * pair.value * run.radius * run.radius,
            residual: pair.residual * run.radius,
        };
        if share.abs() <= run.tolerance * run.gradient {
            found.hard = Some((pair.vector.clone(), run.radius));
        } else {
            found.v = pair.vector.clone().scale(run.radius.copysign(share));
            found.multiplier += share.abs() / run.radius;
            found.value += share.abs() * run.radius;
        }
        return Ok(found);
    }
    let line = Orthonormal::line(pair.vector.clone())?;
    let complement = Deflated::new(operator, line)?;
    run.maximize(&complement, rest, Some((pair, share)), before)
}

/// The solution with its value and its residual, by one more product.
fn finish<A: SelfAdjoint + ?Sized>(
    run: &Run,
    operator: &A,
    g: &A::Vector,
    found: Found<A::Vector>,
    certified: bool,
) -> Result<TrustRegionSolution<A::Vector>, A::Error> {
    let moved = |length: f64| match &found.hard {
        None => Ok(found.v.clone()),
        Some((vector, _)) => found.v.clone().axpy(length, vector),
    };
    let length = found.hard.as_ref().map_or(0.0, |(_, length)| *length);
    let v = moved(length)?;
    let mirror = if length > 0.0 {
        Some(moved(-length)?)
    } else {
        None
    };
    let kind = match (found.is_inside, length > 0.0) {
        (true, _) => SolutionKind::Interior,
        (false, true) => SolutionKind::HardCase,
        (false, false) => SolutionKind::Boundary,
    };
    let norm = v.norm()?;
    let mut solution = TrustRegionSolution {
        v,
        mirror,
        kind,
        multiplier: found.multiplier,
        value: found.value,
        residual: found.residual,
        goal: run.goal(found.size, norm),
        outcome: Outcome::Stopped,
        certified,
        num_matvecs: found.num_matvecs,
    };
    let v = &solution.v;
    let product = match operator.matvec(v) {
        Err(error) if operator.is_stop(&error) => return Ok(solution),
        product => product?,
    };
    let not_finite = KrylovFault::NonFinite {
        product: found.num_matvecs,
    };
    let value = g.dot(v)? + 0.5 * v.dot(&product)?;
    if !value.is_finite() {
        let size = product.norm()?;
        let fault = if size.is_finite() {
            KrylovFault::OutOfRange {
                name: "the value of the quadratic",
                exponent: exponent(size) + exponent(norm),
            }
        } else {
            not_finite
        };
        return Err(fault.into());
    }
    let residual = product.axpy(-found.multiplier, v)?.axpy(1.0, g)?.norm()?;
    if !residual.is_finite() {
        return Err(not_finite.into());
    }
    // The product has rounding errors too.
    let rounding = 64.0 * v.epsilon() * (run.gradient + found.size.max(found.multiplier) * norm);
    let is_small = residual <= solution.goal + rounding;
    solution.value = value;
    solution.residual = residual;
    solution.outcome = Outcome::of(!found.is_stopped && is_small, found.is_stopped);
    solution.num_matvecs += 1;
    Ok(solution)
}
