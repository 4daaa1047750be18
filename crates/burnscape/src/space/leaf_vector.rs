use std::collections::{HashMap, HashSet};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};

use super::cast::{as_accumulator, as_dtype};
use super::products::{self, Part};
use super::range::{scaled, scaled_wide};
use super::read::{self, Present};
use super::wait::moved;
use super::wide::Wide;
use super::write::{Edit, Purpose, edited_copy};
use super::{ParamLeaf, ParamSpace, SpaceError, limited_by, rank};

/// A vector of parameter space stored leaf by leaf, like gradients and optimizer states.
///
/// Mathematically the same as [`ParamVector`](super::ParamVector), in another layout: conversion from gradients
/// and to modules copies nothing, leaves may have different element types, and an absent leaf is zero (a head
/// that the loss does not use has no gradient). Optimizers use this layout, Krylov methods the flat one.
#[derive(Debug, Clone)]
pub struct LeafVector {
    space: ParamSpace,
    leaves: Vec<Option<Tensor<1>>>,
}

impl LeafVector {
    /// The zero vector; it allocates no tensors.
    pub fn zeros(space: &ParamSpace) -> Self {
        Self {
            space: space.clone(),
            leaves: vec![None; space.leaves().len()],
        }
    }

    pub(super) fn from_parts(space: ParamSpace, leaves: Vec<Option<Tensor<1>>>) -> Self {
        Self { space, leaves }
    }

    /// The current values of the parameters, shared with the module.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`] if the module lacks a parameter of the space, or if shape, element type,
    /// device or ties differ.
    pub fn from_module<M: Module>(space: &ParamSpace, model: &M) -> Result<Self, SpaceError> {
        let present = Self::checked_leaves(space, model)?;
        let leaves = present.into_iter().map(|found| Some(found.value));
        Ok(Self {
            space: space.clone(),
            leaves: leaves.collect(),
        })
    }

    /// Checks a module against a space and returns the module's tensor for every leaf.
    fn checked_leaves<M: Module>(
        space: &ParamSpace,
        model: &M,
    ) -> Result<Vec<Present>, SpaceError> {
        let leaves = space.leaves().iter();
        let paths = leaves.flat_map(|leaf| leaf.duplicates().iter().chain([&leaf.path]));
        let paths: HashSet<&str> = paths.map(String::as_str).collect();
        let mut values = read::values(model, &paths);
        let mut present = Vec::with_capacity(space.leaves().len());
        for leaf in space.leaves() {
            let differs = |found: String| SpaceError::DifferentSpaces {
                expected: leaf.describe(),
                found,
            };
            let Some(found) = values.by_path.remove(leaf.path()) else {
                return Err(differs("no such parameter".to_string()));
            };
            if (&found.shape, found.dtype) != (&leaf.shape, leaf.dtype) {
                let (shape, dtype) = (&found.shape, found.dtype);
                return Err(differs(format!("`{}` {shape:?} {dtype:?}", leaf.path)));
            }
            let device = found.value.device();
            if device != *space.device() {
                return Err(SpaceError::DifferentSpaces {
                    expected: format!("{} on {:?}", leaf.describe(), space.device()),
                    found: format!("{device:?}"),
                });
            }
            let is_tied = |path: &String| {
                let tied = values.by_path.get(path);
                tied.is_some_and(|tied| tied.id == found.id)
            };
            let occurrences = values.occurrences.get(&found.id).copied();
            if !leaf.duplicates().iter().all(is_tied)
                || occurrences != Some(1 + leaf.duplicates().len())
            {
                let occurrences = occurrences.unwrap_or(0);
                return Err(differs(format!("`{}` at {occurrences} places", leaf.path)));
            }
            present.push(found);
        }
        Ok(present)
    }

