use burn::module::Module;
use burn::tensor::Tensor;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::gather::{advance, moved, moved_on_host};
use super::{Symmetries, SymmetryError};
use crate::space::{float_tensors, stream, with_values};

/// A permutation of every group of [`Symmetries`].
///
/// A permutation `p` of a group acts on its members as `new[.., i, ..] = old[.., p(i), ..]`. A group with parents has one
/// permutation for each combination of their values, which counts at the *new* place: `new[.., h, .., i, ..]` is
/// `old[.., q(h), .., p_h(i), ..]` with `q` the permutation of the parent.
///
/// With [`Json`](crate::Json) it is stored, together with its symmetries, and is checked when it is read.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Two {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let model = Two {
///     first: LinearConfig::new(2, 3).init(&device),
///     second: LinearConfig::new(3, 1).init(&device),
/// };
/// let outputs = |m: &Two, x: &Tensor<2>| m.second.forward(m.first.forward(x.clone()).tanh());
/// let x = Tensor::<2>::ones([1, 2], &device);
/// let symmetries = SymmetriesConfig::new().run(&outputs, &model, x)?;
///
/// // (g h) m = g (h m), and g⁻¹ g = 1: bit by bit.
/// let [g, h] = [1, 2].map(|seed| symmetries.random(seed));
/// let weight = |m: &Two| m.first.weight.val().into_data();
/// let once = g.compose(&h)?.apply(&model)?;
/// assert_eq!(weight(&once), weight(&g.apply(&h.apply(&model)?)?));
/// assert_eq!(g.inverse().compose(&g)?, symmetries.identity());
/// # Ok::<(), burnscape::symmetry::SymmetryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Element {
    pub(crate) symmetries: Symmetries,
    /// For each group the permutations of all combinations of its parents' values, in row-major order.
    tables: Vec<Vec<usize>>,
}

/// An element as it is written and read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    symmetries: Symmetries,
    permutations: Vec<Vec<usize>>,
}

impl From<Element> for Stored {
    fn from(element: Element) -> Self {
        Self {
            symmetries: element.symmetries,
            permutations: element.tables,
        }
    }
}

impl TryFrom<Stored> for Element {
    type Error = SymmetryError;

    fn try_from(stored: Stored) -> Result<Self, SymmetryError> {
        Self::new(&stored.symmetries, stored.permutations)
    }
}

impl Element {
    pub(super) fn identity(symmetries: &Symmetries) -> Self {
        let layout = symmetries.layout();
        let groups = layout.groups.iter().enumerate();
        let tables = groups.map(|(index, group)| {
            let rows = 0..layout.num_rows(index);
            rows.flat_map(|_| 0..group.size).collect()
        });
        Self {
            symmetries: symmetries.clone(),
            tables: tables.collect(),
        }
    }

    /// Random permutations of the active groups.
    pub(super) fn random(
        symmetries: &Symmetries,
        seed: u64,
        is_active: &dyn Fn(usize) -> bool,
    ) -> Self {
        let mut element = Self::identity(symmetries);
        let tables = element.tables.iter_mut().zip(symmetries.groups());
        for (index, (table, group)) in tables.enumerate() {
            if is_active(index) {
                let mut rng = stream(seed, index as u64);
                for row in table.chunks_mut(group.size) {
                    row.shuffle(&mut rng);
                }
            }
        }
        element
    }

    /// The element of a draw of verification. A random permutation of two values moves nothing every other time; in the
    /// first draw every permutation moves every value, in the second those of every other combination of the parents'
    /// values do and the rest move nothing, and later ones are random.
    pub(super) fn of_draw(
        symmetries: &Symmetries,
        (seed, draw): (u64, usize),
        is_active: &dyn Fn(usize) -> bool,
    ) -> Self {
        if draw > 1 {
            return Self::random(symmetries, seed, is_active);
        }
        let mut element = Self::identity(symmetries);
        let tables = element.tables.iter_mut().zip(symmetries.groups());
        for (index, (table, group)) in tables.enumerate() {
            if !is_active(index) {
                continue;
            }
            let mut rng = stream(seed, index as u64);
            for (place, row) in table.chunks_mut(group.size).enumerate() {
                if draw == 1 && place % 2 == 1 {
                    continue;
                }
                // Sattolo's algorithm: a single cycle.
                for last in (1..row.len()).rev() {
                    row.swap(last, rng.random_range(0..last));
                }
            }
        }
        element
    }

    pub(super) fn new(
        symmetries: &Symmetries,
        tables: Vec<Vec<usize>>,
    ) -> Result<Self, SymmetryError> {
        let groups = symmetries.groups();
        if tables.len() != groups.len() {
            return Err(SymmetryError::Group {
                group: tables.len().min(groups.len()),
                message: format!(
                    "there are {} groups and {} tables; pass one table for each group",
                    groups.len(),
                    tables.len()
                ),
            });
        }
        for (index, (table, group)) in tables.iter().zip(groups).enumerate() {
            let refused = |message: String| {
                Err(SymmetryError::Group {
                    group: index,
                    message,
                })
            };
            let expected = symmetries.layout().num_rows(index) * group.size;
            if table.len() != expected {
                return refused(format!(
                    "its table has {} entries, expected {expected}; pass a permutation of {} for each combination of the \
                     parents' values",
                    table.len(),
                    group.size
                ));
            }
            for row in table.chunks(group.size) {
                let mut sorted = row.to_vec();
                sorted.sort_unstable();
                if !sorted
                    .iter()
                    .enumerate()
                    .all(|(place, entry)| place == *entry)
                {
                    return refused(format!(
                        "{row:?} is not a permutation; pass each number below {} once",
                        group.size
                    ));
                }
            }
        }
        Ok(Self {
            symmetries: symmetries.clone(),
            tables,
        })
    }

