//! Compares numbers that are equal in exact arithmetic, up to rounding.

use burn::tensor::DType;

use crate::space::Distance;

/// The comparison of two numbers at one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sides {
    /// The absolute difference.
    pub(crate) difference: f64,
    /// The scale of the difference.
    pub(crate) size: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Agreement {
    Equal,
    /// The relative difference at the first point.
    Different {
        defect: f64,
    },
    /// The numbers at the first point are not finite.
    NotFinite,
}

/// The largest relative difference between numbers that count as equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tolerance {
    /// At a single point. Different numbers rarely come this close by chance.
    pub(crate) at_once: f64,
    /// At every point except the first.
    pub(crate) throughout: f64,
}

impl Tolerance {
    /// The same tolerance at a single point and throughout.
    pub(crate) fn of(tolerance: f64) -> Self {
        Self {
            at_once: tolerance,
            throughout: tolerance,
        }
    }
}

/// Compares two numbers at one point after another until they agree.
///
/// Where the terms of both numbers cancel, only rounding errors remain, and equal numbers differ. The difference is
/// then at most the rounding error of the terms. Their size shows at points where they do not cancel: there the
/// numbers must be equal, and all earlier differences must be small in comparison. `at` returns `None` for a point
/// without finite numbers.
pub(crate) fn compare<P, E>(
    tolerance: Tolerance,
    points: impl IntoIterator<Item = P>,
    mut at: impl FnMut(P) -> Result<Option<Sides>, E>,
) -> Result<Agreement, E> {
    let mut is_first = true;
    let mut seen: Vec<Sides> = Vec::new();
    // Whether all differences are small relative to `size`.
    let are_small = |seen: &[Sides], size: f64| {
        let bound = tolerance.throughout * size;
        seen.iter().all(|sides| sides.difference <= bound)
    };
    for point in points {
        match at(point)? {
            None if is_first => return Ok(Agreement::NotFinite),
            Some(sides) if sides.size > 0.0 => {
                seen.push(sides);
                let is_equal = sides.difference <= tolerance.at_once * sides.size;
                if is_equal && are_small(&seen, sides.size) {
                    return Ok(Agreement::Equal);
                }
            }
            // Two zeros carry no information.
            _ => {}
        }
        is_first = false;
    }
    let [first, others @ ..] = seen.as_slice() else {
        return Ok(Agreement::Equal);
    };
    let is_equal = |sides: &Sides| sides.difference <= tolerance.throughout * sides.size;
    let last = others.last().unwrap_or(first);
    let is_rounding = others.iter().all(is_equal) && are_small(&seen, last.size);
    Ok(if is_rounding {
        Agreement::Equal
    } else {
        Agreement::Different {
            defect: first.difference / first.size,
        }
    })
}

/// Compares two numbers at the weights, where they are `own`, and at growing distances from them.
pub(crate) fn compare_nearby<E>(
    tolerance: f64,
    dtype: DType,
    own: Option<Sides>,
    mut at: impl FnMut(Distance) -> Result<Option<Sides>, E>,
) -> Result<Agreement, E> {
    let points = std::iter::once(None).chain(Distance::growing(dtype).map(Some));
    compare(Tolerance::of(tolerance), points, |point| match point {
        None => Ok(own),
        Some(distance) => at(distance),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Tolerance = Tolerance {
        at_once: 1e-5,
        throughout: 1e-3,
    };

    fn judged(points: &[Option<(f64, f64)>]) -> Agreement {
        let sides = |point: &Option<(f64, f64)>| {
            Ok::<_, ()>(point.map(|(difference, size)| Sides { difference, size }))
        };
        compare(TOLERANCE, points, sides).unwrap_or(Agreement::NotFinite)
    }

    #[test]
    fn the_first_point_is_enough_where_nothing_cancels() {
        assert_eq!(judged(&[Some((1e-6, 1.0)), None]), Agreement::Equal);
    }

    #[test]
    fn rounding_of_what_has_cancelled_is_told_by_a_larger_point() {
        let rounding = Some((1e-7, 1e-7));
        assert_eq!(judged(&[rounding, Some((1e-6, 1.0))]), Agreement::Equal);
        // Too much for rounding of terms of that size.
        assert_eq!(
            judged(&[Some((1e-2, 1e-2)), Some((1e-6, 1.0))]),
            Agreement::Different { defect: 1.0 }
        );
        // Never equal.
        assert_eq!(
            judged(&[rounding, Some((0.5, 1.0)), Some((2.0, 4.0))]),
            Agreement::Different { defect: 1.0 }
        );
    }

    #[test]
    fn numbers_that_are_near_by_chance_at_one_point_are_not_equal() {
        let (near, far) = (Some((1e-4, 1.0)), Some((0.5, 1.0)));
        assert!(matches!(judged(&[near, far]), Agreement::Different { .. }));
        assert!(matches!(
            judged(&[far, near, far]),
            Agreement::Different { .. }
        ));
        // A deep network in a narrow type is equally close everywhere.
        assert_eq!(judged(&[near, near, near]), Agreement::Equal);
        assert_eq!(judged(&[near]), Agreement::Equal);
    }

    #[test]
    fn zeros_show_nothing_and_do_not_hide_a_difference() {
        let zero = Some((0.0, 0.0));
        assert_eq!(judged(&[zero, zero]), Agreement::Equal);
        assert_eq!(
            judged(&[zero, Some((0.5, 1.0))]),
            Agreement::Different { defect: 0.5 }
        );
    }

    #[test]
    fn a_first_point_that_is_not_finite_is_told() {
        assert_eq!(judged(&[None, Some((0.0, 1.0))]), Agreement::NotFinite);
        assert_eq!(
            judged(&[Some((0.5, 1.0)), None]),
            Agreement::Different { defect: 0.5 }
        );
    }
}
