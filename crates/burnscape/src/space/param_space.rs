use std::sync::Arc;

use burn::module::{Module, ParamGroup, ParamId};
use burn::tensor::{DType, Device};

use super::read::{self, Found};
use super::{ParamKind, SpaceError, Waits};

/// One parameter of a [`ParamSpace`].
#[derive(Debug, Clone, PartialEq)]
pub struct ParamLeaf {
    pub(super) path: String,
    pub(super) id: ParamId,
    pub(super) shape: Vec<usize>,
    pub(super) offset: usize,
    pub(super) kind: ParamKind,
    pub(super) filter_axis: Option<usize>,
    pub(super) dtype: DType,
    pub(super) duplicates: Vec<String>,
}

impl ParamLeaf {
    /// The path of the parameter in the module, for instance `layers.0.weight`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Burn's identifier. It is random, so it defines no order.
    pub fn id(&self) -> ParamId {
        self.id
    }

    /// The parameter's shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    #[allow(
        clippy::len_without_is_empty,
        reason = "empty parameters are not part of a space"
    )]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Index of the first element in the flat vector.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Weight, bias, or normalization parameter.
    pub fn kind(&self) -> ParamKind {
        self.kind
    }

    /// The axis of the output units (weights only): each index along it is one filter.
    pub fn filter_axis(&self) -> Option<usize> {
        self.filter_axis
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The other paths of the same parameter (weight tying); usually empty.
    pub fn duplicates(&self) -> &[String] {
        &self.duplicates
    }

    pub(super) fn describe(&self) -> String {
        let Self {
            path, shape, dtype, ..
        } = self;
        match self.duplicates.join("`, `") {
            tied if tied.is_empty() => format!("`{path}` {shape:?} {dtype:?}"),
            tied => format!("`{path}` {shape:?} {dtype:?}, tied to `{tied}`"),
        }
    }
}

#[derive(Debug)]
struct Inner {
    leaves: Vec<ParamLeaf>,
    len: usize,
    device: Device,
    frozen: usize,
}

/// The trainable parameters of a module in order: the coordinates of its loss landscape.
///
/// Coordinates follow *visit order*, the order in which the module declares its fields; Burn's [`ParamId`]s are
/// random and define no order. A parameter that occurs several times is one block of coordinates, and writing it
/// writes every occurrence. A parameter is *trainable* if it requires gradients after `valid().train()`, so a
/// `valid()` model and a model on a plain device have the same space as the model in training. Running
/// statistics, frozen parameters and parameters without elements are not coordinates. A reparameterized weight
/// (LoRA) contributes the leaves that a visitor sees: the factors of the adapter, and the base unless it is
/// frozen.
///
/// Cloning is cheap: clones share the description.
///
/// # Cost
///
/// One visit of the module, no arithmetic. Lazy parameters are initialized.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::space::ParamSpace;
///
/// let layer = LinearConfig::new(3, 2).init(&Device::default());
/// let space = ParamSpace::of(&layer)?;
/// assert_eq!(space.len(), 3 * 2 + 2);
/// assert_eq!(space.leaves()[0].path(), "weight");
/// assert_eq!(space.leaves()[1].offset(), 6);
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ParamSpace {
    shared: Arc<Inner>,
    /// The device of Krylov bases, if it is another one. Spaces that differ in nothing else are the same.
    pub(super) basis: Option<Device>,
    /// The waits for the device, if they have a limit. They are not compared either.
    pub(super) waits: Option<Waits>,
}

impl ParamSpace {
    /// All trainable parameters of `model`.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoTrainableParameters`], [`SpaceError::TwoDevices`],
    /// [`SpaceError::Quantized`], [`SpaceError::UnsupportedRank`].
    pub fn of<M: Module>(model: &M) -> Result<Self, SpaceError> {
        Self::collect(model, None)
    }

    /// The trainable parameters of `model` that `group` matches, for instance one layer or all weights.
    ///
    /// # Errors
    ///
    /// Those of [`of`](Self::of), and [`SpaceError::EmptyGroup`].
    pub fn of_group<M: Module>(model: &M, group: &ParamGroup) -> Result<Self, SpaceError> {
        Self::collect(model, Some(group))
    }

