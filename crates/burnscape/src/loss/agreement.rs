//! Whether two numbers that are equal in exact arithmetic are equal to rounding.

/// Two numbers at one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sides {
    /// How far they are apart.
    pub(crate) difference: f64,
    /// What that is compared with.
    pub(crate) size: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Agreement {
    Equal,
    /// The difference over the size, at the first point where they are not.
    Different {
        defect: f64,
    },
    /// The first point has no finite numbers.
    NotFinite,
}

/// Compares at one point after the other, until two numbers are equal.
///
/// Where the terms of both cancel, their rounding is all there is to see, and numbers differ that are
/// equal. It does not differ by more than rounding of the terms, whose size shows where they do not
/// cancel: there the numbers have to be equal, and the differences seen before have to be small in
/// comparison. `at` gives nothing for a point without finite numbers.
pub(crate) fn compare<P, E>(
    tolerance: f64,
    points: impl IntoIterator<Item = P>,
    mut at: impl FnMut(P) -> Result<Option<Sides>, E>,
) -> Result<Agreement, E> {
    let mut seen = false;
    let mut different: Vec<Sides> = Vec::new();
    for point in points {
        match at(point)? {
            None if !seen => return Ok(Agreement::NotFinite),
            // Zeros on both sides show nothing.
            Some(Sides { size, .. }) if size == 0.0 => {}
            None => {}
            Some(sides) => {
                let bound = tolerance * sides.size;
                let is_equal = sides.difference <= bound;
                if is_equal && different.iter().all(|before| before.difference <= bound) {
                    return Ok(Agreement::Equal);
                }
                if !is_equal {
                    different.push(sides);
                }
            }
        }
        seen = true;
    }
    Ok(match different.first() {
        None => Agreement::Equal,
        Some(Sides { difference, size }) => Agreement::Different {
            defect: difference / size,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(points: &[Option<(f64, f64)>]) -> Agreement {
        let sides = |point: &Option<(f64, f64)>| {
            Ok::<_, ()>(point.map(|(difference, size)| Sides { difference, size }))
        };
        compare(1e-3, points, sides).unwrap_or(Agreement::NotFinite)
    }

    #[test]
    fn the_first_point_is_enough_where_nothing_cancels() {
        assert_eq!(judged(&[Some((1e-4, 1.0)), None]), Agreement::Equal);
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
