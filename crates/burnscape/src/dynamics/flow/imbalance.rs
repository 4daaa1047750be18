use burn::tensor::Tensor;

use crate::dynamics::DynamicsError;

/// What the gradient flow of two consecutive linear layers conserves: `D = W₁ᵀ W₁ − W₂ W₂ᵀ`.
///
/// For the outputs `x W₁ W₂`, whatever the loss, `D` does not change along the flow, and neither does its Frobenius norm:
/// layers that are balanced at the start stay balanced. Gradient descent changes it by `η²` in each step, weight decay
/// shrinks it. Compare `D` at two times by `|D − D₀|_F / |D₀|_F`.
///
/// A bias of the first layer is one more row of `first`, and a bias of the second changes nothing. With a ReLU between the
/// layers, only the diagonal of `D` is conserved.
///
/// # Shapes
///
/// `first`: `[inputs, hidden]`, `second`: `[hidden, outputs]`, the layout of Burn's
/// [`Linear`](burn::nn::Linear); the result: `[hidden, hidden]`, off autodiff.
///
/// # Errors
///
/// [`DynamicsError::NotConsecutive`] for layers with other numbers of hidden units.
///
/// # References
///
/// Du, Hu, Lee 2018, *Algorithmic Regularization in Learning Deep Homogeneous Models: Layers are Automatically
/// Balanced*, arXiv:1806.00900; Arora, Cohen, Hazan 2018, arXiv:1802.06509.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor, TensorData};
/// use burnscape::dynamics::imbalance;
///
/// let device = Device::default();
/// let first = Tensor::<2>::from_data([[1.0, 2.0]], &device);
/// let second = Tensor::<2>::from_data([[2.0], [1.0]], &device);
/// let found = imbalance(first, second)?;
/// assert_eq!(found.to_data(), TensorData::from([[-3.0_f32, 0.0], [0.0, 3.0]]));
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
pub fn imbalance(first: Tensor<2>, second: Tensor<2>) -> Result<Tensor<2>, DynamicsError> {
    let ([_, hidden], [found, _]) = (first.dims(), second.dims());
    if hidden != found {
        return Err(DynamicsError::NotConsecutive {
            hidden,
            inputs: found,
        });
    }
    let first = first.inner();
    let second = second.inner().to_device(&first.device());
    let second = if second.dtype() == first.dtype() {
        second
    } else {
        second.cast(first.dtype())
    };
    Ok(first.clone().transpose().matmul(first) - second.clone().matmul(second.transpose()))
}
