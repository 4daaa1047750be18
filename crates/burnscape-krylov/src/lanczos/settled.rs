use super::projected::Projected;
use crate::Which;

/// Whether the outermost Ritz values of a subspace that grew step by step are those of the outermost
/// eigenvalues.
///
/// A small residual proves that an eigenvalue is near, not which one. Where another eigenvalue is far out at
/// the other end, every residual is small relative to the norm of the operator, and `k` vectors of any
/// kind pass for the `k` outermost. Two conditions are added:
///
/// - The residuals are small relative to how far the Ritz values at this end are apart: see [`Apart`].
/// - The values have settled. They move outward monotonously, and on the way through a dense spectrum by
///   more than their residuals: with the number of steps `m` the distance to its end falls as `1/m²`, so
///   that `m/2` times the change of a step is left. Once they have found their eigenvalues, the change
///   of a step is of the order of the square of the residual. A quarter of the allowed residual is
///   negligible in any case.
///
/// The values of a smaller subspace are those of a leading block of the projected operator: nothing is
/// multiplied for this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled<'a> {
    pub(crate) projected: &'a Projected,
    /// The row from which on the subspace is one Krylov space.
    pub(crate) first: usize,
    /// How many of its vectors came at once: kept by a restart, or given.
    pub(crate) fixed: usize,
    /// Vectors that a step adds.
    pub(crate) width: usize,
    /// Steps so far, those before restarts included.
    pub(crate) degree: usize,
    /// The largest change of a value by rounding.
    pub(crate) noise: f64,
    /// The largest residual allowed.
    pub(crate) goal: f64,
    /// The same, relative to the norm.
    pub(crate) tolerance: f64,
}

/// The largest residual, relative to the distances within the end, that still distinguishes eigenvalues.
///
/// Two eigenvalues nearer to each other than a residual may share a Ritz vector, whose value is then a mean
/// of theirs. The space of one vector has a single such vector, nearer to the wrong one of them where the
/// start had little of the right one: a smaller residual is needed for it to turn. A block has a vector for
/// each; vectors beyond those that are wanted leave the last wanted one its own as well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Apart {
    /// However small the tolerance is.
    least: f64,
    /// The coarsest that a tolerance makes of it.
    coarsest: f64,
}

impl Apart {
    pub(crate) const ONE_VECTOR: Self = Self::within(2e-5, 2e-3);
    pub(crate) const BLOCK: Self = Self::within(5e-4, 2e-3);
    pub(crate) const GUARDED: Self = Self::within(2e-3, 2e-3);

    pub(crate) const fn within(least: f64, coarsest: f64) -> Self {
        Self { least, coarsest }
    }

    /// For a space that grows by `width` vectors at once.
    pub(crate) fn of(width: usize) -> Self {
        match width {
            0 | 1 => Self::ONE_VECTOR,
            _ => Self::BLOCK,
        }
    }

    /// With `guards` vectors beyond the wanted ones.
    pub(crate) fn of_guarded(guards: usize) -> Self {
        match guards {
            0 => Self::BLOCK,
            _ => Self::GUARDED,
        }
    }

    /// How large residuals may be if the `k` eigenvalues at this end are to be distinguished from others. The
    /// Ritz values ascend.
    pub(crate) fn residual(
        self,
        (which, k): (Which, usize),
        ascending: &[f64],
        (tolerance, noise): (f64, f64),
    ) -> f64 {
        let share = (2.0 * tolerance).clamp(self.least, self.coarsest);
        (share * breadth((which, k), ascending, noise)).max(noise)
    }
}

/// Copies of an eigenvalue differ by this much of the rounding.
const ALIKE: f64 = 16.0;
/// Movement is measured over the last of this many parts of the subspace.
const PARTS: usize = 16;

impl Settled<'_> {
    /// `pairs` are all Ritz values of the subspace with their residuals, ascending; the `count` outermost
    /// ones are examined.
    pub(crate) fn is(&self, which: Which, pairs: &[(f64, f64)], count: usize) -> bool {
        let values: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
        let apart = Apart::of(self.width);
        let least = apart.residual((which, count), &values, (self.tolerance, self.noise));
        let allowed = self.goal.min(least);
        let now = which.outermost(pairs.to_vec(), count);
        self.is_of(which, &now, allowed)
    }

    /// As [`is`](Self::is) for the outermost values and their residuals, which may be `allowed`.
    pub(crate) fn is_of(&self, which: Which, now: &[(f64, f64)], allowed: f64) -> bool {
        // Not a number is not small.
        if !now.iter().all(|(_, residual)| *residual <= allowed) {
            return false;
        }
        let (len, width) = (self.projected.len() - self.first, self.width.max(1));
        let steps = (len / width / PARTS).max(1);
        let before = len.saturating_sub(steps * width).max(self.fixed);
        if before < now.len() || before >= len {
            return false;
        }
        let earlier = self.projected.eigen(self.first..self.first + before);
        let earlier = which.outermost(earlier, now.len());
        let steps = (len - before) as f64 / width as f64;
        let mut both = now.iter().zip(&earlier);
        both.all(|((value, residual), (old, _))| {
            let moved = at_rest(steps, self.degree, (*residual, allowed));
            (value - old).abs() <= self.noise + moved
        })
    }
}

/// How broad the spectrum is without what is far out at the other end: twice the distance from the first
/// Ritz value at this end to the median of those that are not wanted, which a few far ones do not move.
/// Copies of one value count once.
pub(crate) fn breadth((which, k): (Which, usize), ascending: &[f64], noise: f64) -> f64 {
    let distance = |values: &mut dyn Iterator<Item = f64>, wanted: usize| {
        let (mut distinct, mut num_wanted) = (Vec::<f64>::new(), 0);
        for (place, value) in values.enumerate() {
            let is_copy = |kept: &f64| (value - kept).abs() <= ALIKE * noise;
            if !distinct.last().is_some_and(is_copy) {
                distinct.push(value);
                num_wanted += usize::from(place < wanted);
            }
        }
        let rest = distinct.len() - num_wanted;
        // A single one may be the far one.
        let place = match rest {
            1 => num_wanted.saturating_sub(1),
            _ => num_wanted + rest.saturating_sub(1) / 2,
        };
        let middle = distinct.get(place);
        match (distinct.first(), middle.or(distinct.last())) {
            (Some(first), Some(middle)) => 2.0 * (first - middle).abs(),
            _ => 0.0,
        }
    };
    let mut up = ascending.iter().copied();
    let mut down = ascending.iter().rev().copied();
    match which {
        Which::Smallest => distance(&mut up, k),
        Which::Largest => distance(&mut down, k),
        Which::LargestMagnitude | Which::BothEnds => {
            let half = k.div_ceil(2);
            distance(&mut up, half).min(distance(&mut down, half))
        }
    }
}

/// The largest movement of a settled value in the last `steps` of `degree` steps, where residuals may be `allowed`.
pub(crate) fn at_rest(steps: f64, degree: usize, (residual, allowed): (f64, f64)) -> f64 {
    2.0 * steps / degree.max(1) as f64 * residual.max(allowed / 4.0)
}
