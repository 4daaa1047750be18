use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::unfolding::{Unfolded, Unfolding, unfoldings};
use super::{AlignError, Similarity};
use crate::space::{FloatTensor, SpaceError, float_tensors};
use crate::symmetry::{Element, Symmetries, SymmetryError, TensorAxes, host_device};

/// Models compared by their weights: the objective is `Σ ⟨a, g b⟩` over all parameters on which the symmetries act, so
/// that the largest objective is the smallest distance.
///
/// The matrix of a group is `Σ unfold(a) unfold(g b)ᵀ` over its members; rows of an unfolded tensor are the units of
/// the group, and columns everything else. Parameters count whether they are trained or frozen, running statistics do
/// not.
///
/// # Cost
///
/// Products of matrices in f64 on the CPU, whatever the device of the models. A matrix of `n` units costs `2 n`
/// operations for each element of the group's members; an objective, one pass over the tensors that have moved since
/// the last one. Memory is that of both models if they are on another device, and of one tensor in f64 a few times.
///
/// # References
///
/// Ainsworth, Hayase, Srinivasa 2023, *Git Re-Basin: Merging Models modulo Permutation Symmetries*, arXiv:2209.04836,
/// section 3.2.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::align::{Similarity, WeightSimilarity};
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Two {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let model = || Two {
///     first: LinearConfig::new(2, 3).with_bias(false).init(&device),
///     second: LinearConfig::new(3, 1).with_bias(false).init(&device),
/// };
/// let (a, b) = (model(), model());
/// let outputs = |m: &Two, x: &Tensor<2>| m.second.forward(m.first.forward(x.clone()).tanh());
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, Tensor::<2>::ones([1, 2], &device))?;
///
/// let similarity = WeightSimilarity::new(&symmetries, &a, &b)?;
/// let identity = symmetries.identity();
/// let matrix = similarity.matrix(0, &identity)?;
/// // Every parameter belongs to the one group, so that its trace is the objective.
/// let trace = matrix[0] + matrix[4] + matrix[8];
/// assert!((trace - similarity.objective(&identity)?).abs() < 1e-12);
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Debug)]
pub struct WeightSimilarity {
    symmetries: Symmetries,
    host: Device,
    /// The flat parameters of both models on the host; none for tensors that are not compared.
    tensors: Vec<Option<[Tensor<1>; 2]>>,
    /// The groups that act on each tensor.
    groups: Vec<Vec<usize>>,
    /// The factor of each tensor, and the bound of its part of the objective without that.
    shares: Vec<f64>,
    bounds: Vec<f64>,
    /// The last known part of the objective of each tensor, without its factor.
    known: Mutex<Vec<Option<Known>>>,
}

/// The part `⟨a, g b⟩` of a tensor under the permutations of its groups.
#[derive(Debug)]
struct Known {
    tables: Vec<usize>,
    product: f64,
}

/// The argument that a model is.
pub(super) type Name = &'static str;

/// The parameters of a model that groups permute, on the host, with their norms; none for its other float tensors.
pub(super) type Compared = Vec<Option<(Tensor<1>, f64)>>;

impl WeightSimilarity {
    /// Compares two models of one architecture, on any devices and of any float types.
    ///
    /// # Errors
    ///
    /// [`AlignError::DifferentModel`], with the first parameter that differs; [`AlignError::NonFinite`];
    /// [`AlignError::Symmetry`] with [`SymmetryError::NoHostBackend`]; [`AlignError::Space`] for quantized parameters,
    /// and for a device that fails.
    pub fn new<M: Module>(symmetries: &Symmetries, a: &M, b: &M) -> Result<Self, AlignError> {
        let host = host_device()?;
        let a = compared(symmetries, "a", a, &host)?;
        let b = compared(symmetries, "b", b, &host)?;
        Ok(Self::between(symmetries, host, a, b))
    }

