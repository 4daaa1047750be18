//! Losses of networks on digits.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use super::digits::{Labeled, Targeted};
use super::network::Network;
use crate::Failure;

/// Half the squared distance to the one-hot row, mean over the images.
pub(crate) fn half_mse<N: Network>(net: &N, (images, targets): Targeted) -> Tensor<1> {
    let [count, _] = images.dims();
    (net.forward(images) - targets).square().sum() / (2.0 * count as f64)
}

/// The cross-entropy, mean over the images.
pub(crate) fn cross_entropy<N: Network>(net: &N, (images, labels): Labeled) -> Tensor<1> {
    let logs = log_softmax(net.forward(images), 1);
    -logs.gather(1, labels.unsqueeze_dim::<2>(1)).mean()
}

/// The fraction of images whose digit has the largest output.
pub(crate) fn accuracy<N: Network>(net: &N, batch: &Labeled) -> Result<f64, Failure> {
    let (images, labels) = batch.clone();
    let guesses = net.forward(images).argmax(1).flatten::<1>(0, 1);
    number(guesses.equal(labels).float().mean())
}

/// The number in a tensor of one element.
pub(crate) fn number(tensor: Tensor<1>) -> Result<f64, Failure> {
    Ok(tensor.try_into_scalar::<f64>()?)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, Int};

    use super::*;

    /// Returns its images as outputs.
    struct Same;

    impl Network for Same {
        fn forward(&self, images: Tensor<2>) -> Tensor<2> {
            images
        }
    }

    fn outputs() -> Tensor<2> {
        let place = (&Device::default(), DType::F64);
        Tensor::from_data([[1.0, 0.0], [0.0, 3.0]], place)
    }

    #[test]
    fn losses_are_means_over_images() {
        let loss = half_mse(&Same, (outputs(), outputs().zeros_like()));
        // (1 + 9) / 2 / 2.
        assert_eq!(number(loss).unwrap(), 2.5);
        let labels = Tensor::<1, Int>::from_data([0, 0], &Device::default());
        let loss = number(cross_entropy(&Same, (outputs(), labels))).unwrap();
        let expected = 0.5 * ((1.0 + (-1.0_f64).exp()).ln() + (1.0 + 3.0_f64.exp()).ln());
        assert!((loss - expected).abs() < 1e-12);
    }

    #[test]
    fn accuracy_counts_the_largest_output() {
        let labels = Tensor::<1, Int>::from_data([0, 0], &Device::default());
        assert_eq!(accuracy(&Same, &(outputs(), labels)).unwrap(), 0.5);
    }
}
