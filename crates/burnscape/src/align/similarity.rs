use super::AlignError;
use crate::symmetry::{Element, Symmetries, SymmetryError};

/// How similar the units of two models are: what an alignment of the second model to the first one maximizes.
///
/// Model `b` is moved by an [`Element`] `g`, and `objective(g)` says how well `g b` fits `a`. A solver changes the
/// permutation of one group at a time. What that brings, it learns from [`matrix`](Self::matrix).
///
/// [`WeightSimilarity`](super::WeightSimilarity) compares weights,
/// [`ActivationSimilarity`](super::ActivationSimilarity) activations. Implement the trait to compare units by
/// anything else.
///
/// # The matrix of a group
///
/// A group of size `n`, with `r` combinations of its parents' values (1 without parents), has a matrix of `r n` rows
/// and columns. Row `(p, i)`, at `p · n + i`, is unit `i` of `a` under the combination `p`; column `(q, j)` is unit `j`
/// of `g b` under `q`, so as the element has ordered `b`. [`reordered`](super::reordered) makes it of a matrix between
/// the units of `a` and those of `b` as they are.
///
/// Entries are the derivative of the objective: to a step that puts unit `j` in the place of unit `i`, everything that
/// belongs to the unit moves along, and the objective rises by `Σ_i S[i, p(i)] − Σ_i S[i, i]`. If a group has children,
/// an entry of its matrix includes them: for heads of attention, it is the trace of the block of this pair of heads in
/// the matrix of their channels, plus what no child has.
///
/// # Checking a similarity of your own
///
/// A search takes a step if [`objective`](Self::objective) rises, which it expects from the matrix. If the two do not belong
/// together, it ends early or at a wrong element, without an error. The default objective, a sum of traces, belongs only to
/// matrices that do not depend on the permutations of other groups. If yours read the element in any other way than by
/// [`reordered`](super::reordered), give an objective of your own: what two groups share counts once in it, and twice in a sum
/// of their traces. To check both, compare them at a random element, for one group after the other, as the end of the
/// example does.
///
/// # Example
///
/// Units of one layer, compared by the direction of their incoming weights.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::align::{AlignError, CoordinateDescentConfig, Similarity, reordered};
/// use burnscape::symmetry::{Element, Symmetries, SymmetriesConfig};
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     first: Linear,
///     second: Linear,
/// }
///
/// struct Cosines {
///     symmetries: Symmetries,
///     cosines: Vec<f64>,
/// }
///
/// impl Similarity for Cosines {
///     fn symmetries(&self) -> &Symmetries {
///         &self.symmetries
///     }
///
///     fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
///         reordered(&self.cosines, group, element)
///     }
/// }
///
/// let device = Device::default();
/// let a = Mlp {
///     first: LinearConfig::new(4, 8).init(&device),
///     second: LinearConfig::new(8, 2).init(&device),
/// };
/// let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
/// let x = Tensor::<2>::ones([3, 4], &device);
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, x)?;
/// let b = symmetries.random(1).apply(&a)?;
///
/// let directions = |m: &Mlp| {
///     let weight = m.first.weight.val(); // [inputs, units]
///     weight.clone() / weight.square().sum_dim(0).sqrt()
/// };
/// let cosines = directions(&a).transpose().matmul(directions(&b));
/// let own = Cosines {
///     symmetries,
///     cosines: cosines.into_data().iter::<f64>().collect(),
/// };
/// let found = CoordinateDescentConfig::new().run(&own, &b)?;
/// assert_eq!(found.model.first.weight.val().into_data(), a.first.weight.val().into_data());
/// assert!((found.objective - 8.0).abs() < 1e-5); // eight cosines of 1
///
/// // The check: a step of one group alone, at some element.
/// let at = own.symmetries.random(2);
/// for group in 0..own.symmetries.groups().len() {
///     let matrix = own.matrix(group, &at)?;
///     let mut tables = Vec::new();
///     for (index, one) in own.symmetries.groups().iter().enumerate() {
///         let source = if index == group { own.symmetries.random(3) } else { own.symmetries.identity() };
///         tables.push(source.permutation(index).map(<[usize]>::to_vec).unwrap_or_default());
///         assert!(one.parents().is_empty()); // of a group with parents, only blocks on the diagonal count
///     }
///     let width = tables[group].len();
///     let rows = tables[group].iter().enumerate();
///     let expected: f64 = rows.map(|(i, j)| matrix[i * width + j] - matrix[i * width + i]).sum();
///     let step = own.symmetries.element(tables)?;
///     let rise = own.objective(&step.compose(&at)?)? - own.objective(&at)?;
///     assert!((rise - expected).abs() < 1e-12);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Similarity {
    /// The symmetries whose elements are compared.
    fn symmetries(&self) -> &Symmetries;

    /// The matrix of a group under an element, in row-major order: see the trait.
    ///
    /// # Errors
    ///
    /// [`AlignError::Similarity`] for a similarity of your own; any other error passes through the solver, too.
    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError>;

    /// The mean of the derivative over all permutations of the group, if the derivative depends on the permutation of
    /// the group itself; `None`, the default, if it does not.
    ///
    /// It does if a group meets one tensor twice, as the units of a recurrent layer do: then the objective is quadratic
    /// in its permutation, and the derivative at the barycenter of all permutations is where Frank-Wolfe starts. Rows
    /// and columns are those of [`matrix`](Self::matrix) under `element`; only blocks on the diagonal are read.
    ///
    /// # Errors
    ///
    /// As [`matrix`](Self::matrix).
    fn mean_matrix(&self, group: usize, element: &Element) -> Result<Option<Vec<f64>>, AlignError> {
        let _ = (group, element);
        Ok(None)
    }

    /// What is maximized. By default the sum of the traces of all matrices of groups without parents, which is right
    /// only if these groups do not depend on each other: see [Checking](Similarity#checking-a-similarity-of-your-own).
    ///
    /// # Errors
    ///
    /// As [`matrix`](Self::matrix).
    fn objective(&self, element: &Element) -> Result<f64, AlignError> {
        let mut sum = 0.0;
        for (index, group) in self.symmetries().groups().iter().enumerate() {
            if group.parents().is_empty() {
                sum += trace(&self.matrix(index, element)?, group.size());
            }
        }
        Ok(sum)
    }

    /// A number above which no objective is, if one is known. A run that attains it, to rounding, tries no other start.
    fn upper_bound(&self) -> Option<f64> {
        None
    }
}