    /// Compares parameters on the host.
    pub(super) fn between(symmetries: &Symmetries, host: Device, a: Compared, b: Compared) -> Self {
        let axes = &symmetries.layout().tensors;
        let mut bounds = Vec::with_capacity(axes.len());
        let mut tensors = Vec::with_capacity(axes.len());
        for pair in a.into_iter().zip(b) {
            let (bound, pair) = match pair {
                (Some((a, a_norm)), Some((b, b_norm))) => (a_norm * b_norm, Some([a, b])),
                _ => (0.0, None),
            };
            bounds.push(bound);
            tensors.push(pair);
        }
        Self {
            groups: axes.iter().map(groups_of).collect(),
            known: Mutex::new(axes.iter().map(|_| None).collect()),
            shares: vec![1.0; axes.len()],
            symmetries: symmetries.clone(),
            host,
            tensors,
            bounds,
        }
    }

    /// Gives tensors on which one of some groups acts a factor of 1, and all others a share.
    pub(super) fn weigh(&mut self, groups: &[usize], share: f64) {
        for (own, acting) in self.shares.iter_mut().zip(&self.groups) {
            let is_whole = acting.iter().any(|group| groups.contains(group));
            *own = if is_whole { 1.0 } else { share };
        }
    }

    fn check(&self, element: &Element) -> Result<(), AlignError> {
        if element.symmetries == self.symmetries {
            Ok(())
        } else {
            Err(SymmetryError::DifferentSymmetries.into())
        }
    }

    /// The matrix of a group; with `is_mean`, of the mean over all permutations of its other places in a tensor. `None`
    /// with `is_mean` if there are no other places.
    fn products(
        &self,
        group: usize,
        element: &Element,
        is_mean: bool,
    ) -> Result<Option<Vec<f64>>, AlignError> {
        self.check(element)?;
        let width = element.permutation(group).map_or(0, <[usize]>::len);
        let layout = self.symmetries.layout();
        let mut meets_itself = false;
        if is_mean {
            let compared = layout.tensors.iter().zip(&self.tensors);
            let compared = compared.filter(|(_, tensors)| tensors.is_some());
            let mut places = compared.flat_map(|(axes, _)| unfoldings(layout, axes, group));
            meets_itself = places.any(|place| place.meets_itself());
            if !meets_itself {
                return Ok(None);
            }
        }
        let mut sum = vec![0.0; width * width];
        for (index, axes) in layout.tensors.iter().enumerate() {
            let Some([a, b]) = &self.tensors[index] else {
                continue;
            };
            let share = self.shares[index];
            let places = unfoldings(layout, axes, group);
            if places.is_empty() || share == 0.0 {
                continue;
            }
            let a = wide(a.clone());
            let b = wide(element.moved(index, b.clone()));
            for place in places {
                let other = if meets_itself && place.meets_itself() {
                    let averaged = place.averaged(&host_values(b.clone())?);
                    self.matrix_of(place.of(&averaged))
                } else {
                    self.unfolded(&place, &b)?
                };
                // `a bᵀ` of two tensors that are unfolded alike.
                let product = self.unfolded(&place, &a)?.matmul(other.transpose());
                let [rows, columns] = product.dims();
                let product = host_values(product.reshape([rows * columns]))?;
                for (sum, product) in sum.iter_mut().zip(product) {
                    *sum += share * product;
                }
            }
        }
        Ok(Some(sum))
    }

    /// A flat tensor as a matrix, without a copy where its elements are in that order already.
    fn unfolded(&self, place: &Unfolding, values: &Tensor<1>) -> Result<Tensor<2>, SpaceError> {
        let [len] = values.dims();
        Ok(match place.as_it_is(len) {
            Some((shape, is_transposed)) => {
                let matrix = values.clone().reshape(shape);
                if is_transposed {
                    matrix.transpose()
                } else {
                    matrix
                }
            }
            None => self.matrix_of(place.of(&host_values(values.clone())?)),
        })
    }

    fn matrix_of(&self, unfolded: Unfolded) -> Tensor<2> {
        let data = TensorData::new(unfolded.values, unfolded.shape);
        let matrix = Tensor::<2>::from_data(data, (&self.host, DType::F64));
        if unfolded.is_transposed {
            matrix.transpose()
        } else {
            matrix
        }
    }

