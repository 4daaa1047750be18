use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::{Direction, DirectionKind, LandscapeError};
use crate::space::{ParamSpace, ParamVector, SpaceError, Wide, parallel_bound};
use crate::writing::number;

/// What a landscape keeps of a [`Direction`]: everything but the vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DirectionRecord {
    /// What the direction is.
    pub kind: DirectionKind,
    /// Its length `|d|`: that of a displacement with coordinate 1.
    #[serde(with = "number")]
    pub norm: f64,
    /// Its length relative to that of the weights, `|d| / |w|`.
    #[serde(with = "number")]
    pub relative_norm: f64,
}

/// What a landscape keeps of its directions.
pub(super) fn records<M: Module>(
    space: &ParamSpace,
    model: &M,
    directions: &[Direction],
    norms: &[f64],
) -> Result<Vec<DirectionRecord>, SpaceError> {
    let size = ParamVector::from_module(space, model)?.norm()?;
    let record = |(direction, &norm): (&Direction, &f64)| DirectionRecord {
        kind: direction.kind().clone(),
        norm,
        relative_norm: norm / size,
    };
    Ok(directions.iter().zip(norms).map(record).collect())
}

/// The Gram matrix of the directions, `⟨d_a, d_b⟩`.
pub(super) fn gram(directions: &[Direction]) -> Result<Vec<Vec<f64>>, SpaceError> {
    let mut gram = vec![vec![0.0; directions.len()]; directions.len()];
    for (a, first) in directions.iter().enumerate() {
        for (b, second) in directions.iter().enumerate().skip(a) {
            let product = first.vector().dot(second.vector())?;
            gram[a][b] = product;
            gram[b][a] = product;
        }
    }
    Ok(gram)
}

/// Lengths and Gram matrix of directions that are independent of each other.
///
/// # Errors
///
/// [`LandscapeError::NoDirection`] for a length that is zero or not finite, [`LandscapeError::Parallel`] for a
/// direction in the span of those before it, up to rounding.
pub(super) fn checked(
    directions: &[Direction],
) -> Result<(Vec<f64>, Vec<Vec<f64>>), LandscapeError> {
    let vectors = || directions.iter().map(Direction::vector);
    let norms = vectors().enumerate();
    let norms = norms.map(|(index, vector)| length(index, vector));
    let norms = norms.collect::<Result<Vec<f64>, LandscapeError>>()?;
    let gram = gram(directions)?;
    let mut basis: Vec<ParamVector> = Vec::with_capacity(directions.len());
    for (index, (vector, &norm)) in vectors().zip(&norms).enumerate() {
        let rest = vector.clone().orthogonalize(&basis)?;
        length_outside(index, (vector, norm), &rest, basis.iter())?;
        basis.push(rest);
    }
    Ok((norms, gram))
}

/// The length of a direction, which must be positive and finite.
pub(super) fn length(index: usize, direction: &ParamVector) -> Result<f64, LandscapeError> {
    let norm = direction.norm()?;
    if norm > 0.0 && norm.is_finite() {
        Ok(norm)
    } else {
        Err(LandscapeError::NoDirection { index, norm })
    }
}

/// The length of `rest`, the part of a direction orthogonal to `earlier`, which are orthogonal to each other. It is an
/// error if that part is rounding.
pub(super) fn length_outside<'a>(
    index: usize,
    (direction, norm): (&ParamVector, f64),
    rest: &ParamVector,
    earlier: impl Iterator<Item = &'a ParamVector>,
) -> Result<f64, LandscapeError> {
    let left = rest.norm()?;
    if left > parallel_bound(norm, rest.values().dtype()) {
        return Ok(left);
    }
    let cosine = |vector: &ParamVector| -> Result<f64, SpaceError> {
        let size = vector.wide_norm()? * Wide::from(norm);
        Ok((direction.wide_dot(vector)? / size).value())
    };
    let cosines = earlier.map(cosine).collect::<Result<Vec<f64>, _>>()?;
    let cosine = match cosines.as_slice() {
        [only] => *only,
        several => several.iter().map(|one| one * one).sum::<f64>().sqrt(),
    };
    Err(LandscapeError::Parallel {
        index,
        cosine: cosine.clamp(-1.0, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};
    use burnscape_testkit::objectives::Point;

    use super::*;

    fn directions(vectors: &[[f64; 3]]) -> Vec<Direction> {
        let point = Point::new(&[0.0; 3], &Device::default(), DType::F64);
        let space = ParamSpace::of(&point).unwrap();
        let direction = |vector: &[f64; 3]| {
            let vector = ParamVector::from_host(&space, vector).unwrap();
            Direction::new(DirectionKind::Other("given".to_string()), vector)
        };
        vectors.iter().map(direction).collect()
    }

    #[test]
    fn the_gram_matrix_holds_the_inner_products() {
        let given = directions(&[[3.0, 4.0, 0.0], [0.0, 2.0, 0.0], [1.0, 0.0, -2.0]]);
        let expected = vec![
            vec![25.0, 8.0, 3.0],
            vec![8.0, 4.0, 0.0],
            vec![3.0, 0.0, 5.0],
        ];
        assert_eq!(gram(&given).unwrap(), expected);
        let (norms, gram) = checked(&given).unwrap();
        assert_eq!(gram, expected);
        assert_eq!(norms[..2], [5.0, 2.0]);
        assert!((norms[2] - 5.0_f64.sqrt()).abs() < 1e-15);
        // The first direction is alone, whatever its length.
        let (norms, gram) = checked(&directions(&[[0.0, 1e-200, 0.0]])).unwrap();
        assert!((norms[0] / 1e-200 - 1.0).abs() < 1e-14);
        assert_eq!(gram.len(), 1);
    }

    #[test]
    fn parallel_directions_are_refused_with_their_cosine() {
        for (factor, sign) in [(2.5, 1.0), (-1e-9, -1.0)] {
            let second = [1.0, 2.0, -0.5].map(|x| factor * x);
            let error = checked(&directions(&[[1.0, 2.0, -0.5], second])).unwrap_err();
            let text = error.to_string();
            let LandscapeError::Parallel { index, cosine } = error else {
                panic!("{text}");
            };
            assert_eq!(index, 1);
            assert!((cosine - sign).abs() < 1e-14, "{cosine}");
            assert!(text.contains(&cosine.to_string()), "{text}");
        }
        // A millionth apart is apart in double precision.
        checked(&directions(&[[2.0, 0.0, 0.0], [2.0, 2e-6, 0.0]])).unwrap();
    }

    #[test]
    fn three_directions_in_a_plane_are_refused() {
        let plane = [[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [3.0, -1.0, 0.0]];
        let error = checked(&directions(&plane)).unwrap_err();
        let text = error.to_string();
        let LandscapeError::Parallel { index, cosine } = error else {
            panic!("{text}");
        };
        // The cosine to the projection, although no two of the directions are parallel.
        assert_eq!(index, 2);
        assert!((cosine - 1.0).abs() < 1e-14, "{cosine}");
    }

    #[test]
    fn a_direction_without_a_length_is_refused() {
        let error = checked(&directions(&[[1.0, 0.0, 0.0], [0.0; 3]])).unwrap_err();
        assert_eq!(
            error,
            LandscapeError::NoDirection {
                index: 1,
                norm: 0.0
            }
        );
        let error = checked(&directions(&[[1.0, f64::NAN, 0.0]])).unwrap_err();
        let is_refused =
            matches!(error, LandscapeError::NoDirection { index: 0, norm } if norm.is_nan());
        assert!(is_refused, "{error}");
    }
}
