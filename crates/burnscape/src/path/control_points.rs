use burn::module::Module;

use super::PathError;
use super::gram::Gram;
use crate::range::ensure;
use crate::space::{
    LeafVector, ParamSpace, ParamVector, SpaceError, as_accumulator, scaled, unshared_copy,
};

/// The points that span a curve: its two end models, and the parameters in between.
///
/// The ends are copies that share no running statistics with the user's models: further training of these
/// does not move a curve. Frozen parameters and running statistics belong to the ends.
///
/// # Cost
///
/// Memory for the parameters of the inner points; the ends share theirs with the given models.
#[derive(Debug, Clone)]
pub struct ControlPoints<M> {
    first: M,
    last: M,
    space: ParamSpace,
    vectors: Vec<LeafVector>,
}

impl<M: Module> ControlPoints<M> {
    /// `count` points at equal distances on the straight line, ends included.
    pub(super) fn on_the_line(first: &M, last: &M, count: usize) -> Result<Self, PathError> {
        let ends = Self::from_models(&[first, last])?;
        let [a, b] = [&ends.vectors[0], &ends.vectors[1]];
        let segments = (count - 1) as f64;
        // If both ends are equal, so are the points in between, to the last bit.
        let step = b.clone().widen().axpby(1.0, -1.0, &a.clone().widen())?;
        let inner = (1..count - 1).map(|index| {
            let t = index as f64 / segments;
            Ok(a.clone().widen().axpby(1.0, t, &step)?.narrow())
        });
        let inner = inner.collect::<Result<Vec<_>, PathError>>()?;
        ends.with_inner(inner)
    }

    /// The parameters of these models, two or more; the first and the last are the ends.
    pub(super) fn from_models(models: &[&M]) -> Result<Self, PathError> {
        ensure("models.len()", models.len() as f64, 2.0..)?;
        let (first, last) = (models[0], models[models.len() - 1]);
        let space = ParamSpace::of(first)?;
        let vectors = models
            .iter()
            .map(|model| {
                space.check_same(&ParamSpace::of(*model)?)?;
                LeafVector::from_module(&space, *model)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            first: unshared_copy(first),
            last: unshared_copy(last),
            space,
            vectors,
        })
    }

    /// The same ends with other points in between.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] if a vector belongs to another space.
    pub fn with_inner(&self, inner: Vec<LeafVector>) -> Result<Self, PathError> {
        for vector in &inner {
            self.space.check_same(vector.space())?;
        }
        let mut points = self.clone();
        points.vectors.splice(1..self.vectors.len() - 1, inner);
        Ok(points)
    }

    /// The same points with another last one.
    pub(super) fn with_last(&self, last: &M) -> Result<Self, PathError> {
        let mut points = self.clone();
        points.vectors.pop();
        points
            .vectors
            .push(LeafVector::from_module(&self.space, last)?);
        points.last = unshared_copy(last);
        Ok(points)
    }

    /// The points from the last to the first.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut points = self.clone();
        points.vectors.reverse();
        std::mem::swap(&mut points.first, &mut points.last);
        points
    }

    /// The model at `t = 0`.
    pub fn first(&self) -> &M {
        &self.first
    }

    /// The model at `t = 1`.
    pub fn last(&self) -> &M {
        &self.last
    }

    /// The space of the parameters.
    pub fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// All points, ends included.
    pub fn vectors(&self) -> &[LeafVector] {
        &self.vectors
    }

    /// The points between the ends.
    pub fn inner(&self) -> &[LeafVector] {
        &self.vectors[1..self.vectors.len() - 1]
    }

    /// `Σ weights_k · point_k`.
    pub(super) fn combine(&self, weights: &[f64]) -> Result<LeafVector, PathError> {
        Ok(combination(&self.space, weights, self.vectors.iter())?)
    }

    /// `⟨c_i − c_0, c_j − c_0⟩` for all points, with one host synchronization.
    pub(super) fn gram(&self) -> Result<Gram, PathError> {
        let origin = self.vectors[0].clone().widen();
        let differences = self.vectors.iter().skip(1).map(|vector| {
            let vector = vector.clone().widen();
            vector.axpby(1.0, -1.0, &origin)
        });
        let differences = differences.collect::<Result<Vec<_>, _>>()?;
        let count = self.vectors.len();
        // The products with the first are zero.
        let places: Vec<(usize, usize)> = (1..count)
            .flat_map(|i| (i..count).map(move |j| (i, j)))
            .collect();
        let pairs: Vec<(&LeafVector, &LeafVector)> = places
            .iter()
            .map(|&(i, j)| (&differences[i - 1], &differences[j - 1]))
            .collect();
        let (dots, _) = LeafVector::wide_dots(&pairs, &[])?;
        let products: Vec<_> = places.into_iter().zip(dots).collect();
        Ok(Gram::new(count, &products))
    }

    /// See [`Curve::offset`](super::Curve::offset).
    pub(super) fn offset(&self, fraction: f64, seed: u64) -> Result<Self, PathError> {
        ensure("offset", fraction, 0.0..)?;
        if fraction == 0.0 {
            return Ok(self.clone());
        }
        let [first, last] = [&self.vectors[0], &self.vectors[self.vectors.len() - 1]];
        let line = ParamVector::from_leaves(&last.axpby(1.0, -1.0, first)?)?;
        let length = line.norm()?;
        if length == 0.0 {
            return Err(PathError::Degenerate {
                what: "the ends of the path are the same point",
            });
        }
        let mut inner = Vec::with_capacity(self.inner().len());
        for (index, point) in self.inner().iter().enumerate() {
            let seed = seed.wrapping_add((index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let random = ParamVector::gaussian(&self.space, seed)?;
            let norm = random.norm()?;
            let across = random.orthogonalize(std::slice::from_ref(&line))?;
            if across.norm()? <= 1e-6 * norm {
                return Err(PathError::Degenerate {
                    what: "there is no direction across the line between the ends",
                });
            }
            let across = across.normalize()?.to_leaves();
            inner.push(point.axpby(1.0, fraction * length, &across)?);
        }
        self.with_inner(inner)
    }
}

/// `Σ weights_k · vector_k` as a vector of `space`, which all of them share but for identifiers.
/// Vectors with weight zero are not read, and a weight of one is not applied: if one vector has all
/// the weight, the sum equals that vector to the last bit.
///
/// It goes leaf by leaf, so that each sum is owned and added to in place.
pub(super) fn combination<'a>(
    space: &ParamSpace,
    weights: &[f64],
    vectors: impl Iterator<Item = &'a LeafVector>,
) -> Result<LeafVector, SpaceError> {
    let terms: Vec<(f64, &LeafVector)> = weights.iter().copied().zip(vectors).collect();
    for (_, vector) in &terms {
        space.check_same(vector.space())?;
    }
    let mut index = 0;
    let sum = LeafVector::zeros(space).map_all(|_, _| {
        let leaf = |vector: &LeafVector| vector.leaves().get(index).cloned().flatten();
        let terms = terms.iter().filter(|(weight, _)| *weight != 0.0);
        let terms = terms.filter_map(|(weight, vector)| {
            let value = as_accumulator(leaf(vector)?);
            Some(if *weight == 1.0 {
                value
            } else {
                scaled(value, *weight)
            })
        });
        let sum = terms.reduce(|sum, term| sum + term);
        index += 1;
        sum
    });
    Ok(sum.narrow())
}