    /// The part of a tensor in the objective.
    fn part(&self, index: usize, element: &Element) -> Result<f64, AlignError> {
        let share = self.shares[index];
        let Some([a, b]) = self.tensors[index].as_ref().filter(|_| share != 0.0) else {
            return Ok(0.0);
        };
        let groups = self.groups[index].iter();
        let tables = groups.filter_map(|&group| element.permutation(group));
        let tables: Vec<usize> = tables.flatten().copied().collect();
        if let Some(known) = &self.known()[index]
            && known.tables == tables
        {
            return Ok(share * known.product);
        }
        let a = host_values(a.clone())?;
        let b = host_values(element.moved(index, b.clone()))?;
        let product = dot(&a, &b);
        self.known()[index] = Some(Known { tables, product });
        Ok(share * product)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Option<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Similarity for WeightSimilarity {
    fn symmetries(&self) -> &Symmetries {
        &self.symmetries
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        Ok(self.products(group, element, false)?.unwrap_or_default())
    }

    fn mean_matrix(&self, group: usize, element: &Element) -> Result<Option<Vec<f64>>, AlignError> {
        self.products(group, element, true)
    }

    fn objective(&self, element: &Element) -> Result<f64, AlignError> {
        self.check(element)?;
        let parts = 0..self.tensors.len();
        parts.map(|index| self.part(index, element)).sum()
    }

    fn upper_bound(&self) -> Option<f64> {
        let pairs = self.shares.iter().zip(&self.bounds);
        Some(pairs.map(|(share, bound)| share * bound).sum())
    }
}

/// The groups that act on a tensor, each once.
pub(super) fn groups_of(tensor: &TensorAxes) -> Vec<usize> {
    let factors = tensor
        .axes
        .iter()
        .flatten()
        .flat_map(|block| &block.factors);
    let mut groups: Vec<usize> = factors.filter_map(|factor| factor.group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Returns an error unless a model has the float tensors of the symmetries.
pub(super) fn check_model(
    symmetries: &Symmetries,
    model: Name,
    tensors: &[FloatTensor],
) -> Result<(), AlignError> {
    let checked = symmetries.check_tensors(tensors);
    checked.map_err(|error| match error {
        SymmetryError::DifferentModel { expected, found } => AlignError::DifferentModel {
            model,
            expected,
            found,
        },
        other => other.into(),
    })
}

/// Reads and checks them.
pub(super) fn compared<M: Module>(
    symmetries: &Symmetries,
    model: Name,
    module: &M,
    host: &Device,
) -> Result<Compared, AlignError> {
    let tensors = float_tensors(module)?;
    check_model(symmetries, model, &tensors)?;
    let axes = &symmetries.layout().tensors;
    let mut compared = Vec::with_capacity(tensors.len());
    for (tensor, axes) in tensors.into_iter().zip(axes) {
        if tensor.is_running_statistic {
            compared.push(None);
            continue;
        }
        let on_host = on_device(tensor.values, host)?;
        let values = host_values(on_host.clone())?;
        let mut numbers = values.iter().copied().enumerate();
        if let Some((index, value)) = numbers.find(|(_, value)| !value.is_finite()) {
            return Err(AlignError::NonFinite {
                model,
                path: axes.path().to_string(),
                index,
                value,
            });
        }
        let norm = dot(&values, &values).sqrt();
        compared.push(axes.has_groups().then_some((on_host, norm)));
    }
    Ok(compared)
}

/// The values on another device, in f64 or, if they have at most its digits, in f32. Nothing is copied on the same
/// device.
fn on_device(values: Tensor<1>, device: &Device) -> Result<Tensor<1>, SpaceError> {
    if values.device() == *device {
        return Ok(values);
    }
    let dtype = match values.dtype() {
        DType::F64 => DType::F64,
        _ => DType::F32,
    };
    let data = values.try_into_data().map_err(failed)?;
    Ok(Tensor::from_data(data, (device, dtype)))
}

/// Values in f64.
pub(super) fn wide(values: Tensor<1>) -> Tensor<1> {
    match values.dtype() {
        DType::F64 => values,
        _ => values.cast(DType::F64),
    }
}

/// The values in f64.
pub(super) fn host_values(values: Tensor<1>) -> Result<Vec<f64>, SpaceError> {
    let data = wide(values).try_into_data().map_err(failed)?;
    data.try_into_vec().map_err(failed)
}

fn failed(error: impl std::fmt::Debug) -> SpaceError {
    SpaceError::Device {
        message: format!("{error:?}"),
    }
}

/// The scalar product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}
