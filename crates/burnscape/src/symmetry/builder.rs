use burn::module::Module;

use super::dropping::failing;
use super::repair::not_a_symmetry;
use super::specification::{Placed, Specification, Specified};
use super::traced::Traced;
use super::verifier::Verifier;
use super::{Symmetries, SymmetryError};
use crate::loss::Batch;
use crate::range::ensure;
use crate::space::FloatTensor;

/// Symmetries that are written by hand, and verified.
///
/// [`group`](Self::group) starts a group; [`within`](Self::within), [`member`](Self::member) and
/// [`member_block`](Self::member_block) describe the last one. Groups are numbered from zero. Any path of a tied tensor
/// names it.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::symmetry::{SymmetriesBuilder, SymmetryError};
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let model = Mlp {
///     first: LinearConfig::new(4, 8).init(&device),
///     second: LinearConfig::new(8, 2).init(&device),
/// };
/// let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
/// let x = Tensor::<2>::ones([3, 4], &device);
///
/// let symmetries = SymmetriesBuilder::new()
///     .group(8)
///     .member("first.weight", 1)
///     .member("first.bias", 0)
///     .member("second.weight", 0)
///     .verify(&outputs, &model, x.clone())?;
/// assert_eq!(symmetries.groups()[0].members().len(), 3);
///
/// // Without the bias it is no symmetry, and the error says so.
/// let wrong = SymmetriesBuilder::new()
///     .group(8)
///     .member("first.weight", 1)
///     .member("second.weight", 0)
///     .verify(&outputs, &model, x);
/// match wrong {
///     Err(SymmetryError::NotASymmetry { missing, .. }) => {
///         assert_eq!(missing[0].to_string(), "first.bias axis 0");
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), SymmetryError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct SymmetriesBuilder {
    groups: Vec<GroupDraft>,
    /// The first call that made no sense.
    misuse: Option<SymmetryError>,
    seed: u64,
}

#[derive(Debug, Clone)]
struct GroupDraft {
    size: usize,
    parents: Vec<usize>,
    members: Vec<MemberDraft>,
}

#[derive(Debug, Clone)]
struct MemberDraft {
    path: String,
    axis: usize,
    /// Offset and stride; none for the whole axis.
    place: Option<(usize, usize)>,
}

/// Random elements that are tried in verification.
const DRAWS: usize = 3;

impl SymmetriesBuilder {
    /// Without groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// The seed of verification; zero by default.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Starts a group of `size` indices, at least two.
    #[must_use]
    pub fn group(mut self, size: usize) -> Self {
        self.groups.push(GroupDraft {
            size,
            parents: Vec::new(),
            members: Vec::new(),
        });
        self
    }

    /// Lets the last group be permuted differently for each value of an earlier one, its parent, and of the parents of
    /// that. Every member of the group must stand beside one of the parent: at the same offset of the same axis, or on
    /// another axis of the tensor.
    #[must_use]
    pub fn within(mut self, parent: usize) -> Self {
        let group = self.groups.len().saturating_sub(1);
        match self.groups.last_mut() {
            Some(last) if parent < group => last.parents.push(parent),
            Some(_) => self.misused(SymmetryError::Group {
                group,
                message: format!("its parent {parent} does not come before it; reorder the groups"),
            }),
            None => self.misused(SymmetryError::Group {
                group,
                message: "`within` comes before the first group; call `group` first".to_string(),
            }),
        }
        self
    }

    /// Adds a whole axis of a parameter or running statistic to the last group. If the axis is longer than the group, its
    /// indices are as many equal parts. If a parent has the same axis, each part of the parent is divided; name the
    /// members of parents first.
    #[must_use]
    pub fn member(self, path: impl Into<String>, axis: usize) -> Self {
        self.with_member(path.into(), axis, None)
    }

    /// Adds a part of an axis to the last group: value `i` are the `stride` indices from `offset + stride · i`, or fewer
    /// where another member of the axis starts in between.
    #[must_use]
    pub fn member_block(
        self,
        path: impl Into<String>,
        axis: usize,
        offset: usize,
        stride: usize,
    ) -> Self {
        self.with_member(path.into(), axis, Some((offset, stride)))
    }

    fn with_member(mut self, path: String, axis: usize, place: Option<(usize, usize)>) -> Self {
        match self.groups.last_mut() {
            Some(group) => group.members.push(MemberDraft { path, axis, place }),
            None => self.misused(SymmetryError::Axis {
                path,
                axis,
                message: "the member comes before the first group; call `group` first".to_string(),
            }),
        }
        self
    }

    fn misused(&mut self, error: SymmetryError) {
        self.misuse.get_or_insert(error);
    }