    fn collect<M: Module>(model: &M, group: Option<&ParamGroup>) -> Result<Self, SpaceError> {
        let Found {
            leaves,
            device,
            frozen,
            unmatched,
        } = read::trainable(model, group)?;
        let Some(device) = device else {
            return Err(match unmatched {
                Some((available, example)) => SpaceError::EmptyGroup { available, example },
                None => SpaceError::NoTrainableParameters { frozen },
            });
        };
        let len = leaves.iter().map(ParamLeaf::len).sum();
        let shared = Arc::new(Inner {
            leaves,
            len,
            device,
            frozen,
        });
        Ok(Self {
            shared,
            basis: None,
            waits: None,
        })
    }

    /// The same space with another device for Krylov bases.
    pub(crate) fn with_basis_device(self, basis: Option<Device>) -> Self {
        Self { basis, ..self }
    }

    /// The same space with the waits of threads that read its vectors.
    pub(crate) fn with_waits(self, waits: Option<Waits>) -> Self {
        Self { waits, ..self }
    }

    /// Number of coordinates.
    #[allow(clippy::len_without_is_empty, reason = "an empty space is an error")]
    pub fn len(&self) -> usize {
        self.shared.len
    }

    /// The parameters in visit order.
    pub fn leaves(&self) -> &[ParamLeaf] {
        &self.shared.leaves
    }

    /// The device of the parameters, without autodiff.
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    /// Number of frozen float parameters, which are not part of the space. Running statistics do not count.
    pub fn num_frozen(&self) -> usize {
        self.shared.frozen
    }

    /// The common element type of all parameters.
    ///
    /// # Errors
    ///
    /// [`SpaceError::MixedDTypes`].
    pub fn dtype(&self) -> Result<DType, SpaceError> {
        let first = &self.shared.leaves[0];
        match self
            .shared
            .leaves
            .iter()
            .find(|leaf| leaf.dtype != first.dtype)
        {
            None => Ok(first.dtype),
            Some(other) => Err(SpaceError::MixedDTypes {
                first: first.path.clone(),
                first_dtype: format!("{:?}", first.dtype),
                second: other.path.clone(),
                second_dtype: format!("{:?}", other.dtype),
            }),
        }
    }

    /// Returns an error unless both spaces have the same coordinates: paths, shapes, element types, ties and
    /// device.
    ///
    /// Identifiers are not compared, so vectors of two models of the same architecture can be combined.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`] with the first leaf that differs.
    pub fn check_same(&self, other: &Self) -> Result<(), SpaceError> {
        self.check_same_parameters(other)?;
        if self.shared.device != other.shared.device {
            return Err(SpaceError::DifferentSpaces {
                expected: format!("{:?}", self.shared.device),
                found: format!("{:?}", other.shared.device),
            });
        }
        Ok(())
    }

    /// Same as [`check_same`](Self::check_same) for spaces that may be on two devices.
    pub(super) fn check_same_parameters(&self, other: &Self) -> Result<(), SpaceError> {
        if Arc::ptr_eq(&self.shared, &other.shared) {
            return Ok(());
        }
        let differ =
            |expected: String, found: String| Err(SpaceError::DifferentSpaces { expected, found });
        if self.shared.leaves.len() != other.shared.leaves.len() {
            return differ(
                format!("{} parameters", self.shared.leaves.len()),
                format!("{}", other.shared.leaves.len()),
            );
        }
        for (a, b) in self.shared.leaves.iter().zip(&other.shared.leaves) {
            let same = (&a.path, &a.shape, a.dtype) == (&b.path, &b.shape, b.dtype);
            if !same || a.duplicates != b.duplicates {
                return differ(a.describe(), b.describe());
            }
        }
        Ok(())
    }
}

impl PartialEq for ParamSpace {
    fn eq(&self, other: &Self) -> bool {
        self.check_same(other).is_ok()
    }
}