    /// The permutations of a group, one for each combination of its parents' values in row-major order, one after the
    /// other; `None` if there is no such group.
    pub fn permutation(&self, group: usize) -> Option<&[usize]> {
        self.tables.get(group).map(Vec::as_slice)
    }

    /// The product `self · before`, which acts as `before` followed by `self`: `(g h) m = g (h m)`, bit by bit.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::DifferentSymmetries`].
    pub fn compose(&self, before: &Self) -> Result<Self, SymmetryError> {
        if self.symmetries != before.symmetries {
            return Err(SymmetryError::DifferentSymmetries);
        }
        let groups = self.symmetries.groups().iter().enumerate();
        let tables = groups.map(|(index, group)| {
            // A place reads from its source under `self`, which reads from its source under `before`.
            let (rows, own) = (self.source_rows(index), &self.tables[index]);
            let of = |(place, &value): (usize, &usize)| {
                before.tables[index][rows[place / group.size] * group.size + value]
            };
            own.iter().enumerate().map(of).collect()
        });
        Ok(Self {
            symmetries: self.symmetries.clone(),
            tables: tables.collect(),
        })
    }

    /// The element that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let groups = self.symmetries.groups().iter().enumerate();
        let tables = groups.map(|(index, group)| {
            let (rows, own) = (self.source_rows(index), &self.tables[index]);
            let mut table = vec![0; own.len()];
            for (place, value) in own.iter().enumerate() {
                let source = rows[place / group.size] * group.size + value;
                table[source] = place % group.size;
            }
            table
        });
        Self {
            symmetries: self.symmetries.clone(),
            tables: tables.collect(),
        }
    }

    /// For each combination of the parents' values, in row-major order, the combination that moves there.
    pub(crate) fn source_rows(&self, group: usize) -> Vec<usize> {
        let groups = self.symmetries.groups();
        let parents = &groups[group].parents;
        let sizes: Vec<usize> = parents.iter().map(|parent| groups[*parent].size).collect();
        // The places of each parent's own parents among the parents.
        let above = parents.iter().map(|parent| {
            let above = groups[*parent].parents.iter();
            let places = above.filter_map(|above| parents.binary_search(above).ok());
            places.collect()
        });
        let above: Vec<Vec<usize>> = above.collect();
        let mut values = vec![0; parents.len()];
        let mut sources = Vec::with_capacity(sizes.iter().product());
        loop {
            let source = (0..parents.len()).fold(0, |row, place| {
                let above = above[place].iter();
                let own = above.fold(0, |own, &above| own * sizes[above] + values[above]);
                let table = &self.tables[parents[place]];
                row * sizes[place] + table[own * sizes[place] + values[place]]
            });
            sources.push(source);
            if !advance(&mut values, &sizes) {
                return sources;
            }
        }
    }

    /// The float tensor of an index in visit order, flat, after the permutations.
    pub(crate) fn moved(&self, tensor: usize, values: Tensor<1>) -> Tensor<1> {
        let layout = self.symmetries.layout();
        moved(layout, &self.tables, &layout.tensors[tensor], values)
    }

    /// The same of values on the host; `None` if nothing moves.
    pub(super) fn moved_on_host(&self, tensor: usize, values: &[f64]) -> Option<Vec<f64>> {
        let layout = self.symmetries.layout();
        let axes = &layout.tensors[tensor];
        axes.has_groups()
            .then(|| moved_on_host(layout, &self.tables, axes, values))
    }

    /// A copy of `model` with permuted parameters and running statistics. Values are moved, not computed, so that their
    /// bits stay the same in any element type. The copy shares no state with `model`, and is on autodiff, frozen or tied
    /// where `model` is.
    ///
    /// # Cost
    ///
    /// Up to one copy of each tensor for each of its axes that is permuted.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::DifferentModel`] if paths, shapes or ties of the float tensors are not those of the model whose
    /// symmetries these are, [`SymmetryError::Space`] for quantized ones.
    pub fn apply<M: Module>(&self, model: &M) -> Result<M, SymmetryError> {
        let tensors = float_tensors(model)?;
        self.symmetries.check_tensors(&tensors)?;
        let layout = self.symmetries.layout();
        let permuted = tensors.iter().zip(&layout.tensors).enumerate();
        let permuted = permuted.filter(|(_, (_, axes))| axes.has_groups());
        let permuted = permuted.map(|(index, (tensor, _))| {
            let values = tensor.values.clone();
            (tensor, self.moved(index, values))
        });
        Ok(with_values(model, permuted))
    }
}

#[cfg(test)]
mod tests;
