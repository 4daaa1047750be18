use crate::vector::divided;
use crate::{VectorBlock, VectorSpace};

/// A part of a vector below this many epsilons is rounding.
pub(crate) const ROUNDING: f64 = 64.0;

/// The part of `v` outside the span of orthonormal `bases`, of norm one; none if no more than the share `least` of `v`
/// is left, or a coordinate is not a number.
pub(crate) fn outside<B: VectorBlock>(
    bases: &[&B],
    v: B::Vector,
    least: f64,
) -> Result<Option<B::Vector>, <B::Vector as VectorSpace>::Error> {
    let (mut rest, mut size, mut remainder) = (v, None, 0.0);
    for basis in bases {
        let (_, less, [before, after]) = basis.split(rest, &[0])?;
        size.get_or_insert(before);
        (rest, remainder) = (less, after);
    }
    let smallest = least * size.unwrap_or(0.0);
    if remainder > smallest && remainder.is_finite() {
        polished(bases, rest, remainder)
    } else {
        Ok(None)
    }
}

/// The second pass, which removes the rounding errors of the first, for a vector of that length; none if nothing is left.
pub(crate) fn polished<B: VectorBlock>(
    bases: &[&B],
    rest: B::Vector,
    length: f64,
) -> Result<Option<B::Vector>, <B::Vector as VectorSpace>::Error> {
    // Scaled between the passes, so that the second one works at the size it corrects.
    let mut rest = divided(rest, length);
    for basis in bases {
        rest = basis.project_out(rest)?;
    }
    let length = rest.norm()?;
    Ok((length > 0.0).then(|| divided(rest, length)))
}

/// Appends the part of `v` outside the basis, unless it is rounding: whether there was one.
pub(crate) fn push_outside<B: VectorBlock>(
    basis: &mut B,
    v: B::Vector,
) -> Result<bool, <B::Vector as VectorSpace>::Error> {
    let least = ROUNDING * v.epsilon();
    let unit = outside(&[basis], v, least)?;
    let is_new = unit.is_some();
    if let Some(unit) = unit {
        basis.push(unit)?;
    }
    Ok(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KrylovFault, VectorList};

    #[test]
    fn nothing_but_a_new_direction_is_taken() -> Result<(), KrylovFault> {
        let mut basis = VectorList::<Vec<f64>>::with_capacity(&3, 3)?;
        assert!(push_outside(&mut basis, vec![3.0, 4.0, 0.0])?);
        for old in [
            [6.0, 8.0, 0.0],
            [0.0, 0.0, 0.0],
            [1.0, f64::NAN, 0.0],
            [f64::INFINITY, 0.0, 0.0],
        ] {
            assert!(!push_outside(&mut basis, old.to_vec())?, "{old:?}");
        }
        assert_eq!(basis.len(), 1);
        assert!(push_outside(&mut basis, vec![3.0, 4.0, -1e-9])?);
        let last = basis.get(1)?.map_or(0.0, |v| v[2]);
        assert!((last + 1.0).abs() < 1e-12, "{last}");
        Ok(())
    }
}