    /// Verifies that every group leaves the outputs as they are: see [`SymmetriesConfig`](super::SymmetriesConfig::run)
    /// for the arguments.
    ///
    /// # Cost
    ///
    /// One recording and four forward passes in f64 on the CPU; a few hundred passes at most to find out what is wrong.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::NotASymmetry`] for a group that changes the outputs, with the members that are missing or wrong if
    /// they can be found: by comparison with what the walk over the program finds, or by adding or leaving out one.
    /// [`SymmetryError::Axis`] and [`SymmetryError::Group`] for members and groups that do not fit the model, and
    /// [`SymmetryError::OutOfRange`] for a group of less than two indices. Otherwise as
    /// [`SymmetriesConfig::run`](super::SymmetriesConfig::run).
    pub fn verify<M, B, T, F>(
        &self,
        outputs: &F,
        model: &M,
        batch: B,
    ) -> Result<Symmetries, SymmetryError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        if let Some(misuse) = &self.misuse {
            return Err(misuse.clone());
        }
        let traced = Traced::of(outputs, model, batch)?;
        let specification = self.specification(&traced.tensors)?;
        let symmetries = Symmetries::of(specification.layout(&traced.tensors)?);
        if symmetries.groups().is_empty() {
            return Ok(symmetries);
        }
        let mut verifier = Verifier::new(&traced, self.seed, DRAWS)?;
        if verifier.passes(&symmetries, &|_| true)? {
            return Ok(symmetries);
        }
        verifier.check_repeatable(&symmetries)?;
        let all: Vec<usize> = (0..symmetries.groups().len()).collect();
        let failing = failing(&mut verifier, &symmetries, &all)?;
        let group = failing.first().copied().unwrap_or(0);
        Err(not_a_symmetry(
            &mut verifier,
            &traced,
            &specification,
            &symmetries,
            group,
        )?)
    }

    /// The groups with their members on the tensors of a model.
    fn specification(&self, tensors: &[FloatTensor]) -> Result<Specification, SymmetryError> {
        let mut specification = Specification::default();
        for draft in &self.groups {
            ensure("size", draft.size as f64, 2.0..)?;
            let mut parents = draft.parents.clone();
            for parent in &draft.parents {
                parents.extend(&specification.groups[*parent].parents);
            }
            parents.sort_unstable();
            parents.dedup();
            let mut members = Vec::with_capacity(draft.members.len());
            for member in &draft.members {
                members.push(placed(
                    member,
                    draft.size,
                    &parents,
                    &specification,
                    tensors,
                )?);
            }
            specification.groups.push(Specified {
                size: draft.size,
                parents,
                members,
            });
        }
        Ok(specification)
    }
}

fn placed(
    member: &MemberDraft,
    size: usize,
    parents: &[usize],
    specification: &Specification,
    tensors: &[FloatTensor],
) -> Result<Placed, SymmetryError> {
    let MemberDraft { path, axis, place } = member;
    let refused = |message: String| SymmetryError::Axis {
        path: path.clone(),
        axis: *axis,
        message,
    };
    let mut paths = tensors.iter().map(|tensor| &tensor.paths);
    let Some(tensor) = paths.position(|paths| paths.contains(path)) else {
        let example = tensors.first().and_then(|tensor| tensor.paths.first());
        let example = example.map_or_else(String::new, |path| format!(", as in `{path}`"));
        return Err(refused(format!(
            "the model has no float tensor of this path; use the names of its fields{example}"
        )));
    };
    let shape = &tensors[tensor].shape;
    let Some(&len) = shape.get(*axis) else {
        return Err(refused(format!(
            "the tensor has shape {shape:?}; use an axis below {}",
            shape.len()
        )));
    };
    let (offset, stride) = match *place {
        Some(place) => place,
        None => {
            let group = (size, parents);
            let stride = specification.whole_axis_stride(tensors, tensor, *axis, group);
            let stride = stride.ok_or_else(|| {
                refused(format!(
                    "its length {len} is not a multiple of the group's size {size} and of the parents on it; name a \
                     part of it with `member_block`"
                ))
            })?;
            (0, stride)
        }
    };
    let last = stride.checked_mul(size - 1);
    let last = last.and_then(|last| last.checked_add(offset));
    if stride == 0 || last.is_none_or(|last| last >= len) {
        return Err(refused(format!(
            "{size} values from offset {offset} with stride {stride} do not fit its length {len}; lower the offset, the \
             stride or the size of the group"
        )));
    }
    Ok(Placed {
        tensor,
        axis: *axis,
        offset,
        stride,
    })
}
