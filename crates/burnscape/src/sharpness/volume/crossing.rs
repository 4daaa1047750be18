//! Where a ray leaves a region.

/// Evaluations that refine a radius, at most.
const MOST: usize = 120;

/// A radius at which `excess` changes its sign, to a relative tolerance; none if it is not positive anywhere up to
/// `limit`, as far as looked at.
///
/// `excess` is −1 at radius zero, for which it is not called, and positive beyond the region; infinite values are fine.
/// From `guess` the radius is doubled until `excess` is positive. The bracket is then refined by Chandrupatla's method,
/// which chooses between bisection and inverse quadratic interpolation. A radius at which `|excess|` is at most the
/// tolerance is a result, too.
///
/// # Reference
///
/// Chandrupatla 1997, *A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function without
/// using derivatives*, Advances in Engineering Software 28.
pub(super) fn crossing<E>(
    guess: f64,
    limit: f64,
    tolerance: f64,
    mut excess: impl FnMut(f64) -> Result<f64, E>,
) -> Result<Option<f64>, E> {
    let (mut other, mut at_other) = (0.0, -1.0);
    let mut last = guess.min(limit);
    let mut at_last = excess(last)?;
    while at_last <= tolerance {
        if at_last >= -tolerance {
            return Ok(Some(last));
        }
        if last >= limit {
            return Ok(None);
        }
        (other, at_other) = (last, at_last);
        last = (2.0 * last).min(limit);
        at_last = excess(last)?;
    }
    // The first step is the secant's: it is exact where `excess` is a line, as for a quadratic loss.
    let mut share = at_last / (at_last - at_other);
    if !share.is_finite() {
        share = 0.5;
    }
    for _ in 0..MOST {
        let (width, size) = ((last - other).abs(), last.max(other));
        if at_last.abs() <= tolerance || width <= tolerance * size {
            break;
        }
        let edge = 0.5 * tolerance * size / width;
        let next = last + share.clamp(edge, 1.0 - edge) * (other - last);
        let at_next = excess(next)?;
        let third = if (at_next > 0.0) == (at_last > 0.0) {
            (last, at_last)
        } else {
            let third = (other, at_other);
            (other, at_other) = (last, at_last);
            third
        };
        (last, at_last) = (next, at_next);
        share = interpolated((last, at_last), (other, at_other), third).unwrap_or(0.5);
    }
    // A wall right at the point leaves the smallest radius that was tried, not zero.
    let is_better = at_last.abs() <= at_other.abs() || other == 0.0;
    Ok(Some(if is_better { last } else { other }))
}

/// The share of the way from the first to the second point at which the inverse quadratic through three points is zero;
/// none where bisection is safer.
fn interpolated((x1, f1): (f64, f64), (x2, f2): (f64, f64), (x3, f3): (f64, f64)) -> Option<f64> {
    let xi = (x1 - x2) / (x3 - x2);
    let phi = (f1 - f2) / (f3 - f2);
    // Also false where a value is infinite.
    let is_monotone = phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi;
    let share =
        f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2);
    (is_monotone && share.is_finite()).then_some(share)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// The radius at which a rise reaches 0.1, and the number of evaluations.
    fn found(tolerance: f64, rise: impl Fn(f64) -> f64) -> (Option<f64>, usize) {
        let mut count = 0;
        let radius = crossing::<Infallible>(0.4, 1e3, tolerance, |radius| {
            count += 1;
            let rise = rise(radius);
            Ok(if rise.is_nan() {
                f64::INFINITY
            } else {
                (rise.max(0.0) / 0.1).sqrt() - 1.0
            })
        });
        (radius.unwrap(), count)
    }

    #[track_caller]
    fn assert_found(tolerance: f64, exact: f64, most: usize, rise: impl Fn(f64) -> f64) {
        let (radius, count) = found(tolerance, rise);
        let error = (radius.unwrap() / exact - 1.0).abs();
        assert!(
            error <= 4.0 * tolerance && count <= most,
            "{error:e} {count}"
        );
    }

    #[test]
    fn a_quadratic_takes_two_evaluations() {
        for curvature in [1.0, 4.0, 1e6] {
            let exact = (0.2_f64 / curvature).sqrt();
            assert_found(1e-10, exact, 2 + 2 * usize::from(exact > 0.4), |r| {
                0.5 * curvature * r * r
            });
        }
        // Twice the guess, and twice again.
        assert_found(1e-10, 2e1_f64.sqrt(), 7, |r| 0.005 * r * r);
    }

    #[test]
    fn other_growth_is_refined_to_the_tolerance() {
        assert_found(1e-9, 0.1_f64.powf(0.25), 9, |r| r.powi(4));
        assert_found(1e-9, 0.1 / 3.0, 9, |r| 3.0 * r);
        let exact = (1.1_f64.ln() / 50.0).sqrt();
        assert_found(1e-9, exact, 12, |r| (50.0 * r * r).exp() - 1.0);
    }

    #[test]
    fn walls_are_found_by_bisection() {
        for wall in [10.0, f64::INFINITY, f64::NAN] {
            assert_found(1e-6, 0.7, 40, |r| if r < 0.7 { 0.0 } else { wall });
        }
    }

    #[test]
    fn a_wall_at_the_point_leaves_a_positive_radius() {
        let (radius, count) = found(1e-6, |_| f64::INFINITY);
        assert!(radius.unwrap() > 0.0 && radius.unwrap() < 1e-30 && count == 1 + MOST);
    }

    #[test]
    fn a_loss_that_falls_first_is_followed_up() {
        // −r + 3 r² is 0.1 at the larger root.
        let exact = (1.0 + 2.2_f64.sqrt()) / 6.0;
        assert_found(1e-9, exact, 12, |r| -r + 3.0 * r * r);
    }

    #[test]
    fn a_loss_that_stays_low_has_no_crossing() {
        assert_eq!(found(1e-6, |_| 0.05), (None, 13));
        // Within the tolerance at the limit.
        assert_eq!(found(1e-6, |_| 0.1).0, Some(0.4));
    }
}