impl<S: Similarity + ?Sized> Similarity for &S {
    fn symmetries(&self) -> &Symmetries {
        (**self).symmetries()
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        (**self).matrix(group, element)
    }

    fn mean_matrix(&self, group: usize, element: &Element) -> Result<Option<Vec<f64>>, AlignError> {
        (**self).mean_matrix(group, element)
    }

    fn objective(&self, element: &Element) -> Result<f64, AlignError> {
        (**self).objective(element)
    }

    fn upper_bound(&self) -> Option<f64> {
        (**self).upper_bound()
    }
}

/// The sum of the diagonal entries of a row-major matrix.
pub(super) fn trace(matrix: &[f64], width: usize) -> f64 {
    matrix.iter().step_by(width + 1).sum()
}

/// The matrix of a group under an element, of a matrix between the units of `a` and of `b` as they are: columns are
/// put where the element moves the units of `b`. See [`Similarity`] for rows and columns.
///
/// # Errors
///
/// [`AlignError::Symmetry`] if there is no such group, [`AlignError::Similarity`] for another number of entries.
pub fn reordered(matrix: &[f64], group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
    let Some(table) = element.permutation(group) else {
        let message = "there is no such group; use an index of `Symmetries::groups`".to_string();
        return Err(SymmetryError::Group { group, message }.into());
    };
    let width = table.len();
    if matrix.len() != width * width {
        return Err(wrong_length(group, matrix.len(), width));
    }
    let rows = element.source_rows(group);
    let size = width / rows.len().max(1);
    let places = table.iter().enumerate();
    let sources = places.map(|(place, unit)| rows[place / size] * size + unit);
    let sources: Vec<usize> = sources.collect();
    let mut reordered = Vec::with_capacity(matrix.len());
    for row in matrix.chunks_exact(width) {
        reordered.extend(sources.iter().map(|&source| row[source]));
    }
    Ok(reordered)
}

pub(super) fn wrong_length(group: usize, len: usize, width: usize) -> AlignError {
    AlignError::Similarity {
        group: Some(group),
        message: format!(
            "its matrix has {len} entries, expected {width} × {width}: one row and column for each unit, and for each \
             combination of the parents' values"
        ),
    }
}