    /// The gradients of the parameters, shared with `gradients`. A parameter without a gradient is
    /// zero; [`num_absent`](Self::num_absent) counts them.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoGradients`] if no parameter has one, [`SpaceError::GradientShape`] and
    /// [`SpaceError::GradientPlace`] if one does not match its parameter.
    pub fn from_gradients(
        space: &ParamSpace,
        gradients: &GradientsParams,
    ) -> Result<Self, SpaceError> {
        let mut leaves = Vec::with_capacity(space.leaves().len());
        for leaf in space.leaves() {
            match rank::gradient(gradients, leaf.id(), leaf.shape().len()) {
                Some((_, found)) if found != leaf.shape() => {
                    return Err(SpaceError::GradientShape {
                        path: leaf.path().to_string(),
                        expected: leaf.shape().to_vec(),
                        found,
                    });
                }
                Some((value, _)) => {
                    let found = (value.dtype(), value.device());
                    if found != (leaf.dtype(), space.device().clone()) {
                        return Err(SpaceError::GradientPlace {
                            path: leaf.path().to_string(),
                            expected: format!("{:?} on {:?}", leaf.dtype(), space.device()),
                            found: format!("{:?} on {:?}", found.0, found.1),
                        });
                    }
                    leaves.push(Some(value));
                }
                None => leaves.push(None),
            }
        }
        if leaves.iter().all(Option::is_none) {
            return Err(SpaceError::NoGradients {
                parameters: leaves.len(),
            });
        }
        Ok(Self {
            space: space.clone(),
            leaves,
        })
    }

