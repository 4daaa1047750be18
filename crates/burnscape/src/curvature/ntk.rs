use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use burnscape_krylov::{HasAdjoint, LinearOperator, SelfAdjoint, Step};
use std::ops::ControlFlow;

use super::CurvatureError;
use super::jacobian::Jacobian;
use super::output_vector::{OutputSpace, OutputVector};
use crate::loss::{DeviceWork, Risk, Split};
use crate::space::ParamSpace;

/// The empirical neural tangent kernel `K = J Jᵀ` of a model's outputs over a data set.
///
/// Rows and columns are the outputs of all batches in order, like the rows of the [`Jacobian`]. Batches are neither
/// averaged nor weighted. The nonzero eigenvalues are those of `Jᵀ J`.
///
/// # Cost
///
/// A product is one backward pass and one forward derivative over the data.
///
/// # Errors
///
/// Those of the [`Hessian`](super::Hessian).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let data = [Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device)];
/// let risk = Risk::split(
///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
///     |z: Tensor<2>, _: Tensor<2>| z.mean(),
///     &data,
/// );
/// let kernel = risk.ntk(&model)?;
/// // The Gram matrix of the inputs.
/// let dense: Vec<f32> = kernel.dense()?.into_data().iter().collect();
/// assert_eq!(dense, [5.0, 11.0, 11.0, 25.0]);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
///
/// # Reference
///
/// Jacot, Gabriel, Hongler, *Neural tangent kernel*, NeurIPS 2018.
#[derive(Debug)]
pub struct Ntk<'a>(Jacobian<'a>);

impl Ntk<'_> {
    /// The space of the parameters.
    pub fn space(&self) -> &ParamSpace {
        self.0.space()
    }

    /// The space of the outputs, on which the kernel acts.
    pub fn outputs(&self) -> &OutputSpace {
        self.0.outputs()
    }

    /// The kernel without one of its [devices](Risk::with_devices), given by its place in the list.
    ///
    /// # Cost
    ///
    /// That of [`Jacobian::without_device`].
    ///
    /// # Errors
    ///
    /// Those of [`Jacobian::without_device`].
    pub fn without_device(&self, index: usize) -> Result<Self, CurvatureError> {
        self.0.without_device(index).map(Self)
    }

    /// What each [device](Risk::with_devices) of the kernel has done, in the order of the list; empty without devices.
    pub fn device_work(&self) -> Vec<DeviceWork> {
        self.0.device_work()
    }

    /// The kernel as a dense matrix `[m, m]` on the model's device, for `m` outputs.
    ///
    /// # Cost
    ///
    /// `m` backward passes, several per pass over the data, and one matrix product, for which NVIDIA GPUs round the Jacobian
    /// to ten bits (TF32). Memory: the whole Jacobian, `m` times the number of parameters.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Linearize`], [`CurvatureError::Stopped`].
    pub fn dense(&self) -> Result<Tensor<2>, CurvatureError> {
        let rows = self.0.transposed_block(&identity(&self.0.outputs))?;
        Ok(rows.clone().matmul(rows.transpose()))
    }
}

fn identity(space: &OutputSpace) -> Tensor<2> {
    let m = space.len();
    let one_if_diagonal = |index: usize| f64::from(u8::from(index / m == index % m));
    let entries: Vec<f64> = (0..m * m).map(one_if_diagonal).collect();
    let data = TensorData::new(entries, [m, m]);
    Tensor::from_data(data, (space.device(), space.dtype()))
}

impl LinearOperator for Ntk<'_> {
    type Domain = OutputVector;
    type Range = OutputVector;
    type Error = CurvatureError;

    fn domain(&self) -> OutputSpace {
        self.0.range()
    }

    fn range(&self) -> OutputSpace {
        self.0.range()
    }

    fn matvec(&self, v: &OutputVector) -> Result<OutputVector, CurvatureError> {
        self.0.gram_product(v)
    }

    fn matmat(&self, vectors: &[OutputVector]) -> Result<Vec<OutputVector>, CurvatureError> {
        let back = self.0.matmat_adjoint(vectors)?;
        self.0.check_break()?;
        self.0.matmat(&back)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.0.report(step)
    }

    fn is_stop(&self, error: &CurvatureError) -> bool {
        error.is_stop()
    }
}

impl SelfAdjoint for Ntk<'_> {}

impl<'a, M: Module> Risk<'a, M, Split> {
    /// The [`Ntk`] of a model's outputs over the data of a risk. It does not use the criterion of the risk.
    ///
    /// # Errors
    ///
    /// Those of [`Ntk`].
    pub fn ntk(&self, model: &M) -> Result<Ntk<'a>, CurvatureError> {
        Ok(Ntk(self.jacobian(model)?))
    }
}