    /// Converts the vector to gradients for any Burn optimizer. Absent leaves stay absent: optimizers skip them.
    pub fn into_gradients(self) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        for (leaf, value) in self.space.leaves().iter().zip(self.leaves) {
            if let Some(value) = value {
                rank::register(&mut gradients, leaf.id(), leaf.shape(), value);
            }
        }
        gradients
    }

    /// The space of the vector.
    pub fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// The leaves in visit order, each flat; `None` is zero.
    pub fn leaves(&self) -> &[Option<Tensor<1>>] {
        &self.leaves
    }

    /// Number of absent leaves.
    pub fn num_absent(&self) -> usize {
        self.leaves.iter().filter(|leaf| leaf.is_none()).count()
    }

    /// Applies `f` to every present leaf, with its description. `f` must keep the length; `None` makes the leaf
    /// zero.
    #[must_use]
    pub fn map(self, mut f: impl FnMut(&ParamLeaf, Tensor<1>) -> Option<Tensor<1>>) -> Self {
        self.map_all(|leaf, value| value.and_then(|value| f(leaf, value)))
    }

    /// Same as [`map`](Self::map), including absent leaves.
    #[must_use]
    pub fn map_all(
        self,
        mut f: impl FnMut(&ParamLeaf, Option<Tensor<1>>) -> Option<Tensor<1>>,
    ) -> Self {
        let Self { space, leaves } = self;
        let leaves = space.leaves().iter().zip(leaves);
        let leaves = leaves.map(|(leaf, value)| f(leaf, value)).collect();
        Self { space, leaves }
    }

    /// Converts half-precision leaves to f32, so that sums of many gradients stay within range.
    #[must_use]
    pub(crate) fn widen(self) -> Self {
        self.map(|_, value| Some(as_accumulator(value)))
    }

    /// Converts the leaves to the element types of the parameters, as optimizers require.
    #[must_use]
    pub(crate) fn narrow(self) -> Self {
        self.map(|leaf, value| Some(as_dtype(value, leaf.dtype())))
    }

    /// `scale · self`. A factor of one copies nothing; a factor outside the range of the element type is applied
    /// in steps.
    #[must_use]
    pub fn scale(self, scale: f64) -> Self {
        if scale == 1.0 {
            self
        } else {
            self.map(|_, value| Some(scaled(value, scale)))
        }
    }

    /// `scale · self` for a factor that may be outside the range of `f64`.
    #[must_use]
    pub(crate) fn scale_wide(self, scale: Wide) -> Self {
        self.map(|_, value| Some(scaled_wide(value, scale)))
    }

    /// `a · self + b · other`. Terms with factor zero are skipped and factors of one are not applied, so
    /// combinations with such factors are exact.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn axpby(&self, a: f64, b: f64, other: &Self) -> Result<Self, SpaceError> {
        self.space.check_same(&other.space)?;
        let term = |scale: f64, value: &Option<Tensor<1>>| match value {
            None => None,
            Some(_) if scale == 0.0 => None,
            Some(value) if scale == 1.0 => Some(value.clone()),
            Some(value) => Some(scaled(value.clone(), scale)),
        };
        let leaves = self
            .leaves
            .iter()
            .zip(&other.leaves)
            .map(|(x, y)| match (term(a, x), term(b, y)) {
                (Some(x), Some(y)) => Some(x + y),
                (x, y) => x.or(y),
            })
            .collect();
        Ok(Self {
            space: self.space.clone(),
            leaves,
        })
    }

    /// The elementwise product.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn hadamard(&self, other: &Self) -> Result<Self, SpaceError> {
        self.space.check_same(&other.space)?;
        let leaves = self
            .leaves
            .iter()
            .zip(&other.leaves)
            .map(|pair| match pair {
                (Some(x), Some(y)) => Some(x.clone() * y.clone()),
                _ => None,
            })
            .collect();
        Ok(Self {
            space: self.space.clone(),
            leaves,
        })
    }

    /// The inner product `⟨self, other⟩`, summed on the device within each leaf and in f64 across leaves. If
    /// products leave the range of the element type, both vectors are scaled by powers of two first: the result
    /// is infinite or subnormal only if it leaves the range of `f64`.
    ///
    /// # Cost
    ///
    /// One host synchronization; three if products leave the range of the element type, or the result is so
    /// small (or zero) that products may have underflowed.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::Device`].
    pub fn dot(&self, other: &Self) -> Result<f64, SpaceError> {
        Ok(self.wide_dot(other)?.value())
    }

    /// The Euclidean norm. Multiplying the vector by a power of two multiplies the norm by it exactly, as long
    /// as all numbers are normal.
    ///
    /// # Cost
    ///
    /// Same as [`dot`](Self::dot).
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn norm(&self) -> Result<f64, SpaceError> {
        Ok(self.wide_norm()?.value())
    }

    /// Several inner products, computed as by [`dot`](Self::dot), and the values of one-element tensors (a
    /// loss, for instance), in one transfer.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::Device`].
    pub fn dots(
        pairs: &[(&Self, &Self)],
        scalars: &[Tensor<1>],
    ) -> Result<(Vec<f64>, Vec<f64>), SpaceError> {
        let (dots, values) = Self::wide_dots(pairs, scalars)?;
        Ok((dots.into_iter().map(Wide::value).collect(), values))
    }

    /// Same as [`dots`](Self::dots), for results that may be outside the range of `f64`.
    pub(crate) fn wide_dots(
        pairs: &[(&Self, &Self)],
        scalars: &[Tensor<1>],
    ) -> Result<(Vec<Wide>, Vec<f64>), SpaceError> {
        let products = pairs.iter().map(|(x, y)| x.parts(y));
        let products = products.collect::<Result<Vec<_>, _>>()?;
        let scalars = scalars.iter().map(|scalar| scalar.clone().inner());
        let scalars = scalars.map(|scalar| scalar.reshape([1])).collect();
        let mut spaces = pairs.iter().flat_map(|(x, y)| [&x.space, &y.space]);
        let waits = spaces.find_map(|space| space.waits.as_ref());
        limited_by(waits, || products::sums(&products, scalars))
    }

    /// `⟨self, other⟩`, which may be outside the range of `f64`.
    pub(crate) fn wide_dot(&self, other: &Self) -> Result<Wide, SpaceError> {
        let (dots, _) = Self::wide_dots(&[(self, other)], &[])?;
        Ok(dots.into_iter().sum())
    }

    /// The norm, which may be outside the range of `f64`, like its inverse.
    pub(crate) fn wide_norm(&self) -> Result<Wide, SpaceError> {
        Ok(self.wide_dot(self)?.sqrt())
    }

    /// The leaves present in both vectors.
    fn parts<'a>(&'a self, other: &'a Self) -> Result<Vec<Part<'a>>, SpaceError> {
        self.space.check_same(&other.space)?;
        let leaves = self.leaves.iter().zip(&other.leaves);
        let present = leaves.filter_map(|(x, y)| Some(Part::whole(x.as_ref()?, y.as_ref()?)));
        Ok(present.collect())
    }

    /// A copy of `model` with its parameters displaced by `scale · self`.
    ///
    /// The copy shares no running statistics with `model`. Parameters with an absent leaf do not move. All
    /// parameters keep their leaf status, checkpointing strategy and ties.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn perturb<M: Module>(&self, model: &M, scale: f64) -> Result<M, SpaceError> {
        self.edit(model, |value, _| Edit::Add(value, scale))
    }

    /// Same as [`displace`](Self::perturb), for the model that the space was read from: parameters are found
    /// by identifier, without checks.
    pub(crate) fn displace_own<M: Module>(&self, model: &M, scale: f64) -> M {
        let leaves = self.space.leaves().iter().zip(&self.leaves);
        let edits = leaves.filter_map(|(leaf, value)| {
            let value = value.clone()?;
            Some((leaf.id, Edit::Add(value, scale)))
        });
        edited_copy(model, Purpose::Same, edits.collect())
    }

    /// Same as [`apply_to`](Self::apply_to), for the model that the space was read from, without checks.
    pub(crate) fn apply_to_own<M: Module>(self, model: &M) -> M {
        let leaves = self.space.leaves().iter().zip(self.leaves);
        let edits = leaves.filter_map(|(leaf, value)| Some((leaf.id, Edit::Set(value?))));
        edited_copy(model, Purpose::Same, edits.collect())
    }

    /// Moves the vector to `space`, which may belong to a model with other identifiers.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`]; [`SpaceError::WrongLength`] if [`map`](Self::map) changed the length of
    /// a leaf.
    pub(crate) fn placed_in(self, space: &ParamSpace) -> Result<Self, SpaceError> {
        self.space.check_same(space)?;
        for (leaf, value) in space.leaves().iter().zip(&self.leaves) {
            let found = value.as_ref().map_or(leaf.len(), |value| value.dims()[0]);
            if found != leaf.len() {
                return Err(SpaceError::WrongLength {
                    expected: leaf.len(),
                    found,
                });
            }
        }
        Ok(Self {
            space: space.clone(),
            leaves: self.leaves,
        })
    }

    /// Moves the vector to `space`, which may belong to a model on another device.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::Device`], [`SpaceError::TimedOut`].
    pub(crate) fn on(self, space: &ParamSpace) -> Result<Self, SpaceError> {
        self.space.check_same_parameters(space)?;
        let there = |value: Option<Tensor<1>>| {
            let moved = value.map(|value| moved(value, space.device()));
            moved.transpose()
        };
        let leaves = self.leaves.into_iter().map(there);
        Ok(Self {
            space: space.clone(),
            leaves: limited_by(space.waits.as_ref(), || leaves.collect::<Result<_, _>>())?,
        })
    }

    /// Concatenates vectors of equal models into a vector of a module that holds these models.
    ///
    /// # Errors
    ///
    /// [`SpaceError::WrongLength`].
    pub(crate) fn concatenated(
        space: &ParamSpace,
        parts: impl IntoIterator<Item = Self>,
    ) -> Result<Self, SpaceError> {
        let leaves: Vec<_> = parts.into_iter().flat_map(|part| part.leaves).collect();
        if leaves.len() != space.leaves().len() {
            return Err(SpaceError::WrongLength {
                expected: space.leaves().len(),
                found: leaves.len(),
            });
        }
        Ok(Self {
            space: space.clone(),
            leaves,
        })
    }

    /// The inverse of [`concatenated`](Self::concatenated).
    pub(crate) fn split_into(self, space: &ParamSpace) -> Vec<Self> {
        let mut leaves = self.leaves.into_iter().peekable();
        let mut parts = Vec::new();
        while leaves.peek().is_some() {
            parts.push(Self {
                space: space.clone(),
                leaves: leaves.by_ref().take(space.leaves().len()).collect(),
            });
        }
        parts
    }

    /// A copy of `model` with these parameters. Parameters with an absent leaf do not change.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    pub fn apply_to<M: Module>(&self, model: &M) -> Result<M, SpaceError> {
        self.edit(model, |value, dtype| Edit::Set(as_dtype(value, dtype)))
    }

    fn edit<M: Module>(
        &self,
        model: &M,
        edit: impl Fn(Tensor<1>, DType) -> Edit,
    ) -> Result<M, SpaceError> {
        // This copies nothing: the values are shared.
        let present = Self::checked_leaves(&self.space, model)?;
        let mut edits = HashMap::new();
        for (found, value) in present.iter().zip(&self.leaves) {
            if let Some(value) = value {
                edits.insert(found.id, edit(value.clone(), found.dtype));
            }
        }
        Ok(edited_copy(model, Purpose::Same, edits))
    }
}
